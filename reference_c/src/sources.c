/* Incident directions and wavelengths, from a file or from divergence and dispersion (model.md section 6). */
#include "sources.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "rotations.h"
#include "sampling.h"
#include "units.h"

static bool add_source(Beam *beam, int *room, Vec3 position, double weight, double lambda_m, Error *err)
{
    if (beam->count == *room) {
        *room = *room ? 2 * *room : 16;
        Source *larger = realloc(beam->sources, (size_t)*room * sizeof *larger);
        if (!larger)
            return fail(err, "no memory for %d sources", *room);
        beam->sources = larger;
    }
    /* the position as a unit vector, then turned around: the signs of zeros are those of -1.0 times it */
    beam->sources[beam->count++] = (Source){scaled(-1.0, unit(position)), lambda_m, position, weight};
    return check_count("-sourcefile, -divergence, -dispersion", beam->count, err);
}

bool parse_sources(Beam *beam, const char *path, const char *text, const Detector *detector, Error *err)
{
    int room = 0, line = 0;
    beam->from_file = true;
    beam->directions = -1;
    while (*text) {
        Vec3 behind = scaled(-SOURCE_DISTANCE_M, detector->beam_vector);
        double columns[5] = {behind.x, behind.y, behind.z, 1.0, beam->lambda0_m};
        size_t size = strcspn(text, "\n");
        const char *stop = text + size, *at = text;
        int found = 0;
        line++;
        for (;;) {
            while (at < stop && isspace((unsigned char)*at))
                at++;
            if (at == stop || found == 5)
                break;
            char *end;
            columns[found] = strtod(at, &end);
            if (end == at || !isfinite(columns[found]))
                return fail(err, "flag -sourcefile: file '%s', line %d: expected X Y Z weight wavelength, got '%s'",
                            path, line, excerpt(at).text);
            at = end;
            found++;
        }
        if (at != stop)
            return fail(err, "flag -sourcefile: file '%s', line %d: expected at most 5 numbers, got '%s'", path, line,
                        excerpt(at).text);
        Vec3 position = vec3(columns[0], columns[1], columns[2]);
        if (found && (!(columns[4] > 0.0) || length(position) == 0.0))
            return fail(
                err, "flag -sourcefile: file '%s', line %d: expected a place off the origin and a positive wavelength",
                path, line);
        if (found && !add_source(beam, &room, position, columns[3], columns[4], err))
            return false;
        text = stop + (*stop == '\n');
    }
    return beam->count || fail(err, "flag -sourcefile: file '%s': expected at least one source", path);
}

/* Round divergence leaves out the corners. 0/0 is NaN for a single direction, which compares false: kept. */
static bool outside_ellipse(const Beam *beam, double hdiv, double vdiv)
{
    const Sampled *h = &beam->hdiv, *v = &beam->vdiv;
    double along_h = (hdiv * hdiv - h->step * h->step / 4.0 * (1 - h->count % 2)) / (h->range * h->range);
    double along_v = (vdiv * vdiv - v->step * v->step / 4.0 * (1 - v->count % 2)) / (v->range * v->range);
    return 4.0 * (along_h + along_v) > 1.1;
}

bool divergence_rad(const Beam *beam, int hdiv_tic, int vdiv_tic, double *hdiv, double *vdiv)
{
    *hdiv = beam->hdiv.step * hdiv_tic - beam->hdiv.range / 2.0;
    *vdiv = beam->vdiv.step * vdiv_tic - beam->vdiv.range / 2.0;
    return !beam->round_div || !outside_ellipse(beam, *hdiv, *vdiv);
}

double wavelength_m(const Beam *beam, int disp_tic)
{
    /* in this order: the last bit is printed */
    return beam->lambda0_m * (1.0 + beam->dispersion.step * disp_tic - beam->dispersion.range / 2.0);
}

static bool generate_sources(Beam *beam, const Detector *d, Error *err)
{
    int room = 0;
    for (int hdiv_tic = 0; hdiv_tic < beam->hdiv.count; hdiv_tic++)
        for (int vdiv_tic = 0; vdiv_tic < beam->vdiv.count; vdiv_tic++) {
            double hdiv, vdiv;
            if (!divergence_rad(beam, hdiv_tic, vdiv_tic, &hdiv, &vdiv))
                continue;
            beam->directions++;
            Vec3 position = scaled(-SOURCE_DISTANCE_M, d->beam_vector);
            position = rotate_axis(position, d->polar_vector, vdiv);
            position = rotate_axis(position, d->vert_vector, hdiv);
            for (int disp_tic = 0; disp_tic < beam->dispersion.count; disp_tic++) {
                double lambda_m = wavelength_m(beam, disp_tic);
                if (!(lambda_m > 0.0))
                    return fail(err, "flag -dispersion: expected a width that leaves wavelengths above 0, got %g %%",
                                beam->dispersion.range * 100.0);
                if (!add_source(beam, &room, position, 1.0, lambda_m, err))
                    return false;
            }
        }
    for (int i = 0; i < beam->count; i++)
        beam->sources[i].weight = 1.0 / beam->count;
    if (!beam->count)
        note("WARNING: the steps of divergence leave no source inside the round beam: every pixel is 0/0 (quirk "
             "no-sources)");
    return true;
}

bool build_beam(Beam *beam, const Settings *s, const Detector *detector, const char *source_text, Error *err)
{
    *beam = (Beam){.lambda0_m = s->lambda0_m,
                   .round_div = s->round_div,
                   .dmin_m = s->dmin_m,
                   .polarization = s->polarization,
                   .nopolar = s->nopolar,
                   .fluence = s->fluence};
    if (s->flux != 0.0 && s->exposure_s > 0.0 && s->beamsize_m >= 0.0)
        beam->fluence = s->flux * s->exposure_s / s->beamsize_m / s->beamsize_m;
    beam->dispersion = sample_beam(s->dispersion);
    beam->hdiv = sample_beam(s->hdiv);
    beam->vdiv = sample_beam(s->vdiv);
    if (!check_count("-dispsteps", beam->dispersion.count, err) || !check_count("-hdivsteps", beam->hdiv.count, err) ||
        !check_count("-vdivsteps", beam->vdiv.count, err) ||
        !check_count("-divsteps x -dispsteps", (double)beam->dispersion.count * beam->hdiv.count * beam->vdiv.count,
                     err))
        return false;
    if (source_text)
        return parse_sources(beam, s->source_file, source_text, detector, err);
    return generate_sources(beam, detector, err);
}

double polarization_factor(double K, Vec3 incident, Vec3 diffracted, Vec3 polar_vector)
{
    double cos2theta = dot(incident, diffracted);
    double cos2theta_sqr = cos2theta * cos2theta;
    double sin2theta_sqr = 1.0 - cos2theta_sqr;
    double psi = 0.0;
    if (K != 0.0) {
        Vec3 B_in = unit(cross(polar_vector, incident)), E_in = unit(cross(incident, B_in));
        psi = -atan2(dot(diffracted, B_in), dot(diffracted, E_in));
    }
    return 0.5 * (1.0 + cos2theta_sqr - K * cos(2.0 * psi) * sin2theta_sqr);
}

void free_beam(Beam *beam)
{
    free(beam->sources);
    beam->sources = NULL;
}
