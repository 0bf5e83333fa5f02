"""The documents of a bundle, written after both programs have run and were compared."""

from __future__ import annotations

from trace_parity import __version__
from trace_parity.bundle.rocrate import Action, rocrate
from trace_parity.compare.tick_table import write_ticks
from trace_parity.pair.case import Case
from trace_parity.pair.case_file import keep_case
from trace_parity.render import renderer
from trace_parity.render.html_form import render as report_page
from trace_parity.render.markdown_form import environment_section
from trace_parity.render.pictures import bundle_files
from trace_parity.result.result import Result, to_json
from trace_parity.run.commands import commands_text, portable
from trace_parity.run.state import Run


def write_documents(run: Run, case: Case, result: Result, env: dict[str, object], git: dict[str, object]) -> None:
    """Summary, page, results, provenance and crate into the run's folder."""
    folder = run.folder
    documents = {
        "summary.md": renderer("markdown")(result) + environment_section(env, git),
        "result.json": renderer("json")(result),
        "metrics.json": renderer("metrics")(result),
        "junit.xml": renderer("junit")(result),
        "env.json": to_json(env),
        "git.json": to_json(git),
        "case.toml": keep_case(case, run.case, run.pair, folder),
        "commands.txt": commands_text(run, case, result),
    }
    if result.per_tick:
        rows = list(result.per_tick)
        for end, form in _TABLE_FORMS.items():
            documents[f"{result.tick_name}.{end}"] = write_ticks(rows, form, result.tick_loop)
    for name, text in documents.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "report.html").write_text(report_page(result, bundle_files(folder, result)), encoding="utf-8")
    actions = [
        Action(f"#{side.name.lower()}-{i}", title, portable(run, ran.command), wrote)
        for i, (side, title, ran, wrote) in enumerate(run.ran)
    ]
    compared = [name for name in _listing(run) if not any(name in a.wrote for a in actions)]
    actions.append(Action("#comparison", f"trace-diff {__version__}", run.options.asked_as, compared))
    crate = rocrate(result, _listing(run), actions, str(env["created_utc"]))
    (folder / "ro-crate-metadata.json").write_text(crate, encoding="utf-8")


_TABLE_FORMS = {"csv": "csv", "json": "json", "md": "markdown"}


def _listing(run: Run) -> list[str]:
    """The files of the bundle so far."""
    paths = (p.relative_to(run.folder) for p in run.folder.rglob("*") if p.is_file())
    return sorted(p.as_posix() for p in paths if p.parts[0] != "work")
