#!/usr/bin/env bash
# PyTorch 2.13.0 (CPU, float64): torch.linalg.cross(a, a) is not zero on processors with AVX2. Each component
# a1*a2 - a2*a1 is computed with one fused multiplication and subtraction, so the rounding error of the other product is left.
# NumPy gives exact zeros, and so does PyTorch with ATEN_CPU_CAPABILITY=default. A test "is the cross product zero, are the
# axes parallel" that is safe in C or NumPy fails for almost every vector, and the normalised result is a unit vector in an
# arbitrary direction.
#
#     bash findings/torch-cross-with-itself.sh
#
# Output seen:
#     torch 2.13.0+cpu, numpy 2.4.6
#     torch: 1000 of 1000 vectors have cross(a, a) != 0, at most 3.8e-16
#     numpy: 0 of 1000
#     (0.1, 0.2, 0.3): torch [3.3307e-18, 1.6653e-18, -1.6653e-18], normalised to length 1.0
#
# Exit code 0 while it is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import torch

print(f"torch {torch.__version__}, numpy {np.__version__}")
torch.manual_seed(0)
a = torch.randn(1000, 3, dtype=torch.float64)
by_torch = torch.linalg.cross(a, a)
by_numpy = np.cross(a.numpy(), a.numpy())
torch_count = int((by_torch != 0).any(1).sum())
numpy_count = int((by_numpy != 0).any(1).sum())
print(f"torch: {torch_count} of 1000 vectors have cross(a, a) != 0, at most {by_torch.abs().max().item():.1e}")
print(f"numpy: {numpy_count} of 1000")
one = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
product = torch.linalg.cross(one, one)
unit = torch.nn.functional.normalize(product, dim=0, eps=0)
shown = ", ".join(f"{v:.4e}" if v else "0.0" for v in product.tolist())
print(f"(0.1, 0.2, 0.3): torch [{shown}], normalised to length {unit.norm().item():.1f}")
sys.exit(0 if torch_count > 900 and numpy_count == 0 else 1)
PYTHON
