/* Pairing the rows of two logs by their keys, with as little in memory as can be.
 *
 * A row waits in a hash table for its counterpart. A block (by default all rows of one pixel) is judged and forgotten
 * when both logs have left it. Should a log come back to a block that is gone, the caller is told (TS_RECURS) and
 * starts again with one block for everything, which is right in any order and needs memory for all. Rows of no
 * block (those of the whole run) stay to the end. */
#include "join.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

uint64_t ts_hash(const ts_key *key, uint32_t salt) {
    uint64_t h = 0x9E3779B97F4A7C15u ^ salt, pair;
    for (int i = 0; i < TS_LOOPS; i += 2) {
        memcpy(&pair, &key->at[i], sizeof pair);
        h = (h ^ pair) * 0xBF58476D1CE4E5B9u;
        h ^= h >> 29;
    }
    h *= 0x94D049BB133111EBu;
    return h ^ h >> 32;
}

static int same_key(const ts_key *a, const ts_key *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

int ts_seq_before(const ts_seq *a, const ts_seq *b) {
    return a->line != b->line ? a->line < b->line : a->pos < b->pos;
}

static void *allocate(ts_join *j, size_t count, size_t size) {
    void *fresh = calloc(count, size);
    if (fresh == NULL) longjmp(j->no_memory, 1);
    return fresh;
}

static void *take(ts_join *j, block *b, size_t size) {
    size = (size + 15) & ~(size_t)15;
    arena *a = b->memory;
    if (a == NULL || a->size - a->used < size) {
        size_t wanted = size > 4000 ? size : 4000;
        if (wanted == 4000 && j->spare != NULL) {
            a = j->spare;
            j->spare = a->next;
        } else {
            a = malloc(sizeof *a + wanted);
            if (a == NULL) longjmp(j->no_memory, 1);
            a->size = wanted;
        }
        a->used = 0;
        a->next = b->memory;
        b->memory = a;
    }
    void *taken = a->bytes + a->used;
    a->used += size;
    return taken;
}

static void drop_memory(ts_join *j, block *b) {
    while (b->memory != NULL) {
        arena *a = b->memory;
        b->memory = a->next;
        if (a->size == 4000) {
            a->next = j->spare;
            j->spare = a;
        } else {
            free(a);
        }
    }
}

entry *ts_find(const ts_join *j, const ts_key *key, uint32_t variable, uint64_t hash) {
    for (entry *e = j->table[hash & j->table_mask]; e != NULL; e = e->chain)
        if (e->hash == hash && e->variable == variable && same_key(&e->key, key)) return e;
    return NULL;
}

static void widen_table(ts_join *j) {
    size_t size = 2 * (j->table_mask + 1);
    entry **table = allocate(j, size, sizeof *table);
    for (size_t i = 0; i <= j->table_mask; i++)
        for (entry *e = j->table[i], *next; e != NULL; e = next) {
            next = e->chain;
            e->chain = table[e->hash & (size - 1)];
            table[e->hash & (size - 1)] = e;
        }
    free(j->table);
    j->table = table;
    j->table_mask = size - 1;
}

static int is_gone(const ts_join *j, uint64_t hash) {
    for (size_t i = hash & j->gone_mask; j->gone[i]; i = (i + 1) & j->gone_mask)
        if (j->gone[i] == hash) return 1;
    return 0;
}

static void put_gone(uint64_t *table, size_t mask, uint64_t hash) {
    size_t i = hash & mask;
    while (table[i]) i = (i + 1) & mask;
    table[i] = hash;
}

static void remember_gone(ts_join *j, uint64_t hash) {
    if (4 * ++j->n_gone > 3 * (j->gone_mask + 1)) {
        size_t size = 2 * (j->gone_mask + 1);
        uint64_t *table = allocate(j, size, sizeof *table);
        for (size_t i = 0; i <= j->gone_mask; i++)
            if (j->gone[i]) put_gone(table, size - 1, j->gone[i]);
        free(j->gone);
        j->gone = table;
        j->gone_mask = size - 1;
    }
    put_gone(j->gone, j->gone_mask, hash);
}

/* Judge all of a block, then forget it. */
static void flush(ts_join *j, block *b) {
    j->judged_any = 1;
    for (entry *e = b->entries; e != NULL; e = e->sibling) ts_judge_entry(j, e);
    for (entry *e = b->entries; e != NULL; e = e->sibling) {
        entry **at = &j->table[e->hash & j->table_mask];
        while (*at != e) at = &(*at)->chain;
        *at = e->chain;
        j->entries--;
    }
    j->live -= b->numbers;
    b->entries = NULL;
    b->numbers = 0;
    drop_memory(j, b);
    if (b == &j->pinned) return;
    block **at = &j->blocks[b->hash & j->block_mask];
    while (*at != b) at = &(*at)->chain;
    *at = b->chain;
    j->n_blocks--;
    remember_gone(j, b->hash);
    free(b);
}

static block *new_block(ts_join *j, const ts_key *id, uint64_t hash) {
    if (j->n_blocks > j->block_mask) {
        size_t size = 2 * (j->block_mask + 1);
        block **table = allocate(j, size, sizeof(block *));
        for (size_t i = 0; i <= j->block_mask; i++)
            for (block *b = j->blocks[i], *next; b != NULL; b = next) {
                next = b->chain;
                b->chain = table[b->hash & (size - 1)];
                table[b->hash & (size - 1)] = b;
            }
        free(j->blocks);
        j->blocks = table;
        j->block_mask = size - 1;
    }
    block *b = allocate(j, 1, sizeof *b);
    b->hash = hash;
    b->id = *id;
    b->chain = j->blocks[hash & j->block_mask];
    j->blocks[hash & j->block_mask] = b;
    j->n_blocks++;
    return b;
}

static void leave(ts_join *j, int side) {
    block *b = j->current[side];
    j->current[side] = NULL;
    if (b == NULL) return;
    b->closed |= 1u << side;
    if ((b->closed | j->eof) == 3) flush(j, b);
}

/* The block of a key, with the side standing in it now; NULL when that block is gone. */
static block *enter(ts_join *j, int side, const ts_key *key) {
    if (j->depth == 0 || (key->at[0] < 0 && key->at[1] < 0)) return &j->pinned;
    block *b = j->current[side];
    if (b != NULL && memcmp(&b->id, key, j->depth * sizeof key->at[0]) == 0) return b;
    leave(j, side);
    ts_key id = *key;
    for (uint32_t i = j->depth; i < TS_LOOPS; i++) id.at[i] = -1;
    uint64_t hash = ts_hash(&id, 0xB10C) | 1;
    for (b = j->blocks[hash & j->block_mask]; b != NULL; b = b->chain)
        if (same_key(&b->id, &id)) break;
    if (b == NULL && is_gone(j, hash)) return NULL;
    if (b == NULL) b = new_block(j, &id, hash);
    b->closed &= ~(1u << side);
    return j->current[side] = b;
}

static void mark_watched(ts_join *j, int side, const entry *e, uint32_t first, uint32_t count) {
    uint32_t size = j->x->variables[e->variable].size, last = first + count < size ? first + count : size;
    if (first >= last) return;
    for (size_t i = e->hash & j->watch_mask; j->watch_table[i]; i = (i + 1) & j->watch_mask) {
        watch *w = &j->watches[j->watch_table[i] - 1];
        if (w->variable == e->variable && same_key(&w->key, &e->key)) w->present[side] += last - first;
    }
}

/* The entry of a key and variable, made when there is none; *b is its block. */
static enum ts_code locate(ts_join *j, int side, const ts_key *key, uint32_t variable, entry **e, block **b) {
    *b = enter(j, side, key);
    if (*b == NULL) return TS_RECURS;
    if ((*b)->numbers > j->block_limit && j->depth && *b != &j->pinned) return TS_BIG;
    uint64_t hash = ts_hash(key, variable);
    *e = ts_find(j, key, variable, hash);
    if (*e != NULL) return TS_OK;
    if (j->entries > j->table_mask) widen_table(j);
    entry *fresh = take(j, *b, sizeof *fresh);
    *fresh = (entry){j->table[hash & j->table_mask], (*b)->entries, hash, *key, variable, {NULL, NULL}};
    j->table[hash & j->table_mask] = fresh;
    (*b)->entries = fresh;
    j->entries++;
    *e = fresh;
    return TS_OK;
}

static enum ts_code add_run(ts_join *j, int side, entry *e, block *b, uint32_t first, const double *values,
                            uint32_t count, uint64_t line, uint64_t offset, uint32_t pos) {
    if (j->depth && side == 0 && b == &j->pinned && j->judged_any && j->x->variables[e->variable].is_scale)
        return TS_LATE;
    ts_variable *v = &j->x->variables[e->variable];
    if (v->scale == TS_SCALE_LARGEST) {
        for (uint32_t i = 0; i < count; i++)
            if (isfinite(values[i])) v->largest = fmax(v->largest, fabs(values[i]));
    }
    run *fresh = take(j, b, sizeof *fresh + count * sizeof *values);
    *fresh = (run){e->runs[side], line, offset, first, count, pos};
    memcpy(fresh->values, values, count * sizeof *values);
    e->runs[side] = fresh;
    b->numbers += count;
    j->live += count;
    if (j->live > j->most_live) j->most_live = j->live;
    j->sides[side].numbers += count;
    if (j->watch_table) mark_watched(j, side, e, first, count);
    if (e->runs[!side] != NULL) {
        j->matched[side] = offset;
        j->matched[!side] = e->runs[!side]->offset;
    }
    return TS_OK;
}

const run *ts_number_at(const entry *e, int side, uint32_t component) {
    for (const run *r = e->runs[side]; r != NULL; r = r->next)
        if (component >= r->first && component - r->first < r->count) return r;
    return NULL;
}

/* Whether every number of a line stands there already with the same value. */
static int all_known(const entry *e, int side, uint32_t first, const double *values, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const run *r = ts_number_at(e, side, first + i);
        if (r == NULL || !(r->values[first + i - r->first] >= values[i] && r->values[first + i - r->first] <= values[i]))
            return 0;
    }
    return 1;
}

int ts_advance(ts_context *x, uint32_t side);
int ts_put(ts_context *x, uint32_t side, const ts_key *key, uint32_t variable, uint32_t component, double value,
           uint64_t line, uint64_t offset, uint32_t pos);
const run *ts_look_up(ts_context *x, uint32_t side, const ts_key *key, uint32_t variable, uint32_t component);
int ts_end_of(ts_context *x, uint32_t side);
int ts_finish(ts_context *x);
int ts_watch(ts_context *x, const ts_key *key, uint32_t variable);
int ts_begin(ts_context *x, uint32_t depth, size_t block_limit);
void ts_nests(ts_context *x, uint32_t nests_inside);
double ts_largest(const ts_context *x, uint32_t variable);

/* Take the scanned records of a side into the join, from its cursor on. Other than TS_OK: the record at the cursor needs
 * the caller, who moves the cursor on when it has been dealt with. */
int ts_advance(ts_context *x, uint32_t side) {
    ts_join *j = x->join;
    ts_scanner *s = &x->scanners[side];
    if (setjmp(j->no_memory)) return TS_NOMEM;
    for (; s->cursor < s->n_records; s->cursor++) {
        ts_record *r = &s->records[s->cursor];
        if (r->slot == TS_NONE) return TS_SLOW;
        ts_slot *slot = &x->slots[r->slot];
        slot->used[side] = 1;
        j->tallies[slot->variable].seen[side] = 1;
        entry *e;
        block *b;
        enum ts_code code = locate(j, (int)side, &s->keys[r->key], slot->variable, &e, &b);
        if (code != TS_OK) return code;
        const double *values = s->values + r->values;
        if (e->runs[side] == NULL) {
            code = add_run(j, (int)side, e, b, slot->first, values, r->count, r->line, r->offset, 0);
            if (code != TS_OK) return code;
            r->taken = 1;
        } else if (!all_known(e, (int)side, slot->first, values, r->count)) {
            return TS_TWICE;
        }
    }
    return TS_OK;
}

/* One number of a line that the caller read. It must not stand there yet (see ts_look_up). */
int ts_put(ts_context *x, uint32_t side, const ts_key *key, uint32_t variable, uint32_t component, double value,
           uint64_t line, uint64_t offset, uint32_t pos) {
    return ts_put_all(x, side, key, variable, component, &value, 1, line, offset, pos);
}

/* Consecutive numbers of one vector, of which none stands there yet. */
int ts_put_all(ts_context *x, uint32_t side, const ts_key *key, uint32_t variable, uint32_t first, const double *values,
               uint32_t count, uint64_t line, uint64_t offset, uint32_t pos) {
    ts_join *j = x->join;
    if (setjmp(j->no_memory)) return TS_NOMEM;
    entry *e;
    block *b;
    enum ts_code code = locate(j, (int)side, key, variable, &e, &b);
    return code != TS_OK ? (int)code : (int)add_run(j, (int)side, e, b, first, values, count, line, offset, pos);
}

/* The run that holds a number already, or NULL. */
const run *ts_look_up(ts_context *x, uint32_t side, const ts_key *key, uint32_t variable, uint32_t component) {
    const entry *e = ts_find(x->join, key, variable, ts_hash(key, variable));
    return e == NULL ? NULL : ts_number_at(e, (int)side, component);
}

/* A log has ended: it has left every block, and what the other side holds alone need not wait any longer. */
int ts_end_of(ts_context *x, uint32_t side) {
    ts_join *j = x->join;
    if (setjmp(j->no_memory)) return TS_NOMEM;
    leave(j, (int)side);
    j->eof |= 1u << side;
    for (size_t i = 0; i <= j->block_mask; i++)
        for (block *b = j->blocks[i], *next; b != NULL; b = next) {
            next = b->chain;
            if ((b->closed | j->eof) == 3 && b != j->current[!side]) flush(j, b);
        }
    return TS_OK;
}

/* Judge what is left: the rows of the whole run. */
int ts_finish(ts_context *x) {
    if (setjmp(x->join->no_memory)) return TS_NOMEM;
    flush(x->join, &x->join->pinned);
    return TS_OK;
}

/* Count the numbers of a row that turn up; numbered in the order of the calls. */
int ts_watch(ts_context *x, const ts_key *key, uint32_t variable) {
    ts_join *j = x->join;
    if (setjmp(j->no_memory)) return TS_NOMEM;
    j->watches = ts_grow(j->watches, &j->cap_watches, j->n_watches + 1, sizeof *j->watches, j->no_memory);
    j->watches[j->n_watches++] = (watch){*key, variable, {0, 0}};
    if (j->watch_table == NULL || 2 * j->n_watches > j->watch_mask) {
        size_t size = 1024;
        while (size < 4 * j->n_watches) size *= 2;
        free(j->watch_table);
        j->watch_table = allocate(j, size, sizeof *j->watch_table);
        j->watch_mask = size - 1;
        for (size_t n = 0; n + 1 < j->n_watches; n++) {
            size_t i = ts_hash(&j->watches[n].key, j->watches[n].variable) & j->watch_mask;
            while (j->watch_table[i]) i = (i + 1) & j->watch_mask;
            j->watch_table[i] = n + 1;
        }
    }
    size_t i = ts_hash(key, variable) & j->watch_mask;
    while (j->watch_table[i]) i = (i + 1) & j->watch_mask;
    j->watch_table[i] = j->n_watches;
    return TS_OK;
}

double ts_largest(const ts_context *x, uint32_t variable) {
    return x->variables[variable].largest;
}

void ts_nests(ts_context *x, uint32_t nests_inside) {
    x->nests_inside = nests_inside;
}

int ts_begin(ts_context *x, uint32_t depth, size_t block_limit) {
    ts_join *j = calloc(1, sizeof *j);
    if (j == NULL) return TS_NOMEM;
    x->join = j;
    j->x = x;
    j->depth = depth;
    j->block_limit = block_limit;
    j->table_mask = 4095;
    j->block_mask = 255;
    j->gone_mask = 1023;
    j->table = calloc(j->table_mask + 1, sizeof *j->table);
    j->blocks = calloc(j->block_mask + 1, sizeof(block *));
    j->gone = calloc(j->gone_mask + 1, sizeof *j->gone);
    return j->table && j->blocks && j->gone ? TS_OK : TS_NOMEM;
}

void ts_join_free(ts_join *j) {
    if (j == NULL) return;
    for (size_t i = 0; j->blocks && i <= j->block_mask; i++)
        for (block *b = j->blocks[i], *next; b != NULL; b = next) {
            next = b->chain;
            drop_memory(j, b);
            free(b);
        }
    drop_memory(j, &j->pinned);
    for (arena *a = j->spare, *next; a != NULL; a = next) {
        next = a->next;
        free(a);
    }
    for (uint32_t i = 0; i < j->n_tallies; i++) free(j->tallies[i].worst.vectors);
    for (uint32_t i = 0; i < j->n_kept; i++) free(j->kept[i].vectors);
    free(j->hardest.vectors);
    free(j->tallies);
    free(j->mismatches);
    free(j->watches);
    free(j->watch_table);
    free(j->scratch[0]);
    free(j->scratch[1]);
    free(j->table);
    free(j->blocks);
    free(j->gone);
    free(j);
}
