/* What is worked out once per run: counts, background, and the cell vectors of every phi and mosaic domain, which no
 * pixel then computes again. */
#include "model.h"

#include <stdlib.h>

#include "sampling.h"
#include "units.h"

static double phi_of(const Model *m, int phi_tic)
{
    return m->phi0_rad + m->osc.step * phi_tic;
}

/* Order misset, phi, mosaic: the same operations as in the plain loops, so that no bit changes. */
static bool rotate_all(Model *m, Error *err)
{
    int domains = m->crystal.mosaic_domains, slots = m->osc.count + 1;
    if ((double)slots * domains * (double)(sizeof(Cell) / sizeof(double)) > MAX_ELEMENTS)
        return fail(err, "flags -phisteps, -mosaic_domains: expected at most %g orientations, got %g",
                    MAX_ELEMENTS / (double)(sizeof(Cell) / sizeof(double)), (double)slots * domains);
    m->rotated_m = calloc((size_t)slots * (size_t)domains, sizeof *m->rotated_m);
    if (!m->rotated_m)
        return fail(err, "no memory for %d x %d orientations", slots, domains);
    for (int slot = 0; slot < slots; slot++) {
        Cell at_phi = m->crystal.real_m;
        double phi = slot < m->osc.count ? phi_of(m, slot) : 0.0;
        if (phi != 0.0) {
            at_phi.a = rotate_axis(at_phi.a, m->detector.spindle_vector, phi);
            at_phi.b = rotate_axis(at_phi.b, m->detector.spindle_vector, phi);
            at_phi.c = rotate_axis(at_phi.c, m->detector.spindle_vector, phi);
        }
        for (int domain = 0; domain < domains; domain++) {
            Cell *cell = &m->rotated_m[(size_t)slot * (size_t)domains + (size_t)domain];
            *cell = at_phi;
            if (m->crystal.mosaic_spread_rad > 0.0) {
                const Umat *umat = &m->crystal.mosaic_umats[domain];
                *cell = (Cell){rotate_umat(at_phi.a, umat), rotate_umat(at_phi.b, umat), rotate_umat(at_phi.c, umat)};
            }
        }
    }
    return true;
}

bool finish_model(Model *m, const Settings *s, Error *err)
{
    m->phi0_rad = s->phi0_rad;
    m->osc = sample_phi(s->osc);
    m->fringe_m = s->lambda0_m * m->detector.distance_m / m->detector.pixel_m;
    m->recommended_oversample = recommended_oversample(&m->crystal, m->fringe_m, &m->largest_m);
    m->oversample_given = s->oversample > 0;
    m->oversample = m->oversample_given ? s->oversample : m->recommended_oversample;
    m->oversample_thick = s->oversample_thick;
    m->oversample_polar = s->oversample_polar;
    m->oversample_omega = s->oversample_omega;
    m->fix_phi_carryover = s->fix_phi_carryover;
    m->fix_interp_latch = s->fix_interp_latch;
    /* decided on the counts that flags give, before sample sizes turn into counts */
    bool small = s->Na <= 2 || s->Nb <= 2 || s->Nc <= 2;
    bool wanted = s->interpolate == INTERPOLATE_YES || (s->interpolate == INTERPOLATE_AUTO && small);
    m->interpolate = m->refl.Fhkl && wanted;

    Sampled layers = sample_thickness(s->thick);
    m->detector.mu = s->detector_mu;
    if (s->thick.range > 0.0 && m->detector.mu < 0.0)
        m->detector.mu = 1.0 / s->thick.range;
    m->detector.thick_m = layers.range;
    m->detector.thickstep_m = layers.step;
    m->detector.thicksteps = layers.count;

    if (m->oversample_thick && !(m->detector.thick_m > 0.0))
        note("WARNING: -oversample_thick without a thickness: the image is black (quirk thick-without-thickness)");
    if (m->oversample_polar && m->beam.nopolar)
        note("WARNING: -oversample_polar undoes -nopolar (quirk nopolar-oversample-polar)");
    if (!m->osc.count)
        note("WARNING: -phistep leaves no step in an -osc of 0: every pixel is 0/0 (quirk no-steps)");

    m->water = s->water_size_m != 0.0;
    m->I_bg = WATER_F * WATER_F * R_E_SQR * m->beam.fluence * s->water_size_m * s->water_size_m * s->water_size_m *
              1e6 * AVOGADRO / WATER_MW;
    m->steps = (double)m->beam.count * m->crystal.mosaic_domains * m->osc.count * m->oversample * (double)m->oversample;
    if (!(m->steps < 9e15))
        return fail(err,
                    "expected fewer than 9e15 steps per pixel, got %g: fewer sources, domains, phisteps or sub-pixels",
                    m->steps);
    return check_count("-phisteps", m->osc.count, err) && check_count("-detector_thicksteps", layers.count, err) &&
           check_count("-oversample (recommended for this crystal)", m->oversample, err) && rotate_all(m, err);
}

LeakState fresh_state(const Model *m)
{
    return (LeakState){m->osc.count, m->interpolate};
}

bool phi_can_leak(const Model *m)
{
    bool zero = false, other = false;
    for (int tic = 0; tic < m->osc.count; tic++) {
        zero = zero || phi_of(m, tic) == 0.0;
        other = other || phi_of(m, tic) != 0.0;
    }
    return !m->fix_phi_carryover && zero && other;
}

bool interp_can_leak(const Model *m)
{
    return !m->fix_interp_latch && m->interpolate;
}

bool is_rendered(const Model *m, int spixel, int fpixel)
{
    const Detector *d = &m->detector;
    return fpixel >= d->roi_xmin && fpixel <= d->roi_xmax && spixel >= d->roi_ymin && spixel <= d->roi_ymax &&
           (!m->mask || m->mask[(size_t)spixel * (size_t)d->fpixels + (size_t)fpixel]);
}

void free_model(Model *m)
{
    free_reflections(&m->refl);
    free_crystal(&m->crystal);
    free_beam(&m->beam);
    free(m->rotated_m);
    m->rotated_m = NULL;
}
