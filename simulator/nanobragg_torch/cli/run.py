"""The program: parse, trace, render, write; messages, progress and exit codes."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from nanobragg_torch.cli.flags import usage
from nanobragg_torch.cli.notices import notices
from nanobragg_torch.cli.outputs import check_formats, output_paths, write_outputs
from nanobragg_torch.cli.parse import Invocation, UsageError, parse
from nanobragg_torch.cli.report import report, solid_angle
from nanobragg_torch.config import resolved, to_json
from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.experiment import Model
from nanobragg_torch.io.dump import write_dump
from nanobragg_torch.progress import of_a_sum, percents
from nanobragg_torch.rendering.render import render
from nanobragg_torch.rendering.trace import trace
from nanobragg_torch.units import plain
from nanobragg_torch.version import __version__

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code: 0, 2 for a bad command line or file, 130 when interrupted."""
    if not gc.get_freeze_count():  # what is imported stays to the end, and need not be looked through for garbage
        gc.freeze()
    words = list(sys.argv[1:] if argv is None else argv)
    if any(word in ("-h", "--help", "-help") for word in words):
        sys.stdout.write(usage())
        return OK
    if any(word in ("-version", "--version") for word in words):
        print(f"nanobragg-torch {__version__}")
        return OK
    try:
        return _run(parse(words, Path(), of_a_sum))
    except UsageError as error:
        sys.stderr.write(f"nanobragg-torch: {error}\n{usage()}")
        return USAGE
    except ExperimentError as error:
        _say(str(error))
        return USAGE
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; point stdout elsewhere so that the interpreter's last flush is quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _say(message: str) -> None:
    print(f"nanobragg-torch: {message}", file=sys.stderr, flush=True)


def _run(invocation: Invocation) -> int:
    out = invocation.outputs
    logging.basicConfig(format="nanobragg-torch: %(message)s")
    logging.getLogger("nanobragg_torch").setLevel(logging.INFO)
    for warning in invocation.warnings:
        _say(f"WARNING: {warning}")
    if out.threads is not None:
        torch.set_num_threads(out.threads)
    if out.show_config:
        sys.stdout.write(to_json(resolved(invocation.experiment)))
        return OK
    named = any((out.floatfile, out.intfile, out.pgmfile, out.noisefile, out.cbffile, out.nexusfile))
    traces_only = bool(out.trace_pixels) and not named
    if (out.inject or out.inject_from is not None) and not (traces_only and out.inject and out.inject_from):
        raise ExperimentError("-inject NAME and -inject_from LOG go together, with -trace_pixel and no output flag")
    if not traces_only:
        output_paths(out, Path())  # before the work, not after it
    with torch.no_grad():
        model = invocation.experiment.build()
        for notice in notices(invocation.experiment, model):
            _say(f"WARNING: {notice}")
        for notice in check_formats(invocation.experiment, model, out):
            _say(f"WARNING: {notice}")
        if out.trace_pixels:
            _trace(invocation, model)
        if not out.trace_pixels or out.trace_file is not None:  # else standard output is the trace's
            lines = report(invocation.experiment, model, mask_file=out.mask_file, noise=out.with_noise)
            print("\n".join(lines), flush=True)
        if traces_only:
            _say("tracing only: no image is rendered without an output flag")
            return OK
        progress = percents() if out.progress else None
        image = render(invocation.experiment, progress=progress, model=model, engine=out.engine)
    stored = image.to(torch.float32).cpu().numpy()
    reflections = invocation.experiment.crystal.reflections
    if out.dump_file is not None and reflections is not None:
        write_dump(out.dump_file, reflections, plain(invocation.experiment.crystal.default_F))
    print("\n".join(solid_angle(invocation.experiment, model)))
    for line in write_outputs(invocation.experiment, model, stored, out, Path()):
        print(line)
    return OK


def _trace(invocation: Invocation, model: Model) -> None:
    injected, out = None, invocation.outputs
    if out.inject_from is not None:
        from nanobragg_torch.io.trace_log import read_trace_log

        injected = read_trace_log(out.inject_from, out.inject)
    traced = trace(invocation.experiment, out.trace_pixels, model=model, injected=injected)
    if out.trace_file is None:
        traced.write(sys.stdout)
        sys.stdout.flush()
        return
    from nanobragg_torch.io.atomic import write_bytes

    text = "".join(line + "\n" for line in traced.lines())
    write_bytes(out.trace_file, text.encode(), "-trace_file")
