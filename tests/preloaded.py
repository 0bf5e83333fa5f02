"""What a fork server of tests/in_process.py imports: a child runs any Python program with PyTorch imported already."""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path

import nanobragg_torch.cli  # noqa: F401
import torch  # noqa: F401

HERE = str(Path(__file__).parent)


def main() -> None:
    """Run `sys.argv[2:]`, `-m MODULE ...` or `FILE ...`, in the environment `sys.argv[1]`, a JSON object."""
    environment, first, *words = sys.argv[1:]
    os.environ.clear()
    os.environ.update(json.loads(environment))
    sys.path.remove(HERE)
    if first == "-m":
        sys.argv = words
        sys.path.insert(0, str(Path.cwd()))
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
        return
    sys.argv = [first, *words]
    sys.path.insert(0, str(Path(first).parent))
    runpy.run_path(first, run_name="__main__")
