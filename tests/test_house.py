"""The rules of the house: who may import whom, and what starts quickly."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from trace_parity.pair.find import shipped

from tests.conftest import SLOW
from tests.golden import ROOT


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("harness", {"nanobragg_torch", "nanobragg", "torch"}),
        ("simulator", {"trace_parity", "nanobragg"}),
        ("traces", {"nanobragg_torch", "torch"}),
    ],
)
def test_who_may_import_whom(package: str, forbidden: set[str]) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        found = {name.partition(".")[0] for name in imports(path)} & forbidden
        assert not found, f"{path.relative_to(ROOT)} imports {found}"


def test_the_command_line_starts_without_slow_libraries() -> None:
    imported = "import sys, json, trace_parity.cli.main, trace_parity.cli.run, trace_parity.cli.compare"
    code = f"{imported}; print(json.dumps(sorted(sys.modules)))"
    modules = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert not {"numpy", "pandas", "deepdiff", "PIL", "pyarrow", "torch", "jinja2"} & set(modules)


def test_the_port_starts_without_the_compiler_stack_and_the_extras() -> None:
    code = "import sys, simulator, nanobragg_torch.cli, json; print(json.dumps(sorted(sys.modules)))"
    modules = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert "nanobragg_torch.cli.run" in modules
    assert not {"torch._inductor", "torch._dynamo", "triton", "gemmi", "fabio", "h5py"} & set(modules)


def vocabulary_names() -> list[tuple[str, str, int]]:
    return [(v.scope.name, v.name, v.size) for v in shipped().vocabulary.variables]


def test_the_c_probes_use_the_vocabulary() -> None:
    text = (ROOT / "reference_c" / "src" / "trace_names.h").read_text()
    found = re.findall(r"^\s*TRACE_NAME\((\w+), *(\w+), *(\d+)\)", text, re.MULTILINE)
    assert [(scope, name, int(size)) for scope, name, size in found] == vocabulary_names()


def test_the_port_s_emitter_uses_the_vocabulary() -> None:
    from nanobragg_torch.trace_lines import TRACE_NAMES

    assert list(TRACE_NAMES) == vocabulary_names()


def test_no_file_names_a_path_of_one_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    pattern = re.compile(r"/(root|work|tmp)/[a-z]")
    for name in listed:
        path = ROOT / name
        if (
            path.suffix in {".py", ".c", ".h", ".md", ".toml", ".sh"}
            and path.is_file()
            and name != "tests/test_house.py"
        ):
            assert not pattern.search(path.read_text(encoding="utf-8")), name


def test_the_framework_knows_nothing_of_its_first_pair() -> None:
    words = re.compile(
        r"spixel|fpixel|nanobragg|diffraction|\bphi\b|hkl|\bmat\b|misset|detector|crystal|photon|mosaic|\bbragg|rot_?star",
        re.IGNORECASE,
    )
    alias = {"cli/main.py", "cli/table.py"}  # `trace-diff phi`, the older name of `trace-diff table`
    package = ROOT / "harness" / "trace_parity"
    for path in sorted(package.rglob("*")):
        if not path.is_file() or path.suffix in (".pyc", ".so", ".png"):
            continue
        found = {word.lower() for word in words.findall(path.read_text(encoding="utf-8"))}
        allowed = {"phi"} if path.relative_to(package).as_posix() in alias else set()
        assert not found - allowed, path


LAYERS = ("pair", "trace", "compare", "blame", "quirks", "result", "render", "bundle", "run", "cli")
"""From the bottom up. `probe` and the modules outside these folders are below all of them, `cli` alone is above."""


def test_imports_go_downward() -> None:
    package = ROOT / "harness" / "trace_parity"
    found = set()
    for path in sorted(package.rglob("*.py")):
        folder, *rest = path.relative_to(package).parts
        if not rest or folder not in LAYERS:
            continue
        for name in imports(path):
            parts = name.split(".")
            upward = parts[0] == "trace_parity" and set(parts[1:2]) & set(LAYERS[LAYERS.index(folder) + 1 :])
            if upward:
                found.add((path.relative_to(package).as_posix(), parts[1]))
    assert not found


@pytest.mark.parametrize("package", ["harness/trace_parity", "simulator/nanobragg_torch"])
def test_no_imports_go_in_a_circle(package: str) -> None:
    """Those inside functions count; those for types alone, and of a module that is run as a program, do not."""
    root = ROOT / package
    modules = {".".join(path.relative_to(root.parent).with_suffix("").parts): path for path in root.rglob("*.py")}
    modules = {name.removesuffix(".__init__"): path for name, path in modules.items()}
    left = {name: imported_at_run_time(path, modules) - {name} for name, path in modules.items()}
    while free := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in free:
            del left[name]
    assert not left


def imported_at_run_time(path: Path, modules: Collection[str]) -> set[str]:
    tree = ast.parse(path.read_text())
    of_types = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and re.search("TYPE_CHECKING|__main__", ast.unparse(node.test))
        for child in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in of_types:
            continue
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            members = {f"{node.module}.{name.name}" for name in node.names}
            found |= {member if member in modules else node.module for member in members}
    return found & set(modules)


def test_no_function_has_more_than_seven_parameters() -> None:
    found = []
    for package in ("harness", "simulator", "traces"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                    taken = node.args
                    names = [a.arg for a in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)]
                    count = len(names) - (names[:1] in (["self"], ["cls"])) + bool(taken.vararg) + bool(taken.kwarg)
                    if count > 7:
                        found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {count}")
    assert not found


def test_each_slow_test_is_there() -> None:
    """A line of slow.txt whose test was renamed would put it among the fast ones."""
    for line in SLOW:
        module, _, name = line.partition("::")
        assert (ROOT / module).is_file(), line
        assert f"def {name.partition('[')[0]}" in (ROOT / module).read_text(encoding="utf-8"), line


def test_the_version_is_the_same_everywhere() -> None:
    places = (
        "pyproject.toml",
        "harness/trace_parity/__init__.py",
        "simulator/nanobragg_torch/version.py",
        "reference_c/src/main.c",
    )
    pattern = re.compile(r"^(?:version = |__version__ = |#define VERSION )\"([^\"]+)\"$", re.MULTILINE)
    versions = {place: pattern.findall((ROOT / place).read_text(encoding="utf-8")) for place in places}
    assert len({tuple(found) for found in versions.values()}) == 1, versions
    assert all(len(found) == 1 for found in versions.values()), versions
