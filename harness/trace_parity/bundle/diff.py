"""What differs between two bundles: settings, inputs, environment, commit, verdict and the worst numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trace_parity.bundle.bundle import load_result
from trace_parity.errors import Exit, HarnessError
from trace_parity.files import parse_json, read_regular

IGNORED = ("created_utc",)
DIGITS = 12
"""Numbers that agree to this many significant digits are the same setting."""


@dataclass(frozen=True)
class Difference:
    """One place: `environment.packages.torch`, and its value in either bundle (None where it has none)."""

    place: str
    a: Any
    b: Any

    @property
    def words(self) -> str:
        """`environment.packages.torch: 2.5.1 -> 2.13.0`."""
        return f"{self.place}: {in_words(self.a)} -> {in_words(self.b)}"


def in_words(value: Any) -> str:
    """A JSON value as text: yes, no, not set, numbers with DIGITS significant digits, lists without brackets."""
    if value is None or value == "":
        return "not set" if value is None else "empty"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{DIGITS}g}"
    if isinstance(value, list | tuple):
        return " ".join(map(in_words, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {in_words(item)}" for key, item in value.items()) or "none"
    return str(value)


def diff_bundles(a: Path, b: Path) -> list[Difference]:
    """Every difference that can matter, settings first. Raises HarnessError (exit 5) when one is not a bundle."""
    parts = [(_parts(folder)) for folder in (a, b)]
    return [d for name in parts[0] if name in parts[1] for d in _diff(name, parts[0][name], parts[1][name])]


def _parts(folder: Path) -> dict[str, Any]:
    result = load_result(folder)
    case = result["case"]
    parts = {
        "settings": {k: case[k] for k in ("argv", "against", "options", "inputs")},
        "environment": _json(folder / "env.json"),
        "commit": {k: v for k, v in _json(folder / "git.json").items() if k in ("commit", "dirty")},
        "result": {k: result[k] for k in ("verdict", "compared", "num_divergent", "needed_rtol")},
        "variables": {f"{v['scope']}.{v['name']}": v["worst_rel"] for v in result["variables"]},
    }
    for side in ("c", "py"):
        config = folder / f"config_{side}.json"
        if config.exists():  # a run may leave the settings out
            parts[f"config of {side.upper()}"] = _json(config)
    return parts


def _json(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = parse_json(read_regular(path))
    except (OSError, ValueError) as error:
        raise HarnessError(Exit.UNREADABLE, str(error), where=str(path), expected="a bundle's file") from error
    return {k: v for k, v in data.items() if k not in IGNORED}


def _diff(name: str, a: Any, b: Any) -> list[Difference]:
    return [Difference(f"{name}.{place}", x, y) for place, x, y in differing(a, b)]


def differing(a: Any, b: Any) -> list[tuple[str, Any, Any]]:
    """(place, value in a, value in b) of every leaf that differs, numbers by DIGITS significant digits."""
    from deepdiff import DeepDiff  # slow to import

    # Exact: every option for numbers of deepdiff brings a tolerance of its own (findings/deepdiff-hidden-relative.sh).
    found = DeepDiff(a, b, view="tree")
    leaves = []
    for kind in found.values():
        for change in kind:
            x = change.t1 if _is_there(change.t1) else None
            y = change.t2 if _is_there(change.t2) else None
            if not _same_number(x, y):
                leaves.append((".".join(str(k) for k in change.path(output_format="list")), x, y))
    return sorted(leaves, key=lambda leaf: leaf[0])


def _is_there(value: Any) -> bool:
    return type(value).__name__ != "NotPresent"


def _same_number(x: Any, y: Any) -> bool:
    if not isinstance(x, int | float) or not isinstance(y, int | float) or isinstance(x, bool) or isinstance(y, bool):
        return False
    return x == y or f"{x:.{DIGITS}g}" == f"{y:.{DIGITS}g}" or abs(x - y) <= 10.0**-DIGITS * max(abs(x), abs(y))
