/* The command line, word by word (cli.md): finds each flag's row in the table and stores what follows it. */
#include "options.h"

#include <string.h>

#include "values.h"

static bool store(Parser *p)
{
    const FlagSpec *spec = p->spec;
    void *member = (char *)p->settings + spec->offset;
    switch (spec->kind) {
    case KIND_ON:
    case KIND_OFF:
        *(bool *)member = spec->kind == KIND_ON;
        break;
    case KIND_CHOICE:
        *(int *)member = (int)spec->divisor;
        break;
    case KIND_NUMBER: {
        double value;
        if (!take_number(p, &value))
            return false;
        *(double *)member = value / spec->divisor;
        break;
    }
    case KIND_COUNT:
        if (!take_count(p, (int *)member))
            return false;
        break;
    case KIND_TEXT: {
        const char *word = take_file(p);
        if (!word)
            return false;
        *(const char **)member = word;
        break;
    }
    case KIND_VECTOR:
        if (!take_vector(p, (Vec3 *)member))
            return false;
        break;
    case KIND_UNUSED: {
        double ignored;
        if (!strcmp(spec->values, "FILE") ? !take_file(p) : !take_number(p, &ignored))
            return false;
        break;
    }
    case KIND_SPECIAL:
        break;
    }
    return !spec->special || spec->special(p);
}

/* The flags that act before all others, wherever they stand. */
static bool read_first(const FlagSpec *spec)
{
    size_t offset = spec->offset;
    return offset == offsetof(Settings, image_file) || offset == offsetof(Settings, mask_file) ||
           offset == offsetof(Settings, help) || offset == offsetof(Settings, version);
}

static bool walk(Parser *p, bool only_preview)
{
    for (p->at = 1; p->at < p->argc; p->at += p->used + 1) {
        const char *word = p->argv[p->at];
        p->used = 0;
        p->spec = find_flag(word);
        if (only_preview) {
            /* every word is looked at: a flag that stands where a value belongs is refused by the full walk */
            if (p->spec && read_first(p->spec) && !store(p))
                return false;
            p->used = 0;
            continue;
        }
        if (!p->spec) {
            if (p->settings->lenient) {
                note("ignoring unknown word '%s'", word);
                continue;
            }
            char near[200];
            nearest_flags(word, near, sizeof near);
            if (word[0] != '-')
                return fail(p->err, "unexpected word '%s': expected a flag", word);
            return fail(p->err, "unknown flag %s: expected a known flag, the nearest are %s (--help lists all)", word,
                        near);
        }
        if (!store(p))
            return false;
    }
    return true;
}

bool preview_options(Settings *settings, int argc, char **argv, Error *err)
{
    Parser parser = {.settings = settings, .argc = argc, .argv = argv, .err = err};
    for (int i = 1; i < argc; i++) /* before the walk: an unknown flag may stand before --lenient */
        if (!strcmp(argv[i], "--lenient") || !strcmp(argv[i], "-lenient"))
            settings->lenient = true;
    return walk(&parser, true);
}

bool parse_options(Settings *settings, int argc, char **argv, Error *err)
{
    Parser parser = {.settings = settings, .argc = argc, .argv = argv, .err = err};
    return walk(&parser, false);
}
