/* Words of the command line as numbers, counts and file names. */
#include "values.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *flag_name(const Parser *p)
{
    return p->argv[p->at];
}

/* A token of FlagSpec.words, taken apart. */
typedef struct {
    char kind[16];
    bool may_be_missing; /* `?` */
    char instead[16];    /* `|rand`, or "" */
} Token;

/* The token at `words`; moves past it. False at the end. */
static bool next_token(const char **words, Token *token)
{
    *words += strspn(*words, " ");
    size_t size = strcspn(*words, " "), kind = strcspn(*words, " ?|");
    if (!size)
        return false;
    *token = (Token){.may_be_missing = (*words)[size - 1] == '?'};
    snprintf(token->kind, sizeof token->kind, "%.*s", (int)kind, *words);
    if ((*words)[kind] == '|')
        snprintf(token->instead, sizeof token->instead, "%.*s", (int)(size - kind - 1), *words + kind + 1);
    *words += size;
    return true;
}

static bool refuse(const Parser *p, const char *kind, const char *got)
{
    bool number = !strcmp(kind, "number");
    const char *unit = number || !strcmp(kind, "limit") ? p->spec->unit : "";
    const char *expected = number                  ? "a number"
                           : !strcmp(kind, "limit") ? "a number or inf"
                           : !strcmp(kind, "count") ? "a whole number"
                           : !strcmp(kind, "file")  ? "a file name"
                                                    : p->spec->values;
    return fail(p->err, "flag %s: expected %s%s%s%s, got %s%s%s", flag_name(p), expected, *unit ? " (" : "", unit,
                *unit ? ")" : "", got ? "'" : "", got ? got : "the end of the command line", got ? "'" : "");
}

/* The leading integer, as the original reads counts; says so where there is more to the word. */
static bool to_count(const Parser *p, Value *value)
{
    char *end;
    if (!isfinite(value->number))
        return false;
    long count = strtol(value->text, &end, 10);
    if (count > INT_MAX || count < -INT_MAX)
        return false;
    value->count = (int)count;
    if ((double)count != value->number)
        note("WARNING: flag %s: '%s' is read as %ld, its leading integer", flag_name(p), value->text, count);
    return true;
}

static bool read_value(const Parser *p, const char *kind, const char *word, Value *value)
{
    char *end;
    *value = (Value){word, strtod(word, &end), 0};
    if (end == word || *end)
        value->number = NAN;
    if (!strcmp(kind, "number"))
        return isfinite(value->number) || refuse(p, kind, word);
    if (!strcmp(kind, "limit"))
        return !isnan(value->number) || refuse(p, kind, word);
    if (!strcmp(kind, "count"))
        return to_count(p, value) || refuse(p, kind, word);
    return (*word && !find_flag(word)) || refuse(p, kind, word); /* a flag here means that the word was forgotten */
}

bool read_values(Parser *p)
{
    const char *words = p->spec->words;
    Token token;
    for (p->used = 0; p->used < MOST_WORDS && next_token(&words, &token); p->used++) {
        const char *word = p->at + 1 + p->used < p->argc ? p->argv[p->at + 1 + p->used] : NULL;
        Value *value = &p->values[p->used];
        if (token.may_be_missing && (!word || *word == '-'))
            return true;
        if (!word)
            return refuse(p, token.kind, NULL);
        if (*token.instead && !strncmp(word, token.instead, strlen(token.instead))) {
            *value = (Value){word, NAN, 0};
            p->used++;
            return true;
        }
        if (!read_value(p, token.kind, word, value))
            return false;
    }
    return true;
}
