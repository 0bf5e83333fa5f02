/* What the run found out, as numbers that a log keeps. The formats are those of the original's lines, because people
 * have scripts that read them; a test compares them digit by digit with golden figures. */
#include "report.h"

#include "units.h"

static void report_geometry(const Detector *d, const Crystal *x)
{
    static const char *const NAMES[] = {"mosflm", "denzo", "adxv", "xds", "dials", "custom"};
    if (x->domains_raised)
        printf("WARNING: finite mosaicity with only one domain! upping to %d mosaic domains\n", x->mosaic_domains);
    if (d->odet_generated)
        puts("WARNING: auto-generating odet_vector");
    printf("%s convention selected.\n", NAMES[d->convention]);
    printf("pivoting detector around %s\n", d->pivot == PIVOT_BEAM ? "direct beam spot" : "sample");
    printf("XDS incident beam: %g %g %g\n", d->xds_beam.x, d->xds_beam.y, d->xds_beam.z);
}

static void report_rows(const Cell *cell)
{
    printf("X: %11.8f %11.8f %11.8f\n", cell->a.x, cell->b.x, cell->c.x);
    printf("Y: %11.8f %11.8f %11.8f\n", cell->a.y, cell->b.y, cell->c.y);
    printf("Z: %11.8f %11.8f %11.8f\n", cell->a.z, cell->b.z, cell->c.z);
}

static void report_crystal(const Model *m)
{
    const Crystal *x = &m->crystal;
    const double *cell = x->cell_A, *angles = x->angles_rad, *star = x->star_lengths_A_inv,
                 *star_angles = x->star_angles_rad;
    if (x->misset_random)
        printf("random orientation misset angles: %f %f %f deg\n", x->misset_rad.x * RTD, x->misset_rad.y * RTD,
               x->misset_rad.z * RTD);
    printf("Unit Cell: %g %g %g %g %g %g\n", cell[0], cell[1], cell[2], angles[0] * RTD, angles[1] * RTD,
           angles[2] * RTD);
    printf("Recp Cell: %g %g %g %g %g %g\n", star[0], star[1], star[2], star_angles[0] * RTD, star_angles[1] * RTD,
           star_angles[2] * RTD);
    printf("volume = %g A^3\n", x->V_cell_A3);
    puts("real-space cell vectors (A): a, b, c in columns");
    report_rows(&x->real_A);
    puts("reciprocal-space cell vectors (1/A): a*, b*, c* in columns");
    report_rows(&x->star_A_inv);
    printf("crystal is %g x %g x %g microns\n", x->Na * cell[0] * 1e-4, x->Nb * cell[1] * 1e-4, x->Nc * cell[2] * 1e-4);
}

static void report_sampling(const Model *m)
{
    if (!m->oversample_given)
        printf("auto-selected %d-fold oversampling\n", m->oversample);
    else if (m->oversample < m->recommended_oversample) {
        printf("WARNING: maximum dimension of sample is %g A\n", m->largest_m * 1e10);
        printf("         recommend -oversample %d to work around this\n", m->recommended_oversample);
    }
    for (int tic = 0; tic < m->osc.count; tic++)
        printf("phi%d = %g\n", tic, (m->phi0_rad + m->osc.step * tic) * RTD);
    if (!m->beam.from_file)
        for (int tic = 0; tic < m->beam.dispersion.count; tic++)
            printf("lambda%d = %.15g\n", tic, m->beam.sources[tic].lambda_m);
    printf("  created a total of %d sources:\n", m->beam.count);
    for (int i = 0; i < m->beam.count; i++) {
        const Source *source = &m->beam.sources[i];
        printf("%g %g %g   %g %g\n", -source->incident.x, -source->incident.y, -source->incident.z, source->weight,
               source->lambda_m);
    }
    printf("  created a total of %d mosaic domains\n", m->crystal.mosaic_domains);
}

void report_model(const Model *m, const Settings *s)
{
    const Detector *d = &m->detector;
    if (s->thick.range > 0.0 && s->detector_mu < 0.0)
        printf("WARNING: setting detector attenuation depth to %g m\n", d->mu);
    if (m->crystal.clipped_y)
        printf("WARNING: clipping sample (%g m high) with beam (%g m)\n", s->sample_y_m, s->beamsize_m);
    if (m->crystal.clipped_z)
        printf("WARNING: clipping sample (%g m wide) with beam (%g m)\n", s->sample_z_m, s->beamsize_m);
    report_geometry(d, &m->crystal);
    if (s->interpolate == INTERPOLATE_AUTO)
        puts(s->Na <= 2 || s->Nb <= 2 || s->Nc <= 2 ? "auto-selected tricubic interpolation of structure factors"
                                                    : "auto-selected no interpolation");
    report_crystal(m);
    report_sampling(m);
    printf("  distance=%g detsize=%gx%g  pixel=%g meters (%dx%d pixels)\n", d->distance_m, d->detsize_f_m,
           d->detsize_s_m, d->pixel_m, d->fpixels, d->spixels);
    printf("  sensor is %g m thick in %d layers with mu= %g\n", d->thick_m, d->thicksteps, d->mu);
    printf("  Xbeam=%g Ybeam=%g\n", d->Xbeam_m, d->Ybeam_m);
    printf("  Fbeam=%g Sbeam=%g\n", d->Fbeam_m, d->Sbeam_m);
    printf("  Xclose=%g Yclose=%g\n", d->Xclose_m, d->Yclose_m);
    printf("  Fclose=%g Sclose=%g\n", d->Fclose_m, d->Sclose_m);
    printf("  DIRECTION_OF_DETECTOR_X-AXIS= %g %g %g\n", d->fdet_vector.x, d->fdet_vector.y, d->fdet_vector.z);
    printf("  DIRECTION_OF_DETECTOR_Y-AXIS= %g %g %g\n", d->sdet_vector.x, d->sdet_vector.y, d->sdet_vector.z);
    printf("  DIRECTION_OF_DETECTOR_Z-AXIS= %g %g %g\n", d->odet_vector.x, d->odet_vector.y, d->odet_vector.z);
    printf("  INCIDENT_BEAM_DIRECTION= %g %g %g\n", d->beam_vector.x, d->beam_vector.y, d->beam_vector.z);
    printf("  spindle ROTATION_AXIS= %g %g %g\n", d->spindle_vector.x, d->spindle_vector.y, d->spindle_vector.z);
    printf("  dials origin= %g %g %g\n", d->dials_origin_mm.x, d->dials_origin_mm.y, d->dials_origin_mm.z);
    printf("  roi: %d < x < %d && %d < y < %d\n", d->roi_xmin, d->roi_xmax, d->roi_ymin, d->roi_ymax);
    printf("  %d phi steps from %g to %g degrees\n", m->osc.count, m->phi0_rad * RTD,
           (m->phi0_rad + m->osc.range) * RTD);
    printf("  %dx%d pixel oversample steps%s%s%s\n", m->oversample, m->oversample, m->oversample_thick ? " +thick" : "",
           m->oversample_polar ? " +polar" : "", m->oversample_omega ? " +omega" : "");
}

void report_image(const Model *m, const Image *image)
{
    Vec3 hkl = image->outside_hkl;
    if (image->block_outside) {
        printf("WARNING: out of range for three point interpolation: h,k,l,h0,k0,l0: %g,%g,%g,%g,%g,%g \n", hkl.x,
               hkl.y, hkl.z, ceil(hkl.x - 0.5), ceil(hkl.y - 0.5), ceil(hkl.z - 0.5));
        puts("WARNING: further warnings will not be printed! ");
    }
    printf("solid angle subtended by detector = %g steradian ( %g%% sphere)\n", image->omega_sum_sr / m->steps,
           100.0 * image->omega_sum_sr / m->steps / 4.0 / PI);
    printf("max_I = %g  at %g %g\n", image->max_I, image->max_Fdet_m, image->max_Sdet_m);
    printf("mean= %g rms= %g rmsd= %g\n", image->mean, image->rms, image->rmsd);
}

void report_pixels(const Model *m, const Image *image, const Settings *s)
{
    const Detector *d = &m->detector;
    for (int spixel = 0; s->printout && spixel < d->spixels; spixel++)
        for (int fpixel = 0; fpixel < d->fpixels; fpixel++)
            if (is_rendered(m, spixel, fpixel) && (s->printout_fpixel < 0 || s->printout_fpixel == fpixel) &&
                (s->printout_spixel < 0 || s->printout_spixel == spixel))
                printf("pixel %d %d = %.9g\n", fpixel, spixel,
                       (double)image->floatimage[(size_t)spixel * (size_t)d->fpixels + (size_t)fpixel]);
}
