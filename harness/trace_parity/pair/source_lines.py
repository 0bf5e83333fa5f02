"""Where each program computes a variable: file, line and text, found from the line that prints it.

Best effort: it reads source as text and knows no language. From the line that prints a value the assignment is looked
for that computes it; where none is found, the printing line is given. A name that is found nowhere is left out. Where
the text does not show it, a pair can state it: `lines` of its programs name text of the line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from trace_parity.pair.computing_line import computing_line

SUFFIXES = {".c", ".h", ".py"}
CONTEXT = 3
"""Lines above and below in an excerpt."""
IF = " if "
"""Between the name of a variable and the setting with which a line computes it."""
LONGEST, LONGEST_STATEMENT = 160, 320
"""Characters of a line, and of a statement of several lines."""
NEARBY = 12
"""Lines below a name that are searched for its scope, as in a loop over (name, value) pairs."""


@dataclass(frozen=True)
class SourceLine:
    """One line of source; the path begins with the name of the folder of the program's sources."""

    path: str
    line: int
    text: str
    before: tuple[str, ...] = ()  # lines around it, of the variables that a reader asks for first
    after: tuple[str, ...] = ()
    indent: int = 0  # of the line itself, whose text is without
    statement: tuple[str, ...] = field(default=(), metadata={"plain": "where set"})  # its lines, of one with more
    when: str = ""  # the setting with which this line computes it, `pivot=beam`
    others: tuple[SourceLine, ...] = ()  # the lines that do with other settings

    def chosen(self, settings: Mapping[str, object]) -> SourceLine:
        """The line that computes the value with these settings; itself with the others where they do not decide."""
        holding = [one for one in (self, *self.others) if one.when and _holds(one.when, settings)]
        return replace(holding[0], when="", others=()) if len(holding) == 1 else self

    def __str__(self) -> str:
        text = f"{self.path}:{self.line}: {self.text}"
        return f"{text}  ({self.when})" if self.when else text


def _holds(when: str, settings: Mapping[str, object]) -> bool:
    name, _, value = when.partition("=")
    return str(settings.get(name)) == value


def find_source_lines(
    folders: Mapping[str, Path],
    variables: Iterable[tuple[str, str]],
    told: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, dict[str, SourceLine]]:
    """`{"scope.name": {side: line}}` for (scope, name) pairs; `folders` hold each side's sources.

    `told`: of each side text by `scope.name` or name, or by `NAME if SETTING=VALUE` where a setting decides. The first
    line that has it is shown, if any has.
    """
    wanted = list(variables)
    scopes = frozenset(scope for scope, _ in wanted)
    found: dict[str, dict[str, SourceLine]] = {}
    for side, folder in folders.items():
        files = list(_files(folder))
        for variable, line in _search(files, wanted, scopes):
            found.setdefault(variable, {})[side] = _computes(files, variable, line)
        for variable, line in _told(files, wanted, (told or {}).get(side, {})):
            found.setdefault(variable, {})[side] = line
    return found


def _told(
    files: list[tuple[str, list[str]]], wanted: list[tuple[str, str]], texts: Mapping[str, str]
) -> Iterator[tuple[str, SourceLine]]:
    """The lines whose text a pair gives itself."""
    for scope, name in wanted:
        given = {key: text for key, text in texts.items() if key.partition(IF)[0] in (name, f"{scope}.{name}")}
        own = {key: text for key, text in given.items() if key.startswith(f"{scope}.")} or given
        found = [line for key, text in own.items() if (line := _with_text(files, text, key.partition(IF)[2]))]
        if found:
            yield f"{scope}.{name}", replace(found[0], others=tuple(found[1:]))


def _with_text(files: list[tuple[str, list[str]]], text: str, when: str) -> SourceLine | None:
    """The first line that has the text."""
    places = ((path, lines, n) for path, lines in files for n, line in enumerate(lines) if text and text in line)
    path, lines, n = next(places, ("", [], 0))
    return SourceLine(path, n + 1, _whole(lines, n), when=when) if path else None


def with_context(folders: Mapping[str, Path], found: Mapping[str, SourceLine]) -> dict[str, SourceLine]:
    """The lines with CONTEXT lines of their files around them; one whose file has changed since stays as it is."""
    made = {}
    for side, line in found.items():
        lines = _lines(folders[side].parent / line.path) if side in folders else []
        at = line.line - 1
        if not 0 <= at < len(lines) or line.text not in (_whole(lines, at), lines[at].strip()[:LONGEST]):
            made[side] = line
            continue
        end = _end(lines, at)
        below = range(end, min(len(lines), end + CONTEXT))
        first, last = _beginning(lines, max(0, at - CONTEXT)), max((_end(lines, n) for n in below), default=end)
        shown = [text.expandtabs(4).rstrip()[:LONGEST] for text in lines]
        made[side] = replace(
            line,
            before=tuple(shown[first:at]),
            after=tuple(shown[end:last]),
            indent=_indent(lines[at]),
            statement=tuple(shown[at:end]) if end > at + 1 else (),
        )
    return made


MOST_LINES = 16
"""Lines of a statement that are followed."""


def _end(lines: list[str], at: int) -> int:
    """The index after the statement of which the line at `at` is part, as its brackets and operators show."""
    is_initializer = _INITIALIZER.search(" ".join(lines[at : at + 2]))
    depth, marks = 0, ("([{", ")]}") if is_initializer else ("([", ")]")
    for n in range(at, min(len(lines), at + MOST_LINES)):
        code = _code(lines[n])
        depth += sum(map(code.count, marks[0])) - sum(map(code.count, marks[1]))
        if depth <= 0 and not _GOES_ON.search(code):
            return n + 1
    return at + 1


def _beginning(lines: list[str], at: int) -> int:
    """The index at which the statement begins of which the line at `at` is part."""
    for first in range(max(0, at - MOST_LINES), at):
        if _end(lines, first) > at:
            return first
    return at


def _code(text: str) -> str:
    """A line without its strings and comments."""
    return re.sub(r"//.*|#.*|/\*.*?\*/", "", re.sub(r'"[^"]*"|\'[^\']*\'', '""', text)).rstrip()


_CLOSING = (")", "]", "}")
_INITIALIZER = re.compile(r"=\s*(?:\(\w+\)\s*)?\{")
"""`x = (Cell){`: braces of an initializer."""
_GOES_ON = re.compile(r"(?<![-+])[-+*/%=&|?\\]$")
"""The end of a line whose statement goes on: `x = a +`, but not `i++`."""


def _indent(text: str) -> int:
    return len(text.expandtabs(4)) - len(text.expandtabs(4).lstrip())


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []


def _computes(files: list[tuple[str, list[str]]], variable: str, printed: SourceLine) -> SourceLine:
    """The line that computes what `printed` prints, else `printed`."""
    place = computing_line(files, printed.path, printed.line - 1, variable.rpartition(".")[2])
    if place is None:
        return printed
    path, index = place
    return SourceLine(path, index + 1, _whole(next(lines for name, lines in files if name == path), index))


def _whole(lines: list[str], index: int) -> str:
    """The statement that begins on a line, its lines joined; of a long one as many words as fit."""
    parts = [line.strip() for line in lines[index : _end(lines, index)]]
    if len(parts) > 1:
        parts = [re.sub(r"\s+(#|//) .*", "", part) for part in parts]
    text = ""
    for part in parts:
        text = text.removesuffix(",") if part[:1] in _CLOSING else text  # the last of a list that is written in lines
        text += part if not text or text.endswith(("(", "[", "{")) or part[:1] in _CLOSING else f" {part}"
    return text if len(text) <= LONGEST_STATEMENT else f"{text[: text.rfind(' ', 0, LONGEST_STATEMENT - 1)]} …"


def program_folder(source: Path | None, command: Iterable[str]) -> Path | None:
    """The folder of a program's sources: the one that its entry names, else that of the package after `-m`."""
    words = list(command)
    if source is not None or "-m" not in words[:-1]:
        return source
    spec = find_spec(words[words.index("-m") + 1].partition(".")[0])  # finds without importing
    return next(map(Path, (spec.submodule_search_locations or ()) if spec else ()), None)


def _files(folder: Path) -> Iterator[tuple[str, list[str]]]:
    for path in sorted(folder.rglob("*")):
        if path.suffix in SUFFIXES and path.is_file() and not {"build", "data"} & set(path.relative_to(folder).parts):
            name = path.relative_to(folder.parent).as_posix()
            yield name, path.read_text(encoding="utf-8", errors="replace").splitlines()


def _search(
    files: list[tuple[str, list[str]]], wanted: list[tuple[str, str]], scopes: frozenset[str]
) -> Iterator[tuple[str, SourceLine]]:
    """The best line of each variable. Of equals the one in the file that prints most variables, then the first."""
    candidates: dict[tuple[str, str], list[tuple[int, str, int, str]]] = {}
    prints: Counter[str] = Counter()
    for path, lines in files:
        for index, text in enumerate(lines):
            for scope, name in wanted if '"' in text or "(" in text else ():
                if (name in text or "{" in text) and (score := _score(lines, index, scope, name, scopes)):
                    candidates.setdefault((scope, name), []).append((score, path, index + 1, text.strip()[:LONGEST]))
                    prints[path] += 1
    for (scope, name), rated in candidates.items():
        _, path, number, text = max(rated, key=lambda c: (c[0], prints[c[1]], c[2] if c[0] < 6 else -c[2]))
        yield f"{scope}.{name}", SourceLine(path, number, text)


def _score(lines: list[str], index: int, scope: str, name: str, scopes: frozenset[str]) -> int:
    """A score of how likely a line prints `name` of `scope`; 0 for not at all."""
    text = lines[index]
    mentioned = name in text and re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", text) is not None
    if not mentioned and not _spelled_in_parts(text, name):
        return 0
    if re.search(rf"\(\W*{re.escape(scope)}\W+{re.escape(name)}\W+\d+\W*\)", text):
        return 0  # a table of names: (scope, name, size)
    if re.match(r"\s*(#|//|/?\*|\"\"\")", text) or re.search(r"\b(if|elif|assert)\b.*[=!]=", text):
        return 0
    nearby = lines[index : index + 1 + NEARBY]
    before = re.sub(r"\b\w+\([^()]*\)", "", text.partition(name)[0] if mentioned else text)
    if any(_is_of(before, other) for other in scopes - {scope}):
        return 0
    here = 6 if _is_of(before, scope) else 0
    if not here:
        said = next((s for line in nearby for s in sorted(scopes) if f'"{s}"' in line), None)
        if said not in (None, scope):
            return 0
        here = 3 if said else 0
    called = re.search(rf"[A-Z]\w*\([^)]*\b{re.escape(name)}\s*,", text) is not None
    quoted = f'"{name}"' in text or not mentioned
    spelled = re.search(rf"TRACE_\w+[^\"]*: {re.escape(name)} [%{{]", text) is not None
    handed = re.search(rf"\w\([^)]*\b{re.escape(name)}=(?!=)", text) is not None
    if not (called or quoted or spelled or handed):
        return 0
    return here + 2 * (called or quoted or spelled) + mentioned


def _is_of(text: str, scope: str) -> bool:
    """Whether a call on this line names the scope, as a string or as a bare argument."""
    return re.search(rf"""[(,]\s*"?{scope}"?\s*,""", text) is not None


def _spelled_in_parts(text: str, name: str) -> bool:
    """Whether the line has a format string that can spell the name, as f"rot_{axis}_angstroms" does."""
    for literal in re.findall(r'"([^"]*\{[^"]*)"', text):
        parts = [re.escape(part) for part in re.split(r"\{[^}]*\}", literal)]
        if sum(map(len, parts)) > 4 and re.fullmatch(r"\w+".join(parts), name):
            return True
    return False
