"""What a shell completes: commands, options, and the names of the pair at hand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ZshComplete
from trace_parity.cli.main import COMPLETING
from trace_parity.cli.main import trace_diff as trace_diff_command
from trace_parity.pair.find import shipped
from trace_parity.render import FORMATS

from tests.golden import ROOT
from tests.harness.conftest import Cli


def offered(*words: str) -> list[str]:
    """The names for the last word, without the item of type file or dir."""
    return [item.value for item in items(*words) if item.type == "plain"]


def items(*words: str) -> list[CompletionItem[str]]:
    *args, incomplete = words
    return BashComplete(trace_diff_command, {}, "trace-diff", COMPLETING).get_completions(args, incomplete)


@pytest.fixture(autouse=True)
def _outside_of_a_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_cases() -> None:
    names = [case.id for case in shipped().cases()]
    matrix = [case.id for case in shipped().matrix().cases]
    for words in (("run", ""), ("cases", "show", ""), ("compare", "a", "b", "--case", ""), ("calibrate", "")):
        assert set(offered(*words)) == {*names, *matrix}, words
    assert offered("gate", "--only", "") == matrix
    assert offered("gate", "--only", "phi_s") == [name for name in matrix if name.startswith("phi_s")] != []


def test_a_case_can_be_a_file_and_a_pasted_command_line_names_files() -> None:
    kinds = [item.type for item in items("run", "s")]
    assert kinds[0] == "file"
    assert set(kinds[1:]) == {"plain"}
    assert [item.type for item in items("run", "--", "-mat", "s")] == ["file"]


def test_cases_of_another_matrix(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('[[cases]]\ncase = "supervisor"\n')
    assert offered("gate", "--matrix", "own.toml", "--only", "") == ["supervisor"]


@pytest.mark.parametrize("words", [("explain",), ("inject", "BUNDLE")])
def test_variables(words: tuple[str, ...]) -> None:
    vocabulary = shipped().vocabulary
    assert set(offered(*words, "")) == {v.name for v in vocabulary.variables}
    assert offered(*words, "F_lat") == ["F_latt_a", "F_latt_b", "F_latt_c", "F_latt"]
    assert offered(*words, "step.F_latt_") == ["step.F_latt_a", "step.F_latt_b", "step.F_latt_c"]


def test_older_names_where_no_other_begins_so() -> None:
    vocabulary = shipped().vocabulary
    alias = next(a for a in vocabulary.aliases if not any(v.name.startswith(a) for v in vocabulary.variables))
    assert alias in offered("explain", alias)


def test_a_repeatable_word_is_offered_once() -> None:
    quirks = [quirk.id for quirk in shipped().quirks]
    assert offered("run", "--waive", "") == offered("gate", "--waive", "") == offered("judge", "--waive", "") == quirks
    assert offered("run", "--waive", quirks[0], "--waive", "") == quirks[1:]
    assert "rot_a_angstroms" not in offered("inject", "BUNDLE", "rot_a_angstroms", "rot_a")


def test_loops_variants_exports_forms() -> None:
    vocabulary = shipped().vocabulary
    assert "phi_tic" in offered("table", "p")
    assert set(offered("table", "")) < set(vocabulary.loops)
    assert offered("run", "--against", "") == offered("gate", "--against", "") == ["fixed", "unfixed"]
    assert offered("export", "") == list(shipped().exports)
    assert offered("compare", "--format", "") == list(FORMATS)


def test_pairs_by_folder_and_by_name() -> None:
    for command in ("run", "explain", "gate"):
        assert [(i.type, i.value) for i in items(command, "--pair", "")] == [("dir", ""), ("plain", "nanobragg")]
    assert offered("report", "index", "--pair", "nano") == ["nanobragg"]


def test_the_names_are_those_of_the_pair_that_is_asked_for() -> None:
    pairs = ROOT / "examples" / "pairs"
    for folder in sorted(path.parent for path in pairs.glob("*/pair.toml")):
        found = offered("explain", "--pair", str(folder), "")
        assert found
        assert "F_latt" not in found
        os.chdir(folder)
        assert offered("explain", "") == found
        os.chdir(pairs)
    assert offered("explain", "--pair", "nosuchpair", "") == []


def test_functions_of_replay(tmp_path: Path) -> None:
    assert offered("replay", "") == []
    folder = tmp_path / "probed"
    folder.mkdir()
    tables = "".join(f'[replay.{name}]\ncall = "m:f"\ninputs = {{}}\noutputs = ["a"]\n' for name in ("force", "energy"))
    (folder / "probes.toml").write_text('loops = ["i"]\n' + tables)
    assert offered("replay", "--pair", str(folder), "") == ["force", "energy"]
    os.chdir(folder)
    assert offered("replay", "f") == ["force"]


def everything() -> Iterator[list[str]]:
    """The words of each command, and of each of its options that takes a value."""
    waiting: list[tuple[list[str], click.Command]] = [([], trace_diff_command)]
    for words, command in waiting:
        yield words
        context = click.Context(command)
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.is_flag:
                yield [*words, parameter.opts[0]]
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None
                waiting.append(([*words, name], found))


@pytest.mark.parametrize(
    "text",
    ["", "vocabulary = [", 'vocabulary = "none.toml"\ncases = 3\nmatrix = 7\n', "title = 1\n[programs.C]\ntrace = 1\n"],
)
def test_nothing_fails_or_is_printed_in_a_broken_pair(
    text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pair.toml").write_text(text)
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "a.toml").write_text("id = ")
    count = 0
    for words in everything():
        for incomplete in ("", "a", "-", "--wai", "\x00", "--pair=."):
            items(*words, incomplete)
            count += 1
    assert count > 500
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("shell", [BashComplete, ZshComplete, FishComplete])
def test_every_shell_gets_one_line_or_record_for_each_name(
    shell: type[BashComplete | ZshComplete | FishComplete], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMP_WORDS", "trace-diff run --waive ")
    monkeypatch.setenv("COMP_CWORD", "" if shell is FishComplete else "3")
    text = shell(trace_diff_command, {}, "trace-diff", COMPLETING).complete()
    lines = 3 if shell is ZshComplete else 1
    assert len(text.splitlines()) == lines * len(shipped().quirks)


def process(words: str, place: int, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COMP_WORDS": words, "COMP_CWORD": str(place), COMPLETING: "bash_complete"}
    command = [sys.executable, "-m", "trace_parity"]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def test_a_process_of_its_own_answers_and_never_fails(tmp_path: Path) -> None:
    assert process("trace-diff run --m", 2, tmp_path).stdout.splitlines() == ["plain,--mat"]
    (tmp_path / "pair.toml").write_text("[")
    for words in ("trace-diff run", 'trace-diff "', "trace-diff nosuch -x"):
        done = process(words, 9, tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), words


def test_bash_itself_completes_with_the_script(trace_diff: Cli, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    (tmp_path / "script").write_text(trace_diff("completion", "bash").stdout)
    (tmp_path / "trace-diff").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m trace_parity "$@"\n')
    (tmp_path / "trace-diff").chmod(0o755)
    text = (
        "source ./script; COMP_WORDS=(trace-diff explain F_latt_); COMP_CWORD=2; "
        '_trace_diff_completion ./trace-diff; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run([bash, "-c", text], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["F_latt_a", "F_latt_b", "F_latt_c"], done.stderr
