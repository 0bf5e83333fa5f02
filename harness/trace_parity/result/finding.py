"""What a sweep found: what one command line showed, and the divergences, each shrunk, in groups."""

from __future__ import annotations

from dataclasses import dataclass, field

from trace_parity.errors import Exit

SAME, DIFFERS, REFUSED, EMPTY = "same", "differs", "refused", "empty"
"""Parity; a divergence or a failure of one program; both programs refuse the line; nothing to compare."""


@dataclass(frozen=True)
class Shown:
    """What a command line showed. `first` and `blame` are what divergences are grouped by."""

    kind: str
    exit_code: int = int(Exit.PARITY)
    first: str = ""
    blame: str = ""
    headline: str = ""
    places: tuple[tuple[int, ...], ...] = ()

    @property
    def group(self) -> tuple[int, str, str]:
        """Divergences with the same are taken for the same fault."""
        return self.exit_code, self.first, self.blame


@dataclass(frozen=True)
class Finding:
    """A shrunk divergence. `lines` are the command lines that shrank to it, `case` and `bundle` relative paths."""

    id: str
    argv: tuple[str, ...]
    flags: tuple[str, ...]
    shown: Shown
    lines: tuple[tuple[str, ...], ...]
    case: str = ""
    bundle: str = ""


@dataclass(frozen=True)
class SweepResult:
    """All of a sweep: how many lines were of each kind, how many runs that took, and the findings."""

    title: str
    asked_as: tuple[str, ...]
    kinds: dict[str, int]
    tried: int
    exit_code: int
    findings: tuple[Finding, ...] = field(default=())

    def groups(self) -> dict[tuple[int, str, str], list[Finding]]:
        """The findings by first divergence and blame, those of most lines first."""
        found: dict[tuple[int, str, str], list[Finding]] = {}
        for finding in self.findings:
            found.setdefault(finding.shown.group, []).append(finding)
        return dict(sorted(found.items(), key=lambda item: -sum(len(f.lines) for f in item[1])))
