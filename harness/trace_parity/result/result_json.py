"""result.json back to the Result that it was written from, so that every renderer works on a stored comparison."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from trace_parity.errors import Exit, HarnessError
from trace_parity.files import parse_json, read_regular
from trace_parity.result.result import SCHEMA, Result

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def read_result(path: Path) -> Result:
    """The Result in the file at `path`. Raises HarnessError (exit 5) when it holds none, or one of another schema."""
    try:
        return result_from_json(read_regular(path), str(path))
    except (OSError, UnicodeDecodeError) as error:
        what = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise HarnessError(Exit.UNREADABLE, what, where=str(path), expected="a result.json") from error


def result_from_json(text: str, where: str = "result.json") -> Result:
    """As `read_result`, from its text. Fields that a later version added are passed over."""
    try:
        data = parse_json(text)
        if not isinstance(data, dict) or "schema" not in data:
            raise ValueError("not the result of a comparison")
        if data["schema"] != SCHEMA:
            raise ValueError(f"schema {data['schema']}, this version reads {SCHEMA}")
        return _dataclass(Result, _renamed(data))
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


def _dataclass(kind: type[T], data: Any) -> T:
    if not isinstance(data, Mapping):
        raise TypeError(f"{kind.__name__}: expected an object, got {type(data).__name__}")
    hints = _hints(kind)
    given = {}
    for field in dataclasses.fields(kind):
        if field.name in data:
            given[field.name] = _value(hints[field.name], data[field.name])
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise KeyError(f"{kind.__name__}.{field.name}")
    return kind(**given)


@cache
def _hints(kind: type[DataclassInstance]) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, data: Any) -> Any:
    """`data` as the annotated type. The strings nan, inf and -inf are the numbers that JSON lacks."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return None if data is None else _value(next(a for a in args if a is not type(None)), data)
    if hint is Any:
        return float(data) if data in ("nan", "inf", "-inf") else data
    if hint is float:
        return float(data)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _dataclass(hint, data)
    if origin is tuple:
        kinds = args[:1] * len(data) if args[-1] is Ellipsis else args
        return tuple(_value(kind, item) for kind, item in zip(kinds, data, strict=True))
    if origin in (dict, Mapping):
        return {key: _value(args[1], item) for key, item in data.items()}
    if origin is list:
        return [_value(args[0], item) for item in data]
    if isinstance(hint, type) and not isinstance(data, hint):
        raise TypeError(f"expected {hint.__name__}, got {data!r}")
    return data
