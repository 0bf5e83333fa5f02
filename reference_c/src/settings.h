/* The values of flags and image headers, before any default is worked out. Lengths in metres, angles in radians,
 * the cell in angstroms. "Not given" is NAN for a length that may have any sign, -1 for a count, a range or a step
 * (model.md section 3), NULL for a file. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>

#include "vec.h"

typedef enum {
    CONVENTION_MOSFLM,
    CONVENTION_DENZO,
    CONVENTION_ADXV,
    CONVENTION_XDS,
    CONVENTION_DIALS,
    CONVENTION_CUSTOM
} Convention;
typedef enum { PIVOT_SAMPLE, PIVOT_BEAM } Pivot;
typedef enum { SHAPE_SQUARE, SHAPE_ROUND, SHAPE_GAUSS, SHAPE_TOPHAT } Shape;
typedef enum { INTERPOLATE_NO, INTERPOLATE_YES, INTERPOLATE_AUTO } Interpolate;
typedef enum { MISSET_NONE, MISSET_GIVEN, MISSET_RANDOM } Misset;

/* A quantity sampled at `count` places from `range` in steps of `step`; below zero where not given. */
typedef struct {
    int count;
    double range, step;
} Sampled;

typedef struct {
    int spixel, fpixel;
} TracePixel;

#define MAX_TRACE_PIXELS 4096

typedef struct {
    /* structure factors */
    const char *hkl_file, *dump_file;
    double default_F;
    Interpolate interpolate;

    /* crystal */
    const char *mat_file;
    int cell_given; /* numbers after -cell: 0 to 6 */
    double cell[6]; /* angstrom, rad */
    Misset misset;
    Vec3 misset_rad;
    int Na, Nb, Nc;
    double sample_x_m, sample_y_m, sample_z_m;
    Shape shape;
    double fudge;
    double mosaic_spread_rad;
    int mosaic_domains;
    double water_size_m;

    /* seeds, with the sign that they have for the generator (a flag gives the negative) */
    long seed, mosaic_seed, misset_seed;

    /* spindle */
    double phi0_rad;
    Sampled osc; /* rad */

    /* beam */
    double lambda0_m;
    Sampled dispersion; /* fraction */
    Sampled hdiv, vdiv; /* rad */
    bool round_div;
    const char *source_file;
    double polarization; /* Kahn factor */
    bool nopolar;
    double fluence, flux, exposure_s, beamsize_m;
    double dmin_m;

    /* detector */
    Convention convention;
    Pivot pivot;
    Vec3 beam_vector, fdet_vector, sdet_vector, odet_vector, polar_vector, spindle_vector, twotheta_axis;
    double pixel_m;
    int fpixels, spixels;
    double detsize_f_m, detsize_s_m;
    double distance_m, close_distance_m;
    double Xbeam_m, Ybeam_m, Xclose_m, Yclose_m;
    double ORGX, ORGY; /* pixels */
    Vec3 detector_rot_rad;
    double twotheta_rad;
    bool curved_detector, point_pixel;
    double detector_mu; /* per metre, -1 not set */
    Sampled thick;      /* m */
    int oversample;
    bool oversample_thick, oversample_polar, oversample_omega;
    int roi[4]; /* xmin xmax ymin ymax, -1 not given */
    const char *image_file, *mask_file;

    /* outputs */
    const char *float_file, *int_file, *pgm_file, *noise_file;
    bool write_pgm, write_noise;
    bool output_named; /* some output file was named by a flag */
    double int_scale, pgm_scale, adc_offset;
    bool printout;
    int printout_fpixel, printout_spixel;
    bool progress;

    /* what this program adds */
    bool help, version, lenient, show_config;
    int threads; /* 0: choose */
    bool fix_phi_carryover, fix_interp_latch;
    const char *trace_file;
    int trace_count;
    TracePixel trace_pixels[MAX_TRACE_PIXELS];
} Settings;

/* The defaults of the original (model.md section 3, cli.md). `now_s` seeds noise and random misset. */
void default_settings(Settings *settings, long now_s);

#endif
