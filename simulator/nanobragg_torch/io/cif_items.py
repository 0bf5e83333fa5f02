"""The items of one CIF block under one spelling: lower case, without the leading underscore, `_` for the dot.

`_atom_site_fract_x` of small-molecule files and `_atom_site.fract_x` of newer ones are both `atom_site_fract_x`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io.optional import needed

UNKNOWN = ("?", ".", "")


class Items:
    """Values of a block by name; the text of every value is unquoted, unknown ones are `?` or `.`."""

    def __init__(self, block: Any, flag: str) -> None:
        self._cif = needed("gemmi", flag).cif
        self.block_name: str = block.name
        self._block = block
        self._tags: dict[str, str] = {}
        for item in block:
            tags = [item.pair[0]] if item.pair is not None else item.loop.tags if item.loop is not None else []
            for tag in tags:
                name = tag.lstrip("_").lower().replace(".", "_")
                if name not in self._tags or all(value in UNKNOWN for value in self._raw(name)):
                    self._tags[name] = tag

    def _raw(self, name: str) -> list[str]:
        return list(self._block.find_values(self._tags[name]))

    def spelling(self, name: str) -> str:
        """The tag as the file has it."""
        return self._tags[name]

    def names(self, prefix: str) -> list[str]:
        """All names that begin with `prefix`, in the order of the file."""
        return [name for name in self._tags if name.startswith(prefix)]

    def count(self, name: str) -> int:
        """How many values there are of a name."""
        return len(self._block.find_values(self._tags[name]))

    def texts(self, *names: str) -> list[str]:
        """The values of the first of `names` that is there with a known value; empty for none."""
        for name in names:
            if name in self._tags:
                texts = [self._text(value) for value in self._raw(name)]
                if any(text not in UNKNOWN for text in texts):
                    return texts
        return []

    def _text(self, value: str) -> str:
        return value if value in UNKNOWN else str(self._cif.as_string(value)).strip()

    def text(self, *names: str) -> str | None:
        """The first known value of the first of `names` that has one."""
        return next((text for name in names for text in self.texts(name) if text not in UNKNOWN), None)

    def numbers(self, name: str, where: str) -> np.ndarray:
        """The values of a column (n,), NaN where unknown, standard uncertainties dropped.

        Raises ExperimentError with the row for what is not a number.
        """
        raw = self._raw(name)
        numbers = np.array([self._cif.as_number(value) for value in raw], dtype=np.float64)
        for row in np.flatnonzero(~np.isfinite(numbers)):
            if self._text(raw[row]) not in UNKNOWN:
                raise ExperimentError(
                    f"{where}: {self._tags[name]} in row {row + 1} is {raw[row]!r}, expected a number"
                )
        return numbers

    def has(self, name: str) -> bool:
        """Is there a known value of this name?"""
        return bool(self.texts(name))

    def cell(self, where: str) -> tuple[float, float, float, float, float, float]:
        """The unit cell (Å, deg); angles that are left out are 90. Raises ExperimentError."""
        found = []
        for name in ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma"):
            if not self.has(f"cell_{name}"):
                if name.startswith("length"):
                    raise ExperimentError(f"{where} has no unit cell: _cell_{name} is missing")
                found.append(90.0)
                continue
            found.append(float(self.numbers(f"cell_{name}", where)[0]))
        a, b, c, alpha, beta, gamma = found
        return a, b, c, alpha, beta, gamma
