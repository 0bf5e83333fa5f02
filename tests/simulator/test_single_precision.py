"""Single precision against the original's images: within what tests/single_precision.py states for each case."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from nanobragg_torch import from_argv, render
from nanobragg_torch.stages.structure_factors import Table, look_up

from tests import golden
from tests.golden import needs_shared
from tests.simulator.small import experiment
from tests.single_precision import MAY_GROW, MEASURED, MOST, allowed

CASES = sorted(golden.golden_cases())


def off_by(args: tuple[str, ...], folder: Path, want: np.ndarray, at: np.ndarray | None = None) -> float:
    """The largest difference of the float32 image, as a fraction of the golden maximum."""
    e = from_argv(args, folder=folder).replace(dtype=torch.float32)
    with torch.no_grad():
        image = render(e)
    assert image.dtype == torch.float32
    got = image.numpy().astype(np.float64)
    if at is not None:
        got = got.ravel()[at]
    wanted = want.astype(np.float64)
    return float(np.abs(got - wanted).max() / np.abs(wanted).max())


@needs_shared
@pytest.mark.parametrize("case_id", CASES)
def test_image(case_id: str) -> None:
    case = golden.golden_cases()[case_id]
    assert off_by(case.args, golden.INPUTS, golden.golden_image(case_id)) <= allowed(case_id)


@needs_shared
def test_every_case_has_its_figure_and_meets_the_demand() -> None:
    assert list(MEASURED) == CASES
    assert MAY_GROW * max(MEASURED.values()) < MOST


@pytest.mark.parametrize("case_id", ["base", "tilt_all", "phi_mosaic", "xtalsize", "conv_xds"])
def test_committed_image(case_id: str, golden_folder: Path) -> None:
    """The same of the committed pixels, where the full set is not there."""
    case = golden.committed_cases()[case_id]
    at, value = golden.committed_pixels(case_id)
    assert off_by(case.args, golden_folder, value, at) <= allowed(case_id)


def test_counts_are_those_of_double_precision() -> None:
    """420 Å of cells of 70 Å are six; the rounding of single precision would make seven."""
    changes = {"sample_x_mm": 42e-6, "sample_y_mm": 40e-6, "sample_z_mm": 45e-6, "oversample": None}
    double, single = experiment(**changes).build(), experiment(**changes, dtype=torch.float32).build()
    assert single.cells == double.cells
    assert single.oversample == double.oversample
    assert single.real_m.dtype == torch.float32
    assert torch.equal(single.real_m, double.real_m.float())


def test_factors_keep_their_sign_in_single_precision() -> None:
    from nanobragg_torch.stages import lattice

    hkl = torch.linspace(-9.3, 9.1, 3 * 40, dtype=torch.float64).reshape(3, 2, 20)
    for N in ((4, 5, 1), tuple(torch.tensor(n, dtype=torch.float64) for n in (4.0, 5.0, 6.5))):
        double = lattice.square_factors(hkl, N)  # type: ignore[arg-type]
        narrow = tuple(n.float() if isinstance(n, torch.Tensor) else n for n in N)
        single = lattice.square_factors(hkl.float(), narrow)  # type: ignore[arg-type]
        for d, s in zip(double, single, strict=True):
            assert s.dtype == torch.float32
            assert (d - s.double()).abs().max() < 2e-4


def test_tables_with_more_points_than_single_precision_counts() -> None:
    shape = (259, 258, 257)
    table = Table(torch.zeros(shape, dtype=torch.float32), shape, (1, 1, 1), (257, 256, 255))
    at = torch.tensor([(258 - i % 3, 257 - i % 5, 256 - i) for i in range(50)])
    table.F[tuple(at.T)] = torch.arange(50.0)
    assert look_up(table, *at.T.to(torch.float32)).tolist() == list(range(50))
