"""A pair whose programs print no trace: `run` and `gate` probe both by themselves, from tables of the pair."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from trace_parity.cli.main import trace_diff
from trace_parity.errors import Exit, HarnessError
from trace_parity.probe import identity
from trace_parity.run import probed
from trace_parity.user_cache import cache_folder

pytest.importorskip("tree_sitter_c", reason="tree-sitter-c is not installed (extra [probe])")

C = """#include <stdio.h>
#include <stdlib.h>
#include "constants.h"
int main(int argc, char **argv) {
    int n = atoi(argv[1]);
    double total = 0.0;
    for (int k = 0; k < n; k++) {
        double square = SCALE * k * k;
        total += square;
    }
    printf("%.17g\\n", total);
    return 0;
}
"""
PORT = """import sys
def main():
    total = 0.0
    for k in range(int(sys.argv[1])):
        square = 0.5 * k * k
        total += square
    print(f"{total:.17g}")
main()
"""
PROBES = """
loops = ["k"]
[scopes]
all = { loops = ["k"] }
[c.probe]
file = "sum.c"
compile = "cc -O2 {in} -o {out}"
[py.probe]
command = "{python} PORT"
modules = ["port"]
[variables]
square = { scope = "all", c = { in = "main", expr = "square" }, py = { in = "main", expr = "square" } }
total = { scope = "all", c = { in = "main", expr = "total" }, py = { in = "main", expr = "total" } }
"""
Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write the pair: its probes in the given file, with replacements in the port."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    cache_folder.cache_clear()

    def files(where: str = "pair.toml", port: str = PORT, probes: str = PROBES) -> None:
        (tmp_path / "sum.c").write_text(C)
        (tmp_path / "constants.h").write_text("#define SCALE 0.5\n")
        (tmp_path / "port.py").write_text(port)
        probes = probes.replace('"{python} PORT"', f'["{{python}}", "{tmp_path / "port.py"}"]')
        (tmp_path / "pair.toml").write_text('title = "squares"\n')
        with (tmp_path / where).open("a") as stream:
            stream.write(probes)

    yield files
    cache_folder.cache_clear()


def call(*words: str) -> Result:
    return CliRunner().invoke(trace_diff, list(words))


@pytest.mark.parametrize("where", ["pair.toml", "probes.toml"])
def test_run_probes_both_programs(write: Write, where: str) -> None:
    write(where)
    before = {p: p.read_bytes() for p in Path().iterdir() if p.is_file()}
    done = call("run", "--", "4")
    assert done.exit_code == 0, done.output
    assert "compared 8 numbers of 2 variables: 8 agree" in done.stdout
    assert {p: p.read_bytes() for p in Path().iterdir() if p.is_file()} == before
    bundle = next(Path("reports").glob("*/*"))
    records = {side: json.loads((bundle / "probes" / f"{side}.json").read_text()) for side in ("c", "py")}
    for side, source in (("c", "sum.c"), ("py", "port.py")):
        record = records[side]
        assert record["identical_with_probes_off"] is True
        assert "standard output" in record["outputs_compared"]
        assert len(record["sha256"]) == 2, "the source as it is and with probes"
        assert record["sha256"][source] != list(record["sha256"].values())[1]
        assert len(record["probes"]) == 3
    assert "probes/c.json" in (bundle / "manifest-sha256.txt").read_text()
    assert not re.search(r'[" ]/\w', (bundle / "probes" / "c.json").read_text()), "a path of this machine"
    assert json.loads((bundle / "result.json").read_text())["verdict"] == "parity"


def test_the_check_is_kept_by_contents(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write()
    runs: list[str] = []
    plain = identity.run
    monkeypatch.setattr(
        probed, "run_apart", lambda command, *rest: runs.append(" ".join(command)) or plain(command, *rest)
    )
    for words, expected in ((["4"], 4), (["4"], 0), (["5"], 4)):
        runs.clear()
        assert call("run", "--", *words).exit_code == 0
        assert len(runs) == expected, runs
    Path("constants.h").write_text("#define SCALE 0.25\n")
    runs.clear()
    assert call("run", "--", "4").exit_code == 1, "the header of the C program changed"
    assert len(runs) == 2, "C alone is compared again"


def test_a_fault_is_found_with_its_line(write: Write) -> None:
    write(port=PORT.replace("0.5 * k * k", "0.5 * k * (k + (k == 2))"))
    done = call("run", "--format", "json", "--", "4")
    assert done.exit_code == 1, done.output
    result = json.loads(done.stdout)
    assert result["first_divergence"]["variable"] == "square"
    assert "k=2" in result["headline"]
    sources = next(lines for name, lines in result["sources"].items() if name.endswith(".square"))
    assert sources["C"]["text"] == "double square = SCALE * k * k;"
    assert sources["PY"]["line"] == 5


def test_gate_probes_every_case(write: Write) -> None:
    write()
    Path("matrix.toml").write_text('[[cases]]\nid = "three"\nargv = "3"\n[[cases]]\nid = "four"\nargv = "4"\n')
    done = call("gate", "--out", "gate", "--jobs", "2")
    assert done.exit_code == 0, done.output
    assert "2 cases: 2 in parity, 0 not" in done.stdout
    again = call("gate", "--out", "gate", "--resume")
    assert "2 cases: 2 in parity, 0 not" in again.stdout
    Path("sum.c").write_text(C.replace("+= square", "-= square"))
    assert call("gate", "--out", "gate", "--resume").exit_code == 1, "outcomes of the old C source do not hold"


def test_output_that_probes_change_fails_the_run(write: Write) -> None:
    write(port=PORT.replace("    total = 0.0\n", "    total = 1.0 if '__trace_probe__' in globals() else 0.0\n"))
    done = call("run", "--", "4")
    assert isinstance(done.exception, HarnessError)
    assert done.exception.code is Exit.PROGRAM_FAILED
    assert "with probes off it writes different output: standard output" in str(done.exception)
    again = call("run", "--", "4")
    assert "with probes off it writes different output" in str(again.exception), "from the cache"
    Path("pair.toml").write_text(Path("pair.toml").read_text().replace("[py.probe]", "[py.probe]\ncheck = false"))
    assert call("run", "--", "4").exit_code == 1  # total differs


def test_a_program_with_its_own_trace_is_not_probed(write: Write) -> None:
    own = """
[programs.PY]
trace = "sh -c 'echo TRACE_PY[k=0]: square 7 > {trace}' sh {args}"
"""
    write(probes=PROBES + own)
    done = call("run", "--format", "json", "--", "1")
    assert done.exit_code == 1, done.output
    bundle = next(Path("reports").glob("*/*"))
    assert (bundle / "probes" / "c.json").exists()
    assert not (bundle / "probes" / "py.json").exists()


def test_a_command_of_its_own_with_the_probed_program(write: Write) -> None:
    own = '\n[programs.C]\ntrace = ["env", "HERE=1", "{probed}", "{args}"]\ncwd = "{work}"\n'
    write(probes=PROBES + own)
    assert call("run", "--", "3").exit_code == 0
    checked = call("pair", "check")
    assert "program C   C program: traced by 2 probes of pair.toml" in checked.stdout, checked.output


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[c.probe]", "[c.prob]", "unknown table [c]; expected [c.probe]"),
        ("[c.probe]", "[c]", "unknown table [c]; expected [c.probe]"),
        ('file = "sum.c"', 'fil = "sum.c"', "c.probe: unknown key 'fil'"),
        ('file = "sum.c"', "file = 3", "c.file = 3"),
        ('file = "sum.c"', 'file = "none.c"', "none.c: No such file"),
        ("compile =", 'check = "no"\ncompile =', "check = 'no'; expected true or false"),
        ("compile =", "timeout_s = -1\ncompile =", "timeout_s = -1; expected a number of seconds above 0"),
        ('loops = ["k"]\n[', 'loops = "k"\n[', "loops: 'k'; expected a list of loop names"),
        ('expr = "square" }, py', "expr = 5 }, py", "square: c: exprs: 5; expected a string or a list of strings"),
        ('expr = "square" }, py', 'expr = "" }, py', "square: c: exprs: ''"),
        ('in = "main", expr = "square" }, py', 'in = "man", expr = "square" }, py', "no function 'man' is defined"),
        ('in = "main", expr = "square" } }', 'in = "man", expr = "square" } }', "no function 'man' in __main__"),
        ('expr = "square" } }', 'expr = "square(" } }', "square: py: 'square(' is not an expression of Python"),
        ('modules = ["port"]', 'modules = ["prt"]', "the program imported none of prt"),
        ("[py.probe]", '[programs.PY]\ntrace_from = "probes"\ntrace = "x"\n[py_probe]', "py_probe: unknown key"),
        ('command = "{python} PORT"\n', "", "py.command = (); expected a text or a list of texts"),
    ],
)
def test_mistakes_are_one_line(write: Write, old: str, new: str, message: str) -> None:
    assert old in PROBES
    write(probes=PROBES.replace(old, new, 1))
    done = call("run", "--", "2")
    assert isinstance(done.exception, HarnessError), done.output
    assert message in str(done.exception)
    assert "\n" not in str(done.exception)


def test_probes_in_two_files_are_refused(write: Write) -> None:
    write()
    Path("probes.toml").write_text(PROBES)
    assert "probes are in probes.toml too; expected one of the two files" in str(call("run", "--", "2").exception)
    Path("pair.toml").write_text('title = "x"\nprobes = "other.toml"\n')
    assert "probes = 'other.toml'; expected a file next to pair.toml" in str(call("run", "--", "2").exception)
    Path("pair.toml").write_text('title = "x"\nloops = ["k"]\n')
    Path("probes.toml").unlink()
    assert "loops: unknown key; expected loops in vocabulary.toml" in str(call("run", "--", "2").exception)
    Path("pair.toml").write_text('title = "x"\n[programs.C]\ntrace = "{probed} {args}"\n[programs.PY]\ntrace = "y"\n')
    assert "[c.probe] in the pair" in str(call("run", "--", "2").exception)
    Path("pair.toml").write_text(
        'title = "x"\n[programs.C]\ntrace = "z"\ntrace_from = "probes"\n[programs.PY]\ntrace = "y"\n'
    )
    assert "[c.probe], or file, stdout or stderr" in str(call("run", "--", "2").exception)


def test_probe_takes_the_tables_of_the_pair(write: Write) -> None:
    write()
    assert call("probe", "c", "-o", "C.log", "--", "2").exit_code == 0
    assert call("probe", "py", "-o", "PY.log", "--", "2").exit_code == 0
    assert Path("C.log").read_text() == Path("PY.log").read_text().replace("TRACE_PY", "TRACE_C")


def test_a_place_without_the_loop_around_it(write: Write) -> None:
    """`index` says the index of a loop that the program is not in."""
    probes = PROBES.replace(
        'c = { in = "main", expr = "total" }, py = { in = "main", expr = "total" }',
        'c = [{ in = "main", expr = "total" }, { expr = "total", index = { k = "n + 5" }, at = "before: printf" }],'
        ' py = [{ in = "main", expr = "total" },'
        ' { in = "main", expr = "total", index = { k = "int(sys.argv[1]) + 5" }, at = "before: print" }]',
    )
    write(probes=probes)
    for side in ("c", "py"):
        assert call("probe", side, "-o", f"{side}.log", "--", "2").exit_code == 0
        lines = [line.partition("[")[2] for line in Path(f"{side}.log").read_text().splitlines()]
        assert sorted(line for line in lines if "total" in line) == [
            "k=0]: total 0",
            "k=1]: total 0.5",
            "k=7]: total 0.5",
        ]
