"""The main job: run both programs on one command line, compare their traces and images, write a bundle."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trace_parity.bundle.bundle import bundle_folder, final_path
from trace_parity.bundle.provenance import bundle_name, environment
from trace_parity.compare.align import align
from trace_parity.compare.images import ImageMetrics, compare_images, read_image
from trace_parity.compare.options import Options
from trace_parity.compare.picks import pick_pixels
from trace_parity.compare.previews import write_previews
from trace_parity.errors import Exit, HarnessError
from trace_parity.files import scratch_folder
from trace_parity.pair.case import (
    Case,
    input_hashes,
    of_unreadable_input,
    place_inputs,
    with_places,
    without_outputs,
)
from trace_parity.pair.pair import Pair
from trace_parity.pair.programs import FILE, PROBES, STDOUT, Program, check_readable
from trace_parity.pair.tolerances import with_rules
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.result.compare import compare
from trace_parity.result.result import CaseResult, Result
from trace_parity.run.documents import write_documents
from trace_parity.run.launch import (
    Progress,
    Ran,
    fill,
    focus_words,
    places,
    run_program,
)
from trace_parity.run.options import RunOutcome, check_against, check_templates
from trace_parity.run.preflight import Launch, preflight, read_settings, resolved
from trace_parity.run.prepared import Prepared, prepare
from trace_parity.run.probed import Asked, executables, focus_text, trace_c, trace_py
from trace_parity.run.source_lines import sources_of
from trace_parity.run.state import Run, Stage, silent
from trace_parity.trace import read_trace
from trace_parity.trace.infer import infer_vocabulary
from trace_parity.trace.precision import with_precision


def run_case(
    pair: Pair,
    case: Case,
    options: Options,
    stage: Stage = silent,
    cwd: Path | None = None,
    prepared: Prepared | None = None,
) -> RunOutcome:
    """Run, compare and write the bundle.

    Raises HarnessError when a program cannot be built or fails, or a file cannot be read. What the programs wrote
    before a failure is kept in `<out>/<case>/failed-<name>/`.
    """
    options, vocabulary = _checked(pair, case, options)
    now = datetime.now(UTC)
    shared = prepared or prepare(pair, options.out, stage)
    git = dict(shared.identity)
    with bundle_folder(options.out, case.id, bundle_name(now, git)) as folder:
        run = _begun(folder, pair, case, options, shared, stage, cwd)
        try:
            result = _run_and_compare(run, case, vocabulary)
        except HarnessError as error:
            _keep_failed(folder)
            error = of_unreadable_input(error, run.case, run.programs.input_flags)
            if run.settings:
                raise HarnessError(error.code, f"{run.settings[0]}; then {error}") from error
            raise error
        write_documents(run, case, result, environment(now), git)
        shutil.rmtree(run.work)
        bundle = final_path(folder)
    return RunOutcome(result, bundle)


def try_case(pair: Pair, case: Case, options: Options, prepared: Prepared) -> Result:
    """The same without a bundle and without pictures: the output of the programs is compared and deleted."""
    options, vocabulary = _checked(pair, case, options)
    with scratch_folder("try") as folder:
        run = _begun(folder, pair, case, options, prepared, silent, None)
        run.keeps = False
        return _run_and_compare(run, case, vocabulary)


def side_fails(pair: Pair, case: Case, options: Options, prepared: Prepared, side: Program) -> bool:
    """Whether one program fails on a case: if the other has failed, this shows whether both refuse it."""
    options, _ = _checked(pair, case, options)
    with scratch_folder("try") as folder:
        run = _begun(folder, pair, case, options, prepared, silent, None)
        try:
            _run_side(run, side, "render" if options.picks else "trace")
        except HarnessError as error:
            if error.code != Exit.PROGRAM_FAILED:
                raise
            return True
    return False


def _checked(pair: Pair, case: Case, options: Options) -> tuple[Options, Vocabulary]:
    options = replace(options, against=check_against(pair.programs, options.against))
    check_templates(pair.programs, case.argv, options)
    check_readable(pair.programs, case.argv)
    return options, with_rules(pair.vocabulary, options.rules)


def _begun(
    folder: Path, pair: Pair, case: Case, options: Options, prepared: Prepared, stage: Stage, cwd: Path | None
) -> Run:
    """A run whose input files are in place."""
    for name in ("work", "traces", "images", "logs"):
        (folder / name).mkdir()
    bare = without_outputs(case, pair.programs.output_flags, pair.programs.switches)
    placed = place_inputs(bare, folder / "work", pair.programs.input_flags, cwd or Path.cwd(), prepared.inputs)
    return Run(folder.resolve(), pair, placed, options, stage, prepared.start_of)


def _run_and_compare(run: Run, case: Case, vocabulary: Vocabulary) -> Result:
    options = run.options
    if options.preflight:
        _preflight(run)
    if options.picks:  # the images determine which places to trace
        _render_images(run)
        case = _pick(run, case, vocabulary)
    rendering = options.render_images and run.programs.can_render and run.images is None
    rendered = _trace(run, together=rendering and options.together)
    if rendering:
        _render_images(run, rendered)
    images = _compare_images(run, case, vocabulary)
    with run.stage("comparing"):
        logs = {name: run.folder / f"traces/{name.lower()}.log" for name in ("C", "PY")}
        if not vocabulary.variables:  # the pair lists none: taken from the logs
            vocabulary = replace(infer_vocabulary(*logs.values()), focus=vocabulary.focus)
        vocabulary, precision = with_precision(vocabulary, logs)
        tables = [
            read_trace(run.folder / f"traces/{name.lower()}.log", name, vocabulary, lenient=options.lenient)
            for name in ("C", "PY")
        ]
        for table in tables:
            table.path = f"traces/{table.side.lower()}.log"
        result = compare(
            align(tables[0], tables[1], vocabulary),
            _case_result(run, case),
            case.contract,
            pair=run.pair,
            options=options,
            images=images,
            settings=run.settings,
        )
    sources = sources_of(run.pair, result, resolved(run.folder))
    names = [(v.scope, v.name) for v in result.variables]
    for letter, probed in run.probed.items():  # known, not searched for
        for name, line in probed.sources(names).items():
            sources[name] = {**sources.get(name, {}), letter: line}
    return replace(result, precision=(*precision, *result.precision), sources=sources)


def _trace(run: Run, *, together: bool) -> dict[str, Ran]:
    """Trace with both programs; returns the runs that rendered too. A place that does not exist is exit 2."""
    rendered = {}
    try:
        for name, side in run.programs.sides.items():
            if together and side.together:
                rendered[name] = _run_side(run, side, "run")
            else:
                _run_side(run, side, "trace")
    except HarnessError as error:
        c = run.programs.sides["C"]
        if error.code == Exit.PROGRAM_FAILED and not run.options.preflight and c.config and run.case.places:
            _check_places(run, _settings_of(run, c))
        raise
    return rendered


def _settings_of(run: Run, side: Program) -> Mapping[str, Any]:
    """The settings of one program for a message about a failed run; none where it does not print them."""
    launch = Launch(side, _command(run, side, side.config), _run_folder(run, side, "config"), run.start_of(side))
    try:
        return read_settings(launch, run.folder)[0]
    except HarnessError:
        return {}


def _case_result(run: Run, case: Case) -> CaseResult:
    options = run.options
    hashes = input_hashes(run.case, run.work, run.programs.input_flags)
    return CaseResult(
        id=case.id,
        title=case.title,
        argv=tuple(Path(w).name if w.startswith("/") else w for w in run.case.argv),
        against=options.against,
        inputs=hashes,
        options=dict(options.program_options),
        expectation=dict(case.expectation),
        places=tuple(case.places),
        picked=tuple(f"({p.slow}, {p.fast}) {p.why}" for p in run.picked),
    )


def _preflight(run: Run) -> None:
    """Compare the settings that both programs resolved, where both can print them."""
    sides = run.programs.sides.values()
    if not all(side.config for side in sides):
        return
    launches = [
        Launch(side, _command(run, side, side.config), _run_folder(run, side, "config"), run.start_of(side))
        for side in sides
    ]
    with run.stage("comparing the settings"):
        found = preflight(launches, run.folder)
    run.settings = found.settings
    _check_places(run, found.c)
    for launch, ran in zip(launches, found.ran, strict=True):
        logs = [f"logs/{path.name}" for path in (ran.stdout, ran.stderr)]
        run.ran.append((launch.side, launch.title, ran, [launch.target, *logs]))


def _check_places(run: Run, settings: Mapping[str, Any]) -> None:
    """Check that every place of the case exists. Raises HarnessError (exit 2) with the sizes."""
    pair = run.pair
    sizes = [size for size in (settings.get(name) for name in pair.focus_sizes) if isinstance(size, int)]
    if not sizes or len(sizes) != len(pair.focus):
        return
    for place in run.case.places:
        if any(index >= size for index, size in zip(place, sizes, strict=True)):
            names = ", ".join(pair.focus_names)
            ranges = ", ".join(f"{n} 0 to {size - 1}" for n, size in zip(pair.focus_names, sizes, strict=True))
            what = f"{pair.focus_option or 'place'} ({names}) = ({', '.join(map(str, place))}) does not exist"
            raise HarnessError(Exit.USAGE, what, where=run.case.id, expected=ranges)


def _command(run: Run, side: Program, template: Sequence[str]) -> list[str]:
    """A side's command with everything filled in; it writes files of the bundle."""
    options = run.options
    chosen = [
        word.format(value=options.program_options[name])
        for name, words in side.options.items()
        if name in options.program_options
        for word in words
    ]
    return fill(
        template,
        {
            "args": run.case.argv,
            "against": side.against.get(options.against, ()),
            "options": chosen,
            "focus": focus_words(run.programs, run.pair.focus, run.case.places),
        },
        {
            **places(side),
            **(executables(run.pair) if any("probed}" in word for word in template) else {}),
            "work": str(run.work),
            "trace": str(run.folder / _trace_of(side)),
            "image": str(run.folder / _image_of(side)),
        },
    )


def _run_folder(run: Run, side: Program, what: str) -> Path:
    """Where a program runs: the folder that its entry names, or one of its own with the input files linked into it."""
    if side.cwd != "{work}":
        return side.folder / side.cwd
    folder = run.work / f"{side.name}_{what}"
    folder.mkdir()
    for path in run.work.iterdir():
        if path.is_file():
            (folder / path.name).symlink_to(path)
    return folder


def _trace_of(side: Program) -> str:
    return f"traces/{side.name.lower()}.log"


def _image_of(side: Program) -> str:
    return f"images/{side.name.lower()}.bin"


def _run_side(run: Run, side: Program, what: str) -> Ran:
    """Run a program to trace, render, or both (`what` is "run"). Raises HarnessError (exit 3)."""
    template, does, targets = {
        "trace": (side.trace, "traces", [_trace_of(side)]),
        "render": (side.render, "renders", [_image_of(side)]),
        "run": (side.together, "traces and renders", [_trace_of(side), _image_of(side)]),
    }[what]
    command = _command(run, side, template)
    title = f"{side.title} {does}"
    output = run.folder / "logs" / f"{side.name.lower()}_{what}"
    run_folder = _run_folder(run, side, what)
    with run.stage(title) as progress:
        if what != "render" and side.trace_from == PROBES:
            ran = _with_probes(run, side, command, run_folder, (output, title, progress))
        else:
            ran = run_program(command, run_folder, output, title, progress, side.env, run.start_of(side))
    if what != "render" and side.trace_from not in (FILE, PROBES):
        shutil.copyfile(ran.stdout if side.trace_from == STDOUT else ran.stderr, run.folder / _trace_of(side))
    for target in targets:
        if not (run.folder / target).is_file():
            raise HarnessError(Exit.PROGRAM_FAILED, f"ended with exit code 0 but did not write {target}", where=title)
    logs = [f"logs/{output.name}.stdout.txt", f"logs/{output.name}.stderr.txt"]
    run.ran.append((side, title, ran, [*targets, *logs]))
    return ran


def _with_probes(
    run: Run, side: Program, command: Sequence[str], folder: Path, shown: tuple[Path, str, Progress]
) -> Ran:
    """Let a program that prints no trace write one by its probes; the bundle keeps what is known of these."""
    ran: list[Ran] = []
    output, title, progress = shown

    def launch(words: Sequence[str], env: Mapping[str, str]) -> None:
        ran.append(run_program(words, folder, output, title, progress, {**side.env, **env}))

    focus = focus_text(run.pair.focus, run.case.places)
    asked = Asked(command, folder, run.folder / _trace_of(side), focus, run.work)
    run.probed[side.name] = (trace_c if side.name == "C" else trace_py)(run.pair, side, asked, launch)
    (run.folder / "probes").mkdir(exist_ok=True)
    (run.folder / f"probes/{side.name.lower()}.json").write_text(run.probed[side.name].record + "\n", encoding="utf-8")
    return replace(ran[0], command=tuple(command))


def _pick(run: Run, case: Case, vocabulary: Vocabulary) -> Case:
    """The case with the places that the images suggest."""
    assert run.images is not None
    run.picked = pick_pixels(*run.images, run.options.picks, vocabulary.image)
    places = [(p.slow, p.fast) for p in run.picked]
    run.case = with_places(run.case, places)
    return with_places(case, places)


def _render_images(run: Run, rendered: Mapping[str, Ran] | None = None) -> None:
    """Render with the programs that have not `rendered`; leaves the images in the run."""
    done = rendered or {}
    ran = {
        name: done[name] if name in done else _run_side(run, side, "render")
        for name, side in run.programs.sides.items()
    }
    shapes = {n: _printed_shape(run, r) for n, r in ran.items()}
    said = {shape for shape in shapes.values() if shape is not None}
    if len(said) > 1:
        raise HarnessError(Exit.SHAPE_MISMATCH, f"the programs rendered different sizes (slow, fast): {shapes}")
    if not said:
        pattern = run.programs.shape
        raise HarnessError(
            Exit.PROGRAM_FAILED,
            "neither program printed the image's size",
            expected=pattern.pattern if pattern else f"[image] size in {run.pair.where}",
        )
    shape = said.pop()
    c, py = (read_image(run.folder / f"images/{name}.bin", shape) for name in ("c", "py"))
    run.images = (c, py)


def _printed_shape(run: Run, ran: Ran) -> tuple[int, int] | None:
    """The image's size that a program printed, on standard output or else on standard error."""
    printed = (stream.read_text("utf-8", "replace") for stream in (ran.stdout, ran.stderr))
    return next((shape for text in printed if (shape := run.programs.find_shape(text)) is not None), None)


def _compare_images(run: Run, case: Case, vocabulary: Vocabulary) -> ImageMetrics | None:
    """Metrics and previews of the images that were rendered, if any."""
    if run.images is None:
        return None
    with run.stage("comparing the images"):
        marked = [(place[0], place[1]) for place in case.places if len(place) == 2]
        if run.keeps:
            write_previews(*run.images, run.folder / "images", marked, run.pair.vocabulary.image.unit)
        return compare_images(*run.images, vocabulary.image, run.options.rtol)


def _keep_failed(folder: Path) -> None:
    """Move the files so far to a folder whose name is not that of a bundle."""
    kept = final_path(folder)
    kept = kept.with_name(f"failed-{kept.name}")
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("work"))
