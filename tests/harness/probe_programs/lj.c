/* A Lennard-Jones cluster by velocity Verlet, in the shape of the programs that people port: plain loops, globals,
 * a function that gets the step as a parameter, vectors written one component at a time.
 *
 * usage: lj STEPS; prints one line of energies per step and writes lj.xyz. Compiled with -DBY_HAND it prints the trace
 * lines that somebody would have written by hand on standard error. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef N
#define N 6
#endif
#define SQ(x) ((x) * (x))

static double pos[N][3], vel[N][3], force[N][3];
static const double r_cut = 2.5;
static double energy;

#ifdef BY_HAND
#define HAND(...) fprintf(stderr, __VA_ARGS__)
#else
#define HAND(...) (void)0
#endif

static void forces(int step)
{
    int i, j, k;
    double r2, inv_r6, f_over_r;
    (void)step; /* the trace lines written by hand name it */
    energy = 0.0;
    for (i = 0; i < N; i++)
        for (k = 0; k < 3; k++) force[i][k] = 0.0;
    for (i = 0; i < N; i++) {
        double e_i = 0.0;
        for (j = 0; j < N; j++) {
            double dr[3];
            if (i == j) continue;
            for (k = 0; k < 3; k++)
                dr[k] = pos[i][k] - pos[j][k];
            r2 = SQ(dr[0]) + SQ(dr[1]) + SQ(dr[2]);
            inv_r6 = 1.0 / (r2 * r2 * r2);
            f_over_r = 0.0;
            if (r2 < r_cut * r_cut) f_over_r = 24.0 * (2.0 * inv_r6 * inv_r6 - inv_r6) / r2;
            for (k = 0; k < 3; k++) force[i][k] += f_over_r * dr[k];
            if (r2 < r_cut * r_cut) e_i += 2.0 * (inv_r6 * inv_r6 - inv_r6);
            HAND("TRACE_C[step=%d i=%d j=%d]: dr %.17g %.17g %.17g\n", step, i, j, dr[0], dr[1], dr[2]);
            HAND("TRACE_C[step=%d i=%d j=%d]: r2 %.17g\n", step, i, j, r2);
            HAND("TRACE_C[step=%d i=%d j=%d]: f_over_r %.17g\n", step, i, j, f_over_r);
        }
        energy += e_i;
        HAND("TRACE_C[step=%d i=%d]: force %.17g %.17g %.17g\n", step, i, force[i][0], force[i][1], force[i][2]);
        HAND("TRACE_C[step=%d i=%d]: e_i %.17g\n", step, i, e_i);
    }
    HAND("TRACE_C[step=%d]: energy %.17g\n", step, energy);
}

int main(int argc, char **argv)
{
    int steps = argc > 1 ? atoi(argv[1]) : 3, step, i, k;
    double dt = 0.002;
    FILE *out = fopen("lj.xyz", "w");
    if (!out) return 1;
    for (i = 0; i < N; i++) {
        pos[i][0] = 1.1 * (i % 2) + 0.01 * i;
        pos[i][1] = 1.15 * (i / 2);
        pos[i][2] = 0.05 * i * i;
    }
    HAND("TRACE_C: dt %.17g\n", dt);
    HAND("TRACE_C: r_cut %.17g\n", r_cut);
    forces(0);
    for (step = 1; step <= steps; step++) {
        for (i = 0; i < N; i++)
            for (k = 0; k < 3; k++) {
                vel[i][k] += 0.5 * dt * force[i][k];
                pos[i][k] += dt * vel[i][k];
            }
        forces(step);
        for (i = 0; i < N; i++)
            for (k = 0; k < 3; k++) vel[i][k] += 0.5 * dt * force[i][k];
        for (i = 0; i < N; i++)
            HAND("TRACE_C[step=%d i=%d]: vel %.17g %.17g %.17g\n", step, i, vel[i][0], vel[i][1], vel[i][2]);
        printf("%d %.10f\n", step, energy);
    }
    for (i = 0; i < N; i++) fprintf(out, "%.12f %.12f %.12f\n", pos[i][0], pos[i][1], pos[i][2]);
    fclose(out);
    return 0;
}
