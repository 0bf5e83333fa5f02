/* The files of a run: float image, SMV image, PGM preview, noise image, reflection dump (model.md section 10). */
#ifndef OUTPUTS_H
#define OUTPUTS_H

#include "files.h"
#include "model.h"
#include "render.h"
#include "settings.h"

typedef enum { OUT_FLOAT, OUT_INT, OUT_PGM, OUT_NOISE, OUT_DUMP, OUT_COUNT } OutputKind;

typedef struct {
    OutputFile files[OUT_COUNT];
} Outputs;

/* Opens every output that this run will write, so that a bad name costs no rendering. `with_images` is false when only
 * pixels are traced: then there is none. */
bool open_outputs(Outputs *outputs, const Settings *settings, bool with_images, Error *err);

/* Fills and commits them, and prints scales and the photon count. Noise draws come last from the generator. */
bool write_outputs(Outputs *outputs, const Settings *settings, const Model *model, const Image *image,
                   Generator *generator, Error *err);

void discard_outputs(Outputs *outputs);

#endif
