"""What a run depends on apart from its case: the pair's files, both programs, the framework; each by its contents.

Commits alone do not say it: a tree may have changes, and a program may lie outside any repository.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
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
    """The git state of the pair's repository and digests of pair, programs and framework; `out` takes no part."""
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
    """A digest of the identity and the question; empty where a program's files are unknown: then nothing is kept."""
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
    executables = [*_executables(program), *probe_files(pair, program)]
    files = [*executables, *(f for source in sources if source is not None for f in source_files(source))]
    return {
        "sha256": _digest(files) if executables or sources else None,
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
            digest.update(path.name.encode() + b"\0" + hashlib.file_digest(stream, "sha256").digest())
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
