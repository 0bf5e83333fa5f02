/* The flags that do more than store their value. Quirks of the original's parser live here, each under its id:
 * custom-switch, pix0-ignored, twotheta-axis-sets-twotheta, misset-seed-clobbers, second-cell. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions.h"
#include "units.h"

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
    const char *word = p->values[0].text;
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

/* Quirk second-cell: a later, shorter -cell replaces as many numbers as it has and keeps the others. */
bool opt_cell(Parser *p)
{
    Settings *s = p->settings;
    for (int i = 0; i < p->used; i++) {
        double value = p->values[i].number;
        bool angle = i >= 3;
        if (!(value > 0.0) || (angle && !(value < 180.0)))
            return fail(p->err, "flag -cell: expected %s, got '%s'",
                        angle ? "an angle between 0 and 180 deg" : "a positive length in A", p->values[i].text);
        s->cell[i] = angle ? value / RTD : value;
    }
    if (p->used < s->cell_given)
        note("WARNING: this -cell has %d numbers: the other %d are those of the -cell before it", p->used,
             s->cell_given - p->used);
    else
        s->cell_given = p->used;
    return true;
}

bool opt_misset(Parser *p)
{
    Settings *s = p->settings;
    const Value *v = p->values;
    s->misset = isnan(v[0].number) ? MISSET_RANDOM : MISSET_GIVEN;
    if (s->misset == MISSET_GIVEN)
        s->misset_rad = vec3(v[0].number / RTD, v[1].number / RTD, v[2].number / RTD);
    return true;
}

static bool take_seed(Parser *p, long *seed)
{
    int value = p->values[0].count;
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
 * a word that is not a number counts as 0, and none of the words is used up. */
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
    p->settings->Na = p->settings->Nb = p->settings->Nc = p->values[0].count;
    return true;
}

bool opt_xtalsize(Parser *p)
{
    Settings *s = p->settings;
    s->sample_x_m = s->sample_y_m = s->sample_z_m = p->values[0].number / 1e3;
    return true;
}

bool opt_divergence(Parser *p)
{
    p->settings->hdiv.range = p->settings->vdiv.range = p->values[0].number / 1e3;
    return true;
}

bool opt_detsize(Parser *p)
{
    p->settings->detsize_f_m = p->settings->detsize_s_m = p->values[0].number / 1e3;
    return true;
}

bool opt_divsteps(Parser *p)
{
    p->settings->hdiv.count = p->settings->vdiv.count = p->values[0].count;
    return true;
}

bool opt_detpixels(Parser *p)
{
    p->settings->fpixels = p->settings->spixels = p->values[0].count;
    return true;
}

bool opt_energy(Parser *p)
{
    double energy = p->values[0].number;
    if (!(energy > 0.0))
        return fail(p->err, "flag -energy: expected a positive number (eV), got '%s'", p->values[0].text);
    p->settings->lambda0_m = HC_EV_ANGSTROM / energy / 1e10;
    return true;
}

bool opt_polar(Parser *p)
{
    p->settings->nopolar = false;
    p->settings->polarization = p->values[0].number;
    return true;
}

bool opt_detector_abs(Parser *p)
{
    Settings *s = p->settings;
    double depth = p->values[0].number;
    if (depth < 0.0)
        return fail(p->err, "flag %s: expected a number (um), inf or 0, got '%s'", flag_name(p), p->values[0].text);
    if (depth == 0.0 || isinf(depth)) {
        s->thick.range = 0.0;
        s->detector_mu = 0.0;
    } else {
        s->detector_mu = 1.0 / (depth / 1e6);
    }
    return true;
}

bool opt_roi(Parser *p)
{
    int *roi = p->settings->roi;
    for (int i = 0; i < 4; i++)
        roi[i] = p->values[i].count;
    for (int i = 0; i < 4; i += 2)
        if (roi[i] > roi[i + 1])
            return fail(p->err, "flag -roi: expected %cmin <= %cmax, got the reversed %d %d", i ? 'y' : 'x',
                        i ? 'y' : 'x', roi[i], roi[i + 1]);
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
    p->settings->printout_fpixel = p->values[0].count;
    p->settings->printout_spixel = p->values[1].count;
    return true;
}

bool opt_trace_pixel(Parser *p)
{
    Settings *s = p->settings;
    TracePixel pixel = {p->values[0].count, p->values[1].count};
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
    const char *list = p->values[0].text;
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
    p->settings->threads = p->values[0].count;
    if (p->settings->threads < 1 || p->settings->threads > 1024)
        return fail(p->err, "flag -threads: expected a whole number from 1 to 1024, got '%s'", p->values[0].text);
    return true;
}
