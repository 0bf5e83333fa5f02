"""The only exception for bad flags, values and files.

Its text is one line: the value, what was expected and, if useful, a hint.
"""

from __future__ import annotations


class ExperimentError(ValueError):
    """A flag, value or file from which no experiment can be made."""
