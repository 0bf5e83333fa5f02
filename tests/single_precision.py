"""How far float32 images are from the golden ones, case by case: measured, in millionths of the image's maximum.

Demanded of every case is a thousandth, `MOST`; a test holds each to twice its own figure too. Sines differ in the last
bit from one processor to another, so a figure is the largest of those measured (Intel Xeon and AMD EPYC, both AVX-512).
Who changes the arithmetic measures again: `python -m tests.single_precision`.
"""

from __future__ import annotations

MOST = 1e-3
MAY_GROW = 2.0

_MILLIONTHS = """
N0_saxs 0.6, N1 0.6, Nmixed 10.1, adxv_beamcenter 125.3, base 44.0, beam_clip 31.6, cell_partial 45.9,
close_distance 25.0, conv_adxv 22.5, conv_after_custom 49.5, conv_denzo 46.8, conv_dials 87.7, conv_mosflm 44.0,
conv_xds 87.7, cubic 1.0, curved 35.6, custom_all 26.9, custom_beam_vec 25.2, custom_pivot_beam 24.4,
custom_pivot_sample 22.1, custom_then_phi 49.5, default_F 23.0, denzo_beamcenter 21.2, detsize 24.0, dials_close 87.7,
disp_nosteps 48.6, dispersion 52.7, div 36.2, div_disp 47.2, div_square 35.8, div_step 40.7, dmin 44.0, energy 35.1,
fluence 43.9, flux 43.9, gauss 21.8, gauss_fudge 17.1, hkl_default 21.1, img 22.1, img_mask 22.1, interp 16.4,
interp_auto 6.9, interp_edge 11.3, mask 14.9, mat_matrix 49.5, mat_other_lambda 44.2, misset 53.9, misset_random 39.4,
misset_random2 25.6, misset_seed_clobbers 43.8, mosaic 53.3, mosaic_auto 54.2, mosaic_seed 51.7,
mosflm_beamcenter 17.3, noise 43.9, noise_strong 44.0, nopolar 43.8, outputs 44.0, over_omega 58.5, over_polar 27.6,
oversample3 22.1, oversample_auto 23.4, phi0_center 58.2, phi0_start 51.1, phi_carry_mosaic 46.9,
phi_carry_oversample 32.5, phi_carry_sources 47.4, phi_mosaic 18.6, phi_scan 27.1, phi_step 33.3, phi_xds 71.3,
phisteps_only 38.6, pivot_ignored 16.2, pix0_vector 22.1, pix0_vector_mm 42.1, point_pixel 43.8, polar 43.9,
polar_xds 42.3, powder 46.8, rect_detector 42.1, roi 89.9, rotx 43.2, rotxyz 17.5, roty 58.9, rotz 45.5, round 35.1,
round_fudge 41.9, sample_xyz 43.9, sourcefile 62.0, thick 30.8, thick_auto 27.4, thick_nosteps_mu 27.6,
thick_oversample 25.1, tilt_all 94.8, tophat 0.4, twotheta 32.1, twotheta_axis 44.2, twotheta_axis_last 54.1,
water 0.5, xds_beamcenter 87.7, xds_org 48.9, xtalsize 25.7, xtalsize_auto_interp 36.6
"""
MEASURED = {
    name: float(figure) * 1e-6
    for name, figure in (entry.split() for entry in _MILLIONTHS.replace("\n", " ").split(","))
}


def allowed(case_id: str) -> float:
    """For the largest difference of an image, as a fraction of its maximum."""
    return min(MOST, MAY_GROW * max(MEASURED[case_id], 1e-6))


def main() -> None:
    """Measure all cases and print the table."""
    from tests import golden
    from tests.simulator.test_single_precision import off_by

    for case_id, case in sorted(golden.golden_cases().items()):
        print(f"{case_id} {off_by(case.args, golden.INPUTS, golden.golden_image(case_id)) * 1e6:.1f},")


if __name__ == "__main__":
    main()
