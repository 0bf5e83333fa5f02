"""A trace: all intermediate values of some pixels, recorded by `evaluate` and written as lines.

Tracing evaluates the traced pixels alone, by the functions that render the image. A counterfactual trace continues from
injected values (another program's) in place of the computed ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TextIO

import torch
from torch import Tensor

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.experiment import Experiment, Model
from nanobragg_torch.injected import Injected, Values
from nanobragg_torch.rendering.evaluate import evaluate
from nanobragg_torch.rendering.probe import Loop, Probe
from nanobragg_torch.rendering.render import active_pixels, flat_index, indices
from nanobragg_torch.trace_lines import TRACE_NAMES, line, prefix
from nanobragg_torch.units import plain

_BY_SCOPE = {
    scope: tuple((name, size) for s, name, size in TRACE_NAMES if s == scope)
    for scope in ("run", "mosaic", "subsample", "source", "step", "pixel")
}
_KNOWN = frozenset((scope, name) for scope, name, _ in TRACE_NAMES)


class Trace:
    """The kept values of some pixels (n, 2); `lines()` gives the text, `values` the tensors by scope, name, loop.

    Where values are injected, each pixel was evaluated by itself: the values are those of `alone`, one trace a pixel.
    """

    def __init__(self, model: Model, pixels: list[tuple[int, int]]) -> None:
        self.model = model
        self.pixels = pixels
        self.values: dict[tuple[str, str, Loop], list[Tensor]] = {}
        self.alone: list[Trace] = []

    def keep(self, scope: str, name: str, loop: Loop, value: Tensor | None) -> None:
        """Take a value from `evaluate`; KeyError for a name that no trace has."""
        if (scope, name) not in _KNOWN and name != "resolved":
            raise KeyError(f"{scope} {name} is not in TRACE_NAMES")
        if value is not None:
            self.values.setdefault((scope, name, loop), []).append(value)

    def lines(self) -> Iterator[str]:
        """All lines: the run's, then pixel by pixel in the given order."""
        yield from self._run_lines()
        for index, pixel in enumerate(self.pixels):
            if self.alone:
                yield from self.alone[index]._pixel_lines(0, pixel)
            else:
                yield from self._pixel_lines(index, pixel)

    def write(self, stream: TextIO) -> None:
        """Write all lines."""
        for text in self.lines():
            stream.write(text + "\n")

    def _run_lines(self) -> Iterator[str]:
        m, p, c = self.model, self.model.place, self.model.cell
        values = {
            "beam_vec": p.beam,
            "polar_vec": p.polar,
            "spindle_vec": p.spindle,
            "twotheta_axis": p.twotheta_axis,
            "fdet_vec": p.fdet,
            "sdet_vec": p.sdet,
            "odet_vec": p.odet,
            "pix0_vector_meters": p.pix0,
            "distance_meters": p.distance,
            "close_distance_meters": p.close_distance,
            "Fbeam_meters": p.Fbeam,
            "Sbeam_meters": p.Sbeam,
            "Fclose_meters": p.Fclose,
            "Sclose_meters": p.Sclose,
            "V_cell_A3": c.volume_A3,
            "N_cells": torch.tensor([plain(n) for n in m.cells], dtype=torch.float64, device="cpu"),
        }
        for row, axis in enumerate("abc"):
            values[f"{axis}_star_A_inv"] = c.reciprocal_A[row]
            values[f"{axis}_angstroms"] = c.real_A[row]
        for name, _ in _BY_SCOPE["run"]:
            yield line("run", name, prefix("run", ()), _flat(values[name]))
        for domain, umat in enumerate(m.umats):
            yield line("mosaic", "mosaic_umat", prefix("mosaic", (domain,)), _flat(umat))

    def _pixel_lines(self, index: int, pixel: tuple[int, int]) -> Iterator[str]:
        sources = self.model.sources.wavelength_m.shape[0]
        n = self.model.oversample
        for layer in range(self.model.layers):
            for sub in range(n * n):
                loop = (layer, sub // n, sub % n)
                at = prefix("subsample", (*pixel, *loop))
                for name, size in _BY_SCOPE["subsample"]:
                    yield line("subsample", name, at, self._of_pixel("subsample", name, loop, size, index))
                for source in range(sources):
                    yield from self._source_lines(index, pixel, (*loop, source))
        at = prefix("pixel", pixel)
        for name, size in _BY_SCOPE["pixel"]:
            yield line("pixel", name, at, self._of_pixel("pixel", name, (), size, index))

    def _source_lines(self, index: int, pixel: tuple[int, int], loop: Loop) -> Iterator[str]:
        resolved = self.values.get(("source", "resolved", loop))
        is_skipped = resolved is not None and not bool(resolved[0][index])
        at = prefix("source", (*pixel, *loop))
        for name, size in _BY_SCOPE["source"]:
            if name == "polar" and is_skipped:  # a source beyond dmin ends before it is polarised
                return
            yield line("source", name, at, self._of_pixel("source", name, loop, size, index))
        steps = {name: self._of_steps(name, loop, size, index) for name, size in _BY_SCOPE["step"]}
        for tick in range(len(steps["phi_deg"])):
            at = prefix("step", (*pixel, *loop, tick // self.model.domains, tick % self.model.domains))
            for name, rows in steps.items():
                if rows:
                    yield line("step", name, at, rows[tick])
                if name == "F_latt" and rows[tick][0] == 0 and not self.model.has_water:
                    break  # the step ends here: it adds nothing

    def _of_pixel(self, scope: str, name: str, loop: Loop, size: int, index: int) -> list[float]:
        value = self.values[scope, name, loop][0]
        varies = value.ndim > 0 and value.shape[-1] == len(self.pixels) and value.ndim == (2 if size > 1 else 1)
        return _flat(value[..., index] if varies else value)

    def _of_steps(self, name: str, loop: Loop, size: int, index: int) -> list[list[float]]:
        """Rows of numbers, one per slice; empty where the shape of the crystal has no such factor."""
        rows: list[list[float]] = []
        for value in self.values.get(("step", name, loop), []):
            if name in ("hkl_frac", "hkl_rounded"):
                chosen = value[:, :, index].T  # (3, K, P)
            elif name == "phi_deg" or name.startswith(("rot_", "V_")):
                chosen = value.reshape(-1, size)  # (K,) or (K, 3), the same for all pixels
            else:
                chosen = value[:, index, None]  # (K, P)
            rows.extend(chosen.tolist())
        return rows


def _flat(value: Tensor) -> list[float]:
    return [float(x) for x in value.reshape(-1).tolist()]


def trace(
    experiment: Experiment,
    pixels: Tensor | Sequence[tuple[int, int]],
    *,
    model: Model | None = None,
    injected: Values | None = None,
) -> Trace:
    """Trace pixels (slow, fast), each once, in the order listed.

    `injected` maps (scope, name) to values by loop indices, as `io.trace_log` reads them from a log: each is used
    wherever the stages compute that quantity, and everything downstream is computed from it. `model` is not used then.

    Raises ExperimentError for a pixel that is off the detector, outside the region of interest or masked, and where a
    value that is needed is not given.
    """
    instead = Injected(injected) if injected else None
    if instead is not None:
        model = experiment.build(instead)
    elif model is None:
        model = experiment.build()
    height, width = model.place.pixels_s, model.place.pixels_f
    listed = pixels.tolist() if isinstance(pixels, Tensor) else pixels
    once = list(dict.fromkeys((int(s), int(f)) for s, f in listed))
    if not once:
        raise ExperimentError("no pixel to trace was given")
    device = model.like.device
    flat = flat_index(torch.tensor(once, device=device), height, width, device)
    active = set(indices(active_pixels(experiment.model, height, width, flat, device), device).tolist())
    for (s, f), index in zip(once, flat.tolist(), strict=True):
        if index not in active:
            raise ExperimentError(f"pixel (slow {s}, fast {f}) is outside the region of interest or masked")
    result = Trace(model, once)
    slow, fast = torch.tensor(once, dtype=model.like.dtype, device=device).unbind(1)
    with torch.no_grad():
        if instead is None:
            evaluate(model, slow, fast, Probe(result.keep))
            return result
        for index, pixel in enumerate(once):
            one = Trace(model, [pixel])
            here = slice(index, index + 1)
            evaluate(model, slow[here], fast[here], Probe(one.keep, instead.at(pixel), model.domains))
            result.alone.append(one)
    return result
