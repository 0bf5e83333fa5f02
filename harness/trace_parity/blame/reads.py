"""What a variable is computed from, where the vocabulary does not say so and an equation in Python does."""

from __future__ import annotations

from dataclasses import replace

from trace_parity.blame.equation import Domain, Equation
from trace_parity.pair.vocabulary import Variable, Vocabulary


def with_dependencies(vocabulary: Vocabulary, domain: Domain) -> Vocabulary:
    """The vocabulary with `depends_on` from equations in Python; as it is where one of their outputs has its own."""
    made: dict[str, list[str]] = {}
    for equation in domain.equations:
        if not equation.backward and equation.conditional is not True and not equation.id.endswith(" equals"):
            made.setdefault(equation.output, []).extend(_words(equation, vocabulary))
    known = {v.id: v for v in vocabulary.variables}
    if not made or any(known[name].depends_on for name in made):
        return vocabulary
    return replace(
        vocabulary,
        variables=tuple(_with(v, made[v.id]) if v.id in made else v for v in vocabulary.variables),
    )


def _with(variable: Variable, words: list[str]) -> Variable:
    return replace(variable, depends_on=tuple(dict.fromkeys(words)))


def _words(equation: Equation, vocabulary: Vocabulary) -> list[str]:
    """The inputs as the vocabulary would name them; one of another place as that of the iteration before."""
    outer = next((v.scope.loops for v in vocabulary.variables if v.id == equation.output), ())
    found = []
    for wanted in equation.inputs:
        if wanted.computed is None and (wanted.pick is None or outer):
            found.append(wanted.ref if wanted.pick is None else f"{wanted.ref}@{outer[0]}-1")
    return [word for word in found if word not in (equation.output, equation.output.rpartition(".")[2])]
