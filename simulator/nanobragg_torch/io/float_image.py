"""Float images: float32, native byte order, fast axis fastest, no header."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nanobragg_torch.io.atomic import write_bytes


def write_float_image(path: Path, image: np.ndarray, flag: str = "-floatfile") -> None:
    """Write an image (slow, fast)."""
    write_bytes(path, np.ascontiguousarray(image, dtype=np.float32).tobytes(), flag)
