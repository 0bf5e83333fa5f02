"""Which known names a mistyped one may mean."""

from __future__ import annotations

from collections.abc import Iterable

LETTERS_PER_MISTAKE = 3
"""One wrong, missing, additional or exchanged letter in so many is taken for a mistake in typing."""


def nearest_names(name: str, known: Iterable[str], most: int = 1) -> list[str]:
    """The known names most like `name`, nearest first; none where nothing is near.

    Near is a name with few mistakes, whatever its case, then one that has `name` as its beginning, end or middle part.
    """
    typed = name.lower()
    letters = len(typed.lstrip("-"))
    ranked = []
    for place, word in enumerate(dict.fromkeys(known)):
        mistakes = edit_distance(typed, word.lower())
        if mistakes <= max(1, letters // LETTERS_PER_MISTAKE) and letters > 1:
            ranked.append((0, mistakes, place, word))
        elif letters >= LETTERS_PER_MISTAKE and typed.lstrip("-") in word.lower():
            ranked.append((1, mistakes, place, word))
    return [word for *_, word in sorted(ranked)[:most]]


def edit_distance(a: str, b: str) -> int:
    """How many letters have to be replaced, added, removed or exchanged with the next one to get from `a` to `b`."""
    before, row = [0] * (len(b) + 1), list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            best = min(before[j - 1] + (x != y), before[j] + 1, row[j - 1] + 1)
            if i > 1 and j > 1 and x == b[j - 2] and y == a[i - 2]:
                best = min(best, last[j - 2] + 1)
            row.append(best)
    return row[-1]
