"""Every fenced block of every document is run or read with its stated outcome; every command is in the docs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pytest
from trace_parity.cli.main import COMMANDS, trace_diff
from trace_parity.pair.find import find_pair, shipped
from trace_parity.pair.vocabulary_file import load_vocabulary
from trace_parity.probe.probes_file import find_probes
from trace_parity.run.launch import build_program
from trace_parity.run.slurm import read_slurm

from tests.doc_blocks import NOT_RUN, Block, Reader, blocks, pages
from tests.golden import COMMITTED, ROOT
from tests.harness.conftest import as_py

PAGES = pages()
WITH_BLOCKS = [page for page in PAGES if blocks(page)]
LENNARD_JONES = ROOT / "examples" / "pairs" / "lennard_jones"
NOT_COPIED = shutil.ignore_patterns("build", "reports", "calibrations", "__pycache__")


# What a page expects to be there before its first block.
def two_logs(folder: Path) -> None:
    log = (COMMITTED / "supervisor_trace_685_1039.log").read_text()
    (folder / "c.log").write_text(log)
    (folder / "py.log").write_text(as_py(log))


def a_port_with_a_stale_cell(folder: Path) -> None:
    two_logs(folder)
    leaky = (COMMITTED / "supervisor_trace_685_1039__phi_carryover.log").read_text()
    (folder / "py.log").write_text(as_py(leaky))


def lennard_jones(folder: Path) -> None:
    shutil.copytree(LENNARD_JONES, folder, ignore=NOT_COPIED, dirs_exist_ok=True)


def lennard_jones_programs(folder: Path) -> None:
    for side in ("c", "py"):
        shutil.copytree(LENNARD_JONES / side, folder / side, ignore=NOT_COPIED)


def probed_programs(folder: Path) -> None:
    pytest.importorskip("tree_sitter_c", reason="tree-sitter-c is not installed (extra [probe])")
    programs = ROOT / "tests" / "harness" / "probe_programs"
    shutil.copytree(programs, folder, ignore=NOT_COPIED, dirs_exist_ok=True)
    (folder / "probes.toml").unlink()


def somebodys_nanobragg(folder: Path) -> None:
    """An original that prints its trace to standard output and takes no -fix, and a port."""
    built = build_program(shipped().programs.sides["C"]) / "nanoBragg-trace"
    script = f'#!/bin/sh\\nexec {built} -fix all "$$@"\\n'
    (folder / "Makefile").write_text(f"nanoBragg:\n\tprintf '{script}' > $@\n\tchmod +x $@\n")
    (folder / "port.py").write_text("from nanobragg_torch.cli import main\n\nmain()\n")


def simulation_inputs(folder: Path) -> None:
    gemmi = pytest.importorskip("gemmi", reason="gemmi is not installed (extra [xtal])")
    two_logs(folder)
    mtz = gemmi.Mtz(with_base=True)
    mtz.spacegroup, mtz.cell = gemmi.SpaceGroup("P 1"), gemmi.UnitCell(70, 80, 90, 85, 95, 105)
    mtz.add_dataset("native")
    mtz.add_column("FP", "F")
    mtz.set_data(np.array([[h, k, 1, 10 + h + k] for h in range(3) for k in range(3)], dtype=np.float32))
    mtz.write_to_file(str(folder / "1abc.mtz"))
    (folder / "P1.hkl").write_text("1 0 0 10\n0 1 0 20\n0 0 1 30\n")
    (folder / "sources.txt").write_text("-10 0 0 1 1e-10\n")
    header = "{\nHEADER_BYTES=512;\nSIZE1=32;\nSIZE2=24;\nTYPE=unsigned_short;\nBYTE_ORDER=little_endian;\n}\n"
    (folder / "mask.img").write_bytes(header.encode().ljust(512) + b"\1\0" * 32 * 24)
    text = next(b.text for b in blocks("docs/files.md") if b.kind == "toml")
    (folder / "experiment.toml").write_text(text)


def older_logs(folder: Path) -> None:
    logs = ROOT.parent / "shared" / "legacy_logs"
    if not logs.is_dir():
        pytest.skip("no ../shared/legacy_logs")
    (folder.parent / "shared").symlink_to(logs.parent)


SETUP: dict[str, Callable[[Path], None]] = {
    "README.md": a_port_with_a_stale_cell,
    "docs/files.md": simulation_inputs,
    "docs/guide.md": simulation_inputs,
    "docs/legacy-logs.md": older_logs,
    "docs/how-to/probes.md": probed_programs,
    "docs/how-to/rounding.md": lennard_jones,
    "docs/how-to/sweep.md": lennard_jones,
    "docs/how-to/your-own-nanobragg.md": somebodys_nanobragg,
    "docs/how-to/your-own-pair.md": lennard_jones_programs,
}
ELSEWHERE = {"docs/how-to/probes.md"}
"""Pages whose Python blocks need an interpreter of their own: they trace through the environment."""


def load_experiment(path: Path) -> None:
    from nanobragg_torch import from_toml, render

    assert render(from_toml(str(path))).shape == (24, 32)


def load_loops(path: Path) -> None:
    """Rules for loops, added to the pair of the page."""
    text = path.read_text()
    folder = path.parent / "with-loops"
    folder.mkdir()
    (folder / "pair.toml").write_text((path.parent / "pair.toml").read_text() + text)
    assert len(find_probes(folder, None).spec("c").rules) == 3


def load_variants(path: Path) -> None:
    """Variants in the place of those that the pair of the page has."""
    folder = path.parent / "with-variants"
    lennard_jones(folder)
    text = (folder / "pair.toml").read_text()
    own = re.sub(r"^(?:variants = \[.*?^\]|arguments = .*?)$", "", text, flags=re.DOTALL | re.MULTILINE)
    head, py = own.split("[programs.PY]")
    (folder / "pair.toml").write_text(f"{head}{path.read_text()}[programs.PY]{py}")
    programs = find_pair(str(folder)).programs
    assert [v.name for v in programs.sides["C"].variants] == ["fma", "clang", "float32"]
    assert programs.perturb_files == ("-restart",)


def load_pair(path: Path) -> None:
    folder = path.parent / "a-pair"
    folder.mkdir()
    path.rename(folder / "pair.toml")
    assert find_pair(str(folder)).programs.sides["C"].trace


LOADERS: dict[str, Callable[[Path], object]] = {
    "experiment": load_experiment,
    "loops": load_loops,
    "pair": load_pair,
    "slurm": lambda path: read_slurm(path).threads,
    "variants": load_variants,
    "vocabulary": load_vocabulary,
}


@pytest.mark.parametrize("page", WITH_BLOCKS)
def test_every_block(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    monkeypatch.chdir(folder)
    SETUP.get(page, two_logs)(folder)
    monkeypatch.setenv("TRACE_PROBE_FILE", str(tmp_path / "hand.log"))
    reader = Reader(folder, LOADERS, in_process=page not in ELSEWHERE)
    for block in blocks(page):
        reader.follow(block)
    assert reader.ran


def test_only_what_cannot_run_is_left_out() -> None:
    left_out = [block for page in PAGES for block in blocks(page) if block.tag.startswith(NOT_RUN)]
    assert len(left_out) <= 2, [block.where for block in left_out]


@pytest.mark.parametrize(
    ("block", "says"),
    [
        (Block("a.md", 1, "text", "some lines\n"), "nothing runs a block of kind 'text'"),
        (Block("a.md", 1, "", "some lines\n"), "nothing runs a block of kind ''"),
        (Block("a.md", 1, "toml", "a = 1\n"), "neither a file's name nor a tag"),
        (Block("a.md", 1, "text", "x\n", "not run: "), "a reason is missing"),
        (Block("a.md", 1, "sh", "false\n"), "a.md:1: false"),
        (Block("a.md", 1, "console", "$ echo one\ntwo\n"), "expected"),
        (Block("a.md", 1, "console", "$ printf 'one\\ntwo\\n'\none\n"), "expected"),
        (Block("a.md", 1, "python", "assert 1 == 2, 'wrong'\n"), "wrong"),
    ],
)
def test_a_block_that_does_not_do_what_it_says_is_found(block: Block, says: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=re.escape(says)):
        Reader(tmp_path, LOADERS).follow(block)


def test_parts_of_the_output_that_change_can_be_left_out(tmp_path: Path) -> None:
    text = "$ printf 'one\\ntwo\\nthree 3\\nfour\\n'\none\n…\nthree …\n…\n"
    Reader(tmp_path, LOADERS).follow(Block("a.md", 1, "console", text))


def test_every_command_is_in_the_docs() -> None:
    text = "".join(path.read_text() for path in (ROOT / "docs").glob("*.md")) + (ROOT / "README.md").read_text()
    for name in COMMANDS:
        assert f"trace-diff {name}" in text, name


def options_of(command: click.Command) -> set[str]:
    found = {word for parameter in command.params for word in (*parameter.opts, *parameter.secondary_opts)}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            found |= options_of(inner) if inner is not None else set()
    return found | {"-h", "--help", *OF_THE_PAIR}


OF_THE_PAIR = {"--mat", "--hkl", "--pixel"}
"""Options that `run` and `inject` have from the shipped pair."""


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_options_outside_blocks_exist(page: str) -> None:
    """Those in backticks and in indented lines, which are not run."""
    text = re.sub(r"^( *)```.*?^\1```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    spoken = [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", text)]
    spoken += [line.strip().split("   ")[0] for line in text.splitlines() if line.startswith("    ")]
    for line in spoken:
        match = re.match(r"trace-diff ([a-z]+)\b(.*)", line)
        if match is None:
            continue
        name, rest = match.groups()
        assert name in COMMANDS, f"{page}: {line}"
        command = trace_diff.get_command(click.Context(trace_diff), name)
        assert command is not None
        used = re.findall(r"(?<!\S)(--[a-z][a-z-]*)", rest.partition(" -- ")[0])
        assert set(used) <= options_of(command), f"{page}: {line}"
