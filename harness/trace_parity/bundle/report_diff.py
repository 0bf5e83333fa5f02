"""Two bundles side by side: what got better from A to B, what got worse, and what was set differently."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trace_parity.blame.findings import BlameFinding
from trace_parity.bundle.diff import Difference, diff_bundles, in_words
from trace_parity.printable import plural
from trace_parity.render.html_form import page
from trace_parity.render.numbers import relative
from trace_parity.render.places import Places
from trace_parity.result.result import Result, VariableResult
from trace_parity.result.result_json import read_result

BETTER, WORSE, OTHER = "better", "worse", "other"
NOTICEABLE = 1.05
"""A worst relative difference that grows or shrinks by less than this factor has not changed."""
SETTINGS = ("settings.", "config of", "commit.", "environment.")
_RANK = {"match": 0, "missing": 1, "divergent": 2}


@dataclass(frozen=True)
class Change:
    """One thing in which the bundles differ; `kind` is better, worse or other, seen from A to B."""

    kind: str
    what: str
    a: str
    b: str


@dataclass(frozen=True)
class ReportDiff:
    """Both results with all that changed between them."""

    folders: tuple[Path, Path]
    results: tuple[Result, Result]
    changes: tuple[Change, ...]
    settings: tuple[Difference, ...]

    def of(self, kind: str) -> list[Change]:
        """The changes of one kind, in the order of a report."""
        return [change for change in self.changes if change.kind == kind]

    @property
    def headlines(self) -> tuple[str, ...]:
        """The verdict and headline of each result."""
        return tuple(Places(r).headline for r in self.results)

    @property
    def is_worse(self) -> bool:
        """Whether anything got worse."""
        return any(change.kind == WORSE for change in self.changes)

    @property
    def verdict(self) -> str:
        """better, worse, mixed, changed or same, with counts, and whether the cases differ."""
        better, worse, other = (len(self.of(kind)) for kind in (BETTER, WORSE, OTHER))
        word = "mixed" if better and worse else BETTER if better else WORSE if worse else "changed" if other else "same"
        a, b = (result.case.id for result in self.results)
        return f"{word}: {better} better, {worse} worse" + (f"; different cases, {a} and {b}" if a != b else "")


def compare_bundles(a: Path, b: Path) -> ReportDiff:
    """Raises HarnessError (exit 5) when one of them is not a bundle."""
    results = (read_result(a / "result.json"), read_result(b / "result.json"))
    found = [d for d in diff_bundles(a, b) if d.place.startswith(SETTINGS)] if _have_settings(a, b) else []
    return ReportDiff((a, b), results, tuple(changes_of(*results)), tuple(found))


def _have_settings(*folders: Path) -> bool:
    return all((folder / name).is_file() for folder in folders for name in ("env.json", "git.json"))


def changes_of(a: Result, b: Result) -> Iterator[Change]:
    """Verdict first, then counts, first divergence, causes, quirks, images, variables in order of evaluation."""
    if a.case.id != b.case.id:
        yield Change(OTHER, "case", a.case.id, b.case.id)
    if (a.verdict, a.exit_code) != (b.verdict, b.exit_code):
        kind = BETTER if b.exit_code == 0 < a.exit_code else WORSE if a.exit_code == 0 < b.exit_code else OTHER
        yield Change(kind, "verdict", a.verdict, b.verdict)
    yield from _count("numbers that differ", a.num_divergent, b.num_divergent)
    sides = [r.coverage.c_only + r.coverage.py_only for r in (a, b)]
    yield from _count("numbers on one side only", *sides)
    if a.compared != b.compared:
        kind = WORSE if b.compared < a.compared else OTHER  # what is not compared cannot differ
        yield Change(kind, "numbers compared", str(a.compared), str(b.compared))
    first = [_first(r) for r in (a, b)]
    if first[0] != first[1]:
        kind = BETTER if first[1] == "none" else WORSE if first[0] == "none" else OTHER
        yield Change(kind, "first divergence", *first)
    yield from _names("cause", _causes(a), _causes(b))
    yield from _names("quirk", {q.id: q.title for q in a.quirks}, {q.id: q.title for q in b.quirks})
    if a.images is not None and b.images is not None:
        yield from _count("pixels beyond tolerance", a.images.pixels_beyond, b.images.pixels_beyond)
    yield from _variables(a, b)


def _first(result: Result) -> str:
    d = result.first_divergence
    return f"{d.name} ({Places(result).short(d.place)})" if d is not None else "none"


def _count(what: str, a: int, b: int) -> Iterator[Change]:
    if a != b:
        yield Change(BETTER if b < a else WORSE, what, str(a), str(b))


def _causes(result: Result) -> dict[str, str]:
    def words(f: BlameFinding) -> str:
        return (
            f"{f.side} breaks {f.equation_text or f.equation}" if f.kind != "unexplained" else "no equation explains it"
        )

    findings = result.blame.findings if result.blame is not None else ()
    return {f"{f.scope}.{f.variable}": words(f) for f in findings if f.is_cause}


def _names(what: str, a: dict[str, str], b: dict[str, str]) -> Iterator[Change]:
    for name in dict.fromkeys([*a, *b]):
        if name not in b:
            yield Change(BETTER, f"{what} {name}", a[name], "gone")
        elif name not in a:
            yield Change(WORSE, f"{what} {name}", "none", b[name])
        elif a[name] != b[name]:
            yield Change(OTHER, f"{what} {name}", a[name], b[name])


def _variables(a: Result, b: Result) -> Iterator[Change]:
    found = [{f"{v.scope}.{v.name}": v for v in r.variables} for r in (a, b)]
    for name in dict.fromkeys([*found[0], *found[1]]):
        one, other = found[0].get(name), found[1].get(name)
        if (kind := _kind(one, other)) is not None:
            yield Change(kind, name, _state(one), _state(other))


def _kind(a: VariableResult | None, b: VariableResult | None) -> str | None:
    """None where nothing changed that matters: rounding of numbers that agree does not."""
    if a is None or b is None:
        there = a or b
        return None if there is None or not (there.compared or there.status != "match") else OTHER
    ranks = _RANK[a.status], _RANK[b.status]
    if ranks[0] != ranks[1]:
        return BETTER if ranks[1] < ranks[0] else WORSE
    if a.status == "match":
        return None
    rel = [math.inf if v.worst_rel is None or math.isnan(v.worst_rel) else v.worst_rel for v in (a, b)]
    counts = [v.divergent + v.c_only + v.py_only for v in (a, b)]
    grown = (rel[1] > rel[0] * NOTICEABLE, counts[1] > counts[0])
    shrunk = (rel[0] > rel[1] * NOTICEABLE, counts[0] > counts[1])
    if any(grown) and any(shrunk):
        return OTHER
    return WORSE if any(grown) else BETTER if any(shrunk) else None


def _state(v: VariableResult | None) -> str:
    if v is None:
        return "not in the logs"
    if v.divergent:
        return f"{v.divergent} of {v.compared} differ, worst {relative(v.worst_rel, v.worst_c, v.worst_py)}"
    if v.status == "missing":
        return f"on one side only at {plural(v.c_only + v.py_only, 'place')}"
    return f"{v.compared} agree"


def lines(diff: ReportDiff) -> list[str]:
    """For a terminal, what got worse first and the verdict as the last line."""
    lines = []
    for name, folder, headline in zip("AB", diff.folders, diff.headlines, strict=True):
        lines += [f"{name}  {folder}", f"   {headline}"]
    for title, kind in (("got worse", WORSE), ("got better", BETTER), ("changed", OTHER)):
        found = diff.of(kind)
        lines += ["", f"{title} ({len(found)}):"] if found else []
        lines += [f"  {c.what}: {c.a} -> {c.b}" for c in found]
    if diff.settings:
        lines += ["", f"set differently ({len(diff.settings)}):"]
        lines += [f"  {d.words}" for d in diff.settings]
    head, colon, counts = diff.verdict.partition(":")
    return [*lines, "", f"{head.upper()}{colon}{counts}"]


def html(diff: ReportDiff) -> str:
    """The page."""
    a, b = diff.folders
    return page(
        "diff.html.j2",
        title=f"trace-diff: {a.name} and {b.name}",
        data={},
        diff=diff,
        in_words=in_words,
        names=(str(a), str(b)),
    )
