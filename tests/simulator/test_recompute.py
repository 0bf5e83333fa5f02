"""Blocks that are recomputed in the backward pass: the gradient of the plain graph, in the memory of a block."""

from __future__ import annotations

import gc

import pytest
import torch
from nanobragg_torch import Experiment, render
from nanobragg_torch.gradcheck.cases import CASES
from nanobragg_torch.parameters import PARAMETERS
from nanobragg_torch.rendering import evaluate, recompute
from nanobragg_torch.stages import accumulate, scattering
from torch import Tensor


def variable(case: str) -> tuple[Experiment, list[Tensor]]:
    """The case, 17 x 19 pixels, with every number of it a variable."""
    e, leaves = CASES[case]().replace(detpixels_f=19, detpixels_s=17), []
    for parameter in PARAMETERS:
        numbers = parameter.tensor(e)
        if numbers is not None:
            leaves.append(numbers.requires_grad_())
            e = parameter.put(e, numbers)
    return e, leaves


def coordinates(flat: Tensor | range) -> tuple[Tensor, Tensor]:
    flat = torch.as_tensor(flat)
    return (flat // 19).double(), (flat % 19).double()


def gradients(e: Experiment, leaves: list[Tensor], block: int) -> tuple[Tensor, tuple[Tensor | None, ...]]:
    """Values and gradient by blocks of that many pixels; 0: as one graph."""
    model = e.build()
    flat = torch.arange(17 * 19)
    if block:
        values = recompute.block_values(model, flat.split(block), coordinates)
    else:
        values = evaluate.evaluate(model, *coordinates(flat))
    weights = torch.linspace(0.5, 2.0, 17 * 19, dtype=torch.float64)
    return values.detach(), torch.autograd.grad((values * weights).sum(), leaves, allow_unused=True, retain_graph=True)


@pytest.mark.parametrize("case", CASES)
def test_it_is_the_gradient_of_the_graph(case: str) -> None:
    e, leaves = variable(case)
    values, expected = gradients(e, leaves, 0)
    blocked, found = gradients(e, leaves, 50)
    assert torch.equal(values, blocked)
    reached = 0
    for a, b in zip(expected, found, strict=True):
        if a is None or b is None:
            assert a is None or not a.any()
            assert b is None or not b.any()
            continue
        reached += bool(b.any())
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-10 * float(a.abs().max()) + 1e-12)
    assert reached >= 6


def test_threads_change_no_bit() -> None:
    found = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        e, leaves = variable("mosaic")
        found.append([g for g in gradients(e, leaves, 64)[1] if g is not None])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_nothing_but_the_values_is_kept() -> None:
    """Between forward and backward there is no tensor of the size of a block's steps."""
    e, leaves = variable("phi_rotation")
    model = e.build()
    flat = torch.arange(17 * 19)
    gc.collect()
    before = {id(x) for x in gc.get_objects() if isinstance(x, Tensor)}
    values = recompute.block_values(model, flat.split(64), coordinates)
    gc.collect()
    kept = [x for x in gc.get_objects() if isinstance(x, Tensor) and id(x) not in before]
    assert sum(x.numel() for x in kept) <= 4 * 17 * 19
    kept_by_graph = 0

    def pack(tensor: Tensor) -> Tensor:
        nonlocal kept_by_graph
        kept_by_graph += tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        recompute.block_values(model, flat.split(64), coordinates)
    assert kept_by_graph == 0
    values.sum().backward()
    assert all(leaf.grad is None or torch.isfinite(leaf.grad).all() for leaf in leaves)


def test_second_derivatives_are_refused() -> None:
    e, leaves = variable("still")
    model = e.build()
    flat = torch.arange(17 * 19)
    values = recompute.block_values(model, flat.split(64), coordinates)
    with pytest.raises(RuntimeError, match="first derivatives only"):
        torch.autograd.grad(values.sum(), leaves, create_graph=True, allow_unused=True)


def test_whole_images_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    e, _ = variable("still")
    seen = []
    monkeypatch.setattr(recompute, "block_values", lambda *args: seen.append(args) or torch.zeros(17 * 19).double())
    render(e, memory_budget_MB=0.01)
    assert len(seen) == 1


def test_indices_and_sums_have_the_derivatives_of_their_formulas() -> None:
    generator = torch.Generator().manual_seed(2)
    real = torch.randn(3, 3, 4, 1, dtype=torch.float64, generator=generator, requires_grad=True)
    q = torch.randn(3, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    assert torch.autograd.gradcheck(
        scattering.miller_indices, (real, q), check_forward_ad=True, check_batched_grad=True
    )
    plain = real[:, 0] * q[0] + real[:, 1] * q[1] + real[:, 2] * q[2]
    assert torch.equal(scattering.miller_indices(real, q), plain)
    for count in (1, 2, 7):
        terms = torch.randn(count, 5, dtype=torch.float64, generator=generator, requires_grad=True)
        assert torch.autograd.gradcheck(accumulate.add_up, (terms,), check_forward_ad=True)
