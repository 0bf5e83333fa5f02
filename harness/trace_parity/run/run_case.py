"""The main job: run both programs on one command line, compare their traces and images, leave a bundle."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from trace_parity import __version__
from trace_parity.bundle.bundle import bundle_folder, final_path
from trace_parity.bundle.provenance import bundle_name, environment
from trace_parity.bundle.rocrate import Action, rocrate
from trace_parity.compare.align import align
from trace_parity.compare.images import Image, ImageMetrics, compare_images, read_image, write_previews
from trace_parity.compare.tick_table import write_ticks
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.case import Case, input_hashes, place_inputs, with_flag_value, with_pixels, without_outputs
from trace_parity.pair.pair import Pair
from trace_parity.pair.programs import FILE, STDOUT, Program, Programs, check_readable
from trace_parity.pair.source_lines import SourceLine, find_source_lines, program_folder
from trace_parity.pair.tolerances import Rule, with_rules
from trace_parity.pair.toml_table import nearest
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.render import renderer
from trace_parity.render.html_form import render as report_page
from trace_parity.render.markdown_form import environment_section
from trace_parity.render.pictures import bundle_files
from trace_parity.result.result import CaseResult, Result, compare, to_json
from trace_parity.run.identity import identity
from trace_parity.run.launch import (
    Progress,
    Ran,
    build_program,
    fill,
    focus_words,
    places,
    python,
    run_program,
)
from trace_parity.run.picks import Pick, Picked, pick_pixels
from trace_parity.run.preflight import Launch, preflight
from trace_parity.trace import read_trace
from trace_parity.trace.precision import with_precision

Stage = Callable[[str], AbstractContextManager[Progress]]
"""Opens a stage of the run under a title and yields what takes its percents."""


@contextmanager
def silent(title: str) -> Iterator[Progress]:
    """A stage that nobody watches."""
    del title
    yield lambda percent: None


@dataclass(frozen=True)
class RunOptions:
    """What a run may be asked beside its case."""

    against: str = ""  # the pair's first where it is empty
    out: Path = Path("reports")
    render_images: bool = True
    rtol: float | None = None
    rules: tuple[Rule, ...] = ()  # tolerances of chosen variables
    lenient: bool = False
    program_options: Mapping[str, str] = field(default_factory=dict)
    asked_as: tuple[str, ...] = ()
    pantry: Path | None = None  # where input files lie that several runs share
    waive: tuple[str, ...] = ()  # quirks that may pass
    waive_unused: bool = False  # and that need not show
    picks: tuple[Pick, ...] = ()  # pixels to pick off the images, in place of the case's
    preflight: bool = True  # compare the programs' settings first
    together: bool = False  # trace and render in one process where a program can


@dataclass(frozen=True)
class RunOutcome:
    """The finding and where its bundle is."""

    result: Result
    bundle: Path


@dataclass
class _Workshop:
    """A run under way: the folder that becomes the bundle and what has been done so far."""

    folder: Path
    pair: Pair
    case: Case
    options: RunOptions
    stage: Stage
    images: tuple[Image, Image] | None = None
    picked: tuple[Picked, ...] = ()
    settings: tuple[str, ...] = ()  # those that differ
    ran: list[tuple[Program, str, Ran, list[str]]] = field(default_factory=list)

    @property
    def programs(self) -> Programs:
        """Both programs of the pair."""
        return self.pair.programs

    @property
    def work(self) -> Path:
        """Where the programs run and their input files lie; not part of the bundle."""
        return self.folder / "work"


def run_case(pair: Pair, case: Case, options: RunOptions, stage: Stage = silent, cwd: Path | None = None) -> RunOutcome:
    """Do the whole job. Raises HarnessError when a program cannot be built or fails, or a file cannot be read.

    What the programs wrote before a failure is kept in `<out>/<case>/failed-<name>/`.
    """
    programs, vocabulary = pair.programs, with_rules(pair.vocabulary, options.rules)
    options = replace(options, against=check_against(programs, options.against))
    check_templates(programs, options)
    check_readable(programs, case.argv)
    here = cwd or Path.cwd()
    now = datetime.now(UTC)
    for program in programs.sides.values():
        if program.build:
            with stage(f"building the {program.title}"):
                build_program(program)
    git = identity(pair, options.out)
    with bundle_folder(options.out, case.id, bundle_name(now, git)) as folder:
        for name in ("work", "traces", "images", "logs"):
            (folder / name).mkdir()
        bare = without_outputs(case, programs.output_flags, programs.switches)
        placed = place_inputs(bare, folder / "work", programs.input_flags, here, options.pantry)
        workshop = _Workshop(folder.resolve(), pair, placed, options, stage)
        try:
            result = _run_and_compare(workshop, case, vocabulary)
        except HarnessError as error:
            _keep_failed(folder)
            if workshop.settings:
                raise HarnessError(error.code, f"{workshop.settings[0]}; then {error}") from error
            raise
        _write_documents(workshop, case, result, environment(now), git)
        shutil.rmtree(workshop.work)
        bundle = final_path(folder)
    return RunOutcome(result, bundle)


def _run_and_compare(workshop: _Workshop, case: Case, vocabulary: Vocabulary) -> Result:
    options = workshop.options
    if options.preflight:
        _preflight(workshop)
    if options.picks:  # the images say which pixels to trace
        _render_images(workshop)
        case = _pick(workshop, case, vocabulary)
    rendering = options.render_images and workshop.programs.can_render and workshop.images is None
    rendered = {}
    for name, side in workshop.programs.sides.items():
        if rendering and options.together and side.together:
            rendered[name] = _run_side(workshop, side, "run")
        else:
            _run_side(workshop, side, "trace")
    if rendering:
        _render_images(workshop, rendered)
    images = _compare_images(workshop, case, vocabulary)
    with workshop.stage("comparing"):
        logs = {name: workshop.folder / f"traces/{name.lower()}.log" for name in ("C", "PY")}
        vocabulary, precision = with_precision(vocabulary, logs)
        tables = [
            read_trace(workshop.folder / f"traces/{name.lower()}.log", name, vocabulary, lenient=options.lenient)
            for name in ("C", "PY")
        ]
        for table in tables:
            table.path = f"traces/{table.side.lower()}.log"
        result = compare(
            align(tables[0], tables[1], vocabulary),
            _case_result(workshop, case),
            case.contract,
            pair=workshop.pair,
            rtol=options.rtol,
            images=images,
            waive=options.waive,
            waive_unused=options.waive_unused,
            settings=workshop.settings,
        )
    return replace(result, precision=(*precision, *result.precision), sources=_sources(workshop.programs, result))


def _sources(programs: Programs, result: Result) -> dict[str, dict[str, SourceLine]]:
    folders = {name: program_folder(side.source_folder, side.trace) for name, side in programs.sides.items()}
    known = tuple((name, folder) for name, folder in folders.items() if folder is not None)
    return _sources_of(known, tuple((v.scope, v.name) for v in result.variables))


@lru_cache(maxsize=8)
def _sources_of(
    folders: tuple[tuple[str, Path], ...], variables: tuple[tuple[str, str], ...]
) -> dict[str, dict[str, SourceLine]]:
    """A gate's cases have the same variables: the sources are searched once."""
    return find_source_lines(dict(folders), list(variables))


def _case_result(workshop: _Workshop, case: Case) -> CaseResult:
    options = workshop.options
    hashes = input_hashes(workshop.case, workshop.work, workshop.programs.input_flags)
    return CaseResult(
        id=case.id,
        title=case.title,
        argv=tuple(Path(w).name if w.startswith("/") else w for w in workshop.case.argv),
        against=options.against,
        inputs=hashes,
        options=dict(options.program_options),
        expectation=dict(case.expectation),
        pixels=tuple(case.pixels),
        picked=tuple(f"({p.slow}, {p.fast}) {p.why}" for p in workshop.picked),
    )


def _preflight(workshop: _Workshop) -> None:
    """Compare the settings that both programs resolved, where both can print them."""
    sides = workshop.programs.sides.values()
    if not all(side.config for side in sides):
        return
    launches = [
        Launch(side, _command(workshop, side, side.config), _run_folder(workshop, side, "config")) for side in sides
    ]
    with workshop.stage("comparing the settings"):
        found = preflight(launches, workshop.folder)
    workshop.settings = found.settings
    for launch, ran in zip(launches, found.ran, strict=True):
        logs = [f"logs/{path.name}" for path in (ran.stdout, ran.stderr)]
        workshop.ran.append((launch.side, launch.title, ran, [launch.target, *logs]))


def _command(workshop: _Workshop, side: Program, template: Sequence[str]) -> list[str]:
    """A side's command with everything filled in; it writes files of the bundle."""
    options = workshop.options
    chosen = [
        word.format(value=options.program_options[name])
        for name, words in side.options.items()
        if name in options.program_options
        for word in words
    ]
    return fill(
        template,
        {
            "args": workshop.case.argv,
            "against": side.against.get(options.against, ()),
            "options": chosen,
            "focus": focus_words(workshop.programs, workshop.pair.focus, workshop.case.pixels),
        },
        {
            **places(side),
            "work": str(workshop.work),
            "trace": str(workshop.folder / _trace_of(side)),
            "image": str(workshop.folder / _image_of(side)),
        },
    )


def _run_folder(workshop: _Workshop, side: Program, what: str) -> Path:
    """Where a program runs: the folder that its entry names, or one of its own with the input files linked into it."""
    if side.cwd != "{work}":
        return side.folder / side.cwd
    folder = workshop.work / f"{side.name}_{what}"
    folder.mkdir()
    for path in workshop.work.iterdir():
        if path.is_file():
            (folder / path.name).symlink_to(path)
    return folder


def _trace_of(side: Program) -> str:
    return f"traces/{side.name.lower()}.log"


def _image_of(side: Program) -> str:
    return f"images/{side.name.lower()}.bin"


def _run_side(workshop: _Workshop, side: Program, what: str) -> Ran:
    """Let a program trace, render, or do both (`what` is "run"). Raises HarnessError (exit 3)."""
    template, does, targets = {
        "trace": (side.trace, "traces", [_trace_of(side)]),
        "render": (side.render, "renders", [_image_of(side)]),
        "run": (side.together, "traces and renders", [_trace_of(side), _image_of(side)]),
    }[what]
    command = _command(workshop, side, template)
    title = f"{side.title} {does}"
    output = workshop.folder / "logs" / f"{side.name.lower()}_{what}"
    run_folder = _run_folder(workshop, side, what)
    with workshop.stage(title) as progress:
        ran = run_program(command, run_folder, output, title, progress, side.env)
    if what != "render" and side.trace_from != FILE:
        shutil.copyfile(ran.stdout if side.trace_from == STDOUT else ran.stderr, workshop.folder / _trace_of(side))
    for target in targets:
        if not (workshop.folder / target).is_file():
            raise HarnessError(Exit.PROGRAM_FAILED, f"ended well but did not write {target}", where=title)
    logs = [f"logs/{output.name}.stdout.txt", f"logs/{output.name}.stderr.txt"]
    workshop.ran.append((side, title, ran, [*targets, *logs]))
    return ran


def _pick(workshop: _Workshop, case: Case, vocabulary: Vocabulary) -> Case:
    """The case with the pixels that the images suggest."""
    assert workshop.images is not None
    workshop.picked = pick_pixels(*workshop.images, workshop.options.picks, vocabulary.image)
    pixels = [(p.slow, p.fast) for p in workshop.picked]
    workshop.case = with_pixels(workshop.case, pixels)
    return with_pixels(case, pixels)


def _render_images(workshop: _Workshop, rendered: Mapping[str, Ran] | None = None) -> None:
    """Render with the programs that have not `rendered`; leaves the images in the workshop."""
    done = rendered or {}
    ran = {
        name: done[name] if name in done else _run_side(workshop, side, "render")
        for name, side in workshop.programs.sides.items()
    }
    shapes = {n: workshop.programs.find_shape(r.stdout.read_text("utf-8", "replace")) for n, r in ran.items()}
    said = {shape for shape in shapes.values() if shape is not None}
    if len(said) > 1:
        raise HarnessError(Exit.SHAPE_MISMATCH, f"the programs rendered different sizes (slow, fast): {shapes}")
    if not said:
        pattern = workshop.programs.shape
        raise HarnessError(
            Exit.PROGRAM_FAILED,
            "neither program printed the image's size",
            expected=pattern.pattern if pattern else f"[image] size in {workshop.pair.where}",
        )
    shape = said.pop()
    c, py = (read_image(workshop.folder / f"images/{name}.bin", shape) for name in ("c", "py"))
    workshop.images = (c, py)


def _compare_images(workshop: _Workshop, case: Case, vocabulary: Vocabulary) -> ImageMetrics | None:
    """Metrics and previews of the images that were rendered, if any."""
    if workshop.images is None:
        return None
    with workshop.stage("comparing the images"):
        marked = [(place[0], place[1]) for place in case.pixels if len(place) == 2]
        write_previews(*workshop.images, workshop.folder / "images", marked)
        return compare_images(*workshop.images, vocabulary.image, workshop.options.rtol)


def _keep_failed(folder: Path) -> None:
    """Move what there is to a folder that no one takes for a bundle."""
    kept = final_path(folder)
    kept = kept.with_name(f"failed-{kept.name}")
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("work"))


def _write_documents(
    workshop: _Workshop, case: Case, result: Result, env: dict[str, object], git: dict[str, object]
) -> None:
    folder = workshop.folder
    documents = {
        "summary.md": renderer("markdown")(result) + environment_section(env, git),
        "result.json": renderer("json")(result),
        "metrics.json": renderer("metrics")(result),
        "junit.xml": renderer("junit")(result),
        "env.json": to_json(env),
        "git.json": to_json(git),
        "case.toml": case.source,
        "commands.txt": _commands(workshop),
    }
    if result.per_phi:
        rows, table = list(result.per_phi), workshop.pair.vocabulary.tick_table
        loop = table.loop if table is not None else ""
        documents |= {f"per_phi.{end}": write_ticks(rows, form, loop) for end, form in _TABLE_FORMS.items()}
    for name, text in documents.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "report.html").write_text(report_page(result, bundle_files(folder, result)), encoding="utf-8")
    actions = [
        Action(f"#{side.name.lower()}-{i}", title, _portable(workshop, ran.command), wrote)
        for i, (side, title, ran, wrote) in enumerate(workshop.ran)
    ]
    compared = [name for name in _listing(workshop) if not any(name in a.wrote for a in actions)]
    actions.append(Action("#comparison", f"trace-diff {__version__}", workshop.options.asked_as, compared))
    crate = rocrate(result, _listing(workshop), actions, str(env["created_utc"]))
    (folder / "ro-crate-metadata.json").write_text(crate, encoding="utf-8")


_TABLE_FORMS = {"csv": "csv", "json": "json", "md": "markdown"}


def _listing(workshop: _Workshop) -> list[str]:
    """The files of the bundle so far."""
    paths = (p.relative_to(workshop.folder) for p in workshop.folder.rglob("*") if p.is_file())
    return sorted(p.as_posix() for p in paths if p.parts[0] != "work")


def _commands(workshop: _Workshop) -> str:
    """What was run, as it can be run again from the bundle's folder with both programs on the PATH."""
    lines = ["# what was asked", shlex.join(workshop.options.asked_as), "", "# what that ran"]
    lines += [shlex.join(_portable(workshop, ran.command)) for _, _, ran, _ in workshop.ran]
    return "\n".join(lines) + "\n"


def _portable(workshop: _Workshop, command: tuple[str, ...]) -> list[str]:
    """A command without this machine's paths: programs and files by their names, outputs as they lie in the bundle."""
    words = []
    for word in command:
        if word.startswith(f"{workshop.folder}/"):
            words.append(word.removeprefix(f"{workshop.folder}/"))
        elif word == python():
            words.append("python")
        else:
            words.append(Path(word).name if word.startswith("/") else word)
    return words


def with_options(case: Case, pair: Pair, values: Mapping[str, str | None]) -> Case:
    """The case with the values of the pair's own options put in, each after the option's flag."""
    for name, value in values.items():
        if value is not None:
            case = with_flag_value(case, pair.options[name].flag, value)
    return case


def check_against(programs: Programs, against: str) -> str:
    """The variant of the programs that --against names, the first where it names none. HarnessError (exit 2)."""
    known = programs.against
    if against and against not in known:
        raise HarnessError(
            Exit.USAGE,
            f"no variant {against!r}",
            where="--against",
            expected="one of " + ", ".join(known) if known else "nothing: no program of the pair has variants",
            hint=nearest(against, known),
        )
    return against or next(iter(known), "")


def check_templates(programs: Programs, options: RunOptions) -> None:
    """HarnessError (exit 2) for an option of the programs that no command would pass on."""
    for name in options.program_options:
        takes = [side for side in programs.sides.values() if name in side.options]
        if not takes:
            known = dict.fromkeys(n for side in programs.sides.values() for n in side.options)
            raise HarnessError(
                Exit.USAGE, f"neither program takes --{name}", expected=", ".join(known) or "no such option"
            )
        for side in takes:
            if "{options}" not in side.trace:
                raise HarnessError(
                    Exit.USAGE,
                    f"--{name} would be dropped",
                    where=f"programs.{side.name}.trace",
                    expected="{options} in the command",
                )
