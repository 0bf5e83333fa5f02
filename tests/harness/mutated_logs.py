"""Logs whose values are known, printed in many ways, and things that happen to them: what is left is known, too."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

At = tuple[str, str]
"""Loop indices in brackets, and name."""
Values = dict[At, tuple[float | str, ...]]
STEP = "[spixel={} fpixel={} thick_tic=0 subS=0 subF=0 source=0 phi_tic={} mos_tic=0]"
OLD_NAMES = {"k_frac": ("hkl_frac", 1), "F_cell_nearest": ("F_cell", 0)}
"""Older names, and which number of which variable they are."""


@dataclass(frozen=True)
class Line:
    """One line of a log and what it says, from component `first` on; `lost`: no reader can understand it."""

    text: str
    says: tuple[tuple[At, tuple[float | str, ...]], ...] = ()
    lost: bool = False
    first: int = 0
    is_old: bool = False  # says it under an older name


@dataclass
class Log:
    """The lines of a log. `doubtful`: it may also be refused; `cut`: its last line was cut."""

    side: str
    lines: list[Line]
    doubtful: bool = False
    cut: bool = False
    happened: list[str] = field(default_factory=list)

    @property
    def lost(self) -> bool:
        """Whether a line cannot be read, or two lines contradict each other."""
        held: Held = {}
        old = {number for line in self.lines if line.is_old for number, _ in _of(line)}
        contradicts = any(
            not _agree(held.setdefault(number, value), value, number in old)
            for line in self.lines
            for number, value in _of(line)
        )
        return contradicts or any(line.lost for line in self.lines)

    @property
    def held(self) -> Held:
        """What the lines say together."""
        made: Held = {}
        for line in self.lines:
            for number, value in _of(line):
                made.setdefault(number, value)
        return made


Held = dict[tuple[At, int], float | str]
"""Numbers and words by place, name and component."""


def _agree(a: float | str, b: float | str, is_old: bool) -> bool:
    """Whether a log may say both of one number: under an older name it may be printed with fewer digits."""
    near = is_old and isinstance(a, float) and isinstance(b, float) and abs(a - b) <= 1e-6 * max(abs(a), abs(b))
    return a == b or near


def _of(line: Line) -> Iterator[tuple[tuple[At, int], float | str]]:
    for at, values in line.says:
        for i, value in enumerate(values, start=line.first):
            yield (at, i), value


def values_of(rng: random.Random) -> Values:
    """Some numbers and words of a run."""
    made: Values = {("", "beam_vec"): (1.0, 0.0, 0.0)}
    if rng.random() < 0.4:
        made["", "convention"] = ("MOSFLM",)
        made["", "seed"] = (float(rng.getrandbits(40)),)
    for p in range(rng.randint(1, 3)):
        pixel = f"[spixel={p} fpixel={rng.randint(0, 3)}]"
        for tick in range(rng.randint(1, 2)):
            step = STEP.format(p, 0, tick)
            made[step, "F_latt"] = (rng.uniform(1, 9),)
            made[step, "hkl_frac"] = tuple(rng.uniform(1, 9) for _ in range(3))
            if rng.random() < 0.3:
                made[step, "F_cell"] = (rng.uniform(1, 9),)
        made[pixel, "I_pixel_final"] = (rng.uniform(1, 9) * 1e-7,)
        if rng.random() < 0.3:
            made[pixel, "my_own"] = (rng.uniform(1, 9),)
    return made


def changed(values: Values, rng: random.Random) -> Values:
    """Another log's values: the same, the same within tolerance, or not."""
    made = dict(values)
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
        at = rng.choice(list(made))
        what = rng.randrange(7)
        if what == 0 and len(made) > 1:
            del made[at]
        elif what == 1:
            made[at[0], f"{at[1]}_more"] = made[at]
        elif what == 2:
            made[at] = tuple(v * (1 + 1e-3) + 1 if isinstance(v, float) else v for v in made[at])
        elif what == 3 and len(made[at]) > 1:
            made[at] = made[at][:-1]
        elif what == 4:
            made[at] = tuple(v * (1 + 1e-13) if isinstance(v, float) and v % 1 else v for v in made[at])
        elif what == 5:
            one = rng.randrange(len(made[at]))
            made[at] = tuple(-v if i == one and isinstance(v, float) and v else v for i, v in enumerate(made[at]))
        elif what == 6:
            other = rng.choice(list(made))
            if len(made[other]) == len(made[at]):
                made[at], made[other] = made[other], made[at]
    return made


def same(c: Held, py: Held) -> bool | None:
    """Whether two logs hold the same within tolerance; None where tolerances of variables would have to say it."""
    if c.keys() != py.keys():
        return False
    doubt = False
    for number, a in c.items():
        b = py[number]
        if a == b:
            continue
        if isinstance(a, str) or isinstance(b, str) or a % 1 == 0 == b % 1 or abs(a - b) > 1e-3 * abs(a):
            return False
        doubt |= abs(a - b) > 1e-9 * abs(a)
    return None if doubt else True


def printed(value: float | str, rng: random.Random) -> str:
    """A value in one of the spellings that logs have."""
    if isinstance(value, str):
        return value
    text = f"{value:.17g}"
    if "." not in text or rng.random() < 0.4:
        return text
    return rng.choice(
        [
            f"{value:.17e}",
            value.hex(),
            f"{value:.17e}".replace("e", "D"),
            f"np.float64({value!r})",
            f"tensor({value!r})",
            f"tensor({value!r}, dtype=torch.float64)",
        ]
    )


def line_of(at: At, values: tuple[float | str, ...], side: str, rng: random.Random) -> Line:
    """A trace line in one of its forms, today's most often."""
    words = [printed(value, rng) for value in values]
    head = f"TRACE_{side}{at[0]}:"
    form = rng.random()
    if len(words) > 1 and form < 0.2:
        return Line(
            f"{head} {at[1]} {rng.choice(['[{}]', '({})', '= [{}]']).format(', '.join(words))}", ((at, values),)
        )
    if form < 0.05:
        return Line(f"{head}{at[1]}={' '.join(words)}", ((at, values),))
    if form < 0.1 and at[0] and "(" not in "".join(words) and len(words) == 1:
        return Line(f"TRACE_{side}_BLOCK {at[0][1:-1]} {at[1]}={words[0]}", ((at, values),))
    return Line(f"{head} {at[1]} {' '.join(words)}", ((at, values),))


PREFIXES = [
    "  ",
    "37% done\r",
    "3% ",
    "INFO ",
    "[rank0]: ",
    "[1,0]<stdout>:",
    "\x1b[32m",
    "2026-07-01T10:00:00Z ",
    "2026-07-01T10:00:00.1234567Z ",
    "Jul 01 10:00:00 host app[123]: ",
    "\ufeff",
    "done",
    "worker_1  | ",
    "x TRACE_ y ",
]
OTHER = [
    "hello",
    "",
    "TRACE_CONFIG: x",
    "TRACE_",
    "100%|####| 5/5",
    "DETECTOR 1 2 3",
    "TRACE_C_START",
    "TRACE_PY: === pixel ===",
    "\x00",
    "F_latt 1.25",
]
UNREADABLE = [" 1e400", " 1e-400", " 1,5", " 2x", " 1.2.3", " ...", " ****", " 0x10", " 1e5e5", " --1", " 1..2", " +"]


def mutate(log: Log, rng: random.Random) -> None:
    """Something happens to a log."""
    lines, side = log.lines, log.side
    if not lines:
        return
    at = rng.randrange(len(lines))
    line = lines[at]

    def prefix() -> None:
        lines[at] = replace(line, text=rng.choice(PREFIXES) + line.text)

    def all_behind_a_prefix() -> None:
        chosen = rng.choice(PREFIXES)
        lines[:] = [replace(one, text=chosen + one.text) for one in lines]

    def insert() -> None:
        lines.insert(at, Line(rng.choice(OTHER)))

    def insert_of_the_other_side() -> None:
        other = "PY" if side == "C" else "C"
        lines.insert(at, Line(f"TRACE_{other}: F_latt {rng.random()}"))

    def delete() -> None:
        del lines[at]

    def delete_many() -> None:
        del lines[at : at + rng.randrange(1, 5)]

    def duplicate() -> None:
        lines.insert(rng.randrange(len(lines) + 1), line)

    def duplicate_all() -> None:
        lines.extend(lines[:])

    def contradict() -> None:
        for at_, values in line.says:
            other = tuple(v + 1 if isinstance(v, float) else v for v in values)
            if other != values:
                made = Line(f"TRACE_{side}{at_[0]}: {at_[1]} {' '.join(f'{v:.17g}' for v in other)}", ((at_, other),))
                lines.insert(rng.randrange(len(lines) + 1), made)

    def shuffle() -> None:
        rng.shuffle(lines)

    def swap() -> None:
        to = rng.randrange(len(lines))
        lines[at], lines[to] = lines[to], lines[at]

    def glue() -> None:
        if at + 1 < len(lines) and line.says and lines[at + 1].says:
            joint = rng.choice(["", " ", "x"])
            lines[at : at + 2] = [Line(line.text + joint + lines[at + 1].text, lost=True)]

    def unreadable() -> None:
        if line.says and "TRACE_" in line.text:
            head = line.text.rstrip().rpartition(" ")[0]
            if "TRACE_" in head and not head.endswith(":") and "(" not in head and "[" not in head.partition(": ")[2]:
                lines[at] = Line(head + rng.choice(UNREADABLE), lost=True)

    def end() -> None:
        lines[at] = replace(line, text=line.text + rng.choice([" ", "\r", "\x1b[0m", "\t", "  \r"]))

    def tabs() -> None:
        if "\r" not in line.text:
            lines[at] = replace(line, text=line.text.replace(" ", "\t"))
            log.doubtful = True  # loop indices behind tabs: may be read or refused

    def wide() -> None:
        if "\r" not in line.text:
            lines[at] = replace(line, text=line.text.replace(": ", ":  ", 1))

    def digit() -> None:
        """Another digit in a number: Python computes the new value."""
        if len(line.says) != 1 or not all(isinstance(v, float) for v in line.says[0][1]):
            return
        place, values = line.says[0]
        words = [f"{v:.17g}" for v in values]
        one = rng.randrange(len(words))
        where = rng.choice([i for i, c in enumerate(words[one].partition("e")[0]) if c.isdigit()])
        words[one] = words[one][:where] + rng.choice("0123456789") + words[one][where + 1 :]
        now = tuple(map(float, words))
        lines[at] = Line(f"TRACE_{side}{place[0]}: {place[1]} {' '.join(words)}", ((place, now),))

    def old_name() -> None:
        """The same number under an older name too, or another one."""
        for name, (variable, component) in OLD_NAMES.items():
            for place, values in line.says:
                if place[1] == variable and "phi_tic" in place[0] and len(values) > component and not line.is_old:
                    value, wrong = values[component], rng.random() < 0.3
                    assert isinstance(value, float)
                    shown = value + 1 if wrong else value
                    says = ((place, (shown,)),)
                    made = Line(f"TRACE_{side}{place[0]}: {name} {shown:.17g}", says, first=component, is_old=True)
                    lines.insert(rng.randrange(len(lines) + 1), made)

    def index() -> None:
        """A loop index that no double, or no 32 bits, hold; or one that occurs twice."""
        if "[spixel=" in line.text:
            wrong = rng.choice(["[spixel=99999999999 ", "[spixel=0 spixel=0 ", "[spixel=-1 ", "[spixel= ", "[spixl=0 "])
            lines[at] = Line(line.text.replace("[spixel=0 ", wrong, 1), line.says, line.lost)
            if lines[at].text != line.text:
                lines[at] = replace(lines[at], says=(), lost=True)

    happenings: list[Callable[[], None]] = [
        prefix, all_behind_a_prefix, insert, insert_of_the_other_side, delete, delete_many, duplicate, duplicate_all,
        contradict, shuffle, swap, glue, unreadable, end, tabs, wide, digit, digit, old_name, index,
    ]  # fmt: skip
    happening = rng.choice(happenings)
    log.happened.append(happening.__name__)
    happening()


def log_of(values: Values, side: str, rng: random.Random) -> Log:
    """A log of these values, and what happened to it."""
    log = Log(side, [line_of(at, numbers, side, rng) for at, numbers in values.items()])
    for _ in range(rng.choice([0, 0, 1, 1, 2, 4])):
        mutate(log, rng)
    return log


def saved(log: Log, rng: random.Random) -> bytes:
    """The bytes of a log: its encoding, its ends of lines, compressed or not, cut off now and then."""
    text = "".join(f"{line.text}\n" for line in log.lines)
    if log.lines and rng.random() < 0.08:
        log.happened.append("cut")
        ends = [0]
        for line in log.lines:
            ends.append(ends[-1] + len(line.text) + 1)
        to = rng.randrange(1, len(text) + 1)
        text = text[:to]
        whole = sum(1 for end in ends[1:] if end <= to)
        partly = to - ends[whole] >= len(log.lines[whole].text) if whole < len(log.lines) else False
        log.cut = whole < len(log.lines) and to > ends[whole]
        log.lines = log.lines[: whole + partly]
    way = rng.randrange(12)
    if way == 0:
        return text.encode("utf-8-sig")
    if way == 1 and text:
        return text.encode("utf-16")
    if way == 2:
        return gzip.compress(text.encode(), 1)
    if way == 3:
        return lzma.compress(text.encode(), preset=0)
    if way == 4:
        return bz2.compress(text.encode(), 1)
    return (text.replace("\n", "\r\n") if way == 5 else text).encode()
