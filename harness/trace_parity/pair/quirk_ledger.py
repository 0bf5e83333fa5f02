"""The ledger of known quirks: what each entry of quirks.toml must contain; errors name field and line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from trace_parity.pair.toml_table import Table, located, nearest, parse_toml, read_text
from trace_parity.pair.vocabulary import Vocabulary

STATE_LEAK, LOGGING, DETERMINISTIC = "state leak", "logging", "deterministic"
KINDS = {
    STATE_LEAK: "the side's result depends on what was computed before",
    LOGGING: "the side's log prints a value other than the one that it uses",
    DETERMINISTIC: "a function of the inputs, which both programs reproduce; never waived",
}
SIDES = ("C", "PY", "both")
WORDS = ("id", "kind", "side", "title", "explanation", "recognised", "remedy", "owner", "reference")
ENTRIES = "one [[quirks]] table per quirk"
WHEN = '{ variable = "NAME", equals = NUMBER }'


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


ALWAYS_READ = "has computed none in this log"
"""The end of the evidence of a Fallback where nothing is from before it: a setting of one side would look the same."""


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

    `selectors`: the variables in which it shows or, if both programs reproduce it, which it affects; none if no trace
    line shows it. `recognised` describes how a person recognises it, `signature` and `blame` how a comparison does.
    `sources`: the files that reproduce or avoid it and name it. `largest` is relative: a larger difference is not this
    quirk.
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
        """Whether a comparison can show it: what both programs do, or no trace line shows, is not a divergence."""
        return self.signature is not None or self.blame is not None


def load_quirks(path: Path) -> tuple[Quirk, ...]:
    """The ledger in `path`. Raises HarnessError (exit 2) as `parse_ledger` does, or when it cannot be read."""
    return parse_ledger(read_text(path), str(path))


def parse_ledger(text: str, where: str) -> tuple[Quirk, ...]:
    """Read a ledger. Raises HarnessError (exit 2) with field and line for what is missing, unknown or wrong."""
    with located(text, where):
        top = Table(parse_toml(text, where), where)
        top.need("quirks", ENTRIES)
        quirks: dict[str, Quirk] = {}
        for table in top.tables("quirks"):
            quirk = _quirk(table)
            if quirk.id in quirks:
                raise table.wrong("id", quirk.id, "an id that occurs once")
            quirks[quirk.id] = quirk
        top.finish()
        if not quirks:
            raise top.wrong("quirks", [], ENTRIES)
        for n, quirk in enumerate(quirks.values()):
            also = quirk.blame.if_off_length if quirk.blame is not None else ""
            if also and also not in quirks:
                key = f"quirks[{n}].blame.if_off_length"
                raise top.wrong(key, also, "the id of a quirk", nearest(also, quirks))
    return tuple(quirks.values())


def _words(table: Table, key: str) -> tuple[str, ...]:
    table.need(key, "a list of words")
    found = table.words(key)
    if not all(word.strip() for word in found):
        raise table.wrong(key, list(found), "a list of words")
    return found


def _quirk(table: Table) -> Quirk:
    for name in WORDS:
        table.need(name, "words")
    words = {name: table.text(name).strip() for name in WORDS}
    table.choice("kind", KINDS)
    table.choice("side", SIDES)
    table.need("largest", "a relative size, 0 or more")
    largest = table.amount("largest")
    if words["kind"] == DETERMINISTIC:
        for name in ("expires", "signature", "blame"):
            if name in table:
                raise table.wrong(name, table.data[name], "none: both programs reproduce it, there is nothing to waive")
        if largest or words["side"] != "both":
            name = "largest" if largest else "side"
            expected = 'largest = 0 and side = "both" of a deterministic quirk'
            raise table.wrong(name, table.data[name], expected)
    signature, blame = table.table("signature"), table.table("blame")
    if signature is not None or blame is not None:
        table.need("expires", "a day, as 2027-12-31")
    elif "expires" in table:
        raise table.wrong("expires", table.data["expires"], "none: no comparison shows it without signature or blame")
    made = Quirk(
        **words,
        selectors=_words(table, "selectors"),
        sources=_words(table, "sources"),
        largest=largest,
        expires=table.day("expires"),
        signature=_signature(signature) if signature is not None else None,
        blame=_blame(blame) if blame is not None else None,
    )
    table.finish()
    return made


def _signature(table: Table) -> Stale | Fallback:
    made: Stale | Fallback
    if table.choice("kind", ("stale", "fallback")) == "fallback":
        table.need("digits", "a whole number")
        made = Fallback(_words(table, "variables"), _words(table, "given"), table.count("digits"))
    else:
        for key, expected in (("loop", "a loop"), ("rtol", "a number"), ("when", WHEN)):
            table.need(key, expected)
        instead = _words(table, "instead") if "instead" in table else ()
        variables, when = _words(table, "variables"), _when(table)
        made = Stale(table.text("loop"), variables, *when, table.amount("rtol"), instead)
    table.finish()
    return made


def _blame(table: Table) -> BlameSignature:
    equations, hints = _words(table, "equations"), _words(table, "hints")
    made = BlameSignature(equations, hints, *_when(table), table.text("if_off_length"))
    table.finish()
    return made


def _when(table: Table) -> tuple[str, float]:
    when = table.table("when")
    if when is None:
        return "", 0.0
    for key in ("variable", "equals"):
        when.need(key, WHEN)
    made = when.text("variable"), when.number("equals")
    when.finish()
    return made


def check_ledger(quirks: Sequence[Quirk], vocabulary: Vocabulary, where: str) -> None:
    """Check that the vocabulary has every name that a ledger uses. Raises HarnessError (exit 2)."""
    known = {name for v in vocabulary.variables for name in (v.name, v.id)}
    for n, quirk in enumerate(quirks):
        named = [("selectors", quirk.selectors)]
        if quirk.signature is not None:
            named.append(("signature.variables", quirk.signature.variables))
        if isinstance(quirk.signature, Fallback):
            named.append(("signature.given", quirk.signature.given))
        elif quirk.signature is not None:
            named.append(("signature.instead", quirk.signature.instead))
            named.append(("signature.when.variable", (quirk.signature.when_variable,)))
        if quirk.blame is not None and quirk.blame.when_variable:
            named.append(("blame.when.variable", (quirk.blame.when_variable,)))
        table = Table({}, where, f"quirks[{n}]")
        for key, names in named:
            if wrong := next((name for name in names if name not in known), None):
                raise table.wrong(key, wrong, "variables of the vocabulary", nearest(wrong, known))
        loop = quirk.signature.loop if isinstance(quirk.signature, Stale) else None
        if loop is not None and loop not in vocabulary.loops:
            expected = f"one of {', '.join(vocabulary.loops)}"
            raise table.wrong("signature.loop", loop, expected, nearest(loop, vocabulary.loops))


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
