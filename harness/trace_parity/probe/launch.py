"""Run a Python program with probes: `python -m trace_parity.probe.launch JOB.json (-m MODULE | SCRIPT) ARGS`.

The job says what is probed and where the log and the report go; `trace-diff probe py` writes it. This module runs in
the port's process.
"""

from __future__ import annotations

import json
import runpy
import sys
import traceback
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
        Path(job["report"]).write_text(json.dumps(_report(finder, last)), encoding="utf-8")


def _run_script(target: str, modules: list[str], finder: ProbeFinder) -> None:
    """A script is probed itself when the job names it `__main__` or by its file's name."""
    if not {"__main__", Path(target).stem} & set(modules):
        runpy.run_path(target, run_name="__main__")
        return
    code = finder.compile("__main__", Path(target).read_text(encoding="utf-8"), target)
    scope: dict[str, Any] = sys.modules["__main__"].__dict__
    scope |= {"__file__": target, "__name__": "__main__"}
    exec(code, scope)


def _report(finder: ProbeFinder, last: recorder.Recorder | None) -> dict[str, Any]:
    modules = finder.rewritten.values()
    return {
        "modules": sorted(finder.rewritten),
        "placed": [vars(p) for m in modules for p in m.placed],
        "unplaced": [vars(u) for m in modules for u in m.unplaced],
        "unknown_functions": finder.unknown_functions(),
        "printed": last.printed if last else {},
        "notes": list(last.notes) if last else [],
        "no_gradient": last.unreached() if last else [],
    }


if __name__ == "__main__":
    main()
