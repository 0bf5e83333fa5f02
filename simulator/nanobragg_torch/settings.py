"""The settings of an experiment: frozen, with units in their names.

Every continuous field takes a float or a tensor (a tensor carries gradients to the image); None means "not given",
and the stages fill it in as the original does (model sections 3 to 6). Field names are unique over all classes.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.units import DEFAULT_FLUENCE_PER_M2, Number, plain

if TYPE_CHECKING:
    import numpy as np
    import torch

Vector: TypeAlias = "tuple[Number, ...] | torch.Tensor"
CONVENTIONS = ("MOSFLM", "XDS", "ADXV", "DENZO", "DIALS", "CUSTOM")
ENGINES = ("auto", "kernel", "eager")
SHAPES = ("square", "round", "gauss", "tophat")


def _numbers(value: Any) -> list[float]:
    """All numbers in a field's value: none for flags, names and arrays."""
    if isinstance(value, bool | str) or value is None:
        return []
    if isinstance(value, int | float):
        return [float(value)]
    if isinstance(value, tuple):
        return [number for entry in value for number in _numbers(entry)]
    if type(value).__module__.startswith("torch"):
        return [plain(entry) for entry in value.reshape(-1)] if value.numel() <= 16 else []
    return []


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of the settings classes: every number in them is finite."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if not all(math.isfinite(number) for number in _numbers(getattr(self, field.name))):
                raise ExperimentError(f"{field.name} is {getattr(self, field.name)}, expected finite numbers")

    def _positive(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if value is not None and any(number <= 0 for number in _numbers(value)):
                raise ExperimentError(f"{name} is {value}, expected a number above 0")

    def _one_of(self, name: str, allowed: tuple[str, ...]) -> None:
        if getattr(self, name) not in allowed:
            raise ExperimentError(f"{name} is {getattr(self, name)!r}, expected one of {', '.join(allowed)}")


@dataclass(frozen=True, kw_only=True)
class BeamSettings(Settings):
    """The X-rays: wavelength, spectrum, divergence, flux, polarisation."""

    wavelength_A: Number = 1.0
    dispersion_fraction: Number = 0.0
    dispersion_steps: int | None = None
    hdiv_range_rad: Number | None = None
    hdiv_step_rad: Number | None = None
    hdiv_steps: int | None = None
    vdiv_range_rad: Number | None = None
    vdiv_step_rad: Number | None = None
    vdiv_steps: int | None = None
    round_divergence: bool = True
    source_rows: tuple[tuple[Number | None, ...], ...] | None = None  # X Y Z weight wavelength_m
    fluence_per_m2: Number = DEFAULT_FLUENCE_PER_M2
    flux_per_s: Number = 0.0
    exposure_s: Number = 1.0
    beamsize_mm: Number = 0.1
    kahn_factor: Number = 0.0
    polarized: bool = True  # False: -nopolar

    def __post_init__(self) -> None:
        super().__post_init__()
        self._positive("wavelength_A")


@dataclass(frozen=True, kw_only=True)
class DetectorSettings(Settings):
    """The detector: pixels, placement, convention, sensor, sub-pixels."""

    pixel_mm: Number = 0.1
    detpixels_f: int | None = None
    detpixels_s: int | None = None
    detsize_f_mm: float = 102.4
    detsize_s_mm: float = 102.4
    distance_mm: Number = 100.0
    close_distance_mm: Number | None = None
    Xbeam_mm: Number | None = None
    Ybeam_mm: Number | None = None
    Xclose_mm: Number | None = None  # only the default of Xbeam; the nearest point itself comes from ORGX
    Yclose_mm: Number | None = None
    ORGX_pixels: Number | None = None
    ORGY_pixels: Number | None = None
    convention: str = "MOSFLM"
    pivot: str = "beam"  # effective only in CUSTOM
    fdet_vector: Vector | None = None  # this and the next six count only in CUSTOM
    sdet_vector: Vector | None = None
    odet_vector: Vector | None = None  # of floats, and not of length 1 to the last bit: fdet × sdet instead
    beam_vector: Vector | None = None
    polar_vector: Vector | None = None
    spindle_axis: Vector | None = None
    twotheta_axis: Vector | None = None
    rotx_deg: Number = 0.0
    roty_deg: Number = 0.0
    rotz_deg: Number = 0.0
    twotheta_deg: Number = 0.0
    curved: bool = False
    point_pixel: bool = False
    thickness_um: Number = 0.0
    attenuation_um: Number | None = None
    thick_steps: int | None = None
    oversample: int | None = None
    oversample_thick: bool = False
    oversample_polar: bool = False
    oversample_omega: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._positive("pixel_mm", "detpixels_f", "detpixels_s", "detsize_f_mm", "detsize_s_mm", "distance_mm")
        self._positive("close_distance_mm")
        self._one_of("convention", CONVENTIONS)
        self._one_of("pivot", ("beam", "sample"))


@dataclass(frozen=True, kw_only=True)
class Reflections:
    """Structure factors on a grid: `lowest` is (h_min, k_min, l_min), `F` (nh, nk, nl), unlisted points NaN.

    `listed` is how many there were in a list, duplicates and all; None for all that the grid has.
    """

    lowest: tuple[int, int, int]
    F: np.ndarray | torch.Tensor
    listed: int | None = None

    @property
    def count(self) -> int:
        """How many there are."""
        return int((self.F == self.F).sum()) if self.listed is None else self.listed  # type: ignore[union-attr]


@dataclass(frozen=True, kw_only=True)
class CrystalSettings(Settings):
    """The crystal: cell or matrix, orientation, size, shape, mosaicity, structure factors."""

    cell: Vector | None = None  # a b c [A] alpha beta gamma [deg]
    matrix_per_A: Vector | None = None  # rows x, y, z of a*, b*, c*, times the wavelength in A
    misset_deg: Vector | None = None
    misset_random: bool = False
    misset_seed: int = -1
    Na: Number = 1  # unit cells: a whole number, or a real one
    Nb: Number = 1
    Nc: Number = 1
    sample_x_mm: float | None = None
    sample_y_mm: float | None = None
    sample_z_mm: float | None = None
    shape: str = "square"
    fudge: Number = 1.0
    # As a float it is rounded to single precision as the original's is; as a tensor it is a real number, and one that
    # is 0 keeps its domains, so that it has a slope.
    mosaic_spread_deg: Number | None = None
    mosaic_domains: int | None = None
    mosaic_seed: int = -12345678
    reflections: Reflections | None = None
    default_F: Number = 0.0
    interpolate: bool | None = None  # None: decided from the cell counts

    def __post_init__(self) -> None:
        super().__post_init__()
        self._one_of("shape", SHAPES)
        if self.cell is None and self.matrix_per_A is None:
            raise ExperimentError("the crystal has neither a cell (-cell) nor a matrix (-mat)")
        if self.cell is not None:
            if len(self.cell) != 6:
                raise ExperimentError(f"cell has {len(self.cell)} numbers, expected a b c alpha beta gamma")
            self._positive("cell")
            if fault := cell_fault(_numbers(self.cell)):
                raise ExperimentError(f"cell is {self.cell}, {fault}")


def cell_fault(cell: Sequence[float]) -> str:
    """Why a b c alpha beta gamma (deg) do not make a cell; empty if they do."""
    al, be, ga = cell[3:]
    if min(cell[:3]) <= 0 or min(al, be, ga) <= 0 or max(al, be, ga) >= 180:
        return "expected lengths above 0 and angles between 0 and 180"
    if al + be + ga >= 360 or al >= be + ga or be >= ga + al or ga >= al + be:
        return f"but no cell has the angles {al:g} {be:g} {ga:g}"
    return ""


@dataclass(frozen=True, kw_only=True)
class ScanSettings(Settings):
    """The spindle rotation."""

    phi_start_deg: Number = 0.0
    osc_deg: Number | None = None
    phistep_deg: Number | None = None
    phisteps: int | None = None


@dataclass(frozen=True, kw_only=True)
class ModelSettings(Settings):
    """Other settings: resolution limit, water, and which pixels count."""

    dmin_A: float = 0.0
    water_um: Number = 0.0
    roi: tuple[int, int, int, int] | None = None  # xmin xmax ymin ymax, inclusive
    mask: np.ndarray | None = None  # (slow, fast), zero where a pixel is skipped
