"""The equations of each kind of simulation. A new one is a module here and a line in `DOMAINS`.

The harness asks by the title of the vocabulary and knows nothing else of what is simulated.
"""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from trace_parity.blame.equation import Domain
from trace_parity.pair.find import shipped_pair
from trace_parity.pair.vocabulary import Vocabulary

DOMAINS = {"nanoBragg": "equations"}
"""Title of a vocabulary to the package in the pair's folder that has `DOMAIN`; imported when asked for."""


def domain_for(vocabulary: Vocabulary) -> Domain | None:
    """The equations that belong to a vocabulary, or None."""
    module = DOMAINS.get(vocabulary.title)
    if module is None:
        return None
    domain: Domain = import_from(shipped_pair(), module).DOMAIN
    return domain


def import_from(folder: Path, name: str) -> ModuleType:
    """The module or package `name` in a pair's folder, under a name that no other pair's module has."""
    full = f"trace_parity_pair_{folder.name}_{name}"
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
    spec.loader.exec_module(module)
    return module
