/* Making and freeing a comparison, registering what the vocabulary says, and handing over what was found. */
#include "join.h"

#include <stdlib.h>
#include <string.h>

ts_context *ts_new(uint32_t n_loops, const char *const *loops, const uint64_t *powers);
void ts_free(ts_context *x);
int ts_add_variable(ts_context *x, const ts_variable *variable);
void ts_open(ts_context *x, uint32_t side, int fd, uint32_t wanted, uint32_t keep_text);
const ts_record *ts_records(const ts_context *x, uint32_t side, uint64_t *count);
void ts_state(const ts_context *x, uint32_t side, uint64_t *out);
void ts_step(ts_context *x, uint32_t side);
uint32_t ts_used(const ts_context *x, uint32_t slot, uint32_t side);
const ts_tally *ts_tallies(const ts_context *x);
const ts_side *ts_side_of(const ts_context *x, uint32_t side);
const ts_kept *ts_first_divergent(const ts_context *x, uint32_t *count);
const ts_kept *ts_hardest(const ts_context *x);
const ts_mismatch *ts_mismatches(const ts_context *x, uint64_t *all, uint64_t *kept);
uint32_t ts_watched(const ts_context *x, uint64_t n, uint32_t side);
void ts_leads(const ts_context *x, uint64_t *matched, uint64_t *live);
uint64_t ts_collect(const ts_context *x, uint32_t side, uint64_t from, int32_t *const *loops, uint32_t *variable,
                    int32_t *component, double *value, int64_t *line, int32_t *pos, int64_t *text_end, char *text);
int ts_feed(ts_context *x, uint32_t side, uint64_t n, const int32_t *const *loops, const uint32_t *variable,
            const int32_t *component, const double *value, const int64_t *line, const int32_t *pos, uint64_t row,
            uint64_t *cursor);
uint64_t ts_filter(ts_context *x, uint32_t side, const int32_t *wanted, uint64_t n);

/* A context without any variable; NULL when the loops do not fit or there is no memory. */
ts_context *ts_new(uint32_t n_loops, const char *const *loops, const uint64_t *powers) {
    if (n_loops > TS_LOOPS) return NULL;
    ts_context *x = calloc(1, sizeof *x);
    if (x == NULL) return NULL;
    x->n_loops = n_loops;
    for (uint32_t i = 0; i < n_loops; i++) {
        if (strlen(loops[i]) >= sizeof x->loops[i]) {
            free(x);
            return NULL;
        }
        strcpy(x->loops[i], loops[i]);
    }
    ts_powers(powers);
    return x;
}

void ts_free(ts_context *x) {
    if (x == NULL) return;
    ts_join_free(x->join);
    for (uint32_t i = 0; i < x->n_slots; i++) free(x->slots[i].name);
    for (uint32_t i = 0; i < x->n_variables; i++) free((void *)(uintptr_t)x->variables[i].name);
    free(x->slots);
    free(x->slot_table);
    free(x->variables);
    for (int side = 0; side < 2; side++) {
        ts_scanner *s = &x->scanners[side];
        free(s->buffer);
        free(s->records);
        free(s->keys);
        free(s->values);
        free(s->texts);
        free(s->text_ends);
    }
    free(x);
}

/* Register a variable; its number is how many there were before. */
int ts_add_variable(ts_context *x, const ts_variable *variable) {
    ts_join *j = x->join;
    if (x->n_variables == x->cap_variables) {
        uint32_t larger = x->cap_variables ? 2 * x->cap_variables : 128;
        ts_variable *moved = realloc(x->variables, larger * sizeof *moved);
        if (moved == NULL) return TS_NOMEM;
        x->variables = moved;
        ts_tally *tallies = realloc(j->tallies, larger * sizeof *tallies);
        if (tallies == NULL) return TS_NOMEM;
        memset(tallies + x->cap_variables, 0, (larger - x->cap_variables) * sizeof *tallies);
        j->tallies = tallies;
        x->cap_variables = larger;
    }
    size_t length = strlen(variable->name);
    char *name = malloc(length + 1);
    if (name == NULL) return TS_NOMEM;
    memcpy(name, variable->name, length + 1);
    x->variables[x->n_variables] = *variable;
    x->variables[x->n_variables].name = name;
    j->n_tallies = ++x->n_variables;
    return TS_OK;
}

void ts_open(ts_context *x, uint32_t side, int fd, uint32_t wanted, uint32_t keep_text) {
    x->scanners[side].fd = fd;
    x->scanners[side].wanted = wanted;
    x->scanners[side].keep_text = keep_text;
}

const ts_record *ts_records(const ts_context *x, uint32_t side, uint64_t *count) {
    *count = x->scanners[side].n_records;
    return x->scanners[side].records;
}

/* cursor, lines, plain trace lines, lines of the other side, unterminated, offset of the last line, bytes done, values,
 * bytes of text kept. */
void ts_state(const ts_context *x, uint32_t side, uint64_t *out) {
    const ts_scanner *s = &x->scanners[side];
    const uint64_t all[] = {s->cursor, s->lines,       s->trace_lines, s->others, s->unterminated,
                            s->last_offset, s->base, s->n_values,    s->n_texts};
    memcpy(out, all, sizeof all);
}

/* The record at the cursor has been dealt with. */
void ts_step(ts_context *x, uint32_t side) {
    x->scanners[side].cursor++;
}

uint32_t ts_used(const ts_context *x, uint32_t slot, uint32_t side) {
    return x->slots[slot].used[side];
}

const ts_tally *ts_tallies(const ts_context *x) {
    return x->join->tallies;
}

const ts_side *ts_side_of(const ts_context *x, uint32_t side) {
    return &x->join->sides[side];
}

const ts_kept *ts_first_divergent(const ts_context *x, uint32_t *count) {
    *count = x->join->n_kept;
    return x->join->kept;
}

const ts_kept *ts_hardest(const ts_context *x) {
    return x->join->hardest.set ? &x->join->hardest : NULL;
}

const ts_mismatch *ts_mismatches(const ts_context *x, uint64_t *all, uint64_t *kept) {
    *all = x->join->n_mismatches;
    *kept = x->join->kept_mismatches;
    return x->join->mismatches;
}

/* Whether a side has all numbers of a row that is watched. */
uint32_t ts_watched(const ts_context *x, uint64_t n, uint32_t side) {
    const watch *w = &x->join->watches[n];
    return w->present[side] >= x->variables[w->variable].size;
}

/* Where in both logs the row stands that was paired last, and how many numbers wait now and did at most. */
void ts_leads(const ts_context *x, uint64_t *matched, uint64_t *live) {
    memcpy(matched, x->join->matched, sizeof x->join->matched);
    live[0] = x->join->live;
    live[1] = x->join->most_live;
}

/* The numbers of the records from `from` up to the cursor that were new, as columns. Returns how many. */
uint64_t ts_collect(const ts_context *x, uint32_t side, uint64_t from, int32_t *const *loops, uint32_t *variable,
                    int32_t *component, double *value, int64_t *line, int32_t *pos, int64_t *text_end, char *text) {
    const ts_scanner *s = &x->scanners[side];
    uint64_t n = 0;
    int64_t bytes = 0;
    for (size_t i = from; i < s->cursor; i++) {
        const ts_record *r = &s->records[i];
        if (!r->taken) continue;
        const ts_slot *slot = &x->slots[r->slot];
        for (uint32_t v = 0; v < r->count; v++, n++) {
            size_t at = r->values + v;
            int64_t start = at ? s->text_ends[at - 1] : 0, length = s->text_ends[at] - start;
            for (uint32_t loop = 0; loop < x->n_loops; loop++) loops[loop][n] = s->keys[r->key].at[loop];
            variable[n] = slot->variable;
            component[n] = (int32_t)(slot->first + v);
            value[n] = s->values[at];
            line[n] = (int64_t)r->line;
            pos[n] = (int32_t)v;
            memcpy(text + bytes, s->texts + start, (size_t)length);
            bytes += length;
            text_end[n] = bytes;
        }
    }
    return n;
}

/* Rows that were read before, in columns, from `*cursor` on. Their "offset" is such that offset + pos is the row. */
int ts_feed(ts_context *x, uint32_t side, uint64_t n, const int32_t *const *loops, const uint32_t *variable,
            const int32_t *component, const double *value, const int64_t *line, const int32_t *pos, uint64_t row,
            uint64_t *cursor) {
    for (uint64_t count; *cursor < n; *cursor += count) {
        uint64_t i = *cursor;
        count = 1;
        ts_key key;
        for (uint32_t loop = 0; loop < TS_LOOPS; loop++) key.at[loop] = loop < x->n_loops ? loops[loop][i] : -1;
        uint64_t offset = row + i - (uint64_t)pos[i];
        if (ts_find(x->join, &key, variable[i], ts_hash(&key, variable[i])) != NULL) {
            const entry *e = ts_find(x->join, &key, variable[i], ts_hash(&key, variable[i]));
            if (ts_number_at(e, (int)side, (uint32_t)component[i]) != NULL) continue;
        }
        x->join->tallies[variable[i]].seen[side] = 1;
        /* The rest of a vector stands behind its first number. */
        while (i + count < n && line[i + count] == line[i] && variable[i + count] == variable[i] &&
               (uint64_t)(uint32_t)pos[i + count] == (uint32_t)pos[i] + count &&
               (uint64_t)(uint32_t)component[i + count] == (uint32_t)component[i] + count)
            count++;
        if (count > 1 && ts_find(x->join, &key, variable[i], ts_hash(&key, variable[i])) != NULL) count = 1;
        int code = ts_put_all(x, side, &key, variable[i], (uint32_t)component[i], value + i, (uint32_t)count,
                              (uint64_t)line[i], offset, (uint32_t)pos[i]);
        if (code != TS_OK) return code;
    }
    return TS_OK;
}

/* Keep of the scanned records those of the given blocks (pairs of outermost indices), those of no block, and those that
 * the caller must read. Returns how many are left. */
uint64_t ts_filter(ts_context *x, uint32_t side, const int32_t *wanted, uint64_t n) {
    ts_scanner *s = &x->scanners[side];
    size_t left = 0;
    for (size_t i = 0; i < s->n_records; i++) {
        const ts_record *r = &s->records[i];
        int take = r->slot == TS_NONE;
        if (!take) {
            const int32_t *at = s->keys[r->key].at;
            take = at[0] < 0 && at[1] < 0;
            for (uint64_t w = 0; w < n && !take; w++) take = at[0] == wanted[2 * w] && at[1] == wanted[2 * w + 1];
        }
        if (take) s->records[left++] = *r;
    }
    s->n_records = left;
    return left;
}
