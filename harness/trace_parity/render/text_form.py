"""The verdict for a terminal, in plain text: the details first, who is wrong and the verdict last.

The place of the first divergence is printed once, as a header; after that only loop indices that differ from it are.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from trace_parity.blame.findings import Blame
from trace_parity.pair.dependency import in_words
from trace_parity.pair.source_lines import SourceLine
from trace_parity.printable import plural, visible
from trace_parity.render import rounding_lines
from trace_parity.render.blame_text import compact, folded, harmless_lines, head_lines, headline, say, shared_final
from trace_parity.render.fold import Detail
from trace_parity.render.next_step import around_quirk, next_step, who
from trace_parity.render.numbers import difference, short
from trace_parity.render.places import Places, beyond, shared
from trace_parity.result.result import QuirkResult, Result

MOST = 3
"""How many entries of a list are shown without -v."""


def render(result: Result, detail: Detail = "screen") -> str:
    """The text, one line per statement, however long; render/fold.py breaks the lines for a terminal."""
    body, end = parts(result, detail)
    return "".join(f"{line}\n" for line in [*body, *end])


def parts(result: Result, detail: Detail) -> tuple[list[str], list[str]]:
    """The lines of the details, and those of the end: who is wrong, what to do next, the verdict."""
    end = list(map(visible, _verdict(result, detail)))
    if detail == "verdict":
        return [], end
    most = None if detail == "full" else MOST
    blocks = [
        _head(result),
        _cut(result.settings, most) if len(result.settings) > 1 else [],
        _first(result, detail),
        _cut(rounding_lines.lines(result.rounding), most) if result.rounding is not None else [],
        *(_quirk(quirk, detail) for quirk in result.quirks),
        waiver_lines(result),
        _blame(result, result.blame, detail) if result.blame is not None else [],
        _problems(result, most),
        _counts(result, detail),
    ]
    return [visible(line) for block in blocks if block for line in ("", *block)][1:], end


def waiver_lines(result: Result) -> list[str]:
    """A line per waiver: its state, how often and how large its quirk shows, who answers for it and until when."""
    return [
        f"waiver {w.id}: {w.state}; shows at {plural(w.matched, 'place')}, largest {short(w.largest)} of "
        f"{short(w.allowed)} allowed; {w.owner}; {f'until {w.expires}' if w.expires else 'does not expire'}; "
        f"{w.reference}"
        for w in result.waivers
    ]


def _head(result: Result) -> list[str]:
    here = _here(result)
    title = result.case.title if result.case.title == result.case.id else f"{result.case.id}: {result.case.title}"
    return [title, *([f"place: {here}"] if here else [])]


def _here(result: Result) -> str:
    """The place that the header names: that of the first divergence, else what all places of the problems share."""
    first, places = result.first_divergence, Places(result)
    return places.short(first.place) if first is not None else shared(places.problems)


def _first(result: Result, detail: Detail) -> list[str]:
    d = result.first_divergence
    if d is None:
        return []
    what = f", {d.description}" if d.description else ""
    sources = result.sources.get(f"{d.scope}.{d.variable}", {})
    lines = [
        f"first divergence: {d.name}" + (f"  [{d.unit}]" if d.unit else "") + what,
        f"  C       {d.c_text}  (line {d.c_line} of the log)",
        *_source(sources.get("C"), detail),
        f"  PY      {d.py_text}  (line {d.py_line} of the log)",
        *_source(sources.get("PY"), detail),
        f"  differ  {difference(d, with_ulps=detail == 'full')}",
    ]
    return [*lines, f"  from    {in_words(d.depends_on) or 'inputs of the run'}"] if detail == "full" else lines


def _source(line: SourceLine | None, detail: Detail) -> list[str]:
    """Where the value is computed; on a screen in two rows of 80 columns at most, cut at a word if need be."""
    if line is None:
        return []
    texts = [f"{' ' * 10}{one}" for one in (line, *line.others)]
    return [text if detail == "full" or len(text) <= ROWS_OF_SOURCE else f"{_words(text)} …" for text in texts]


ROWS_OF_SOURCE = 146
"""Characters of a line of source that two rows of a screen hold."""


def _words(text: str) -> str:
    return text[: text.rfind(" ", 0, ROWS_OF_SOURCE - 2)]


def _quirk(quirk: QuirkResult, detail: Detail) -> list[str]:
    lines = [f"known quirk {quirk.id} ({quirk.kind}, {quirk.side} side): {quirk.title}"]
    if detail == "full":
        lines += [f"  seen: {quirk.evidence}", f"  computed from it: {plural(quirk.downstream, 'divergent number')}"]
        lines += [f"  {quirk.remedy}"]
    return lines


def _blame(result: Result, blame: Blame, detail: Detail) -> list[str]:
    """Which equations are broken: each finding in full, or a line or two per cause and one for what inherits it."""
    here = result.first_divergence.place if result.first_divergence is not None else ""
    short_place = Places(result).short
    shown, harmless = folded(blame)
    if detail == "full":
        blocks = [say(f, shared_final(blame), place=_changed(short_place(f.place), here)) for f in shown]
        return [
            *head_lines(blame),
            *(f"  {line}" for block in blocks for line in block),
            *(f"  {line}" for line in (harmless_lines(blame, harmless) if harmless else [])),
        ]
    return [
        f"broken equations: {headline(blame)}",
        *(f"  {line}" for line in blame.notes),
        *(f"  {line}" for line in compact(blame, MOST, lambda place: _changed(short_place(place), here))),
    ]


def _changed(place: str, here: str) -> str:
    """The indices of `place` that differ from those of `here`; empty where none does."""
    if place == here:
        return ""
    known = set(here.split())
    words = place.split()
    return place if "=" not in place else " ".join(word for word in words if word not in known)


def _problems(result: Result, most: int | None) -> list[str]:
    problems = [beyond(problem, _here(result)) for problem in Places(result).problems]
    if not problems:
        return []
    title = ["not compared:"] if result.exit_code else []
    return [*title, *(f"  {line}" for line in _cut(problems, most))]


def _counts(result: Result, detail: Detail) -> list[str]:
    c = result.coverage
    one_sided = f"; only in C {c.c_only}, only in PY {c.py_only}" if c.c_only or c.py_only or detail == "full" else ""
    bad = c.c_unreadable + c.py_unreadable
    unreadable = f", unreadable lines {c.c_unreadable} + {c.py_unreadable}" if bad or detail == "full" else ""
    variables = plural(len([v for v in result.variables if v.compared]), "variable")
    needed = result.needed_rtol
    passes = f"rtol {short(needed)} passes" if isfinite(needed) else "no relative tolerance would make it pass"
    lines = [
        f"compared {plural(c.compared, 'number')} of {variables}: "
        f"{c.compared - result.num_divergent} agree, {result.num_divergent} diverge{one_sided}{unreadable}; "
        f"{passes}"
    ]
    lines += list(result.precision)
    if result.examined is not None:
        lines.append(str(result.examined))
    picked = [f"traced pixel {why}" for why in result.case.picked]
    lines += picked if detail == "full" else _cut(picked, MOST)
    if result.per_tick and detail == "full":
        lines.append(f"ticks compared: {len(result.per_tick)}")
    image = result.images
    if image is not None:
        slow, fast = image.max_abs_at
        lines.append(
            f"images {image.shape[0]} x {image.shape[1]} (slow x fast): {image.pixels_beyond} pixels beyond tolerance, "
            f"correlation {image.correlation:.12g}, RMSE {short(image.rmse)}, "
            f"largest difference {short(image.max_abs_diff)} at (slow {slow}, fast {fast}), "
            f"sum ratio {image.sum_ratio:.12g}"
        )
    for side, log in result.logs.items():
        lines += [f"unreadable in {side}: {line}" for line in _cut(log.unreadable, None if detail == "full" else 2)]
    return lines


def _verdict(result: Result, detail: Detail) -> list[str]:
    """What was not compared apart from what differs, who is wrong, what to do next, and the verdict."""
    verdict = f"{result.verdict.upper()}  {result.case.id}: "
    if detail == "verdict":
        return [f"{verdict}{_headline(result)}"]
    verdict += beyond(_headline(result), _here(result))
    lacks = Places(result).problems if result.num_divergent and result.verdict == "divergence" else ()
    more = f" (and {len(lacks) - 1} more)" if len(lacks) > 1 else ""
    lines = {"lacks": f"{beyond(lacks[0], _here(result))}{more}" if lacks else "", "wrong": who(result)}
    around = around_quirk(result)
    lines["next"] = around.without or next_step(result, waiver=not around.waived)
    lines["or"] = around.waived
    return [*(f"{f'{name}:':8}{text}" for name, text in lines.items() if text), verdict]


def _headline(result: Result) -> str:
    """The headline without the place, which the header has."""
    first = result.first_divergence
    shown = result.headline.replace(f" ({first.place})", "", 1) if first is not None else result.headline
    return Places(result).sentence(shown)


def _cut(lines: Sequence[str], most: int | None) -> list[str]:
    """The first lines, and how many more there are; all of them for None."""
    if most is None or len(lines) <= most + 1:
        return list(lines)
    return [*lines[:most], f"… and {len(lines) - most} more; -v shows them"]
