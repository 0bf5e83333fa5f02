"""docs/numerics.md says what benchmarks/rounding.py measures: representative rows, measured again."""

from __future__ import annotations

import json
import re

import pytest
import torch

from benchmarks.rounding import DATA, PAGE, measure, reductions
from benchmarks.rounding_operations import ELEMENTWISE, REDUCTIONS
from benchmarks.rounding_specials import specials

TEXT = PAGE.read_text(encoding="utf-8")
HERE = f"PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, "
FEW = ("sqrt", "reciprocal", "exp2", "sin", "sinh", "hypot", "add")

of_this_machine = pytest.mark.skipif(
    HERE not in TEXT, reason=f"docs/numerics.md was measured elsewhere: here {HERE.rstrip(', ')}"
)


def rows_of_page() -> dict[tuple[str, str], list[str]]:
    found = {}
    for line in TEXT.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if re.match(r"\| `", line) and len(cells) > 2 and cells[1] in ("float64", "float32"):
            found[(cells[0].strip("`"), cells[1])] = cells[2:]
    return found


def test_the_page_has_every_operation_in_both_types_with_version_and_source() -> None:
    rows = rows_of_page()
    assert len(ELEMENTWISE) >= 40
    for operation in (*(op.name for op in ELEMENTWISE), *REDUCTIONS):
        for kind in ("float64", "float32"):
            assert "benchmarks/rounding.py" in rows[(operation, kind)][-1]
            assert re.match(r"\d+\.\d+", rows[(operation, kind)][-1])


def test_the_data_of_the_hints_are_those_of_the_page() -> None:
    data = json.loads(DATA.read_text(encoding="utf-8"))
    assert f"PyTorch {data['torch']}" in TEXT
    rows = rows_of_page()
    for name, entry in data["operations"].items():
        cells = rows[(name, "float64")]
        place = cells[0] if name in REDUCTIONS else cells[2]
        assert set(place.split(", ")) - {"nothing"} == {*entry["place"], *(["threads"] if entry["threads"] else [])}
        if name not in REDUCTIONS:
            assert (cells[0] == "0") == (entry["off"] == 0)


@of_this_machine
@pytest.mark.parametrize("kind", [torch.float64, torch.float32])
def test_representative_rows_are_as_the_page_says(kind: torch.dtype) -> None:
    rows = rows_of_page()
    few = [operation for operation in ELEMENTWISE if operation.name in FEW]
    for row in measure(few, kind, 1500, compiled=False):
        off, largest, place = rows[(row.name, row.dtype)][:3]
        share = float(off.removesuffix("%").strip()) / 100
        assert row.off == pytest.approx(share, abs=0.02), row
        assert row.largest_ulp <= float(largest) or row.off < 0.002, row
        if place == "nothing":
            assert not row.place, row
        elif {"alone", "strided"} <= set(place.split(", ")):
            assert row.place, row


@of_this_machine
def test_sums_depend_on_what_the_page_says() -> None:
    rows = rows_of_page()
    for row in reductions(torch.float64):
        said = set(rows[(row.name, row.dtype)][0].split(", ")) - {"nothing", "threads"}
        assert set(row.place) == said, row


@of_this_machine
def test_the_special_rows_hold_that_need_no_compiler() -> None:
    for row in specials(compiled=False):
        if "compiled" not in row.what:
            assert f"| {row.what} |" in TEXT
            assert row.holds == (f"| {row.what} | " in TEXT and _held(row.what)), row


def _held(what: str) -> bool:
    (line,) = (line for line in TEXT.splitlines() if line.startswith(f"| {what} |"))
    return line.split(" | ")[2] == "yes"
