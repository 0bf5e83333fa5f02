"""A library of kernels, called through ctypes: without Python's lock, so that threads run in parallel."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from nanobragg_torch.kernels.build import KernelError, Kind, libraries


class Library:
    """A shared library of kernels; OSError or AttributeError for any other file."""

    def __init__(self, file: Path) -> None:
        library = ctypes.CDLL(str(file))
        library.nanobragg_names.restype = ctypes.c_char_p
        self.tensors, self._slopes_type, self._model_type = structures(library.nanobragg_names().decode())
        self._library = library

    def model(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, float]) -> Any:
        """The arguments of `values` and `slopes`; valid as long as the tensors, which are contiguous."""
        assert list(tensors) == self.tensors
        return self._model_type(*(tensor.data_ptr() for tensor in tensors.values()), **numbers)

    def values(self, model: Any, pixels: Tensor | range, out: Tensor) -> None:
        """Write the values (n,) of pixels, flat indices (n,), to `out`."""
        self._library.nanobragg_values(ctypes.byref(model), *_pixels(pixels), ctypes.c_void_p(out.data_ptr()))

    def slopes(
        self, model: Any, pixels: Tensor | range, grad: Tensor, values: Tensor, out: Mapping[str, np.ndarray]
    ) -> None:
        """Add the slopes by the tensors named in `out`, float64, of slopes `grad` (n,) by the pixels' `values` (n,)."""
        to = self._slopes_type(**{name: array.ctypes.data for name, array in out.items()})
        pointers = (ctypes.c_void_p(tensor.data_ptr()) for tensor in (grad, values))
        self._library.nanobragg_slopes(ctypes.byref(model), *_pixels(pixels), *pointers, ctypes.byref(to))


def structures(names: str) -> tuple[list[str], Any, Any]:
    """The names of the tensors, and the types Slopes and Model of source/model.h, from its NAMES."""
    tensors, counts, numbers = (part.split() for part in names.split("/"))
    pointers: list[tuple[str, Any]] = [(name, ctypes.c_void_p) for name in tensors]
    others = [(name, ctypes.c_int64) for name in counts] + [(name, ctypes.c_double) for name in numbers]
    slopes = type("Slopes", (ctypes.Structure,), {"_fields_": pointers})
    return tensors, slopes, type("Model", (ctypes.Structure,), {"_fields_": pointers + others})


def _pixels(pixels: Tensor | range) -> tuple[Any, Any, Any]:
    """(where the indices are, or the first one; their number)."""
    if isinstance(pixels, range):
        return None, ctypes.c_int64(pixels.start), ctypes.c_int64(len(pixels))
    return ctypes.c_void_p(pixels.data_ptr()), ctypes.c_int64(0), ctypes.c_int64(len(pixels))


def load(kinds: list[Kind]) -> list[Library]:
    """The libraries, built where they are missing; KernelError if one is not available."""
    return [_load(file) for file in libraries(kinds)]


@functools.cache
def _load(file: Path) -> Library:
    try:
        return Library(file)
    except (AttributeError, OSError) as error:
        raise KernelError(f"the kernel {file.name} cannot be loaded: {error}") from None
