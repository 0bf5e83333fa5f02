"""Tolerances that the user sets in place of the vocabulary's own.

    1e-6            the relative part of every tolerance
    F_latt:1e-9     of one variable; `rot_*` of all whose names fit
    F_latt:abs=1e-9 its absolute part, as a fraction of the scale that its tolerance names
    k_ratio:ulp=4   values up to 4 doubles apart agree

They are put into the vocabulary before anything is judged. A rule that matches no variable is an error.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trace_parity.errors import Exit, HarnessError
from trace_parity.nearest import nearest_names
from trace_parity.pair.vocabulary import Tolerance, Variable, Vocabulary

RULE = re.compile(r"(?:(?P<names>[^:=\s]+):)?(?:(?P<part>abs|ulp|rtol)=)?(?P<value>[^:=\s]+)")


@dataclass(frozen=True)
class Rule:
    """One word of --rtol; `names` is a pattern of variable names, empty for all."""

    names: str
    part: str  # rtol, abs or ulp
    value: float

    def fits(self, name: str) -> bool:
        """Whether the rule is about a variable of that name."""
        return not self.names or fnmatch.fnmatchcase(name, self.names)


def parse_rules(words: Iterable[str], *, i_know: bool = False) -> tuple[Rule, ...]:
    """The rules in the words of --rtol, in their order; a later one wins. Raises HarnessError (exit 2).

    A relative tolerance of 1 and more passes numbers of either sign: it is taken only with `i_know`.
    """
    rules = []
    for word in " ".join(words).split():
        match = RULE.fullmatch(word)
        value = _number(match["value"]) if match else None
        if match is None or value is None:
            raise HarnessError(
                Exit.USAGE,
                f"{word!r} is not a tolerance",
                where="--rtol",
                expected="1e-6, F_latt:1e-9, 'rot_*:1e-12', F_latt:abs=1e-9 or F_latt:ulp=4",
            )
        if value >= 1 and match["part"] != "ulp" and not i_know:
            raise HarnessError(
                Exit.USAGE,
                f"a tolerance of {value:g} lets almost any two numbers agree",
                where="--rtol",
                expected="less than 1",
                hint="--i-know accepts it",
            )
        rules.append(Rule(match["names"] or "", match["part"] or "rtol", value))
    return tuple(rules)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value >= 0 and math.isfinite(value) else None


def global_rtol(rules: Sequence[Rule]) -> float | None:
    """The relative tolerance set for every variable, if any."""
    plain = [rule.value for rule in rules if not rule.names and rule.part == "rtol"]
    return plain[-1] if plain else None


def with_rules(vocabulary: Vocabulary, rules: Sequence[Rule]) -> Vocabulary:
    """The vocabulary with the tolerances of the named variables replaced.

    Raises HarnessError (exit 2) for a rule that matches no variable, and for an absolute part without a scale.
    """
    named = [rule for rule in rules if rule.names or rule.part != "rtol"]
    for rule in named:
        if not any(rule.fits(variable.name) for variable in vocabulary.variables):
            raise HarnessError(
                Exit.USAGE,
                f"{rule.names!r} matches no variable",
                where="--rtol",
                expected="a name of the vocabulary, or a pattern",
                hint=_nearest(rule.names, vocabulary),
            )
    variables = tuple(_ruled(variable, named) for variable in vocabulary.variables)
    return dataclasses.replace(vocabulary, variables=variables)


def _nearest(names: str, vocabulary: Vocabulary) -> str:
    """The variable that was probably meant."""
    known = sorted({variable.name for variable in vocabulary.variables})
    if "," in names:
        return "rules are separated by spaces"
    near = nearest_names(names.strip("*?[]"), known)
    return f"did you mean {near[0]}?" if near else "a rule that applies to nothing is refused"


def _ruled(variable: Variable, rules: Sequence[Rule]) -> Variable:
    tolerance = variable.tolerance
    for rule in rules:
        if rule.fits(variable.name):
            tolerance = _apply(tolerance, rule, variable.name)
    return dataclasses.replace(variable, tolerance=tolerance)


def _apply(tolerance: Tolerance, rule: Rule, name: str) -> Tolerance:
    asked = dataclasses.replace(
        tolerance, name=f"{rule.names or '*'}:{rule.part}={rule.value:g}", reason="set by --rtol"
    )
    if rule.part == "ulp":
        return dataclasses.replace(asked, ulps=rule.value)
    if rule.part == "rtol" and (tolerance.rtol or not tolerance.floor):
        return dataclasses.replace(asked, rtol=rule.value, own=True)
    if rule.part != "rtol" and tolerance.scale is None:
        raise HarnessError(Exit.USAGE, f"{name} has no named scale", where="--rtol", expected=f"{name}:{rule.value:g}")
    return dataclasses.replace(asked, floor=rule.value, own=True)
