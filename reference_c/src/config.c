/* The resolved settings as JSON. Names, order and units are those that the other program prints (simulator/nanobragg_torch/config.py);
 * a test compares both. */
#include "config.h"

#include <math.h>
#include <stdio.h>

#include "units.h"

static const char *const CONVENTIONS[] = {"MOSFLM", "DENZO", "ADXV", "XDS", "DIALS", "CUSTOM"};
static const char *const SHAPES[] = {"square", "round", "gauss", "tophat"};

static void print_number(double value)
{
    if (isfinite(value))
        printf("%.17g", value);
    else
        printf("\"%s\"", isnan(value) ? "nan" : value > 0.0 ? "inf" : "-inf");
}

static void name_of(const char *key)
{
    printf(",\n  \"%s\": ", key);
}

static void show_number(const char *key, double value)
{
    name_of(key);
    print_number(value);
}

static void show_bool(const char *key, bool value)
{
    name_of(key);
    fputs(value ? "true" : "false", stdout);
}

static void show_text(const char *key, const char *text)
{
    name_of(key);
    printf("\"%s\"", text);
}

static void show_numbers(const char *key, const double *values, int count)
{
    name_of(key);
    for (int i = 0; i < count; i++) {
        fputs(i ? ", " : "[", stdout);
        print_number(values[i]);
    }
    putchar(']');
}

static void show_vector(const char *key, Vec3 v)
{
    show_numbers(key, (const double[3]){v.x, v.y, v.z}, 3);
}

static void show_detector(const Detector *d, const Settings *s)
{
    const int last_f = d->fpixels - 1, last_s = d->spixels - 1;
    show_text("pivot", d->pivot == PIVOT_BEAM ? "beam" : "sample");
    show_number("fpixels", d->fpixels);
    show_number("spixels", d->spixels);
    show_number("pixel_mm", d->pixel_m * 1e3);
    show_number("detsize_f_mm", d->detsize_f_m * 1e3);
    show_number("detsize_s_mm", d->detsize_s_m * 1e3);
    show_vector("beam_vector", d->beam_vector);
    show_vector("polar_vector", d->polar_vector);
    show_vector("spindle_axis", d->spindle_vector);
    show_vector("twotheta_axis", d->twotheta_axis);
    show_number("twotheta_deg", d->twotheta_rad * RTD);
    show_vector("detector_rot_deg", scaled(RTD, s->detector_rot_rad));
    show_number("Xbeam_mm", d->Xbeam_m * 1e3);
    show_number("Ybeam_mm", d->Ybeam_m * 1e3);
    show_number("Xclose_mm", d->Xclose_m * 1e3);
    show_number("Yclose_mm", d->Yclose_m * 1e3);
    show_number("distance_mm", d->distance_m * 1e3);
    show_number("close_distance_mm", d->close_distance_m * 1e3);
    show_number("Fbeam_mm", d->Fbeam_m * 1e3);
    show_number("Sbeam_mm", d->Sbeam_m * 1e3);
    show_number("Fclose_mm", d->Fclose_m * 1e3);
    show_number("Sclose_mm", d->Sclose_m * 1e3);
    show_vector("fdet_vector", d->fdet_vector);
    show_vector("sdet_vector", d->sdet_vector);
    show_vector("odet_vector", d->odet_vector);
    show_vector("pix0_vector_mm", scaled(1e3, d->pix0_vector_m));
    show_bool("curved", d->curved);
    show_bool("point_pixel", d->point_pixel);
    show_number("thick_um", d->thick_m * 1e6);
    show_number("thicksteps", d->thicksteps);
    show_number("mu_per_m", d->mu);
    show_numbers("roi",
                 (const double[4]){d->roi_xmin, d->roi_xmax < last_f ? d->roi_xmax : last_f, d->roi_ymin,
                                   d->roi_ymax < last_s ? d->roi_ymax : last_s},
                 4);
}

static void show_beam(const Beam *b, const Settings *s)
{
    show_number("lambda_A", b->lambda0_m * 1e10);
    show_number("dispersion_fraction", b->dispersion.range);
    show_number("dispsteps", b->dispersion.count);
    show_number("hdivrange_mrad", b->hdiv.range * 1e3);
    show_number("hdivstep_mrad", b->hdiv.step * 1e3);
    show_number("hdivsteps", b->hdiv.count);
    show_number("vdivrange_mrad", b->vdiv.range * 1e3);
    show_number("vdivstep_mrad", b->vdiv.step * 1e3);
    show_number("vdivsteps", b->vdiv.count);
    show_bool("round_div", s->round_div);
    show_number("sources", b->count);
    show_number("fluence_per_m2", b->fluence);
    show_number("kahn_factor", b->polarization);
    show_bool("nopolar", b->nopolar);
    show_number("dmin_A", b->dmin_m * 1e10);
    show_number("water_um", s->water_size_m * 1e6);
}

static void show_crystal(const Crystal *x, const Settings *s)
{
    show_vector("misset_deg", scaled(RTD, x->misset_rad));
    show_vector("a_star_A_inv", x->star_A_inv.a);
    show_vector("b_star_A_inv", x->star_A_inv.b);
    show_vector("c_star_A_inv", x->star_A_inv.c);
    show_vector("a_angstroms", x->real_A.a);
    show_vector("b_angstroms", x->real_A.b);
    show_vector("c_angstroms", x->real_A.c);
    show_number("V_cell_A3", x->V_cell_A3);
    show_number("Na", x->Na);
    show_number("Nb", x->Nb);
    show_number("Nc", x->Nc);
    show_text("shape", SHAPES[x->shape]);
    show_number("fudge", x->fudge);
    show_number("mosaic_spread_deg", x->mosaic_spread_rad * RTD);
    show_number("mosaic_domains", x->mosaic_domains);
    show_number("mosaic_seed", (double)s->mosaic_seed);
}

static void show_reflections(const Reflections *r)
{
    show_number("default_F", r->default_F);
    if (r->Fhkl) {
        show_numbers("hkl_range", (const double[6]){r->h_min, r->h_max, r->k_min, r->k_max, r->l_min, r->l_max}, 6);
        return;
    }
    name_of("hkl_range");
    fputs("null", stdout);
}

void print_config(const Model *m, const Settings *s)
{
    printf("{\n  \"convention\": \"%s\"", CONVENTIONS[m->detector.convention]);
    show_detector(&m->detector, s);
    show_beam(&m->beam, s);
    show_crystal(&m->crystal, s);
    show_number("phi0_deg", m->phi0_rad * RTD);
    show_number("osc_deg", m->osc.range * RTD);
    show_number("phistep_deg", m->osc.step * RTD);
    show_number("phisteps", m->osc.count);
    show_reflections(&m->refl);
    show_bool("interpolate", m->interpolate);
    show_number("oversample", m->oversample);
    show_bool("oversample_thick", m->oversample_thick);
    show_bool("oversample_polar", m->oversample_polar);
    show_bool("oversample_omega", m->oversample_omega);
    show_bool("mask", m->mask != NULL);
    show_number("steps", m->steps);
    puts("\n}");
}
