"""`python -m nanobragg_torch.gradcheck`: the check as a program, a JSON object or a plain table on standard output."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterable, Sequence

import torch

from nanobragg_torch.gradcheck.cases import CASES
from nanobragg_torch.gradcheck.check import Row, check
from nanobragg_torch.parameters import BY_NAME, PARAMETERS
from nanobragg_torch.progress import percents


def main(argv: Sequence[str] | None = None) -> int:
    """Check and print; returns 0 whatever the verdicts, which are in the output."""
    parser = argparse.ArgumentParser(prog="python -m nanobragg_torch.gradcheck", description=__doc__)
    parser.add_argument("--case", action="append", choices=[*CASES, "all"], help="repeatable; default phi_rotation")
    parser.add_argument("--parameter", action="append", choices=list(BY_NAME), help="repeatable; default all")
    parser.add_argument("--format", choices=["json", "text"], default="text")
    parser.add_argument("--list", action="store_true", help="print the names of cases and parameters and stop")
    options = parser.parse_args(argv)
    if options.list:
        print(json.dumps({"cases": list(CASES), "parameters": list(BY_NAME)}))
        return 0
    wanted = options.case or ["phi_rotation"]
    cases = list(CASES) if "all" in wanted else wanted
    parameters = [p for p in PARAMETERS if not options.parameter or p.name in options.parameter]
    torch.set_num_threads(1)  # two pixels at a time: threads would only wait for each other
    rows: list[Row] = []
    done, told = 0, percents()
    for case in cases:
        for found in check(case, CASES[case](), parameters):
            rows += found
            done += 1
            told(done / (len(cases) * len(parameters)))
    if options.format == "json":
        print(json.dumps({"rows": [{**dataclasses.asdict(row), "good": row.is_good} for row in rows]}))
    else:
        print("\n".join(lines(rows)))
    return 0


def lines(rows: Iterable[Row]) -> Iterable[str]:
    """A line for each row."""
    for r in rows:
        order = "" if r.order is None else f"{r.order:.3f}"
        name = r.parameter if r.components == 1 else f"{r.parameter}[{r.component}]"
        text = f"{r.verdict:6} {r.case:13} {r.place:8} {name:24} {r.analytic:15.8e} {r.difference:15.8e} {order}"
        yield text.rstrip()


if __name__ == "__main__":
    sys.exit(main())
