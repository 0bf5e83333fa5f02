/* What an instrumented source calls. It includes nothing, so that it may come before the program's own feature macros. */
#ifdef __cplusplus
extern "C" {
#endif
/* Set before main and never after: const, so that the test is made once and not in every iteration. */
extern const int trace_probe_on;
extern int trace_probe_wants(int variable);
extern int trace_probe_put(int variable, int size, ...);
extern long trace_probe_push(int loop, long index);
extern void trace_probe_pop(int loop, long before);
extern int trace_probe_move(int loop, long index);
#ifdef __cplusplus
}
#endif
#if defined(__cplusplus) && __cplusplus >= 201103L
/* Whether something that a value is read through points anywhere: a pointer, or an object that can say so. */
template <class T> auto trace_probe_points(const T &p, int) -> decltype(static_cast<bool>(p)) { return static_cast<bool>(p); }
template <class T> bool trace_probe_points(const T &, long) { return true; }
#endif
/* An iteration of a loop: left whichever way the program leaves it. */
struct trace_probe_frame { int loop; long before; };
/* Reached through functions: a parallel region with default(none) refuses to see a global. */
static __inline__ __attribute__((unused)) int trace_probe_active(void) { return __builtin_expect(trace_probe_on, 0); }
static __inline__ __attribute__((unused)) struct trace_probe_frame trace_probe_enter(int loop, long index)
{
    struct trace_probe_frame frame;
    frame.loop = loop;
    frame.before = 0;
    if (trace_probe_active()) frame.before = trace_probe_push(loop, index);
    return frame;
}
static __inline__ __attribute__((unused)) void trace_probe_leave(struct trace_probe_frame *frame)
{
    if (trace_probe_active()) trace_probe_pop(frame->loop, frame->before);
}
