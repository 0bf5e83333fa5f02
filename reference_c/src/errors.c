/* The two kinds of messages: an error ends the run, a note does not. */
#include "errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

Excerpt excerpt(const char *text)
{
    Excerpt out;
    text += strspn(text, " \t\r\n");
    size_t size = strcspn(text, " \t\r\n");
    snprintf(out.text, sizeof out.text, "%.*s", (int)(size < sizeof out.text ? size : sizeof out.text - 1), text);
    return out;
}

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
    fflush(stdout); /* so that the two streams keep their order where they share a terminal or a log */
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}
