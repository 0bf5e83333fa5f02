/* From the command line to Settings (cli.md): in the order given, with the side effects of the original. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

#include "errors.h"
#include "settings.h"

/* Reads the flags into settings that hold defaults and the values of image headers.
 * argv[0] is skipped. Strings are kept by reference. False with a message for an unknown flag (unless --lenient),
 * a missing or malformed value. Stops early after -h and -version. */
bool parse_options(Settings *settings, int argc, char **argv, Error *err);

/* The values of -mask and -img, which are read before the other flags; also --lenient, -h and -version. */
bool preview_options(Settings *settings, int argc, char **argv, Error *err);

/* Refuses settings that no run could use: lengths that are not positive, counts below one, directions of no length. */
bool check_settings(const Settings *settings, Error *err);

#endif
