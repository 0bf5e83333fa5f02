"""Logs as people have them: what is read, what is refused, and that none of it passes for parity when it differs."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from trace_parity.compare.logs import compare_logs
from trace_parity.compare.options import Options
from trace_parity.errors import HarnessError
from trace_parity.pair.contract import Contract
from trace_parity.pair.find import shipped
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.result.compare import result_of
from trace_parity.result.result import CaseResult, Result
from trace_parity.trace import read_trace_lines
from trace_parity.trace.number import NotANumberError, parse_number, split_numbers
from trace_parity.trace.pair_of_logs import with_outer_loop

from tests.golden import SHARED, needs_shared
from tests.harness.conftest import Cli

VOCABULARY = shipped().vocabulary


def ends(
    folder: Path, c: str | bytes, py: str | bytes, vocabulary: Vocabulary = VOCABULARY, **how: object
) -> tuple[int, str, Result | None]:
    """Exit code, headline or error, and the result of two logs."""
    paths = folder / "c.log", folder / "py.log"
    for path, text in zip(paths, (c, py), strict=True):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    try:
        with compare_logs(paths, vocabulary, Contract(), Options(**how)) as found:  # type: ignore[arg-type]
            result = result_of(found, CaseResult("t", "t"))
    except HarnessError as error:
        return int(error.code), str(error), None
    return result.exit_code, result.headline, result


STEP = "[spixel=3 fpixel=4 thick_tic=0 subS=0 subF=0 source=0 phi_tic=0 mos_tic=0]"
SAME = "TRACE_{}: distance_meters 1\n"

# What each log holds behind `TRACE_C` or `TRACE_PY` (put for {}), and how the comparison ends.
DIFFERENT = {
    "a byte order mark": ("\ufeffTRACE_{}: beam_vec 1 0 0\n", "\ufeffTRACE_{}: beam_vec 1 0 0.5\n", 1),
    "a mark in the middle": (SAME + "\ufeffTRACE_{}: F_latt 1\n", SAME + "\ufeffTRACE_{}: F_latt 2\n", 1),
    "behind a progress bar": ("  37% done\rTRACE_{}: F_latt 1.25\n", "TRACE_{}: F_latt 1.75\n", 1),
    "behind tqdm": ("3% TRACE_{}: F_latt 1.25\n", " 99%|###| 1/2TRACE_{}: F_latt 1.75\n", 1),
    "behind a log level": ("INFO TRACE_{}: F_latt 1.25\n", "INFO TRACE_{}: F_latt 1.75\n", 1),
    "behind a carriage return": (SAME + "x\rTRACE_{}: F_latt 1\rTRACE_{}: steps 1\n", SAME + "TRACE_{}: F_latt 2\n", 1),
    "indented": (SAME + "  \tTRACE_{}: F_latt 1\n", SAME + "TRACE_{}: F_latt 2\n", 1),
    "in colour": (SAME + "\x1b[32mTRACE_{}: F_latt 1\x1b[0m\n", SAME + "\x1b[31mTRACE_{}: F_latt 2\x1b[0m\n", 1),
    "glued to a word": (SAME + "doneTRACE_{}: F_latt 1\n", SAME + "doneTRACE_{}: F_latt 2\n", 1),
    "two lines in one": (SAME + "TRACE_{}: F_latt 1 TRACE_{}: steps 1\n", SAME, 5),
    "half a line before": (SAME + "TRACE_{}: F_laTRACE_{}: F_latt 1\n", SAME + "TRACE_{}: F_latt 1\n", 5),
    "beyond 2^53": ("TRACE_{}: seed 9007199254740993\n", "TRACE_{}: seed 9007199254740992\n", 1),
    "beyond 2^64": (
        "TRACE_{}: hash 340282366920938463463374607431768211456\n",
        "TRACE_{}: hash 340282366920938463463374607431768211457\n",
        1,
    ),
    "counters": ("TRACE_{}: count 1000000001\n", "TRACE_{}: count 1000000002\n", 1),
    "overflow": (SAME + "TRACE_{}: x 1e400\n", SAME + "TRACE_{}: x 1e999\n", 5),
    "underflow": (SAME + "TRACE_{}: x 1e-400\n", SAME + "TRACE_{}: x 5e-400\n", 5),
    "a decimal comma": (SAME + "TRACE_{}: I_pixel_final 1,5\n", SAME + "TRACE_{}: I_pixel_final 9,5\n", 5),
    "a short vector twice": ("TRACE_{}: beam_vec 1\nTRACE_{}: beam_vec 1 0\n", "TRACE_{}: beam_vec 1 0\n", 6),
    "an alias against its variable": (
        "TRACE_{}: hkl_frac 1 2 3\nTRACE_{}: k_frac 5\n",
        "TRACE_{}: hkl_frac 1 2 3\n",
        5,
    ),
    "words": ("TRACE_{}: detector_convention MOSFLM\n", "TRACE_{}: detector_convention XDS\n", 1),
    "words as pairs": ("TRACE_{}:detector_convention=MOSFLM\n", "TRACE_{}:detector_convention=XDS\n", 1),
    "a word on one side": (SAME + "TRACE_{}: shape square\n", SAME, 6),
    "a number against a word": (SAME + "TRACE_{}: shape 1\n", SAME + "TRACE_{}: shape square\n", 1),
    "a nan on both sides": ("TRACE_{}: F_latt nan\n", "TRACE_{}: F_latt nan\n", 1),
    "not one of Windows' nans": ("TRACE_{}: F_latt 1.#QNAN\n", "TRACE_{}: F_latt -1.#IND\n", 1),
    "lists": ("TRACE_{}: beam_vec [1, 0, 0]\n", "TRACE_{}: beam_vec = (1, 0, 0.5)\n", 1),
    "tensors": ("TRACE_{}: F_latt tensor(1.25)\n", "TRACE_{}: F_latt tensor(1.75, dtype=torch.float64)\n", 1),
    "blocks": ("TRACE_{}_TAP4: h -7.9\n", "TRACE_{}_TAP4: h -7.8\n", 1),
    "blocks that are ticks": ("TRACE_{}_SOURCE2: F_cell 205\n", "TRACE_{}_SOURCE 2: F_cell 206\n", 1),
    "different pixels": ("TRACE_{}[spixel=1 fpixel=2]: steps 1\n", "TRACE_{}[spixel=1 fpixel=3]: steps 1\n", 6),
}


@pytest.mark.parametrize("name", DIFFERENT)
@pytest.mark.parametrize("lenient", [False, True])
def test_what_differs_never_passes(tmp_path: Path, name: str, lenient: bool) -> None:
    c, py, code = DIFFERENT[name]
    ended, said, _ = ends(tmp_path, c.replace("{}", "C"), py.replace("{}", "PY"), lenient=lenient)
    assert ended == code, said


ALIKE = {
    "UTF-16 of PowerShell": (lambda text: text.encode("utf-16"), ""),
    "UTF-16 without its mark": (lambda text: text.encode("utf-16-le"), ""),
    "UTF-8 with its mark": (lambda text: text.encode("utf-8-sig"), ""),
    "lines of Windows": (lambda text: text.replace("\n", "\r\n").encode(), ""),
    "gzip": (lambda text: gzip.compress(text.encode()), ""),
    "xz": (lambda text: lzma.compress(text.encode()), ""),
    "bzip2": (lambda text: bz2.compress(text.encode()), ""),
    "Open MPI": (lambda text: prefixed(text, "[1,0]<stdout>:"), "[1,0]<stdout>:"),
    "PyTorch": (lambda text: prefixed(text, "[rank0]: "), "[rank0]:"),
    "srun": (lambda text: prefixed(text, "0: "), "0:"),
    "GitHub": (lambda text: prefixed(text, "2026-07-01T10:00:00.1234567Z "), "2026-07-01T10:00:00.1234567Z"),
    "journald": (lambda text: prefixed(text, "Jul 01 10:00:00 host app[123]: "), "Jul 01 10:00:00 host app[123]:"),
    "logging": (lambda text: prefixed(text, "2026-07-01 10:00:00,123 - root - INFO - "), "root - INFO -"),
    "docker": (lambda text: prefixed(text, "worker_1  | "), "worker_1  |"),
    "indentation": (lambda text: prefixed(text, "    "), "indentation"),
}


def prefixed(text: str, prefix: str) -> bytes:
    return "".join(f"{prefix}{line}\n" for line in text.splitlines()).encode()


@pytest.mark.parametrize("name", ALIKE)
def test_a_log_may_be_saved_in_many_ways(tmp_path: Path, name: str) -> None:
    saved, prefix = ALIKE[name]
    text = f"hello\nTRACE_C: beam_vec 1 0 0\nTRACE_C{STEP}: F_latt 1.25\nTRACE_C[spixel=3 fpixel=4]: steps 10\n"
    py = text.replace("TRACE_C", "TRACE_PY")
    code, said, result = ends(tmp_path, saved(text), py)
    assert (code, said.startswith("all 5 numbers agree")) == (0, True)
    assert result is not None
    notes = result.logs["C"].notes
    assert ("3 lines behind the prefix" in notes.get("prefix", "")) == bool(prefix)
    assert prefix in notes.get("prefix", "")
    assert ends(tmp_path, saved(text), py.replace("F_latt 1.25", "F_latt 1.75"))[0] == 1


def test_zstd_is_read_where_pyarrow_is(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    text = "TRACE_C: beam_vec 1 0 0\n"
    packed = pa.compress(text.encode(), codec="zstd", asbytes=True)
    assert ends(tmp_path, packed, text.replace("TRACE_C", "TRACE_PY"))[0] == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "the file is empty"),
        (b"hello\n", "no trace line among them"),
        (b"TRACE: a = [1, 2, 3]\n", "do not name their side"),
        (b"trace_c: steps 1\n", "do not have the form TRACE_C"),
    ],
)
def test_nothing_to_compare_says_why(tmp_path: Path, text: bytes, says: str) -> None:
    code, said, _ = ends(tmp_path, text, "TRACE_PY: steps 1\n")
    assert code == 6
    assert says in said


@pytest.mark.parametrize("head", [b"\x89PNG\r\n\x1a\n\0\0\0", bytes(range(256)), b"\x89HDF\r\n\x1a\n\0"])
def test_a_binary_file_is_no_log(tmp_path: Path, head: bytes) -> None:
    code, said, _ = ends(tmp_path, head * 20, "TRACE_PY: steps 1\n")
    assert (code, "not a log" in said) == (5, True)


def test_a_compressed_log_that_was_cut_off_is_unreadable(tmp_path: Path) -> None:
    rng = random.Random(1)
    text = "".join(f"TRACE_C[spixel={i} fpixel=0]: I_pixel_final {rng.random()!r}\n" for i in range(500))
    code, said, _ = ends(tmp_path, gzip.compress(text.encode())[:-500], text.replace("TRACE_C", "TRACE_PY"))
    assert (code, "truncated" in said) == (5, True)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("at", [12, -200])
def test_a_damaged_compressed_log_is_unreadable(tmp_path: Path, pack: Callable[[bytes], bytes], at: int) -> None:
    rng = random.Random(1)
    text = "".join(f"TRACE_C[spixel={i} fpixel=0]: I_pixel_final {rng.random()!r}\n" for i in range(500))
    packed = bytearray(pack(text.encode()))
    packed[at : at + 40] = b"\xff" * 40
    assert ends(tmp_path, bytes(packed), text.replace("TRACE_C", "TRACE_PY"))[0] == 5


@pytest.mark.parametrize("line", [b"TRACE_%s: st\xe9ps 1\n", b"TRACE_%s: convention caf\xe9\n"])
def test_bytes_that_are_no_text_stay_apart(tmp_path: Path, line: bytes) -> None:
    """Two names, or texts, in an old encoding are not one because neither can be decoded."""
    c, py = line % b"C", line.replace(b"\xe9", b"\xe8") % b"PY"
    assert ends(tmp_path, c, line % b"PY")[0] == 0
    assert ends(tmp_path, c, py)[0] == (6 if b"steps" in line.replace(b"\xe9", b"e") else 1)


def test_lines_may_end_in_a_carriage_return_alone(tmp_path: Path) -> None:
    c = "TRACE_C: steps 1\rTRACE_C: seed 2\r"
    assert ends(tmp_path, c, "TRACE_PY: steps 1\nTRACE_PY: seed 2\n")[0] == 0
    assert ends(tmp_path, c, "TRACE_PY: steps 1\nTRACE_PY: seed 3\n")[0] == 1


def test_of_several_ranks_one_is_to_be_named(tmp_path: Path) -> None:
    text = "".join(f"[1,{r}]<stdout>:TRACE_C: F_latt {r + 1}\n" for r in range(4))
    code, said, _ = ends(tmp_path, text, "TRACE_PY: F_latt 3\n")
    assert (code, "4 ranks" in said, "--rank 0" in said) == (2, True, True)
    assert ends(tmp_path, text, "TRACE_PY: F_latt 3\n", rank="2")[0] == 0
    assert ends(tmp_path, text, "TRACE_PY: F_latt 3\n", rank="1")[0] == 1
    assert ends(tmp_path, text, "TRACE_PY: F_latt 3\n", rank="9")[:2][0] == 6


def test_whole_numbers_beyond_a_double_are_within_a_tolerance_or_not(tmp_path: Path) -> None:
    """Those of a quantity other than a count: the difference is never taken for none."""
    c, py = (
        f"TRACE_{side}[spixel=1 fpixel=2]: I_pixel_final 900719925474099{n}\n" for side, n in (("C", 3), ("PY", 2))
    )
    code, headline, _ = ends(tmp_path, c, py)
    assert (code, "tolerance of 2.2e-16" in headline) == (0, True)
    assert ends(tmp_path, c, py, rtol=0.0)[0] == 1


def test_a_rank_that_no_line_can_have_is_a_mistake(tmp_path: Path) -> None:
    plain = "TRACE_PY: F_latt 3\n"
    code, said, _ = ends(tmp_path, plain.replace("PY", "C"), plain, rank="0")
    assert (code, "no line of the two logs names a rank" in said) == (2, True)
    assert ends(tmp_path, "[rank0]: TRACE_C: F_latt 3\n", plain, rank="0")[0] == 0


@pytest.mark.parametrize("order", [1, -1])
def test_ranks_are_compared_rank_by_rank(tmp_path: Path, order: int) -> None:
    """By --rank-loop, or where the vocabulary has the loop; plain lines of one rank's own log may name it too."""
    lines = [
        f"[1,{r}]<stdout>:TRACE_C[spixel={p} fpixel=0]: I_pixel_final {r + p / 7!r}\n" for r in range(3) for p in (0, 1)
    ]
    c, py = "".join(lines), "".join(lines[::order]).replace("TRACE_C", "TRACE_PY")
    ranked = with_outer_loop(shipped(), "rank").vocabulary
    for rank_loop in ("rank", ""):
        assert ends(tmp_path, c, py, ranked, rank_loop=rank_loop)[0] == 0
        wrong = py.replace(repr(1 + 1 / 7), "1.5")
        code, _, result = ends(tmp_path, c, wrong, ranked, rank_loop=rank_loop)
        assert code == 1
        assert result is not None
        assert result.divergences[0].place == "rank=1 spixel=1 fpixel=0"
        assert (
            ends(tmp_path, c, "".join(lines[:-1]).replace("TRACE_C", "TRACE_PY"), ranked, rank_loop=rank_loop)[0] == 6
        )
    own = py.replace("[1,2]<stdout>:TRACE_PY[", "TRACE_PY[rank=2 ")
    assert ends(tmp_path, c, own, ranked)[0] == 0
    assert ends(tmp_path, c, py.replace("[1,0]<stdout>:TRACE_PY[", "[1,0]<stdout>:TRACE_PY[rank=2 "), ranked)[0] == 5


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1.25D+00", 1.25),
        ("-1.5d-3", -1.5e-3),
        (".14-270", 0.14e-270),
        ("1.5+100", 1.5e100),
        ("Infinity", float("inf")),
        ("-inf", float("-inf")),
        ("1.#INF", float("inf")),
        ("0x1.4p+0", 1.25),
        ("5e-324", 5e-324),
    ],
)
def test_numbers_of_other_languages(word: str, value: float) -> None:
    assert parse_number(word).value == value


@pytest.mark.parametrize("word", ["NaN", "-nan", "-nan(ind)", "1.#QNAN", "-1.#IND", "nan(0x7)"])
def test_nan_in_many_spellings(word: str) -> None:
    assert parse_number(word).value != parse_number(word).value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1, 2.5, 3]", ["1", "2.5", "3"]),
        ("(1, 2, 3)", ["1", "2", "3"]),
        ("[1 0 0; 0 1 0; 0 0 1]", "1 0 0 0 1 0 0 0 1".split()),
        ("np.float64(1.25)", ["1.25"]),
        ("tensor(1.25)", ["1.25"]),
        ("tensor([1., 2.], dtype=torch.float64)", ["1.", "2."]),
        ("tensor(1.25, device='cuda:0', grad_fn=<MulBackward0>)", ["1.25"]),
        ("array([1., 2.])", ["1.", "2."]),
        ("1,5", ["1,5"]),
        ("-nan(ind)", ["-nan"]),
    ],
)
def test_lists_and_wrappers(text: str, words: list[str]) -> None:
    assert split_numbers(text) == words


@pytest.mark.parametrize(
    ("word", "hint"),
    [("1,5", "decimal comma"), ("...", "every element"), ("****", "ES24.16E3"), ("2x", "%.17g"), ("0x10", "%.17g")],
)
def test_what_is_refused_says_how_to_print_it(word: str, hint: str) -> None:
    with pytest.raises(NotANumberError) as caught:
        parse_number(word)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("line", "rows"),
    [
        ("TRACE_C: Rx [1 0 0; 0 1 0; 0 0 1]", {"Rx": 9}),
        ("TRACE_C: angles_rad rotx:0 roty:0.5", {"angles_rad.rotx": 1, "angles_rad.roty": 1}),
        ("TRACE_C: beam_center_m X:0.1 Y:0.2", {"beam_center_m.X": 1, "beam_center_m.Y": 1}),
        ("TRACE_C: a_vec = [1, 2, 3]", {"a_vec": 3}),
        ("TRACE_C_TAP4: source 0 h -7.9 k 2", {"TAP4.h": 1, "TAP4.k": 1}),
        ("TRACE_C_SOURCE2: F_cell 205", {"F_cell": 1}),
        ("TRACE_C: === pixel 685 ===", {}),
        ("TRACE_C_TRICUBIC_GRID_START", {}),
    ],
)
def test_old_forms(line: str, rows: dict[str, int]) -> None:
    table = read_trace_lines([f"{line}\n"], "C", "log", VOCABULARY)
    assert table.unreadable == []
    found: dict[str, int] = {}
    for row in table.rows:
        name = row.variable.partition(".")[2]
        found[name] = found.get(name, 0) + 1
    assert found == rows


def test_a_complete_log_of_fewer_variables_is_one_sided(tmp_path: Path) -> None:
    c = f"TRACE_C{STEP}: F_latt 1\nTRACE_C[spixel=3 fpixel=4]: steps 1\nTRACE_C[spixel=3 fpixel=4]: I_pixel_final 1\n"
    c += "TRACE_C[spixel=3 fpixel=4]: floatimage_accumulated 1\n"
    py = f"TRACE_PY{STEP}: F_latt 1\nTRACE_PY[spixel=3 fpixel=4]: steps 1\n"
    code, said, _ = ends(tmp_path, c, py)
    assert (code, "missing in PY" in said) == (6, True)
    code, said, _ = ends(tmp_path, c, py.splitlines(keepends=True)[0])  # nothing closes the pixel
    assert (code, "ends early" in said) == (5, True)


def test_two_logs_of_one_side_are_asked_about(trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("TRACE_C: steps 1\n")
    (tmp_path / "b.log").write_text("TRACE_C: steps 1\n")
    (tmp_path / "py.log").write_text("TRACE_PY: steps 1\n")
    done = trace_diff("compare", "a.log", "b.log")
    assert (done.returncode, "--sides C,C" in done.stderr) == (2, True)
    assert trace_diff("compare", "a.log", "b.log", "--sides", "C,C").returncode == 0
    done = trace_diff("compare", "py.log", "a.log")
    assert (done.returncode, "wrong order" in done.stderr) == (2, True)
    assert trace_diff("compare", "py.log", "a.log", "--sides", "PY,C").returncode == 0
    done = trace_diff("compare", "a.log", "a.log")
    assert (done.returncode, "compared with itself" in done.stderr) == (0, True)


def test_a_tolerance_of_one_and_more_is_refused(trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "c.log").write_text("TRACE_C: F_latt 5\n")
    (tmp_path / "py.log").write_text("TRACE_PY: F_latt -5\n")
    done = trace_diff("compare", "c.log", "py.log", "--rtol", "2")
    assert (done.returncode, "--i-know" in done.stderr) == (2, True)
    assert trace_diff("compare", "c.log", "py.log", "--rtol", "2", "--i-know").returncode == 0


@needs_shared
def test_logs_of_the_field_behind_prefixes() -> None:
    paths = tuple(SHARED / "field_files" / f"prefixpart_{side}.log" for side in ("c", "py"))
    with compare_logs((paths[0], paths[1]), VOCABULARY, Contract()) as found:
        result = result_of(found, CaseResult("t", "t"))
    assert result.exit_code == 1
    assert result.first_divergence is not None
    assert (result.first_divergence.variable, result.num_divergent, result.compared) == ("F_latt", 1, 5)


@pytest.mark.parametrize("index", ["2147483648", "99999999999999999999", "9" * 5000])
@pytest.mark.parametrize("without", ["", "1"])
def test_a_loop_index_beyond_32_bits_is_unreadable(
    index: str, without: str, trace_diff: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACE_PARITY_NO_COMPILER", without)
    for side in ("C", "PY"):
        text = f"TRACE_{side}[spixel=1 fpixel={index}]: I_pixel_final 1.5\nTRACE_{side}: beam_vec 1 0 0\n"
        (tmp_path / f"{side}.log").write_text(text)
    done = trace_diff("compare", "C.log", "PY.log")
    assert done.returncode == 5
    assert "is larger than 2147483647" in done.stderr
