"""A process that has imported a program once, and forks a child for every run of it.

Started as a script: it imports nothing but the standard library and the program. A child begins in the state after the
import, so no run sees the state of another, and a crash affects nothing else.

    python fork_server.py SOCKET_FD MODULE:FUNCTION [FOLDER]

FOLDER goes to the head of the module path, as the interpreter puts a script's folder there. A request is four bytes of
length, sent with the descriptors of standard output and error, and a JSON object: argv, cwd, path0. The answers are
lines: `ready` or `failed WHY` once, then for every request `started PID` and `ended STATUS`.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import operator
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HEAD_BYTES = 4


def main(words: list[str]) -> Any:
    """Serve until the other end is closed; in a child, the return value of the program."""
    requests = socket.socket(fileno=int(words[0]))
    module, _, name = words[1].partition(":")
    if sys.path[0] == str(Path(__file__).parent):
        del sys.path[0]  # this script's own folder is not the program's
    sys.path[:0] = words[2:3]
    try:
        function: Callable[[], object] = operator.attrgetter(name)(importlib.import_module(module))
    except BaseException as error:  # whatever the program's import raises, the other end reports it
        requests.sendall(f"failed {type(error).__name__}: {error}".splitlines()[0].encode() + b"\n")
        return 1
    gc.collect()
    gc.freeze()  # a collection in a child would otherwise copy every page of the imported modules
    requests.sendall(b"ready\n")
    while (request := _next(requests)) is not None:
        asked, streams = request
        if not (child := os.fork()):
            requests.close()
            _become(asked, streams)
            return function()
        for stream in streams:
            os.close(stream)
        with contextlib.suppress(OSError):  # the child does the same; whoever is first
            os.setpgid(child, child)
        requests.sendall(f"started {child}\n".encode())
        _, status = os.waitpid(child, 0)
        requests.sendall(f"ended {os.waitstatus_to_exitcode(status)}\n".encode())
    return 0


def _next(requests: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next request and the descriptors that came with it; None when there will be no more."""
    head, streams, _, _ = socket.recv_fds(requests, HEAD_BYTES, 2)
    if len(head) < HEAD_BYTES:
        return None
    left, parts = int.from_bytes(head, "big"), []
    while left:
        part = requests.recv(left)
        if not part:
            return None
        parts.append(part)
        left -= len(part)
    return json.loads(b"".join(parts)), streams


def _become(asked: dict[str, Any], streams: list[int]) -> None:
    """Give a child what a new process would have: group, streams, folder, arguments."""
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    for target, stream in enumerate((os.open(os.devnull, os.O_RDONLY), *streams)):
        os.dup2(stream, target)
        if stream > 2:
            os.close(stream)
    os.chdir(asked["cwd"])
    if asked["path0"]:
        sys.path.insert(0, asked["path0"])
    sys.argv = asked["argv"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
