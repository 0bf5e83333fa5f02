"""result.json: the Result itself."""

from harness.result import Result, to_json


def render(result: Result) -> str:
    """All findings as JSON."""
    return to_json(result)
