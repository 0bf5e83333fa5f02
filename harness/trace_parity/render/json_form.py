"""result.json: the Result itself."""

from trace_parity.result.result import Result, to_json


def render(result: Result) -> str:
    """All findings as JSON."""
    return to_json(result)
