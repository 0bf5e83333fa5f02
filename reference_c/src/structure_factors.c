/* The grid of structure factors: text file, dump file, nearest value, 4x4x4 Lagrange interpolation. */
#include "structure_factors.h"

#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "units.h"

typedef struct {
    int h, k, l;
    double F;
} Reflection;

static size_t grid_index(const Reflections *r, int h, int k, int l)
{
    size_t along_h = (size_t)(h - r->h_min), along_k = (size_t)(k - r->k_min), along_l = (size_t)(l - r->l_min);
    return (along_h * ((size_t)r->k_range + 1) + along_k) * ((size_t)r->l_range + 1) + along_l;
}

/* Allocates the grid for the ranges set, or refuses it by size. */
static bool make_grid(Reflections *r, const char *path, Error *err)
{
    double h = (double)r->h_max - r->h_min + 1.0, k = (double)r->k_max - r->k_min + 1.0,
           l = (double)r->l_max - r->l_min + 1.0;
    if (h < 1.0 || k < 1.0 || l < 1.0)
        return fail(err, "file '%s': expected ranges with min <= max, got %d..%d %d..%d %d..%d", path, r->h_min,
                    r->h_max, r->k_min, r->k_max, r->l_min, r->l_max);
    if ((h + 1.0) * (k + 1.0) * (l + 1.0) > MAX_ELEMENTS)
        return fail(err, "file '%s': the range %g x %g x %g of Miller indices is too large, expected at most %g points",
                    path, h, k, l, MAX_ELEMENTS);
    r->h_range = (int)h;
    r->k_range = (int)k;
    r->l_range = (int)l;
    r->Fhkl = calloc(((size_t)h + 1) * ((size_t)k + 1) * ((size_t)l + 1), sizeof *r->Fhkl);
    return r->Fhkl || fail(err, "file '%s': no memory for %g x %g x %g structure factors", path, h, k, l);
}

/* The next of up to four numbers of a reflection; false at the first other thing. */
static bool next_number(const char **text, double *value)
{
    char *end;
    *value = strtod(*text, &end);
    if (end == *text || !isfinite(*value))
        return false;
    *text = end;
    return true;
}

/* Counts the words up to the end of a line, and moves behind it; *numbers is false where one is not a number. */
static int words_of_line(const char **text, bool *numbers, double *first_fraction)
{
    int words = 0;
    const char *at = *text;
    while (*at && *at != '\n') {
        while (*at && *at != '\n' && isspace((unsigned char)*at))
            at++;
        if (!*at || *at == '\n')
            break;
        const char *word = at, *end = at;
        double value;
        if (!next_number(&end, &value) || (*end && !isspace((unsigned char)*end))) {
            *numbers = false;
        } else if (words < 3 && isnan(*first_fraction) && value != floor(value)) {
            *first_fraction = value;
        }
        for (at = word; *at && !isspace((unsigned char)*at);)
            at++;
        words++;
    }
    *text = *at ? at + 1 : at;
    return words;
}

/* Warns of lines that are not h k l F: they are read nevertheless, four numbers at a time, as the original does. */
static void warn_of_lines(const char *path, const char *text)
{
    size_t line = 0, odd = 0, odd_line = 0, fractional = 0, fractional_line = 0;
    int odd_words = 0;
    double index = 0.0;
    bool numbers = true;
    while (*text) {
        double fraction = NAN;
        line++;
        int words = words_of_line(&text, &numbers, &fraction);
        if (!numbers)
            break;
        if (words && words != 4 && !odd++) {
            odd_line = line;
            odd_words = words;
        }
        if (!isnan(fraction) && !fractional++) {
            fractional_line = line;
            index = fraction;
        }
    }
    if (odd)
        note("WARNING: file '%s', line %zu: %d columns (%zu such lines), expected h k l F: numbers are read four at a time, "
             "wherever lines end (quirk list-columns)",
             path, odd_line, odd_words, odd);
    else if (fractional)
        note("WARNING: file '%s', line %zu: Miller index %g (%zu such lines), expected whole numbers: truncated to %g", path,
             fractional_line, index, fractional, trunc(index) + 0.0);
}

bool parse_reflections(Reflections *r, const char *path, const char *text, double default_F, Error *err)
{
    size_t count = 0, room = 4096;
    Reflection *list = malloc(room * sizeof *list);
    *r = (Reflections){.default_F = default_F};
    r->h_min = r->k_min = r->l_min = INT_MAX;
    r->h_max = r->k_max = r->l_max = INT_MIN;
    bool ok = list != NULL;
    if (!list)
        fail(err, "file '%s': no memory", path);
    if (ok)
        warn_of_lines(path, text);
    while (ok) {
        double h, k, l, F;
        if (!next_number(&text, &h) || !next_number(&text, &k) || !next_number(&text, &l) || !next_number(&text, &F))
            break;
        if (fabs(h) > INT_MAX / 2 || fabs(k) > INT_MAX / 2 || fabs(l) > INT_MAX / 2) {
            ok = fail(err, "file '%s': expected Miller indices, got %g %g %g", path, h, k, l);
            break;
        }
        if (count == room) {
            Reflection *larger = realloc(list, 2 * room * sizeof *list);
            if (!larger) {
                ok = fail(err, "file '%s': no memory for its reflections", path);
                break;
            }
            list = larger;
            room *= 2;
        }
        Reflection *now = &list[count++];
        *now = (Reflection){(int)h, (int)k, (int)l, F}; /* truncated, as the original does */
        r->h_min = now->h < r->h_min ? now->h : r->h_min;
        r->h_max = now->h > r->h_max ? now->h : r->h_max;
        r->k_min = now->k < r->k_min ? now->k : r->k_min;
        r->k_max = now->k > r->k_max ? now->k : r->k_max;
        r->l_min = now->l < r->l_min ? now->l : r->l_min;
        r->l_max = now->l > r->l_max ? now->l : r->l_max;
    }
    while (ok && isspace((unsigned char)*text))
        text++;
    if (ok && !count)
        ok = fail(err, "flag -hkl: file '%s': expected lines of h k l F, got '%s'", path, excerpt(text).text);
    if (ok && *text)
        note("WARNING: file '%s': reading stopped after %zu reflections at '%s', which is not h k l F", path, count,
             excerpt(text).text);
    r->listed = (long)count;
    ok = ok && make_grid(r, path, err);
    if (ok) {
        for (int h = r->h_min; h <= r->h_max; h++)
            for (int k = r->k_min; k <= r->k_max; k++)
                for (int l = r->l_min; l <= r->l_max; l++)
                    r->Fhkl[grid_index(r, h, k, l)] = default_F;
        for (size_t i = 0; i < count; i++)
            r->Fhkl[grid_index(r, list[i].h, list[i].k, list[i].l)] = list[i].F;
    }
    free(list);
    return ok;
}

bool parse_dump(Reflections *r, const char *path, const char *bytes, size_t size, Error *err)
{
    double ranges[6];
    const char *at = bytes;
    for (int i = 0; i < 6; i++)
        if (!next_number(&at, &ranges[i]) || fabs(ranges[i]) > INT_MAX / 2 || ranges[i] != floor(ranges[i]))
            return fail(err, "dump file '%s': expected h_min h_max k_min k_max l_min l_max", path);
    r->h_min = (int)ranges[0];
    r->h_max = (int)ranges[1];
    r->k_min = (int)ranges[2];
    r->k_max = (int)ranges[3];
    r->l_min = (int)ranges[4];
    r->l_max = (int)ranges[5];
    size_t left = size - (size_t)(at - bytes);
    if (left < 2 || at[0] != '\n' || at[1] != '\f')
        return fail(err, "dump file '%s': expected a newline and a form feed after the ranges", path);
    at += 2;
    left -= 2;
    if (!make_grid(r, path, err))
        return false;
    size_t wanted = ((size_t)r->h_range + 1) * ((size_t)r->k_range + 1) * ((size_t)r->l_range + 1) * sizeof *r->Fhkl;
    if (left < wanted)
        return fail(err, "dump file '%s': too short, expected %zu bytes of structure factors, got %zu", path, wanted,
                    left);
    memcpy(r->Fhkl, at, wanted);
    r->listed = (long)r->h_range * r->k_range * r->l_range;
    return true;
}

void write_dump(const Reflections *r, FILE *stream)
{
    fprintf(stream, "%d %d %d %d %d %d\n\f", r->h_min, r->h_max, r->k_min, r->k_max, r->l_min, r->l_max);
    size_t count = ((size_t)r->h_range + 1) * ((size_t)r->k_range + 1) * ((size_t)r->l_range + 1);
    fwrite(r->Fhkl, sizeof *r->Fhkl, count, stream);
}

void free_reflections(Reflections *r)
{
    free(r->Fhkl);
    r->Fhkl = NULL;
}

double nearest_F(const Reflections *r, double h0, double k0, double l0)
{
    if (r->Fhkl && h0 >= r->h_min && h0 <= r->h_max && k0 >= r->k_min && k0 <= r->k_max && l0 >= r->l_min &&
        l0 <= r->l_max)
        return r->Fhkl[grid_index(r, (int)h0, (int)k0, (int)l0)];
    return r->default_F;
}

static bool axis_possible(double x, int min, int range)
{
    return x - min + 3.0 <= range && x - 2.0 >= min;
}

bool interpolation_possible(const Reflections *r, double h, double k, double l)
{
    return r->Fhkl && axis_possible(h, r->h_min, r->h_range) && axis_possible(k, r->k_min, r->k_range) &&
           axis_possible(l, r->l_min, r->l_range);
}

/* The cubic through y at the four whole numbers from x0 on, at x. */
static double lagrange4(double x0, const double y[4], double x)
{
    const double xa[4] = {x0, x0 + 1.0, x0 + 2.0, x0 + 3.0};
    double t0 = (x - xa[1]) * (x - xa[2]) * (x - xa[3]) * y[0] / ((xa[0] - xa[1]) * (xa[0] - xa[2]) * (xa[0] - xa[3]));
    double t1 = (x - xa[0]) * (x - xa[2]) * (x - xa[3]) * y[1] / ((xa[1] - xa[0]) * (xa[1] - xa[2]) * (xa[1] - xa[3]));
    double t2 = (x - xa[0]) * (x - xa[1]) * (x - xa[3]) * y[2] / ((xa[2] - xa[0]) * (xa[2] - xa[1]) * (xa[2] - xa[3]));
    double t3 = (x - xa[0]) * (x - xa[1]) * (x - xa[2]) * y[3] / ((xa[3] - xa[0]) * (xa[3] - xa[1]) * (xa[3] - xa[2]));
    return t0 + t1 + t2 + t3;
}

double interpolated_F(const Reflections *r, double h, double k, double l)
{
    double h_first = floor(h) - 1.0, k_first = floor(k) - 1.0, l_first = floor(l) - 1.0;
    double along_h[4];
    for (int i = 0; i < 4; i++) {
        double along_k[4];
        for (int j = 0; j < 4; j++)
            along_k[j] =
                lagrange4(l_first, &r->Fhkl[grid_index(r, (int)h_first + i, (int)k_first + j, (int)l_first)], l);
        along_h[i] = lagrange4(k_first, along_k, k);
    }
    return lagrange4(h_first, along_h, h);
}
