"""Equations of the sum over steps and of the pixel value: model.md, section 8, with the quirks it names.

With an -oversample_ flag a factor multiplies the running sum after every step (quirk running-product; I_running is
traced before that) and the pixel value no more. No log of today states the flags; the running sum shows them, and
older logs print them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np
from trace_parity.blame.equation import Equation, Form, Input, Pick, Values
from trace_parity.blame.evaluation import evaluate
from trace_parity.blame.log_values import Array, LogView
from trace_parity.pair.vocabulary import Key

from .beam import unpolarised, unpolarised_of_units
from .common import first_of_pixel
from .sums import sum_of_steps

FLAGGED = {"capture_fraction": "oversample_thick", "polar": "oversample_polar", "omega_pixel_sr": "oversample_omega"}
"""Factor of a step to the flag that multiplies it into the running sum."""
FINAL = {"capture_fraction": "capture_fraction_final", "polar": "polar_final", "omega_pixel_sr": "omega_pixel_final"}
THOMSON = np.longdouble("7.94079248018965e-30")
COUNTED = ("subS", "subF", "source", "phi_tic", "mos_tic")
"""Loops whose ticks are divided by; layers are not."""
Factors = frozenset[str]


def _subsets() -> list[Factors]:
    return [frozenset(c) for n in range(4) for c in combinations(FLAGGED, n)]


def _named(factors: Factors) -> str:
    return "times " + ", ".join(sorted(factors)) if factors else "plain sum"


def flags_of(view: LogView) -> list[Factors]:
    """The sets of factors that this log may have multiplied into its running sum; all if unknown."""
    root = tuple([-1] * len(view.vocabulary.loops))
    told = {factor: view.at(f"run.{flag}", root) for factor, flag in FLAGGED.items()}
    if all(value is not None for value in told.values()):
        return [frozenset(f for f, value in told.items() if value is not None and value[0] != 0)]
    return _subsets()


def shown_flags(view: LogView) -> list[Factors]:
    """As flags_of, narrowed to the set that explains most of the running sums."""
    possible = flags_of(view)
    if len(possible) == 1:
        return possible
    cached: list[Factors] | None = view.memo.get("flags")
    if cached is None:
        names = {_named(f): f for f in possible}
        outcomes = evaluate(replace(RUNNING, one_form=False), view).outcomes.values()
        obeyed = [{name.partition(_WITH_WATER)[0] for name in o.forms} for o in outcomes]
        counts = {name: sum(name in each for each in obeyed) for name in names}
        most = max(counts.values(), default=0)
        shown = [names[name] for name, count in counts.items() if count == most]
        cached = [min(shown, key=lambda factors: _broken_with(factors, view))] if most else possible
        view.memo["flags"] = cached
    return cached


def _broken_with(factors: Factors, view: LogView) -> int:
    """At how many places the pixel's sum and value are not what these flags make of them: one step alone tells none."""
    asked = replace(SUM, forms=(_sum_times(factors),)), replace(VALUE, forms=(_value_without(factors),))
    return sum(not outcome.ok for equation in asked for outcome in evaluate(equation, view).outcomes.values())


def _previous_step(view: LogView, key: Key) -> Key | None:
    """The step before this one in the same pixel, in the order of the loops."""
    return _steps_before(view).get(key)


def _steps_before(view: LogView) -> dict[Key, Key | None]:
    cached: dict[Key, Key | None] | None = view.memo.get("steps_before")
    if cached is None:
        keys = view.keys("step.I_running")
        cached = {
            key: earlier if earlier and earlier[:2] == key[:2] else None
            for earlier, key in zip([(), *keys], keys, strict=False)
        }
        view.memo["steps_before"] = cached
    return cached


def _running_forms(view: LogView) -> tuple[Form, ...]:
    def recurrence(factors: Factors) -> Form:
        def running(x: Values) -> Array:
            before = x["previous"]
            for factor in sorted(factors):
                before = before * x[factor]
            total: Array = before + (x["F_cell"] * x["F_latt"]) ** 2
            return total

        return Form(_named(factors), running)

    start = _background(view)
    wet = f"{_WITH_WATER} of {float(start):.6g}"
    plain = [recurrence(factors) for factors in flags_of(view)]
    return (*plain, *(Form(f"{f.name}{wet}", partial(_on_background, f, start)) for f in plain if start > 0))


_WITH_WATER = ", on a background"
SURPLUS = 1e-9
"""What a sum must be larger by than its first step, relatively, for a further term to be in it."""


def _background(view: LogView) -> np.longdouble:
    """What the sum of every pixel starts at, as the first steps show it: water around the crystal; 0 for none."""
    if "background" not in view.memo:
        starts = []
        for key, before in _steps_before(view).items():
            places = [view.find(name, key) for name in ("F_cell", "F_latt")] if before is None else []
            values = [view.at(*place) for place in places if place is not None]
            total = view.at("step.I_running", key)
            if len(values) == 2 and values[0] is not None and values[1] is not None and total is not None:
                starts.append(total[0] - (values[0][0] * values[1][0]) ** 2)
        start = np.median(starts) if starts else np.longdouble(0)
        sums = [total[0] for key in _steps_before(view) if (total := view.at("step.I_running", key)) is not None]
        view.memo["background"] = start if start > SURPLUS * max(sums, default=0) else np.longdouble(0)
    found: np.longdouble = view.memo["background"]
    return found


def _on_background(form: Form, start: np.longdouble, x: Values) -> Array:
    """The sum of a crystal in water."""
    wet: Array = form.function(x) + np.where(x["previous"] == 0, start, 0)
    return wet


RUNNING = Equation(
    "running_sum",
    "I_running = I_running of the step before (times what -oversample_ flags name) + F_cell²·F_latt²",
    "8",
    "step.I_running",
    (
        Input("F_cell"),
        Input("F_latt"),
        Input("step.I_running", "previous", _previous_step, 0.0),
        *(Input(name, pick=_previous_step, default=1.0) for name in FLAGGED),
    ),
    _running_forms,
    one_form=True,
)


def _last_of_pixel(variable: str) -> Pick:
    def pick(view: LogView, key: Key) -> Key | None:
        return next(reversed(view.keys_within(variable, key, 2)), None)

    return pick


def _sum_times(factors: Factors) -> Form:
    def value(x: Values) -> Array:
        last = x["last"]
        for factor in sorted(factors):
            last = last * x[factor]
        return last

    return Form(_named(factors), value)


def _sum_forms(view: LogView) -> tuple[Form, ...]:
    return tuple(_sum_times(factors) for factors in shown_flags(view))


SUM = Equation(
    "sum",
    "I_before_scaling = I_running of the last step (times what -oversample_ flags name)",
    "8",
    "pixel.I_before_scaling",
    (
        Input("step.I_running", "last", _last_of_pixel("step.I_running")),
        *(Input(name, pick=_last_of_pixel("step.I_running"), default=np.nan) for name in FLAGGED),
    ),
    _sum_forms,
)


def _first_of_last_layer(view: LogView, key: Key) -> Key | None:
    layer = view.vocabulary.loops.index("thick_tic")
    keys = view.keys_within("subsample.capture_fraction", key, 2)
    return next((k for k in keys if k[layer] == keys[-1][layer]), None)


def _steps_forms(view: LogView) -> tuple[Form, ...]:
    return (Form("as written", lambda x: np.full_like(x["steps"], ticks_seen(view))),)


def ticks_seen(view: LogView) -> float:
    """Product of the numbers of ticks of the counted loops, as far as the log has them."""
    loops = [view.vocabulary.loops.index(name) for name in COUNTED]
    ticks = [1 + max((k[i] for v in COUNT_FROM for k in view.keys(v)), default=0) for i in loops]
    return float(np.prod([max(1, count) for count in ticks]))


COUNT_FROM = (
    "step.I_running",
    "step.hkl_frac",
    "step.F_latt",
    "step.rot_a_angstroms",
    "source.incident_vec",
    "subsample.pixel_pos_meters",
)


def _needs_steps(view: LogView, key: Key) -> str:
    return "" if any(view.keys(v) for v in COUNT_FROM) else "lines of the loops that are counted"


def _value_without(factors: Factors) -> Form:
    def value(x: Values) -> Array:
        total = x["r_e_sqr"] * x["fluence_photons_per_m2"] * x["I_before_scaling"] / x["steps"]
        for factor, final in FINAL.items():
            if factor not in factors:
                total = total * x[final]
        return total

    return Form("all factors" if not factors else "without " + ", ".join(sorted(factors)), value)


def _final_forms(view: LogView) -> tuple[Form, ...]:
    return tuple(_value_without(factors) for factors in shown_flags(view))


def _left_out() -> tuple[Form, ...]:
    """Ways to forget or repeat a factor."""
    names = ("r_e_sqr", "fluence_photons_per_m2", "capture_fraction_final", "polar_final", "omega_pixel_final")
    base = _whole

    def changed(name: str, power: int) -> Form:
        word = "left out" if power < 0 else "applied twice"
        return Form(f"{name} {word}", lambda x: base(x) * x[name] ** power)

    forms = [changed(name, power) for name in names for power in (-1, 1)]
    forms += [
        Form("not divided by steps", lambda x: base(x) * x["steps"]),
        Form("divided by steps twice", lambda x: base(x) / x["steps"]),
    ]
    return tuple(forms)


def _whole(x: Values) -> Array:
    total = x["r_e_sqr"] * x["fluence_photons_per_m2"] * x["I_before_scaling"] / x["steps"]
    return total * x["capture_fraction_final"] * x["polar_final"] * x["omega_pixel_final"]


def _float32(x: Values) -> Array:
    with np.errstate(over="ignore", under="ignore"):
        return x["I_pixel_final"].astype(np.float64).astype(np.float32).astype(np.longdouble)


def _chosen(variable: str, output: str, text: str, first: Pick, last: Pick) -> Equation:
    """The value that scales the pixel: the first met, or with the flag the last one."""
    return Equation(
        f"chosen_{output}",
        text,
        "8",
        f"pixel.{output}",
        (Input(variable, "first", first), Input(variable, "last", last)),
        (Form("first value", lambda x: x["first"]), Form("last value", lambda x: x["last"])),
    )


VALUE = Equation(
    "pixel_value",
    "I_pixel_final = r_e²·fluence·I_before_scaling/steps · capture · polar · omega",
    "8",
    "pixel.I_pixel_final",
    tuple(
        map(
            Input,
            "r_e_sqr fluence_photons_per_m2 I_before_scaling steps capture_fraction_final polar_final "
            "omega_pixel_final".split(),
        )
    ),
    _final_forms,
    variants=_left_out(),
)


EQUATIONS: tuple[Equation, ...] = (
    RUNNING,
    SUM,
    Equation(
        "sum_of_steps",
        "I_before_scaling = Σ F_cell²·F_latt² over all steps",
        "8",
        "pixel.I_before_scaling",
        tuple(map(Input, ("F_cell", "F_latt", "steps"))),
        fallback_for=("sum",),
        relation=sum_of_steps,
    ),
    Equation(
        "thomson",
        "r_e_sqr = 7.94079248018965e-30 m²",
        "1",
        "pixel.r_e_sqr",
        (),
        (Form("as written", lambda x: np.full((len(x["loops"]), 1), THOMSON)),),
    ),
    Equation(
        "steps",
        "steps = sources · mosaic domains · phi ticks · sub-samples, as the loops of the log show them",
        "3",
        "pixel.steps",
        (Input("steps"),),
        _steps_forms,
        needs_also=_needs_steps,
    ),
    _chosen(
        "subsample.capture_fraction",
        "capture_fraction_final",
        "capture_fraction_final is that of the first sub-sample of the last layer (with its flag: of the last)",
        _first_of_last_layer,
        _last_of_pixel("subsample.capture_fraction"),
    ),
    _chosen(
        "source.polar",
        "polar_final",
        "polar_final is the first polar of the pixel (with its flag: the last)",
        first_of_pixel("source.polar"),
        _last_of_pixel("source.polar"),
    ),
    Equation(
        "polar_of_the_ray",
        "polar_final = (1 + cos²2θ)/2, cos2θ = incident·diffracted, for an unpolarised beam",
        "7",
        "pixel.polar_final",
        (
            Input("source.incident_vec", pick=first_of_pixel("source.incident_vec")),
            Input("subsample.diffracted_vec", pick=first_of_pixel("subsample.diffracted_vec")),
        ),
        (Form("unpolarised", unpolarised), Form("unpolarised, of unit vectors", unpolarised_of_units)),
        conditional=True,
        fallback_for=("chosen_polar_final",),
    ),
    _chosen(
        "subsample.omega_pixel_sr",
        "omega_pixel_final",
        "omega_pixel_final is the first omega of the pixel (with its flag: the last)",
        first_of_pixel("subsample.omega_pixel_sr"),
        _last_of_pixel("subsample.omega_pixel_sr"),
    ),
    VALUE,
    Equation(
        "stored",
        "floatimage_accumulated = float32(I_pixel_final)",
        "8",
        "pixel.floatimage_accumulated",
        (Input("I_pixel_final"),),
        (Form("as written", _float32),),
        exact=True,
        variants=(Form("not rounded to float32", lambda x: x["I_pixel_final"]),),
    ),
)
