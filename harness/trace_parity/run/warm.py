"""Programs that stay loaded: one fork server for each case that runs at a time, in place of a new interpreter a case.

Starting Python and importing a tensor library takes seconds; forking a process that has done both takes
milliseconds. See docs/adr/0022-many-cases.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.pair import FILE_NAME
from trace_parity.pair.programs import Program, Programs
from trace_parity.run import fork_server
from trace_parity.run.launch import Process, Start, fill, places, python, start_process

_Done = Callable[[], None]


class WarmPrograms:
    """Starts the programs that name a worker by a fork of a server, all others as new processes.

    A context manager; on leaving, the servers end. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[str, list[_Server]] = {}
        self._all: set[_Server] = set()

    def __enter__(self) -> WarmPrograms:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the servers."""
        with self._lock:
            servers, self._all, self._idle = self._all, set(), {}
        for server in servers:
            server.close()

    def load(self, programs: Programs) -> None:
        """Start one server of each program that names a worker. Raises HarnessError (exit 2) for one that cannot be."""
        for program in programs.sides.values():
            if program.worker:
                self._give_back(program, self._take(program))

    def start_of(self, program: Program) -> Start:
        """What starts the commands of a program."""
        if not program.worker:
            return start_process

        def start(command: Sequence[str], cwd: Path, env: Mapping[str, str], streams: Sequence[int]) -> Process:
            server = self._take(program)
            try:
                return server.start(command, cwd, streams, done=lambda: self._give_back(program, server))
            except (
                OSError,
                EOFError,
            ):  # the server was killed: this run starts a new process, the next one a new server
                self._drop(server)
                return start_process(command, cwd, env, streams)

        return start

    def _take(self, program: Program) -> _Server:
        with self._lock:
            if idle := self._idle.get(program.name):
                return idle.pop()
        server = _Server(program)
        with self._lock:
            self._all.add(server)
        return server

    def _give_back(self, program: Program, server: _Server) -> None:
        with self._lock:
            if server in self._all:
                self._idle.setdefault(program.name, []).append(server)

    def _drop(self, server: _Server) -> None:
        with self._lock:
            self._all.discard(server)
        server.close()


class _Server:
    """One fork server and the socket to it. It runs one command at a time."""

    def __init__(self, program: Program) -> None:
        folder = program.folder if program.cwd == "{work}" else program.folder / program.cwd
        script = program.trace[1]
        path0 = [] if script == "-m" else [str((folder / fill([script], {}, places(program))[0]).parent)]
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [python(), fork_server.__file__, str(theirs.fileno()), program.worker, *path0],
                cwd=folder,
                env={**os.environ, **program.env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                process_group=0,
                pass_fds=[theirs.fileno()],
            )
        self.socket, self.answers = ours, ours.makefile("r", encoding="utf-8", errors="replace")
        answer, _, why = self.answers.readline().strip().partition(" ")
        if answer != "ready":
            self.close()
            raise HarnessError(
                Exit.USAGE,
                f"programs.{program.name}.worker: cannot load {program.worker}: {why or 'its import ended Python'}",
                where=str(program.folder / FILE_NAME),
                expected="MODULE:FUNCTION of the program",
                hint="without the key every case starts the program anew",
            )

    def start(self, command: Sequence[str], cwd: Path, streams: Sequence[int], done: _Done) -> Process:
        """Fork a child that runs the command, which begins with `PYTHON -m MODULE` or `PYTHON FILE`.

        Raises OSError or EOFError when the server is gone.
        """
        is_module = command[1] == "-m"
        argv = [str(command[2 if is_module else 1]), *command[3 if is_module else 2 :]]
        asked = json.dumps({"argv": argv, "cwd": str(cwd), "path0": str(cwd) if is_module else ""}).encode()
        socket.send_fds(self.socket, [len(asked).to_bytes(fork_server.HEAD_BYTES, "big")], list(streams))
        self.socket.sendall(asked)
        return _Child(self, self.number("started"), done)

    def number(self, answer: str) -> int:
        """The number of the next answer, which is of this kind. Raises EOFError when the server is gone."""
        word, _, number = self.answers.readline().strip().partition(" ")
        if word != answer:
            raise EOFError(answer)
        return int(number)

    def close(self) -> None:
        """End the server; a child that still runs is ended by whoever waits for it."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.process.kill()
        self.process.wait()


class _Child:
    """A run of the program in a child of a server."""

    def __init__(self, server: _Server, pid: int, done: _Done) -> None:
        self.server, self.pid, self.done = server, pid, done
        self.code: int | None = None
        self.lock = threading.Lock()

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        if self.lock.acquire(blocking=False):
            try:
                if self.code is None and select.select([self.server.socket], [], [], 0)[0]:
                    self._read()
            finally:
                self.lock.release()
        return self.code

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        with self.lock:
            return self._read() if self.code is None else self.code

    def _read(self) -> int:
        try:
            self.code = self.server.number("ended")
        except (OSError, EOFError):  # the server was killed, and with it what knew the exit code
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.code = -signal.SIGKILL
        else:
            self.done()
        return self.code
