/* The streaming comparison of two trace logs: a scanner per log and the join of both.
 *
 * Nothing here knows a variable or a loop by name: names, loops, tolerances and their scales are registered by the
 * caller from the vocabulary. Only today's form of a trace line is read here; every other line that begins like a trace
 * line is handed back to the caller (TS_SLOW), so that there is one parser for the older forms.
 */
#ifndef TRACE_STREAM_H
#define TRACE_STREAM_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#define TS_LOOPS 8
#define TS_TARGETS 8
#define TS_KEPT 1000
#define TS_MISMATCHES 65536
#define TS_NONE UINT32_MAX

enum ts_code {
    TS_OK = 0,
    TS_SLOW = 1,    /* the line at the cursor is no plain line of today's form */
    TS_TWICE = 2,   /* the line at the cursor names a number again, in other words */
    TS_RECURS = 3,  /* a block that was judged and forgotten comes again: hold everything instead */
    TS_BIG = 4,     /* one block does not fit: take smaller blocks */
    TS_LATE = 5,    /* a scale came after rows were judged without it: hold everything instead */
    TS_NOMEM = 6
};

enum ts_scale { TS_SCALE_NONE, TS_SCALE_NORM, TS_SCALE_NAMED, TS_SCALE_UNIT, TS_SCALE_LARGEST };
enum ts_how { TS_PRODUCT, TS_INVERSE, TS_COMPONENT };

/* One index per loop, outermost first; -1 where the line sits in no such loop. */
typedef struct {
    int32_t at[TS_LOOPS];
} ts_key;

/* What a name stands for on lines that sit in the loops of `mask`. */
typedef struct {
    char *name;
    uint32_t length, mask, variable, first, alias, next_guess;
    uint32_t used[2];
    double factor;
} ts_slot;

/* How one variable is judged, and where its value serves as a scale. */
typedef struct {
    const char *name;
    double rtol, floor, own_floor, ulps;
    uint32_t place, closing, nest, exact, scale, how, component, is_scale, mask;
    uint32_t size; /* how many numbers it has; 0: not known */
    uint32_t targets, target[TS_TARGETS];
    double largest; /* magnitude in both logs so far */
} ts_variable;

/* A number that stands on both sides, kept for the report. */
typedef struct {
    ts_key key;
    uint32_t variable, component;
    uint32_t pos[2], sizes[2];
    uint64_t line[2], offset[2];
    double value[2], named, needed, rel;
    double *vectors; /* both sides' whole vectors, one after the other; owned */
    uint32_t differs, set;
} ts_kept;

/* A place in a log's own order. */
typedef struct {
    uint64_t line, offset;
    uint32_t pos, set;
} ts_seq;

/* What came of one variable. */
typedef struct {
    uint64_t compared, divergent;
    uint64_t only[2], places[2];
    ts_seq first_only[2];
    ts_key first_key[2];
    uint64_t wrong_places; /* where both sides have as many numbers, but not `size` of them; the first in C's log: */
    ts_seq first_wrong;
    ts_key wrong_key;
    uint32_t wrong_size;
    uint32_t seen[2];
    ts_kept worst;
} ts_tally;

typedef struct {
    ts_key key;
    uint32_t variable, sizes[2], side;
    ts_seq seq;
} ts_mismatch;

/* What is known of one side once all is judged. */
typedef struct {
    uint64_t numbers;        /* distinct rows */
    uint64_t only;           /* rows that the other side lacks, size mismatches not counted */
    ts_seq first_only;       /* the first of them, in the log's own order */
    ts_key first_key;
    uint32_t first_variable;
    ts_seq last_shared;      /* the last row that is none of them */
    ts_seq last;             /* the last row of all */
    ts_seq last_other;       /* where the other side has that very row; not set when it has not */
    uint32_t last_mismatch;  /* whether that row belongs to a vector of another size */
} ts_side;

/* One scanned line; `slot` is TS_NONE for a line that the caller must parse. */
typedef struct {
    uint64_t offset, line;
    uint32_t length, key, slot, values, count, taken;
} ts_record;

typedef struct {
    int fd;
    uint32_t wanted; /* 0: lines of C, 1: lines of PY */
    uint32_t keep_text, skipping, ended, unterminated;
    char *buffer;
    size_t capacity, fill;
    uint64_t base, lines, trace_lines, others, last_offset;
    ts_record *records;
    ts_key *keys;
    double *values;
    char *texts;
    int64_t *text_ends;
    size_t n_records, n_keys, n_values, n_texts, n_text_ends;
    size_t cap_records, cap_keys, cap_values, cap_texts, cap_text_ends;
    size_t cursor;
    char prefix[256]; /* of the last plain line, up to its name: mostly that of the next line, too */
    size_t prefix_length;
    uint32_t mask, last_slot;
    jmp_buf no_memory;
} ts_scanner;

struct ts_join;

typedef struct {
    uint32_t n_loops;
    uint32_t nests_inside; /* how many loops sibling nests have around them; TS_NONE: there are none */
    char loops[TS_LOOPS][64];
    ts_slot *slots;
    uint32_t n_slots, cap_slots, *slot_table, slot_mask;
    ts_variable *variables;
    uint32_t n_variables, cap_variables;
    ts_scanner scanners[2];
    struct ts_join *join;
} ts_context;

/* A correctly rounded double from a word of the form that the trace reader takes; 0 when the word is none.
 * `*at` moves behind the word. The byte that ends the text must be no part of a number, and 8 more be readable. */
int ts_number(const char **at, double *value);
/* 128-bit truncated powers of five, exponents -342 to 308, high and low words. */
void ts_powers(const uint64_t *table);

uint64_t ts_hash(const ts_key *key, uint32_t salt);
uint32_t ts_find_slot(const ts_context *x, const char *name, size_t length, uint32_t mask);
void *ts_grow(void *array, size_t *capacity, size_t needed, size_t size, jmp_buf no_memory);

void ts_join_free(struct ts_join *j);

#endif
