"""Every parameter's gradient against finite differences, near a peak and between peaks; and that the check can fail."""

from __future__ import annotations

import functools
import json
import math
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from nanobragg_torch.gradcheck import series
from nanobragg_torch.gradcheck.cases import CASES
from nanobragg_torch.gradcheck.check import Row, check
from nanobragg_torch.parameters import BY_NAME, PARAMETERS
from nanobragg_torch.stages import lattice, polarization
from torch import Tensor

pytestmark = pytest.mark.loose_dtypes  # thousands of renders; test_gradcheck_strict.py does each once, strictly

# `phi_rotation` is checked by everything; the other cases by what their part of the model changes. All of it:
# `trace-diff gradcheck --case all`.
CHECKED = {
    "still": "misset",
    "phi_rotation": " ".join(p.name for p in PARAMETERS),
    "oscillation": "phi_start phi_range cell_lengths twotheta",
    "mosaic": "mosaic_spread cell_angles",
    "divergence": "divergence dispersion kahn_factor",
    "sources": "source_directions",
    "absorbing": "thickness attenuation detector_rotations distance",
    "thick": "thickness attenuation",
    "tilted": "detector_rotations twotheta",
    "custom": "fdet_vector sdet_vector odet_vector beam_vector polar_vector spindle_axis twotheta_axis",
    "oversampled": "pixel_size kahn_factor",
    "curved": "beam_centre distance",
    "round": "cells fudge misset",
    "gauss": "cells fudge cell_angles",
    "tophat": "cells distance",
    "interpolated": "structure_factors default_F misset",
    "real_cells": "cells cell_lengths",
    "default_F": "default_F",
    "supervisor": "matrix misset flux fdet_vector beam_vector",
}
# A pixel takes listed structure factors or the default one.
INDEPENDENT = {
    ("phi_rotation", "default_F", "near"),
    ("phi_rotation", "structure_factors", "between"),
    ("interpolated", "default_F", "near"),
    ("interpolated", "default_F", "between"),
}


@functools.cache
def rows_of(case: str) -> tuple[Row, ...]:
    parameters = [BY_NAME[name] for name in CHECKED[case].split()]
    return tuple(row for rows in check(case, CASES[case](), parameters) for row in rows)


@pytest.mark.parametrize("case", CHECKED)
def test_gradients_hold(case: str) -> None:
    rows = rows_of(case)
    assert [row for row in rows if not row.is_good] == []
    assert {(row.case, row.parameter, row.place) for row in rows if row.verdict == "none"} <= INDEPENDENT
    for row in rows:
        assert row.gradcheck
        assert (row.order is not None and abs(row.order - 2) <= 0.2) == (row.verdict == "ok"), row
        assert row.error <= 1e-4 * abs(row.analytic) or row.verdict == "exact", row


def test_every_case_and_parameter_is_checked_at_both_places() -> None:
    assert set(CHECKED) == set(CASES)
    seen = {(row.parameter, row.place) for case in CHECKED for row in rows_of(case) if row.verdict != "none"}
    assert seen == {(p.name, place) for p in PARAMETERS for place in ("near", "between")}


@pytest.mark.parametrize(
    ("module", "name", "case", "parameter"),
    [(lattice, "_slopes", "still", "misset"), (polarization, "polarization_factor", "still", "kahn_factor")],
)
def test_a_wrong_slope_is_seen(
    module: object, name: str, case: str, parameter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A derivative that is off by one part in ten thousand."""
    original = getattr(module, name)

    def off(*args: Tensor, **kwargs: bool) -> tuple[Tensor | None, ...] | Tensor:
        value = original(*args, **kwargs)
        if isinstance(value, tuple):
            return tuple(None if v is None else v * (1 + 1e-4) for v in value)
        return value + 1e-4 * (value - value.detach())

    monkeypatch.setattr(module, name, off)
    rows = [row for rows in check(case, CASES[case](), [BY_NAME[parameter]]) for row in rows]
    assert [row.verdict for row in rows] == ["wrong", "wrong"]


FUNCTIONS: dict[str, tuple[Callable[[float], float], float]] = {
    "sine": (lambda x: math.sin(x + 0.4), math.cos(0.4)),
    "steep": (lambda x: math.exp(30 * (x - 0.2)), 30 * math.exp(-6)),
    "large": (lambda x: 1e20 * math.sin(x + 0.4), 1e20 * math.cos(0.4)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_series_of_a_right_and_of_a_wrong_derivative(name: str) -> None:
    f, slope = FUNCTIONS[name]
    found = series.check(f, slope, 0.1)
    assert found.verdict == "ok"
    assert found.order == pytest.approx(2, abs=0.1)
    for factor in (1.0 + 1e-6, 0.5, -1.0, 0.0):
        assert series.check(f, slope * factor, 0.1).verdict == "wrong"


def test_series_of_straight_lines_parabolas_and_constants() -> None:
    for f, slope in ((lambda x: 3 * x + 1.7, 3.0), (lambda x: 5 * x * x + 0.3 * x + 1, 0.3)):
        assert series.check(f, slope, 0.1).verdict == "exact"
        assert series.check(f, slope * (1 + 1e-9), 0.1).verdict == "wrong"
    assert series.check(lambda x: 4.0, 0.0, 0.1).verdict == "none"
    assert series.check(lambda x: 4.0, 1e-9, 0.1).verdict == "wrong"
    assert series.check(lambda x: 3 * x, 0.0, 0.1).verdict == "wrong"


def test_series_of_a_kink_and_of_a_step() -> None:
    assert series.check(lambda x: abs(x) + x * x * x, 1.0, 0.1).verdict == "wrong"
    assert series.check(lambda x: float(x > 0), 0.0, 0.1).verdict == "wrong"


def test_parameters_read_back_what_is_put() -> None:
    for case in ("custom", "divergence", "sources", "absorbing", "supervisor"):
        experiment = CASES[case]()
        for parameter in PARAMETERS:
            numbers = parameter.tensor(experiment)
            if numbers is None:
                continue
            assert parameter.read(experiment.replace()) == numbers.tolist()
            moved = parameter.put(experiment, numbers * 1.25)
            assert parameter.read(moved) == pytest.approx((numbers * 1.25).tolist()), parameter.name
            # Nothing else has moved.
            for other in PARAMETERS:
                if other is not parameter and other.name != "structure_factors":
                    assert other.read(moved) == other.read(experiment), (parameter.name, other.name)


def test_the_program_lists_and_prints() -> None:
    command = [sys.executable, "-m", "nanobragg_torch.gradcheck"]
    listed = json.loads(subprocess.run([*command, "--list"], capture_output=True, check=True).stdout)
    assert listed == {"cases": list(CASES), "parameters": list(BY_NAME)}
    words = ["--case", "still", "--parameter", "fluence"]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=True)
    assert [line.split()[:4] for line in done.stdout.splitlines()] == [
        ["exact", "still", place, "fluence"] for place in ("near", "between")
    ]
    assert done.stderr.splitlines() == ["100% done"]
    assert torch.get_default_dtype() == torch.float32  # what the check runs in is the experiment's, not this
