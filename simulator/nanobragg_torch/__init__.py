"""The diffraction of nanocrystals in PyTorch: settings in, images, traces and gradients out.

from nanobragg_torch import Experiment, render, trace
"""

from __future__ import annotations

from nanobragg_torch import paused_collector  # first
from nanobragg_torch.cli.parse import from_argv
from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.experiment import Experiment
from nanobragg_torch.io.experiment_toml import from_toml
from nanobragg_torch.rendering.render import render
from nanobragg_torch.rendering.trace import trace
from nanobragg_torch.version import __version__

__all__ = ["Experiment", "ExperimentError", "__version__", "from_argv", "from_toml", "render", "trace"]

paused_collector.end()
