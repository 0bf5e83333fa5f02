"""Blame of a user's pair whose equations are all in Python: heat in a rod, without `equals` and `depends_on`."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import pytest
from trace_parity.blame.attribution import blame_pair
from trace_parity.blame.checks import check_equation
from trace_parity.blame.equation import Domain, Equation, Form, Input
from trace_parity.blame.findings import Blame
from trace_parity.blame.headline import cause_sentence
from trace_parity.blame.log_values import LogView
from trace_parity.compare.align import align
from trace_parity.compare.judge import judge
from trace_parity.pair.vocabulary import Key, Vocabulary
from trace_parity.pair.vocabulary_file import load_vocabulary
from trace_parity.trace import TraceTable, read_trace_lines

CELLS, STEPS, ALPHA, DX, DT = 6, 4, 0.7, 0.1, 0.002
VOCABULARY = """
title = "rod"
loops = ["step", "cell"]
nests = ["drift", "flow"]
nests_inside = "step"
[scopes]
run = { loops = [] }
drift = { loops = ["step", "cell"], nest = "drift" }
flow = { loops = ["step", "cell"], nest = "flow" }
summary = { loops = ["step"], closing = true }
[variables]
alpha = { scope = "run", size = 1 }
dx = { scope = "run", size = 1 }
dt = { scope = "run", size = 1 }
T = { scope = "drift", size = 1 }
flux = { scope = "flow", size = 1 }
energy = { scope = "summary", size = 1 }
"""


def _before(log: LogView, key: Key) -> Key | None:
    return (key[0] - 1, key[1]) if key[0] > 0 else None


def _left_before(log: LogView, key: Key) -> Key | None:
    return (key[0] - 1, key[1] - 1) if key[0] > 0 and key[1] > 0 else None


def _right(log: LogView, key: Key) -> Key | None:
    return key[0], key[1] + 1


FLUX = Equation(
    "flux",
    "flux = -alpha (T of the next cell - T)/dx",
    "1",
    "flow.flux",
    (Input("alpha"), Input("dx"), Input("T"), Input("T", "T_right", _right)),
    (Form("as written", lambda x: -x["alpha"] * (x["T_right"] - x["T"]) / x["dx"]),),
)
TEMPERATURE = Equation(
    "temperature",
    "T = T before - dt/dx (flux - flux of the cell to the left)",
    "2",
    "drift.T",
    (
        Input("T", "T_before", _before),
        Input("dt"),
        Input("dx"),
        Input("flux", "here", _before, 0.0),
        Input("flux", "left", _left_before, 0.0),
    ),
    (Form("as written", lambda x: x["T_before"] - x["dt"] / x["dx"] * (x["here"] - x["left"])),),
)
DOMAIN = Domain("rod", (FLUX, TEMPERATURE), finals=("summary.energy",))


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    path = tmp_path_factory.mktemp("rod") / "vocabulary.toml"
    path.write_text(VOCABULARY)
    return load_vocabulary(Path(path))


def rod(side: str, vocabulary: Vocabulary, fault: str = "") -> TraceTable:
    """The log of a program that goes on with its fault."""
    lines = [f"TRACE_{side}: {name} {value!r}\n" for name, value in (("alpha", ALPHA), ("dx", DX), ("dt", DT))]
    T = [300 + 20 * math.sin(1.3 * i) + 3 * i for i in range(CELLS)]
    for step in range(STEPS):
        lines += [f"TRACE_{side}[step={step} cell={i}]: T {value!r}\n" for i, value in enumerate(T)]
        flux = [-ALPHA * (b - a) / DX * (-1 if fault == "sign" else 1) for a, b in pairwise(T)]
        lines += [f"TRACE_{side}[step={step} cell={i}]: flux {value!r}\n" for i, value in enumerate(flux)]
        lines.append(f"TRACE_{side}[step={step}]: energy {sum(T) * DX!r}\n")
        out, into = [*flux, 0.0], [0.0, *flux]
        into = into if fault != "neighbour" else [0.0, *out[1:]]
        times = DT / DX * (2 if fault == "twice" else 1)
        T = [t - times * (o - i) for t, o, i in zip(T, out, into, strict=True)]
    return read_trace_lines(lines, side, side, vocabulary)


def blame_of(vocabulary: Vocabulary, fault: str) -> Blame:
    alignment = align(rod("C", vocabulary), rod("PY", vocabulary, fault), vocabulary)
    return blame_pair(alignment, judge(alignment), DOMAIN)


def test_the_equations_hold(vocabulary: Vocabulary) -> None:
    log = rod("C", vocabulary)
    assert [check_equation(e, log, vocabulary) for e in (FLUX, TEMPERATURE)] == [20, 18]


@pytest.mark.parametrize(
    ("fault", "variable", "hint"),
    [
        ("sign", "flux", "the sign is wrong"),
        ("twice", "T", "what is added to the previous value is twice what it should be"),
        ("neighbour", "T", "fits without dt"),
    ],
)
def test_a_fault_is_named_and_followed_to_the_last_value_that_an_equation_makes(
    vocabulary: Vocabulary, fault: str, variable: str, hint: str
) -> None:
    """Nothing says what energy is computed from: no share is measured there, and none is 0 because of it."""
    found = blame_of(vocabulary, fault)
    (said,) = [f for f in found.findings if f.kind == "introduced"]
    assert (said.side, said.variable, said.hint) == ("PY", variable, hint)
    assert found.final == "flux"
    assert said.share is not None
    assert said.share > 0.99
    assert cause_sentence(found).startswith(f"{variable} explains ")
