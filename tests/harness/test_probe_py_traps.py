"""More constructs of Python and PyTorch that a probe can get wrong: each is handled, or listed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from trace_parity.errors import HarnessError
from trace_parity.probe.identity import drop_superseded
from trace_parity.probe.py_program import PyProgram, PyReport, PyRun, check_identity, run_probed
from trace_parity.probe.spec import ProbeSpec, loop_rules, probe_variable

TEXT = """
import asyncio, contextlib, dataclasses, functools, sys
import torch
json = main = "a script may have the names that its launcher uses"

def comprehension(i): return [callee(i) for i in range(2)]
def callee(x): a = x + 1; return a
def star():
    try: raise ExceptionGroup("g", [ValueError()])
    except* ValueError: a = 4
    return a
def slices():
    x = torch.zeros(3)
    x[1] = 5.0
    x[2:] += 7
    return x
def in_place():
    y = torch.ones(2) * 2
    z = y
    z.add_(1)
    torch.add(z, 1, out=y)
    return y
def captured():
    y = torch.ones(2)
    z = y
    for i in range(2):
        b = y
        z.mul_(10)
def decorated_by(f):
    @functools.wraps(f)
    def wrapper(*args):
        for i in range(2): f(*args)
    return wrapper
@decorated_by
@torch.no_grad()
def decorated(): a = 3
@dataclasses.dataclass
class Point:
    x: float
    def __post_init__(self): self.y = 2 * self.x
    @property
    def z(self): return self.zz
    @z.setter
    def z(self, value): self.zz = value + 1
    @classmethod
    def made(cls): a = cls(4.0); a.z = 8; return a
    @staticmethod
    def static(i): a = i; return a
def nonlocal_():
    a = 1
    def inner():
        nonlocal a
        a = 6
    inner(); return a
def generator(n):
    for i in range(n):
        a = 10 * i
        callee(i)
        yield a
    for i in range(0): yield callee(a)
def consumer():
    source = generator(9)
    for i in range(5, 7):
        b = next(source)
    for i in range(7, 8):
        for b in source: break
        c = b
async def task(i, events):
    a = i
    await asyncio.sleep(0)
    a = 100 + i
    for j in range(2):
        await asyncio.sleep(0)
        b = 10 * i + j
async def tasks(): await asyncio.gather(task(1, 0), task(2, 0), task(3, 0))
async def agen():
    for j in range(2): yield j
async def consume():
    async for i in agen():
        async with contextlib.nullcontext(i) as a: pass
def lambdas(): f = lambda x: (a := x); return f(3)
def several(): a = b = c = 2; a, (b, *c) = 1, (2, 3, 4); del a; return b
def conditional(n): a = 1 if n else 2; a = a if n > 3 else -a; return a
def finally_():
    try: a = 1; return a
    finally: a = 2
def unpacked(): (x, y), z = torch.arange(2.0), 5; a = [*range(2), z]; return a
def scaled(i, step=3, *rest, **more): a = i * step; return a
def dicts(): d = {}; d["a"] = 1; d.update(b=2); v = [3, 1]; v.sort(); return d
def views():
    m = torch.zeros(2, 2); row = m[0]; row[1] = 4; a = m.sum(); m.T.fill_(1); return m
def gradient():
    w = torch.tensor([2.0], requires_grad=True)
    y = w * w
    y.backward()
    with torch.no_grad(): w -= 0.5 * w.grad
    return w
def types():
    h = torch.tensor([0.1], dtype=torch.float16); b = torch.tensor([True]); z = torch.tensor([1 + 2j])
    n = torch.tensor([2**53 + 1]); e = torch.zeros(0); s = torch.tensor([1.0]).to_sparse(); return h
def recursion(i):
    a = i
    if i < 2: recursion(i + 1)
    a = a + 0.5

comprehension(8); callee(4); star(); slices(); in_place(); captured(); decorated(); Point.made(); Point.static(3)
nonlocal_(); consumer(); asyncio.run(tasks()); asyncio.run(consume()); lambdas(); several()
conditional(4); finally_(); unpacked(); scaled(2, 5); dicts(); views(); gradient(); types(); recursion(0)
"""
I, J, IJ = ("i",), ("j",), ("i", "j")
TRAPS: dict[str, tuple[tuple[str, ...], dict[str, Any], dict[str, str]]] = {
    "comprehension": (I, {"in": "callee", "expr": "a"}, {"i=0": "1", "i=1": "2", "i=2": "3"}),  # of the generator
    "callee": ((), {"in": "callee", "expr": "a"}, {"": "3"}),
    "star": ((), {"in": "star", "expr": "a"}, {"": "4"}),
    "slices": ((), {"in": "slices", "expr": "x"}, {"": "0 5 7"}),
    "in_place": ((), {"in": "in_place", "expr": "y"}, {"": "4 4"}),
    "captured": (I, {"in": "captured", "expr": "b"}, {"i=0": "1 1", "i=1": "10 10"}),
    "decorated": (I, {"in": "decorated", "expr": "a"}, {"i=0": "3", "i=1": "3"}),
    "post_init": ((), {"in": "Point.__post_init__", "expr": "self.y"}, {"": "8"}),
    "setter": ((), {"in": "z", "expr": "self.zz"}, {"": "9"}),
    "classmethod": ((), {"in": "made", "expr": "a.x"}, {"": "4"}),
    "static": (I, {"in": "Point.static", "expr": "a"}, {"i=3": "3"}),
    "nonlocal": ((), {"in": "nonlocal_.inner", "expr": "a"}, {"": "6"}),
    "generator": (I, {"in": "generator", "expr": "a"}, {"i=0": "0", "i=1": "10", "i=2": "20"}),
    "consumer": (I, {"in": "consumer", "expr": "b"}, {"i=5": "0", "i=6": "10", "i=7": "20"}),
    "after_closed": (I, {"in": "consumer", "expr": "c"}, {"i=7": "20"}),
    "task": (I, {"in": "task", "expr": "a"}, {"i=1": "101", "i=2": "102", "i=3": "103"}),
    "task_loop": (
        IJ,
        {"in": "task", "expr": "b"},
        {f"i={i} j={j}": f"{10 * i + j}" for i in (1, 2, 3) for j in (0, 1)},
    ),
    "async_for": (I, {"in": "consume", "expr": "a"}, {"i=0": "0", "i=1": "1"}),
    "lambda": ((), {"in": "lambdas", "expr": "a"}, {}),
    "several": ((), {"in": "several", "exprs": ["b", "c"]}, {"": "2 3 4"}),
    "deleted": ((), {"in": "several", "expr": "a"}, {"": "1"}),
    "conditional": ((), {"in": "conditional", "expr": "a"}, {"": "1"}),
    "finally": ((), {"in": "finally_", "expr": "a"}, {"": "2"}),
    "unpacked": ((), {"in": "unpacked", "exprs": ["x", "y", "z", "a"]}, {"": "0 1 5 0 1 5"}),
    "scaled": (I, {"in": "scaled", "expr": "a"}, {"i=2": "10"}),
    "dicts": ((), {"in": "dicts", "expr": "list(d.values())", "watch": "d"}, {"": "1 2"}),
    "sorted": ((), {"in": "dicts", "expr": "v"}, {"": "1 3"}),
    "view": ((), {"in": "views", "expr": "m"}, {"": "1 1 1 1"}),
    "optimiser": ((), {"in": "gradient", "expr": "w"}, {"": "0"}),
    "half": ((), {"in": "types", "exprs": ["h", "b", "z", "n", "e"]}, {"": "0.0999755859375 1 1 2 9007199254740993"}),
    "recursion": (I, {"in": "recursion", "expr": "a"}, {"i=0": "0.5", "i=1": "1.5", "i=2": "2.5"}),
}
LISTED = {
    ("i", "return [callee(i) for i in range(2)]"): "a comprehension",
    ("i", "yield callee(a)"): "yields: functions called in this statement",
    ("lambda", "f = lambda x: (a := x)"): "inside a lambda",
}


def spec(variables: dict[str, Any], loops: tuple[str, ...] = IJ) -> ProbeSpec:
    chosen = tuple(probe_variable(name, scope, table, name) for name, (scope, table) in variables.items())
    return ProbeSpec(loops, chosen, loop_rules(loops, {}, "loops"))


def script(folder: Path, text: str) -> PyProgram:
    (folder / "port.py").write_text(text)
    return PyProgram((sys.executable, str(folder / "port.py")), ("port",), folder)


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, dict[str, str]], PyReport]:
    work = tmp_path_factory.mktemp("py")
    wanted = spec({name: (loops, table) for name, (loops, table, _) in TRAPS.items()})
    program = script(work, TEXT)
    _, report = run_probed(program, wanted, PyRun(work / "PY.log"), work / "work")
    drop_superseded(work / "PY.log")
    found: dict[str, dict[str, str]] = {name: {} for name in TRAPS}
    for line in (work / "PY.log").read_text().splitlines():
        key, _, rest = line.removeprefix("TRACE_PY").partition(": ")
        name, _, numbers = rest.partition(" ")
        assert key.strip("[]") not in found[name], f"{line}: a key came twice"
        found[name][key.strip("[]")] = numbers
    assert check_identity(program, wanted, work / "check").holds
    return found, report


def test_handled(traced: tuple[dict[str, dict[str, str]], PyReport]) -> None:
    assert traced[0] == {name: expected for name, (_, _, expected) in TRAPS.items()}


def test_listed(traced: tuple[dict[str, dict[str, str]], PyReport]) -> None:
    reasons = {(u.variable, u.text): u.reason for u in traced[1].unplaced}
    assert set(reasons) == set(LISTED)
    for place, why in LISTED.items():
        assert why in reasons[place]


@pytest.mark.parametrize(
    ("text", "expr", "message"),
    [
        ("import torch\ndef f():\n    a = torch.ones(2)\nf()\n", "a[5]", "a: its expression fails: IndexError"),
        ("def f():\n    a = 'text'\nf()\n", "a", "a: str is not a number"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, text: str, expr: str, message: str) -> None:
    wanted = {"a": ((), {"expr": expr})}
    with pytest.raises(HarnessError) as caught:
        run_probed(script(tmp_path, text), spec(wanted), PyRun(tmp_path / "PY.log"), tmp_path / "work")
    assert message in str(caught.value)
