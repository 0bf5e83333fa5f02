"""Structure factors of a 5,000-atom structure in P 21 3 to 3 A: this build and an older one, in turn in one run.

    python -m benchmarks.coordinate_sums OLD_CHECKOUT [--rounds N]

OLD_CHECKOUT is a worktree of the repository (`git worktree add OLD_CHECKOUT COMMIT`); both builds run in this Python,
each in a process of its own, and write the same list. Times are CPU seconds of `read_reflections`, all threads, and
in brackets of the whole process. The lists are compared: relative RMS difference of the amplitudes.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent.parent
ATOMS, CELL_A, D_MIN_A = 5000, 134.0, 3.0


def write_structure(path: Path) -> None:
    """A made-up protein: random places, the elements and B of one."""
    random = np.random.default_rng(1)
    places = random.random((ATOMS, 3)) * CELL_A
    elements = random.choice(["C", "N", "O", "S"], ATOMS, p=[0.63, 0.17, 0.19, 0.01])
    B_A2 = random.uniform(10.0, 60.0, ATOMS)
    lines = [f"CRYST1{CELL_A:9.3f}{CELL_A:9.3f}{CELL_A:9.3f}  90.00  90.00  90.00 P 21 3       12"]
    for n, ((x, y, z), element, b) in enumerate(zip(places.tolist(), elements, B_A2, strict=True), start=1):
        residue = 1 + n // 8
        lines.append(
            f"ATOM  {n:5d}  {element:<3} ALA A{residue:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00{b:6.2f}"
            f"          {element:>2}"
        )
    path.write_text("\n".join(lines) + "\nEND\n")


CODE = """
import sys, time
from {package}.io.hkl import write_hkl
from {package}.io.xtal import read_reflections
begin = time.process_time()
reflections, _ = read_reflections(sys.argv[1], d_min_A=float(sys.argv[3]))
print(time.process_time() - begin)
from pathlib import Path
write_hkl(Path(sys.argv[2]), reflections)
"""


def run(checkout: Path, source: Path, out: Path) -> tuple[float, float]:
    """CPU seconds of reading and summing, and of the whole process with its start and the writing of the list."""
    new = (checkout / "simulator" / "nanobragg_torch").is_dir()
    code = CODE.format(package="nanobragg_torch" if new else "simulator")
    path = str(checkout / "simulator" if new else checkout)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = [sys.executable, "-c", code, str(source), str(out), str(D_MIN_A)]
    done = subprocess.run(
        words, cwd=checkout, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return float(done.stdout), after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def amplitudes(path: Path) -> dict[tuple[int, ...], float]:
    rows = np.loadtxt(path)
    return {tuple(h): F for h, F in zip(rows[:, :3].astype(int).tolist(), rows[:, 3].tolist(), strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path, help="a checkout of the older build")
    parser.add_argument("--rounds", type=int, default=2)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_structure(folder / "made.pdb")
        times: dict[str, list[float]] = {"old": [], "new": []}
        for _ in range(words.rounds):
            for which, checkout in (("old", words.old.resolve()), ("new", HERE)):
                seconds, whole = run(checkout, folder / "made.pdb", folder / f"{which}.hkl")
                times[which].append(seconds)
                print(f"{which}: {seconds:.2f} s CPU (whole process {whole:.2f} s)", flush=True)
        old, new = (amplitudes(folder / f"{which}.hkl") for which in ("old", "new"))
    assert set(old) == set(new), "the lists hold different reflections"
    exact, ours = (np.array([found[h] for h in old]) for found in (old, new))
    rms = float(np.sqrt(((ours - exact) ** 2).sum() / (exact**2).sum()))
    print(f"{len(old)} reflections, relative RMS difference {rms:.1e}")
    before, after = min(times["old"]), min(times["new"])
    print(f"best of {words.rounds}: {before:.2f} s and {after:.2f} s: {before / after:.1f} times faster")


if __name__ == "__main__":
    main()
