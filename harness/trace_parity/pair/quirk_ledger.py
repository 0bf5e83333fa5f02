"""The ledger of known quirks: what each entry of quirks.toml must hold, read with errors that name field and line."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.toml_table import parse_toml, read_text

STATE_LEAK, LOGGING, DETERMINISTIC = "state leak", "logging", "deterministic"
KINDS = {
    STATE_LEAK: "the side's result depends on what was computed before",
    LOGGING: "the side's log says something else than was computed with",
    DETERMINISTIC: "a function of the inputs, which both programs reproduce; never waived",
}
SIDES = ("C", "PY", "both")
WORDS = ("id", "kind", "side", "title", "explanation", "recognised", "remedy", "owner", "reference")
FIELDS = {*WORDS, "selectors", "sources", "largest", "expires", "signature", "blame"}
SIGNATURE_FIELDS = {
    "stale": {"kind", "loop", "variables", "instead", "when", "rtol"},
    "fallback": {"kind", "variables", "given", "digits"},
}
Kind = type | tuple[type, ...]


@dataclass(frozen=True)
class Stale:
    """On one side, where `when_variable` equals `when_equals`, a variable has its value of another tick of `loop`.

    `instead`: variables that show it in logs that lack all of `variables`.
    """

    loop: str
    variables: tuple[str, ...]
    when_variable: str
    when_equals: float
    rtol: float
    instead: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fallback:
    """On one side, from some step on for good, a variable has a number read from a file, of at most `digits`
    digits, where the other side has computed one from the same `given`."""

    variables: tuple[str, ...]
    given: tuple[str, ...]
    digits: int


@dataclass(frozen=True)
class BlameSignature:
    """On the quirk's side one of `equations` is broken, with a hint of one of `hints`, wherever `when` holds.

    `if_off_length`: the quirk that is shown as well where the vector's length is off, and not its direction alone.
    """

    equations: tuple[str, ...]
    hints: tuple[str, ...]
    when_variable: str = ""
    when_equals: float = 0.0
    if_off_length: str = ""


@dataclass(frozen=True)
class Quirk:
    """One entry of the ledger.

    `selectors`: the variables at which it shows, or, where both programs reproduce it, which it decides; none where no
    trace line shows it. `recognised` says how one sees it, `signature` and `blame` how a comparison does. `sources`:
    the files that name it where they reproduce or avoid it. `largest` is relative: what is off by more is not this.
    """

    id: str
    kind: str
    side: str
    title: str
    explanation: str
    recognised: str
    remedy: str
    owner: str
    reference: str
    selectors: tuple[str, ...]
    sources: tuple[str, ...]
    largest: float
    expires: date | None  # of a waiver
    signature: Stale | Fallback | None = None
    blame: BlameSignature | None = None

    @property
    def can_be_waived(self) -> bool:
        """Whether a comparison can show it: what both programs do alike, or no line shows, is not a divergence."""
        return self.signature is not None or self.blame is not None


def load_quirks(path: Path) -> tuple[Quirk, ...]:
    """The ledger in `path`. Raises HarnessError (exit 2) as `parse_ledger` does, or when it cannot be read."""
    return parse_ledger(read_text(path), str(path))


def parse_ledger(text: str, where: str) -> tuple[Quirk, ...]:
    """Read a ledger. Raises HarnessError (exit 2) with field and line for what is missing, unknown or wrong."""
    data = parse_toml(text, where)
    lines = _Lines(text, where)
    _no_unknown(data, {"quirks"}, lines, None)
    entries = data.get("quirks")
    if not isinstance(entries, list) or not entries:
        raise lines.wrong(None, "quirks", "no entry", "one [[quirks]] table per quirk")
    quirks = tuple(_quirk(entry, _At(lines, n)) for n, entry in enumerate(entries))
    for n, quirk in enumerate(quirks):
        if quirk.id in [q.id for q in quirks[:n]]:
            raise lines.wrong(n, "id", f"{quirk.id!r} occurs twice", "one entry per quirk")
    return quirks


class _Lines:
    """The places of the fields of each entry in the text."""

    def __init__(self, text: str, where: str) -> None:
        self.where = where
        self.first: dict[tuple[int, str], int] = {}
        entry, table = -1, ""
        for number, line in enumerate(text.splitlines(), 1):
            if re.match(r"\s*\[\[\s*quirks\s*\]\]", line):
                entry, table = entry + 1, ""
                self.first[(entry, "")] = number
            elif named := re.match(r"\s*\[\s*quirks\.(\w+)\s*\]", line):
                table = named[1] + "."
                self.first[(entry, named[1])] = number
            elif field := re.match(r"([\w-]+)\s*=", line):
                self.first.setdefault((entry, table + field[1]), number)

    def wrong(self, entry: int | None, field: str, what: str, expected: str) -> HarnessError:
        n = -1 if entry is None else entry
        above = field.rpartition(".")[0]
        line = next((self.first[k] for k in ((n, field), (n, above), (n, "")) if k in self.first), 1)
        return HarnessError(Exit.USAGE, f"{field}: {what}", where=f"{self.where}:{line}", expected=expected)


@dataclass(frozen=True)
class _At:
    lines: _Lines
    entry: int

    def wrong(self, field: str, what: str, expected: str) -> HarnessError:
        return self.lines.wrong(self.entry, field, what, expected)

    def get(self, table: Mapping[str, Any], field: str, kind: Kind, what: str, prefix: str = "") -> Any:
        if field not in table:
            raise self.wrong(prefix + field, "missing", what)
        value = table[field]
        if not isinstance(value, kind) or isinstance(value, bool | datetime):  # true is an int, a time is a date
            raise self.wrong(prefix + field, f"{value!r} is of the wrong kind", what)
        return value

    def words(self, table: Mapping[str, Any], field: str, prefix: str = "") -> tuple[str, ...]:
        values = self.get(table, field, list, "a list of words", prefix)
        if bad := [v for v in values if not isinstance(v, str) or not v.strip()]:
            raise self.wrong(prefix + field, f"{bad[0]!r} is not a word", "a list of words")
        return tuple(values)


def _no_unknown(
    table: Mapping[str, Any], known: Collection[str], lines: _Lines, entry: int | None, prefix: str = ""
) -> None:
    if unknown := [name for name in table if name not in known]:
        raise lines.wrong(entry, prefix + unknown[0], "unknown field", "one of " + ", ".join(sorted(known)))


def _quirk(entry: Mapping[str, Any], at: _At) -> Quirk:
    if not isinstance(entry, Mapping):
        raise at.wrong("quirks", f"{entry!r} is not a table", "one [[quirks]] table per quirk")
    _no_unknown(entry, FIELDS, at.lines, at.entry)
    words = {name: at.get(entry, name, str, "words").strip() for name in WORDS}
    for name, value in words.items():
        if not value:
            raise at.wrong(name, "is empty", "words")
    if words["kind"] not in KINDS:
        raise at.wrong("kind", f"{words['kind']!r} is not a kind", "one of " + ", ".join(KINDS))
    if words["side"] not in SIDES:
        raise at.wrong("side", f"{words['side']!r} is not a side", "one of " + ", ".join(SIDES))
    largest = float(at.get(entry, "largest", (int, float), "a relative size, 0 or more"))
    if not 0 <= largest < float("inf"):
        raise at.wrong("largest", f"{largest!r} is not a size", "a relative size, 0 or more")
    is_fixed = words["kind"] == DETERMINISTIC
    for name in ("expires", "signature", "blame"):
        if is_fixed and name in entry:
            raise at.wrong(
                name, "of a deterministic quirk", "none: both programs reproduce it, there is nothing to waive"
            )
    if is_fixed and (largest or words["side"] != "both"):
        raise at.wrong("largest" if largest else "side", "of a deterministic quirk", 'largest = 0 and side = "both"')
    shows = "signature" in entry or "blame" in entry
    expires = at.get(entry, "expires", date, "a day, as 2027-12-31") if shows else None
    if not shows and "expires" in entry:
        raise at.wrong("expires", "of a quirk without signature or blame", "none: no comparison shows it")
    return Quirk(
        **words,
        selectors=at.words(entry, "selectors"),
        sources=at.words(entry, "sources"),
        largest=largest,
        expires=expires,
        signature=_signature(entry["signature"], at) if "signature" in entry else None,
        blame=_blame(entry["blame"], at) if "blame" in entry else None,
    )


def _signature(table: Any, at: _At) -> Stale | Fallback:
    if not isinstance(table, Mapping):
        raise at.wrong("signature", f"{table!r} is not a table", "[quirks.signature]")
    kind = at.get(table, "kind", str, "one of " + ", ".join(SIGNATURE_FIELDS), "signature.")
    if kind not in SIGNATURE_FIELDS:
        raise at.wrong("signature.kind", f"{kind!r} is not a signature", "one of " + ", ".join(SIGNATURE_FIELDS))
    _no_unknown(table, SIGNATURE_FIELDS[kind], at.lines, at.entry, "signature.")
    variables = at.words(table, "variables", "signature.")
    if kind == "fallback":
        digits = at.get(table, "digits", int, "a whole number", "signature.")
        return Fallback(variables, at.words(table, "given", "signature."), digits)
    loop = at.get(table, "loop", str, "a loop", "signature.")
    rtol = float(at.get(table, "rtol", (int, float), "a number", "signature."))
    instead = at.words(table, "instead", "signature.") if "instead" in table else ()
    return Stale(loop, variables, *_when(table, at, "signature."), rtol, instead)


def _blame(table: Any, at: _At) -> BlameSignature:
    if not isinstance(table, Mapping):
        raise at.wrong("blame", f"{table!r} is not a table", "[quirks.blame]")
    _no_unknown(table, {"equations", "hints", "when", "if_off_length"}, at.lines, at.entry, "blame.")
    when = _when(table, at, "blame.") if "when" in table else ("", 0.0)
    also = at.get(table, "if_off_length", str, "the id of a quirk", "blame.") if "if_off_length" in table else ""
    return BlameSignature(at.words(table, "equations", "blame."), at.words(table, "hints", "blame."), *when, also)


def _when(table: Mapping[str, Any], at: _At, prefix: str) -> tuple[str, float]:
    form = '{ variable = "NAME", equals = NUMBER }'
    when = at.get(table, "when", dict, form, prefix)
    if set(when) != {"variable", "equals"} or isinstance(when["equals"], bool):
        raise at.wrong(prefix + "when", f"has {', '.join(when) or 'nothing'}", form)
    if not isinstance(when["variable"], str) or not isinstance(when["equals"], (int, float)):
        raise at.wrong(prefix + "when", f"{when!r} is of the wrong kind", form)
    return when["variable"], float(when["equals"])


def blamed_quirk(
    quirks: tuple[Quirk, ...],
    equation: str,
    side: str,
    hint: str,
    values: Callable[[str], Sequence[float | None]],
) -> str:
    """The id of the quirk that a broken equation shows, or empty. `values` gives a variable at the broken places."""
    for quirk in quirks:
        blame = quirk.blame
        if blame is None or side != quirk.side or equation not in blame.equations or hint not in blame.hints:
            continue
        if not blame.when_variable or all(value == blame.when_equals for value in values(blame.when_variable)):
            return quirk.id
    return ""
