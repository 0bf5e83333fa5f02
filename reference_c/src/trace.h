/* Tracing chosen pixels without rendering the detector (trace.md). Does nothing in the build without probes. */
#ifndef TRACE_H
#define TRACE_H

#include "files.h"
#include "model.h"

/* Refuses a pixel off the detector, outside the region or masked out, before anything is written. */
bool check_trace_pixels(const Settings *settings, const Model *model, Error *err);

/* Run-scope lines, then each pixel in the given order. A leaking run shows the state that a render by one thread
 * would have had at that pixel. */
void write_trace(FILE *stream, const Settings *settings, const Model *model);

#endif
