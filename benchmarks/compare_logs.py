"""Comparing two logs of a million lines: this build, an older one, Python, pandas, GNU diff and numdiff.

    python benchmarks/compare_logs.py [--old COMMIT] [--pixels 20000] [--repeat 5] [--budget SECONDS] [--keep FOLDER]

Makes two logs (50 lines a pixel: 40 of the trace, 10 of further φ steps; the numbers differ in the last digits as those
of two real programs do; 20 lines are missing on each side, not the same), lets each tool have them in turn, all in one
run, and prints medians, ratios and the largest resident memory. Every tool is a process of its own, started afresh.
`--old` checks a commit out into a work tree of its own and runs its `compare` in turn with this one; `--old-words` are
options that it needs (`--stream` for builds that had two engines).
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "traces" / "golden" / "supervisor_trace_685_1039.log"
_LINE = re.compile(r"TRACE_C\[spixel=\d+ fpixel=\d+([^\]]*)\]: (\S+) (.*)")
Template = list[tuple[str, str, list[str]]]

PLAIN = """
import sys
for path in sys.argv[1:]:
    rows = {}
    with open(path) as log:
        for line in log:
            place, _, rest = line.partition(": ")
            name, *words = rest.split()
            rows[place[place.index("["):], name] = [float(word) for word in words]
    sides = sides + [rows] if path != sys.argv[1] else [rows]
c, py = sides
worst = 0.0
for row, values in c.items():
    for a, b in zip(values, py.get(row, ())):
        if a != b:
            worst = max(worst, abs(a - b) / max(abs(a), abs(b)))
print(len(c.keys() - py.keys()), len(py.keys() - c.keys()), worst)
"""

PANDAS = """
import sys
import pandas as pd
def read(path):
    with open(path) as log:
        lines = pd.Series(log.read().splitlines()).str.split("]: ", n=1, expand=True)
    parts = lines[1].str.split(" ", n=1, expand=True)
    numbers = parts[1].str.split(" ", expand=True).astype(float)
    numbers.index = pd.MultiIndex.from_arrays([lines[0].str.partition("[")[2], parts[0]])
    return numbers
c, py = read(sys.argv[1]), read(sys.argv[2])
both = c.join(py, how="outer", lsuffix="_c", rsuffix="_py")
for i in range(3):
    a, b = both[f"{i}_c"], both[f"{i}_py"]
    print(((a - b).abs() / a.abs().combine(b.abs(), max)).max())
"""


def template() -> Template:
    """(loop indices behind the pixel, name, numbers) of the 50 lines of a pixel, from a golden trace."""
    lines = [_LINE.match(line) for line in GOLDEN.read_text().splitlines()]
    parts = [(m[1], m[2], m[3].split()) for m in lines if m is not None]
    before = [p for p in parts if "subS" in p[0] and "phi_tic" not in p[0]]
    closing = [p for p in parts if "subS" not in p[0]]
    steps = [p for p in parts if "phi_tic=0 " in p[0]] + [p for p in parts if "phi_tic=1 " in p[0]][:6]
    phi = next(p for p in steps if p[1] == "hkl_frac")
    further = [(phi[0].replace("phi_tic=0", f"phi_tic={tick}"), phi[1], phi[2]) for tick in range(2, 12)]
    made = [*before, *steps, *further, *closing]
    assert len(made) == 50, len(made)
    return made


def generate(folder: Path, pixels: int, missing: int = 20) -> tuple[Path, Path]:
    """Two logs of `50 * pixels` lines less the missing ones."""
    rng = random.Random(7)
    lines = template()
    gone = [set(rng.sample(range(50 * pixels), missing)) for _ in range(2)]
    paths = folder / "c.log", folder / "py.log"
    with paths[0].open("w") as c_log, paths[1].open("w") as py_log:
        number = 0
        for pixel in range(pixels):
            place = f"[spixel={pixel // 200} fpixel={pixel % 200}"
            c_block, py_block = [], []
            for loops, name, words in lines:
                c_words, py_words = [], []
                for word in words:
                    if "." in word or "e" in word:
                        c = float(word) * (1 + 1e-3 * rng.random())
                        c_words.append(f"{c:.17g}")
                        py_words.append(f"{c * (1 + rng.choice((0.0, 2e-16, -4e-16, 1e-15))):.17g}")
                    else:
                        c_words.append(word)
                        py_words.append(word)
                if number not in gone[0]:
                    c_block.append(f"TRACE_C{place}{loops}]: {name} {' '.join(c_words)}\n")
                if number not in gone[1]:
                    py_block.append(f"TRACE_PY{place}{loops}]: {name} {' '.join(py_words)}\n")
                number += 1
            c_log.writelines(c_block)
            py_log.writelines(py_block)
    return paths


@dataclass(frozen=True)
class Taken:
    """One run of one tool."""

    seconds: float
    cpu: float
    peak_mb: float
    code: int


Command = tuple[list[str], dict[str, str]]
"""Words, and what is set in the environment."""


def measure(command: Command) -> Taken:
    words, more = command
    with Path(os.devnull).open("wb") as null:
        start = time.perf_counter()
        pid = os.posix_spawn(
            words[0],
            words,
            {**os.environ, "PYTHONDONTWRITEBYTECODE": "", **more},
            file_actions=[(os.POSIX_SPAWN_DUP2, null.fileno(), 1), (os.POSIX_SPAWN_DUP2, null.fileno(), 2)],
        )
        _, status, usage = os.wait4(pid, 0)
        seconds = time.perf_counter() - start
    # A child counts what its parent held at the fork; this parent is kept small (the logs are made in another process).
    return Taken(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status))


def build(root: Path) -> dict[str, str]:
    """The environment in which a checkout's own packages are imported."""
    return {"PYTHONPATH": os.pathsep.join(str(root / part) for part in ("harness", "simulator", "."))}


SHUFFLE = """
import random, sys
from pathlib import Path
lines = Path(sys.argv[1]).read_bytes().splitlines(keepends=True)
random.Random(3).shuffle(lines)
Path(sys.argv[2]).write_bytes(b"".join(lines))
"""


def shuffled(log: Path) -> Path:
    """The log with its lines in another order."""
    path = log.with_name(f"shuffled_{log.name}")
    if not path.exists():  # in a process of its own: what this one holds would count for its children
        subprocess.run([sys.executable, "-c", SHUFFLE, log, path], check=True)
    return path


def builds(logs: tuple[Path, Path], old: Path | None, old_words: list[str]) -> dict[str, Command]:
    """This build and the old one on each job, next to each other."""
    compare = [sys.executable, "-m", "trace_parity", "compare"]
    mixed, columns = [str(logs[0]), str(shuffled(logs[1]))], logs[0].with_name("{}.parquet")
    plain = list(map(str, logs))
    found: dict[str, Command] = {}
    for name, root, words in (("new", ROOT, []), ("old", old, old_words)):
        if root is None:
            continue
        own, file = build(root), str(columns).format(name)
        bare = {**own, "CC": "no-such-compiler", "XDG_CACHE_HOME": str(logs[0].parent / "no-cache")}
        found |= {
            f"{name}: two logs": ([*compare, *plain, *words], own),
            f"{name}: one of them shuffled": ([*compare, *mixed, *words], own),
            f"{name}: writing columns": ([*compare, *plain, "--columns", file, *words], own),
            f"{name}: reading columns": ([*compare, file, file, *words], own),
        }
        if name == "new":  # without a compiler the old one held both logs in memory, for minutes
            found[f"{name}: without a compiler"] = ([*compare, *plain], bare)
    jobs = list(dict.fromkeys(name.partition(": ")[2] for name in found))
    return {
        f"{one}: {job}": found[f"{one}: {job}"] for job in jobs for one in ("new", "old") if f"{one}: {job}" in found
    }


def peers(c: Path, py: Path) -> dict[str, Command]:
    """Other tools, by name."""
    logs = [str(c), str(py)]
    found = {
        "plain Python loop": [sys.executable, "-c", PLAIN, *logs],
        "pandas": [sys.executable, "-c", PANDAS, *logs],
        "GNU diff": ["diff", *logs],
        "numdiff": ["numdiff", "-r", "1e-6", *logs],
    }
    tools = {name: shutil.which(words[0]) for name, words in found.items()}
    for name, tool in tools.items():
        if tool is None:
            print(f"{name} is not installed")
    return {name: ([tool, *found[name][1:]], {}) for name, tool in tools.items() if tool is not None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pixels", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--budget", type=float, default=600.0, help="seconds after which a tool is not run again")
    parser.add_argument("--keep", type=Path, help="make the logs here and leave them; logs that lie there are taken")
    parser.add_argument("--old", default="", metavar="COMMIT", help="another build, run in turn with this one")
    parser.add_argument("--old-words", default="", help="options that its compare needs")
    parser.add_argument("--builds-only", action="store_true", help="leave out the other tools")
    parser.add_argument("--only", default="", help="only tools whose name contains this")
    parser.add_argument("--generate", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.generate:
        generate(asked.generate, asked.pixels)
        return
    with tempfile.TemporaryDirectory() as made:
        folder = asked.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        logs = (folder / "c.log", folder / "py.log")
        if not all(log.exists() for log in logs):
            words = [sys.executable, __file__, "--generate", str(folder), "--pixels", str(asked.pixels)]
            subprocess.run(words, check=True)
        sizes = ", ".join(f"{path.name} {path.stat().st_size / 1e6:.0f} MB" for path in logs)
        print(f"logs of {50 * asked.pixels} lines each: {sizes}")
        with work_tree(asked.old, Path(made) / "old") as old:
            tools = builds(logs, old, asked.old_words.split()) | ({} if asked.builds_only else peers(*logs))
            run_all({name: words for name, words in tools.items() if asked.only in name}, asked)


@contextmanager
def work_tree(commit: str, folder: Path) -> Iterator[Path | None]:
    """A checkout of the commit; None where there is none."""
    if not commit:
        yield None
        return
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(folder), commit], check=True)
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def run_all(tools: dict[str, Command], asked: argparse.Namespace) -> None:
    """Every tool in turn, again and again, so that a busy spell of the machine meets all of them."""
    taken: dict[str, list[Taken]] = {name: [] for name in tools}
    for _ in range(asked.repeat):
        for name, words in tools.items():
            if sum(run.seconds for run in taken[name]) <= asked.budget:
                taken[name].append(measure(words))
    report(taken)


def report(taken: dict[str, list[Taken]]) -> None:
    print("| tool | runs | median s | fastest to slowest s | CPU s | peak MB | exit | new / old: CPU | wall | peak |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    middle = {
        name: tuple(statistics.median(value(run) for run in runs) for value in (_cpu, _wall, _peak))
        for name, runs in taken.items()
    }
    for name, runs in taken.items():
        seconds = sorted(map(_wall, runs))
        cpu, wall, peak = middle[name]
        old = middle.get(name.replace("new:", "old:")) if name.startswith("new:") else None
        ratios = " | ".join(
            "" if old is None else f"{a / b:.2f}" for a, b in zip(middle[name], old or middle[name], strict=True)
        )
        codes = " ".join(map(str, sorted({run.code for run in runs})))
        spread = f"{seconds[0]:.2f} to {seconds[-1]:.2f}"
        print(f"| {name} | {len(runs)} | {wall:.2f} | {spread} | {cpu:.2f} | {peak:.0f} | {codes} | {ratios} |")


def _cpu(run: Taken) -> float:
    return run.cpu


def _wall(run: Taken) -> float:
    return run.seconds


def _peak(run: Taken) -> float:
    return run.peak_mb


if __name__ == "__main__":
    main()
