"""A pair of two small scripts for tests of many cases: quick to start, with faults that need flags to come together."""

from __future__ import annotations

from pathlib import Path

PROGRAM = """
import os, signal, sys

def main():
    side = {side!r}
    words, given = sys.argv[1:], {{}}
    while words:
        flag = words.pop(0)
        if flag in ("-swap", "-wrap", "-cube", "-crash", "-slow"):
            given[flag] = 1.0
        elif flag in ("-n", "-scale", "-offset", "-power", "-trace"):
            given[flag] = words.pop(0)
        else:
            sys.exit("unknown flag " + flag)
    n, scale = int(given.get("-n", 3)), float(given.get("-scale", 1))
    offset, power = float(given.get("-offset", 0)), int(given.get("-power", 1))
    port = side == "PY"
    if port and "-crash" in given:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "-slow" in given:
        import time
        time.sleep(0.5)
    lines, total = [], 0.0
    for i in range(n):
        x = scale * (i + 1) + offset
        if port and offset > 0 and n >= 4:  # fault 1: two flags with values
            x += 1e-3
        y = x ** power
        if port and "-swap" in given and "-cube" in given:  # fault 2: two switches
            y += 1e-3
        total += y
        w = total / (i + 1)
        if port and "-wrap" in given and scale != 1 and power >= 3:  # fault 3: a switch and two values
            w *= 1.001
        lines += [f"TRACE_{{side}}[i={{i}}]: {{name}} {{value!r}}" for name, value in (("x", x), ("y", y), ("w", w))]
    print("seen", sum(os.environ.get(name) is not None for name in ("TINY_SEEN",)), os.path.basename(os.getcwd()))
    os.environ["TINY_SEEN"] = "1"  # a run that does not start afresh prints 1
    with open(given["-trace"], "w") as stream:
        stream.write("\\n".join(lines) + "\\n")

if __name__ == "__main__":
    main()
"""
PAIR = """
title = "tiny"
[programs.C]
title = "original"
source = "c"
trace = "{{python}} -S {{source}}/original.py {{args}} -trace {{trace}}"
[programs.PY]
title = "port"
source = "py"
{worker}
trace = "{{python}} {{source}}/port.py {{args}} -trace {{trace}}"
"""
VOCABULARY = """
title = "tiny"
loops = ["i"]
[scopes]
item = { loops = ["i"] }
[variables]
x = { scope = "item", size = 1 }
y = { scope = "item", size = 1, depends_on = ["x"] }
w = { scope = "item", size = 1, depends_on = ["y"] }
"""
MATRIX = """
[[cases]]
id = "plain"
argv = ""
[[cases]]
id = "many"
argv = "-n 6 -scale 2.5"
[[cases]]
id = "crashes"
argv = "-crash"
[[cases]]
id = "differs"
argv = "-n 5 -offset 0.25"
[[cases]]
id = "last"
argv = "-power 2 -wrap"
"""
SWEEP = """
most = 6
[flags]
-n = { whole = [1, 8], default = 3 }
-scale = { number = [0.5, 4], default = 1 }
-offset = { number = [-1, 1], default = 0 }
-power = { whole = [1, 4], default = 1 }
-swap = { switch = true }
-wrap = { switch = true }
-cube = { switch = true }
"""


def write_pair(folder: Path, worker: str = 'worker = "port:main"') -> Path:
    """The pair in a folder; `worker` is the line of pair.toml that says so, empty for a new process a case."""
    for name, side in (("c/original.py", "C"), ("py/port.py", "PY")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(PROGRAM.format(side=side))
    (folder / "pair.toml").write_text(PAIR.format(worker=worker))
    (folder / "vocabulary.toml").write_text(VOCABULARY)
    (folder / "matrix.toml").write_text(MATRIX)
    (folder / "sweep.toml").write_text(SWEEP)
    return folder
