/* nanoBragg: diffraction of a nanocrystal onto a pixel detector. This file is the model's table of contents: read what
 * is given, build detector, beam and crystal, trace or render, write. Each stage is a file of its own. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config.h"
#include "files.h"
#include "flags.h"
#include "model.h"
#include "options.h"
#include "outputs.h"
#include "render.h"
#include "report.h"
#include "smv.h"
#include "trace.h"

#define VERSION "0.2.0"

enum { EXIT_BAD_INPUT = 2 };

/* Everything that a run owns. */
typedef struct {
    Settings settings;
    Generator generator;
    Model model;
    Image image;
    Outputs outputs;
    OutputFile trace_file;
    unsigned char *mask;
    int mask_fpixels, mask_spixels;
} Run;

/* -mask and -img set the geometry before the flags do, the mask first (model.md section 10). */
static bool read_headers(Run *run, Error *err)
{
    const char *const paths[2] = {run->settings.mask_file, run->settings.image_file};
    const char *const flags[2] = {"-mask", "-img"};
    for (int i = 0; i < 2; i++) {
        SmvHeader header;
        size_t size;
        char *bytes = paths[i] ? read_file(flags[i], paths[i], &size, err) : NULL;
        if (!paths[i])
            continue;
        bool ok = bytes && parse_smv_header(&header, flags[i], paths[i], bytes, size, err);
        if (ok && i == 0) {
            run->mask = parse_smv_mask(&header, paths[i], bytes, size, err);
            ok = run->mask != NULL;
            run->mask_fpixels = ok ? (int)header.size1 : 0;
            run->mask_spixels = ok ? (int)header.size2 : 0;
        }
        free(bytes);
        if (!ok)
            return false;
        apply_smv_header(&run->settings, &header, i == 0);
    }
    return true;
}

/* Structure factors: from -hkl, else from a dump file if there is one, else default_F everywhere. */
static bool read_structure_factors(Run *run, Error *err)
{
    const Settings *s = &run->settings;
    Reflections *refl = &run->model.refl;
    refl->default_F = s->default_F;
    size_t size = 0;
    bool from_dump = !s->hkl_file;
    FILE *dump = from_dump ? fopen(s->dump_file, "rb") : NULL;
    bool dump_there = dump && fgetc(dump) != EOF; /* -dump /dev/null says that none is wanted */
    if (dump)
        fclose(dump);
    if (from_dump && !dump_there)
        return s->default_F != 0.0 ||
               fail(err, "no structure factors: expected -hkl FILE, -default_F, or a dump file '%s'; see --help",
                    s->dump_file);
    char *bytes = read_file(from_dump ? "-dump" : "-hkl", from_dump ? s->dump_file : s->hkl_file, &size, err);
    if (!bytes)
        return false;
    bool ok = from_dump ? parse_dump(refl, s->dump_file, bytes, size, err)
                        : parse_reflections(refl, s->hkl_file, bytes, s->default_F, err);
    refl->default_F = s->default_F;
    free(bytes);
    return ok;
}

/* Quirk mask-width: the mask's pixels are taken in their order in the file, whatever the width of either side. */
static bool check_mask(const Run *run, Error *err)
{
    const Detector *d = &run->model.detector;
    int width = run->mask_fpixels, height = run->mask_spixels;
    if ((double)width * height < (double)d->fpixels * d->spixels)
        return fail(err, "flag -mask: file '%s' has %d x %d pixels, expected at least those of the detector, %d x %d",
                    run->settings.mask_file, width, height, d->fpixels, d->spixels);
    if (width != d->fpixels)
        note("WARNING: flag -mask: file '%s' has rows of %d pixels, the detector of %d: its pixels are taken one after "
             "the other all the same (quirk mask-width)",
             run->settings.mask_file, width, d->fpixels);
    return true;
}

/* Detector, beam, crystal, in the order in which they need each other. */
static bool build_model(Run *run, Error *err)
{
    const Settings *s = &run->settings;
    Model *m = &run->model;
    char *matrix = NULL, *sources = NULL;
    size_t size;
    if (!s->mat_file && !s->cell_given)
        return fail(err, "no unit cell: expected -mat FILE or -cell a b c al be ga; see --help");
    bool ok = place_detector(&m->detector, s, err) && read_structure_factors(run, err);
    if (ok && s->mat_file)
        ok = (matrix = read_file("-mat", s->mat_file, &size, err)) != NULL;
    if (ok && s->source_file)
        ok = (sources = read_file("-sourcefile", s->source_file, &size, err)) != NULL;
    ok = ok && build_crystal(&m->crystal, s, matrix, &run->generator, err) &&
         build_beam(&m->beam, s, &m->detector, sources, err) && finish_model(m, s, err);
    free(matrix);
    free(sources);
    ok = ok && (!run->mask || check_mask(run, err));
    m->mask = run->mask;
    return ok;
}

/* Reads, builds, traces, renders, writes; false with a message where it cannot go on. */
static bool simulate(Run *run, int argc, char **argv, Error *err)
{
    Settings *s = &run->settings;
    if (!read_headers(run, err) || !parse_options(s, argc, argv, err) || !check_settings(s, err) ||
        !build_model(run, err) || !check_trace_pixels(s, &run->model, err))
        return false;
    if (s->show_config) {
        print_config(&run->model, s);
        return true;
    }

    bool tracing_only = s->trace_count && !s->output_named;
    if (!open_outputs(&run->outputs, s, !tracing_only, err))
        return false;
    if (s->trace_count && s->trace_file && !output_open(&run->trace_file, "-trace_file", s->trace_file, err))
        return false;
    report_model(&run->model, s);
    if (s->trace_count)
        write_trace(s->trace_file ? run->trace_file.stream : stdout, s, &run->model);
    if (tracing_only) {
        note("tracing only: no image is rendered or written without an output flag such as -floatfile");
        return output_commit(&run->trace_file, err);
    }
    if (!render(&run->image, &run->model, s->threads, s->progress, err))
        return false;
    report_image(&run->model, &run->image);
    report_pixels(&run->model, &run->image, s);
    return write_outputs(&run->outputs, s, &run->model, &run->image, &run->generator, err) &&
           output_commit(&run->trace_file, err);
}

int main(int argc, char **argv)
{
    Run *run = calloc(1, sizeof *run);
    Error err = {""};
    int code = EXIT_SUCCESS;
    if (!run)
        return EXIT_BAD_INPUT;
    default_settings(&run->settings, (long)(time(NULL) % 2147483647)); /* before the flags are read */
    bool ok = preview_options(&run->settings, argc, argv, &err);
    if (ok && run->settings.help)
        print_help();
    else if (ok && run->settings.version)
        puts("nanoBragg " VERSION " (trace-parity reference)");
    else
        ok = ok && simulate(run, argc, argv, &err);
    if (ok && fflush(stdout) != 0)
        ok = fail(&err, "cannot write to standard output");
    if (!ok) {
        note("nanoBragg: %s", err.text);
        code = EXIT_BAD_INPUT;
    }
    discard_outputs(&run->outputs);
    output_discard(&run->trace_file);
    free_image(&run->image);
    free_model(&run->model);
    free(run->mask);
    free(run);
    return code;
}
