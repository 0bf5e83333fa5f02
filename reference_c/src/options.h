/* From the command line to Settings (cli.md): in the order given, with the side effects of the original. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "errors.h"
#include "flags.h"

/* Where the parser is; the special readers of the flag table get it. */
typedef struct Parser {
    Settings *settings;
    int argc;
    char **argv;
    int at;   /* index of the flag being read */
    int used; /* values it has taken */
    const FlagSpec *spec;
    Error *err;
} Parser;

/* Reads the flags into settings that hold defaults and what image headers said.
 * argv[0] is skipped. Strings are kept by reference. False with a message for an unknown flag (unless --lenient),
 * a missing or malformed value. Stops early after -h and -version. */
bool parse_options(Settings *settings, int argc, char **argv, Error *err);

/* The values of -mask and -img, which are read before the other flags; also --lenient, -h and -version. */
bool preview_options(Settings *settings, int argc, char **argv, Error *err);

/* Refuses settings that no run could use: lengths that are not positive, counts below one, directions of no length. */
bool check_settings(const Settings *settings, Error *err);

/* The special readers, one per row of the table that needs more than storing its value. */
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
bool opt_coherent(Parser *parser);
bool opt_trace_pixel(Parser *parser);
bool opt_fix(Parser *parser);
bool opt_threads(Parser *parser);

#endif
