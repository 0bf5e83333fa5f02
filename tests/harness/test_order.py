"""Order of evaluation with sibling loop nests, names that no vocabulary lists, and vocabularies read strictly."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from trace_parity.compare.align import align
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.contract import Contract
from trace_parity.pair.first_appearance import merged
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.pair.vocabulary_file import parse_vocabulary
from trace_parity.result.compare import compare
from trace_parity.result.result import CaseResult, Result
from trace_parity.trace import read_trace_lines
from trace_parity.trace.infer import infer_vocabulary

from tests.harness.log_pairs import compare_files

MD = """
title = "md"
loops = ["step", "i", "j"]
nests = ["kick", "forces", "kick2"]
[scopes]
run = { loops = [] }
kick = { loops = ["step", "i"], nest = "kick" }
pair = { loops = ["step", "i", "j"], nest = "forces" }
atom = { loops = ["step", "i"], nest = "forces", closing = true }
kick2 = { loops = ["step", "i"], nest = "kick2" }
summary = { loops = ["step"], closing = true }
whole = { loops = [], closing = true }
[variables]
dt = { scope = "run" }
pos = { scope = "kick", size = 3 }
dr = { scope = "pair", size = 3 }
force = { scope = "atom", size = 3 }
vel = { scope = "kick2", size = 3 }
energy = { scope = "summary" }
mean = { scope = "whole" }
"""
ATOMS = 6


def md_log(side: str, wrong: Sequence[str] = ()) -> str:
    """A log of molecular dynamics; the numbers at the places of `wrong` are off."""
    lines = []

    def say(place: str, name: str, *values: float) -> None:
        off = 0.5 if f"{place or 'the whole run'} {name}" in wrong else 0.0
        lines.append(f"TRACE_{side}{f'[{place}]' if place else ''}: {name} {' '.join(repr(v + off) for v in values)}")

    say("", "dt", 0.005)
    for step in range(1, 4):
        for i in range(ATOMS):
            say(f"step={step} i={i}", "pos", i + 0.125 * step, 0.5, 0.25)
        for i in range(ATOMS):
            for j in range(ATOMS):
                if j != i:
                    say(f"step={step} i={i} j={j}", "dr", float(i - j), 0.5, 0.25)
            say(f"step={step} i={i}", "force", 1.5 * i, 0.5, 0.25)
        for i in range(ATOMS):
            say(f"step={step} i={i}", "vel", 0.75 * i, 0.5, 0.25)
        say(f"step={step}", "energy", 3.5 + step)
    say("", "mean", 5.5)
    return "\n".join(lines) + "\n"


EVALUATED = [
    "step=2 i=5 vel", "step=2 energy", "step=3 i=5 pos", "step=3 i=0 j=5 dr", "step=3 i=0 force", "step=3 i=1 j=0 dr",
    "step=3 i=5 force", "step=3 i=0 vel", "step=3 energy", "the whole run mean",
]  # fmt: skip
"""Places in the order in which a program comes to them."""


def of_texts(c: str, py: str, vocabulary: Vocabulary) -> Result:
    tables = [
        read_trace_lines(text.splitlines(keepends=True), side, side, vocabulary)
        for text, side in ((c, "C"), (py, "PY"))
    ]
    return compare(align(tables[0], tables[1], vocabulary), CaseResult("t", "t"), Contract())


@pytest.mark.parametrize("first", range(len(EVALUATED)))
def test_the_first_divergence_is_the_first_that_is_evaluated(first: int, tmp_path: Path) -> None:
    wrong = EVALUATED[first:]
    c, py = md_log("C"), md_log("PY", wrong)
    (tmp_path / "c.log").write_text(c)
    (tmp_path / "py.log").write_text(py)
    written = parse_vocabulary(MD, "md.toml")
    inferred = infer_vocabulary(tmp_path / "c.log", tmp_path / "py.log")
    streamed = compare_files(tmp_path / "c.log", tmp_path / "py.log", written, piece=2000)
    for result in (of_texts(c, py, written), of_texts(c, py, inferred), streamed):
        found = [f"{d.place} {d.variable}" for d in result.divergences]
        assert list(dict.fromkeys(found)) == wrong


def test_loops_around_nests_may_be_named() -> None:
    text = MD.replace('nests = ["kick"', 'nests_inside = "step"\nnests = ["kick"')
    assert parse_vocabulary(text, "md.toml").nests_inside == parse_vocabulary(MD, "md.toml").nests_inside == 1
    alone = MD.replace('["step", "i", "j"], nest', '["step", "j"], nest')  # no name of a loop is shared
    assert parse_vocabulary(alone, "md.toml").nests_inside == 1


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "closing = true }\nkick2",
            "closinng = true }\nkick2",
            "scopes.atom.closinng: unknown key; expected one of closing, loops, nest (hint: did you mean 'closing'?)",
        ),
        (
            'nest = "forces" }',
            'nest = "force" }',
            "scopes.pair.nest: found 'force'; expected one of kick, forces, kick2 (hint: did you mean 'forces'?)",
        ),
        (
            '["step", "i"], nest = "kick" ',
            '["stp", "i"], nest = "kick" ',
            "scopes.kick.loops: found ['stp', 'i']; expected loops of ['step', 'i', 'j'] (hint: did you mean 'step'?)",
        ),
        (
            'dt = { scope = "run" }',
            'dt = { scope = "rum" }',
            "variables.dt.scope: found 'rum';"
            " expected one of run, kick, pair, atom, kick2, summary, whole (hint: did you mean 'run'?)",
        ),
        ('dt = { scope = "run" }', "dt = { size = 1 }", "variables.dt.scope: missing; expected one of run, kick"),
        ("size = 3 }\ndr", 'size = "3" }\ndr', "variables.pos.size: found '3'; expected a whole number"),
        ('title = "md"', 'tittle = "md"', "tittle: unknown key; expected one of"),
        ('title = "md"', "title = 3", "title: found 3; expected a string"),
        (
            "dt = {",
            'dt = { depends_on = ["pos@step"],',
            "variables.dt.depends_on: found 'pos@step'; expected name, name@loop-1 or sum(name over loop)",
        ),
        (
            "dt = {",
            'dt = { depends_on = ["poss"],',
            "no variable 'poss'; expected a variable of the vocabulary (hint: did you mean 'pos'?)",
        ),
        (
            "dt = {",
            'dt = { tolerance = "exct",',
            "variables.dt.tolerance: found 'exct'; expected one of default, exact (hint: did you mean 'exact'?)",
        ),
    ],
)
def test_a_mistake_is_one_line(old: str, new: str, says: str) -> None:
    assert old in MD
    with pytest.raises(HarnessError) as caught:
        parse_vocabulary(MD.replace(old, new, 1), "md.toml")
    assert str(caught.value).startswith("md.toml: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.code == Exit.USAGE


def test_unknown_names_come_in_the_order_of_the_logs(tmp_path: Path) -> None:
    """Not alphabetically; a name that C lacks comes where PY has it."""
    c = "".join(f"TRACE_C[step={s}]: {name} 1.5\n" for s in range(2) for name in ("zeta", "alpha", "mid"))
    py = "".join(f"TRACE_PY[step={s}]: {name} 2.5\n" for s in range(2) for name in ("zeta", "extra", "alpha", "mid"))
    vocabulary = parse_vocabulary('loops = ["step"]\n[scopes]\nstep = { loops = ["step"] }\n', "none.toml")
    (tmp_path / "c.log").write_text(c)
    (tmp_path / "py.log").write_text(py)
    for result in (of_texts(c, py, vocabulary), compare_files(tmp_path / "c.log", tmp_path / "py.log", vocabulary)):
        assert [d.variable for d in result.divergences] == ["zeta", "alpha", "mid"] * 2
        assert [v.name for v in result.variables] == ["zeta", "extra", "alpha", "mid"]


def test_a_merged_order_fits_both_where_one_does() -> None:
    for one, other in itertools.product(itertools.permutations("abc"), repeat=2):
        order = merged([one, [*other[:1], "x", *other[1:]]])
        assert [item for item in order if item != "x"] == list(one)
        assert sorted(order) == ["a", "b", "c", "x"]
    assert merged(["ad", "abcd"]) == list("abcd")
    assert merged(["bd", "abcd", "de"]) == list("abcde")


@pytest.mark.parametrize(
    ("c", "py", "agree"),
    [
        ("0 5.5", "1e-17 5.5", True),  # under 1e-12 of 5.5
        ("0 5.5", "1e-11 5.5", False),
        ("0 5.5e30", "1e17 5.5e30", True),
        ("1.0 2.0", "1.0000001 2.0", True),
        ("1.0 2.0", "1.00001 2.0", False),
        ("0 0", "1e-17 0", False),  # the largest magnitude is 1e-17 itself
    ],
)
def test_names_without_a_tolerance_are_held_to_their_largest_magnitude(
    c: str, py: str, agree: bool, trace_diff: Callable[..., object], tmp_path: Path
) -> None:
    for side, name, words in (("C", "c.log", c), ("PY", "py.log", py)):
        lines = [f"TRACE_{side}[k={n}]: something {word}\n" for n, word in enumerate(words.split())]
        (tmp_path / name).write_text("".join(lines))
    done = trace_diff("compare", "c.log", "py.log")
    assert done.returncode == (0 if agree else 1), done.stdout  # type: ignore[attr-defined]
    rule = "something: no own tolerance, compared to 1e-06 relative plus 1e-12 of the variable's largest magnitude"
    assert rule in done.stdout  # type: ignore[attr-defined]
    assert "no pair's vocabulary matches the logs" in done.stderr  # type: ignore[attr-defined]
