"""Where and when the run of a page was made: pair, commit, time, host, versions. A page without a bundle has less."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trace_parity.files import parse_json
from trace_parity.result.result import Result


def about(result: Result, files: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """(label, text) of what is known, from env.json and git.json of a bundle."""
    env, git = _json(files, "env.json"), _json(files, "git.json")
    pair = _table(git, "pair").get("title", "")
    rows = [
        ("time", str(env.get("created_utc", "")).replace("T", " ").replace("+00:00", " UTC")),
        ("pair", str(pair)),
        ("reference", result.case.against),
        ("commit", _commit(git)),
        ("host", ", ".join(str(env[key]) for key in ("host", "platform") if env.get(key))),
        ("versions", _versions(env)),
    ]
    return [(label, text) for label, text in rows if text]


def _commit(git: Mapping[str, Any]) -> str:
    if not git:
        return ""
    if git.get("commit") is None:
        return "none: outside a repository"
    return f"{git.get('short', '')}{' with changes' if git.get('dirty') else ''}"


def _versions(env: Mapping[str, Any]) -> str:
    packages = _table(env, "packages")
    known = [(name, packages.get(name)) for name in ("trace-parity", "torch", "numpy")]
    named = [f"{name} {version}" for name, version in (known[0], ("Python", env.get("python")), *known[1:]) if version]
    return ", ".join([*named, *([str(env["compiler"])] if env.get("compiler") else [])])


def _table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def _json(files: Mapping[str, bytes], name: str) -> Mapping[str, Any]:
    try:
        data = parse_json(files.get(name, b"{}"))
    except ValueError:  # somebody else's bundle
        return {}
    return data if isinstance(data, Mapping) else {}
