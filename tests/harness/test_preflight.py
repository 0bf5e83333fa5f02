"""The settings are compared before the traces, and the one that differs is named first."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from trace_parity.bundle.diff import diff_bundles, differing
from trace_parity.compare.options import Options
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.case import pasted_case
from trace_parity.pair.find import shipped
from trace_parity.pair.programs import Programs
from trace_parity.render import renderer
from trace_parity.run.options import RunOutcome
from trace_parity.run.preflight import differing_settings
from trace_parity.run.run_case import run_case

from tests.harness.conftest import Cli
from tests.harness.snapshots.results import HOSTILE, with_quirk

SMALL = "-cell 100 -lambda 6.2 -N 5 -distance 100 -detpixels 16 -pixel 0.1 -default_F 100"
Runner = Callable[..., RunOutcome]


@pytest.fixture
def run_with(tmp_path: Path) -> Runner:
    """Run a small case with another `config` command of the port, or its words of a trace."""

    def run(config: tuple[str, ...] | None = None, trace: tuple[str, ...] = (), **options: object) -> RunOutcome:
        programs = shipped().programs
        py = programs.sides["PY"]
        py = replace(py, config=py.config if config is None else config, trace=(*py.trace, *trace))
        changed: Programs = replace(programs, sides={**programs.sides, "PY": py})
        chosen = Options(out=tmp_path / "reports", render_images=False, **options)  # type: ignore[arg-type]
        return run_case(shipped().with_programs(changed), pasted_case(SMALL.split(), [(8, 8)]), chosen)

    return run


@pytest.mark.parametrize(
    ("a", "b", "differs"),
    [
        (1e9, 1e9 + 0.5, True),  # by 5e-10: within a relative tolerance that deepdiff applies on its own
        (4_000_000_000, 4_000_000_003, True),
        (1e-13, 2e-13, True),
        (0.1, 0.1 * (1 + 1e-11), True),
        (0.1, 0.1 * (1 + 1e-14), False),
        (3, 3.0, False),
        (math.nan, math.nan, False),
        (math.nan, 1.0, True),
        ([1, 2], [1.0, 2.0], False),
        ([1.0, 2.0], [1.0, 2.0 + 1e-9], True),
        (1, True, True),
    ],
)
def test_settings_are_compared_by_twelve_digits(a: object, b: object, differs: bool) -> None:
    found = differing({"value": a}, {"value": b})
    assert bool(found) is differs
    assert all(place.startswith("value") for place, _, _ in found)


CONFIG = shipped().programs.sides["PY"].config


def test_a_setting_that_differs_is_named_before_the_traces(run_with: Runner, trace_diff: Cli) -> None:
    ran = run_with((*CONFIG, "-curved_det"), waive=("phi-carryover",))
    result = ran.result
    assert result.settings == ("setting curved differs: C false, PY true",)
    assert (result.exit_code, result.verdict, result.num_divergent) == (Exit.DIVERGENCE, "divergence", 0)
    assert result.headline.startswith(result.settings[0])
    assert result.compared > 50
    for side in ("c", "py"):
        assert (ran.bundle / "traces" / f"{side}.log").stat().st_size
    assert json.loads((ran.bundle / "config_py.json").read_text())["curved"] is True
    again = trace_diff("judge", ran.bundle)
    assert again.returncode == 1
    assert again.stdout.splitlines()[-1].startswith(f"DIVERGENCE  {result.case.id}: {result.settings[0]}")


def test_a_setting_explains_the_numbers_behind_it(run_with: Runner) -> None:
    words = ("-distance", "99")
    result = run_with((*CONFIG, *words), words).result
    assert result.num_divergent > 5
    assert result.settings[0] == "setting distance_mm differs: C 100, PY 99.0"
    explained = "pix0_vector_meters explains the whole difference of I_pixel_final (factor 1.02)"
    more = f"(and {len(result.settings) - 1} more); {explained}; first at pix0_vector_meters[0]"
    assert result.headline.startswith(f"{result.settings[0]} {more}")


def test_parity_keeps_both_settings(run_with: Runner) -> None:
    ran = run_with()
    assert (ran.result.exit_code, ran.result.settings) == (0, ())
    kept = [json.loads((ran.bundle / f"config_{side}.json").read_text()) for side in ("c", "py")]
    assert list(kept[0]) == list(kept[1])
    assert "-show_config" in (ran.bundle / "commands.txt").read_text()


def test_without_preflight_nothing_is_asked(run_with: Runner) -> None:
    asked, bare = run_with(), run_with(("false",), preflight=False)
    assert bare.result.exit_code == 0
    assert not (bare.bundle / "config_c.json").exists()
    assert not [d for d in diff_bundles(asked.bundle, bare.bundle) if d.place.startswith("config")]
    assert run_with(()).result.exit_code == 0, "a pair that cannot print its settings"


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ((*CONFIG, "-show_everything"), "unknown flag -show_everything"),
        (("echo", "hello"), "expected its settings as one JSON object"),
        (("echo", "[1]"), "expected its settings as one JSON object"),
        (("no-such-program",), "cannot be started"),
    ],
)
def test_a_program_that_cannot_say_is_a_failure(run_with: Runner, config: tuple[str, ...], says: str) -> None:
    with pytest.raises(HarnessError, match=says) as caught:
        run_with(config)
    assert caught.value.code == Exit.PROGRAM_FAILED
    assert "reading the settings of the PyTorch simulator" in str(caught.value)


def test_a_failure_later_names_the_setting_too(run_with: Runner) -> None:
    with pytest.raises(HarnessError, match=r"setting distance_mm differs: .*; then .*unknown flag -nonsense") as caught:
        run_with((*CONFIG, "-distance", "99"), ("-nonsense",))
    assert caught.value.code == Exit.PROGRAM_FAILED


@pytest.mark.parametrize(
    ("c", "py", "lines"),
    [
        ({"x": 1}, {"x": 1.0}, 0),
        ({"x": 1.0}, {"x": 1.0 + 1e-11}, 0),
        ({"x": 1.0}, {"x": 1.0 + 1e-9}, 1),
        ({"x": 0}, {"x": 1e-14}, 0),
        ({"v": [100, 0, 0]}, {"v": [100, 1e-9, -0.0]}, 0),
        ({"v": [100, 0, 0]}, {"v": [100, 1e-3, 0]}, 1),
        ({"v": [1, 2]}, {"v": [1, 2, 3]}, 1),
        ({"x": True}, {"x": False}, 1),
        ({"x": "nan"}, {"x": "nan"}, 0),
        ({"x": None}, {"x": 0}, 1),
        ({"x": 1}, {}, 1),
        ({"x": "MOSFLM", "y": 1, "z": 3}, {"x": "XDS", "y": 2, "z": 3}, 2),
    ],
)
def test_what_counts_as_the_same_setting(c: dict[str, object], py: dict[str, object], lines: int) -> None:
    assert len(differing_settings(c, py)) == lines
    assert len(differing_settings(py, c)) == lines


def test_the_order_is_that_of_the_programs() -> None:
    lines = differing_settings({"b": 1, "a": "x", "c": 1}, {"b": 2, "a": "y", "d": 1})
    assert lines == (
        "setting b differs: C 1, PY 2",
        'setting a differs: C "x", PY "y"',
        "setting c differs: C 1, PY has none",
        "setting d differs: C has none, PY 1",
    )


@pytest.mark.parametrize("form", ["text", "markdown", "html", "json"])
def test_every_form_shows_the_settings(form: str) -> None:
    lines = tuple(f"setting s{i} differs: C {i}, PY 0" for i in range(1, 4))
    shown = renderer(form)(replace(with_quirk(), settings=lines))
    for number in range(1, 4):
        assert f"setting s{number} differs" in shown
    assert HOSTILE not in renderer("html")(replace(with_quirk(), settings=(HOSTILE,)))
