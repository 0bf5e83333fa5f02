"""Exit 0 only if both logs hold the same readable values within tolerance, whatever happened to the logs.

The values are known beforehand: logs are written from them, then lines are put behind prefixes, glued, re-encoded,
printed in other spellings, ordered otherwise, repeated, deleted, inserted and perturbed. `python -m
tests.harness.test_no_false_parity COUNT SEED` runs it for as many pairs as are asked for.
"""

from __future__ import annotations

import gzip
import random
import sys
import tempfile
from pathlib import Path

import pytest
from trace_parity.compare.logs import compare_logs
from trace_parity.compare.options import Options
from trace_parity.errors import HarnessError
from trace_parity.pair.contract import Contract
from trace_parity.pair.find import shipped
from trace_parity.result.compare import result_of
from trace_parity.result.result import CaseResult

VOCABULARY = shipped().vocabulary
Values = dict[tuple[str, str], tuple[float | str, ...]]
"""(loop indices in brackets, name) to numbers, or a word."""
STEP = "[spixel={} fpixel={} thick_tic=0 subS=0 subF=0 source=0 phi_tic={} mos_tic=0]"


def values_of(rng: random.Random) -> Values:
    made: Values = {
        ("", "beam_vec"): (1.0, 0.0, 0.0),
        ("", "convention"): ("MOSFLM",),
        ("", "seed"): (float(rng.getrandbits(40)),),
    }
    for p in range(rng.randint(1, 3)):
        pixel = f"[spixel={p} fpixel={rng.randint(0, 3)}]"
        for tick in range(rng.randint(1, 2)):
            step = STEP.format(p, 0, tick)
            made[step, "F_latt"] = (rng.uniform(1, 9),)
            made[step, "hkl_frac"] = tuple(rng.uniform(1, 9) for _ in range(3))
        made[pixel, "I_pixel_final"] = (rng.uniform(1, 9) * 1e-7,)
        made[pixel, "my_own"] = (rng.uniform(1, 9),)
    return made


def printed(value: float | str, rng: random.Random) -> str:
    if isinstance(value, str):
        return value
    text = f"{value:.17g}"
    if "." not in text:
        return text
    forms = [
        text,
        text,
        text,
        f"{value:.17e}",
        value.hex(),
        f"{value:.17e}".replace("e", "D"),
        f"np.float64({value!r})",
        f"tensor({value!r})",
    ]
    return rng.choice(forms)


def line_of(place: str, name: str, values: tuple[float | str, ...], side: str, rng: random.Random) -> str:
    words = [printed(value, rng) for value in values]
    if len(words) > 1 and rng.random() < 0.2:
        return f"TRACE_{side}{place}: {name} {rng.choice(['[{}]', '({})', '= [{}]']).format(', '.join(words))}"
    return f"TRACE_{side}{place}: {name} {' '.join(words)}"


PREFIXES = [
    "  ",
    "37% done\r",
    "3% ",
    "INFO ",
    "[rank0]: ",
    "\x1b[32m",
    "2026-07-01T10:00:00Z ",
    "\ufeff",
    "done",
    "x TRACE_ y ",
]
OTHER = ["hello", "", "TRACE_CONFIG: x", "TRACE_", "100%|####| 5/5", "DETECTOR 1 2 3"]


def log_of(values: Values, side: str, rng: random.Random) -> tuple[bytes, bool]:
    """The log, and whether something in it cannot be read."""
    lines = [line_of(place, name, numbers, side, rng) for (place, name), numbers in values.items()]
    broken = False
    for _ in range(rng.choice([0, 0, 1, 2, 4])):
        at = rng.randrange(len(lines))
        what = rng.randrange(8)
        if what == 0:
            lines[at] = rng.choice(PREFIXES) + lines[at]
        elif what == 1:
            lines.insert(at, rng.choice(OTHER))
        elif what == 2:
            lines.insert(rng.randrange(len(lines) + 1), lines[at])
        elif what == 3:
            rng.shuffle(lines)
        elif what == 4 and at + 1 < len(lines) and all("TRACE_" + side in x for x in lines[at : at + 2]):
            lines[at : at + 2] = [rng.choice(["", " "]).join(lines[at : at + 2])]
            broken = True
        elif what == 5 and lines[at].count(" ") and "TRACE_" + side in lines[at]:
            lines[at] = lines[at].rpartition(" ")[0] + rng.choice([" 1e400", " 1,5", " 2x", " 1.2.3", " TRACE_C"])
            broken = True
        elif what == 6:
            lines[at] = lines[at] + rng.choice([" ", "\r", "\x1b[0m", "\t"])
        elif what == 7 and "\r" not in lines[at]:
            lines[at] = lines[at].replace(": ", ":  ", 1) if rng.random() < 0.5 else lines[at].replace(" ", "\t")
            broken |= "\t" in lines[at]  # loop indices behind tabs: may be read or refused
    text = "\n".join(lines) + "\n"
    saved = rng.randrange(8)
    if saved == 0:
        return text.encode("utf-8-sig"), broken
    if saved == 1:
        return text.encode("utf-16"), broken
    if saved == 2:
        return gzip.compress(text.encode(), 1), broken
    return (text.replace("\n", "\r\n") if saved == 3 else text).encode(), broken


def changed(values: Values, rng: random.Random) -> Values:
    """Another log's values: the same, the same within tolerance, or not."""
    made = dict(values)
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        at = rng.choice(list(made))
        what = rng.randrange(5)
        if what == 0 and len(made) > 1:
            del made[at]
        elif what == 1:
            made[at[0], f"{at[1]}_more"] = made[at]
        elif what == 2:
            made[at] = tuple(v * (1 + 1e-3) + 1 if isinstance(v, float) else v for v in made[at])
        elif what == 3 and len(made[at]) > 1:
            made[at] = made[at][:-1]
        elif what == 4:
            made[at] = tuple(v * (1 + 1e-13) if isinstance(v, float) and v % 1 else v for v in made[at])
    return made


def same(c: Values, py: Values) -> bool:
    """Whether two logs hold the same within tolerance."""

    def near(a: float | str, b: float | str) -> bool:
        return a == b or (isinstance(a, float) and isinstance(b, float) and abs(a - b) <= 1e-9 * abs(a))

    return c.keys() == py.keys() and all(
        len(values) == len(py[at]) and all(map(near, values, py[at])) for at, values in c.items()
    )


def check(seed: int, folder: Path) -> None:
    rng = random.Random(seed)
    c_values = values_of(rng)
    py_values = changed(c_values, rng)
    alike = same(c_values, py_values)
    (c, c_broken), (py, py_broken) = log_of(c_values, "C", rng), log_of(py_values, "PY", rng)
    paths = folder / "c.log", folder / "py.log"
    paths[0].write_bytes(c)
    paths[1].write_bytes(py)
    try:
        with compare_logs(
            paths, VOCABULARY, Contract(), Options(lenient=rng.random() < 0.5, piece=rng.choice([300, 1 << 20]))
        ) as found:
            code = result_of(found, CaseResult("t", "t")).exit_code
    except HarnessError as error:
        code = int(error.code)
    if code == 0:
        assert alike, f"seed {seed}: parity of logs that differ"
    elif not (c_broken or py_broken):
        assert not alike, f"seed {seed}: {code} of logs that hold the same"


@pytest.mark.parametrize("seed", range(300))
def test_parity_is_said_only_of_logs_that_hold_the_same(seed: int, tmp_path: Path) -> None:
    check(seed, tmp_path)


if __name__ == "__main__":
    count, first = int(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as made:
        for seed in range(first, first + count):
            check(seed, Path(made))
    print(f"{count} pairs from seed {first}: no false parity, no false alarm")
