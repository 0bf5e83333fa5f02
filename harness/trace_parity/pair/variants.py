"""Builds of a program that change nothing but rounding, as [[programs.C.variants]] of pair.toml lists them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from trace_parity.pair.toml_table import Table

DEFAULT = "default"
FLOAT64, FLOAT32 = "float64", "float32"
Template = Callable[[Table, str], tuple[str, ...]]


@dataclass(frozen=True)
class Variant:
    """One such build: what differs from the program's own entry.

    An empty `build` or `trace` is the program's own. `needs` names a tool and `machine` a kind of processor without
    which the variant is left out. `precision` float32 marks a build of another number type: it
    measures a float32 port and widens no spread.
    """

    name: str
    build: tuple[str, ...] = ()
    trace: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    needs: str = ""
    machine: str = ""  # as `uname -m` says it
    precision: str = FLOAT64


def read_variants(table: Table, template: Template, has_source: bool) -> tuple[Variant, ...]:
    """The variants of a program. Raises HarnessError (exit 2) with what is wrong in them."""
    found: list[Variant] = []
    for entry in table.tables("variants"):
        entry.need("name", "a name: letters, digits, _ . -")
        variant = Variant(
            entry.text("name"),
            build=template(entry, "build"),
            trace=template(entry, "trace"),
            env=entry.strings("env"),
            needs=entry.text("needs"),
            machine=entry.text("machine"),
            precision=entry.choice("precision", (FLOAT64, FLOAT32), FLOAT64),
        )
        entry.finish()
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", variant.name):
            raise entry.wrong("name", variant.name, "letters, digits, _ . -")
        if variant.name == DEFAULT or any(variant.name == earlier.name for earlier in found):
            raise entry.wrong("name", variant.name, f"a name that no other variant has, and not {DEFAULT!r}")
        if not (variant.build or variant.trace or variant.env):
            raise entry.wrong("", dict(entry.data), "build, trace or env: what differs from the program's own entry")
        if variant.build and not has_source:
            raise entry.wrong(
                "build", list(variant.build), "`source` in the program's entry: variants build a copy of it"
            )
        if variant.build and not any("{source}" in word or "{build}" in word for word in variant.build):
            raise entry.wrong("build", list(variant.build), "{source} or {build} in the command: it builds in a copy")
        found.append(variant)
    return tuple(found)
