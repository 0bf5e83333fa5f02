/* The two ways of speaking to the user besides results: a message that ends the run, and a note that does not. */
#include "errors.h"

#include <stdarg.h>
#include <stdio.h>

bool fail(Error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    /* one line, whatever a file name or a flag held */
    for (char *c = err->text; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = '?';
    return false;
}

void note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}
