#!/usr/bin/env bash
# PyTorch 2.13.0 (CPU, float64): the derivatives of torch.sinc lose their digits near 0. The backward formula is
# (cos(πx)·πx − sin(πx)) / (πx²), a difference of two nearly equal numbers. The first derivative is 36 % too small at 1e-8 and 0.1 % at 1e-7;
# the second derivative, −π²/3 near 0, is 58 % too large at 1e-8 and nan at 0 itself. torch.sinc exists to be smooth there.
# Interference functions of crystals (sin(πNh)/sin(πh)) written with it have such gradients at every Bragg peak.
#
#     bash findings/torch-sinc-derivative.sh
#
# Output seen:
#     torch 2.13.0+cpu
#     x = 1e-08: first derivative 0.640 of the correct one, second 1.584
#     x = 1e-07: first derivative 0.999 of the correct one, second 1.001
#     x = 0: first derivative 0.0, second nan
#
# Exit code 0 while it is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import math
import sys

import torch

print("torch", torch.__version__)


def derivatives(at: float) -> tuple[float, float]:
    x = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(torch.sinc(x), x, create_graph=True)
    (second,) = torch.autograd.grad(first, x)
    return first.item(), second.item()


# sinc(x) = 1 - (πx)²/6 + …; the next terms are below 1e-13 of these at 1e-7
seen = {at: derivatives(at) for at in (1e-8, 1e-7, 0.0)}
for at in (1e-8, 1e-7):
    first, second = seen[at]
    print(
        f"x = {at:.0e}: first derivative {first / (-(math.pi**2) / 3 * at):.3f} of the correct one,",
        f"second {second / (-(math.pi**2) / 3):.3f}",
    )
print("x = 0: first derivative {}, second {}".format(*seen[0.0]))
off = abs(seen[1e-8][0] / (-(math.pi**2) / 3 * 1e-8) - 1)
sys.exit(0 if 0.1 < off and math.isnan(seen[0.0][1]) else 1)
PYTHON
