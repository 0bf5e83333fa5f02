"""A pair as a folder: what five lines of pair.toml give, how it is found, and that every mistake in it is one line."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest
from trace_parity.blame.of_pair import domain_of_pair
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.find import find_pair, nearest_folder, shipped
from trace_parity.pair.programs import PLACEHOLDERS, Program

from tests.golden import ROOT
from tests.harness.conftest import Cli

FIVE_LINES = """title = "two scripts"
[programs.C]
trace = "sh c.sh {args}"
[programs.PY]
trace = "sh py.sh {args}"
"""
PRINTS = 'echo TRACE_{side}: steps {steps}; echo TRACE_{side}: energy {energy}; echo args "$@"\n'


def write_pair(folder: Path, toml: str = FIVE_LINES, py_energy: str = "2.5") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "pair.toml").write_text(toml)
    (folder / "c.sh").write_text(PRINTS.format(side="C", steps=10, energy="2.5"))
    (folder / "py.sh").write_text(PRINTS.format(side="PY", steps=10, energy=py_energy))
    return folder


def test_five_lines_and_two_shell_scripts(trace_diff: Cli, tmp_path: Path) -> None:
    pair = write_pair(tmp_path / "mine")
    done = trace_diff("run", "--pair", pair)
    assert done.returncode == 0, done.stderr
    assert "all 2 numbers agree" in done.stdout
    inside = trace_diff("run", "--", "-n", "5", cwd=pair)  # without --pair, from inside the folder
    assert inside.returncode == 0, inside.stderr
    bundle = pair / inside.stderr.strip().splitlines()[-1].removeprefix("bundle: ")
    assert "args -n 5" in (bundle / "traces" / "py.log").read_text()
    assert trace_diff("bundle", "verify", bundle).returncode == 0


def test_a_divergence_of_two_shell_scripts(trace_diff: Cli, tmp_path: Path) -> None:
    done = trace_diff("run", "--pair", write_pair(tmp_path / "mine", py_energy="2.6"))
    assert done.returncode == 1, done.stderr
    assert "energy" in done.stdout


def test_a_trace_on_standard_error(trace_diff: Cli, tmp_path: Path) -> None:
    toml = FIVE_LINES.replace('"sh py.sh {args}"', '["sh", "-c", "sh py.sh >&2"]\ntrace_from = "stderr"')
    done = trace_diff("run", "--pair", write_pair(tmp_path / "mine", toml))
    assert done.returncode == 0, done.stderr


def read_all(name: str) -> None:
    pair = find_pair(name)
    assert pair.vocabulary.focus == pair.focus
    assert set(pair.programs.sides) == {"C", "PY"}
    assert all(option.flag for option in pair.options.values())


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        (FIVE_LINES.replace("title", "titel"), "titel: unknown key; expected one of .*did you mean 'title'"),
        (FIVE_LINES.replace('"two scripts"', "3"), "title: found 3; expected a string"),
        (FIVE_LINES.replace("programs.PY", "programs.Py"), "programs: found 'Py'; expected C and PY .*'PY'"),
        (FIVE_LINES.replace('[programs.PY]\ntrace = "sh py.sh {args}"\n', ""), r"programs\.PY: missing"),
        (FIVE_LINES.replace('trace = "sh py', 'tarce = "sh py'), r"programs\.PY\.trace: missing.*'tarce'"),
        (
            FIVE_LINES.replace("py.sh {args}", "py.sh {arg}"),
            r"PY\.trace: found '\{arg\}'.*did you mean 'args'",
        ),
        (FIVE_LINES + "trace_from = 'stdin'\n", r"trace_from: found 'stdin'; expected one of file, stdout, stderr"),
        (FIVE_LINES + "trace_from = 'file'\n", r"\{trace\} in the command"),
        (FIVE_LINES + "buidl = 'make'\n", r"programs\.PY\.buidl: unknown key.*'build'"),
        (FIVE_LINES + "env = { A = 1 }\n", r"programs\.PY\.env\.A: found 1; expected a string"),
        (FIVE_LINES + "render = 'sh py.sh'\n", r"\{image\} in the command"),
        (FIVE_LINES + "source = 'src'\n", r"source: found 'src'; expected a folder"),
        (FIVE_LINES + "cwd = 'none'\n", r"cwd: found 'none'; expected a folder"),
        ("vocabulary = 'vocabluary.toml'\n" + FIVE_LINES, "vocabulary: found 'vocabluary.toml'; expected a file"),
        ("focus = 'i'\n" + FIVE_LINES, "focus: found 'i'; expected a list of strings"),
        (
            "focus = ['i']\nfocus_names = ['a', 'b']\n" + FIVE_LINES,
            "focus_names: .*expected one name for each loop of focus: 1",
        ),
        ("extends = 'nanobrag'\n" + FIVE_LINES, "no pair 'nanobrag'; expected .*did you mean 'nanobragg'"),
        (FIVE_LINES + "[arguments]\nfocus = ['-at', '{i}']\n", r"arguments\.focus: found '\{i\}'"),
        (FIVE_LINES + "[image]\nsize = '('\n", r"image\.size: found '\('; expected a regular expression"),
        (
            FIVE_LINES.replace("{args}", '{args}"\nrender = "cp a {image}'),
            r"image\.size: not given, though both programs have `render`",
        ),
        (FIVE_LINES + "[options.seed]\nhelp = 'x'\n", r"options\.seed\.flag: missing"),
        ("title = ", "not TOML"),
    ],
)
def test_a_mistake_is_one_line(toml: str, says: str, trace_diff: Cli, tmp_path: Path) -> None:
    folder = write_pair(tmp_path / "mine", toml)
    with pytest.raises(HarnessError, match=says) as caught:
        read_all(str(folder))
    assert caught.value.code == Exit.USAGE
    assert "pair.toml" in str(caught.value) or "--pair" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mistake_ends_the_command_with_2(trace_diff: Cli, tmp_path: Path) -> None:
    folder = write_pair(tmp_path / "mine", FIVE_LINES.replace('trace = "sh py', 'tarce = "sh py'))
    done = trace_diff("run", "--pair", folder)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_file_or_a_case_that_is_not_there_is_named_where_it_is_written(trace_diff: Cli, tmp_path: Path) -> None:
    folder = write_pair(tmp_path / "mine", "equations = 'none.py:DOMAIN'\n" + FIVE_LINES)
    done = trace_diff("pair", "check", folder)
    assert (done.returncode, "pair.toml: equations: found 'none.py:DOMAIN'" in done.stderr) == (2, True)
    (folder / "pair.toml").write_text(FIVE_LINES)
    (folder / "matrix.toml").write_text("[[cases]]\ncase = 'smal'\n")
    done = trace_diff("pair", "check", folder)
    assert (done.returncode, "matrix.toml:2: cases[0].case: found 'smal'" in done.stderr) == (2, True)


def test_a_misspelt_variant_in_an_expectation_is_refused(trace_diff: Cli, tmp_path: Path) -> None:
    folder = write_pair(tmp_path / "mine", FIVE_LINES + "against = { fixed = ['-fix'], unfixed = [] }\n")
    (folder / "cases").mkdir()
    case = 'id = "a"\ntitle = "a"\nargv = "-x"\n[expectation]\n{} = "parity"\n'
    (folder / "cases" / "a.toml").write_text(case.format("fixed"))
    assert trace_diff("pair", "check", folder).returncode == 0
    (folder / "cases" / "a.toml").write_text(case.format("fixd"))
    done = trace_diff("pair", "check", folder)
    assert done.returncode == 2
    assert "a.toml:4: expectation: no variant 'fixd'; expected one of fixed, unfixed (hint: did you mean" in done.stderr


def test_the_nearest_pair_upwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outer = write_pair(tmp_path / "outer")
    inner = write_pair(outer / "inner")
    (inner / "logs").mkdir()
    assert find_pair(start=inner / "logs").folder == inner.resolve()
    assert find_pair(start=outer).folder == outer.resolve()
    assert find_pair(start=tmp_path).folder == shipped().folder
    monkeypatch.setattr("trace_parity.pair.find._is_own", lambda path: inner.resolve() not in (path, path.parent))
    assert nearest_folder(inner) == outer.resolve()  # another user's folder is passed over


def test_an_option_that_no_command_passes_on_is_refused(trace_diff: Cli, tmp_path: Path) -> None:
    folder = write_pair(tmp_path / "mine")
    done = trace_diff("run", "--pair", folder, "--device", "cuda")
    assert done.returncode == 2
    assert "neither program takes --device" in done.stderr
    write_pair(folder, FIVE_LINES + 'options = { device = ["--device", "{value}"] }\n')
    done = trace_diff("run", "--pair", folder, "--device", "cuda")
    assert done.returncode == 2
    assert "--device would be dropped; expected {options} in the command" in done.stderr
    done = trace_diff("run", "--pair", folder, "--against", "fixed")
    assert done.returncode == 2
    assert "no variant 'fixed'" in done.stderr


def test_an_option_of_the_pair(trace_diff: Cli, tmp_path: Path) -> None:
    toml = FIVE_LINES + '[options.seed]\nflag = "-seed"\nhelp = "Seed of the start."\n'
    folder = write_pair(tmp_path / "mine", toml)
    assert "Seed of the start." in trace_diff("run", "--pair", folder, "--help").stdout
    done = trace_diff("run", "--pair", folder, "--seed", "7")
    assert done.returncode == 0, done.stderr
    assert "-seed 7" in Path(tmp_path, done.stderr.strip().splitlines()[-1][8:], "commands.txt").read_text()
    assert trace_diff("run", "--seed", "7").returncode == 2  # the shipped pair has no such option


MATRIX = '[[cases]]\nid = "one"\nargv = "-n 1"\n[[cases]]\nid = "two"\nargv = "-n 2"\n'


@pytest.mark.parametrize("changed", ["py.sh", "port.txt", "vocabulary"])
def test_a_gate_is_not_resumed_when_the_pair_has_changed(changed: str, trace_diff: Cli, tmp_path: Path) -> None:
    folder = write_pair(tmp_path / "mine")
    (folder / "port.txt").write_text("TRACE_PY: energy 2.5\nTRACE_PY: steps 10\n")
    (folder / "py.sh").write_text("cat port.txt\n")
    (folder / "matrix.toml").write_text(MATRIX)
    words = ("gate", "--pair", folder, "--out", folder / "out", "--jobs", "1")
    assert "2 in parity" in trace_diff(*words).stdout
    before = sorted((folder / "out").glob("*/*"))
    kept = trace_diff(*words, "--resume")
    assert "2 in parity" in kept.stdout
    assert sorted((folder / "out").glob("*/*")) == before  # nothing was run again
    if changed == "vocabulary":
        (folder / "pair.toml").write_text(FIVE_LINES.replace("sh py.sh", "env sh py.sh"))
        assert "2 in parity" in trace_diff(*words, "--resume").stdout
        assert len(sorted((folder / "out").glob("*/*"))) > len(before)
        return
    broken = "sed s/2.5/2.6/ port.txt\n" if changed == "py.sh" else "TRACE_PY: energy 2.6\nTRACE_PY: steps 10\n"
    (folder / changed).write_text(broken)
    done = trace_diff(*words, "--resume")
    assert (done.returncode, "0 in parity" in done.stdout) == (1, True), done.stdout


def test_a_bundle_says_where_pair_and_programs_come_from(trace_diff: Cli, tmp_path: Path) -> None:
    folder = write_pair(tmp_path / "mine")
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder))
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "Start")):
        subprocess.run([*git, *words], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    done = trace_diff("run", "--pair", folder)
    bundle = tmp_path / done.stderr.strip().splitlines()[-1][8:]
    said = json.loads((bundle / "git.json").read_text())
    assert (said["commit"], said["dirty"]) == (head, False)
    assert said["programs"]["C"]["executables"] == ["c.sh"]
    assert said["programs"]["C"]["sha256"] != said["programs"]["PY"]["sha256"]
    assert {"version", "sha256", "commit"} <= set(said["harness"])


def test_a_command_line_that_a_program_would_not_get_is_refused(trace_diff: Cli, tmp_path: Path) -> None:
    programs = '[programs.C]\ntrace = "sh c.sh {args}"\n[programs.PY]\ntrace = "sh py.sh"\n'
    pair = write_pair(tmp_path / "mine", programs)
    for side in ("C", "PY"):
        (pair / f"{side.lower()}.sh").write_text(f"echo TRACE_{side}: n ${{1:-1}}\n")
    done = trace_diff("run", "--pair", pair, "--out", tmp_path / "out", "--", "1")
    assert (done.returncode, "would be dropped; expected {args} in the command" in done.stderr) == (2, True)
    assert "programs.PY.trace" in done.stderr


def test_a_pair_that_extends_keeps_what_it_does_not_replace(tmp_path: Path) -> None:
    toml = 'extends = "nanobragg"\n[programs.C]\ntitle = "my C"\ntrace = "sh c.sh {args}"\n'
    pair = find_pair(str(write_pair(tmp_path / "mine", toml)))
    assert pair.vocabulary == shipped().vocabulary
    assert [c.id for c in pair.cases()] == ["supervisor"]
    assert (pair.quirks, pair.focus_names) == (shipped().quirks, ("slow", "fast"))
    assert domain_of_pair(pair) is not None
    programs, theirs = pair.programs, shipped().programs
    assert (programs.sides["C"].title, programs.sides["C"].trace_from) == ("my C", "stdout")
    assert programs.sides["PY"] == theirs.sides["PY"]
    assert (programs.input_flags, programs.focus_words) == (theirs.input_flags, theirs.focus_words)
    generated = [f for entry in pair.matrix().cases for f in entry.files if f.command]
    assert generated
    for file in generated:  # the generators of inherited cases lie in the folder that the pair extends
        assert file.pair == shipped().folder


def test_every_key_is_in_the_docs() -> None:
    text = (ROOT / "docs" / "formats.md").read_text()
    assert FIVE_LINES in text
    for key in (*(f.name for f in fields(Program)), *PLACEHOLDERS, "extends", "focus_names", "focus_option", "size"):
        if key not in ("name", "folder"):
            assert re.search(rf"`\{{?{key}\b", text) or f"`{{{key}}}`" in text, key


VOCABULARY = """title = "atoms"
loops = ["i"]
[scopes]
atom = { loops = ["i"] }
[variables]
force = { scope = "atom", size = 1 }
"""


def test_a_focus_of_one_loop(trace_diff: Cli, tmp_path: Path) -> None:
    toml = 'focus = ["i"]\n' + FIVE_LINES + '[arguments]\nfocus = ["-atom", "{i}"]\n'
    folder = write_pair(tmp_path / "mine", toml)
    (folder / "vocabulary.toml").write_text(VOCABULARY)
    (folder / "cases").mkdir()
    (folder / "cases" / "a.toml").write_text('id = "a"\ntitle = "A"\nargv = ""\nfocus = [[3]]\n')
    assert trace_diff("cases", "list", "--pair", folder).stdout == "a\t(3)\tA\n"
    assert "places (i): (3)" in trace_diff("cases", "show", "a", "--pair", folder).stdout
    for file in ("c.sh", "py.sh"):
        side = file.removesuffix(".sh").upper()
        (folder / file).write_text(f'echo "TRACE_{side}[i=$2]: force 1.5"\n')
    (folder / "pair.toml").write_text(toml.replace("{args}", "{focus}"))
    done = trace_diff("run", "a", "--pair", folder, "--at", "5")
    assert done.returncode == 0, done.stderr
    bundle = tmp_path / done.stderr.strip().splitlines()[-1][8:]
    assert (bundle / "traces" / "c.log").read_text() == "TRACE_C[i=5]: force 1.5\n"
    assert "force" in (bundle / "report.html").read_text()
    assert trace_diff("judge", bundle, "--pair", folder).returncode == 0
