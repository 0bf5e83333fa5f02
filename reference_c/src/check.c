/* Refuses settings that no run could use, before anything is read, allocated or written. */
#include "options.h"
#include "units.h"

typedef struct {
    const char *flag, *unit;
    double value, factor; /* to the flag's unit */
} Positive;

bool check_settings(const Settings *s, Error *err)
{
    const Positive positives[] = {
        {"-lambda", "A", s->lambda0_m, 1e10},
        {"-pixel", "mm", s->pixel_m, 1e3},
        {"-distance", "mm", s->distance_m, 1e3},
        {"-close_distance", "mm", isnan(s->close_distance_m) ? 1.0 : s->close_distance_m, 1e3},
        {"-detsize_f", "mm", s->detsize_f_m, 1e3},
        {"-detsize_s", "mm", s->detsize_s_m, 1e3},
    };
    for (unsigned i = 0; i < sizeof positives / sizeof *positives; i++)
        if (!(positives[i].value > 0.0) || !isfinite(positives[i].value))
            return fail(err, "flag %s: expected a positive number (%s), got %g", positives[i].flag, positives[i].unit,
                        positives[i].value * positives[i].factor);
    if (s->fpixels < 0 || s->spixels < 0)
        return fail(err, "flag -detpixels: expected a positive number of pixels, got %d x %d", s->fpixels, s->spixels);
    if (s->oversample > 10000) /* 0 and below: not given */
        return fail(err, "flag -oversample: expected a whole number up to 10000, got %d", s->oversample);
    if (s->thick.range < 0.0)
        return fail(err, "flag -detector_thick: expected a thickness of 0 or more (um), got %g", s->thick.range * 1e6);
    if (length(s->beam_vector) == 0.0 || length(s->fdet_vector) == 0.0 || length(s->sdet_vector) == 0.0)
        return fail(err, "flags -beam_vector, -fdet_vector, -sdet_vector: expected a direction, got 0 0 0");
    if (s->printout_fpixel < -1 || s->printout_spixel < -1)
        return fail(err, "flag -printout_pixel: expected a pixel of the detector, got %d %d", s->printout_fpixel,
                    s->printout_spixel);
#ifndef TRACE
    if (s->trace_count)
        return fail(err, "flag -trace_pixel: this program has no probes; expected nanoBragg-trace, built with it");
#endif
    return true;
}
