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
            return fail(err,
                        "flag -trace_pixel: pixel %d %d is not rendered: expected one inside -roi and not masked out",
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

/* A walk over the pixels in raster order, for what they leave behind. */
typedef struct {
    LeakState leak;
    size_t next; /* the pixel that the state belongs to */
} Walk;

/* The leaked state at a pixel. Both leaks settle: once a phi loop has run, every later pixel starts from the same slot;
 * once interpolation is off it stays off. So the walk usually ends at its first pixel. It goes on from where it is when
 * the next traced pixel lies further on. */
static LeakState state_before(Walk *walk, const Model *m, TracePixel at)
{
    size_t width = (size_t)m->detector.fpixels, target = (size_t)at.spixel * width + (size_t)at.fpixel;
    if (target < walk->next)
        *walk = (Walk){fresh_state(m), 0};
    while (walk->next < target) {
        bool phi_open = phi_can_leak(m) && walk->leak.phi_slot == m->osc.count;
        bool interp_open = interp_can_leak(m) && walk->leak.interpolate;
        int spixel = (int)(walk->next / width), fpixel = (int)(walk->next % width);
        if (!phi_open && !interp_open)
            break;
        if (is_rendered(m, spixel, fpixel))
            evaluate_pixel(m, spixel, fpixel, &walk->leak, NULL);
        walk->next++;
    }
    return walk->leak;
}

void write_trace(FILE *stream, const Settings *s, const Model *m)
{
    Tracer tracer = {.stream = stream};
    Walk walk = {fresh_state(m), 0};
    trace_run(&tracer, m);
    for (int i = 0; i < s->trace_count; i++) {
        TracePixel at = s->trace_pixels[i];
        LeakState leak = state_before(&walk, m, at);
#ifdef TRACE
        trace_pixel(m, at.spixel, at.fpixel, &leak, &tracer);
#else
        evaluate_pixel(m, at.spixel, at.fpixel, &leak, &tracer); /* not reached: the probe-free build refuses -trace_pixel */
#endif
    }
}
