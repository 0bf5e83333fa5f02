"""Compile fused kernels: `python -m nanobragg_torch.kernels.compile JSON`, a list of [variant, file].

Run as a process of its own, so that a program that renders never loads the compiler, nor keeps its memory.
"""

from __future__ import annotations

import json
import sys
import warnings
import zipfile
from pathlib import Path

import torch
from torch import Tensor

from nanobragg_torch.kernels.library import KernelLibrary
from nanobragg_torch.kernels.slopes import EndSlopes, RaySlopes, SweepSlopes, Weighed
from nanobragg_torch.kernels.stages_as_modules import End, Ray, Sweep, Variant, Whole, inputs
from nanobragg_torch.ops import compiler_ops

# Of the example; all may differ later.
_PIXELS, _SUBSAMPLES, _SOURCES, _SLICES, _GRID = 4096, 5, 6, 8, (9, 10, 11)


def compile_kernel(variant: Variant, out: str) -> None:
    """Compile the kernel of a variant into the shared library `out`, and load it once."""
    module = _MODULES[variant.kind](variant)
    example, dynamic = _example(variant)
    with torch.no_grad():
        program = torch.export.export(module, tuple(example), dynamic_shapes=(tuple(dynamic),), strict=False)
        package = torch._inductor.aoti_compile_and_package(
            program, package_path=f"{out}.pt2", inductor_configs=_SETTINGS | _PRECISION[variant.dtype]
        )
    with zipfile.ZipFile(package) as members:
        (library,) = (name for name in members.namelist() if name.endswith(".so"))
        Path(out).write_bytes(members.read(library))
    Path(package).unlink()
    # Some compilers' libraries crash here (one with a C++ library of its own inside, beside PyTorch's): this process,
    # not the user's.
    KernelLibrary(Path(out))


_MODULES: dict[str, type[torch.nn.Module]] = {
    "ray": Ray,
    "sweep": Sweep,
    "end": End,
    "whole": Whole,
    "sweep_slopes": SweepSlopes,
    "ray_slopes": RaySlopes,
    "end_slopes": EndSlopes,
}
_SETTINGS = {
    "cpp.threads": 1,  # it is called by threads
    # One loop nest, with nothing kept between the slices of a pixel.
    "realize_opcount_threshold": 1_000_000,
    "realize_reads_threshold": 1_000_000,
    "realize_acc_reads_threshold": 1_000_000,
    "cpp.max_horizontal_fusion_size": 64,
    "split_reductions": False,
    "assert_indirect_indexing": False,  # indices are clamped to the table
}
# In double precision an index comes out as in eager code, bit for bit; in single precision it has few digits anyway.
_PRECISION = {
    "float64": {"cpp.enable_floating_point_contract_flag": "off"},
    "float32": {"cpp.enable_floating_point_contract_flag": "fast"},
}


def _example(variant: Variant) -> tuple[list[Tensor], list[dict[int, object]]]:
    """Inputs of the right kind, and which of their sizes may vary."""
    dtype = getattr(torch, variant.dtype)
    P, B, S, K = _PIXELS, _SUBSAMPLES, _SOURCES, 1 if variant.kind == "whole" else _SLICES
    grid = _GRID if variant.has_table else (1, 1, 1)

    def full(*shape: int) -> Tensor:
        return torch.full(shape, 0.5, dtype=dtype)

    sizes: dict[str, tuple[int, ...]] = dict.fromkeys(("slow", "fast", "I", "x", "y", "z", "weight"), (P,))
    sizes |= dict.fromkeys(("beam", "fdet", "sdet", "odet", "pix0", "cells", "incident", "E", "B"), (3,))
    sizes |= {"real_m": (K, 3, 3), "reciprocal_A": (3, 3), "F": grid, "grid": (3, 3)}
    sizes |= dict.fromkeys(("by_h", "by_k", "by_l"), (K, P))
    sizes |= {"polar": (P,) if variant.polarization == "given" else (1,)}
    if variant.kind not in ("end", "end_slopes", "whole"):
        sources = S if variant.kind == "sweep" else 1
        sizes |= {"incident": (sources, 3), "wavelength_m": (sources,)}
    sizes |= {"sub": (B, 3) if variant.kind == "sweep" else (3,)}
    names = Weighed._fields if variant.kind == "sweep_slopes" else inputs(variant)
    example = [full(*sizes.get(name, ())) for name in names]
    varying = {P, B, S, K, *grid} - {1}
    dynamic: list[dict[int, object]] = [
        {dim: torch.export.Dim.DYNAMIC for dim, size in enumerate(tensor.shape) if size in varying}
        for tensor in example
    ]
    return example, dynamic


def main() -> None:
    """Run the command line."""
    compiler_ops.tell_compiler()
    warnings.simplefilter("ignore")  # the compiler's own, about itself
    for fields, out in json.loads(sys.argv[1]):
        compile_kernel(Variant(**fields), out)


if __name__ == "__main__":
    main()
