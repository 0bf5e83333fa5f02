"""The strict mode sees planted promotions, in both precisions, wherever they are; and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from nanobragg_torch import experiment as experiment_module
from nanobragg_torch import render, trace
from nanobragg_torch.gradcheck.cases import CASES
from nanobragg_torch.parameters import PARAMETERS
from nanobragg_torch.stages import accumulate, crystal, detector, lattice, polarization, scattering
from torch import Tensor

from tests.simulator.small import experiment
from tests.strict import ALLOWED, PACKAGE, PromotionError, Strict

DTYPES = (torch.float64, torch.float32)
CPU = torch.device("cpu")
NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="gpu_smoke: no CUDA device here")
DEVICES = ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu_smoke, NO_GPU])]


SET_UP = (crystal,)  # is in float64 for both


def other(dtype: torch.dtype, module: Any) -> torch.dtype:
    return torch.float32 if dtype == torch.float64 or module in SET_UP else torch.float64


def planted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, change: Callable[..., Any]) -> None:
    original = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *args: change(original(*args)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("module", "name"),
    [(lattice, "product"), (scattering, "scattering_vector"), (accumulate, "pixel_value"), (detector, "solid_angle"),
     (polarization, "polarization_factor"), (crystal, "in_metres"), (crystal, "misset_angles")],
)  # fmt: skip
class TestPlanted:
    """Each in a stage of its own, in pixels or in the set-up."""

    def test_a_zero_of_another_dtype(
        self, dtype: torch.dtype, module: Any, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """0-dimensional: the result keeps its dtype, and no test of values could see it."""
        planted(monkeypatch, module, name, lambda value: value + torch.zeros((), dtype=other(dtype, module)))
        with pytest.raises(PromotionError):
            render(experiment(dtype=dtype))

    def test_a_conversion_there_and_back(
        self, dtype: torch.dtype, module: Any, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        planted(monkeypatch, module, name, lambda value: value.to(other(dtype, module)).to(value.dtype))
        with pytest.raises(PromotionError):
            render(experiment(dtype=dtype))

    def test_whole_numbers_in_arithmetic(
        self, dtype: torch.dtype, module: Any, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        planted(
            monkeypatch, module, name, lambda value: value * torch.ones(value.shape[-1:] or (1,), dtype=torch.int64)
        )
        with pytest.raises(PromotionError):
            render(experiment(dtype=dtype))


def test_a_default_dtype_is_seen_in_double_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, accumulate, "step_intensity", lambda value: (torch.zeros(3), value)[1])
    render(experiment(dtype=torch.float32))
    with pytest.raises(PromotionError, match=r"makes torch\.float32"):
        render(experiment(dtype=torch.float64))


def test_it_is_seen_in_threads_of_many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(2)
    planted(monkeypatch, lattice, "product", lambda value: value + torch.zeros((), dtype=torch.float32))
    with pytest.raises(PromotionError):
        render(experiment(detpixels_f=101, detpixels_s=99), memory_budget_MB=0.5)


def test_it_is_seen_on_the_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    original = lattice._slopes

    def slopes(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor | None]:
        by_x, by_N = original(*args, **kwargs)
        return by_x * torch.ones((), dtype=torch.float32), by_N

    monkeypatch.setattr(lattice, "_slopes", slopes)
    distance = torch.tensor(100.0, dtype=torch.float64, requires_grad=True)
    image = render(experiment(distance_mm=distance))
    with pytest.raises(PromotionError, match=r"lattice\.py"):
        image.sum().backward()
    with pytest.raises(PromotionError):
        torch.autograd.grad(render(experiment(distance_mm=distance)).sum(), distance)


def test_a_part_of_the_model_that_is_not_converted_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model holds nothing but the experiment's dtype, even where no operation has met it yet."""
    monkeypatch.setattr(experiment_module, "map_tensors", lambda model, change: model)
    with pytest.raises(PromotionError, match="Model"):
        experiment(dtype=torch.float32).build()


def test_another_device_is_seen() -> None:
    a, b = torch.ones(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64, device="meta")
    with Strict(torch.float64, CPU):
        assert float((a * 2.0 + a).sum()) == 9
        with pytest.raises(PromotionError, match="meta"):
            torch.zeros(3, dtype=torch.float64, device="meta")
        with pytest.raises(PromotionError, match=r"devices|meta"):
            a + b


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_every_part_of_the_model_keeps_to_its_dtype(case: str, dtype: torch.dtype, device: str) -> None:
    """Image, trace and the gradient by everything at once, the variables being float64 on the CPU in either case."""
    e = CASES[case]().replace(dtype=dtype, device=torch.device(device), detpixels_f=5, detpixels_s=4)
    leaves = []
    for parameter in PARAMETERS:
        numbers = parameter.read(e)
        if numbers is not None and parameter.name != "structure_factors":
            leaves.append(torch.tensor(numbers, dtype=torch.float64, requires_grad=True))
            e = parameter.put(e, leaves[-1])
    image = render(e)
    assert image.dtype == dtype
    assert image.device.type == device
    for gradient in torch.autograd.grad(image.sum(), leaves, allow_unused=True):
        assert gradient is None or gradient.dtype == torch.float64
    assert list(trace(e, [(1, 2)]).lines())


def test_what_is_allowed_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A leave whose place has gone must go too."""
    for file, part in ALLOWED:
        assert part in (Path(PACKAGE) / file).read_text(), (file, part)
    trace(experiment(), [(1, 2)])
    monkeypatch.delitem(ALLOWED, ("rendering/evaluate.py", '"floatimage_accumulated"'))
    with pytest.raises(PromotionError, match="evaluate"):
        trace(experiment(), [(1, 2)])
