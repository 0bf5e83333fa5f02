"""kill -9 at random moments of `run`, `gate`, `report` and the building of caches: what is left is whole.

    python -m benchmarks.kills 500 --seed 1

Each command is timed once. Each round then starts one command in a process group of its own, kills the group at a
random moment of that time, and checks that every bundle verifies and that pages, indexes and states of gates are whole.
At the end the next command has to remove the folders of killed ones and rebuild what is broken. Exits with 1 when
anything was not whole.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from trace_parity.bundle.bundle import MANIFEST, verify

WORDS = "-cell 100 100 100 90 90 90 -lambda 6.2 -N 5 -distance 100 -detpixels 16 -pixel 0.1 -default_F 100"
CASE = f'id = "small"\ntitle = "a small crystal"\nargv = "{WORDS}"\npixels = [[8, 8]]\n'
MATRIX = "".join(f'[[cases]]\nid = "{i}"\nargv = "{WORDS} -phi {n}"\npixels = [[8, 8]]\n' for n, i in enumerate("abc"))
COMMANDS = {
    "run": ["run", "small.toml", "--no-images"],
    "gate": ["gate", "--matrix", "matrix.toml", "--out", "gate", "--no-images", "--resume", "--jobs", "1"],
    "report": ["report", "index", "reports"],
    "page": ["compare", "c.log", "py.log", "--format", "html:page.html"],
    "cache": ["compare", "c.log", "py.log"],
}
MARGIN = 1.2  # of a whole run's time, so that some rounds end by themselves


def command(words: list[str]) -> list[str]:
    return [sys.executable, "-m", "trace_parity", *words]


def run(words: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command(words), cwd=folder, env=environment, capture_output=True, check=False)


def faults(folder: Path) -> list[str]:
    """What is not whole."""
    found = []
    for manifest in folder.glob(f"*/*/*/{MANIFEST}"):
        if not manifest.parent.name.startswith("."):
            found += [f"{manifest.parent.name}: {fault}" for fault in verify(manifest.parent)]
    for page in (folder / "page.html", folder / "reports" / "index.html"):
        if page.exists() and not page.read_text(encoding="utf-8").rstrip().endswith("</html>"):
            found.append(f"{page.name} is not whole")
    state = folder / "gate" / "gate.json"
    if state.exists():
        try:
            json.loads(state.read_text(encoding="utf-8"))
        except ValueError:
            found.append("gate.json is not whole")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", type=int)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    draw = random.Random(asked.seed)
    killed: Counter[str] = Counter()
    broken: list[str] = []
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        folder = Path(name)
        (folder / "small.toml").write_text(CASE)
        (folder / "matrix.toml").write_text(MATRIX)
        (folder / "c.log").write_text("TRACE_C: beam_vec 1 0 0\n")
        (folder / "py.log").write_text("TRACE_PY: beam_vec 1 0 0.5\n")
        longest_s = {}
        for what in COMMANDS:
            start = time.monotonic()
            run(COMMANDS[what], folder, os.environ | {"XDG_CACHE_HOME": str(folder / "caches" / f"timed-{what}")})
            longest_s[what] = MARGIN * (time.monotonic() - start)
        shutil.rmtree(folder / "reports", ignore_errors=True)
        shutil.rmtree(folder / "gate", ignore_errors=True)
        for number in range(asked.rounds):
            what = draw.choices(list(COMMANDS), [1, 1, 4, 4, 4])[0]
            cache = folder / "caches" / str(number if what == "cache" else "shared")
            environment = os.environ | {"XDG_CACHE_HOME": str(cache), "TMPDIR": str(folder)}
            process = subprocess.Popen(
                command(COMMANDS[what]), cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0,
            )  # fmt: skip
            try:
                process.wait(draw.uniform(0, longest_s[what]))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                killed[what] += 1
            broken += [f"round {number}, {what}: {fault}" for fault in faults(folder)]
            if what == "cache":  # whatever the kill left in the cache, the next command works
                done = run(COMMANDS[what], folder, environment)
                if done.returncode != 1:
                    broken.append(f"round {number}: compare after a kill ends with {done.returncode}")
        environment = os.environ | {"XDG_CACHE_HOME": str(folder / "caches" / "shared"), "TMPDIR": str(folder)}
        for what in ("run", "gate", "report"):
            done = run(COMMANDS[what], folder, environment)
            if done.returncode:
                broken.append(f"{what} at the end: {done.returncode} {done.stderr.decode()[-200:]}")
        left = [p.name for p in folder.rglob(".partial-*") if p.parent.name in ("small", "c")]
        broken += [f"{name} is left" for name in left]
        bundles = len(list(folder.glob(f"*/*/*/{MANIFEST}")))
    counts = ", ".join(f"{what} {count}" for what, count in killed.items())
    print(f"{asked.rounds} rounds, {killed.total()} killed ({counts}), {bundles} bundles, {len(broken)} faults")
    for line in broken:
        print(line)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
