/* The trace of a run: its own quantities first, then the loops of each traced pixel. */
#include "trace.h"

bool check_trace_pixels(const Settings *s, const Model *m, Error *err)
{
    const Detector *d = &m->detector;
    for (int i = 0; i < s->trace_count; i++) {
        int spixel = s->trace_pixels[i].spixel, fpixel = s->trace_pixels[i].fpixel;
        if (spixel < 0 || spixel >= d->spixels || fpixel < 0 || fpixel >= d->fpixels)
            return fail(err, "flag -trace_pixel: expected slow 0..%d and fast 0..%d, got %d %d", d->spixels - 1,
                        d->fpixels - 1, spixel, fpixel);
        if (!is_rendered(m, spixel, fpixel))
            return fail(err, "flag -trace_pixel: pixel %d %d is not rendered: expected one inside -roi and not masked out",
                        spixel, fpixel);
    }
    return true;
}

static void trace_run(Tracer *tracer, const Model *m)
{
    const Detector *d = &m->detector;
    const Crystal *x = &m->crystal;
    (void)tracer;
    (void)d;
    PROBE3(tracer, run, beam_vec, d->beam_vector);
    PROBE3(tracer, run, polar_vec, d->polar_vector);
    PROBE3(tracer, run, spindle_vec, d->spindle_vector);
    PROBE3(tracer, run, twotheta_axis, d->twotheta_axis);
    PROBE3(tracer, run, fdet_vec, d->fdet_vector);
    PROBE3(tracer, run, sdet_vec, d->sdet_vector);
    PROBE3(tracer, run, odet_vec, d->odet_vector);
    PROBE3(tracer, run, pix0_vector_meters, d->pix0_vector_m);
    PROBE(tracer, run, distance_meters, d->distance_m);
    PROBE(tracer, run, close_distance_meters, d->close_distance_m);
    PROBE(tracer, run, Fbeam_meters, d->Fbeam_m);
    PROBE(tracer, run, Sbeam_meters, d->Sbeam_m);
    PROBE(tracer, run, Fclose_meters, d->Fclose_m);
    PROBE(tracer, run, Sclose_meters, d->Sclose_m);
    PROBE3(tracer, run, a_star_A_inv, x->star_A_inv.a);
    PROBE3(tracer, run, b_star_A_inv, x->star_A_inv.b);
    PROBE3(tracer, run, c_star_A_inv, x->star_A_inv.c);
    PROBE3(tracer, run, a_angstroms, x->real_A.a);
    PROBE3(tracer, run, b_angstroms, x->real_A.b);
    PROBE3(tracer, run, c_angstroms, x->real_A.c);
    PROBE(tracer, run, V_cell_A3, x->V_cell_A3);
    PROBE_VALUES(tracer, run, N_cells, 3, x->Na, x->Nb, x->Nc);
    for (int mos_tic = 0; mos_tic < x->mosaic_domains; mos_tic++) {
        const double *u = x->mosaic_umats[mos_tic].m;
        (void)u;
        PROBE_KEY(tracer, KEY_MOS_TIC, mos_tic);
        PROBE_VALUES(tracer, mosaic, mosaic_umat, 9, u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8]);
    }
}

/* The leaked state at a pixel. Both leaks settle: once a phi loop has run, every later pixel starts from the same slot;
 * once interpolation is off it stays off. So the walk over the earlier pixels ends there, usually at the first. */
static LeakState state_before(const Model *m, int spixel, int fpixel)
{
    LeakState leak = fresh_state(m);
    bool phi_open = phi_can_leak(m), interp_open = interp_can_leak(m);
    for (int s = 0; s <= spixel; s++)
        for (int f = 0; f < (s == spixel ? fpixel : m->detector.fpixels); f++) {
            if (!phi_open && !interp_open)
                return leak;
            if (!is_rendered(m, s, f))
                continue;
            evaluate_pixel(m, s, f, &leak, NULL);
            phi_open = phi_open && leak.phi_slot == m->osc.count;
            interp_open = interp_open && leak.interpolate;
        }
    return leak;
}

void write_trace(FILE *stream, const Settings *s, const Model *m)
{
    Tracer tracer = {.stream = stream};
    trace_run(&tracer, m);
    for (int i = 0; i < s->trace_count; i++) {
        TracePixel at = s->trace_pixels[i];
        LeakState leak = state_before(m, at.spixel, at.fpixel);
        evaluate_pixel(m, at.spixel, at.fpixel, &leak, &tracer);
    }
}
