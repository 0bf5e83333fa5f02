"""Defaults from the header of an SMV image (-img, -mask), and the mask's pixels. Source: model section 10."""

from __future__ import annotations

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
    image = smv.read_smv(state.path(file), name)
    for keyword, part, field_name, is_count in _HEADER:
        number = image.number(keyword)
        if number is not None:
            getattr(state, part)[field_name] = int(number) if is_count else number
    if key == "mask":
        height = image.number("SIZE2")
        pixel, centre = image.number("PIXEL_SIZE"), image.number("BEAM_CENTER_Y")
        if height is not None and pixel is not None and centre is not None:
            state.detector["Ybeam_mm"] = height * pixel - centre
        state.model["mask"] = image.pixels
