"""The verdict of a comparison: exit code, its name, a headline, and further problems.

What is worse, or explains the rest, comes first: a log that was cut off, shapes that differ, a divergence, what is
missing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from trace_parity.blame.findings import Blame
from trace_parity.blame.headline import cause_of, cause_sentence, printed_sentence
from trace_parity.compare.carried import UPSTREAM
from trace_parity.compare.coverage import Coverage, cut_off
from trace_parity.compare.found import Found
from trace_parity.compare.images import ImageMetrics
from trace_parity.compare.sites import Examined
from trace_parity.errors import Exit
from trace_parity.printable import plural
from trace_parity.quirks.waivers import Waived


@dataclass(frozen=True)
class Verdict:
    """The outcome of a comparison."""

    code: Exit
    name: str
    headline: str
    problems: tuple[str, ...]

    def _now(self, code: Exit, name: str, headline: str) -> Verdict:
        return dataclasses.replace(self, code=code, name=name, headline=headline)

    def with_images(self, images: ImageMetrics) -> Verdict:
        """Traced pixels in parity do not pass two images that differ; two that are black are not evidence."""
        if images.warning:
            return self._now(self.code, self.name, f"{self.headline}; {images.warning}")
        if not images.pixels_beyond or self.code not in (Exit.PARITY, Exit.NOTHING_TO_COMPARE):
            return self
        slow, fast = images.max_abs_at
        headline = f"the traced pixels agree, but {images_differ(images)}; trace the worst: --pixel {slow} {fast}"
        return self._now(Exit.DIVERGENCE, "divergence", headline)

    def with_cause(self, blame: Blame) -> Verdict:
        """The main cause of the final difference comes before the first difference.

        Where these are the same the share is given of what no side is accused of: a setting, a table. A quirk of both
        sides comes last where it says nothing of what differs.
        """
        cause, printed, said = cause_of(blame), printed_sentence(blame), cause_sentence(blame)
        if self.code == Exit.DIVERGENCE and printed:
            words = [*([said] if said else []), printed, self.headline]
            return self._now(self.code, self.name, "; ".join(words))
        if self.code == Exit.DIVERGENCE and blame.loops:
            return self._now(self.code, self.name, f"{said}; {self.headline}")
        if self.code == Exit.DIVERGENCE and blame.notes and cause is None:
            ahead = [note for note in blame.notes if note.endswith(UPSTREAM)]
            after = [note for note in blame.notes if note not in ahead]
            return self._now(self.code, self.name, "; ".join([*ahead, self.headline, *after]))
        names = (cause.variable, *cause.together) if cause is not None else ()
        same = self.headline.startswith(tuple(f"first at {name}{after}" for name in names for after in ("[", " (")))
        is_said = ": known quirk" in self.headline or (cause is not None and cause.kind != "unexplained")
        if self.code != Exit.DIVERGENCE or not said or (same and is_said):
            return self
        if cause is None and ": known quirk" in self.headline:
            return self
        return self._now(self.code, self.name, f"{said}; {self.headline}")

    def with_examined(self, examined: Examined) -> Verdict:
        """Quirks and blame were evaluated at some sites only."""
        if self.code != Exit.DIVERGENCE:
            return self
        return self._now(self.code, self.name, f"{self.headline}; {examined}")

    def with_waivers(self, waived: Waived, coverage: Coverage) -> Verdict:
        """Only a divergence can be waived, and only when nothing of it is left over; what is missing stays missing."""
        verdict = self
        if self.code == Exit.DIVERGENCE:
            if not waived.explains_all:
                left = "; ".join([*waived.left[:3], *waived.left[3:][-1:]]) or "no waiver applies"
                return verdict._now(self.code, self.name, f"{self.headline}; not covered by waivers: {left}")
            headline = f"waived {', '.join(waived.seen)}: {self.headline}"
            if not coverage.holds:
                missing = f"{headline}; but not everything was compared: {coverage.missing[0]}"
                if coverage.unreadable:
                    return verdict._now(Exit.UNREADABLE, "unreadable", missing)
                return verdict._now(Exit.NOTHING_TO_COMPARE, "incomplete", missing)
            verdict = verdict._now(Exit.PARITY, "parity", headline)
        if verdict.code == Exit.PARITY and waived.failing:
            return verdict._now(Exit.STALE_WAIVER, "stale waiver", waived.failing[0])
        return verdict

    def with_settings(self, settings: Sequence[str]) -> Verdict:
        """A setting that differs comes before the numbers that follow from it, and no waiver covers it."""
        code, name = self.code, self.name
        if code not in (Exit.SHAPE_MISMATCH, Exit.UNREADABLE):
            code, name = Exit.DIVERGENCE, "divergence"
        more = f" (and {len(settings) - 1} more)" if len(settings) > 1 else ""
        return self._now(code, name, f"{settings[0]}{more}; {self.headline}")


def images_differ(images: ImageMetrics) -> str:
    """How many pixels of the images differ, in words; empty where none does."""
    if not images.pixels_beyond:
        return ""
    total = images.shape[0] * images.shape[1]
    lost = f", {images.not_finite} of them not finite" if images.not_finite else ""
    return f"{images.pixels_beyond} of {total} pixels of the images differ{lost}"


def of_found(found: Found, coverage: Coverage, first: tuple[str, str] | None, quirk: str | None) -> Verdict:
    """The verdict of two traces; `first` is name and place of the first divergence, `quirk` the known one it is."""
    comparison = found.comparison
    cut, mismatches = cut_off(comparison, found.tables, found.last_differs), found.mismatches()
    problems = (*mismatches, *coverage.missing)
    if cut is not None and not coverage.elsewhere:
        return Verdict(Exit.UNREADABLE, "unreadable", cut, (cut, *problems))
    if mismatches:
        return Verdict(Exit.SHAPE_MISMATCH, "shapes differ", mismatches[0], problems)
    if first is not None:
        number = f"{comparison.divergent} of {coverage.compared} numbers differ"
        known = "" if quirk is None else f": known quirk {quirk}"
        before = f"{coverage.elsewhere}; " if coverage.elsewhere else ""
        headline = f"{before}first at {first[0]} ({first[1]}){known}; {number}"
        return Verdict(Exit.DIVERGENCE, "divergence", headline, problems)
    if coverage.unreadable:
        agree = f"{plural(coverage.compared, 'other number')} {'agrees' if coverage.compared == 1 else 'agree'}"
        headline = f"{plural(coverage.unreadable, 'trace line')} could not be read; {agree}"
        return Verdict(Exit.UNREADABLE, "unreadable", headline, problems)
    if coverage.compared == 0:
        c, py = found.numbers
        headline = f"nothing was compared: {plural(c, 'number')} in the C log, {py} in the PY log, none in both"
        why = [f"{side}: {reason}" for side, reason in zip(("C", "PY"), found.nothing, strict=True) if reason]
        if why:
            headline = f"{headline}; {'; '.join(why)}"
        elif coverage.missing:
            headline = f"{headline}; {coverage.missing[0]}"
        return Verdict(Exit.NOTHING_TO_COMPARE, "nothing compared", headline, problems)
    if not coverage.holds:
        agree = f"{plural(coverage.compared, 'number')} {'agrees' if coverage.compared == 1 else 'agree'}"
        headline = f"{agree}, but not everything was compared: {coverage.missing[0]}"
        return Verdict(Exit.NOTHING_TO_COMPARE, "incomplete", headline, problems)
    needed = comparison.needed_rtol
    agree = "the only number agrees" if coverage.compared == 1 else f"all {coverage.compared} numbers agree"
    headline = f"{agree}; a relative tolerance of {needed:.2g} would suffice"
    return Verdict(Exit.PARITY, "parity", headline, problems)
