/* How the original fills in what was not given of (count, range, step). Where two of the three are given the count
 * follows by division; where only a step is given there are two places; where nothing is given there is one. */
#include "sampling.h"

#include <limits.h>

#include "units.h"

/* A count from a division, kept in int. */
static int count_from(double ratio)
{
    double count = ceil(ratio);
    if (!(count >= 1.0)) /* also 0/0 */
        return 0;
    return count > INT_MAX ? INT_MAX : (int)count;
}

/* A step of 0 is as one that was not given. */
static Sampled without_zero_step(Sampled s)
{
    if (s.step <= 0.0)
        s.step = -1.0;
    return s;
}

Sampled sample_phi(Sampled s)
{
    bool zero_step = s.step == 0.0;
    s = without_zero_step(s);
    if (s.count < 0) {
        if (s.range < 0.0) {
            if (s.step < 0.0)
                return (Sampled){1, 0.0, 0.0};
            return (Sampled){2, s.step, s.step};
        }
        if (s.step < 0.0)
            return (Sampled){2, s.range, s.range / 2.0};
        s.count = count_from(s.range / s.step); /* quirk no-steps: none for a range of zero */
        return s;
    }
    if (s.count == 0)
        s.count = 1;
    if (s.range < 0.0) {
        if (s.step >= 0.0)
            return (Sampled){2, s.step, s.step};
        s.range = 1.0 / RTD; /* one degree */
        s.step = s.range / s.count;
    } else if (s.step < 0.0) {
        s.step = zero_step ? 0.0 : s.range / s.count; /* with count and range, a step of 0 counts as given */
    }
    return s;
}

static Sampled none_if_empty(Sampled s)
{
    return s.range <= 0.0 || s.step <= 0.0 || s.count <= 0 ? (Sampled){1, 0.0, 0.0} : s;
}

Sampled sample_beam(Sampled s)
{
    s = without_zero_step(s);
    if (s.count <= 0) {
        if (s.range < 0.0) {
            if (s.step < 0.0)
                s = (Sampled){1, 0.0, 0.0};
            else
                s = (Sampled){2, s.step, s.step};
        } else if (s.step < 0.0) {
            s.step = s.range;
            s.count = 2;
        } else {
            s.count = count_from(s.range / s.step);
        }
    } else if (s.range < 0.0) {
        if (s.step < 0.0) {
            s.range = 1.0;
            s.step = s.range / s.count;
        } else {
            s = (Sampled){2, s.step, s.step};
        }
    } else if (s.step < 0.0) {
        s.count = s.count > 1 ? s.count : 2;
        s.step = s.range / (s.count - 1);
    }
    return none_if_empty(s);
}

Sampled sample_thickness(Sampled s)
{
    if (s.count <= 0) {
        if (s.step < 0.0) {
            s.step = s.range / 2.0;
            s.count = 2;
        } else {
            s.count = count_from(s.range / s.step);
        }
    } else if (s.step < 0.0) {
        s.count = s.count > 1 ? s.count : 2;
        s.step = s.range / (s.count - 1);
    }
    return none_if_empty(s);
}

int sample_domains(int given, double *spread_rad)
{
    if (given <= 0) {
        if (*spread_rad < 0.0)
            *spread_rad = 0.0;
        return *spread_rad > 0.0 ? 10 : 1;
    }
    if (*spread_rad <= 0.0) {
        *spread_rad = 0.0;
        return 1;
    }
    return given;
}

bool check_count(const char *name, double count, Error *err)
{
    const double most = 16777216.0;
    return count <= most || fail(err, "flag %s: expected at most %g samples, got %g", name, most, count);
}
