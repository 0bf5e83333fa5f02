"""GitHub Actions workflow commands: the verdict as an annotation."""

from __future__ import annotations

from harness.render.numbers import short
from harness.result import Result


def render(result: Result) -> str:
    """One line: a notice for parity, else an error that names the first divergence or what was not compared."""
    if result.exit_code == 0:
        return f"::notice title={_property(f'trace parity: {result.case.id}')}::{_message(result.headline)}\n"
    text = result.headline
    if (d := result.first_divergence) is not None:
        text += f"; C {d.c_text}, PY {d.py_text}, relative {short(d.rel_diff)}"
    return f"::error title={_property(f'trace {result.verdict}: {result.case.id}')}::{_message(text)}\n"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
