"""Traces from programs that print none: probes put into C by its syntax tree, into Python as it is imported.

By hand, where neither reaches: `from trace_parity import probe; probe.put("dr", dr, axes="i j")`.
"""

from trace_parity.probe.recorder import ProbeError, at, enabled, loop, put, start, stop

__all__ = ["ProbeError", "at", "enabled", "loop", "put", "start", "stop"]
