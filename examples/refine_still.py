"""Recover orientation, cell and mosaic spread of a crystal from one still image, by gradients through the simulator.

    python examples/refine_still.py

A still of a small triclinic crystal is rendered from a truth that the refinement does not see. It starts 0.3° off in
orientation, with cell lengths off by half a percent, angles by 0.2°, and the mosaic spread wrong by half. The
difference of the two images is minimised with the quasi-Newton method of PyTorch (LBFGS), first of blurred images, so
that a spot feels its counterpart a few pixels away, then of sharper and sharper ones. The image has no noise, and the
draws that orient the mosaic domains are known: what limits the precision is the optimiser.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import numpy as np
import torch
from nanobragg_torch import Experiment, render
from nanobragg_torch.settings import BeamSettings, CrystalSettings, DetectorSettings, Reflections
from torch import Tensor

TRUTH = {
    "misset_deg": (12.0, -25.0, 40.0),
    "cell": (31.0, 35.0, 40.0, 86.0, 95.0, 101.0),
    "mosaic_spread_deg": (0.6,),
}
START = {
    "misset_deg": (12.0 + 0.173, -25.0 + 0.173, 40.0 - 0.173),  # 0.3° in all
    "cell": (31.0 * 1.005, 35.0 * 0.995, 40.0 * 1.005, 86.2, 94.8, 101.2),
    "mosaic_spread_deg": (0.9,),
}
# What each number is counted in: a step over which the image changes about as much for all of them.
SCALE = {"misset_deg": 0.1, "cell": 0.1, "mosaic_spread_deg": 0.2}
BLURS_PIXELS = (3.0, 1.5, 0.7, 0.0)
SIZE = 112


@dataclass(frozen=True)
class Refined:
    """Values by setting, the loss after each stage, and how many images were rendered."""

    values: dict[str, tuple[float, ...]]
    losses: tuple[float, ...]
    images: int


def crystal_on_detector() -> Experiment:
    """Everything that is known: detector, wavelength, structure factors, size and shape of the crystal."""
    h, k, l = np.meshgrid(*[np.arange(-14, 15)] * 3, indexing="ij")
    F = 100 + 50 * np.cos(1.5 * h + 0.8 * k) + 30 * np.sin(1.6 * l - 0.3 * h)
    F[14, 14, 14] = 0.0  # no spot in the direct beam
    return Experiment(
        beam=BeamSettings(wavelength_A=1.0, fluence_per_m2=1e26),
        detector=DetectorSettings(pixel_mm=0.5, detpixels_f=SIZE, detpixels_s=SIZE, distance_mm=100.0, oversample=1),
        crystal=CrystalSettings(
            cell=TRUTH["cell"],
            Na=8,
            Nb=7,
            Nc=6,
            reflections=Reflections(lowest=(-14, -14, -14), F=F),
            interpolate=False,
            mosaic_domains=8,
        ),
    )


def image_of(values: dict[str, Tensor]) -> Tensor:
    """The image (slow, fast) for misset (3,), cell (6,) and mosaic spread (1,)."""
    return render(
        crystal_on_detector().replace(
            misset_deg=values["misset_deg"], cell=values["cell"], mosaic_spread_deg=values["mosaic_spread_deg"][0]
        )
    )


def blurred(image: Tensor, width: float) -> Tensor:
    """The image under a Gaussian of that standard deviation in pixels; itself for 0."""
    if width == 0.0:
        return image
    reach = int(4 * width) + 1
    x = torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-0.5 * (x / width) ** 2)
    kernel = (kernel / kernel.sum())[None, None]
    padded = torch.nn.functional.conv2d(image[None, None], kernel[..., None], padding=(reach, 0))
    return torch.nn.functional.conv2d(padded, kernel[:, :, None], padding=(0, reach))[0, 0]


def refine(target: Tensor, start: dict[str, tuple[float, ...]], steps: int = 30) -> Refined:
    """Values whose image is `target`, from a start that is near."""
    origin = {name: torch.tensor(value, dtype=target.dtype) for name, value in start.items()}
    moves = {name: torch.zeros_like(value, requires_grad=True) for name, value in origin.items()}
    images = 0
    losses = []

    def values() -> dict[str, Tensor]:
        return {name: origin[name] + SCALE[name] * moves[name] for name in origin}

    for width in BLURS_PIXELS:
        wanted = blurred(target, width)
        size = wanted.pow(2).sum()
        optimizer = torch.optim.LBFGS(
            list(moves.values()), max_iter=steps, history_size=20, tolerance_change=1e-14, line_search_fn="strong_wolfe"
        )

        def closure() -> Tensor:
            nonlocal images
            images += 1
            optimizer.zero_grad()  # noqa: B023
            loss = (blurred(image_of(values()), width) - wanted).pow(2).sum() / size  # noqa: B023
            loss.backward()
            return loss

        optimizer.step(closure)
        losses.append(float(closure().detach()))
    return Refined({name: tuple(value.tolist()) for name, value in values().items()}, tuple(losses), images)


def main() -> int:
    """Refine, print a table, and return 0 where all is recovered."""
    torch.set_num_threads(1)  # the image is small: threads would wait for each other more than they compute
    begin = time.perf_counter()
    with torch.no_grad():
        target = image_of({name: torch.tensor(value, dtype=torch.float64) for name, value in TRUTH.items()})
    found = refine(target, START)
    print(f"{'':20}{'truth':>12}{'start':>12}{'found':>14}{'off by':>10}")
    worst = 0.0
    for name, truth in TRUTH.items():
        for true, began, now in zip(truth, START[name], found.values[name], strict=True):
            print(f"{name:20}{true:12.4f}{began:12.4f}{now:14.6f}{now - true:10.1e}")
            worst = max(worst, abs(now - true) / SCALE[name])
    seconds = time.perf_counter() - begin
    print(f"{found.images} images in {seconds:.1f} s; loss by stage {' '.join(f'{x:.1e}' for x in found.losses)}")
    return 0 if worst < 0.01 else 1


if __name__ == "__main__":
    sys.exit(main())
