"""Rewrite chosen modules while Python imports them; the files and their compiled caches are not changed."""

from __future__ import annotations

import ast
import hashlib
import sys
import types
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path

from trace_parity.errors import Exit, HarnessError
from trace_parity.probe import recorder
from trace_parity.probe.py_source import Rewritten, rewrite
from trace_parity.probe.spec import ProbeSpec


class ProbedLoader(SourceFileLoader):
    """Loads a module from its source with probes put in."""

    def __init__(self, fullname: str, path: str, finder: ProbeFinder) -> None:
        super().__init__(fullname, path)
        self.finder = finder

    def get_code(self, fullname: str) -> types.CodeType:
        """The compiled module: never from a cache, never into one."""
        path = self.get_filename(fullname)
        return self.finder.compile(fullname, self.get_data(path).decode("utf-8"), path)


class ProbeFinder(MetaPathFinder):
    """Finds the modules of `names`, and those below them, where Python would, and gives them the probing loader."""

    def __init__(self, names: Sequence[str], spec: ProbeSpec) -> None:
        self.names, self.spec = tuple(names), spec
        self.rewritten: dict[str, Rewritten] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a module to probe; None for all others."""
        if not any(fullname == name or fullname.startswith(f"{name}.") for name in self.names):
            return None
        found = PathFinder.find_spec(fullname, path, target)
        if found is None or not isinstance(found.loader, SourceFileLoader) or found.origin is None:
            return None
        found.loader = ProbedLoader(fullname, found.origin, self)
        return found

    def compile(self, name: str, source: str, path: str) -> types.CodeType:
        """Rewrite and compile one module's text."""
        self.rewritten[name] = rewrite(source, path, self.spec)
        return compile(self.rewritten[name].tree, path, "exec", dont_inherit=True)

    def digests(self) -> dict[str, str]:
        """sha256 of what each module became, as source text."""
        return {
            name: hashlib.sha256(ast.unparse(one.tree).encode()).hexdigest() for name, one in self.rewritten.items()
        }

    def unknown_functions(self) -> list[str]:
        """Functions that the specification names and no module that was loaded has."""
        known = {name for one in self.rewritten.values() for name in one.functions}
        wanted = [f for v in self.spec.variables for f in v.functions]
        wanted += [v.trigger.argument for v in self.spec.variables if v.trigger.kind == "enter"]
        return [w for w in dict.fromkeys(wanted) if not any(n == w or n.endswith(f".{w}") for n in known)]


def install(names: Sequence[str], spec: ProbeSpec) -> ProbeFinder:
    """Probe these modules from their next import on."""
    recorder.variables[:] = [recorder.Variable(v.name, v.loops, v.axes, v.where) for v in spec.variables]
    finder = ProbeFinder(names, spec)
    sys.meta_path.insert(0, finder)
    return finder


def load(name: str, spec: ProbeSpec, trace: Path, focus: str = "", *, gradients: bool = False) -> types.ModuleType:
    """Import a module with probes and begin a log, in a notebook for instance; `recorder.stop` closes the log.

    A module that is imported already is imported anew. Raises HarnessError (exit 2) when there is no such module.
    """
    for loaded in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
        del sys.modules[loaded]
    finder = install((name,), spec)
    recorder.start(str(trace), recorder.parse_focus(focus), gradients)
    try:
        return import_module(name)
    except ImportError as error:
        raise HarnessError(Exit.USAGE, str(error), where=name, expected="a module on the path") from error
    finally:
        sys.meta_path.remove(finder)
