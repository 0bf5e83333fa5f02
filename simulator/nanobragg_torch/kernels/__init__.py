"""Compiled kernels of the sweep, forward and backward."""
