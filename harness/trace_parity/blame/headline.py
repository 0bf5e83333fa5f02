"""A set of findings in one sentence: the finding that explains most of the final difference."""

from __future__ import annotations

import math
from dataclasses import replace

from trace_parity.blame.findings import HARMLESS, Blame, BlameFinding

WHOLE = 1e-3
"""A share that is 1 to within this is the whole."""
PLAIN = 1.01
"""Final values whose ratio is less than this are compared by their relative difference."""
SAME_SUM = 1e-9
"""Images whose sums differ by less, relatively, have no ratio to explain."""


def cause_of(blame: Blame) -> BlameFinding | None:
    """The first finding that matters; None where no share is known, and where the final values agree.

    Nor where one of unknown share comes first: a known quirk, or a possible cause of a value whose equation could not
    be evaluated.
    """
    if blame.final_agrees:
        return None
    causes = [f for f in blame.findings if f.is_cause and not f.is_harmless]
    cause = next((f for f in causes if f.share is not None), None)
    if cause is None or (cause is not causes[0] and (causes[0].quirk or cause.is_unasked)):
        return None
    return cause


def cause_line(blame: Blame) -> str:
    """The cause and what it explains, and the finding that comes first in order of evaluation; empty for no cause."""
    finding, printed = cause_of(blame), printed_sentence(blame)
    line = cause_sentence(blame)
    if finding is None:
        return "; ".join(words for words in (line, printed) if words)
    first = next((f for f in blame.findings if f.variable == blame.first and f.is_cause), None)
    if printed:
        return f"{line}; {printed}"
    if first is None or first.variable in (finding.variable, *finding.together):
        return line
    return f"{line}; first in order of evaluation is {first.variable}, {_small(first)}"


def cause_sentence(blame: Blame) -> str:
    """The cause and what it explains; empty for no cause. A setting in the logs comes before what follows from it."""
    finding, settings = cause_of(blame), settings_by_rank(blame)
    names = {finding.variable, *finding.together} if finding is not None else set()
    is_said = names and names <= {_setting(line) for line in settings}
    words = []
    if blame.loops:
        plain = [line.partition(" (")[0] for line in settings]
        words = [f"settings that differ: {'; '.join(plain)}" if plain[1:] else f"setting that differs: {settings[0]}"]
    elif finding is not None and finding.kind == "unexplained" and settings and not is_said:
        words = [f"setting that differs: {settings[0]}"]
    if finding is not None and (not blame.loops or finding.kind != "unexplained" or is_said):
        words.append(f"{_named(finding)} {explains(finding, blame.final)}")
    if is_said and not blame.loops and (more := [line for line in settings if _setting(line) not in names]):
        words.append(f"another setting that differs: {more[0]}")
    if blame.final and not blame.final_agrees and (known := quirk_of(blame)) is not None:
        share = f"whose share of the difference of {blame.final} is not known"
        words.append(f"{known.side} shows quirk {known.quirk} in {_named(known)}, {share}")
    return "; ".join(words)


def settings_by_rank(blame: Blame) -> list[str]:
    """The settings that differ, first those that the cause names, last the counts of iterations.

    A program may work out a count from other settings.
    """
    finding = cause_of(blame)
    names = {finding.variable, *finding.together} if finding is not None else set()
    return sorted(blame.settings, key=lambda line: (line in blame.loops, _setting(line) not in names))


def _setting(line: str) -> str:
    return line.partition(":")[0]


def quirk_of(blame: Blame) -> BlameFinding | None:
    """The finding that comes before all others as a known quirk whose share is not known; None for none."""
    first = next((f for f in blame.findings if f.is_cause), None)
    return first if first is not None and first.quirk and first.share is None else None


def printed_sentence(blame: Blame) -> str:
    """`R_distance_meters of PY is printed in mm, used in m`, of the first that is wrong in print only."""
    wrong = [f for f in blame.findings if f.manner == "probe"]
    if not wrong:
        return ""
    first = next((f for f in wrong if f.variable == blame.first), wrong[0])
    more = len({f.variable for f in wrong} - {first.variable, *first.together})
    others = f" (and {more} more in print only)" if more else ""
    return f"{_named(first)} of {first.side} {'are' if first.together else 'is'} {first.hint}{others}"


def _named(finding: BlameFinding) -> str:
    names = sorted([finding.variable, *finding.together])
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def explains(finding: BlameFinding, final: str) -> str:
    """`explains the whole difference of I_pixel_final (factor 1.26e9)`; empty where the share is not known."""
    if finding.share is None:
        return ""
    verb = "explain" if finding.together else "explains"
    if finding.is_harmless:
        return f"{verb} nothing of the difference of {final}"
    how = "the whole difference" if abs(finding.share - 1) <= WHOLE else f"{percent(finding.share)} of the difference"
    return f"{verb} {how} of {final}{_by(finding.factor)}"


def percent(share: float) -> str:
    """A share in percent, with enough digits that only an exact one reads as 100 % or 0 %."""
    number = 100 * share
    return f"{number:.3g} %" if abs(number - 100) >= 0.5 else f"{number:.2f} %"


def _by(factor: float | None) -> str:
    if factor is None:
        return ""
    if factor < PLAIN:
        return f" ({_short(factor - 1)} relative)"
    return f" (factor {_short(factor)})"


def _short(number: float) -> str:
    mantissa, _, exponent = f"{number:.3g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def _small(finding: BlameFinding) -> str:
    if finding.share is None:
        return "whose share is not known"
    if finding.is_harmless:
        return f"which explains less than {100 * HARMLESS:g} %"
    return f"which explains {percent(finding.share)}"


def with_image_shares(blame: Blame, sum_ratio: float) -> Blame:
    """The shares of the ratio of the two images' sums (PY over C), as far as the traced sites represent the image."""
    if not sum_ratio > 0 or abs(math.log(sum_ratio)) <= SAME_SUM:
        return blame
    findings = (
        replace(f, image_share=math.log(f.ratio) / math.log(sum_ratio)) if f.ratio is not None and f.ratio > 0 else f
        for f in blame.findings
    )
    return replace(blame, findings=tuple(findings))
