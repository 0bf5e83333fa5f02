/* What each flag does to the settings: a row per key of the table of flags. */
#ifndef ACTIONS_H
#define ACTIONS_H

#include "values.h"

/* Carries out the flag whose values were read; false with a message where a value makes no sense. */
bool act(Parser *parser);

/* The actions of special.c, for flags that do more than store their value. */
bool opt_misset(Parser *parser);
bool opt_cell(Parser *parser);
bool opt_N(Parser *parser);
bool opt_xtalsize(Parser *parser);
bool opt_seed(Parser *parser);
bool opt_mosaic_seed(Parser *parser);
bool opt_misset_seed(Parser *parser);
bool opt_energy(Parser *parser);
bool opt_divergence(Parser *parser);
bool opt_divsteps(Parser *parser);
bool opt_polar(Parser *parser);
bool opt_detpixels(Parser *parser);
bool opt_detsize(Parser *parser);
bool opt_pivot_beam(Parser *parser);
bool opt_pivot_sample(Parser *parser);
bool opt_pivot(Parser *parser);
bool opt_custom(Parser *parser);
bool opt_pix0(Parser *parser);
bool opt_twotheta_axis(Parser *parser);
bool opt_detector_abs(Parser *parser);
bool opt_roi(Parser *parser);
bool opt_output(Parser *parser);
bool opt_pgm_output(Parser *parser);
bool opt_noise_output(Parser *parser);
bool opt_printout_pixel(Parser *parser);
bool opt_trace_pixel(Parser *parser);
bool opt_fix(Parser *parser);
bool opt_threads(Parser *parser);

#endif
