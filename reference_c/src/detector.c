/* Placement of the detector (model.md section 4): a convention gives the axes, beam centre or near point the origin.
 * Quirk convention-reset: a named convention sets all vectors and the pivot, whatever flags came before or after it;
 * only CUSTOM keeps those of the flags. */
#include "detector.h"

#include <float.h>
#include <limits.h>

#include "rotations.h"
#include "units.h"

static double given_or(double value, double otherwise)
{
    return isnan(value) ? otherwise : value;
}

static void set_axes(Detector *d, Vec3 beam, Vec3 fdet, Vec3 sdet, Vec3 odet, Vec3 twotheta, Vec3 polar, Vec3 spindle)
{
    d->beam_vector = beam;
    d->fdet_vector = fdet;
    d->sdet_vector = sdet;
    d->odet_vector = odet;
    d->twotheta_axis = twotheta;
    d->polar_vector = polar;
    d->spindle_vector = spindle;
}

/* The table of conventions. Needs detsize, pixel, Xclose, Yclose; sets axes, pivot, Xbeam.. and Fbeam.. */
static void apply_convention(Detector *d, const Settings *s)
{
    const Vec3 X = vec3(1, 0, 0), Y = vec3(0, 1, 0), Z = vec3(0, 0, 1);
    const Vec3 minus_X = vec3(-1, 0, 0), minus_Y = vec3(0, -1, 0), minus_Z = vec3(0, 0, -1);
    double Xdefault = d->Xclose_m, Ydefault = d->Yclose_m;
    switch (d->convention) {
    case CONVENTION_MOSFLM:
    case CONVENTION_DENZO:
        set_axes(d, X, Z, minus_Y, X, minus_Z, Z, Z);
        d->pivot = PIVOT_BEAM;
        Xdefault = (d->detsize_s_m + d->pixel_m) / 2.0;
        Ydefault = (d->detsize_f_m + d->pixel_m) / 2.0;
        break;
    case CONVENTION_ADXV:
        set_axes(d, Z, X, minus_Y, Z, minus_X, X, X);
        d->pivot = PIVOT_BEAM;
        Xdefault = (d->detsize_f_m + d->pixel_m) / 2.0;
        Ydefault = (d->detsize_s_m - d->pixel_m) / 2.0;
        break;
    case CONVENTION_XDS:
        set_axes(d, Z, X, Y, Z, X, X, X);
        d->pivot = PIVOT_SAMPLE;
        break;
    case CONVENTION_DIALS:
        set_axes(d, Z, X, Y, Z, Y, Y, Y);
        d->pivot = PIVOT_SAMPLE;
        break;
    case CONVENTION_CUSTOM:
        set_axes(d, s->beam_vector, s->fdet_vector, s->sdet_vector, s->odet_vector, s->twotheta_axis, s->polar_vector,
                 s->spindle_vector);
        d->pivot = s->pivot;
        break;
    }
    d->Xbeam_m = given_or(s->Xbeam_m, Xdefault);
    d->Ybeam_m = given_or(s->Ybeam_m, Ydefault);
    switch (d->convention) {
    case CONVENTION_MOSFLM: /* its beam centre is measured from the edge of the first pixel, ours from its middle */
        d->Fbeam_m = d->Ybeam_m + 0.5 * d->pixel_m;
        d->Sbeam_m = d->Xbeam_m + 0.5 * d->pixel_m;
        break;
    case CONVENTION_DENZO:
        d->Fbeam_m = d->Ybeam_m;
        d->Sbeam_m = d->Xbeam_m;
        break;
    case CONVENTION_ADXV:
        d->Fbeam_m = d->Xbeam_m;
        d->Sbeam_m = d->detsize_s_m - d->Ybeam_m;
        break;
    case CONVENTION_CUSTOM: /* quirk custom-switch: no half pixel, and X is fast */
        d->Fclose_m = d->Xbeam_m;
        d->Sclose_m = d->Ybeam_m;
        d->Fbeam_m = d->Xbeam_m;
        d->Sbeam_m = d->Ybeam_m;
        break;
    case CONVENTION_XDS:
    case CONVENTION_DIALS:
        d->Fbeam_m = d->Xbeam_m;
        d->Sbeam_m = d->Ybeam_m;
        break;
    }
}

static Vec3 tilt(const Detector *d, const Settings *s, Vec3 v)
{
    return rotate_axis(rotate_xyz(v, s->detector_rot_rad), d->twotheta_axis, s->twotheta_rad);
}

/* -Fdet f - Sdet s + depth along o or the beam. */
static Vec3 origin(const Detector *d, double Fdet, double Sdet, double depth, Vec3 along)
{
    return add(add(scaled(-Fdet, d->fdet_vector), scaled(-Sdet, d->sdet_vector)), scaled(depth, along));
}

/* Steps 1 to 6 of "Placement"; quirk pix0-ignored: no flag sets the origin. */
static bool place(Detector *d, const Settings *s, Error *err)
{
    double ratio = dot(d->beam_vector, rotate_xyz(d->odet_vector, s->detector_rot_rad));
    if (ratio == 0.0)
        ratio = DBL_MIN;
    d->close_distance_m = given_or(s->close_distance_m, fabs(ratio * s->distance_m));
    d->distance_m = d->close_distance_m / ratio;
    if (d->pivot == PIVOT_SAMPLE)
        d->pix0_vector_m = tilt(d, s, origin(d, d->Fclose_m, d->Sclose_m, d->close_distance_m, d->odet_vector));
    d->fdet_vector = tilt(d, s, d->fdet_vector);
    d->sdet_vector = tilt(d, s, d->sdet_vector);
    d->odet_vector = tilt(d, s, d->odet_vector);
    if (d->pivot == PIVOT_BEAM)
        d->pix0_vector_m = origin(d, d->Fbeam_m, d->Sbeam_m, d->distance_m, d->beam_vector);

    d->Fclose_m = -dot(d->pix0_vector_m, d->fdet_vector);
    d->Sclose_m = -dot(d->pix0_vector_m, d->sdet_vector);
    d->close_distance_m = dot(d->pix0_vector_m, d->odet_vector);
    Vec3 R = add(scaled(d->close_distance_m / ratio, d->beam_vector), scaled(-1.0, d->pix0_vector_m));
    d->Fbeam_m = dot(d->fdet_vector, R);
    d->Sbeam_m = dot(d->sdet_vector, R);
    d->distance_m = d->close_distance_m / ratio;
    d->ORGX = d->Fclose_m / d->pixel_m + 0.5;
    d->ORGY = d->Sclose_m / d->pixel_m + 0.5;
    d->dials_origin_mm = scaled(1000.0, vec3(d->pix0_vector_m.z, d->pix0_vector_m.y, -d->pix0_vector_m.x));
    d->xds_beam = vec3(dot(d->beam_vector, d->fdet_vector), dot(d->beam_vector, d->sdet_vector),
                       dot(d->beam_vector, d->odet_vector));
    return (isfinite(d->close_distance_m) && isfinite(length(d->pix0_vector_m))) ||
           fail(err, "the detector geometry has no finite distance: expected a normal (-odet_vector) along the beam");
}

static bool set_size(Detector *d, const Settings *s, Error *err)
{
    d->pixel_m = s->pixel_m;
    d->detsize_f_m = s->fpixels ? s->pixel_m * s->fpixels : s->detsize_f_m;
    d->detsize_s_m = s->spixels ? s->pixel_m * s->spixels : s->detsize_s_m;
    double fpixels = ceil(d->detsize_f_m / d->pixel_m - 0.5) + 0.0,
           spixels = ceil(d->detsize_s_m / d->pixel_m - 0.5) + 0.0;
    if (!(fpixels >= 1.0 && spixels >= 1.0 && fpixels * spixels <= MAX_ELEMENTS))
        return fail(err, "flags -detpixels, -detsize, -pixel: expected a detector of 1 to %g pixels, got %g x %g",
                    MAX_ELEMENTS, fpixels, spixels);
    d->fpixels = (int)fpixels;
    d->spixels = (int)spixels;
    d->roi_xmin = s->roi[0] < 0 ? 0 : s->roi[0];
    d->roi_xmax = s->roi[1] < 0 ? d->fpixels : s->roi[1];
    d->roi_ymin = s->roi[2] < 0 ? 0 : s->roi[2];
    d->roi_ymax = s->roi[3] < 0 ? d->spixels : s->roi[3];
    if (d->roi_xmin >= d->fpixels || d->roi_ymin >= d->spixels)
        return fail(err, "flag -roi: expected a region on the detector of %d x %d pixels", d->fpixels, d->spixels);
    return true;
}

bool place_detector(Detector *d, const Settings *s, Error *err)
{
    *d = (Detector){.convention = s->convention,
                    .lambda0_m = s->lambda0_m,
                    .twotheta_rad = s->twotheta_rad,
                    .curved = s->curved_detector,
                    .point_pixel = s->point_pixel};
    if (!set_size(d, s, err))
        return false;
    d->Fclose_m = given_or((s->ORGX - 0.5) * d->pixel_m, d->detsize_f_m / 2.0);
    d->Sclose_m = given_or((s->ORGY - 0.5) * d->pixel_m, d->detsize_s_m / 2.0);
    d->Xclose_m = given_or(s->Xclose_m, d->Fclose_m);
    d->Yclose_m = given_or(s->Yclose_m, d->Sclose_m);
    apply_convention(d, s);

    d->odet_generated = length(d->odet_vector) != 1.0;
    d->beam_vector = unit(d->beam_vector);
    d->fdet_vector = unit(d->fdet_vector);
    d->sdet_vector = unit(d->sdet_vector);
    d->odet_vector = unit(d->odet_vector);
    d->polar_vector = unit(d->polar_vector);
    d->spindle_vector = unit(d->spindle_vector);
    if (d->odet_generated)
        d->odet_vector = unit(cross(d->fdet_vector, d->sdet_vector));
    d->polarization_normal = cross(d->beam_vector, d->polar_vector);
    d->vert_vector = unit(d->polarization_normal);
    return place(d, s, err);
}

Vec3 detector_position(const Detector *d, double Fdet_m, double Sdet_m, double Odet_m)
{
    Vec3 flat =
        vec3(Fdet_m * d->fdet_vector.x + Sdet_m * d->sdet_vector.x + Odet_m * d->odet_vector.x + d->pix0_vector_m.x,
             Fdet_m * d->fdet_vector.y + Sdet_m * d->sdet_vector.y + Odet_m * d->odet_vector.y + d->pix0_vector_m.y,
             Fdet_m * d->fdet_vector.z + Sdet_m * d->sdet_vector.z + Odet_m * d->odet_vector.z + d->pix0_vector_m.z);
    if (!d->curved)
        return flat;
    Vec3 ahead = scaled(d->distance_m, d->beam_vector);
    ahead = rotate_axis(ahead, d->sdet_vector, flat.y / d->distance_m);
    return rotate_axis(ahead, d->fdet_vector, flat.z / d->distance_m);
}

double solid_angle(const Detector *d, double airpath_m)
{
    if (d->point_pixel)
        return 1.0 / airpath_m / airpath_m;
    return d->pixel_m * d->pixel_m / airpath_m / airpath_m * d->close_distance_m / airpath_m;
}

double capture(const Detector *d, int thick_tic, Vec3 diffracted)
{
    double parallax = dot(diffracted, d->odet_vector);
    double before = exp(-thick_tic * d->thickstep_m * d->mu / parallax);
    return before - exp(-(thick_tic + 1) * d->thickstep_m * d->mu / parallax);
}
