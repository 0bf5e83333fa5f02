"""The compiled part of the scanner: built on first use into the user's cache, called through ctypes."""

from __future__ import annotations

import ctypes as ct
import hashlib
import os
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from trace_parity.errors import HarnessError
from trace_parity.user_cache import cache_folder, is_sound, keep

_SOURCES = ("scan.h", "number.c", "scan.c", "settle.c")
# No contraction to fused multiply-add: the same arithmetic as Python's, to the last bit.
_FLAGS = ("-std=c11", "-O3", "-ffp-contract=off", "-fPIC", "-shared")
WITHOUT = "TRACE_PARITY_NO_COMPILER"
"""Environment variable that disables the compiled part, for tests and for machines where it fails."""


class NoCompilerError(Exception):
    """The compiled part cannot be built here; the message gives the reason."""


class Found(ct.Structure):
    """`ts_found`."""

    _fields_ = (
        *((name, ct.c_void_p) for name in ("keys", "key", "variable", "first", "count", "flags", "line", "offset")),
        *((name, ct.c_void_p) for name in ("values", "texts", "text_end", "slow_line", "slow_offset", "slow_length")),
        *((name, ct.c_int64) for name in ("n_keys", "n_rows", "n_values", "n_slow", "lines", "others")),
    )


class ColumnPointers(ct.Structure):
    """`ts_side`."""

    _fields_ = (
        *((name, ct.c_void_p) for name in ("keys", "key", "variable", "first", "count", "start", "line", "pos")),
        *((name, ct.c_void_p) for name in ("flags", "values", "left")),
        *((name, ct.c_int64) for name in ("n", "numbers", "shared_line", "shared_pos")),
    )


class Limits(ct.Structure):
    """`ts_limits`."""

    _fields_ = tuple(
        (name, ct.c_void_p)
        for name in (
            *("limit", "own", "floor", "absolute", "needed", "relative", "size", "whole", "worst"),
            *("target", "how", "inside", "part", "compared"),
        )
    )


@cache
def library() -> Any:
    """The compiled part, built when it is not there. Raises NoCompilerError where that cannot be done."""
    if os.environ.get(WITHOUT):
        raise NoCompilerError(f"{WITHOUT} is set")
    if ct.sizeof(ct.c_void_p) != 8:
        raise NoCompilerError("it is written for 64-bit machines")
    try:
        lib: Any = ct.CDLL(str(_built()))
    except OSError as error:
        raise NoCompilerError(f"the built library does not load: {error}") from error
    u32, context = ct.c_uint32, ct.c_void_p
    functions: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "ts_new": (context, (u32, ct.POINTER(ct.c_char_p))),
        "ts_free": (None, (context,)),
        "ts_powers": (None, (ct.POINTER(ct.c_uint64),)),
        "ts_number": (ct.c_int, (ct.POINTER(ct.c_char_p), ct.POINTER(ct.c_double), ct.POINTER(ct.c_int))),
        "ts_add_slots": (ct.c_int, (context, u32, ct.c_char_p, *[ct.POINTER(u32)] * 4, ct.POINTER(ct.c_double))),
        "ts_used": (ct.c_int, (context, u32)),
        "ts_settle": (
            ct.c_int,
            (u32, ct.c_void_p, ct.POINTER(ColumnPointers), ct.POINTER(ColumnPointers), ct.POINTER(Limits)),
        ),
        "ts_scan": (None, (context, ct.c_void_p, ct.c_size_t, u32, ct.POINTER(Found))),
    }
    for name, (result, arguments) in functions.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    lib.ts_powers(_powers_of_five())
    return lib


def _built() -> Path:
    """Where the library lies: in the user's cache, in a folder named by sources, flags and compiler."""
    compiler = os.environ.get("CC", "cc").split()
    folder = resources.files("trace_parity.trace")
    sources = {name: (folder / name).read_bytes() for name in _SOURCES}
    digest = hashlib.sha256(repr((compiler, _FLAGS, sorted(sources.items()))).encode()).hexdigest()[:16]
    try:
        target = cache_folder() / f"scan-{digest}" / "scan.so"
    except HarnessError as error:
        raise NoCompilerError(f"there is no cache: {error}") from error
    if is_sound(target):
        return target
    import shutil
    import subprocess
    import tempfile

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
            keep(Path(work) / "built.so", target)
    except (OSError, HarnessError) as error:
        raise NoCompilerError(f"it cannot be built: {error}") from error
    return target


@cache
def _powers_of_five() -> Any:
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


def parse_number(word: bytes) -> float | None:
    """`word` as the compiled part reads it; None if it leaves it to the caller."""
    lib = library()
    at, value, whole = ct.c_char_p(word + b"\n" + bytes(8)), ct.c_double(), ct.c_int()
    start = ct.cast(at, ct.c_void_p).value or 0
    if not lib.ts_number(ct.byref(at), ct.byref(value), ct.byref(whole)):
        return None
    return value.value if (ct.cast(at, ct.c_void_p).value or 0) - start == len(word) else None
