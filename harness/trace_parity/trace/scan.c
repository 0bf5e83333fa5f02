/* A log to columns: plain lines of today's form, as they come.
 *
 *     TRACE_C[step=3 i=7]: force 2.4647073117176019e-07
 *
 * Any other line with TRACE in it (older forms, prefixes, tabs, unknown names, unusual numbers) is left to the caller,
 * who reads it by the one parser there is. */
#define _GNU_SOURCE
#include "scan.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    ts_context *x;
    ts_found *out;
    const char *text, *end;
    const char *prefix; /* the line before had these bytes up to its name */
    size_t prefix_length;
    uint32_t mask, wanted;
} scanner;

/* Whether two runs of bytes are equal. Most are short: memcmp's call would cost more. */
static inline int same_bytes(const char *a, const char *b, size_t length) {
    uint64_t x, y;
    size_t i = 0;
    for (; i + 8 <= length; i += 8) {
        memcpy(&x, a + i, 8);
        memcpy(&y, b + i, 8);
        if (x != y) return 0;
    }
    for (; i < length; i++)
        if (a[i] != b[i]) return 0;
    return 1;
}

static uint32_t name_hash(const char *name, size_t length, uint32_t mask) {
    uint32_t h = 2166136261u ^ mask;
    for (size_t i = 0; i < length; i++) h = (h ^ (unsigned char)name[i]) * 16777619u;
    return h ^ h >> 15;
}

static uint32_t find_slot(const ts_context *x, const char *name, size_t length, uint32_t mask) {
    if (x->slot_table == NULL) return TS_NONE;
    for (uint32_t i = name_hash(name, length, mask) & x->slot_mask;; i = (i + 1) & x->slot_mask) {
        uint32_t at = x->slot_table[i];
        if (at == TS_NONE) return TS_NONE;
        const ts_slot *s = &x->slots[at];
        if (s->length == length && s->mask == mask && same_bytes(s->name, name, length)) return at;
    }
}

static void put_slot(ts_context *x, uint32_t n) {
    uint32_t i = name_hash(x->slots[n].name, x->slots[n].length, x->slots[n].mask) & x->slot_mask;
    while (x->slot_table[i] != TS_NONE) i = (i + 1) & x->slot_mask;
    x->slot_table[i] = n;
}

static int widen_slots(ts_context *x) {
    uint32_t larger = x->cap_slots ? 2 * x->cap_slots : 1024, size = 4 * larger;
    ts_slot *slots = realloc(x->slots, larger * sizeof *slots);
    if (slots == NULL) return 0;
    x->slots = slots;
    uint8_t *used = realloc(x->used, larger);
    if (used == NULL) return 0;
    x->used = used;
    uint32_t *table = malloc(size * sizeof *table);
    if (table == NULL) return 0;
    memset(table, 0xFF, size * sizeof *table);
    free(x->slot_table);
    x->slot_table = table;
    x->slot_mask = size - 1;
    x->cap_slots = larger;
    for (uint32_t n = 0; n < x->n_slots; n++) put_slot(x, n);
    return 1;
}

ts_context *ts_new(uint32_t n_loops, const char *const *loops);
void ts_free(ts_context *x);
int ts_add_slots(ts_context *x, uint32_t count, const char *names, const uint32_t *mask, const uint32_t *variable,
                 const uint32_t *first, const uint32_t *flags, const double *factor);
int ts_used(const ts_context *x, uint32_t slot);
void ts_scan(ts_context *x, const char *text, size_t length, uint32_t wanted, ts_found *out);

void ts_free(ts_context *x) {
    if (x == NULL) return;
    for (uint32_t i = 0; i < x->n_loops; i++) free(x->loops[i]);
    for (uint32_t i = 0; i < x->n_slots; i++) free(x->slots[i].name);
    free(x->slots);
    free(x->slot_table);
    free(x->used);
    free(x);
}

static char *copy_of(const char *text) {
    char *copy = malloc(strlen(text) + 1);
    return copy == NULL ? NULL : strcpy(copy, text);
}

ts_context *ts_new(uint32_t n_loops, const char *const *loops) {
    ts_context *x = calloc(1, sizeof *x);
    if (x == NULL || n_loops > TS_MOST_LOOPS) {
        free(x);
        return NULL;
    }
    for (; x->n_loops < n_loops; x->n_loops++) {
        x->lengths[x->n_loops] = strlen(loops[x->n_loops]);
        if ((x->loops[x->n_loops] = copy_of(loops[x->n_loops])) == NULL) {
            ts_free(x);
            return NULL;
        }
    }
    return x;
}

/* Set what names, each with its 0, mean on lines in the loops of `mask`. */
int ts_add_slots(ts_context *x, uint32_t count, const char *names, const uint32_t *mask, const uint32_t *variable,
                 const uint32_t *first, const uint32_t *flags, const double *factor) {
    for (uint32_t i = 0; i < count; i++) {
        if (x->n_slots == x->cap_slots && !widen_slots(x)) return 0;
        char *copy = copy_of(names);
        if (copy == NULL) return 0;
        size_t length = strlen(names);
        x->slots[x->n_slots] = (ts_slot){copy, length, mask[i], variable[i], first[i], flags[i], 0, factor[i]};
        x->used[x->n_slots] = 0;
        put_slot(x, x->n_slots++);
        names += length + 1;
    }
    return 1;
}

int ts_used(const ts_context *x, uint32_t slot) {
    return x->used[slot];
}

static int is_loop(const ts_context *x, uint32_t loop, const char *name, size_t length) {
    return x->lengths[loop] == length && same_bytes(x->loops[loop], name, length);
}

/* `[name=count ...]` after the side, and the colon and space: the key, or NULL when it is not plain. */
static const char *read_prefix(const ts_context *x, const char *s, int32_t *key, uint32_t *mask) {
    for (uint32_t i = 0; i < x->n_loops; i++) key[i] = -1;
    *mask = 0;
    if (*s == ':') return s[1] == ' ' ? s + 2 : NULL;
    if (*s != '[') return NULL;
    uint32_t next = 0;
    do {
        const char *name = ++s;
        uint32_t loop = next; /* loops are mostly in their order */
        if (loop < x->n_loops && same_bytes(x->loops[loop], name, x->lengths[loop]) && name[x->lengths[loop]] == '=') {
            s += x->lengths[loop];
        } else {
            while (*s > ' ' && *s != '=' && *s != ']') s++;
            if (*s != '=') return NULL;
            size_t length = (size_t)(s - name);
            while (loop < x->n_loops && !is_loop(x, loop, name, length)) loop++;
            if (loop == x->n_loops)
                for (loop = 0; loop < x->n_loops && !is_loop(x, loop, name, length);) loop++;
        }
        if (loop == x->n_loops || *mask >> loop & 1) return NULL;
        next = loop + 1;
        int32_t count = 0;
        const char *start = ++s;
        for (; *s >= '0' && *s <= '9'; s++) {
            if (s - start >= 9) return NULL;
            count = count * 10 + (*s - '0');
        }
        if (s == start) return NULL;
        key[loop] = count;
        *mask |= 1u << loop;
    } while (*s == ' ');
    return s[0] == ']' && s[1] == ':' && s[2] == ' ' ? s + 3 : NULL;
}

/* The plain line at `p`, added as a row; returns its end (the newline), or NULL when it is not plain. */
static const char *plain_line(scanner *s, const char *p, size_t side_length) {
    ts_context *x = s->x;
    ts_found *out = s->out;
    const char *at;
    if (s->prefix_length && same_bytes(p, s->prefix, s->prefix_length)) {
        at = p + s->prefix_length;
    } else {
        at = read_prefix(x, p + side_length, out->keys + (size_t)out->n_keys * x->n_loops, &s->mask);
        s->prefix_length = 0;
        if (at == NULL) return NULL;
        out->n_keys++;
        if ((size_t)(at - p) <= 512) {
            s->prefix = p;
            s->prefix_length = (size_t)(at - p);
        }
    }
    const char *name = at;
    while (*at > ' ' && *at < 127) at++;
    if (*at != ' ' || at == name) return NULL;
    size_t length = (size_t)(at - name);
    uint32_t slot = x->n_slots ? x->slots[x->last_slot].next_guess : TS_NONE;
    if (slot >= x->n_slots || x->slots[slot].length != length || x->slots[slot].mask != s->mask ||
        !same_bytes(x->slots[slot].name, name, length)) {
        slot = find_slot(x, name, length, s->mask);
        if (slot == TS_NONE) return NULL;
        x->slots[x->last_slot].next_guess = slot;
    }
    int64_t first = out->n_values, n = first, text = first && out->texts ? out->text_end[first - 1] : 0;
    double factor = x->slots[slot].factor;
    int all_whole = factor == 1.0;
    for (;;) {
        while (*at == ' ') at++;
        if (*at == '\n' || *at == '\r') break;
        double value;
        int whole;
        const char *word = at;
        if (!ts_number(&at, &value, &whole) || (*at != ' ' && *at != '\n' && *at != '\r')) return NULL;
        all_whole &= whole;
        if (out->texts) {
            memcpy(out->texts + text, word, (size_t)(at - word));
            text += at - word;
            out->text_end[n] = text;
        }
        out->values[n++] = factor != 1.0 ? value * factor : value;
    }
    while (*at == '\r') at++;
    if (*at != '\n' || n == first) return NULL;
    int64_t row = out->n_rows++;
    out->n_values = n;
    x->last_slot = slot;
    x->used[slot] = 1;
    out->key[row] = (uint32_t)(out->n_keys - 1);
    out->variable[row] = x->slots[slot].variable;
    out->first[row] = x->slots[slot].first;
    out->count[row] = (uint32_t)(n - first);
    out->flags[row] = (uint8_t)(x->slots[slot].flags | (all_whole ? TS_WHOLE : 0));
    out->line[row] = out->lines;
    out->offset[row] = p - s->text;
    return at;
}

static void leave(scanner *s, const char *p, const char *stop) {
    ts_found *out = s->out;
    out->slow_line[out->n_slow] = out->lines;
    out->slow_offset[out->n_slow] = p - s->text;
    out->slow_length[out->n_slow++] = stop - p;
}

/* A line that begins with TRACE_: read, passed over, or left to the caller. */
static const char *trace_line(scanner *s, const char *p) {
    uint32_t side = 2;
    size_t side_length = 7;
    if (p[6] == 'C') side = 0;
    if (p[6] == 'P' && p[7] == 'Y') side = 1, side_length = 8;
    if (side == s->wanted) {
        const char *end = plain_line(s, p, side_length);
        if (end != NULL) return end;
    }
    const char *stop = memchr(p, '\n', (size_t)(s->end - p));
    char next = p[side_length];
    if (side == 1 - s->wanted && (next == '[' || next == ':') &&
        memmem(p + 6, (size_t)(stop - p - 6), "TRACE_", 6) == NULL) {
        s->out->others++;
        return stop;
    }
    leave(s, p, stop);
    return stop;
}

/* Scan `text`, whose last byte is a newline and behind which 1024 bytes may be read. Lines count from 1. */
void ts_scan(ts_context *x, const char *text, size_t length, uint32_t wanted, ts_found *out) {
    scanner s = {x, out, text, text + length, NULL, 0, 0, wanted};
    out->n_keys = out->n_rows = out->n_values = out->n_slow = out->lines = out->others = 0;
    const char *p = text;
    while (p < s.end) {
        out->lines++;
        if (p[0] == 'T' && memcmp(p, "TRACE_", 6) == 0) {
            p = trace_line(&s, p) + 1;
            continue;
        }
        const char *stop = memchr(p, '\n', (size_t)(s.end - p));
        if (memmem(p, (size_t)(stop - p), "TRACE", 5) != NULL) leave(&s, p, stop);
        p = stop + 1;
    }
}
