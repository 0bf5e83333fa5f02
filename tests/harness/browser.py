"""A real browser for the tests of pages: headless Chromium, spoken to over its own pipe (DevTools protocol)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trace_parity.bundle.report_diff import ReportDiff, changes_of
from trace_parity.bundle.report_diff import html as diff_page
from trace_parity.bundle.report_index import render_index
from trace_parity.render.html_form import render
from trace_parity.render.pictures import pictures
from trace_parity.render.sweep_report import sweep_page
from trace_parity.result.finding import DIFFERS, Finding, Shown, SweepResult

from tests.harness.snapshots.results import HOSTILE, RESULTS, variable
from tests.harness.test_report_index import entry

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_SHOWN = Shown(DIFFERS, 1, "rot_a", "C rot_a", "first at rot_a[1] (step=0): 2 of 9 numbers differ")
SWEEP = SweepResult(
    "a toy",
    ("trace-diff", "sweep", "--random", "6"),
    {"same": 4, DIFFERS: 2},
    9,
    1,
    (Finding("rot-a", ("-n", "3"), ("-n", "3"), _SHOWN, (("-n", "3"), ("-n", "3", "-dt", "1")), "rot-a.toml"),),
)

PAGES = ["parity", "quirk", "waived", "one_sided", "hostile", "bare", "many", "index", "diff", "sweep"]

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


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium")
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture(scope="session")
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
    texts["long_index"] = render_index([replace(runs[0], name=f"r{i:04}", case=f"case{i % 150}") for i in range(2000)])
    both = (RESULTS["parity"](), RESULTS["quirk"]())
    texts["diff"] = diff_page(ReportDiff((Path("a"), Path("b")), both, tuple(changes_of(*both)), ()))
    texts["sweep"] = sweep_page(SWEEP)
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


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
