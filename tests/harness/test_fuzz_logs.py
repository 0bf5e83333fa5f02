"""Golden logs that something happened to: every command ends in one of its exit codes."""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from trace_parity.cli.main import main

from tests.golden import COMMITTED
from tests.harness.conftest import as_py

GOLDEN = {
    "good": (COMMITTED / "supervisor_trace_685_1039.log").read_text(),
    "leaky": (COMMITTED / "supervisor_trace_685_1039__phi_carryover.log").read_text(),
}
WORDS = [
    "nan",
    "-nan",
    "inf",
    "-inf",
    "NaN",
    "ten",
    "1e400",
    "-1e-400",
    "0",
    "-0",
    "1e308",
    "5e-324",
    "",
    "0x1p3",
    "1,5",
]
INDICES = ["-1", "2147483647", "2147483648", "99999999999999999999", "1.5", "x", ""]
NAMES = ["\x1b[31mred", "::error::x", "é", "a" * 5000, "N_cells", "F_latt", "[0]", "\u202e", "`|`", "nan"]
Lines = list[str]


def happen(lines: Lines, rng: random.Random) -> None:
    """One thing happens to a log."""
    if not lines:
        return
    at = rng.randrange(len(lines))
    head, colon, rest = lines[at].partition(": ")
    name, *words = rest.split(" ") if colon else [""]

    def put(new_head: str, new_name: str, new_words: Lines) -> None:
        lines[at] = f"{new_head}: {' '.join([new_name, *new_words])}"

    def number() -> None:
        changed = list(words)
        if changed:
            changed[rng.randrange(len(changed))] = rng.choice(WORDS)
        put(head, name, changed)

    def every_number() -> None:
        word = rng.choice(WORDS)
        lines[:] = [f"{x.rpartition(' ')[0]} {word}" if f": {name} " in x else x for x in lines]

    def again(other: bool) -> Callable[[], None]:
        def do() -> None:
            line = f"{lines[at]}1" if other else lines[at]
            lines.insert(rng.randrange(len(lines) + 1), line)

        return do

    def index() -> None:
        before, equals, after = head.partition("=")
        put(f"{before}{equals}{rng.choice(INDICES)}{after.lstrip('0123456789')}", name, words)

    def everywhere() -> None:
        lines[:] = [x for x in lines if f": {name} " not in x]

    def fewer_everywhere() -> None:
        lines[:] = [x.rpartition(" ")[0] if f": {name} " in x and x.count(" ") > 9 else x for x in lines]

    happenings: list[Callable[[], None]] = [
        number,
        number,
        every_number,
        everywhere,
        fewer_everywhere,
        again(False),
        again(True),
        index,
        lambda: lines.__delitem__(slice(at, at + rng.choice([1, 1, 5, 80]))),
        lambda: put(head, name, words[:-1]),
        lambda: put(head, name, [*words, *["1"] * rng.choice([1, 3, 2000])]),
        lambda: put(head, rng.choice(NAMES), words),
        lambda: put(head.partition("[")[0], name, words),
        lambda: lines.insert(at, rng.choice(NAMES)),
        lambda: lines.__setitem__(at, lines[at][: rng.randrange(len(lines[at]) + 1)]),
        lambda: lines.__setitem__(at, lines[at] + "\r"),
        lambda: rng.shuffle(lines),
    ]
    rng.choice(happenings)()


def ends(*words: object) -> tuple[int, str]:
    """Exit code and standard output of a command; anything but SystemExit comes through as it is."""
    out, code = io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        try:
            main([str(word) for word in words])
        except SystemExit as end:
            code = int(end.code or 0)
    return code, out.getvalue()


def mutated(seed: int, folder: Path) -> tuple[Path, Path]:
    rng = random.Random(seed)
    paths = folder / "c.log", folder / "py.log"
    for path, text in zip(paths, (GOLDEN[rng.choice(list(GOLDEN))], as_py(GOLDEN["good"])), strict=True):
        lines = text.splitlines()
        for _ in range(rng.choice([0, 1, 1, 2, 4])):
            happen(lines, rng)
        data = "\n".join(lines).encode("utf-8", "replace") + (b"\n" if rng.random() < 0.9 else b"")
        if rng.random() < 0.1:
            at = rng.randrange(len(data))
            data = data[:at] + rng.choice([b"\xff\xfe", b"\0", b"\n\n", b"\x85"]) + data[at + 1 :]
        path.write_bytes(data)
    return paths


@example(seed=137, lenient=True, waive=())  # a vector of more numbers than the vocabulary has
@example(seed=6394799, lenient=True, waive=())  # an equation made by a relation, with an input that may be wrong
@given(seed=st.integers(0, 2**32), lenient=st.booleans(), waive=st.sampled_from([(), ("--waive", "phi-carryover")]))
@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
def test_every_command_ends_in_one_of_its_exit_codes(
    tmp_path_factory: pytest.TempPathFactory, seed: int, lenient: bool, waive: tuple[str, ...]
) -> None:
    c, py = mutated(seed, tmp_path_factory.mktemp("fuzz"))
    rest = [*waive, *(["--lenient"] if lenient else [])]
    assert ends("compare", c, py, "--format", "json", *rest)[0] in {0, 1, 4, 5, 6, 7}
    lenient_word = rest[-1:] if lenient else []
    assert ends("blame", c, py, *lenient_word)[0] in {0, 1, 5, 6}
    assert ends("blame", c, *lenient_word)[0] in {0, 1, 5, 6}
    assert ends("phi", "--c", c, "--py", py, "--format", "csv", *lenient_word)[0] in {0, 5, 6}
