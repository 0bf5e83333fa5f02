"""Comparing two logs of a million lines: this tool beside its in-memory path, Python, pandas, GNU diff and numdiff.

    python benchmarks/compare_logs.py [--pixels 20000] [--repeat 5] [--budget SECONDS] [--keep FOLDER]

Makes two logs (50 lines a pixel: 40 of the trace, 10 of further φ steps; the numbers differ in the last digits as those
of two real programs do; 20 lines are missing on each side, not the same), lets each tool have them in turn, all in one
run, and prints medians, ratios and the largest resident memory. Every tool is a process of its own, started afresh.
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


READ_TEXT = """
import sys
from pathlib import Path
from trace_parity.pair.find import shipped
from trace_parity.trace import read_trace
from trace_parity.pair.vocabulary import load_vocabulary
print(len(read_trace(Path(sys.argv[1]), "C", shipped().vocabulary).rows))
"""

READ_COLUMNS = """
import sys
from pathlib import Path
from trace_parity.trace.parquet import ColumnFile
from trace_parity.pair.vocabulary import load_vocabulary
held = ColumnFile(Path(sys.argv[1]), "C", shipped().vocabulary)
print(sum(len(held.group(i)["value"].to_numpy()) for i in range(len(held.groups))))
"""


@dataclass(frozen=True)
class Taken:
    """One run of one tool."""

    seconds: float
    cpu: float
    peak_mb: float
    code: int


def measure(command: list[str]) -> Taken:
    with Path(os.devnull).open("wb") as null:
        start = time.perf_counter()
        pid = os.posix_spawn(
            command[0],
            command,
            {**os.environ, "PYTHONPATH": str(ROOT)},
            file_actions=[(os.POSIX_SPAWN_DUP2, null.fileno(), 1), (os.POSIX_SPAWN_DUP2, null.fileno(), 2)],
        )
        _, status, usage = os.wait4(pid, 0)
        seconds = time.perf_counter() - start
    # A child counts what its parent held at the fork; this parent is kept small (the logs are made in another process).
    return Taken(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status))


def peers(c: Path, py: Path, columns: Path) -> dict[str, list[str]]:
    """What is compared, by name."""
    logs = [str(c), str(py)]
    compare = [sys.executable, "-m", "trace_parity", "compare"]
    found = {
        "trace-diff compare (streaming)": [*compare, *logs, "--stream"],
        "trace-diff compare, files of columns": [*compare, str(columns), str(columns), "--stream"],
        "trace-diff compare --no-stream": [*compare, *logs, "--no-stream"],
        "plain Python loop": [sys.executable, "-c", PLAIN, *logs],
        "pandas": [sys.executable, "-c", PANDAS, *logs],
        "GNU diff": ["diff", *logs],
        "numdiff": ["numdiff", "-r", "1e-6", *logs],
        "reading one log as text, in memory": [sys.executable, "-c", READ_TEXT, logs[0]],
        "reading it back from columns": [sys.executable, "-c", READ_COLUMNS, str(columns)],
    }
    tools = {name: shutil.which(words[0]) for name, words in found.items()}
    for name, tool in tools.items():
        if tool is None:
            print(f"{name} is not installed")
    return {name: [tool, *found[name][1:]] for name, tool in tools.items() if tool is not None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pixels", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--budget", type=float, default=600.0, help="seconds after which a tool is not run again")
    parser.add_argument("--keep", type=Path, help="make the logs here and leave them; logs that lie there are taken")
    parser.add_argument("--only", default="", help="only tools whose name contains this")
    parser.add_argument("--generate", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.generate:
        generate(asked.generate, asked.pixels)
        return
    with tempfile.TemporaryDirectory() as made:
        folder = asked.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        logs, columns = (folder / "c.log", folder / "py.log"), folder / "rows.parquet"
        if not all(log.exists() for log in logs):
            words = [sys.executable, __file__, "--generate", str(folder), "--pixels", str(asked.pixels)]
            subprocess.run(words, check=True)
        if not columns.exists():
            words = [
                sys.executable,
                "-m",
                "trace_parity",
                "compare",
                *map(str, logs),
                "--columns",
                str(columns),
                "--stream",
            ]
            measure(words)
        sizes = ", ".join(f"{path.name} {path.stat().st_size / 1e6:.0f} MB" for path in (*logs, columns))
        print(f"logs of {50 * asked.pixels} lines each: {sizes}")
        run_all({name: words for name, words in peers(*logs, columns).items() if asked.only in name}, asked)


def run_all(tools: dict[str, list[str]], asked: argparse.Namespace) -> None:
    """Every tool in turn, again and again, so that a busy spell of the machine meets all of them."""
    taken: dict[str, list[Taken]] = {name: [] for name in tools}
    for _ in range(asked.repeat):
        for name, words in tools.items():
            if sum(run.seconds for run in taken[name]) <= asked.budget:
                taken[name].append(measure(words))
    report(taken)


def report(taken: dict[str, list[Taken]]) -> None:
    first = statistics.median(run.seconds for run in next(iter(taken.values())))
    print("| tool | runs | median s | fastest to slowest s | times the first | median CPU s | peak MB | exit |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, runs in taken.items():
        seconds = sorted(run.seconds for run in runs)
        median = statistics.median(seconds)
        cpu, peak = statistics.median(run.cpu for run in runs), max(run.peak_mb for run in runs)
        spread = f"{seconds[0]:.2f} to {seconds[-1]:.2f}"
        print(
            f"| {name} | {len(runs)} | {median:.2f} | {spread} | {median / first:.1f} | {cpu:.2f} | {peak:.0f} "
            f"| {' '.join(map(str, sorted({run.code for run in runs})))} |"
        )


if __name__ == "__main__":
    main()
