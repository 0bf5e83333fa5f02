/* The flags that do more than store their value. Quirks of the original's parser live here, each under its id:
 * custom-switch, pix0-ignored, twotheta-axis-sets-twotheta, misset-seed-clobbers. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "units.h"
#include "values.h"

bool opt_pivot_beam(Parser *p)
{
    p->settings->pivot = PIVOT_BEAM;
    return true;
}

bool opt_pivot_sample(Parser *p)
{
    p->settings->pivot = PIVOT_SAMPLE;
    return true;
}

bool opt_pivot(Parser *p)
{
    const char *word = take_word(p, "sample or beam");
    if (!word)
        return false;
    if (strcmp(word, "sample") && strcmp(word, "beam"))
        return fail(p->err, "flag %s: expected sample or beam, got '%s'", flag_name(p), word);
    p->settings->pivot = strcmp(word, "sample") ? PIVOT_BEAM : PIVOT_SAMPLE;
    return true;
}

/* Quirk custom-switch: any vector flag changes the convention, and with it the meaning of the beam centre. */
bool opt_custom(Parser *p)
{
    p->settings->convention = CONVENTION_CUSTOM;
    return true;
}

/* Quirk pix0-ignored: the origin is recomputed from beam centre or near point, whatever these three numbers are. */
bool opt_pix0(Parser *p)
{
    Vec3 ignored;
    if (!take_vector(p, &ignored))
        return false;
    note("WARNING: the value of %s is not used: the detector origin follows from the beam centre", flag_name(p));
    return opt_custom(p);
}

/* Quirk twotheta-axis-sets-twotheta: the flag is also taken for -twotheta, with its own x component in degrees. */
bool opt_twotheta_axis(Parser *p)
{
    p->settings->twotheta_rad = p->settings->twotheta_axis.x / RTD;
    p->settings->pivot = PIVOT_SAMPLE;
    return opt_custom(p);
}

bool opt_cell(Parser *p)
{
    Settings *s = p->settings;
    int index = p->at + 1;
    s->cell_given = 0;
    while (s->cell_given < 6 && index < p->argc && (s->cell_given == 0 || p->argv[index][0] != '-')) {
        double value;
        if (!take_number(p, &value))
            return false;
        bool angle = s->cell_given >= 3;
        if (!(value > 0.0) || (angle && !(value < 180.0)))
            return fail(p->err, "flag -cell: expected %s, got '%s'",
                        angle ? "an angle between 0 and 180 deg" : "a positive length in A", p->argv[index]);
        s->cell[s->cell_given++] = angle ? value / RTD : value;
        index++;
    }
    if (s->cell_given == 0) {
        double missing;
        return take_number(p, &missing); /* says what is missing */
    }
    return true;
}

bool opt_misset(Parser *p)
{
    Settings *s = p->settings;
    int index = p->at + 1;
    if (index < p->argc && !strncmp(p->argv[index], "rand", 4)) {
        p->used = 1;
        s->misset = MISSET_RANDOM;
        return true;
    }
    Vec3 deg;
    if (!take_vector(p, &deg))
        return false;
    s->misset = MISSET_GIVEN;
    s->misset_rad = vec3(deg.x / RTD, deg.y / RTD, deg.z / RTD);
    return true;
}

static bool take_seed(Parser *p, long *seed)
{
    int value = 0;
    if (!take_count(p, &value))
        return false;
    if (value == INT_MAX || value == -INT_MAX) /* the modulus: the generator would give zero for ever */
        return fail(p->err, "flag %s: expected a seed below %d, got %d", flag_name(p), INT_MAX, value);
    *seed = -(long)value; /* the generator starts afresh at a negative seed */
    return true;
}

bool opt_seed(Parser *p)
{
    return take_seed(p, &p->settings->seed);
}

bool opt_mosaic_seed(Parser *p)
{
    return take_seed(p, &p->settings->mosaic_seed);
}

/* Quirk misset-seed-clobbers: the flag is also taken for -misset, with the seed and the two words after it as angles;
 * a word that is no number counts as 0, and none of the words is used up. */
bool opt_misset_seed(Parser *p)
{
    Settings *s = p->settings;
    double deg[3] = {0.0, 0.0, 0.0};
    if (!take_seed(p, &s->misset_seed))
        return false;
    for (int i = 0; i < 3 && p->at + 1 + i < p->argc; i++) {
        deg[i] = strtod(p->argv[p->at + 1 + i], NULL);
        if (!isfinite(deg[i]))
            deg[i] = 0.0;
    }
    if (s->misset != MISSET_NONE)
        note("WARNING: -misset_seed replaces the -misset before it by the angles %g %g %g; put it first", deg[0],
             deg[1], deg[2]);
    s->misset = MISSET_GIVEN;
    s->misset_rad = vec3(deg[0] / RTD, deg[1] / RTD, deg[2] / RTD);
    return true;
}

bool opt_N(Parser *p)
{
    int n = 0;
    if (!take_count(p, &n))
        return false;
    p->settings->Na = p->settings->Nb = p->settings->Nc = n;
    return true;
}

/* One number for two or three members of Settings. */
static bool take_shared(Parser *p, double *a, double *b, double *c)
{
    double value;
    if (!take_number(p, &value))
        return false;
    *a = *b = *c = value / p->spec->divisor;
    return true;
}

bool opt_xtalsize(Parser *p)
{
    Settings *s = p->settings;
    return take_shared(p, &s->sample_x_m, &s->sample_y_m, &s->sample_z_m);
}

bool opt_divergence(Parser *p)
{
    Settings *s = p->settings;
    return take_shared(p, &s->hdiv.range, &s->vdiv.range, &s->vdiv.range);
}

bool opt_detsize(Parser *p)
{
    Settings *s = p->settings;
    return take_shared(p, &s->detsize_f_m, &s->detsize_s_m, &s->detsize_s_m);
}

bool opt_divsteps(Parser *p)
{
    if (!take_count(p, &p->settings->hdiv.count))
        return false;
    p->settings->vdiv.count = p->settings->hdiv.count;
    return true;
}

bool opt_detpixels(Parser *p)
{
    if (!take_count(p, &p->settings->fpixels))
        return false;
    p->settings->spixels = p->settings->fpixels;
    return true;
}

bool opt_energy(Parser *p)
{
    double energy;
    if (!take_number(p, &energy))
        return false;
    if (!(energy > 0.0))
        return fail(p->err, "flag -energy: expected a positive number (eV), got '%s'", p->argv[p->at + 1]);
    p->settings->lambda0_m = HC_EV_ANGSTROM / energy / 1e10;
    return true;
}

bool opt_polar(Parser *p)
{
    p->settings->nopolar = false;
    return take_number(p, &p->settings->polarization);
}

bool opt_detector_abs(Parser *p)
{
    Settings *s = p->settings;
    const char *word = take_word(p, "a number (um), inf or 0");
    double depth;
    if (!word)
        return false;
    if (!to_number(word, &depth) || isnan(depth) || depth < 0.0)
        return fail(p->err, "flag %s: expected a number (um), inf or 0, got '%s'", flag_name(p), word);
    if (depth == 0.0 || isinf(depth)) {
        s->thick.range = 0.0;
        s->detector_mu = 0.0;
    } else {
        s->detector_mu = 1.0 / (depth / p->spec->divisor);
    }
    return true;
}

bool opt_roi(Parser *p)
{
    for (int i = 0; i < 4; i++)
        if (!take_count(p, &p->settings->roi[i]))
            return false;
    for (int i = 0; i < 4; i += 2)
        if (p->settings->roi[i] > p->settings->roi[i + 1])
            return fail(p->err, "flag -roi: expected %cmin <= %cmax, got the reversed %d %d", i ? 'y' : 'x',
                        i ? 'y' : 'x', p->settings->roi[i], p->settings->roi[i + 1]);
    return true;
}

bool opt_output(Parser *p)
{
    p->settings->output_named = true;
    return true;
}

bool opt_pgm_output(Parser *p)
{
    p->settings->write_pgm = true;
    return opt_output(p);
}

bool opt_noise_output(Parser *p)
{
    p->settings->write_noise = true;
    return opt_output(p);
}

bool opt_printout_pixel(Parser *p)
{
    p->settings->printout = true;
    return take_count(p, &p->settings->printout_fpixel) && take_count(p, &p->settings->printout_spixel);
}

/* A switch in the original, a flag with a number in the specification: a number that follows is taken. */
bool opt_coherent(Parser *p)
{
    double ignored;
    if (p->at + 1 < p->argc && to_number(p->argv[p->at + 1], &ignored))
        p->used = 1;
    return true;
}

bool opt_trace_pixel(Parser *p)
{
    Settings *s = p->settings;
    TracePixel pixel;
    if (!take_count(p, &pixel.spixel) || !take_count(p, &pixel.fpixel))
        return false;
    for (int i = 0; i < s->trace_count; i++)
        if (s->trace_pixels[i].spixel == pixel.spixel && s->trace_pixels[i].fpixel == pixel.fpixel)
            return true;
    if (s->trace_count == MAX_TRACE_PIXELS)
        return fail(p->err, "flag -trace_pixel: expected at most %d pixels", MAX_TRACE_PIXELS);
    s->trace_pixels[s->trace_count++] = pixel;
    return true;
}

/* One word of the list after -fix. */
static bool fix_one(Settings *s, const char *word)
{
    bool all = !strcmp(word, "all"), phi = !strcmp(word, "phi-carryover"), latch = !strcmp(word, "interp-latch");
    s->fix_phi_carryover = s->fix_phi_carryover || all || phi;
    s->fix_interp_latch = s->fix_interp_latch || all || latch;
    return all || phi || latch || !strcmp(word, "none");
}

bool opt_fix(Parser *p)
{
    static const char EXPECTED[] = "a list of phi-carryover and interp-latch, or all, or none";
    const char *list = take_word(p, EXPECTED);
    if (!list)
        return false;
    p->settings->fix_phi_carryover = p->settings->fix_interp_latch = false;
    for (;;) {
        char word[32];
        size_t size = strcspn(list, ",");
        snprintf(word, sizeof word, "%.*s", (int)(size < sizeof word ? size : sizeof word - 1), list);
        if (!fix_one(p->settings, word))
            return fail(p->err, "flag -fix: expected %s, got '%s'", EXPECTED, word);
        if (!list[size])
            return true;
        list += size + 1;
    }
}

bool opt_threads(Parser *p)
{
    if (!take_count(p, &p->settings->threads))
        return false;
    if (p->settings->threads < 1 || p->settings->threads > 1024)
        return fail(p->err, "flag -threads: expected a whole number from 1 to 1024, got '%s'", p->argv[p->at + 1]);
    return true;
}
