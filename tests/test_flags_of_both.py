"""docs/flags.md, the C program's flags and the simulator's: one list."""

from __future__ import annotations

import re

from nanobragg_torch.cli.flags import FLAGS, usage

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
