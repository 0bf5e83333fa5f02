"""An alignment judged, blamed and searched for quirks, put together as one Result."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from trace_parity.blame.findings import Blame
from trace_parity.blame.headline import with_image_shares
from trace_parity.compare.align import Alignment
from trace_parity.compare.coverage import Coverage, check_coverage
from trace_parity.compare.images import ImageMetrics
from trace_parity.compare.judge import Judged, Judgement, VariableSummary, default_rule, judge
from trace_parity.compare.sites import PIXELS, WHOLE_NUMBERS, Looked, narrow
from trace_parity.compare.tick_table import tick_rows
from trace_parity.pair.contract import Contract
from trace_parity.pair.pair import Pair
from trace_parity.pair.quirk_ledger import Quirk
from trace_parity.pair.vocabulary import Vocabulary
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
from trace_parity.result.verdict import Verdict, images_differ, of_traces
from trace_parity.trace.table import TraceTable

if TYPE_CHECKING:
    pass


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
    """Judge an alignment under a contract and put all findings together.

    `pair` has the ledger of quirks and the equations, none without it. `waive` names quirks that
    may pass, `waive_unused` says that they need not show; `today` is the day their expiry is held
    against; `settings` says which settings differ; `blame_pixels` of logs of more than
    `whole_numbers` are held against the equations.
    """
    judgement = judge(alignment, rtol=rtol)
    coverage = check_coverage(alignment, contract)
    inside, seen, looked = narrow(alignment, judgement, most_pixels=blame_pixels, whole_numbers=whole_numbers)
    blame = _blame(inside, seen, pair)
    ledger = pair.quirks if pair is not None else ()
    findings = find_quirks(alignment, judgement, ledger)
    if blame is not None:
        blame = name_unexplained(blame, findings)
        if images is not None:
            blame = with_image_shares(blame, images.sum_ratio)
        known = {f.quirk.id for f in findings}
        named = quirks_of_blame(blame, ledger, judgement, alignment.vocabulary)
        findings += tuple(f for f in named if f.quirk.id not in known)
    divergences = _divergences(alignment, judgement, findings)
    first = divergences[0] if divergences else None
    verdict = of_traces(alignment, judgement, coverage, (first.name, first.place) if first else None, findings)
    asked = Asked(images, tuple(waive), waive_unused, today, tuple(settings), ledger)
    verdict, waivers = conclude(verdict, coverage, blame, looked, alignment.vocabulary, asked)
    return Result(
        schema=SCHEMA,
        case=case,
        verdict=verdict.name,
        exit_code=int(verdict.code),
        headline=verdict.headline,
        num_divergent=judgement.num_divergent,
        compared=coverage.compared,
        rtol=rtol,
        needed_rtol=judgement.needed_rtol,
        first_divergence=first,
        coverage=coverage,
        problems=verdict.problems,
        quirks=tuple(_quirk(f, blame) for f in findings),
        variables=tuple(_variable(alignment, s) for s in judgement.summaries),
        divergences=divergences,
        logs={"C": _log(alignment.c), "PY": _log(alignment.py)},
        per_phi=tuple(tick_rows(alignment.c, alignment.py, alignment.vocabulary)),
        images=images,
        blame=blame,
        settings=tuple(settings),
        waivers=waivers,
        looked=looked,
        precision=default_rule(s.variable for s in judgement.summaries),
    )


@dataclass(frozen=True)
class Asked:
    """What stands beside two traces: images, waivers (see `compare`), settings, the ledger of quirks."""

    images: ImageMetrics | None = None
    waive: tuple[str, ...] = ()
    waive_unused: bool = False
    today: date | None = None
    settings: tuple[str, ...] = ()
    quirks: tuple[Quirk, ...] = ()


def conclude(
    verdict: Verdict,
    coverage: Coverage,
    blame: Blame | None,
    looked: Looked | None,
    vocabulary: Vocabulary,
    asked: Asked,
) -> tuple[Verdict, tuple[Waiver, ...]]:
    """The verdict of two traces with all that stands beside them, the same for both comparisons."""
    waivers: tuple[Waiver, ...] = ()
    if looked is not None:
        verdict = verdict.with_look(looked)
    if asked.images is not None:
        verdict = verdict.with_images(asked.images)
    if blame is not None:
        verdict = verdict.with_cause(blame)
    if asked.waive:
        order = [variable.name for variable in vocabulary.variables]
        today = asked.today or datetime.now(UTC).date()
        waived = apply_waivers(
            asked.waive, asked.quirks, blame, order, today, looked=looked, may_be_unused=asked.waive_unused
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


def _divergences(
    alignment: Alignment, judgement: Judgement, findings: Sequence[QuirkFinding]
) -> tuple[Divergence, ...]:
    rows = [row for row in judgement.rows if row.status != "match"][:KEPT_DIVERGENCES]
    first = _divergence(alignment, rows[0]) if rows else None
    if first is None:
        return ()
    quirk = next((f.quirk.id for f in findings if f.first_is_it), None)
    return (dataclasses.replace(first, quirk=quirk), *(_divergence(alignment, row) for row in rows[1:]))


def _divergence(alignment: Alignment, judged: Judged) -> Divergence:
    row, variable = judged.row, judged.row.variable
    vocabulary = alignment.vocabulary
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


def _variable(alignment: Alignment, summary: VariableSummary) -> VariableResult:
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
        worst_at=alignment.vocabulary.describe(row.id.key) if row else "",
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


def _log(table: TraceTable) -> LogResult:
    return LogResult(
        table.lines,
        table.trace_lines,
        len(table.rows),
        dict(sorted(table.aliased.items())),
        tuple(str(line) for line in table.unreadable),
        dict(table.notes),
    )
