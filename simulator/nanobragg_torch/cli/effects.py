"""What each flag does, in the order of the command line, side effects on pivot and convention included.

Source: cli.md of the specification; quirks custom-switch, pix0-ignored, twotheta-axis-sets-twotheta,
misset-seed-clobbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nanobragg_torch import settings, units
from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io import dump, hkl, mat, source_list, xtal
from nanobragg_torch.progress import Progress
from nanobragg_torch.settings import ENGINES, Reflections
from nanobragg_torch.settings_table import PIVOTS, PLAIN, SWITCHES

if TYPE_CHECKING:
    from nanobragg_torch.experiment import Experiment

Value = float | int | str
VECTORS = (
    "fdet_vector",
    "sdet_vector",
    "odet_vector",
    "beam_vector",
    "polar_vector",
    "spindle_axis",
    "twotheta_axis",
)


@dataclass(frozen=True)
class Outputs:
    """What to write and print according to the flags; a path of None means the flag was not given."""

    floatfile: Path | None = None
    intfile: Path | None = None
    pgmfile: Path | None = None
    noisefile: Path | None = None
    cbffile: Path | None = None
    nexusfile: Path | None = None
    with_pgm: bool = True
    with_noise: bool = True
    scale: float = 0.0
    pgm_scale: float = 0.0
    adc_offset: float = 40.0
    noise_seed: int = -1
    printout: bool = False
    printout_pixel: tuple[int, int] | None = None  # fast, slow
    progress: bool = True
    trace_pixels: tuple[tuple[int, int], ...] = ()
    trace_file: Path | None = None
    inject: tuple[str, ...] = ()  # quantities whose values come from `inject_from`
    inject_from: Path | None = None
    threads: int | None = None
    engine: str = "auto"
    show_config: bool = False
    mask_file: Path | None = None  # as the command line names it
    dump_file: Path | None = None  # where the reflections read from -hkl are dumped


@dataclass
class State:
    """Settings while flags are read; `experiment` returns the frozen ones."""

    folder: Path
    warnings: list[str]
    beam: dict[str, Any] = field(default_factory=dict)
    detector: dict[str, Any] = field(default_factory=dict)
    crystal: dict[str, Any] = field(default_factory=dict)
    scan: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    runtime: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    hkl_column: str | None = None
    cell_given: list[float] = field(default_factory=list)  # numbers of -cell so far
    summing: Callable[[str], Progress] | None = None  # reports the progress of a sum over a file's atoms

    def __post_init__(self) -> None:
        now = int(time.time())  # seeds that were not given
        self.outputs["noise_seed"] = -now
        self.crystal["misset_seed"] = -now

    @property
    def has_orientation(self) -> bool:
        """Is there a cell or a matrix, or a file of reflections that has a cell?"""
        return "cell" in self.crystal or "mat" in self.files or xtal.is_crystal_file(self.files.get("hkl", Path()))

    def path(self, name: Value) -> Path:
        """A file name of the command line, relative to its folder."""
        return self.folder / str(name)

    def experiment(self) -> Experiment:
        """The frozen experiment; ExperimentError for invalid settings."""
        from nanobragg_torch.experiment import Experiment

        return Experiment(
            beam=settings.BeamSettings(**self.beam),
            detector=settings.DetectorSettings(**self.detector),
            crystal=settings.CrystalSettings(**self.crystal),
            scan=settings.ScanSettings(**self.scan),
            model=settings.ModelSettings(**self.model),
            **self.runtime,
        )


def apply(state: State, key: str, name: str, values: list[Value]) -> None:
    """Apply one flag; ExperimentError names it if its value is invalid."""
    if key == "threads" and float(values[0]) < 1:
        raise ExperimentError(f"{name} has the value {values[0]}, expected a whole number above 0")
    if key in _PIXELS:
        _pixels(state, key, name, values)
    if key in PIVOTS:
        state.detector["pivot"] = PIVOTS[key]
    if key in PLAIN:
        part, fields, convert = PLAIN[key]
        value = convert(values[0]) if convert is not None else values[0]
        if isinstance(value, Path):
            value = state.path(str(value))
        getattr(state, part).update(dict.fromkeys(fields, value))
    elif key in SWITCHES:
        part, field_name, value = SWITCHES[key]
        getattr(state, part)[field_name] = value
    elif key in VECTORS:
        _vector(state, key, name, values)
    elif key in _SPECIAL:
        _SPECIAL[key](state, name, values)


def clobber_misset(state: State, angles_deg: tuple[float, float, float]) -> None:
    """quirk misset-seed-clobbers: the seed flag sets the angles and cancels a random orientation."""
    state.crystal["misset_deg"] = angles_deg
    state.crystal["misset_random"] = False


def _vector(state: State, key: str, name: str, values: list[Value]) -> None:
    if all(value == 0 for value in values):
        raise ExperimentError(f"{name} is the zero vector, expected a direction")
    state.detector[key] = tuple(float(value) for value in values)
    state.detector["convention"] = "CUSTOM"  # quirk custom-switch
    if key == "twotheta_axis":
        # quirk twotheta-axis-sets-twotheta
        state.detector["twotheta_deg"] = float(values[0])
        state.detector["pivot"] = "sample"


def _pix0(state: State, name: str, values: list[Value]) -> None:
    state.detector["convention"] = "CUSTOM"  # quirk custom-switch
    state.warnings.append(
        f"{name} only switches to custom vectors: the detector origin is computed from beam centre and distance"
    )


_PIXELS = {
    "detpixels": ("detpixels_f", "detpixels_s"),
    "detpixels_f": ("detpixels_f",),
    "detpixels_s": ("detpixels_s",),
}


def _pixels(state: State, key: str, name: str, values: list[Value]) -> None:
    count = int(values[0])
    if count < 0:
        raise ExperimentError(f"{name} has the value {count}, expected a whole number of 0 (not given) or above")
    state.detector.update(dict.fromkeys(_PIXELS[key], count or None))


def _cell(state: State, name: str, values: list[Value]) -> None:
    # quirk second-cell: a later, shorter -cell replaces as many numbers as it has and keeps the others.
    given = [float(value) for value in values]
    kept = state.cell_given[len(given) :]
    if kept:
        state.warnings.append(
            f"this {name} has {len(given)} numbers: the other {len(kept)} are those of the one before"
        )
    state.cell_given = given = given + kept
    full = [*given[:3], *[given[0]] * (3 - len(given[:3])), *given[3:], *[90.0] * (3 - len(given[3:]))]
    if fault := settings.cell_fault(full):
        raise ExperimentError(f"{name} has the values {full}, {fault}")
    state.crystal["cell"] = tuple(full)


def _misset(state: State, name: str, values: list[Value]) -> None:
    if isinstance(values[0], str):
        state.crystal["misset_random"] = True
    else:
        state.crystal["misset_deg"] = tuple(float(value) for value in values)


def _energy(state: State, name: str, values: list[Value]) -> None:
    if float(values[0]) <= 0:
        raise ExperimentError(f"{name} has the value {values[0]}, expected an energy above 0")
    state.beam["wavelength_A"] = units.HC_EV_A / float(values[0])


def _polar(state: State, name: str, values: list[Value]) -> None:
    state.beam.update(kahn_factor=float(values[0]), polarized=True)


def _pivot(state: State, name: str, values: list[Value]) -> None:
    if values[0] not in ("sample", "beam"):
        raise ExperimentError(f"{name} has the value {values[0]!r}, expected sample or beam")
    state.detector["pivot"] = values[0]


def _attenuation(state: State, name: str, values: list[Value]) -> None:
    depth = float(values[0])
    if depth == float("inf") or depth <= 0:
        state.detector.update(thickness_um=0.0, attenuation_um=0.0)
    else:
        state.detector["attenuation_um"] = depth


def _roi(state: State, name: str, values: list[Value]) -> None:
    xmin, xmax, ymin, ymax = (int(value) for value in values)
    state.model["roi"] = (xmin, xmax, ymin, ymax)


def _printout_pixel(state: State, name: str, values: list[Value]) -> None:
    state.outputs.update(printout=True, printout_pixel=(int(values[0]), int(values[1])))


def _trace_pixel(state: State, name: str, values: list[Value]) -> None:
    state.outputs["trace_pixels"] = (*state.outputs.get("trace_pixels", ()), (int(values[0]), int(values[1])))


def _hkl_column(state: State, name: str, values: list[Value]) -> None:
    state.hkl_column = str(values[0])


def _file(key: str) -> Callable[[State, str, list[Value]], None]:
    def remember(state: State, name: str, values: list[Value]) -> None:
        state.files[key] = state.path(values[0])

    return remember


def _device(state: State, name: str, values: list[Value]) -> None:
    import torch

    text = str(values[0])
    try:
        device = torch.device(text)
    except RuntimeError:
        raise ExperimentError(f"{name} has the value {text!r}, expected cpu, cuda or cuda:N") from None
    if device.type not in ("cpu", "cuda"):
        raise ExperimentError(f"{name} has the value {text!r}, expected cpu, cuda or cuda:N")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ExperimentError(f"{name} {text}: this machine or this PyTorch has no CUDA; use {name} cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ExperimentError(f"{name} {text}: there are {torch.cuda.device_count()} CUDA devices")
    state.runtime["device"] = device


def _dtype(state: State, name: str, values: list[Value]) -> None:
    import torch

    if values[0] not in ("float64", "float32"):
        raise ExperimentError(f"{name} has the value {values[0]!r}, expected float64 or float32")
    state.runtime["dtype"] = torch.float64 if values[0] == "float64" else torch.float32


def _engine(state: State, name: str, values: list[Value]) -> None:
    if values[0] not in ENGINES:
        raise ExperimentError(f"{name} has the value {values[0]!r}, expected one of {', '.join(ENGINES)}")
    state.outputs["engine"] = values[0]


_SPECIAL: dict[str, Callable[[State, str, list[Value]], None]] = {
    "cell": _cell,
    "misset": _misset,
    "energy": _energy,
    "polar": _polar,
    "pivot": _pivot,
    "detector_abs": _attenuation,
    "roi": _roi,
    "pix0_vector": _pix0,
    "pix0_vector_mm": _pix0,
    "printout_pixel": _printout_pixel,
    "trace_pixel": _trace_pixel,
    "hkl": _file("hkl"),
    "hkl_column": _hkl_column,
    "mat": _file("mat"),
    "dump": _file("dump"),
    "sourcefile": _file("sourcefile"),
    "device": _device,
    "dtype": _dtype,
    "engine": _engine,
}


def finish(state: State) -> None:
    """Read the files, after all flags are known."""
    if "mat" in state.files:
        state.crystal["matrix_per_A"] = mat.read_mat(state.files["mat"])
    if "sourcefile" in state.files:
        state.beam["source_rows"] = source_list.read_source_list(state.files["sourcefile"])
    if "hkl" in state.files:
        state.crystal["reflections"] = _reflections(state, state.files["hkl"])
        state.outputs["dump_file"] = state.files.get("dump", state.folder / "Fdump.bin")
    elif state.hkl_column is not None:
        raise ExperimentError("-hkl_column names a column of the file of -hkl, expected that flag too")
    else:
        _read_dump(state, state.files.get("dump", state.folder / "Fdump.bin"))


def _read_dump(state: State, path: Path) -> None:
    """Reflections of a dump file if it exists; -dump /dev/null, or a file not written yet, does not count."""
    if not path.is_file() or path.stat().st_size == 0:
        return
    state.crystal["reflections"] = dump.read_dump(path)
    if "dump" not in state.files:
        state.warnings.append("no -hkl: the reflections come from Fdump.bin in the working directory")


def _reflections(state: State, path: Path) -> Reflections:
    """The reflections of -hkl; a crystal file's cell is used where the flags give no orientation."""
    if not xtal.is_crystal_file(path):
        if state.hkl_column is not None:
            raise ExperimentError(f"-hkl_column: {path} is a text list, which has no columns to choose from")
        reflections, warnings = hkl.read_with_warnings(path)
        state.warnings.extend(warnings)
        return reflections
    beam, detector = settings.BeamSettings(**state.beam), settings.DetectorSettings(**state.detector)
    told = state.summing(path.name) if state.summing is not None and state.outputs.get("progress", True) else None
    dmin_A = float(state.model.get("dmin_A", 0.0))
    loaded = xtal.load_for(path, beam, detector, dmin_A, column=state.hkl_column, progress=told)
    state.warnings.append(f"-hkl: {loaded.origin}")
    state.warnings.extend(f"-hkl: {path.name}: {notice}" for notice in loaded.notices)
    if "mat" not in state.files:
        cell = state.crystal.setdefault("cell", loaded.cell)
        if any(abs(given - own) > 0.01 * own for given, own in zip(cell, loaded.cell, strict=True)):
            text = " ".join(f"{x:g}" for x in loaded.cell)
            state.warnings.append(f"-cell differs by more than 1 % from the cell of {path.name}: {text}")
    return loaded.reflections
