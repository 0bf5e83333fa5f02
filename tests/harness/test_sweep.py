"""Faults that need flags to come together are found by a sweep and shrunk to those flags."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from trace_parity.compare.options import Options
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.find import find_pair, shipped
from trace_parity.pair.sweep_grammar import Grammar, Line, load_grammar
from trace_parity.result.finding import SweepResult
from trace_parity.run.shrink import given, shrink
from trace_parity.run.sweep import STATE, Sweep, run_sweep

from tests.golden import ROOT
from tests.harness.conftest import Cli
from tests.harness.tiny_pair import SWEEP, write_pair

FAULTS = {"-n 4 -offset 1", "-swap -cube", "-scale 2 -power 3 -wrap"}
"""What the port of tests/harness/tiny_pair.py does wrong, in the fewest flags and simplest values."""


def grammar_in(folder: Path, text: str = SWEEP) -> Grammar:
    pair = find_pair(str(write_pair(folder)))
    (folder / "sweep.toml").write_text(text)
    return pair.sweep()


def swept(folder: Path, out: Path, **words: object) -> SweepResult:
    grammar = grammar_in(folder)
    sweep = Sweep(find_pair(str(folder)), grammar, Options(out=out), **words)  # type: ignore[arg-type]
    return run_sweep(sweep, list(grammar.drawn(3, 120)))


def flags(result: SweepResult) -> set[str]:
    return {" ".join(finding.flags) for finding in result.findings}


def test_three_planted_faults_are_found_and_shrunk(tmp_path: Path, trace_diff: Cli) -> None:
    result = swept(tmp_path / "tiny", tmp_path / "out", jobs=2)
    assert flags(result) == FAULTS
    assert {f.shown.first for f in result.findings} == {"item.x", "item.y", "item.w"}
    assert result.exit_code == 1
    assert sum(len(f.lines) for f in result.findings) == result.kinds["differs"]
    for finding in result.findings:  # each case runs by itself and shows the same
        done = trace_diff(
            "run", tmp_path / "out" / finding.case, "--pair", tmp_path / "tiny", "--out", tmp_path / "again"
        )
        assert done.returncode == 1, done.stderr
        kept = json.loads((tmp_path / "out" / finding.bundle / "result.json").read_text())
        assert kept["headline"] == finding.shown.headline


def test_a_sweep_goes_on_where_it_was_broken_off(tmp_path: Path) -> None:
    whole = swept(tmp_path / "tiny", tmp_path / "whole", jobs=2)
    told: list[str] = []

    def stop(text: str) -> None:
        told.append(text)
        if text.startswith("shrunk"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        swept(tmp_path / "tiny", tmp_path / "out", tell=stop)
    path = tmp_path / "out" / STATE
    kept = len(path.read_text().splitlines())
    assert kept > 100
    with path.open("a") as stream:
        stream.write('{"line": "torn')  # as a kill leaves it
    resumed = swept(tmp_path / "tiny", tmp_path / "out", resume=True)
    assert [(f.id, f.flags, f.lines) for f in resumed.findings] == [(f.id, f.flags, f.lines) for f in whole.findings]
    assert resumed.tried == whole.tried
    assert len(path.read_text().splitlines()) == whole.tried + 1


def test_the_command(tmp_path: Path, trace_diff: Cli) -> None:
    write_pair(tmp_path)
    (tmp_path / "lines.txt").write_text("# two lines\nport -scale 2 -swap -n 5 -cube\n-n 2 -nosuch 3\n")
    done = trace_diff("sweep", "--pair", ".", "--list", "lines.txt", "--out", "out")
    assert done.returncode == 1, done.stderr
    assert "  -swap -cube   first at y (i=0)" in done.stdout
    assert "2 command lines: 1 differs, 1 refused by both; 1 finding" in done.stdout
    assert "[2/2]" in done.stderr
    found = json.loads((tmp_path / "out" / "sweep.json").read_text())
    assert found["groups"][0]["findings"][0]["argv"] == ["-swap", "-cube"]
    page = (tmp_path / "out" / "sweep.html").read_text()
    assert "<code>-swap -cube</code>" in page
    assert (tmp_path / "out" / found["groups"][0]["findings"][0]["bundle"] / "report.html").is_file()
    assert trace_diff("sweep", "--pair", ".", "--grid", "swap,cube,n", "--out", "grid").returncode == 1
    assert trace_diff("sweep", "--pair", ".", "--list", "lines.txt", "--random", "3").returncode == 2
    assert trace_diff("sweep", "--pair", ".").returncode == 2
    (tmp_path / "lines.txt").write_text("-nosuch\n")
    assert trace_diff("sweep", "--pair", ".", "--list", "lines.txt", "--out", "out").returncode == 6


def test_one_program_that_fails_is_a_divergence(tmp_path: Path) -> None:
    grammar = grammar_in(tmp_path, SWEEP + "-crash = { switch = true }\n")
    lines = [grammar.read(["-n", "2", "-crash", "-wrap"])]
    result = run_sweep(Sweep(find_pair(str(tmp_path)), grammar, Options(out=tmp_path / "out")), lines)
    (finding,) = result.findings
    assert (finding.flags, finding.shown.first, result.exit_code) == (("-crash",), "only the port fails", 3)


def test_where_neither_program_has_a_number_nothing_is_compared(tmp_path: Path) -> None:
    grammar = grammar_in(tmp_path)
    lines = [grammar.read(["-scale", "nan"]), grammar.read(["-n", "2"])]
    result = run_sweep(Sweep(find_pair(str(tmp_path)), grammar, Options(out=tmp_path / "out")), lines)
    assert (result.kinds, result.exit_code) == ({"same": 1, "differs": 0, "refused": 0, "empty": 1}, 0)


def test_a_program_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    grammar = grammar_in(tmp_path, "timeout_s = 1\n" + SWEEP)
    source = tmp_path / "py" / "port.py"
    source.write_text(source.read_text().replace("time.sleep(0.5)", "time.sleep(60)"))
    lines = [grammar.read(["-slow"])]
    result = run_sweep(Sweep(find_pair(str(tmp_path)), grammar, Options(out=tmp_path / "out")), lines)
    assert "SIGKILL" in result.findings[0].shown.headline


def test_what_is_drawn_depends_on_the_seed_alone(tmp_path: Path) -> None:
    grammar = grammar_in(tmp_path)
    assert list(grammar.drawn(1, 9)) == list(grammar.drawn(1, 20))[:9]
    assert list(grammar.drawn(1, 9)) != list(grammar.drawn(2, 9))


RULES = """
base = "-cell 1"
[flags]
-a = { number = [0.001, 1000], log = true, default = 1, always = true }
-b = { whole = [0, 9], needs = ["-c"] }
-c = { number = [-5, 5], count = 3, excludes = ["-d"] }
-d = { switch = true }
-e = { words = ["x", "y z", "w"] }
f = { one_of = ["-p", "-q 1"] }
"""


def test_drawn_and_grid_lines_keep_the_rules(tmp_path: Path) -> None:
    grammar = grammar_in(tmp_path, RULES)
    lines = [*grammar.drawn(5, 300), *grammar.grid([]), *grammar.grid(["-b", "f"])]
    assert {part.name for line in lines for part in line} == {"-a", "-b", "-c", "-d", "-e", "f"}
    for line in lines:
        names = [part.name for part in line]
        assert "-a" in names
        assert "-b" not in names or "-c" in names
        assert "-c" not in names or "-d" not in names
        values = next(part.words for part in line if part.name == "-a")
        assert 0.001 <= float(values[1]) <= 1000
        assert grammar.argv(line)[:2] == ("-cell", "1")


def test_the_order_of_flags_is_drawn_where_the_grammar_says_so(tmp_path: Path) -> None:
    folder = write_pair(tmp_path)
    plain = find_pair(str(folder)).sweep()
    text = (folder / "sweep.toml").read_text()
    (folder / "sweep.toml").write_text(f"shuffle = true\n{text}")
    shuffled = find_pair(str(folder)).sweep()
    orders = [[part.name for part in line] for line in shuffled.drawn(5, 40)]
    assert any(names != [r.name for r in shuffled.rules if r.name in names] for names in orders)
    assert list(shuffled.drawn(5, 40)) == list(shuffled.drawn(5, 40))
    assert [set(line) for line in shuffled.drawn(5, 40)] == [set(line) for line in plain.drawn(5, 40)]


@pytest.mark.parametrize("seed", range(20))
def test_shrinking_leaves_the_flags_that_are_needed(seed: int, tmp_path: Path) -> None:
    grammar = grammar_in(tmp_path, RULES)
    rng = random.Random(seed)
    line = rng.choice([x for x in grammar.drawn(seed, 60) if len(given(x, grammar)) >= 3])
    needed = set(rng.sample(given(line, grammar), 2))
    tried: list[Line] = []

    def shows(other: Line) -> bool:
        tried.append(other)
        assert grammar.is_whole(other)
        return needed <= set(given(other, grammar))

    small = shrink(line, grammar, shows)
    left = set(given(small, grammar))
    assert needed <= left
    assert all(any(name in grammar.by_name[n].needs for n in left) for name in left - needed)  # only what they need
    assert small == shrink(line, grammar, shows)
    assert len(set(tried)) < 200


@pytest.mark.parametrize(
    ("words", "shows", "comes_to"),
    [
        ("-a 317", lambda v: v[0] > 20, "-a 300"),
        ("-b 9 -c 1.23 2.34 -3.45", lambda v: v[0] >= 5, "-b 5 -c 0 0 0"),
        ("-c 1.23 2.34 -3.45", lambda v: v[2] < -3, "-c 0 0 -4"),
        ("-c 4.87 0 0", lambda v: v[0] > 0.1, "-c 1 0 0"),
    ],
)
def test_values_become_simple(words: str, shows: Callable[[list[float]], bool], comes_to: str, tmp_path: Path) -> None:
    grammar = grammar_in(tmp_path, RULES)
    line = grammar.read(words.split())
    name = words.split()[0]

    def holds(other: Line) -> bool:
        return any(part.name == name and shows([float(w) for w in part.words[1:]]) for part in other)

    small = shrink(line, grammar, holds)
    assert " ".join(word for part in small if part.name in given(small, grammar) for word in part.words) == comes_to


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "flags: missing"),
        ("[flags]\n", "at least one flag"),
        ("[flags]\n-n = { whole = [3, 1] }\n", "flags.-n.whole: found [3, 1]; expected a range"),
        ("[flags]\n-n = { whole = [1, 2], number = [1, 2] }\n", "expected one of switch, whole"),
        ("[flags]\n-n = { whole = [1.5, 2] }\n", "expected whole numbers"),
        ("[flags]\n-n = { number = [0, 2], log = true }\n", "a range above 0"),
        ("[flags]\n-n = { number = [0, 2], default = 3 }\n", "a number in the range, 0 to 2"),
        ("[flags]\n-n = { number = [0, 2], defualt = 3 }\n", "did you mean 'default'?"),
        ("[flags]\n-n = { switch = true, needs = ['-m'] }\n", "another flag of the grammar"),
        ("[flags]\n-n = { switch = true, count = 2 }\n", "this key only with whole or number"),
        ("[flags]\n-n = { words = [] }\n", "a list of words, one or more"),
        ("moost = 3\n[flags]\n-n = { switch = true }\n", "did you mean 'most'?"),
    ],
)
def test_a_grammar_that_is_none_is_one_line(text: str, says: str, tmp_path: Path) -> None:
    pair = find_pair(str(write_pair(tmp_path)))
    (tmp_path / "g.toml").write_text(text)
    with pytest.raises(HarnessError) as caught:
        load_grammar(tmp_path / "g.toml", pair)
    assert says in str(caught.value)
    assert caught.value.code == Exit.USAGE
    assert str(caught.value).startswith(f"{tmp_path / 'g.toml'}:")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["nanobragg", "lennard_jones"])
def test_the_grammars_of_the_pairs_are_read(name: str) -> None:
    pair = shipped() if name == "nanobragg" else find_pair(str(ROOT / "examples" / "pairs" / name))
    grammar = pair.sweep()
    lines = list(grammar.drawn(0, 200))
    assert {part.name for line in lines for part in line} == set(grammar.by_name)
    assert all(grammar.is_whole(line) for line in lines)
