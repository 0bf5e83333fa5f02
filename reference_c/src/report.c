/* What the run found out, as numbers that a log keeps: the lines of the original in its order, because people have
 * scripts that read them. docs/formats.md lists what is left out; a test compares the rest with golden logs. */
#include "report.h"

#include "units.h"

static void report_rows(const char *title, const char *columns, const Cell *cell)
{
    printf("%s\n%s\n", title, columns);
    printf("X: %11.8f %11.8f %11.8f\n", cell->a.x, cell->b.x, cell->c.x);
    printf("Y: %11.8f %11.8f %11.8f\n", cell->a.y, cell->b.y, cell->c.y);
    printf("Z: %11.8f %11.8f %11.8f\n", cell->a.z, cell->b.z, cell->c.z);
}

/* What settings were changed, before anything else. */
static void report_changes(const Model *m, const Settings *s)
{
    const Crystal *x = &m->crystal;
    if (x->clipped_y)
        printf("WARNING: clipping sample (%g m high) with beam (%g m)\n", s->sample_y_m, s->beamsize_m);
    if (x->clipped_z)
        printf("WARNING: clipping sample (%g m wide) with beam (%g m)\n", s->sample_z_m, s->beamsize_m);
    if (m->detector.odet_generated)
        puts("WARNING: auto-generating odet_vector");
    if (s->thick.range > 0.0 && s->detector_mu < 0.0)
        printf("WARNING: setting detector attenuation depth to %g m\n", m->detector.mu);
    if (x->domains_raised)
        printf("WARNING: finite mosaicity with only one domain! upping to %d mosaic domains\n", x->mosaic_domains);
    if (s->mosaic_domains > 0 && x->mosaic_domains == 1 && s->mosaic_spread_rad <= 0.0)
        printf("WARNING: %s mosaic spread specified.  setting mosaic_domains = 1\n",
               s->mosaic_spread_rad < 0.0 ? "no" : "zero");
}

static void report_geometry(const Model *m, const Settings *s)
{
    static const char *const NAMES[] = {"mosflm", "denzo", "adxv", "xds", "dials", "custom"};
    const Detector *d = &m->detector;
    printf("%s convention selected.\n", NAMES[d->convention]);
    printf("pivoting detector around %s\n", d->pivot == PIVOT_BEAM ? "direct beam spot" : "sample");
    printf("XDS incident beam: %g %g %g\n", d->xds_beam.x, d->xds_beam.y, d->xds_beam.z);
    if (s->interpolate == INTERPOLATE_AUTO)
        puts(s->Na <= 2 || s->Nb <= 2 || s->Nc <= 2 ? "auto-selected tricubic interpolation of structure factors"
                                                    : "auto-selected no interpolation");
}

static void report_odd_angles(const Crystal *x)
{
    static const char *const NAMES[3] = {"alpha_star", "beta_star", "gamma_star"};
    static const char *const SPACES[3] = {" = ", "  = ", " = "};
    const double *sine = x->star_sines, *cosine = x->star_cosines;
    bool odd = false;
    for (int i = 0; i < 3; i++)
        odd = odd || fabs(sine[i]) > ODD_ANGLE || fabs(cosine[i]) > ODD_ANGLE;
    if (!odd)
        return;
    puts("WARNING: oddball reciprocal cell angles:");
    for (int i = 0; i < 3; i++) {
        printf("sin(%s)%s%.25g\n", NAMES[i], SPACES[i], sine[i]);
        printf("cos(%s)%s%.25g\n", NAMES[i], SPACES[i], cosine[i]);
    }
}

static void report_crystal(const Model *m)
{
    const Crystal *x = &m->crystal;
    const double *cell = x->cell_A, *angles = x->angles_rad, *star = x->star_lengths_A_inv,
                 *star_angles = x->star_angles_rad;
    if (x->misset_random)
        printf("random orientation misset angles: %f %f %f deg\n", x->misset_rad.x * RTD, x->misset_rad.y * RTD,
               x->misset_rad.z * RTD);
    report_odd_angles(x);
    printf("Unit Cell: %g %g %g %g %g %g\n", cell[0], cell[1], cell[2], angles[0] * RTD, angles[1] * RTD,
           angles[2] * RTD);
    printf("Recp Cell: %g %g %g %g %g %g\n", star[0], star[1], star[2], star_angles[0] * RTD, star_angles[1] * RTD,
           star_angles[2] * RTD);
    printf("volume = %g A^3\n", x->V_cell_A3);
    report_rows("real-space cell vectors (Angstrom):", "     a           b           c         ", &x->real_A);
    report_rows("reciprocal-space cell vectors (Angstrom^-1):", "     a_star      b_star      c_star    ",
                &x->star_A_inv);
    printf("crystal is %g x %g x %g microns\n", x->Na * cell[0] * 1e-4, x->Nb * cell[1] * 1e-4, x->Nc * cell[2] * 1e-4);
}

static void report_oversampling(const Model *m)
{
    if (!m->oversample_given)
        printf("auto-selected %d-fold oversampling\n", m->oversample);
    else if (m->oversample < m->recommended_oversample) {
        printf("WARNING: maximum dimension of sample is %g A\n", m->largest_m * 1e10);
        printf("         but reciprocal pixel size is %g A\n", m->fringe_m * 1e10);
        puts("         intensity may vary significantly across a pixel!");
        printf("         recommend -oversample %d to work around this\n", m->recommended_oversample);
    }
    const double *cell = m->crystal.cell_A;
    printf("approximate MW = %g\n", cell[0] * cell[1] * cell[2] * 1e-30 * PROTEIN_DENSITY * AVOGADRO);
}

static void report_deviations(const Beam *beam)
{
    for (int hdiv_tic = 0; hdiv_tic < beam->hdiv.count; hdiv_tic++)
        for (int vdiv_tic = 0; vdiv_tic < beam->vdiv.count; vdiv_tic++) {
            double hdiv, vdiv;
            if (divergence_rad(beam, hdiv_tic, vdiv_tic, &hdiv, &vdiv))
                printf("divergence deviation: %g %g\n", hdiv, vdiv);
        }
}

static void report_sampling(const Model *m)
{
    const Beam *beam = &m->beam;
    for (int tic = 0; tic < m->detector.thicksteps; tic++)
        printf("thick%d = %g um\n", tic, m->detector.thickstep_m * tic * 1e6);
    for (int tic = 0; tic < m->osc.count; tic++)
        printf("phi%d = %g\n", tic, (m->phi0_rad + m->osc.step * tic) * RTD);
    if (!beam->from_file) {
        report_deviations(beam);
        for (int tic = 0; tic < beam->dispersion.count; tic++)
            printf("lambda%d = %.15g\n", tic, wavelength_m(beam, tic));
    }
    printf("  created a total of %d sources:\n", beam->count);
    for (int i = 0; i < beam->count; i++) {
        const Source *source = &beam->sources[i];
        printf("%g %g %g   %g %g\n", source->position_m.x, source->position_m.y, source->position_m.z, source->weight,
               source->lambda_m);
    }
    printf("  created a total of %d mosaic domains\n", m->crystal.mosaic_domains);
}

static void report_experiment(const Model *m, const Settings *s)
{
    static const char *const SHAPES[] = {"parallelpiped", "ellipsoidal", "gaussian", "tophat-spot"};
    const Crystal *x = &m->crystal;
    const Beam *beam = &m->beam;
    printf("  %ld initialized hkls (all others =%g)\n", m->refl.listed, m->refl.default_F);
    printf("  %s xtal: %.0fx%.0fx%.0f cells\n", SHAPES[x->shape], x->Na, x->Nb, x->Nc);
    printf("  wave=%g meters +/- %g%% in %d steps\n", beam->lambda0_m, beam->dispersion.range * 100.0,
           beam->dispersion.count);
    if (beam->nopolar)
        puts("  polarization effect disabled");
    else
        printf("  Kahn polarization factor: %f\n", beam->polarization);
    if (s->curved_detector)
        puts("  curved detector: all pixels same distance from origin");
    if (s->point_pixel)
        puts("  pixel obliquity effect disabled");
    printf("  incident fluence: %g photons/m^2\n", beam->fluence);
}

static void report_detector(const Detector *d)
{
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
    printf("  POLARIZATION_PLANE_NORMAL= %g %g %g\n", d->polarization_normal.x, d->polarization_normal.y,
           d->polarization_normal.z);
    printf("  dials origin= %g %g %g\n", d->dials_origin_mm.x, d->dials_origin_mm.y, d->dials_origin_mm.z);
    printf("  roi: %d < x < %d && %d < y < %d\n", d->roi_xmin, d->roi_xmax, d->roi_ymin, d->roi_ymax);
}

static void report_steps(const Model *m, const Settings *s)
{
    const Beam *beam = &m->beam;
    printf("  hdivrange=%g hdivstep=%g  radians\n", beam->hdiv.range, beam->hdiv.step);
    printf("  vdivrange=%g vdivstep=%g  radians\n", beam->vdiv.range, beam->vdiv.step);
    printf("  %d divergence steps\n", beam->directions);
    printf("  %d sources\n", beam->count);
    printf("  %d mosaic domains over mosaic spread of %g degrees\n", m->crystal.mosaic_domains,
           m->crystal.mosaic_spread_rad * RTD);
    printf("  %d phi steps from %g to %g degrees\n", m->osc.count, m->phi0_rad * RTD,
           (m->phi0_rad + m->osc.range) * RTD);
    printf("  %dx%d pixel oversample steps%s%s%s\n", m->oversample, m->oversample, m->oversample_thick ? " +thick" : "",
           m->oversample_polar ? " +polar" : "", m->oversample_omega ? " +omega" : "");
    if (m->mask)
        printf("  skipping zero-flagged pixels in %s\n", s->mask_file);
    if (s->write_noise)
        printf("  water droplet size: %g m\n", s->water_size_m);
}

void report_model(const Model *m, const Settings *s)
{
    report_changes(m, s);
    report_geometry(m, s);
    report_crystal(m);
    report_oversampling(m);
    report_sampling(m);
    report_experiment(m, s);
    report_detector(&m->detector);
    report_steps(m, s);
}

void report_image(const Model *m, const Image *image)
{
    Vec3 hkl = image->outside_hkl;
    if (image->block_outside) {
        printf("WARNING: out of range for three point interpolation: h,k,l,h0,k0,l0: %g,%g,%g,%.0f,%.0f,%.0f \n", hkl.x,
               hkl.y, hkl.z, ceil(hkl.x - 0.5) + 0.0, ceil(hkl.y - 0.5) + 0.0, ceil(hkl.z - 0.5) + 0.0);
        puts("WARNING: further warnings will not be printed! ");
    } else {
        puts("");
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
