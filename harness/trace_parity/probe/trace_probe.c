/* Keeps the loop indices and the last value of every variable, and writes trace lines. Linked into a probed program.
 *
 * A table of the loops and variables precedes this text. Environment: TRACE_PROBE_FILE, the log (nothing is traced
 * without it); TRACE_PROBE_FOCUS, alternatives of `loop=index` as "i=5;i=7" or "step=1,i=2".
 *
 * A value stays here until its key can no longer come again: until an index of its scope is left. The last write of a
 * key is the one that is written out. Indices belong to a thread. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ABSENT LONG_MIN
#define MAX_FOCUS 4096

#ifdef __cplusplus
extern "C" {
#endif

int trace_probe_on = 0;
int trace_probe_wants(int variable);
int trace_probe_put(int variable, int size, ...);
long trace_probe_push(int loop, long index);
void trace_probe_pop(int loop, long before);
int trace_probe_move(int loop, long index);

struct value {
    int waiting, size, room;
    long key[LOOPS];
    double *numbers;
};
struct state {
    long index[LOOPS];
    struct value values[VARIABLES];
    int order[VARIABLES], waiting; /* waiting values, in the order in which they were first written */
    struct state *next;
};
static __thread struct state *mine = NULL;
static struct state *all = NULL;
static FILE *log_file = NULL;
static int focus_loop[MAX_FOCUS], focus_ends[MAX_FOCUS], focuses = 0;
static long focus_index[MAX_FOCUS];
static int lock = 0;

static void acquire(void) { while (__sync_lock_test_and_set(&lock, 1)) { } }
static void release(void) { __sync_lock_release(&lock); }

static struct state *state(void)
{
    int i;
    if (mine) return mine;
    mine = (struct state *) calloc(1, sizeof *mine);
    if (!mine) { fprintf(stderr, "trace probes: out of memory\n"); exit(70); }
    for (i = 0; i < LOOPS; i++) mine->index[i] = ABSENT;
    acquire();
    mine->next = all;
    all = mine;
    release();
    return mine;
}

/* Where each written line is, by the hash of its key and name: a key that comes again supersedes its line. */
struct line { unsigned long long hash; long offset; };
static struct line *written = NULL;
static size_t written_room = 0, written_used = 0;
static long position = 0;

static size_t slot(const struct line *table, size_t room, unsigned long long hash)
{
    size_t at = (size_t) hash & (room - 1);
    while (table[at].hash && table[at].hash != hash) at = (at + 1) & (room - 1);
    return at;
}

static void grow(void)
{
    size_t room = written_room ? 2 * written_room : 4096, i;
    struct line *larger = (struct line *) calloc(room, sizeof *larger);
    if (!larger) { fprintf(stderr, "trace probes: out of memory\n"); exit(70); }
    for (i = 0; i < written_room; i++)
        if (written[i].hash) larger[slot(larger, room, written[i].hash)] = written[i];
    free(written);
    written = larger;
    written_room = room;
}

/* Mark the earlier line of this key as removed; the harness drops marked lines. */
static void supersede(const struct line *earlier, const char *start, size_t length)
{
    static char there[512];
    if (length < sizeof there && !fseek(log_file, earlier->offset, SEEK_SET)) {
        if (fread(there, 1, length, log_file) == length && !memcmp(there, start, length)
            && !fseek(log_file, earlier->offset, SEEK_SET))
            fwrite("removed", 1, 7, log_file);
        fseek(log_file, 0, SEEK_END);
    }
}

static void remember(const char *start, size_t length)
{
    unsigned long long hash = 14695981039346656037ULL;
    size_t i, at;
    for (i = 0; i < length; i++) hash = (hash ^ (unsigned char) start[i]) * 1099511628211ULL;
    hash |= !hash;
    if (2 * (written_used + 1) > written_room) grow();
    at = slot(written, written_room, hash);
    if (written[at].hash) supersede(&written[at], start, length);
    else written_used++;
    written[at].hash = hash;
    written[at].offset = position;
}

static void write_out(int id, struct value *v)
{
    char text[40], start[512];
    size_t length;
    int i, n;
    const struct variable *what = &variables[id];
    acquire();
    length = (size_t) snprintf(start, sizeof start, "TRACE_C");
    for (i = 0; i < what->depth && length < sizeof start - 80; i++)
        length += (size_t) snprintf(start + length, sizeof start - length, "%c%s=%ld", i ? ' ' : '[', loop_names[what->loops[i]], v->key[i]);
    length += (size_t) snprintf(start + length, sizeof start - length, "%s: ", what->depth ? "]" : "");
    if (length + strlen(what->name) < sizeof start) strcpy(start + length, what->name);
    length += strlen(what->name);
    remember(start, length);
    n = fprintf(log_file, "%s", start);
    for (i = 0; i < v->size; i++) {
        snprintf(text, sizeof text, "%.17g", v->numbers[i]);
        n += fprintf(log_file, " %s", strstr(text, "nan") ? "nan" : text);
    }
    fputc('\n', log_file);
    position += n + 1;
    release();
    v->waiting = 0;
}

/* Write out the waiting values whose scope has this loop; all of them for loop -1. */
static void flush_loop(struct state *s, int loop)
{
    int i, kept = 0;
    for (i = 0; i < s->waiting; i++) {
        int id = s->order[i];
        if (loop < 0 || variables[id].mask >> loop & 1UL) write_out(id, &s->values[id]);
        else s->order[kept++] = id;
    }
    s->waiting = kept;
}

static int in_focus(const struct state *s, unsigned long mask)
{
    int i, fits = 1;
    for (i = 0; i < focuses; i++) {
        int loop = focus_loop[i];
        if (mask >> loop & 1UL && s->index[loop] != focus_index[i]) fits = 0;
        if (focus_ends[i]) {
            if (fits) return 1;
            fits = 1;
        }
    }
    return !focuses;
}

int trace_probe_wants(int id)
{
    const struct variable *what = &variables[id];
    struct state *s = state();
    int i;
    for (i = 0; i < what->depth; i++)
        if (s->index[what->loops[i]] < 0) return 0; /* ABSENT is negative; a key is not */
    return in_focus(s, what->mask);
}

int trace_probe_put(int id, int size, ...)
{
    const struct variable *what = &variables[id];
    struct state *s = state();
    struct value *v = &s->values[id];
    va_list numbers;
    int i;
    if (size > v->room) {
        double *more = (double *) realloc(v->numbers, (size_t) size * sizeof *more);
        if (!more) return 0;
        v->numbers = more;
        v->room = size;
    }
    for (i = 0; i < what->depth; i++) v->key[i] = s->index[what->loops[i]];
    va_start(numbers, size);
    for (i = 0; i < size; i++) v->numbers[i] = va_arg(numbers, double);
    va_end(numbers);
    v->size = size;
    if (!v->waiting) {
        v->waiting = 1;
        s->order[s->waiting++] = id;
    }
    return 1;
}

long trace_probe_push(int loop, long index)
{
    struct state *s = state();
    long before = s->index[loop];
    if (before != index) flush_loop(s, loop);
    s->index[loop] = index;
    return before;
}

void trace_probe_pop(int loop, long before)
{
    struct state *s = state();
    if (before != s->index[loop]) flush_loop(s, loop);
    s->index[loop] = before;
}

/* The counter of a loop changed within its body. */
int trace_probe_move(int loop, long index)
{
    trace_probe_push(loop, index);
    return 0;
}

static void finish(void)
{
    struct state *s;
    for (s = all; s; s = s->next) flush_loop(s, -1);
    if (fclose(log_file)) {
        perror("trace probes: the log");
        _Exit(74);
    }
}

static void read_focus(const char *text)
{
    while (*text && focuses < MAX_FOCUS) {
        size_t length = strcspn(text, "=");
        int i, found = -1;
        char *end;
        for (i = 0; i < LOOPS; i++)
            if (strlen(loop_names[i]) == length && !strncmp(loop_names[i], text, length)) found = i;
        if (found < 0 || !text[length]) { fprintf(stderr, "trace probes: TRACE_PROBE_FOCUS: %s\n", text); exit(2); }
        focus_loop[focuses] = found;
        focus_index[focuses] = strtol(text + length + 1, &end, 10);
        focus_ends[focuses++] = *end != ',';
        text = *end ? end + 1 : end;
    }
}

/* Before all other constructors: which version of a function runs must not change while the program runs. */
static void __attribute__((constructor(101))) begin(void)
{
    const char *path = getenv("TRACE_PROBE_FILE"), *focus = getenv("TRACE_PROBE_FOCUS");
    if (!path || !*path) return;
    log_file = fopen(path, "w+");
    if (!log_file) { perror(path); exit(74); }
    if (focus) read_focus(focus);
    trace_probe_on = 1;
    atexit(finish);
}

#ifdef __cplusplus
}
#endif
