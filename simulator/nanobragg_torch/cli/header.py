"""Defaults from the header of an SMV image (-img, -mask), and the mask's pixels. Source: model section 10."""

from __future__ import annotations

from pathlib import Path

from nanobragg_torch import settings
from nanobragg_torch.cli.effects import State
from nanobragg_torch.io import smv

# Keywords of an SMV header that give defaults: (keyword, settings, field, is it a count).
_HEADER = (
    ("SIZE1", "detector", "detpixels_f", True),
    ("SIZE2", "detector", "detpixels_s", True),
    ("PIXEL_SIZE", "detector", "pixel_mm", False),
    ("DISTANCE", "detector", "distance_mm", False),
    ("CLOSE_DISTANCE", "detector", "close_distance_mm", False),
    ("WAVELENGTH", "beam", "wavelength_A", False),
    ("BEAM_CENTER_X", "detector", "Xbeam_mm", False),
    ("BEAM_CENTER_Y", "detector", "Ybeam_mm", False),
    ("ORGX", "detector", "ORGX_pixels", False),
    ("ORGY", "detector", "ORGY_pixels", False),
    ("PHI", "scan", "phi_start_deg", False),
    ("OSC_RANGE", "scan", "osc_deg", False),
)


def apply_header(state: State, key: str, name: str, file: str) -> None:
    """Take the defaults that the header of an SMV file gives (`key` mask or img), and the mask's pixels."""
    path = state.path(file)
    image = smv.read_smv(path, name) if key == "mask" else None
    header = image if image is not None else smv.read_smv_header(path, name)[0]
    state.warnings.extend(f"{name}: {path}: {doubt}" for doubt in header.doubts())
    for keyword, part, field_name, is_count in _HEADER:
        number = header.number(keyword)
        if number is not None:
            getattr(state, part)[field_name] = int(number) if is_count else number
    if image is not None:
        pixel = float(state.detector.get("pixel_mm", settings.DetectorSettings.pixel_mm))
        centre = header.number("BEAM_CENTER_Y")
        if centre is not None:
            state.detector["Ybeam_mm"] = image.pixels.shape[0] * pixel - centre
        state.model["mask"] = image.pixels
        state.outputs["mask_file"] = Path(file)
