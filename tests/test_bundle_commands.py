"""The commands that a bundle's page offers work in the bundle's folder, long after its input files are gone."""

from __future__ import annotations

import html
import re
import shlex
import shutil
import tomllib
from pathlib import Path

import pytest
from trace_parity.bundle.bundle import find_bundles, verify
from trace_parity.pair.case import Case, InputFile, parse_case
from trace_parity.pair.case_file import case_toml
from trace_parity.pair.find import shipped

from tests.in_process import call

QUICK = ["--no-images", "--no-preflight"]
EXPECTED = {"run": 1, "inject": 0, "judge": 1, "blame": 1, "table": 0, "bundle": 0}
"""Exit codes: the run diverges by a quirk, and agrees with C's values of the rotated vectors."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose matrix and reflections lay in a folder that is gone."""
    folder = tmp_path_factory.mktemp("run")
    given = folder / "given"
    given.mkdir()
    (given / "A.mat").write_text("-0.028 -0.003 0.025\n-0.029 0.010 -0.014\n0.011 -0.032 -0.010\n")
    (given / "few.hkl").write_text("".join(f"{h} {k} {l} 100\n" for h in (0, 1) for k in (0, 1) for l in (0, 1)))
    words = "-lambda 0.97 -N 5 -distance 100 -detpixels 16 -pixel 0.1 -osc 0.1 -phisteps 3 -default_F 100".split()
    argv = ["-mat", "given/A.mat", "-hkl", str(given / "few.hkl"), *words]
    done = call(["run", "--pixel", "9", "9", "--against", "unfixed", *QUICK, "--", "nanoBragg", *argv], folder)
    assert done.returncode == 1, done.stderr
    shutil.rmtree(given)
    (found,) = find_bundles(folder / "reports")
    return found.path


def copyable(bundle: Path) -> list[str]:
    """The commands of the page that have a button to copy them."""
    page = (bundle / "report.html").read_text(encoding="utf-8")
    found = re.findall(r'<div class="command">.*?<pre tabindex="0">(.*?)</pre>', page, re.DOTALL)
    return [html.unescape(re.sub(r"<[^>]+>", "", text)).strip() for text in found]


def test_each_command_of_the_page_works_in_the_folder(bundle: Path) -> None:
    commands = copyable(bundle)
    assert commands[0].startswith("trace-diff run case.toml --against fixed")  # the next step: the repaired reference
    assert {shlex.split(c)[1] for c in commands} == set(EXPECTED)
    for command in dict.fromkeys(commands):
        program, *words = shlex.split(command)
        done = call(words, bundle)
        assert program == "trace-diff"
        expected = 0 if "fixed" in words else EXPECTED[words[0]]
        assert done.returncode == expected, f"{command}: {done.stdout[-300:]} {done.stderr[-600:]}"
    assert verify(bundle) == []  # none of them wrote into it
    again = [b for b in find_bundles(bundle.parent.parent) if b.path != bundle]
    assert {b.case for b in again} == {bundle.parent.name}  # the new runs are next to it
    assert len({b.path for b in again}) == 2


def test_the_case_file_names_the_inputs_that_the_bundle_keeps(bundle: Path) -> None:
    case = tomllib.loads((bundle / "case.toml").read_text())
    assert case["files"]["A.mat"] == {"path": "inputs/A.mat"}
    assert (bundle / "inputs" / "few.hkl").read_text().startswith("0 0 0 100\n")
    assert case["focus"] == [[9, 9]]
    assert str(bundle.parent.parent.parent) not in (bundle / "case.toml").read_text()


def test_a_case_as_a_file_and_back() -> None:
    argv = ("-N", "5", "-title", 'two "words" \\ \x7fé', "-beam_vector", "-1", "0", "0")
    files = (InputFile("a.txt", text="1\n2\t\n"), InputFile("b.txt", command=("cat", "a b")))
    case = Case(
        "x", "ü title", argv, ((1, 2), (3, 4)), "why", files, ("rot_a_angstroms",), {"phi_tic": 3}, {"fixed": "parity"}
    )
    text = case_toml(case)
    back = parse_case(text, "x.toml", shipped())
    assert (back.argv, back.places, back.title, back.description) == (argv, case.places, "ü title", "why")
    assert [(f.name, f.text, f.command) for f in back.files] == [(f.name, f.text, f.command) for f in files]
    assert (back.variables, dict(back.ticks), dict(back.expectation)) == (
        ("rot_a_angstroms",),
        {"phi_tic": 3},
        {"fixed": "parity"},
    )


@pytest.mark.parametrize("path", ["/etc/hostname", "../A.mat", "a/../../b"])
def test_a_case_file_reads_nothing_outside_its_folder(path: str, tmp_path: Path) -> None:
    text = f'id = "x"\ntitle = "x"\nargv = ["-mat", "A.mat"]\npixels = [[1, 2]]\n[files."A.mat"]\npath = "{path}"\n'
    (tmp_path / "case.toml").write_text(text)
    done = call(["run", "case.toml"], tmp_path)
    assert done.returncode == 2
    assert "case.toml:6: files.A.mat.path" in done.stderr
