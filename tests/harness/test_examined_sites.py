"""Of large logs some sites are examined: which, that both comparisons take the same, and the note about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trace_parity.blame.attribution import blame_pair
from trace_parity.blame.of_pair import domain_of_pair
from trace_parity.compare.align import align
from trace_parity.compare.judge import judge
from trace_parity.compare.options import Options
from trace_parity.compare.sites import narrow
from trace_parity.pair.contract import Contract
from trace_parity.pair.find import shipped
from trace_parity.result.compare import compare
from trace_parity.result.result import CaseResult, Result
from trace_parity.trace import read_trace, read_trace_lines

from tests.harness.conftest import Cli, as_py
from tests.harness.log_pairs import compare_files
from tests.harness.test_blame_faults import TwoPixels, introduced

VOCABULARY = shipped().vocabulary
CASE = CaseResult("t", "t")


def second_only(v: Any, x: dict[str, Any]) -> Any:
    return -v if x["keys"]["spixel"] == 41 else v


def test_pixels_that_agree_are_not_examined() -> None:
    texts = {"C": TwoPixels("C").text(), "PY": TwoPixels("PY", {"F_latt": second_only}).text()}
    tables = [read_trace_lines(text.splitlines(keepends=True), s, s, VOCABULARY) for s, text in texts.items()]
    alignment = align(tables[0], tables[1], VOCABULARY)
    judgement = judge(alignment)
    domain = domain_of_pair(shipped())
    assert domain is not None
    whole = blame_pair(alignment, judgement, domain)
    inside, seen, examined = narrow(alignment, judgement, whole_numbers=8000)
    found = blame_pair(inside, seen, domain)
    assert introduced(found) == introduced(whole) == {("PY", "F_latt")}
    assert examined is None  # all that differs is in one pixel
    assert found.instances_checked < 0.6 * whole.instances_checked


def pixels(log: str, count: int) -> str:
    """The supervisor's pixel again and again, and the run's lines once."""
    run = [line for line in log.splitlines(keepends=True) if "[" not in line.partition(":")[0]]
    own = [line for line in log.splitlines(keepends=True) if "[" in line.partition(":")[0]]
    return "".join(run) + "".join(line.replace("spixel=685", f"spixel={i}") for i in range(count) for line in own)


def change(log: str, spixel: int, old: str, new: str) -> str:
    """One pixel's line with another number."""
    lines = log.splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if f"spixel={spixel} " in line and f": {old}" in line)
    lines[at] = lines[at].replace(f": {old}", f": {new}")
    return "".join(lines)


def both(folder: Path, c: str, py: str, most: int, **asked: Any) -> tuple[Result, Result]:
    """In memory and streaming, as if the logs were large."""
    paths = folder / "c.log", folder / "py.log"
    paths[0].write_text(c)
    paths[1].write_text(py)
    held = in_memory(folder, most, **asked)
    streamed = compare_files(*paths, VOCABULARY, pair=shipped(), blame_sites=most, whole_numbers=-1, **asked)
    return held, streamed


def in_memory(folder: Path, most: int, **asked: Any) -> Result:
    tables = [read_trace(folder / f"{side.lower()}.log", side, VOCABULARY) for side in ("C", "PY")]
    return compare(
        align(tables[0], tables[1], VOCABULARY),
        CASE,
        Contract(),
        pair=shipped(),
        options=Options(blame_sites=most, whole_numbers=0, **asked),
    )


CHANGED = ("verdict", "exit_code", "headline", "blame", "examined", "waivers", "problems", "first_divergence", "quirks")


def assert_alike(held: Result, streamed: Result, leave_out: tuple[str, ...] = ()) -> None:
    for name in CHANGED:
        if name not in leave_out:
            assert repr(getattr(held, name)) == repr(getattr(streamed, name)), name


def test_every_variable_that_diverges_is_examined(tmp_path: Path, supervisor_log: str) -> None:
    c = pixels(supervisor_log, 4)
    py = as_py(c)
    for spixel in range(2):  # some pixels differ in one variable, one late pixel in another
        py = change(py, spixel, "polar 0.9", "polar 0.8")
    py = change(py, 3, "F_cell 190.27", "F_cell 191.27")
    held, streamed = both(tmp_path, c, py, 2)
    assert_alike(held, streamed)
    assert held.blame is not None
    assert {"polar", "F_cell"} <= {f.variable for f in held.blame.findings}
    assert held.examined is not None
    assert (held.examined.sites, held.examined.divergent, held.examined.of_divergent) == (2, 2, 3)
    assert "examined 2 sites, with 2 of the 3 numbers that differ" in held.headline
    assert in_memory(tmp_path, 50).examined is None


@pytest.mark.parametrize(
    ("waive", "most", "code", "says"),
    [
        (("phi-carryover",), 50, 0, "waived phi-carryover"),
        (("phi-carryover",), 2, 1, "numbers in sites that were not examined"),
        (("stale-reciprocal",), 50, 1, "not covered by waivers"),
    ],
)
def test_waivers_pass_what_was_examined_alone(
    tmp_path: Path, leaky_log: str, supervisor_log: str, waive: tuple[str, ...], most: int, code: int, says: str
) -> None:
    without = {"F_latt", "I_running", "I_before_scaling", "I_pixel_final", "pixel_pos_meters"}  # equations that break
    logs = [
        "".join(
            x for x in pixels(log, 4).splitlines(keepends=True) if x.partition("]: ")[2].split(" ")[0] not in without
        )
        for log in (leaky_log, supervisor_log)
    ]
    held, streamed = both(tmp_path, logs[0], as_py(logs[1]), most, waive=waive)
    assert_alike(held, streamed, ("quirks",))  # of large logs streaming counts the places that it examined
    assert held.exit_code == code
    assert says in held.headline


def test_a_waiver_does_not_pass_images_that_differ(
    trace_diff: Cli, tmp_path: Path, supervisor_log: str, leaky_log: str
) -> None:
    """What the traced pixels show says nothing of the others."""
    (tmp_path / "c.log").write_text(leaky_log)
    (tmp_path / "py.log").write_text(as_py(supervisor_log))
    image = np.arange(12, dtype="<f4")
    image.tofile(tmp_path / "a.bin")
    (image * np.float32(1.5)).tofile(tmp_path / "b.bin")
    words = ("--waive", "phi-carryover", "--shape", "3,4", "--c-image", "a.bin", "--py-image")
    done = trace_diff("compare", "c.log", "py.log", *words, "a.bin")
    assert done.returncode == 0, done.stdout
    done = trace_diff("compare", "c.log", "py.log", *words, "b.bin")
    assert done.returncode == 1
    assert "not covered by waivers: 11 of 12 pixels of the images differ" in done.stdout


def test_a_stale_and_an_expired_waiver_fail(trace_diff: Cli, tmp_path: Path, supervisor_log: str) -> None:
    (tmp_path / "c.log").write_text(supervisor_log)
    (tmp_path / "py.log").write_text(as_py(supervisor_log))
    done = trace_diff("compare", "c.log", "py.log", "--waive", "phi-carryover")
    assert done.returncode == 7, done.stderr
    assert done.stdout.splitlines()[-1].startswith("STALE WAIVER")
    assert "waiver phi-carryover: stale; shows at 0 places" in done.stdout
    done = trace_diff("compare", "c.log", "py.log", "--waive", "phi-carryovr")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean phi-carryover?" in done.stderr


def test_blame_of_two_logs_says_how_much_it_examined(trace_diff: Cli, tmp_path: Path, supervisor_log: str) -> None:
    c = pixels(supervisor_log, 330)  # beyond 200,000 numbers in both logs
    py = as_py(c).replace(": polar 0.9", ": polar 0.8")
    (tmp_path / "c.log").write_text(c)
    (tmp_path / "py.log").write_text(py)
    done = trace_diff("blame", "c.log", "py.log", "--blame-pixels", "3")
    assert "examined 3 sites, with 3 of the 330 numbers that differ" in done.stdout
