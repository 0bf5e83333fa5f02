"""The wheel works outside the checkout: data from the package, the C program built into the user's cache."""

from __future__ import annotations

import os
import shutil
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
    words = ["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--target"]
    subprocess.run([sys.executable, *words, site, wheel], check=True, capture_output=True)
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


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The python of a fresh environment with the wheel, whose dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("installed") / "env"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    site = Path(sysconfig.get_path("purelib", "venv", vars={"base": str(folder), "platbase": str(folder)}))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--force-reinstall"]
    subprocess.run([*pip, "--quiet", "--disable-pip-version-check", str(wheel)], check=True, capture_output=True)
    return python


def clean_environment(folder: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
    return {**kept, "XDG_CACHE_HOME": str(folder / "cache")}


def test_a_project_with_packages_of_the_same_names(installed: Path, tmp_path: Path) -> None:
    python = installed
    project = tmp_path / "project"
    for name in ("harness", "simulator", "traces", "tests"):
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text("OWN = 1\n")
    (project / "tests" / "test_own.py").write_text(OWN_TEST)
    (project / "small.toml").write_text(CASE)
    environment = clean_environment(tmp_path)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, cwd=project, env=environment, capture_output=True, text=True, check=False)

    where = run(
        str(python), "-c", "import trace_parity, nanobragg_torch as n; print(trace_parity.__file__, n.__file__)"
    )
    assert where.stdout.count(str(python.parents[1])) == 2, where
    tests = run(str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert (tests.returncode, "2 passed" in tests.stdout) == (0, True), tests.stdout + tests.stderr
    done = run(str(python.with_name("trace-diff")), "run", "small.toml", "--no-preflight")
    assert done.returncode == 0, done.stdout + done.stderr
    shown = run(str(python), "-m", "nanobragg_torch", "-show_config", *CASE.split('argv = "')[1].split('"')[0].split())
    assert (shown.returncode, "detpixels" in shown.stdout or "{" in shown.stdout) == (0, True), shown.stderr


@pytest.mark.parametrize(("name", "case"), [("lennard_jones", "small"), ("shallow_water", "hill")])
def test_the_example_pairs_run_from_an_installed_wheel(installed: Path, tmp_path: Path, name: str, case: str) -> None:
    pair = tmp_path / name
    ignored = shutil.ignore_patterns("build", "reports", "__pycache__")
    shutil.copytree(ROOT / "examples" / "pairs" / name, pair, ignore=ignored)

    def trace_diff(folder: Path, *words: str) -> str:
        command = [str(installed.with_name("trace-diff")), *words]
        environment = clean_environment(tmp_path)
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (words, done.stdout + done.stderr)
        return done.stdout

    assert "PARITY" in trace_diff(tmp_path, "run", case, "--pair", name)
    (bundle,) = (tmp_path / "reports" / case).iterdir()
    logs = [str(bundle / "traces" / f"{side}.log") for side in ("c", "py")]
    assert "Broken equations: none of" in trace_diff(tmp_path, "blame", *logs, "--pair", name)
    (bundle / "report.html").unlink()
    trace_diff(tmp_path, "report", "render", str(bundle))
    assert (bundle / "report.html").is_file()
    assert "1 case: 1 in parity, 0 not" in trace_diff(pair, "gate", "--only", case)  # from inside, without --pair
    assert "Broken equations: none of" in trace_diff(pair, "blame", *logs)


def test_two_shell_scripts_are_a_pair_in_five_lines(installed: Path, tmp_path: Path) -> None:
    for side in ("C", "PY"):
        (tmp_path / f"{side}.sh").write_text(f"echo TRACE_{side}: steps 3; echo TRACE_{side}: energy 1.25\n")
    lines = ['title = "two scripts"']
    lines += [f"[programs.{side}]\ntrace = 'sh {{pair}}/{side}.sh'" for side in ("C", "PY")]
    (tmp_path / "pair.toml").write_text("\n".join(lines) + "\n")
    assert len((tmp_path / "pair.toml").read_text().splitlines()) == 5
    command = [str(installed.with_name("trace-diff")), "run", "--"]
    environment = clean_environment(tmp_path)
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "all 2 numbers agree" in done.stdout) == (0, True), done.stdout + done.stderr
