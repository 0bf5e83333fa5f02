"""The diffraction of nanocrystals in PyTorch: settings in, images, traces and gradients out.

from simulator import Experiment, render, trace
"""

from __future__ import annotations

from simulator.errors import ExperimentError
from simulator.experiment import Experiment
from simulator.render import render
from simulator.trace import trace
from simulator.version import __version__

__all__ = ["Experiment", "ExperimentError", "__version__", "render", "trace"]
