"""Places for a reader: every output but the data forms names only the loops with more than one iteration, always."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from trace_parity.bundle.bundle import find_bundles
from trace_parity.bundle.report_index import entries, render_index
from trace_parity.render import FORMATS, renderer
from trace_parity.render.places import Places, beyond, in_sentence, shared
from trace_parity.result.result import Result

from tests.harness.snapshots.results import one_sided, with_quirk
from tests.harness.test_report_index import make_bundle

LONG = "spixel=2 fpixel=3 thick_tic=0 sub_s=0 source=0 phi_tic=0 mos_tic=0"
SHORT = "spixel=2 fpixel=3 phi_tic=0"
LOOPS = ("spixel", "fpixel", "phi_tic")
SENTENCES = [
    f"12 numbers agree, but not everything was compared: alpha: 3 of 9 missing in PY, first at {LONG}",
    f"first at alpha[1] ({LONG}): known quirk phi-carryover; 3 of 12 numbers differ",
    f"py.log: the log ends early: alpha at {LONG} and all that follows is missing (3 numbers)",
    f"the logs have no place in common: C begins at {LONG}, PY at {LONG.replace('=2', '=7')}",
    f"alpha: 2 numbers in both logs, not 3, at 4 places, first at {LONG}",
]


def of(sentence: str, base: Result) -> Result:
    """The result with this sentence as its headline and its only problem."""
    return replace(base, headline=sentence, problems=(sentence,), loops=LOOPS, blame=None)


@pytest.mark.parametrize("sentence", SENTENCES)
@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("json", "metrics")])
@pytest.mark.parametrize("base", [with_quirk(), one_sided()], ids=["differs", "one sided"])
def test_no_output_form_repeats_loops_with_one_iteration(base: Result, form: str, sentence: str) -> None:
    text = renderer(form)(of(sentence, base)).replace("\\", "")
    assert "thick_tic" not in text
    assert "mos_tic=0" not in text
    assert "phi_tic=0" in text or form == "junit"  # which has a message per variable


@pytest.mark.parametrize("sentence", SENTENCES)
def test_lists_of_bundles_name_the_same_loops(tmp_path: Path, sentence: str) -> None:
    make_bundle(tmp_path, "toy", "20261101T101112Z-abc", of(sentence, one_sided()))
    assert [info.headline for info in find_bundles(tmp_path)] == [
        sentence.replace(LONG, SHORT).replace(LONG.replace("=2", "=7"), SHORT.replace("=2", "=7"))
    ]
    page = render_index(entries(tmp_path))
    assert "thick_tic" not in page
    assert "phi_tic=0" in page


def test_the_data_keep_the_whole_place() -> None:
    found = json.loads(renderer("json")(of(SENTENCES[0], one_sided())))
    assert LONG in found["headline"]


def test_what_is_no_place_is_left_alone() -> None:
    for text in ("rtol=1 passes", "a=1.5 b=2.5 differ", "--set a=1 --set b=2", "step=3", "x=1 y=2"):
        assert in_sentence(text, LOOPS) == text
    assert Places(of("at spixel=1 mos_tic=0.", one_sided())).headline == "at spixel=1."


def test_what_all_places_share_is_printed_once() -> None:
    """As a header; the sentences below have only what tells their places apart."""
    problems = (
        f"alpha: missing in PY at 3 places, first at {LONG}",
        f"beta: missing in PY at 1 place, first at {LONG.replace('phi_tic=0', 'phi_tic=4')}",
    )
    made = replace(one_sided(), problems=problems, headline=f"not everything was compared: {problems[0]}", loops=LOOPS)
    text = renderer("text")(made)
    assert text.count("spixel=2 fpixel=3") == text.count("\nplace: spixel=2 fpixel=3\n") == 1
    assert "  alpha: missing in PY at 3 places, first at phi_tic=0\n" in text
    assert "  beta: missing in PY at 1 place, first at phi_tic=4\n" in text
    assert text.endswith("compared: alpha: missing in PY at 3 places, first at phi_tic=0\n")
    assert shared(problems[:1]) == ""
    assert beyond("first at a=1 b=2; then a=1 b=3", "a=1 b=2") == "first at b=2; then b=3"
    assert beyond("first at a=1 b=2", "") == "first at a=1 b=2"
