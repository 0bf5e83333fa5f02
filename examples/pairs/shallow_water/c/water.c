/* Linear shallow water on a periodic square grid, staggered, forward-backward in time.
 *
 *     water [-n CELLS] [-steps N] [-dt DT] [-gravity G] [-depth H] [-coriolis F] [-trace FILE] [-floatfile FILE]
 *
 * -trace writes every value of every cell as a trace line, -floatfile the last surface as raw float32, row by row. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CELLS 128

static double h[MAX_CELLS][MAX_CELLS], u[MAX_CELLS][MAX_CELLS], v[MAX_CELLS][MAX_CELLS];
static double u_new[MAX_CELLS][MAX_CELLS], v_new[MAX_CELLS][MAX_CELLS], div_flow[MAX_CELLS][MAX_CELLS];
static FILE *trace;

static void of_run(const char *name, double x) {
    if (trace) fprintf(trace, "TRACE_C: %s %.17g\n", name, x);
}

static void of_cell(int step, int i, int j, const char *name, double x) {
    if (trace) fprintf(trace, "TRACE_C[step=%d i=%d j=%d]: %s %.17g\n", step, i, j, name, x);
}

int main(int argc, char **argv) {
    int n = 8, steps = 3;
    double dt = 0.1, gravity = 9.81, depth = 0.5, coriolis = 0.2;
    const char *image = NULL;
    for (int a = 1; a + 1 < argc; a += 2) {
        const char *value = argv[a + 1];
        if (!strcmp(argv[a], "-n")) n = atoi(value);
        else if (!strcmp(argv[a], "-steps")) steps = atoi(value);
        else if (!strcmp(argv[a], "-dt")) dt = atof(value);
        else if (!strcmp(argv[a], "-gravity")) gravity = atof(value);
        else if (!strcmp(argv[a], "-depth")) depth = atof(value);
        else if (!strcmp(argv[a], "-coriolis")) coriolis = atof(value);
        else if (!strcmp(argv[a], "-floatfile")) image = value;
        else if (!strcmp(argv[a], "-trace")) {
            if (!(trace = fopen(value, "w"))) return 2;
        } else { fprintf(stderr, "water: unknown option %s\n", argv[a]); return 2; }
    }
    if (n < 2 || n > MAX_CELLS) { fprintf(stderr, "water: 2 to %d cells\n", MAX_CELLS); return 2; }
    printf("surface of %dx%d cells\n", n, n);
    if (trace) fprintf(trace, "TRACE_C: n %d\n", n);
    of_run("dt", dt);
    of_run("gravity", gravity);
    of_run("depth", depth);
    of_run("coriolis", coriolis);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            double x = (i - 0.4 * n) / n, y = (j - 0.55 * n) / n;
            h[i][j] = 0.1 * exp(-40.0 * (x * x + y * y));
            of_cell(0, i, j, "h", h[i][j]);
            of_cell(0, i, j, "u", 0.0);
            of_cell(0, i, j, "v", 0.0);
        }
    for (int step = 1; step <= steps; step++) {
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) {
                double slope_x = h[i][j] - h[(i + n - 1) % n][j], slope_y = h[i][j] - h[i][(j + n - 1) % n];
                u_new[i][j] = u[i][j] - dt * (gravity * slope_x - coriolis * v[i][j]);
                v_new[i][j] = v[i][j] - dt * (gravity * slope_y + coriolis * u[i][j]);
                of_cell(step, i, j, "slope_x", slope_x);
                of_cell(step, i, j, "slope_y", slope_y);
                of_cell(step, i, j, "u", u_new[i][j]);
                of_cell(step, i, j, "v", v_new[i][j]);
            }
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) {
                div_flow[i][j] = u_new[(i + 1) % n][j] - u_new[i][j] + v_new[i][(j + 1) % n] - v_new[i][j];
                h[i][j] -= dt * depth * div_flow[i][j];
                of_cell(step, i, j, "div_flow", div_flow[i][j]);
                of_cell(step, i, j, "h", h[i][j]);
            }
        memcpy(u, u_new, sizeof u);
        memcpy(v, v_new, sizeof v);
        double volume = 0.0;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) volume += h[i][j];
        if (trace) fprintf(trace, "TRACE_C[step=%d]: volume %.17g\n", step, volume);
    }
    if (trace && fclose(trace)) return 1;
    if (image) {
        FILE *out = fopen(image, "wb");
        if (out == NULL) return 2;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) {
                float x = (float)h[i][j];
                fwrite(&x, sizeof x, 1, out);
            }
        if (fclose(out)) return 1;
    }
    return 0;
}
