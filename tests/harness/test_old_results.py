"""A result.json of an older version is read as one of this version, or refused in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from trace_parity.compare.sites import Examined
from trace_parity.errors import HarnessError
from trace_parity.result.result import SCHEMA, Result, to_json
from trace_parity.result.result_json import result_from_json

from tests.harness.snapshots.results import with_quirk


def stored() -> Result:
    return replace(with_quirk(), tick_name="per_phi", examined=Examined(1, 2, 3))


def as_in_0_2(result: Result) -> dict[str, Any]:
    """The plain data with the names of 0.2."""
    data: dict[str, Any] = json.loads(to_json(result))
    data["per_phi"] = data.pop("per_tick")
    data["case"]["pixels"] = data["case"].pop("places")
    return data


def as_in_0_1(result: Result) -> dict[str, Any]:
    """The same with the names of 0.1, which named no files of the table."""
    data = as_in_0_2(result)
    examined = data.pop("examined")
    data["looked"] = {"pixels": examined.pop("sites"), **examined}
    del data["tick_name"]
    return data


@pytest.mark.parametrize("older", [as_in_0_2, as_in_0_1])
def test_old_names_are_read(older: Any) -> None:
    result = stored()
    assert all((result.per_tick, result.case.places, result.examined))
    assert result_from_json(json.dumps(older(result))) == result_from_json(to_json(result))


def test_another_schema_is_refused() -> None:
    data = as_in_0_2(stored()) | {"schema": SCHEMA + 1}
    with pytest.raises(HarnessError, match=f"schema {SCHEMA + 1}, this version reads {SCHEMA}") as caught:
        result_from_json(json.dumps(data), "result.json")
    assert caught.value.code == 5
