#!/usr/bin/env bash
# PyTorch 2.13.0 (CPU): the Bessel and Airy functions of torch.special have no derivative, and they do not say so. Their
# result for an input that requires gradients is a plain tensor without a graph, where other functions without a derivative
# raise an error. A sum of such a term and a differentiable one runs backward without a warning, and the gradient lacks the
# term: d/dx (J0(x) + x²) at 0.5 comes out as 1 instead of 1 - J1(0.5) = 0.758. A scattering model with a spherical form factor
# (spherical_bessel_j0) refines to a wrong minimum this way. torch.special.i0 and i1 (modified Bessel functions under other
# names) do have derivatives.
#
#     bash findings/torch-special-no-graph.sh
#
# Output seen:
#     torch 2.13.0+cpu
#     without a graph: airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 modified_bessel_i0 modified_bessel_i1 modified_bessel_k0 modified_bessel_k1 scaled_modified_bessel_k0 scaled_modified_bessel_k1 spherical_bessel_j0
#     with a graph: i0 i0e i1 i1e
#     gradient of J0(x) + x² at 0.5: 1.0, correct is 0.757732
#
# Exit code 0 while it is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch

print("torch", torch.__version__)
WITHOUT = (
    "airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 modified_bessel_i0 modified_bessel_i1 modified_bessel_k0 "
    "modified_bessel_k1 scaled_modified_bessel_k0 scaled_modified_bessel_k1 spherical_bessel_j0"
).split()
WITH = "i0 i0e i1 i1e".split()
x = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
has_graph = {name: getattr(torch.special, name)(x).requires_grad for name in WITHOUT + WITH}
print("without a graph:", *(name for name, graph in has_graph.items() if not graph))
print("with a graph:", *(name for name, graph in has_graph.items() if graph))
(torch.special.bessel_j0(x) + x**2).backward()
correct = 1 - torch.special.bessel_j1(x.detach()).item()
print(f"gradient of J0(x) + x² at 0.5: {x.grad.item()}, correct is {correct:.6f}")
as_seen = not any(has_graph[n] for n in WITHOUT) and all(has_graph[n] for n in WITH) and x.grad.item() == 1.0
sys.exit(0 if as_seen else 1)
PYTHON
