/* Reading whole files, and writing files so that a reader never sees half of one. */
#ifndef FILES_H
#define FILES_H

#include <stddef.h>
#include <stdio.h>

#include "errors.h"

/* The file's bytes with a NUL after them, to be freed by the caller; NULL with a message that names the flag. */
char *read_file(const char *flag, const char *path, size_t *size, Error *err);

/* An output under way: written under a temporary name next to its target, which is replaced on commit.
 * A target that is not a regular file (/dev/null, a pipe) is written directly. */
typedef struct {
    FILE *stream; /* NULL when not open */
    char *target;
    char *temporary; /* NULL when written directly */
} OutputFile;

bool output_open(OutputFile *out, const char *flag, const char *path, Error *err);
bool output_commit(OutputFile *out, Error *err);
/* Closes and removes what was not committed; harmless on a zeroed or committed one. */
void output_discard(OutputFile *out);

#endif
