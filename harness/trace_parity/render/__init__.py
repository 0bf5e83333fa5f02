"""Renderers: each turns a Result into one text form, and does nothing else. A new form is a new file here."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trace_parity.result.result import Result

FORMATS = ("text", "json", "markdown", "html", "junit", "github", "step-summary", "sarif", "metrics")
"""What `--format` takes. The module of a form is named after it, with `_` for `-`."""


def renderer(form: str) -> Callable[[Result], str]:
    """The function that renders `form`; imported here, since some pull in slow libraries."""
    module = import_module(f"trace_parity.render.{form.replace('-', '_')}_form")
    render: Callable[[Result], str] = module.render
    return render
