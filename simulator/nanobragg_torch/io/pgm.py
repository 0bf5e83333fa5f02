"""PGM images: 8-bit previews. Source: model section 10."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nanobragg_torch.io.atomic import write_bytes


def pgm_bytes(image: np.ndarray, scale: float) -> bytes:
    """The whole file of an image (slow, fast): each byte is trunc(min(255, x·scale))."""
    height, width = image.shape
    scaled = np.clip(image.astype(np.float64) * scale, 0.0, 255.0).astype(np.uint8)
    return f"P5\n{width} {height}\n# pixels scaled by {scale:g}\n255\n".encode() + scaled.tobytes()


def write_pgm(path: Path, image: np.ndarray, scale: float, flag: str = "-pgmfile") -> None:
    """Write an image (slow, fast)."""
    write_bytes(path, pgm_bytes(image, scale), flag)
