/* The crystal: its cell in both spaces, orientation, size, mosaic domains (model.md sections 5 and 9). */
#ifndef CRYSTAL_H
#define CRYSTAL_H

#include "errors.h"
#include "random.h"
#include "settings.h"

/* a, b, c of one orientation. */
typedef struct {
    Vec3 a, b, c;
} Cell;

typedef struct {
    Cell star_A_inv, real_A; /* after misset and duality, at phi=0 without mosaicity */
    Cell real_m;
    double V_cell_A3;
    double cell_A[3], angles_rad[3], star_lengths_A_inv[3], star_angles_rad[3]; /* recomputed from the vectors */
    double star_sines[3], star_cosines[3]; /* of the reciprocal angles, not yet kept within 1 */
    double Na, Nb, Nc;
    double sample_y_m, sample_z_m; /* as clipped by the beam */
    bool clipped_y, clipped_z;
    Shape shape;
    double fudge;
    Vec3 misset_rad;
    bool misset_random;
    double mosaic_spread_rad;
    int mosaic_domains;
    bool domains_raised;
    Umat *mosaic_umats;
} Crystal;

/* The nine numbers of a MOSFLM matrix, row i being a*_i b*_i c*_i, times factor. */
bool parse_matrix(Cell *star, const char *path, const char *text, double factor, Error *err);

/* Cell or matrix, misset, duality, counts, domains. `matrix_text` is NULL without -mat. Draws random numbers in the
 * original's order: misset, then domains. */
bool build_crystal(Crystal *crystal, const Settings *settings, const char *matrix_text, Generator *generator,
                   Error *err);

/* Reciprocal vectors (per unit of the real ones) and volume of a cell: the true duals of the vectors in use. */
Cell reciprocal(const Cell *real, double *volume);

/* Recommended oversampling where the fringes of a crystal of size `fringe_m` would be a pixel apart. */
int recommended_oversample(const Crystal *crystal, double fringe_m, double *largest_m);

void free_crystal(Crystal *crystal);

#endif
