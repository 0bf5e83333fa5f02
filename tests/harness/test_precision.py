from __future__ import annotations

from pathlib import Path

import pytest
from trace_parity.pair.find import shipped
from trace_parity.trace.precision import FULL_DIGITS, hidden, printed_digits, with_precision

from tests.golden import SHARED, needs_shared, parse_trace
from tests.harness.conftest import Cli, as_py


def reprinted(log: str, form: str) -> str:
    """The log as a program that prints with `form` would have written it."""
    lines = []
    for line in log.splitlines():
        head, _, numbers = line.partition("]: ")
        name, *words = numbers.split()
        lines.append(f"{head}]: {name} " + " ".join(form % float(word) for word in words))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(("form", "digits"), [("%.17g", 17), ("%.15g", 15), ("%.9g", 9), ("%g", 6), ("%.3g", 17)])
def test_the_digits_are_read_off_the_numbers(form: str, digits: int, tmp_path: Path, supervisor_log: str) -> None:
    path = tmp_path / "c.log"
    path.write_text(reprinted(supervisor_log, form))
    assert printed_digits(path) == digits


def test_a_few_numbers_tell_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.log"
    path.write_text("TRACE_C: distance_meters 0.12345678\n")
    assert printed_digits(path) == FULL_DIGITS
    assert printed_digits(tmp_path / "none.log") == FULL_DIGITS


def test_what_printing_hides_is_half_a_unit_of_the_last_digit() -> None:
    assert hidden(17) == 0.0
    assert hidden(15) == pytest.approx(5e-15)
    assert abs(float(f"{1 / 3:.6g}") - 1 / 3) <= hidden(6) / 3


@pytest.mark.parametrize("form", ["%.15g", "%.9g", "%g"])
def test_a_short_print_is_no_divergence(form: str, trace_diff: Cli, tmp_path: Path, supervisor_log: str) -> None:
    (tmp_path / "c.log").write_text(reprinted(supervisor_log, form))
    (tmp_path / "py.log").write_text(as_py(supervisor_log))
    done = trace_diff("compare", "c.log", "py.log", "--rtol", "1e-16")
    assert done.returncode == 0, done.stdout
    assert "C prints" in done.stdout
    assert "PY prints" not in done.stdout
    (tmp_path / "py.log").write_text(as_py(supervisor_log).replace("F_cell 190.27", "F_cell 190.28"))
    assert trace_diff("compare", "c.log", "py.log", "--rtol", "1e-16").returncode == 1


def test_exact_numbers_stay_exact(tmp_path: Path, supervisor_log: str) -> None:
    path = tmp_path / "c.log"
    path.write_text(reprinted(supervisor_log, "%g"))
    vocabulary, notes = with_precision(shipped().vocabulary, {"C": path, "PY": path})
    assert len(notes) == 2
    assert vocabulary.named("steps")[0].tolerance.under(None) == (0.0, 0.0)
    assert vocabulary.named("distance_meters")[0].tolerance.under(None)[0] == pytest.approx(1e-6 + 1e-5)
    assert parse_trace(reprinted(supervisor_log, "%g"))


@needs_shared
def test_the_legacy_logs_print_15_digits() -> None:
    for name in ("20251008T212459Z_spec_baseline_c_trace_scaling.log", "fix_20251008T231211Z_trace_py_scaling.log"):
        assert printed_digits(SHARED / "legacy_logs" / name) == 15
