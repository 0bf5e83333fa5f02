"""docs/flags.md, the C program's flags and the simulator's: one list."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from nanobragg_torch.cli.flags import FLAGS, SHARED, Flag, usage
from nanobragg_torch.cli.parse import split
from nanobragg_torch.errors import ExperimentError

from tests.golden import ROOT

ROW = re.compile(r"^\| `(-[^`]+)` \|", re.MULTILINE)
HEADING = "## Flags of the simulator alone"


def documented() -> tuple[set[str], set[str]]:
    """Names in the table of both programs, and in that of the simulator's own; `*` ends a prefix."""
    both, _, own = (ROOT / "docs" / "flags.md").read_text().partition(HEADING)
    return tuple({name for row in ROW.findall(text) for name in row.split()} for text in (both, own))  # type: ignore[return-value]


def test_the_simulator_takes_every_flag_of_the_table_and_no_other() -> None:
    both, own = documented()
    assert len(both) > 100
    names = {name for flag in FLAGS for name in flag.names} | {f"{p}*" for flag in FLAGS for p in flag.prefixes}
    assert both - names == set()
    assert names - both == own


def test_its_help_names_them_all() -> None:
    text = usage()
    for flag in FLAGS:
        assert any(name in text for name in (*flag.names, *flag.prefixes)), flag.key


# A word of each form; a seed, pixel or thread count of 1 is fine for every flag.
SAMPLES = {"number": "1", "count": "1", "limit": "1", "file": "name", "word": "name"}
WORDS = {"pivot": ["beam"], "fix": ["all"], "roi": ["0", "1", "0", "1"]}
# These end a run, or are read before all others, so that nothing can be seen behind them.
AT_ONCE = {"help", "version", "img", "mask", "lenient"}
taken = pytest.mark.parametrize("flag", [flag for flag in SHARED if flag.key not in AT_ONCE], ids=lambda flag: flag.key)


def words_of(flag: Flag) -> list[str]:
    forms = [token.removesuffix("?").partition("|")[0] for token in flag.words]
    return WORDS.get(flag.key, [SAMPLES[form] for form in forms])


@taken
def test_both_take_as_many_words_as_the_table_says(flag: Flag, c_build: Path, tmp_path: Path) -> None:
    """The word behind those of the flag is read as a flag, by both; with one word less it is not."""
    words = words_of(flag)
    lines = [[flag.names[0] if flag.names else flag.prefixes[0], *words, "-nosuchflag"]]
    if words and not flag.words[-1].endswith("?"):
        lines.append([*lines[0][:-2], "-nosuchflag"])
    for line in lines:
        done = subprocess.run([c_build / "nanoBragg", *line], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        with pytest.raises(ExperimentError) as error:
            split([*line, "-nosuchflag"] if len(line) < len(lines[0]) else line, [], lenient=False)
        is_whole = line is lines[0]
        is_word = bool(words) and flag.words[-1] in ("file", "word")  # takes any word but a known flag
        assert ("unknown flag -nosuchflag" in done.stderr) == is_whole, done.stderr
        assert ("unknown flag -nosuchflag" in str(error.value)) == (is_whole or is_word), error.value


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("-lamda", ["-lambda"]),
        ("-Lambda", ["-lambda"]),
        ("-detpixls", ["-detpixels"]),
        ("-dist", ["-distance"]),
        ("-detpixels_q", ["-detpixels_f", "-detpixels_x", "-detpixels_s"]),
        ("-nosuchflag", []),
        ("-polar_axis", []),
    ],
)
def test_both_suggest_what_is_near_and_nothing_else(word: str, meant: list[str], c_build: Path, tmp_path: Path) -> None:
    done = subprocess.run([c_build / "nanoBragg", word], cwd=tmp_path, capture_output=True, text=True, check=False)
    verb = "is" if len(meant) == 1 else "are"
    near = f", the nearest {verb} {', '.join(meant)}" if meant else ""
    assert f"unknown flag {word}: expected a known flag{near} (--help lists all)" in done.stderr
    with pytest.raises(ExperimentError) as error:
        split([word], [], lenient=False)
    theirs = f"the nearest known {'one is' if len(meant) == 1 else 'ones are'} {', '.join(meant)}"
    assert str(error.value).endswith(f"unknown flag {word}; {theirs if meant else '--help lists all'}")


def test_counts_are_leading_integers_in_both(c_build: Path, tmp_path: Path) -> None:
    line = (
        "-cell 70 80 90 -default_F 1 -N 4.7 -phisteps 2.6 -osc 1 -detpixels 8.9 -mosaic_seed 1e3 -show_config".split()
    )
    done = subprocess.run([c_build / "nanoBragg", *line], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    warnings: list[str] = []
    values = {word.name: word.values for word in split(line, warnings, lenient=False)}
    assert (values["-N"], values["-phisteps"], values["-detpixels"], values["-mosaic_seed"]) == ([4], [2], [8], [1])
    for name, number in (("Na", 4), ("phisteps", 2), ("fpixels", 8), ("mosaic_seed", -1)):
        assert re.search(rf'"{name}": {number}\b', done.stdout), name
    assert len(warnings) == done.stderr.count("its leading integer") == 4
