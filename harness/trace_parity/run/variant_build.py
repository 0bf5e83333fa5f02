"""Builds of a program in the user's cache, for `trace-diff calibrate`: nothing is written into the sources' folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.programs import Program
from trace_parity.pair.variants import Variant
from trace_parity.run.launch import digest_of, fill, python, source_files
from trace_parity.user_cache import cache_folder


def compiler_of(variant: Variant) -> str:
    """The first line that the variant's C compiler says of its version; empty where there is none."""
    words = (variant.env.get("CC") or os.environ.get("CC") or "cc").split()
    if not words or shutil.which(words[0]) is None:
        return ""
    done = subprocess.run([*words, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0] if done.returncode == 0 and done.stdout else ""


def sources_digest(program: Program) -> str:
    """sha256 of a program's sources; empty where its entry names none."""
    return digest_of(program.source_folder) if program.source_folder is not None else ""


def build_key(program: Program, variant: Variant, compiler: str) -> str:
    """What a build depends on, as a digest."""
    parts = [sources_digest(program), list(variant.build or program.build), sorted(variant.env.items()), compiler]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def variant_places(program: Program, variant: Variant, compiler: str) -> dict[str, str]:
    """The values of {source}, {build}, {pair} and {python} for a variant, which is built first if needed.

    Raises HarnessError (exit 3) when the build fails.
    """
    source = program.source_folder
    names = {"pair": str(program.folder), "python": python()}
    if source is None:
        return {**names, "source": str(program.folder), "build": str(program.folder / "build")}
    target = cache_folder() / f"{source.name}-{variant.name}-{build_key(program, variant, compiler)}"
    if not target.is_dir():
        _build(program, variant, source, target)
    return {**names, "source": str(target), "build": str(target / "build")}


def _build(program: Program, variant: Variant, source: Path, target: Path) -> None:
    """Build a copy of the sources under a temporary name, which is given the last name once it is whole."""
    where = f"building the {program.title}, variant {variant.name}"
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{target.name}.partial-") as scratch:
        copy = Path(scratch) / "copy"
        for path in source_files(source):
            to = copy / path.relative_to(source)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, to)
        build = variant.build or program.build
        if build:
            places = {"source": copy, "build": copy / "build", "pair": program.folder, "python": python()}
            command = fill(build, {}, {name: str(path) for name, path in places.items()})
            env = {**os.environ, **program.env, **variant.env}
            try:
                done = subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True, check=False)
            except OSError as error:
                reason = f"{command[0]} cannot be started: {error.strerror}"
                raise HarnessError(Exit.PROGRAM_FAILED, reason, where=where, hint=program.build_hint) from error
            if done.returncode:
                tail = "\n".join(done.stderr.strip().splitlines()[-5:])
                raise HarnessError(Exit.PROGRAM_FAILED, f"{command[0]} failed:\n{tail}", where=where)
        try:
            copy.rename(target)
        except OSError:
            if not target.is_dir():  # else another process built the same
                raise
