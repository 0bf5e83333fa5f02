"""trace-parity: compare the traces of a C simulation and its port, name the first divergence, keep the proof."""

__version__ = "0.1.0"
