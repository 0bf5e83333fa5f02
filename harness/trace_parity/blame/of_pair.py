"""The equations of a pair: those of its vocabulary, and those of the module that it names."""

from __future__ import annotations

from dataclasses import replace

from trace_parity.blame.checks import check_tuples
from trace_parity.blame.equation import Domain
from trace_parity.blame.from_vocabulary import domain_of
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.modules import import_from
from trace_parity.pair.pair import Pair


def domain_of_pair(pair: Pair) -> Domain | None:
    """The equations, with the quirks that blame may name; None where there are none. Made once for a Pair object.

    Raises HarnessError (exit 2) when the pair names a module that is not there or has no such Domain.
    """
    return pair.once(_domain)


def _domain(pair: Pair) -> Domain | None:
    base = domain_of_pair(pair.base) if pair.base is not None else None
    is_own = "equations" in pair.table
    more = _imported(pair) if is_own else base
    same_vocabulary = pair.base is not None and pair.file("vocabulary") == pair.base.file("vocabulary")
    found = more if same_vocabulary and not is_own else domain_of(pair.vocabulary, more)
    return replace(found, quirks=pair.quirks) if found is not None else None


def _imported(pair: Pair) -> Domain:
    """The Domain that pair.toml names: `equations.py:DOMAIN`, or `equations:DOMAIN` for a package."""
    place = pair.table.text("equations")
    name, _, attribute = place.partition(":")
    if name.endswith(".py") and not (pair.folder / name).is_file():
        raise pair.table.wrong("equations", place, f"FILE.py:NAME, a file in {pair.folder}")
    try:
        found = getattr(import_from(pair.folder, name.removesuffix(".py")), attribute or "DOMAIN")
    except Exception as error:  # whatever a user's module raises
        raise HarnessError(
            Exit.USAGE,
            f"equations: {place!r} cannot be imported: {type(error).__name__}: {error}",
            where=pair.where,
            expected="FILE.py:NAME",
        ) from error
    if not isinstance(found, Domain):
        raise HarnessError(
            Exit.USAGE, f"equations: {place!r} is {type(found).__name__}", where=pair.where, expected="a Domain"
        )
    check_tuples(found)
    return found
