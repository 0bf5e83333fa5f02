"""The square root of the distance to a pixel."""

from __future__ import annotations

import numpy as np
import torch
from nanobragg_torch.ops.exact_root import root


def test_it_is_right_to_the_last_bit() -> None:
    x = torch.tensor(np.random.default_rng(1).uniform(1e-6, 100.0, 300_001))
    assert np.array_equal(root(x).numpy(), np.sqrt(x.numpy()))  # NumPy's is the processor's
    ends = torch.tensor([0.0, 4.0, torch.inf, 1e-320, 1e308], dtype=torch.float64)
    assert np.array_equal(root(ends).numpy(), np.sqrt(ends.numpy()))
    assert bool(torch.isnan(root(torch.tensor([-1.0, torch.nan], dtype=torch.float64))).all())


def test_its_slopes() -> None:
    x = torch.tensor([0.3, 2.0, 50.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(root, (x,), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(root, (x,))
