"""Equations of a user's pair: their names are checked, and a helper holds one against a log."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from trace_parity.blame.attribution import blame_log
from trace_parity.blame.checks import check_equation, check_names
from trace_parity.blame.equation import Domain, Equation, Form, Input
from trace_parity.errors import HarnessError
from trace_parity.pair.find import find_pair, shipped
from trace_parity.run.check_pair import report

from tests.golden import ROOT
from tests.harness.test_blame_faults import Program, read

RADIUS = Equation(
    "radius",
    "R² is the square of R",
    "1",
    "subsample.R_distance_meters",
    (Input("pixel_pos_meters"),),
    (Form("as written", lambda x: ((x["pixel_pos_meters"] ** 2).sum(axis=1, keepdims=True)) ** 0.5),),
)


def test_an_equation_is_held_against_a_log() -> None:
    log = read(Program("C").text(), "C")
    assert check_equation(RADIUS, log, shipped().vocabulary) == 4
    wrong = read(Program("C", {"R_distance_meters": lambda v, x: v * 1.001}).text(), "C")
    with pytest.raises(
        AssertionError, match=r"radius: .* fails at 4 of 4 places, worst at spixel=20 .*off by 0\.001 where"
    ):
        check_equation(RADIUS, wrong, shipped().vocabulary)
    lacking = "".join(line for line in Program("C").text().splitlines(True) if "pixel_pos" not in line)
    with pytest.raises(AssertionError, match="could not be evaluated anywhere: the log lacks pixel_pos_meters"):
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


@pytest.mark.parametrize(
    ("forms", "says"),
    [
        (
            (Form("as written", lambda x: x["pixel_pos"]),),
            "its form 'as written' reads 'pixel_pos', which is none of its inputs; expected one of pixel_pos_meters",
        ),
        ((Form("as written", lambda x: x["pixel_pos_meters"][0]),), r"fails: ValueError: it gives the shape \(3,\)"),
        (
            (Form("as written", lambda x: x["pixel_pos_meters"] @ np.ones(7)),),
            "its form 'as written' fails: ValueError",
        ),
        (Form("as written", lambda x: x["pixel_pos_meters"]), r"forms: Form; expected a tuple of Form.*with a comma"),
    ],
)
def test_a_form_that_does_not_work_is_an_error_of_the_equation(forms: object, says: str) -> None:
    equation = replace(RADIUS, forms=forms)  # type: ignore[arg-type]
    with pytest.raises(HarnessError, match=says) as error:
        blame_log(read(Program("C").text(), "C"), shipped().vocabulary, Domain("small", (equation,)))
    assert int(error.value.code) == 2
    assert "equation 'radius'" in str(error.value)


def test_pair_check_finds_a_wrong_name_in_the_equations(tmp_path: Path) -> None:
    """In a copy of an example, before any program has run."""
    module = (
        "from trace_parity.blame.equation import Domain, Equation, Form, Input\n"
        'E = Equation("kick", "v = v_half", "1", "OUTPUT", (Input("v_half"),), (Form("as", lambda x: x["v_half"]),))\n'
        'DOMAIN = Domain("lj", EQUATIONS)\n'
    )
    for name, output, equations, says in (
        ("right", "kick.v", "(E,)", ""),
        ("name", "v", "(E,)", "equation 'kick': no variable 'v' for its output.*near it are kick.v"),
        ("comma", "kick.v", "(E)", "the domain 'lj': equations: Equation; expected a tuple of Equation"),
    ):
        folder = tmp_path / name
        shutil.copytree(ROOT / "examples" / "pairs" / "lennard_jones", folder)
        table = folder / "pair.toml"
        table.write_text('equations = "equations.py:DOMAIN"\n' + table.read_text(encoding="utf-8"), encoding="utf-8")
        (folder / "equations.py").write_text(module.replace("OUTPUT", output).replace("EQUATIONS", equations))
        if not says:
            assert "equations   13 for 12 variables" in "\n".join(report(find_pair(str(folder))))
            continue
        with pytest.raises(HarnessError, match=says):
            report(find_pair(str(folder)))
