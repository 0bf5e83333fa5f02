"""Tables that a pair exports from a bundle for other tools, as `[exports.NAME]` of its pair.toml says."""

from __future__ import annotations

from dataclasses import dataclass

from trace_parity.pair.toml_table import Table, nearest
from trace_parity.pair.vocabulary import Variable, Vocabulary


@dataclass(frozen=True)
class Export:
    """One row per place that any of `variables` has: its indices, the `shared` values, each component on each side.

    `components` names the components of a vector, by number where it is empty.
    """

    name: str
    title: str
    shared: tuple[str, ...]
    variables: tuple[str, ...]
    components: tuple[str, ...]
    table: Table

    def listed(self, vocabulary: Vocabulary, key: str) -> list[Variable]:
        """The variables that it names under `key`, the innermost of a name.

        Raises HarnessError (exit 2) for one that the vocabulary lacks.
        """
        found = []
        for name in getattr(self, key):
            if not vocabulary.named(name):
                known = [v.name for v in vocabulary.variables]
                raise self.table.wrong(key, name, "variables of the vocabulary", nearest(name, known))
            found.append(vocabulary.named(name)[-1])
        return found


def read_export(name: str, table: Table) -> Export:
    """One entry. Raises HarnessError (exit 2)."""
    table.need("variables", "a list of variables")
    variables = table.words("variables")
    if not variables:
        raise table.wrong("variables", [], "a list of variables")
    made = Export(name, table.text("title", name), table.words("shared"), variables, table.words("components"), table)
    table.finish()
    return made
