/* How a stage says that it cannot go on: it fills one line of text and returns false.
 * Only main prints that line and turns it into exit code 2, so every reader can be run by a test or a fuzzer. */
#ifndef ERRORS_H
#define ERRORS_H

#include <stdbool.h>

typedef struct {
    char text[1200];
} Error;

#if defined(__GNUC__)
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#else
#define PRINTF_LIKE(text, first)
#endif

/* The next word of a text, cut to fit a message. */
typedef struct {
    char text[24];
} Excerpt;
Excerpt excerpt(const char *text);

/* Writes the message and returns false, so that a caller can `return fail(err, ...)`. */
bool fail(Error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* A line on stderr that begins with "WARNING: " or is a plain note; the run goes on. */
void note(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
