"""The report in a real browser: headless Chromium, spoken to over its own pipe (DevTools protocol)."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trace_parity.bundle.report_index import render_index
from trace_parity.render.html_form import render
from trace_parity.render.pictures import pictures

from tests.harness.snapshots.results import HOSTILE, RESULTS, variable
from tests.harness.test_report_index import entry

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium")

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --remote-debugging-pipe --hide-scrollbars --no-proxy-server""".split()


class Browser:
    """One page. Commands go in and answers come out as JSON ended by a zero byte, on file descriptors 3 and 4."""

    def __init__(self, profile: Path) -> None:
        read, theirs_out = os.pipe()
        theirs_in, write = os.pipe()
        command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        wrapper = ["bash", "-c", 'i=$1 o=$2; shift 2; exec "$@" 3<&"$i" 4>&"$o"', "-", str(theirs_in), str(theirs_out)]
        self.process = subprocess.Popen(
            [*wrapper, *command], pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self.write, self.read, self.buffer, self.count = write, read, b"", 0
        self.events: list[dict[str, Any]] = []
        self.session: str | None = None
        targets = self.send("Target.getTargets")["targetInfos"]
        target = next(t["targetId"] for t in targets if t["type"] == "page")
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def close(self) -> None:
        os.close(self.write)
        os.close(self.read)
        self.process.terminate()
        self.process.wait(10)

    def receive(self) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            chunk = os.read(self.read, 1 << 20)
            assert chunk, "the browser is gone"
            self.buffer += chunk
        message, _, self.buffer = self.buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        self.count += 1
        message: dict[str, Any] = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.count:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def open(self, path: Path, width: int = 1280, scheme: str = "light", script: bool = True) -> None:
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.send("Emulation.setScriptExecutionDisabled", value=not script)
        self.events.clear()
        self.send("Page.navigate", url=path.as_uri())
        while not any(e["method"] == "Page.loadEventFired" for e in self.events):
            self.events.append(self.receive())

    def run(self, expression: str) -> Any:
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def point(self, selector: str, kind: str = "mouseMoved", dx: float = 0.0) -> None:
        box = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center'}); const b = e.getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        pressed: dict[str, Any] = {"button": "left", "clickCount": 1} if kind != "mouseMoved" else {}
        self.send("Input.dispatchMouseEvent", type=kind, x=box[0] + dx, y=box[1], **pressed)

    def click(self, selector: str) -> None:
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.point(selector, kind)

    def complaints(self) -> list[str]:
        """Console messages, exceptions, refused policies and every network request."""
        self.run("1")
        said = [json.dumps(e["params"]) for e in self.events if e["method"] in _COMPLAINTS]
        asked = [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return said + [url[:80] for url in asked if not url.startswith(("data:", "file:"))]


_COMPLAINTS = {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening"}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    image = np.arange(80.0).reshape(8, 10)
    embedded = {
        "commands.txt": b"# command line of this run\ntrace-diff run toy\n",
        **pictures(image, image * 1.01, [(0, 0)]),
    }
    texts = {name: render(make(), embedded) for name, make in RESULTS.items()}
    many = tuple(
        variable(
            f"v{i}", "abc"[i // 100], **({"divergent": 4, "worst_rel": i / 1e3, "worst_abs": 1.0} if i % 2 else {})
        )
        for i in range(300)
    )
    texts["many"] = render(replace(RESULTS["quirk"](), variables=many), embedded)
    texts["bare"] = render(RESULTS["quirk"]())
    runs = [entry(case, day, rtol) for case in ("one", HOSTILE) for day, rtol in ((1, 1e-12), (2, 0.5), (3, 0.0))]
    texts["index"] = render_index(runs)
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


NEXT = "trace-diff run case.toml --against fixed --out ../.."
OVERLAPS = """(() => {
  const box = (e) => e.getBoundingClientRect();
  const blocks = [...document.querySelectorAll("header, main > *, section > *, .sides > *, .panels > *, .plots > *")]
    .filter((e) => box(e).height > 0 && getComputedStyle(e).position !== "sticky");
  const found = [];
  for (const a of blocks) for (const b of blocks) {
    if (a === b || a.contains(b) || b.contains(a)) continue;
    const x = box(a), y = box(b);
    const w = Math.min(x.right, y.right) - Math.max(x.left, y.left);
    const h = Math.min(x.bottom, y.bottom) - Math.max(x.top, y.top);
    if (w > 1 && h > 1) found.push(`${a.tagName}.${a.className} on ${b.tagName}.${b.className} by ${w} x ${h}`);
  }
  const scrolled = ".scroll, nav, .skip, svg, script";
  const wide = [...document.querySelectorAll("body *")].filter((e) => !e.closest(scrolled));
  const root = document.documentElement, limit = root.clientWidth + 1;
  for (const e of wide) if (box(e).right > limit) found.push(`${e.tagName}.${e.className} reaches ${box(e).right}`);
  if (root.scrollWidth > limit) found.push(`the page is ${root.scrollWidth} wide`);
  return found;
})()"""

PAGES = ["parity", "quirk", "waived", "one_sided", "hostile", "bare", "many", "index"]


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("name", PAGES)
def test_opens_quietly_and_lies_well(browser: Browser, pages: dict[str, Path], name: str, width: int) -> None:
    browser.open(pages[name], width)
    assert browser.run(OVERLAPS) == []
    assert browser.complaints() == []
    assert browser.run("document.querySelectorAll('img, [onerror]').length") == 0


def test_the_verdict_is_what_one_sees_first(browser: Browser, pages: dict[str, Path]) -> None:
    for width in (1280, 400):
        browser.open(pages["quirk"], width)
        top, bottom = browser.run(
            "(b => [b.top, b.bottom])(document.getElementById('verdict').getBoundingClientRect())"
        )
        assert 0 < top < 200
        assert bottom < 900
        words = browser.run("document.getElementById('verdict').textContent")
        for word in ("rot_a[1]", "phi_tic=0", "C shows its known quirk phi-carryover", "--against fixed"):
            assert word in words, word


def test_the_plots_come_first_when_the_loop_matters(browser: Browser, pages: dict[str, Path]) -> None:
    ids = "[...document.querySelectorAll('main > section')].map(e => e.id)"
    browser.open(pages["quirk"])
    assert browser.run(ids)[:3] == ["verdict", "ticks", "first"]
    browser.open(pages["parity"])
    assert browser.run(ids)[:2] == ["verdict", "pipeline"]
    assert "ticks" in browser.run(ids)


def test_the_scale_of_the_images(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["quirk"])
    shown = """['log', 'linear'].map(kind => [...document.querySelectorAll(`svg.view image.${kind}`)]
        .every(i => getComputedStyle(i).display !== 'none'))"""
    assert browser.run(shown) == [True, False]
    browser.click("#scale-linear")
    assert browser.run(shown) == [False, True]


def rows(browser: Browser, table: str = "#variables table") -> list[str]:
    found: list[str] = browser.run(
        f"[...document.querySelectorAll('{table} tbody tr')].filter(row => !row.hidden)"
        ".map(row => row.cells[1].querySelector('code').textContent)"
    )
    return found


def choose(browser: Browser, name: str, value: str) -> None:
    browser.run(
        f"(e => {{ e.value = {json.dumps(value)}; e.dispatchEvent(new Event('input', {{bubbles: true}}));"
        f" e.dispatchEvent(new Event('change', {{bubbles: true}})); }})(document.querySelector('form [name={name}]'))"
    )


def test_sorting(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["many"])
    table = '[aria-label="variables of a"] table'
    assert rows(browser, table)[:3] == ["v99", "v97", "v95"]
    head = f"{table} th[data-worst]"
    assert browser.run(f"document.querySelector('{head}').getAttribute('aria-sort')") == "descending"
    browser.click(f"{head} button")
    assert rows(browser, table)[-1] == "v99"
    assert browser.run(f"document.querySelector('{head}').getAttribute('aria-sort')") == "ascending"
    browser.click(f"{head} button")
    assert rows(browser, table)[0] == "v99"
    choose(browser, "order", "")
    assert rows(browser, table)[:2] == ["v0", "v1"]
    choose(browser, "order", "worst")
    assert rows(browser, table)[:2] == ["v99", "v97"]
    browser.click(f"{table} th:nth-child(2) button")
    assert rows(browser, table)[:2] == ["v0", "v10"]


def test_hundreds_of_divergent_variables_make_a_short_page(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["many"], 1440)
    assert browser.run("document.documentElement.scrollHeight") < 6000
    groups = """[...document.querySelectorAll('details.group')].map(g => g.open)"""
    assert browser.run(groups) == [True, False, False]
    summary = browser.run("document.querySelectorAll('details.group summary')[2].textContent")
    assert "50 of 100 do not agree" in summary
    assert "v299" in summary
    choose(browser, "text", "v250")
    assert rows(browser) == ["v250"]
    assert browser.run("[...document.querySelectorAll('details.group')].map(g => g.hidden)") == [True, True, False]
    assert browser.run(groups)[2]
    assert browser.run("document.querySelectorAll('svg.graph .node').length") == 150


def test_filtering(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["quirk"])
    assert rows(browser) == ["cell_vec", "rot_a", "I_final"]
    choose(browser, "text", "PIXEL final")
    assert rows(browser) == ["I_final"]
    assert browser.run("document.querySelector('form output').textContent") == "1 of 3"
    choose(browser, "text", "")
    choose(browser, "status", "bad")
    assert rows(browser) == ["rot_a", "I_final"]
    choose(browser, "status", "match")
    assert rows(browser) == ["cell_vec"]


def test_pointing_at_the_pipeline(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["quirk"])
    near = "[...document.querySelectorAll('.node.near')].map(n => n.dataset.node).sort().join()"
    browser.point('.node[data-node="2"]')
    assert browser.run(near) == "1,2"
    browser.point("h1")
    assert browser.run(near) == ""
    browser.run("""document.querySelector('.node[data-node="0"]').focus()""")
    assert browser.run(near) == "0,1"
    signs = browser.run("[...document.querySelectorAll('.node .sign')].map(s => s.textContent).join('')")
    assert signs == "✓✗ C↳"


def test_a_box_leads_to_its_row_even_when_that_is_filtered_out(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["quirk"])
    choose(browser, "text", "nothing has this name")
    assert rows(browser) == []
    browser.click('.node[data-node="1"]')
    assert rows(browser) == ["rot_a"]
    assert browser.run("location.hash") == "#v1"


def test_hovering_a_plot(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["parity"])
    browser.point('.strip[data-i="1"]')
    said = browser.run("document.querySelector('.readout').textContent")
    assert said == "k at phi_deg 0.1:  C 1.5  PY 1.5  PY − C 0"
    assert browser.run("document.querySelector('.cursor').getAttribute('visibility')") == "visible"
    browser.run("document.querySelector('svg.plot').focus()")
    browser.send("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight")
    assert "phi_deg 0.2:" in browser.run("document.querySelector('.readout').textContent")


def test_hovering_a_plot_of_a_hostile_log(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["hostile"])
    browser.point('.strip[data-i="1"]')
    assert browser.run("document.querySelector('.readout').textContent").startswith(f"{HOSTILE} at phi_deg 1:")
    assert browser.complaints() == []


def view_boxes(browser: Browser) -> list[str]:
    found: list[str] = browser.run("[...document.querySelectorAll('svg.view')].map(v => v.getAttribute('viewBox'))")
    return found


def test_zooming_the_images_together(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["quirk"])
    whole = ["0 0 10 8"] * 3
    assert view_boxes(browser) == whole
    browser.click('[data-zoom="in"]')
    boxes = view_boxes(browser)
    assert len(set(boxes)) == 1
    assert boxes != whole
    x = float(boxes[0].split()[0])
    browser.point("svg.view", "mousePressed")
    browser.point("svg.view", "mouseMoved", dx=40)
    browser.point("svg.view", "mouseReleased", dx=40)
    moved = view_boxes(browser)
    assert len(set(moved)) == 1
    assert float(moved[0].split()[0]) < x
    browser.click('[data-zoom="all"]')
    assert view_boxes(browser) == whole
    browser.run("document.querySelectorAll('svg.view')[2].focus()")
    browser.send("Input.dispatchKeyEvent", type="keyDown", key="+", text="+")
    assert view_boxes(browser) == boxes


def test_the_traced_pixels_are_marked(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["quirk"])
    where = """[...document.querySelectorAll('svg.view')].map(view =>
        [...view.querySelectorAll('.traced')].map(m => `${m.dataset.slow},${m.dataset.fast}`).join(' '))"""
    assert browser.run(where) == ["2,3 5,6"] * 3
    browser.point("svg.view")
    assert browser.run("document.querySelector('.viewer output').textContent") == "slow 4, fast 5"
    loaded = "[...document.querySelectorAll('svg.view image.log')].every(i => i.getBoundingClientRect().width > 50)"
    assert browser.run(loaded)


def test_the_page_can_be_used_from_the_keyboard(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["quirk"])

    def press(key: str, code: int, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            extra = {"text": text} if text and kind == "keyDown" else {}
            browser.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **extra)

    reached = []
    for _ in range(120):
        press("Tab", 9)
        reached.append(
            browser.run("(e => `${e.tagName}.${e.className.baseVal ?? e.className}`)(document.activeElement)")
        )
    assert reached[0] == "A.skip"
    for element in ("BUTTON.sort", "SELECT.", "INPUT.", "DIV.scroll", "svg.view", "BUTTON.copy"):
        assert element in reached, element
    assert rows(browser, "#numbers-table") == ["rot_a[1]", "I_final", "rot_a"]
    browser.run("document.querySelector('#numbers-table th:nth-child(2) button').focus()")
    press("Enter", 13, "\r")
    assert rows(browser, "#numbers-table") == ["I_final", "rot_a", "rot_a[1]"]


def test_waivers_and_why_pixels_were_picked(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["waived"])
    states = browser.run("[...document.querySelectorAll('#ledger-table .tag')].map(e => e.textContent)")
    assert states == ["✓ used", "✗ stale", "✗ expired", "✗ exceeded", "– unused"]
    first = browser.run("document.querySelector('#ledger-table tbody tr').innerText")
    assert first.split("\t") == [
        "phi-carryover", "✓ used", "2", "0.000457", "0.5", "maintainers of the reference", "2027-12-31",
        "docs/quirks.md#phi-carryover",
    ]  # fmt: skip
    assert "(5, 6) brightest 1: 5 in C" in browser.run("document.getElementById('picked').textContent")


def test_commands_copy(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["quirk"])
    assert browser.run("document.querySelector('.command pre').textContent.trim()") == NEXT
    browser.click(".command .copy")
    label = "document.querySelector('.command .copy').textContent"
    for _ in range(50):  # the clipboard answers when it likes
        if (said := browser.run(label)) != "Copy":
            break
        time.sleep(0.05)
    assert said in {"Copied", "Selected"}
    selected = browser.run("getSelection().toString().trim()")
    assert said == "Copied" or selected == NEXT


def test_all_is_there_without_a_script(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["quirk"], script=False)
    try:
        tree = browser.send("DOMSnapshot.captureSnapshot", computedStyles=[])
        shown = " ".join(tree["strings"][i] for i in tree["documents"][0]["layout"]["text"] if i >= 0)
        shown = " ".join(shown.split())
    finally:
        browser.send("Emulation.setScriptExecutionDisabled", value=False)
    for words in ("divergence", "-21.88", "-21.87", "port/evaluate.py:205", "phi-carryover", "k", "trace-diff run toy"):
        assert words in shown, words
    assert "Filter" not in shown


FAINT = r"""(() => {
  const rgb = (colour) => (colour.match(/[\d.]+/g) || []).map(Number);
  const linear = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = (colour) => {
    const [r, g, b] = rgb(colour).map(linear);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (rgb(colour)[3] !== 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const chosen = ".word, .soft, dt, .chip, .value, td, th, a, .key-c, .key-py, .key-d";
  return [...document.querySelectorAll(chosen)].filter((e) => e.closest("svg") === null).map((e) => {
    const pair = [luminance(getComputedStyle(e).color), luminance(behind(e))].sort((x, y) => y - x);
    return [(pair[0] + 0.05) / (pair[1] + 0.05), e.className || e.tagName];
  }).filter(([ratio]) => ratio < 4.5);
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background(browser: Browser, pages: dict[str, Path], scheme: str) -> None:
    browser.open(pages["quirk"], scheme=scheme)
    assert browser.run(FAINT) == []


def test_print_shows_all_and_no_controls(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["quirk"])
    browser.send("Emulation.setEmulatedMedia", media="print")
    try:
        controls = "[...document.querySelectorAll('nav, .controls, .copy')]"
        assert browser.run(f"{controls}.filter(e => e.getBoundingClientRect().height).length") == 0
        assert len(browser.send("Page.printToPDF")["data"]) > 10_000
    finally:
        browser.send("Emulation.setEmulatedMedia", media="")


def test_the_index_sorts_and_filters(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["index"])
    assert browser.run("document.querySelectorAll('#runs-table tbody tr').length") == 6
    choose(browser, "status", "bad")
    assert browser.run("document.querySelector('form output').textContent") == "2 of 6"
    assert browser.run("document.querySelectorAll('svg.spark').length") == 2


MISNAMED = r"""[...document.querySelectorAll("a[aria-label], button[aria-label], summary[aria-label]")].filter((e) => {
  const squeeze = (text) => text.replace(/\s+/g, " ").trim().toLowerCase();
  const own = [...e.childNodes].filter((n) => n.nodeName !== "title").map((n) => n.textContent).join("");
  return own && !squeeze(e.getAttribute("aria-label")).includes(squeeze(own));
}).map((e) => `${e.getAttribute("aria-label")} | ${e.textContent}`)"""


@pytest.mark.parametrize("name", PAGES)
def test_what_one_sees_is_what_a_screen_reader_calls_it(browser: Browser, pages: dict[str, Path], name: str) -> None:
    """WCAG 2.5.3, and nothing that scrolls is without a name or out of reach of the keyboard."""
    browser.open(pages[name], 400)
    assert browser.run(MISNAMED) == []
    unnamed = """[...document.querySelectorAll(".scroll, pre")].filter(e => e.tabIndex < 0 ||
        (e.classList.contains("scroll") && !(e.getAttribute("role") === "region" && e.getAttribute("aria-label"))))
        .map(e => e.outerHTML.slice(0, 80))"""
    assert browser.run(unnamed) == []
    levels = browser.run("[...document.querySelectorAll('h1, h2, h3')].map(e => Number(e.tagName[1]))")
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


def test_the_page_on_paper_has_everything(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["many"])
    browser.send("Emulation.setEmulatedMedia", media="print")
    try:
        browser.run("dispatchEvent(new Event('beforeprint'))")
        assert browser.run("[...document.querySelectorAll('details')].every(d => d.open)")
        boxes = "[...document.querySelectorAll('.scroll, .tall, .excerpt')]"
        assert browser.run(f"{boxes}.filter(e => e.scrollHeight > e.clientHeight + 1).length") == 0
        assert browser.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    finally:
        browser.send("Emulation.setEmulatedMedia", media="")
