"""constraints-lowest.txt holds the lower bounds of pyproject.toml, which `make test CONSTRAINTS=...` proves."""

from __future__ import annotations

import re
import tomllib

from tests.golden import ROOT

BUILT_FOR_TESTS = {"mypy", "ruff", "hatchling", "pytest", "pytest-xdist", "hypothesis", "jsonschema", "pandas-stubs"}
BUILT_FOR_TESTS |= {"axe-core-python"}
"""Tools, whose lower bounds nobody's environment depends on."""


def test_the_lowest_versions_are_the_lower_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    words = [*project["dependencies"], *(word for extra in project["optional-dependencies"].values() for word in extra)]
    matches = (re.fullmatch(r"([\w-]+)(?:>=([\d.]+)(?:,<\d+)?)?", word) for word in words if "[" not in word)
    bounds = {match[1]: match[2] for match in matches if match}
    assert len(bounds) == len({word for word in words if "[" not in word}), "a requirement of another form"
    wanted = [f"{name}=={version}" for name, version in sorted(bounds.items()) if name not in BUILT_FOR_TESTS]
    lines = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == wanted
