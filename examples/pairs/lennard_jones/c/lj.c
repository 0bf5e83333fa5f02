/* Lennard-Jones molecular dynamics in a periodic box, velocity Verlet, in units of epsilon, sigma and the mass.
 *
 *     lj [-n ATOMS] [-steps N] [-dt DT] [-box L] [-r_cut R] [-rebuild N] [-fix] [-trace FILE]
 *
 * Every value is printed as one trace line. Known quirk `stale-potential`: at a step that rebuilds the list of
 * neighbours the potential energy is not summed, and that of the step before is reported; -fix sums it at every step. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ATOMS 512

static double r[MAX_ATOMS][3], v[MAX_ATOMS][3], v_half[MAX_ATOMS][3], force[MAX_ATOMS][3];
static double e_pot; /* outlives the step: this is what the quirk reports */
static FILE *out;

static void scalar(const char *place, const char *name, double x) {
    fprintf(out, "TRACE_C%s: %s %.17g\n", place, name, x);
}

static void whole(const char *place, const char *name, int x) {
    fprintf(out, "TRACE_C%s: %s %d\n", place, name, x);
}

static void vector(const char *place, const char *name, const double x[3]) {
    fprintf(out, "TRACE_C%s: %s %.17g %.17g %.17g\n", place, name, x[0], x[1], x[2]);
}

static const char *of_step(int step) {
    static char text[64];
    snprintf(text, sizeof text, "[step=%d]", step);
    return text;
}

static const char *of_atom(int step, int i) {
    static char text[64];
    snprintf(text, sizeof text, "[step=%d i=%d]", step, i);
    return text;
}

static const char *of_pair(int step, int i, int j) {
    static char text[64];
    snprintf(text, sizeof text, "[step=%d i=%d j=%d]", step, i, j);
    return text;
}

/* Atoms on a cubic lattice, pushed off it by a fixed rule, with small velocities of no total momentum. */
static void set_up(int n, double box) {
    int side = 1;
    while (side * side * side < n) side++;
    for (int i = 0; i < n; i++) {
        int at[3] = {i % side, i / side % side, i / (side * side)};
        for (int k = 0; k < 3; k++) {
            r[i][k] = (at[k] + 0.5) * box / side + 0.013 * ((7 * i + 3 * k) % 11 - 5) + 0.001 * i;
            v[i][k] = 0.1 * ((3 * i + 5 * k) % 7 - 3);
        }
    }
}

/* The sum over the neighbours of every atom; the energy is that of half of each pair, seen from both ends. */
static double forces(int step, int n, double box, double r_cut) {
    double sum = 0.0;
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < 3; k++) force[i][k] = 0.0;
        for (int j = 0; j < n; j++) {
            if (j == i) continue;
            double dr[3], r2 = 0.0;
            for (int k = 0; k < 3; k++) {
                dr[k] = r[i][k] - r[j][k];
                dr[k] -= box * nearbyint(dr[k] / box);
                r2 += dr[k] * dr[k];
            }
            double inv_r2 = 1.0 / r2, inv_r6 = inv_r2 * inv_r2 * inv_r2;
            double f_over_r = r2 < r_cut * r_cut ? 24.0 * (2.0 * inv_r6 * inv_r6 - inv_r6) * inv_r2 : 0.0;
            double u = r2 < r_cut * r_cut ? 4.0 * (inv_r6 * inv_r6 - inv_r6) : 0.0;
            for (int k = 0; k < 3; k++) force[i][k] += f_over_r * dr[k];
            sum += 0.5 * u;
            const char *place = of_pair(step, i, j);
            vector(place, "dr", dr);
            scalar(place, "r2", r2);
            scalar(place, "inv_r6", inv_r6);
            scalar(place, "f_over_r", f_over_r);
            scalar(place, "u", u);
        }
        vector(of_atom(step, i), "force", force[i]);
    }
    return sum;
}

static double kinetic(int n) {
    double sum = 0.0;
    for (int i = 0; i < n; i++) sum += 0.5 * (v[i][0] * v[i][0] + v[i][1] * v[i][1] + v[i][2] * v[i][2]);
    return sum;
}

int main(int argc, char **argv) {
    int n = 10, steps = 4, every = 3, fixed = 0;
    double dt = 0.005, box = 3.6, r_cut = 1.7;
    out = stdout;
    for (int a = 1; a < argc; a++) {
        const char *value = a + 1 < argc ? argv[a + 1] : "";
        if (!strcmp(argv[a], "-fix")) { fixed = 1; continue; }
        if (!strcmp(argv[a], "-n")) n = atoi(value);
        else if (!strcmp(argv[a], "-steps")) steps = atoi(value);
        else if (!strcmp(argv[a], "-rebuild")) every = atoi(value);
        else if (!strcmp(argv[a], "-dt")) dt = atof(value);
        else if (!strcmp(argv[a], "-box")) box = atof(value);
        else if (!strcmp(argv[a], "-r_cut")) r_cut = atof(value);
        else if (!strcmp(argv[a], "-trace")) out = fopen(value, "w");
        else { fprintf(stderr, "lj: unknown option %s\n", argv[a]); return 2; }
        a++;
    }
    if (out == NULL || n < 2 || n > MAX_ATOMS || every < 1) {
        fprintf(stderr, "lj: 2 to %d atoms, and a trace file that can be written\n", MAX_ATOMS);
        return 2;
    }
    whole("", "n", n);
    scalar("", "dt", dt);
    scalar("", "box", box);
    scalar("", "r_cut", r_cut);
    set_up(n, box);
    for (int step = 0; step <= steps; step++) {
        int rebuild = step > 0 && step % every == 0;
        whole(of_step(step), "rebuild", rebuild);
        for (int i = 0; i < n; i++) {
            for (int k = 0; k < 3 && step; k++) {
                v_half[i][k] = v[i][k] + 0.5 * dt * force[i][k];
                r[i][k] += dt * v_half[i][k];
            }
            if (step) vector(of_atom(step, i), "v_half", v_half[i]);
            vector(of_atom(step, i), "r", r[i]);
        }
        double sum = forces(step, n, box, r_cut);
        if (!rebuild || fixed) e_pot = sum;
        for (int i = 0; i < n; i++) {
            for (int k = 0; k < 3 && step; k++) v[i][k] = v_half[i][k] + 0.5 * dt * force[i][k];
            vector(of_atom(step, i), "v", v[i]);
        }
        double e_kin = kinetic(n);
        scalar(of_step(step), "e_pot", e_pot);
        scalar(of_step(step), "e_kin", e_kin);
        scalar(of_step(step), "e_total", e_pot + e_kin);
    }
    if (out != stdout && fclose(out)) return 1;
    return 0;
}
