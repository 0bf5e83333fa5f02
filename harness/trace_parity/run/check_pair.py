"""Read everything of a pair once: what it has, and what each command still needs."""

from __future__ import annotations

from collections.abc import Iterable

from trace_parity.blame.checks import check_names
from trace_parity.blame.of_pair import domain_of_pair
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.pair import Pair
from trace_parity.pair.programs import PROBES
from trace_parity.pair.source_lines import IF
from trace_parity.pair.toml_table import nearest
from trace_parity.printable import plural


def report(pair: Pair) -> list[str]:
    """A line per part. Raises HarnessError (exit 2) with the first mistake."""
    lines = [f"{pair.title}: {pair.where}", _vocabulary(pair), _equations(pair)]
    quirks = pair.quirks
    lines.append(f"quirks      {', '.join(q.id for q in quirks)}" if quirks else "quirks      none")
    lines += _programs(pair)
    cases = pair.cases()
    lines.append(
        f"cases       {', '.join(c.id for c in cases)}"
        if cases
        else "cases       none: `run` takes a command line only"
    )
    matrix = pair.matrix() if pair.file("matrix") is not None else None
    lines.append(
        f"matrix      {plural(len(matrix.cases), 'case')}" if matrix else "matrix      none: `gate` needs matrix.toml"
    )
    for export in pair.exports.values():
        for key in ("variables", "shared"):
            export.listed(pair.vocabulary, key)
        lines.append(f"export      {export.name}: {export.title}")
    return lines


def _vocabulary(pair: Pair) -> str:
    if pair.file("vocabulary") is None:
        return "vocabulary  none: names, loops and order are taken from the logs in each comparison"
    v = pair.vocabulary
    default = [variable.name for variable in v.variables if variable.tolerance.name == "default"]
    words = [
        f"vocabulary  {plural(len(v.variables), 'variable')} in {plural(len(v.scopes), 'scope')}, "
        f"loops {' '.join(v.loops) or 'none'}"
    ]
    if v.nests:
        words.append(
            f"nests {', '.join(v.nests)} inside {v.loops[v.nests_inside - 1] if v.nests_inside else 'the run'}"
        )
    if default:
        words.append(f"default tolerance for {len(default)}")
    return "; ".join(words)


def _equations(pair: Pair) -> str:
    domain = domain_of_pair(pair)
    if domain is None:
        return 'equations   none: `blame` needs `equals` in the vocabulary, or equations = "equations.py:DOMAIN"'
    check_names(domain, pair.vocabulary)
    made, ids = {e.output for e in domain.equations}, {e.id for e in domain.equations}
    for quirk in pair.quirks:
        for name in quirk.blame.equations if quirk.blame is not None else ():
            if name not in ids:
                what = f"quirks: {quirk.id}: blame.equations: found {name!r}"
                where = str(pair.file("quirks"))
                raise HarnessError(
                    Exit.USAGE, what, where=where, expected="equations of the pair", hint=nearest(name, ids)
                )
    free = [v.name for v in pair.vocabulary.variables if v.id not in made and v.name not in made]
    without = f"; taken as given: {', '.join(free[:8])}{' …' if len(free) > 8 else ''}" if free else ""
    return f"equations   {len(domain.equations)} for {plural(len(made), 'variable')}{without}"


def _programs(pair: Pair) -> list[str]:
    named = pair.table.named_tables("programs")
    if not named and pair.base is None and pair.probes is None:
        return [
            "programs    none: `compare` and `blame` work on logs; `run` and `gate` need [programs.C] and [programs.PY]"
        ]
    lines = []
    for name, side in pair.programs.sides.items():
        _check_lines(pair, name, side.lines)
        can = [what for what in ("build", "render", "config", "inject", "together") if getattr(side, what)]
        how = f"traces to {side.trace_from}"
        if side.trace_from == PROBES and pair.probes is not None:
            how = (
                f"traced by {plural(len(pair.probes.spec(name.lower()).variables), 'probe')} of {pair.probes.path.name}"
            )
        lines.append(f"program {name:<3} {side.title}: {how}" + "".join(f", {w}" for w in can))
    if not all(side.render for side in pair.programs.sides.values()):
        lines.append("images      none: both programs need `render` for an array to be compared")
    return lines


def _check_lines(pair: Pair, program: str, lines: Iterable[str]) -> None:
    """Check that `lines` of a program names variables of the vocabulary, by name or by scope and name."""
    if pair.file("vocabulary") is None:
        return
    known = [name for v in pair.vocabulary.variables for name in (v.name, f"{v.scope}.{v.name}")]
    for name in (key.partition(IF)[0] for key in lines):
        if name not in known:
            raise HarnessError(
                Exit.USAGE,
                f"programs.{program}.lines.{name}: no such variable",
                where=pair.where,
                expected="variables of the vocabulary",
                hint=nearest(name, known),
            )
