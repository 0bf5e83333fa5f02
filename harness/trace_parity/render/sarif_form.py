"""SARIF 2.1.0, for code scanning: one result per variable that does not agree, at the source line that prints it.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from trace_parity import __version__
from trace_parity.printable import plural
from trace_parity.render.numbers import full, relative
from trace_parity.render.places import Places
from trace_parity.result.result import Result, VariableResult, to_json

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

RULES = {
    "divergent": ("Divergence", "A variable has another value in the port than in the original."),
    "missing": ("Missing", "A variable is in one of the two traces only."),
    "verdict": ("NoParity", "The comparison as a whole is not parity."),
}
"""id, name and meaning of what may be reported, in the order of their indices."""


def render(result: Result) -> str:
    """A SARIF log of one run; parity has no results, but for those that a waiver suppresses."""
    places = Places(result)
    results = [_of_variable(result, v, places) for v in result.variables if v.status != "match"]
    if result.exit_code != 0 and not results:
        results = [_of_verdict(result, places)]
    return to_json(
        {
            "$schema": SCHEMA,
            "version": "2.1.0",
            "runs": [
                {
                    "tool": {"driver": _driver()},
                    "automationDetails": {"id": f"trace-diff/{result.case.id}"},
                    "columnKind": "unicodeCodePoints",
                    "results": results,
                    "properties": {
                        "verdict": result.verdict,
                        "exitCode": result.exit_code,
                        "headline": places.headline,
                        "neededRtol": result.needed_rtol,
                    },
                }
            ],
        }
    )


def _driver() -> dict[str, Any]:
    return {
        "name": "trace-diff",
        "version": __version__,
        "rules": [
            {"id": rule, "name": name, "shortDescription": {"text": text}, "defaultConfiguration": {"level": "error"}}
            for rule, (name, text) in RULES.items()
        ],
    }


def _of_variable(result: Result, v: VariableResult, places: Places) -> dict[str, Any]:
    name = f"{v.scope}.{v.name}"
    if v.status == "missing":
        text = f"{name}: {plural(v.c_only, 'number')} only in C, {v.py_only} only in PY."
    else:
        text = (
            f"{name}: {v.divergent} of {v.compared} numbers diverge, worst at {places.short(v.worst_at)}: "
            f"C {full(v.worst_c)}, PY {full(v.worst_py)}, {relative(v.worst_rel, v.worst_c, v.worst_py)}."
        )
    first = result.first_divergence
    properties: dict[str, Any] = {"worstRelative": v.worst_rel, "worstAbsolute": v.worst_abs, "unit": v.unit}
    if first is not None and (first.scope, first.variable) == (v.scope, v.name):
        text = f"First divergence. {text}" + (f" Known quirk {first.quirk}." if first.quirk else "")
        properties |= {"first": True, "quirk": first.quirk}
    found = {
        **_rule(v.status),
        "level": "error",
        "message": {"text": text},
        "locations": [_location(result, name, "PY")],
        "partialFingerprints": {"variable/v1": f"{result.case.id}:{name}"},
        "properties": properties,
    }
    if result.exit_code == 0:  # a waiver let it pass
        why = places.headline
        found |= {"level": "note", "suppressions": [{"kind": "external", "justification": why}]}
    if "C" in result.sources.get(name, {}):
        found["relatedLocations"] = [{"id": 1, "message": {"text": "the original"}, **_location(result, name, "C")}]
    return found


def _of_verdict(result: Result, places: Places) -> dict[str, Any]:
    text = "\n".join([places.headline, *places.problems[:20]])
    return {
        **_rule("verdict"),
        "level": "error",
        "message": {"text": text},
        "partialFingerprints": {"variable/v1": f"{result.case.id}:verdict"},
    }


def _rule(rule: str) -> dict[str, Any]:
    return {"ruleId": rule, "ruleIndex": list(RULES).index(rule)}


def _location(result: Result, name: str, side: str) -> dict[str, Any]:
    """The variable by name, and where its source line is known that too."""
    short_name = name.partition(".")[2]
    location: dict[str, Any] = {
        "logicalLocations": [{"name": short_name, "fullyQualifiedName": name, "kind": "variable"}]
    }
    source = result.sources.get(name, {}).get(side)
    if source is not None:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": quote(source.path), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": source.line, "snippet": {"text": source.text}},
        }
    return location
