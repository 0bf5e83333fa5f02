# ruff: noqa: E501 (edits stand as they do in the sources)
"""Faults planted in the source of either program: does blame name the side and the stage?

    python benchmarks/planted_faults.py [--side C|PY] [--only WORD] [--jobs 2] [--write RESULTS-faults.md]

Each fault is an edit of a copy of the simulator or of the C reference, in a temporary folder; the edited program is
built and traced beside the sound other one on three command lines, and the logs are compared as `trace-diff compare`
does. `expected` are the variables that the edited stage makes: every accusation must be of that side and of one of
these, and every one of several faults planted together must be named.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from harness.align import align  # noqa: E402
from harness.blame_findings import Blame  # noqa: E402
from harness.coverage import Contract  # noqa: E402
from harness.result import CaseResult, compare  # noqa: E402
from harness.trace import read_trace  # noqa: E402
from harness.vocabulary import load_vocabulary  # noqa: E402
from tests.golden_inputs import write_inputs  # noqa: E402

LINES = {
    "rich": "-cell 70 80 90 85 95 105 -misset 3 4 5 -hkl synth.hkl -lambda 1.0 -Na 5 -Nb 6 -Nc 7 -distance 100 "
    "-detpixels 64 -pixel 0.4 -nointerpolate -oversample 2 -phi 20 -osc 1 -phisteps 4 -mosaic 0.3 -mosaic_dom 3 "
    "-dispersion 2 -dispsteps 2 -polar 0.9 -xds -detector_rotx 5 -detector_roty 3 -detector_rotz 2 "
    "-detector_abs 450 -detector_thick 450 -detector_thicksteps 2 -trace_pixel 20 31 -trace_pixel 45 12",
    "plain": "-cell 70 80 90 85 95 105 -hkl synth.hkl -lambda 1.0 -Na 5 -Nb 6 -Nc 7 -distance 100 -detpixels 64 "
    "-pixel 0.4 -nointerpolate -oversample 1 -trace_pixel 20 31 -trace_pixel 45 12",
    "arm": "-mat orient.mat -hkl synth.hkl -lambda 1.0 -Na 5 -Nb 6 -Nc 7 -distance 100 -detpixels 64 -pixel 0.4 "
    "-nointerpolate -oversample 1 -twotheta 6 -water 20 -phi 0 -osc 2 -phisteps 2 -trace_pixel 20 31 -trace_pixel 45 12",
}
TICKED = {"rot": "rot_a_angstroms rot_b_angstroms rot_c_angstroms", "cell": "a_angstroms b_angstroms c_angstroms"}
TICKED |= {"rot_star": "rot_a_star_A_inv rot_b_star_A_inv rot_c_star_A_inv"}
TICKED |= {"star": "a_star_A_inv b_star_A_inv c_star_A_inv", "latt_abc": "F_latt_a F_latt_b F_latt_c"}


@dataclass(frozen=True)
class Fault:
    """`edits` are (file, old, new); a fault that no equation can tell is expected to come out as an unexplained first
    divergence at `expected`."""

    name: str
    side: str
    expected: tuple[str, ...]
    edits: tuple[tuple[str, str, str], ...]
    is_telling: bool = True


def _fault(side: str, name: str, expected: str, file: str, old: str, new: str, is_telling: bool = True) -> Fault:
    words = [part for word in expected.split() for part in TICKED.get(word, word).split()]
    return Fault(name, side, tuple(words), ((file, old, new),), is_telling)


def _py(*fault: str) -> Fault:
    return _fault("PY", *fault)


def _c(*fault: str) -> Fault:
    return _fault("C", *fault)


SIMULATOR = (
    _py("odet left untilted", "odet_vec", "detector.py", "tilt(sdet), tilt(odet)\n", "tilt(sdet), odet\n"),
    _py("sdet left untilted", "sdet_vec", "detector.py", "tilt(fdet), tilt(sdet), tilt", "tilt(fdet), sdet, tilt"),
    _py("beam vector not a unit vector", "beam_vec", "detector.py", "    twotheta_axis = use(",
        "    beam = beam * 1.001\n    twotheta_axis = use("),
    _py("Fclose of the wrong sign", "Fclose_meters", "detector.py", "-dot(pix0, fdet)", "dot(pix0, fdet)"),
    _py("distance without the tilt", "distance_meters", "detector.py",
        "use(\"distance_meters\", close_distance / ratio)", "use(\"distance_meters\", close_distance)"),
    _py("half a sub-sample lost", "pixel_pos_meters", "detector.py", "oversample + sub[1]) + step / 2", "oversample + sub[1])"),
    _py("pixel position in float32", "pixel_pos_meters", "detector.py", "return torch.stack(flat)\n",
        "return torch.stack(flat).float().double()\n"),
    _py("R without its z", "R_distance_meters", "detector.py", " + position[2] * position[2])", ")"),
    _py("diffracted reversed", "diffracted_vec", "detector.py", "    return position / R", "    return -position / R"),
    _py("omega without the obliquity", "omega_pixel_sr", "detector.py", " / R / R * place.close_distance / R", " / R / R"),
    _py("capture of two layers", "capture_fraction", "absorption.py", "(layer + 1)", "(layer + 2)"),
    _py("capture without the parallax", "capture_fraction", "absorption.py", "* mu_per_m / parallax", "* mu_per_m"),
    _py("incident reversed", "incident_vec", "sources.py",
        "-unit(torch.stack(positions)), torch.stack(wavelengths))\n\n\ndef _offset",
        "unit(torch.stack(positions)), torch.stack(wavelengths))\n\n\ndef _offset"),
    _py("wavelength in Å", "lambda_meters", "sources.py", "units.tensor(units.angstrom(settings.wavelength_A)",
        "units.tensor((settings.wavelength_A)"),
    _py("q reversed", "scattering_vec_m_inv", "scattering.py", "(diffracted - incident[:, None]) /",
        "(incident[:, None] - diffracted) /"),
    _py("q times 2π", "scattering_vec_m_inv", "scattering.py", "(diffracted - incident[:, None]) /",
        "2 * torch.pi * (diffracted - incident[:, None]) /"),
    _py("q in float32", "scattering_vec_m_inv", "scattering.py", "return (diffracted - incident[:, None]) / wavelength_m",
        "return ((diffracted - incident[:, None]) / wavelength_m).float().double()"),
    _py("q with the first source's wavelength", "scattering_vec_m_inv", "evaluate.py",
        "scattering_vector(diffracted, incident, wavelength)",
        "scattering_vector(diffracted, incident, model.sources.wavelength_m[0])"),
    _py("polar with sin² for cos²", "polar", "polarization.py", "(1.0 + square - kahn", "(1.0 - square - kahn"),
    _py("polar without the azimuth", "polar", "polarization.py", "kahn * cos2psi *", "kahn *"),
    _py("φ with the tick squared", "phi_deg", "experiment.py", "t(phi.step) * ticks", "t(phi.step) * ticks * ticks"),
    _py("turned by degrees taken as radians", "rot", "crystal.py", "spindle, phi_rad[:, None])",
        "spindle, phi_rad[:, None] * units.DEG_PER_RAD)"),
    _py("turned the wrong way", "rot", "crystal.py", "spindle, phi_rad[:, None])", "spindle, -phi_rad[:, None])"),
    _py("turned by the previous φ", "rot", "crystal.py", "spindle, phi_rad[:, None])",
        "spindle, torch.cat((phi_rad[:1], phi_rad[:-1]))[:, None])"),
    _py("mosaic rotation transposed", "rot", "crystal.py", "umats[None, :, None])", "umats.mT[None, :, None])"),
    _py("real vectors transposed", "cell", "crystal.py", "return Cell(real, reciprocal, use(", "return Cell(real.T, reciprocal, use("),
    _py("reciprocal vectors half as long", "star", "crystal.py", "reciprocal = crosses(real) / volume",
        "reciprocal = crosses(real) / (2 * volume)"),
    _py("reciprocal vectors of φ=0", "rot_star", "crystal.py", "dual(real, smallest=0.0)",
        "dual(cell.real_A.expand_as(real), smallest=0.0)"),
    _py("h and k swapped", "hkl_frac", "scattering.py",
        "    return real_m[:, 0] * q[0] + real_m[:, 1] * q[1] + real_m[:, 2] * q[2]",
        "    hkl = real_m[:, 0] * q[0] + real_m[:, 1] * q[1] + real_m[:, 2] * q[2]\n    return hkl[[1, 0, 2]]"),
    _py("indices rounded down", "hkl_rounded", "scattering.py", "torch.ceil(hkl - 0.5)", "torch.floor(hkl)"),
    _py("N - 1 cells in the sine", "latt_abc", "lattice.py", "torch.sin(x * N)\n", "torch.sin(x * (N - 1))\n"),
    _py("F_latt of the wrong sign", "F_latt", "lattice.py", "return factors[0] * factors[1]",
        "return -factors[0] * factors[1]"),
    _py("F_latt a sum", "F_latt", "lattice.py", "* factors[1] * factors[2]", "* factors[1] + factors[2]"),
    _py("F_latt not squared", "I_running", "accumulate.py", "return amplitude * amplitude", "return F_cell * amplitude"),
    _py("sum halved before scaling", "I_before_scaling", "evaluate.py", "    value = accumulate.pixel_value(",
        "    I = I / 2\n    value = accumulate.pixel_value("),
    _py("steps with one sub-sample axis", "steps", "experiment.py", "phi.ticks * oversample**2", "phi.ticks * oversample"),
    _py("not divided by steps", "I_pixel_final", "accumulate.py", "fluence_per_m2 * I / steps", "fluence_per_m2 * I"),
    _py("omega left out of the pixel", "I_pixel_final", "accumulate.py", "in (capture, polar, omega)", "in (capture, polar)"),
    _py("image stored in whole numbers", "floatimage_accumulated", "evaluate.py", "value.to(torch.float32)",
        "value.round()"),
    _py("close distance along the beam", "close_distance_meters", "detector.py", "dot(pix0, odet))", "dot(pix0, beam))"),
    _py("half a pixel in Fbeam", "Fbeam_meters", "detector.py", "dot(fdet, impact)", "dot(fdet, impact) + pixel / 2"),
    _py("polarisation vector twice as long", "polar_vec", "detector.py", "    spindle = use(",
        "    polar = use(\"polar_vec\", 2 * polar)\n    spindle = use("),
    _py("omega of the distance", "omega_pixel_sr", "detector.py", "* place.close_distance / R", "* place.distance / R"),
    _py("cell volume inverted", "V_cell_A3", "crystal.py", "use(\"V_cell_A3\", volume)", "use(\"V_cell_A3\", 1 / volume)"),
    _py("mosaic domain 0 drawn", "mosaic_umat", "crystal.py", "torch.cat((identity[None], umats[1:]))", "umats"),
    _py("mosaic rotation before φ", "rot", "crystal.py", "        turned = rotate_umat(turned[:, None], umats[None, :, None])",
        "        turned = rotate_umat(reciprocal[None, None], umats[None, :, None])\n"
        "        turned = rotate_axis(turned, spindle, phi_rad[:, None, None])"),
    _py("reciprocal vectors without V", "rot_star", "crystal.py", "return Cell(real, reciprocal, volume)\n",
        "return Cell(real, reciprocal * volume[:, None, None], volume)\n"),
    _py("volume a hundredth too large", "V_actual_A3", "crystal.py", "return Cell(real, reciprocal, volume)\n",
        "return Cell(real, reciprocal, volume * 1.01)\n"),
    _py("one axis without its cells", "F_latt_c", "lattice.py", "for axis, cells in enumerate(N)",
        "for axis, cells in enumerate((N[0], N[1], 1))"),
    _py("r_e² off in the last digits", "r_e_sqr", "units.py", "7.94079248018965e-30", "7.9407877e-30"),
    _py("steps without mosaic domains", "steps", "experiment.py", "wavelength_m.shape[0] * domains *", "wavelength_m.shape[0] *"),
)  # fmt: skip

_Q = "    PROBE3(tracer, source, incident_vec, source->incident);"
REFERENCE = (
    _c("odet left untilted", "odet_vec", "detector.c", "    d->odet_vector = tilt(d, s, d->odet_vector);\n", ""),
    _c("sdet left untilted", "sdet_vec", "detector.c", "    d->sdet_vector = tilt(d, s, d->sdet_vector);\n", ""),
    _c("beam vector not a unit vector", "beam_vec", "detector.c", "d->beam_vector = unit(d->beam_vector);",
       "d->beam_vector = scaled(1.001, d->beam_vector);"),
    _c("Fbeam of the wrong sign", "Fbeam_meters", "detector.c", "= dot(d->fdet_vector, R);", "= -dot(d->fdet_vector, R);"),
    _c("distance without the tilt", "distance_meters", "detector.c",
       "    d->distance_m = d->close_distance_m / ratio;\n    d->ORGX", "    d->distance_m = d->close_distance_m;\n    d->ORGX"),
    _c("half a sub-sample lost", "pixel_pos_meters", "pixel.c", "fpixel, subF), Sdet_m)",
       "fpixel, subF) - m->detector.pixel_m / m->oversample / 2.0, Sdet_m)"),
    _c("fast and slow swapped", "pixel_pos_meters", "pixel.c", "&m->detector, Fdet_m, Sdet_m,", "&m->detector, Sdet_m, Fdet_m,"),
    _c("R along the beam", "R_distance_meters", "pixel.c", "double airpath = length(pixel_pos);",
       "double airpath = dot(pixel_pos, m->detector.beam_vector);"),
    _c("diffracted over the distance", "diffracted_vec", "pixel.c", "Vec3 diffracted = unit(pixel_pos);",
       "Vec3 diffracted = scaled(1.0 / m->detector.distance_m, pixel_pos);"),
    _c("diffracted with y of the wrong sign", "diffracted_vec", "pixel.c", "Vec3 diffracted = unit(pixel_pos);",
       "Vec3 diffracted = unit(pixel_pos);\n    diffracted.y = -diffracted.y;"),
    _c("omega without the obliquity", "omega_pixel_sr", "detector.c", "airpath_m / airpath_m * d->close_distance_m / airpath_m",
       "airpath_m / airpath_m"),
    _c("capture of two layers", "capture_fraction", "detector.c", "(thick_tic + 1)", "(thick_tic + 2)"),
    _c("capture stale from the first layer", "capture_fraction", "pixel.c", "        px.capture_fraction = 0.0;\n", ""),
    _c("incident reversed", "incident_vec", "sources.c", "(Source){scaled(-1.0,", "(Source){scaled(1.0,"),
    _c("wavelength in Å", "lambda_meters", "sources.c", "unit(position)), lambda_m,", "unit(position)), lambda_m * 1e10,"),
    _c("q reversed", "scattering_vec_m_inv", "pixel.c", _Q, "    scattering = scaled(-1.0, scattering);\n" + _Q),
    _c("q times 2π", "scattering_vec_m_inv", "pixel.c", _Q, "    scattering = scaled(2.0 * PI, scattering);\n" + _Q),
    _c("q stale from the first source", "scattering_vec_m_inv", "pixel.c", _Q,
       "    static Vec3 kept;\n    if (source == m->beam.sources)\n        kept = scattering;\n    scattering = kept;\n" + _Q),
    _c("polar with ψ for 2ψ", "polar", "sources.c", "cos(2.0 * psi)", "cos(psi)"),
    _c("b turned the wrong way", "rot_b_angstroms", "model.c", "rotate_axis(at_phi.b, m->detector.spindle_vector, phi)",
       "rotate_axis(at_phi.b, m->detector.spindle_vector, -phi)"),
    _c("turned by degrees taken as radians", "rot", "model.c", "phi_of(m, slot) : 0.0;", "phi_of(m, slot) * RTD : 0.0;"),
    _c("turned by the previous φ", "rot", "model.c", "phi_of(m, slot) : 0.0;", "phi_of(m, slot > 0 ? slot - 1 : 0) : 0.0;"),
    _c("mosaic rotation transposed", "rot", "rotations.c",
       "m[0] * v.x + m[1] * v.y + m[2] * v.z, m[3] * v.x + m[4] * v.y + m[5] * v.z,\n"
       "                m[6] * v.x + m[7] * v.y + m[8] * v.z",
       "m[0] * v.x + m[3] * v.y + m[6] * v.z, m[1] * v.x + m[4] * v.y + m[7] * v.z,\n"
       "                m[2] * v.x + m[5] * v.y + m[8] * v.z"),
    _c("mosaic rotation of the domain before", "rot", "model.c", "mosaic_umats[domain]", "mosaic_umats[domain > 0 ? domain - 1 : 0]"),
    _c("b of the wrong sign", "b_angstroms", "crystal.c", "    x->real_m = (Cell){",
       "    x->real_A.b = scaled(-1.0, x->real_A.b);\n    x->real_m = (Cell){"),
    _c("reciprocal a twice as long", "a_star_A_inv", "crystal.c", "(Cell){scaled(V_star, cross(x->real_A.b",
       "(Cell){scaled(2.0 * V_star, cross(x->real_A.b"),
    _c("reciprocal vectors stale", "rot_star", "pixel.c", "        (void)star;\n",
       "        static Cell first;\n        static int is_known;\n        if (!is_known++)\n            first = star;\n"
       "        star = first;\n"),
    _c("k and l swapped", "hkl_frac", "pixel.c", "dot(cell_m->b, scattering), dot(cell_m->c, scattering)",
       "dot(cell_m->c, scattering), dot(cell_m->b, scattering)"),
    _c("hkl in float32", "hkl_frac", "pixel.c", "    Vec3 hkl0 = vec3(ceil",
       "    hkl = vec3((float)hkl.x, (float)hkl.y, (float)hkl.z);\n    Vec3 hkl0 = vec3(ceil"),
    _c("indices truncated", "hkl_rounded", "pixel.c", "vec3(ceil(hkl.x - 0.5), ceil(hkl.y - 0.5), ceil(hkl.z - 0.5))",
       "vec3(trunc(hkl.x), trunc(hkl.y), trunc(hkl.z))"),
    _c("N + 1 cells in the sine", "latt_abc", "lattice.c", "sin(x * N) / sin(x)", "sin(x * (N + 1.0)) / sin(x)"),
    _c("π left out along b", "F_latt_b", "lattice.c", "sincg(PI * hkl.y,", "sincg(hkl.y,"),
    _c("F_latt not squared", "I_running", "pixel.c", "latt.F_latt * latt.F_latt;", "latt.F_latt;"),
    _c("sum overwritten by the step", "I_running", "pixel.c", "px->I += F_cell", "px->I = F_cell"),
    _c("sum halved before scaling", "I_before_scaling", "pixel.c", "    px.I_pixel = R_E_SQR", "    px.I /= 2.0;\n    px.I_pixel = R_E_SQR"),
    _c("steps with one sub-sample axis", "steps", "model.c", "m->oversample * (double)m->oversample;", "(double)m->oversample;"),
    _c("polar left out of the pixel", "I_pixel_final", "pixel.c", "px.I_pixel *= px.polar;", "px.I_pixel *= 1.0;"),
    _c("fluence left out of the pixel", "I_pixel_final", "pixel.c", "R_E_SQR * m->beam.fluence * px.I", "R_E_SQR * px.I"),
    _c("image stored in whole numbers", "floatimage_accumulated", "pixel.c", "(float)px.I_pixel", "rint(px.I_pixel)"),
    _c("close distance along the beam", "close_distance_meters", "pixel.c",
       "PROBE(tracer, subsample, close_distance_meters, m->detector.close_distance_m)",
       "PROBE(tracer, subsample, close_distance_meters, m->detector.distance_m)"),
    _c("half a pixel in Fbeam", "Fbeam_meters", "detector.c", "= dot(d->fdet_vector, R);",
       "= dot(d->fdet_vector, R) + d->pixel_m / 2.0;"),
    _c("c in Å where metres are meant", "rot_c_angstroms", "crystal.c", "scaled(1e-10, x->real_A.c)", "x->real_A.c"),
    _c("mosaic domain 0 drawn", "mosaic_umat", "crystal.c",
       "    x->mosaic_umats[0] = (Umat){{1, 0, 0, 0, 1, 0, 0, 0, 1}}; /* after its draws */\n", ""),
    _c("F_cell of the step before", "F_cell", "pixel.c", "double F_cell = structure_factor(now, hkl, hkl0);",
       "static double kept;\n    double F_cell = kept;\n    kept = structure_factor(now, hkl, hkl0);"),
    _c("one axis without its cells", "F_latt_c", "lattice.c", "sincg(PI * hkl.z, x->Nc)", "1.0"),
    _c("a background that no one asked for", "I_running", "pixel.c", "{.I = m->I_bg}", "{.I = m->I_bg + 100.0}"),
    _c("r_e for r_e²", "r_e_sqr", "units.h", "7.94079248018965e-30", "2.81794032e-15"),
    _c("steps without mosaic domains", "steps", "model.c", "m->beam.count * m->crystal.mosaic_domains *", "m->beam.count *"),
    _c("volume without its sign", "V_actual_A3", "crystal.c", "    return (Cell){scaled(over, cross(real->b, real->c))",
       "    *volume = -*volume;\n    return (Cell){scaled(over, cross(real->b, real->c))"),
    _c("polar squared in the pixel", "I_pixel_final", "pixel.c", "px.I_pixel *= px.polar;", "px.I_pixel *= px.polar * px.polar;"),
)  # fmt: skip

# What no equation over one log can tell: both sides obey, and the first divergence has no cause in the logs.
SETTINGS = (
    _fault("PY", "origin with Sclose of the wrong sign", "pix0_vector_meters", "detector.py",
           "return -Fclose * fdet - Sclose * sdet", "return -Fclose * fdet + Sclose * sdet", False),
    _fault("PY", "pixel of the wrong size", "pix0_vector_meters", "detector.py", "    pixel = t(units.mm(s.pixel_mm))",
           "    pixel = 1.01 * t(units.mm(s.pixel_mm))", False),
    _fault("PY", "λ of another beam", "lambda_meters", "sources.py", "wavelength * (1.0 + ", "wavelength * (1.01 + ", False),
    _fault("PY", "φ one tick on", "phi_deg", "experiment.py", "t(phi.step) * ticks", "t(phi.step) * (ticks + 1)", False),
    _fault("PY", "K of the wrong sign", "polar", "polarization.py", "(1.0 + square - kahn", "(1.0 + square + kahn", False),
    _fault("PY", "every structure factor doubled", "F_cell", "structure_factors.py", "torch.take(table.flat, index)",
           "2 * torch.take(table.flat, index)", False),
    _fault("PY", "mosaic domains drawn otherwise", "mosaic_umat", "crystal.py", "stream = Stream(generator, seed)",
           "stream = Stream(generator, seed - 1)", False),
    _fault("C", "origin with Sdet of the wrong sign", "pix0_vector_meters", "detector.c", "scaled(-Sdet, d->sdet_vector)",
           "scaled(Sdet, d->sdet_vector)", False),
    _fault("C", "mosaic spread in single degrees", "mosaic_umat", "crystal.c", "(float)x->mosaic_spread_rad",
           "(float)(x->mosaic_spread_rad * 2.0)", False),
    _fault("C", "every structure factor doubled", "F_cell", "pixel.c", "double F_cell = structure_factor(now, hkl, hkl0);",
           "double F_cell = 2.0 * structure_factor(now, hkl, hkl0);", False),
    _fault("C", "misset about x the wrong way", "star", "crystal.c", "star = misset_cell(star, x->misset_rad);",
           "star = misset_cell(star, scaled(-1.0, x->misset_rad));", False),
    _fault("PY", "angles of the cell in degrees", "star", "crystal.py", "angles = cell[3:] / units.DEG_PER_RAD",
           "angles = cell[3:] * 1.0", False),
    _fault("PY", "c* with the component that belongs there", "star", "crystal.py", "V / (a * b * c * sin_gamma_star)",
           "1 / (c * c_star * sin_gamma_star) * 1.001", False),
    _fault("PY", "misset about z, y, x", "star", "crystal.py", "*misset_rad.unbind())\n\n", "*misset_rad.flip(0).unbind())\n\n", False),
    _fault("PY", "spindle reversed", "spindle_vec", "detector.py", "unit(t(axes[\"spindle_axis\"]))",
           "-unit(t(axes[\"spindle_axis\"]))", False),
    _fault("PY", "detector tilted the other way", "fdet_vec", "detector.py", "t(units.deg(angle)) for angle",
           "-t(units.deg(angle)) for angle", False),
    _fault("PY", "2θ of the wrong sign", "fdet_vec sdet_vec", "detector.py", "t(units.deg(s.twotheta_deg))", "-t(units.deg(s.twotheta_deg))", False),
    _fault("PY", "no Kahn factor", "polar", "evaluate.py", "polarization_factor(model.kahn,", "polarization_factor(None,", False),
    _fault("PY", "fluence doubled", "fluence_photons_per_m2", "evaluate.py", "(), model.fluence)", "(), 2 * model.fluence)", False),
    _fault("PY", "water of half the size", "I_running", "accumulate.py", "water_m * water_m * water_m * per_m3",
           "water_m * water_m * water_m / 8 * per_m3", False),
    _fault("C", "convention's half pixel lost", "pix0_vector_meters", "detector.c",
           "d->Ybeam_m + 0.5 * d->pixel_m", "d->Ybeam_m", False),
    _fault("C", "cells of b and c swapped", "N_cells", "crystal.c", "count_cells(&x->Nb, s->Nb,", "count_cells(&x->Nb, s->Nc,", False),
)  # fmt: skip

TOGETHER = {
    "PY": ("half a sub-sample lost", "q with the first source's wavelength", "mosaic rotation transposed",
           "F_latt of the wrong sign", "steps with one sub-sample axis"),
    "C": ("omega without the obliquity", "q times 2π", "reciprocal vectors stale", "indices truncated",
          "polar left out of the pixel"),
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What blame said of one fault, over both command lines; accusations are (side, variable)."""

    fault: Fault
    accused: tuple[tuple[str, str], ...]
    hints: tuple[str, ...]
    first: str
    unexplained: tuple[str, ...]
    failure: str = ""

    @property
    def others(self) -> tuple[str, ...]:
        """Accusations that are wrong."""
        right = {(self.fault.side, name) for name in self.fault.expected} if self.fault.is_telling else set()
        return tuple(f"{side} {name}" for side, name in self.accused if (side, name) not in right)

    @property
    def is_right(self) -> bool:
        named = {name for side, name in self.accused if side == self.fault.side}
        if not self.fault.is_telling:
            return not self.accused and self.first in self.fault.expected and self.first in self.unexplained
        missed = [e for e in self.fault.edits if not named & set(_expected_of(self.fault, e))]
        return not missed and not self.others and not self.failure


def _expected_of(fault: Fault, edit: tuple[str, str, str]) -> tuple[str, ...]:
    """The variables of one of several edits planted together."""
    alone = [f for f in (*SIMULATOR, *REFERENCE) if f.side == fault.side and f.edits == (edit,)]
    return alone[0].expected if alone and len(fault.edits) > 1 else fault.expected


def together(side: str) -> Fault:
    """Five at once."""
    planted = [f for f in (*SIMULATOR, *REFERENCE) if f.side == side and f.name in TOGETHER[side]]
    names = "five at once: " + "; ".join(f.name for f in planted)
    return Fault(names, side, tuple(v for f in planted for v in f.expected), tuple(e for f in planted for e in f.edits))


def plant(fault: Fault, sources: Path) -> None:
    """Edit a copy; every old text must stand there exactly once."""
    for name, old, new in fault.edits:
        path = sources / name
        text = path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise ValueError(f"{fault.name}: {name} holds {old!r} {text.count(old)} times, expected once")
        path.write_text(text.replace(old, new), encoding="utf-8")


def build(folder: Path) -> Path:
    """The tracing program of the C sources in `folder`; builds only what is newer than its object."""
    program = folder / "build" / "nanoBragg-trace"
    done = subprocess.run(
        ["make", "-C", str(folder), f"BUILD={folder / 'build'}", str(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"make failed: {done.stderr.strip().splitlines()[-1]}")
    return program


def trace(side: str, programs: Path, inputs: Path, log: Path, words: str) -> None:
    """Run the tracing command of one side; `programs` holds `simulator` or `reference_c`."""
    if side == "C":
        command = [str(programs / "reference_c" / "build" / "nanoBragg-trace"), "-fix", "all"]
    else:
        command = [sys.executable, "-m", "simulator"]
    command += ["-trace_file", str(log), *words.split()]
    environment = {**os.environ, "PYTHONPATH": str(programs), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=inputs, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{side} ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")


def blamed(c: Path, py: Path) -> tuple[Blame | None, str]:
    """What blame says of two logs, and the variable that diverges first."""
    vocabulary = load_vocabulary()
    alignment = align(read_trace(c, "C", vocabulary), read_trace(py, "PY", vocabulary), vocabulary)
    result = compare(alignment, CaseResult("planted", "a planted fault"), Contract())
    return result.blame, result.first_divergence.variable if result.first_divergence else ""


def copy_sources(side: str, target: Path, base: Path | None = None) -> Path:
    """A copy of one program under `target`; of C with the objects of `base`."""
    name = "reference_c" if side == "C" else "simulator"
    skipped = shutil.ignore_patterns("__pycache__", "fuzz", *(["build"] if base is None else []))
    shutil.copytree((base or ROOT) / name, target / name, ignore=skipped)
    return target / name / "src" if side == "C" else target / name


def try_fault(fault: Fault, work: Path) -> Outcome:
    """Plant, build, trace, compare; `work` holds the sound logs, the inputs and the built sound C program."""
    accused: dict[tuple[str, str], None] = {}
    hints: list[str] = []
    unexplained: list[str] = []
    first = failure = ""
    with tempfile.TemporaryDirectory(dir=work) as name:
        folder = Path(name)
        try:
            plant(fault, copy_sources(fault.side, folder, work if fault.side == "C" else None))
            if fault.side == "C":
                build(folder / "reference_c")
            for line, words in LINES.items():
                log = folder / f"{line}.log"
                trace(fault.side, folder, work / "inputs", log, words)
                logs = {side: work / f"{side}-{line}.log" for side in ("C", "PY")} | {fault.side: log}
                blame, diverges = blamed(logs["C"], logs["PY"])
                first = first or diverges
                for finding in blame.findings if blame else ():
                    if finding.kind in ("introduced", "self-inconsistent"):
                        accused.setdefault((finding.side, finding.variable))
                        hints += [finding.hint] if finding.hint and line == "rich" else []
                    elif finding.kind == "unexplained":
                        unexplained.append(finding.variable)
        except (RuntimeError, ValueError) as why:
            failure = str(why)
    return Outcome(fault, tuple(accused), tuple(dict.fromkeys(hints)), first, tuple(unexplained), failure)


def prepare(work: Path) -> None:
    """Inputs, sound programs, sound logs, and that blame is silent on them."""
    (work / "inputs").mkdir()
    write_inputs(work / "inputs")
    for side in ("C", "PY"):
        copy_sources(side, work)
    build(work / "reference_c")
    for line, words in LINES.items():
        logs = {side: work / f"{side}-{line}.log" for side in ("C", "PY")}
        for side, log in logs.items():
            trace(side, work, work / "inputs", log, words)
        blame, first = blamed(logs["C"], logs["PY"])
        if blame is not None or first:
            raise SystemExit(f"the sound programs differ on the line {line!r}, first in {first}")


def rows(outcomes: list[Outcome]) -> Iterator[str]:
    yield "| # | fault | stage | blame named | hint | others accused | right |"
    yield "|---:|---|---|---|---|---|---|"
    for n, o in enumerate(outcomes, 1):
        named = _joined(f"{side} {name}" for side, name in o.accused if f"{side} {name}" not in o.others)
        if o.failure:
            named = o.failure
        elif not o.fault.is_telling:
            named = f"unexplained, first at {o.first}" if o.first in o.unexplained else f"first at {o.first}"
        cells = (str(n), o.fault.name, _joined(o.fault.expected), named, "; ".join(o.hints[:5]) or "-")
        yield f"| {' | '.join(cells)} | {_joined(o.others)} | {'yes' if o.is_right else 'NO'} |"


def _joined(words: Iterator[str] | tuple[str, ...]) -> str:
    return ", ".join(dict.fromkeys(words)) or "-"


def report(outcomes: list[Outcome], command: str) -> str:
    """The tables as markdown."""
    right = sum(o.is_right for o in outcomes)
    parts = [HEADER.format(command=command, date=datetime.date.today(), right=right, count=len(outcomes))]
    for title, side, is_telling in (
        ("Planted in the simulator", "PY", True),
        ("Planted in the C reference", "C", True),
        ("What no equation can tell, on either side", "", False),
    ):
        group = [o for o in outcomes if o.fault.is_telling == is_telling and o.fault.side in (side or ("C", "PY"))]
        if group:
            parts.append("\n".join([f"## {title}: {sum(o.is_right for o in group)} of {len(group)}", "", *rows(group)]))
    return "\n\n".join(parts) + "\n"


HEADER = """# Faults planted in the source, and what blame says

    {command}

{date}. {right} of {count} are right. Each fault is one edit (the five at once: five) of a copy of the program's source; the
edited program was built and traced beside the sound other one on a rich command line (triclinic cell, misset, φ from 20°,
mosaic domains, two wavelengths, 2×2 sub-samples, two sensor layers, polarised, tilted), a plain one, and one with the detector
on a 2θ arm, water, and φ from 0.

*Right* means that every accusation is of the edited side and of a variable that the edited stage makes, and that no one
else is accused; other accusations are listed as they came. Faults of the last table leave every equation obeyed, since a
setting, a table or a random draw is wrong and none of these stands in a log: there, right means that nobody is accused and
that the first divergence is reported as unexplained, at the variable where the wrong value enters."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--side", choices=["C", "PY"])
    parser.add_argument("--only", default="", help="faults whose name holds this word")
    parser.add_argument("--line", choices=list(LINES), help="one command line only")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", type=Path, help="where the tables go; default: standard output")
    given = parser.parse_args()
    pairs = [f for both in zip_longest(SIMULATOR, REFERENCE) for f in both if f is not None]
    faults = [*pairs, together("PY"), together("C"), *SETTINGS]
    faults.sort(key=lambda f: f.is_telling and "five" not in f.name)  # stable: the special ones first
    faults = [f for f in faults if f.side == (given.side or f.side) and given.only in f.name]
    for line in [line for line in LINES if line != (given.line or line)]:
        del LINES[line]
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="planted-") as name:
        work = Path(name)
        prepare(work)
        with ProcessPoolExecutor(given.jobs) as pool:
            outcomes = []
            for outcome in pool.map(try_fault, faults, [work] * len(faults)):
                outcomes.append(outcome)
                if given.write:
                    given.write.write_text(report(outcomes, " ".join(["python", *sys.argv])), encoding="utf-8")
                if not outcome.is_right:
                    print(f"{outcome.fault.side} {outcome.fault.name}: {outcome}", file=sys.stderr)
    print(f"{len(outcomes)} faults in {time.monotonic() - start:.0f} s", file=sys.stderr)
    text = report(outcomes, " ".join(["python", *sys.argv]))
    if not given.write:
        print(text)


if __name__ == "__main__":
    main()
