"""The share of one value that is off, on many command lines, against a run of the simulator with that value put in.

The sound run is taken for C, the run with one value changed for PY: all of the difference comes from that value.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from nanobragg_torch.cli import main
from trace_parity.blame.attribution import blame_log, blame_pair
from trace_parity.blame.findings import Blame
from trace_parity.blame.headline import cause_sentence
from trace_parity.blame.of_pair import domain_of_pair
from trace_parity.compare.align import align
from trace_parity.compare.judge import judge
from trace_parity.pair.find import shipped
from trace_parity.trace import TraceTable, read_trace_lines

CELL = "-cell 70 80 90 85 95 105 -Na 5 -Nb 6 -Nc 7 -lambda 1 -distance 100 -detpixels 64 -pixel 0.4 -oversample 1"
LIST = "-hkl small.hkl -default_F 20"
BASE = f"{CELL} {LIST} -nointerpolate"
TILTED = "-detector_rotx 3 -detector_roty -4 -detector_rotz 5 -twotheta 6"
"""What moves all axes of the detector."""

SHARES = [
    # command line, pixel, variable, place (empty: all), component, factor, offset in parts of the length
    ("beam pivot", f"{BASE} -adxv -Xbeam 11 -Ybeam 13.7", (13, 61), "run.sdet_vec", "", 2, 1.5, 0.01),
    ("tilted, one axis", f"{BASE} {TILTED}", (30, 30), "run.fdet_vec", "", 0, 1.001, 0.0),
    ("tilted, the normal", f"{BASE} {TILTED}", (30, 30), "run.odet_vec", "", 1, 1.0, 0.01),
    ("tilted, the origin", f"{BASE} {TILTED}", (30, 30), "run.pix0_vector_meters", "", 0, 1.0, 0.002),
    ("2θ about y", f"{BASE} -twotheta_axis 0 1 0 -twotheta 12", (39, 25), "run.odet_vec", "", 1, -1.0, 0.01),
    ("point pixel", f"{BASE} -point_pixel", (52, 38), "run.sdet_vec", "", 1, 1.5, 0.01),
    ("origin, other reflection", f"{BASE} -Na 1 -Nb 8 -Nc 3", (33, 38), "run.pix0_vector_meters", "", 1, 2.0, 0.0),
    ("origin, gauss", f"{BASE} -gauss_xtal -fudge 0.7", (33, 36), "run.pix0_vector_meters", "", 1, 1.0002, 0.0),
    ("q, round", f"{BASE} -round_xtal -fudge 1.3", (33, 36), "source.scattering_vec_m_inv", "", 0, 1.0, 0.001),
    ("beam", f"{BASE} -misset 10 20 30", (49, 39), "run.beam_vec", "", 2, 2.0, 0.01),
    ("q, one step", f"{BASE} -misset 10 20 30", (49, 39), "source.scattering_vec_m_inv", "", 0, 1.5, 0.0),
    ("a*", BASE, (52, 38), "run.a_star_A_inv", "", None, 1.0005, 0.0),
    ("c*, a little turned", BASE, (39, 28), "run.c_star_A_inv", "", 2, 1.0005, 0.0),
    ("spindle", f"{BASE} -phi 5 -osc 1 -phisteps 3", (52, 38), "run.spindle_vec", "", 1, 1.0, 0.02),
    ("interpolated", f"{CELL} {LIST} -N 2", (33, 38), "subsample.diffracted_vec", "", 2, 1.01, 0.01),
    (
        "one sub-sample, dmin",
        f"{BASE} -oversample 2 -dmin 1.5 -oversample_polar -dials -detector_roty -1",
        (28, 20),
        "subsample.fdet_vec",
        "thick_tic=0 subS=0 subF=1",
        None,
        -1.0,
        0.0,
    ),
    (
        "many sources, Kahn",
        f"{BASE} -polar 0.05 -hdivrange 2.8 -hdivsteps 3 -tophat_spots -water 47 -beamsize 0.06 -fluence 5e29",
        (33, 36),
        "subsample.R_distance_meters",
        "",
        None,
        2.0,
        0.0,
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("reruns")
    reach = range(-12, 13)
    rows = (f"{h} {k} {l} {50 + 10 * np.cos(h + 2 * k + 3 * l):.3f}\n" for h in reach for k in reach for l in reach)
    (made / "small.hkl").write_text("".join(rows))
    return made


def traced(folder: Path, line: str, pixel: tuple[int, int], *more: str) -> list[str]:
    words = ["-trace_pixel", *map(str, pixel), "-trace_file", str(folder / "out.log"), *more, *line.split()]
    words = [str(folder / word) if word == "small.hkl" else word for word in words]
    assert main(words) == 0
    return (folder / "out.log").read_text().splitlines(keepends=True)


def log(lines: list[str], side: str) -> TraceTable:
    return read_trace_lines([re.sub("^TRACE_PY", f"TRACE_{side}", t) for t in lines], side, side, shipped().vocabulary)


def changed(lines: list[str], name: str, place: str, part: int | None, factor: float, offset: float) -> list[str]:
    """The lines with one variable off, at the places whose key ends in `place`."""
    made, loops = [], name.startswith("run.")
    for text in lines:
        found = re.match(rf"(TRACE_PY(?:\[([^\]]*)\])?: {name.partition('.')[2]}) (.*)", text)
        if found is None or (found[2] is None) != loops or not (found[2] or "").endswith(place):
            made.append(text)
            continue
        value = np.array([float(word) for word in found[3].split()])
        where = slice(None) if part is None else part
        value[where] = value[where] * factor + offset * np.abs(value).max()
        made.append(f"{found[1]} {' '.join(map(repr, value.tolist()))}\n")
    assert made != lines
    return made


def blamed(c: list[str], py: list[str]) -> Blame:
    alignment = align(log(c, "C"), log(py, "PY"), shipped().vocabulary)
    domain = domain_of_pair(shipped())
    assert domain is not None
    return blame_pair(alignment, judge(alignment), domain)


@pytest.mark.parametrize(
    ("line", "pixel", "name", "place", "part", "factor", "offset"), [s[1:] for s in SHARES], ids=[s[0] for s in SHARES]
)
def test_one_value_that_is_off_explains_the_whole_difference(
    line: str,
    pixel: tuple[int, int],
    name: str,
    place: str,
    part: int | None,
    factor: float,
    offset: float,
    folder: Path,
) -> None:
    sound = traced(folder, line, pixel)
    (folder / "put.log").write_text("".join(changed(sound, name, place, part, factor, offset)))
    faulty = traced(folder, line, pixel, "-inject", name, "-inject_from", str(folder / "put.log"))
    found = blamed(sound, faulty)
    variable = name.partition(".")[2]
    share = next(f.share for f in found.findings if f.is_cause and f.variable == variable)
    assert share == pytest.approx(1, abs=0.03)
    assert cause_sentence(found).startswith(f"{variable} explains ")


SOUND = {
    "round": f"{BASE} -round_xtal -misset 5 6 7",
    "round, fudge": f"{BASE} -round_xtal -fudge 1.37 -phi 10 -osc 1 -phisteps 2",
    "gauss, fudge": f"{BASE} -gauss_xtal -fudge 0.7 -misset 5 6 7",
    "tophat": f"{BASE} -tophat_spots -phi 10 -osc 1 -phisteps 2 -water 10",
    "curved and tilted": f"{BASE} -curved_det -detector_roty 3.6 -detector_rotz -5 -oversample 2",
    "a 2θ axis that is not a unit vector": f"{BASE} -twotheta_axis 0.2 0.4 -1.2 -twotheta 7",
    "one step with its factor in the sum": f"{BASE} -point_pixel -oversample_omega -phisteps 1 -osc 1",
}


@pytest.mark.parametrize("line", SOUND.values(), ids=SOUND.keys())
def test_a_sound_log_obeys_all_equations(line: str, folder: Path) -> None:
    domain = domain_of_pair(shipped())
    assert domain is not None
    found = blame_log(log(traced(folder, line, (33, 36)), "PY"), shipped().vocabulary, domain)
    assert found.findings == ()
    assert not [text for text in found.missing if "F_latt =" in text]


def test_a_structure_factor_of_another_reflection_is_inherited(folder: Path) -> None:
    sound = traced(folder, BASE, (33, 38))
    (folder / "put.log").write_text("".join(changed(sound, "run.pix0_vector_meters", "", 1, 2.0, 0.0)))
    faulty = traced(
        folder, BASE, (33, 38), "-inject", "run.pix0_vector_meters", "-inject_from", str(folder / "put.log")
    )
    kinds = {f.variable: (f.kind, f.hint) for f in blamed(sound, faulty).findings}
    kind, hint = kinds["F_cell"]
    assert kind == "inherited"
    assert hint.startswith("from hkl_rounded (")


def test_a_table_that_is_wrong_is_not_inherited(folder: Path) -> None:
    """The same reflection, another number: no place in the table explains that."""
    sound = traced(folder, BASE, (33, 38))
    (folder / "put.log").write_text("".join(changed(sound, "step.F_cell", "", 0, 1.7, 0.0)))
    faulty = traced(folder, BASE, (33, 38), "-inject", "step.F_cell", "-inject_from", str(folder / "put.log"))
    found = blamed(sound, faulty)
    assert [(f.variable, f.kind) for f in found.findings if f.is_cause] == [("F_cell", "unexplained")]
    assert cause_sentence(found).startswith("F_cell explains the whole difference of I_pixel_final (factor 2.89)")
