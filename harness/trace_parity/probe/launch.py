"""Run a Python program with probes: `python -m trace_parity.probe.launch JOB.json (-m MODULE | SCRIPT) ARGS`.

The job lists what is probed and where the log and the report go; `trace-diff probe py` writes it. This module runs in
the port's process.
"""

from __future__ import annotations

import hashlib
import json
import runpy
import site
import sys
import sysconfig
import traceback
import types
from pathlib import Path
from typing import Any

from trace_parity.probe import recorder
from trace_parity.probe.py_import import ProbeFinder, install
from trace_parity.probe.spec import from_json


def main() -> None:
    """Run the program; the report is written however it ends."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    spec = from_json(job["spec"])
    as_module = sys.argv[2] == "-m"
    target, arguments = (sys.argv[3], sys.argv[4:]) if as_module else (sys.argv[2], sys.argv[3:])
    finder = install(job["modules"], spec)
    recorder.variables[:] = [recorder.Variable(v.name, v.loops, v.axes, v.where) for v in spec.variables]
    if job["trace"]:
        recorder.start(job["trace"], recorder.parse_focus(job["focus"]), job["gradients"])
    sys.argv = [target, *arguments]
    try:
        if as_module:
            sys.path.insert(0, "")
            runpy.run_module(target, run_name="__main__", alter_sys=True)
        else:
            sys.path.insert(0, str(Path(target).resolve().parent))
            _run_script(target, job["modules"], finder)
    except Exception as error:
        if type(error).__module__.startswith("torch._dynamo"):
            traceback.print_exc()
            what = "a function with probes cannot be compiled with fullgraph=True"
            sys.exit(f"trace probes: {what}; trace it uncompiled: --eager, or TORCHDYNAMO_DISABLE=1")
        raise
    finally:
        last = recorder.stop()
        Path(job["report"]).write_text(json.dumps(_report(finder, last, "" if as_module else target)), encoding="utf-8")


def _run_script(target: str, modules: list[str], finder: ProbeFinder) -> None:
    """A script is probed itself when the job names it `__main__` or by its file's name."""
    if not {"__main__", Path(target).stem} & set(modules):
        runpy.run_path(target, run_name="__main__")
        return
    code = finder.compile("__main__", Path(target).read_text(encoding="utf-8"), target)
    own = sys.modules["__main__"]
    module = types.ModuleType("__main__")
    module.__file__ = target
    sys.modules["__main__"] = module  # of its own: a script may have any names
    try:
        exec(code, module.__dict__)
    finally:
        sys.modules["__main__"] = own


def _report(finder: ProbeFinder, last: recorder.Recorder | None, script: str) -> dict[str, Any]:
    modules = finder.rewritten.values()
    return {
        "modules": sorted(finder.rewritten),
        "placed": [vars(p) for m in modules for p in m.placed],
        "unplaced": [vars(u) for m in modules for u in m.unplaced],
        "unknown_functions": finder.unknown_functions(),
        "printed": last.printed if last else {},
        "notes": list(last.notes) if last else [],
        "no_gradient": last.unreached() if last else [],
        "files": _files(script),
        "rewritten": {f"{name} with probes": digest for name, digest in finder.digests().items()},
    }


def _files(script: str) -> dict[str, str]:
    """sha256 of the program's own files: of all modules but those of the interpreter, its packages and this one."""
    library = {Path(p).resolve() for p in (*sysconfig.get_paths().values(), sys.prefix, sys.base_prefix)}
    library |= {Path(p).resolve() for p in site.getsitepackages()} | {Path(__file__).resolve().parents[1]}
    found = {}
    for name in [script or None, *(getattr(module, "__file__", None) for module in list(sys.modules.values()))]:
        path = Path(name).resolve() if isinstance(name, str) else None
        if path is not None and path.is_file() and not library & set(path.parents):
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return dict(sorted(found.items()))


if __name__ == "__main__":
    main()
