"""A Lennard-Jones program without a printf gives the lines that its author would have printed, and the same output."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from trace_parity.errors import HarnessError
from trace_parity.probe.c_program import CProgram, build, check_identity, record
from trace_parity.probe.c_source import instrument

from tests.harness.probe_case import PROGRAMS, build_c, by_hand, spec, trace_c

LJ = PROGRAMS / "lj.c"
LOOPS = ("step", "i", "j")
VARIABLES = {
    "dt": ((), {"in": "main", "expr": "dt"}),
    "r_cut": ((), {"expr": "r_cut", "at": "enter main"}),
    "dr": (LOOPS, {"in": "forces", "expr": "dr[0:3]"}),
    "r2": (LOOPS, {"in": "forces", "expr": "r2"}),
    "f_over_r": (LOOPS, {"in": "forces", "expr": "f_over_r"}),
    "force": (LOOPS[:2], {"in": "forces", "expr": "force[i][0:3]"}),
    "e_i": (LOOPS[:2], {"in": "forces", "expr": "e_i"}),
    "energy": (LOOPS[:1], {"in": "forces", "expr": "energy"}),
    "vel": (LOOPS[:2], {"in": "main", "expr": "vel[i][0:3]"}),
}


@pytest.mark.parametrize(
    "flags", ["-O0", "-O2 -Wall -Wextra -Werror", "-O3 -march=native -ffast-math", "-std=gnu90 -O1"]
)
def test_lines_are_those_written_by_hand(tmp_path: Path, flags: str) -> None:
    built = build_c(LJ, spec(LOOPS, VARIABLES), tmp_path / "build", flags)
    lines = trace_c(built, ["3"], tmp_path)
    expected = by_hand(LJ, ["3"], tmp_path)
    if "-ffast-math" in flags:  # other roundings: the same lines, other last digits
        assert sorted(line.rsplit(": ")[0] for line in lines) == sorted(line.rsplit(": ")[0] for line in expected)
    else:
        assert sorted(lines) == sorted(expected)
    assert len(lines) == 432


@pytest.mark.parametrize("flags", ["-O0", "-O2", "-O3 -march=native", "-O3 -march=native -ffast-math"])
def test_output_is_the_same_with_probes_off(tmp_path: Path, flags: str) -> None:
    built = build_c(LJ, spec(LOOPS, VARIABLES), tmp_path / "build", flags)
    identity = check_identity(built, ["20"], tmp_path / "check", 60)
    assert identity.holds
    assert identity.compared == ("lj.xyz", "standard output")


def test_a_probed_program_that_computes_otherwise_is_found(tmp_path: Path) -> None:
    built = build_c(LJ, spec(LOOPS, VARIABLES), tmp_path / "build")
    changed = tmp_path / "changed.c"
    changed.write_text(LJ.read_text().replace("0.002", "0.0021"))
    other = build_c(changed, spec(LOOPS, VARIABLES), tmp_path / "changed")
    identity = check_identity(replace(built, bare=other.bare), ["3"], tmp_path / "check", 60)
    assert not identity.holds
    assert identity.differing == ("lj.xyz", "standard output")


def test_output_that_varies_by_itself_is_named_and_left_out(tmp_path: Path) -> None:
    source = tmp_path / "clock.c"
    source.write_text(
        "#include <stdio.h>\n#include <time.h>\nint main(void) { double a = 1; struct timespec t;"
        ' clock_gettime(CLOCK_REALTIME, &t); printf("%ld.%09ld\\n", (long)t.tv_sec, t.tv_nsec); return (int)a - 1; }\n'
    )
    built = build_c(source, spec((), {"a": ((), {"in": "main", "expr": "a"})}), tmp_path / "build")
    identity = check_identity(built, [], tmp_path / "check", 60)
    assert identity.varying == ("standard output",)
    assert identity.compared == ()


@pytest.mark.parametrize("focus", ["i=2", "i=2;i=4", "step=1,i=0", "step=1,i=0;j=5"])
def test_focus_keeps_the_lines_of_these_places(tmp_path: Path, focus: str) -> None:
    built = build_c(LJ, spec(LOOPS, VARIABLES), tmp_path / "build")
    everything = trace_c(built, ["2"], tmp_path)

    def kept(line: str) -> bool:
        key = dict(part.split("=") for part in line.partition("[")[2].partition("]")[0].split())
        places = [dict(part.split("=") for part in place.split(",")) for place in focus.split(";")]
        return any(all(key.get(loop, index) == index for loop, index in place.items()) for place in places)

    focused = trace_c(built, ["2"], tmp_path / "again", focus)
    assert sorted(focused) == sorted(line for line in everything if kept(line))
    assert 0 < len(focused) < len(everything)


def test_line_numbers_and_the_users_tree_stay(tmp_path: Path) -> None:
    before = {p.name: p.read_bytes() for p in PROGRAMS.iterdir() if p.is_file()}
    result = instrument(LJ, spec(LOOPS, VARIABLES), copies=False)
    text = result.text.decode().split('lj.c"\n', 1)[1]
    original = LJ.read_text().splitlines()
    assert len(text.splitlines()) == len(original)
    for line, probed in zip(original, text.splitlines(), strict=True):
        assert probed.startswith(line[: len(line) - len(line.lstrip())])
    assert [p.line for p in result.placed if p.variable == "dt"] == [original.index("    double dt = 0.002;") + 1]
    build_c(LJ, spec(LOOPS, VARIABLES), tmp_path)
    assert {p.name: p.read_bytes() for p in PROGRAMS.iterdir() if p.is_file()} == before


def test_copies_of_functions_keep_line_numbers() -> None:
    """What the compiler takes for a line of the file has the text of that line, in copies of functions too."""
    text = instrument(LJ, spec(LOOPS, VARIABLES)).text.decode()
    original, seen, number = LJ.read_text().splitlines(), set(), 0
    for line in text[text.index("#line 1 ") :].splitlines():
        if line.startswith("#line "):
            number = int(line.split()[1])
            continue
        word = (original[number - 1].split() or [""])[0] if number <= len(original) else ""
        assert word in line or not line.strip() or "__trace_probed" in line, (number, line)
        seen.add(number)
        number += 1
    assert set(range(1, len(original) + 1)) <= seen


def test_record_has_both_hashes_and_the_commands(tmp_path: Path) -> None:
    built = build_c(LJ, spec(LOOPS, VARIABLES), tmp_path / "build")
    text = record(built, check_identity(built, ["1"], tmp_path / "check", 60))
    assert set(built.sha256) == {"lj.c", "lj.c with probes"}
    assert len(set(built.sha256.values())) == 2
    assert "-ffp-contract=off" in text
    assert '"identical_with_probes_off": true' in text


def test_contraction_is_left_to_a_pair_that_says(tmp_path: Path) -> None:
    built = build_c(LJ, spec(LOOPS, VARIABLES), tmp_path, "-ffp-contract=fast")
    assert not any("-ffp-contract=off" in command for command in built.commands)


def test_several_files_share_the_loops(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text(
        "double twice(double x);\nint main(void) { int i; for (i = 0; i < 2; i++) twice(i); return 0; }\n"
    )
    (tmp_path / "b.c").write_text("double twice(double x) { double y = 2 * x; return y; }\n")
    program = CProgram((tmp_path / "a.c", tmp_path / "b.c"), "cc {in} -o {out}", tmp_path)
    built = build(program, spec(("i",), {"y": (("i",), {"in": "twice", "expr": "y"})}), tmp_path / "build")
    assert trace_c(built, [], tmp_path) == ["TRACE_C[i=0]: y 0", "TRACE_C[i=1]: y 2"]


def test_counter_of_another_name_and_from_one(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text(
        "int main(void) { double a; for (int ii = 1; ii <= 2; ii++) a = ii; return (int)a - 2; }\n"
    )
    wanted = spec(("i",), {"a": (("i",), {"in": "main", "expr": "a"})}, {"i": {"var": "ii", "index": "ii - 1"}})
    assert trace_c(build_c(tmp_path / "a.c", wanted, tmp_path / "b"), [], tmp_path) == [
        "TRACE_C[i=0]: a 1",
        "TRACE_C[i=1]: a 2",
    ]


def test_cpp_references_and_range_loops(tmp_path: Path) -> None:
    pytest.importorskip("tree_sitter_cpp", reason="tree-sitter-cpp is not installed (extra [probe])")
    source = tmp_path / "a.cpp"
    source.write_text(
        "#include <vector>\nstatic void set(double &x, double v) { x = v; }\n"
        "static double get(const double &x) { return x; }\n"
        "int main() { double a = 0; for (int i : std::vector<int>{3, 4}) { set(a, 2.0 * i); get(a); } return 0; }\n"
    )
    program = CProgram((source,), "c++ {in} -o {out}", tmp_path)
    built = build(program, spec(("i",), {"a": (("i",), {"in": "main", "expr": "a"})}), tmp_path / "build")
    assert trace_c(built, [], tmp_path) == ["TRACE_C[i=3]: a 6", "TRACE_C[i=4]: a 8"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"in": "force", "expr": "r2"}, "no function 'force' is defined"),
        ({"expr": "r2", "at": "enter force"}, "no function 'force' is defined"),
        ({"in": "forces", "expr": "r2", "at": "before: no such line"}, "no statement matches"),
        ({"in": "forces", "expr": "no_such_name", "watch": "r2"}, "does not compile: .*no_such_name"),
        ({"in": "forces", "expr": "dr", "watch": "r2"}, "does not compile"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, table: dict[str, str], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        build_c(LJ, spec(LOOPS, {"r2": (LOOPS, table)}), tmp_path)


def test_a_variable_that_is_never_written_has_no_probe(tmp_path: Path) -> None:
    built = build_c(LJ, spec(LOOPS, {"r_2": (LOOPS, {"in": "forces", "expr": "r_2"})}), tmp_path)
    assert built.placed == []
