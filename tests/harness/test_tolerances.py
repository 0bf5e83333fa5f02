from __future__ import annotations

from pathlib import Path

import pytest
from trace_parity.cli.main import join_rules
from trace_parity.compare.align import align
from trace_parity.compare.options import Options
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.contract import Contract
from trace_parity.pair.find import shipped
from trace_parity.pair.tolerances import Rule, global_rtol, parse_rules, with_rules
from trace_parity.result.compare import compare
from trace_parity.result.result import CaseResult, Result
from trace_parity.trace import read_trace_lines

from tests.harness.conftest import Cli, as_py

CELLS = "N_cells 10 20 5"


def judged(name: str, c: str, py: str, *words: str) -> Result:
    rules = parse_rules(words)
    vocabulary = with_rules(shipped().vocabulary, rules)
    tables = [
        read_trace_lines([f"TRACE_{side}: {CELLS}\n", f"TRACE_{side}: {name} {value}\n"], side, side, vocabulary)
        for side, value in (("C", c), ("PY", py))
    ]
    return compare(
        align(tables[0], tables[1], vocabulary),
        CaseResult("t", "t"),
        Contract(),
        pair=shipped(),
        options=Options(rtol=global_rtol(rules)),
    )


def test_the_language() -> None:
    words = ["1e-6 F_latt:1e-9", "rot_*:abs=1e-12", "steps:ulp=4"]
    assert parse_rules(words) == (
        Rule("", "rtol", 1e-6),
        Rule("F_latt", "rtol", 1e-9),
        Rule("rot_*", "abs", 1e-12),
        Rule("steps", "ulp", 4.0),
    )
    for wrong in ("ten", "F_latt:", "F_latt:x", "-1", "nan", "inf", "F_latt:abs", "a:b:1", "F_latt:foo=1"):
        with pytest.raises(HarnessError) as caught:
            parse_rules([wrong])
        assert caught.value.code == Exit.USAGE


@pytest.mark.parametrize(
    ("words", "agrees"),
    [
        ([], False),
        (["1e-2"], True),
        (["distance_meters:1e-2"], True),
        (["distance_*:1e-2"], True),
        (["close_*:1e-2"], False),
        (["1e-2", "distance_meters:1e-9"], False),  # a tolerance of one variable wins over one of all
        (["distance_meters:1e-9 1e-2"], False),
        (["distance_meters:1e-9 distance_*:1e-2"], True),  # the later one wins
        (["distance_meters:ulp=1e20"], True),
    ],
)
def test_which_rule_holds(words: list[str], agrees: bool) -> None:
    assert judged("distance_meters", "1", "1.001", *words).exit_code == (0 if agrees else 1)


def test_ulps() -> None:
    assert judged("distance_meters", "1", "1.0000000000000004", "distance_meters:0").exit_code == 1
    assert (
        judged("distance_meters", "1", "1.0000000000000004", "distance_meters:0 distance_meters:ulp=2").exit_code == 0
    )
    assert (
        judged("distance_meters", "1", "1.0000000000000007", "distance_meters:0 distance_meters:ulp=2").exit_code == 1
    )


def test_the_absolute_part_is_a_fraction_of_the_named_scale() -> None:
    assert judged("F_latt", "0", "1e-2", "F_latt:abs=1.1e-5").exit_code == 0  # of 10 * 20 * 5
    assert judged("F_latt", "0", "1e-2", "F_latt:abs=0.9e-5").exit_code == 1
    assert judged("F_latt", "0", "1e-2", "F_latt:1.1e-5").exit_code == 0  # what has no relative part takes it there
    with pytest.raises(HarnessError, match="no named scale"):
        judged("distance_meters", "1", "1", "distance_meters:abs=1e-9")


def test_a_rule_that_fits_nothing_is_an_error() -> None:
    with pytest.raises(HarnessError, match="'F_lattice' matches no variable") as caught:
        judged("distance_meters", "1", "1", "F_lattice:1e-9")
    assert caught.value.code == Exit.USAGE


def test_on_the_command_line(trace_diff: Cli, tmp_path: Path, supervisor_log: str) -> None:
    (tmp_path / "c.log").write_text(supervisor_log)
    (tmp_path / "py.log").write_text(as_py(supervisor_log).replace("F_cell 190.27", "F_cell 190.28"))
    assert trace_diff("compare", "c.log", "py.log").returncode == 1
    assert trace_diff("compare", "--rtol", "1e-6", "F_cell:1e-3", "c.log", "py.log").returncode == 0
    assert trace_diff("compare", "c.log", "py.log", "--rtol", "F_cell:1e-3").returncode == 0
    done = trace_diff("compare", "c.log", "py.log", "--rtol", "F_sell:1e-3")
    assert (done.returncode, done.stdout) == (2, "")


def test_rules_are_told_from_paths() -> None:
    words = ["compare", "--rtol", "1e-6", "F_latt:1e-9", "rot_*:ulp=2", "C.log", "PY:1.log"]
    assert join_rules(words) == ["compare", "--rtol", "1e-6 F_latt:1e-9 rot_*:ulp=2", "C.log", "PY:1.log"]
