"""Every renderer against its snapshot, and what must hold of each form whatever it says.

`UPDATE_SNAPSHOTS=1 pytest tests/harness/test_render.py` writes the snapshots anew; look at the diff before committing.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from trace_parity.render import FORMATS, renderer
from trace_parity.render.html_form import render as render_page
from trace_parity.render.html_form import script_json

from tests.harness.snapshots.results import HOSTILE, RESULTS, divergence, one_sided, result, with_quirk

SNAPSHOTS = Path(__file__).parent / "snapshots"
ENDINGS = {
    "text": "txt", "json": "json", "markdown": "md", "html": "html", "junit": "xml", "github": "txt",
    "step-summary": "md", "sarif": "sarif", "metrics": "json",
}  # fmt: skip


def comparable(form: str, text: str) -> str:
    """A page without its style and script, which are files of their own, and one tag per line."""
    if form != "html":
        return text
    text = re.sub(r"<style>.*?</style>", "<style></style>", text, flags=re.DOTALL)
    text = re.sub(r"<script>.*?</script>", "<script></script>", text, flags=re.DOTALL)
    text = re.sub(r"sha256-[A-Za-z0-9+/=]+", "sha256-…", text)
    return re.sub(r">[ \n]*<", ">\n<", text)


def test_every_form_has_snapshots() -> None:
    assert set(ENDINGS) == set(FORMATS)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", RESULTS)
def test_snapshot(name: str, form: str) -> None:
    got = comparable(form, renderer(form)(RESULTS[name]()))
    path = SNAPSHOTS / f"{name}.{form}.{ENDINGS[form]}"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(got, encoding="utf-8")
    want = path.read_text(encoding="utf-8") if path.exists() else ""
    diff = list(difflib.unified_diff(want.splitlines(), got.splitlines(), path.name, "rendered now", lineterm="", n=2))
    assert not diff, "\n".join([*diff[:60], "UPDATE_SNAPSHOTS=1 writes the snapshots anew"])


def test_no_snapshot_is_left_over() -> None:
    wanted = {f"{name}.{form}.{ENDINGS[form]}" for name in RESULTS for form in FORMATS}
    found = {p.name for p in SNAPSHOTS.iterdir() if p.is_file() and p.suffix != ".py"}
    assert found - {"sarif-2.1.0-rtm.5.json"} == wanted


@pytest.mark.parametrize("name", RESULTS)
def test_sarif_is_valid(name: str) -> None:
    """The official schema, as the npm package @microsoft/jest-sarif ships it."""
    schema = json.loads((SNAPSHOTS / "sarif-2.1.0-rtm.5.json").read_text())
    log = json.loads(renderer("sarif")(RESULTS[name]()))
    errors = [e.message for e in jsonschema.Draft4Validator(schema).iter_errors(log)]
    assert not errors
    run = log["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert all(rules[r["ruleIndex"]] == r["ruleId"] for r in run["results"])
    assert bool(run["results"]) == (RESULTS[name]().exit_code != 0)


def test_what_a_waiver_lets_pass_is_no_failure() -> None:
    """Neither to a CI that reads JUnit nor to one that reads SARIF."""
    passed = replace(
        RESULTS["waived"](), exit_code=0, verdict="parity", headline="waived phi-carryover: first at rot_a"
    )
    suite = ElementTree.fromstring(renderer("junit")(passed)).find("testsuite")
    assert suite is not None
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "2")
    assert [case.get("name") for case in suite.iter("testcase") if case.find("skipped") is not None] == [
        "step.rot_a",
        "pixel.I_final",
    ]
    assert not list(suite.iter("failure"))
    results = json.loads(renderer("sarif")(passed))["runs"][0]["results"]
    assert [r["level"] for r in results] == ["note", "note"]
    assert all("waived phi-carryover" in r["suppressions"][0]["justification"] for r in results)
    schema = json.loads((SNAPSHOTS / "sarif-2.1.0-rtm.5.json").read_text())
    assert not list(jsonschema.Draft4Validator(schema).iter_errors(json.loads(renderer("sarif")(passed))))


def test_sarif_points_at_the_sources() -> None:
    log = json.loads(renderer("sarif")(with_quirk()))
    found = next(r for r in log["runs"][0]["results"] if "First divergence" in r["message"]["text"])
    physical = found["locations"][0]["physicalLocation"]
    assert (physical["artifactLocation"]["uri"], physical["region"]["startLine"]) == ("port/evaluate.py", 205)
    assert found["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "reference/pixel.c"


def test_annotations_are_one_per_trace_and_ten_at_most() -> None:
    assert renderer("github")(with_quirk()).count("::error") == 2
    many = tuple(
        divergence(name, "1", "2", loops={"spixel": i, "fpixel": 0, "phi_tic": 0})
        for i in range(14)
        for name in ("rot_a", "F")
    )
    lines = renderer("github")(replace(with_quirk(), divergences=many, first_divergence=many[0])).splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("::error title=trace divergence%3A toy,file=port/evaluate.py,line=205::")
    assert lines[-1].endswith("::5 more sites diverge; the JSON form has all")


def test_a_hostile_log_cannot_write_its_own_annotation() -> None:
    lines = renderer("github")(RESULTS["hostile"]()).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("::error title=")


def test_junit_of_a_hostile_log_parses() -> None:
    suite = ElementTree.fromstring(renderer("junit")(RESULTS["hostile"]())).find("testsuite")
    assert suite is not None
    shown = HOSTILE.replace("\x1b", "�")
    assert any(shown in str(case.get("name")) for case in suite.iter("testcase"))


@pytest.mark.parametrize("form", ["step-summary"])
def test_a_hostile_name_cannot_open_html_in_markdown(form: str) -> None:
    text = renderer(form)(RESULTS["hostile"]())
    unescaped = re.findall(r"(?<!\\)<(?!/?(?:code|details|summary)>)\S*", text)
    assert not unescaped


class Elements(HTMLParser):
    """What a browser would make of a page: its elements, their attributes, the text of its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script" and self.scripts and self.cdata_elem:
            self.scripts[-1] += data
        self.text.append(data)


@pytest.mark.parametrize("name", RESULTS)
def test_a_page_holds_nothing_that_a_log_put_there(name: str) -> None:
    page = Elements(render_page(RESULTS[name](), {"commands.txt": f"# {HOSTILE}\n{HOSTILE}\n".encode()}))
    assert [tag for tag, _ in page.seen].count("script") == 2
    assert not [tag for tag, _ in page.seen if tag in {"img", "iframe", "object", "link", "base"}]
    for _, attributes in page.seen:
        assert not [a for a in attributes if a.startswith("on") or a == "style"]
        for target in (attributes.get("href"), attributes.get("src")):
            assert not target or not re.match(r"\s*(\w+:|//)", target) or target.startswith("data:image/png;base64,")
    json.loads(page.scripts[0])


def test_a_hostile_name_is_shown_with_its_control_characters_spelled_out() -> None:
    page = Elements(render_page(RESULTS["hostile"]()))
    assert HOSTILE.replace("\x1b", "\\x1b") + "[0]" in page.text


def test_the_policy_lets_only_the_page_s_own_script_run() -> None:
    page = Elements(render_page(with_quirk()))
    policy = next(a["content"] for t, a in page.seen if t == "meta" and a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy


def test_json_in_a_page_cannot_end_its_element() -> None:
    text = script_json({HOSTILE: "\u2028<!--", "x": float("nan")})
    assert "<" not in text
    assert ">" not in text
    assert text.isascii()
    assert json.loads(text) == {HOSTILE: "\u2028<!--", "x": "nan"}


def test_a_page_without_a_bundle_links_no_neighbours() -> None:
    for page in (render_page(with_quirk()), render_page(one_sided())):
        targets = [a["href"] for t, a in Elements(page).seen if t == "a" and a.get("href")]
        assert targets
        assert all(t is not None and t.startswith("#") for t in targets)


def test_a_large_result_is_capped_and_says_so() -> None:
    from tests.harness.snapshots.results import variable

    many = tuple(variable(f"v{i}", divergent=int(i == 900)) for i in range(1000))
    page = render_page(result(variables=many), {})
    assert 'id="v900"' in page
    assert "The 400 worst of 1000 variables" in page
    assert page.count("<tr id=") == 400
