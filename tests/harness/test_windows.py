"""Logs read window by window give what the same logs give in memory, whatever is done to them."""

from __future__ import annotations

import dataclasses
import math
import os
import random
import shutil
import struct
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from trace_parity.compare.align import align
from trace_parity.compare.comparison import Comparison
from trace_parity.compare.options import Options
from trace_parity.compare.windows import Windows, read_abreast
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.contract import Contract
from trace_parity.pair.find import shipped
from trace_parity.pair.tolerances import global_rtol, parse_rules, with_rules
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.result.compare import compare
from trace_parity.result.result import Result
from trace_parity.trace import native, read_trace
from trace_parity.trace.interpreted import Interpreted
from trace_parity.trace.log_file import LogFile
from trace_parity.trace.log_source import LogSource
from trace_parity.trace.names import Names, known_slots
from trace_parity.trace.number import NotANumberError, parse_number
from trace_parity.trace.scanner import Scanner

from tests.harness.conftest import Cli, as_py
from tests.harness.log_pairs import CASE, compare_files
from tests.harness.random_logs import CONTRACT, Lines, lacking_the_same, logs, mutate, text_of


def in_memory(
    paths: tuple[Path, Path], vocabulary: Vocabulary, contract: Contract, rtol: float | None, whole: bool = True
) -> Result:
    """`whole`: look at all of it closely, else as at large logs."""
    c, py = (read_trace(path, s, vocabulary, lenient=True) for path, s in zip(paths, ("C", "PY"), strict=True))
    return compare(
        align(c, py, vocabulary),
        CASE,
        contract,
        pair=shipped(),
        options=Options(rtol=rtol, whole_numbers=10**9 if whole else -1),
    )


def comparable(result: Result, ignore: tuple[str, ...] = ()) -> Any:
    """The whole result, in a form in which NaN equals NaN, without the notes on streaming."""
    if "per_tick" in ignore:  # where that table is left out, so is what it is of
        ignore = (*ignore, *(f.name for f in dataclasses.fields(result) if f.name.startswith("tick_")))
    kept = {f.name: getattr(result, f.name) for f in dataclasses.fields(result) if f.name not in ignore}
    if "logs" in kept:
        kept["logs"] = {
            side: dataclasses.replace(log, notes={k: v for k, v in log.notes.items() if k != "comparison"})
            for side, log in result.logs.items()
        }
    return {name: repr(value) for name, value in kept.items()}


@pytest.fixture(autouse=True)
def no_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blame is made by the comparison in memory in either case, and takes its time."""
    monkeypatch.setattr("trace_parity.result.compare._blame", lambda *_: None)


WIDE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@given(
    seed=st.integers(0, 2**32),
    mutations=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    piece=st.sampled_from([40, 200, 1000, 1 << 20]),
    contract=st.sampled_from([Contract(), CONTRACT]),
    rtol=st.sampled_from([None, 1e-9, 0.0]),
    whole=st.booleans(),
)
@example(seed=43833119, mutations=(4, 2), piece=40, contract=CONTRACT, rtol=None, whole=False)
@example(seed=0, mutations=(3, 3), piece=40, contract=CONTRACT, rtol=None, whole=False)
@settings(WIDE, max_examples=200)
def test_streaming_finds_what_the_comparison_in_memory_finds(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    mutations: tuple[int, int],
    piece: int,
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
    options: dict[str, Any] = {"rtol": rtol, "lenient": True, "piece": piece}
    found = compare_files(*paths, vocabulary, contract, pair=shipped(), **options, whole_numbers=10**9 if whole else -1)
    ignore = () if whole else ("per_tick", "quirks", "blame")
    for name, value in comparable(found, ignore).items():
        if name == "headline":  # of files it says why nothing was compared
            assert value.partition(", none in both")[0] == wanted[name].partition(", none in both")[0]
        else:
            assert value == wanted[name], name


def both(c: Path, py: Path, **options: Any) -> tuple[Result, Result]:
    """The comparison in memory and the streaming one."""
    vocabulary = shipped().vocabulary
    wanted = in_memory((c, py), vocabulary, Contract(), None, options.get("whole_numbers") != -1)
    return wanted, compare_files(c, py, vocabulary, pair=shipped(), lenient=True, **options)


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
        assert comparable(found, ("per_tick",)) == comparable(wanted, ("per_tick",))
    assert "other side" in found.logs["PY"].notes["side"]


@pytest.mark.parametrize("words", ["F_latt:1e-3", "hkl_frac:ulp=8", "rot_*:abs=1e-3 1e-9", "polar:ulp=2 1e-12"])
def test_tolerances_asked_for_by_name_hold(tmp_path: Path, words: str) -> None:
    c, py = logs(random.Random(8), 6)
    paths = write(tmp_path / "c.log", c), write(tmp_path / "py.log", py)
    rules = parse_rules([words])
    vocabulary, rtol = with_rules(shipped().vocabulary, rules), global_rtol(rules)
    wanted = in_memory(paths, vocabulary, Contract(), rtol, whole=False)
    found = compare_files(*paths, vocabulary, pair=shipped(), rtol=rtol, whole_numbers=-1)
    assert comparable(found, ("per_tick", "quirks")) == comparable(wanted, ("per_tick", "quirks"))


def test_what_does_not_fit_the_usual_order_is_said(tmp_path: Path) -> None:
    c, py = logs(random.Random(2), 6)
    again = [*py, py[1][-1:], py[2][-1:]]
    paths = write(tmp_path / "c.log", c), write(tmp_path / "py.log", again)
    wanted, found = both(*paths, piece=100, whole_numbers=-1)
    assert comparable(found, ("per_tick",)) == comparable(wanted, ("per_tick",))
    assert "returns to places" in found.logs["C"].notes["comparison"]
    plain = both(paths[0], write(tmp_path / "py2.log", py), piece=100, whole_numbers=-1)[1]
    assert "every row" not in plain.logs["C"].notes["comparison"]


def test_the_pixels_of_a_divergence_show_its_quirk(tmp_path: Path, leaky_log: str, supervisor_log: str) -> None:
    rng = random.Random(3)
    around, _ = logs(rng, 9)
    paths = []
    for name, log in (("c.log", leaky_log), ("py.log", supervisor_log)):
        lines = [*around[:4], log.splitlines(), *around[4:]]
        paths.append(write(tmp_path / name, lines))
    wanted, found = both(*paths, whole_numbers=-1)
    assert comparable(found, ("per_tick",)) == comparable(wanted, ("per_tick",))
    assert [q.id for q in found.quirks] == ["phi-carryover"]
    assert len(found.per_tick) == 10


def test_an_unreadable_line_is_refused_as_in_memory(tmp_path: Path) -> None:
    c, py = logs(random.Random(4), 2)
    paths = write(tmp_path / "c.log", c), write(tmp_path / "py.log", [*py, ["TRACE_PY: steps ten", "TRACE_PY: x"]])
    said = []
    for compared in (
        lambda: read_trace(paths[1], "PY", shipped().vocabulary),
        lambda: compare_files(*paths, shipped().vocabulary),
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
        if got is None:  # left to the reader: a long whole number, or one that no double holds
            assert word.lstrip("-").isdigit() or not math.isfinite(float(word)) or float(word) == 0.0, word
            continue
        assert struct.pack("d", got) == struct.pack("d", float(word)) or (math.isnan(got) and math.isnan(x)), word


@WIDE
@given(st.from_regex(r"[-+]?(\d{0,30}\.?\d{0,30})([eE][-+]?\d{0,4})?|[-+]?(nan|inf|x)", fullmatch=True))
def test_words_are_numbers_where_the_reader_takes_them_for_numbers(word: str) -> None:
    if not word.isascii():
        return
    got = native.parse_number(word.encode())
    try:
        wanted = parse_number(word)
    except NotANumberError:
        wanted = None
    if got is None:  # left to the reader: no number, or one that needs a second look
        assert wanted is None or wanted.whole is not None or word.lower().strip("+-") in {"nan", "inf"}
        return
    assert wanted is not None
    assert got == wanted.value or math.isnan(got)


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
    try:
        wanted, found = both(c, py, piece=piece)
    except HarnessError as error:
        if error.code != Exit.UNREADABLE:  # binary data, or what claims to be compressed
            raise
        return
    assert comparable(found, ("headline",)) == comparable(wanted, ("headline",))


def test_a_line_without_end_is_not_held(tmp_path: Path) -> None:
    log = tmp_path / "c.log"
    log.write_bytes(b"x" * 300_000 + b"\nTRACE_C: steps 1\n" + b"TRACE_" * 2000)
    wanted, found = both(log, log, piece=1000)
    assert comparable(found) == comparable(wanted)
    assert (found.compared, found.logs["C"].lines) == (1, 3)


def test_stream_is_taken_with_a_notice(trace_diff: Cli, tmp_path: Path, supervisor_log: str) -> None:
    (tmp_path / "c.log").write_text(supervisor_log)
    (tmp_path / "py.log").write_text(as_py(supervisor_log).replace("F_cell 190.27", "F_cell 191.27"))
    words, env = ("compare", "c.log", "py.log", "--format", "json"), dict(os.environ)
    forms = [trace_diff(*words, *way, env=env) for way in (["--stream"], [])]
    assert [done.returncode for done in forms] == [1, 1]
    assert forms[0].stdout == forms[1].stdout
    assert "have no effect any more" in forms[0].stderr
    assert "have no effect any more" not in forms[1].stderr


def test_without_a_compiler_the_same_is_found(trace_diff: Cli, tmp_path: Path, supervisor_log: str) -> None:
    (tmp_path / "c.log").write_text(supervisor_log)
    (tmp_path / "py.log").write_text(as_py(supervisor_log).replace("F_cell 190.27", "F_cell 191.27"))
    bare = {**os.environ, "CC": "no-such-compiler", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    with_it, without = (
        trace_diff("compare", "c.log", "py.log", "--format", "json", env=env) for env in (dict(os.environ), bare)
    )
    assert with_it.stdout == without.stdout
    assert (with_it.returncode, without.returncode) == (1, 1)


@given(seed=st.integers(0, 2**32), piece=st.sampled_from([60, 1000, 1 << 20]))
@settings(WIDE, max_examples=60)
def test_both_scanners_find_the_same(tmp_path_factory: pytest.TempPathFactory, seed: int, piece: int) -> None:
    rng = random.Random(seed)
    path = tmp_path_factory.mktemp("logs") / "c.log"
    blocks = logs(rng, 3)[0]
    for _ in range(4):
        blocks = mutate(blocks, rng, "TRACE_C")
    path.write_bytes(text_of(blocks, rng))
    assert scanned(path, piece, compiled=True) == scanned(path, piece, compiled=False)


def scanned(path: Path, piece: int, *, compiled: bool) -> Any:
    """Every number of a log with its place, and what else the log holds."""
    log, names = LogFile(path), Names(shipped().vocabulary)
    scanner = Scanner(log, "C", names)
    if not compiled:
        scanner._scan.close()
        scanner._scan = Interpreted(names, "C", False)
        scanner._scan.learn(known_slots(names.vocabulary))
    found = []
    while not scanner.ended:
        rows = scanner.read(piece)
        for i in range(len(rows)):
            values = rows.values[rows.start[i] : rows.start[i] + rows.count[i]]
            variable = names.variables[rows.variable[i]].id
            at = (int(rows.line[i]), int(rows.offset[i]), int(rows.pos[i]), int(rows.flags[i]), int(rows.first[i]))
            found.append((at, variable, tuple(rows.keys[i].tolist()), values.tobytes(), repr(rows.exact)))
    scanner.finish()
    scanner.close()
    log.close()
    t = scanner.table
    return sorted(f[:4] for f in found), t.lines, t.trace_lines, t.aliased, t.unterminated, list(map(str, t.unreadable))


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
        assert native.parse_number(word.encode()) == float(word) or word.isdigit()


def test_a_scale_that_comes_last_is_still_the_scale(tmp_path: Path) -> None:
    c, py = logs(random.Random(5), 6)
    late = [c[0][:1], *c[1:], c[0][1:]]
    off = [[line.replace("F_latt ", "F_latt 1") for line in lines] for lines in late]
    for py_blocks in (py, [[line.replace("TRACE_C", "TRACE_PY") for line in lines] for lines in off]):
        paths = write(tmp_path / "c.log", late), write(tmp_path / "py.log", py_blocks)
        wanted, found = both(*paths, piece=100, whole_numbers=-1)
        assert comparable(found, ("per_tick", "quirks")) == comparable(wanted, ("per_tick", "quirks"))
        assert "prints the scale" in found.logs["C"].notes["comparison"]


def test_of_many_divergences_the_first_are_kept(tmp_path: Path) -> None:
    c, py = logs(random.Random(6), 200)
    blocks = [[line.replace(" 1", " 2").replace(" -", " ") for line in lines] for lines in py]
    paths = write(tmp_path / "c.log", c), write(tmp_path / "py.log", blocks[::-1])
    wanted, found = both(*paths, piece=1000, whole_numbers=-1)
    assert comparable(found, ("per_tick", "quirks")) == comparable(wanted, ("per_tick", "quirks"))
    assert found.num_divergent > len(found.divergences) == 1000
    assert {d.scope for d in found.divergences} == {"run", "source", "step", "pixel"}


def test_few_rows_are_held_at_a_time(tmp_path: Path) -> None:
    c, py = logs(random.Random(7), 300)
    del c[100:102], py[200]  # pixels that the other log has
    paths = [write(tmp_path / name, blocks) for name, blocks in (("c.log", c), ("py.log", py))]
    vocabulary = shipped().vocabulary
    names = Names(vocabulary)
    sources = [LogSource(p, s, s, vocabulary) for p, s in zip(paths, ("C", "PY"), strict=True)]
    for source in sources:
        source.begin(names)
    windows = Windows(Comparison(names), 2)
    read_abreast(sources, windows, piece=2000)
    windows.finish()
    for source in sources:
        source.close()
    assert sum(side.numbers for side in windows.comparison.sides) > 15_000
    assert windows.most_waiting < 1_500
