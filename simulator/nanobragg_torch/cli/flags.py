"""The flags: names, prefixes, the words they take, one line of help. What they mean is in `effects`.

The original matches flags by substring; we match whole names, the listed synonyms and the prefixes, so that a
mistyped flag is an error and not a wrong image. Source: cli.md of the specification.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass


@dataclass(frozen=True)
class Flag:
    """One flag: `names` are matched whole, `prefixes` at the start of a word, `takes` a word per value.

    Words of `takes`: "float", "int", "file", "word". `optional` counts the values at the end that may be missing.
    """

    key: str
    names: tuple[str, ...]
    takes: tuple[str, ...] = ()
    help: str = ""
    prefixes: tuple[str, ...] = ()
    optional: int = 0


def _f(key: str, names: str, takes: str = "", help: str = "", prefixes: str = "", optional: int = 0) -> Flag:
    return Flag(key, tuple(names.split()), tuple(takes.split()), help, tuple(prefixes.split()), optional)


_XYZ = "float float float"
FLAGS: tuple[Flag, ...] = (
    _f("hkl", "-hkl", "file", "reflections: text lines h k l F, or MTZ, CIF, PDB by suffix"),
    _f("hkl_column", "-hkl_column", "word", "column of the MTZ or CIF of -hkl; of intensities, their square roots"),
    _f("default_F", "-default_F", "float", "F of reflections that are not listed (0)"),
    _f("dump", "-dump", "file", "dump file of the reflections (Fdump.bin)"),
    _f("mat", "-mat", "file", "MOSFLM orientation matrix"),
    _f("cell", "-cell", "float float float float float float", "a [b c al be ga]: cell in A and deg", optional=5),
    _f("misset", "-misset", "word float float", "x y z | random: misset in deg, or a random orientation", optional=2),
    _f("Na", "-Na", "int", "unit cells along a"),
    _f("Nb", "-Nb", "int", "unit cells along b"),
    _f("Nc", "-Nc", "int", "unit cells along c"),
    _f("N", "-N", "int", "unit cells along each axis"),
    _f("sample_xyz", "-xtalsize -xtal_size -samplesize -sample_size", "float", "mm: size along each axis"),
    _f("sample_x", "-sample_x -xtal_x", "float", "mm: size along a", "-sample_thick -xtal_thick"),
    _f("sample_y", "-sample_y -sample_width -xtal_y -xtal_width -width", "float", "mm: size along b"),
    _f("sample_z", "-sample_z -sample_height -xtal_z -xtal_height -height", "float", "mm: size along c"),
    _f("square_xtal", "-square_xtal", help="block-shaped crystal (default)"),
    _f("round_xtal", "-round_xtal", help="round crystal"),
    _f("gauss_xtal", "-gauss_xtal", help="Gaussian spots"),
    _f("tophat_spots", "-tophat_spots -binary_spots", help="top-hat spots"),
    _f("fudge", "-fudge", "float", "shape parameter (1)"),
    _f("mosaic", "-mosaic", "float", "deg: isotropic mosaic spread", "-mosaici -mosaic_spr"),
    _f("mosaic_domains", "", "int", "mosaic domains", "-mosaic_dom"),
    _f("mosaic_seed", "-mosaic_seed", "int", "seed of the mosaic domains"),
    _f("misset_seed", "-misset_seed", "int", "seed of the random orientation; also sets -misset, as the original does"),
    _f("seed", "-seed", "int", "seed of the noise"),
    _f("phi", "-phi", "float", "deg: spindle start (0)"),
    _f("osc", "-osc", "float", "deg: spindle range"),
    _f("phistep", "-phistep", "float", "deg: spindle step"),
    _f("phisteps", "-phisteps", "int", "spindle steps"),
    _f("lambda", "-lambda", "float", "A: wavelength (1)", "-wave"),
    _f("energy", "-energy", "float", "eV: photon energy instead"),
    _f("dispersion", "-dispersion", "float", "%: spectral width"),
    _f("dispsteps", "-dispsteps", "int", "wavelengths"),
    _f("divergence", "-divergence", "float", "mrad: both divergence ranges"),
    _f("hdivrange", "-hdivrange", "float", "mrad: horizontal range"),
    _f("vdivrange", "-vdivrange", "float", "mrad: vertical range"),
    _f("hdivstep", "-hdivstep", "float", "mrad: horizontal step"),
    _f("vdivstep", "-vdivstep", "float", "mrad: vertical step"),
    _f("hdivsteps", "-hdivsteps", "int", "horizontal steps"),
    _f("vdivsteps", "-vdivsteps", "int", "vertical steps"),
    _f("divsteps", "-divsteps", "int", "steps of both directions"),
    _f("round_div", "-round_div", help="round divergence (default)"),
    _f("square_div", "-square_div", help="square divergence"),
    _f("sourcefile", "-sourcefile", "file", "sources: lines X Y Z weight wavelength[m]"),
    _f("polar", "-polar", "float", "Kahn polarisation factor (0)"),
    _f("nopolar", "-nopolar", help="no polarisation factor"),
    _f("fluence", "-fluence", "float", "photons/m^2"),
    _f("flux", "-flux", "float", "photons/s"),
    _f("exposure", "-exposure", "float", "s (1)"),
    _f("beamsize", "-beamsize", "float", "mm (0.1)"),
    _f("water", "-water", "float", "um: water background"),
    _f("dmin", "-dmin", "float", "A: finest resolution"),
    _f("pixel", "-pixel", "float", "mm: pixel size (0.1)"),
    _f("detpixels", "-detpixels", "int", "pixels along both axes"),
    _f("detpixels_f", "-detpixels_f -detpixels_x", "int", "pixels along the fast axis"),
    _f("detpixels_s", "-detpixels_s -detpixels_y", "int", "pixels along the slow axis"),
    _f("detsize", "-detsize", "float", "mm: detector size (102.4)"),
    _f("detsize_f", "-detsize_f", "float", "mm: size along the fast axis"),
    _f("detsize_s", "-detsize_s", "float", "mm: size along the slow axis"),
    _f("distance", "-distance", "float", "mm: distance along the beam (100); pivot beam"),
    _f("close_distance", "-close_distance", "float", "mm: shortest distance; pivot sample"),
    _f("Xbeam", "-Xbeam", "float", "mm: beam centre; pivot beam"),
    _f("Ybeam", "-Ybeam", "float", "mm: beam centre; pivot beam"),
    _f("Xclose", "-Xclose", "float", "mm: nearest point; pivot sample"),
    _f("Yclose", "-Yclose", "float", "mm: nearest point; pivot sample"),
    _f("ORGX", "-ORGX", "float", "pixels: nearest point; pivot sample"),
    _f("ORGY", "-ORGY", "float", "pixels: nearest point; pivot sample"),
    _f("pivot", "-pivot", "word", "sample | beam; effective with custom vectors only"),
    _f("mosflm", "-mosflm", help="MOSFLM convention (default)"),
    _f("xds", "-xds", help="XDS convention"),
    _f("adxv", "-adxv", help="ADXV convention"),
    _f("denzo", "-denzo", help="DENZO convention"),
    _f("dials", "-dials", help="DIALS convention"),
    _f("fdet_vector", "-fdet_vector", _XYZ, "fast axis; custom convention, as for all vectors"),
    _f("sdet_vector", "-sdet_vector", _XYZ, "slow axis"),
    _f("odet_vector", "-odet_vector", _XYZ, "detector normal"),
    _f("beam_vector", "-beam_vector", _XYZ, "incident beam"),
    _f("polar_vector", "-polar_vector", _XYZ, "polarisation"),
    _f("spindle_axis", "-spindle_axis", _XYZ, "spindle"),
    _f("twotheta_axis", "-twotheta_axis", _XYZ, "2theta axis; also sets -twotheta to x, as the original does"),
    _f("pix0_vector", "-pix0_vector", _XYZ, "m: custom convention; the origin itself is recomputed"),
    _f("pix0_vector_mm", "-pix0_vector_mm", _XYZ, "mm: likewise"),
    _f("rotx", "-detector_rotx", "float", "deg: tilt about x"),
    _f("roty", "-detector_roty", "float", "deg: tilt about y"),
    _f("rotz", "-detector_rotz", "float", "deg: tilt about z"),
    _f("twotheta", "-twotheta", "float", "deg: swing about the 2theta axis; pivot sample"),
    _f("curved_det", "-curved_det", help="all pixels at the same distance"),
    _f("point_pixel", "-point_pixel", help="solid angle 1/R^2"),
    _f("detector_abs", "", "float", "um | inf | 0: attenuation depth of the sensor", "-detector_abs"),
    _f("detector_thick", "-detector_thick", "float", "um: sensor thickness"),
    _f("thicksteps", "-detector_thicksteps -thicksteps", "int", "sensor layers"),
    _f("oversample", "-oversample", "int", "sub-pixels per axis"),
    _f("oversample_thick", "-oversample_thick", help="absorption for each layer"),
    _f("oversample_polar", "-oversample_polar", help="polarisation for each sub-pixel"),
    _f("oversample_omega", "-oversample_omega", help="solid angle for each sub-pixel"),
    _f("interpolate", "-interpolate", help="interpolate structure factors"),
    _f("nointerpolate", "-nointerpolate", help="nearest structure factor"),
    _f("roi", "-roi", "int int int int", "xmin xmax ymin ymax: pixels to render, inclusive"),
    _f("img", "-img", "file", "SMV image whose header gives defaults"),
    _f("mask", "-mask", "file", "SMV image: zero pixels are skipped; its header gives defaults too"),
    _f("floatfile", "-floatfile -floatimage", "file", "float32 image (floatimage.bin)"),
    _f("intfile", "-intfile -intimage", "file", "SMV image (intimage.img)"),
    _f("pgmfile", "-pgmfile -pgmimage", "file", "PGM image (image.pgm)"),
    _f("noisefile", "-noisefile -noiseimage", "file", "SMV image with photon noise (noiseimage.img)"),
    _f("cbffile", "-cbffile", "file", "CBF image (none), the pixels of the SMV image"),
    _f("nexusfile", "-nexusfile", "file", "NeXus image (none): NXmx, float32"),
    _f("scale", "-scale", "float", "of the SMV image"),
    _f("pgmscale", "-pgmscale", "float", "of the PGM image"),
    _f("adc", "-adc", "float", "offset of the SMV images (40)"),
    _f("nopgm", "-nopgm", help="no PGM image"),
    _f("nonoise", "-nonoise", help="no noise image"),
    _f("printout", "-printout", help="print pixel values"),
    _f("printout_pixel", "-printout_pixel", "int int", "f s: print the value of one pixel"),
    _f("progress", "-progress", help="progress on stderr (default)"),
    _f("noprogress", "-noprogress", help="no progress"),
    _f("unused", "-stol -4stol -Q -stolout", "file", "accepted, not used by the model"),
    _f("unused", "-coherent -density -MW", "float", "accepted, not used by the model", "-sample_den -molec"),
    _f(
        "trace_pixel",
        "-trace_pixel",
        "int int",
        "SLOW FAST: trace a pixel; repeatable. Without an output flag, only trace",
    ),
    _f("trace_file", "-trace_file", "file", "where the trace goes (standard output)"),
    _f("show_config", "-show_config", help="print the resolved settings as JSON and stop"),
    _f(
        "inject",
        "-inject",
        "word",
        "NAME[,NAME...]: trace on from the values of these in -inject_from",
    ),
    _f("inject_from", "-inject_from", "file", "log of a trace, the C program's for instance"),
    _f("fix", "-fix", "word", "accepted for the C program's sake; no effect: state leaks are never reproduced"),
    _f("device", "-device", "word", "cpu | cuda[:n]"),
    _f("dtype", "-dtype", "word", "float64 | float32"),
    _f("engine", "-engine", "word", "auto | kernel (compiled) | eager"),
    _f("threads", "-threads", "int", "CPU threads"),
    _f("lenient", "--lenient -lenient", help="report unknown flags and go on"),
    _f("version", "-version --version", help="print the version"),
    _f("help", "-h --help -help", help="print this help"),
)

_BY_NAME = {name: flag for flag in FLAGS for name in flag.names}
_BY_PREFIX = {prefix: flag for flag in FLAGS for prefix in flag.prefixes}


def find(word: str) -> Flag | None:
    """The flag that a word names: whole name first, then the longest prefix."""
    if word in _BY_NAME:
        return _BY_NAME[word]
    for prefix in sorted(_BY_PREFIX, key=len, reverse=True):
        if word.startswith(prefix):
            return _BY_PREFIX[prefix]
    return None


def nearest(word: str) -> list[str]:
    """Up to three known flags that look like `word`."""
    return difflib.get_close_matches(word, [*_BY_NAME, *_BY_PREFIX], n=3, cutoff=0.5)


def usage() -> str:
    """The help text."""
    lines = ["usage: nanobragg-torch -mat FILE | -cell a b c al be ga  -hkl FILE | -default_F F  [flags]", ""]
    for flag in FLAGS:
        names = " | ".join([*flag.names, *(prefix + "..." for prefix in flag.prefixes)])
        values = " ".join(kind.upper() for kind in flag.takes)
        if flag.optional:
            needed = len(flag.takes) - flag.optional
            values = " ".join(kind.upper() for kind in flag.takes[:needed]) + " [...]"
        lines.append(f"  {names} {values}".rstrip())
        lines.append(f"      {flag.help}")
    return "\n".join(lines) + "\n"
