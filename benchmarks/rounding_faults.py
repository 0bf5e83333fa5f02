"""How small a fault is still seen: by calibrated rounding, and by the fixed tolerance of 1e-6.

    python -m benchmarks.rounding_faults [--cases N] [--samples N] [--write RESULTS-rounding.md]

First the cases are calibrated (the supervisor case, the Lennard-Jones example and cases of the gate) and the sound
programs compared: how many numbers lie beyond rounding shows whether k is large enough. Then 20 faults are planted,
each a factor 1 + s in one stage of a port, with s from 1 to 1e6 times the relative spread of what the stage makes.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import math
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trace_parity.compare.align import align
from trace_parity.compare.options import Options
from trace_parity.compare.rounding import LIMITS
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.calibration import Calibration
from trace_parity.pair.case import Case, place_inputs
from trace_parity.pair.contract import Contract
from trace_parity.pair.find import find_pair, shipped
from trace_parity.pair.pair import Pair
from trace_parity.result.compare import compare
from trace_parity.result.result import CaseResult, Result
from trace_parity.run.calibrate import calibrate
from trace_parity.run.run_case import run_case
from trace_parity.trace import read_trace

ROOT = Path(__file__).resolve().parent.parent
LJ = ROOT / "examples" / "pairs" / "lennard_jones"
SIZES = [10.0**n for n in range(7)]
GATE_CASE = "base"


@dataclass(frozen=True)
class Fault:
    """A factor on what one stage makes. `where`: code of lj_torch.py to put it behind, or a simulator's function."""

    name: str
    makes: str
    where: str


IN_LJ = (
    Fault("minimum image", "dr", "dr = dr - box * torch.round(dr / box)"),
    Fault("square of the distance", "r2", "r2 = (dr * dr).sum(-1)"),
    Fault("inverse power", "inv_r6", "inv_r6 = inv_r2**3"),
    Fault(
        "force over distance",
        "f_over_r",
        "f_over_r = torch.where(near, 24.0 * (2.0 * inv_r6**2 - inv_r6) * inv_r2, 0.0)",
    ),
    Fault("pair energy", "u", "u = torch.where(near, 4.0 * (inv_r6**2 - inv_r6), 0.0)"),
    Fault("force", "force", "force = (f_over_r[..., None] * dr).sum(1)"),
    Fault("half kick", "v_half", "v_half = v + 0.5 * o.dt * force"),
    Fault("drift", "r", "r = r + o.dt * v_half"),
    Fault("second half kick", "v", "v = v_half + 0.5 * o.dt * force"),
    Fault("kinetic energy", "e_kin", "e_kin = 0.5 * (v * v).sum()"),
)
IN_SIMULATOR = (
    Fault("pixel position", "pixel_pos_meters", "stages.detector:pixel_position"),
    Fault("direction", "diffracted_vec", "stages.detector:direction"),
    Fault("solid angle", "omega_pixel_sr", "stages.detector:solid_angle"),
    Fault("scattering vector", "scattering_vec_m_inv", "stages.scattering:scattering_vector"),
    Fault("indices", "hkl_frac", "stages.scattering:miller_indices"),
    Fault("lattice factor of an axis", "F_latt_a", "stages.lattice:sincg"),
    Fault("product of the lattice factors", "F_latt", "stages.lattice:product"),
    Fault("polarisation", "polar", "stages.polarization:polarization_factor"),
    Fault("unit vectors", "incident_vec", "rotations:unit"),
    Fault("sum over steps", "I_running", "stages.accumulate:running"),
)


@dataclass(frozen=True)
class Sound:
    """One case, calibrated, and its sound programs compared."""

    pair: Pair
    case: Case
    calibration: Calibration
    result: Result
    logs: Path


def sound(pair: Pair, case: Case, samples: int, out: Path) -> Sound:
    measured = calibrate(pair, case, samples=samples)
    options = Options(out=out, render_images=False, preflight=False, calibration=measured)
    outcome = run_case(pair, case, options)
    return Sound(pair, case, measured, outcome.result, outcome.bundle / "traces")


def sound_row(found: Sound) -> list[str]:
    rounding = found.result.rounding
    assert rounding is not None
    worst = max(rounding.variables, key=lambda v: v.worst_times)
    moved = {member.name: member.moved for member in found.calibration.members}
    numbers = len(found.calibration.spreads)
    inputs = max((m.moved for m in found.calibration.members if m.kind == "perturbed"), default=0)
    share = f"{rounding.within} of {rounding.within + rounding.beyond_rounding + rounding.beyond_tolerance}"
    blind = sum(1 for v in rounding.variables if v.tolerance == "blind")
    return [
        f"{found.pair.name} {found.case.id}",
        str(numbers),
        *(str(moved.get(name, 0)) for name in ("O0", "fma", "x87", "clang")),
        str(inputs),
        str(found.calibration.moved),
        share,
        f"{LIMITS['k'].value * worst.worst_times:.2g} ({worst.name})",
        f"{blind} of {len(rounding.variables)}",
    ]


def spread_of(found: Sound, variable: str) -> float:
    """The median relative spread of a variable's numbers that have one."""
    log = read_trace(found.logs / "c.log", "C", found.pair.vocabulary)
    relative = [
        found.calibration.spreads[(row.variable, row.key, row.component)] / abs(number.value)
        for row, number in log.rows.items()
        if row.variable.endswith(f".{variable}") and number.value
    ]
    moved = [s for s in relative if s > 0 and math.isfinite(s)]
    return max(statistics.median(moved) if moved else 0.0, sys.float_info.epsilon)


def faulty_lj(fault: Fault, size: float, log: Path, case: Case) -> None:
    """Run lj_torch.py with the factor behind the line of the fault."""
    path = LJ / "py" / "lj_torch.py"
    source = path.read_text(encoding="utf-8")
    if source.count(fault.where) != 1:
        raise ValueError(f"{fault.name}: {fault.where!r} is not once in {path.name}")
    line = next(line for line in source.splitlines() if fault.where in line)
    indent = line[: len(line) - len(line.lstrip())]
    name = fault.where.partition(" = ")[0]
    scope: dict[str, Any] = {"__name__": "__main__"}
    words, sys.argv = sys.argv, ["lj_torch", *case.argv, "-trace", str(log)]
    try:
        exec(
            compile(source.replace(line, f"{line}\n{indent}{name} = {name} * (1.0 + {size!r})"), str(path), "exec"),
            scope,
        )
    finally:
        sys.argv = words


@contextlib.contextmanager
def planted(fault: Fault, size: float) -> Iterator[None]:
    """The simulator with what one function returns multiplied."""
    module_name, _, name = fault.where.partition(":")
    module = importlib.import_module(f"nanobragg_torch.{module_name}")
    plain: Callable[..., Any] = getattr(module, name)

    def off(*given: Any, **named: Any) -> Any:
        return plain(*given, **named) * (1.0 + size)

    places = [m for n, m in list(sys.modules.items()) if n.startswith("nanobragg_torch") and vars(m).get(name) is plain]
    for place in places:
        setattr(place, name, off)
    try:
        yield
    finally:
        for place in places:
            setattr(place, name, plain)


def faulty_simulator(fault: Fault, size: float, log: Path, found: Sound, work: Path) -> None:
    from nanobragg_torch.cli.run import main as simulate

    case = place_inputs(found.case, work, found.pair.programs.input_flags, work)
    named = [str(work / word) if (work / word).is_file() else word for word in case.argv]
    focus = [word for p in case.places for word in ("-trace_pixel", *map(str, p))]
    with planted(fault, size), contextlib.redirect_stdout(io.StringIO()):
        if simulate([*focus, "-trace_file", str(log), *named]):
            raise HarnessError(Exit.PROGRAM_FAILED, f"{fault.name}: the simulator failed")


def first_seen(found: Sound, log: Path) -> tuple[str, str]:
    """Where calibrated rounding and where 1e-6 first see a difference; empty where they do not."""
    vocabulary = found.pair.vocabulary
    tables = [read_trace(found.logs / "c.log", "C", vocabulary), read_trace(log, "PY", vocabulary)]
    result = compare(
        align(tables[0], tables[1], vocabulary),
        CaseResult("f", "f"),
        Contract(),
        options=Options(calibration=found.calibration),
    )
    assert result.rounding is not None
    first = result.rounding.first
    divergence = result.first_divergence
    return (first.name if first else ""), (divergence.name if divergence else "")


def fault_row(found: Sound, fault: Fault, run: Callable[[Fault, float, Path], None], folder: Path) -> list[str]:
    spread = spread_of(found, fault.makes)
    seen: list[tuple[float, str, str]] = []
    for times in SIZES:
        log = folder / "py.log"
        run(fault, times * spread, log)
        seen.append((times, *first_seen(found, log)))
        print(f"  {fault.name}: {times:g} x {spread:.2g}: {seen[-1][1:]}", file=sys.stderr)
    by_rounding = next(((t, name) for t, name, _ in seen if name), None)
    by_tolerance = next(((t, name) for t, _, name in seen if name), None)
    said = [f"{t:g} × ({name})" if (t, name) else "" for t, name in (x for x in (by_rounding, by_tolerance) if x)]
    cells = [said[0] if by_rounding else "not up to 1e6 ×", said[-1] if by_tolerance else "not up to 1e6 ×"]
    return [f"{found.pair.name}: {fault.name}", fault.makes, f"{spread:.2g}", *cells]


def table(head: str, rows: list[list[str]]) -> str:
    rule = "|---" * (head.count("|") - 1) + "|"
    return "\n".join([head, rule, *("| " + " | ".join(row) + " |" for row in rows)])


def gate_cases(pair: Pair, count: int) -> list[Case]:
    """Cases of the matrix, evenly over the file, the one that faults are planted in first."""
    every = [case for case in pair.matrix().cases if case.places and case.id not in (GATE_CASE, "supervisor")]
    return [next(c for c in pair.matrix().cases if c.id == GATE_CASE), *every[:: max(1, len(every) // count)]][:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--cases", type=int, default=20, help="cases of the gate")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--write", type=Path, help="a file in benchmarks/")
    asked = parser.parse_args()
    nanobragg, lj = shipped(), find_pair(str(LJ))
    wanted = [(lj, lj.case("small")), (nanobragg, nanobragg.case("supervisor"))]
    wanted += [(nanobragg, case) for case in gate_cases(nanobragg, asked.cases)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        done: dict[str, Sound] = {}
        for pair, case in wanted:
            done[case.id] = sound(pair, case, asked.samples, folder / "reports")
            print("  ".join(sound_row(done[case.id])), file=sys.stderr, flush=True)
        fixed = replace(done["small"].case, argv=done["small"].case.argv)
        rows = [
            fault_row(done["small"], fault, lambda f, s, log: faulty_lj(f, s, log, fixed), folder) for fault in IN_LJ
        ]
        work = folder / "work"
        work.mkdir()
        base = done[GATE_CASE]
        rows += [
            fault_row(base, fault, lambda f, s, log: faulty_simulator(f, s, log, base, work), folder)
            for fault in IN_SIMULATOR
        ]
        text = page(list(done.values()), rows, asked.samples)
    if asked.write:
        (ROOT / "benchmarks" / asked.write.name).write_text(text, encoding="utf-8")
    else:
        print(text)


def page(done: list[Sound], rows: list[list[str]], samples: int) -> str:
    compilers = sorted({m.compiler for found in done for m in found.calibration.members if m.compiler})
    small, by_tolerance = ([row for row in rows if "not up" not in row[n]] for n in (3, 4))
    return (
        "\n\n".join(
            [
                "# What rounding explains, and how small a fault is seen",
                f"Written by `python -m benchmarks.rounding_faults --samples {samples} --write RESULTS-rounding.md`; "
                f"{'; '.join(compilers)}.",
                "## Sound programs",
                "How many numbers each build moves, the most that a sample of moved inputs does, and all together. "
                "`worst` is the "
                f"largest difference between the sound programs in spreads: {LIMITS['k'].value:g} count as rounding.",
                table(
                    "| case | numbers | O0 | fma | x87 | clang | inputs | any | within | worst | blind variables |",
                    [sound_row(found) for found in done],
                ),
                "## Planted faults",
                "A factor 1 + s on what one stage of a port makes, s from 1 to 1e6 times the median relative spread "
                "of that variable. The smallest s that is seen, and the variable that is named first: by calibrated "
                f"rounding {len(small)} of {len(rows)}, by the fixed tolerance {len(by_tolerance)} of {len(rows)} "
                "(1e6 times a spread of 1e-13 is 1e-7). Seen at 1 × means seen at places whose own spread is smaller "
                "than the median.",
                table("| fault | variable | its spread | calibrated sees | 1e-6 sees |", rows),
            ]
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
