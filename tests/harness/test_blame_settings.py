"""Settings that one program ignores, seen from two logs: how many iterations a loop has, values at their default."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from nanobragg.equations import DOMAIN
from trace_parity.blame.defaults import told, who_ignores
from trace_parity.blame.findings import Blame
from trace_parity.blame.headline import cause_line
from trace_parity.compare.align import align
from trace_parity.pair.contract import Contract
from trace_parity.pair.find import shipped
from trace_parity.render.next_step import next_step, who
from trace_parity.result.compare import compare
from trace_parity.result.result import CaseResult, Result

from tests.harness.test_blame_faults import Program, blame, introduced, read, unit


class Divergent(Program):
    """Sources on both sides of the axis, as a range of divergence or of wavelengths is sampled."""

    oversample = 1
    domains = 1
    phi = (0.0, 0.5, 2)
    divergence, dispersion = 0.003, 0.0

    def _source(self, keys: dict[str, int], sub: dict[str, Any], r: dict[str, Any]) -> tuple[np.ndarray, float]:
        off = keys["source"] - (self.sources - 1) / 2
        i = self.put("incident_vec", keys, unit(r["beam"] + self.divergence * off * r["s"]))
        wavelength = self.put("lambda_meters", keys, 1e-10 * (1 + self.dispersion * off))
        q = self.put("scattering_vec_m_inv", keys, (sub["d"] - i) / wavelength)
        return q, float(self.put("polar", keys, (1 + (i @ sub["d"]) ** 2) / 2))


class Dispersed(Divergent):
    divergence, dispersion = 0.0, 0.01


class Dull(Program):
    oversample = 1
    sources = 1
    domains = 1
    phi = (0.0, 0.5, 1)


def log(program: type[Program], side: str, faults: Any = None, **changed: Any) -> str:
    made = type("Changed", (program,), changed)
    return str(made(side, faults).text())


HDIV = "-divergence, -hdivsteps, -vdivsteps or -sourcefile"
DISP = "-dispersion, -dispsteps or -sourcefile"
PHI = "-phisteps, -phistep or -osc"


def ignored(name: str, other: str, number: int, flags: str) -> str:
    return f"({name} has the default; {other} has {number}: {name} ignores {flags})"


Change = dict[str, Any]
COUNTS: list[tuple[type[Program], Change, Change, str]] = [
    (Divergent, {"sources": 9}, {"sources": 1}, f"sources: C 9, PY 1 {ignored('PY', 'C', 9, HDIV)}"),
    (
        Divergent,
        {"sources": 1},
        {"sources": 2},
        f"sources: C 1, PY 2 (C has the default; PY has 2, set by {HDIV})",
    ),
    (Divergent, {"sources": 4}, {"sources": 3}, f"sources: C 4, PY 3 (set by {HDIV})"),
    (Dispersed, {"sources": 2}, {"sources": 1}, f"sources: C 2, PY 1 {ignored('PY', 'C', 2, DISP)}"),
    (
        Dull,
        {"domains": 2},
        {"domains": 1},
        f"mosaic domains: C 2, PY 1 {ignored('PY', 'C', 2, '-mosaic_spread or -mosaic_domains')}",
    ),
    (Dull, {"phi": (0.0, 0.5, 4)}, {"phi": (0.0, 0.5, 1)}, f"phi steps: C 4, PY 1 {ignored('PY', 'C', 4, PHI)}"),
    (Dull, {"phi": (0.0, 0.5, 4)}, {"phi": (0.0, 0.5, 5)}, f"phi steps: C 4, PY 5 (set by {PHI})"),
    (Dull, {"oversample": 2}, {"oversample": 1}, "sub-pixels on each axis: C 2, PY 1 (set by -oversample)"),
]
IDS = [line.partition(" (")[0] + (" of wavelengths" if program is Dispersed else "") for program, *_, line in COUNTS]


@pytest.mark.parametrize(("program", "c", "py", "line"), COUNTS, ids=IDS)
def test_another_number_of_iterations_is_a_setting_and_accuses_no_one(
    program: type[Program], c: dict[str, Any], py: dict[str, Any], line: str
) -> None:
    found = blame(log(program, "C", **c), log(program, "PY", **py))
    assert not introduced(found)
    assert not [f.variable for f in found.findings if f.is_cause]
    assert found.settings == found.loops == (line,)
    assert cause_line(found) == f"setting that differs: {line}"


def compared(c: str, py: str) -> Result:
    """As the command compares two logs."""
    alignment = align(read(c, "C"), read(py, "PY"), shipped().vocabulary)
    return compare(alignment, CaseResult("t", "t"), Contract(), pair=shipped())


def test_the_headline_of_a_comparison_names_the_setting() -> None:
    result = compared(log(Divergent, "C"), log(Divergent, "PY", sources=1))
    line = f"sources: C 2, PY 1 (PY has the default; C has 2: PY ignores {HDIV})"
    assert result.headline.startswith(f"setting that differs: {line}; first at incident_vec[")
    assert who(result) == f"neither program breaks an equation; a setting differs: {line}"


DEFAULT_FLUENCE = 1.2593201529271175e29
FLUENCE = f"fluence_photons_per_m2: C 1e+20, PY {DEFAULT_FLUENCE:.6g}"
IGNORES_LAMBDA = "(PY has the default; C has 9.7e-11: PY ignores -lambda)"


def two_settings(**py: Any) -> Result:
    """C has a fluence and a wavelength of its own, PY the defaults and other numbers of iterations."""
    faults = {"fluence_photons_per_m2": set_to(1e20), "lambda_meters": set_to(9.7e-11)}
    defaults = {"fluence_photons_per_m2": set_to(DEFAULT_FLUENCE), "lambda_meters": set_to(1e-10)}
    return compared(log(Dull, "C", faults), log(Dull, "PY", defaults, **py))


def test_a_setting_is_named_next_to_one_that_explains_more() -> None:
    result = two_settings()
    assert result.headline.startswith("fluence_photons_per_m2 explains "), result.headline
    more = f"another setting that differs: lambda_meters: C 9.7e-11, PY 1e-10 {IGNORES_LAMBDA}"
    assert f"(factor 6.16e5); {more}; first at lambda_meters" in result.headline
    assert who(result).startswith(
        f"neither program breaks an equation; settings differ: {FLUENCE} (PY has the default;"
    )
    assert next_step(result) == "trace-diff explain fluence_photons_per_m2"


def test_a_count_comes_after_the_settings_that_it_may_follow_from() -> None:
    result = two_settings(oversample=2)
    listed = f"{FLUENCE}; lambda_meters: C 9.7e-11, PY 1e-10; sub-pixels on each axis: C 1, PY 2"
    assert result.headline.startswith(f"settings that differ: {listed}; fluence_photons_per_m2 explains ")


class Polarised(Dull):
    """A source of the Kahn factor K, which no log holds."""

    kahn = 0.0

    def _source(self, keys: dict[str, int], sub: dict[str, Any], r: dict[str, Any]) -> tuple[np.ndarray, float]:
        q, _ = super()._source(keys, sub, r)
        i, d = r["beam"], sub["d"]
        b = unit(np.cross([0.0, 0.0, 1.0], i))
        psi = -np.arctan2(d @ b, d @ np.cross(i, b))
        polar = (1 + (i @ d) ** 2 - self.kahn * np.cos(2 * psi) * (1 - (i @ d) ** 2)) / 2
        self.lines = [line for line in self.lines if ": polar " not in line]
        return q, float(self.put("polar", keys, polar))


@pytest.mark.parametrize(("kahn", "accused"), [(0.9, set()), (-0.25, set()), (0.912345678, {("C", "polar")})])
def test_a_polarisation_of_one_pixel_is_a_setting_if_its_factor_can_be_typed(kahn: float, accused: set[Any]) -> None:
    found = blame(log(Polarised, "C", kahn=kahn), log(Polarised, "PY"))
    assert introduced(found) == accused
    hint = next(f.hint for f in found.findings if f.variable == "polar")
    assert hint.startswith("C follows 'Kahn factor', PY 'unpolarised") or accused


def test_a_fault_is_found_although_the_number_of_sources_differs() -> None:
    swapped = {"hkl_frac": lambda v, x: v[[0, 2, 1]]}
    found = blame(log(Divergent, "C"), log(Divergent, "PY", swapped, sources=1))
    assert introduced(found) == {("PY", "hkl_frac")}
    assert cause_line(found).startswith("setting that differs: sources: C 2, PY 1 (")
    assert "; hkl_frac explains " in cause_line(found)


def test_lines_that_are_left_out_of_a_log_are_no_setting() -> None:
    c = log(Divergent, "C")
    py = "".join(line for line in log(Divergent, "PY").splitlines(keepends=True) if "source=1" not in line)
    assert blame(c, py).loops == ()


def test_two_faults_of_the_first_source_are_not_a_setting() -> None:
    found = blame(log(Dull, "C"), log(Dull, "PY", {"incident_vec": lambda v, x: -v}))
    assert introduced(found) == {("PY", "incident_vec")}
    assert found.loops == ()


def set_to(*values: float) -> Any:
    return lambda v, x: np.array(values) if len(values) > 1 else values[0]


DEFAULTS = [
    ("lambda_meters", (9.7e-11,), (1e-10,), "PY has the default; C has 9.7e-11: PY ignores -lambda"),
    ("lambda_meters", (1e-10,), (1.02e-10,), "C has the default; PY has 1.02e-10, set by -lambda"),
    ("lambda_meters", (0.98e-10,), (1.02e-10,), ""),
    ("phi_deg", (3.0,), (0.0,), "PY has the default; C has 3: PY ignores -phi"),
    (
        "spindle_vec",
        (0.0, 1.0, 0.0),
        (0.0, 0.0, 1.0),
        "PY has the default; C has 0 1 0: PY ignores -spindle_axis",
    ),
    (
        "N_cells",
        (1.0, 1.0, 1.0),
        (5.0, 5.0, 5.0),
        "C has the default; PY has 5 5 5, set by -N, -Na, -Nb and -Nc",
    ),
]


@pytest.mark.parametrize(("name", "c", "py", "said"), DEFAULTS)
def test_a_value_at_its_default_on_one_side(name: str, c: tuple[float, ...], py: tuple[float, ...], said: str) -> None:
    found = blame(log(Dull, "C", {name: set_to(*c)}), log(Dull, "PY", {name: set_to(*py)}))
    words = [" ".join(f"{x:.6g}" for x in v) for v in (c, py)]
    line = f"{name}: C {words[0]}, PY {words[1]}" + (f" ({said})" if said else "")
    assert line in found.settings
    assert not introduced(found)
    assert ignoring(found, name) == said


def ignoring(found: Blame, name: str) -> str:
    """The hint of a finding, where it is about a default."""
    hints = {f.variable: f.hint for f in found.findings}
    return hints[name] if "default" in hints[name] or "command line" in hints[name] else ""


ASKED = [
    (["-lambda", "1.0"], "C has 1e-10, as the command line asks for; PY has 1.02e-10"),
    (["-lambda", "1.02"], "C has the default; PY has 1.02e-10: C ignores -lambda"),
    (["-energy", "12155.3"], "C has the default; PY has 1.02e-10: C ignores -lambda"),
    (["-N", "5"], "C has the default, PY 1.02e-10, and the command line has no -lambda"),
]


@pytest.mark.parametrize(("argv", "said"), ASKED, ids=[" ".join(argv) for argv, _ in ASKED])
def test_a_command_line_decides_which_value_was_asked_for(argv: list[str], said: str) -> None:
    assert told(DOMAIN.defaults["source.lambda_meters"], ("C", "PY"), np.array([1.02e-10]), argv) == said


def test_a_command_line_may_ask_for_the_default_number_of_iterations() -> None:
    said = who_ignores(DOMAIN.loops["phi_tic"], "-phisteps", 1, 5, ["-phisteps", "1"])
    assert said == "C has 1, as the command line asks for; PY has 5"


def test_a_distance_in_the_logs_comes_before_the_origin_that_follows_from_it() -> None:
    def at(distance: float) -> Any:
        return {
            "pix0_vector_meters": lambda v, x: v * distance / 0.1,
            "distance_meters": set_to(distance),
        }

    found = blame(log(Dull, "C"), log(Dull, "PY", at(0.1005)))
    line = "distance_meters: C 0.1, PY 0.1005 (C has the default; PY has 0.1005, set by -distance)"
    assert found.settings == (line,)
    assert cause_line(found).startswith(f"setting that differs: {line}; pix0_vector_meters explains ")


def test_a_matrix_that_is_the_identity_on_one_side() -> None:
    mosaic = {"domains": 2}
    found = blame(log(Dull, "C", **mosaic), log(Dull, "PY", {"mosaic_umat": lambda v, x: np.eye(3).ravel()}, **mosaic))
    hint = next(f.hint for f in found.findings if f.variable == "mosaic_umat")
    assert hint.startswith("PY has the default; C has ")
    assert hint.endswith(": PY ignores -mosaic_spread")


@pytest.mark.parametrize(
    ("factor", "hint"),
    [
        (1.0002, "too large by a factor of 1.0002"),
        (0.9, "times 0.9"),
        (-1.5, "times -1.5"),
        (1.00021234567, ""),
    ],
)
def test_the_factor_of_a_single_place_is_named_if_it_can_be_typed(factor: float, hint: str) -> None:
    found = blame(log(Dull, "C"), log(Dull, "PY", {"omega_pixel_sr": lambda v, x: v * factor}))
    assert introduced(found) == {("PY", "omega_pixel_sr")}
    assert [f.hint for f in found.findings if f.variable == "omega_pixel_sr"] == [hint]
