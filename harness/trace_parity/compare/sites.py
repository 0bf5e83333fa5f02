"""Which sites of large logs are examined for quirks and blame: equation by equation, it takes time.

A site is the outermost loops' indices, up to the focus that the pair declares (a pixel; an atom in one step). Small
logs are examined whole. Of larger ones a few sites are: that of the first divergence, the worst of every variable that
diverges, so that none is left out, then the first ones in order of evaluation. The result says how much of the
divergence they hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trace_parity.compare.align import Alignment
from trace_parity.compare.judge import Judged, Judgement, VariableSummary
from trace_parity.compare.look import KEPT_ROWS
from trace_parity.pair.vocabulary import ABSENT
from trace_parity.printable import plural

WHOLE_NUMBERS = 200_000
"""Numbers in both logs up to which all of them are examined, some ten seconds of work."""
SITES = 50
"""How many sites of larger logs are examined. More only where the variables that diverge need more."""

Site = tuple[int, ...]
"""The indices of the outermost loops, as many as Vocabulary.site_depth says."""


@dataclass(frozen=True)
class Examined:
    """How much of the divergence was examined: the number of sites, and of the numbers that differ in them."""

    sites: int
    divergent: int
    of_divergent: int

    @property
    def unseen(self) -> int:
        """Numbers that differ in sites that were not examined."""
        return self.of_divergent - self.divergent

    def __str__(self) -> str:
        return (
            f"quirks and blame examined {plural(self.sites, 'site')}, with {self.divergent} of the {self.of_divergent} "
            "numbers that differ (--blame-sites N examines more)"
        )


def in_a_site(site: Site) -> bool:
    """Whether it is one: rows of the whole run sit in none."""
    return any(index != ABSENT for index in site)


def choose_sites(
    divergent: Iterable[Judged], summaries: Iterable[VariableSummary], most: int, depth: int
) -> list[Site]:
    """The sites to examine. `divergent` are the first rows that differ, `summaries` those of all variables.

    The first site and one per divergent variable are always among them, however few `most` asks for.
    """
    first = list(dict.fromkeys(row.row.id.key[:depth] for row in divergent))
    worst = [s.worst.row.id.key[:depth] for s in summaries if s.divergent and s.worst is not None]
    needed = [site for site in dict.fromkeys([*first[:1], *worst]) if in_a_site(site)]
    further = [site for site in first if site not in needed and in_a_site(site)]
    return [*needed, *further[: max(0, most - len(needed))]]


def narrow(
    alignment: Alignment, judgement: Judgement, *, most: int = SITES, whole_numbers: int = WHOLE_NUMBERS
) -> tuple[Alignment, Judgement, Examined | None]:
    """Alignment and judgement of what is examined, and how much that is; as they are, and None, when that is all."""
    if len(alignment.c.rows) + len(alignment.py.rows) <= whole_numbers:
        return alignment, judgement, None
    depth = alignment.vocabulary.site_depth
    divergent = [row for row in judgement.rows if row.status != "match"]
    sites = choose_sites(divergent[:KEPT_ROWS], judgement.summaries, most, depth)
    absent = tuple(ABSENT for _ in alignment.vocabulary.loops[:depth])
    outer = {absent, *sites}
    inside = alignment.only(outer, depth)
    seen = tuple(row for row in judgement.rows if row.row.id.key[:depth] in outer)
    judged = Judgement(seen, judgement.summaries, judgement.first, judgement.needed_rtol)
    return inside, judged, examined(len(sites), judged.num_divergent, len(divergent))


def examined(sites: int, divergent: int, of_divergent: int) -> Examined | None:
    """How much was examined; None when it held every number that differs."""
    return Examined(sites, divergent, of_divergent) if divergent < of_divergent else None
