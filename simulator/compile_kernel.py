"""Compile fused kernels: `python -m simulator.compile_kernel JSON`, a list of [variant, file].

Run as a process of its own, so that a program that renders never loads the compiler, nor keeps its memory.
"""

from __future__ import annotations

import json
import sys
import warnings

import torch
from torch import Tensor

from simulator import kernel_sine
from simulator.fused import End, Ended, Placed, Sweep, Swept, Variant

_PIXELS, _SOURCES, _SLICES, _GRID = 4096, 4, 8, (9, 10, 11)  # of the example; all but the 3s may differ later


def compile_kernel(variant: Variant, out: str) -> None:
    """Compile the kernel of a variant into the file `out`."""
    module = Sweep(variant) if variant.kind == "sweep" else End(variant)
    example, dynamic = _example(variant)
    with torch.no_grad():
        program = torch.export.export(module, tuple(example), dynamic_shapes=(tuple(dynamic),), strict=False)
        torch._inductor.aoti_compile_and_package(program, package_path=out, inductor_configs=_SETTINGS)


_SETTINGS = {
    "cpp.threads": 1,  # the renderer's threads each run a kernel on a block of their own
    # One loop nest, with nothing kept between the sources and slices of a pixel.
    "realize_opcount_threshold": 1_000_000,
    "realize_reads_threshold": 1_000_000,
    "realize_acc_reads_threshold": 1_000_000,
    "assert_indirect_indexing": False,  # indices are clamped to the table
}


def _example(variant: Variant) -> tuple[list[Tensor], list[dict[int, object]]]:
    """Inputs of the right kind, and which of their sizes may vary."""
    dtype = getattr(torch, variant.dtype)
    P, J, K = _PIXELS, _SOURCES, _SLICES

    def full(*shape: int) -> Tensor:
        return torch.full(shape, 0.5, dtype=dtype)

    points = (_GRID[0] * _GRID[1] * _GRID[2],) if variant.has_table else (1,)
    sizes = {"slow": (P,), "fast": (P,), "I": (P,), "incident": (J, 3) if variant.kind == "sweep" else (3,)}
    sizes |= {name: (3,) for name in ("beam", "fdet", "sdet", "odet", "pix0", "cells", "polar_vec")}
    sizes |= {"wavelength_m": (J,), "real_m": (K, 3, 3), "reciprocal_A": (3, 3), "F": points, "grid": (3, 3)}
    sizes |= {"polar": (P,) if variant.polarization == "given" else (1,)}
    names = (*Placed._fields, *(Swept if variant.kind == "sweep" else Ended)._fields)
    example = [full(*sizes.get(name, ())) for name in names]
    varying = {P, J, K, points[0]} - {1, 3}
    dynamic: list[dict[int, object]] = [
        {dim: torch.export.Dim.DYNAMIC for dim, size in enumerate(tensor.shape) if size in varying}
        for tensor in example
    ]
    return example, dynamic


def main() -> None:
    """Run the command line."""
    kernel_sine.tell_compiler()
    warnings.simplefilter("ignore")  # the compiler's own, about itself
    for fields, out in json.loads(sys.argv[1]):
        compile_kernel(Variant(**fields), out)


if __name__ == "__main__":
    main()
