"""`equals` of a vocabulary: what is accepted, what follows from it, and whether blame finds the fault with it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from trace_parity.blame.attribution import blame_log, blame_pair
from trace_parity.blame.findings import Blame
from trace_parity.blame.from_vocabulary import domain_of
from trace_parity.compare.align import align
from trace_parity.compare.judge import judge
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.dependencies import inputs, upstream
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.pair.vocabulary_file import parse_vocabulary
from trace_parity.render.blame_text import headline
from trace_parity.trace import read_trace_lines

TEXT = """
title = "chain"
loops = ["step", "i", "j"]
loop_sizes = { i = "n" }
nests = ["move", "forces", "kick"]
[scopes]
run = { loops = [] }
move = { loops = ["step", "i"], nest = "move" }
pair = { loops = ["step", "i", "j"], nest = "forces" }
atom = { loops = ["step", "i"], nest = "forces", closing = true }
kick = { loops = ["step", "i"], nest = "kick" }
summary = { loops = ["step"], closing = true }
[variables]
n = { scope = "run", integer = true }
dt = { scope = "run" }
r = { scope = "move", size = 3, equals = "prev(r) + dt * prev(v)" }
dr = { scope = "pair", size = 3, equals = "at(r, i='i') - at(r, i='j')" }
f = { scope = "pair", size = 3, equals = "where(norm(dr) < 2.5, -dr / dot(dr, dr) ** 2, 0 * dr)" }
force = { scope = "atom", size = 3, equals = 'sum(f, "j")' }
v = { scope = "kick", size = 3, equals = "prev(v) + dt * force" }
e = { scope = "summary", equals = 'sum(0.5 * dot(v, v), "i")' }
spin = { scope = "summary", size = 3, equals = 'sum(cross(r, v), "i")' }
"""
N, DT = 4, 0.125


def vocabulary(text: str = TEXT) -> Vocabulary:
    return parse_vocabulary(text, "chain.toml")


def chain(side: str, fault: str = "") -> str:
    """A small chain of particles; `fault` is built into its arithmetic."""
    lines = [f"TRACE_{side}: n {N}", f"TRACE_{side}: dt {DT!r}"]

    def say(place: str, name: str, *values: float) -> None:
        lines.append(f"TRACE_{side}[{place}]: {name} {' '.join(f'{v:.17g}' for v in values)}")

    r = [[1.1 * i, 0.1 * i * i, 0.01] for i in range(N)]
    v = [[0.0, 0.1 * i, 0.2] for i in range(N)]
    for step in range(4):
        for i in range(N):
            if step:
                r[i] = [a + (DT if fault != "no dt" else 1.0) * b for a, b in zip(r[i], v[i], strict=True)]
            say(f"step={step} i={i}", "r", *r[i])
        forces = []
        for i in range(N):
            force = [0.0, 0.0, 0.0]
            for j in range(N):
                if j == i:
                    continue
                dr = [a - b for a, b in zip(r[i], r[j], strict=True)]
                r2 = sum(x * x for x in dr)
                near = math.sqrt(r2) < (2.5 if fault != "cutoff" else 4.0)
                f = [(-x if fault != "sign" else x) / r2**2 if near else 0.0 for x in dr]
                say(f"step={step} i={i} j={j}", "dr", *dr)
                say(f"step={step} i={i} j={j}", "f", *f)
                if fault != "skips" or j != 2:
                    force = [a + b for a, b in zip(force, f, strict=True)]
            say(f"step={step} i={i}", "force", *force)
            forces.append(force)
        for i in range(N):
            if step:
                v[i] = [a + DT * b for a, b in zip(v[i], forces[i], strict=True)]
            say(f"step={step} i={i}", "v", *v[i])
        used = range(N - 1) if fault == "last atom" else range(N)
        say(f"step={step}", "e", sum(0.5 * sum(x * x for x in v[i]) for i in used))
        spin = [0.0, 0.0, 0.0]
        for i in range(N):
            (x, y, z), (a, b, c) = r[i], v[i]
            spin = [spin[0] + y * c - z * b, spin[1] + z * a - x * c, spin[2] + x * b - y * a]
        say(f"step={step}", "spin", *spin)
    return "\n".join(lines) + "\n"


def blamed(c: str, py: str, words: Vocabulary) -> Blame:
    tables = [read_trace_lines(t.splitlines(keepends=True), s, s, words) for t, s in ((c, "C"), (py, "PY"))]
    alignment = align(tables[0], tables[1], words)
    domain = domain_of(words)
    assert domain is not None
    return blame_pair(alignment, judge(alignment), domain)


def test_a_sound_log_obeys_every_equation_at_every_place() -> None:
    words = vocabulary()
    domain = domain_of(words)
    assert domain is not None
    found = blame_log(read_trace_lines(chain("C").splitlines(keepends=True), "C", "C", words), words, domain)
    assert not found.findings
    assert found.equations_checked == 7
    # r and v have no step before the first; pairs, sums and summaries have every step.
    assert found.instances_checked == 3 * N + 3 * N + 2 * 4 * N * (N - 1) + 4 * N + 4 + 4
    assert headline(found) == f"none of 7 equations at {found.instances_checked} places"


@pytest.mark.parametrize(
    ("fault", "variable", "hint"),
    [
        ("no dt", "r", ""),
        ("cutoff", "f", ""),
        ("sign", "f", "the sign is wrong"),
        ("skips", "force", ""),
        ("last atom", "e", ""),
    ],
)
def test_blame_finds_the_equation_that_a_port_breaks(fault: str, variable: str, hint: str) -> None:
    for side, c, py in (("PY", chain("C"), chain("PY", fault)), ("C", chain("C", fault), chain("PY"))):
        found = blamed(c, py, vocabulary())
        introduced = {(f.variable, f.side) for f in found.findings if f.kind == "introduced"}
        assert introduced == {(variable, side)}
        assert found.findings[0].equation_text.startswith(f"{variable} = ")
        assert hint in found.findings[0].hint


def test_what_follows_is_inherited_through_recurrence_and_sum() -> None:
    found = blamed(chain("C"), chain("PY", "sign"), vocabulary())
    hints = {f.variable: f.hint for f in found.findings if f.kind == "inherited"}
    assert hints["force"].startswith("from sum(f over j) (")
    assert "from r" in hints["dr"]
    assert "force" in hints["v"]
    assert hints["e"].startswith("from sum(0.5 * dot(v, v) over i) (")
    assert not [f for f in found.findings if f.kind == "unexplained"]


def test_equals_gives_depends_on_with_recurrence_and_sums() -> None:
    words = {v.name: v.depends_on for v in vocabulary().variables}
    assert words["r"] == ("r@step-1", "dt", "v@step-1")
    assert words["force"] == ("sum(f over j)",)
    assert words["spin"] == ("sum(r over i)", "sum(v over i)")
    graph = inputs(vocabulary())
    assert graph["move.r"] == ("move.r", "run.dt", "kick.v")
    assert {"kick.v", "atom.force", "pair.f", "pair.dr", "move.r", "run.dt"} == upstream(graph, ["summary.e"])


def test_a_sum_is_not_taken_over_a_part_of_a_loop() -> None:
    """A log in which one atom was traced says nothing of a sum over all."""
    c = "".join(line for line in chain("C").splitlines(keepends=True) if "i=" not in line or " i=0" in line)
    py = c.replace("TRACE_C", "TRACE_PY").replace(": spin ", ": spin 1")
    found = blamed(c, py, vocabulary())
    assert not [f for f in found.findings if f.kind == "introduced"]
    assert "sum(0.5 * dot(v, v) over i) (1 of 4 i)" in " ".join(found.missing)


def test_what_could_not_be_evaluated_is_in_the_sentence() -> None:
    c = "".join(line for line in chain("C").splitlines(keepends=True) if ": dt" not in line)
    found = blamed(c, c.replace("TRACE_C", "TRACE_PY"), vocabulary())
    evaluated = "none of 5 equations at 240 places"
    assert headline(found) == f"{evaluated}; 2 more equations could not be evaluated for lack of dt"


@pytest.mark.parametrize(
    ("equals", "says"),
    [
        ("__import__('os').system('id')", "no function"),
        ("dr.__class__", "no variable or loop 'dr.__class__'"),
        ("(lambda: 1)()", "no function"),
        ("[x for x in dr]", "is not accepted"),
        ("'text'", "'text' is not a number"),
        ("dr if 1 else 0", "is not accepted; expected arithmetic, names, x[0] and functions (hint: where("),
        ("dr @ dr", "operator MatMult"),
        ("dr +", "is not an expression"),
        ("drr", "no variable or loop 'drr'; expected a name of the vocabulary (hint: did you mean 'dr'?)"),
        ("srqt(dr)", "no function 'srqt'"),
        ("dot(dr)", "expected dot of 2 values"),
        ("dr[-1]", "x[0]: a component by its number"),
        ("prev(dr, 'stp')", "no loop 'stp'"),
        ("at(dr, k=0)", "no loop 'k'"),
        ("at(dr, i='j + 0.5')", "an index of loops"),
        ("sum(f, j)", "loops in quotes"),
        ("sum(dt, 'j')", "nothing in sum(dt over j) sits in loop 'j'"),
        ("f + 1", "pair.f is computed from itself; expected prev(f) for a recurrence"),
    ],
)  # fmt: skip
def test_what_is_not_the_language_is_one_line(equals: str, says: str) -> None:
    old = '"where(norm(dr) < 2.5, -dr / dot(dr, dr) ** 2, 0 * dr)"'
    assert old in TEXT
    with pytest.raises(HarnessError) as caught:
        vocabulary(TEXT.replace(old, f'"{equals}"'))
    assert str(caught.value).startswith("chain.toml: variables.f.equals: ")
    assert says in str(caught.value)
    assert caught.value.code == Exit.USAGE
    assert "\n" not in str(caught.value)


def test_equations_that_need_each_other_are_refused() -> None:
    old = '"where(norm(dr) < 2.5, -dr / dot(dr, dr) ** 2, 0 * dr)"'
    with pytest.raises(HarnessError, match=r"equals: circular: .* from .* from ") as caught:
        vocabulary(TEXT.replace(old, '"dot(force, force) * dr"'))
    assert caught.value.code == Exit.USAGE
    vocabulary(TEXT.replace(old, '"dot(prev(force), prev(force)) * dr"'))


def test_a_value_of_a_loop_inside_needs_a_sum() -> None:
    with pytest.raises(HarnessError, match=r"f sits in loop 'j', which atom.force does not"):
        vocabulary(TEXT.replace("'sum(f, \"j\")'", '"f"'))


@pytest.mark.parametrize(
    ("equals", "wanted"),
    [
        ("a + 2 * b ** 2 - -a", 2.0 + 2 * 9 + 2.0),
        ("where(a < b and not (a == 3), 7, 8)", 7.0),
        ("where(a > b or a > 2.5, 7, 8)", 8.0),
        ("where(1 < a < 3, 7, 8)", 7.0),
        ("7 // 2 + 7 % 4 + 1 / 4", 6.25),
        ("norm(w) + dot(w, [1, 0, 0]) + w[2] + sum(w)", 13.0 + 3.0 + 12.0 + 19.0),
        ("cross([1, 0, 0], [0, 1, 0])[2] + norm(unit(w))", 2.0),
        ("hypot(3, 4) + min(a, b, 1) + max(a, b) + abs(-1) + sign(-3)", 5 + 1 + 3 + 1 - 1),
        ("sqrt(4) + exp(0) + log(1) + cos(pi) + atan2(0, 1)", 2.0),
        ("floor(2.5) + ceil(2.5) + round(2.5)", 7.0),
        ("k + prev(k, default=40)", 42.0),
    ],
)  # fmt: skip
def test_values_of_expressions(equals: str, wanted: float, tmp_path: Path) -> None:
    text = f"""
loops = ["k"]
[scopes]
run = {{ loops = [] }}
each = {{ loops = ["k"] }}
[variables]
a = {{ scope = "run" }}
b = {{ scope = "run" }}
w = {{ scope = "run", size = 3 }}
x = {{ scope = "each", equals = "{equals.replace("prev(k,", "prev(y,")}" }}
y = {{ scope = "each" }}
"""
    words = vocabulary(text)
    domain = domain_of(words)
    assert domain is not None
    for value, holds in ((wanted, True), (wanted * (1 + 1e-12), False)):
        log = "TRACE_C: a 2.0\nTRACE_C: b 3.0\nTRACE_C: w 3.0 4.0 12.0\n"
        log += f"TRACE_C[k=1]: y 41\nTRACE_C[k=2]: x {value:.17g}\n"
        log = log if "prev" not in equals else log.replace("y 41", "y 40")
        found = blame_log(read_trace_lines(log.splitlines(keepends=True), "C", "C", words), words, domain)
        assert found.instances_checked == 1
        assert (not found.findings) == holds, found.findings
