"""Words that are hard to read are kept out of docs, help, messages, docstrings and comments."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from trace_parity.cli.main import COMMANDS, trace_diff

from tests.golden import ROOT

HARD = re.compile(
    r"\b(?:stands?|stood|told|asked|said|besides?|amid)\b|\b(?:is|are) no (?!longer|more)\w+|what came of|came of it"
    r"|\bway (?:there|back)\b|no one's|\bheld against\b|\bholds? \w+ against\b|\bhangs? together\b|\bin hand\b"
    r"|\bkin\b|\bmoves? nothing\b|\bnothing tells\b|\bdo(?:es)? not tell\b(?! \w+ apart)|\bbroken[ -]off\b"
    r"|\b(?:at|by|for|of|to|with) so (?:many|much)\b|\b(?:that|which) (?:is|are) none\b(?! of)|\bwould do(?=[.,;)]|$)",
    re.IGNORECASE,
)
"""CONTRIBUTING.md says what to write instead."""
ORDINARY = re.compile(r"\b(?:there|where) (?:is|are) no \w+|\{[^{}]*\}|`[^`]*`", re.IGNORECASE)
"""`there is no …` is plain; code in braces or backticks is not prose."""

ALLOWED = {
    "what was asked": "the heading in bundles of version 0.1, which are still read",
    "no side beside both": "a test's reason, matched word by word",
}
OTHERS_TEXT = {"tests/harness/snapshots/sarif-2.1.0-rtm.5.json", "tests/test_words.py"}


def hard_words(text: str) -> list[str]:
    return [match[0] for match in HARD.finditer(ORDINARY.sub("", text))]


def prose_of_python(text: str) -> Iterator[str]:
    """Docstrings and comments, and string constants of several words."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            yield node.value


def prose_of_c(text: str) -> Iterator[str]:
    """Comments and string constants of several words."""
    for match in re.finditer(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"", text, re.DOTALL):
        if " " in match[0]:
            yield match[0]


def prose_of_toml(text: str) -> Iterator[str]:
    """Everything but keys and names of tables."""
    for line in text.splitlines():
        yield line if line.startswith("#") else line.partition("=")[2]


PROSE = {".py": prose_of_python, ".c": prose_of_c, ".h": prose_of_c, ".def": prose_of_c, ".toml": prose_of_toml}


def tracked(folder: str) -> list[Path]:
    command = ["git", "ls-files", "--", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    names = [name for name in done.stdout.split() if name not in OTHERS_TEXT]
    return [path for name in names if (path := ROOT / name).is_file()]


@pytest.mark.parametrize(
    "folder", ["harness", "simulator", "reference_c", "traces", "tests", "benchmarks", "examples", "findings"]
)
def test_sources_are_in_plain_words(folder: str) -> None:
    found = []
    for path in tracked(folder):
        texts = PROSE[path.suffix](path.read_text(encoding="utf-8")) if path.suffix in PROSE else ()
        for text in texts:
            if text not in ALLOWED and (words := hard_words(text)):
                found.append(f"{path.relative_to(ROOT)}: {', '.join(words)}: {text.strip()[:80]}")
    assert not found, "\n".join(found)


def test_documents_are_in_plain_words() -> None:
    pages = [path for path in tracked(".") if path.suffix == ".md" and "snapshots" not in path.parts]
    assert len(pages) > 40
    found = {page.relative_to(ROOT).as_posix(): hard_words(page.read_text(encoding="utf-8")) for page in pages}
    assert not {page: words for page, words in found.items() if words}


def test_help_texts_are_in_plain_words() -> None:
    found = {name: hard_words(CliRunner().invoke(trace_diff, [name, "-h"]).output) for name in COMMANDS}
    assert not {name: words for name, words in found.items() if words}


def test_the_rule_finds_what_it_is_for() -> None:
    assert hard_words("on the way back nothing stands; it is no number") == ["way back", "stands", "is no number"]
    assert hard_words("the logs do not tell what the program had in hand") == ["do not tell", "in hand"]
    assert hard_words("held against the tolerance that would do, by so many digits") == [
        "held against",
        "would do",
        "by so many",
    ]
    assert hard_words("there is no log, and it is no longer `asked` for {said}") == []
    assert hard_words("what it would do next is none of its inputs, so many are left") == []
