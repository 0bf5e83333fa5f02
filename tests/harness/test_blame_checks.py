"""Equations of a user's pair: their names are checked, and a helper checks one on a log."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trace_parity.blame.attribution import blame_log
from trace_parity.blame.checks import check_equation, check_names
from trace_parity.blame.equation import Default, Domain, Equation, Form, Input, LoopSetting
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
        ({"needs_loops": ("subs",)}, "no loop 'subs' for its needs_loops; expected a loop.*subS"),
        ({"needs_loops": "subS"}, "needs_loops: str; expected a tuple of names"),
        ({"fallback_for": ("radios",)}, "no equation 'radios' for its fallback_for; expected the id of another"),
        ({"fallback_for": ("radius",)}, "no equation 'radius' for its fallback_for"),
    ],
)
def test_a_name_that_the_vocabulary_lacks_is_an_error(changed: dict[str, object], says: str) -> None:
    equation = replace(RADIUS, **changed)  # type: ignore[arg-type]
    with pytest.raises(HarnessError) as error:
        check_names(Domain("small", (equation,)), shipped().vocabulary)
    assert re.search(says, str(error.value))
    assert int(error.value.code) == 2


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"finals": ("pixel.I_pixel_finl",)}, "no variable 'pixel.I_pixel_finl' for its finals.*pixel.I_pixel_final"),
        ({"finals": ("I_pixel_final",)}, "no variable 'I_pixel_final' for its finals.*near it are pixel.I_pixel_final"),
        ({"finals": "pixel.I_pixel_final"}, "finals: str; expected a tuple of names"),
        ({"defaults": {"run.distanc_meters": Default((0.1,), "-d")}}, "for its defaults.*near it are run.distance_m"),
        ({"defaults": {"step.phi_deg": Default((0.0,), "-phi", first_of="phi")}}, "no loop 'phi' for its first_of"),
        ({"loops": {"sources": LoopSetting("sources", "-n")}}, "no loop 'sources' for its loops.*near it are source"),
        ({"loops": {"source": LoopSetting("sources", "-n", 1, {"lambda": "-x"})}}, "no variable 'lambda' for its by"),
        ({"iterations": "pixel.step"}, "no variable 'pixel.step' for its iterations.*near it are pixel.steps"),
        ({"equations": (RADIUS, RADIUS)}, "equation 'radius': 2 equations of one id"),
    ],
)
def test_an_id_of_a_domain_that_the_vocabulary_lacks_is_an_error(changed: dict[str, object], says: str) -> None:
    domain = replace(Domain("small", (RADIUS,)), **changed)  # type: ignore[arg-type]
    with pytest.raises(HarnessError, match=says) as error:
        blame_log(read(Program("C").text(), "C"), shipped().vocabulary, domain)
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


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"pick": lambda log, key: key[:2]}, r"the pick of its input 'p' gives \(20, 31\); expected 8 whole numbers"),
        ({"pick": lambda log, key: 3}, r"the pick of its input 'p' gives 3; expected .*, one per loop \(spixel, "),
        ({"pick": lambda log, key: (*key[:-1], 0.5)}, "the pick of its input 'p' gives .*; expected 8 whole numbers"),
        (
            {"pick": lambda log, key: key["step"]},
            r"the pick of its input 'p' fails at \(20, 31, .*TypeError: ",
        ),
        ({"computed": lambda log, key: 1.0}, "the computed of its input 'p' gives 1.0; expected a Computed, or what"),
        ({"computed": lambda log, key: 1 / 0}, "the computed of its input 'p' fails at .*ZeroDivisionError"),
        ({"name": "loops"}, "the name 'loops' is taken; expected a name of its own for each input"),
    ],
)
def test_an_input_that_does_not_work_is_an_error_of_the_equation(changed: dict[str, Any], says: str) -> None:
    wanted = replace(Input("pixel_pos_meters", "p"), **changed)
    equation = replace(RADIUS, inputs=(wanted,), forms=(Form("as", lambda x: x["p"][:, :1]),))
    with pytest.raises(HarnessError, match=says) as error:
        check_equation(equation, read(Program("C").text(), "C"), shipped().vocabulary)
    assert int(error.value.code) == 2
    assert "equation 'radius'" in str(error.value)


def nothing(x: Any) -> Any:
    return None


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"inputs": (Input("pixel_pos_meters"), Input("pixel_pos_meters"))}, "two inputs are named 'pixel_pos_meters'"),
        ({"forms": ()}, "forms: none; expected a Form or more"),
        ({"forms": (Form("as written", nothing),)}, "its form 'as written' fails: ValueError: it gives None"),
        ({"variants": (Form("in mm", lambda x: x["R"]),)}, "its form 'in mm' reads 'R', which is none of its inputs"),
    ],
)
def test_what_else_is_wrong_with_an_equation_is_found_by_the_helper(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(HarnessError, match=says):
        check_equation(replace(RADIUS, **changed), read(Program("C").text(), "C"), shipped().vocabulary)


def test_pair_check_finds_a_wrong_name_in_the_equations(tmp_path: Path) -> None:
    """In a copy of an example, before any program has run."""
    module = (
        "from trace_parity.blame.equation import Default, Domain, Equation, Form, Input, LoopSetting\n"
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
