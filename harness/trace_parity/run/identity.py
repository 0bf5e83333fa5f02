"""The dependencies of a run apart from its case: the pair's files, both programs, the framework; each by its contents.

Commits alone are not enough: a tree may have changes, and a program may lie outside any repository.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import site
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import trace_parity
from trace_parity.bundle.provenance import PACKAGES, changes, git_state, version_of
from trace_parity.pair.pair import Pair
from trace_parity.pair.programs import Program
from trace_parity.run.launch import build_folder, digest_of, places, source_files
from trace_parity.run.probed import probe_files


def identity(pair: Pair, out: Path | None = None) -> dict[str, Any]:
    """The git state of the pair's repository and digests of pair, programs and framework; `out` is left out."""
    own = Path(trace_parity.__file__).resolve().parent
    chain = [pair]
    while chain[-1].base is not None:
        chain.append(chain[-1].base)
    return {
        **git_state(pair.folder),
        "changes": changes(pair.folder),
        "pair": {"title": pair.title, "sha256": _digest(f for p in chain for f in _files(p.folder, out))},
        "programs": {name: _program(pair, side) for name, side in pair.programs.sides.items()},
        "harness": {"version": trace_parity.__version__, "sha256": digest_of(own), **_commit(own)},
    }


def resume_key(known: Mapping[str, Any], *asked: object) -> str:
    """A digest of the identity and the request; empty if a program's files are unknown: then nothing is kept."""
    if any(program["sha256"] is None for program in known["programs"].values()):
        return ""
    parts = (
        known["commit"],
        known["changes"],
        known["pair"]["sha256"],
        [(name, p["sha256"], p["sources"], p["version"]) for name, p in sorted(known["programs"].items())],
        known["harness"]["sha256"],
        [version_of(name) for name in PACKAGES],
        sys.version,
        asked,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def program_files(program: Program) -> list[Path]:
    """Where a program's code lies: its sources or its package, else the scripts that its commands name."""
    sources = [program.source_folder] if program.source_folder is not None else _packages(program)
    return [source for source in sources if source is not None] or _executables(program)


def _commit(folder: Path) -> dict[str, Any]:
    git = git_state(folder)
    return {"commit": git["commit"], "dirty": git["dirty"]}


def _program(pair: Pair, program: Program) -> dict[str, Any]:
    """Digests of a program's executable files and of its sources (None where none is known), and its version."""
    folder = build_folder(program)
    sources = [program.source_folder] if program.source_folder is not None else _packages(program)
    executables = [*_from_path(program), *_executables(program), *probe_files(pair, program)]
    files = [*executables, *(f for source in sources if source is not None for f in source_files(source))]
    imported = imported_files(_import_roots(program))
    is_known = imported is not None and (executables or sources)
    return {
        "sha256": _digest([*files, *(imported or ())]) if is_known else None,
        "executables": [path.name for path in executables],
        "sources": [digest_of(source) for source in sources if source is not None],
        "version": _version(program, folder),
    }


def _executables(program: Program) -> list[Path]:
    """The files that the program's commands name: built programs and scripts."""
    names = places(program)
    found: dict[Path, None] = {}
    for command in (program.trace, program.render, program.config, program.together):
        for word in command:
            for name, place in names.items():
                word = word.replace(f"{{{name}}}", place)
            path = _working_folder(program) / word
            if word != names["python"] and "{" not in word and path.is_file():
                found[path.resolve()] = None
    return list(found)


def _working_folder(program: Program) -> Path:
    return program.folder if program.cwd == "{work}" else program.folder / program.cwd


def _packages(program: Program) -> list[Path]:
    """The folder of the package after `-m`: in the working folder, on the program's PYTHONPATH, or installed."""
    words = list(program.trace)
    if "-m" in words[:-1]:
        name = words[words.index("-m") + 1].partition(".")[0]
        cwd = _working_folder(program)
        roots = [cwd, *(cwd / p for p in program.env.get("PYTHONPATH", "").split(os.pathsep) if p)]
        for root in roots:
            if (root / name).is_dir():
                return [(root / name).resolve()]
            if (root / f"{name}.py").is_file():
                return [root.resolve()]
        spec = find_spec(name)
        return [Path(p) for p in (spec.submodule_search_locations or ())[:1]] if spec else []
    return []


def _from_path(program: Program) -> list[Path]:
    """The programs that commands find on PATH, but those that run others."""
    first = {command[0] for command in (program.trace, program.render, program.config, program.together) if command}
    found = [shutil.which(word) for word in sorted(first) if "{" not in word and not STARTERS.match(Path(word).name)]
    return [Path(name) for name in found if name is not None]


STARTERS = re.compile(r"(|ba|da|z|k)sh$|env$|python[\d.]*$|perl$|nice$|time(out)?$|mpi(run|exec)$|srun$")
"""Words that identify no file of a program by themselves."""


def _import_roots(program: Program) -> list[Path]:
    """The folders that a Python program imports from, other than the standard library and installed packages.

    These are the folder of its script or its working folder, those of PYTHONPATH, and those of editable installs.
    """
    words = [word for command in (program.trace, program.render, program.together) for word in command]
    if "{python}" not in words and not any(Path(word).name.startswith("python") for word in words):
        return []
    cwd, names = _working_folder(program), places(program)
    filled = [word.replace("{source}", names["source"]).replace("{pair}", names["pair"]) for word in words]
    roots = [(cwd / word).parent for word in filled if word.endswith(".py") and (cwd / word).is_file()]
    roots += [cwd] if "-m" in words else []
    listed = (program.env.get("PYTHONPATH", ""), os.environ.get("PYTHONPATH", ""))
    roots += [cwd / entry for paths in listed for entry in paths.split(os.pathsep) if entry]
    for packages in map(Path, site.getsitepackages()):
        for links in sorted(packages.glob("*.pth")):
            roots += [packages / line for line in links.read_text(errors="replace").splitlines() if line[:1] in "/.~"]
    own = dict.fromkeys(root.resolve() for root in roots if root.is_dir())
    return [root for root in own if root.name not in NO_MODULES and next(root.glob("*.dist-info"), None) is None]


def imported_files(roots: Sequence[Path]) -> list[Path] | None:
    """The Python modules below these folders, ignored by git or not; None where they are too many to be read."""
    found: dict[Path, None] = {}
    seen = 0
    for root in roots:
        for folder, folders, names in os.walk(root):
            here = Path(folder)
            folders[:] = [
                name
                for name in sorted(folders)
                if name not in NO_MODULES and not (here / name / "pyvenv.cfg").is_file()
            ]
            seen += len(names)
            if seen > MOST_FILES:
                return None
            found.update((here / name, None) for name in sorted(names) if name.endswith((".py", ".so", ".pyd")))
    return list(found)


NO_MODULES = {"__pycache__", "site-packages", "node_modules", "reports", ".git", ".mypy_cache", ".ruff_cache"}
MOST_FILES = 50_000
"""Files below the folders of a program's modules up to which they are read to see what has changed."""


def _files(folder: Path, out: Path | None) -> list[Path]:
    """All files of a pair's folder but bundles: a script of it may run any of them."""
    return [
        path
        for path in source_files(folder)
        if "reports" not in path.relative_to(folder).parts and (out is None or out.resolve() not in path.parents)
    ]


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as stream:
            digest.update(os.fsencode(path) + b"\0" + hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _version(program: Program, folder: Path) -> str | None:
    if not program.version:
        return None
    from trace_parity.run.launch import fill

    command = fill(program.version, {}, places(program))
    try:
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, **program.env}, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if done.returncode == 0 and lines else None
