"""The structures that Python fills for compiled code have the sizes and offsets that a C compiler gives them."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from nanobragg_torch.kernels.library import structures
from trace_parity.trace.native import ColumnPointers, Found, Limits

from tests.golden import ROOT

KERNELS = ROOT / "simulator" / "nanobragg_torch" / "kernels" / "source"
SCANNER = ROOT / "harness" / "trace_parity" / "trace"
SCANNED = {"ts_found": Found, "ts_side": ColumnPointers, "ts_limits": Limits}


def printed(folder: Path, compiler: str, suffix: str, code: str, *flags: str) -> list[str]:
    """What a program prints, line by line; skips where there is no such compiler."""
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    source = folder / f"sizes{suffix}"
    source.write_text(code)
    subprocess.run([compiler, str(source), *flags, "-o", str(folder / "sizes")], check=True, capture_output=True)
    done = subprocess.run([str(folder / "sizes")], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def _fields(structure: Any) -> list[str]:
    return [field[0] for field in structure._fields_]


def layout(structure: Any) -> list[str]:
    """`name offset` of every field, then `size N`."""
    fields = [f"{name} {getattr(structure, name).offset}" for name, _ in structure._fields_]
    return [*fields, f"size {ctypes.sizeof(structure)}"]


def report(structure: str, fields: list[str]) -> str:
    """C code that prints the same."""
    lines = [f'printf("{name} %zu\\n", offsetof({structure}, {name}));' for name in fields]
    return "\n".join([*lines, f'printf("size %zu\\n", sizeof({structure}));'])


def of_scanner(folder: Path, source: Path = SCANNER) -> dict[str, list[str]]:
    """The layout of each structure of the scanner, as the compiler has it."""
    head = '#include <stddef.h>\n#include <stdio.h>\n#include "settle.c"\n'
    parts = [f'puts("= {name}");\n{report(name, _fields(made))}' for name, made in SCANNED.items()]
    code = "\n".join([head, "int main(void) {", *parts, "return 0; }\n"])
    text = "\n".join(printed(folder, os.environ.get("CC", "cc"), ".c", code, f"-I{source}", "-lm"))
    return {name: rest for name, *rest in (part.split("\n") for part in text.removeprefix("= ").split("\n= "))}


def test_the_scanner(tmp_path: Path) -> None:
    assert of_scanner(tmp_path) == {name: layout(made) for name, made in SCANNED.items()}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("scan.h", "int64_t *line, *offset;", "int64_t *offset, *line;"),
        (
            "settle.c",
            "int64_t n, numbers, shared_line, shared_pos;",
            "int64_t n, numbers; int32_t shared_line, shared_pos;",
        ),
        ("settle.c", "    int64_t *compared;\n", "    int64_t *compared, *more;\n"),
    ],
)
def test_a_changed_field_is_seen(file: str, old: str, new: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(SCANNER, source, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    text = (source / file).read_text()
    assert text.count(old) == 1
    (source / file).write_text(text.replace(old, new))
    assert of_scanner(tmp_path, source) != {name: layout(made) for name, made in SCANNED.items()}


def test_there_are_no_other_structures() -> None:
    """Each line that names ctypes.Structure makes one of those that are compared with a compiler here."""
    naming = re.compile(r"\bct(ypes)?\.(BigEndian|LittleEndian)?(Structure|Union)\b")
    found = {
        line.strip()
        for package in ("harness", "simulator", "traces")
        for path in (ROOT / package).rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if naming.search(line)
    }
    assert found == {
        'slopes = type("Slopes", (ctypes.Structure,), {"_fields_": pointers})',
        'return tensors, slopes, type("Model", (ctypes.Structure,), {"_fields_": pointers + others})',
        *(f"class {made.__name__}(ct.Structure):" for made in SCANNED.values()),
    }


@pytest.mark.parametrize("real", ["double", "float"])
def test_the_kernels(real: str, tmp_path: Path) -> None:
    compiler = os.environ.get("CXX", "g++")
    flags = ("-std=c++17", "-march=native", f"-DREAL={real}", f"-I{KERNELS}", "-Wno-psabi")
    head = '#include <cstddef>\n#include <cstdio>\n#include "model.h"\n'
    code = f"{head}int main() {{ puts(NAMES); }}\n"
    (names,) = printed(tmp_path, compiler, ".cpp", code, *flags)
    _, slopes, model = structures(names)
    reports = [report(name, _fields(made)) for name, made in (("Slopes", slopes), ("Model", model))]
    code = f"{head}int main() {{\n{reports[0]}\n{reports[1]}\n}}\n"
    assert printed(tmp_path, compiler, ".cpp", code, *flags) == [*layout(slopes), *layout(model)]
