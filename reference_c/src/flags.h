/* The one table of flags: the parser, --help and the tests of the documentation all read it.
 * Names are matched whole (cli.md); one that ends in `*` also matches longer words that begin so. */
#ifndef FLAGS_H
#define FLAGS_H

#include <stddef.h>

#include "settings.h"

typedef enum {
    KIND_ON,      /* no value; sets a bool to true */
    KIND_OFF,     /* no value; sets a bool to false */
    KIND_CHOICE,  /* no value; sets an enum to `divisor` */
    KIND_NUMBER,  /* one number, divided by `divisor` */
    KIND_COUNT,   /* one whole number */
    KIND_TEXT,    /* one word */
    KIND_VECTOR,  /* three numbers, divided by `divisor` */
    KIND_SPECIAL, /* `special` reads the values itself */
    KIND_UNUSED   /* one value, checked and dropped */
} FlagKind;

struct Parser;

typedef struct FlagSpec {
    const char *names; /* spellings, separated by blanks */
    FlagKind kind;
    const char *values;                     /* how the values are written in --help, "" for none */
    const char *unit;                       /* "" where it has none */
    size_t offset;                          /* of the member of Settings that is set */
    double divisor;                         /* from the flag's unit to the member's; for KIND_CHOICE the value itself */
    bool (*special)(struct Parser *parser); /* side effect after setting, or the whole work for KIND_SPECIAL */
    const char *effect;                     /* one phrase for --help */
} FlagSpec;

/* The table; ends with a row whose names are NULL. */
extern const FlagSpec FLAGS[];

/* The row that a word on the command line names, or NULL. A whole name goes before a prefix. */
const FlagSpec *find_flag(const char *word);

/* Writes the names nearest to an unknown word (edit distance, at most three) into `out`. */
void nearest_flags(const char *word, char *out, size_t size);

/* --help, on standard output. */
void print_help(void);

#endif
