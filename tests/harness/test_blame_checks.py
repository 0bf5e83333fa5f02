"""Equations of a user's pair: their names are checked, a helper holds one against a log, and the tutorial runs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from trace_parity.blame.attribution import blame_log
from trace_parity.blame.checks import check_equation, check_names
from trace_parity.blame.equation import Domain, Equation, Form, Input
from trace_parity.errors import HarnessError
from trace_parity.pair.find import shipped

from tests.golden import ROOT
from tests.harness.test_blame_faults import Program, read

TUTORIAL = (ROOT / "docs" / "how-to" / "equations.md").read_text(encoding="utf-8")
RADIUS = Equation(
    "radius",
    "R² is the square of R",
    "1",
    "subsample.R_distance_meters",
    (Input("pixel_pos_meters"),),
    (Form("as written", lambda x: ((x["pixel_pos_meters"] ** 2).sum(axis=1, keepdims=True)) ** 0.5),),
)


def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vocabulary.toml").write_text(re.findall(r"^```toml\n(.*?)^```", TUTORIAL, re.M | re.S)[0])
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", TUTORIAL, re.M | re.S)
    assert len(blocks) == 3
    exec(compile("\n".join(blocks), "equations.md", "exec"), {})


def test_an_equation_is_held_against_a_log() -> None:
    log = read(Program("C").text(), "C")
    assert check_equation(RADIUS, log, shipped().vocabulary) == 4
    wrong = read(Program("C", {"R_distance_meters": lambda v, x: v * 1.001}).text(), "C")
    with pytest.raises(
        AssertionError, match=r"radius: .* fails at 4 of 4 places, worst at spixel=20 .*off by 0\.001 where"
    ):
        check_equation(RADIUS, wrong, shipped().vocabulary)
    lacking = "".join(line for line in Program("C").text().splitlines(True) if "pixel_pos" not in line)
    with pytest.raises(AssertionError, match="could be evaluated nowhere: the log lacks pixel_pos_meters"):
        check_equation(RADIUS, read(lacking, "C"), shipped().vocabulary)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            {"output": "R_distance_meters"},
            "no variable 'R_distance_meters' for its output.*subsample.R_distance_meters",
        ),
        ({"output": "subsample.R_distance"}, "no variable 'subsample.R_distance' for its output"),
        ({"inputs": (Input("pixel_pos_metres"),)}, "no variable 'pixel_pos_metres' for its input.*pixel_pos_meters"),
        ({"table": "hkl"}, "no variable 'hkl' for its table"),
    ],
)
def test_a_name_that_the_vocabulary_lacks_is_an_error(changed: dict[str, object], says: str) -> None:
    equation = replace(RADIUS, **changed)  # type: ignore[arg-type]
    with pytest.raises(HarnessError) as error:
        check_names(Domain("small", (equation,)), shipped().vocabulary)
    assert re.search(says, str(error.value))
    assert int(error.value.code) == 2


def test_blame_asks_no_equation_of_unknown_names() -> None:
    bare = Domain("small", (replace(RADIUS, output="R_distance_meters"),))
    with pytest.raises(HarnessError, match="R_distance_meters"):
        blame_log(read(Program("C").text(), "C"), shipped().vocabulary, bare)
