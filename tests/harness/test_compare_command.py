"""`trace-diff compare` as a user meets it: exit codes and one clear line each."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.harness.conftest import Cli, as_py


@pytest.fixture
def logs(tmp_path: Path, supervisor_log: str) -> tuple[Path, Path]:
    c, py = tmp_path / "c.log", tmp_path / "py.log"
    c.write_text(supervisor_log)
    py.write_text(as_py(supervisor_log))
    return c, py


def test_a_log_against_itself(trace_diff: Cli, logs: tuple[Path, Path]) -> None:
    for py in (logs[1], logs[0]):
        done = trace_diff("compare", logs[0], py)
        assert done.returncode == 0
        assert done.stdout.splitlines()[-1].startswith("PARITY")


def test_two_empty_logs(trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    (tmp_path / "b").write_text("only other output\n")
    done = trace_diff("compare", "a", "b")
    assert done.returncode == 6
    assert "nothing was compared: 0 numbers in the C log, 0 in the PY log" in done.stdout


def test_one_empty_log(trace_diff: Cli, logs: tuple[Path, Path]) -> None:
    logs[1].write_text("")
    done = trace_diff("compare", *logs)
    assert done.returncode == 6
    assert "nothing was compared: 318 numbers in the C log, 0 in the PY log" in done.stdout


@pytest.mark.parametrize("name", ["F_latt", "rot_a_angstroms", "phi_deg", "pix0_vector_meters", "I_pixel_final"])
@pytest.mark.parametrize("side", [0, 1])
def test_one_variable_deleted(trace_diff: Cli, logs: tuple[Path, Path], name: str, side: int) -> None:
    kept = [line for line in logs[side].read_text().splitlines(keepends=True) if f": {name} " not in line]
    logs[side].write_text("".join(kept))
    done = trace_diff("compare", *logs)
    assert done.returncode == 6
    assert f"{name}: missing in {'C' if side == 0 else 'PY'} at" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("cut", ["a word", "a number", "after a line", "before the newline of a vector"])
def test_a_truncated_log(trace_diff: Cli, logs: tuple[Path, Path], cut: str) -> None:
    text = logs[1].read_text()
    lines = text.splitlines(keepends=True)
    logs[1].write_text(
        {
            "a word": "".join(lines[:40]) + lines[40][:30],
            "a number": text[: text.index("F_latt 1.098607") + len("F_latt 1.09")],
            "after a line": "".join(lines[:60]),
            "before the newline of a vector": text[: text.index("rot_b_star_A_inv") + len("rot_b_star_A_inv -0.003")],
        }[cut]
    )
    done = trace_diff("compare", *logs)
    assert done.returncode == 5
    said = (done.stdout + done.stderr).splitlines()[-1]
    assert "py.log" in said
    assert any(word in said for word in ("truncated", "ends early", "no form"))


def test_a_whole_log_without_its_last_newline_is_no_truncated_one(trace_diff: Cli, logs: tuple[Path, Path]) -> None:
    logs[1].write_text(logs[1].read_text().rstrip("\n"))
    assert trace_diff("compare", *logs).returncode == 0


def test_nan_on_one_side(trace_diff: Cli, logs: tuple[Path, Path]) -> None:
    text = logs[1].read_text()
    logs[1].write_text(text.replace("F_latt 1.098607417043066", "F_latt nan"))
    done = trace_diff("compare", *logs)
    assert done.returncode == 1
    assert "first at F_latt;" in done.stdout.splitlines()[-1]


def test_nan_on_both_sides_is_no_evidence(trace_diff: Cli, logs: tuple[Path, Path]) -> None:
    for log in logs:
        log.write_text(log.read_text().replace("F_latt 1.098607417043066", "F_latt nan"))
    assert trace_diff("compare", *logs).returncode == 1


def test_an_unreadable_line_and_lenient(trace_diff: Cli, logs: tuple[Path, Path]) -> None:
    logs[0].write_text("TRACE_C: steps ten\n" + logs[0].read_text())
    done = trace_diff("compare", *logs)
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.startswith(f"trace-diff: {logs[0]}:1: 'ten' is not a number")
    lenient = trace_diff("compare", "--lenient", *logs)
    assert lenient.returncode == 5  # what it says was not compared
    assert lenient.stdout.splitlines()[-1].startswith("UNREADABLE")
    assert "unreadable lines 1 + 0" in lenient.stdout
    assert "unreadable in C: line 1: 'ten' is not a number" in lenient.stdout


def test_disjoint_names(trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "c").write_text("TRACE_C: F_latt 1\n")
    (tmp_path / "py").write_text("TRACE_PY: F_latt_a 1\n")
    assert trace_diff("compare", "c", "py").returncode == 6


def test_every_output_form(trace_diff: Cli, logs: tuple[Path, Path], tmp_path: Path) -> None:
    logs[1].write_text(logs[1].read_text().replace("F_cell 190.27", "F_cell 191.27"))
    forms = ("text", "json", "markdown", "html", "junit", "github", "metrics")
    words = [word for form in forms for word in ("--format", f"{form}:{form}.out")]
    done = trace_diff("compare", *logs, *words, "--format", "github")
    assert done.returncode == 1
    assert done.stdout.startswith("::error title=trace divergence%3A compare,file=nanobragg_torch/")
    assert "::F_cell of PY is wrong in print only" in done.stdout
    assert all("F_cell" in (tmp_path / f"{form}.out").read_text() for form in forms)
    metrics = json.loads((tmp_path / "metrics.out").read_text())
    assert metrics["first_divergence"] == "F_cell"
    assert metrics["num_divergent"] == 10
    assert metrics["tolerance_rel"] == 1e-6
    factor = metrics["factors"]["F_cell"]
    assert (factor["c_value"], factor["py_value"], factor["status"]) == (190.27, 191.27, "CRITICAL")
    assert factor["abs_delta"] == pytest.approx(1.0)
    assert factor["rel_delta"] == pytest.approx(1 / 190.27)
    assert metrics["factors"]["I_pixel_final"]["status"] == "PASS"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--format", "yaml", "c.log", "py.log"], "unknown output form 'yaml'"),
        (["c.log"], "one log; expected C.log PY.log"),
        (["c.log", "py.log", "--rtol", "-1"], "--rtol"),
        (["c.log", "py.log", "--case", "supervisr"], "no case 'supervisr'"),
        (["c.log", "py.log", "--nonsense"], "--nonsense"),
    ],
)
def test_usage_errors(trace_diff: Cli, logs: tuple[Path, Path], words: list[str], says: str) -> None:
    done = trace_diff("compare", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def test_a_case_may_ask_for_more_than_the_logs_have(trace_diff: Cli, logs: tuple[Path, Path]) -> None:
    done = trace_diff("compare", *logs, "--case", "supervisor")
    assert done.returncode == 6
    assert "beam_vec" in done.stdout


def test_a_missing_log(trace_diff: Cli, logs: tuple[Path, Path]) -> None:
    done = trace_diff("compare", logs[0], "none.log")
    assert done.returncode == 5
    assert "none.log: No such file or directory" in done.stderr


def test_the_phi_table(trace_diff: Cli, logs: tuple[Path, Path], leaky_log: str) -> None:
    logs[0].write_text(leaky_log)
    done = trace_diff("phi", "--c", logs[0], "--py", logs[1], "--format", "csv")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) == 11
    first = dict(zip(lines[0].split(","), lines[1].split(","), strict=True))
    k_c, k_py = (float(re.search(r"hkl_frac \S+ (\S+)", log.read_text())[1]) for log in logs)  # type: ignore[index]
    assert (float(first["k_frac_c"]), float(first["k_frac_py"])) == (k_c, k_py)
    assert abs(k_py - k_c - 0.018) < 1e-3
    assert float(first["k_frac_diff"]) == k_py - k_c
    records = json.loads(trace_diff("phi", "--c", logs[0], "--py", logs[1], "--format", "json").stdout)
    assert [record["phi_tic"] for record in records] == list(range(10))
    assert float(first["b_star_y_py"]) == records[0]["b_star_y_py"]
    assert "| phi_tic | phi_deg | k_frac_c |" in trace_diff("phi", "--c", logs[0], "--py", logs[1]).stdout


def test_the_phi_table_of_nothing(trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    assert trace_diff("phi", "--c", "a", "--py", "a").returncode == 6
    assert trace_diff("phi").returncode == 2
