"""The equations against the figures of the original, the engine's rounding, the command, the section in the reports."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from nanobragg.equations import STAGES
from trace_parity.blame.attribution import Blame, blame_log, blame_pair
from trace_parity.blame.equation import Domain, Equation, Form, Input, Values
from trace_parity.blame.evaluation import evaluate
from trace_parity.blame.log_values import Array, LogView, printed_digits
from trace_parity.blame.of_pair import domain_of_pair
from trace_parity.compare.align import align
from trace_parity.compare.judge import judge
from trace_parity.pair.find import shipped
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.render import renderer
from trace_parity.result.result import Result, plain
from trace_parity.trace import TraceTable, read_trace, read_trace_lines
from trace_parity.trace.precision import FULL_DIGITS

from tests.golden import GOLDEN, SUPERVISOR, needs_shared
from tests.harness.conftest import Cli, as_py

GOLDEN_LOGS = sorted((GOLDEN / "traces").glob("*.log")) if GOLDEN.is_dir() else []
GOLDEN_LOGS += sorted(SUPERVISOR.glob("*.log")) if SUPERVISOR.is_dir() else []
LEAKY = ("__state_leak", "__phi_carryover")
TURNING = {f"rot_{axis}_angstroms" for axis in "abc"}


@pytest.fixture(scope="module")
def domain(vocabulary: Vocabulary) -> Domain:
    found = domain_of_pair(shipped())
    assert found is not None
    return found


def read(text: str, side: str = "C") -> TraceTable:
    return read_trace_lines(text.splitlines(keepends=True), side, side, shipped().vocabulary)


def both(c: str, py: str, domain: Domain) -> Blame:
    alignment = align(read(c), read(py, "PY"), shipped().vocabulary)
    return blame_pair(alignment, judge(alignment), domain)


# The figures of the original obey every equation.


@needs_shared
@pytest.mark.parametrize("path", GOLDEN_LOGS, ids=[p.stem for p in GOLDEN_LOGS])
def test_the_original_obeys(path: Path, vocabulary: Vocabulary, domain: Domain) -> None:
    table = read_trace(path, "C", vocabulary)
    found = blame_log(table, vocabulary, domain)
    assert found.equations_checked >= 15
    assert found.digits == {"C": FULL_DIGITS}
    if not path.stem.endswith(LEAKY) or path.stem.startswith("interp_edge"):
        assert found.findings == ()
        return
    assert {f.variable for f in found.findings} <= TURNING
    assert {f.quirk for f in found.findings} == {"phi-carryover"}
    view = LogView(table, vocabulary)
    for name in TURNING:
        equation = next(e for e in domain.equations if e.id == f"rotation_{name[4]}_between_ticks")
        broken = [o.key for o in evaluate(equation, view).outcomes.values() if not o.ok]
        assert all(view.at("step.phi_deg", key) == 0 for key in broken)


@needs_shared
@pytest.mark.parametrize("name", ["polar", "polar_xds", "over_polar", "water", "thick", "curved"])
def test_a_setting_that_the_log_does_not_tell_accuses_no_one(name: str, domain: Domain) -> None:
    text = (GOLDEN / "traces" / f"{name}.log").read_text()
    assert both(text, as_py(text), domain).findings == ()


@needs_shared
def test_the_rounding_allowed_is_neither_wide_nor_tight(vocabulary: Vocabulary, domain: Domain) -> None:
    """No golden needs a half of what is allowed, and nothing that is allowed reaches the twelfth digit."""
    for path in GOLDEN_LOGS[::4]:
        view = LogView(read_trace(path, "C", vocabulary), vocabulary)
        for equation in domain.equations:
            for outcome in evaluate(equation, view).outcomes.values():
                if outcome.ok:
                    assert outcome.residual <= 0.5 * outcome.permitted or outcome.residual == 0, (path, equation.id)


def test_every_equation_stands_on_the_vocabulary(vocabulary: Vocabulary, domain: Domain) -> None:
    ids = {v.id for v in vocabulary.variables}
    names = {v.name for v in vocabulary.variables}
    assert len({e.id for e in domain.equations}) == len(domain.equations) > 60
    for equation in domain.equations:
        assert equation.output in ids
        assert equation.text
        assert equation.section
        assert all(i.ref in ids | names for i in equation.inputs)
        assert set(equation.fallback_for) <= {e.id for e in domain.equations}
        assert all(loop in vocabulary.loops for loop in equation.needs_loops)
    known = {e.id for e in domain.equations}
    assert all(set(q.blame.equations) <= known for q in shipped().quirks if q.blame is not None)


def test_a_stage_is_a_module_without_torch() -> None:
    assert [e for stage in STAGES for e in stage.EQUATIONS]
    assert not {"torch", "nanobragg_torch"} & {name.partition(".")[0] for stage in STAGES for name in vars(stage)}


# Rounding.


@pytest.mark.parametrize(
    ("numbers", "digits"),
    [("0.1 0.25", 2), ("1.00000000000001", 15), ("0.10000000000000001", 17), ("1e-10 5", 1), ("-0.0012345e-7", 5)],
)
def test_digits_are_read_off_the_log(numbers: str, digits: int) -> None:
    assert printed_digits(read(f"TRACE_C: beam_vec {numbers}\n")) == digits


def test_what_the_print_hides_is_allowed_and_no_more(domain: Domain, vocabulary: Vocabulary) -> None:
    log = "TRACE_C: pixel_pos_meters 0.3 0.4 0\nTRACE_C: R_distance_meters {}\nTRACE_C: r_e_sqr {}\n"
    constant = "7.94079248018965e-30"
    equation = next(e for e in domain.equations if e.id == "R_distance")
    for printed, fine in (("0.500000000000001", True), ("0.50000000000001", False)):
        view = LogView(read(log.format(printed, constant)), vocabulary)
        assert view.digits == 15
        (outcome,) = evaluate(equation, view).outcomes.values()
        assert outcome.ok is fine
        assert 1e-15 < outcome.permitted < 5e-15
    exact = LogView(read(log.format("0.50000000000000056", constant)), vocabulary)
    (outcome,) = evaluate(equation, exact).outcomes.values()
    assert exact.digits == 17
    assert outcome.ok
    off = LogView(read(log.format("0.50000000000000222", constant)), vocabulary)
    assert not next(iter(evaluate(equation, off).outcomes.values())).ok


def test_a_lost_number_breaks_its_equation_and_is_inherited_after(domain: Domain) -> None:
    good = (
        "TRACE_C: pixel_pos_meters 0.3 0.4 0\nTRACE_C: R_distance_meters 0.5\n"
        "TRACE_C: diffracted_vec 0.59999999999999998 0.80000000000000004 0\n"
    )
    bad = (
        as_py(good)
        .replace("pixel_pos_meters 0.3", "pixel_pos_meters nan")
        .replace("vec 0.59999999999999998", "vec nan")
    )
    found = both(good, bad, domain)
    assert [(f.kind, f.side, f.variable) for f in found.findings] == [
        ("unexplained", "both", "pixel_pos_meters"),
        ("introduced", "PY", "R_distance_meters"),
        ("inherited", "both", "diffracted_vec"),
    ]
    assert found.findings[1].residual == float("inf")
    json.dumps(plain(found), allow_nan=False)


def test_a_missing_line_is_named(domain: Domain) -> None:
    c = "TRACE_C: hkl_frac 0.25 0.1 0.2\nTRACE_C: F_latt_a 1.5\nTRACE_C: rot_a_angstroms 1 2 3\n"
    found = both(c, as_py(c).replace("1.5", "1.75"), domain)
    (finding,) = found.findings
    assert (finding.kind, finding.variable, finding.missing) == ("unexplained", "F_latt_a", ("N_cells (C, PY)",))
    assert (
        "C, PY: hkl_frac = (rot_a·q, rot_b·q, rot_c·q): lacks rot_b_angstroms, rot_c_angstroms, " in found.missing[-2]
    )
    assert found.equations_checked == 0


def test_a_component_that_is_missing_is_named() -> None:
    view = LogView(read("TRACE_C_ROT phi_tic=1 bp_y=0.7 phi_deg=0.1\n"), shipped().vocabulary)
    key = view.vocabulary.key({"phi_tic": 1})
    assert view.holes("step.rot_b_angstroms", key) == (0, 2)


# Another domain: the engine knows nothing of diffraction.

SPRING = """
title = "spring"
loops = ["step"]
[scopes]
run = { loops = [] }
step = { loops = ["step"] }
[tolerances.relative]
rtol = 1e-6
reason = "x"
[tolerances.exact]
rtol = 0.0
reason = "x"
"""


def spring() -> tuple[Vocabulary, Domain]:
    from trace_parity.pair.vocabulary_file import parse_vocabulary

    def entry(name: str, scope: str, depends: str) -> str:
        words = "".join(f"{d!r}," for d in depends.split())
        return (
            f'[[variables]]\nname="{name}"\nscope="{scope}"\nsize=1\nunit="1"\ndescription="d"\n'
            f'depends_on=[{words}]\ntolerance="relative"\n'
        )

    text = SPRING + entry("k", "run", "") + entry("x", "step", "") + entry("force", "step", "k x")
    force = Equation(
        "hooke", "F = -k x", "1", "step.force", (Input("k"), Input("x")), (Form("", lambda v: -v["k"] * v["x"]),)
    )
    return parse_vocabulary(text, "spring.toml"), Domain("spring", (force,))


def test_a_new_domain_is_a_vocabulary_and_a_list_of_equations() -> None:
    vocabulary, domain = spring()
    log = "TRACE_C: k 2.00000001\nTRACE_C[step=0]: x 0.5\nTRACE_C[step=0]: force -1.000000005\nTRACE_C[step=1]: x 1.5\n"
    log += "TRACE_C[step=1]: force 3.000000015\n"
    table = read_trace_lines(log.splitlines(keepends=True), "C", "c", vocabulary)
    (finding,) = blame_log(table, vocabulary, domain).findings
    assert (finding.variable, finding.place, finding.count, finding.hint) == ("force", "step=1", 1, "the sign is wrong")


def test_the_engine_imports_no_domain() -> None:
    import subprocess

    code = "import sys, trace_parity.blame.attribution; print([m for m in sys.modules if 'equations' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# The command.


@pytest.fixture
def logs(tmp_path: Path, supervisor_log: str) -> tuple[Path, Path]:
    c, py = tmp_path / "c.log", tmp_path / "py.log"
    c.write_text(supervisor_log)
    py.write_text(as_py(supervisor_log))
    return c, py


def test_command_on_sound_logs(trace_diff: Cli, logs: tuple[Path, Path]) -> None:
    for words in ((logs[0],), (logs[1],), logs):
        done = trace_diff("blame", *words)
        assert done.returncode == 0, done.stdout
        assert done.stdout.startswith("Broken equations: none of ")


def test_command_on_a_leaky_reference(trace_diff: Cli, logs: tuple[Path, Path], leaky_log: str) -> None:
    logs[0].write_text(leaky_log)
    for words in ((logs[0],), logs):
        done = trace_diff("blame", *words)
        assert done.returncode == 1
        assert done.stdout.count("quirk     phi-carryover") == 3
        assert "the value of phi_tic=9: stale" in done.stdout
    done = trace_diff("blame", *logs, "--format", "json")
    found = json.loads(done.stdout)
    kinds = {(f["kind"], f["side"]) for f in found["findings"]}
    assert kinds == {("introduced", "C"), ("inherited", "both")}
    assert {f["variable"] for f in found["findings"] if f["kind"] == "introduced"} == TURNING
    assert found["digits"] == {"C": 17, "PY": 17}


@pytest.mark.parametrize(
    ("text", "words", "code", "says"),
    [
        ("nothing\n", ["c.log"], 6, "no trace line"),
        ("TRACE_C: F_cell 12.5\n", ["c.log"], 6, "no equation could be evaluated"),
        ("TRACE_C: F_latt ten\n", ["c.log"], 5, "'ten' is not a number"),
        ("", ["none.log"], 5, "No such file"),
        ("", ["c.log", "none.log"], 5, "No such file"),
        ("", ["c.log", "--also", "none.log"], 5, "No such file"),
        ("", [], 2, "LOG"),
        ("TRACE_C: F_latt ten\nTRACE_C: r_e_sqr 1e-9\n", ["c.log", "--lenient"], 1, "r_e_sqr: inconsistent in C"),
    ],
)
def test_exit_codes(trace_diff: Cli, tmp_path: Path, text: str, words: list[str], code: int, says: str) -> None:
    (tmp_path / "c.log").write_text(text)
    done = trace_diff("blame", *words)
    assert done.returncode == code
    assert says in done.stdout + done.stderr


def test_further_logs_are_added_to_the_side_whose_lines_they_hold(trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("TRACE_C: pixel_pos_meters 0.3000001 0.4 0\nTRACE_PY: R_distance_meters 7\n")
    (tmp_path / "b").write_text("TRACE_C: R_distance_meters 0.6000001\n")
    assert trace_diff("blame", "a").returncode == 6
    done = trace_diff("blame", "a", "--also", "b")
    assert done.returncode == 1
    assert "R_distance_meters: inconsistent in C" in done.stdout


# The section in the reports.


@pytest.fixture
def divergent(compare_texts: Callable[..., Result], supervisor_log: str) -> Result:
    return compare_texts(supervisor_log, as_py(supervisor_log).replace("rounded -7 -1", "rounded -7 0"))


def test_the_result_says_who(divergent: Result) -> None:
    assert divergent.blame is not None
    first = next(f for f in divergent.blame.findings if f.kind == "introduced")
    assert (first.side, first.variable) == ("PY", "hkl_rounded")
    assert "Broken equations" in renderer("markdown")(divergent)
    assert "wrong:  PY, in hkl_rounded" in renderer("text")(divergent)
    assert json.loads(renderer("json")(divergent))["blame"]["findings"][0]["kind"]


def test_no_blame_where_nothing_differs(compare_texts: Callable[..., Result], supervisor_log: str) -> None:
    result = compare_texts(supervisor_log, as_py(supervisor_log))
    assert result.blame is None
    assert "equations:" not in renderer("text")(result)
    assert "wrong:" not in renderer("text")(result)


def test_log_text_is_escaped_in_the_summary(compare_texts: Callable[..., Result]) -> None:
    line = "TRACE_{}: <b>|x {}\n"
    result = compare_texts(line.format("C", 1), line.format("PY", 2))
    assert result.blame is not None
    assert result.blame.findings[0].variable == "<b>|x"
    section = renderer("markdown")(result).partition("## Broken equations")[2].partition("\n## ")[0]
    assert "\\<b\\>\\|x" in section
    assert "<b>" not in section


def test_extended_precision_is_what_the_equations_use(domain: Domain, vocabulary: Vocabulary) -> None:
    seen: list[np.dtype[np.generic]] = []

    def watch(x: Values) -> Array:
        seen.append(x["pixel_pos_meters"].dtype)
        return np.sqrt(np.sum(x["pixel_pos_meters"] ** 2, axis=1, keepdims=True))

    equation = Equation("r", "r", "4", "subsample.R_distance_meters", (Input("pixel_pos_meters"),), (Form("", watch),))
    text = "TRACE_C: pixel_pos_meters 0.3 0.4 0\nTRACE_C: R_distance_meters 0.5\n"
    evaluate(equation, LogView(read(text), vocabulary))
    assert seen
    assert all(kind == np.longdouble for kind in seen)
