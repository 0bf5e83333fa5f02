"""Rewrite `traces/golden/` from the full golden set: `python -m tests.make_golden`.

The committed set is small: of each image its brightest pixels and an even sample of the rest, of the traces the
supervisor pixel's and a few more.
"""

from __future__ import annotations

import json
import shutil

import numpy as np

from tests.golden import COMMITTED, GOLDEN, SUPERVISOR, golden_cases, golden_image
from tests.pairs import PAIRS

BRIGHTEST, SAMPLED = 60, 140
# Each of these has a rule of its own: thickness, polarisation, pivot, mask, header and so on, in docs/quirks.md.
PAIR_SAMPLE = ("p002", "p012", "p013", "p030", "p049", "p064", "p068", "p140", "p148", "p156", "p182", "p187")
TRACES = ("base", "phi0_start", "phi0_start__state_leak", "tilt_all", "phi_mosaic", "div_disp", "custom_all")
NEEDS_BINARY_INPUT = {"mask", "img", "img_mask"}


def sample(image: np.ndarray) -> np.ndarray:
    """Flat indices: the brightest pixels, then every so many-th one."""
    flat = image.ravel()
    bright = np.argsort(flat, kind="stable")[::-1][:BRIGHTEST]
    even = np.linspace(0, flat.size - 1, SAMPLED).astype(np.int64)
    return np.unique(np.concatenate([bright, even])).astype(np.int32)


def main() -> None:
    COMMITTED.mkdir(parents=True, exist_ok=True)
    cases, arrays = [], {}
    for case in golden_cases().values():
        if case.id in NEEDS_BINARY_INPUT:
            continue
        cases.append({"id": case.id, "args": case.args, "shape": case.shape, "has_state_leak": case.has_state_leak})
        for name in [case.id, f"{case.id}__state_leak"][: 1 + case.has_state_leak]:
            image = golden_image(name)
            arrays[f"{name}.at"] = sample(image)
            arrays[f"{name}.value"] = image.ravel()[arrays[f"{name}.at"]].astype(np.float32)
    lines = ",\n".join(json.dumps(case) for case in cases)
    (COMMITTED / "cases.json").write_text(f"[\n{lines}\n]\n")
    np.savez_compressed(COMMITTED / "pixels.npz", **arrays)  # type: ignore[arg-type]
    for name in TRACES:
        shutil.copyfile(GOLDEN / "traces" / f"{name}.log", COMMITTED / f"{name}.log")
    for name in ("trace_685_1039", "trace_685_1039__phi_carryover"):
        shutil.copyfile(SUPERVISOR / f"{name}.log", COMMITTED / f"supervisor_{name}.log")
    make_pairs()


def make_pairs() -> None:
    """A few of the pair cases whole, with the image files that they name."""
    folder = COMMITTED / "pairs"
    (folder / "inputs").mkdir(parents=True, exist_ok=True)
    chosen = [case for case in json.loads((PAIRS / "cases.json").read_text()) if case["id"] in PAIR_SAMPLE]
    (folder / "cases.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in chosen) + "\n]\n")
    with np.load(PAIRS / "images.npz") as images:
        np.savez_compressed(
            folder / "images.npz",
            **{f"{name}{kind}": images[f"{name}{kind}"] for name in PAIR_SAMPLE for kind in ("", "__int")},
        )
    for case in chosen:
        for word in case["args"]:
            if (PAIRS / "inputs" / word).is_file() and not word.endswith((".hkl", ".mat")):
                shutil.copyfile(PAIRS / "inputs" / word, folder / "inputs" / word)


if __name__ == "__main__":
    main()
