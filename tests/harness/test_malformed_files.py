"""A malformed case, matrix, ledger or pair file ends in one line with file, line and key, and exit code 2.

Files that the command itself writes (states, calibrations, results) end in exit code 5.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from trace_parity.bundle.bundle import load_result
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.calibration import read_calibration
from trace_parity.pair.case import parse_case
from trace_parity.pair.find import find_pair
from trace_parity.pair.matrix import load_matrix
from trace_parity.pair.quirk_ledger import load_quirks
from trace_parity.pair.toml_table import line_of
from trace_parity.probe.probes_file import find_probes
from trace_parity.result.result_json import read_result
from trace_parity.run import gate, sweep
from trace_parity.run.slurm import read_slurm

from tests.harness.conftest import Cli

HEAD = 'id = "a"\ntitle = "x"\nargv = "-N 5"\npixels = [[1, 2]]\n'
CASES = {
    "": "1: id: missing",
    "id = ": "1: not TOML",
    'title = "x"\n': "1: id: missing",
    HEAD.replace('"a"', "[1]"): "1: id: found [1]; expected a string",
    HEAD.replace('"a"', '"../a"'): "1: id: found '../a'; expected letters",
    HEAD.replace('"x"', "4"): "2: title: found 4; expected a string",
    HEAD.replace('"-N 5"', "3"): "3: argv: found 3; expected a command line",
    HEAD.replace('"-N 5"', '"a \'b"'): '3: argv: found "a \'b"; expected a command',
    HEAD.replace("[[1, 2]]", "[1, 2]"): "4: pixels: found [1, 2]; expected a list of places [slow, fast]",
    HEAD.replace("[[1, 2]]", '[[1, "b"]]'): "4: pixels: found [[1, 'b']]",
    HEAD.replace("[[1, 2]]", "[[1, 2, 3]]"): "4: pixels: found [[1, 2, 3]]",
    HEAD.replace("[[1, 2]]", "[]"): "4: pixels: found []; expected a place [slow, fast]",
    HEAD + "description = 3\n": "5: description: found 3",
    HEAD + "closinng = true\n": "5: closinng: unknown key; expected one of",
    HEAD + "files = 3\n": "5: files: found 3; expected a table",
    HEAD + "[files.x]\ncommand = 3\n": "6: files.x.command: found 3; expected a command",
    HEAD + "[files.x]\n": "5: files.x: found {}; expected either text, command or path",
    HEAD + '[files.x]\ntext = "a"\ncommand = "b"\n': "5: files.x: found {'text': 'a', 'command': 'b'}",
    HEAD + "[coverage]\nvariables = 3\n": "6: coverage.variables: found 3; expected a list of strings",
    HEAD + "[coverage]\nticks = 3\n": "6: coverage.ticks: found 3; expected a table",
    HEAD + '[coverage.ticks]\nphi_tic = "a"\n': "6: coverage.ticks.phi_tic: found 'a'; expected a whole number",
    HEAD + "expectation = 3\n": "5: expectation: found 3; expected a table",
}
ENTRY = '[[cases]]\nid = "a"\nargv = "-N 5"\npixels = [[1, 2]]\n'
MATRICES = {
    "": "1: cases: missing",
    "cases = 3\n": "1: cases: found 3; expected a list of tables",
    "cases = [3]\n": "1: cases[0]: found 3; expected a table",
    "files = 3\n" + ENTRY: "1: files: found 3; expected a table",
    ENTRY + ENTRY.replace('"a"', '"b"').replace('"-N 5"', "7"): "7: cases[1].argv: found 7; expected a string",
    ENTRY + ENTRY: "6: cases[1].id: found 'a'; expected an id that no other case",
    ENTRY.replace("-N 5", "{bass}") + '[defaults]\nbase = "x"\n': "did you mean 'base'?",
    ENTRY + 'tittle = "x"\n': "5: cases[0].tittle: unknown key; expected one of",
    '[[cases]]\ncase = "superviser"\n': "2: cases[0].case: found 'superviser'; expected one of supervisor (hint",
}
LEDGERS = {
    "": "1: quirks: missing; expected one [[quirks]] table per quirk",
    "quirks = [3]\n": "1: quirks[0]: found 3; expected a table",
    "quirks = 3\n": "1: quirks: found 3; expected a list of tables",
    '[[quirks]]\nid = "a"\n': "1: quirks[0].kind: missing",
    "[[quirks]]\nidd = 3\n": "1: quirks[0].id: missing; expected words (hint: did you mean 'idd'?)",
}


def refusal(error: pytest.ExceptionInfo[HarnessError]) -> str:
    assert error.value.code == Exit.USAGE
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("text", CASES)
def test_a_case(text: str) -> None:
    with pytest.raises(HarnessError) as error:
        parse_case(text, "case.toml", find_pair("nanobragg"))
    assert f"case.toml:{CASES[text]}" in refusal(error)


@pytest.mark.parametrize("text", MATRICES)
def test_a_matrix(text: str, tmp_path: Path) -> None:
    (tmp_path / "matrix.toml").write_text(text)
    with pytest.raises(HarnessError) as error:
        load_matrix(tmp_path / "matrix.toml", find_pair("nanobragg"))
    assert MATRICES[text] in refusal(error)


@pytest.mark.parametrize("text", LEDGERS)
def test_a_ledger(text: str, tmp_path: Path) -> None:
    (tmp_path / "quirks.toml").write_text(text)
    with pytest.raises(HarnessError) as error:
        load_quirks(tmp_path / "quirks.toml")
    assert LEDGERS[text] in refusal(error)


def test_a_binary_file(trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(bytes(range(256)) * 200)
    for words in (["gate", "--matrix", "binary.toml"], ["run", "binary.toml"]):
        done = trace_diff(*words)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert len(done.stderr) < 200


def test_the_line_of_a_key() -> None:
    text = 'a = 1\n[[cases]]\nid = "x"\n[[cases]]\nargv = 3\n[files."s.hkl"]\ncommand = 4\n'
    assert [line_of(text, key) for key in ("a", "cases[0].id", "cases[1].argv", "cases[1].none", "b")] == [
        1,
        3,
        5,
        4,
        1,
    ]
    assert line_of(text, "files.s.hkl.command") == 7


TOML_READERS: dict[str, Callable[[Path], object]] = {
    "case": lambda path: parse_case(path.read_text(), "case.toml", find_pair("nanobragg")),
    "matrix": lambda path: load_matrix(path, find_pair("nanobragg")),
    "ledger": load_quirks,
    "grammar": lambda path: find_pair("nanobragg").sweep(path),
    "slurm": read_slurm,
    "probes": lambda path: find_probes(None, path),
}
EXTREME = {"nested": "x = " + "[" * 20_000, "digits": f"x = {'9' * 5000}", "open": 'x = "', "cut": "[a\nx = 1"}


@pytest.mark.parametrize("text", EXTREME)
@pytest.mark.parametrize("kind", TOML_READERS)
def test_a_text_that_breaks_the_parser(kind: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "file.toml").write_text(EXTREME[text])
    with pytest.raises(HarnessError) as error:
        TOML_READERS[kind](tmp_path / "file.toml")
    assert "not TOML: " in refusal(error)


STATE_HEAD = '{"key": "k"}\n'
OWN_FILES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "tries": (sweep.STATE, lambda folder: sweep._read(folder / sweep.STATE, "k")),
    "gate": ("gate.state.json", lambda folder: gate._resumed(folder, {})),
    "calibration": ("c.json", lambda folder: read_calibration(folder / "c.json")),
    "result": ("result.json", lambda folder: read_result(folder / "result.json")),
    "bundle": ("result.json", load_result),
}
DAMAGE = {
    "a number": b"5\n",
    "another list": b"[1]\n",
    "cut": b'{"line": "a", "ki\n',
    "nested": b"[" * 100_000 + b"\n",
    "no text": b"\xd0\xff\x00\n",
    "unknown fields": b'{"line": "a", "' + b"x" * 5000 + b'": 1, "places": []}\n',
}


@pytest.mark.parametrize("damage", [*DAMAGE, "a folder", "a FIFO"])
@pytest.mark.parametrize("kind", OWN_FILES)
def test_a_damaged_file_of_its_own(kind: str, damage: str, tmp_path: Path) -> None:
    name, read = OWN_FILES[kind]
    if kind == "gate":
        name = gate._state(tmp_path).name
    if damage == "a folder":
        (tmp_path / name).mkdir()
    elif damage == "a FIFO":
        os.mkfifo(tmp_path / name)
    else:
        (tmp_path / name).write_bytes((STATE_HEAD.encode() if kind == "tries" else b"") + DAMAGE[damage])
    with pytest.raises(HarnessError) as error:
        read(tmp_path)
    assert error.value.code == Exit.UNREADABLE
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500
