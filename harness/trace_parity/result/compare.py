"""From a comparison to its Result: judged, covered, blamed, waived, and put in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from trace_parity.blame.findings import Blame
from trace_parity.compare.align import Alignment
from trace_parity.compare.coverage import check_coverage
from trace_parity.compare.found import Found, of_tables
from trace_parity.compare.images import ImageMetrics
from trace_parity.compare.judge import Judged, Judgement, VariableSummary, agrees, default_rule, judge
from trace_parity.compare.options import DEFAULTS, Options
from trace_parity.compare.sites import Examined, choose_sites, examined
from trace_parity.compare.tick_table import TickRow, tick_rows, ticks_around
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.contract import Contract
from trace_parity.pair.pair import Pair
from trace_parity.pair.quirk_ledger import ALWAYS_READ
from trace_parity.pair.vocabulary import ABSENT, TickTable, Vocabulary
from trace_parity.result.result import (
    AGAINST,
    EXPLAIN,
    INJECT,
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

if TYPE_CHECKING:
    from trace_parity.quirks.recognise import QuirkFinding
    from trace_parity.quirks.waivers import Waived, Waiver


def compare(
    alignment: Alignment,
    case: CaseResult,
    contract: Contract,
    *,
    pair: Pair | None = None,
    options: Options = DEFAULTS,
    images: ImageMetrics | None = None,
    settings: tuple[str, ...] = (),
) -> Result:
    """Compare two tables under a contract; see `result_of`."""
    found = of_tables(alignment, contract, options.rtol)
    return result_of(found, case, pair=pair, options=options, images=images, settings=settings)


@dataclass(frozen=True)
class _Closer:
    """What was found in the rows that were examined one by one."""

    quirks: tuple[QuirkFinding, ...] = ()
    blame: Blame | None = None
    table: TickTable | None = None
    ticks: tuple[TickRow, ...] = ()
    examined: Examined | None = None
    note: str = ""


def result_of(
    found: Found,
    case: CaseResult,
    *,
    pair: Pair | None = None,
    options: Options = DEFAULTS,
    images: ImageMetrics | None = None,
    settings: tuple[str, ...] = (),
) -> Result:
    """Put all findings together.

    `pair` has the ledger of quirks and the equations, none without it. `images` are the metrics of two images that
    belong to the logs, `settings` says which settings differ (run/preflight.py).
    """
    comparison = found.comparison
    coverage = check_coverage(comparison, found.tables)
    rows, summaries = found.first_rows(), found.summaries()
    closer = _examine(found, (rows, summaries), pair, options, case.argv)
    if closer.blame is not None and images is not None:
        from trace_parity.blame.headline import with_image_shares

        closer = dataclasses.replace(closer, blame=with_image_shares(closer.blame, images.sum_ratio))
    shown = next((f for f in closer.quirks if f.first_is_it), None)
    quirk = shown.quirk.id if shown is not None else None
    divergences = tuple(_divergence(found.vocabulary, row) for row in rows[:KEPT_DIVERGENCES])
    if divergences:
        divergences = (dataclasses.replace(divergences[0], quirk=quirk), *divergences[1:])
    first = divergences[0] if divergences else None
    verdict = of_found(found, coverage, (first.name, first.place) if first else None, _known(shown, case))
    verdict = _with_findings(verdict, closer, images, bool(settings))
    waivers: tuple[Waiver, ...] = ()
    if options.waive:
        waived = _waive(found.vocabulary, closer, pair, options, images)
        verdict, waivers = verdict.with_waivers(waived, coverage), waived.waivers
    if settings:
        verdict = verdict.with_settings(settings)
    logs = {
        side: _log(table, count) for side, table, count in zip(("C", "PY"), found.tables, found.numbers, strict=True)
    }
    if notes := [*found.notes, *([closer.note] if closer.note else [])]:
        logs["C"] = dataclasses.replace(logs["C"], notes={**logs["C"].notes, "comparison": "; ".join(notes)})
    table = closer.table if closer.ticks else None
    rounding = None
    if options.calibration is not None:
        from trace_parity.result.explained import explained_by_rounding

        rounding = explained_by_rounding(found, options.calibration, pair)
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
        per_tick=closer.ticks,
        images=images,
        lacks=_lacks(pair, first) if pair is not None and verdict.code == Exit.DIVERGENCE else (),
        blame=closer.blame,
        settings=settings,
        waivers=waivers,
        examined=closer.examined,
        loops=found.comparison.named_loops(),
        tick_loop=table.loop if table is not None else "",
        tick_name=table.name if table is not None else "",
        tick_title=table.title if table is not None else "",
        precision=default_rule(s.variable for s in summaries),
        rounding=rounding,
    )


def _lacks(pair: Pair, first: Divergence | None) -> tuple[str, ...]:
    """What a next step must not name: what neither this pair nor its programs can do."""
    explained = not pair.from_logs and (first is None or bool(pair.vocabulary.named(first.variable)))
    can_inject = has_variants = False
    with suppress(HarnessError):  # a comparison needs no programs
        can_inject, has_variants = bool(pair.programs.sides["PY"].inject), bool(pair.programs.against)
    can = {EXPLAIN: explained, INJECT: can_inject, AGAINST: has_variants}
    return tuple(name for name, works in can.items() if not works)


def _examine(
    found: Found,
    judged: tuple[Sequence[Judged], Sequence[VariableSummary]],
    pair: Pair | None,
    options: Options,
    argv: tuple[str, ...],
) -> _Closer:
    """Quirks, blame and the per-tick table: of all rows when they are few, else of chosen sites."""
    if sum(found.numbers) <= options.whole_numbers:
        return _closer(found.read(None), pair, found.comparison.rtol, argv)
    rows, summaries = judged
    if not rows:
        return _Closer(note="the per-tick table is left out")
    sites = choose_sites(rows, summaries, options.blame_sites, found.vocabulary.site_depth)
    alignment = found.read(sites)
    closer = _closer(alignment, pair, found.comparison.rtol, argv)
    seen = judge(alignment, rtol=found.comparison.rtol).num_divergent
    rest = [ABSENT] * (len(found.vocabulary.loops) - len(sites[0]) if sites else 0)
    at = ", ".join(found.vocabulary.describe((*site, *rest)) for site in sites[:3])
    more = f" and {len(sites) - 3} further places" if len(sites) > 3 else ""
    note = f"the per-tick table is that of {at or 'no place'}{more}"
    return dataclasses.replace(closer, examined=examined(len(sites), seen, found.comparison.divergent), note=note)


def _closer(alignment: Alignment, pair: Pair | None, rtol: float | None, argv: tuple[str, ...]) -> _Closer:
    from trace_parity.quirks.recognise import find_quirks, name_unexplained, quirks_of_blame

    judgement = judge(alignment, rtol=rtol)
    blame = _blame(alignment, judgement, pair, argv)
    ledger = pair.quirks if pair is not None else ()
    findings = find_quirks(alignment, judgement, ledger)
    if blame is not None:
        blame = dataclasses.replace(name_unexplained(blame, findings), final_agrees=agrees(judgement, blame.final))
        known = {f.quirk.id for f in findings}
        named = quirks_of_blame(blame, ledger, judgement, alignment.vocabulary)
        findings += tuple(f for f in named if f.quirk.id not in known)
    return _Closer(findings, blame, *_ticks(alignment, judgement))


def _ticks(alignment: Alignment, judgement: Judgement) -> tuple[TickTable | None, tuple[TickRow, ...]]:
    """The vocabulary's table; of one that has none, the loop of the first divergence."""
    c, py, vocabulary = alignment.c, alignment.py, alignment.vocabulary
    if vocabulary.tick_table is not None:
        return vocabulary.tick_table, tuple(tick_rows(c, py, vocabulary))
    first = judgement.first
    found = ticks_around(c, py, vocabulary, first.row.variable, first.row.id.key) if first is not None else None
    return (found[0], tuple(found[1])) if found is not None else (None, ())


def _with_findings(verdict: Verdict, closer: _Closer, images: ImageMetrics | None, has_settings: bool) -> Verdict:
    """The verdict of two traces with what was found apart from their numbers.

    Where the programs have reported settings that differ, those that blame sees in the logs are the same ones.
    """
    if closer.examined is not None:
        verdict = verdict.with_examined(closer.examined)
    if images is not None:
        verdict = verdict.with_images(images)
    if closer.blame is not None:
        seen = dataclasses.replace(closer.blame, settings=(), loops=()) if has_settings else closer.blame
        verdict = verdict.with_cause(seen)
    return verdict


def _waive(
    vocabulary: Vocabulary, closer: _Closer, pair: Pair | None, options: Options, images: ImageMetrics | None
) -> Waived:
    """What the waivers explain. Equations are evaluated on traces only, so images that differ are left over."""
    from trace_parity.quirks.waivers import apply_waivers, with_unchecked

    waived = apply_waivers(
        options.waive,
        pair.quirks if pair is not None else (),
        closer.blame,
        [variable.name for variable in vocabulary.variables],
        options.today or datetime.now(UTC).date(),
        examined=closer.examined,
        may_be_unused=options.waive_unused,
    )
    waived = with_unchecked(waived, {finding.quirk.id: finding.places for finding in closer.quirks})
    if images is not None and (unseen := images_differ(images)):
        waived = dataclasses.replace(waived, left=(*waived.left, unseen))
    return waived


def _blame(alignment: Alignment, judgement: Judgement, pair: Pair | None, argv: tuple[str, ...]) -> Blame | None:
    """Who breaks its own equation, where something differs and the pair has equations."""
    if judgement.first is None or pair is None:
        return None
    from trace_parity.blame.attribution import blame_pair
    from trace_parity.blame.of_pair import domain_of_pair

    if (domain := domain_of_pair(pair)) is None:
        return None
    return blame_pair(alignment, judgement, domain, argv)


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


def _known(shown: QuirkFinding | None, case: CaseResult) -> str | None:
    """The quirk in the headline, with the doubt about it that no command line takes away."""
    if shown is None or case.argv or not shown.evidence.endswith(ALWAYS_READ):
        return None if shown is None else shown.quirk.id
    return f"{shown.quirk.id}, or a setting of one side"


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
