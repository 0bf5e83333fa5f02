"""What the modules of equations share: vectors of unit length, equations of one form, the first value of a pixel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from trace_parity.blame.equation import Equation, Form, Input, Pick, Values
from trace_parity.blame.log_values import Array, LogView
from trace_parity.pair.vocabulary import Key

from .vector_math import norm, unit

TURNED = ("fdet_vec", "sdet_vec", "odet_vec")
"""What the 2θ arm turns; about an axis that is not a unit vector it changes lengths too."""
UNIT = 1e-12


def _axis_is_no_unit(x: Values, got: Array) -> np.ndarray:
    return np.asarray(np.abs(norm(x["twotheta_axis"]) - 1)[:, 0] > UNIT)


def of_unit_length(variable: str, section: str, fallback: tuple[str, ...] = ()) -> Equation:
    """A vector that the model makes a unit vector."""
    name = variable.rpartition(".")[2]
    return Equation(
        f"unit_{variable.replace('.', '_')}",
        f"|{name}| = 1",
        section,
        variable,
        (Input(variable, "v"), *((Input("run.twotheta_axis", default=np.nan),) if name in TURNED else ())),
        (Form("unit vector", lambda x: unit(x["v"])),),
        conditional=_axis_is_no_unit if name in TURNED else False,
        fallback_for=fallback,
    )


def simple(
    name: str,
    text: str,
    section: str,
    output: str,
    inputs: str,
    function: Callable[[Values], Array],
    **further: Any,
) -> Equation:
    """An equation of one form; `inputs` are ids or names, with spaces between. `further` are fields of Equation."""
    return Equation(
        name,
        text,
        section,
        output,
        tuple(map(Input, inputs.split())),
        (Form("as written", function),),
        **further,
    )


def first_of_pixel(variable: str, *, only_others: bool = False) -> Pick:
    """Pick the first place of the pixel at which a variable is printed; None there when `only_others`.

    The first value met may be used for the whole pixel (quirk first-value).
    """

    def pick(view: LogView, key: Key) -> Key | None:
        first = next(iter(view.keys_within(variable, key, 2)), None)
        return None if only_others and first == key else first

    return pick
