"""Warnings about settings that were filled in or overruled."""

from __future__ import annotations

from collections.abc import Iterator

from nanobragg_torch.experiment import Experiment, Model
from nanobragg_torch.units import plain


def notices(experiment: Experiment, model: Model) -> Iterator[str]:
    """Warnings, one line each."""
    crystal, detector = experiment.crystal, experiment.detector
    spread = plain(crystal.mosaic_spread_deg) if crystal.mosaic_spread_deg is not None else 0.0
    if spread > 0 and not crystal.mosaic_domains:
        yield f"a mosaic spread without a number of domains: taking {model.domains}"
    if spread <= 0 and (crystal.mosaic_domains or 0) > 1:
        yield "mosaic domains without a mosaic spread: taking 1"
    if detector.oversample is not None and 0 < detector.oversample < model.recommended_oversample:
        enough = model.recommended_oversample
        yield f"-oversample {detector.oversample} is coarse for this crystal, -oversample {enough} is not"
    yield from _undone(experiment, model)
    if model.place.odet_was_replaced:
        yield "-odet_vector is not a unit vector: taking the cross product of the fast and slow axes"
    beamsize = plain(experiment.beam.beamsize_mm)
    for name, size in (("y", crystal.sample_y_mm), ("z", crystal.sample_z_mm)):
        if size is not None and size > beamsize >= 0:
            yield f"the sample is larger along {name} ({size:g} mm) than the beam: taking {beamsize:g} mm"
    if model.interpolate and crystal.interpolate is None:
        yield "few unit cells: interpolating structure factors (-nointerpolate to switch off)"


def _undone(experiment: Experiment, model: Model) -> Iterator[str]:
    """Flags whose effect is changed unexpectedly by another flag, or by a missing one."""
    detector, mask = experiment.detector, experiment.model.mask
    if detector.oversample_thick and model.layers == 1:
        yield "-oversample_thick without a thickness: the image is black (quirk thick-without-thickness)"
    if detector.oversample_polar and not experiment.beam.polarized:
        yield "-oversample_polar undoes -nopolar (quirk nopolar-oversample-polar)"
    if not len(model.sources.wavelength_m):
        yield ("the steps of divergence leave no source inside the round beam: every pixel is 0/0 (quirk no-sources)")
    if not len(model.phi_deg):
        yield "-phistep leaves no step in an -osc of 0: every pixel is 0/0 (quirk no-steps)"
    width = model.place.pixels_f
    if mask is not None and mask.shape[1] != width:
        yield (
            f"the mask has rows of {mask.shape[1]} pixels, the detector of {width}: its pixels are taken one after the "
            "other all the same (quirk mask-width)"
        )
