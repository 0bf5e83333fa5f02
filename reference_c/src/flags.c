/* The look-up in the shared table of flags. Adding a flag is a row in flags.def and one in actions.c. */
#include "flags.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const FlagSpec FLAGS[FLAG_COUNT] = {
#define FLAG(key, names, words, values, unit, effect) [FLAG_##key] = {names, words, values, unit, effect},
#include "flags.def"
#undef FLAG
};

/* Steps over one blank-separated name; its length goes to `size`. NULL at the end. */
static const char *next_name(const char *names, size_t *size)
{
    names += strspn(names, " ");
    *size = strcspn(names, " ");
    return *size ? names : NULL;
}

const FlagSpec *find_flag(const char *word)
{
    const FlagSpec *by_prefix = NULL;
    size_t wordlen = strlen(word), size;
    for (const FlagSpec *spec = FLAGS; spec < FLAGS + FLAG_COUNT; spec++)
        for (const char *name = spec->names; (name = next_name(name, &size)); name += size) {
            if (name[size - 1] == '*') {
                if (wordlen >= size - 1 && !strncmp(word, name, size - 1))
                    by_prefix = spec;
            } else if (wordlen == size && !strncmp(word, name, size)) {
                return spec;
            }
        }
    return by_prefix;
}

static int lower(char c)
{
    return tolower((unsigned char)c);
}

/* Levenshtein distance without regard to case; words longer than the longest flag by much are cut, which only makes
 * them "far". */
static int edit_distance(const char *a, size_t alen, const char *b, size_t blen)
{
    enum { LONGEST = 64 };
    int row[LONGEST + 1];
    if (alen > LONGEST)
        alen = LONGEST;
    if (blen > LONGEST)
        blen = LONGEST;
    for (size_t j = 0; j <= blen; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= alen; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= blen; j++) {
            int replace = diagonal + (lower(a[i - 1]) != lower(b[j - 1]));
            int cheaper = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replace < cheaper ? replace : cheaper;
        }
    }
    return row[blen];
}

/* How far a name is from a word: their distance, more for a name that begins with the word, -1 for too far. */
static int farness(const char *word, const char *name, size_t namelen)
{
    enum { LETTERS_PER_MISTAKE = 3, BEGINNING = 100 };
    size_t wordlen = strlen(word), letters = wordlen - strspn(word, "-");
    int d = edit_distance(word, wordlen, name, namelen);
    if (d <= 1 || d <= (int)(letters / LETTERS_PER_MISTAKE))
        return letters > 1 ? d : -1;
    bool begins = letters >= LETTERS_PER_MISTAKE && namelen > wordlen && !strncmp(word, name, wordlen);
    return begins ? BEGINNING + d : -1;
}

void nearest_flags(const char *word, char *out, size_t size)
{
    enum { SHOWN = 3 };
    const char *best[SHOWN] = {NULL};
    size_t lengths[SHOWN] = {0}, namelen;
    int distances[SHOWN];
    int found = 0;
    for (const FlagSpec *spec = FLAGS; spec < FLAGS + FLAG_COUNT; spec++)
        for (const char *name = spec->names; (name = next_name(name, &namelen)); name += namelen) {
            size_t shown = namelen - (name[namelen - 1] == '*');
            int d = farness(word, name, shown);
            if (d < 0)
                continue;
            int place = found;
            while (place > 0 && d < distances[place - 1])
                place--;
            if (place >= SHOWN)
                continue;
            found = found < SHOWN ? found + 1 : SHOWN;
            for (int i = found - 1; i > place; i--) {
                best[i] = best[i - 1];
                lengths[i] = lengths[i - 1];
                distances[i] = distances[i - 1];
            }
            best[place] = name;
            lengths[place] = shown;
            distances[place] = d;
        }
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < found && used < size; i++) {
        int n = snprintf(out + used, size - used, "%s%.*s", i ? ", " : "", (int)lengths[i], best[i]);
        used += n > 0 ? (size_t)n : 0;
    }
}

void print_help(void)
{
    puts("nanoBragg: the C reference program of trace-parity; X-ray diffraction of nanocrystals\n"
         "usage: nanoBragg -mat FILE | -cell a [b c al be ga]  -hkl FILE | -default_F F  [flags]\n"
         "A name that ends in * matches every longer word that begins so. Defaults in parentheses.\n");
    for (const FlagSpec *spec = FLAGS; spec < FLAGS + FLAG_COUNT; spec++) {
        printf("  %s", spec->names);
        if (*spec->values)
            printf(" %s", spec->values);
        if (*spec->unit)
            printf(" [%s]", spec->unit);
        printf("\n      %s\n", spec->effect);
    }
}
