from __future__ import annotations

from pathlib import Path

import pytest
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.case import parse_case, pasted_case, place_inputs, with_flag_value, without_outputs
from trace_parity.pair.case_file import case_toml
from trace_parity.pair.find import shipped
from trace_parity.run.options import with_options

from tests.harness.conftest import Cli

MINIMAL = 'id = "x"\ntitle = "X"\nargv = ["-N", "5"]\npixels = [[1, 2]]\n'


def test_a_minimal_case() -> None:
    case = parse_case(MINIMAL, "x.toml", shipped())
    assert (case.argv, case.places, case.contract.places) == (("-N", "5"), ((1, 2),), ((1, 2),))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (MINIMAL.replace('"x"', '"../x"'), "letters, digits"),
        (MINIMAL.replace("[[1, 2]]", "[]"), "compares nothing"),
        (MINIMAL.replace("[[1, 2]]", "[[1]]"), "expected a list of places"),
        (MINIMAL.replace("title", "titel"), "title"),
        ("id = ", "not TOML"),
        (MINIMAL + '[files."../A.mat"]\ntext = "1"\n', "a plain file name"),
        (MINIMAL + '[files."A.mat"]\n', "command"),
    ],
)
def test_a_case_file_that_is_none_is_refused(text: str, says: str) -> None:
    with pytest.raises(HarnessError, match=says) as caught:
        parse_case(text, "x.toml", shipped())
    assert caught.value.code == Exit.USAGE


def test_the_supervisor_case_makes_its_inputs(tmp_path: Path) -> None:
    case = shipped().case("supervisor")
    assert case.places == ((685, 1039),)
    placed = place_inputs(case, tmp_path, shipped().programs.input_flags, tmp_path)
    assert placed.argv == case.argv
    assert len((tmp_path / "A.mat").read_text().split()) == 9
    lines = (tmp_path / "scaled.hkl").read_text().splitlines()
    amplitudes = {tuple(map(int, line.split()[:3])): float(line.split()[3]) for line in lines}
    assert len(lines) == len(amplitudes) > 60_000
    assert amplitudes[-7, -1, -14] == amplitudes[7, 1, 14] == 190.27
    assert all(amplitudes[-h, -k, -l] == f for (h, k, l), f in list(amplitudes.items())[::1000])
    assert min(amplitudes.values()) >= 0


def test_files_put_in_replace_the_case_s_own(tmp_path: Path) -> None:
    mine = tmp_path / "mine.hkl"
    mine.write_text("1 2 3 4\n")
    work = tmp_path / "work"
    work.mkdir()
    programs = shipped().programs
    case = with_options(shipped().case("supervisor"), shipped(), {"mat": None, "hkl": "mine.hkl"})
    placed = place_inputs(case, work, programs.input_flags, tmp_path)
    assert placed.argv[placed.argv.index("-hkl") + 1] == str(mine)
    assert sorted(p.name for p in work.iterdir()) == ["A.mat"]
    with pytest.raises(HarnessError, match=r"none\.hkl: no such file"):
        place_inputs(with_flag_value(case, "-hkl", "none.hkl"), work, programs.input_flags, tmp_path)


def test_a_pasted_command_line() -> None:
    case = pasted_case(["./nanoBragg", "-N", "5", "-floatfile", "out.bin", "-cell", "70"], [(1, 2)])
    assert case.argv == ("-N", "5", "-floatfile", "out.bin", "-cell", "70")
    assert without_outputs(case, shipped().programs.output_flags).argv == ("-N", "5", "-cell", "70")
    assert parse_case(case_toml(case), "pasted", shipped()).argv == case.argv


def test_the_commands(trace_diff: Cli) -> None:
    assert trace_diff("cases", "list").stdout.startswith("supervisor\t(685,1039)\t")
    assert "phi_tic=10" in trace_diff("cases", "show", "supervisor").stdout
    done = trace_diff("cases", "show", "nosuch")
    assert done.returncode == 2
    assert "expected one of supervisor" in done.stderr
