/* The values of a flag, taken off the command line one by one and checked. Each `take_` refuses with a message that
 * names the flag and what it expected; `used` then counts only the words that were taken. */
#ifndef VALUES_H
#define VALUES_H

#include "options.h"

/* The flag as it was written. */
const char *flag_name(const Parser *parser);

/* The whole word as a number; infinities and NaN are let through. */
bool to_number(const char *word, double *value);

/* The next word, or NULL when there is none. */
const char *take_word(Parser *parser, const char *expected);

/* A finite number, in the flag's unit. */
bool take_number(Parser *parser, double *value);

/* A whole number that fits an int. */
bool take_count(Parser *parser, int *value);

bool take_vector(Parser *parser, Vec3 *v);

/* A file name: any word but one that is itself a flag, which means that the name was forgotten. NULL on refusal. */
const char *take_file(Parser *parser);

#endif
