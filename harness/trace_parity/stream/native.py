"""The C part of the streaming comparison: built on first use into the user's cache, and called through ctypes."""

from __future__ import annotations

import ctypes as ct
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from trace_parity.errors import Exit, HarnessError

LOOPS = 8
NONE = 0xFFFFFFFF
OK, SLOW, TWICE, RECURS, BIG, LATE, NO_MEMORY = range(7)
SCALE_KINDS = {"norm": 1, "variable": 2, "unit": 3, "largest": 4}
HOWS = {"product": 0, "inverse": 1, "component": 2}
MOST_TARGETS = 8

_SOURCES = ("trace_stream.h", "join.h", "number.c", "scan.c", "join.c", "judge.c", "context.c")
# No contraction to fused multiply-add: the same arithmetic as Python's, to the last bit.
_FLAGS = ("-std=c11", "-O2", "-ffp-contract=off", "-D_POSIX_C_SOURCE=200809L", "-fPIC", "-shared")


class NoCompilerError(Exception):
    """The C part cannot be built here; the message says why."""


class Key(ct.Structure):
    """`ts_key`."""

    _fields_ = (("at", ct.c_int32 * LOOPS),)


class CVariable(ct.Structure):
    """`ts_variable`."""

    _fields_ = (
        ("name", ct.c_char_p),
        ("rtol", ct.c_double),
        ("floor", ct.c_double),
        ("own_floor", ct.c_double),
        ("ulps", ct.c_double),
        ("place", ct.c_uint32),
        ("closing", ct.c_uint32),
        ("nest", ct.c_uint32),
        ("exact", ct.c_uint32),
        ("scale", ct.c_uint32),
        ("how", ct.c_uint32),
        ("component", ct.c_uint32),
        ("is_scale", ct.c_uint32),
        ("mask", ct.c_uint32),
        ("size", ct.c_uint32),
        ("targets", ct.c_uint32),
        ("target", ct.c_uint32 * MOST_TARGETS),
        ("largest", ct.c_double),
    )


class Kept(ct.Structure):
    """`ts_kept`."""

    _fields_ = (
        ("key", Key),
        ("variable", ct.c_uint32),
        ("component", ct.c_uint32),
        ("pos", ct.c_uint32 * 2),
        ("sizes", ct.c_uint32 * 2),
        ("line", ct.c_uint64 * 2),
        ("offset", ct.c_uint64 * 2),
        ("value", ct.c_double * 2),
        ("named", ct.c_double),
        ("needed", ct.c_double),
        ("rel", ct.c_double),
        ("vectors", ct.POINTER(ct.c_double)),
        ("differs", ct.c_uint32),
        ("set", ct.c_uint32),
    )


class Seq(ct.Structure):
    """`ts_seq`."""

    _fields_ = (("line", ct.c_uint64), ("offset", ct.c_uint64), ("pos", ct.c_uint32), ("set", ct.c_uint32))


class Tally(ct.Structure):
    """`ts_tally`."""

    _fields_ = (
        ("compared", ct.c_uint64),
        ("divergent", ct.c_uint64),
        ("only", ct.c_uint64 * 2),
        ("places", ct.c_uint64 * 2),
        ("first_only", Seq * 2),
        ("first_key", Key * 2),
        ("wrong_places", ct.c_uint64),
        ("first_wrong", Seq),
        ("wrong_key", Key),
        ("wrong_size", ct.c_uint32),
        ("seen", ct.c_uint32 * 2),
        ("worst", Kept),
    )


class Mismatch(ct.Structure):
    """`ts_mismatch`."""

    _fields_ = (
        ("key", Key),
        ("variable", ct.c_uint32),
        ("sizes", ct.c_uint32 * 2),
        ("side", ct.c_uint32),
        ("seq", Seq),
    )


class SideSum(ct.Structure):
    """`ts_side`."""

    _fields_ = (
        ("numbers", ct.c_uint64),
        ("only", ct.c_uint64),
        ("first_only", Seq),
        ("first_key", Key),
        ("first_variable", ct.c_uint32),
        ("last_shared", Seq),
        ("last", Seq),
        ("last_other", Seq),
        ("last_mismatch", ct.c_uint32),
    )


class Record(ct.Structure):
    """`ts_record`."""

    _fields_ = (
        ("offset", ct.c_uint64),
        ("line", ct.c_uint64),
        ("length", ct.c_uint32),
        ("key", ct.c_uint32),
        ("slot", ct.c_uint32),
        ("values", ct.c_uint32),
        ("count", ct.c_uint32),
        ("taken", ct.c_uint32),
    )


class Run(ct.Structure):
    """`run` up to its numbers, which lie behind it."""

    _fields_ = (
        ("next", ct.c_void_p),
        ("line", ct.c_uint64),
        ("offset", ct.c_uint64),
        ("first", ct.c_uint32),
        ("count", ct.c_uint32),
        ("pos", ct.c_uint32),
    )

    def number(self, component: int) -> float:
        """One of the run's numbers."""
        values = ct.addressof(self) + ct.sizeof(self)
        return float(ct.c_double.from_address(values + 8 * (component - self.first)).value)


@cache
def library() -> Any:
    """The C part, built when it is not there. Raises NoCompilerError where that cannot be done."""
    if ct.sizeof(ct.c_void_p) != 8:
        raise NoCompilerError("it is written for 64-bit machines")
    try:
        lib: Any = ct.CDLL(str(_built()))
    except OSError as error:
        raise NoCompilerError(f"the built library does not load: {error}") from error
    _declare(lib)
    return lib


def _built() -> Path:
    """Where the library lies: in the user's cache, in a folder named by sources, flags and compiler."""
    compiler = os.environ.get("CC", "cc").split()
    folder = resources.files("trace_parity.stream")
    sources = {name: (folder / name).read_bytes() for name in _SOURCES}
    digest = hashlib.sha256(repr((compiler, _FLAGS, sorted(sources.items()))).encode()).hexdigest()[:16]
    cache_root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    target = cache_root / "trace-diff" / f"stream-{digest}" / "trace_stream.so"
    if target.is_file():
        return target
    if shutil.which(compiler[0]) is None:
        raise NoCompilerError(f"there is no C compiler ({compiler[0]})")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            for name, text in sources.items():
                (Path(work) / name).write_bytes(text)
            words = [*compiler, *_FLAGS, *(n for n in _SOURCES if n.endswith(".c")), "-lm", "-o", "built.so"]
            done = subprocess.run(words, cwd=work, capture_output=True, text=True, check=False)
            if done.returncode:
                raise NoCompilerError(f"the compiler failed: {done.stderr.strip()[:300]}")
            # Renamed into place: two commands that build at once do not see each other's half.
            (Path(work) / "built.so").replace(target)
    except OSError as error:
        raise NoCompilerError(f"it cannot be built: {error}") from error
    return target


def _declare(lib: Any) -> None:
    """Argument and result types of every function that is called."""
    u32, u64, context = ct.c_uint32, ct.c_uint64, ct.c_void_p
    key, out = ct.POINTER(Key), ct.POINTER(ct.c_uint64)
    row_head = (context, u32, key, u32, u32)
    columns = (ct.POINTER(ct.c_void_p), *[ct.c_void_p] * 5)
    functions: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "ts_new": (context, (u32, ct.POINTER(ct.c_char_p), ct.POINTER(u64))),
        "ts_free": (None, (context,)),
        "ts_begin": (ct.c_int, (context, u32, ct.c_size_t)),
        "ts_largest": (ct.c_double, (context, u32)),
        "ts_nests": (None, (context, u32)),
        "ts_powers": (None, (ct.POINTER(u64),)),
        "ts_number": (ct.c_int, (ct.POINTER(ct.c_char_p), ct.POINTER(ct.c_double))),
        "ts_add_variable": (ct.c_int, (context, ct.POINTER(CVariable))),
        "ts_add_slot": (ct.c_int, (context, ct.c_char_p, u32, u32, u32, u32, u32, ct.c_double)),
        "ts_open": (None, (context, u32, ct.c_int, u32, u32)),
        "ts_scan": (ct.c_int64, (context, u32, ct.c_size_t)),
        "ts_learn": (None, (context, u32)),
        "ts_records": (ct.POINTER(Record), (context, u32, out)),
        "ts_state": (None, (context, u32, out)),
        "ts_step": (None, (context, u32)),
        "ts_advance": (ct.c_int, (context, u32)),
        "ts_look_up": (ct.POINTER(Run), row_head),
        "ts_put": (ct.c_int, (*row_head, ct.c_double, u64, u64, u32)),
        "ts_end_of": (ct.c_int, (context, u32)),
        "ts_finish": (ct.c_int, (context,)),
        "ts_watch": (ct.c_int, (context, key, u32)),
        "ts_watched": (u32, (context, u64, u32)),
        "ts_used": (u32, (context, u32, u32)),
        "ts_tallies": (ct.POINTER(Tally), (context,)),
        "ts_side_of": (ct.POINTER(SideSum), (context, u32)),
        "ts_first_divergent": (ct.POINTER(Kept), (context, ct.POINTER(u32))),
        "ts_hardest": (ct.POINTER(Kept), (context,)),
        "ts_mismatches": (ct.POINTER(Mismatch), (context, out, out)),
        "ts_leads": (None, (context, out, out)),
        "ts_collect": (u64, (context, u32, u64, *columns, ct.c_void_p, ct.c_void_p)),
        "ts_feed": (ct.c_int, (context, u32, u64, *columns, u64, out)),
        "ts_filter": (u64, (context, u32, ct.POINTER(ct.c_int32), u64)),
    }
    for name, (result, arguments) in functions.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments


@cache
def powers_of_five() -> Any:
    """5^-342 to 5^308 as 128-bit truncated significands, high word first: what number parsing multiplies by."""
    words: list[int] = []
    for q in range(-342, 309):
        power = 5 ** abs(q)
        bits = power.bit_length()
        if q >= 0:
            significand = power << (128 - bits) if bits <= 128 else power >> (bits - 128)
        else:
            ceiling = bits - (power & (power - 1) == 0)  # the smallest z with 2^z >= 5^-q
            if q >= -27:
                significand = (1 << (ceiling + 127)) // power + 1
            else:
                significand = (1 << (2 * ceiling + 128)) // power + 1
                significand >>= significand.bit_length() - 128
        words += [significand >> 64, significand & 0xFFFFFFFFFFFFFFFF]
    return (ct.c_uint64 * len(words))(*words)


def check(code: int) -> None:
    """Raise HarnessError for the one code that nothing can be done about."""
    if code == NO_MEMORY:
        raise HarnessError(Exit.PROGRAM_FAILED, "out of memory", where="comparing two logs", hint="smaller logs")


def parse_number(word: bytes) -> float | None:
    """`word` as the C part reads it; None where it takes it for no number."""
    lib = library()
    lib.ts_powers(powers_of_five())
    at, value = ct.c_char_p(word + b"\n" + bytes(8)), ct.c_double()
    keep = at.value
    assert keep is not None
    start = ct.cast(at, ct.c_void_p).value or 0
    if not lib.ts_number(ct.byref(at), ct.byref(value)):
        return None
    return value.value if (ct.cast(at, ct.c_void_p).value or 0) - start == len(word) else None
