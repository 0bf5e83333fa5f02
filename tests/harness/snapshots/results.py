"""Fixed Results, put together by hand so that a snapshot changes with its renderer and not with the judge."""

from __future__ import annotations

from dataclasses import replace

from trace_parity.blame.attribution import Blame, BlameFinding
from trace_parity.compare.coverage import Coverage
from trace_parity.compare.images import ImageMetrics
from trace_parity.compare.sites import Examined
from trace_parity.pair.source_lines import SourceLine
from trace_parity.quirks.waivers import Waiver
from trace_parity.result.result import (
    CaseResult,
    Divergence,
    LogResult,
    QuirkResult,
    Result,
    VariableResult,
)

HOSTILE = '"><img/onerror=alert(1)>`|</script><script>alert(2)</script>\x1b[2J\u202e##[error]@all'
"""What a log may hold as a name: it is any word."""

STEP = {"spixel": 2, "fpixel": 3, "phi_tic": 0}
PLACE = "spixel=2 fpixel=3 phi_tic=0"


def variable(name: str, scope: str = "step", **changes: object) -> VariableResult:
    fields: dict[str, object] = {
        "name": name,
        "scope": scope,
        "unit": "1",
        "description": f"what {name.partition('_')[0]} is",
        "tolerance": "relative",
        "compared": 4,
        "divergent": 0,
        "c_only": 0,
        "py_only": 0,
        "worst_c": 1.0,
        "worst_py": 1.0,
        "worst_abs": 0.0,
        "worst_rel": 0.0,
        "worst_ulp": 0.0,
        "worst_at": PLACE,
    }
    return VariableResult(**{**fields, **changes})  # type: ignore[arg-type]


def divergence(name: str, c: str, py: str, **changes: object) -> Divergence:
    a, b = float(c), float(py)
    fields: dict[str, object] = {
        "variable": name,
        "scope": "step",
        "component": None,
        "loops": dict(STEP),
        "place": PLACE,
        "status": "divergent",
        "c_value": a,
        "py_value": b,
        "c_text": c,
        "py_text": py,
        "c_line": 12,
        "py_line": 14,
        "abs_diff": abs(a - b),
        "rel_diff": abs(a - b) / max(abs(a), abs(b)),
        "ulp_diff": 4e12,
        "allowed": 1e-6,
        "unit": "Å",
        "description": f"what {name.partition('_')[0]} is",
        "depends_on": ("cell_vec",),
        "tolerance": "relative",
    }
    return Divergence(**{**fields, **changes})  # type: ignore[arg-type]


def images(**changes: object) -> ImageMetrics:
    fields: dict[str, object] = {
        "shape": (8, 10),
        "correlation": 1.0,
        "rmse": 0.0,
        "max_abs_diff": 0.0,
        "max_abs_at": (0, 0),
        "max_abs_c": 1.0,
        "max_abs_py": 1.0,
        "max_rel_diff": 0.0,
        "sum_c": 80.0,
        "sum_py": 80.0,
        "sum_ratio": 1.0,
        "max_c": 5.0,
        "max_py": 5.0,
        "pixels_differing": 0,
        "not_finite": 0,
        "pixels_beyond": 0,
        "unit": "photons",
    }
    return ImageMetrics(**{**fields, **changes})  # type: ignore[arg-type]


def result(**changes: object) -> Result:
    fields: dict[str, object] = {
        "schema": 1,
        "case": CaseResult(
            "toy",
            "Toy case: 10 × 8 pixels",
            ("-cell", "100", "-title", "two words"),
            "fixed",
            {"A.mat": "9afec349"},
            places=((2, 3),),
        ),
        "verdict": "parity",
        "exit_code": 0,
        "headline": "all 12 numbers agree; a relative tolerance of 3.5e-13 would suffice",
        "num_divergent": 0,
        "compared": 12,
        "rtol": None,
        "needed_rtol": 3.5e-13,
        "first_divergence": None,
        "coverage": Coverage(12, 0, 0, 0, 0, (), True),
        "problems": (),
        "quirks": (),
        "variables": (
            variable("cell_vec", "run", worst_at="the whole run"),
            variable("rot_a", depends_on=("cell_vec",), worst_abs=3.5e-13, worst_rel=3.5e-13, worst_ulp=3.0),
            variable("I_final", "pixel", depends_on=("rot_a",), compared=1),
        ),
        "divergences": (),
        "logs": {side: LogResult(20, 12, 12, {}, (), {}) for side in ("C", "PY")},
        "per_tick": tuple(
            {"spixel": 2, "fpixel": 3, "phi_tic": t, "phi_deg": t / 10, "k_c": t + 0.5, "k_py": t + 0.5, "k_diff": 0.0}
            for t in range(3)
        ),
        "tick_title": "Per φ",
        "images": images(),
        "sources": {
            "step.rot_a": {
                "C": SourceLine("reference/pixel.c", 48, "PROBE3(tracer, step, rot_a, cell.a);"),
                "PY": SourceLine("port/evaluate.py", 205, 'keep("step", "rot_a", cell[0])'),
            }
        },
    }
    return Result(**{**fields, **changes})  # type: ignore[arg-type]


def blame(kind: str, side: str, name: str, scope: str = "step", **changes: object) -> BlameFinding:
    fields: dict[str, object] = {
        "kind": kind,
        "side": side,
        "variable": name,
        "scope": scope,
        "equation": f"{scope}.{name}",
        "equation_text": f"{name} = U · rotate(cell; spindle, phi)",
        "section": "5",
        "count": 2,
        "place": PLACE,
        "residual": 0.000457,
        "allowed": 4e-15,
        "hint": "the value of phi_tic=2: stale",
        "missing": (),
    }
    return BlameFinding(**{**fields, **changes})  # type: ignore[arg-type]


def with_quirk() -> Result:
    """A divergence whose first number is a known quirk, and one that it caused."""
    first = divergence("rot_a", "-21.88", "-21.87", component=1, quirk="phi-carryover")
    second = divergence("I_final", "4.5", "4.75", scope="pixel", loops={"spixel": 2, "fpixel": 3})
    other = divergence("rot_a", "1", "1.5", loops={"spixel": 5, "fpixel": 6, "phi_tic": 1}, place="spixel=5 fpixel=6")
    return result(
        case=CaseResult("toy", "Toy case: 10 × 8 pixels", ("-cell", "100"), "unfixed", places=((2, 3), (5, 6))),
        verdict="divergence",
        exit_code=1,
        headline=f"first at rot_a[1] ({PLACE}): known quirk phi-carryover; 3 of 12 numbers differ",
        num_divergent=3,
        needed_rtol=0.33,
        first_divergence=first,
        divergences=(first, second, other),
        quirks=(
            QuirkResult(
                "phi-carryover",
                "state leak",
                "C",
                "at φ=0 vectors of an earlier evaluation are used",
                "The reference rotates only when φ is not 0.",
                "compare with the repaired reference: --against fixed",
                1,
                "rot_a of C at phi_tic=0 is the value of phi_tic=2",
                True,
                1,
                0.000457,
                0.5,
                "maintainers of the reference",
                "2027-12-31",
                "docs/quirks.md#phi-carryover",
            ),
        ),
        variables=(
            variable("cell_vec", "run", worst_at="the whole run"),
            variable(
                "rot_a",
                depends_on=("cell_vec",),
                divergent=2,
                worst_c=-21.88,
                worst_py=-21.87,
                worst_abs=0.01,
                worst_rel=0.000457,
                worst_ulp=4e12,
            ),
            variable(
                "I_final", "pixel", depends_on=("rot_a",), compared=1, divergent=1, worst_c=4.5, worst_py=4.75,
                worst_abs=0.25, worst_rel=0.0526, worst_ulp=5e14, worst_at="spixel=2 fpixel=3",
            ),
        ),
        images=images(
            correlation=0.996, rmse=0.0159, max_abs_diff=1.5, max_abs_at=(5, 6), sum_py=82.0, sum_ratio=1.025,
            pixels_differing=40, pixels_beyond=12,
        ),
        blame=Blame(
            (
                blame("introduced", "C", "rot_a", quirk="phi-carryover"),
                blame("inherited", "both", "I_final", "pixel", hint="from rot_a (0.00046)"),
            ),
            3, 12, ("cell_vec: lacks beam_vec",), {"C": 17, "PY": 17},
        ),
    )  # fmt: skip


def one_sided() -> Result:
    """Nothing differs, but one variable is in C only."""
    return result(
        verdict="incomplete",
        exit_code=6,
        headline="8 numbers agree, but not everything was compared: rot_a: missing in PY at 4 places",
        compared=8,
        needed_rtol=0.0,
        coverage=Coverage(8, 4, 0, 1, 0, ("rot_a: missing in PY at 4 places",), False),
        problems=("rot_a: missing in PY at 4 places",),
        variables=(
            variable("cell_vec", "run", worst_at="the whole run"),
            variable(
                "rot_a", depends_on=("cell_vec",), compared=0, c_only=4, worst_c=None, worst_py=None, worst_abs=None,
                worst_rel=None, worst_ulp=None, worst_at="",
            ),
        ),
        logs={
            "C": LogResult(
                20, 12, 12, {"old_name": "rot_a"}, ("line 4: 'ten' is not a number",), {"old_name": "renamed"}
            ),
            "PY": LogResult(20, 8, 8, {}, (), {}),
        },
        per_tick=(),
        images=None,
        sources={},
    )  # fmt: skip


def waived() -> Result:
    """A divergence that a waiver explains, and one waiver of each other state."""
    owner, where = "maintainers of the reference", "docs/quirks.md"
    return replace(
        with_quirk(),
        verdict="stale waiver",
        exit_code=7,
        headline="waiver old-leak: its divergence is gone; remove the waiver",
        case=CaseResult(
            "toy", "Toy case: 10 × 8 pixels", ("-cell", "100"), "unfixed", places=((2, 3), (5, 6)),
            picked=("(2, 3) worst 1: differs by 1.5", "(5, 6) brightest 1: 5 in C"),
        ),
        waivers=(
            Waiver("phi-carryover", "used", 2, 0.000457, 0.5, owner, "2027-12-31", f"{where}#phi-carryover"),
            Waiver("old-leak", "stale", 0, None, 0.1, owner, "", where),
            Waiver("late", "expired", 3, 0.01, 0.1, owner, "2026-01-31", where),
            Waiver("grown", "exceeded", 3, 0.2, 0.1, owner, "2027-01-31", where),
            Waiver("elsewhere", "unused", 0, None, 0.1, owner, "2027-01-31", where),
        ),
    )  # fmt: skip


def hostile() -> Result:
    """Names, values, places and titles that try to get out of whatever they are written into."""
    first = divergence("x", "nan", "1", component=0)
    first = type(first)(**{**vars(first), "variable": HOSTILE, "place": HOSTILE, "c_text": f"nan{HOSTILE}"})
    return result(
        case=CaseResult("hostile", f"{HOSTILE} %0A::error::", ("-title", HOSTILE), inputs={HOSTILE: HOSTILE}),
        verdict="divergence",
        exit_code=1,
        headline=f"first at {HOSTILE}[0]\n::error::x; 1 of 2 numbers differ",
        num_divergent=1,
        needed_rtol=float("inf"),
        first_divergence=first,
        divergences=(first,),
        problems=(HOSTILE, "control \x07 character"),
        quirks=(QuirkResult(HOSTILE, HOSTILE, "C", HOSTILE, HOSTILE, HOSTILE, 1, HOSTILE, True, 0),),
        waivers=(Waiver(HOSTILE, "exceeded", 1, 0.7, 0.5, HOSTILE, "", HOSTILE),),
        examined=Examined(1, 1, 9),
        variables=(
            variable(
                HOSTILE, HOSTILE, description=HOSTILE, unit=HOSTILE, divergent=1, worst_c=float("nan"),
                worst_abs=float("nan"), worst_rel=float("nan"), worst_ulp=float("nan"), worst_at=HOSTILE,
            ),
            variable("y", depends_on=(HOSTILE,), worst_rel=float("inf")),
        ),
        logs={"C": LogResult(1, 1, 1, {HOSTILE: "x"}, (f"line 1: {HOSTILE!r}",), {HOSTILE: HOSTILE})},
        per_tick=tuple(
            {"spixel": 1, "fpixel": 1, "phi_tic": t, "phi_deg": None, f"{HOSTILE}_c": float("nan"),
             f"{HOSTILE}_py": 1.0 + t, f"{HOSTILE}_diff": None}
            for t in range(2)
        ),
        tick_title=HOSTILE,
        images=None,
        blame=Blame(
            (blame("introduced", HOSTILE, HOSTILE, HOSTILE, equation_text=HOSTILE, hint=HOSTILE, place=HOSTILE),
             blame("unexplained", "both", "y", residual=float("inf"), missing=(HOSTILE,), equation_text="")),
            1, 1, (HOSTILE,), {"C": 3},
        ),
        sources={f"{HOSTILE}.{HOSTILE}": {"PY": SourceLine("a b,c:d.py", 1, HOSTILE)}},
    )  # fmt: skip


RESULTS = {"parity": result, "quirk": with_quirk, "waived": waived, "one_sided": one_sided, "hostile": hostile}
