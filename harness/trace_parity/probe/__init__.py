"""Traces from programs that print none: probes inserted into C by its syntax tree, and into Python at import.

By hand, where neither works: `from trace_parity import probe; probe.put("dr", dr, axes="i j")`.
"""

from trace_parity.probe.recorder import ProbeError, at, enabled, loop, put, start, stop

__all__ = ["ProbeError", "at", "enabled", "loop", "put", "start", "stop"]
