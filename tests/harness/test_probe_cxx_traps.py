"""Constructs of C++ that a probe can get wrong, in probe_programs/traps.cpp: each is handled, or listed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from trace_parity.probe.c_program import Built, CProgram, build, check_identity, run

from tests.harness.probe_case import PROGRAMS, spec, trace_c

pytest.importorskip("tree_sitter_cpp", reason="tree-sitter-cpp is not installed (extra [probe])")
if shutil.which("c++") is None:
    pytest.skip("no C++ compiler here", allow_module_level=True)

I = ("i",)
TRAPS: dict[str, tuple[tuple[str, ...], dict[str, Any], dict[str, str]]] = {
    "template": ((), {"in": "twice_01", "expr": "a"}, {"": "4"}),
    "method_of_template": (I, {"in": "run", "expr": "total"}, {"i=0": "1", "i=1": "3"}),
    "lambda": ((), {"in": "lambda_03", "expr": "a"}, {"": "3"}),
    "range": ((), {"in": "range_04", "expr": "a"}, {"": "6"}),
    "range_index": (I, {"in": "range_index_05", "expr": "a"}, {"i=2": "20", "i=4": "40"}),
    "reference": ((), {"in": "reference_06", "expr": "out"}, {"": "2"}),
    "by_reference": ((), {"in": "calls_07", "expr": "a"}, {"": "2"}),
    "member": (I, {"in": "volume_08", "expr": "y_"}, {"i=1": "9"}),
    "method": (I, {"in": "volume_08", "expr": "v"}, {"i=1": "3"}),
    "method_outside": (I, {"in": "outside_09", "expr": "v"}, {"i=2": "5"}),
    "method_qualified": (I, {"in": "Cell::outside_09", "expr": "v"}, {"i=2": "5"}),
    "constructor": ((), {"in": "Cell", "expr": "y_"}, {"": "4"}),
    "operator": ((), {"in": "operator+=", "expr": "x_"}, {"": "4"}),
    "namespace": ((), {"in": "named_10", "expr": "a"}, {"": "6"}),
    "overload": ((), {"in": "overload_11", "expr": "a"}, {"": "2.5"}),
    "vector": ((), {"in": "vector_12", "expr": "v[0]"}, {"": "1"}),
    "cast": ((), {"in": "casts_13", "expr": "a"}, {"": "2.5"}),
    "try": ((), {"in": "try_14", "expr": "a"}, {"": "2"}),
    "structured": ((), {"in": "structured_15", "expr": "a"}, {"": "3"}),
    "unique": ((), {"in": "unique_16", "expr": "p->y_"}, {"": "11"}),
    "defaulted": ((), {"in": "defaulted_17", "expr": "a"}, {"": "6"}),
    "if_init": ((), {"in": "if_init_19", "expr": "a"}, {"": "3"}),
    "before_main": ((), {"in": "counted_21", "expr": "n"}, {"": "2"}),
    "main": ((), {"expr": "before_main", "at": "enter main"}, {"": "1"}),
    "extern_c": ((), {"in": "plain_20", "expr": "a"}, {"": "8"}),
}


@pytest.fixture(scope="module", params=["-O0", "-O3 -ffast-math -fopenmp", "-O1 -fsanitize=address,undefined"])
def traced(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Built, dict[str, Any]]:
    work: Path = tmp_path_factory.mktemp("cxx")
    wanted = spec(I, {name: (loops, table) for name, (loops, table, _) in TRAPS.items()})
    command = f"c++ -std=c++17 {request.param} {{in}} -o {{out}}"
    built = build(CProgram((PROGRAMS / "traps.cpp",), command, PROGRAMS), wanted, work / "build")
    found: dict[str, dict[str, str]] = {name: {} for name in TRAPS}
    for line in trace_c(built, [], work):
        key, _, rest = line.removeprefix("TRACE_C").partition(": ")
        name, _, numbers = rest.partition(" ")
        found[name][key.strip("[]")] = numbers
    assert check_identity(built, [], work / "check", 60).holds
    return built, found


def test_handled(traced: tuple[Built, dict[str, Any]]) -> None:
    assert traced[1] == {name: expected for name, (_, _, expected) in TRAPS.items()}
    assert not traced[0].unplaced


def test_the_traced_program_ends_as_the_plain_one(traced: tuple[Built, dict[str, Any]], tmp_path: Path) -> None:
    """main has no return statement: that means 0, in its copy too."""
    probed = run(traced[0].probed, [], tmp_path / "run", tmp_path / "log", "", 60)
    assert probed == run(traced[0].bare, [], tmp_path / "plain", None, "", 60)
    assert probed.returncode == 0


def test_free_functions_are_copied(traced: tuple[Built, dict[str, Any]]) -> None:
    text = traced[0].sources[0].text.decode()
    for name in ("counted_21", "lambda_03", "named_10", "main"):
        assert f"{name}__trace_probed (" in text
    for name in ("twice_01", "volume_08", "outside_09", "defaulted_17", "plain_20"):
        assert f"{name}__trace_probed" not in text
