/* The join of two logs: what both files of it share. */
#ifndef TRACE_STREAM_JOIN_H
#define TRACE_STREAM_JOIN_H

#include "trace_stream.h"

/* Consecutive numbers of one vector, from one line. */
typedef struct run {
    struct run *next;
    uint64_t line, offset;
    uint32_t first, count, pos;
    double values[];
} run;

/* One variable at one key, on both sides. */
typedef struct entry {
    struct entry *chain, *sibling;
    uint64_t hash;
    ts_key key;
    uint32_t variable;
    run *runs[2];
} entry;

typedef struct arena {
    struct arena *next;
    size_t used, size;
    _Alignas(16) char bytes[];
} arena;

/* Entries that are judged and forgotten together, once both logs have left them behind. */
typedef struct block {
    struct block *chain;
    uint64_t hash;
    ts_key id;
    entry *entries;
    arena *memory;
    uint32_t closed; /* bit per side */
    size_t numbers;
} block;

typedef struct {
    ts_key key;
    uint32_t variable, present[2]; /* how many of its numbers each side has */
} watch;

typedef struct ts_join {
    ts_context *x;
    uint32_t depth; /* how many loops, outermost first, name a block; 0: everything is one block */
    uint32_t eof, judged_any;
    size_t block_limit, live, most_live;
    entry **table;
    size_t table_mask;
    size_t entries;
    block **blocks;
    size_t block_mask, n_blocks;
    block pinned;
    block *current[2];
    uint64_t *gone; /* hashes of the blocks that were forgotten; 0 is none */
    size_t gone_mask, n_gone;
    arena *spare;
    watch *watches;
    size_t n_watches, cap_watches, *watch_table, watch_mask;
    ts_tally *tallies;
    uint32_t n_tallies;
    ts_side sides[2];
    ts_kept kept[TS_KEPT]; /* a heap, the last in order of evaluation on top */
    uint32_t n_kept;
    ts_kept hardest; /* the row that needs the largest relative tolerance */
    ts_mismatch *mismatches;
    size_t n_mismatches, kept_mismatches, cap_mismatches;
    double *scratch[2];
    size_t cap_scratch[2];
    uint64_t matched[2]; /* offsets in both logs of the row that was paired last */
    jmp_buf no_memory;
} ts_join;

entry *ts_find(const ts_join *j, const ts_key *key, uint32_t variable, uint64_t hash);
void ts_judge_entry(ts_join *j, const entry *e);
const run *ts_number_at(const entry *e, int side, uint32_t component);
int ts_put_all(ts_context *x, uint32_t side, const ts_key *key, uint32_t variable, uint32_t first, const double *values,
               uint32_t count, uint64_t line, uint64_t offset, uint32_t pos);
int ts_seq_before(const ts_seq *a, const ts_seq *b);

#endif
