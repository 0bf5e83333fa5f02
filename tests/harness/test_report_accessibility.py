"""The pages for everybody: screen readers, keyboard, contrast, paper; checked by axe-core and by hand."""

from __future__ import annotations

import itertools
import json
from importlib import resources
from pathlib import Path

import pytest

from tests.harness.browser import CHROMIUM, PAGES, Browser, rows

VIEWS = [(1440, "light"), (390, "dark")]
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium")


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


AXE = """axe.run().then((found) => JSON.stringify(found.violations.map((v) =>
    `${v.id}: ${v.nodes.length} of ${v.nodes[0].html.slice(0, 160)}: ${v.nodes[0].failureSummary}`)))"""


def violations(browser: Browser) -> list[str]:
    """What axe-core finds on the open page, with every group open: WCAG 2.1 AA and good practice."""
    pytest.importorskip("axe_core_python", reason="axe-core-python is not installed (extra [dev])")
    script = resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    browser.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    browser.run(f"{script}\n0")
    answer = browser.send("Runtime.evaluate", expression=AXE, awaitPromise=True, returnByValue=True)
    assert "exceptionDetails" not in answer, answer["exceptionDetails"]
    found: list[str] = json.loads(answer["result"]["value"])
    return found


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(browser: Browser, pages: dict[str, Path], name: str, width: int, scheme: str) -> None:
    browser.open(pages[name], width, scheme)
    assert violations(browser) == []


def test_axe_finds_a_planted_fault(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["parity"])
    browser.run("document.querySelector('h1').append(document.createElement('img'))")
    browser.run("document.querySelector('h1').style.color = '#ddd'")
    assert {found.partition(":")[0] for found in violations(browser)} >= {"image-alt", "color-contrast"}
