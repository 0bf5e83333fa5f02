/* One pixel: the loops over layer, sub-sample, source, phi and mosaic domain (model.md sections 7 and 8), with the
 * probes of trace.md where the quantities arise. Rendering and tracing both call this, and nothing else computes.
 *
 * The tracing build compiles this file twice: without probes for the image, so that having them costs nothing, and with
 * -DTRACE for the traced pixels. */
#include "lattice.h"
#include "model.h"
#include "units.h"

/* What a step needs to know of the loops around it. */
typedef struct {
    const Model *m;
    LeakState *leak;
    Tracer *tracer;
    Pixel *pixel;
} Context;

#ifdef TRACE
#define EVALUATE_PIXEL trace_pixel
#else
#define EVALUATE_PIXEL evaluate_pixel

double subsample_m(const Model *m, int pixel, int sub)
{
    double subpixel_m = m->detector.pixel_m / m->oversample;
    return subpixel_m * ((double)pixel * m->oversample + sub) + subpixel_m / 2.0;
}
#endif

/* F_cell of a step: interpolated where that is on and the block lies in the grid, else the nearest grid value. */
static double structure_factor(const Context *now, Vec3 hkl, Vec3 hkl0)
{
    const Reflections *refl = &now->m->refl;
    LeakState *leak = now->leak;
    if (leak->interpolate) {
        if (interpolation_possible(refl, hkl.x, hkl.y, hkl.z))
            return interpolated_F(refl, hkl.x, hkl.y, hkl.z);
        if (!now->pixel->block_outside) {
            now->pixel->block_outside = true;
            now->pixel->outside_hkl = hkl;
        }
        if (!now->m->fix_interp_latch)
            leak->interpolate = false; /* quirk interp-latch: for all later steps of all pixels */
    }
    return nearest_F(refl, hkl0.x, hkl0.y, hkl0.z);
}

static void probe_cell(Tracer *tracer, const Cell *cell_m)
{
    (void)tracer;
    (void)cell_m;
    if (PROBING(tracer)) {
        double V = 0.0;
        Cell cell_A = {scaled(1e10, cell_m->a), scaled(1e10, cell_m->b), scaled(1e10, cell_m->c)};
        Cell star = reciprocal(&cell_A, &V); /* of the vectors in use, see quirk stale-reciprocal */
        (void)star;
        PROBE3(tracer, step, rot_a_angstroms, cell_A.a);
        PROBE3(tracer, step, rot_b_angstroms, cell_A.b);
        PROBE3(tracer, step, rot_c_angstroms, cell_A.c);
        PROBE3(tracer, step, rot_a_star_A_inv, star.a);
        PROBE3(tracer, step, rot_b_star_A_inv, star.b);
        PROBE3(tracer, step, rot_c_star_A_inv, star.c);
        PROBE(tracer, step, V_actual_A3, V);
    }
}

/* One orientation of one source: adds F_cell^2 F_latt^2. */
static void add_step(const Context *now, const Cell *cell_m, Vec3 scattering)
{
    const Model *m = now->m;
    Pixel *px = now->pixel;
    Tracer *tracer = now->tracer;
    (void)tracer;
    Vec3 hkl = vec3(dot(cell_m->a, scattering), dot(cell_m->b, scattering), dot(cell_m->c, scattering));
    Vec3 hkl0 = vec3(ceil(hkl.x - 0.5), ceil(hkl.y - 0.5), ceil(hkl.z - 0.5)); /* not round-half-even */
    probe_cell(tracer, cell_m);
    PROBE3(tracer, step, hkl_frac, hkl);
    PROBE_VALUES(tracer, step, hkl_rounded, 3, hkl0.x + 0.0, hkl0.y + 0.0, hkl0.z + 0.0);

    Lattice latt = lattice_factor(&m->crystal, hkl, hkl0);
    if (m->crystal.shape == SHAPE_SQUARE) {
        PROBE(tracer, step, F_latt_a, latt.a);
        PROBE(tracer, step, F_latt_b, latt.b);
        PROBE(tracer, step, F_latt_c, latt.c);
    }
    PROBE(tracer, step, F_latt, latt.F_latt);
    if (latt.F_latt == 0.0 && !m->water)
        return;
    double F_cell = structure_factor(now, hkl, hkl0);
    PROBE(tracer, step, F_cell, F_cell);
    px->I += F_cell * F_cell * latt.F_latt * latt.F_latt;
    PROBE(tracer, step, I_running, px->I);
    /* quirk running-product: the factors of this step multiply all that was summed so far */
    if (m->oversample_thick)
        px->I *= px->capture_fraction;
    if (m->oversample_polar)
        px->I *= px->polar;
    if (m->oversample_omega)
        px->I *= px->omega;
}

/* The orientations of one phi. */
static const Cell *cells_at(const Context *now, int phi_tic, double phi)
{
    const Model *m = now->m;
    int slot = phi_tic;
    if (!m->fix_phi_carryover) {
        /* quirk phi-carryover: at phi=0 nothing is computed, and what was there before stays in use */
        if (phi != 0.0)
            now->leak->phi_slot = phi_tic;
        slot = now->leak->phi_slot;
    }
    return &m->rotated_m[(size_t)slot * (size_t)m->crystal.mosaic_domains];
}

static void add_source_steps(const Context *now, const Source *source, Vec3 diffracted)
{
    const Model *m = now->m;
    Pixel *px = now->pixel;
    Tracer *tracer = now->tracer;
    (void)tracer;
    Vec3 scattering = vec3((diffracted.x - source->incident.x) / source->lambda_m,
                           (diffracted.y - source->incident.y) / source->lambda_m,
                           (diffracted.z - source->incident.z) / source->lambda_m);
    PROBE3(tracer, source, incident_vec, source->incident);
    PROBE(tracer, source, lambda_meters, source->lambda_m);
    PROBE3(tracer, source, scattering_vec_m_inv, scattering);
    double stol = 0.5 * length(scattering);
    if (m->beam.dmin_m > 0.0 && stol > 0.0 && m->beam.dmin_m > 0.5 / stol)
        return;
    /* quirk first-value: computed for the first source met, then kept for the whole pixel */
    if (px->polar == 0.0 || m->oversample_polar)
        px->polar =
            polarization_factor(m->beam.polarization, source->incident, diffracted, m->detector.polar_vector);
    PROBE(tracer, source, polar, px->polar);

    for (int phi_tic = 0; phi_tic < m->osc.count; phi_tic++) {
        double phi = m->phi0_rad + m->osc.step * phi_tic;
        const Cell *cells = cells_at(now, phi_tic, phi);
        PROBE_KEY(tracer, KEY_PHI_TIC, phi_tic);
        for (int mos_tic = 0; mos_tic < m->crystal.mosaic_domains; mos_tic++) {
            PROBE_KEY(tracer, KEY_MOS_TIC, mos_tic);
            PROBE(tracer, step, phi_deg, phi * RTD);
            add_step(now, &cells[mos_tic], scattering);
        }
    }
}

static void add_subsample(const Context *now, int thick_tic, double Fdet_m, double Sdet_m)
{
    const Model *m = now->m;
    Pixel *px = now->pixel;
    Tracer *tracer = now->tracer;
    (void)tracer;
    Vec3 pixel_pos = detector_position(&m->detector, Fdet_m, Sdet_m, thick_tic * m->detector.thickstep_m);
    double airpath = length(pixel_pos);
    Vec3 diffracted = unit(pixel_pos);
    /* quirk first-value: solid angle of the pixel's first sub-sample, capture fraction of the layer's */
    if (px->omega == 0.0 || m->oversample_omega)
        px->omega = solid_angle(&m->detector, airpath);
    /* quirk thick-without-thickness: -oversample_thick uses the formula, which then gives 0 */
    if (px->capture_fraction == 0.0 || m->oversample_thick)
        px->capture_fraction = m->detector.thick_m > 0.0 || m->oversample_thick
                                   ? capture(&m->detector, thick_tic, diffracted)
                                   : 1.0;
    px->omega_sum += px->omega;
    PROBE3(tracer, subsample, pix0_vector_meters, m->detector.pix0_vector_m);
    PROBE3(tracer, subsample, fdet_vec, m->detector.fdet_vector);
    PROBE3(tracer, subsample, sdet_vec, m->detector.sdet_vector);
    PROBE3(tracer, subsample, odet_vec, m->detector.odet_vector);
    PROBE3(tracer, subsample, pixel_pos_meters, pixel_pos);
    PROBE(tracer, subsample, R_distance_meters, airpath);
    PROBE(tracer, subsample, close_distance_meters, m->detector.close_distance_m);
    PROBE3(tracer, subsample, diffracted_vec, diffracted);
    PROBE(tracer, subsample, omega_pixel_sr, px->omega);
    PROBE(tracer, subsample, capture_fraction, px->capture_fraction);
    for (int source = 0; source < m->beam.count; source++) {
        PROBE_KEY(tracer, KEY_SOURCE, source);
        add_source_steps(now, &m->beam.sources[source], diffracted);
    }
}

Pixel EVALUATE_PIXEL(const Model *m, int spixel, int fpixel, LeakState *leak, Tracer *tracer)
{
    /* -nopolar sets where the factor starts, no more: quirk nopolar-oversample-polar */
    Pixel px = {.I = m->I_bg, .polar = m->beam.nopolar ? 1.0 : 0.0};
    Context now = {m, leak, tracer, &px};
    PROBE_KEY(tracer, KEY_SPIXEL, spixel);
    PROBE_KEY(tracer, KEY_FPIXEL, fpixel);
    for (int thick_tic = 0; thick_tic < m->detector.thicksteps; thick_tic++) {
        PROBE_KEY(tracer, KEY_THICK_TIC, thick_tic);
        px.capture_fraction = 0.0;
        for (int subS = 0; subS < m->oversample; subS++) {
            double Sdet_m = subsample_m(m, spixel, subS);
            PROBE_KEY(tracer, KEY_SUBS, subS);
            for (int subF = 0; subF < m->oversample; subF++) {
                PROBE_KEY(tracer, KEY_SUBF, subF);
                add_subsample(&now, thick_tic, subsample_m(m, fpixel, subF), Sdet_m);
            }
        }
    }
    px.I_pixel = R_E_SQR * m->beam.fluence * px.I / m->steps;
    if (!m->oversample_thick)
        px.I_pixel *= px.capture_fraction;
    if (!m->oversample_polar)
        px.I_pixel *= px.polar;
    if (!m->oversample_omega)
        px.I_pixel *= px.omega;
    PROBE(tracer, pixel, I_before_scaling, px.I);
    PROBE(tracer, pixel, r_e_sqr, R_E_SQR);
    PROBE(tracer, pixel, fluence_photons_per_m2, m->beam.fluence);
    PROBE(tracer, pixel, steps, m->steps);
    PROBE(tracer, pixel, capture_fraction_final, px.capture_fraction);
    PROBE(tracer, pixel, polar_final, px.polar);
    PROBE(tracer, pixel, omega_pixel_final, px.omega);
    PROBE(tracer, pixel, I_pixel_final, px.I_pixel);
    PROBE(tracer, pixel, floatimage_accumulated, (float)px.I_pixel);
    return px;
}
