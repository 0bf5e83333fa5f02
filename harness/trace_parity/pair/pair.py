"""A pair: two programs and everything known about them, described by a folder with a pair.toml.

Only what a command uses is read: the vocabulary for a comparison, the programs for a run.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.probe_keys import KEYS as PROBE_KEYS
from trace_parity.pair.toml_table import Table, nearest, read_toml
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.pair.vocabulary_file import load_vocabulary

if TYPE_CHECKING:
    from trace_parity.pair.case import Case
    from trace_parity.pair.exports import Export
    from trace_parity.pair.matrix import Matrix
    from trace_parity.pair.programs import Option, Program, Programs
    from trace_parity.pair.quirk_ledger import Quirk
    from trace_parity.pair.sweep_grammar import Grammar
    from trace_parity.probe.probes_file import ProbesFile

T = TypeVar("T")
FILE_NAME = "pair.toml"
SIDES = ("C", "PY")
KEYS = ("vocabulary", "quirks", "cases", "matrix", "sweep", "equations", "probes")
"""Files of a pair, each with the name that it has unless pair.toml says another."""
DEFAULTS = {
    "vocabulary": "vocabulary.toml",
    "quirks": "quirks.toml",
    "cases": "cases",
    "matrix": "matrix.toml",
    "sweep": "sweep.toml",
}


@dataclass(frozen=True)
class Pair:
    """The content of pair.toml; `base` is the pair that it extends, which supplies what this one leaves out."""

    folder: Path
    title: str
    table: Table
    base: Pair | None = None
    from_logs: bool = False  # its vocabulary is made from two logs

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @property
    def folders(self) -> tuple[Path, ...]:
        """Its folder, then those of the pairs that it extends."""
        return (self.folder, *(self.base.folders if self.base is not None else ()))

    @property
    def where(self) -> str:
        """The file, for messages."""
        return self.table.where

    def file(self, key: str) -> Path | None:
        """The file or folder that pair.toml names under a key of KEYS, or that has the usual name; the base's else.

        Raises HarnessError (exit 2) when the named one does not exist.
        """
        if key in self.table:
            path = self.folder / self.table.text(key)
            if not path.exists():
                near = nearest(path.name, (p.name for p in path.parent.glob("*")) if path.parent.is_dir() else ())
                raise self.table.wrong(key, self.table.text(key), f"a file or folder in {self.folder}", near)
            return path
        usual = self.folder / DEFAULTS[key] if key in DEFAULTS else None
        if usual is not None and usual.exists():
            return usual
        return self.base.file(key) if self.base is not None else None

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The variables of the traces; one that lists none where there is no such file."""
        path = self.file("vocabulary")
        found = load_vocabulary(path) if path is not None else empty_vocabulary(self.title)
        if unknown := [loop for loop in self.focus if path is not None and loop not in found.loops]:
            raise self.table.wrong("focus", unknown[0], "loops of the vocabulary", nearest(unknown[0], found.loops))
        return replace(found, focus=self.focus)

    @cached_property
    def focus(self) -> tuple[str, ...]:
        """The loops that a case picks places in, outermost first; none where every place is traced."""
        if "focus" not in self.table:
            return self.base.focus if self.base is not None else ()
        return self.table.words("focus")

    @cached_property
    def focus_names(self) -> tuple[str, ...]:
        """The names of the indices of the focus, such as slow and fast."""
        if "focus_names" in self.table:
            return self.table.words("focus_names")
        return self.base.focus_names if self.base is not None and "focus" not in self.table else self.focus

    @property
    def focus_sizes(self) -> tuple[str, ...]:
        """The settings that hold how many indices each loop of the focus has; empty where the pair names none."""
        if "focus_sizes" in self.table:
            return self.table.words("focus_sizes")
        return self.base.focus_sizes if self.base is not None and "focus" not in self.table else ()

    @property
    def focus_option(self) -> str:
        """The name of the option of `trace-diff run` that takes the indices of one place; --at where it is empty."""
        if "focus_option" in self.table:
            return self.table.text("focus_option")
        return self.base.focus_option if self.base is not None and "focus" not in self.table else ""

    @cached_property
    def quirks(self) -> tuple[Quirk, ...]:
        """The ledger of known quirks; empty where there is none."""
        from trace_parity.pair.quirk_ledger import check_ledger, load_quirks

        path = self.file("quirks")
        found = load_quirks(path) if path is not None else ()
        if path is not None and path.is_relative_to(self.folder) and self.file("vocabulary") is not None:
            check_ledger(found, self.vocabulary, str(path))
        return found

    def once(self, make: Callable[[Pair], T]) -> T:
        """What `make` gives for this pair, made at the first call only."""
        made: dict[Callable[[Pair], object], object] = self.__dict__.setdefault("_made", {})
        if make not in made:
            made[make] = make(self)
        return cast(T, made[make])

    @cached_property
    def options(self) -> dict[str, Option]:
        """The options that `trace-diff run` and `inject` have for this pair, by name."""
        from trace_parity.pair.programs import read_option

        own = {name: read_option(name, entry) for name, entry in self.table.named_tables("options").items()}
        return {**(self.base.options if self.base is not None else {}), **own}

    @cached_property
    def exports(self) -> dict[str, Export]:
        """The tables that `trace-diff export` writes for this pair, by name."""
        from trace_parity.pair.exports import read_export

        own = {name: read_export(name, entry) for name, entry in self.table.named_tables("exports").items()}
        return {**(self.base.exports if self.base is not None else {}), **own}

    @property
    def has_programs(self) -> bool:
        """Whether it has both programs; a comparison of logs does not need them."""
        pair: Pair | None = self
        named: set[str] = set()
        while pair is not None:
            named |= set(pair.table.named_tables("programs"))
            pair = pair.base
        return named >= set(SIDES)

    @cached_property
    def programs(self) -> Programs:
        """Both programs. Raises HarnessError (exit 2) when one is missing."""
        sides = {name: self._program(name) for name in SIDES}
        for name, side in sides.items():
            if side is None:
                raise HarnessError(
                    Exit.USAGE,
                    f"programs.{name}: missing",
                    where=self.where,
                    expected=f"[programs.{name}] with the command that traces",
                    hint="`compare` needs no programs",
                )
        return self._shared({name: side for name, side in sides.items() if side is not None})

    @cached_property
    def probes(self) -> ProbesFile | None:
        """The probes of programs that print no trace; None if there are none."""
        from trace_parity.probe.probes_file import probes_of

        found = probes_of(self.folder)
        return found if found is not None or self.base is None else self.base.probes

    def _program(self, name: str) -> Program | None:
        from trace_parity.pair.programs import PROBES, Program, read_program

        programs = self.table.named_tables("programs")
        if unknown := [n for n in programs if n not in SIDES]:
            raise self.table.wrong("programs", unknown[0], "C and PY", nearest(unknown[0], SIDES))
        side = name.lower()
        is_probed = self.probes is not None and self.probes.has(side)
        if name in programs:
            return read_program(name, programs[name], self.folder, is_probed)
        own = self.base is None or self.probes is not self.base.probes
        if is_probed and own and self.probes is not None:
            command = ("{probed}",) if name == "C" else self.probes.words(side, "command")
            title = self.probes.words(side, "file")[0] if name == "C" else self.probes.words(side, "modules")[0]
            return Program(name, self.folder, title, (*command, "{args}"), PROBES, cwd="{work}")
        return self.base._program(name) if self.base is not None else None

    def _shared(self, sides: dict[str, Program]) -> Programs:
        """The settings of both programs; the base's if this pair has none."""
        from trace_parity.pair.programs import Programs, read_shape

        base = self.base._shared(sides) if self.base is not None else Programs(sides)
        arguments = self.table.table("arguments")
        if arguments is not None:
            base = replace(
                base,
                input_flags=arguments.words("input_flags", base.input_flags),
                output_flags=arguments.words("output_flags", base.output_flags),
                switches=arguments.words("switches", base.switches),
                focus_words=arguments.words("focus", base.focus_words),
                perturb=arguments.words("perturb", base.perturb),
                perturb_files=arguments.words("perturb_files", base.perturb_files),
            )
            arguments.finish()
            for found in re.findall(r"\{(\w+)\}", " ".join(base.focus_words)):
                if found not in self.focus:
                    expected = ", ".join(f"{{{loop}}}" for loop in self.focus) or "no placeholder: focus is empty"
                    raise arguments.wrong("focus", f"{{{found}}}", expected, nearest(found, self.focus))
        image = self.table.table("image")
        shape = base.shape
        if image is not None:
            shape = read_shape(image, "size") or shape
            image.finish()
        found = replace(base, sides=sides, shape=shape)
        if found.can_render and shape is None:
            raise HarnessError(
                Exit.USAGE,
                "image.size: not given, though both programs have `render`",
                where=self.where,
                expected="a regular expression for what a program prints: size = '(?P<fast>\\d+) x (?P<slow>\\d+)'",
                hint="the image file has no header that names its size",
            )
        return found

    def with_programs(self, programs: Programs) -> Pair:
        """The same pair with other programs."""
        changed = replace(self)
        changed.__dict__["programs"] = programs
        return changed

    def cases(self) -> list[Case]:
        """All cases, by id."""
        from trace_parity.pair.case import list_cases

        folder = self.file("cases")
        return list_cases(folder, self) if folder is not None else []

    def every_case(self) -> list[Case]:
        """All cases by id, then those of the matrix, where there is one, in its order."""
        own = self.cases()
        matrix = self.matrix().cases if self.file("matrix") is not None else ()
        known = {case.id for case in own}
        return [*own, *(case for case in matrix if case.id not in known)]

    def case(self, name: str) -> Case:
        """A case by id, one of the matrix by id, or a case file by path. Raises HarnessError (exit 2)."""
        from trace_parity.pair.case import load_case

        return load_case(name, self)

    def matrix(self, path: Path | None = None) -> Matrix:
        """The matrix in `path`, by default the pair's. Raises HarnessError (exit 2) with what is wrong in it."""
        from trace_parity.pair.matrix import load_matrix

        found = path or self.file("matrix")
        if found is None:
            raise HarnessError(
                Exit.USAGE, "the pair has no matrix", where=self.where, expected="--matrix, or matrix.toml"
            )
        return load_matrix(found, self)

    def sweep(self, path: Path | None = None) -> Grammar:
        """The grammar of a sweep in `path`, by default the pair's. Raises HarnessError (exit 2)."""
        from trace_parity.pair.sweep_grammar import load_grammar

        found = path or self.file("sweep")
        if found is None:
            raise HarnessError(
                Exit.USAGE, "the pair has no grammar of flags", where=self.where, expected="--grammar, or sweep.toml"
            )
        return load_grammar(found, self)


def empty_vocabulary(title: str) -> Vocabulary:
    """A vocabulary without variables: every name is judged under the default tolerance."""
    return Vocabulary(title, (), {}, {}, (), {})


def load_pair(folder: Path, find: Callable[[str, Path], Pair]) -> Pair:
    """The pair in a folder; `find` gives the pair that it extends, from its name and this folder.

    Raises HarnessError (exit 2) for a file that is missing, or is wrong in what every command reads.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        raise HarnessError(
            Exit.USAGE, f"no {FILE_NAME}", where=str(folder), expected=f"a folder with a {FILE_NAME}, or a pair's name"
        )
    table = Table(read_toml(path), str(path))
    extends = table.text("extends")
    if extends and (folder / extends).resolve() in (folder.resolve(), path.resolve()):
        raise table.wrong("extends", extends, "another pair: a pair cannot extend itself")
    try:
        base = find(extends, folder) if extends else None
    except HarnessError as error:
        if error.where == "--pair":  # no pair of that name
            error.where, error.what = str(path), f"extends: {error.what}"
        raise
    pair = Pair(folder.resolve(), table.text("title", base.title if base else folder.resolve().name), table, base)
    table.taken += PROBE_KEYS
    if any(key in table for key in PROBE_KEYS):
        _ = pair.probes
    for key in (*KEYS, "focus_option"):
        table.text(key)
    for key in ("focus", "focus_names", "focus_sizes"):
        table.words(key)
    if "focus_names" in table and len(pair.focus_names) != len(pair.focus):
        raise table.wrong("focus_names", list(pair.focus_names), f"one name for each loop of focus: {len(pair.focus)}")
    if pair.focus_sizes and len(pair.focus_sizes) != len(pair.focus):
        found = list(pair.focus_sizes)
        raise table.wrong("focus_sizes", found, f"{len(pair.focus)} settings, one for each loop of focus")
    for key in ("programs", "options", "arguments", "image", "exports"):
        table.table(key)
    table.finish()
    return pair
