/* Which rows of a window need no closer look: both sides have the row once and alike, and none of its numbers differs by
 * as much as would count, or by more than another of its variable already does. Bounds are taken to the safe side: what
 * is in doubt is left to the caller, who has the one rule by which numbers are judged. */
#include "scan.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const int32_t *keys, *key; /* loop indices, and which of them each row has */
    const int32_t *variable, *first, *count;
    const int64_t *start, *line;
    const int32_t *pos;
    const uint8_t *flags;
    const double *values;
    uint8_t *left; /* in: not 0 for rows that must be left; out: 1 for a number's sake, 2 for the row's own */
    int64_t n, numbers, shared_line, shared_pos;
} ts_side;

/* Per variable. */
typedef struct {
    const double *limit;    /* relative difference under which two numbers surely agree */
    const double *own;      /* the absolute part that is the variable's own, where another is set */
    const double *floor;    /* that part of the larger number that an absolute tolerance has at least */
    const double *absolute; /* what it has at least in itself */
    const double *needed, *relative; /* of the worst number so far; needed is infinite where that one diverges */
    const int64_t *size;    /* of the vocabulary, 0 for any; -1 for a variable without a worst number or one to be left */
    const uint8_t *whole;   /* whole numbers must be equal */
    const int32_t *worst;   /* the worst number's key */
    const int32_t *target;  /* the variable of the C log in whose units a tolerance is, or -1 */
    const int32_t *how;     /* PRODUCT, INVERSE, or the component of it that is taken */
    const uint8_t *inside;  /* the loops that it sits in, per variable */
    const double *part;     /* that part of it that the tolerance has at least */
    int64_t *compared;
} ts_limits;

enum { INVERSE = -1, PRODUCT = -2 };

int ts_settle(uint32_t loops, const uint8_t *outer, ts_side *c, ts_side *py, const ts_limits *limits);

/* The rows of C by key and variable. */
typedef struct {
    const ts_side *side;
    uint32_t loops;
    size_t size;
    int32_t *table;
    uint8_t *odd; /* per row: not the only one of its key and variable */
} ts_index;

#define MOST_PLACES 64

/* Places all of whose rows are left: the indices of the loops that `outer` marks. */
typedef struct {
    const uint8_t *outer;
    uint32_t loops;
    int count;
    const int32_t *keys[MOST_PLACES];
} ts_places;

static uint64_t key_hash(const int32_t *key, uint32_t loops) {
    uint64_t h = 0x9E3779B97F4A7C15u;
    for (uint32_t i = 0; i < loops; i++) h = (h ^ (uint32_t)key[i]) * 0xFF51AFD7ED558CCDu, h ^= h >> 29;
    return h;
}

static uint64_t with_variable(uint64_t h, int32_t variable) {
    h = (h ^ (uint32_t)variable) * 0xC4CEB9FE1A85EC53u;
    return h ^ h >> 32;
}

static const int32_t *key_at(const ts_side *s, int64_t row, uint32_t loops) {
    return s->keys + (size_t)s->key[row] * loops;
}

/* The first row of that key and variable, or -1; `at` is where it is or would be in the table. */
static int32_t find_row(const ts_index *x, const int32_t *key, uint64_t h, int32_t variable, size_t *at) {
    const ts_side *s = x->side;
    size_t i = with_variable(h, variable) & (x->size - 1);
    while (x->table[i] >= 0 && (s->variable[x->table[i]] != variable ||
                                memcmp(key_at(s, x->table[i], x->loops), key, x->loops * sizeof *key) != 0))
        i = (i + 1) & (x->size - 1);
    *at = i;
    return x->table[i];
}

/* The row of C in whose units the tolerance of row `i` is, or -1. */
static int32_t target_row(const ts_index *x, int64_t i, const ts_limits *l) {
    int32_t key[TS_MOST_LOOPS], v = x->side->variable[i];
    if (l->target[v] < 0) return -1;
    const int32_t *own = key_at(x->side, i, x->loops);
    for (uint32_t n = 0; n < x->loops; n++)
        key[n] = l->inside[(size_t)v * x->loops + n] ? own[n] : -1;
    size_t at;
    return find_row(x, key, key_hash(key, x->loops), l->target[v], &at);
}

/* What that row makes of its numbers, as compare/scales.py does; NaN where it must be looked at. */
static double scale_of(const ts_index *x, int64_t i, const ts_limits *l) {
    int32_t row = target_row(x, i, l), how = l->how[x->side->variable[i]];
    if (row < 0 || x->odd[row] || x->side->first[row] != 0) return NAN;
    const double *values = x->side->values + x->side->start[row];
    int32_t count = x->side->count[row];
    double made = 1.0;
    if (how == PRODUCT)
        for (int32_t n = 0; n < count; n++) made *= values[n];
    else if (how == INVERSE)
        made = 1.0 / values[0];
    else
        made = how < count ? values[how] : NAN;
    return made - made == 0.0 ? fabs(made) : NAN;
}

static int before(const int32_t *a, const int32_t *b, uint32_t loops) {
    for (uint32_t i = 0; i < loops; i++)
        if (a[i] != b[i]) return a[i] < b[i];
    return 0;
}

/* Whether two numbers that are not equal need no look. */
static int settled(double a, double b, const ts_limits *l, int32_t v, double absolute) {
    double larger = fmax(fabs(a), fabs(b)), d = fabs(a - b);
    double covered = fmax(absolute, l->floor[v] * larger), needed = l->needed[v];
    if (!(larger <= DBL_MAX) || a != a || b != b || !(d <= l->limit[v] * larger + covered)) return 0;
    if (l->limit[v] == 0) return d * (1 + 1e-9) * l->own[v] < needed * covered; /* nothing relative in the tolerance */
    if (d <= covered) return needed > 0 || d * (1 + 1e-9) < l->relative[v] * larger;
    return (d - covered) * (1 + 1e-9) < needed * larger;
}

static int row_settled(const ts_index *x, const ts_side *py, int64_t i, int64_t j, const ts_limits *l) {
    const ts_side *c = x->side;
    uint32_t loops = x->loops;
    int32_t v = c->variable[i], count = c->count[i];
    if (l->size[v] < 0 || (l->size[v] > 0 && l->size[v] != count)) return 0;
    const double *a = c->values + c->start[i], *b = py->values + py->start[j];
    int whole = (c->flags[i] & py->flags[j] & TS_WHOLE) != 0, equal = 0, known = 0;
    double absolute = l->absolute[v];
    for (int32_t k = 0; k < count; k++) {
        if (a[k] == b[k]) {
            if (whole && !(fabs(a[k]) < 1e15)) return 0;
            equal = 1;
            continue;
        }
        if (whole && l->whole[v]) return 0;
        if (!known && l->target[v] >= 0) absolute = fmax(absolute, l->part[v] * scale_of(x, i, l));
        known = 1;
        if (!settled(a[k], b[k], l, v, absolute)) return 0;
    }
    /* The first of equal numbers represents a variable that has no others. */
    return !(equal && l->needed[v] == 0 && l->relative[v] == 0 &&
             before(key_at(c, i, loops), l->worst + (size_t)v * loops, loops));
}

static int same_place(const ts_places *p, const int32_t *a, const int32_t *b) {
    for (uint32_t i = 0; i < p->loops; i++)
        if (p->outer[i] && a[i] != b[i]) return 0;
    return 1;
}

static int is_left(const ts_places *p, const int32_t *key) {
    for (int i = 0; i < p->count; i++)
        if (same_place(p, p->keys[i], key)) return 1;
    return 0;
}

static int leave_place(ts_places *p, const int32_t *key) {
    if (is_left(p, key)) return 1;
    if (p->count == MOST_PLACES) return 0;
    p->keys[p->count++] = key;
    return 1;
}

static void leave_places(const ts_places *p, ts_side *side) {
    int is = 0;
    for (int64_t i = 0; p->count && i < side->n; i++) {
        if (i == 0 || side->key[i] != side->key[i - 1]) is = is_left(p, key_at(side, i, p->loops));
        if (is && !side->left[i]) side->left[i] = 1;
    }
}

static void share(ts_side *side, int64_t row) {
    side->numbers += side->count[row];
    if (side->line[row] > side->shared_line || (side->line[row] == side->shared_line && side->pos[row] > side->shared_pos))
        side->shared_line = side->line[row], side->shared_pos = side->pos[row];
}

/* What a row's tolerance is in units of must be there when the row is looked at. */
static void leave_target(const ts_index *x, ts_side *c, int64_t i, const ts_limits *l) {
    for (int32_t row = target_row(x, i, l); row >= 0 && !c->left[row]; row = target_row(x, row, l)) c->left[row] = 1;
}

/* Returns 0 where memory is short, or too much is odd: then nothing is settled. */
int ts_settle(uint32_t loops, const uint8_t *outer, ts_side *c, ts_side *py, const ts_limits *limits) {
    ts_places places = {outer, loops, 0, {NULL}};
    size_t width = loops * sizeof(int32_t), size = 64;
    while (size < 2 * (size_t)c->n) size *= 2;
    int32_t *table = malloc(size * sizeof *table), *head = malloc((size_t)c->n * sizeof *head);
    int32_t *mate = malloc((size_t)c->n * sizeof *mate), *of = malloc((size_t)(py->n + 1) * sizeof *of);
    uint8_t *odd = calloc((size_t)c->n, 1);
    ts_index x = {c, loops, size, table, odd};
    int done = table != NULL && head != NULL && mate != NULL && of != NULL && odd != NULL;
    if (!done) goto out;
    memset(table, 0xFF, size * sizeof *table);
    uint64_t h = 0;
    for (int64_t i = 0; i < c->n; i++) {
        const int32_t *key = key_at(c, i, loops);
        if (i == 0 || c->key[i] != c->key[i - 1]) h = key_hash(key, loops);
        size_t at;
        if (find_row(&x, key, h, c->variable[i], &at) < 0) table[at] = (int32_t)i;
        else odd[table[at]] = 1;
        head[i] = table[at];
        mate[i] = -1;
    }
    int64_t guess = 0;
    int32_t same_as = -1; /* C's key that is the one of PY's row before */
    for (int64_t j = 0; j < py->n; j++) {
        const int32_t *key = key_at(py, j, loops);
        int same = j > 0 && guess < c->n && py->key[j] == py->key[j - 1] && c->key[guess] == same_as;
        if (guess < c->n && c->variable[guess] == py->variable[j] &&
            (same || memcmp(key_at(c, guess, loops), key, width) == 0)) {
            of[j] = head[guess];
        } else {
            size_t at;
            of[j] = find_row(&x, key, key_hash(key, loops), py->variable[j], &at);
        }
        same_as = of[j] < 0 ? -1 : c->key[of[j]];
        if (of[j] < 0) continue;
        guess = of[j] + 1;
        if (mate[of[j]] >= 0) odd[of[j]] = 1;
        mate[of[j]] = (int32_t)j;
    }
    /* Of what is on one side only, the first is reported with what else its place has. */
    int64_t lone_c = -1, lone_py = -1;
    for (int64_t i = 0; done && i < c->n; i++) {
        int32_t j = mate[head[i]];
        if (j >= 0 && !odd[head[i]] && c->first[i] == 0 && py->first[j] == 0 && c->count[i] == py->count[j]) continue;
        c->left[i] = 2;
        if (j >= 0) done = leave_place(&places, key_at(c, i, loops));
        else if (lone_c < 0 || c->line[i] < c->line[lone_c]) lone_c = i;
    }
    for (int64_t j = 0; j < py->n; j++)
        if (of[j] < 0 && (lone_py < 0 || py->line[j] < py->line[lone_py])) lone_py = j;
    if (done && lone_c >= 0) done = leave_place(&places, key_at(c, lone_c, loops));
    if (done && lone_py >= 0) done = leave_place(&places, key_at(py, lone_py, loops));
    if (!done) goto out;
    leave_places(&places, c);
    leave_places(&places, py);
    for (int64_t i = 0; i < c->n; i++) {
        int32_t j = mate[head[i]];
        if (c->left[i] != 2 && (c->left[i] || py->left[j] || !row_settled(&x, py, i, j, limits))) c->left[i] = 1;
    }
    for (int64_t i = 0; i < c->n; i++)
        if (c->left[i]) leave_target(&x, c, i, limits);
    for (int64_t i = 0; i < c->n; i++) {
        if (c->left[i]) continue;
        int32_t j = mate[head[i]];
        limits->compared[c->variable[i]] += c->count[i];
        share(c, i);
        share(py, j);
    }
    for (int64_t j = 0; j < py->n; j++) py->left[j] = of[j] < 0 ? 2 : c->left[of[j]];
out:
    free(table);
    free(head);
    free(mate);
    free(of);
    free(odd);
    return done;
}
