"""The image as a whole: blocks, sparse pixels, dtypes, one implementation behind image and trace."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from nanobragg_torch import ExperimentError, render, trace
from nanobragg_torch.rendering import evaluate as evaluation
from nanobragg_torch.rendering.probe import Probe
from nanobragg_torch.settings import Reflections
from nanobragg_torch.stages import (
    absorption,
    accumulate,
    detector,
    lattice,
    polarization,
    scattering,
    structure_factors,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.simulator.small import experiment, reflections

RICH: dict[str, Any] = {
    "phi_start_deg": 3.0,
    "osc_deg": 1.0,
    "phisteps": 3,
    "mosaic_spread_deg": 0.5,
    "mosaic_domains": 4,
    "oversample": 2,
    "dispersion_fraction": 0.01,
    "dispersion_steps": 2,
    "kahn_factor": 0.5,
    "thickness_um": 200.0,
    "thick_steps": 2,
    "dmin_A": 4.5,
    "water_um": 0.01,
    "detpixels_f": 23,
    "detpixels_s": 17,
}


@pytest.mark.parametrize("more", [{}, {"oversample_omega": True, "oversample_polar": True}, {"interpolate": True}])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_image_does_not_depend_on_the_memory_budget(more: dict[str, Any], dtype: torch.dtype) -> None:
    e = experiment(**{**RICH, **more}, dtype=dtype)
    with torch.no_grad():
        whole = render(e)
        for budget in (0.2, 0.5, 1.0):
            assert torch.equal(render(e, memory_budget_MB=budget), whole)
    assert torch.isfinite(whole).all()
    assert (whole > 0).sum() > 0.8 * whole.numel()


def test_a_grid_too_small_for_a_block_falls_back_everywhere() -> None:
    """quirk interp-latch is not reproduced: each step without its 4×4×4 block takes the nearest value."""
    for reach in (0, 1, 2, 3):
        small = {"reflections": reflections(reach=reach), "default_F": 7.0}
        nearest, asked = (render(experiment(interpolate=on, **small)) for on in (False, True))
        assert float(nearest.max()) > 0
        assert torch.equal(asked, nearest) == (reach < 3)


def test_a_few_pixels_of_a_huge_detector_need_no_image() -> None:
    """13 GB, were it made; the pixels are those of a small detector of the same pixels around the beam."""
    pixel_mm, side = 0.01, 40_000
    beam = {"pixel_mm": pixel_mm, "convention": "XDS", "ORGX_pixels": 0.5, "ORGY_pixels": 0.5}
    huge = experiment(**beam, detpixels_f=side, detpixels_s=side)
    small = experiment(**beam, detpixels_f=50, detpixels_s=50)
    pixels = torch.tensor([[3, 4], [49, 2], [3, 4], [0, 0]])
    values = render(huge, pixels)
    assert torch.equal(values, render(small, pixels))
    assert float(values.min()) > 0


def test_image_does_not_depend_on_threads() -> None:
    before = torch.get_num_threads()
    e = experiment(**{**RICH, "detpixels_f": 131, "detpixels_s": 127, "pixel_mm": 0.2})
    try:
        torch.set_num_threads(1)
        one = render(e)
        for threads in (2, 5):
            torch.set_num_threads(threads)
            assert torch.equal(render(e), one)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_a_failure_in_a_thread_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> Any:
        raise ArithmeticError("a stage")

    monkeypatch.setattr(scattering, "nearest", broken)
    with pytest.raises(ArithmeticError, match="a stage"):
        render(experiment(**RICH), memory_budget_MB=0.2)


def test_long_scans_are_chunked() -> None:
    """More slices than are worked through at once give what the sum of two halves gives."""
    n = evaluation.SLICES_AT_ONCE
    common: dict[str, Any] = {"phistep_deg": 0.01, "phi_start_deg": 1.0}
    whole = render(experiment(**common, osc_deg=0.01 * 2 * n, phisteps=2 * n))
    first = render(experiment(**common, osc_deg=0.01 * n, phisteps=n))
    second = render(experiment(**{**common, "phi_start_deg": 1.0 + 0.01 * n}, osc_deg=0.01 * n, phisteps=n))
    assert torch.allclose(whole, (first + second) / 2, rtol=1e-10)


@pytest.mark.parametrize("budget", [256.0, 0.3])
def test_progress_rises_to_one(budget: float) -> None:
    seen: list[float] = []
    render(experiment(**RICH), memory_budget_MB=budget, progress=seen.append)
    assert seen == sorted(seen)
    assert len(seen) > 3
    assert seen[-1] == 1.0
    nothing: list[float] = []
    render(experiment(**RICH, roi=(5, 4, 0, 0)), progress=nothing.append)
    assert nothing == [1.0]


def test_sparse_pixels_are_those_of_the_image() -> None:
    e = experiment(**RICH)
    image = render(e)
    pixels = torch.tensor([[3, 4], [16, 22], [0, 0], [3, 4]])
    assert torch.equal(render(e, pixels), image[pixels[:, 0], pixels[:, 1]])


@pytest.mark.parametrize(
    "pixels", [[[17, 0]], [[0, 23]], [[-1, 0]], [[1.0, 2.0]], [[1, 2, 3]], [1, 2]], ids=lambda p: str(p)
)
def test_pixels_off_the_detector_are_refused(pixels: Any) -> None:
    with pytest.raises(ExperimentError, match="pixel"):
        render(experiment(**RICH), torch.tensor(pixels))


def test_region_and_mask() -> None:
    mask = np.ones((9, 11), dtype=np.uint16)
    mask[4, :] = 0
    whole = render(experiment())
    part = render(experiment(roi=(2, 5, 3, 99), mask=mask))
    expected = torch.zeros_like(whole)
    expected[3:, 2:6] = whole[3:, 2:6]
    expected[4] = 0
    assert torch.equal(part, expected)
    assert render(experiment(roi=(2, 5, 3, 99), mask=mask), torch.tensor([[4, 3], [0, 0]])).tolist() == [0.0, 0.0]


class _Purity(TorchDispatchMode):
    """Collects the dtypes of floating-point results and the devices of all."""

    def __init__(self) -> None:
        super().__init__()
        self.dtypes: set[torch.dtype] = set()
        self.devices: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self.devices.add(leaf.device.type)
                if leaf.is_floating_point():
                    self.dtypes.add(leaf.dtype)
        return result


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    "more", [{}, {"oversample_omega": True, "curved": True, "interpolate": True}, {"shape": "gauss"}]
)
def test_no_tensor_of_another_dtype_appears(dtype: torch.dtype, more: dict[str, Any]) -> None:
    e = experiment(**{**RICH, **more}, dtype=dtype)
    with _Purity() as seen:
        model = e.build()
    assert seen.dtypes == {torch.float64, dtype}  # the set-up is in double precision, converted at its end
    with _Purity() as seen:
        image = render(e, model=model)
    assert image.dtype == dtype
    assert seen.dtypes == {dtype}
    assert seen.devices == {"cpu"}


def test_single_precision_is_near_double() -> None:
    double, single = render(experiment(**RICH)), render(experiment(**RICH, dtype=torch.float32))
    assert ((double - single).abs() <= 1e-3 * double.abs() + 1e-6 * double.max()).all()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (detector, "pixel_position"),
        (detector, "solid_angle"),
        (scattering, "scattering_vector"),
        (scattering, "miller_indices"),
        (scattering, "nearest"),
        (lattice, "lattice_factor"),
        (structure_factors, "structure_factor"),
        (polarization, "polarization_factor"),
        (absorption, "capture_fraction"),
        (accumulate, "step_intensity"),
        (accumulate, "pixel_value"),
    ],
)
def test_image_and_trace_call_the_same_function(module: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stage exists once: changing it changes both."""
    e = experiment(**RICH)
    before = render(e, torch.tensor([[4, 5]])).item(), _final(e)
    assert before[0] == before[1]
    original = getattr(module, name)

    def changed(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        return (result[0] * 1.5, result[1]) if isinstance(result, tuple) else result * 1.5

    monkeypatch.setattr(module, name, changed)
    after = render(e, torch.tensor([[4, 5]])).item(), _final(e)
    assert after[0] == after[1]
    assert after[0] != before[0]


def _final(e: Any) -> float:
    (text,) = [line for line in trace(e, [(4, 5)]).lines() if ": I_pixel_final " in line]
    return float(text.split()[-1])


def test_no_detaching_on_the_way_from_settings_to_image() -> None:
    """`.item()`, `.numpy()`, `.detach()` would cut gradients; they are nowhere in the stages."""
    for module in (detector, scattering, lattice, structure_factors, polarization, absorption, accumulate, evaluation):
        source = inspect.getsource(module)
        assert not any(word in source for word in (".item(", ".numpy(", ".detach(", ".cpu("))


def test_import_leaves_the_compiler_alone() -> None:
    code = (
        "import sys, nanobragg_torch;"
        "print([m for m in ('torch._dynamo', 'torch._inductor', 'sympy') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_settings_are_checked() -> None:
    for change in ({"wavelength_A": 0.0}, {"pixel_mm": -1.0}, {"distance_mm": float("nan")}, {"shape": "cube"}):
        with pytest.raises(ExperimentError, match=next(iter(change))):
            experiment(**change)
    with pytest.raises(ExperimentError, match="wavelength"):
        experiment(wavelength=1.0)
    with pytest.raises(ExperimentError, match="dtype"):
        experiment(dtype=torch.float16)
    with pytest.raises(ExperimentError, match="pixels"):
        experiment(pixel_mm=1e9, detpixels_f=None).build()
    with pytest.raises(ExperimentError, match="shape"):
        experiment(reflections=Reflections(lowest=(0, 0, 0), F=np.zeros(3))).build()


def test_no_cpu_tensor_slips_in_between_those_of_another_device() -> None:
    """The loops on a device without data: mixing devices raises, and all that is kept is there."""

    def move(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value.to("meta")
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            parts = {f.name: move(getattr(value, f.name)) for f in dataclasses.fields(value)}
            return dataclasses.replace(value, **parts)
        return value

    for more in ({}, {"curved": True, "interpolate": True, "oversample_omega": True}, {"shape": "tophat"}):
        model = move(experiment(**{**RICH, **more}).build())
        devices: set[str] = set()

        def keep(scope: str, name: str, loop: Any, value: Any, found: set[str] = devices) -> None:
            if isinstance(value, torch.Tensor):
                found.add(value.device.type)

        pixels = torch.ones(4, dtype=torch.float64, device="meta")
        assert evaluation.evaluate(model, pixels, pixels, Probe(keep)).device.type == "meta"
        assert devices == {"meta"}
