"""Dataclasses from JSON data, with every value of the annotated type."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
NOT_FINITE = ("nan", "inf", "-inf")
"""The numbers that JSON lacks, as strings."""


def from_plain(kind: type[T], data: Any) -> T:
    """The dataclass of an object; fields that it does not have are passed over.

    Raises KeyError for a missing field, ValueError with the field's name for a value of another type.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"expected an object, got {data!r}"[:200])
    hints = _hints(kind)
    given = {}
    for field in dataclasses.fields(kind):
        if field.name in data:
            try:
                given[field.name] = _value(hints[field.name], data[field.name])
            except (TypeError, ValueError) as error:
                raise ValueError(f"{field.name}: {error}") from error
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise KeyError(f"{kind.__name__}.{field.name}")
    return kind(**given)


@cache
def _hints(kind: type[DataclassInstance]) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, data: Any) -> Any:
    """`data` as the annotated type."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return None if data is None else _value(next(a for a in args if a is not type(None)), data)
    if hint is Any:
        return float(data) if isinstance(data, str) and data in NOT_FINITE else data
    if hint is float and (data in NOT_FINITE or (isinstance(data, int) and not isinstance(data, bool))):
        return float(data)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return from_plain(hint, data)
    wanted = {tuple: list, list: list, dict: dict, Mapping: dict}.get(origin, hint)
    if isinstance(wanted, type) and (not isinstance(data, wanted) or (isinstance(data, bool) and wanted is not bool)):
        raise ValueError(f"expected {wanted.__name__}, got {data!r}"[:200])
    if origin is tuple:
        kinds = args[:1] * len(data) if args[-1] is Ellipsis else args
        return tuple(_value(kind, item) for kind, item in zip(kinds, data, strict=True))
    if origin in (dict, Mapping):
        return {key: _value(args[1], item) for key, item in data.items()}
    if origin is list:
        return [_value(args[0], item) for item in data]
    return data
