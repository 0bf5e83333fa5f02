"""result.json back to the Result that it was written from, so that every renderer works on a stored comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trace_parity.errors import Exit, HarnessError
from trace_parity.files import bundle_hint, parse_json, read_regular
from trace_parity.plain import from_plain
from trace_parity.result.result import SCHEMA, Result


def read_result(path: Path) -> Result:
    """The Result in the file at `path`. Raises HarnessError (exit 5) if there is none, or it has another schema."""
    try:
        return result_from_json(read_regular(path), str(path))
    except (OSError, UnicodeDecodeError) as error:
        what = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise HarnessError(
            Exit.UNREADABLE, what, where=str(path), expected="a bundle", hint=bundle_hint(path.parent)
        ) from error


def result_from_json(text: str, where: str = "result.json") -> Result:
    """As `read_result`, from its text. Fields that a later version added are passed over."""
    try:
        data = parse_json(text)
        if not isinstance(data, dict) or "schema" not in data:
            raise ValueError("not the result of a comparison")
        if data["schema"] != SCHEMA:
            raise ValueError(f"schema {data['schema']}, this version reads {SCHEMA}")
        return from_plain(Result, _renamed(data))
    except (KeyError, TypeError, ValueError) as error:
        what = f"no field {error}" if isinstance(error, KeyError) else str(error)
        raise HarnessError(Exit.UNREADABLE, what, where=where, expected="a result.json") from error


def _renamed(data: dict[str, Any]) -> dict[str, Any]:
    """A result with the names that fields had up to 0.2 replaced by those that they have now."""
    made = dict(data)
    if looked := data.get("looked"):
        made["examined"] = {**looked, "sites": looked["pixels"]}
    if "per_tick" not in data and "per_phi" in data:
        made["per_tick"] = data["per_phi"]
        made["tick_name"] = data.get("tick_name") or "per_phi"
    case = data.get("case")
    if isinstance(case, dict) and "places" not in case and "pixels" in case:
        made["case"] = {**case, "places": case["pixels"]}
    return made
