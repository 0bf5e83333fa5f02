/* The table of flags that both programs share (flags.def), and the look-up in it.
 * Names are matched whole (cli.md); one that ends in `*` also matches longer words that begin so. */
#ifndef FLAGS_H
#define FLAGS_H

#include <stddef.h>

/* A key for every row of flags.def, in its order: FLAG_hkl, FLAG_default_F, ... */
typedef enum {
#define FLAG(key, names, words, values, unit, effect) FLAG_##key,
#include "flags.def"
#undef FLAG
    FLAG_COUNT
} FlagKey;

typedef struct {
    const char *names;  /* spellings, separated by blanks */
    const char *words;  /* the words that follow, a token each; see flags.def */
    const char *values; /* how they are written in --help, "" for none */
    const char *unit;   /* "" where it has none */
    const char *effect; /* one phrase for --help */
} FlagSpec;

extern const FlagSpec FLAGS[FLAG_COUNT];

/* The row that a word on the command line names, or NULL. A whole name goes before a prefix. */
const FlagSpec *find_flag(const char *word);

/* Writes the names near an unknown word into `out`, at most three: one mistake in three letters is near, and a name
 * that begins with the word. Empty where nothing is near. */
void nearest_flags(const char *word, char *out, size_t size);

/* --help, on standard output. */
void print_help(void);

#endif
