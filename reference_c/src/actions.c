/* A row per flag: the member of Settings that it sets, and how. */
#include "actions.h"

#include <stddef.h>
#include <string.h>

#include "units.h"

typedef enum {
    DO_NOTHING_YET, /* a key without a row */
    DO_SWITCH_ON,   /* a bool to true */
    DO_SWITCH_OFF,  /* a bool to false */
    DO_CHOOSE,      /* an enum to `divisor` */
    DO_NUMBER,      /* a number, divided by `divisor` */
    DO_COUNT,       /* a whole number */
    DO_TEXT,        /* a word */
    DO_VECTOR,      /* three numbers */
    DO_SPECIAL,     /* `special` does the work */
    DO_IGNORE       /* the values are dropped */
} Kind;

typedef struct {
    Kind kind;
    size_t offset;  /* of the member of Settings */
    double divisor; /* from the flag's unit to the member's; of DO_CHOOSE the value itself */
    bool (*special)(Parser *parser); /* side effect after setting, or the whole work of DO_SPECIAL; may be NULL */
} Action;

#define AT(member) offsetof(Settings, member)

static const Action ACTIONS[FLAG_COUNT] = {
    [FLAG_hkl] = {DO_TEXT, AT(hkl_file), 1, NULL},
    [FLAG_default_F] = {DO_NUMBER, AT(default_F), 1, NULL},
    [FLAG_dump] = {DO_TEXT, AT(dump_file), 1, NULL},
    [FLAG_mat] = {DO_TEXT, AT(mat_file), 1, NULL},
    [FLAG_cell] = {DO_SPECIAL, 0, 1, opt_cell},
    [FLAG_misset] = {DO_SPECIAL, 0, 1, opt_misset},
    [FLAG_Na] = {DO_COUNT, AT(Na), 1, NULL},
    [FLAG_Nb] = {DO_COUNT, AT(Nb), 1, NULL},
    [FLAG_Nc] = {DO_COUNT, AT(Nc), 1, NULL},
    [FLAG_N] = {DO_SPECIAL, 0, 1, opt_N},
    [FLAG_sample_xyz] = {DO_SPECIAL, 0, 1e3, opt_xtalsize},
    [FLAG_sample_x] = {DO_NUMBER, AT(sample_x_m), 1e3, NULL},
    [FLAG_sample_y] = {DO_NUMBER, AT(sample_y_m), 1e3, NULL},
    [FLAG_sample_z] = {DO_NUMBER, AT(sample_z_m), 1e3, NULL},
    [FLAG_square_xtal] = {DO_CHOOSE, AT(shape), SHAPE_SQUARE, NULL},
    [FLAG_round_xtal] = {DO_CHOOSE, AT(shape), SHAPE_ROUND, NULL},
    [FLAG_gauss_xtal] = {DO_CHOOSE, AT(shape), SHAPE_GAUSS, NULL},
    [FLAG_tophat_spots] = {DO_CHOOSE, AT(shape), SHAPE_TOPHAT, NULL},
    [FLAG_fudge] = {DO_NUMBER, AT(fudge), 1, NULL},
    [FLAG_mosaic] = {DO_NUMBER, AT(mosaic_spread_rad), RTD, NULL},
    [FLAG_mosaic_domains] = {DO_COUNT, AT(mosaic_domains), 1, NULL},
    [FLAG_mosaic_seed] = {DO_SPECIAL, 0, 1, opt_mosaic_seed},
    [FLAG_misset_seed] = {DO_SPECIAL, 0, 1, opt_misset_seed},
    [FLAG_seed] = {DO_SPECIAL, 0, 1, opt_seed},
    [FLAG_phi] = {DO_NUMBER, AT(phi0_rad), RTD, NULL},
    [FLAG_osc] = {DO_NUMBER, AT(osc.range), RTD, NULL},
    [FLAG_phistep] = {DO_NUMBER, AT(osc.step), RTD, NULL},
    [FLAG_phisteps] = {DO_COUNT, AT(osc.count), 1, NULL},
    [FLAG_lambda] = {DO_NUMBER, AT(lambda0_m), 1e10, NULL},
    [FLAG_energy] = {DO_SPECIAL, 0, 1, opt_energy},
    [FLAG_dispersion] = {DO_NUMBER, AT(dispersion.range), 1e2, NULL},
    [FLAG_dispsteps] = {DO_COUNT, AT(dispersion.count), 1, NULL},
    [FLAG_divergence] = {DO_SPECIAL, 0, 1e3, opt_divergence},
    [FLAG_hdivrange] = {DO_NUMBER, AT(hdiv.range), 1e3, NULL},
    [FLAG_vdivrange] = {DO_NUMBER, AT(vdiv.range), 1e3, NULL},
    [FLAG_hdivstep] = {DO_NUMBER, AT(hdiv.step), 1e3, NULL},
    [FLAG_vdivstep] = {DO_NUMBER, AT(vdiv.step), 1e3, NULL},
    [FLAG_hdivsteps] = {DO_COUNT, AT(hdiv.count), 1, NULL},
    [FLAG_vdivsteps] = {DO_COUNT, AT(vdiv.count), 1, NULL},
    [FLAG_divsteps] = {DO_SPECIAL, 0, 1, opt_divsteps},
    [FLAG_round_div] = {DO_SWITCH_ON, AT(round_div), 1, NULL},
    [FLAG_square_div] = {DO_SWITCH_OFF, AT(round_div), 1, NULL},
    [FLAG_sourcefile] = {DO_TEXT, AT(source_file), 1, NULL},
    [FLAG_polar] = {DO_SPECIAL, 0, 1, opt_polar},
    [FLAG_nopolar] = {DO_SWITCH_ON, AT(nopolar), 1, NULL},
    [FLAG_fluence] = {DO_NUMBER, AT(fluence), 1, NULL},
    [FLAG_flux] = {DO_NUMBER, AT(flux), 1, NULL},
    [FLAG_exposure] = {DO_NUMBER, AT(exposure_s), 1, NULL},
    [FLAG_beamsize] = {DO_NUMBER, AT(beamsize_m), 1e3, NULL},
    [FLAG_water] = {DO_NUMBER, AT(water_size_m), 1e6, NULL},
    [FLAG_dmin] = {DO_NUMBER, AT(dmin_m), 1e10, NULL},
    [FLAG_pixel] = {DO_NUMBER, AT(pixel_m), 1e3, NULL},
    [FLAG_detpixels] = {DO_SPECIAL, 0, 1, opt_detpixels},
    [FLAG_detpixels_f] = {DO_COUNT, AT(fpixels), 1, NULL},
    [FLAG_detpixels_s] = {DO_COUNT, AT(spixels), 1, NULL},
    [FLAG_detsize] = {DO_SPECIAL, 0, 1e3, opt_detsize},
    [FLAG_detsize_f] = {DO_NUMBER, AT(detsize_f_m), 1e3, NULL},
    [FLAG_detsize_s] = {DO_NUMBER, AT(detsize_s_m), 1e3, NULL},
    [FLAG_distance] = {DO_NUMBER, AT(distance_m), 1e3, opt_pivot_beam},
    [FLAG_close_distance] = {DO_NUMBER, AT(close_distance_m), 1e3, opt_pivot_sample},
    [FLAG_Xbeam] = {DO_NUMBER, AT(Xbeam_m), 1e3, opt_pivot_beam},
    [FLAG_Ybeam] = {DO_NUMBER, AT(Ybeam_m), 1e3, opt_pivot_beam},
    [FLAG_Xclose] = {DO_NUMBER, AT(Xclose_m), 1e3, opt_pivot_sample},
    [FLAG_Yclose] = {DO_NUMBER, AT(Yclose_m), 1e3, opt_pivot_sample},
    [FLAG_ORGX] = {DO_NUMBER, AT(ORGX), 1, opt_pivot_sample},
    [FLAG_ORGY] = {DO_NUMBER, AT(ORGY), 1, opt_pivot_sample},
    [FLAG_pivot] = {DO_SPECIAL, 0, 1, opt_pivot},
    [FLAG_mosflm] = {DO_CHOOSE, AT(convention), CONVENTION_MOSFLM, opt_pivot_beam},
    [FLAG_xds] = {DO_CHOOSE, AT(convention), CONVENTION_XDS, opt_pivot_sample},
    [FLAG_adxv] = {DO_CHOOSE, AT(convention), CONVENTION_ADXV, opt_pivot_beam},
    [FLAG_denzo] = {DO_CHOOSE, AT(convention), CONVENTION_DENZO, opt_pivot_beam},
    [FLAG_dials] = {DO_CHOOSE, AT(convention), CONVENTION_DIALS, opt_pivot_beam /* quirk dials-then-vector */},
    [FLAG_fdet_vector] = {DO_VECTOR, AT(fdet_vector), 1, opt_custom},
    [FLAG_sdet_vector] = {DO_VECTOR, AT(sdet_vector), 1, opt_custom},
    [FLAG_odet_vector] = {DO_VECTOR, AT(odet_vector), 1, opt_custom},
    [FLAG_beam_vector] = {DO_VECTOR, AT(beam_vector), 1, opt_custom},
    [FLAG_polar_vector] = {DO_VECTOR, AT(polar_vector), 1, opt_custom},
    [FLAG_spindle_axis] = {DO_VECTOR, AT(spindle_vector), 1, opt_custom},
    [FLAG_twotheta_axis] = {DO_VECTOR, AT(twotheta_axis), 1, opt_twotheta_axis},
    [FLAG_pix0_vector] = {DO_SPECIAL, 0, 1, opt_pix0},
    [FLAG_pix0_vector_mm] = {DO_SPECIAL, 0, 1, opt_pix0},
    [FLAG_rotx] = {DO_NUMBER, AT(detector_rot_rad.x), RTD, NULL},
    [FLAG_roty] = {DO_NUMBER, AT(detector_rot_rad.y), RTD, NULL},
    [FLAG_rotz] = {DO_NUMBER, AT(detector_rot_rad.z), RTD, NULL},
    [FLAG_twotheta] = {DO_NUMBER, AT(twotheta_rad), RTD, opt_pivot_sample},
    [FLAG_curved_det] = {DO_SWITCH_ON, AT(curved_detector), 1, NULL},
    [FLAG_point_pixel] = {DO_SWITCH_ON, AT(point_pixel), 1, NULL},
    [FLAG_detector_abs] = {DO_SPECIAL, 0, 1e6, opt_detector_abs},
    [FLAG_detector_thick] = {DO_NUMBER, AT(thick.range), 1e6, NULL},
    [FLAG_thicksteps] = {DO_COUNT, AT(thick.count), 1, NULL},
    [FLAG_oversample] = {DO_COUNT, AT(oversample), 1, NULL},
    [FLAG_oversample_thick] = {DO_SWITCH_ON, AT(oversample_thick), 1, NULL},
    [FLAG_oversample_polar] = {DO_SWITCH_ON, AT(oversample_polar), 1, NULL},
    [FLAG_oversample_omega] = {DO_SWITCH_ON, AT(oversample_omega), 1, NULL},
    [FLAG_interpolate] = {DO_CHOOSE, AT(interpolate), INTERPOLATE_YES, NULL},
    [FLAG_nointerpolate] = {DO_CHOOSE, AT(interpolate), INTERPOLATE_NO, NULL},
    [FLAG_roi] = {DO_SPECIAL, 0, 1, opt_roi},
    [FLAG_img] = {DO_TEXT, AT(image_file), 1, NULL},
    [FLAG_mask] = {DO_TEXT, AT(mask_file), 1, NULL},
    [FLAG_floatfile] = {DO_TEXT, AT(float_file), 1, opt_output},
    [FLAG_intfile] = {DO_TEXT, AT(int_file), 1, opt_output},
    [FLAG_pgmfile] = {DO_TEXT, AT(pgm_file), 1, opt_pgm_output},
    [FLAG_noisefile] = {DO_TEXT, AT(noise_file), 1, opt_noise_output},
    [FLAG_scale] = {DO_NUMBER, AT(int_scale), 1, NULL},
    [FLAG_pgmscale] = {DO_NUMBER, AT(pgm_scale), 1, NULL},
    [FLAG_adc] = {DO_NUMBER, AT(adc_offset), 1, NULL},
    [FLAG_nopgm] = {DO_SWITCH_OFF, AT(write_pgm), 1, NULL},
    [FLAG_nonoise] = {DO_SWITCH_OFF, AT(write_noise), 1, NULL},
    [FLAG_printout] = {DO_SWITCH_ON, AT(printout), 1, NULL},
    [FLAG_printout_pixel] = {DO_SPECIAL, 0, 1, opt_printout_pixel},
    [FLAG_progress] = {DO_SWITCH_ON, AT(progress), 1, NULL},
    [FLAG_noprogress] = {DO_SWITCH_OFF, AT(progress), 1, NULL},
    [FLAG_stol] = {DO_IGNORE, 0, 1, NULL},
    [FLAG_stol4] = {DO_IGNORE, 0, 1, NULL},
    [FLAG_Q] = {DO_IGNORE, 0, 1, NULL},
    [FLAG_stolout] = {DO_IGNORE, 0, 1, NULL},
    [FLAG_coherent] = {DO_IGNORE, 0, 1, NULL},
    [FLAG_density] = {DO_IGNORE, 0, 1, NULL},
    [FLAG_sample_density] = {DO_IGNORE, 0, 1, NULL},
    [FLAG_molecular_weight] = {DO_IGNORE, 0, 1, NULL},
    [FLAG_trace_pixel] = {DO_SPECIAL, 0, 1, opt_trace_pixel},
    [FLAG_trace_file] = {DO_TEXT, AT(trace_file), 1, NULL},
    [FLAG_fix] = {DO_SPECIAL, 0, 1, opt_fix},
    [FLAG_threads] = {DO_SPECIAL, 0, 1, opt_threads},
    [FLAG_show_config] = {DO_SWITCH_ON, AT(show_config), 1, NULL},
    [FLAG_lenient] = {DO_SWITCH_ON, AT(lenient), 1, NULL},
    [FLAG_version] = {DO_SWITCH_ON, AT(version), 1, NULL},
    [FLAG_help] = {DO_SWITCH_ON, AT(help), 1, NULL},
};

bool act(Parser *p)
{
    const Action *action = &ACTIONS[p->spec - FLAGS];
    void *member = (char *)p->settings + action->offset;
    const Value *values = p->values;
    switch (action->kind) {
    case DO_NOTHING_YET:
        return fail(p->err, "flag %s: this program does nothing with it yet", flag_name(p));
    case DO_SWITCH_ON:
    case DO_SWITCH_OFF:
        *(bool *)member = action->kind == DO_SWITCH_ON;
        break;
    case DO_CHOOSE:
        *(int *)member = (int)action->divisor;
        break;
    case DO_NUMBER:
        *(double *)member = values[0].number / action->divisor;
        break;
    case DO_COUNT:
        *(int *)member = values[0].count;
        break;
    case DO_TEXT:
        *(const char **)member = values[0].text;
        break;
    case DO_VECTOR:
        *(Vec3 *)member = vec3(values[0].number, values[1].number, values[2].number);
        break;
    case DO_SPECIAL:
    case DO_IGNORE:
        break;
    }
    return !action->special || action->special(p);
}
