"""The command line: the flags of the original, read by whole name, and the program around the simulation."""

from nanobragg_torch.cli.run import main

__all__ = ["main"]
