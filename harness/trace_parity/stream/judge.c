/* Judging the rows of one entry, as harness/trace_parity/compare/judge.py does: |c - py| <= rtol * max(|c|, |py|) + floor * scale. */
#include "join.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The numbers from component 0 on without a gap. */
static const double *vector(ts_join *j, const entry *e, int side, uint32_t *size) {
    const run *only = e->runs[side];
    *size = 0;
    if (only == NULL) return NULL;
    if (only->next == NULL) {
        if (only->first == 0) *size = only->count;
        return only->values;
    }
    for (uint32_t n = 0;; n++) {
        const run *r = ts_number_at(e, side, n);
        if (r == NULL) return j->scratch[side];
        j->scratch[side] = ts_grow(j->scratch[side], &j->cap_scratch[side], n + 1, sizeof(double), j->no_memory);
        j->scratch[side][n] = r->values[n - r->first];
        *size = n + 1;
    }
}

/* The longer of both sides' vectors; NAN when neither has a finite one. */
static double norm(const double *const vectors[2], const uint32_t sizes[2]) {
    double longest = NAN;
    for (int side = 0; side < 2; side++) {
        double largest = 0.0, sum = 0.0;
        int finite = sizes[side] > 0;
        for (uint32_t i = 0; i < sizes[side]; i++) {
            finite &= isfinite(vectors[side][i]) != 0;
            largest = fmax(largest, fabs(vectors[side][i]));
        }
        if (!finite) continue;
        if (largest > 1e150 || largest < 1e-150) {
            for (uint32_t i = 0; i < sizes[side] && largest > 0; i++)
                sum += (vectors[side][i] / largest) * (vectors[side][i] / largest);
            sum = largest * sqrt(sum);
        } else {
            for (uint32_t i = 0; i < sizes[side]; i++) sum += vectors[side][i] * vectors[side][i];
            sum = sqrt(sum);
        }
        longest = fmax(longest, sum);
    }
    return longest;
}

/* The scale that another variable of the C log gives, where its scope lies around the row; NAN when it has none. */
static double named(ts_join *j, const entry *e, const ts_variable *v) {
    for (uint32_t t = 0; t < v->targets; t++) {
        ts_key outer = e->key;
        for (uint32_t i = 0; i < TS_LOOPS; i++)
            if (!(j->x->variables[v->target[t]].mask >> i & 1)) outer.at[i] = -1;
        const entry *source = ts_find(j, &outer, v->target[t], ts_hash(&outer, v->target[t]));
        uint32_t size = 0;
        const double *values = source == NULL ? NULL : vector(j, source, 0, &size);
        if (size == 0) continue;
        if (v->how == TS_COMPONENT) return v->component < size ? fabs(values[v->component]) : NAN;
        if (v->how == TS_INVERSE) return fabs(values[0]) > 0 ? fabs(1.0 / values[0]) : values[0] == 0 ? INFINITY : NAN;
        double product = 1.0;
        for (uint32_t i = 0; i < size; i++) product *= values[i];
        return fabs(product);
    }
    return NAN;
}

/* Where a row's loop nest comes among its siblings; one in none comes before them, or after them when it closes. */
static int64_t nest_of(const ts_variable *v, int depth, int around) {
    if (v->nest) return v->nest;
    return depth <= around && depth && v->closing ? INT64_MAX : -1;
}

/* <0, 0, >0: which row is evaluated first. */
static int in_order(const ts_context *x, const ts_kept *a, const ts_kept *b) {
    const ts_variable *va = &x->variables[a->variable], *vb = &x->variables[b->variable];
    int depth[2] = {0, 0};
    for (int i = 0; i < TS_LOOPS; i++) {
        if (a->key.at[i] >= 0) depth[0] = i + 1;
        if (b->key.at[i] >= 0) depth[1] = i + 1;
    }
    for (int i = 0; i < TS_LOOPS; i++) {
        if ((uint32_t)i == x->nests_inside) {
            int64_t left = nest_of(va, depth[0], i), right = nest_of(vb, depth[1], i);
            if (left != right) return left < right ? -1 : 1;
        }
        int64_t left = i < depth[0] ? a->key.at[i] : va->closing && depth[0] ? INT64_MAX : -1;
        int64_t right = i < depth[1] ? b->key.at[i] : vb->closing && depth[1] ? INT64_MAX : -1;
        if (left != right) return left < right ? -1 : 1;
    }
    if (va->place != vb->place) return va->place < vb->place ? -1 : 1;
    int names = a->variable == b->variable ? 0 : strcmp(va->name, vb->name);
    if (names != 0) return names;
    return (a->component > b->component) - (a->component < b->component);
}

static void keep(ts_join *j, ts_kept *place, const ts_kept *row, const double *const vectors[2]) {
    size_t all = (size_t)row->sizes[0] + row->sizes[1];
    double *copy = malloc((all + 1) * sizeof *copy);
    if (copy == NULL) longjmp(j->no_memory, 1);
    if (row->sizes[0]) memcpy(copy, vectors[0], row->sizes[0] * sizeof *copy);
    if (row->sizes[1]) memcpy(copy + row->sizes[0], vectors[1], row->sizes[1] * sizeof *copy);
    free(place->vectors);
    *place = *row;
    place->vectors = copy;
    place->set = 1;
}

/* Keep the first TS_KEPT rows that differ. */
static void keep_divergent(ts_join *j, const ts_kept *row, const double *const vectors[2]) {
    ts_kept *heap = j->kept;
    if (j->n_kept < TS_KEPT) {
        uint32_t i = j->n_kept;
        keep(j, &heap[i], row, vectors);
        j->n_kept++;
        for (; i && in_order(j->x, &heap[i], &heap[(i - 1) / 2]) > 0; i = (i - 1) / 2) {
            ts_kept other = heap[i];
            heap[i] = heap[(i - 1) / 2];
            heap[(i - 1) / 2] = other;
        }
        return;
    }
    if (in_order(j->x, row, &heap[0]) >= 0) return;
    keep(j, &heap[0], row, vectors);
    for (uint32_t i = 0;;) {
        uint32_t last = i;
        for (uint32_t child = 2 * i + 1; child <= 2 * i + 2 && child < TS_KEPT; child++)
            if (in_order(j->x, &heap[child], &heap[last]) > 0) last = child;
        if (last == i) return;
        ts_kept other = heap[i];
        heap[i] = heap[last];
        heap[last] = other;
        i = last;
    }
}

/* Whether `row` is a worse number than `than`; of two alike the first in order of evaluation counts. */
static int worse(const ts_context *x, const ts_kept *row, const ts_kept *than) {
    if (!than->set) return 1;
    if (row->differs != than->differs) return row->differs > than->differs;
    if (row->needed > than->needed || row->needed < than->needed) return row->needed > than->needed;
    if (row->rel > than->rel || row->rel < than->rel) return row->rel > than->rel;
    return in_order(x, row, than) < 0;
}

typedef struct {
    const double *vectors[2];
    uint32_t sizes[2];
    double norm, named;
    int has_norm, has_named;
} scales;

static double scale_of(const ts_variable *v, scales *s, double larger) {
    if (v->scale == TS_SCALE_UNIT) return 1.0;
    if (v->scale == TS_SCALE_NORM) {
        if (!s->has_norm) s->norm = norm(s->vectors, s->sizes), s->has_norm = 1;
        return isnan(s->norm) ? larger : s->norm;
    }
    return isfinite(s->named) ? s->named : larger;
}

/* How many doubles lie between two that are neither equal nor NaN. */
static double ulps_between(double a, double b) {
    if (isinf(a) || isinf(b)) return INFINITY;
    uint64_t bits[2];
    memcpy(&bits[0], &a, sizeof a);
    memcpy(&bits[1], &b, sizeof b);
    uint64_t sizes[2] = {bits[0] & INT64_MAX, bits[1] & INT64_MAX};
    if ((bits[0] ^ bits[1]) >> 63) return (double)(sizes[0] + sizes[1]);
    return (double)(sizes[0] > sizes[1] ? sizes[0] - sizes[1] : sizes[1] - sizes[0]);
}

static void judge_number(ts_join *j, const entry *e, uint32_t component, const run *rc, const run *rp, scales *s) {
    const ts_variable *v = &j->x->variables[e->variable];
    ts_tally *tally = &j->tallies[e->variable];
    const run *runs[2] = {rc, rp};
    ts_kept row = {.key = e->key, .variable = e->variable, .component = component, .named = s->named};
    for (int side = 0; side < 2; side++) {
        row.pos[side] = runs[side]->pos + component - runs[side]->first;
        row.line[side] = runs[side]->line;
        row.offset[side] = runs[side]->offset;
        row.value[side] = runs[side]->values[component - runs[side]->first];
        row.sizes[side] = s->sizes[side];
    }
    double c = row.value[0], py = row.value[1];
    int agrees = c >= py && c <= py;
    if (isnan(c) || isnan(py)) {
        row.needed = row.rel = INFINITY;
    } else if (!agrees) {
        double larger = fmax(fabs(c), fabs(py)), absolute = fabs(c - py);
        int finite = isfinite(absolute) != 0, has_floor = v->floor > 0 && v->scale != TS_SCALE_NONE;
        double part = has_floor ? v->floor * scale_of(v, s, larger) : 0.0;
        double allowed = (v->rtol > 0 && isfinite(larger) ? v->rtol * larger : 0.0) + part;
        agrees = (finite && absolute <= allowed) || (v->ulps > 0 && ulps_between(c, py) <= v->ulps);
        row.rel = finite ? absolute / larger : INFINITY;
        if (!finite || v->exact)
            row.needed = INFINITY;
        else if (v->rtol > 0)
            row.needed = fmax(0.0, absolute - part) / larger;
        else
            row.needed = part > 0 ? absolute / (part / v->own_floor) : INFINITY;
    }
    row.differs = !agrees;
    tally->compared++;
    if (!agrees) {
        tally->divergent++;
        keep_divergent(j, &row, s->vectors);
    }
    if (worse(j->x, &row, &tally->worst)) keep(j, &tally->worst, &row, s->vectors);
    if (!j->hardest.set || row.needed > j->hardest.needed) keep(j, &j->hardest, &row, s->vectors);
}

/* Book one row of a side: the last of its log, the first that the other side lacks, and so on. */
static void book(ts_join *j, const entry *e, int side, const run *r, uint32_t component, const run *other,
                 int mismatch) {
    ts_side *sum = &j->sides[side];
    ts_seq seq = {r->line, r->offset, r->pos + component - r->first, 1};
    if (!sum->last.set || ts_seq_before(&sum->last, &seq)) {
        sum->last = seq;
        sum->last_mismatch = (uint32_t)mismatch;
        sum->last_other.set = other != NULL;
        if (other) sum->last_other = (ts_seq){other->line, other->offset, other->pos + component - other->first, 1};
    }
    if (other != NULL || mismatch) {
        if (!sum->last_shared.set || ts_seq_before(&sum->last_shared, &seq)) sum->last_shared = seq;
        return;
    }
    ts_tally *tally = &j->tallies[e->variable];
    sum->only++;
    tally->only[side]++;
    if (!tally->first_only[side].set || ts_seq_before(&seq, &tally->first_only[side])) {
        tally->first_only[side] = seq;
        tally->first_key[side] = e->key;
    }
    if (!sum->first_only.set || ts_seq_before(&seq, &sum->first_only)) {
        sum->first_only = seq;
        sum->first_key = e->key;
        sum->first_variable = e->variable;
    }
}

static void add_mismatch(ts_join *j, const entry *e, const uint32_t sizes[2], const ts_seq first_lonely[2]) {
    j->n_mismatches++;
    if (j->kept_mismatches == TS_MISMATCHES) return;
    j->mismatches =
        ts_grow(j->mismatches, &j->cap_mismatches, j->kept_mismatches + 1, sizeof *j->mismatches, j->no_memory);
    uint32_t side = !first_lonely[0].set;
    j->mismatches[j->kept_mismatches++] =
        (ts_mismatch){e->key, e->variable, {sizes[0], sizes[1]}, side, first_lonely[side]};
}

static void book_wrong_size(ts_join *j, const entry *e, uint32_t size, const run *first) {
    ts_tally *tally = &j->tallies[e->variable];
    ts_seq seq = {first->line, first->offset, first->pos, 1};
    if (!tally->wrong_places++ || ts_seq_before(&seq, &tally->first_wrong)) {
        tally->first_wrong = seq;
        tally->wrong_key = e->key;
        tally->wrong_size = size;
    }
}

void ts_judge_entry(ts_join *j, const entry *e) {
    const ts_variable *v = &j->x->variables[e->variable];
    scales s = {.named = NAN};
    if (v->scale == TS_SCALE_LARGEST) s.named = v->largest;
    if (v->scale == TS_SCALE_NAMED && v->floor > 0 && e->runs[0] && e->runs[1]) s.named = named(j, e, v);
    for (int side = 0; side < 2; side++) s.vectors[side] = vector(j, e, side, &s.sizes[side]);
    ts_seq first_lonely[2] = {{0}, {0}};
    for (int side = 0; side < 2; side++)
        for (const run *r = e->runs[side]; r != NULL; r = r->next)
            for (uint32_t i = 0; i < r->count; i++) {
                if (ts_number_at(e, !side, r->first + i) != NULL) continue;
                ts_seq seq = {r->line, r->offset, r->pos + i, 1};
                if (!first_lonely[side].set || ts_seq_before(&seq, &first_lonely[side])) first_lonely[side] = seq;
            }
    int lonely = first_lonely[0].set || first_lonely[1].set;
    const run *firsts[2] = {ts_number_at(e, 0, 0), ts_number_at(e, 1, 0)};
    int mismatch = lonely && firsts[0] && firsts[1];
    if (v->size && firsts[0] && s.sizes[0] == s.sizes[1] && s.sizes[0] != v->size)
        book_wrong_size(j, e, s.sizes[0], firsts[0]);
    if (mismatch) add_mismatch(j, e, s.sizes, first_lonely);
    for (int side = 0; side < 2; side++) {
        if (first_lonely[side].set && !mismatch) j->tallies[e->variable].places[side]++;
        for (const run *r = e->runs[side]; r != NULL; r = r->next)
            for (uint32_t i = 0; i < r->count; i++) {
                const run *other = ts_number_at(e, !side, r->first + i);
                book(j, e, side, r, r->first + i, other, mismatch);
                if (side == 0 && other != NULL) judge_number(j, e, r->first + i, r, other, &s);
            }
    }
}
