/* The command line, word by word (cli.md): finds each flag's row in the table, reads what follows it, carries it out. */
#include "options.h"

#include <string.h>

#include "actions.h"

/* The flags that act before all others, wherever they are. */
static bool acts_first(const FlagSpec *spec)
{
    FlagKey key = (FlagKey)(spec - FLAGS);
    return key == FLAG_img || key == FLAG_mask || key == FLAG_help || key == FLAG_version;
}

static bool walk(Parser *p, bool only_preview)
{
    for (p->at = 1; p->at < p->argc; p->at += p->used + 1) {
        const char *word = p->argv[p->at];
        p->used = 0;
        p->spec = find_flag(word);
        if (only_preview) {
            /* every word is looked at: a flag in the place of a value is refused by the full walk */
            if (p->spec && acts_first(p->spec) && !(read_values(p) && act(p)))
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
            const char *most_like = !near[0] ? "" : strchr(near, ',') ? ", the nearest are " : ", the nearest is ";
            return fail(p->err, "unknown flag %s: expected a known flag%s%s (--help lists all)", word, most_like, near);
        }
        if (!read_values(p) || !act(p))
            return false;
    }
    return true;
}

bool preview_options(Settings *settings, int argc, char **argv, Error *err)
{
    Parser parser = {.settings = settings, .argc = argc, .argv = argv, .err = err};
    for (int i = 1; i < argc; i++) /* before the walk: an unknown flag may precede --lenient */
        if (!strcmp(argv[i], "--lenient") || !strcmp(argv[i], "-lenient"))
            settings->lenient = true;
    return walk(&parser, true);
}

bool parse_options(Settings *settings, int argc, char **argv, Error *err)
{
    Parser parser = {.settings = settings, .argc = argc, .argv = argv, .err = err};
    return walk(&parser, false);
}
