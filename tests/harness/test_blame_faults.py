"""Faults planted one at a time, and five at once, in a small program of its own; blame must name stage and side.

The program below computes the model in plain doubles, stage by stage, and prints a full trace; a fault replaces what a
stage hands on, so that everything after it follows from the wrong value as it would in a real program.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from trace_parity.blame.attribution import Blame, BlameFinding, blame_log, blame_pair
from trace_parity.blame.of_pair import domain_of_pair
from trace_parity.compare.align import align
from trace_parity.compare.judge import judge
from trace_parity.pair.find import shipped
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.trace import TraceTable, read_trace_lines

Fault = Callable[[Any, dict[str, Any]], Any]
Faults = dict[str, Fault]


def unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v)


def rodrigues(v: np.ndarray, axis: np.ndarray, degrees: float) -> np.ndarray:
    angle = math.radians(degrees)
    return axis * (axis @ v) * (1 - math.cos(angle)) + v * math.cos(angle) + np.cross(axis, v) * math.sin(angle)


def dual(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> list[np.ndarray]:
    volume = a @ np.cross(b, c)
    return [np.cross(b, c) / volume, np.cross(c, a) / volume, np.cross(a, b) / volume]


def sincg(x: float, n: float) -> float:
    return n if x == 0 else math.sin(math.pi * n * x) / math.sin(math.pi * x)


class Program:
    """The model of a tilted detector, a triclinic cell, one pixel, 2×2 sub-samples, two sources, φ ticks, mosaic."""

    pixels: tuple[tuple[int, int], ...] = ((20, 31),)
    cells = (9.0, 12.0, 7.0)
    size = 0.2e-3
    oversample = 2
    sources = 2
    phi = (0.0, 0.5, 4)
    domains = 2

    def __init__(self, side: str, faults: Faults | None = None) -> None:
        self.side, self.faults = side, faults or {}
        self.lines: list[str] = []
        self.seen: dict[str, Any] = {}

    def put(self, name: str, keys: dict[str, int], value: Any, **context: Any) -> Any:
        """Print a value, faulty if this stage is, and hand it on."""
        stage = f"{'run' if not keys else 'other'}.{name}" if f"run.{name}" in self.faults else name
        fault = self.faults.get(stage)
        if fault is not None and not (stage.startswith("run.") and keys):
            value = fault(value, {"keys": keys, "last": self.seen.get(name, value), **context})
        self.seen[name] = value
        numbers = " ".join(f"{x:.17g}" for x in np.atleast_1d(value))
        where = f"[{' '.join(f'{k}={v}' for k, v in keys.items())}]" if keys else ""
        self.lines.append(f"TRACE_{self.side}{where}: {name} {numbers}\n")
        return value

    def text(self) -> str:
        """The whole log."""
        run = self._run()
        for s, f in self.pixels:
            self._pixel(s, f, run)
        return "".join(self.lines)

    def _run(self) -> dict[str, Any]:
        put = lambda name, value: self.put(name, {}, value)  # noqa: E731
        r: dict[str, Any] = {"beam": put("beam_vec", unit(np.array([1.0, 0.02, -0.01])))}
        put("polar_vec", np.array([0.0, 0.0, 1.0]))
        r["spindle"] = put("spindle_vec", unit(np.array([-0.3, 0.1, 0.9])))
        put("twotheta_axis", np.array([0.0, 1.0, 0.0]))
        f, s = unit(np.array([0.05, 0.1, 0.99])), unit(np.array([0.02, -1.0, 0.1]))
        s = unit(s - f * (s @ f))
        r["f"], r["s"] = put("fdet_vec", f), put("sdet_vec", s)
        r["o"] = put("odet_vec", unit(np.cross(r["f"], r["s"])))
        pix0 = put("pix0_vector_meters", 0.1 * r["beam"] - 0.0062 * r["f"] - 0.0071 * r["s"])
        r["pix0"] = pix0
        close = pix0 @ r["o"]
        distance = put("distance_meters", close / (r["beam"] @ r["o"]))
        r["close"] = put("close_distance_meters", close)
        put("Fbeam_meters", r["f"] @ (distance * r["beam"] - pix0))
        put("Sbeam_meters", r["s"] @ (distance * r["beam"] - pix0))
        put("Fclose_meters", -pix0 @ r["f"])
        put("Sclose_meters", -pix0 @ r["s"])
        stars = np.array([[0.021, 0.003, -0.002], [0.001, 0.017, 0.004], [-0.003, 0.002, 0.014]])
        r["stars"] = [put(f"{n}_star_A_inv", v) for n, v in zip("abc", stars, strict=True)]
        r["cell"] = [put(f"{n}_angstroms", v) for n, v in zip("abc", dual(*r["stars"]), strict=True)]
        put("V_cell_A3", r["cell"][0] @ np.cross(r["cell"][1], r["cell"][2]))
        r["N"] = put("N_cells", np.array(self.cells))
        tilt = np.array([rodrigues(e, unit(np.array([1.0, 2.0, 0.5])), 0.4) for e in np.eye(3)]).T
        umats = [np.eye(3), tilt][: self.domains]
        flat = [u.ravel() for u in umats]
        printed = [self.put("mosaic_umat", {"mos_tic": m}, u, umats=flat) for m, u in enumerate(flat)]
        r["U"] = [u.reshape(3, 3) for u in printed]
        return r

    def _pixel(self, s: int, f: int, r: dict[str, Any]) -> None:
        pixel = {"spixel": s, "fpixel": f}
        total = 0.0
        first: dict[str, Any] = {}
        for ss in range(self.oversample):
            for sf in range(self.oversample):
                keys = {**pixel, "thick_tic": 0, "subS": ss, "subF": sf}
                sub = self._subsample(keys, r)
                first.setdefault("omega", sub["omega"])
                for source in range(self.sources):
                    q, polar = self._source({**keys, "source": source}, sub, r)
                    first.setdefault("polar", polar)
                    total = self._steps({**keys, "source": source}, q, total, r)
        put = lambda name, value, **context: self.put(name, pixel, value, **context)  # noqa: E731
        total = put("I_before_scaling", total)
        r_e, fluence = put("r_e_sqr", 7.94079248018965e-30), put("fluence_photons_per_m2", 1e24)
        steps = put("steps", float(self.oversample**2 * self.sources * self.phi[2] * self.domains))
        capture = put("capture_fraction_final", self.seen["capture_fraction"])
        polar, omega = put("polar_final", first["polar"]), put("omega_pixel_final", first["omega"])
        value = r_e * fluence * total / steps * capture * polar * omega
        value = put("I_pixel_final", value, polar=polar, steps=steps)
        put("floatimage_accumulated", float(np.float32(value)), whole=value)

    def _subsample(self, keys: dict[str, int], r: dict[str, Any]) -> dict[str, Any]:
        put = lambda name, value, **context: self.put(name, keys, value, **context)  # noqa: E731
        pix0 = put("pix0_vector_meters", r["pix0"])
        f, s, o = put("fdet_vec", r["f"]), put("sdet_vec", r["s"]), put("odet_vec", r["o"])
        fast = self.size * (keys["fpixel"] + (keys["subF"] + 0.5) / self.oversample)
        slow = self.size * (keys["spixel"] + (keys["subS"] + 0.5) / self.oversample)
        half = self.size / self.oversample / 2
        p = put("pixel_pos_meters", fast * f + slow * s + pix0, half_f=half * f, half_s=half * s, pix0=pix0)
        distance = put("R_distance_meters", np.linalg.norm(p))
        close = put("close_distance_meters", r["close"])
        d = put("diffracted_vec", unit(p), whole=p)
        angle = self.size**2 / distance**2
        put("omega_pixel_sr", angle * close / distance, no_obliquity=angle)
        put("capture_fraction", 1.0)
        return {"d": d, "omega": self.seen["omega_pixel_sr"], "o": o}

    def _source(self, keys: dict[str, int], sub: dict[str, Any], r: dict[str, Any]) -> tuple[np.ndarray, float]:
        put = lambda name, value, **context: self.put(name, keys, value, **context)  # noqa: E731
        i = put("incident_vec", unit(r["beam"] + 0.003 * keys["source"] * r["s"]))
        wavelength = put("lambda_meters", 1.1e-10 * (1 + 0.01 * keys["source"]))
        q = put("scattering_vec_m_inv", (sub["d"] - i) / wavelength)
        polar = put("polar", (1 + (i @ sub["d"]) ** 2) / 2, cosine=i @ sub["d"], i=i, d=sub["d"])
        return q, polar

    def _steps(self, keys: dict[str, int], q: np.ndarray, total: float, r: dict[str, Any]) -> float:
        start, width, count = self.phi
        for tick in range(count):
            for m in range(self.domains):
                total = self._step({**keys, "phi_tic": tick, "mos_tic": m}, start + width * tick, m, q, total, r)
        return total

    def _step(self, keys: dict[str, int], phi: float, m: int, q: np.ndarray, total: float, r: dict[str, Any]) -> float:
        put = lambda name, value, **context: self.put(name, keys, value, **context)  # noqa: E731
        phi = put("phi_deg", phi)
        u = r["U"][m]

        def rotated(v: np.ndarray, degrees: float = phi, matrix: np.ndarray = u) -> np.ndarray:
            return matrix @ rodrigues(v, r["spindle"], degrees)

        cell = []
        for n, v in zip("abc", r["cell"], strict=True):
            context = {"at": rotated, "v": v, "phi": phi, "U": u, "last_phi": self.phi[0] + self.phi[1] * 3}
            cell.append(put(f"rot_{n}_angstroms", rotated(v), **context))
        stars = dual(*cell)
        for n, v, base in zip("abc", stars, r["stars"], strict=True):
            put(f"rot_{n}_star_A_inv", v, base=base)
        put("V_actual_A3", cell[0] @ np.cross(cell[1], cell[2]))
        hkl = put("hkl_frac", np.array([v @ q * 1e-10 for v in cell]), cell=cell, q=q)
        index = put("hkl_rounded", np.ceil(hkl - 0.5) + 0.0, hkl=hkl)
        parts = []
        for n, x, cells in zip("abc", hkl, r["N"], strict=True):
            parts.append(put(f"F_latt_{n}", sincg(x, cells), x=x, N=cells))
        latt = put("F_latt", math.prod(parts), hkl=hkl, N=r["N"])
        value = 50 + 10 * math.cos(index @ np.array([1.0, 2.0, 3.0]))
        cell_factor = put("F_cell", value, hkl=hkl)
        return float(put("I_running", total + cell_factor**2 * latt**2, total=total, step=(cell_factor, latt)))


@pytest.fixture(scope="module")
def good() -> str:
    return Program("C").text()


def read(text: str, side: str) -> TraceTable:
    return read_trace_lines(text.splitlines(keepends=True), side, side, shipped().vocabulary)


def blame(c: str, py: str) -> Blame:
    vocabulary: Vocabulary = shipped().vocabulary
    alignment = align(read(c, "C"), read(py, "PY"), vocabulary)
    domain = domain_of_pair(shipped())
    assert domain is not None
    return blame_pair(alignment, judge(alignment), domain)


def introduced(found: Blame) -> set[tuple[str, str]]:
    return {(f.side, f.variable) for f in found.findings if f.kind == "introduced"}


def single(found: Blame, variable: str) -> BlameFinding:
    return next(f for f in found.findings if f.kind == "introduced" and f.variable == variable)


def at_tick(tick: int, fault: Fault) -> Fault:
    return lambda v, x: fault(v, x) if x["keys"].get("phi_tic") == tick else v


def transposed(v: Any, x: dict[str, Any]) -> Any:
    return x["at"](x["v"], matrix=x["U"].T)


def in_single(v: Any, x: dict[str, Any]) -> Any:
    return np.float64(np.float32(v)) if np.ndim(v) == 0 else np.asarray(v, dtype=np.float32).astype(np.float64)


def previous_source(v: Any, x: dict[str, Any]) -> Any:
    return x["last"] if x["keys"]["source"] == 1 else v


ROT = "rot_a_angstroms rot_b_angstroms rot_c_angstroms"
STAR = "rot_a_star_A_inv rot_b_star_A_inv rot_c_star_A_inv"
FAULTS: list[tuple[str, str, Fault, str]] = [
    # what, the stages (variables), the fault, what the hint must say
    ("detector vector not normalised", "run.fdet_vec", lambda v, x: v * 1.0000123, r"right direction, but 1\.0000123"),
    ("spindle not normalised", "spindle_vec", lambda v, x: v * 0.99, r"right direction, but 0\.99 "),
    ("Fclose in mm", "Fclose_meters", lambda v, x: v * 1e3, "factor of 1000: mm for m"),
    ("Sbeam of the wrong sign", "Sbeam_meters", lambda v, x: -v, "sign"),
    ("cell volume in m³", "V_cell_A3", lambda v, x: v * 1e-30, "Å³ for m³"),
    ("cell vector with axes cycled", "b_angstroms", lambda v, x: v[[1, 2, 0]], "components cycled: y z x"),
    ("mosaic matrix not orthonormal", "mosaic_umat", lambda v, x: v * 1.001, "1.001"),
    (
        "half a sub-sample off",
        "pixel_pos_meters",
        lambda v, x: v - x["half_f"] - x["half_s"],
        "half a sub-sample less on both axes: the corner of the sub-sample, not its centre",
    ),
    ("half a sub-sample on one axis", "pixel_pos_meters", lambda v, x: v + x["half_f"], "more on the fast axis"),
    ("distance in mm", "R_distance_meters", lambda v, x: v * 1e3, "factor of 1000: mm for m"),
    ("diffracted ray reversed", "diffracted_vec", lambda v, x: -v, "sign"),
    ("diffracted ray with axes swapped", "diffracted_vec", lambda v, x: v[[0, 2, 1]], "swapped: x z y"),
    ("omega without obliquity", "omega_pixel_sr", lambda v, x: x["no_obliquity"], ""),
    ("capture fraction out of nothing", "capture_fraction", lambda v, x: 0.9, ""),
    ("incident ray reversed", "incident_vec", lambda v, x: -v, "sign"),
    ("wavelength in Å", "lambda_meters", lambda v, x: v * 1e10, "1e.10: Å for m"),
    ("q with 2π", "scattering_vec_m_inv", lambda v, x: v * 2 * math.pi, "2π"),
    ("q in 1/Å", "scattering_vec_m_inv", lambda v, x: v * 1e-10, "Å for m"),
    ("q of the previous source", "scattering_vec_m_inv", previous_source, "source=0: stale|previous source"),
    ("polarisation of cos 2θ, not of its square", "polar", lambda v, x: (1 + x["cosine"]) / 2, ""),
    ("phi of the next tick at one tick", "phi_deg", at_tick(2, lambda v, x: v + 0.5), "next phi_tic|phi_tic=3"),
    ("rotation about the opposite axis", ROT, lambda v, x: x["at"](x["v"], -x["phi"]), "opposite sign"),
    (
        "degrees taken as radians",
        ROT,
        lambda v, x: x["at"](x["v"], math.degrees(x["phi"])),
        "phi_deg times .*degrees for radians",
    ),
    ("mosaic rotation transposed", ROT, transposed, "mosaic_umat changed: the matrix is transposed"),
    ("no rotation at φ=0", ROT, at_tick(0, lambda v, x: x["at"](x["v"], x["last_phi"])), "phi_tic=3: stale"),
    ("rotation one tick late", ROT, lambda v, x: x["at"](x["v"], x["phi"] - 0.5), "previous phi_tic|by one"),
    ("reciprocal vectors never rotated", STAR, lambda v, x: x["base"], "the value of ._star_A_inv of the run"),
    ("volume in m³", "V_actual_A3", lambda v, x: v * 1e-30, "Å³ for m³"),
    ("h and k swapped", "hkl_frac", lambda v, x: v[[1, 0, 2]], "swapped: y x z"),
    ("hkl in single precision", "hkl_frac", in_single, "single precision"),
    ("indices rounded down", "hkl_rounded", lambda v, x: np.floor(x["hkl"]), "rounded down"),
    ("N off by one", "F_latt_b", lambda v, x: sincg(x["x"], x["N"] + 1), "N_cells increased by one"),
    ("F_latt of the wrong sign", "F_latt", lambda v, x: -v, "sign"),
    ("F_cell stale at one step", "F_cell", at_tick(1, lambda v, x: 77.0 if x["keys"]["mos_tic"] else v), ""),
    ("a step added twice", "I_running", at_tick(1, lambda v, x: v + x["step"][0] ** 2 * x["step"][1] ** 2), ""),
    ("F not squared", "I_running", lambda v, x: x["total"] + abs(x["step"][0] * x["step"][1]), ""),
    ("sum of one source only", "I_before_scaling", lambda v, x: v / 2, ""),
    ("r_e for r_e²", "r_e_sqr", lambda v, x: math.sqrt(v), ""),
    ("steps without the sources", "steps", lambda v, x: v / 2, ""),
    ("omega_final in single precision", "omega_pixel_final", in_single, "single precision"),
    ("polarisation left out at the end", "I_pixel_final", lambda v, x: v / x["polar"], "polar_final left out"),
    ("not divided by steps", "I_pixel_final", lambda v, x: v * x["steps"], "not divided by steps"),
    ("image kept in double", "floatimage_accumulated", lambda v, x: x["whole"], "not rounded to float32"),
]


def planted(stages: str, fault: Fault) -> Faults:
    return dict.fromkeys(stages.split(), fault)


def named(stages: str) -> set[str]:
    return {stage.removeprefix("run.") for stage in stages.split()}


def test_nothing_is_blamed_where_nothing_is_wrong(good: str, vocabulary: Vocabulary) -> None:
    found = blame(good, Program("PY").text())
    assert found.findings == ()
    assert not found.missing
    assert found.equations_checked > 50
    domain = domain_of_pair(shipped())
    assert domain is not None
    assert blame_log(read(good, "C"), vocabulary, domain).findings == ()


@pytest.mark.parametrize("side", ["C", "PY"])
@pytest.mark.parametrize(("what", "stages", "fault", "hint"), FAULTS, ids=[f[0] for f in FAULTS])
def test_one_fault(good: str, what: str, stages: str, fault: Fault, hint: str, side: str) -> None:
    faulty = Program(side, planted(stages, fault)).text()
    found = blame(faulty, good.replace("TRACE_C", "TRACE_PY")) if side == "C" else blame(good, faulty)
    assert introduced(found) == {(side, name) for name in named(stages)}
    for name in named(stages):
        said = single(found, name)
        assert re.search(hint, said.hint), (name, said.hint)
        assert said.residual > 100 * said.allowed


FIVE = ("Fclose in mm", "q with 2π", "h and k swapped", "F_latt of the wrong sign", "polarisation left out at the end")


def test_five_faults_at_once(good: str) -> None:
    faults: Faults = {}
    wanted = set()
    for _, stages, fault, _ in [f for f in FAULTS if f[0] in FIVE]:
        faults |= planted(stages, fault)
        wanted |= {("PY", name) for name in named(stages)}
    found = blame(good, Program("PY", faults).text())
    assert introduced(found) == wanted
    assert len(wanted) == 5


def test_faults_on_both_sides_are_told_apart() -> None:
    c = Program("C", {"scattering_vec_m_inv": lambda v, x: v * 2 * math.pi}).text()
    py = Program("PY", {"diffracted_vec": lambda v, x: -v}).text()
    assert introduced(blame(c, py)) == {("C", "scattering_vec_m_inv"), ("PY", "diffracted_vec")}


def test_the_same_fault_on_both_sides_is_no_ones(good: str) -> None:
    fault: Faults = {"F_latt": lambda v, x: -v}
    found = blame(Program("C", fault).text(), Program("PY", fault).text())
    assert {(f.kind, f.side, f.variable) for f in found.findings} == {("self-inconsistent", "both", "F_latt")}


def test_a_setting_that_differs_accuses_no_one(good: str) -> None:
    found = blame(good, Program("PY", {"fluence_photons_per_m2": lambda v, x: v * 3}).text())
    assert introduced(found) == set()
    kinds = {f.variable: f.kind for f in found.findings}
    assert kinds == {
        "fluence_photons_per_m2": "unexplained",
        "I_pixel_final": "inherited",
        "floatimage_accumulated": "inherited",
    }


class TwoPixels(Program):
    pixels = ((20, 31), (41, 17))


def test_half_even_is_told_from_the_model_s_rounding() -> None:
    lines = "TRACE_{}[phi_tic=0]: hkl_frac 3.5 0.5 -1.5000000000000002\nTRACE_{}[phi_tic=0]: hkl_rounded {}\n"
    found = blame(lines.format("C", "C", "3 0 -2"), lines.format("PY", "PY", "4 0 -2"))
    assert introduced(found) == {("PY", "hkl_rounded")}
    assert single(found, "hkl_rounded").hint == "rounded half to even"


def test_stale_pixel() -> None:
    last: dict[str, Any] = {}

    def stale(v: Any, x: dict[str, Any]) -> Any:
        keys = x["keys"]
        place = (keys["subS"], keys["subF"])
        return last.setdefault(str(place), v)

    found = blame(TwoPixels("C").text(), TwoPixels("PY", {"pixel_pos_meters": stale}).text())
    assert introduced(found) == {("PY", "pixel_pos_meters")}


def test_a_tilted_axis_is_accused_and_not_the_normal_that_both_share(good: str) -> None:
    lines = [
        line if "sdet_vec" not in line else tilted(line) for line in Program("PY").text().splitlines(keepends=True)
    ]
    assert ("PY", "sdet_vec") in introduced(blame(good, "".join(lines)))
    assert ("PY", "odet_vec") not in introduced(blame(good, "".join(lines)))


def tilted(line: str) -> str:
    head, _, numbers = line.partition(": sdet_vec ")
    turned = rodrigues(np.array([float(n) for n in numbers.split()]), unit(np.array([1.0, 0.3, 0.2])), 2.0)
    return f"{head}: sdet_vec {' '.join(f'{x:.17g}' for x in turned)}\n"
