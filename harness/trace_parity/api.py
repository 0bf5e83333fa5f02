"""The public Python API: compare two logs, run a case with both programs, load a bundle.

import trace_parity as tp

result = tp.compare("c.log", "py.log", pair="examples/pairs/lennard_jones")
result.first_divergence
result.to_pandas()
result.write_html("report.html")
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from trace_parity.errors import Exit, HarnessError
from trace_parity.result import result as results
from trace_parity.result.compare import compare as compare_aligned
from trace_parity.result.result import CaseResult

if TYPE_CHECKING:
    import pandas

    from trace_parity.pair.pair import Pair

PathLikeText = str | PathLike[str]


@dataclasses.dataclass(frozen=True)
class Result(results.Result):
    """A result with conversions for notebooks."""

    def to_pandas(self) -> pandas.DataFrame:
        """One row per listed divergence: its loop indices and the fields of Divergence. At most 1000 are listed.

        An index is -1 if the row is outside that loop.
        """
        import pandas

        loops = list(dict.fromkeys(loop for d in self.divergences for loop in d.loops))
        rows = []
        for divergence in self.divergences:
            fields = {f.name: getattr(divergence, f.name) for f in dataclasses.fields(divergence) if f.name != "loops"}
            rows.append({**{loop: divergence.loops.get(loop, -1) for loop in loops}, **fields})
        return pandas.DataFrame(rows)

    def variables_to_pandas(self) -> pandas.DataFrame:
        """One row per variable, in order of evaluation, with the fields of VariableResult."""
        import pandas

        names = [f.name for f in dataclasses.fields(self.variables[0])] if self.variables else []
        rows = [{name: getattr(v, name) for name in names} | {"status": v.status} for v in self.variables]
        return pandas.DataFrame(rows)

    def write_html(self, path: PathLikeText) -> None:
        """Write the report as one self-contained page."""
        from trace_parity.render.html_form import render

        Path(path).write_text(render(self, in_bundle=False), encoding="utf-8")


def _public(found: results.Result, bundle: str = "") -> Result:
    fields = {f.name: getattr(found, f.name) for f in dataclasses.fields(found)}
    return Result(**{**fields, "bundle": bundle})


def load_pair(pair: PathLikeText | Pair | None = None) -> Pair:
    """The pair with this folder or name; by default that of the command line. Raises HarnessError (exit 2)."""
    from trace_parity.pair.find import find_pair
    from trace_parity.pair.pair import Pair

    if isinstance(pair, Pair):
        return pair
    return find_pair(None if pair is None else str(pair))


def compare(
    c_log: PathLikeText,
    py_log: PathLikeText,
    *,
    pair: PathLikeText | Pair | None = None,
    case: str | None = None,
    rtol: float | str | Iterable[str] | None = None,
    lenient: bool = False,
) -> Result:
    """Compare the traces of two logs, as `trace-diff compare` does.

    `pair` is a folder, the name of an installed pair, or a Pair; by default the nearest pair.toml upwards, else the
    installed pair if its vocabulary matches the logs, else one inferred from the logs. `case` names a case whose
    coverage is required. `rtol` is a number or the arguments of --rtol. Raises HarnessError; its `code` is the exit
    code of the command line.
    """
    from trace_parity.compare.align import align
    from trace_parity.compare.options import Options
    from trace_parity.pair.contract import Contract
    from trace_parity.pair.tolerances import global_rtol, parse_rules, with_rules
    from trace_parity.trace.pair_of_logs import pair_for_logs
    from trace_parity.trace.parquet import read_any
    from trace_parity.trace.precision import with_precision

    paths = Path(c_log), Path(py_log)
    words = [] if rtol is None else [rtol] if isinstance(rtol, str) else rtol
    rules = parse_rules([repr(words)] if isinstance(words, (int, float)) else words)
    found, _ = pair_for_logs(load_pair(pair), *paths)
    vocabulary, precision = with_precision(with_rules(found.vocabulary, rules), {"C": paths[0], "PY": paths[1]})
    label, contract = CaseResult("compare", f"{paths[0].name} against {paths[1].name}"), Contract()
    if case is not None:
        wanted = found.case(case)
        label, contract = CaseResult(wanted.id, wanted.title), wanted.contract
    c, py = (read_any(path, side, vocabulary, lenient=lenient) for path, side in zip(paths, ("C", "PY"), strict=True))
    result = compare_aligned(
        align(c, py, vocabulary), label, contract, pair=found, options=Options(rtol=global_rtol(rules))
    )
    return _public(result.with_precision(precision))


def run(
    case: str,
    *,
    pair: PathLikeText | Pair | None = None,
    out: PathLikeText = "reports",
    against: str = "",
    rtol: float | None = None,
) -> Result:
    """Run both programs of a pair on a case, compare them and write a bundle under `out`, as `trace-diff run` does.

    `case` is the id of a case of the pair, or the path of a case file. The bundle's folder is `result.bundle`. Raises
    HarnessError.
    """
    from trace_parity.compare.options import Options
    from trace_parity.run.run_case import run_case

    found = load_pair(pair)
    outcome = run_case(found, found.case(case), Options(against=against, out=Path(out), rtol=rtol))
    return _public(outcome.result, str(outcome.bundle))


def load_bundle(folder: PathLikeText) -> Result:
    """The result stored in a bundle. Raises HarnessError (exit 5) if the folder is not a bundle."""
    from trace_parity.result.result_json import read_result

    path = Path(folder)
    if not (path / "result.json").is_file():
        raise HarnessError(Exit.UNREADABLE, "no result.json", where=str(path), expected="the folder of a bundle")
    return _public(read_result(path / "result.json"), str(path))
