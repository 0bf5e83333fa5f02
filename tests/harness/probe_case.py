"""Short ways to name what is probed, for the probe tests."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from trace_parity.probe.c_program import Built, CProgram, build, run
from trace_parity.probe.identity import drop_superseded
from trace_parity.probe.spec import ProbeSpec, loop_rules, probe_variable

pytest.importorskip("tree_sitter_c", reason="tree-sitter-c is not installed (extra [probe])")

PROGRAMS = Path(__file__).parent / "probe_programs"
Variables = Mapping[str, tuple[tuple[str, ...], dict[str, Any]]]
"""Name to (loops of its scope, the table of the pair)."""


def spec(loops: Sequence[str], variables: Variables, rules: Mapping[str, Any] | None = None) -> ProbeSpec:
    chosen = tuple(probe_variable(name, scope, table, name) for name, (scope, table) in variables.items())
    return ProbeSpec(tuple(loops), chosen, loop_rules(loops, rules or {}, "loops"))


def build_c(source: Path, wanted: ProbeSpec, work: Path, flags: str = "-O1") -> Built:
    return build(CProgram((source,), f"cc {flags} {{in}} -o {{out}} -lm", source.parent), wanted, work)


def trace_c(built: Built, args: Sequence[str], work: Path, focus: str = "") -> list[str]:
    log = work / "C.log"
    run(built.probed, args, work / "run", log, focus, 60)
    drop_superseded(log)
    return log.read_text().splitlines()


def by_hand(source: Path, args: Sequence[str], work: Path) -> list[str]:
    """The lines that the program prints itself when compiled with -DBY_HAND."""
    subprocess.run(["cc", "-DBY_HAND", "-O2", "-ffp-contract=off", source, "-o", work / "hand", "-lm"], check=True)
    done = subprocess.run([work / "hand", *args], cwd=work, check=True, capture_output=True, text=True)
    return [line for line in done.stderr.splitlines() if line.startswith("TRACE_C")]
