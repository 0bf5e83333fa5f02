/* The scanner's parts: what both files share. */
#ifndef TRACE_PARITY_SCAN_H
#define TRACE_PARITY_SCAN_H

#include <stddef.h>
#include <stdint.h>

#define TS_NONE UINT32_MAX
#define TS_EXACT_DIGITS 15 /* longer whole numbers may not fit a double: the caller reads them */
#define TS_MOST_LOOPS 32

/* A name on lines in the loops of `mask`: which variable it is, and from which component on. */
typedef struct {
    char *name;
    size_t length;
    uint32_t mask, variable, first, flags, next_guess;
    double factor;
} ts_slot;

typedef struct {
    uint32_t n_loops;
    char *loops[TS_MOST_LOOPS];
    size_t lengths[TS_MOST_LOOPS]; /* of their names */
    ts_slot *slots;
    uint32_t n_slots, cap_slots, *slot_table, slot_mask, last_slot;
    uint8_t *used; /* per slot: met in a log */
} ts_context;

/* Where one scan puts what it finds; the caller has made room for the most that a text of that length can hold. */
typedef struct {
    int32_t *keys; /* n_loops per key */
    uint32_t *key, *variable, *first, *count;
    uint8_t *flags;
    int64_t *line, *offset;
    double *values;
    char *texts; /* the numbers as printed, one after another; NULL where they are not wanted */
    int64_t *text_end; /* per number */
    int64_t *slow_line, *slow_offset, *slow_length;
    int64_t n_keys, n_rows, n_values, n_slow, lines, others;
} ts_found;

enum { TS_WHOLE = 1, TS_ALIASED = 2 };

int ts_number(const char **at, double *value, int *whole);

#endif
