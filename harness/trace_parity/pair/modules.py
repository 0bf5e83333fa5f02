"""Python modules in a pair's folder, such as its equations, imported on first use."""

from __future__ import annotations

import hashlib
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType


def import_from(folder: Path, name: str) -> ModuleType:
    """The module or package `name` in a pair's folder, under a name that no other pair's module has."""
    digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]
    full = f"trace_parity_pair_{digest}_{name}"
    if full in sys.modules:
        return sys.modules[full]
    package = folder / name / "__init__.py"
    path = package if package.is_file() else folder / f"{name}.py"
    places = [str(package.parent)] if path is package else None
    spec = spec_from_file_location(full, path, submodule_search_locations=places)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[full] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[full]
        raise
    return module
