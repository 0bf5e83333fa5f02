"""From a comparison to its Result: judged, covered, blamed, waived, and put in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from trace_parity.blame.findings import Blame
from trace_parity.blame.headline import with_image_shares
from trace_parity.compare.align import Alignment
from trace_parity.compare.coverage import Coverage, check_coverage
from trace_parity.compare.found import Found, of_tables
from trace_parity.compare.images import ImageMetrics
from trace_parity.compare.judge import Judged, Judgement, VariableSummary, default_rule, judge
from trace_parity.compare.sites import PIXELS, WHOLE_NUMBERS, Looked, choose_sites, looked_at
from trace_parity.compare.tick_table import TickRow, tick_rows
from trace_parity.pair.contract import Contract
from trace_parity.pair.pair import Pair
from trace_parity.pair.vocabulary import ABSENT, Vocabulary
from trace_parity.quirks.recognise import QuirkFinding, find_quirks, name_unexplained, quirks_of_blame
from trace_parity.quirks.waivers import Waiver, apply_waivers
from trace_parity.result.result import (
    KEPT_DIVERGENCES,
    SCHEMA,
    CaseResult,
    Divergence,
    LogResult,
    QuirkResult,
    Result,
    VariableResult,
)
from trace_parity.result.verdict import Verdict, images_differ, of_found
from trace_parity.trace.table import TraceTable


@dataclass(frozen=True)
class Asked:
    """What stands beside two traces: images, waivers (see `compare`), settings."""

    images: ImageMetrics | None = None
    waive: tuple[str, ...] = ()
    waive_unused: bool = False
    today: date | None = None
    settings: tuple[str, ...] = ()


def compare(
    alignment: Alignment,
    case: CaseResult,
    contract: Contract,
    *,
    pair: Pair | None = None,
    rtol: float | None = None,
    images: ImageMetrics | None = None,
    waive: Sequence[str] = (),
    today: date | None = None,
    settings: Sequence[str] = (),
    waive_unused: bool = False,
    blame_pixels: int = PIXELS,
    whole_numbers: int = WHOLE_NUMBERS,
) -> Result:
    """Compare two tables under a contract; see `result_of` and `Asked`."""
    asked = Asked(images, tuple(waive), waive_unused, today, tuple(settings))
    found = of_tables(alignment, contract, rtol)
    return result_of(found, case, asked, pair=pair, blame_pixels=blame_pixels, whole_numbers=whole_numbers)


@dataclass(frozen=True)
class _Closer:
    """What was found in the rows that were looked at one by one."""

    quirks: tuple[QuirkFinding, ...] = ()
    blame: Blame | None = None
    ticks: tuple[TickRow, ...] = ()
    looked: Looked | None = None
    note: str = ""


def result_of(
    found: Found,
    case: CaseResult,
    asked: Asked,
    *,
    pair: Pair | None = None,
    blame_pixels: int = PIXELS,
    whole_numbers: int = WHOLE_NUMBERS,
) -> Result:
    """Put all findings together.

    `pair` has the ledger of quirks and the equations, none without it.
    `asked.waive` names quirks that may pass (quirks/waivers.py), `waive_unused` says that they need not show; `today`
    is the day their expiry is held against; `settings` says which settings differ (run/preflight.py); `blame_pixels` of
    logs of more than `whole_numbers` are held against the equations (compare/sites.py).
    """
    comparison = found.comparison
    coverage = check_coverage(comparison, found.tables)
    rows, summaries = found.first_rows(), found.summaries()
    closer = _look_closer(found, (rows, summaries), pair, blame_pixels, whole_numbers)
    if closer.blame is not None and asked.images is not None:
        closer = dataclasses.replace(closer, blame=with_image_shares(closer.blame, asked.images.sum_ratio))
    quirk = next((f.quirk.id for f in closer.quirks if f.first_is_it), None)
    divergences = tuple(_divergence(found.vocabulary, row) for row in rows[:KEPT_DIVERGENCES])
    if divergences:
        divergences = (dataclasses.replace(divergences[0], quirk=quirk), *divergences[1:])
    first = divergences[0] if divergences else None
    verdict = of_found(found, coverage, (first.name, first.place) if first else None, quirk)
    verdict, waivers = _conclude(verdict, coverage, closer, pair, found.vocabulary, asked)
    logs = {
        side: _log(table, count) for side, table, count in zip(("C", "PY"), found.tables, found.numbers, strict=True)
    }
    if notes := [*found.notes, *([closer.note] if closer.note else [])]:
        logs["C"] = dataclasses.replace(logs["C"], notes={**logs["C"].notes, "comparison": "; ".join(notes)})
    return Result(
        schema=SCHEMA,
        case=case,
        verdict=verdict.name,
        exit_code=int(verdict.code),
        headline=verdict.headline,
        num_divergent=comparison.divergent,
        compared=coverage.compared,
        rtol=comparison.rtol,
        needed_rtol=comparison.needed_rtol,
        first_divergence=first,
        coverage=coverage,
        problems=verdict.problems,
        quirks=tuple(_quirk(f, closer.blame) for f in closer.quirks),
        variables=tuple(_variable(found.vocabulary, s) for s in summaries),
        divergences=divergences,
        logs=logs,
        per_phi=closer.ticks,
        images=asked.images,
        blame=closer.blame,
        settings=tuple(asked.settings),
        waivers=waivers,
        looked=closer.looked,
        precision=default_rule(s.variable for s in summaries),
    )


def _look_closer(
    found: Found,
    judged: tuple[Sequence[Judged], Sequence[VariableSummary]],
    pair: Pair | None,
    most: int,
    whole_numbers: int,
) -> _Closer:
    """Quirks, blame and the per-tick table: of all rows when they are few, else of chosen sites."""
    if sum(found.numbers) <= whole_numbers:
        return _closer(found.read(None), pair, found.comparison.rtol)
    rows, summaries = judged
    if not rows:
        return _Closer(note="the per-tick table is left out")
    sites = choose_sites(rows, summaries, most)
    alignment = found.read(sites)
    closer = _closer(alignment, pair, found.comparison.rtol)
    seen = judge(alignment, rtol=found.comparison.rtol).num_divergent
    rest = [ABSENT] * (len(found.vocabulary.loops) - len(sites[0]) if sites else 0)
    at = ", ".join(found.vocabulary.describe((*site, *rest)) for site in sites[:3])
    more = f" and {len(sites) - 3} further places" if len(sites) > 3 else ""
    note = f"the per-tick table is that of {at or 'no pixel'}{more}"
    return dataclasses.replace(closer, looked=looked_at(len(sites), seen, found.comparison.divergent), note=note)


def _closer(alignment: Alignment, pair: Pair | None, rtol: float | None) -> _Closer:
    judgement = judge(alignment, rtol=rtol)
    blame = _blame(alignment, judgement, pair)
    ledger = pair.quirks if pair is not None else ()
    findings = find_quirks(alignment, judgement, ledger)
    if blame is not None:
        blame = name_unexplained(blame, findings)
        known = {f.quirk.id for f in findings}
        named = quirks_of_blame(blame, ledger, judgement, alignment.vocabulary)
        findings += tuple(f for f in named if f.quirk.id not in known)
    return _Closer(findings, blame, tuple(tick_rows(alignment.c, alignment.py, alignment.vocabulary)))


def _conclude(
    verdict: Verdict,
    coverage: Coverage,
    closer: _Closer,
    pair: Pair | None,
    vocabulary: Vocabulary,
    asked: Asked,
) -> tuple[Verdict, tuple[Waiver, ...]]:
    """The verdict of two traces with all that stands beside them."""
    waivers: tuple[Waiver, ...] = ()
    if closer.looked is not None:
        verdict = verdict.with_look(closer.looked)
    if asked.images is not None:
        verdict = verdict.with_images(asked.images)
    if closer.blame is not None:
        verdict = verdict.with_cause(closer.blame)
    if asked.waive:
        order = [variable.name for variable in vocabulary.variables]
        today = asked.today or datetime.now(UTC).date()
        waived = apply_waivers(
            asked.waive,
            pair.quirks if pair is not None else (),
            closer.blame,
            order,
            today,
            looked=closer.looked,
            may_be_unused=asked.waive_unused,
        )
        if asked.images is not None and (unseen := images_differ(asked.images)):  # equations are asked of traces alone
            waived = dataclasses.replace(waived, left=(*waived.left, unseen))
        verdict, waivers = verdict.with_waivers(waived, coverage), waived.waivers
    if asked.settings:
        verdict = verdict.with_settings(asked.settings)
    return verdict, waivers


def _blame(alignment: Alignment, judgement: Judgement, pair: Pair | None) -> Blame | None:
    """Who breaks its own equation, where something differs and the pair has equations."""
    if judgement.first is None or pair is None or pair.domain is None:
        return None
    from trace_parity.blame.attribution import blame_pair

    return blame_pair(alignment, judgement, pair.domain)


def _divergence(vocabulary: Vocabulary, judged: Judged) -> Divergence:
    row, variable = judged.row, judged.row.variable
    loops = {n: i for n, i in zip(vocabulary.loops, row.id.key, strict=True) if i >= 0}
    return Divergence(
        variable=variable.name,
        scope=variable.scope.name,
        component=row.id.component if variable.size != 1 and (variable.size or row.id.component) else None,
        loops=loops,
        place=vocabulary.describe(row.id.key),
        status=judged.status,
        c_value=row.c.value,
        py_value=row.py.value,
        c_text=row.c.text,
        py_text=row.py.text,
        c_line=row.c.line,
        py_line=row.py.line,
        abs_diff=judged.abs_diff,
        rel_diff=judged.rel_diff,
        ulp_diff=judged.ulp_diff,
        allowed=judged.allowed,
        unit=variable.unit,
        description=variable.description,
        depends_on=variable.depends_on,
        tolerance=variable.tolerance.name,
    )


def _variable(vocabulary: Vocabulary, summary: VariableSummary) -> VariableResult:
    variable, worst = summary.variable, summary.worst
    row = worst.row if worst else None
    return VariableResult(
        name=variable.name,
        scope=variable.scope.name,
        unit=variable.unit,
        description=variable.description,
        tolerance=variable.tolerance.name,
        compared=summary.compared,
        divergent=summary.divergent,
        c_only=summary.c_only,
        py_only=summary.py_only,
        worst_c=row.c.value if row else None,
        worst_py=row.py.value if row else None,
        worst_abs=worst.abs_diff if worst else None,
        worst_rel=worst.rel_diff if worst else None,
        worst_ulp=worst.ulp_diff if worst else None,
        worst_at=vocabulary.describe(row.id.key) if row else "",
        depends_on=variable.depends_on,
    )


def _quirk(finding: QuirkFinding, blame: Blame | None) -> QuirkResult:
    q = finding.quirk
    residuals = [f.residual for f in blame.findings if f.quirk == q.id] if blame is not None else []
    return QuirkResult(
        q.id,
        q.kind,
        q.side,
        q.title,
        q.explanation,
        q.remedy,
        finding.places,
        finding.evidence,
        finding.first_is_it,
        finding.downstream,
        max(residuals, default=None),
        q.largest,
        q.owner,
        "" if q.expires is None else q.expires.isoformat(),
        q.reference,
    )


def _log(table: TraceTable, numbers: int) -> LogResult:
    return LogResult(
        table.lines,
        table.trace_lines,
        numbers,
        dict(sorted(table.aliased.items())),
        tuple(str(line) for line in table.unreadable),
        dict(table.notes),
    )
