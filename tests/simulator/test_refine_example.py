"""The worked example: orientation, cell and mosaic spread come back from an image, from 0.3° away."""

from __future__ import annotations

import math

import pytest
import torch

from examples import refine_still as example

# What the refinement reaches, with a factor of some ten to spare: degrees, Å (and degrees), degrees.
REACHED = {"misset_deg": 1e-3, "cell": 2e-3, "mosaic_spread_deg": 1e-4}


def tensors(values: dict[str, tuple[float, ...]]) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}


def test_it_recovers_the_truth() -> None:
    away = [a - b for a, b in zip(example.START["misset_deg"], example.TRUTH["misset_deg"], strict=True)]
    assert math.hypot(*away) == pytest.approx(0.3, abs=0.001)
    with torch.no_grad():
        target = example.image_of(tensors(example.TRUTH))
        start = example.image_of(tensors(example.START))
    assert float((start - target).pow(2).sum() / target.pow(2).sum()) > 0.2  # the start is not a near miss
    found = example.refine(target, example.START)
    assert found.losses[-1] < 1e-8
    for name, truth in example.TRUTH.items():
        assert found.values[name] == pytest.approx(truth, abs=REACHED[name], rel=0), name


def test_an_image_of_another_crystal_is_not_explained() -> None:
    """The loss says so when the truth is out of reach, here 5° away."""
    with torch.no_grad():
        target = example.image_of(tensors({**example.TRUTH, "misset_deg": (17.0, -25.0, 40.0)}))
    found = example.refine(target, example.START, steps=3)
    assert found.losses[-1] > 0.1


def test_blurring_keeps_the_sum() -> None:
    image = torch.zeros(41, 37, dtype=torch.float64)
    image[20, 18] = 2.0
    assert torch.equal(example.blurred(image, 0.0), image)
    wide = example.blurred(image, 2.0)
    assert float(wide.sum()) == pytest.approx(2.0, rel=1e-3)
    assert float(wide.max()) == pytest.approx(2.0 / (2 * math.pi * 4), rel=1e-2)
