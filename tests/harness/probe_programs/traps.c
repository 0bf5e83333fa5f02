/* Constructs that a probe can get wrong, one function each. What each is to give is in test_probe_traps.py.
 * "handled" has exactly the expected lines; "listed" is reported as not probed. Run under OMP_NUM_THREADS=1. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQ(x) ((x) * (x))
#define FOR(i, n) for (int i = 0; i < (n); i++)
#define SETV(v, to) do { (v) = (to); } while (0)
#define BUMP_GLOBAL total_18 += 10
#define PASTE(a, b) a##b = 3

struct point { double x, y, v[3]; };
static double total_18, global_20 = 4.5;
static const double constant_20 = 2.25;

static void unbraced_01(int n) { double a; if (n > 2) a = 1; else a = 2; for (int i = 0; i < 2; i++) a = i; (void)a; }
static void declarators_02(void) { double a = 1, b = a + 1, *p = &b; (void)p; (void)a; }
static void comma_03(void) { double a, b; a = 1, b = a, a = b + 2; (void)b; }
static void switch_04(void)
{
    double a = 0;
    for (int i = 0; i < 3; i++)
        switch (i) { case 0: a = 10; break; case 1: a = 11; /* falls through */ default: a += 1; }
    (void)a;
}
static void out(double *r, double v) { *r = v; }
static double only_reads(const double *v) { return v[0]; }
static double reads_too(double *v) { return v[0] + v[1]; }
static void fills(double *v, int n) { for (int k = 0; k < n; k++) v[k] = k + 1; }
static void out_parameter_05(void) { double a; out(&a, 7); }
static void member_06(void) { struct point p; p.x = 1; p.y = 2; struct point q = p; q.x = 3; (void)q; }
static void arrow_07(void) { struct point s, *p = &s; p->x = 5; (*p).x = 6; }
static void macro_right_08(void) { double a; a = SQ(3.0) + SQ(1); (void)a; }
static void macro_loop_09(void) { double a; FOR(i, 3) { a = 2 * i; (void)a; } FOR(i, 2) a = 7; }
static void while_10(void) { int i = 0; double a; while (i < 3) { a = i * i; i++; } (void)a; }
static void do_11(void) { int i = 0; double a; do { a = 5 + i; } while (++i < 2); (void)a; }
static void set_macro_12(void) { double a; SETV(a, 8); SETV(a, 9); (void)a; }
static void condition_13(void)
{
    double a, t = 4, c = 0;
    if ((a = t) > 3) c = a;
    for (int i = 0; i < 2; i++) while ((a = a - 1) > 1 + i) c++;
    (void)c;
}
static void scan_condition_14(void) { double a; int n; if (sscanf("2.5", "%lf%n", &a, &n) == 1) a *= 2; }
static void partial_15(void) { double v[4]; for (int i = 0; i < 2; i++) { v[1] = i; v[2] = i + 1; v[3] = i + 2; } (void)v; }
static void compound_16(void) { double a = 2; for (int i = 0; i < 3; i++) a *= 3; (void)a; }
static void for_header_17(void)
{
    double q = 0; int i;
    for (i = 0, q = 5; i < 2; i++, q += 2) { }
    for (double d = 1, e = 8; d < 2; d++) (void)e;
    (void)q;
}
static void object_macro_18(void) { BUMP_GLOBAL; BUMP_GLOBAL; }
static void array_by_callee_19(void)
{
    double v[2] = {0, 0};
    for (int i = 0; i < 2; i++) { if (i == 0) fills(v, 2); only_reads(v); reads_too(v); sqrt(v[0]); }
}
static void no_write_20(int i, double given) { (void)i; (void)given; }
static int leaves_21(int limit)
{
    double a;
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < 5; j++) {
            if (j == 1) continue;
            a = 10 * i + j;
            if (j == 2) break;
        }
        if (i == limit) return (int)a;
        if (i == 3) goto done;
    }
done:
    a = -1;
    return (int)a;
}
static double inner_22(int k) { double a = k; for (int i = 7; i < 8; i++) a = 100 + i; return a; }
static void nested_22(void) { double b; for (int i = 0; i < 2; i++) { inner_22(i); b = i; } (void)b; }
static double chosen_23(int c) { double a = 0; c ? (a = 1) : (a = 2); c && (a = 3); c || (a = 4); return a = a + 0.5; }
static void alias_24(void) { double a = 1, *p = &a; *p = 2; (void)p; }
static void moving_25(void)
{
    struct point s[2] = {{1, 2, {0}}, {3, 4, {0}}}, *p = NULL;
    for (p = s; p < s + 2; p++) p->x += 10;
}
static void null_26(void) { double *row = NULL; double m[2][2] = {{1, 2}, {3, 4}}; for (int i = 0; i < 2; i++) row = m[i]; (void)row; }
static void matrix_27(void) { float m[2][2]; m[0][0] = 1; m[0][1] = 2; m[1][0] = 3; m[1][1] = 4; (void)m; }
static void kinds_28(void) { long n = 123456789012; double a = NAN, b = -INFINITY; unsigned char c = 200; (void)n; (void)a; (void)b; (void)c; }
static void duff_29(int n)
{
    double a; int i = 0;
    switch (n) { for (; i < 2; i++) { case 1: a = i; } }
    (void)a;
}
static void branches_30(void)
{
    double a;
#ifdef NEVER
    a = 1;
#else
    a = 2; /* a = 3; */
#endif
    (void)a; puts("a = 4;");
}
static void by_line_31(void)
{
    double h = 0, stale = 1;
    for (int i = 0; i < 2; i++) {
        /* h = here */
        if (i == 1) stale = 5;
        h = stale + 1;
    }
    (void)h;
}
static void parallel_32(void)
{
    double a[2][2];
    int i, j;
#pragma omp parallel for collapse(2) default(none) shared(a) private(i, j)
    for (i = 0; i < 2; i++)
        for (j = 0; j < 2; j++)
            a[i][j] = 10 * i + j;
    (void)a;
}
static void copies_33(void) { double v[2], w[2] = {1, 2}; memcpy(v, w, sizeof v); memset(w, 0, sizeof w); (void)v; }
static void one_line_34(void) { double a; { { a = 1; } } if (1) { for (int i = 0; i < 1; i++) { a = 2; } } (void)a; }
static void pasted_35(void) { double xa; PASTE(x, a); (void)xa; }
static void label_36(int n) { double a = 0; if (n) again: a += 1; if (a < 2) goto again; }
static void sizes_37(void) { double a = 1; size_t n = sizeof(a = 2); (void)n; }

int main(void)
{
    unbraced_01(3); declarators_02(); comma_03(); switch_04(); out_parameter_05(); member_06(); arrow_07(); macro_right_08();
    macro_loop_09(); while_10(); do_11(); set_macro_12(); condition_13(); scan_condition_14(); partial_15(); compound_16();
    for_header_17(); object_macro_18(); array_by_callee_19(); no_write_20(6, 1.5); leaves_21(2); leaves_21(9); nested_22();
    printf("%g\n", chosen_23(1) + chosen_23(0)); alias_24(); moving_25(); null_26(); matrix_27(); kinds_28(); duff_29(1);
    branches_30(); by_line_31(); parallel_32(); copies_33(); one_line_34(); pasted_35(); label_36(1); sizes_37();
    printf("%g %g %g\n", total_18, global_20, constant_20);
    return 0;
}
