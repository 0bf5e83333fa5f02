"""Traces from programs that print none: probes put into C by its syntax tree, into Python as it is imported."""
