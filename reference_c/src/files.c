/* Whole-file reading, and outputs that appear under their name only when complete. */
#include "files.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Text and image headers are far smaller; a file beyond this is not what its flag asks for. */
#define MAX_FILE_BYTES ((size_t)1 << 32)

char *read_file(const char *flag, const char *path, size_t *size, Error *err)
{
    size_t room = 1 << 16, used = 0;
    FILE *stream = fopen(path, "rb");
    if (!stream) {
        fail(err, "flag %s: cannot read '%s': %s; expected a readable file", flag, path, strerror(errno));
        return NULL;
    }
    char *bytes = malloc(room);
    while (bytes) {
        size_t got = fread(bytes + used, 1, room - used - 1, stream);
        used += got;
        if (!got)
            break;
        if (room - used > 1)
            continue;
        char *larger = room < MAX_FILE_BYTES ? realloc(bytes, room * 2) : NULL;
        if (!larger)
            free(bytes);
        bytes = larger;
        room *= 2;
    }
    if (!bytes)
        fail(err, "flag %s: '%s' does not fit into memory", flag, path);
    else if (ferror(stream)) {
        fail(err, "flag %s: cannot read '%s': %s; expected a readable file", flag, path, strerror(errno));
        free(bytes);
        bytes = NULL;
    } else {
        bytes[used] = '\0';
        *size = used;
    }
    fclose(stream);
    return bytes;
}

/* Temporary names for the signal handler, which can be handed nothing: a killed run leaves none behind. */
enum { MOST_OPEN = 8 };
static char *volatile under_way[MOST_OPEN];

static void remove_and_die(int signal_number)
{
    for (int i = 0; i < MOST_OPEN; i++)
        if (under_way[i])
            unlink(under_way[i]);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void remember(char *temporary)
{
    static const int SIGNALS[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXCPU};
    for (size_t i = 0; i < sizeof SIGNALS / sizeof *SIGNALS; i++) {
        struct sigaction now;
        if (sigaction(SIGNALS[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
            signal(SIGNALS[i], remove_and_die);
    }
    for (int i = 0; i < MOST_OPEN; i++)
        if (!under_way[i]) {
            under_way[i] = temporary;
            return;
        }
}

static void forget(const char *temporary)
{
    for (int i = 0; i < MOST_OPEN; i++)
        if (under_way[i] == temporary)
            under_way[i] = NULL;
}

static bool open_failed(OutputFile *out, const char *flag, const char *path, Error *err)
{
    fail(err, "flag %s: cannot write '%s': %s; expected a writable place", flag, path, strerror(errno));
    output_discard(out);
    return false;
}

/* The descriptor that /dev/stdout, /dev/fd/3 and the like name; -1 for any other path. */
static int named_descriptor(const char *path)
{
    int number, length = 0;
    if (strcmp(path, "/dev/stdout") == 0)
        return STDOUT_FILENO;
    if (strcmp(path, "/dev/stderr") == 0)
        return STDERR_FILENO;
    if ((sscanf(path, "/dev/fd/%9d%n", &number, &length) == 1 && !path[length]) ||
        (sscanf(path, "/proc/self/fd/%9d%n", &number, &length) == 1 && !path[length]))
        return number;
    return -1;
}

/* An open file is written to as it is: renamed over, its reader would never see the output. */
static bool open_descriptor(OutputFile *out, const char *flag, const char *path, int number, Error *err)
{
    out->target = strdup(path);
    int copy = out->target ? dup(number) : -1;
    if (copy < 0)
        return open_failed(out, flag, path, err);
    if (!(out->stream = fdopen(copy, "wb"))) {
        close(copy);
        return open_failed(out, flag, path, err);
    }
    fflush(stdout);
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* lines of the two streams stay whole */
    setvbuf(out->stream, NULL, _IOLBF, BUFSIZ);
    return true;
}

bool output_open(OutputFile *out, const char *flag, const char *path, Error *err)
{
    static const char SUFFIX[] = ".tmpXXXXXX";
    struct stat info, own;
    bool exists = stat(path, &info) == 0;
    bool dangles = !exists && lstat(path, &own) == 0 && S_ISLNK(own.st_mode);
    *out = (OutputFile){NULL, NULL, NULL};
    int number = named_descriptor(path);
    if (number >= 0)
        return open_descriptor(out, flag, path, number, err);
    if (dangles || (exists && !S_ISREG(info.st_mode))) {
        out->target = strdup(path);
        out->stream = out->target ? fopen(path, "wb") : NULL;
        return out->stream ? true : open_failed(out, flag, path, err);
    }
    out->target = exists ? realpath(path, NULL) : strdup(path); /* a link is followed, not replaced */
    if (!out->target || (exists && access(out->target, W_OK) != 0))
        return open_failed(out, flag, path, err);
    size_t length = strlen(out->target);
    out->temporary = malloc(length + sizeof SUFFIX);
    if (!out->temporary)
        return open_failed(out, flag, path, err);
    memcpy(out->temporary, out->target, length);
    memcpy(out->temporary + length, SUFFIX, sizeof SUFFIX);
    int descriptor = mkstemp(out->temporary);
    if (descriptor < 0) {
        free(out->temporary);
        out->temporary = NULL;
        return open_failed(out, flag, path, err);
    }
    remember(out->temporary);
    /* mkstemp makes it private; give it the permissions that a plain fopen would have */
    mode_t mask = umask(0);
    umask(mask);
    if (fchmod(descriptor, exists ? info.st_mode & 0777 : 0666 & ~mask) != 0 ||
        !(out->stream = fdopen(descriptor, "wb"))) {
        close(descriptor);
        return open_failed(out, flag, path, err);
    }
    return true;
}

bool output_commit(OutputFile *out, Error *err)
{
    if (!out->stream)
        return true;
    bool bad = ferror(out->stream) != 0;
    bad = fclose(out->stream) != 0 || bad;
    out->stream = NULL;
    if (!bad && out->temporary) {
        bad = rename(out->temporary, out->target) != 0;
        if (!bad) {
            forget(out->temporary);
            free(out->temporary);
            out->temporary = NULL;
        }
    }
    if (bad)
        fail(err, "cannot write '%s': %s", out->target, strerror(errno));
    output_discard(out);
    return !bad;
}

void output_discard(OutputFile *out)
{
    if (out->stream)
        fclose(out->stream);
    if (out->temporary) {
        unlink(out->temporary);
        forget(out->temporary);
    }
    free(out->temporary);
    free(out->target);
    *out = (OutputFile){NULL, NULL, NULL};
}
