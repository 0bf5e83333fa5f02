/* Probes: macros that print a quantity where it is computed (trace.md), and that vanish unless TRACE is defined.
 * A name that is not in trace_names.h, or one with another size, does not compile, with or without TRACE. */
#ifndef PROBE_H
#define PROBE_H

#include <stdio.h>

#include "vec.h"

/* Loop keys, outermost first, in the order in which a line carries them. */
typedef enum {
    KEY_SPIXEL,
    KEY_FPIXEL,
    KEY_THICK_TIC,
    KEY_SUBS,
    KEY_SUBF,
    KEY_SOURCE,
    KEY_PHI_TIC,
    KEY_MOS_TIC,
    KEY_COUNT
} TraceKey;

/* How deep a scope sits: the number of keys its lines carry. */
enum { DEPTH_run = 0, DEPTH_pixel = 2, DEPTH_subsample = 5, DEPTH_source = 6, DEPTH_step = 8 };
/* mosaic lines carry mos_tic alone */
enum { DEPTH_mosaic = -1 };

/* What is traced and where the loops are. A NULL tracer prints nothing. */
typedef struct {
    FILE *stream;
    int key[KEY_COUNT];
} Tracer;

#define TRACE_NAME(scope, name, size) TRACE_SIZE_##scope##_##name = (size),
enum {
#include "trace_names.h"
};
#undef TRACE_NAME

#define CHECK_PROBE(scope, name, size)                                                                                 \
    _Static_assert(TRACE_SIZE_##scope##_##name == (size), "trace_names.h gives " #scope " " #name " another size")

#ifdef TRACE
void trace_line(const Tracer *tracer, int depth, const char *name, int size, const double *values);

#define PROBING(tracer) ((tracer) != NULL)
#define PROBE_KEY(tracer, index, value)                                                                                \
    do {                                                                                                               \
        if (tracer)                                                                                                    \
            (tracer)->key[index] = (value);                                                                            \
    } while (0)
#define PROBE_VALUES(tracer, scope, name, size, ...)                                                                   \
    do {                                                                                                               \
        CHECK_PROBE(scope, name, size);                                                                                \
        if (tracer)                                                                                                    \
            trace_line(tracer, DEPTH_##scope, #name, size, (const double[]){__VA_ARGS__});                             \
    } while (0)
#else
#define PROBING(tracer) 0
#define PROBE_KEY(tracer, index, value) ((void)0)
#define PROBE_VALUES(tracer, scope, name, size, ...)                                                                   \
    do {                                                                                                               \
        CHECK_PROBE(scope, name, size);                                                                                \
    } while (0)
#endif

#define PROBE(tracer, scope, name, value) PROBE_VALUES(tracer, scope, name, 1, (double)(value))
#define PROBE3(tracer, scope, name, v) PROBE_VALUES(tracer, scope, name, 3, (v).x, (v).y, (v).z)

#endif
