"""Constructs of C that a probe can get wrong, in probe_programs/traps.c: each is handled, or listed as not probed."""

from __future__ import annotations

from typing import Any

import pytest
from trace_parity.probe.c_program import Built, check_identity

from tests.harness.probe_case import PROGRAMS, build_c, spec, trace_c

I, IJ = ("i",), ("i", "j")
TRAPS: dict[str, tuple[tuple[str, ...], dict[str, Any], dict[str, str]]] = {
    # name: loops, table, {key: numbers}
    "unbraced": (I, {"in": "unbraced_01", "expr": "a"}, {"i=0": "0", "i=1": "1"}),
    "last_write": ((), {"in": "unbraced_01", "expr": "a"}, {"": "1"}),
    "declarators": ((), {"in": "declarators_02", "exprs": ["a", "b"]}, {"": "1 2"}),
    "comma": ((), {"in": "comma_03", "exprs": ["a", "b"]}, {"": "3 1"}),
    "switch": (I, {"in": "switch_04", "expr": "a"}, {"i=0": "10", "i=1": "12", "i=2": "13"}),
    "out_parameter": ((), {"in": "out_parameter_05", "expr": "a"}, {"": "7"}),
    "members": ((), {"in": "member_06", "exprs": ["p.x", "p.y"]}, {"": "1 2"}),
    "whole_struct": ((), {"in": "member_06", "expr": "q.x"}, {"": "3"}),
    "arrow": ((), {"in": "arrow_07", "expr": "p->x"}, {"": "6"}),
    "macro_right": ((), {"in": "macro_right_08", "expr": "a"}, {"": "10"}),
    "macro_loop": (I, {"in": "macro_loop_09", "expr": "a"}, {"i=0": "7", "i=1": "7", "i=2": "4"}),
    "while": (I, {"in": "while_10", "expr": "a"}, {"i=0": "0", "i=1": "1", "i=2": "4"}),
    "do": (I, {"in": "do_11", "expr": "a"}, {"i=0": "5", "i=1": "6"}),
    "write_in_macro": ((), {"in": "set_macro_12", "expr": "a"}, {"": "9"}),
    "condition": (I, {"in": "condition_13", "expr": "a"}, {"i=0": "1", "i=1": "0"}),
    "condition_outside": ((), {"in": "condition_13", "expr": "a"}, {"": "0"}),
    "call_in_condition": ((), {"in": "scan_condition_14", "expr": "a"}, {"": "5"}),
    "partial": (I, {"in": "partial_15", "expr": "v[1:4]"}, {"i=0": "0 1 2", "i=1": "1 2 3"}),
    "compound": (I, {"in": "compound_16", "expr": "a"}, {"i=0": "6", "i=1": "18", "i=2": "54"}),
    "for_update": ((), {"in": "for_header_17", "expr": "q"}, {"": "9"}),
    "for_declaration": ((), {"in": "for_header_17", "expr": "e"}, {"": "8"}),
    "object_macro": ((), {"in": "object_macro_18", "expr": "total_18"}, {"": "20"}),
    "array_by_callee": (I, {"in": "array_by_callee_19", "expr": "v[0:2]"}, {"i=0": "1 2"}),
    "globals": ((), {"expr": "global_20 + constant_20", "at": "enter no_write_20"}, {"": "6.75"}),
    "parameter_key": (I, {"expr": "given", "at": "enter no_write_20"}, {"i=6": "1.5"}),
    "early_leaves": (
        IJ,
        {"in": "leaves_21", "expr": "a"},
        {f"i={i} j={j}": f"{10 * i + j}" for i in range(4) for j in (0, 2)},
    ),
    "after_goto": ((), {"in": "leaves_21", "expr": "a"}, {"": "-1"}),
    "callee_keys": (I, {"in": "inner_22", "expr": "a"}, {"i=0": "0", "i=1": "1", "i=7": "107"}),
    "after_callee": (I, {"in": "nested_22", "expr": "b"}, {"i=0": "0", "i=1": "1"}),
    "chosen": ((), {"in": "chosen_23", "expr": "a"}, {"": "4.5"}),
    "alias": ((), {"in": "alias_24", "expr": "a"}, {"": "1"}),
    "moving": ((), {"in": "moving_25", "expr": "p->x"}, {"": "13"}),
    "null": (I, {"in": "null_26", "expr": "row[0:2]"}, {"i=0": "1 2", "i=1": "3 4"}),
    "matrix": ((), {"in": "matrix_27", "expr": "m[0:2][0:2]"}, {"": "1 2 3 4"}),
    "kinds": ((), {"in": "kinds_28", "exprs": ["n", "a", "b", "c"]}, {"": "123456789012 nan -inf 200"}),
    "duff": (I, {"in": "duff_29", "expr": "a"}, {}),
    "branches": ((), {"in": "branches_30", "expr": "a"}, {"": "2"}),
    "by_line": (I, {"in": "by_line_31", "expr": "stale", "at": "before: h = "}, {"i=0": "1", "i=1": "5"}),
    "by_write": (I, {"in": "by_line_31", "expr": "stale"}, {"i=1": "5"}),
    "collapse": (
        IJ,
        {"in": "parallel_32", "expr": "a[i][j]"},
        {f"i={i} j={j}": f"{10 * i + j}" for i in (0, 1) for j in (0, 1)},
    ),
    "copies": ((), {"in": "copies_33", "exprs": ["v[0]", "v[1]", "w[0]"]}, {"": "1 2 0"}),
    "one_line": (I, {"in": "one_line_34", "expr": "a"}, {"i=0": "2"}),
    "pasted": ((), {"in": "pasted_35", "expr": "xa"}, {}),
    "label": ((), {"in": "label_36", "expr": "a"}, {"": "2"}),
    "sizeof": ((), {"in": "sizes_37", "expr": "a"}, {"": "1"}),
}
LISTED = {
    # (variable or loop, text that is not probed): why
    ("alias", "*p = &a"): "address is kept",
    ("moving", "p++"): "moves a pointer",
    ("kinds", "n = 123456789012"): "a is not declared yet",
    ("i", "for (; i < 2; i++) { case 1: a = i; }"): "loop without keys: a case label",
    ("by_line", "double h = 0, stale = 1;"): "stale is not declared yet",
    ("", "PASTE(x, a)"): "PASTE is not understood",
    ("sizeof", "a = 2"): "inside a sizeof",
}


@pytest.fixture(
    scope="module", params=["-O0 -fopenmp", "-O3 -fopenmp -Wall -Werror=implicit -fsanitize=address,undefined"]
)
def traced(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Built, dict[str, dict[str, str]]]:
    work = tmp_path_factory.mktemp("traps")
    wanted = spec(("i", "j"), {name: (loops, table) for name, (loops, table, _) in TRAPS.items()}, {"i": ["FOR", {}]})
    built = build_c(PROGRAMS / "traps.c", wanted, work / "build", request.param)
    found: dict[str, dict[str, str]] = {name: {} for name in TRAPS}
    for line in trace_c(built, [], work):
        key, _, rest = line.removeprefix("TRACE_C").partition(": ")
        name, _, numbers = rest.partition(" ")
        assert key.strip("[]") not in found[name], f"{line}: a key came twice"
        found[name][key.strip("[]")] = numbers
    assert check_identity(built, [], work / "check", 60).holds
    return built, found


@pytest.mark.parametrize("name", TRAPS)
def test_handled(traced: tuple[Built, dict[str, dict[str, str]]], name: str) -> None:
    assert traced[1][name] == TRAPS[name][2]


@pytest.mark.parametrize(("variable", "text"), LISTED)
def test_listed(traced: tuple[Built, dict[str, dict[str, str]]], variable: str, text: str) -> None:
    reasons = [u.reason for u in traced[0].unplaced if (u.variable, u.text) == (variable, text)]
    assert len(reasons) == 1
    assert LISTED[variable, text] in reasons[0]


def test_nothing_is_silent(traced: tuple[Built, dict[str, dict[str, str]]]) -> None:
    """Whatever has no line is listed, or has no probe, which the command reports."""
    built, found = traced
    listed = {u.variable for u in built.unplaced}
    silent = {name for name, lines in found.items() if not lines} - listed - {"duff"}  # duff: its loop is listed
    assert silent == {"pasted"}
    assert "pasted" not in {p.variable for p in built.placed}


def test_more_constructs_than_asked_for() -> None:
    assert len({table.get("in", table.get("at")) for _, table, _ in TRAPS.values()}) >= 25
