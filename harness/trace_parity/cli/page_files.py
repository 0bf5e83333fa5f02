"""What a page that is written outside of a bundle embeds: who made it, when and where, the command line, pictures."""

from __future__ import annotations

import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

from trace_parity.bundle.provenance import environment, git_state
from trace_parity.render.commands import ASKED
from trace_parity.render.pictures import bundle_files
from trace_parity.result.result import Result, to_json


def typed_command() -> dict[str, bytes]:
    """commands.txt with the command line of this process."""
    text = f"# {ASKED}\n{shlex.join(('trace-diff', *sys.argv[1:]))}\n"
    return {"commands.txt": text.encode("utf-8", "replace")}


def files_of_logs(pair: str) -> dict[str, bytes]:
    """For the page of two logs: this machine, the repository of the current folder, and the title of the pair."""
    git = {**git_state(Path.cwd()), "pair": {"title": pair}}
    made = {"env.json": to_json(environment(datetime.now(UTC))), "git.json": to_json(git)}
    return {**typed_command(), **{name: text.encode() for name, text in made.items()}}


def files_of_bundle(folder: Path, result: Result) -> dict[str, bytes]:
    """For a page of what a bundle holds: its provenance and pictures, and the command line of this process."""
    return {**bundle_files(folder, result), **typed_command()}
