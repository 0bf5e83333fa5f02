/* The settings of a run after all defaults, quirks and precedence, for comparison with another program. */
#ifndef CONFIG_H
#define CONFIG_H

#include "model.h"
#include "settings.h"

/* One JSON object on standard output, a setting per line, the unit in its name. A number that JSON lacks is the string
 * nan, inf or -inf. */
void print_config(const Model *model, const Settings *settings);

#endif
