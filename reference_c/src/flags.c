/* The table of flags (cli.md) and the look-up in it. Adding a flag is adding a row; --help and the parser follow. */
#include "flags.h"

#include <stdio.h>
#include <string.h>

#include "options.h"
#include "units.h"

#define AT(member) offsetof(Settings, member)

/* clang-format off */
const FlagSpec FLAGS[] = {
{"-hkl", KIND_TEXT, "FILE", "", AT(hkl_file), 1, NULL, "reflections: h k l F"},
{"-default_F", KIND_NUMBER, "F", "electrons", AT(default_F), 1, NULL, "structure factor of unlisted reflections (0)"},
{"-dump", KIND_TEXT, "FILE", "", AT(dump_file), 1, NULL, "dump of the reflections: written with -hkl, read without (Fdump.bin)"},
{"-mat", KIND_TEXT, "FILE", "", AT(mat_file), 1, NULL, "orientation: MOSFLM matrix"},
{"-cell", KIND_SPECIAL, "a [b c al be ga]", "A, deg", 0, 1, opt_cell, "unit cell; b, c default to a, angles to 90"},
{"-misset", KIND_SPECIAL, "x y z | random", "deg", 0, 1, opt_misset, "rotation of the crystal about x, y, z"},
{"-Na", KIND_COUNT, "n", "cells", AT(Na), 1, NULL, "unit cells along a (1)"},
{"-Nb", KIND_COUNT, "n", "cells", AT(Nb), 1, NULL, "unit cells along b (1)"},
{"-Nc", KIND_COUNT, "n", "cells", AT(Nc), 1, NULL, "unit cells along c (1)"},
{"-N", KIND_SPECIAL, "n", "cells", 0, 1, opt_N, "unit cells along a, b and c"},
{"-xtalsize -xtal_size -samplesize -sample_size", KIND_SPECIAL, "x", "mm", 0, 1e3, opt_xtalsize, "crystal size along a, b and c, instead of cell counts"},
{"-sample_x -sample_thick* -xtal_x -xtal_thick*", KIND_NUMBER, "x", "mm", AT(sample_x_m), 1e3, NULL, "crystal size along a"},
{"-sample_y -sample_width -xtal_y -xtal_width -width", KIND_NUMBER, "x", "mm", AT(sample_y_m), 1e3, NULL, "crystal size along b"},
{"-sample_z -sample_height -xtal_z -xtal_height -height", KIND_NUMBER, "x", "mm", AT(sample_z_m), 1e3, NULL, "crystal size along c"},
{"-square_xtal", KIND_CHOICE, "", "", AT(shape), SHAPE_SQUARE, NULL, "parallelepiped crystal (default)"},
{"-round_xtal", KIND_CHOICE, "", "", AT(shape), SHAPE_ROUND, NULL, "ellipsoidal crystal"},
{"-gauss_xtal", KIND_CHOICE, "", "", AT(shape), SHAPE_GAUSS, NULL, "Gaussian spots"},
{"-tophat_spots -binary_spots", KIND_CHOICE, "", "", AT(shape), SHAPE_TOPHAT, NULL, "spots of constant height"},
{"-fudge", KIND_NUMBER, "x", "", AT(fudge), 1, NULL, "width parameter of the shape (1)"},
{"-mosaic -mosaici* -mosaic_spr*", KIND_NUMBER, "x", "deg", AT(mosaic_spread_rad), RTD, NULL, "isotropic mosaic spread (0)"},
{"-mosaic_dom*", KIND_COUNT, "n", "domains", AT(mosaic_domains), 1, NULL, "mosaic domains (10 when there is a spread)"},
{"-mosaic_seed", KIND_SPECIAL, "n", "", 0, 1, opt_mosaic_seed, "seed of the mosaic domains (12345678)"},
{"-misset_seed", KIND_SPECIAL, "n", "", 0, 1, opt_misset_seed, "seed of -misset random; also sets the misset angles, see quirks"},
{"-seed", KIND_SPECIAL, "n", "", 0, 1, opt_seed, "seed of the noise (time)"},
{"-phi", KIND_NUMBER, "x", "deg", AT(phi0_rad), RTD, NULL, "spindle angle at the start (0)"},
{"-osc", KIND_NUMBER, "x", "deg", AT(osc.range), RTD, NULL, "oscillation range"},
{"-phistep", KIND_NUMBER, "x", "deg", AT(osc.step), RTD, NULL, "spindle step"},
{"-phisteps", KIND_COUNT, "n", "steps", AT(osc.count), 1, NULL, "spindle steps"},
{"-lambda -wave*", KIND_NUMBER, "x", "A", AT(lambda0_m), 1e10, NULL, "wavelength (1)"},
{"-energy", KIND_SPECIAL, "x", "eV", 0, 1, opt_energy, "photon energy, instead of the wavelength"},
{"-dispersion", KIND_NUMBER, "x", "%", AT(dispersion.range), 1e2, NULL, "spectral width (0)"},
{"-dispsteps", KIND_COUNT, "n", "steps", AT(dispersion.count), 1, NULL, "wavelengths"},
{"-divergence", KIND_SPECIAL, "x", "mrad", 0, 1e3, opt_divergence, "horizontal and vertical divergence"},
{"-hdivrange", KIND_NUMBER, "x", "mrad", AT(hdiv.range), 1e3, NULL, "horizontal divergence"},
{"-vdivrange", KIND_NUMBER, "x", "mrad", AT(vdiv.range), 1e3, NULL, "vertical divergence"},
{"-hdivstep", KIND_NUMBER, "x", "mrad", AT(hdiv.step), 1e3, NULL, "step of the horizontal divergence"},
{"-vdivstep", KIND_NUMBER, "x", "mrad", AT(vdiv.step), 1e3, NULL, "step of the vertical divergence"},
{"-hdivsteps", KIND_COUNT, "n", "steps", AT(hdiv.count), 1, NULL, "steps of the horizontal divergence"},
{"-vdivsteps", KIND_COUNT, "n", "steps", AT(vdiv.count), 1, NULL, "steps of the vertical divergence"},
{"-divsteps", KIND_SPECIAL, "n", "steps", 0, 1, opt_divsteps, "steps of both divergences"},
{"-round_div", KIND_ON, "", "", AT(round_div), 1, NULL, "elliptical divergence (default)"},
{"-square_div", KIND_OFF, "", "", AT(round_div), 1, NULL, "rectangular divergence"},
{"-sourcefile", KIND_TEXT, "FILE", "", AT(source_file), 1, NULL, "sources: X Y Z weight wavelength[m]"},
{"-polar", KIND_SPECIAL, "K", "", 0, 1, opt_polar, "Kahn polarisation factor (0); clears -nopolar"},
{"-nopolar", KIND_ON, "", "", AT(nopolar), 1, NULL, "no polarisation factor"},
{"-fluence", KIND_NUMBER, "x", "photons/m^2", AT(fluence), 1, NULL, "incident fluence (1.26e29)"},
{"-flux", KIND_NUMBER, "x", "photons/s", AT(flux), 1, NULL, "incident flux, with -exposure and -beamsize"},
{"-exposure", KIND_NUMBER, "x", "s", AT(exposure_s), 1, NULL, "exposure time (1)"},
{"-beamsize", KIND_NUMBER, "x", "mm", AT(beamsize_m), 1e3, NULL, "beam size (0.1)"},
{"-water", KIND_NUMBER, "x", "um", AT(water_size_m), 1e6, NULL, "size of the water background (0)"},
{"-dmin", KIND_NUMBER, "x", "A", AT(dmin_m), 1e10, NULL, "resolution limit (none)"},
{"-pixel", KIND_NUMBER, "x", "mm", AT(pixel_m), 1e3, NULL, "pixel size (0.1)"},
{"-detpixels", KIND_SPECIAL, "n", "pixels", 0, 1, opt_detpixels, "detector size along both axes"},
{"-detpixels_f -detpixels_x", KIND_COUNT, "n", "pixels", AT(fpixels), 1, NULL, "detector size along fast"},
{"-detpixels_s -detpixels_y", KIND_COUNT, "n", "pixels", AT(spixels), 1, NULL, "detector size along slow"},
{"-detsize", KIND_SPECIAL, "x", "mm", 0, 1e3, opt_detsize, "detector size along both axes (102.4)"},
{"-detsize_f", KIND_NUMBER, "x", "mm", AT(detsize_f_m), 1e3, NULL, "detector size along fast"},
{"-detsize_s", KIND_NUMBER, "x", "mm", AT(detsize_s_m), 1e3, NULL, "detector size along slow"},
{"-distance", KIND_NUMBER, "x", "mm", AT(distance_m), 1e3, opt_pivot_beam, "crystal to detector along the beam (100); pivot beam"},
{"-close_distance", KIND_NUMBER, "x", "mm", AT(close_distance_m), 1e3, opt_pivot_sample, "crystal to detector plane; pivot sample"},
{"-Xbeam", KIND_NUMBER, "x", "mm", AT(Xbeam_m), 1e3, opt_pivot_beam, "beam centre in the convention's axes; pivot beam"},
{"-Ybeam", KIND_NUMBER, "x", "mm", AT(Ybeam_m), 1e3, opt_pivot_beam, "beam centre in the convention's axes; pivot beam"},
{"-Xclose", KIND_NUMBER, "x", "mm", AT(Xclose_m), 1e3, opt_pivot_sample, "near point, default of -Xbeam; pivot sample"},
{"-Yclose", KIND_NUMBER, "x", "mm", AT(Yclose_m), 1e3, opt_pivot_sample, "near point, default of -Ybeam; pivot sample"},
{"-ORGX", KIND_NUMBER, "x", "pixels", AT(ORGX), 1, opt_pivot_sample, "near point along fast; pivot sample"},
{"-ORGY", KIND_NUMBER, "x", "pixels", AT(ORGY), 1, opt_pivot_sample, "near point along slow; pivot sample"},
{"-pivot", KIND_SPECIAL, "sample|beam", "", 0, 1, opt_pivot, "what detector rotations leave in place; only in CUSTOM"},
{"-mosflm", KIND_CHOICE, "", "", AT(convention), CONVENTION_MOSFLM, opt_pivot_beam, "geometry convention (default)"},
{"-xds", KIND_CHOICE, "", "", AT(convention), CONVENTION_XDS, opt_pivot_sample, "geometry convention"},
{"-adxv", KIND_CHOICE, "", "", AT(convention), CONVENTION_ADXV, opt_pivot_beam, "geometry convention"},
{"-denzo", KIND_CHOICE, "", "", AT(convention), CONVENTION_DENZO, opt_pivot_beam, "geometry convention"},
{"-dials", KIND_CHOICE, "", "", AT(convention), CONVENTION_DIALS, opt_pivot_sample, "geometry convention"},
{"-fdet_vector", KIND_VECTOR, "x y z", "", AT(fdet_vector), 1, opt_custom, "fast axis; switches to CUSTOM"},
{"-sdet_vector", KIND_VECTOR, "x y z", "", AT(sdet_vector), 1, opt_custom, "slow axis; switches to CUSTOM"},
{"-odet_vector", KIND_VECTOR, "x y z", "", AT(odet_vector), 1, opt_custom, "detector normal; switches to CUSTOM"},
{"-beam_vector", KIND_VECTOR, "x y z", "", AT(beam_vector), 1, opt_custom, "beam direction; switches to CUSTOM"},
{"-polar_vector", KIND_VECTOR, "x y z", "", AT(polar_vector), 1, opt_custom, "polarisation; switches to CUSTOM"},
{"-spindle_axis", KIND_VECTOR, "x y z", "", AT(spindle_vector), 1, opt_custom, "spindle; switches to CUSTOM"},
{"-twotheta_axis", KIND_VECTOR, "x y z", "", AT(twotheta_axis), 1, opt_twotheta_axis, "axis of -twotheta; switches to CUSTOM, also sets -twotheta, see quirks"},
{"-pix0_vector", KIND_SPECIAL, "x y z", "m", 0, 1, opt_pix0, "switches to CUSTOM; the value is not used, see quirks"},
{"-pix0_vector_mm", KIND_SPECIAL, "x y z", "mm", 0, 1, opt_pix0, "switches to CUSTOM; the value is not used, see quirks"},
{"-detector_rotx", KIND_NUMBER, "x", "deg", AT(detector_rot_rad.x), RTD, NULL, "detector rotation about x"},
{"-detector_roty", KIND_NUMBER, "x", "deg", AT(detector_rot_rad.y), RTD, NULL, "detector rotation about y"},
{"-detector_rotz", KIND_NUMBER, "x", "deg", AT(detector_rot_rad.z), RTD, NULL, "detector rotation about z"},
{"-twotheta", KIND_NUMBER, "x", "deg", AT(twotheta_rad), RTD, opt_pivot_sample, "detector rotation about its axis; pivot sample"},
{"-curved_det", KIND_ON, "", "", AT(curved_detector), 1, NULL, "all pixels at the same distance"},
{"-point_pixel", KIND_ON, "", "", AT(point_pixel), 1, NULL, "solid angle 1/R^2"},
{"-detector_abs*", KIND_SPECIAL, "x|inf|0", "um", 0, 1e6, opt_detector_abs, "attenuation depth; inf or 0: no thickness"},
{"-detector_thick", KIND_NUMBER, "x", "um", AT(thick.range), 1e6, NULL, "sensor thickness (0)"},
{"-detector_thicksteps -thicksteps", KIND_COUNT, "n", "layers", AT(thick.count), 1, NULL, "layers of the sensor"},
{"-oversample", KIND_COUNT, "n", "", AT(oversample), 1, NULL, "sub-pixels along each axis (recommended by the spot size)"},
{"-oversample_thick", KIND_ON, "", "", AT(oversample_thick), 1, NULL, "capture fraction for every sub-pixel"},
{"-oversample_polar", KIND_ON, "", "", AT(oversample_polar), 1, NULL, "polarisation for every sub-pixel"},
{"-oversample_omega", KIND_ON, "", "", AT(oversample_omega), 1, NULL, "solid angle for every sub-pixel"},
{"-interpolate", KIND_CHOICE, "", "", AT(interpolate), INTERPOLATE_YES, NULL, "interpolate structure factors (default when an N is 2 or less)"},
{"-nointerpolate", KIND_CHOICE, "", "", AT(interpolate), INTERPOLATE_NO, NULL, "nearest structure factor"},
{"-roi", KIND_SPECIAL, "xmin xmax ymin ymax", "pixels", 0, 1, opt_roi, "render only this region, both ends included"},
{"-img", KIND_TEXT, "FILE", "", AT(image_file), 1, NULL, "take geometry from an SMV image header"},
{"-mask", KIND_TEXT, "FILE", "", AT(mask_file), 1, NULL, "take geometry from an SMV mask and skip its zero pixels"},
{"-floatfile -floatimage", KIND_TEXT, "FILE", "", AT(float_file), 1, opt_output, "float32 image (floatimage.bin)"},
{"-intfile -intimage", KIND_TEXT, "FILE", "", AT(int_file), 1, opt_output, "SMV image (intimage.img)"},
{"-pgmfile -pgmimage", KIND_TEXT, "FILE", "", AT(pgm_file), 1, opt_pgm_output, "PGM preview (image.pgm)"},
{"-noisefile -noiseimage", KIND_TEXT, "FILE", "", AT(noise_file), 1, opt_noise_output, "SMV image with photon noise (noiseimage.img)"},
{"-scale", KIND_NUMBER, "x", "", AT(int_scale), 1, NULL, "scale of the SMV image (55000/max)"},
{"-pgmscale", KIND_NUMBER, "x", "", AT(pgm_scale), 1, NULL, "scale of the PGM preview (250/(5 rmsd))"},
{"-adc", KIND_NUMBER, "x", "ADU", AT(adc_offset), 1, NULL, "offset added to SMV pixels (40)"},
{"-nopgm", KIND_OFF, "", "", AT(write_pgm), 1, NULL, "no PGM preview"},
{"-nonoise", KIND_OFF, "", "", AT(write_noise), 1, NULL, "no noise image"},
{"-printout", KIND_ON, "", "", AT(printout), 1, NULL, "print pixel values"},
{"-printout_pixel", KIND_SPECIAL, "f s", "pixels", 0, 1, opt_printout_pixel, "print the value of one pixel"},
{"-progress", KIND_ON, "", "", AT(progress), 1, NULL, "progress on standard error (default)"},
{"-noprogress", KIND_OFF, "", "", AT(progress), 1, NULL, "no progress"},
{"-stol", KIND_UNUSED, "FILE", "", 0, 1, NULL, "accepted, not used"},
{"-4stol", KIND_UNUSED, "FILE", "", 0, 1, NULL, "accepted, not used"},
{"-Q", KIND_UNUSED, "FILE", "", 0, 1, NULL, "accepted, not used"},
{"-stolout", KIND_UNUSED, "FILE", "", 0, 1, NULL, "accepted, not used"},
{"-coherent", KIND_SPECIAL, "[x]", "", 0, 1, opt_coherent, "accepted, not used"},
{"-density", KIND_UNUSED, "x", "", 0, 1, NULL, "accepted, not used"},
{"-sample_den*", KIND_UNUSED, "x", "", 0, 1, NULL, "accepted, not used"},
{"-MW -molec*", KIND_UNUSED, "x", "", 0, 1, NULL, "accepted, not used"},
{"-trace_pixel", KIND_SPECIAL, "SLOW FAST", "pixels", 0, 1, opt_trace_pixel, "trace this pixel; repeatable; nanoBragg-trace only"},
{"-trace_file", KIND_TEXT, "FILE", "", AT(trace_file), 1, NULL, "where the trace goes (standard output)"},
{"-fix", KIND_SPECIAL, "QUIRK[,QUIRK...]|all|none", "", 0, 1, opt_fix, "repair phi-carryover, interp-latch, or both"},
{"-threads", KIND_SPECIAL, "n", "threads", AT(threads), 1, opt_threads, "OpenMP threads"},
{"-show_config", KIND_ON, "", "", AT(show_config), 1, NULL, "print the resolved settings as JSON and stop"},
{"--lenient -lenient", KIND_ON, "", "", AT(lenient), 1, NULL, "report unknown flags instead of refusing them"},
{"-version --version", KIND_ON, "", "", AT(version), 1, NULL, "print the version and stop"},
{"-h --help -help", KIND_ON, "", "", AT(help), 1, NULL, "print this and stop"},
{NULL, KIND_ON, NULL, NULL, 0, 0, NULL, NULL},
};
/* clang-format on */

/* Steps over one blank-separated name; its length goes to `size`. NULL at the end. */
static const char *next_name(const char *names, size_t *size)
{
    names += strspn(names, " ");
    *size = strcspn(names, " ");
    return *size ? names : NULL;
}

const FlagSpec *find_flag(const char *word)
{
    const FlagSpec *by_prefix = NULL;
    size_t wordlen = strlen(word), size;
    for (const FlagSpec *spec = FLAGS; spec->names; spec++)
        for (const char *name = spec->names; (name = next_name(name, &size)); name += size) {
            if (name[size - 1] == '*') {
                if (wordlen >= size - 1 && !strncmp(word, name, size - 1))
                    by_prefix = spec;
            } else if (wordlen == size && !strncmp(word, name, size)) {
                return spec;
            }
        }
    return by_prefix;
}

/* Levenshtein distance; words longer than the longest flag by much are cut, which only makes them "far". */
static int edit_distance(const char *a, size_t alen, const char *b, size_t blen)
{
    enum { LONGEST = 64 };
    int row[LONGEST + 1];
    if (alen > LONGEST)
        alen = LONGEST;
    if (blen > LONGEST)
        blen = LONGEST;
    for (size_t j = 0; j <= blen; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= alen; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= blen; j++) {
            int replace = diagonal + (a[i - 1] != b[j - 1]);
            int cheaper = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replace < cheaper ? replace : cheaper;
        }
    }
    return row[blen];
}

void nearest_flags(const char *word, char *out, size_t size)
{
    enum { SHOWN = 3 };
    const char *best[SHOWN] = {NULL};
    size_t lengths[SHOWN] = {0}, namelen;
    int distances[SHOWN];
    int found = 0;
    for (const FlagSpec *spec = FLAGS; spec->names; spec++)
        for (const char *name = spec->names; (name = next_name(name, &namelen)); name += namelen) {
            size_t shown = namelen - (name[namelen - 1] == '*');
            int d = edit_distance(word, strlen(word), name, shown);
            int place = found;
            while (place > 0 && d < distances[place - 1])
                place--;
            if (place >= SHOWN)
                continue;
            found = found < SHOWN ? found + 1 : SHOWN;
            for (int i = found - 1; i > place; i--) {
                best[i] = best[i - 1];
                lengths[i] = lengths[i - 1];
                distances[i] = distances[i - 1];
            }
            best[place] = name;
            lengths[place] = shown;
            distances[place] = d;
        }
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < found && used < size; i++) {
        int n = snprintf(out + used, size - used, "%s%.*s", i ? ", " : "", (int)lengths[i], best[i]);
        used += n > 0 ? (size_t)n : 0;
    }
}

void print_help(void)
{
    puts("nanoBragg: the C reference program of trace-parity; X-ray diffraction of nanocrystals\n"
         "usage: nanoBragg -mat FILE | -cell a [b c al be ga]  -hkl FILE | -default_F F  [flags]\n"
         "A name that ends in * matches every longer word that begins so. Defaults in parentheses.\n");
    for (const FlagSpec *spec = FLAGS; spec->names; spec++) {
        printf("  %s", spec->names);
        if (*spec->values)
            printf(" %s", spec->values);
        if (*spec->unit)
            printf(" [%s]", spec->unit);
        printf("\n      %s\n", spec->effect);
    }
}
