/* From cell parameters or a matrix to the vectors of both spaces that meet the scattering vector (model.md section 5).
 * Units while setting up: angstroms, radians. */
#include "crystal.h"

#include <limits.h>
#include <stdlib.h>

#include "sampling.h"
#include "units.h"

/* Sines and cosines of the reciprocal angles from the direct cell; V_star is taken as given. */
typedef struct {
    double sine[3], cosine[3];
} StarAngles;

static double clamp_sine(double sine)
{
    return sine > 1.0 ? 1.0 : sine < -1.0 ? -1.0 : sine;
}

static void keep_within_1(double *sine, double *cosine)
{
    *sine = clamp_sine(*sine);
    if (*cosine * *cosine > 1.0)
        *cosine = 1.0;
}

/* real and star: lengths; angles: of the direct cell. */
static StarAngles star_angles(const double real[3], const double angles[3], const double star[3], double V_star)
{
    StarAngles out;
    for (int i = 0; i < 3; i++) {
        int j = (i + 1) % 3, k = (i + 2) % 3;
        out.sine[i] = real[i] * V_star / (star[j] * star[k]);
        out.cosine[i] = (cos(angles[j]) * cos(angles[k]) - cos(angles[i])) / (sin(angles[j]) * sin(angles[k]));
        keep_within_1(&out.sine[i], &out.cosine[i]);
    }
    return out;
}

/* a*, b*, c* in the original's frame, and the cell's volume. */
static bool star_from_cell(const double cell[6], Cell *star, double *V_cell, Error *err)
{
    double a = cell[0], b = cell[1], c = cell[2], alpha = cell[3], beta = cell[4], gamma = cell[5];
    double s = (alpha + beta + gamma) / 2.0;
    double skew = sin(s) * sin(s - alpha) * sin(s - beta) * sin(s - gamma);
    double V = 2.0 * a * b * c * sqrt(fabs(skew));
    if (!(V > 0.0) || !isfinite(V) || skew < 0.0)
        return fail(err,
                    "flag -cell: no cell has the edges %g %g %g A and angles %g %g %g deg; expected a finite volume", a,
                    b, c, alpha * RTD, beta * RTD, gamma * RTD);
    const double lengths[3] = {b * c * sin(alpha) / V, c * a * sin(beta) / V, a * b * sin(gamma) / V};
    StarAngles angles = star_angles(cell, cell + 3, lengths, 1.0 / V);
    const double *cosine = angles.cosine;
    double sin_gamma_star = angles.sine[2];
    star->a = vec3(lengths[0], 0.0, 0.0);
    star->b = vec3(lengths[1] * cosine[2], lengths[1] * sin_gamma_star, 0.0);
    star->c = vec3(lengths[2] * cosine[1], lengths[2] * (cosine[0] - cosine[1] * cosine[2]) / sin_gamma_star,
                   /* quirk triclinic-cell: the direct cell's V/(abc) where the reciprocal one belongs */
                   lengths[2] * V / (a * b * c * sin_gamma_star));
    *V_cell = V;
    return true;
}

bool parse_matrix(Cell *star, const char *path, const char *text, double factor, Error *err)
{
    double m[9];
    for (int i = 0; i < 9; i++) {
        char *end;
        m[i] = strtod(text, &end) * factor;
        if (end == text || !isfinite(m[i]))
            return fail(err, "flag -mat: file '%s': expected 9 numbers, got %d and then '%s'", path, i,
                        excerpt(text).text);
        text = end;
    }
    star->a = vec3(m[0], m[3], m[6]);
    star->b = vec3(m[1], m[4], m[7]);
    star->c = vec3(m[2], m[5], m[8]);
    return true;
}

static Cell misset_cell(Cell star, Vec3 angles)
{
    return (Cell){rotate_xyz(star.a, angles), rotate_xyz(star.b, angles), rotate_xyz(star.c, angles)};
}

static double angle_between(Vec3 u, Vec3 v)
{
    return acos(clamp_sine(dot(u, v) / (length(u) * length(v))));
}

/* What the log prints. The sines of the reciprocal angles come from V* as it was set, which -cell forces, the cosines
 * from the vectors: they need not fit each other (quirk triclinic-cell). */
static void describe(Crystal *x, double V_star)
{
    const Vec3 edges[3] = {x->real_A.a, x->real_A.b, x->real_A.c}, stars[3] = {x->star_A_inv.a, x->star_A_inv.b, x->star_A_inv.c};
    double *star = x->star_lengths_A_inv;
    for (int i = 0; i < 3; i++) {
        x->cell_A[i] = length(edges[i]);
        star[i] = length(stars[i]);
        x->angles_rad[i] = angle_between(edges[(i + 1) % 3], edges[(i + 2) % 3]);
    }
    for (int i = 0; i < 3; i++) {
        int j = i == 0 ? 1 : 0, k = i == 2 ? 1 : 2; /* in this order: the log has all bits */
        double sine = x->star_sines[i] = x->cell_A[i] * V_star / star[j] / star[k];
        double cosine = x->star_cosines[i] = dot(stars[j], stars[k]) / star[j] / star[k];
        keep_within_1(&sine, &cosine);
        x->star_angles_rad[i] = atan2(sine, cosine);
    }
}

/* Real vectors as the duals of the reciprocal ones. `forced` holds cell lengths that -cell keeps, or NULL. */
static bool make_dual(Crystal *x, Cell star, const double *forced, double V_forced, Error *err)
{
    Vec3 X = cross(star.b, star.c), Y = cross(star.c, star.a), Z = cross(star.a, star.b);
    double V_star = dot(star.a, X);
    if (forced) {
        X = with_length(X, forced[0] / V_forced);
        Y = with_length(Y, forced[1] / V_forced);
        Z = with_length(Z, forced[2] / V_forced);
        V_star = 1.0 / V_forced;
    }
    double V = 1.0 / V_star;
    if (!isfinite(V) || !isfinite(V_star) || length(X) == 0.0 || length(Y) == 0.0 || length(Z) == 0.0)
        return fail(err, "the reciprocal vectors span no volume: expected independent vectors from -mat or -cell");
    x->real_A = (Cell){scaled(V, X), scaled(V, Y), scaled(V, Z)};
    x->star_A_inv =
        (Cell){scaled(V_star, cross(x->real_A.b, x->real_A.c)), scaled(V_star, cross(x->real_A.c, x->real_A.a)),
               scaled(V_star, cross(x->real_A.a, x->real_A.b))};
    x->real_m = (Cell){scaled(1e-10, x->real_A.a), scaled(1e-10, x->real_A.b), scaled(1e-10, x->real_A.c)};
    x->V_cell_A3 = V;
    describe(x, V_star);
    return true;
}

/* Cells along one axis: from the sample's size where one is given, at least 1. */
static bool count_cells(double *N, int given, double sample_m, Vec3 edge_m, Error *err)
{
    *N = sample_m > 0.0 ? ceil(sample_m / length(edge_m)) : given;
    if (*N < 1.0)
        *N = 1.0;
    return *N < 1e15 || fail(err, "flags -sample_x, -sample_y, -sample_z: expected a crystal of fewer than 1e15 cells");
}

static bool draw_domains(Crystal *x, const Settings *s, Generator *generator, Error *err)
{
    long seed = s->mosaic_seed;
    x->mosaic_spread_rad = s->mosaic_spread_rad;
    x->mosaic_domains = sample_domains(s->mosaic_domains, &x->mosaic_spread_rad);
    x->domains_raised = s->mosaic_domains <= 0 && x->mosaic_domains > 1;
    if (!check_count("-mosaic_domains", x->mosaic_domains, err))
        return false;
    x->mosaic_umats = calloc((size_t)x->mosaic_domains, sizeof *x->mosaic_umats);
    if (!x->mosaic_umats)
        return fail(err, "flag -mosaic_domains: no memory for %d domains", x->mosaic_domains);
    for (int i = 0; i < x->mosaic_domains; i++)
        x->mosaic_umats[i] = random_umat(generator, &seed, (float)x->mosaic_spread_rad);
    x->mosaic_umats[0] = (Umat){{1, 0, 0, 0, 1, 0, 0, 0, 1}}; /* after its draws */
    return true;
}

bool build_crystal(Crystal *x, const Settings *s, const char *matrix_text, Generator *generator, Error *err)
{
    double cell[6], V_cell = 0.0;
    Cell star = {0};
    *x = (Crystal){.shape = s->shape, .fudge = s->fudge, .misset_rad = s->misset_rad};
    if (s->cell_given) {
        for (int i = 0; i < 6; i++)
            cell[i] = i < s->cell_given ? s->cell[i] : i < 3 ? s->cell[0] : 90.0 / RTD;
        if (!star_from_cell(cell, &star, &V_cell, err))
            return false;
    }
    if (matrix_text && !parse_matrix(&star, s->mat_file, matrix_text, 1e-10 / s->lambda0_m, err))
        return false;
    if (s->misset == MISSET_RANDOM) {
        long seed = s->misset_seed;
        Umat umat = random_umat(generator, &seed, 90.0F); /* quirk misset-90-radians: a cap of 90 radians */
        x->misset_rad = angles_from_umat(&umat);
        x->misset_random = true;
    }
    if (s->misset != MISSET_NONE)
        star = misset_cell(star, x->misset_rad);
    if (!make_dual(x, star, s->cell_given ? cell : NULL, V_cell, err))
        return false;

    x->clipped_y = s->beamsize_m >= 0.0 && s->beamsize_m < s->sample_y_m;
    x->clipped_z = s->beamsize_m >= 0.0 && s->beamsize_m < s->sample_z_m;
    x->sample_y_m = x->clipped_y ? s->beamsize_m : s->sample_y_m;
    x->sample_z_m = x->clipped_z ? s->beamsize_m : s->sample_z_m;
    return count_cells(&x->Na, s->Na, s->sample_x_m, x->real_m.a, err) &&
           count_cells(&x->Nb, s->Nb, x->sample_y_m, x->real_m.b, err) &&
           count_cells(&x->Nc, s->Nc, x->sample_z_m, x->real_m.c, err) && draw_domains(x, s, generator, err);
}

Cell reciprocal(const Cell *real, double *volume)
{
    *volume = dot(real->a, cross(real->b, real->c));
    double over = 1.0 / *volume;
    return (Cell){scaled(over, cross(real->b, real->c)), scaled(over, cross(real->c, real->a)),
                  scaled(over, cross(real->a, real->b))};
}

int recommended_oversample(const Crystal *x, double fringe_m, double *largest_m)
{
    double along_a = x->Na * x->cell_A[0] * 1e-10, along_b = x->Nb * x->cell_A[1] * 1e-10,
           along_c = x->Nc * x->cell_A[2] * 1e-10;
    *largest_m = along_a > along_b ? along_a : along_b;
    *largest_m = *largest_m > along_c ? *largest_m : along_c;
    double recommended = ceil(3.0 * *largest_m / fringe_m);
    if (!(recommended >= 1.0))
        return 1;
    return recommended > INT_MAX ? INT_MAX : (int)recommended;
}

void free_crystal(Crystal *x)
{
    free(x->mosaic_umats);
    x->mosaic_umats = NULL;
}
