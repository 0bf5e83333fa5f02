/* The words that follow a flag, as the table of flags says how many and of what form (flags.def). */
#ifndef VALUES_H
#define VALUES_H

#include <stdbool.h>

#include "errors.h"
#include "flags.h"
#include "settings.h"

enum { MOST_WORDS = 6 };

/* One word after a flag. `number` is NAN where the word is not a number. */
typedef struct {
    const char *text;
    double number;
    int count; /* the leading integer, of a word that the table calls a count */
} Value;

/* Where the parser is; the actions of flags get it. */
typedef struct Parser {
    Settings *settings;
    int argc;
    char **argv;
    int at; /* index of the flag being read */
    const FlagSpec *spec;
    int used; /* words that follow the flag */
    Value values[MOST_WORDS];
    Error *err;
} Parser;

/* The flag as it was written. */
const char *flag_name(const Parser *parser);

/* Reads and checks the words of the flag at `at` into `values`; `used` says how many. Refuses a missing or malformed
 * one with a message that names the flag and what it expected. */
bool read_values(Parser *parser);

#endif
