"""The report in a real browser: what a reader sees and does."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from trace_parity.cli.page_files import files_of_logs
from trace_parity.render.html_form import render

from tests.harness.browser import CHROMIUM, PAGES, Browser, choose, rows
from tests.harness.snapshots.results import HOSTILE, with_quirk

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium")

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


@pytest.mark.parametrize("width", [390, 500, 760])
def test_the_head_wraps_on_a_narrow_screen(browser: Browser, width: int, tmp_path: Path) -> None:
    """All of it can be read without scrolling sideways, and it leaves room for the verdict."""
    page = tmp_path / "page.html"
    files = {**files_of_logs("a pair with a longer title"), "commands.txt": b"trace-diff compare c.log py.log\n"}
    page.write_text(render(with_quirk(), files, in_bundle=False))
    browser.open(page, width=width)
    wide, scrolls, count, height = browser.run("""(() => { const e = document.querySelector('.about');
        return [e.scrollWidth > e.clientWidth, getComputedStyle(e).overflowX,
                e.querySelectorAll('dl > div').length, e.getBoundingClientRect().height]; })()""")
    assert (wide, scrolls) == (False, "visible")
    assert count >= 6
    assert height < 240  # however long the name of the machine is


def test_the_scale_of_the_images(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["quirk"])
    shown = """['log', 'linear'].map(kind => [...document.querySelectorAll(`svg.view image.${kind}`)]
        .every(i => getComputedStyle(i).display !== 'none'))"""
    assert browser.run(shown) == [True, False]
    browser.click("#scale-linear")
    assert browser.run(shown) == [False, True]


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


def test_the_index_sorts_and_filters(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["index"])
    assert browser.run("document.querySelectorAll('#runs-table tbody tr').length") == 6
    choose(browser, "status", "bad")
    assert browser.run("document.querySelector('form output').textContent") == "2 of 6"
    assert browser.run("document.querySelectorAll('svg.spark').length") == 2


def test_a_long_index_is_shown_page_by_page(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["long_index"], 1440)
    shown = "[...document.querySelectorAll('#runs-table tbody tr')].filter(row => !row.hidden).length"
    more = "document.querySelector('#runs .more').textContent"
    assert (browser.run(shown), browser.run(more)) == (100, "Show 100 more of 1900")
    browser.click("#runs .more")
    assert (browser.run(shown), browser.run(more)) == (200, "Show 100 more of 1800")
    choose(browser, "text", "r0007")
    assert browser.run("document.querySelector('form output').textContent") == "1 of 2000"
    assert browser.run(shown) == 1
    assert browser.run("document.querySelector('#runs .more').hidden")
    choose(browser, "text", "")
    browser.click("#runs-table th:nth-child(1) button")
    assert browser.run(shown) == 200
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run(shown) == 2000
