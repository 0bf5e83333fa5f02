"""The same code on a CUDA device: the golden figures, the CPU's gradients, and no block that waits for the host.

Strict mode on CUDA is in test_strict.py. What reads a value back is found on a CPU, too: there blocks are evaluated on
tensors that have none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from nanobragg_torch import Experiment, render, trace
from nanobragg_torch.experiment import map_tensors
from nanobragg_torch.gradcheck.cases import CASES
from nanobragg_torch.gradcheck.check import jacobian, pixels_by, places
from nanobragg_torch.parameters import PARAMETERS
from nanobragg_torch.rendering import evaluate
from nanobragg_torch.stages import scattering
from torch import Tensor

from tests import golden
from tests import tolerances as tol
from tests.golden import needs_shared
from tests.simulator.small import experiment
from tests.simulator.test_golden import (
    LINES_THE_GOLDEN_LACKS,
    experiment_of,
    faults_of_trace,
    supervisor,
)
from tests.simulator.test_strict import DTYPES, NO_GPU
from tests.single_precision import MOST

CUDA = torch.device("cuda")
GOLDEN_CASES = sorted(golden.golden_cases())


def on_cuda(test: Any) -> Any:
    """A test of a CUDA device, skipped by name where there is none."""
    return pytest.mark.gpu_smoke(NO_GPU(test))


def read_in_a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that asks for a value."""
    original = scattering.nearest
    monkeypatch.setattr(scattering, "nearest", lambda hkl: original(hkl) if float(hkl.sum()) != 0.5 else hkl)


@contextmanager
def no_waiting() -> Iterator[None]:
    """Every operation that makes the host wait for the device raises."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@on_cuda
@needs_shared
@pytest.mark.parametrize("case_id", GOLDEN_CASES)
def test_golden_image_and_trace(case_id: str) -> None:
    """In float64 to the same tolerances as on the CPU, in float32 within a thousandth of the maximum."""
    e = experiment_of(case_id).replace(device=CUDA)
    want = golden.golden_image(case_id)
    with torch.no_grad():
        double, single = render(e), render(e.replace(dtype=torch.float32))
    assert (double.device.type, single.device.type) == ("cuda", "cuda")
    assert (double.dtype, single.dtype) == (torch.float64, torch.float32)
    assert golden.image_faults(double.to(torch.float32).cpu().numpy(), want) == ""
    assert float(np.abs(single.cpu().numpy().astype(np.float64) - want).max()) <= MOST * float(np.abs(want).max())
    path = golden.golden_cases()[case_id].trace_path
    if path.exists():
        assert faults_of_trace(e, path.read_text()) == LINES_THE_GOLDEN_LACKS.get(case_id, [])


@on_cuda
@needs_shared
def test_supervisor() -> None:
    experiment, case = supervisor()
    with torch.no_grad():
        image = render(experiment.replace(device=CUDA)).to(torch.float32).cpu().numpy()
    slow, fast = np.array(case["pixels"]).T
    want = np.array(case["spec_values"])
    assert (np.abs(image[slow, fast] - want) <= tol.IMAGE_REL * want).all()


@on_cuda
@pytest.mark.parametrize("case", CASES)
def test_every_gradient_is_that_of_the_cpu(case: str) -> None:
    """Which test_gradcheck.py holds against finite differences."""
    e = CASES[case]()
    at = torch.tensor(list(places(e).values()))
    for parameter in PARAMETERS:
        start = parameter.tensor(e)
        if start is None:
            continue
        values = pixels_by(e, parameter, at)
        cpu = jacobian(values, start)
        # Where a derivative cancels, what is left is the rounding of one that did not.
        rounding = 1e-12 * float(values(start).max()) / parameter.scale
        cuda = jacobian(pixels_by(e.replace(device=CUDA), parameter, at), start)
        assert cuda.device == start.device  # the variable's
        assert torch.allclose(cuda, cpu, rtol=1e-7, atol=1e-9 * float(cpu.abs().max()) + rounding), parameter.name


@on_cuda
@pytest.mark.loose_dtypes
def test_variables_may_be_on_the_device() -> None:
    leaves = [
        torch.tensor(values, dtype=torch.float64, device=device, requires_grad=True)
        for device in ("cpu", "cuda")
        for values in ((70.0, 80.0, 90.0, 85.0, 95.0, 105.0), 100.0)
    ]
    images = [render(experiment(cell=c, distance_mm=d, device=CUDA)) for c, d in (leaves[:2], leaves[2:])]
    assert torch.equal(*images)
    gradients = [torch.autograd.grad(image.square().sum(), leaves, allow_unused=True) for image in images]
    for ours, theirs in zip(gradients[0][:2], gradients[1][2:], strict=True):
        assert theirs.device.type == "cuda"
        assert torch.allclose(ours, theirs.cpu(), rtol=1e-12)


@on_cuda
@pytest.mark.loose_dtypes
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_no_block_waits_for_the_host(case: str, dtype: torch.dtype) -> None:
    """Nor for a tensor that is made there: all of an image once the model is built, and all of its backward pass."""
    e = CASES[case]().replace(dtype=dtype, device=CUDA)
    model = map_tensors(e.build(), lambda tensor: tensor.detach().requires_grad_())
    leaves: list[Tensor] = []
    map_tensors(model, lambda tensor: leaves.append(tensor) or tensor)
    with no_waiting():
        with torch.no_grad():
            render(e, model=model, memory_budget_MB=0.5)
        image = render(e, model=model, memory_budget_MB=0.5)
        torch.autograd.grad(image.sum(), leaves, allow_unused=True)


@on_cuda
def test_waiting_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    read_in_a_stage(monkeypatch)
    e = experiment(device=CUDA)
    model = e.build()
    with no_waiting(), pytest.raises(RuntimeError, match="synchroniz"):
        render(e, model=model)


def of_meta(e: Experiment) -> tuple[Any, Tensor, Tensor]:
    """The model and coordinates without values: whoever asks for one gets an error."""
    model = map_tensors(e.build(), lambda tensor: tensor.to("meta"))
    place = torch.empty(20, dtype=e.dtype, device="meta")
    return model, place, place


@pytest.mark.loose_dtypes
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_no_block_reads_a_value(case: str, dtype: torch.dtype) -> None:
    values = evaluate.evaluate(*of_meta(CASES[case]().replace(dtype=dtype)))
    assert (values.shape, values.dtype, values.device.type) == ((20,), dtype, "meta")


@pytest.mark.loose_dtypes
def test_reading_a_value_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    read_in_a_stage(monkeypatch)
    with pytest.raises((NotImplementedError, RuntimeError)):
        evaluate.evaluate(*of_meta(experiment()))


@pytest.mark.parametrize("case", CASES)
def test_a_default_device_of_the_user_changes_nothing(case: str) -> None:
    """What is made without saying where would have no values here."""
    e = CASES[case]().replace(detpixels_f=5, detpixels_s=4)
    some = torch.tensor([[1, 2]])
    image, few, lines = render(e), render(e, some), list(trace(e, [(1, 2)]).lines())
    with torch.device("meta"):
        assert torch.equal(render(e), image)
        assert torch.equal(render(e, some), few)
        assert list(trace(e, [(1, 2)]).lines()) == lines
