"""Tables that a pair exports: columns, values that one log lacks, and mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from trace_parity.cli.main import trace_diff
from trace_parity.errors import Exit, HarnessError

VOCABULARY = """loops = ["step", "i"]
scopes = { run = { loops = [] }, step = { loops = ["step"] }, atom = { loops = ["step", "i"] } }
[variables]
dt = { scope = "run" }
t = { scope = "step" }
force = { scope = "atom", size = 3 }
mass = { scope = "atom" }
"""
EXPORT = """[exports.forces]
title = "forces on the atoms"
shared = ["t", "dt"]
variables = ["force", "mass"]
components = ["x", "y", "z"]
"""
LOG = """TRACE_{}: dt 0.5
TRACE_{}[step=2]: t 1.0
TRACE_{}[step=2 i=1]: force 1.25 -0 3e-7
TRACE_{}[step=2 i=0]: force 4 5 6
TRACE_{}[step=2 i=0]: mass 7.50
"""


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    (tmp_path / "pair.toml").write_text(f'title = "atoms"\n{EXPORT}')
    (tmp_path / "vocabulary.toml").write_text(VOCABULARY)
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces/c.log").write_text(LOG.replace("{}", "C"))
    (tmp_path / "traces/py.log").write_text(LOG.replace("{}", "PY").replace("TRACE_PY[step=2 i=0]: mass 7.50\n", ""))
    return tmp_path


def run(pair: Path, *words: str) -> Result:
    return CliRunner().invoke(trace_diff, ["export", *words, "--pair", str(pair)])


def test_every_digit_of_both_logs(pair: Path) -> None:
    done = run(pair, "forces", str(pair))
    assert done.exit_code == 0, done.output
    sides = ",".join(f"force_x_{s},force_y_{s},force_z_{s},mass_{s}" for s in ("c", "py"))
    assert done.stdout.splitlines() == [
        f"step,i,t,dt,{sides}",
        "2,0,1.0,0.5,4,5,6,7.50,4,5,6,",
        "2,1,1.0,0.5,1.25,-0,3e-7,,1.25,-0,3e-7,",
    ]


def test_the_tables_are_listed_and_those_of_a_base_are_kept(pair: Path, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/pair.toml").write_text('extends = ".."\n[exports.masses]\nvariables = ["mass"]\n')
    assert run(tmp_path / "own").stdout == "forces\tforces on the atoms\nmasses\tmasses\n"
    assert run(tmp_path / "own", "masses", str(pair)).stdout.splitlines()[1] == "2,0,7.50,"


@pytest.mark.parametrize(
    ("change", "words", "code", "said"),
    [
        ((), ("force", "."), 2, "the pair exports no 'force'; expected one of forces (hint: did you mean 'forces'?)"),
        ((EXPORT, ""), ("forces", "."), 2, "expected [exports.NAME] with variables = [...]"),
        ((), ("forces",), 2, "export: no bundle; expected trace-diff export forces BUNDLE"),
        (('["force", "mass"]', "[]"), ("forces", "."), 2, "exports.forces.variables: found []"),
        (('["force", "mass"]', '["forc"]'), ("forces", "."), 2, "exports.forces.variables: found 'forc'; expected var"),
        (('["t", "dt"]', '["tt"]'), ("forces", "."), 2, "exports.forces.shared: found 'tt'"),
        (("components", "component"), ("forces", "."), 2, "exports.forces.component: unknown key"),
        ((), ("forces", "nowhere"), 5, "nowhere: no such folder; expected the folder of a bundle"),
    ],
)
def test_mistakes(pair: Path, change: tuple[str, ...], words: tuple[str, ...], code: int, said: str) -> None:
    if change:
        old, new = change
        (pair / "pair.toml").write_text((pair / "pair.toml").read_text().replace(old, new))
    words = tuple(str(pair) if word == "." else word for word in words)
    error = run(pair, *words).exception
    assert isinstance(error, HarnessError)
    assert (error.code, said in str(error)) == (code, True), str(error)


def test_logs_without_any_of_the_variables(pair: Path) -> None:
    for side in ("C", "PY"):
        (pair / f"traces/{side.lower()}.log").write_text(f"TRACE_{side}: dt 0.5\n")
    error = run(pair, "forces", str(pair)).exception
    assert isinstance(error, HarnessError)
    assert error.code == Exit.NOTHING_TO_COMPARE
