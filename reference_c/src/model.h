/* One run's model, all defaults worked out, and the evaluation of one pixel of it (model.md sections 7 and 8). */
#ifndef MODEL_H
#define MODEL_H

#include "crystal.h"
#include "detector.h"
#include "probe.h"
#include "sources.h"
#include "structure_factors.h"

typedef struct {
    Detector detector;
    Crystal crystal;
    Beam beam;
    Reflections refl;
    bool interpolate;
    double phi0_rad;
    Sampled osc;
    int oversample, recommended_oversample;
    double largest_m; /* longest edge of the crystal */
    double fringe_m;  /* the crystal size whose fringes are a pixel apart */
    bool oversample_given;
    bool oversample_thick, oversample_polar, oversample_omega;
    double steps;              /* sources x domains x phisteps x oversample^2 */
    double I_bg;               /* what I starts from: water background */
    bool water;                /* there is any */
    const unsigned char *mask; /* a byte per pixel, 0 skipped; NULL without */
    bool fix_phi_carryover, fix_interp_latch;
    Cell *rotated_m; /* [phi slot][mosaic domain]; slot phisteps holds the unrotated vectors */
} Model;

/* What the original carries from one evaluation to the next (kind "state leak" in quirks.md). */
typedef struct {
    int phi_slot;     /* quirk phi-carryover: the slot last computed */
    bool interpolate; /* quirk interp-latch: still on */
} LeakState;

typedef struct {
    double I;                              /* sum over all steps, before scaling */
    double capture_fraction, polar, omega; /* the factors used for the pixel */
    double I_pixel;                        /* photons */
    double omega_sum;                      /* over layers and sub-samples */
    bool block_outside;                    /* a 4x4x4 block left the grid */
    Vec3 outside_hkl;                      /* the first one that did */
} Pixel;

/* Fills the derived members from settings and stages that are already built. */
bool finish_model(Model *model, const Settings *settings, Error *err);

/* The state before the first pixel. */
LeakState fresh_state(const Model *model);

/* Whether anything that this run evaluates can leak: phi-carryover needs phi=0 and another phi. */
bool phi_can_leak(const Model *model);
bool interp_can_leak(const Model *model);

/* All loops of one pixel. `leak` is read and updated; `tracer` may be NULL. */
Pixel evaluate_pixel(const Model *model, int spixel, int fpixel, LeakState *leak, Tracer *tracer);

/* The same from the same source, with the probes in; only the tracing build has it. */
Pixel trace_pixel(const Model *model, int spixel, int fpixel, LeakState *leak, Tracer *tracer);

/* Inside the region of interest and not masked out. */
bool is_rendered(const Model *model, int spixel, int fpixel);

/* Place (m) of the centre of a sub-sample along one axis of the detector. */
double subsample_m(const Model *model, int pixel, int sub);

void free_model(Model *model);

#endif
