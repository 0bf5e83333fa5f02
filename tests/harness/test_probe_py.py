"""A PyTorch program without a print gives the lines that its author would have printed, and those of the C program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from trace_parity.errors import HarnessError
from trace_parity.probe import recorder
from trace_parity.probe.identity import drop_superseded
from trace_parity.probe.py_import import load
from trace_parity.probe.py_program import PyProgram, PyReport, PyRun, check_identity, run_probed
from trace_parity.probe.spec import ProbeSpec, loop_rules, probe_variable

PROGRAMS = Path(__file__).parent / "probe_programs"
LOOPS = ("step", "i", "j")
VARIABLES: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "dr": (LOOPS, {"in": "forces", "expr": "dr", "axes": ["i", "j"], "where": "i != j"}),
    "r2": (LOOPS, {"in": "Cluster.forces", "expr": "r2", "axes": ["i", "j"], "where": "i != j"}),
    "f_over_r": (LOOPS, {"in": "forces", "expr": "f_over_r", "axes": ["i", "j"], "where": "i != j"}),
    "force": (LOOPS[:2], {"in": "forces", "expr": "self.force", "axes": ["i"]}),
    "e_i": (LOOPS[:2], {"in": "forces", "expr": "e_i", "axes": ["i"]}),
    "energy": (LOOPS[:1], {"in": "forces", "expr": "energy"}),
    "vel": (LOOPS[:2], {"in": "run", "expr": "cluster.vel", "axes": ["i"]}),
}


def spec(variables: dict[str, Any], loops: tuple[str, ...] = LOOPS, rules: dict[str, Any] | None = None) -> ProbeSpec:
    chosen = tuple(probe_variable(name, scope, table, name) for name, (scope, table) in variables.items())
    return ProbeSpec(loops, chosen, loop_rules(loops, rules or {}, "loops"))


def trace(program: PyProgram, wanted: ProbeSpec, work: Path, **options: Any) -> tuple[list[str], PyReport]:
    log = work / "PY.log"
    _, report = run_probed(program, wanted, PyRun(log, **options), work / "work")
    drop_superseded(log)
    return log.read_text().splitlines(), report


def trace_here(steps: int, log: Path, focus: str = "") -> list[str]:
    """The port traced in this process: `load` as a notebook uses it."""
    sys.path.insert(0, str(PROGRAMS))
    try:
        load("lj_port.model", spec(VARIABLES), log, focus).run(steps)
    finally:
        recorder.stop()
        sys.path.remove(str(PROGRAMS))
    drop_superseded(log)
    return log.read_text().splitlines()


def lj(steps: int) -> PyProgram:
    return PyProgram((sys.executable, "-m", "lj_port", str(steps)), ("lj_port.model",), PROGRAMS)


def script(folder: Path, text: str, *args: str) -> PyProgram:
    (folder / "program.py").write_text(text)
    return PyProgram((sys.executable, str(folder / "program.py"), *args), ("program",), folder)


def test_lines_are_those_written_by_hand(tmp_path: Path) -> None:
    lines, report = trace(lj(3), spec(VARIABLES), tmp_path)
    environment = os.environ | {"LJ_BY_HAND": str(tmp_path / "hand.log"), "PYTHONPATH": str(PROGRAMS)}
    subprocess.run(lj(3).command, env=environment, check=True, capture_output=True)
    expected = (tmp_path / "hand.log").read_text().splitlines()
    assert sorted(lines) == sorted(expected)
    assert len(lines) == 4 * (30 * 3 + 6 * 2 + 1) + 3 * 6
    assert report.modules == ("lj_port.model",)


def test_port_and_original_agree_without_a_print_in_either(tmp_path: Path) -> None:
    pytest.importorskip("tree_sitter_c", reason="tree-sitter-c is not installed (extra [probe])")
    from tests.harness.probe_case import build_c, trace_c
    from tests.harness.test_probe_c import LJ
    from tests.harness.test_probe_c import VARIABLES as IN_C

    built = build_c(LJ, spec({name: IN_C[name] for name in VARIABLES}), tmp_path / "c")
    sides = [trace_c(built, ["3"], tmp_path), trace_here(3, tmp_path / "PY.log")]
    assert len(sides[0]) == len(sides[1])

    def table(lines: list[str]) -> dict[tuple[str, str], list[float]]:
        return {
            (line.partition("[")[2].partition("]")[0], line.partition(": ")[2].split()[0]): [
                float(word) for word in line.partition(": ")[2].split()[1:]
            ]
            for line in lines
        }

    one, other = table(sides[0]), table(sides[1])
    assert set(one) == set(other)
    for key, numbers in one.items():
        assert other[key] == pytest.approx(numbers, rel=1e-12, abs=1e-13), key


def test_output_is_the_same_with_probes_off(tmp_path: Path) -> None:
    identity = check_identity(lj(2), spec(VARIABLES), tmp_path)
    assert identity.holds
    assert identity.compared == ("standard output",)


@pytest.mark.parametrize("focus", ["i=2", "i=2;i=4", "step=1,i=0", "step=1,i=0;j=5", "i=99"])
def test_focus_keeps_the_lines_of_these_places(tmp_path: Path, focus: str) -> None:
    everything = trace_here(2, tmp_path / "all.log")

    def kept(line: str) -> bool:
        key = dict(part.split("=") for part in line.partition("[")[2].partition("]")[0].split())
        places = [dict(part.split("=") for part in place.split(",")) for place in focus.split(";")]
        return any(all(key.get(loop, index) == index for loop, index in place.items()) for place in places)

    focused = trace_here(2, tmp_path / "focused.log", focus)
    assert sorted(focused) == sorted(line for line in everything if kept(line))
    assert 0 < len(focused) < len(everything)


CONSTRUCTS = '''
"""A docstring stays the first statement."""
from __future__ import annotations
import contextlib, math

class Box:
    """Holds x."""
    def __init__(self): self.x = 1.0; self.v = [0.0, 0.0]
    class Inner:
        def put(self, a): b = a + 1; return b

def tuples(): (a, *rest), c = (1, 2, 3), 4; a, c = c, a; return a
def augmented(): a = 2; a *= 3; return a
def annotated(): a: int; a: float = 2.5; return a
def walrus(n):
    if (a := n + 1) > 2: pass
    while (a := a - 1) > 1: pass
    return [b for i in range(3) if (b := a + i) >= 0]
def with_as():
    with contextlib.nullcontext(7) as a: pass
    return a
def tried():
    try: a = 1; raise ValueError
    except ValueError: a = 2
    finally: b = 3
def attribute(box): box.x = 5.0; box.v[1] = 6.0
def matched(n):
    match n:
        case [a, *_]: pass
        case {"k": b}: pass
def early(limit):
    for i in range(4):
        for j in range(4):
            if j == 1: continue
            a = 10 * i + j
            if j == 2: break
        if i == limit: return a
    else:
        a = -1
def raising():
    with contextlib.suppress(ZeroDivisionError):
        for i in range(3): a = 1 / (1 - i)
    b = 1
def counted():
    i = 0
    while i < 3: a = i * i; i += 1
def enumerated():
    for i, word in enumerate("ab"): a = ord(word)
def own(i, n=3):
    a = i
    if n: own(i + 10, n=0)
    a += 0.5
def lines():
    stale = 1
    for i in range(2):
        if i == 1: stale = 5
        h = stale + 1
        g = h
def generator():
    for i in range(3): a = i; yield a
def later(): a = 1; b = 2
def inplace():
    xs = [1]; xs.append(2); return xs
def kinds(): a = True; b = 3 + 4j; c = math.nan; d = -math.inf; e = 10**15; return e
def keys(i): a = 1
def nested():
    def inner(): a = 3
    inner()

tuples(); augmented(); annotated(); walrus(2); with_as(); tried(); attribute(Box()); matched([1, 2]); matched({"k": 9})
early(2); early(9); raising(); counted(); enumerated(); own(1); lines(); list(generator()); later(); inplace(); kinds()
keys("text"); keys(2); Box.Inner().put(4); nested(); top = 8
'''
I, IJ = ("i",), ("i", "j")
EXPECTED: dict[str, tuple[tuple[str, ...], dict[str, Any], dict[str, str]]] = {
    "tuples": ((), {"in": "tuples", "exprs": ["a", "c"]}, {"": "4 1"}),
    "augmented": ((), {"in": "augmented", "expr": "a"}, {"": "6"}),
    "annotated": ((), {"in": "annotated", "expr": "a"}, {"": "2.5"}),
    "walrus": ((), {"in": "walrus", "expr": "a"}, {"": "1"}),
    "walrus_b": ((), {"in": "walrus", "expr": "b"}, {"": "3"}),
    "with_as": ((), {"in": "with_as", "expr": "a"}, {"": "7"}),
    "tried": ((), {"in": "tried", "exprs": ["a", "b"]}, {"": "2 3"}),
    "attribute": ((), {"in": "attribute", "exprs": ["box.x", "box.v"]}, {"": "5 0 6"}),
    "matched": ((), {"in": "matched", "expr": "a"}, {"": "1"}),
    "matched_b": ((), {"in": "matched", "expr": "b"}, {"": "9"}),
    "early": (IJ, {"in": "early", "expr": "a"}, {f"i={i} j={j}": f"{10 * i + j}" for i in range(4) for j in (0, 2)}),
    "after_else": ((), {"in": "early", "expr": "a"}, {"": "-1"}),
    "raising": (I, {"in": "raising", "expr": "a"}, {"i=0": "1"}),
    "after_raising": (I, {"in": "raising", "expr": "b"}, {}),
    "counted": (I, {"in": "counted", "expr": "a"}, {"i=0": "0", "i=1": "1", "i=2": "4"}),
    "enumerated": (I, {"in": "enumerated", "expr": "a"}, {"i=0": "97", "i=1": "98"}),
    "own": (I, {"in": "own", "expr": "a"}, {"i=1": "1.5", "i=11": "11.5"}),
    "by_line": (I, {"in": "lines", "expr": "stale", "at": "before: h = "}, {"i=0": "1", "i=1": "5"}),
    "after_line": (I, {"in": "lines", "expr": "h", "at": "after: g = "}, {"i=0": "2", "i=1": "6"}),
    "generator": (I, {"in": "generator", "expr": "a"}, {"i=0": "0", "i=1": "1", "i=2": "2"}),
    "later": ((), {"in": "later", "exprs": ["a", "b"]}, {"": "1 2"}),
    "inplace": ((), {"in": "inplace", "expr": "xs"}, {"": "1 2"}),
    "kinds": ((), {"in": "kinds", "exprs": list("abcde")}, {"": "1 3 4 nan -inf 1000000000000000"}),
    "keys": (I, {"in": "keys", "expr": "a"}, {"i=2": "1"}),
    "inner_class": ((), {"in": "Inner.put", "expr": "b"}, {"": "5"}),
    "entered": ((), {"expr": "a", "at": "enter Box.Inner.put"}, {"": "4"}),
    "nested": ((), {"in": "nested.inner", "expr": "a"}, {"": "3"}),
    "top": ((), {"in": "<module>", "expr": "top"}, {"": "8"}),
}


@pytest.fixture(scope="module")
def constructs(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, dict[str, str]], PyReport]:
    work = tmp_path_factory.mktemp("constructs")
    wanted = spec({name: (loops, table) for name, (loops, table, _) in EXPECTED.items()}, ("i", "j"))
    lines, report = trace(script(work, CONSTRUCTS), wanted, work)
    found: dict[str, dict[str, str]] = {name: {} for name in EXPECTED}
    for line in lines:
        key, _, rest = line.removeprefix("TRACE_PY").partition(": ")
        name, _, numbers = rest.partition(" ")
        assert key.strip("[]") not in found[name], f"{line}: a key came twice"
        found[name][key.strip("[]")] = numbers
    return found, report


@pytest.mark.parametrize("name", EXPECTED)
def test_constructs(constructs: tuple[dict[str, dict[str, str]], PyReport], name: str) -> None:
    assert constructs[0][name] == EXPECTED[name][2]


def test_a_parameter_that_is_no_whole_number_is_noted(constructs: tuple[Any, PyReport]) -> None:
    assert any("str is not a whole number" in note for note in constructs[1].notes)


COMPILED = """
import sys, torch
def pair(step, x):
    y = x * 2
    z = y.sum()
    return z
backend, full = sys.argv[1], sys.argv[2] == "full"
run = torch.compile(pair, backend=backend, fullgraph=full) if backend != "none" else pair
for step in range(2):
    print(float(run(step, torch.arange(3.0) + step)))
"""
IN_PAIR = {
    "y": (("step", "i"), {"in": "pair", "expr": "y", "axes": ["i"]}),
    "z": (("step",), {"in": "pair", "expr": "z"}),
}
PAIR_LINES = [
    *(f"TRACE_PY[step={s} i={i}]: y {2 * (i + s)}" for s in (0, 1) for i in range(3)),
    *(f"TRACE_PY[step={s}]: z {6 + 6 * s}" for s in (0, 1)),
]


@pytest.mark.parametrize("backend", ["none", "eager", "inductor"])
def test_under_torch_compile(tmp_path: Path, backend: str) -> None:
    lines, _ = trace(script(tmp_path, COMPILED, backend, "parts"), spec(IN_PAIR), tmp_path)
    assert sorted(lines) == sorted(PAIR_LINES)


def test_a_full_graph_is_refused_with_the_way_out(tmp_path: Path) -> None:
    program = script(tmp_path, COMPILED, "eager", "full")
    with pytest.raises(HarnessError, match="TORCHDYNAMO_DISABLE=1"):
        trace(program, spec(IN_PAIR), tmp_path)
    lines, _ = trace(program, spec(IN_PAIR), tmp_path / "eager", eager=True)
    assert sorted(lines) == sorted(PAIR_LINES)


def test_vmap_is_refused_with_the_way_out(tmp_path: Path) -> None:
    text = "import torch\ndef f(x):\n    y = x * 2\n    return y\nprint(torch.vmap(f)(torch.arange(3.0)))\n"
    with pytest.raises(HarnessError, match=r"y: the value has no numbers here .*probe.put\(\"y\""):
        trace(script(tmp_path, text), spec({"y": ((), {"in": "f", "expr": "y"})}), tmp_path)


def test_gradients_of_intermediates(tmp_path: Path) -> None:
    text = (
        "import torch\ndef f(x):\n    for step in range(2):\n        y = x * (step + 1)\n"
        "        z = y * y\n        x = z\n"
        "    unused = y * 3\n    return z.sum()\n"
        "x = torch.tensor([1.0, 2.0], requires_grad=True)\nf(x).backward()\n"
    )
    variables = {
        "y": (("step", "i"), {"in": "f", "expr": "y", "axes": ["i"]}),
        "unused": ((), {"in": "f", "expr": "unused"}),
    }
    lines, report = trace(script(tmp_path, text), spec(variables), tmp_path, gradients=True)
    # y0 = x, z0 = x², y1 = 2 x², z1 = 4 x⁴: dz1/dy1 = 2 y1 = 4 x², dz1/dy0 = 16 x³
    found = {line for line in lines if "grad_" in line}
    assert found == {
        "TRACE_PY[step=0 i=0]: grad_y 16", "TRACE_PY[step=0 i=1]: grad_y 128",
        "TRACE_PY[step=1 i=0]: grad_y 4", "TRACE_PY[step=1 i=1]: grad_y 16",
    }  # fmt: skip
    assert report.no_gradient == ("unused",)


def test_by_hand_and_vendored(tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_bytes(Path(recorder.__file__).read_bytes())
    (tmp_path / "program.py").write_text(
        "import sys, numpy, probe\nassert not any(m.startswith('trace_parity') for m in sys.modules)\n"
        "for step in probe.loop('step', range(2)):\n    dr = numpy.eye(2) * step\n"
        "    probe.put('dr', dr, axes='i j', where='i != j')\n"
        "    with probe.at(i=5):\n        probe.put('e', 1.5)\n    probe.put('dt', 0.5, j=7)\nprint(probe.enabled())\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "program.py"]
    off = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    assert off.stdout == "False\n"
    environment |= {"TRACE_PROBE_FILE": "PY.log", "TRACE_PROBE_FOCUS": "step=1"}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert (tmp_path / "PY.log").read_text().splitlines() == [
        "TRACE_PY[step=1 i=5]: e 1.5", "TRACE_PY[step=1 j=7]: dt 0.5",
        "TRACE_PY[step=1 i=0 j=1]: dr 0", "TRACE_PY[step=1 i=1 j=0]: dr 0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"in": "force", "expr": "dr"}, "no function 'force'"),
        ({"in": "forces", "expr": "energy", "axes": ["i"]}, r"energy.*no axes i|shape \(\)"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, table: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        trace(lj(1), spec({"energy": (LOOPS[:2], table)}), tmp_path)


def test_values_put_by_hand_join_the_log(tmp_path: Path) -> None:
    (tmp_path / "vendored.py").write_bytes(Path(recorder.__file__).read_bytes())
    text = (
        "import vendored\nfrom trace_parity import probe\ndef f():\n    a = 1\nf()\n"
        "probe.put('b', 2)\nvendored.put('c', 3)\n"
    )
    lines, _ = trace(script(tmp_path, text), spec({"a": ((), {"in": "f", "expr": "a"})}), tmp_path)
    assert lines == ["TRACE_PY: a 1", "TRACE_PY: b 2", "TRACE_PY: c 3"]
