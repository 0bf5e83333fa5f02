"""The one exception that bad flags, values and files raise.

Its text is one line: what was got, what was expected, and where it helps, a hint.
"""

from __future__ import annotations


class ExperimentError(ValueError):
    """A flag, a value or a file that cannot make an experiment."""
