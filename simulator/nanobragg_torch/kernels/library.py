"""A compiled kernel, called without Python's lock, so that threads compute side by side.

PyTorch's own way to call one keeps the lock; its way to compute in threads, which meet at the end of every call, waits
more than it computes where the machine has other work (40 times the time was seen). So each thread calls kernels for
pixels of its own. The functions of the library are PyTorch's C interface for ahead-of-time compiled models
(torch/csrc/inductor/aoti_runtime/interface.h).
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_PREFIX = "AOTInductorModelContainer"
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype, _capsule_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype, _new_capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


class KernelLibrary:
    """A shared library with one kernel; OSError or AttributeError if the file is none."""

    def __init__(self, file: Path) -> None:
        self._library = ctypes.CDLL(str(file))
        self._container = ctypes.c_void_p()
        at_once = ctypes.c_size_t(os.cpu_count() or 1)  # more callers wait for each other
        self._call("CreateWithDevice", ctypes.byref(self._container), at_once, b"cpu", None)
        outputs = ctypes.c_size_t()
        self._call("GetNumOutputs", self._container, ctypes.byref(outputs))
        self._outputs = outputs.value

    def _call(self, name: str, *arguments: Any) -> None:
        if getattr(self._library, _PREFIX + name)(*arguments) != 0:  # says why on stderr
            raise RuntimeError(f"the kernel {self._library._name} fails: {name}")

    def __call__(self, inputs: list[Tensor]) -> list[Tensor]:
        """The outputs, new tensors, of contiguous inputs with the sizes and types that it was compiled for."""
        handles = torch._C._aoti.unsafe_alloc_void_ptrs_from_tensors(inputs)  # the kernel frees them
        given = (ctypes.c_void_p * len(handles))(*(_capsule_pointer(handle, None) for handle in handles))
        made = (ctypes.c_void_p * self._outputs)()
        sizes = ctypes.c_size_t(len(given)), ctypes.c_size_t(self._outputs)
        self._call("Run", self._container, given, sizes[0], made, sizes[1], None, None)
        found: list[Tensor] = torch._C._aoti.alloc_tensors_by_stealing_from_void_ptrs(
            [_new_capsule(handle, None, None) for handle in made]
        )
        return found
