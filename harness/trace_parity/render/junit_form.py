"""JUnit XML: one test case per variable."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from trace_parity.render.numbers import full, relative
from trace_parity.render.places import Places
from trace_parity.result.result import Result, VariableResult


def render(result: Result) -> str:
    """A test suite of the comparison; one-sided variables and coverage that does not hold are failures too.

    What a waiver lets pass counts as skipped.
    """
    places = Places(result)
    headline = places.headline
    differing = sum(1 for v in result.variables if v.status != "match")
    waived = headline if result.exit_code == 0 else ""
    failed = 0 if waived else differing
    broken = result.exit_code != 0 and failed == 0
    suite = ElementTree.Element(
        "testsuite",
        name=f"trace-diff {result.case.id}",
        tests=str(len(result.variables) + 1),
        failures=str(failed + broken),
        errors="0",
        skipped=str(differing - failed),
    )
    verdict = ElementTree.SubElement(suite, "testcase", classname=result.case.id, name="verdict")
    if broken:
        ElementTree.SubElement(verdict, "failure", message=clean(headline), type=result.verdict)
    if result.images is not None and result.images.warning:
        ElementTree.SubElement(verdict, "system-out").text = f"warning: {result.images.warning}"
    for variable in result.variables:
        _case(suite, result.case.id, variable, places.short(variable.worst_at), waived)
    return document(suite)


def document(suite: ElementTree.Element) -> str:
    """A JUnit file of one suite."""
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _case(suite: ElementTree.Element, case_id: str, v: VariableResult, worst_at: str, waived: str) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname=case_id, name=clean(f"{v.scope}.{v.name}"))
    if v.status == "match":
        return
    if v.status == "missing":
        message = f"only in C {v.c_only}, only in PY {v.py_only}"
    else:
        message = (
            f"{v.divergent} of {v.compared} numbers diverge, worst at {worst_at}: C {full(v.worst_c)}, "
            f"PY {full(v.worst_py)}, {relative(v.worst_rel, v.worst_c, v.worst_py)}"
        )
    if waived:
        ElementTree.SubElement(case, "skipped", message=clean(f"{waived}; {message}"))
        return
    ElementTree.SubElement(case, "failure", message=clean(message), type=v.status)


def clean(text: str) -> str:
    """Text without the characters that XML cannot hold, and without any that a terminal obeys."""
    return "".join(
        ch if (ch >= " " and ch not in _UNFIT) or ch in "\t\n\r" else "�" for ch in _SURROGATES.sub("�", text)
    )


_UNFIT = {"\x7f", "\ufffe", "\uffff", *map(chr, range(0x80, 0xA0))}
_SURROGATES = re.compile("[\ud800-\udfff]")
