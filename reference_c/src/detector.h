/* The detector: where its pixels are, how much of the sphere one covers, what its sensor absorbs (model.md section 4).
 * Metres and radians, laboratory frame. */
#ifndef DETECTOR_H
#define DETECTOR_H

#include "errors.h"
#include "settings.h"

typedef struct {
    Convention convention;
    Pivot pivot;
    Vec3 beam_vector, fdet_vector, sdet_vector, odet_vector, polar_vector, spindle_vector, twotheta_axis;
    Vec3 vert_vector;         /* unit(beam x polarisation) */
    Vec3 polarization_normal; /* the same before it is made a unit vector, as it is printed */
    Vec3 pix0_vector_m;
    Vec3 dials_origin_mm;
    Vec3 xds_beam; /* the beam in detector axes */
    int fpixels, spixels;
    double pixel_m, detsize_f_m, detsize_s_m;
    double distance_m, close_distance_m;
    double Xbeam_m, Ybeam_m, Fbeam_m, Sbeam_m;
    double Xclose_m, Yclose_m, Fclose_m, Sclose_m;
    double ORGX, ORGY;
    double lambda0_m, twotheta_rad; /* copied for headers */
    bool curved, point_pixel;
    double mu, thick_m, thickstep_m; /* per metre, m, m */
    int thicksteps;
    int roi_xmin, roi_xmax, roi_ymin, roi_ymax; /* inclusive; the upper ends may lie beyond the detector */
    bool odet_generated;
} Detector;

/* Sizes, convention, beam centre and placement. Refuses detectors beyond MAX_ELEMENTS pixels and regions outside. */
bool place_detector(Detector *detector, const Settings *settings, Error *err);

/* Laboratory position (m) of a point Fdet, Sdet, Odet (m) of the detector. */
Vec3 detector_position(const Detector *detector, double Fdet_m, double Sdet_m, double Odet_m);

/* Solid angle (sr) of a pixel at distance airpath (m). */
double solid_angle(const Detector *detector, double airpath_m);

/* Fraction of the photons along the unit vector `diffracted` that layer thick_tic absorbs; 0 without thickness. */
double capture(const Detector *detector, int thick_tic, Vec3 diffracted);

#endif
