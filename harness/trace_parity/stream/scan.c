/* Reading one log: bytes to records of plain lines of today's form.
 *
 *     TRACE_C[step=3 i=7]: force 2.4647073117176019e-07
 *
 * A line that begins with TRACE_ and is anything but plain (older forms, tabs, unknown names, no number where one should
 * be) becomes a record without a slot: the caller reads it. */
#include "trace_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLACK 1024 /* readable bytes behind the text: a prefix may be compared beyond it */

void *ts_grow(void *array, size_t *capacity, size_t needed, size_t size, jmp_buf no_memory) {
    if (needed <= *capacity) return array;
    size_t larger = *capacity ? *capacity : 256;
    while (larger < needed) larger *= 2;
    void *moved = realloc(array, larger * size);
    if (moved == NULL) longjmp(no_memory, 1);
    *capacity = larger;
    return moved;
}

static uint32_t name_hash(const char *name, size_t length, uint32_t mask) {
    uint32_t h = 2166136261u ^ mask;
    for (size_t i = 0; i < length; i++) h = (h ^ (unsigned char)name[i]) * 16777619u;
    return h ^ h >> 15;
}

uint32_t ts_find_slot(const ts_context *x, const char *name, size_t length, uint32_t mask) {
    if (x->slot_table == NULL) return TS_NONE;
    for (uint32_t i = name_hash(name, length, mask) & x->slot_mask;; i = (i + 1) & x->slot_mask) {
        uint32_t at = x->slot_table[i];
        if (at == TS_NONE) return TS_NONE;
        const ts_slot *s = &x->slots[at];
        if (s->length == length && s->mask == mask && memcmp(s->name, name, length) == 0) return at;
    }
}

static void put_slot(ts_context *x, uint32_t n) {
    uint32_t i = name_hash(x->slots[n].name, x->slots[n].length, x->slots[n].mask) & x->slot_mask;
    while (x->slot_table[i] != TS_NONE) i = (i + 1) & x->slot_mask;
    x->slot_table[i] = n;
}

static int widen_slots(ts_context *x) {
    uint32_t larger = x->cap_slots ? 2 * x->cap_slots : 1024, size = 4 * larger;
    ts_slot *moved = realloc(x->slots, larger * sizeof *moved);
    if (moved == NULL) return 0;
    x->slots = moved;
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

int ts_add_slot(ts_context *x, const char *name, uint32_t length, uint32_t mask, uint32_t variable, uint32_t first,
                uint32_t alias, double factor);

/* Say what a name stands for on lines in the loops of `mask`. Not while a thread scans. */
int ts_add_slot(ts_context *x, const char *name, uint32_t length, uint32_t mask, uint32_t variable, uint32_t first,
                uint32_t alias, double factor) {
    if (x->n_slots == x->cap_slots && !widen_slots(x)) return TS_NOMEM;
    char *copy = malloc(length + 1);
    if (copy == NULL) return TS_NOMEM;
    memcpy(copy, name, length);
    copy[length] = 0;
    x->slots[x->n_slots] = (ts_slot){copy, length, mask, variable, first, alias, 0, {0, 0}, factor};
    put_slot(x, x->n_slots++);
    return TS_OK;
}

/* `[name=count ...]` after the side, and the colon and space: the key, or NULL when it is not plain. */
static const char *read_prefix(const ts_context *x, const char *s, ts_key *key, uint32_t *mask) {
    for (int i = 0; i < TS_LOOPS; i++) key->at[i] = -1;
    *mask = 0;
    if (*s == ':') return s[1] == ' ' ? s + 2 : NULL;
    if (*s != '[') return NULL;
    do {
        const char *name = ++s;
        while (*s > ' ' && *s != '=' && *s != ']') s++;
        if (*s != '=') return NULL;
        size_t length = (size_t)(s - name);
        uint32_t loop = 0;
        while (loop < x->n_loops && (strlen(x->loops[loop]) != length || memcmp(x->loops[loop], name, length) != 0))
            loop++;
        if (loop == x->n_loops || *mask >> loop & 1) return NULL;
        int32_t count = 0;
        const char *start = ++s;
        for (; *s >= '0' && *s <= '9'; s++) {
            if (s - start >= 9) return NULL;
            count = count * 10 + (*s - '0');
        }
        if (s == start) return NULL;
        key->at[loop] = count;
        *mask |= 1u << loop;
    } while (*s == ' ');
    return s[0] == ']' && s[1] == ':' && s[2] == ' ' ? s + 3 : NULL;
}

static void add_key(ts_scanner *s, const ts_key *key) {
    s->keys = ts_grow(s->keys, &s->cap_keys, s->n_keys + 1, sizeof *s->keys, s->no_memory);
    s->keys[s->n_keys++] = *key;
}

static void keep_text(ts_scanner *s, const char *word, size_t length) {
    s->texts = ts_grow(s->texts, &s->cap_texts, s->n_texts + length, 1, s->no_memory);
    memcpy(s->texts + s->n_texts, word, length);
    s->n_texts += length;
    s->text_ends = ts_grow(s->text_ends, &s->cap_text_ends, s->n_values + 1, sizeof *s->text_ends, s->no_memory);
    s->text_ends[s->n_values] = (int64_t)s->n_texts;
}

/* The plain line at `p`, added as a record; returns its end (the newline), or NULL when it is not plain. */
static const char *plain_line(ts_context *x, ts_scanner *s, const char *p, size_t side_length, uint64_t offset) {
    const char *at;
    if (s->prefix_length && memcmp(p, s->prefix, s->prefix_length) == 0) {
        at = p + s->prefix_length;
    } else {
        ts_key key;
        at = read_prefix(x, p + side_length, &key, &s->mask);
        s->prefix_length = 0;
        if (at == NULL) return NULL;
        add_key(s, &key);
        if ((size_t)(at - p) <= sizeof s->prefix) {
            s->prefix_length = (size_t)(at - p);
            memcpy(s->prefix, p, s->prefix_length);
        }
    }
    const char *name = at;
    while (*at > ' ' && *at < 127) at++;
    if (*at != ' ' || at == name) return NULL;
    size_t length = (size_t)(at - name);
    uint32_t slot = x->n_slots ? x->slots[s->last_slot].next_guess : TS_NONE;
    if (slot >= x->n_slots || x->slots[slot].length != length || x->slots[slot].mask != s->mask ||
        memcmp(x->slots[slot].name, name, length) != 0) {
        slot = ts_find_slot(x, name, length, s->mask);
        if (slot == TS_NONE) return NULL;
    }
    size_t first = s->n_values, first_text = s->n_texts;
    double factor = x->slots[slot].factor;
    for (;;) {
        while (*at == ' ') at++;
        if (*at == '\n' || *at == '\r') break;
        double value;
        const char *word = at;
        if (!ts_number(&at, &value) || (*at != ' ' && *at != '\n' && *at != '\r')) {
            s->n_values = first;
            s->n_texts = first_text;
            return NULL;
        }
        if (s->keep_text) keep_text(s, word, (size_t)(at - word));
        s->values = ts_grow(s->values, &s->cap_values, s->n_values + 1, sizeof *s->values, s->no_memory);
        s->values[s->n_values++] = factor != 1.0 ? value * factor : value;
    }
    while (*at == '\r') at++;
    if (*at != '\n' || s->n_values == first || s->n_values - first > UINT32_MAX / 2) {
        s->n_values = first;
        s->n_texts = first_text;
        return NULL;
    }
    s->last_slot = slot;
    s->records = ts_grow(s->records, &s->cap_records, s->n_records + 1, sizeof *s->records, s->no_memory);
    s->records[s->n_records++] = (ts_record){offset,
                                             s->lines,
                                             (uint32_t)(at - p),
                                             (uint32_t)(s->n_keys - 1),
                                             slot,
                                             (uint32_t)first,
                                             (uint32_t)(s->n_values - first),
                                             0};
    return at;
}

/* A line that begins with TRACE_: counted, read, or left to the caller. */
static const char *trace_line(ts_context *x, ts_scanner *s, const char *p, uint64_t offset) {
    uint32_t side = 2;
    size_t side_length = 7;
    if (p[6] == 'C') side = 0;
    if (p[6] == 'P' && p[7] == 'Y') side = 1, side_length = 8;
    unsigned char next = (unsigned char)p[side_length];
    const char *stop = memchr(p, '\n', (size_t)(s->buffer + s->fill + 1 - p));
    int begins = next == '[' || next == ':' || next == '_';
    if (side == 2 || (!begins && next > ' ' && next < 127)) return stop; /* other output, as TRACE_CONFIG is */
    if (side != s->wanted && begins) {
        s->others++;
        return stop;
    }
    if (begins) {
        const char *end = plain_line(x, s, p, side_length, offset);
        if (end != NULL) {
            s->trace_lines++;
            return end;
        }
    }
    s->records = ts_grow(s->records, &s->cap_records, s->n_records + 1, sizeof *s->records, s->no_memory);
    s->records[s->n_records++] = (ts_record){offset, s->lines, (uint32_t)(stop - p), 0, TS_NONE, 0, 0, 0};
    return stop;
}

static void scan_lines(ts_context *x, ts_scanner *s, size_t end) {
    const char *p = s->buffer, *stop = s->buffer + end;
    while (p < stop) {
        s->lines++;
        const char *newline;
        if (p[0] == 'T' && memcmp(p, "TRACE_", 6) == 0)
            newline = trace_line(x, s, p, s->base + (uint64_t)(p - s->buffer));
        else
            newline = memchr(p, '\n', (size_t)(stop - p) + 1);
        p = newline + 1;
    }
}

/* Room for `more` bytes behind what is left over, and the slack. */
static int make_room(ts_scanner *s, size_t more) {
    size_t needed = s->fill + more + SLACK;
    if (needed > UINT32_MAX / 2) return 0;
    if (needed <= s->capacity) return 1;
    char *moved = realloc(s->buffer, needed);
    if (moved == NULL) return 0;
    memset(moved + s->fill, 0, needed - s->fill);
    s->buffer = moved;
    s->capacity = needed;
    return 1;
}

static void forget(ts_scanner *s, size_t bytes) {
    memmove(s->buffer, s->buffer + bytes, s->fill - bytes);
    s->base += bytes;
    s->fill -= bytes;
}

int64_t ts_scan(ts_context *x, uint32_t side, size_t bytes);

/* Read about `bytes` more of a log into records; the bytes read, 0 at the end, -errno. Threads may scan one side each.
 *
 * The name guesses are per slot and shared: they are written between scans only (see ts_learn). */
int64_t ts_scan(ts_context *x, uint32_t side, size_t bytes) {
    ts_scanner *s = &x->scanners[side];
    s->n_records = s->n_keys = s->n_values = s->n_texts = s->cursor = 0;
    s->prefix_length = 0;
    if (s->ended) return 0;
    if (setjmp(s->no_memory)) return -ENOMEM;
    if (!make_room(s, bytes)) return -EFBIG;
    ssize_t got;
    do got = pread(s->fd, s->buffer + s->fill, bytes, (off_t)(s->base + s->fill));
    while (got < 0 && errno == EINTR);
    if (got < 0) return -errno;
    size_t old = s->fill;
    s->fill += (size_t)got;
    s->ended = got == 0;
    if (s->skipping) {
        char *newline = memchr(s->buffer, '\n', s->fill);
        size_t rest = newline ? (size_t)(newline - s->buffer) + 1 : s->fill;
        s->lines += newline != NULL || s->ended;
        s->skipping = newline == NULL;
        forget(s, rest);
        old = 0;
    }
    memset(s->buffer + s->fill, 0, SLACK);
    s->buffer[s->fill] = '\n';
    size_t end = s->fill;
    if (s->ended) {
        s->unterminated = s->fill > 0;
        s->last_offset = s->base;
    } else {
        while (end > old && s->buffer[end - 1] != '\n') end--;
        if (end == old) end = 0;
    }
    scan_lines(x, s, end);
    if (!s->ended && end == 0 && s->fill >= 6 && memcmp(s->buffer, "TRACE_", 6) != 0) {
        s->skipping = 1; /* no newline in all this, and no trace line: nothing of it needs keeping */
        end = s->fill;
    }
    forget(s, end);
    return (int64_t)got;
}

void ts_learn(ts_context *x, uint32_t side);

/* Remember which name followed which, so that the next scan finds most names by one comparison. */
void ts_learn(ts_context *x, uint32_t side) {
    const ts_scanner *s = &x->scanners[side];
    uint32_t last = TS_NONE;
    size_t stop = s->n_records < 512 ? s->n_records : 512;
    for (size_t i = 0; i < stop; i++) {
        uint32_t slot = s->records[i].slot;
        if (last != TS_NONE && slot != TS_NONE) x->slots[last].next_guess = slot;
        last = slot;
    }
}
