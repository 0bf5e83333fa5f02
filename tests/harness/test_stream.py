"""The streaming comparison finds what the comparison in memory finds, whatever is done to the logs."""

from __future__ import annotations

import dataclasses
import math
import os
import random
import shutil
import struct
import subprocess
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trace_parity.compare.align import align
from trace_parity.errors import HarnessError
from trace_parity.pair.contract import Contract
from trace_parity.pair.find import shipped
from trace_parity.pair.tolerances import global_rtol, parse_rules, with_rules
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.result.compare import compare
from trace_parity.result.result import CaseResult, Result
from trace_parity.stream import native, stream_compare
from trace_parity.stream.engine import WatchList, join
from trace_parity.stream.source import LogSource
from trace_parity.trace import read_trace

from tests.harness.conftest import Cli, as_py

CASE = CaseResult("t", "t")
STEP = "spixel={s} fpixel={f} thick_tic=0 subS=0 subF=0 source=0 phi_tic={p} mos_tic=0"
SOURCE = "spixel={s} fpixel={f} thick_tic=0 subS=0 subF=0 source=0"
Lines = list[str]
CONTRACT = Contract(
    ("F_latt", "hkl_frac", "polar", "I_pixel_final", "no_such"), ((0, 0), (0, 1), (7, 7)), {"phi_tic": 2}
)


def block(s: int, f: int, rng: random.Random) -> Lines:
    """The lines of one pixel, as the programs print them."""
    step = [STEP.format(s=s, f=f, p=p) for p in range(2)]
    at = SOURCE.format(s=s, f=f)

    def n() -> str:
        return f"{rng.uniform(-1, 1) * 10 ** rng.randint(-30, 24):.17g}"

    lines = [
        f"TRACE_C[{at}]: lambda_meters 9.7680000000000005e-11",
        f"TRACE_C[{at}]: scattering_vec_m_inv {n()} {n()} 0",
        f"TRACE_C[{at}]: polar 0.9{rng.randint(1, 10**15)}",
    ]
    for loops in step:
        lines += [
            f"TRACE_C[{loops}]: phi_deg 0",
            f"TRACE_C[{loops}]: rot_a_angstroms {n()} {n()} 1e-17",
            f"TRACE_C[{loops}]: hkl_frac {n()} {n()} {n()}",
            f"TRACE_C[{loops}]: hkl_rounded 1 2 3",
            f"TRACE_C[{loops}]: F_latt {rng.uniform(-5, 5):.17g}",
            f"TRACE_C[{loops}]: made_up_name {n()}",
        ]
    pixel = f"spixel={s} fpixel={f}"
    return [*lines, f"TRACE_C[{pixel}]: steps 10", f"TRACE_C[{pixel}]: I_pixel_final {n()}"]


def logs(rng: random.Random, pixels: int) -> tuple[list[Lines], list[Lines]]:
    """Blocks of lines of both logs: the run's, then one per pixel."""
    run = ["some program", "TRACE_C: N_cells 36 47 29", "TRACE_C: beam_vec 1 0 0", "TRACE_CONFIG: no trace line"]
    c = [run, *(block(p // 3, p % 3, rng) for p in range(pixels))]
    return c, [[jitter(line, rng) for line in lines] for lines in c]


def jitter(line: str, rng: random.Random) -> str:
    """PY's line: its numbers differ in their last digits."""
    line = line.replace("TRACE_C", "TRACE_PY")
    head, _, words = line.rpartition(" ")
    if "." not in words or rng.random() < 0.5:
        return line
    return f"{head} {float(words) * (1 + rng.choice((1e-16, -3e-15, 1e-7))):.17g}"


def lacking_the_same(pair: tuple[list[Lines], list[Lines]], rng: random.Random) -> tuple[list[Lines], list[Lines]]:
    """Both logs without the last number of some lines."""
    some = rng.randrange(2, 5)

    def cut(n: int, line: str) -> str:
        return line.rpartition(" ")[0] if n % some == 0 and len(line.partition(": ")[2].split()) > 2 else line

    c, py = ([[cut(n, line) for n, line in enumerate(lines)] for lines in blocks] for blocks in pair)
    return c, py


def mutate(blocks: list[Lines], rng: random.Random, side: str) -> list[Lines]:
    """Something happens to a log."""
    blocks = [list(lines) for lines in blocks]
    lines = rng.choice(blocks)
    at = rng.randrange(len(lines)) if lines else 0
    place = rng.choice(["", "[spixel=0 fpixel=1]", "[spixel=0 fpixel=0 phi_tic=1]", "[spixel=5 fpixel=5]"])

    def replace_number(by: str) -> None:
        head, _, _ = lines[at].rpartition(" ")
        lines[at] = f"{head} {by}"

    def shuffle_within() -> None:
        rng.shuffle(lines)

    def shuffle_blocks() -> None:
        rng.shuffle(blocks)

    def split_block() -> None:
        blocks.append([lines.pop() for _ in range(min(3, len(lines)))])

    def extra_pixel() -> None:
        blocks.insert(rng.randrange(len(blocks) + 1), [w.replace("TRACE_C", side) for w in block(9, 9, rng)])

    def insert(*words: str) -> Callable[[], None]:
        return lambda: lines.insert(at, rng.choice(words))

    def drop(count: int) -> Callable[[], None]:
        return lambda: lines.__delitem__(slice(at, at + count))

    def repeat() -> None:
        blocks.append([rng.choice(lines)] if lines else [])

    happenings: list[Callable[[], None]] = [
        drop(1),
        drop(4),
        shuffle_within,
        shuffle_blocks,
        split_block,
        extra_pixel,
        repeat,
        insert(f"{side}{place}: F_latt 1.5", f"{side}{place}: hkl_frac 1 2", f"{side}{place}: hkl_frac 1 2 3 4"),
        insert(f"{side}: steps ten", f"{side}[spixel=1]: x", f"{side}[phi_tic=1 phi_tic=2]: x 1", f"{side}[]: x 1"),
        insert(f"{side}_PHI phi_tic=1 phi_deg=0.01 k_frac=-0.59 S_y=0.25", f"{side}:old=1 2 3", f"{side}:note=hello"),
        insert(f"{side}{place}: polar 0.25", f"{side}{place}: V_actual 12", f"{side}{place}: k_frac 0.5"),
        insert(
            f"{side}: N_cells 1 2 3", f"{side}: N_cells 36 47 29", f"{side}: N_cells nan nan", f"{side}: beam_vec 1"
        ),
        insert(f"{side}\t[", f"{side} x", "", "\x00\x1c\x85", f"{side}{place}: é 1", f"{side}{place}: x٣ ٣", "TRACE_"),
        insert("TRACE_C: steps 3", "TRACE_PY: steps 3", "TRACE_PYx: steps 3", f"{side}{place}: steps 3 \r"),
    ]
    if lines:
        number = rng.choice(["nan", "-nan", "inf", "-inf", "0", "-0", "1e400", "1e-320", "7", "1.", ".5", "1e", "+3"])
        happenings += [lambda: replace_number(number)] * 3
    rng.choice(happenings)()
    return blocks


def text_of(blocks: list[Lines], rng: random.Random) -> bytes:
    """The log, cut off now and then."""
    text = "".join(f"{line}\n" for lines in blocks for line in lines).encode()
    if rng.random() < 0.2:
        text = text[: rng.randrange(len(text) + 1)]
    return text if rng.random() < 0.9 else text.rstrip(b"\n")


def in_memory(
    paths: tuple[Path, Path], vocabulary: Vocabulary, contract: Contract, rtol: float | None, whole: bool = True
) -> Result:
    """`whole`: look at all of it closely, else as at large logs."""
    c, py = (read_trace(path, s, vocabulary, lenient=True) for path, s in zip(paths, ("C", "PY"), strict=True))
    return compare(
        align(c, py, vocabulary), CASE, contract, pair=shipped(), rtol=rtol, whole_numbers=10**9 if whole else -1
    )


def comparable(result: Result, ignore: tuple[str, ...] = ()) -> Any:
    """The whole result, in a form in which NaN equals NaN, without the notes on streaming."""
    kept = {f.name: getattr(result, f.name) for f in dataclasses.fields(result) if f.name not in ignore}
    kept["logs"] = {
        side: dataclasses.replace(log, notes={k: v for k, v in log.notes.items() if k != "streaming"})
        for side, log in result.logs.items()
    }
    return {name: repr(value) for name, value in kept.items()}


@pytest.fixture(autouse=True)
def no_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blame is made by the comparison in memory in either case, and takes its time."""
    monkeypatch.setattr("trace_parity.result.result._blame", lambda *_: None)


WIDE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@given(
    seed=st.integers(0, 2**32),
    mutations=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    piece=st.sampled_from([40, 200, 1000, 1 << 20]),
    block_limit=st.sampled_from([3, 26, 10**6]),
    contract=st.sampled_from([Contract(), CONTRACT]),
    rtol=st.sampled_from([None, 1e-9, 0.0]),
    whole=st.booleans(),
)
@settings(WIDE, max_examples=200)
def test_streaming_finds_what_the_comparison_in_memory_finds(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    mutations: tuple[int, int],
    piece: int,
    block_limit: int,
    contract: Contract,
    rtol: float | None,
    whole: bool,
) -> None:
    rng = random.Random(seed)
    folder = tmp_path_factory.mktemp("logs")
    paths = folder / "c.log", folder / "py.log"
    pair = logs(rng, rng.randint(0, 5))
    if rng.random() < 0.3:
        pair = lacking_the_same(pair, rng)
    for path, blocks, side, count in zip(paths, pair, ("TRACE_C", "TRACE_PY"), mutations, strict=True):
        for _ in range(count):
            blocks = mutate(blocks, rng, side)
        path.write_bytes(text_of(blocks, rng))
    vocabulary = shipped().vocabulary
    wanted = comparable(in_memory(paths, vocabulary, contract, rtol, whole))
    options: dict[str, Any] = {"rtol": rtol, "lenient": True, "piece": piece, "block_limit": block_limit}
    found = stream_compare(
        *paths, vocabulary, CASE, contract, pair=shipped(), **options, whole_limit=10**9 if whole else -1
    )
    for name, value in comparable(found, () if whole else ("per_phi", "quirks", "blame")).items():
        assert value == wanted[name], name


def both(c: Path, py: Path, **options: Any) -> tuple[Result, Result]:
    """The comparison in memory and the streaming one."""
    vocabulary = shipped().vocabulary
    wanted = in_memory((c, py), vocabulary, Contract(), None, options.get("whole_limit") != -1)
    return wanted, stream_compare(c, py, vocabulary, CASE, Contract(), pair=shipped(), lenient=True, **options)


def write(path: Path, blocks: list[Lines]) -> Path:
    path.write_text("".join(f"{line}\n" for lines in blocks for line in lines))
    return path


@pytest.mark.parametrize("first", ["TRACE_C", "TRACE_PY"])
def test_whose_lines_to_take_is_settled_by_the_whole_log(tmp_path: Path, first: str) -> None:
    c, py = logs(random.Random(1), 40)
    mixed = write(tmp_path / "mixed.log", [*(c if first == "TRACE_C" else py), *(py if first == "TRACE_C" else c)])
    only_c = write(tmp_path / "c.log", c)
    assert mixed.stat().st_size > 2 * 65536
    for pair in ((only_c, mixed), (mixed, mixed), (only_c, only_c)):
        wanted, found = both(*pair)
        assert comparable(found, ("per_phi",)) == comparable(wanted, ("per_phi",))
    assert "other side" in found.logs["PY"].notes["side"]


@pytest.mark.parametrize("words", ["F_latt:1e-3", "hkl_frac:ulp=8", "rot_*:abs=1e-3 1e-9", "polar:ulp=2 1e-12"])
def test_tolerances_asked_for_by_name_hold(tmp_path: Path, words: str) -> None:
    c, py = logs(random.Random(8), 6)
    paths = write(tmp_path / "c.log", c), write(tmp_path / "py.log", py)
    rules = parse_rules([words])
    vocabulary, rtol = with_rules(shipped().vocabulary, rules), global_rtol(rules)
    wanted = in_memory(paths, vocabulary, Contract(), rtol, whole=False)
    found = stream_compare(*paths, vocabulary, CASE, Contract(), pair=shipped(), rtol=rtol, whole_limit=-1)
    assert comparable(found, ("per_phi", "quirks")) == comparable(wanted, ("per_phi", "quirks"))


def test_what_does_not_fit_the_usual_order_is_said(tmp_path: Path) -> None:
    c, py = logs(random.Random(2), 6)
    again = [*py, py[1][-1:], py[2][-1:]]
    paths = write(tmp_path / "c.log", c), write(tmp_path / "py.log", again)
    wanted, found = both(*paths, piece=100, whole_limit=-1)
    assert comparable(found, ("per_phi",)) == comparable(wanted, ("per_phi",))
    assert "comes back to places" in found.logs["C"].notes["streaming"]
    plain = both(paths[0], write(tmp_path / "py2.log", py), piece=100, whole_limit=-1)[1]
    assert "every row" not in plain.logs["C"].notes["streaming"]


def test_the_pixels_of_a_divergence_show_its_quirk(tmp_path: Path, leaky_log: str, supervisor_log: str) -> None:
    rng = random.Random(3)
    around, _ = logs(rng, 9)
    paths = []
    for name, log in (("c.log", leaky_log), ("py.log", supervisor_log)):
        lines = [*around[:4], log.splitlines(), *around[4:]]
        paths.append(write(tmp_path / name, lines))
    wanted, found = both(*paths, whole_limit=-1)
    assert comparable(found, ("per_phi",)) == comparable(wanted, ("per_phi",))
    assert [q.id for q in found.quirks] == ["phi-carryover"]
    assert len(found.per_phi) == 10


def test_an_unreadable_line_is_refused_as_in_memory(tmp_path: Path) -> None:
    c, py = logs(random.Random(4), 2)
    paths = write(tmp_path / "c.log", c), write(tmp_path / "py.log", [*py, ["TRACE_PY: steps ten", "TRACE_PY: x"]])
    said = []
    for compared in (
        lambda: read_trace(paths[1], "PY", shipped().vocabulary),
        lambda: stream_compare(*paths, shipped().vocabulary, CASE, Contract()),
    ):
        with pytest.raises(HarnessError) as caught:
            compared()
        said.append(str(caught.value))
    assert said[0] == said[1]


@WIDE
@given(st.one_of(st.floats(), st.integers(0, 2**64 - 1).map(lambda b: struct.unpack("d", struct.pack("Q", b))[0])))
def test_numbers_are_read_bit_for_bit_as_python_reads_them(x: float) -> None:
    for form in ("%.17g", "%.15g", "%.3g", "%.25e", "%.1f", "%r"):
        word = form % x
        got = native.parse_number(word.encode())
        assert got is not None, word
        assert struct.pack("d", got) == struct.pack("d", float(word)) or (math.isnan(got) and math.isnan(x)), word


@WIDE
@given(st.from_regex(r"[-+]?(\d{0,30}\.?\d{0,30})([eE][-+]?\d{0,4})?|[-+]?(nan|inf|x)", fullmatch=True))
def test_words_are_numbers_where_the_reader_takes_them_for_numbers(word: str) -> None:
    from trace_parity.trace.lines import _NUMBER

    if not word.isascii():
        return
    got = native.parse_number(word.encode())
    assert (got is not None) == bool(_NUMBER.match(word))
    if got is not None:
        assert got == float(word) or math.isnan(got)


HOSTILE = [
    b"TRACE_",
    b"C",
    b"PY",
    b"[",
    b"]: ",
    b"=",
    b" ",
    b"\n",
    b"\r",
    b"spixel",
    b"1",
    b"1e999",
    b": F_latt ",
    b"\x00",
]


@given(
    st.lists(st.one_of(st.sampled_from(HOSTILE), st.binary(max_size=30)), max_size=120).map(b"".join),
    st.sampled_from([1, 7, 64, 4096]),
)
@settings(WIDE, max_examples=150)
def test_no_bytes_crash_it_and_all_are_read_as_in_memory(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, piece: int
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    c, py = folder / "c.log", folder / "py.log"
    c.write_bytes(data)
    py.write_bytes(data[len(data) // 3 :] + data[: len(data) // 3])
    wanted, found = both(c, py, piece=piece)
    assert comparable(found) == comparable(wanted)


def test_a_line_without_end_is_not_held(tmp_path: Path) -> None:
    log = tmp_path / "c.log"
    log.write_bytes(b"x" * 300_000 + b"\nTRACE_C: steps 1\n" + b"TRACE_" * 2000)
    wanted, found = both(log, log, piece=1000)
    assert comparable(found) == comparable(wanted)
    assert (found.compared, found.logs["C"].lines) == (1, 3)


def test_the_command_streams_when_it_is_asked(trace_diff: Cli, tmp_path: Path, supervisor_log: str) -> None:
    (tmp_path / "c.log").write_text(supervisor_log)
    (tmp_path / "py.log").write_text(as_py(supervisor_log).replace("F_cell 190.27", "F_cell 191.27"))
    forms = [trace_diff("compare", "c.log", "py.log", way, "--format", "json") for way in ("--stream", "--no-stream")]
    assert [done.returncode for done in forms] == [1, 1]
    assert forms[0].stdout == forms[1].stdout
    assert "comparing c.log and py.log" in forms[0].stderr


def test_without_a_compiler_the_command_compares_in_memory(
    trace_diff: Cli, tmp_path: Path, supervisor_log: str
) -> None:
    (tmp_path / "c.log").write_text(supervisor_log)
    bare = {**os.environ, "CC": "no-such-compiler", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = trace_diff("compare", "c.log", "c.log", "--stream", env=bare)
    assert done.returncode == 0
    assert "compared in memory, not streaming: there is no C compiler (no-such-compiler)" in done.stderr


def test_the_c_part_compiles_without_a_warning(tmp_path: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler")
    folder = Path(native.__file__).parent
    words = [*native._FLAGS, "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
    sources = sorted(map(str, folder.glob("*.c")))
    done = subprocess.run([compiler, *words, *sources, "-lm", "-o", tmp_path / "x.so"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@WIDE
@given(st.floats(1e-30, 1e24), st.sampled_from(["", "1", "0000000001", "9"]))
def test_numbers_between_two_doubles_are_rounded_as_python_rounds_them(x: float, further: str) -> None:
    between = (Decimal(x) + Decimal(math.nextafter(x, math.inf))) / 2
    for word in (f"{between:f}{further}", f"{between:.18e}", f"{between:.17e}"):
        assert native.parse_number(word.encode()) == float(word)


def test_a_scale_that_comes_last_is_still_the_scale(tmp_path: Path) -> None:
    c, py = logs(random.Random(5), 6)
    late = [c[0][:1], *c[1:], c[0][1:]]
    off = [[line.replace("F_latt ", "F_latt 1") for line in lines] for lines in late]
    for py_blocks in (py, [[line.replace("TRACE_C", "TRACE_PY") for line in lines] for lines in off]):
        paths = write(tmp_path / "c.log", late), write(tmp_path / "py.log", py_blocks)
        wanted, found = both(*paths, piece=100, whole_limit=-1)
        assert comparable(found, ("per_phi", "quirks")) == comparable(wanted, ("per_phi", "quirks"))
        assert "names the scale" in found.logs["C"].notes["streaming"]


def test_of_many_divergences_the_first_are_kept(tmp_path: Path) -> None:
    c, py = logs(random.Random(6), 200)
    blocks = [[line.replace(" 1", " 2").replace(" -", " ") for line in lines] for lines in py]
    paths = write(tmp_path / "c.log", c), write(tmp_path / "py.log", blocks[::-1])
    wanted, found = both(*paths, piece=1000, whole_limit=-1)
    assert comparable(found, ("per_phi", "quirks")) == comparable(wanted, ("per_phi", "quirks"))
    assert found.num_divergent > len(found.divergences) == 1000
    assert {d.scope for d in found.divergences} == {"run", "source", "step", "pixel"}


def test_few_rows_are_held_at_a_time(tmp_path: Path) -> None:
    c, py = logs(random.Random(7), 300)
    del c[100:102], py[200]  # pixels that the other log has
    sources = [
        LogSource(write(tmp_path / name, blocks), side) for side, (name, blocks) in enumerate((("c", c), ("p", py)))
    ]
    vocabulary = shipped().vocabulary
    with join(sources, vocabulary, WatchList(Contract(), vocabulary), piece=2000) as joined:
        waited = joined.most_waiting()
        rows = sum(joined.registry.lib.ts_side_of(joined.registry.context, side).contents.numbers for side in (0, 1))
    for source in sources:
        source.close()
    assert rows > 15_000
    assert waited < 1_500
