"""trace-parity: compare the traces of a C simulation and its port, name the first divergence, keep the evidence.

The public API is what `__all__` lists, imported when first used; trace_parity/api.py has the functions.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__version__ = "0.2.0"
__all__ = ["HarnessError", "Result", "__version__", "compare", "load_bundle", "load_pair", "run"]

_HOME = {
    "load_bundle": "trace_parity.api",
    "load_pair": "trace_parity.api",
    "HarnessError": "trace_parity.errors",
    "Result": "trace_parity.api",
}


class _CallablePackage(ModuleType):
    """The packages `compare` and `run` share their names with functions of the API: calling them calls these."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return getattr(import_module("trace_parity.api"), self.__name__.rpartition(".")[2])(*args, **options)


class _Face(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("compare", "run") and isinstance(value, ModuleType):
            value.__class__ = _CallablePackage
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Face


def __getattr__(name: str) -> Any:
    if name in ("compare", "run"):
        return import_module(f"{__name__}.{name}")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
