"""What PyTorch's operations round how: writes the table of docs/numerics.md and the data of blame's hints.

    python -m benchmarks.rounding              measure and print
    python -m benchmarks.rounding --write      and put it into docs/numerics.md and blame/torch_rounding.json

Correct rounding is judged by mpmath at 160 bits. A compiled operation needs a C++ compiler (g++).
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import mpmath
import numpy as np
import torch

from benchmarks.rounding_operations import ELEMENTWISE, REDUCTIONS, Operation, by_threads, differ
from benchmarks.rounding_specials import Special, specials

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "numerics.md"
DATA = ROOT / "harness" / "trace_parity" / "blame" / "torch_rounding.json"
BEGIN, END = "<!-- begin: written by benchmarks/rounding.py -->", "<!-- end -->"
BITS = {torch.float64: 53, torch.float32: 24}
POINTS = 4000
TAIL = 1031
MANY = 100_003
Tensor = torch.Tensor


@dataclass(frozen=True)
class Row:
    """One operation in one type. Shares are of numbers; `compiled_*` is None where it was not compiled."""

    name: str
    dtype: str
    off: float
    largest_ulp: float
    place: tuple[str, ...]
    threads: bool
    compiled_off: float | None = None
    compiled_differs: float | None = None


def points(operation: Operation, dtype: torch.dtype, count: int) -> list[Tensor]:
    """Arguments drawn evenly from the operation's domains, the same every time."""
    generator = torch.Generator().manual_seed(sum(map(ord, operation.name)))
    drawn = [torch.rand(count, generator=generator, dtype=torch.float64) for _ in operation.domains]
    return [(a + (b - a) * x).to(dtype) for x, (a, b) in zip(drawn, operation.domains, strict=True)]


def rounded(operation: Operation, arguments: Sequence[Tensor]) -> np.ndarray:
    """The correctly rounded results, by mpmath."""
    bits = BITS[arguments[0].dtype]
    found = []
    for row in zip(*(a.double().tolist() for a in arguments), strict=True):
        with mpmath.workprec(160):
            value = operation.exact(*(mpmath.mpf(x) for x in row))
        with mpmath.workprec(bits):
            found.append(float(+value))
    return np.array(found)


def off_by(result: Tensor, exact: np.ndarray) -> tuple[float, float]:
    """The share of numbers that are not correctly rounded, and the largest miss in units in the last place."""
    kind = np.float64 if result.dtype == torch.float64 else np.float32
    got, wanted = result.numpy(), exact.astype(kind)
    miss = np.abs(got.astype(np.longdouble) - wanted.astype(np.longdouble)) / np.spacing(np.abs(wanted)).astype(
        np.longdouble
    )
    return float(np.mean(got != wanted)), float(np.max(miss))


def where_it_matters(operation: Operation, dtype: torch.dtype) -> tuple[str, ...]:
    """What about an element's place changes its bits: alone, strided, or near the end."""
    arguments = points(operation, dtype, TAIL)
    whole = operation.torch(*arguments)
    found = []
    alone = torch.cat([operation.torch(*(a[i : i + 1] for a in arguments)) for i in range(0, TAIL, 3)])
    if differ(alone, whole[::3]):
        found.append("alone")
    spread = []
    for a in arguments:
        wide = torch.zeros(3 * TAIL, dtype=dtype)
        wide[::3] = a
        spread.append(wide[::3])
    if differ(operation.torch(*spread), whole):
        found.append("strided")
    if any(differ(operation.torch(*(a[: TAIL - k] for a in arguments)), whole[: TAIL - k]) for k in range(1, 17)):
        found.append("tail")
    return tuple(found)


def measure(operations: Sequence[Operation], dtype: torch.dtype, count: int, compiled: bool) -> list[Row]:
    """A row per operation; all are compiled together, since each compilation takes seconds."""
    arguments = [points(op, dtype, count) for op in operations]
    by_compiler: Sequence[Tensor | None] = [None] * len(operations)
    if compiled:

        def every(given: list[list[Tensor]]) -> list[Tensor]:
            return [op.torch(*a) for op, a in zip(operations, given, strict=True)]

        by_compiler = torch.compile(every, fullgraph=True, dynamic=False)(arguments)
    rows = []
    for op, given, other in zip(operations, arguments, by_compiler, strict=True):
        exact, result = rounded(op, given), op.torch(*given)
        off, largest = off_by(result, exact)
        many = points(op, dtype, MANY)
        threads = by_threads(partial(op.torch, *many))
        name = str(dtype).removeprefix("torch.")
        row = Row(op.name, name, off, largest, where_it_matters(op, dtype), threads)
        if other is not None:
            share = float(np.mean(other.numpy() != result.numpy()))
            row = Row(**{**vars(row), "compiled_off": off_by(other, exact)[0], "compiled_differs": share})
        rows.append(row)
    return rows


def reductions(dtype: torch.dtype) -> list[Row]:
    """Whether a row's sum depends on the other rows (its shape) and on the threads."""
    generator = torch.Generator().manual_seed(3)
    x = torch.rand((64, 5000), generator=generator, dtype=torch.float64).to(dtype) - 0.4
    long = torch.rand((1, 2_000_000), generator=generator, dtype=torch.float64).to(dtype) - 0.4
    rows = []
    for name, function in REDUCTIONS.items():
        whole = function(x).reshape(-1)
        alone = torch.cat([function(x[i : i + 1]).reshape(-1)[:1] for i in range(len(x))])
        if name == "matmul":  # the second factor must stay the same
            alone = torch.cat([(x[i : i + 1] @ x.T[:, :1]).reshape(-1) for i in range(len(x))])
        turned = function(x.T.contiguous().T).reshape(-1)
        place = (["shape"] if differ(alone, whole) else []) + (["layout"] if differ(turned, whole) else [])
        square = torch.rand((700, 700), generator=generator, dtype=torch.float64).to(dtype)
        large = square if name in ("matmul", "einsum") else long
        threads = by_threads(partial(function, large))
        rows.append(Row(name, str(dtype).removeprefix("torch."), 0.0, 0.0, tuple(place), threads))
    return rows


def table(rows: Sequence[Row], summed: Sequence[Row], special_rows: Sequence[Special]) -> str:
    """The generated part of the page."""
    config = re.search(r"Build settings: .*?BLAS_INFO=(\w+)", torch.__config__.show())
    blas = config[1] if config else "unknown"
    here = f"PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, BLAS {blas}, {platform.machine()}"
    source = f"{torch.__version__}; `benchmarks/rounding.py`"
    lines = [BEGIN, "", f"Measured with {here}. mpmath {mpmath.__version__} is the judge.", ""]
    lines += [
        "| operation | type | not correctly rounded | largest, ulp | bits change with | compiled: not correctly "
        "rounded | compiled ≠ eager | version; source |",
        "|---|---|---:|---:|---|---:|---:|---|",
    ]
    for row in rows:
        place = ", ".join([*row.place, *(["threads"] if row.threads else [])]) or "nothing"
        cells = [f"`{row.name}`", row.dtype, _percent(row.off), _ulps(row.largest_ulp), place]
        cells += [_percent(row.compiled_off), _percent(row.compiled_differs), source]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "*alone*: a tensor of one element; *strided*: every third; *tail*: near the end of the tensor.", ""]
    lines += ["| sum over a row | type | bits change with | version; source |", "|---|---|---|---|"]
    for row in summed:
        place = ", ".join([*row.place, *(["threads"] if row.threads else [])]) or "nothing"
        lines.append(f"| `{row.name}` | {row.dtype} | {place} | {source} |")
    lines += ["", "*shape*: the row alone or among others; *layout*: rows contiguous or columns.", ""]
    lines += ["| what | seen here | holds | version; source |", "|---|---|---|---|"]
    lines += [f"| {s.what} | {s.seen} | {'yes' if s.holds else 'no'} | {s.source or source} |" for s in special_rows]
    return "\n".join([*lines, "", END])


def _percent(share: float | None) -> str:
    if share is None:
        return "–"
    return "0" if share == 0 else f"{100 * share:.2g} %"


def _ulps(count: float) -> str:
    return f"{count:.0f}" if count < 1e4 else f"{count:.0e}"


def data(rows: Sequence[Row], summed: Sequence[Row]) -> str:
    """What the hints of blame use."""
    float64 = [row for row in (*rows, *summed) if row.dtype == "float64"]
    operations = {
        row.name: {"off": round(row.off, 4), "ulp": row.largest_ulp, "place": list(row.place), "threads": row.threads}
        for row in float64
    }
    return json.dumps({"torch": torch.__version__.partition("+")[0], "operations": operations}, indent=1) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--write", action="store_true", help="put the table into docs/numerics.md")
    parser.add_argument("--points", type=int, default=POINTS)
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--json", type=Path, help="write all rows here too")
    asked = parser.parse_args()
    compiled = not asked.no_compile
    rows = [row for kind in BITS for row in measure(ELEMENTWISE, kind, asked.points, compiled)]
    rows.sort(key=lambda row: [op.name for op in ELEMENTWISE].index(row.name))
    summed = [row for kind in BITS for row in reductions(kind)]
    special_rows = specials(compiled)
    text = table(rows, summed, special_rows)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(row) for row in (*rows, *summed)]))
    if not asked.write:
        print(text)
        return
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    PAGE.write_text(before + text + after, encoding="utf-8")
    DATA.write_text(data(rows, summed), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} and {DATA.relative_to(ROOT)} written", file=sys.stderr)


if __name__ == "__main__":
    main()
