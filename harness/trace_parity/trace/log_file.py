"""A log as UTF-8 bytes, however it was saved: compressed, in UTF-16, with a byte order mark, from a pipe."""

from __future__ import annotations

import codecs
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from trace_parity.errors import Exit, HarnessError
from trace_parity.files import log_hint

_HEAD = 4096
_MAGIC = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\x00": "xz", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd"}
_MODULES = {"gzip": "gzip", "xz": "lzma", "bzip2": "bz2"}
_BINARY = {
    b"\x89PNG": "a PNG image",
    b"\x89HDF": "an HDF5 file",
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"\x93NUMPY": "a NumPy array",
    b"\x7fELF": "a program",
    b"PAR1": "a Parquet file (its name must end in .parquet)",
}


class LogFile:
    """One log, readable from the start as often as needed. Raises HarnessError (exit 5) for what is not a log."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._spool: Any = None
        try:
            self._raw: IO[bytes] = path.open("rb", buffering=0)
            if not path.is_file():  # a pipe: to be read twice it is kept in a file of its own
                import shutil
                import tempfile

                self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
                with self._raw as pipe:
                    shutil.copyfileobj(pipe, self._spool)
                self._raw = self._spool
                self._raw.seek(0)
            head = self._raw.read(_HEAD)
            self.size = os.fstat(self._raw.fileno()).st_size
        except OSError as error:
            what = error.strerror or str(error)
            raise HarnessError(Exit.UNREADABLE, what, where=str(path), hint=log_hint(path)) from error
        self.compression = next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "")
        if self.compression:
            head = self._head()
        self.encoding, self.mark = _encoding(head)
        if not self.encoding:
            kind = next((what for magic, what in _BINARY.items() if head.startswith(magic)), "binary data")
            raise HarnessError(
                Exit.UNREADABLE,
                f"not a log: {kind}",
                where=str(path),
                expected="text with lines TRACE_C...",
            )

    @property
    def as_it_is(self) -> bool:
        """Whether the file's bytes are those of the log, so that any position can be read directly."""
        return not self.compression and self.encoding == "utf-8"

    def _head(self) -> bytes:
        with self.guard():
            stream = self._unpacked()
            return bytes(stream.read(_HEAD) or b"")

    def guard(self) -> _Guard:
        """Convert errors of reading to HarnessError."""
        return _Guard(self.path)

    def _unpacked(self) -> Any:
        """The bytes as they were before compression, from the start."""
        self._raw.seek(0)
        if not self.compression:
            return self._raw
        if self.compression == "zstd":
            return _zstd(self._raw)
        from importlib import import_module

        return import_module(_MODULES[self.compression]).open(self._raw, "rb")

    def open(self) -> Any:
        """A stream with `readinto` that gives UTF-8, without a byte order mark, from the start."""
        with self.guard():
            stream = self._unpacked()
            if self.encoding != "utf-8":
                return _Recoded(stream, self.encoding)
            if self.mark:
                stream.read(self.mark)
            return stream

    def buffered(self) -> io.BufferedReader:
        """The same stream, buffered."""
        return io.BufferedReader(_Raw(self.open()), 1 << 18)

    def lines_at(self, offsets: list[int]) -> dict[int, bytes]:
        """The line that begins at each offset of the stream of `open`, with its end; offsets in any order."""
        found: dict[int, bytes] = {}
        with self.guard():
            if self.as_it_is:
                for offset in offsets:
                    found[offset] = self._line_at(offset + self.mark)
                return found
            stream = self.buffered()
            at = 0
            for offset in sorted(set(offsets)):
                while at < offset:
                    at += len(stream.read(min(1 << 20, offset - at)) or b" " * (offset - at))
                found[offset] = stream.readline()
                at += len(found[offset])
        return found

    def _line_at(self, offset: int) -> bytes:
        fd, chunk, size = self._raw.fileno(), b"", 4096
        while b"\n" not in chunk and len(chunk) < self.size - offset:
            chunk = os.pread(fd, size, offset)
            size *= 4
        return chunk[: chunk.find(b"\n") + 1 or None]

    def close(self) -> None:
        """Close the file."""
        self._raw.close()


def lines_of(path: Path) -> Iterator[str]:
    """The lines of a log, with their ends, as text; bytes that are not UTF-8 stay apart as \\xNN.

    Raises HarnessError (exit 5) for what is not a log.
    """
    log = LogFile(path)
    try:
        with log.guard():
            yield from io.TextIOWrapper(log.buffered(), encoding="utf-8", errors="backslashreplace", newline="\n")
    finally:
        log.close()


class _Guard:
    """Turns errors of reading and unpacking into HarnessError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> _Guard:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, EOFError):
            raise HarnessError(Exit.UNREADABLE, "the compressed file is truncated", where=str(self.path)) from error
        damaged = isinstance(error, zlib.error) or type(error).__name__ == "LZMAError"  # whose module is rarely loaded
        if isinstance(error, OSError) or damaged:
            why = getattr(error, "strerror", None) or str(error)
            raise HarnessError(Exit.UNREADABLE, why, where=str(self.path)) from error


class _Recoded(io.RawIOBase):
    """UTF-16 as UTF-8."""

    def __init__(self, stream: Any, encoding: str) -> None:
        self._stream, self._decoder = stream, codecs.getincrementaldecoder(encoding)("backslashreplace")
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            raw = self._stream.read(1 << 18)
            self._left = self._decoder.decode(raw or b"", not raw).encode("utf-8", "replace")
            if not raw:
                break
        count = min(len(buffer), len(self._left))
        memoryview(buffer)[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


class _Raw(io.RawIOBase):
    """Any stream with `readinto`, for a BufferedReader."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return int(self._stream.readinto(buffer) or 0)


def _encoding(head: bytes) -> tuple[str, int]:
    """The encoding and how long its mark is; an empty encoding for what is not text."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8", 3
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", 2
    if b"\0" not in head:
        return "utf-8", 0
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 0.8 * len(head) / 2 and not even:
        return "utf-16-le", 0
    if even > 0.8 * len(head) / 2 and not odd:
        return "utf-16-be", 0
    # A log with a gap of NUL bytes (after a crash of the machine) is still a log.
    text = sum(32 <= byte < 127 or byte in b"\t\r\n" for byte in head)
    return ("utf-8", 0) if b"TRACE_" in head or text > 0.9 * len(head) else ("", 0)


def _zstd(raw: Any) -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise HarnessError(
            Exit.USAGE,
            "zstd logs need pyarrow, which is not installed",
            where=".zst",
            hint="pip install 'trace-parity[columns]', or unpack the log: zstd -d",
        ) from error
    # pyarrow closes what it reads from; the log is to be read again.
    own = os.fdopen(os.dup(raw.fileno()), "rb")
    return pyarrow.CompressedInputStream(pyarrow.PythonFile(own, mode="r"), "zstd")
