"""The ledger of quirks: against the docs, the code's comments, the specification, and against what users may write."""

from __future__ import annotations

import re
import time
from datetime import date
from pathlib import Path

import pytest
from trace_parity.blame.of_pair import domain_of_pair
from trace_parity.compare.align import align
from trace_parity.compare.judge import judge
from trace_parity.compare.options import Options
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.contract import Contract
from trace_parity.pair.find import shipped
from trace_parity.pair.quirk_ledger import (
    DETERMINISTIC,
    KINDS,
    LOGGING,
    STATE_LEAK,
    Fallback,
    load_quirks,
    parse_ledger,
)
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.quirks.recognise import find_quirks
from trace_parity.render.next_step import next_step
from trace_parity.result.compare import compare
from trace_parity.result.result import CaseResult, Result
from trace_parity.trace import read_trace_lines

from tests.golden import GOLDEN, ROOT, SHARED, needs_shared
from tests.harness.conftest import as_py

LEDGER = {q.id: q for q in shipped().quirks}
TEXT = (ROOT / "traces" / "nanobragg" / "quirks.toml").read_text(encoding="utf-8")
IDS = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")
LEAKS = sorted(GOLDEN.glob("traces/*__state_leak.log")) if GOLDEN.is_dir() else []
TODAY = date(2026, 12, 1)


def named_in_code() -> dict[str, set[str]]:
    """Each id that a comment calls a quirk, with the files of both programs where one does."""
    found: dict[str, set[str]] = {}
    folders = (ROOT / "reference_c" / "src", ROOT / "simulator" / "nanobragg_torch")
    for path in [p for folder in folders for p in sorted(folder.rglob("*")) if p.suffix in (".c", ".h", ".py")]:
        text = re.sub(r"\n\s*(\*|#)?\s*", " ", path.read_text(encoding="utf-8"))
        for after in re.findall(r"[Qq]uirks?:? ((?:[^.;]|\.(?=\w)){0,200})", text):
            first, *others = re.split(r", ", after)
            for word in [first.split(" ")[0], *others]:
                if (match := IDS.match(word)) and (match[0] in LEDGER or word is first.split(" ")[0]):
                    found.setdefault(match[0], set()).add(path.relative_to(ROOT).as_posix())
    return found


def test_every_quirk_that_a_comment_names_is_in_the_ledger_and_the_ledger_says_where() -> None:
    found = named_in_code()
    assert found.keys() <= LEDGER.keys()
    for quirk in LEDGER.values():
        in_programs = {s for s in quirk.sources if not s.startswith("traces/")}
        parser = {"reference_c/src/special.c"} if "reference_c/src/special.c" in in_programs else set()
        assert found.get(quirk.id, set()) | parser == in_programs, quirk.id
        assert all(quirk.id in (ROOT / source).read_text(encoding="utf-8") for source in quirk.sources)
        assert quirk.sources


def test_the_docs_have_the_same_quirks_with_the_same_kinds() -> None:
    docs = (ROOT / "docs" / "quirks.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^## ([\w-]+)\n\n([A-Z][a-z ]+)\. ", docs, re.MULTILINE))
    assert {i: kind.lower() for i, kind in told.items()} == {q.id: q.kind for q in LEDGER.values()}
    assert [q.reference for q in LEDGER.values()] == [f"docs/quirks.md#{i}" for i in LEDGER]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the specification ../shared/spec is not here")
def test_every_quirk_of_the_specification_is_in_the_ledger() -> None:
    rows = re.findall(r"^\| ([\w-]+) \| ([\w ]+) \|", (SHARED / "spec" / "quirks.md").read_text(), re.MULTILINE)
    asked = {i: kind for i, kind in rows if i != "id"}
    assert len(asked) > 10
    assert asked == {i: LEDGER[i].kind for i in asked}


def test_what_it_selects_exists(vocabulary: Vocabulary) -> None:
    names = {v.name for v in vocabulary.variables}
    domain = domain_of_pair(shipped())
    assert domain is not None
    equations = {e.id for e in domain.equations}
    for quirk in LEDGER.values():
        assert set(quirk.selectors) <= names, quirk.id
        assert quirk.selectors or "no trace line" in quirk.recognised
        signature = quirk.signature
        assert signature is None or set(signature.variables) <= set(quirk.selectors)
        assert not isinstance(signature, Fallback) or set(signature.given) <= names
        assert quirk.blame is None or set(quirk.blame.equations) <= equations
        assert (quirk.expires is not None) == quirk.can_be_waived
        assert quirk.can_be_waived or quirk.kind != STATE_LEAK
    assert {q.kind for q in LEDGER.values()} == set(KINDS) == {STATE_LEAK, LOGGING, DETERMINISTIC}


GOOD = """
[[quirks]]
id = "a-b"
kind = "state leak"
side = "C"
title = "t"
explanation = "e"
recognised = "r"
remedy = "m"
selectors = ["F_cell"]
sources = ["x.c"]
owner = "o"
reference = "d"
largest = 0.5
expires = 2027-01-01
[quirks.signature]
kind = "fallback"
variables = ["F_cell"]
given = ["hkl_frac"]
digits = 9
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('owner = "o"\n', "", 2, "owner: missing; expected words"),
        ('owner = "o"', 'owner = " "', 12, "owner: found ' '; expected a string"),
        ('owner = "o"', "owner = 3", 12, "owner: found 3; expected a string"),
        ('owner = "o"', 'owner = "o"\nonwer = "p"', 13, "onwer: unknown key; expected one of blame"),
        ('kind = "state leak"', 'kind = "leak"', 4, "kind: found 'leak'; expected one of state leak"),
        ('side = "C"', 'side = "c"', 5, "side: found 'c'; expected one of C, PY, both"),
        ("largest = 0.5", "largest = -1", 14, "largest: found -1; expected a number of 0 or more"),
        ("largest = 0.5", "largest = true", 14, "largest: found True"),
        ("expires = 2027-01-01", 'expires = "soon"', 15, "expires: found 'soon'; expected a day"),
        ("expires = 2027-01-01", "expires = 2027-01-01T00:00:00Z", 15, "expected a day"),
        ("expires = 2027-01-01\n", "", 2, "expires: missing; expected a day"),
        ('selectors = ["F_cell"]', 'selectors = "F_cell"', 10, "selectors: found 'F_cell'; expected a list"),
        ('selectors = ["F_cell"]', "selectors = [1]", 10, "selectors: found [1]; expected a list"),
        ('kind = "fallback"', 'kind = "odd"', 17, "signature.kind: found 'odd'; expected one of stale"),
        ("digits = 9", 'digits = "9"', 20, "signature.digits: found '9'; expected a whole number"),
        ("digits = 9", "", 16, "signature.digits: missing"),
        ("digits = 9", "digits = 9\nrtol = 1", 21, "signature.rtol: unknown key"),
        (
            "[quirks.signature]",
            "[quirks.blame]\nwhen = 3\n[quirks.signature]",
            16,
            "blame.equations: missing",
        ),
        ('id = "a-b"', 'id = "a-b', 3, "not TOML"),
        ("[[quirks]]", "odd = 1\n[[quirks]]", 2, "odd: unknown key; expected one of quirks"),
        (
            'kind = "state leak"',
            'kind = "deterministic"',
            15,
            "expires: found datetime.date(2027, 1, 1); expected none: both programs reproduce it",
        ),
        (GOOD, "", 1, "quirks: missing; expected one [[quirks]]"),
    ],
)
def test_errors_name_field_and_line(old: str, new: str, line: int, says: str) -> None:
    assert GOOD.count(old) == 1
    with pytest.raises(HarnessError) as caught:
        parse_ledger(GOOD.replace(old, new), "my.toml")
    assert caught.value.code == Exit.USAGE
    assert says in str(caught.value)
    assert f"my.toml:{line}: " in str(caught.value) or f"line {line}" in str(caught.value)


def test_a_ledger_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(GOOD)
    (quirk,) = load_quirks(tmp_path / "my.toml")
    assert (quirk.id, quirk.expires, quirk.signature) == (
        "a-b",
        date(2027, 1, 1),
        Fallback(("F_cell",), ("hkl_frac",), 9),
    )
    with pytest.raises(HarnessError, match=r"23: quirks\[1\].id: found 'a-b'; expected an id that occurs once"):
        parse_ledger(GOOD + GOOD, "my.toml")


# Every leak of the original, as a user meets it: its log against a sound one.


def result(c: str, py: str, waive: tuple[str, ...] = ()) -> Result:
    vocabulary = shipped().vocabulary
    tables = [read_trace_lines(t.splitlines(keepends=True), s, s, vocabulary) for s, t in (("C", c), ("PY", as_py(py)))]
    return compare(
        align(tables[0], tables[1], vocabulary),
        CaseResult("t", "t"),
        Contract(),
        pair=shipped(),
        options=Options(waive=waive, today=TODAY),
    )


@needs_shared
@pytest.mark.parametrize("path", LEAKS, ids=[p.stem for p in LEAKS])
def test_each_leak_is_named(path: Path) -> None:
    sound = path.with_name(path.name.replace("__state_leak", "")).read_text()
    found = result(path.read_text(), sound)
    wanted = "interp-latch" if path.stem.startswith("interp") else "phi-carryover"
    assert [q.id for q in found.quirks] == [wanted]
    assert found.quirks[0].first_is_it
    assert found.exit_code == Exit.DIVERGENCE


@needs_shared
def test_a_latched_interpolation_is_named_and_not_waived() -> None:
    """No log says what the port should have interpolated: whatever it has may be wrong."""
    leaky, sound = ((GOLDEN / "traces" / f"interp_edge{s}.log").read_text() for s in ("__state_leak", ""))
    wrong = re.sub(r"F_cell 57\.\d+", "F_cell 70.123456789012345", sound, count=1)
    for port in (sound, wrong):
        found = result(leaky, port, ("interp-latch",))
        assert found.exit_code == Exit.DIVERGENCE
        assert [(w.state, w.matched) for w in found.waivers] == [("unchecked", 8)]
        assert "nothing confirms the other side's values" in found.headline
        assert next_step(found) == "compare with the repaired reference: --against fixed"
    assert result(sound, sound, ("interp-latch",)).exit_code == Exit.STALE_WAIVER
    last = [line for line in leaky.splitlines() if ": F_cell " in line][-1]
    head, _, _ = last.rpartition(" ")
    mended = leaky.replace(last, f"{head} 57.018777939777877")
    assert result(mended, sound).quirks == (), "a step after the latch that is interpolated again"


def test_a_latch_is_seen_beside_another_leak() -> None:
    """Where another leak changes the indices, F_cell says nothing; elsewhere it shows the latch all the same."""
    step = "TRACE_C[spixel=1 fpixel={} thick_tic=0 subS=0 subF=0 source=0 phi_tic={} mos_tic=0]: {}\n"
    rows = [(pixel, tick) for pixel in (1, 2) for tick in (0, 1)]
    sound = "".join(
        step.format(*at, f"hkl_frac 1.{n}25 2.5 3.25") + step.format(*at, f"F_cell 50.{n}7654321012345")
        for n, at in enumerate(rows)
    )
    leaky = re.sub(r"F_cell 50\.\d7654321012345", "F_cell 59.602", sound)
    leaky = leaky.replace("hkl_frac 1.225", "hkl_frac 1.75").replace("hkl_frac 1.025", "hkl_frac 1.5")
    (quirk,) = result(leaky, sound).quirks
    assert (quirk.id, quirk.places) == ("interp-latch", 2)
    assert result(leaky, leaky).quirks == ()


def test_a_latch_in_a_large_log_takes_no_square_of_its_rows(vocabulary: Vocabulary) -> None:
    step = "TRACE_{}[spixel={} fpixel=1 thick_tic=0 subS=0 subF=0 source=0 phi_tic=0 mos_tic=0]: {}\n"
    logs = {}
    for side, F_cell in (("C", "59.602"), ("PY", "50.17654321012345")):
        lines = [step.format(side, n, f"F_cell {F_cell}") for n in range(12000)]
        lines += [step.format(side, n, f"hkl_frac 1 2 {n if side == 'C' else -n}") for n in range(0, 12000, 2)]
        logs[side] = read_trace_lines(lines, side, side, vocabulary)
    alignment = align(logs["C"], logs["PY"], vocabulary)
    judgement = judge(alignment)
    start = time.process_time()
    (latch,) = find_quirks(alignment, judgement, (LEDGER["interp-latch"],))
    assert latch.places == 6001
    assert time.process_time() - start < 1


def test_no_waiver_for_what_no_comparison_shows() -> None:
    with pytest.raises(HarnessError, match="no comparison shows quirk 'first-value'") as caught:
        result("TRACE_C: F_cell 1\n", "TRACE_C: F_cell 2\n", ("first-value",))
    assert caught.value.code == Exit.USAGE
