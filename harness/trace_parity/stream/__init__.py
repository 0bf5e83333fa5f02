"""Comparing two logs of any size: read side by side, judged as they come, nothing held that is done with.

`stream_compare` gives the Result that `result.result.compare` gives for the same logs. What goes beyond counts
(quirks, blame, the per-tick table) covers the first divergent pixels only when the logs are large; the result's notes
say so.
"""

from trace_parity.stream.compare import THRESHOLD, is_large, stream_compare, with_note
from trace_parity.stream.native import NoCompilerError
from trace_parity.stream.registry import UnsuitableError

__all__ = ["THRESHOLD", "NoCompilerError", "UnsuitableError", "is_large", "stream_compare", "with_note"]
