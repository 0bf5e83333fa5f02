"""The equations of the diffraction model over the variables of its traces: the third opinion on both programs.

Written from the model's description alone, in extended precision, and from neither program: an equation says what a
variable should be, given values of the same log. The figures of the original obey every one of them.
What no equation here covers, since the log does not hold what it would need: the settings themselves (cell, wavelength,
fluence, detector position), the table of structure factors, Kahn's K and the sensor's thickness at a single place, and
the size of a pixel at a single place.
"""

from __future__ import annotations

import math

from trace_parity.blame.equation import Default, Domain, LoopSetting

from . import beam, crystal, geometry, pixels, scaling

UNIT_FACTORS = (
    (1e10, "Å for m or m for Å"),
    (1e20, "Å² for m² or m² for Å²"),
    (1e30, "Å³ for m³ or m³ for Å³"),
    (1e3, "mm for m or m for mm"),
    (1e6, "µm for m or m for µm"),
    (1e9, "nm for m or m for nm"),
    (10.0, "Å for nm or nm for Å"),
    (1e3, "Å³ for nm³ or nm³ for Å³"),
    (1e6, "mm² for m² or m² for mm²"),
    (180 / math.pi, "degrees for radians or radians for degrees"),
    ((180 / math.pi) ** 2, "square degrees for sr or sr for square degrees"),
    (2 * math.pi, "2π too many or too few"),
    ((2 * math.pi) ** 2, "(2π)² too many or too few"),
)
"""A ratio that is one of these, or its inverse, smells of this. `A for B`: the number in A is this times that in B."""

STAGES = (geometry, beam, crystal, scaling)
"""The modules of equations, in order of evaluation."""

FINALS = ("pixel.I_pixel_final", "pixel.floatimage_accumulated", "pixel.I_before_scaling")
"""What a pixel ends in."""

OF_CONVENTION = ("-mosflm", "-xds", "-adxv", "-denzo", "-dials")
DEFAULTS = {
    "run.beam_vec": Default((1.0, 0.0, 0.0), "-beam_vector", also=OF_CONVENTION),
    "run.polar_vec": Default((0.0, 0.0, 1.0), "-polar_vector", also=OF_CONVENTION),
    "run.spindle_vec": Default((0.0, 0.0, 1.0), "-spindle_axis", also=OF_CONVENTION),
    "mosaic.mosaic_umat": Default((1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), "-mosaic_spread", is_entered=False),
    "step.phi_deg": Default((0.0,), "-phi", first_of="phi_tic", steps="-osc and -phistep"),
    "run.distance_meters": Default((0.1,), "-distance", also=("-close_distance",)),
    "run.N_cells": Default(
        (1.0, 1.0, 1.0), "-N, -Na, -Nb and -Nc", also=("-xtalsize", "-samplesize", "-xtal_size", "-sample_size")
    ),
    "source.lambda_meters": Default(
        (1e-10,), "-lambda", also=("-wave", "-wavelength", "-energy", "-dispersion", "-sourcefile")
    ),
    "pixel.fluence_photons_per_m2": Default(
        (1.2593201528622709e29,), "-fluence and -flux", is_entered=False, also=("-exposure", "-beamsize")
    ),
}
"""Model, sections 1 and 3."""

LOOPS = {
    "thick_tic": LoopSetting("sensor layers", "-detector_thicksteps", 1, is_counted=False),
    "subS": LoopSetting("sub-pixels on each axis", "-oversample"),
    "subF": LoopSetting("sub-pixels on each axis", "-oversample"),
    "source": LoopSetting(
        "sources",
        "-hdivsteps, -vdivsteps, -dispsteps or -sourcefile",
        1,
        {
            "source.incident_vec": "-divergence, -hdivsteps, -vdivsteps or -sourcefile",
            "source.lambda_meters": "-dispersion, -dispsteps or -sourcefile",
        },
    ),
    "phi_tic": LoopSetting("phi steps", "-phisteps, -phistep or -osc", 1),
    "mos_tic": LoopSetting("mosaic domains", "-mosaic_spread or -mosaic_domains", 1),
}
"""Model, section 3: each step is of one of these. The number of sub-pixels is worked out when it is not given."""

EQUATIONS = tuple(equation for stage in STAGES for equation in stage.EQUATIONS)
DOMAIN = Domain(
    "nanoBragg",
    EQUATIONS,
    UNIT_FACTORS,
    finals=FINALS,
    defaults=DEFAULTS,
    loops=LOOPS,
    iterations="pixel.steps",
    hints={"run.pix0_vector_meters": pixels.offset_of_origin},
)
"""What blame asks of logs of this pair."""
