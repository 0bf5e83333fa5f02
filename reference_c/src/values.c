/* Words of the command line as numbers, counts, vectors and file names. */
#include "values.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

const char *flag_name(const Parser *p)
{
    return p->argv[p->at];
}

bool to_number(const char *word, double *value)
{
    char *end;
    *value = strtod(word, &end);
    return end != word && *end == '\0';
}

const char *take_word(Parser *p, const char *expected)
{
    int index = p->at + p->used + 1;
    if (index >= p->argc) {
        fail(p->err, "flag %s: expected %s, got the end of the command line", flag_name(p), expected);
        return NULL;
    }
    p->used++;
    return p->argv[index];
}

bool take_number(Parser *p, double *value)
{
    char expected[80];
    snprintf(expected, sizeof expected, "a number%s%s%s", *p->spec->unit ? " (" : "", p->spec->unit,
             *p->spec->unit ? ")" : "");
    const char *word = take_word(p, expected);
    if (!word)
        return false;
    if (!to_number(word, value) || !isfinite(*value))
        return fail(p->err, "flag %s: expected %s, got '%s'", flag_name(p), expected, word);
    return true;
}

bool take_count(Parser *p, int *value)
{
    const char *word = take_word(p, "a whole number");
    double number;
    if (!word)
        return false;
    if (!to_number(word, &number) || !(fabs(number) <= INT_MAX) || number != floor(number))
        return fail(p->err, "flag %s: expected a whole number, got '%s'", flag_name(p), word);
    *value = (int)number;
    return true;
}

bool take_vector(Parser *p, Vec3 *v)
{
    return take_number(p, &v->x) && take_number(p, &v->y) && take_number(p, &v->z);
}

const char *take_file(Parser *p)
{
    const char *word = take_word(p, "a file name");
    if (word && (!*word || (*word == '-' && find_flag(word)))) {
        fail(p->err, "flag %s: expected a file name, got '%s'", flag_name(p), word);
        return NULL;
    }
    return word;
}
