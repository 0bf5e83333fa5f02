"""Properties of the program apart from its figures: threads, probes, state, atomic outputs, progress, sanitizers."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests import tolerances as tol
from tests.golden import golden_cases, golden_image, image_faults, needs_shared, parse_trace
from tests.reference_c.conftest import SOURCE, Program

CELL = "-cell 70 80 90 85 95 105 -N 4 -pixel 0.8 -distance 100 -nopgm -nonoise -intfile /dev/null".split()
PLAIN = [*CELL, "-default_F", "50", "-oversample", "1", "-detpixels", "32", "-dump", "/dev/null"]
PHI = ["-osc", "1", "-phisteps", "4"]
CASES = golden_cases()


def grid(folder: Path, size: int = 6) -> Path:
    """A small reflection file with holes; most of the detector lies outside it."""
    span = range(-size, size + 1)
    listed = [(h, k, l) for h in span for k in span for l in span if h * k != l]
    lines = [f"{h} {k} {l} {20 + 5 * np.cos(h + 2 * k + 3 * l):.3f}" for h, k, l in listed]
    path = folder / "grid.hkl"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    "extra",
    [PHI, [*PHI, "-mosaic", "1", "-mosaic_dom", "3", "-divergence", "1", "-divsteps", "2"], ["-interpolate"]],
    ids=["phi", "all_loops", "interpolation"],
)
def test_threads_change_no_bit(extra: list[str], plain: Program, tmp_path: Path) -> None:
    args = [*CELL, "-hkl", grid(tmp_path).name, "-default_F", "3", "-oversample", "2", "-detpixels", "32", *extra]
    images = [plain.image([*args, "-fix", "all", "-threads", n], tmp_path, (32, 32)) for n in "1235"]
    for image, printed in images[1:]:
        assert image.tobytes() == images[0][0].tobytes()
        assert printed == images[0][1]


def test_a_leaking_run_says_so(plain: Program, tmp_path: Path) -> None:
    run = [*PLAIN, *PHI, "-floatfile", "f"]
    assert "one thread" in plain.run(run, tmp_path).stderr
    assert "WARNING: with -threads 2" in plain.run([*run, "-threads", "2"], tmp_path).stderr
    for quiet in (["-fix", "phi-carryover"], ["-fix", "interp-latch,phi-carryover"], ["-phi", "3"]):
        done = plain.run([*run, *quiet], tmp_path)
        assert "thread" not in done.stderr, quiet
    latch = [*CELL, "-hkl", grid(tmp_path).name, "-detpixels", "16", "-interpolate", "-floatfile", "f"]
    assert "interp-latch" in plain.run(latch, tmp_path).stderr
    assert "thread" not in plain.run([*latch, "-fix", "interp-latch"], tmp_path).stderr


def test_probes_that_are_off_change_no_bit(plain: Program, traced: Program, tmp_path: Path) -> None:
    args = [*PLAIN, *PHI, "-mosaic", "1", "-mosaic_dom", "3", "-oversample", "2"]
    without, _ = plain.image(args, tmp_path, (32, 32))
    off, _ = traced.image(args, tmp_path, (32, 32))
    on, _ = traced.image([*args, "-trace_pixel", "3", "4", "-trace_file", "t.log"], tmp_path, (32, 32))
    assert without.tobytes() == off.tobytes() == on.tobytes()


@pytest.mark.parametrize("fix", ["none", "all"])
@pytest.mark.parametrize(
    "extra",
    [PHI, [*PHI, "-dmin", "9"], ["-interpolate"], ["-interpolate", *PHI, "-roi", "3", "30", "2", "30"]],
    ids=["phi", "phi_dmin", "interpolation", "both"],
)
def test_a_traced_pixel_is_the_rendered_one(extra: list[str], fix: str, traced: Program, tmp_path: Path) -> None:
    args = [*CELL, "-hkl", grid(tmp_path).name, "-oversample", "1", "-detpixels", "32", *extra, "-fix", fix]
    image, _ = traced.image(args, tmp_path, (32, 32))
    # forwards, back, and forwards again: the walk to the leaked state must start anew when it has to
    pixels = [(13, 14), (16, 17), (2, 3), (2, 4), (17, 16), (30, 30), (20, 20)]
    asked = [str(word) for s, f in pixels for word in ("-trace_pixel", s, f)]
    rows = parse_trace(traced.run([*args, *asked], tmp_path).stdout)
    got = [rows[((f"spixel={s}", f"fpixel={f}"), "floatimage_accumulated")][0] for s, f in pixels]
    assert np.array(got, np.float32).tobytes() == np.array([image[s, f] for s, f in pixels], np.float32).tobytes()


def test_vectors_of_every_step_are_dual(traced: Program, tmp_path: Path) -> None:
    args = [*PLAIN, *PHI, "-misset", "10", "20", "30", "-mosaic", "2", "-mosaic_dom", "3", "-trace_pixel", "5", "6"]
    rows = parse_trace(traced.run(args, tmp_path).stdout)
    steps = {keys for keys, _ in rows if len(keys) == 8}
    assert len(steps) == 12
    for keys in steps:
        real = np.array([rows[(keys, f"rot_{x}_angstroms")] for x in "abc"])
        star = np.array([rows[(keys, f"rot_{x}_star_A_inv")] for x in "abc"])
        np.testing.assert_allclose(real @ star.T, np.eye(3), rtol=0, atol=tol.DUALITY)
        assert rows[(keys, "V_actual_A3")][0] == pytest.approx(np.linalg.det(real), rel=tol.TRACE_REL)


def test_trace_names_come_in_the_order_of_the_header(traced: Program, tmp_path: Path) -> None:
    header = (SOURCE / "src" / "trace_names.h").read_text()
    names = re.findall(r"^TRACE_NAME\((\w+), (\w+), (\d+)\)$", header, re.M)
    assert len(names) == header.count("TRACE_NAME(") - 1, "one line has another form (the comment counts once)"
    text = traced.run([*PLAIN, "-trace_pixel", "5", "6", "-trace_pixel", "5", "6"], tmp_path).stdout
    lines = [line for line in text.splitlines() if line.startswith("TRACE_")]
    assert [line.split(": ")[1].split()[0] for line in lines] == [name for _, name, _ in names]
    assert [len(line.split(": ")[1].split()) - 1 for line in lines] == [int(size) for _, _, size in names]
    depth = {"run": 0, "mosaic": 1, "subsample": 5, "source": 6, "step": 8, "pixel": 2}
    assert [line.split(": ")[0].count("=") for line in lines] == [depth[scope] for scope, _, _ in names]


def test_a_skipped_source_shows_no_polarisation_and_no_steps(traced: Program, tmp_path: Path) -> None:
    rows = parse_trace(traced.run([*PLAIN, "-dmin", "50", "-trace_pixel", "0", "0"], tmp_path).stdout)
    names = {name for keys, name in rows if keys}
    assert "scattering_vec_m_inv" in names
    assert not names & {"polar", "phi_deg", "I_running"}
    assert rows[(("spixel=0", "fpixel=0"), "polar_final")] == (0.0,)


def test_trace_file(traced: Program, tmp_path: Path) -> None:
    args = "-cell 70 80 90 85 95 105 -default_F 50 -N 4 -oversample 1 -trace_pixel 5 6".split()
    on_stdout = traced.run(args, tmp_path)
    (tmp_path / "t.log").write_text("an older trace")
    in_file = traced.run([*args, "-trace_file", "t.log"], tmp_path)
    assert "tracing only" in in_file.stderr
    lines = [line for line in on_stdout.stdout.splitlines() if line.startswith("TRACE_C")]
    assert (tmp_path / "t.log").read_text().splitlines() == lines
    assert "TRACE_C" not in in_file.stdout
    assert [p.name for p in tmp_path.iterdir()] == ["t.log"]


def test_an_unknown_probe_does_not_compile(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler")
    command = [compiler, "-std=c11", f"-I{SOURCE / 'src'}", "-c", "-x", "c", "-", "-o", str(tmp_path / "p.o")]

    def compiles(probe: str, *flags: str) -> bool:
        code = f'#include "probe.h"\nvoid f(Tracer *t, Vec3 v) {{ (void)t; (void)v; {probe}; }}\n'
        done = subprocess.run([*command, *flags], input=code, text=True, capture_output=True, check=False)
        return done.returncode == 0

    for flags in ((), ("-DTRACE",)):
        assert compiles("PROBE3(t, step, hkl_frac, v)", *flags)
        assert not compiles("PROBE3(t, step, hkl_fraction, v)", *flags), "an unknown name"
        assert not compiles("PROBE3(t, source, hkl_frac, v)", *flags), "a name of another scope"
        assert not compiles("PROBE(t, step, hkl_frac, 1.0)", *flags), "another size"


def test_every_quirk_has_its_place_in_the_code() -> None:
    code = "".join(path.read_text() for path in (SOURCE / "src").glob("*.c"))
    ids = """phi-carryover interp-latch running-product first-value triclinic-cell convention-reset custom-switch
        pix0-ignored twotheta-axis-sets-twotheta misset-seed-clobbers misset-90-radians dials-origin-no-semicolon
        masked-rmsd""".split()
    assert [quirk for quirk in ids if f"uirk {quirk}" not in code and f" {quirk}" not in code] == []


def test_dump_file_round_trip(plain: Program, tmp_path: Path) -> None:
    args = [*CELL, "-oversample", "1", "-detpixels", "32", "-default_F", "3"]
    from_text, _ = plain.image([*args, "-hkl", grid(tmp_path).name, "-dump", "d.bin"], tmp_path, (32, 32))
    from_dump, _ = plain.image([*args, "-dump", "d.bin"], tmp_path, (32, 32))
    assert from_text.tobytes() == from_dump.tobytes()
    head, _, body = (tmp_path / "d.bin").read_bytes().partition(b"\n\f")
    assert head == b"-6 6 -6 6 -6 6"
    values = np.frombuffer(body).reshape(14, 14, 14)
    assert values[7, 8, 6] == pytest.approx(20 + 5 * np.cos(1 + 4), abs=1e-3)
    assert values[6, 6, 6] == 3.0, "a hole holds default_F"
    assert not values[-1].any()
    assert not values[:, -1].any()
    assert not values[:, :, -1].any()


def test_progress(plain: Program, tmp_path: Path) -> None:
    done = plain.run([*PLAIN, "-floatfile", "f", "-fix", "all"], tmp_path)
    percents = [int(p) for p in re.findall(r"^(\d+)% done$", done.stderr, re.M)]
    assert percents == sorted(set(percents))
    assert percents[-1] == 100
    assert len(percents) > 10
    assert plain.run([*PLAIN, "-floatfile", "f", "-fix", "all", "-noprogress"], tmp_path).stderr == ""


def test_outputs_replace_their_target_at_once(plain: Program, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "real.bin"
    target.parent.mkdir()
    target.write_text("old")
    link = tmp_path / "link.bin"
    link.symlink_to(target)
    assert plain.run([*PLAIN, "-floatfile", "link.bin"], tmp_path).returncode == 0
    assert link.is_symlink()
    assert target.stat().st_size == 4 * 32 * 32
    assert [p.name for p in target.parent.iterdir()] == ["real.bin"]
    command = [str(plain.path), *PLAIN, "-floatfile", "/dev/stderr", "-noprogress"]
    streamed = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert streamed.stderr == target.read_bytes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_killed_run_leaves_nothing(number: signal.Signals, plain: Program, tmp_path: Path) -> None:
    (tmp_path / "f.bin").write_text("old")
    endless = [*PLAIN, "-oversample", "400", "-floatfile", "f.bin", "-fix", "all"]
    process = subprocess.Popen(
        [str(plain.path), *endless], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    assert process.stderr.readline() == "0% done\n"
    process.send_signal(number)
    assert process.wait(timeout=30) == -number
    assert [p.name for p in tmp_path.iterdir()] == ["f.bin"]
    assert (tmp_path / "f.bin").read_text() == "old"


def test_builds_alone_and_installs(plain: Program, tmp_path: Path) -> None:
    assert plain.path.is_file()
    alone = tmp_path / "alone"
    shutil.copytree(SOURCE, alone, ignore=shutil.ignore_patterns("build"))
    command = ["make", "-j2", "install", f"DESTDIR={tmp_path / 'root'}", "PREFIX=/p", f"BUILD={tmp_path / 'b'}"]
    command += ["CFLAGS=-O0 -ffast-math", "WARN=-Wall -Wextra -Wpedantic -Wconversion -Werror"]
    done = subprocess.run(command, cwd=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    installed = Program(tmp_path / "root" / "p" / "bin" / "nanoBragg")
    # another optimisation level, and a CFLAGS that asks for inexact arithmetic: still the same bits
    same, _ = installed.image([*PLAIN, *PHI, "-misset", "1", "2", "3"], tmp_path, (32, 32))
    ours, _ = plain.image([*PLAIN, *PHI, "-misset", "1", "2", "3"], tmp_path, (32, 32))
    assert same.tobytes() == ours.tobytes()


def test_clang_build_gives_the_same_bits(plain: Program, tmp_path: Path) -> None:
    if not shutil.which("clang"):
        pytest.skip("no clang")
    strict = "WARN=-Wall -Wextra -Wpedantic -Wconversion -Werror"
    command = ["make", "-j2", "-C", str(SOURCE), "CC=clang", f"BUILD={tmp_path / 'b'}", strict]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    args = [*PLAIN, *PHI, "-mosaic", "1", "-mosaic_dom", "3"]
    same, _ = Program(tmp_path / "b" / "nanoBragg").image(args, tmp_path, (32, 32))
    ours, _ = plain.image(args, tmp_path, (32, 32))
    assert same.tobytes() == ours.tobytes()


@needs_shared
@pytest.mark.parametrize("name", CASES)
def test_golden_case_under_sanitizers(name: str, sanitized: Program, inputs: Path) -> None:
    case = CASES[name]
    image, _ = sanitized.image(["-seed", "1", "-trace_pixel", "30", "30", *case.args], inputs, case.shape)
    variant = f"{name}__state_leak" if case.has_state_leak else name
    if not name.startswith("noise"):
        assert image_faults(image, golden_image(variant)) == ""


def test_fuzz_targets_run(tmp_path: Path) -> None:
    if not shutil.which("clang"):
        pytest.skip("no clang, so no libFuzzer")
    command = ["make", "-j2", "-C", str(SOURCE), "fuzz", f"BUILD={tmp_path / 'b'}", "FUZZ_RUNS=500"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("  FUZZ  ") == 5
