"""Traces: reading them from logs, holding them, writing them."""

from trace_parity.trace.reader import read_trace, read_trace_lines
from trace_parity.trace.table import Number, RowId, TraceTable, Unreadable

__all__ = ["Number", "RowId", "TraceTable", "Unreadable", "read_trace", "read_trace_lines"]
