"""Counterfactual traces: from given values of any quantity onwards, everything downstream is computed from them."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest
from nanobragg_torch import ExperimentError, trace
from nanobragg_torch.cli import main
from nanobragg_torch.io.trace_log import read_trace_log
from nanobragg_torch.rendering.trace import Trace
from nanobragg_torch.trace_lines import TRACE_NAMES
from trace_parity.pair.dependencies import downstream, inputs
from trace_parity.pair.find import shipped

from tests.simulator.small import experiment

PIXELS = [(4, 5), (2, 7)]
LOOPS: dict[str, Any] = {
    "oversample": 2,
    "phi_start_deg": 1.0,
    "osc_deg": 1.0,
    "phisteps": 2,
    "mosaic_spread_deg": 0.4,
    "mosaic_domains": 2,
    "thickness_um": 100.0,
    "thick_steps": 2,
    "twotheta_deg": 8.0,
    "kahn_factor": 0.9,
    "hdiv_range_rad": 0.002,
    "hdiv_steps": 2,
}
SWITCHED = {**LOOPS, "oversample_polar": True, "oversample_omega": True, "oversample_thick": True}
IDS = [f"{scope}.{name}" for scope, name, _ in TRACE_NAMES]
# Fbeam and Sbeam are computed from the distance, which the vocabulary gives by way of the close distance.
ALSO = {"run.distance_meters": {"run.Fbeam_meters", "run.Sbeam_meters"}}
# What is printed for the reader, and nothing computed from it here.
NOT_USED = {"run.distance_meters", "run.V_cell_A3"}


@functools.cache
def own_lines(**changes: Any) -> tuple[str, ...]:
    return tuple(trace(experiment(**changes), PIXELS).lines())


def scope_of(line: str) -> str:
    keys = re.findall(r"(\w+)=", line.partition("]")[0]) if "[" in line else []
    if keys == ["mos_tic"]:
        return "mosaic"
    return {0: "run", 2: "pixel", 5: "subsample", 6: "source", 8: "step"}[len(keys)]


def id_of(line: str) -> str:
    return f"{scope_of(line)}.{line.split(': ')[1].split()[0]}"


def log_of(lines: tuple[str, ...], folder: Path, changed: str = "") -> Path:
    """A log of these lines, with every number of one quantity a little off."""
    path = folder / "c.log"
    off = [_off(line) if id_of(line) == changed else line for line in lines]
    path.write_text("".join(line.replace("TRACE_PY", "TRACE_C") + "\n" for line in off))
    return path


def _off(line: str) -> str:
    at, _, text = line.partition(": ")
    name, *words = text.split()
    if name in {"N_cells", "hkl_rounded", "steps"}:
        numbers = [str(int(word) + 1) for word in words]
    else:
        size = max(abs(float(word)) for word in words)
        numbers = [repr(float(word) + 1e-3 * (i + 1) * size) for i, word in enumerate(words)]
    return f"{at}: {name} {' '.join(numbers)}"


def changed_ids(traced: Trace, lines: tuple[str, ...]) -> set[str]:
    """What changed by more than rounding: the rotated vectors are computed from all three of the cell's."""

    def numbers(line: str) -> list[float]:
        return [float(word) for word in line.split(": ")[1].split()[1:]]

    def moved(new: list[float], old: list[float]) -> bool:
        return new != pytest.approx(old, rel=1e-12, abs=1e-12 * max(map(abs, old)))

    new = list(traced.lines())
    assert len(new) == len(lines)
    pairs = zip(new, lines, strict=True)
    return {id_of(line) for line, old in pairs if line != old and moved(numbers(line), numbers(old))}


@pytest.mark.parametrize(
    "changes",
    [
        {**SWITCHED, "interpolate": True},
        {"shape": "gauss", "convention": "XDS"},
        {"dmin_A": 12.0, "curved": True, "water_um": 5.0},
        {"shape": "tophat", "Na": 2, "Nb": 1, "Nc": 1},
    ],
    ids=["loops", "gauss", "dmin", "tophat"],
)
def test_one_s_own_values_change_no_bit(changes: dict[str, Any], tmp_path: Path) -> None:
    lines = own_lines(**changes)
    log = log_of(lines, tmp_path)
    printed = [name for name in IDS if name in {id_of(line) for line in lines}]
    assert tuple(trace(experiment(**changes), PIXELS, injected=read_trace_log(log, printed)).lines()) == lines


@pytest.mark.parametrize("name", IDS)
def test_one_value_by_itself(name: str, tmp_path: Path) -> None:
    """One's own changes no bit; another changes what depends on it and nothing else."""
    lines = own_lines(**LOOPS)
    own = read_trace_log(log_of(lines, tmp_path), [name])
    assert tuple(trace(experiment(**LOOPS), PIXELS, injected=own).lines()) == lines
    given = read_trace_log(log_of(lines, tmp_path, changed=name), [name])
    changed = changed_ids(trace(experiment(**LOOPS), PIXELS, injected=given), lines)
    graph = inputs(shipped().vocabulary)
    later = downstream(graph, [name])
    assert name in changed
    assert changed - {name} <= later | ALSO.get(name, set())
    direct = {user for user, sources in graph.items() if name in sources}
    if name not in NOT_USED and direct:
        assert changed & direct


@pytest.mark.parametrize("name", ["subsample.omega_pixel_sr", "subsample.capture_fraction", "source.polar"])
def test_an_oversampled_factor_goes_into_the_sum(name: str, tmp_path: Path) -> None:
    lines = own_lines(**SWITCHED)
    given = read_trace_log(log_of(lines, tmp_path, changed=name), [name])
    changed = changed_ids(trace(experiment(**SWITCHED), PIXELS, injected=given), lines)
    assert {"step.I_running", "pixel.I_before_scaling", "pixel.I_pixel_final"} < changed
    assert "step.F_latt" not in changed


def test_the_given_values_stand_in_the_trace(tmp_path: Path) -> None:
    lines = own_lines(**LOOPS)
    for name in ("step.rot_b_angstroms", "source.scattering_vec_m_inv", "pixel.omega_pixel_final", "step.I_running"):
        log = log_of(lines, tmp_path, changed=name)
        new = list(trace(experiment(**LOOPS), PIXELS, injected=read_trace_log(log, [name])).lines())
        wanted = [line.replace("TRACE_C", "TRACE_PY") for line in log.read_text().splitlines()]
        for line, want in zip(new, wanted, strict=True):
            if id_of(line) == name:
                assert [float(x) for x in line.split(": ")[1].split()[1:]] == [
                    float(x) for x in want.split(": ")[1].split()[1:]
                ]


def test_the_two_ways_to_the_same_end_agree(tmp_path: Path) -> None:
    """Another experiment's detector and crystal, given, make its trace."""
    other = tuple(trace(experiment(**LOOPS, roty_deg=3.0, misset_deg=(1.0, 2.0, 3.0)), PIXELS).lines())
    log = log_of(other, tmp_path)
    run = [f"run.{name}" for scope, name, _ in TRACE_NAMES if scope == "run"]
    axes = ("fdet_vec", "sdet_vec", "odet_vec", "pix0_vector_meters", "a_star_A_inv", "b_star_A_inv", "c_star_A_inv")
    for names in (run, [f"run.{name}" for name in axes]):
        new = trace(experiment(**LOOPS), PIXELS, injected=read_trace_log(log, names)).lines()
        for line, want in zip(new, other, strict=True):
            if id_of(line) == "pixel.I_pixel_final":
                assert float(line.split()[-1]) == pytest.approx(float(want.split()[-1]), rel=1e-9)


class TestCommandLine:
    WORDS = "-cell 70 80 90 85 95 105 -default_F 10 -N 5 -detpixels 16 -pixel 1 -oversample 1".split()
    PIXEL = "-trace_pixel 7 8".split()

    @pytest.fixture
    def log(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.chdir(tmp_path)
        assert main([*self.WORDS, *self.PIXEL, "-trace_file", "own.log"]) == 0
        return tmp_path / "own.log"

    def test_names_from_a_log(self, log: Path) -> None:
        doubled = re.sub(r"(: F_cell) (\S+)", r"\1 20", log.read_text())
        Path("c.log").write_text(doubled.replace("TRACE_PY", "TRACE_C"))
        words = ["-inject", "F_cell,F_latt", "-inject_from", "c.log", "-trace_file", "new.log"]
        assert main([*self.WORDS, *self.PIXEL, *words]) == 0
        old, new = (
            dict(re.findall(r": (\w+) (.*)$", Path(name).read_text(), re.MULTILINE)) for name in ("own.log", "new.log")
        )
        assert float(new["F_cell"]) == 2 * float(old["F_cell"])
        assert float(new["I_pixel_final"]) == pytest.approx(4 * float(old["I_pixel_final"]), rel=1e-12)

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            (["-inject", "F_cell"], "go together"),
            (["-inject_from", "own.log"], "go together"),
            (["-inject", "F_cell", "-inject_from", "own.log", "-floatfile", "x.bin"], "no output flag"),
            (["-inject", "F_lattice", "-inject_from", "own.log"], "no trace has a quantity 'F_lattice'"),
            (["-inject", "F_cell", "-inject_from", "none.log"], "cannot read"),
            (["-inject", "F_cell", "-inject_from", "short.log"], "has no value of F_cell"),
            (["-inject", "hkl_frac", "-inject_from", "cut.log"], "no trace line"),
            (["-inject", "hkl_frac", "-inject_from", "small.log"], "has 2 numbers, expected 3"),
            (["-inject", "F_latt", "-inject_from", "own.log", "-trace_pixel", "1", "2"], "no value of F_latt is given"),
        ],
    )
    def test_what_cannot_be_given_is_said(
        self, words: list[str], says: str, log: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = log.read_text()
        Path("short.log").write_text("\n".join(line for line in text.splitlines() if ": F_cell" not in line))
        Path("cut.log").write_text(text + "TRACE_PY[spixel=7")
        Path("small.log").write_text(re.sub(r"(: hkl_frac \S+ \S+) \S+", r"\1", text))
        assert main([*self.WORDS, *self.PIXEL, *words]) == 2
        assert says in capsys.readouterr().err


def test_a_value_of_another_size_is_refused() -> None:
    with pytest.raises(ExperimentError, match="2 numbers, expected 1"):
        trace(experiment(), PIXELS, injected={("run", "V_cell_A3"): {(): (1.0, 2.0)}})
