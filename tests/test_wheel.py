"""The wheel works outside the checkout: data from the package, the C program built into the user's cache."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.golden import ROOT

CASE = """
id = "small"
title = "a small cubic crystal"
argv = "-cell 100 100 100 90 90 90 -lambda 6.2 -N 5 -distance 100 -detpixels 32 -pixel 0.1 -default_F 100"
pixels = [[16, 16]]
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    words = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    done = subprocess.run([sys.executable, *words, "-w", folder, ROOT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_it_carries_what_is_needed_and_nothing_built(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for name in (
        "trace_parity/render/report.html.j2",
        "nanobragg_torch/data/traces/nanobragg/vocabulary.toml",
        "nanobragg_torch/data/traces/nanobragg/quirks.toml",
        "nanobragg_torch/data/traces/nanobragg/pair.toml",
        "nanobragg_torch/data/traces/nanobragg/cases/supervisor.toml",
        "nanobragg_torch/data/reference_c/Makefile",
        "nanobragg_torch/data/reference_c/src/main.c",
        "nanobragg_torch/data/reference_c/src/trace_names.h",
        "nanobragg_torch/rendering/render.py",
    ):
        assert name in names
    assert not [name for name in names if "/build/" in name or name.endswith((".o", ".pyc"))]
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {
        "trace_parity",
        "nanobragg_torch",
    }


def test_an_installed_copy_does_the_whole_job(wheel: Path, tmp_path: Path) -> None:
    site, cache = tmp_path / "site", tmp_path / "cache"
    words = ["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--target", site, wheel]
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    environment = {**os.environ, "PYTHONPATH": str(site), "XDG_CACHE_HOME": str(cache)}
    (tmp_path / "small.toml").write_text(CASE)

    def python(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *words]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    where = python("-c", "import trace_parity, nanobragg_torch; print(trace_parity.__file__, nanobragg_torch.__file__)")
    assert where.stdout.count(str(site)) == 2
    done = python("-m", "trace_parity", "run", "small.toml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(cache.glob("trace-diff/reference_c-*/build/nanoBragg"))
    assert not (site / "nanobragg_torch" / "data" / "reference_c" / "build").exists()
    assert "nogit" in done.stderr.splitlines()[-1]


OWN_TEST = """
import pathlib

import harness
import simulator
import traces


def test_the_packages_are_the_project_s_own():
    here = pathlib.Path(__file__).resolve().parents[1]
    for package in (harness, simulator, traces):
        assert package.OWN == 1
        assert pathlib.Path(package.__file__).is_relative_to(here)


def test_the_plugin_works(assert_parity):
    assert assert_parity("TRACE_C: steps 10\\n", "TRACE_PY: steps 10\\n").compared == 1
"""


def test_a_project_with_packages_of_the_same_names(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    base = {"base": str(tmp_path / "env"), "platbase": str(tmp_path / "env")}
    site = Path(sysconfig.get_path("purelib", "venv", vars=base))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--force-reinstall"]
    subprocess.run([*pip, "--quiet", "--disable-pip-version-check", str(wheel)], check=True, capture_output=True)
    project = tmp_path / "project"
    for name in ("harness", "simulator", "traces", "tests"):
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text("OWN = 1\n")
    (project / "tests" / "test_own.py").write_text(OWN_TEST)
    (project / "small.toml").write_text(CASE)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
    environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, cwd=project, env=environment, capture_output=True, text=True, check=False)

    where = run(
        str(python), "-c", "import trace_parity, nanobragg_torch as n; print(trace_parity.__file__, n.__file__)"
    )
    assert where.stdout.count(str(site)) == 2, where
    tests = run(str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert (tests.returncode, "2 passed" in tests.stdout) == (0, True), tests.stdout + tests.stderr
    done = run(str(python.with_name("trace-diff")), "run", "small.toml", "--no-preflight")
    assert done.returncode == 0, done.stdout + done.stderr
    shown = run(str(python), "-m", "nanobragg_torch", "-show_config", *CASE.split('argv = "')[1].split('"')[0].split())
    assert (shown.returncode, "detpixels" in shown.stdout or "{" in shown.stdout) == (0, True), shown.stderr
