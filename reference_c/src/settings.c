/* The settings of a run to which no flag was given. */
#include "settings.h"

#include <string.h>

#include "units.h"

void default_settings(Settings *s, long now_s)
{
    memset(s, 0, sizeof *s);
    s->dump_file = "Fdump.bin";
    s->interpolate = INTERPOLATE_AUTO;
    s->Na = s->Nb = s->Nc = 1;
    s->fudge = 1.0;
    s->mosaic_spread_rad = -1.0;
    s->mosaic_domains = -1;
    s->seed = -now_s;
    s->mosaic_seed = -12345678;
    s->misset_seed = -now_s;

    s->osc = s->hdiv = s->vdiv = (Sampled){-1, -1.0, -1.0};
    s->dispersion = (Sampled){-1, 0.0, -1.0}; /* a range of zero, not "not given" */
    s->thick = (Sampled){-1, 0.0, -1.0};
    s->lambda0_m = 1e-10;
    s->round_div = true;
    s->fluence = DEFAULT_FLUENCE;
    s->exposure_s = 1.0;
    s->beamsize_m = 1e-4;

    s->convention = CONVENTION_MOSFLM;
    s->pivot = PIVOT_BEAM;
    /* the vectors of CUSTOM where no flag names one; a named convention sets its own */
    s->beam_vector = vec3(1, 0, 0);
    s->fdet_vector = vec3(0, 0, 1);
    s->sdet_vector = vec3(0, -1, 0);
    s->odet_vector = vec3(1, 0, 0);
    s->twotheta_axis = vec3(0, 1, 0);
    s->polar_vector = vec3(0, 0, 1);
    s->spindle_vector = vec3(0, 0, 1);
    s->pixel_m = 1e-4;
    s->detsize_f_m = s->detsize_s_m = 0.1024;
    s->distance_m = 0.1;
    s->close_distance_m = NAN;
    s->Xbeam_m = s->Ybeam_m = s->Xclose_m = s->Yclose_m = s->ORGX = s->ORGY = NAN;
    s->detector_mu = -1.0;
    s->oversample = -1;
    s->roi[0] = s->roi[1] = s->roi[2] = s->roi[3] = -1;

    s->float_file = "floatimage.bin";
    s->int_file = "intimage.img";
    s->pgm_file = "image.pgm";
    s->noise_file = "noiseimage.img";
    s->write_pgm = s->write_noise = true;
    s->adc_offset = 40.0;
    s->printout_fpixel = s->printout_spixel = -1;
    s->progress = true;
}
