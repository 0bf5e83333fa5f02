"""A model ready for the kernels: its numbers laid out as they take them, its sub-samples in a list."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.experiment import Model
from nanobragg_torch.kernels import cache
from nanobragg_torch.kernels.cache import Kernel, KernelError
from nanobragg_torch.kernels.stages_as_modules import is_fusible, sweep_variant, variants
from nanobragg_torch.settings import ENGINES
from nanobragg_torch.stages import detector, polarization, scattering

# Below this many steps an image is rendered before a kernel would be compiled, and hardly later where it is there.
KERNEL_PAYS_FROM_STEPS = 4_000_000
_LOG = logging.getLogger("nanobragg_torch")


def fused_model(model: Model, engine: str, steps: int) -> FusedModel | None:
    """The model for the kernels where `engine` wants them, or None for the eager path.

    `auto` takes them for at least KERNEL_PAYS_FROM_STEPS steps, so that which path is taken never depends on what was
    rendered before. Raises ExperimentError for an unknown engine, and for `kernel` where there can be none.
    """
    if engine not in ENGINES:
        raise ExperimentError(f"engine is {engine!r}, expected one of {', '.join(ENGINES)}")
    if engine == "eager" or (engine == "auto" and steps < KERNEL_PAYS_FROM_STEPS):
        return None
    try:
        if not is_fusible(model):
            raise KernelError(
                "there is none with -oversample_thick, -oversample_polar or -oversample_omega, for cell counts that "
                "are no whole numbers, or beyond the CPU"
            )
        if not cache.stages_are_as_compiled():
            raise KernelError("a stage function has been replaced")
        found = cache.kernels(variants(model))
    except KernelError as error:
        if engine == "kernel":
            raise ExperimentError(f"engine is 'kernel', but {error}") from None
        if is_fusible(model):
            _LOG.warning("rendering without compiled kernels, several times slower: %s", error)
        return None
    return FusedModel(model, found)


class Numbers(NamedTuple):
    """What kernels take of a model, in the order of `fused.Placed`, `Swept` and `Ended`."""

    subs: Tensor  # (B, 3)
    oversample: Tensor
    place: list[Tensor]  # from `beam` on
    beams: list[Tensor]
    crystal: list[Tensor]
    table: list[Tensor]
    steps: Tensor
    scale: list[Tensor]
    last_layer: Tensor
    sensor: list[Tensor]


def numbers(model: Model) -> Numbers:
    """Connected to the model's tensors."""
    m, p, like = model, model.place, model.like
    number = like.new_tensor
    n = range(m.oversample)
    subs = [
        torch.stack((number(subS), number(subF), m.layer_depth * layer))
        for layer, subS, subF in itertools.product(range(m.layers), n, n)
    ]
    if m.table is None:
        table = [number(0.0).reshape(1, 1, 1), like.new_zeros(3, 3)]
    else:
        grid = like.new_tensor([m.table.shape, m.table.lowest, m.table.highest])
        table = [m.table.F.contiguous(), grid]
    cells = torch.stack([N if isinstance(N, Tensor) else number(N) for N in m.cells])
    incident = m.sources.incident[0]
    kahn = m.kahn if m.kahn is not None else number(0.0)
    return Numbers(
        subs=torch.stack(subs),
        oversample=number(m.oversample),
        place=[p.beam, p.fdet, p.sdet, p.odet, p.pix0, p.pixel, p.distance, p.close_distance],
        beams=[m.sources.incident.contiguous(), m.sources.wavelength_m.contiguous()],
        crystal=[m.real_m[..., 0].permute(2, 0, 1).contiguous(), cells, m.fudge, m.cell.reciprocal_A.contiguous()],
        table=table,
        steps=number(m.steps),
        scale=[m.fluence, incident, *polarization.axes(incident, p.polar), kahn],
        last_layer=number(m.layers - 1),
        sensor=[m.layer_depth, m.mu],
    )


class FusedModel:
    """Evaluates pixels of a model by the kernels of its variants: `fused.Whole`, or `Ray`, `Sweep` and `End`."""

    def __init__(self, model: Model, found: Sequence[Kernel]) -> None:
        self.model = model
        self._whole = found[0] if len(found) == 1 else None
        if self._whole is None:
            self._ray, self._sweep, self._end = found
        self._takes = sweep_variant(model).takes
        with torch.no_grad():
            self.numbers = n = numbers(model)
        self._subs, self._beams = n.subs, cut(n.beams)
        self._place = cut([n.oversample, *n.place])
        dmin_m = model.like.new_tensor(model.dmin_m)
        self._swept = cut([*n.crystal, *n.table, model.default_F, dmin_m])
        self._scale, self._sensor = cut([n.steps, *n.scale]), cut([n.last_layer, *n.sensor])

    @property
    def is_whole(self) -> bool:
        """Does one kernel make all of a pixel?"""
        return self._whole is not None

    def evaluate(self, slow: Tensor, fast: Tensor, top: int = 0, out: Tensor | None = None) -> Tensor:
        """The values (P,) of pixels at (slow + top, fast), as `evaluate.evaluate` gives them to rounding, in `out`."""
        I = out if out is not None else torch.empty_like(slow)
        background = self.model.background.detach()
        subs = self._subs + self._subs.new_tensor((top * self.model.oversample, 0, 0))  # whole numbers: the same bits
        polar = self._first_polar(slow + top, fast) if self.model.dmin_m > 0 else background.new_zeros(1)
        first = [slow, fast, subs[0], *self._place]
        after = [*self._scale, polar, *self._sensor]
        if self._whole is not None:
            self._whole([I, background, *first, self._beams[1][0], *self._swept, *after])
            return I
        I.copy_(background)
        for rays in self._rays(slow, fast, subs):
            self._sweep([I, *rays, *self._swept])
        self._end([I, *first, *after])
        return I

    def _rays(self, slow: Tensor, fast: Tensor, subs: Tensor) -> Iterator[list[Tensor]]:
        """What each call of the sweep is given; see `fused.inputs`."""
        if self._takes == "places":
            yield [slow, fast, subs, *self._place, *self._beams]
            return
        for sub in subs:
            at = [slow, fast, sub, *self._place]
            if self._takes == "directions":
                yield [*self._ray(at), *self._beams]
            else:
                for beam in zip(*(torch.split(each, 1) for each in self._beams), strict=True):
                    yield self._ray([*at, *beam])

    def _first_polar(self, slow: Tensor, fast: Tensor) -> Tensor:
        """quirk first-value: the polarisation of the first source that is not beyond dmin, 0 if all are."""
        m = self.model
        polar_final = torch.zeros_like(slow)
        seen = torch.zeros_like(slow, dtype=torch.bool)
        for subS, subF, depth in (sub.unbind() for sub in self._subs):
            position = detector.pixel_position(m.place, slow, fast, (subS, subF), m.oversample, depth, m.curved)
            _, diffracted = detector.airpath(position)
            for incident, wavelength in zip(m.sources.incident, m.sources.wavelength_m, strict=True):
                q = scattering.scattering_vector(diffracted, incident[:, None], wavelength)
                takes = ~seen & scattering.is_resolved(q, m.dmin_m)
                polar = torch.ones_like(slow)
                if m.polarized:
                    polar = polarization.polarization_factor(m.kahn, incident, diffracted, m.place.polar)
                polar_final = torch.where(takes, polar, polar_final)
                seen |= takes
                if bool(seen.all()):
                    return polar_final
        return polar_final


def cut(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Without a graph and in one piece each, as kernels take them."""
    return [tensor.detach().contiguous() for tensor in tensors]
