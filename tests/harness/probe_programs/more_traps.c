/* More constructs that a probe can get wrong, beyond traps.c; what each is to give is in test_probe_more_traps.py. */
#include <complex.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define SQ(x) ((x) * (x))
#define CUBE(x) (SQ(x) * (x))
#define STORE(where, what) ((where) = (what))
#define STORE_TWICE(where, what) do { STORE(where, what); STORE(where, 2 * (what)); } while (0)
#define EACH(k, n) for (k = 0; k < (n); k++)
#define EACH_INNER EACH
struct cell { double f; int n; double w[2]; struct { double deep; } in; };
struct flags { unsigned low : 3, high : 5; signed mid : 4; };
typedef double real;
typedef int counter;
typedef struct cell grid[3];
static struct cell cells[3];
static void nested_macro_01(void) { double a; STORE_TWICE(a, CUBE(2.0)); (void)a; }
static void goto_loop_02(void)
{
    int i = 0; double a;
again:
    a = 10 + i;
    i++;
    if (i < 3) goto again;
    (void)a;
}
static void do_while_03(void) { int i = -1; double a; do { i++; if (i == 1) continue; a = i; } while (i < 2); (void)a; }
static void comma_for_04(int n) { double a = 0; int i, k; for (i = 0, k = 5; i < n; i++, k--) a = i * k; (void)a; }
static void designated_05(void)
{
    struct cell c = {.f = 1.5, .w = {[1] = 4}};
    double v[3] = {[2] = 7, [0] = 3};
    c = (struct cell){.n = 2, .f = 2.5};
    (void)c; (void)v;
}
static void pointers_06(void) { double a = 1, *p = &a, **pp = &p; **pp = 4; *p = 5; (void)a; }
static double static_07(int i) { static double total = 100; (void)i; total += i; return total; }
static double recursion_08(int i) { double a = i; if (i < 3) a += recursion_08(i + 1); return a; }
static double variadic_09(int n, ...)
{
    va_list list; double a = 0;
    va_start(list, n);
    for (int i = 0; i < n; i++) a += va_arg(list, double);
    va_end(list);
    return a;
}
static void ifdef_10(void)
{
    double a;
#ifdef NOT_DEFINED
    a = 1;
#elif defined(SQ)
    a = 2;
#else
    a = 3;
#endif
    (void)a;
}
#ifndef NOT_DEFINED
static void twice_11(void) { double a; a = 5; (void)a; }
#else
static void twice_11(void) { double a; a = 6; (void)a; }
#endif
static double old_12(i, x) int i; double x;
{
    double a; a = x + i; return a;
}
static void typedef_13(void) { for (counter i = 0; i < 2; i++) { real a = i + 0.5; (void)a; } grid g; g[1].f = 3; (void)g; }
static void ternary_14(int n) { double a = 0, b = 0; for (int i = 0; i < n; i++) { i % 2 ? (a = i) : (b = -i); } (void)a; (void)b; }
static void copies_15(void) { struct cell a = {.f = 1}, b; b = a; b.in.deep = 3; memcpy(&a, &b, sizeof a); a.w[1] = 2; (void)a; }
static void array_16(void) { for (int i = 0; i < 3; i++) { cells[i].f = i; cells[i].w[1] = 2 * i; } cells[1] = cells[2]; }
static void bits_17(void) { struct flags s = {0}; s.low = 9; s.high = 17; s.mid = -3; (void)s; }
static double const_18(const double c, const struct cell *const p) { const double a = c + p->f; return a; }
static void restrict_19(double *restrict to, const double *restrict from, int n) { for (int i = 0; i < n; i++) to[i] = 2 * from[i]; }
static void vla_20(int n) { double v[n]; for (int i = 0; i < n; i++) { v[i] = i * i; } double m[n][2]; m[1][0] = 8; m[1][1] = 9; (void)v; (void)m; }
static void kinds_21(void)
{
    long double ld = 0.1L; bool b = 5; char c = 'A'; unsigned long long u = 9007199254740992ULL; float f = 0.1f;
    int8_t s = -3; b = !b; (void)ld; (void)b; (void)c; (void)u; (void)f; (void)s;
}
static void complex_22(void) { double complex z = 1 + 2 * I; z *= I; (void)z; }
static void parallel_23(void)
{
    double a[4], sum = 0; int k;
#pragma omp parallel for reduction(+ : sum) private(k)
    for (int i = 0; i < 4; i++) {
        a[i] = 0;
        for (k = 0; k < 2; k++) a[i] += k + i;
        sum += a[i];
    }
    (void)sum;
}
static void parallel_24(double *out)
{
#pragma omp parallel for collapse(2) default(none) shared(out) schedule(static)
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            out[2 * i + j] = 10 * i + j;
}
static void single_25(void)
{
    double a = 0;
#pragma omp parallel
    {
#pragma omp single
        a = 3;
#pragma omp atomic
        a += 1;
#pragma omp critical
        { a += 2; }
    }
    (void)a;
}
static void macro_named_loop_26(void) { int i; double a; EACH_INNER(i, 2) a = i; (void)a; }
static void chain_27(void) { double a, b, c; a = b = c = 2; a += b *= 3; (void)a; (void)c; }
static void shadow_28(void) { double a = 1; { double a = 2; a++; (void)a; } { int a = 7; (void)a; } a = 4; (void)a; }
static void function_pointer_29(void) { double a = 0; double (*f)(int) = static_07; a = f(0); void (*g)(double *, const double *, int) = restrict_19; double b = 3; g(&a, &b, 1); (void)a; }
static void decrement_30(void) { double a = 3; for (int i = 2; i >= 0; --i) a--; while (a-- > -2) { } (void)a; }
static void swap_31(void) { double a = 1, b = 2, t; t = a, a = b, b = t; (void)b; }
static void block_32(void) { double a = ({ double t = 3; t * 2; }); a = __extension__({ a + 1; }); (void)a; }
static int logical_33(void) { double a = 0; int ok = (a = 1) > 2 && (a = 5) > 0; ok |= (a == 1) || (a = 9); return ok; }
static void continued_34(void)
{
    double a; \
    a = 1 + \
        2; // a = 9;
    /* a = 8; */ const char *s = "a = 7;"; (void)s; (void)a;
}
static void empty_35(void) { double a = 0; for (int i = 0; i < 2; a += ++i) ; for (;;) { a = 50; break; } (void)a; }
static void nested_36(void) { for (int i = 0; i < 2; i++) { for (int i = 5; i < 6; i++) { double a = i; (void)a; } double b = i; (void)b; } }
static void union_37(void) { union { double a; uint64_t bits; } u; u.a = 1; u.bits += 1; (void)u; }
static void compound_literal_38(void) { double *p = (double[]){1, 2}; p[0] = 5; (void)p; }
static _Noreturn void leaves_39(int i) { double a = i; printf("%g\n", a); exit(0); }
static void asserted_40(void) { double a = 1; printf("%s\n", __func__); a = 2; (void)a; }

int main(void)
{
    double to[4] = {0}, from[2] = {1, 2};
    nested_macro_01(); goto_loop_02(); do_while_03(); comma_for_04(3); designated_05(); pointers_06();
    for (int i = 0; i < 3; i++) static_07(i);
    recursion_08(0); printf("%g\n", variadic_09(2, 1.0, 2.5)); ifdef_10(); twice_11(); printf("%g\n", old_12(1, 2.0));
    typedef_13(); ternary_14(3); copies_15(); array_16(); bits_17(); printf("%g\n", const_18(2, &cells[1]));
    restrict_19(to, from, 2); vla_20(2); kinds_21(); complex_22(); parallel_23(); parallel_24(to); single_25();
    macro_named_loop_26(); chain_27(); shadow_28(); function_pointer_29(); decrement_30(); swap_31(); block_32();
    printf("%d\n", logical_33()); continued_34(); empty_35(); nested_36(); union_37(); compound_literal_38();
    asserted_40();
    for (int k = 0; k < 4; k++) printf("%g\n", to[k]);
    leaves_39(1);
}
