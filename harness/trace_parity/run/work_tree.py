"""The pair of the git work tree around the working directory, with programs that lie in it.

A gate or a hook that tests an installed copy passes whatever the changes in the tree.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.find import find_pair, nearest_folder, shipped
from trace_parity.pair.pair import FILE_NAME, Pair
from trace_parity.run.identity import program_files


def work_tree(start: Path | None = None) -> Path | None:
    """The top folder of the git work tree around `start` (default: the working directory); None outside of one."""
    found = _git(["rev-parse", "--show-toplevel"], start or Path.cwd())
    return Path(found).resolve() if found else None


def pair_of_work_tree(name: str | None) -> Pair:
    """The pair of that folder or name, else the one that the tree holds. Raises HarnessError (exit 2).

    That is when there is no tree, when it holds none or several, and when the pair or one of its programs lies outside.
    """
    tree = work_tree()
    if tree is None:
        raise HarnessError(
            Exit.USAGE, "no git work tree here", where="--in-tree", expected="a repository with the pair"
        )
    pair = find_pair(name) if name is not None else _only_pair(tree)
    if not pair.folder.resolve().is_relative_to(tree):
        raise _outside(f"the pair {pair.title or pair.folder.name!r} is the copy in {pair.folder.resolve()}", tree)
    for side, program in pair.programs.sides.items():
        files = program_files(program)
        outside = [file for file in files if not file.resolve().is_relative_to(tree)]
        if not files:
            raise _outside(f"the files of program {side} are unknown", tree)
        if outside:
            raise _outside(f"program {side} is the copy in {outside[0].resolve()}", tree)
    return pair


def _only_pair(tree: Path) -> Pair:
    folder = nearest_folder(Path.cwd())
    if folder is not None and folder.resolve().is_relative_to(tree):
        return find_pair(str(folder))
    own = shipped()
    if own.folder.resolve().is_relative_to(tree):
        return own
    listed = _git(["ls-files", "-co", "--exclude-standard", "--", FILE_NAME, f"**/{FILE_NAME}"], tree).splitlines()
    folders = sorted({str(Path(file).parent) for file in listed})
    if len(folders) != 1:
        found = (
            f"several pairs in the work tree: {', '.join(folders[:5])}"
            if folders
            else f"no {FILE_NAME} in the work tree"
        )
        raise HarnessError(Exit.USAGE, found, where=str(tree), expected="--pair DIR")
    return find_pair(str(tree / folders[0]))


def _outside(what: str, tree: Path) -> HarnessError:
    return HarnessError(
        Exit.USAGE,
        what,
        where=str(tree),
        expected="files of the work tree",
        hint="install the tree (pip install -e .) or set PYTHONPATH in pair.toml; --pair NAME tests an installed copy",
    )


def _git(words: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
