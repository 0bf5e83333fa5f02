"""The model that an image was rendered from, for the formats that keep its geometry."""

from __future__ import annotations

import numpy as np
import torch

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.experiment import Experiment, Model


def model_of(image: np.ndarray, experiment: Experiment, model: Model | None, flag: str) -> Model:
    """`model`, or what the experiment builds; ExperimentError where the image (slow, fast) is not of its detector."""
    if model is None:
        with torch.no_grad():
            model = experiment.build()
    expected = (model.place.pixels_s, model.place.pixels_f)
    if image.shape != expected:
        raise ExperimentError(f"{flag}: the image has shape {image.shape}, expected {expected}")
    return model
