"""Two logs on disk, of any size, compared: opened, read side by side, joined; then the reported lines are looked up."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from trace_parity.compare.align import AlignedRow, Alignment, align
from trace_parity.compare.comparison import Comparison
from trace_parity.compare.found import Found
from trace_parity.compare.join import Contradiction
from trace_parity.compare.options import DEFAULTS, Options
from trace_parity.compare.sites import Site
from trace_parity.compare.tally import Kept, Place
from trace_parity.compare.wanted import Wanted
from trace_parity.compare.windows import (
    MANY_WAITING,
    BeginAgainError,
    Progress,
    Windows,
    block_depth,
    read_abreast,
)
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.contract import Contract
from trace_parity.pair.first_appearance import with_places
from trace_parity.pair.vocabulary import Variable, Vocabulary
from trace_parity.trace.log_source import LogSource
from trace_parity.trace.names import Names
from trace_parity.trace.reader import SIDES, unreadable_lines
from trace_parity.trace.repeats import numbering_of, what_to_do
from trace_parity.trace.rows import Rows
from trace_parity.trace.table import Number, RowId, TraceTable, Unreadable

MOST_REFUSED = 1000
"""Up to this many contradictory numbers are kept out of the largest ones; with more it does not matter."""


class Source(Protocol):
    """One log, or one side of a file of columns."""

    size: int
    table: TraceTable

    @property
    def position(self) -> int:
        """How much of `size` has been read."""

    @property
    def ended(self) -> bool:
        """Whether all has been."""

    def begin(self, names: Names) -> None:
        """Read from the start (again)."""

    def read(self, amount: int) -> Rows:
        """The rows of about that many further bytes."""

    def finish(self) -> bool:
        """Complete `table`; False when the log must be read again in another way."""

    def texts(self, places: Collection[Place]) -> dict[Place, str]:
        """How the numbers at these places are printed."""

    def lines(self, places: Collection[Place]) -> dict[Place, str]:
        """The lines that these places are in."""

    def in_memory(self, sites: Collection[Site] | None) -> TraceTable:
        """The rows of some sites and of the whole run, or (None) all."""

    def nothing(self) -> str:
        """Why the log has no number."""

    def close(self) -> None:
        """Close the file."""


@contextmanager
def compare_logs(
    paths: tuple[Path, Path],
    vocabulary: Vocabulary,
    contract: Contract,
    options: Options = DEFAULTS,
    progress: Progress = lambda percent: None,
) -> Iterator[Found]:
    """Compare two logs (or files of columns). What is found may be used while the context lasts.

    Raises HarnessError: exit 5 for a log that cannot be read (with `options.lenient` only where nothing of it can),
    exit 2 for the lines of several ranks.
    """
    with ExitStack() as stack:
        sources = []
        for side, path in zip(SIDES, paths, strict=True):
            sources.append(open_source(path, side, vocabulary, options))
            stack.callback(sources[-1].close)
        yield _compare(sources, vocabulary, contract, options, progress)


def open_source(path: Path, side: str, vocabulary: Vocabulary, options: Options) -> Source:
    """One log, or one side of a file of columns."""
    from trace_parity.trace.parquet import ColumnSource, is_columns

    taken = side if options.sides is None else options.sides[SIDES.index(side)]
    if is_columns(path):
        return ColumnSource(path, side, taken, vocabulary)
    return LogSource(
        path,
        side,
        taken,
        vocabulary,
        rank=options.rank,
        rank_loop=options.rank_loop,
        other_side=options.sides is None,
    )


def _compare(
    sources: Sequence[Source], vocabulary: Vocabulary, contract: Contract, options: Options, progress: Progress
) -> Found:
    depth, in_any_order = block_depth(vocabulary), False
    notes, repeats = list[str](), _Repeats(sources, vocabulary)
    refused: tuple[set[tuple[int, int]], set[tuple[int, int]]] = (set(), set())
    noting, unlisted = _needs_largest(vocabulary.variables), list[Variable]()
    while True:
        names = Names(vocabulary, unlisted)
        for source in sources:
            source.begin(names)
        comparison = Comparison(names, rtol=options.rtol, wanted=Wanted(contract, names))
        windows = Windows(comparison, depth, in_any_order=in_any_order)
        try:
            if noting:
                _note_largest(sources, comparison, options.piece, refused)
                for source in sources:
                    source.begin(names)
            read_abreast(sources, windows, progress, options.piece)
            whole = [source.finish() for source in sources]
            if not all(whole):
                continue
            windows.finish()
        except BeginAgainError as why:
            in_any_order = True
            notes.append(f"every row was held in memory, because {why}")
            continue
        if comparison.contradictions and repeats.are_numbered():
            continue
        if noting and 0 < len(comparison.contradictions) <= MOST_REFUSED and not any(refused):
            for one in comparison.contradictions:  # a refused number does not count as the largest
                refused[one.side].add((one.later[0], one.later[2]))
            continue
        if noting or not _needs_largest(names.variables):
            break
        noting = True  # now that the names are known, their order is, too
        met = with_places(vocabulary, [source.table.variables for source in sources])
        unlisted = [variable for variable in met.values() if not variable.listed]
    if windows.most_waiting > MANY_WAITING:
        notes.append(
            f"the logs are in different orders: up to {windows.most_waiting} numbers were "
            f"held until their counterparts came"
        )
    tables = (sources[0].table, sources[1].table)
    if options.rank is not None and not any(isinstance(source, LogSource) and source.has_ranks for source in sources):
        raise HarnessError(Exit.USAGE, f"--rank {options.rank}: no line of the two logs names a rank")
    _refuse_contradictions(comparison.contradictions, sources, names, repeats.hint)
    for table in tables:
        if table.unreadable and not options.lenient:
            raise unreadable_lines(table)
    row_of, last_differs = _reported(comparison, sources)

    def read(sites: Collection[Site] | None) -> Alignment:
        c, py = (source.in_memory(sites) for source in sources)
        return align(c, py, vocabulary)

    read_as = [(s.taken, s.how) if isinstance(s, LogSource) else None for s in sources]
    nothing = tuple("" if side.numbers else s.nothing() for side, s in zip(comparison.sides, sources, strict=True))
    return Found(
        comparison,
        tables,
        row_of,
        last_differs,
        read,
        (nothing[0], nothing[1]),
        tuple(notes),
        (read_as[0], read_as[1]),
    )


class _Repeats:
    """Blocks that the logs repeat without an index: numbered once, where their count allows it."""

    def __init__(self, sources: Sequence[Source], vocabulary: Vocabulary) -> None:
        self.sources, self.vocabulary = sources, vocabulary
        self.hint = _ONCE
        self._tried = False

    def are_numbered(self) -> bool:
        """Whether the logs, which contradict themselves, are now read with numbers for their repeats."""
        logs = [source for source in self.sources if isinstance(source, LogSource)]
        if self._tried or len(logs) < len(self.sources) or not self.vocabulary.repeats:
            return False
        self._tried = True
        repeated = [found for log in logs if (found := log.repeated()) is not None]
        if len(repeated) < len(logs):
            return False
        numbering = numbering_of(repeated, self.vocabulary)
        if numbering is None:
            self.hint = what_to_do(repeated, self.vocabulary)
            return False
        for log in logs:
            log.number(numbering)
        return True


_ONCE = "print each value once per index of its loops, with the loops' indices in the brackets"


def _needs_largest(variables: Iterable[Variable]) -> bool:
    """Whether a tolerance asks for the largest magnitude of a variable: then both logs are read twice."""
    return any(v.tolerance.scale is not None and v.tolerance.scale.kind == "largest" for v in variables)


def _note_largest(
    sources: Sequence[Source], comparison: Comparison, piece: int, refused: Sequence[Collection[tuple[int, int]]]
) -> None:
    """`refused`: line and place in it of numbers that do not count, per side."""
    for source, without in zip(sources, refused, strict=True):
        while not source.ended:
            comparison.scales.note_largest(source.read(piece), without)


def _refuse_contradictions(found: Sequence[Contradiction], sources: Sequence[Source], names: Names, hint: str) -> None:
    """Lines that give a number another value than an earlier line are unreadable."""
    for side, source in enumerate(sources):
        of_side = [c for c in found if c.side == side]
        texts = source.texts({place for c in of_side[:1000] for place in (c.earlier, c.later)})
        lines = source.lines({c.later for c in of_side[:1000]})
        for one in {c.later[0]: c for c in reversed(of_side)}.values():
            variable = names.variables[one.variable]
            component = f"[{one.component}]" if one.component or variable.size > 1 else ""
            earlier, later = (texts.get(place, "?") for place in (one.earlier, one.later))
            source.table.refuse(
                Unreadable(
                    one.later[0],
                    lines.get(one.later, f"{variable.name} {later}"),
                    f"{variable.name}{component} occurs twice at {names.vocabulary.describe(one.key)}: {earlier} on "
                    f"line {one.earlier[0]}, now {later}",
                    hint,
                )
            )
        source.table.unreadable.sort(key=lambda u: u.line)


def _reported(
    comparison: Comparison, sources: Sequence[Source]
) -> tuple[Callable[[Kept], AlignedRow], tuple[bool, bool]]:
    """How the reported numbers appear in both logs."""
    kept = [row for _, row in comparison.kept] + [t.worst for t in comparison.tallies if t.worst is not None]
    wanted: list[set[Place]] = [{row.places[side] for row in kept} for side in (0, 1)]
    lasts: list[tuple[Place, Place] | None] = [None, None]
    for side, source in enumerate(sources):
        last = comparison.sides[side].last
        if source.table.unterminated and last is not None and last[1] is not None:
            lasts[side] = (last[0], last[1])
            wanted[side].add(last[0])
            wanted[1 - side].add(last[1])
    texts = [source.texts(places) for source, places in zip(sources, wanted, strict=True)]

    def row_of(row: Kept) -> AlignedRow:
        variable = comparison.names.variables[row.variable]
        c, py = (
            Number(value, texts[i].get(row.places[i], f"{value:.17g}"), row.places[i][0])
            for i, value in enumerate((row.c, row.py))
        )
        return AlignedRow(RowId(row.key, variable.id, row.component), variable, c, py)

    differs = [
        pair is not None and texts[side].get(pair[0]) != texts[1 - side].get(pair[1]) for side, pair in enumerate(lasts)
    ]
    return row_of, (differs[0], differs[1])
