"""The bundle that is kept to look at: whole, and its page is what this version makes of it."""

from __future__ import annotations

from trace_parity.bundle.bundle import verify
from trace_parity.bundle.report_index import render_bundle

from tests.golden import ROOT


def test_the_sample_is_one_whole_bundle_with_todays_page() -> None:
    (sample,) = (ROOT / "reports" / "sample" / "supervisor").iterdir()
    assert verify(sample) == []
    page = (sample / "report.html").read_text(encoding="utf-8")
    remake = f"trace-diff report render {sample.relative_to(ROOT)}"
    assert page == render_bundle(sample), f"the page has changed: {remake}"
