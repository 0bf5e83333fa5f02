"""Which program is wrong, and what to do next: two lines at the end of a verdict."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace

from trace_parity.blame.findings import UNREAD, Blame, BlameFinding
from trace_parity.blame.headline import cause_of, explains, quirk_of, settings_by_rank
from trace_parity.errors import Exit
from trace_parity.pair.quirk_ledger import ALWAYS_READ
from trace_parity.render.commands import option_in, with_added, with_option
from trace_parity.result.result import AGAINST, EXPLAIN, INJECT, QuirkResult, Result

SIDES = ("C", "PY")


IN_DOUBT = "a setting of one side differs: the logs cannot tell"


def who(result: Result) -> str:
    """Which program is wrong, and in which variable; empty if the result does not contain it."""
    if result.exit_code != Exit.DIVERGENCE:
        return ""
    if result.settings:
        return "the programs resolve the command line to different settings"
    known = _known_quirk(result)
    if known is not None:
        findings = result.blame.findings if result.blame is not None else ()
        too = next((f.quirk_too for f in findings if f.quirk == known.id and f.quirk_too), "")
        doubt = known.evidence.endswith(ALWAYS_READ) and not result.case.argv
        more = f", with {too}" if too else f", or {IN_DOUBT}" if doubt else ""
        return f"{known.side} shows its known quirk {known.id}{more}"
    blame = result.blame
    if blame is None:
        first = result.first_divergence
        return f"not known: no equation describes the logs; {first.name} differs first" if first is not None else ""
    if not blame.equations_checked:
        return "not known: the logs hold no output of an equation together with its inputs"
    cause = cause_of(blame) or next((f for f in blame.findings if f.is_cause), None)
    if cause is None or cause.kind == "unexplained":
        settings = settings_by_rank(blame)[:2] if blame.loops or not _printed(blame) else []
        if settings:
            differs = "settings differ" if len(settings) > 1 else "a setting differs"
            return f"{_who_breaks(blame)}; {differs}: {'; '.join(settings)}"
        name = f"; {cause.variable} differs although all that it is computed from agrees" if cause else ""
        return f"{_printed(blame) or _who_breaks(blame)}{name}"
    return _accused(cause, "" if blame.final_agrees else blame.final)


def _known_quirk(result: Result) -> QuirkResult | None:
    """The known quirk that comes first, unless it does not change the result and something else does.

    If the first divergence is not a quirk and no share is known, it is the quirk that blame lists first.
    """
    known = next((quirk for quirk in result.quirks if quirk.first_is_it), None)
    cause = cause_of(result.blame) if result.blame is not None else None
    listed = quirk_of(result.blame) if result.blame is not None and cause is None else None
    if known is None and listed is not None:
        return next((quirk for quirk in result.quirks if quirk.id == listed.quirk), None)
    if known is None or result.blame is None or cause is None:
        return known
    shown = [f for f in result.blame.findings if f.is_cause and known.id in (f.quirk, f.quirk_too)]
    return None if shown and all(f.is_harmless for f in shown) else known


def _who_breaks(blame: Blame) -> str:
    """Which program breaks an equation, where that is not what explains most."""
    broken = [f for f in blame.findings if f.kind == "introduced" and f.manner != "probe"]
    matter = [f for f in broken if not f.is_harmless]
    if not matter:
        return "no broken equation changes the result" if broken else "neither program breaks an equation"
    sides = dict.fromkeys(f.side for f in matter)
    names = {
        side: dict.fromkeys(n for f in matter if f.side == side for n in (f.variable, *f.together)) for side in sides
    }
    return "; ".join(f"{'both programs' if side == 'both' else side}, in {', '.join(names[side])}" for side in sides)


def _printed(blame: Blame) -> str:
    """Which values a program prints incorrectly; empty where it prints none so."""
    wrong = [f for f in blame.findings if f.manner == "probe"]
    if not wrong:
        return ""
    names = dict.fromkeys(name for f in wrong if f.side == wrong[0].side for name in (f.variable, *f.together))
    others = tuple(name for name in names if name != wrong[0].variable)
    return _accused(replace(wrong[0], together=others), blame.final)


def _accused(cause: BlameFinding, final: str) -> str:
    names = ", ".join([cause.variable, *cause.together])
    what = f"prints {names} incorrectly, but uses the correct value" if cause.manner == "probe" else ""
    if cause.hint.startswith(UNREAD):
        what = f"prints {names} incorrectly, and uses {'them' if cause.together else 'it'} nowhere"
    share = explains(cause, final) if final else ""
    side = "both programs" if cause.side == "both" else cause.side
    return (what and f"{side} {what}") or f"{side}, in {names}" + (f", which {share}" if share else "")


def next_step(result: Result, *, waiver: bool = True) -> str:
    """What to do next, as a command where there is one; empty in parity. `waiver`: --waive is part of it."""
    if result.exit_code == Exit.PARITY:
        return ""
    if result.exit_code == Exit.DIVERGENCE:
        return _after_divergence(result, waiver)
    if result.exit_code == Exit.STALE_WAIVER:
        return "remove the --waive options that are listed as stale or expired"
    if result.exit_code == Exit.UNREADABLE:
        unreadable = any(log.unreadable for log in result.logs.values())
        return (
            "correct these lines; --lenient compares the others"
            if unreadable
            else "run the program to its end and compare the complete log"
        )
    if result.exit_code == Exit.SHAPE_MISMATCH:
        return "make both programs print the same number of values"
    if empty := [side for side, log in result.logs.items() if not log.numbers]:
        return f"make {'both programs' if len(empty) > 1 else f'the {empty[0]} program'} print trace lines with numbers"
    return "make both programs print what is listed as missing"


@dataclass(frozen=True)
class AroundQuirk:
    """Commands for a divergence that is a known quirk: `without` it, and `waived`; each empty where none is known."""

    without: str = ""
    waived: str = ""


def around_quirk(result: Result) -> AroundQuirk:
    """The command that was typed, with the option that the quirk's remedy names, and with --waive."""
    known = _known_quirk(result) if result.exit_code == Exit.DIVERGENCE and not result.settings else None
    if known is None:
        return AroundQuirk()
    command, bundle = result.typed[1:2], shlex.quote(result.bundle)
    option = option_in(known.remedy)
    if option is not None and option[0] == f"--{AGAINST}" and AGAINST in result.lacks:
        option = None
    without = waived = ""
    if option is not None and command == ("run",):
        without = with_option(shlex.join(result.typed), *option)
    elif option is not None and result.bundle:
        without = f"trace-diff run {bundle}/case.toml {shlex.join(option)}{_pair(result)}"
    if known.largest is not None and command in (("run",), ("compare",), ("judge",)):
        waived = with_added(result.typed, "--waive", known.id)
    elif known.largest is not None and result.bundle:
        waived = f"trace-diff judge {bundle} --waive {known.id}{_pair(result)}"
    return AroundQuirk(without, waived)


def _after_divergence(result: Result, waiver: bool) -> str:
    if result.settings:
        return "correct how the program with the wrong setting reads it; the numbers differ because of it"
    known = _known_quirk(result)
    if known is not None:
        by_waiver = known.largest is not None  # a waiver explains what blame names the quirk for
        option = option_in(known.remedy)
        works = option is None or option[0] != f"--{AGAINST}" or AGAINST not in result.lacks
        waive = [f"pass --waive {known.id}"] if by_waiver and waiver else []
        return ", or ".join([*([known.remedy] if works else []), *waive])
    blame, first = result.blame, result.first_divergence
    ranked = cause_of(blame) if blame is not None else None
    cause = ranked or next((f for f in blame.findings if f.is_cause), None) if blame is not None else None
    if cause is None or cause.side not in SIDES or cause.kind != "introduced":
        explained = ranked or first
        return _explain(explained.variable, result) if explained is not None else ""
    names = " ".join(dict.fromkeys([cause.variable, *cause.together]))
    line = result.sources.get(f"{cause.scope}.{cause.variable}", {}).get(cause.side)
    if line is not None:
        return f"correct {line.path}:{line.line}"
    if result.bundle and cause.side == "PY" and INJECT not in result.lacks:
        return f"trace-diff inject {shlex.quote(result.bundle)} {names}{_pair(result)}"
    return _explain(cause.variable, result)


def _explain(variable: str, result: Result) -> str:
    return f"trace-diff explain {variable}{_pair(result)}" if EXPLAIN not in result.lacks else _look(result)


def _look(result: Result) -> str:
    """For logs that no vocabulary describes: the values along the loop of the first divergence, else a vocabulary."""
    logs = shlex.join(result.typed_logs) or shlex.quote(result.bundle)
    if not result.typed_logs and not result.bundle:
        return ""
    loop = next(reversed(result.first_divergence.loops), "") if result.first_divergence is not None else ""
    return f"trace-diff table {loop} {logs}{_pair(result)}" if loop else f"trace-diff pair init {logs} --out pair"


def _pair(result: Result) -> str:
    """--pair, where the command line had it."""
    return f" --pair {shlex.quote(result.pair_option)}" if result.pair_option else ""
