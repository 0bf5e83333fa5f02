"""From a join to a Result: the same findings, in the same words, as the comparison in memory.

Rows that are reported are judged once more, by the very function that judges in memory; C has counted and chosen.
"""

from __future__ import annotations

import ctypes as ct
import dataclasses
import math
from typing import Any

from trace_parity.compare.align import AlignedRow, Alignment
from trace_parity.compare.coverage import Coverage, named_singly, wrong_size_line
from trace_parity.compare.judge import Judged, VariableSummary, _judge_row, default_rule
from trace_parity.compare.sites import Looked
from trace_parity.pair.first_appearance import with_places
from trace_parity.pair.vocabulary import Key, Scale, Variable
from trace_parity.result.compare import Asked, _divergence, _log, _variable, conclude
from trace_parity.result.result import SCHEMA, CaseResult, Result
from trace_parity.result.verdict import of_counts
from trace_parity.stream.engine import Joined, WatchList
from trace_parity.stream.source import SIDES
from trace_parity.trace.table import Number, RowId

MOST_MISMATCHES = 1000
"""How many vectors of differing size are listed."""


class Findings:
    """What C counted and kept, in the harness's own types."""

    def __init__(self, joined: Joined, watch: WatchList, rtol: float | None) -> None:
        self.joined, self.watch, self.rtol = joined, watch, rtol
        self.registry, self.sources = joined.registry, joined.sources
        self.lib, self.context = self.registry.lib, self.registry.context
        self.vocabulary = self.registry.vocabulary
        self.tables = [source.table for source in self.sources]
        self.alignment = Alignment(self.tables[0], self.tables[1], self.vocabulary, (), (), (), ())
        self.tallies = self.lib.ts_tallies(self.context)
        self.sides = [self.lib.ts_side_of(self.context, side).contents for side in (0, 1)]
        self.variables = self._met()
        self.num_divergent = sum(self.tallies[n].divergent for n, _ in self.variables)
        self.compared = sum(self.tallies[n].compared for n, _ in self.variables)
        self.kept = self._kept()
        hardest = self.lib.ts_hardest(self.context)
        self.needed_rtol = self._judged(hardest.contents).needed_rtol if hardest else 0.0
        self.mismatches, self.all_mismatches = self._mismatches()

    def _met(self) -> list[tuple[int, Variable]]:
        """The variables that stand in either log, in vocabulary order."""
        by_hand = {**self.tables[1].variables, **self.tables[0].variables}
        met = [
            (n, variable)
            for n, variable in enumerate(self.registry.variables)
            if any(self.tallies[n].seen) or variable.id in by_hand
        ]
        by_id = with_places(self.vocabulary, [table.variables for table in self.tables])
        for n, variable in met:
            self.registry.variables[n] = by_id.get(variable.id, variable)
        met = [(n, self.registry.variables[n]) for n, _ in met]
        return sorted(met, key=lambda found: (found[1].place, found[1].id))

    def key(self, packed: Any) -> Key:
        """A key as the harness has it."""
        return tuple(packed.at[: len(self.vocabulary.loops)])

    def _judged(self, kept: Any) -> Judged:
        """A kept row, judged as in memory."""
        variable = self.registry.variables[kept.variable]
        c, py = (
            Number(kept.value[i], source.text(kept.offset[i], kept.pos[i]), kept.line[i])
            for i, source in enumerate(self.sources)
        )
        row = AlignedRow(RowId(self.key(kept.key), variable.id, kept.component), variable, c, py)
        larger = max(abs(c.value), abs(py.value))
        sizes, numbers = kept.sizes, kept.vectors
        vectors = [numbers[: sizes[0]], numbers[sizes[0] : sizes[0] + sizes[1]]]

        def scale_of(scale: Scale, _: AlignedRow) -> float:
            if scale.kind == "unit":
                return 1.0
            if scale.kind == "norm":
                return max((math.hypot(*v) for v in vectors if v and all(map(math.isfinite, v))), default=larger)
            named = float(kept.named)
            return named if math.isfinite(named) else larger

        return _judge_row(row, variable.tolerance, scale_of, self.rtol)

    def _kept(self) -> list[Judged]:
        """The first divergent rows, in order of evaluation."""
        count = ct.c_uint32()
        kept = self.lib.ts_first_divergent(self.context, ct.byref(count))
        rows = [self._judged(kept[i]) for i in range(count.value)]
        return sorted(rows, key=lambda r: self.vocabulary.order(r.row.variable, r.row.id.key, r.row.id.component))

    def _mismatches(self) -> tuple[list[str], int]:
        """A line per vector of differing size, in the order in which the logs have what the other lacks."""
        every, kept = ct.c_uint64(), ct.c_uint64()
        found = self.lib.ts_mismatches(self.context, ct.byref(every), ct.byref(kept))
        rows = sorted((found[i] for i in range(kept.value)), key=lambda m: (m.side, m.seq.line, m.seq.pos))
        lines = [
            f"{self.registry.variables[m.variable].name}: {m.sizes[0]} numbers in C, {m.sizes[1]} in PY, "
            f"at {self.vocabulary.describe(self.key(m.key))}"
            for m in rows[:MOST_MISMATCHES]
        ]
        if every.value > len(lines):
            lines.append(f"{every.value - len(lines)} further vectors of differing size")
        return lines, every.value

    def summaries(self) -> list[VariableSummary]:
        """Per variable, in vocabulary order."""
        found = []
        for n, variable in self.variables:
            t = self.tallies[n]
            worst = self._judged(t.worst) if t.worst.set else None
            found.append(VariableSummary(variable, t.compared, t.divergent, t.only[0], t.only[1], worst))
        return found

    def coverage(self) -> Coverage:
        """As trace_parity.compare.coverage.check_coverage."""
        missing = list(dict.fromkeys([*self._against_contract(), *self._one_sided(), *self._of_wrong_size()]))
        return Coverage(
            compared=self.compared,
            c_only=self.sides[0].only,
            py_only=self.sides[1].only,
            c_unreadable=self.sources[0].unreadable,
            py_unreadable=self.sources[1].unreadable,
            missing=tuple(missing),
            holds=self.compared > 0 and not missing,
        )

    def _against_contract(self) -> list[str]:
        lines = []
        for name, side, wanted, lacking in self.watch.lacking(self.registry):
            if not wanted and side == 0:
                lines.append(f"{name}: asked for by the case, unknown to the vocabulary")
            if lacking:
                where = self.vocabulary.describe(lacking[0])
                lines.append(f"{name}: {len(lacking)} of {wanted} missing in {SIDES[side]}, first at {where}")
        return lines

    def _one_sided(self) -> list[str]:
        lines = []
        for side, (present, absent) in enumerate((SIDES, SIDES[::-1])):
            lonely = [(n, v) for n, v in self.variables if self.tallies[n].only[side]]

            def first_met(found: tuple[int, Variable], side: int = side) -> tuple[float, int, int]:
                seq = self.tallies[found[0]].first_only[side]
                return found[1].place, seq.line, seq.pos

            for n, variable in sorted(lonely, key=first_met):
                t = self.tallies[n]
                where = self.vocabulary.describe(self.key(t.first_key[side]))
                lines.append(
                    f"{variable.name}: in {present} only at {t.places[side]} places, missing in {absent}, "
                    f"first at {where}"
                )
        return lines

    def _of_wrong_size(self) -> list[str]:
        singly = named_singly(self.tables)
        found = [(v, self.tallies[n]) for n, v in self.variables if v.name not in singly]
        return [
            wrong_size_line(v, t.wrong_size, t.wrong_places, self.vocabulary.describe(self.key(t.wrong_key)))
            for v, t in found
            if t.wrong_places
        ]

    def cut_off(self) -> str | None:
        """As trace_parity.compare.coverage.cut_off."""
        if not self.sides[0].numbers or not self.sides[1].numbers:
            return None
        for short, long in ((1, 0), (0, 1)):
            table, lacking, surplus = self.tables[short], self.sides[long].only, self.sides[short].only
            if table.unterminated and (lacking or self._last_differs(short) or self.sides[short].last_mismatch):
                return (
                    f"{table.path}: the log was cut off in its last line ({table.lines}): no newline, "
                    "and it is not whole"
                )
            variables = sum(1 for n, _ in self.variables if self.tallies[n].only[long])
            if surplus or variables < 2 or not self._is_tail(long):
                continue
            first = self.registry.variables[self.sides[long].first_variable].name
            place = self.vocabulary.describe(self.key(self.sides[long].first_key))
            return f"{table.path}: the log ends early: from {first} at {place} on nothing stands ({lacking} numbers)"
        return None

    def _last_differs(self, short: int) -> bool:
        last, other = self.sides[short].last, self.sides[short].last_other
        if not other.set:
            return False
        texts = (
            self.sources[short].text(last.offset, last.pos),
            self.sources[1 - short].text(other.offset, other.pos),
        )
        return texts[0] != texts[1]

    def _is_tail(self, long: int) -> bool:
        first, shared = self.sides[long].first_only, self.sides[long].last_shared
        return bool(first.set) and (not shared.set or (shared.line, shared.pos) < (first.line, first.pos))


def result_of(
    findings: Findings, case: CaseResult, closer: Result | None, looked: Looked | None, asked: Asked
) -> Result:
    """Put all findings together. `closer` is the comparison in memory of the rows that matter: what it found beyond
    counts (quirks, blame, the per-tick table) is taken over; `looked` says how much it saw.
    """
    coverage = findings.coverage()
    quirk = next((q.id for q in closer.quirks if q.first_is_it), None) if closer is not None else None
    divergences = tuple(_divergence(findings.alignment, row) for row in findings.kept)
    if divergences:
        divergences = (dataclasses.replace(divergences[0], quirk=quirk), *divergences[1:])
    first = divergences[0] if divergences else None
    verdict = of_counts(
        coverage,
        cut=findings.cut_off(),
        mismatches=findings.mismatches,
        first=(first.name, first.place) if first else None,
        quirk=quirk,
        num_divergent=findings.num_divergent,
        needed_rtol=findings.needed_rtol,
        numbers=(findings.sides[0].numbers, findings.sides[1].numbers),
    )
    blame = closer.blame if closer is not None else None
    verdict, waivers = conclude(verdict, coverage, blame, looked, findings.vocabulary, asked)
    logs = {}
    for i, side in enumerate(SIDES):
        logs[side] = dataclasses.replace(_log(findings.tables[i]), numbers=findings.sides[i].numbers)
    counted: dict[str, Any] = {
        "case": case,
        "verdict": verdict.name,
        "exit_code": int(verdict.code),
        "headline": verdict.headline,
        "num_divergent": findings.num_divergent,
        "compared": coverage.compared,
        "rtol": findings.rtol,
        "needed_rtol": findings.needed_rtol,
        "first_divergence": first,
        "coverage": coverage,
        "problems": verdict.problems,
        "variables": tuple(_variable(findings.alignment, s) for s in findings.summaries()),
        "divergences": divergences,
        "logs": logs,
        "images": asked.images,
        "waivers": waivers,
        "looked": looked,
        "precision": default_rule(v for _, v in findings.variables),
    }
    if closer is not None:
        return dataclasses.replace(closer, **counted)
    return Result(schema=SCHEMA, quirks=(), per_phi=(), **counted)
