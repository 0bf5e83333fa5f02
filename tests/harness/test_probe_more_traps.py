"""More constructs of C that a probe can get wrong, in probe_programs/more_traps.c: each is handled, or listed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from trace_parity.errors import Exit, HarnessError
from trace_parity.probe.c_program import Built, check_identity

from tests.harness.probe_case import PROGRAMS, build_c, spec, trace_c

I, IJ = ("i",), ("i", "j")
TRAPS: dict[str, tuple[tuple[str, ...], dict[str, Any], dict[str, str]]] = {
    # name: loops, table, {key: numbers}
    "nested_macro": ((), {"in": "nested_macro_01", "expr": "a"}, {"": "16"}),
    "goto_loop": ((), {"in": "goto_loop_02", "expr": "a"}, {"": "12"}),
    "do_while": (I, {"in": "do_while_03", "expr": "a"}, {"i=0": "0", "i=2": "2"}),
    "comma_for": (I, {"in": "comma_for_04", "expr": "a"}, {"i=0": "0", "i=1": "4", "i=2": "6"}),
    "designated": ((), {"in": "designated_05", "exprs": ["c.f", "c.n", "c.w[1]"]}, {"": "2.5 2 0"}),
    "designated_array": ((), {"in": "designated_05", "expr": "v[0:3]"}, {"": "3 0 7"}),
    "pointers": ((), {"in": "pointers_06", "expr": "**pp"}, {"": "4"}),
    "static": (I, {"in": "static_07", "expr": "total"}, {"i=0": "103", "i=1": "101", "i=2": "103"}),
    "recursion": (I, {"in": "recursion_08", "expr": "a"}, {"i=0": "6", "i=1": "6", "i=2": "5", "i=3": "3"}),
    "variadic": (I, {"in": "variadic_09", "expr": "a"}, {"i=0": "1", "i=1": "3.5"}),
    "ifdef": ((), {"in": "ifdef_10", "expr": "a"}, {"": "2"}),
    "twice_defined": ((), {"in": "twice_11", "expr": "a"}, {"": "5"}),
    "old_style": (I, {"in": "old_12", "expr": "a"}, {"i=1": "3"}),
    "typedef": (I, {"in": "typedef_13", "expr": "a"}, {"i=0": "0.5", "i=1": "1.5"}),
    "typedef_array": ((), {"in": "typedef_13", "expr": "g[1].f"}, {"": "3"}),
    "ternary": (I, {"in": "ternary_14", "exprs": ["a", "b"]}, {"i=0": "0 0", "i=1": "1 0", "i=2": "1 -2"}),
    "copied": ((), {"in": "copies_15", "exprs": ["a.f", "a.in.deep", "a.w[1]"]}, {"": "1 3 2"}),
    "array_of_structs": (
        I,
        {"in": "array_16", "exprs": ["cells[i].f", "cells[i].w[1]"]},
        {f"i={i}": f"{i} {2 * i}" for i in range(3)},
    ),
    "bit_fields": ((), {"in": "bits_17", "exprs": ["s.low", "s.high", "s.mid"]}, {"": "1 17 -3"}),
    "const": ((), {"in": "const_18", "expr": "a"}, {"": "4"}),
    "restrict": (I, {"in": "restrict_19", "expr": "to[i]"}, {"i=0": "6", "i=1": "4"}),
    "vla": (I, {"in": "vla_20", "expr": "v[i]"}, {"i=0": "0", "i=1": "1"}),
    "vla_matrix": ((), {"in": "vla_20", "expr": "m[1][0:2]"}, {"": "8 9"}),
    "kinds": (
        (),
        {"in": "kinds_21", "exprs": ["ld", "b", "c", "u", "s"], "watch": ["b"]},
        {"": "0.10000000000000001 0 65 9007199254740992 -3"},
    ),
    "complex": ((), {"in": "complex_22", "exprs": ["creal(z)", "cimag(z)"]}, {"": "-2 1"}),
    "reduction": (I, {"in": "parallel_23", "expr": "a[i]"}, {"i=0": "1", "i=1": "3", "i=2": "5", "i=3": "7"}),
    "reduction_sum": (
        (),
        {"in": "parallel_23", "expr": "sum", "at": "after: pragma omp parallel for reduction|for .int i = 0; i < 4"},
        {"": "16"},
    ),
    "collapse": (
        IJ,
        {"in": "parallel_24", "expr": "out[2 * i + j]"},
        {"i=0 j=0": "0", "i=0 j=1": "1", "i=1 j=0": "10", "i=1 j=1": "11"},
    ),
    "omp_blocks": ((), {"in": "single_25", "expr": "a"}, {"": "6"}),
    "macro_named_loop": (I, {"in": "macro_named_loop_26", "expr": "a"}, {}),
    "chain": ((), {"in": "chain_27", "exprs": ["a", "b", "c"]}, {"": "8 6 2"}),
    "shadow": ((), {"in": "shadow_28", "expr": "a"}, {"": "4"}),
    "function_pointer": ((), {"in": "function_pointer_29", "expr": "a"}, {"": "6"}),
    "decrement": (I, {"in": "decrement_30", "expr": "a"}, {"i=2": "2", "i=1": "1", "i=0": "0"}),
    "decrement_after": ((), {"in": "decrement_30", "expr": "a"}, {"": "-3"}),
    "swap": ((), {"in": "swap_31", "exprs": ["a", "b"]}, {"": "2 1"}),
    "statement_expression": ((), {"in": "block_32", "expr": "a"}, {"": "7"}),
    "logical": ((), {"in": "logical_33", "expr": "a"}, {"": "1"}),
    "continued_lines": ((), {"in": "continued_34", "expr": "a"}, {"": "3"}),
    "empty_body": ((), {"in": "empty_35", "expr": "a"}, {"": "50"}),
    "same_name_inside": (I, {"in": "nested_36", "expr": "a"}, {"i=5": "5"}),
    "same_name_after": (I, {"in": "nested_36", "expr": "b"}, {"i=0": "0", "i=1": "1"}),
    "union": ((), {"in": "union_37", "expr": "u.a"}, {"": "1"}),
    "compound_literal": ((), {"in": "compound_literal_38", "expr": "p[0]"}, {"": "5"}),
    "leaves": (I, {"in": "leaves_39", "expr": "a"}, {"i=1": "1"}),
    "asserted": ((), {"in": "asserted_40", "expr": "a"}, {"": "2"}),
}
LISTED = {
    # (variable, text that is not probed): why
    ("array_of_structs", "cells[1] = cells[2]"): "i is not declared yet",
    ("kinds", "b = 5"): "c is not declared yet",
    ("", "z"): "not C that the parser understands",
    ("", "a"): "not C that the parser understands",  # EACH_INNER(i, 2) a = i
}
FLAGS = (
    "-O0",
    "-O2 -fopenmp",
    "-O3 -march=native -ffast-math",
    "-O1 -fopenmp -Wall -Werror=implicit -fsanitize=address,undefined",
)


@pytest.fixture(scope="module", params=FLAGS)
def traced(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Built, dict[str, Any]]:
    work = tmp_path_factory.mktemp("traps")
    wanted = spec(IJ, {name: (loops, table) for name, (loops, table, _) in TRAPS.items()})
    built = build_c(PROGRAMS / "more_traps.c", wanted, work / "build", request.param)
    found: dict[str, dict[str, str]] = {name: {} for name in TRAPS}
    for line in trace_c(built, [], work):
        key, _, rest = line.removeprefix("TRACE_C").partition(": ")
        name, _, numbers = rest.partition(" ")
        assert key.strip("[]") not in found[name], f"{line}: a key came twice"
        found[name][key.strip("[]")] = numbers
    assert check_identity(built, [], work / "check", 60).holds
    return built, found


def test_handled(traced: tuple[Built, dict[str, Any]]) -> None:
    assert traced[1] == {name: expected for name, (_, _, expected) in TRAPS.items()}


def test_listed(traced: tuple[Built, dict[str, Any]]) -> None:
    reasons = {(u.variable, u.text): u.reason for u in traced[0].unplaced}
    assert set(reasons) == set(LISTED)
    for place, why in LISTED.items():
        assert why in reasons[place]


def test_functions_are_copied_where_they_can_be(traced: tuple[Built, dict[str, Any]]) -> None:
    text = traced[0].sources[0].text.decode()
    copied = {name for name in traced[0].sources[0].functions if f"{name}__trace_probed (" in text}
    in_place = {"variadic_09", "old_12", "asserted_40"}  # variable arguments, K&R, a function that names itself
    assert copied & in_place == set()
    assert "leaves_39" in copied, "does not return"
    assert len(copied) > 35


@pytest.mark.parametrize(
    ("text", "expr", "message"),
    [
        ("double complex z = 1; z *= 2;", "z", "complex_value_needs_creal_and_cimag"),
        ("double v[2]; v[0] = 1;", "v", "pointer"),
        ("struct { double x; } s; s.x = 1;", "s", "aggregate"),
    ],
)
def test_what_is_no_number_does_not_compile(tmp_path: Path, text: str, expr: str, message: str) -> None:
    """Never half of a value: the error has the line of the user's file."""
    source = tmp_path / "p.c"
    source.write_text(f"#include <complex.h>\nint main(void) {{\n{text}\nreturn 0; }}\n")
    with pytest.raises(HarnessError) as caught:
        build_c(source, spec((), {"value": ((), {"in": "main", "expr": expr})}), tmp_path / "b")
    assert caught.value.code is Exit.PROGRAM_FAILED
    assert message in str(caught.value)
    assert "p.c:3:" in str(caught.value)


def test_the_same_source_always_gets_the_same_probes(tmp_path: Path) -> None:
    from trace_parity.probe.c_source import instrument

    wanted = spec(IJ, {name: (loops, table) for name, (loops, table, _) in TRAPS.items()})
    texts = {hashlib.sha256(instrument(PROGRAMS / "more_traps.c", wanted).text).hexdigest() for _ in range(3)}
    assert len(texts) == 1
