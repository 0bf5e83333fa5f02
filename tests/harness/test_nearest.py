"""Suggestions for mistyped names: the right one first, none where nothing is near."""

from __future__ import annotations

import pytest
from trace_parity.nearest import edit_distance, nearest_names

FLAGS = ["-lambda", "-adc", "-dump", "-nopolar", "-mosflm", "-osc", "-detpixels", "-detpixels_x", "-distance", "-N"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("-lamda", ["-lambda"]),
        ("-Lambda", ["-lambda"]),
        ("-labmda", ["-lambda"]),
        ("-detpixls", ["-detpixels"]),
        ("-dist", ["-distance"]),
        ("-nosuchflag", []),
        ("-nosuch", []),
        ("-x", []),
        ("", []),
        ("-", []),
    ],
)
def test_flags(typed: str, meant: list[str]) -> None:
    assert nearest_names(typed, FLAGS, 3) == meant


def test_names() -> None:
    assert nearest_names("carryover", ["mask-width", "phi-carryover"]) == ["phi-carryover"]
    assert nearest_names("F_lat", ["F_latt", "F_latt_a", "F_latt"], 3) == ["F_latt", "F_latt_a"]
    assert nearest_names("nosuch", ["no-steps", "mosaic", "osc"]) == []
    assert nearest_names("drr", ["dr", "a"]) == ["dr"]


@pytest.mark.parametrize(
    ("a", "b", "count"),
    [("", "abc", 3), ("abc", "abc", 0), ("ab", "ba", 1), ("kitten", "sitting", 3)],
)
def test_mistakes_are_counted(a: str, b: str, count: int) -> None:
    assert edit_distance(a, b) == edit_distance(b, a) == count
