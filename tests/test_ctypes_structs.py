"""The structures that Python fills for compiled code have the sizes and offsets that a C compiler gives them."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from nanobragg_torch.kernels.library import structures
from trace_parity.trace.native import Found

from tests.golden import ROOT

KERNELS = ROOT / "simulator" / "nanobragg_torch" / "kernels" / "source"
SCANNER = ROOT / "harness" / "trace_parity" / "trace"


def printed(folder: Path, compiler: str, suffix: str, code: str, *flags: str) -> list[str]:
    """What a program prints, line by line; skips where there is no such compiler."""
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    source = folder / f"sizes{suffix}"
    source.write_text(code)
    subprocess.run([compiler, *flags, str(source), "-o", str(folder / "sizes")], check=True, capture_output=True)
    done = subprocess.run([str(folder / "sizes")], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def layout(structure: Any) -> list[str]:
    """`name offset` of every field, then `size N`."""
    fields = [f"{name} {getattr(structure, name).offset}" for name, _ in structure._fields_]
    return [*fields, f"size {ctypes.sizeof(structure)}"]


def report(structure: str, fields: list[str]) -> str:
    """C code that prints the same."""
    lines = [f'printf("{name} %zu\\n", offsetof({structure}, {name}));' for name in fields]
    return "\n".join([*lines, f'printf("size %zu\\n", sizeof({structure}));'])


def test_the_scanner(tmp_path: Path) -> None:
    fields = [field[0] for field in Found._fields_]
    head = '#include <stddef.h>\n#include <stdint.h>\n#include <stdio.h>\n#include "scan.h"\n'
    code = f"{head}int main(void) {{\n{report('ts_found', fields)}\nreturn 0; }}\n"
    assert printed(tmp_path, os.environ.get("CC", "cc"), ".c", code, f"-I{SCANNER}") == layout(Found)


@pytest.mark.parametrize("real", ["double", "float"])
def test_the_kernels(real: str, tmp_path: Path) -> None:
    compiler = os.environ.get("CXX", "g++")
    flags = ("-std=c++17", "-march=native", f"-DREAL={real}", f"-I{KERNELS}", "-Wno-psabi")
    head = '#include <cstddef>\n#include <cstdio>\n#include "model.h"\n'
    code = f"{head}int main() {{ puts(NAMES); }}\n"
    (names,) = printed(tmp_path, compiler, ".cpp", code, *flags)
    _, slopes, model = structures(names)
    reports = [
        report(name, [field for field, _ in made._fields_]) for name, made in (("Slopes", slopes), ("Model", model))
    ]
    code = f"{head}int main() {{\n{reports[0]}\n{reports[1]}\n}}\n"
    assert printed(tmp_path, compiler, ".cpp", code, *flags) == [*layout(slopes), *layout(model)]
