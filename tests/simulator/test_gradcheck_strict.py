"""Every case and parameter of the gradient check, evaluated and differentiated once under tests/strict.py.

The check itself (test_gradcheck.py) renders thousands of times, which the strict mode makes too slow; it is the same
code that runs here.
"""

from __future__ import annotations

import pytest
import torch
from nanobragg_torch.gradcheck.cases import CASES
from nanobragg_torch.gradcheck.check import jacobian, pixels_by, places
from nanobragg_torch.parameters import PARAMETERS


@pytest.mark.parametrize("case", CASES)
def test_every_parameter_is_differentiated_strictly(case: str) -> None:
    experiment = CASES[case]()
    at = torch.tensor(list(places(experiment).values()))
    for parameter in PARAMETERS:
        start = parameter.tensor(experiment)
        if start is None:
            continue
        gradients = jacobian(pixels_by(experiment, parameter, at), start)
        assert gradients.shape == (len(at), len(start)), parameter.name
        assert gradients.dtype == torch.float64
        assert torch.isfinite(gradients).all(), parameter.name
