/* Prints one trace line: side, loop keys, name, numbers with all their digits (trace.md). */
#include "probe.h"

#ifdef TRACE
void trace_line(const Tracer *tracer, int depth, const char *name, int size, const double *values)
{
    static const char *const KEYS[KEY_COUNT] = {"spixel", "fpixel", "thick_tic", "subS",
                                                "subF",   "source", "phi_tic",   "mos_tic"};
    fputs("TRACE_C", tracer->stream);
    if (depth == DEPTH_mosaic) {
        fprintf(tracer->stream, "[%s=%d]", KEYS[KEY_MOS_TIC], tracer->key[KEY_MOS_TIC]);
    } else if (depth > 0) {
        for (int i = 0; i < depth; i++)
            fprintf(tracer->stream, "%c%s=%d", i ? ' ' : '[', KEYS[i], tracer->key[i]);
        fputc(']', tracer->stream);
    }
    fprintf(tracer->stream, ": %s", name);
    for (int i = 0; i < size; i++)
        fprintf(tracer->stream, " %.17g", values[i]); /* a whole number comes out as one */
    fputc('\n', tracer->stream);
}
#else
typedef int probes_are_not_compiled_in; /* a translation unit may not be empty */
#endif
