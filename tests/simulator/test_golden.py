"""Images and traces against the figures of the original program, case by case."""

from __future__ import annotations

import functools
import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from nanobragg_torch import Experiment, from_argv, render, trace

from tests import golden
from tests import tolerances as tol
from tests.golden import needs_shared

CASES = sorted(golden.golden_cases())
# The golden log begins with the second of the first sub-sample's lines; ours has that line, which is not a fault.
LINES_THE_GOLDEN_LACKS = {
    "interp_edge": ["extra: spixel=31 fpixel=48 thick_tic=0 subS=0 subF=0 pix0_vector_meters"],
}


def experiment_of(case_id: str) -> Experiment:
    return from_argv(golden.golden_cases()[case_id].args, folder=golden.INPUTS)


def faults_of_trace(experiment: Experiment, golden_text: str) -> list[str]:
    traced = trace(experiment, golden.traced_pixels(golden_text))
    return golden.trace_faults("\n".join(traced.lines()), golden_text, math.prod(float(n) for n in traced.model.cells))


def test_no_case_was_lost() -> None:
    if golden.GOLDEN.is_dir():
        assert len(CASES) == 103
        assert set(golden.MAIN_JOB) <= set(CASES)


@needs_shared
@pytest.mark.parametrize("case_id", CASES)
def test_image_and_trace(case_id: str) -> None:
    experiment = experiment_of(case_id)
    with torch.no_grad():
        image = render(experiment)
    assert image.dtype == torch.float64
    assert golden.image_faults(image.to(torch.float32).numpy(), golden.golden_image(case_id)) == ""
    path = golden.golden_cases()[case_id].trace_path
    if path.exists():
        faults = faults_of_trace(experiment, path.read_text())
        assert faults == LINES_THE_GOLDEN_LACKS.get(case_id, [])


@functools.cache
def supervisor() -> tuple[Experiment, dict[str, Any]]:
    case = json.loads((golden.SUPERVISOR / "pixels.json").read_text())
    return from_argv(case["args"], folder=golden.SHARED / "data"), case


@needs_shared
def test_supervisor_pixels() -> None:
    experiment, case = supervisor()
    with torch.no_grad():
        image = render(experiment).to(torch.float32).numpy()
    slow, fast = np.array(case["pixels"]).T
    want = np.array(case["spec_values"])
    assert image.shape == tuple(case["shape"])
    assert (np.abs(image[slow, fast] - want) <= tol.IMAGE_REL * want).all()
    assert image.max() == pytest.approx(case["spec"]["max"], rel=tol.IMAGE_REL)
    assert image.sum(dtype=np.float64) == pytest.approx(case["spec"]["sum"], rel=tol.IMAGE_REL)
    assert not np.allclose(image[slow, fast], np.array(case["phi_carryover_values"]), rtol=1e-3)


@needs_shared
def test_supervisor_trace() -> None:
    experiment, _ = supervisor()
    assert faults_of_trace(experiment, (golden.SUPERVISOR / "trace_685_1039.log").read_text()) == []
