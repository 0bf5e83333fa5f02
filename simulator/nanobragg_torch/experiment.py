"""An experiment: validated settings, and the tensors that the loops over pixels need.

`Experiment` is the public object; `Experiment.build` runs the stages that do not depend on a pixel and returns a
`Model`, which is differentiable with respect to the settings that are tensors. Source: model sections 3 to 6.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nanobragg_torch import units
from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.injected import Injected, Use, as_computed
from nanobragg_torch.rendering.blocks import one_thread
from nanobragg_torch.settings import (
    BeamSettings,
    CrystalSettings,
    DetectorSettings,
    ModelSettings,
    ScanSettings,
    Settings,
)
from nanobragg_torch.stages import accumulate, crystal, detector, sampling, sources, structure_factors
from nanobragg_torch.stages.crystal import Cell
from nanobragg_torch.stages.detector import Placement
from nanobragg_torch.stages.lattice import Counts
from nanobragg_torch.stages.random import Generator, Stream
from nanobragg_torch.units import plain

# The guard on the volume gives a crystal with coplanar reciprocal vectors a length above this.
_LARGEST_VOLUME_A3 = 1e17


@dataclass(frozen=True)
class Model:
    """The values that are the same for all pixels; K is the number of slices (φ × mosaic domains)."""

    place: Placement
    misset_rad: Tensor  # (3,)
    cell: Cell
    cells: Counts
    umats: Tensor  # (M, 3, 3)
    slices: Cell
    real_m: Tensor  # (3 of a b c, 3 of x y z, K, 1)
    phi_deg: Tensor  # (K,)
    osc_rad: units.Number
    domains: int
    sources: sources.Sources
    table: structure_factors.Table | None
    default_F: Tensor
    interpolate: bool
    shape: str
    fudge: Tensor
    kahn: Tensor | None
    polarized: bool
    fluence: Tensor
    background: Tensor
    has_water: bool
    dmin_m: float
    oversample: int
    recommended_oversample: int
    oversample_thick: bool
    oversample_polar: bool
    oversample_omega: bool
    curved: bool
    point_pixel: bool
    layers: int
    layer_depth: Tensor
    thickness: Tensor
    mu: Tensor  # -1 where there is no sensor
    steps: int
    generator: Generator

    @property
    def like(self) -> Tensor:
        """A tensor of the model's dtype and device."""
        return self.fluence

    @property
    def requires_grad(self) -> bool:
        """Does any value that a pixel depends on require a gradient?"""
        p = self.place
        parts = (self.real_m, self.cell.reciprocal_A, p.pix0, p.fdet, p.sdet, p.odet, p.pixel, p.close_distance, p.beam)
        others = (p.distance, p.polar, self.sources.incident, self.sources.wavelength_m, self.default_F, self.fudge)
        last = (self.kahn, self.fluence, self.background, self.layer_depth, self.mu)
        table = None if self.table is None else self.table.F
        counts = (n for n in self.cells if isinstance(n, Tensor))
        return any(t is not None and t.requires_grad for t in (*parts, *others, *last, table, *counts))


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """The settings of a simulation, and the dtype and device it runs in."""

    beam: BeamSettings = field(default_factory=BeamSettings)
    detector: DetectorSettings = field(default_factory=DetectorSettings)
    crystal: CrystalSettings
    scan: ScanSettings = field(default_factory=ScanSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    dtype: torch.dtype = torch.float64
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __post_init__(self) -> None:
        if self.dtype not in (torch.float64, torch.float32):
            raise ExperimentError(f"dtype is {self.dtype}, expected torch.float64 or torch.float32")

    def replace(self, **values: Any) -> Experiment:
        """A copy with fields of any of the settings classes (or dtype, device) replaced, by name."""
        changed: dict[str, Any] = {name: values.pop(name) for name in ("dtype", "device") if name in values}
        for name in ("beam", "detector", "crystal", "scan", "model"):
            part: Settings = getattr(self, name)
            mine = {f.name: values.pop(f.name) for f in dataclasses.fields(part) if f.name in values}
            if mine:
                changed[name] = dataclasses.replace(part, **mine)
        if values:
            raise ExperimentError(f"no setting is called {', '.join(sorted(values))}")
        return dataclasses.replace(self, **changed)

    def build(self, injected: Injected | None = None) -> Model:
        """Run every stage that does not depend on a pixel; `injected` values replace computed ones.

        In float64 on the CPU whatever the experiment's dtype and device, to which the model is converted at the end,
        once: counts and branches are decided as in the original, the vectors of a float32 model are only rounded, those
        of a CUDA model are bit-identical, and no device runs a thousand small kernels.
        """
        with one_thread():
            model: Model = map_tensors(self._build(injected), lambda tensor: tensor.to(self.device, self.dtype))
        return model

    def _build(self, injected: Injected | None) -> Model:
        use = as_computed if injected is None else injected.run
        like = torch.zeros((), dtype=torch.float64, device="cpu")

        def t(value: units.Number) -> Tensor:
            return units.tensor(value, like)

        beam, det, xtal = self.beam, self.detector, self.crystal
        place = detector.place(det, like, use)
        mask = self.model.mask
        if mask is not None and mask.size < place.pixels_s * place.pixels_f:
            raise ExperimentError(f"the mask has shape {mask.shape}, the detector {(place.pixels_s, place.pixels_f)}")
        generator = Generator()  # the order of its use is the original's: misset, mosaic domains, noise
        random_misset = Stream(generator, xtal.misset_seed) if xtal.misset_random else None
        misset = crystal.misset_angles(xtal.misset_deg, random_misset, like)
        cell = crystal.build_cell(xtal, beam.wavelength_A, misset, use)
        if not 0.0 < abs(plain(cell.volume_A3)) < _LARGEST_VOLUME_A3:
            raise ExperimentError(
                f"the crystal's vectors span a volume of {plain(cell.volume_A3):g} A^3, expected a cell"
            )
        cells = crystal.cell_counts(xtal, cell.real_A, plain(units.mm(beam.beamsize_mm)))
        if injected is not None:
            cells = _injected_cells(cells, use)

        domains = sampling.mosaic_domain_count(xtal.mosaic_domains, xtal.mosaic_spread_deg)
        spread = units.deg(xtal.mosaic_spread_deg) if xtal.mosaic_spread_deg is not None else 0.0
        is_mosaic = domains > 1 or plain(spread) > 0
        umats = crystal.mosaic_umats(spread, domains, xtal.mosaic_seed, generator, like)
        if injected is not None:
            drawn, umats = umats, injected.umats(umats)
            is_mosaic = is_mosaic or umats is not drawn
        phi = sampling.sample_phi(self.scan.phisteps, *self._phi_range())
        ticks = torch.arange(phi.ticks, dtype=like.dtype, device=like.device)
        phi_rad = t(units.deg(self.scan.phi_start_deg)) + t(phi.step) * ticks
        slices = crystal.slices(cell, place.spindle, phi_rad, umats if is_mosaic else None)

        beams = sources.build_sources(beam, place)
        layers = sampling.sample_thickness(det.thick_steps, units.um(det.thickness_um))
        oversample, recommended = self._oversample(cell, cells, place)
        fluence = self._fluence(like)
        water = t(units.um(self.model.water_um))
        return Model(
            place=place,
            misset_rad=misset,
            cell=cell,
            cells=cells,
            umats=umats,
            slices=slices,
            real_m=crystal.in_metres(slices.real_A),
            phi_deg=(phi_rad * units.DEG_PER_RAD).repeat_interleave(domains),
            osc_rad=phi.range,
            domains=domains,
            sources=beams,
            table=structure_factors.build_table(xtal.reflections, xtal.default_F, like),
            default_F=t(xtal.default_F),
            interpolate=self._interpolate(),
            shape=xtal.shape,
            fudge=t(xtal.fudge),
            kahn=None if isinstance(beam.kahn_factor, int | float) and beam.kahn_factor == 0 else t(beam.kahn_factor),
            polarized=beam.polarized,
            fluence=fluence,
            background=accumulate.background(water, fluence),
            has_water=plain(water) != 0,
            dmin_m=self.model.dmin_A / units.A_PER_M,
            oversample=oversample,
            recommended_oversample=recommended,
            oversample_thick=det.oversample_thick,
            oversample_polar=det.oversample_polar,
            oversample_omega=det.oversample_omega,
            curved=det.curved,
            point_pixel=det.point_pixel,
            layers=layers.ticks,
            layer_depth=t(layers.step),
            thickness=t(layers.range),
            mu=self._attenuation(like),
            steps=beams.wavelength_m.shape[0] * domains * phi.ticks * oversample**2,
            generator=generator,
        )

    def _phi_range(self) -> tuple[units.Number | None, units.Number | None]:
        osc, step = self.scan.osc_deg, self.scan.phistep_deg
        return (None if osc is None else units.deg(osc), None if step is None else units.deg(step))

    def _fluence(self, like: Tensor) -> Tensor:
        b = self.beam
        if plain(b.flux_per_s) != 0 and plain(b.exposure_s) > 0 and plain(b.beamsize_mm) >= 0:
            size = units.tensor(units.mm(b.beamsize_mm), like)  # a size of 0 makes the fluence infinite
            return units.tensor(b.flux_per_s * b.exposure_s, like) / size / size
        return units.tensor(b.fluence_per_m2, like)

    def _attenuation(self, like: Tensor) -> Tensor:
        """μ (m⁻¹): from the flag, else the reciprocal of the thickness, else -1."""
        d = self.detector
        if d.attenuation_um is not None:
            return units.tensor(1.0 / units.um(d.attenuation_um) if plain(d.attenuation_um) > 0 else 0.0, like)
        return units.tensor(1.0 / units.um(d.thickness_um) if plain(d.thickness_um) > 0 else -1.0, like)

    def _oversample(self, cell: Cell, cells: Counts, place: Placement) -> tuple[int, int]:
        lengths = crystal.plain_lengths(cell.real_A)
        extent = max(plain(n) * length for n, length in zip(cells, lengths, strict=True)) / units.A_PER_M
        wavelength = plain(self.beam.wavelength_A) / units.A_PER_M
        recommended = sampling.recommended_oversample(extent, wavelength, plain(place.distance), plain(place.pixel))
        given = self.detector.oversample
        return (recommended if given is None or given <= 0 else given), recommended

    def _interpolate(self) -> bool:
        """On when requested, or when a count of cells as given is 2 or less; never without reflections."""
        c = self.crystal
        if c.reflections is None:
            return False
        return min(plain(n) for n in (c.Na, c.Nb, c.Nc)) <= 2 if c.interpolate is None else c.interpolate


def _injected_cells(cells: Counts, use: Use) -> Counts:
    """The counts of cells as whole numbers, for another program."""
    own = torch.tensor([plain(n) for n in cells], dtype=torch.float64, device="cpu")
    injected = use("N_cells", own)
    if injected is own:
        return cells
    Na, Nb, Nc = (max(int(n), 1) for n in injected.tolist())
    return Na, Nb, Nc


def map_tensors(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A dataclass of dataclasses, tuples and tensors (a model, say) with every floating-point tensor changed."""
    if isinstance(value, Tensor):
        return change(value) if value.is_floating_point() else value
    if isinstance(value, tuple):
        return tuple(map_tensors(entry, change) for entry in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: map_tensors(getattr(value, f.name), change) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **fields)
    return value
