"""The gradient of two pixels, one near a peak and one between peaks, by every parameter of an experiment."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nanobragg_torch.experiment import Experiment
from nanobragg_torch.gradcheck import series
from nanobragg_torch.parameters import PARAMETERS, Parameter
from nanobragg_torch.rendering.render import render

# Of a parameter of many numbers, those that the two pixels depend on most; the others through one random direction.
_COMPONENTS_AT_MOST = 9
# torch.autograd.gradcheck, on pixels and parameters scaled so that the largest derivative is 1.
_EPS, _ATOL, _RTOL = 1e-5, 1e-5, 1e-4
_CANCELLED = 1e-2


@dataclass(frozen=True)
class Row:
    """One parameter of one case at one place: the component whose differences fit worst, and the verdict over all."""

    case: str
    parameter: str
    unit: str
    place: str  # near or between
    pixel: tuple[int, int]
    component: str
    analytic: float
    difference: float
    error: float
    order: float | None
    components: int
    gradcheck: bool
    verdict: str  # ok, exact, none or wrong

    @property
    def is_good(self) -> bool:
        """Is the gradient correct? One that does not depend on the parameter is correct too, and is called `none`."""
        return self.verdict != "wrong"


def places(experiment: Experiment) -> dict[str, tuple[int, int]]:
    """The brightest pixel outside the direct beam, and one of medium brightness: (slow, fast)."""
    with torch.no_grad():
        model = experiment.build()
        image = render(experiment, model=model)
    height, width = image.shape
    slow, fast = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    pixel = float(model.place.pixel)
    away = torch.hypot(slow - float(model.place.Sbeam) / pixel, fast - float(model.place.Fbeam) / pixel)
    lit = torch.where(away < 4, torch.zeros_like(image), image).reshape(-1)
    order = torch.argsort(lit)[(lit == 0).sum() :]
    chosen = {"near": int(order[-1]), "between": int(order[len(order) // 2])}
    return {name: divmod(flat, width) for name, flat in chosen.items()}


def check(case: str, experiment: Experiment, parameters: Sequence[Parameter] = PARAMETERS) -> Iterator[list[Row]]:
    """The rows of each parameter in turn, none for one that the experiment has not; in float64 on the CPU."""
    experiment = dataclasses.replace(experiment, dtype=torch.float64, device=torch.device("cpu"))
    pixels = places(experiment)
    at = torch.tensor(list(pixels.values()))
    for parameter in parameters:
        yield _rows(case, experiment, parameter, pixels, at)


def _rows(
    case: str, experiment: Experiment, parameter: Parameter, pixels: dict[str, tuple[int, int]], at: Tensor
) -> list[Row]:
    start = parameter.tensor(experiment)
    if start is None:
        return []
    values = pixels_by(experiment, parameter, at)
    gradients = jacobian(values, start)
    directions = _directions(start, gradients)
    agrees = _gradcheck(values, start, directions, gradients, parameter.scale)
    lines = {name: _Line(values, start, direction) for name, direction in directions}
    rows = []
    for index, (place, pixel) in enumerate(pixels.items()):
        found = [
            (name, series.check(lines[name].of(index), float(gradients[index] @ direction), parameter.scale))
            for name, direction in directions
        ]
        rows.append(_row(case, parameter, place, pixel, found, agrees[index]))
    return rows


def pixels_by(experiment: Experiment, parameter: Parameter, at: Tensor) -> Callable[[Tensor], Tensor]:
    """The values of the pixels `at` (n, 2) as a function of the parameter's numbers."""

    def values(numbers: Tensor) -> Tensor:
        return render(parameter.put(experiment, numbers), at)

    return values


class _Line:
    """The values along one direction; both pixels are evaluated together and kept."""

    def __init__(self, values: Callable[[Tensor], Tensor], start: Tensor, direction: Tensor) -> None:
        self._values, self._start, self._direction = values, start, direction
        self._known: dict[float, list[float]] = {}

    def of(self, index: int) -> Callable[[float], float]:
        """The value of one pixel as a function of the step."""

        def f(step: float) -> float:
            if step not in self._known:
                with torch.no_grad():
                    self._known[step] = self._values(self._start + step * self._direction).tolist()
            return self._known[step][index]

        return f


def jacobian(values: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """(pixels, numbers): the gradient of each value; zeros where a value does not depend on the numbers at all."""
    leaf = start.clone().requires_grad_()
    result = values(leaf)
    if not result.requires_grad:
        return torch.zeros(result.shape[0], start.shape[0], dtype=start.dtype)
    rows = [
        torch.autograd.grad(value, leaf, retain_graph=True, allow_unused=True, materialize_grads=True)[0]
        for value in result
    ]
    return torch.stack(rows)


def _directions(start: Tensor, gradients: Tensor) -> list[tuple[str, Tensor]]:
    """Unit steps of every number, or of those that count most and of all in a random direction."""
    size = start.shape[0]
    units = torch.eye(size, dtype=start.dtype) if size <= _COMPONENTS_AT_MOST else None
    if units is not None:
        return [(str(i), unit) for i, unit in enumerate(units)]
    most = torch.argsort(gradients.abs().amax(0), descending=True)[: _COMPONENTS_AT_MOST - 1]
    chosen = [(str(int(i)), torch.zeros_like(start).index_fill(0, i, 1.0)) for i in most]
    random = torch.randn(size, dtype=start.dtype, generator=torch.Generator().manual_seed(1))
    return [*chosen, ("all", random / random.abs().max())]


def _gradcheck(
    values: Callable[[Tensor], Tensor],
    start: Tensor,
    directions: list[tuple[str, Tensor]],
    gradients: Tensor,
    scale: float,
) -> list[bool]:
    """torch.autograd.gradcheck along the directions, by pixel, each scaled so that its largest derivative is 1."""
    matrix = torch.stack([direction for _, direction in directions]) * scale
    largest = (gradients @ matrix.T).abs().amax(1)
    with torch.no_grad():
        size = values(start).abs()
    # Where all derivatives cancel, their rounding does not give a scale.
    largest = torch.where(largest < _CANCELLED * size, size, largest)
    largest = torch.where(largest == 0, torch.ones_like(largest), largest)

    def scaled(u: Tensor, *rows: int) -> Tensor:
        return (values(start + u @ matrix) / largest)[list(rows)]

    def passes(*rows: int) -> bool:
        steps = torch.zeros(len(directions), dtype=start.dtype, requires_grad=True)
        return torch.autograd.gradcheck(
            lambda u: scaled(u, *rows), steps, eps=_EPS, atol=_ATOL, rtol=_RTOL, raise_exception=False
        )

    together = range(len(gradients))
    return [True for _ in together] if passes(*together) else [passes(row) for row in together]


def _row(
    case: str,
    parameter: Parameter,
    place: str,
    pixel: tuple[int, int],
    found: list[tuple[str, series.Series]],
    agrees: bool,
) -> Row:
    verdicts = {one.verdict for _, one in found}
    verdict = next(v for v in ("wrong", "ok", "exact", "none") if v in verdicts)
    # The worst of those that made the verdict.
    name, worst = max(
        (entry for entry in found if entry[1].verdict == verdict),
        key=lambda entry: entry[1].error / (abs(entry[1].analytic) or 1.0),
    )
    return Row(
        case,
        parameter.name,
        parameter.unit,
        place,
        pixel,
        name,
        worst.analytic,
        worst.difference,
        worst.error,
        worst.order,
        len(found),
        agrees,
        verdict if agrees else "wrong",
    )
