"""A Result as tables of pandas, and as a page on disk."""

from __future__ import annotations

import dataclasses
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas

    from trace_parity.result.result import Result


def divergences(result: Result) -> pandas.DataFrame:
    """One row per listed divergence: a column per loop, -1 where the row sits in no such loop, and its fields."""
    import pandas

    loops = list(dict.fromkeys(loop for d in result.divergences for loop in d.loops))
    rows = []
    for divergence in result.divergences:
        fields = {f.name: getattr(divergence, f.name) for f in dataclasses.fields(divergence) if f.name != "loops"}
        rows.append({**{loop: divergence.loops.get(loop, -1) for loop in loops}, **fields})
    return pandas.DataFrame(rows)


def variables(result: Result) -> pandas.DataFrame:
    """One row per variable, in order of evaluation."""
    import pandas

    names = [f.name for f in dataclasses.fields(result.variables[0])] if result.variables else []
    rows = [{name: getattr(v, name) for name in names} | {"status": v.status} for v in result.variables]
    return pandas.DataFrame(rows)


def write_html(result: Result, path: str | PathLike[str]) -> None:
    """Write the report as one self-contained page."""
    from trace_parity.render.html_form import render

    Path(path).write_text(render(result, in_bundle=False), encoding="utf-8")
