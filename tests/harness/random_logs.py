"""Pairs of logs made at random, and things that happen to them."""

from __future__ import annotations

import random
from collections.abc import Callable

from trace_parity.pair.contract import Contract

STEP = "spixel={s} fpixel={f} thick_tic=0 subS=0 subF=0 source=0 phi_tic={p} mos_tic=0"
SOURCE = "spixel={s} fpixel={f} thick_tic=0 subS=0 subF=0 source=0"
Lines = list[str]
CONTRACT = Contract(
    ("F_latt", "hkl_frac", "polar", "I_pixel_final", "no_such"), ((0, 0), (0, 1), (7, 7)), {"phi_tic": 2}
)


def block(s: int, f: int, rng: random.Random) -> Lines:
    """The lines of one pixel, as the programs print them."""
    step = [STEP.format(s=s, f=f, p=p) for p in range(2)]
    at = SOURCE.format(s=s, f=f)

    def n() -> str:
        return f"{rng.uniform(-1, 1) * 10 ** rng.randint(-30, 24):.17g}"

    lines = [
        f"TRACE_C[{at}]: lambda_meters 9.7680000000000005e-11",
        f"TRACE_C[{at}]: scattering_vec_m_inv {n()} {n()} 0",
        f"TRACE_C[{at}]: polar 0.9{rng.randint(1, 10**15)}",
    ]
    for loops in step:
        lines += [
            f"TRACE_C[{loops}]: phi_deg 0",
            f"TRACE_C[{loops}]: rot_a_angstroms {n()} {n()} 1e-17",
            f"TRACE_C[{loops}]: hkl_frac {n()} {n()} {n()}",
            f"TRACE_C[{loops}]: hkl_rounded 1 2 3",
            f"TRACE_C[{loops}]: F_latt {rng.uniform(-5, 5):.17g}",
            f"TRACE_C[{loops}]: made_up_name {n()}",
        ]
    pixel = f"spixel={s} fpixel={f}"
    return [*lines, f"TRACE_C[{pixel}]: steps 10", f"TRACE_C[{pixel}]: I_pixel_final {n()}"]


def logs(rng: random.Random, pixels: int) -> tuple[list[Lines], list[Lines]]:
    """Blocks of lines of both logs: the run's, then one per pixel."""
    run = ["some program", "TRACE_C: N_cells 36 47 29", "TRACE_C: beam_vec 1 0 0", "TRACE_CONFIG: no trace line"]
    c = [run, *(block(p // 3, p % 3, rng) for p in range(pixels))]
    return c, [[jitter(line, rng) for line in lines] for lines in c]


def jitter(line: str, rng: random.Random) -> str:
    """PY's line: its numbers differ in their last digits."""
    line = line.replace("TRACE_C", "TRACE_PY")
    head, _, words = line.rpartition(" ")
    if "." not in words or rng.random() < 0.5:
        return line
    return f"{head} {float(words) * (1 + rng.choice((1e-16, -3e-15, 1e-7))):.17g}"


def lacking_the_same(pair: tuple[list[Lines], list[Lines]], rng: random.Random) -> tuple[list[Lines], list[Lines]]:
    """Both logs without the last number of some lines."""
    some = rng.randrange(2, 5)

    def cut(n: int, line: str) -> str:
        return line.rpartition(" ")[0] if n % some == 0 and len(line.partition(": ")[2].split()) > 2 else line

    c, py = ([[cut(n, line) for n, line in enumerate(lines)] for lines in blocks] for blocks in pair)
    return c, py


def mutate(blocks: list[Lines], rng: random.Random, side: str) -> list[Lines]:
    """Something happens to a log."""
    blocks = [list(lines) for lines in blocks]
    lines = rng.choice(blocks)
    at = rng.randrange(len(lines)) if lines else 0
    place = rng.choice(["", "[spixel=0 fpixel=1]", "[spixel=0 fpixel=0 phi_tic=1]", "[spixel=5 fpixel=5]"])

    def replace_number(by: str) -> None:
        head, _, _ = lines[at].rpartition(" ")
        lines[at] = f"{head} {by}"

    def shuffle_within() -> None:
        rng.shuffle(lines)

    def shuffle_blocks() -> None:
        rng.shuffle(blocks)

    def split_block() -> None:
        blocks.append([lines.pop() for _ in range(min(3, len(lines)))])

    def extra_pixel() -> None:
        blocks.insert(rng.randrange(len(blocks) + 1), [w.replace("TRACE_C", side) for w in block(9, 9, rng)])

    def insert(*words: str) -> Callable[[], None]:
        return lambda: lines.insert(at, rng.choice(words))

    def drop(count: int) -> Callable[[], None]:
        return lambda: lines.__delitem__(slice(at, at + count))

    def repeat() -> None:
        blocks.append([rng.choice(lines)] if lines else [])

    happenings: list[Callable[[], None]] = [
        drop(1),
        drop(4),
        shuffle_within,
        shuffle_blocks,
        split_block,
        extra_pixel,
        repeat,
        insert(f"{side}{place}: F_latt 1.5", f"{side}{place}: hkl_frac 1 2", f"{side}{place}: hkl_frac 1 2 3 4"),
        insert(f"{side}: steps ten", f"{side}[spixel=1]: x", f"{side}[phi_tic=1 phi_tic=2]: x 1", f"{side}[]: x 1"),
        insert(f"{side}_PHI phi_tic=1 phi_deg=0.01 k_frac=-0.59 S_y=0.25", f"{side}:old=1 2 3", f"{side}:note=hello"),
        insert(f"{side}{place}: polar 0.25", f"{side}{place}: V_actual 12", f"{side}{place}: k_frac 0.5"),
        insert(
            f"{side}: N_cells 1 2 3", f"{side}: N_cells 36 47 29", f"{side}: N_cells nan nan", f"{side}: beam_vec 1"
        ),
        insert(f"{side}\t[", f"{side} x", "", "\x00\x1c\x85", f"{side}{place}: é 1", f"{side}{place}: x٣ ٣", "TRACE_"),
        insert("TRACE_C: steps 3", "TRACE_PY: steps 3", "TRACE_PYx: steps 3", f"{side}{place}: steps 3 \r"),
    ]
    if lines:
        number = rng.choice(["nan", "-nan", "inf", "-inf", "0", "-0", "1e400", "1e-320", "7", "1.", ".5", "1e", "+3"])
        happenings += [lambda: replace_number(number)] * 3
    rng.choice(happenings)()
    return blocks


def text_of(blocks: list[Lines], rng: random.Random) -> bytes:
    """The log, cut off now and then."""
    text = "".join(f"{line}\n" for lines in blocks for line in lines).encode()
    if rng.random() < 0.2:
        text = text[: rng.randrange(len(text) + 1)]
    return text if rng.random() < 0.9 else text.rstrip(b"\n")
