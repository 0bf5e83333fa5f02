"""The example pair without its print lines, probed, gives the log that it prints with them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from trace_parity.probe.probes_file import find_probes

from tests.golden import ROOT
from tests.harness.probe_case import build_c, trace_c

PAIR = ROOT / "examples" / "pairs" / "lennard_jones"
PRINTS = re.compile(
    r"^\s*(?:if \(step\) )?(?:scalar|whole|vector)\(.*\);\n|^\s*const char \*place = .*\n", re.MULTILINE
)


@pytest.mark.parametrize("args", [[], ["-fix"], ["-n", "5", "-steps", "7", "-rebuild", "2"]])
def test_probes_give_what_the_program_prints(tmp_path: Path, args: list[str]) -> None:
    shutil.copytree(PAIR, tmp_path / "pair")
    source = tmp_path / "pair" / "c" / "lj.c"
    subprocess.run(["cc", "-O2", "-ffp-contract=off", source, "-o", tmp_path / "lj", "-lm"], check=True)
    printed = subprocess.run([tmp_path / "lj", *args], check=True, capture_output=True, text=True).stdout.splitlines()
    silent, removed = PRINTS.subn("", source.read_text())
    assert removed == 18  # 17 variables, and the place of a pair
    source.write_text(silent)
    wanted = find_probes(PAIR, ROOT / "examples" / "probes" / "lennard_jones.toml").spec("c")
    lines = trace_c(build_c(source, wanted, tmp_path / "build", "-O2"), args, tmp_path)
    assert sorted(lines) == sorted(printed)
    assert len(lines) > 500
