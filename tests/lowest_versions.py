"""Print the lower bounds of the dependencies in pyproject.toml as constraints: `click>=8.1` becomes `click==8.1`.

python tests/lowest_versions.py > lowest.txt && make test CONSTRAINTS=lowest.txt
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
BUILT_FOR_TESTS = {"mypy", "ruff", "hatchling", "pytest", "pytest-xdist", "hypothesis", "jsonschema", "pandas-stubs"}
"""Tools, whose lower bounds do not matter to users."""


def lowest() -> list[str]:
    """`name==version` of every dependency and extra that states one."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    found = {}
    for word in (word for group in groups for word in group):
        match = re.match(r"([\w-]+)>=([\d.]+)", word)
        if match and match[1] not in BUILT_FOR_TESTS:
            found[match[1]] = match[2]
    return [f"{name}=={version}" for name, version in sorted(found.items())]


if __name__ == "__main__":
    print("\n".join(lowest()))
