"""Options that a pair declares, such as files of its own or --pixel, as options of a command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from trace_parity.errors import Exit, HarnessError

if TYPE_CHECKING:
    from trace_parity.pair.pair import Pair

_PAIR, _PASTED, _VALUES = "pair", "pasted", "values"


class PairCommand(click.Command):
    """A command with the options of its pair; everything after `--` is a command line of the programs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Set aside everything after `--`, and find the pair before the options are parsed."""
        if "--" in args:
            cut = args.index("--")
            ctx.meta[_PASTED] = tuple(args[cut + 1 :])
            args = args[:cut]
        elif self.name == "run" and not ctx.resilient_parsing:
            _refuse_bare_flags(args)
        from trace_parity.pair.find import find_pair

        try:
            ctx.meta[_PAIR] = find_pair(_named(args))
        except HarnessError:
            if not ctx.resilient_parsing and not {"-h", "--help"} & set(args):
                raise
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own parameters and those of the pair."""
        own = super().get_params(ctx)
        pair: Pair | None = ctx.meta.get(_PAIR)
        if pair is None:
            return own
        if "extra" not in ctx.meta:
            taken = {name for param in own for name in param.opts}
            ctx.meta["extra"] = list(_options(pair, taken, self.name == "run"))
        return [*own, *ctx.meta["extra"]]


def _refuse_bare_flags(args: Sequence[str]) -> None:
    """A flag of the programs, `-cell`, without `--` before it. Raises HarnessError (exit 2)."""
    start = next((n for n, word in enumerate(args) if _FLAG.fullmatch(word) and not _is_cluster(word)), None)
    if start is None:
        return
    before = start - (start > 0 and not args[start - 1].startswith("-") and "/" in args[start - 1])
    own, theirs = args[:before], args[before:]
    words = ["trace-diff", "run", *own, "--", *theirs]
    shown = shlex.join(words[:8]) + (" …" if len(words) > 8 else "")
    raise HarnessError(
        Exit.USAGE, f"{args[start]} is not an option of run", hint=f"a command line goes after --: {shown}"
    )


_FLAG = re.compile(r"-[A-Za-z]\w+")


def _is_cluster(word: str) -> bool:
    """Whether a word is single-letter options of our own written together, as in -vv."""
    return set(word[1:]) <= set("vqh")


def pasted(ctx: click.Context) -> tuple[str, ...]:
    """The command line after `--`."""
    words: tuple[str, ...] = ctx.meta.get(_PASTED, ())
    return words


def has_pasted(ctx: click.Context) -> bool:
    """Whether the words have a `--`."""
    return _PASTED in ctx.meta


def pair_values(ctx: click.Context) -> dict[str, str | None]:
    """The values of the pair's options, by name."""
    return {name: value for name, value in ctx.meta.get(_VALUES, {}).items() if name != "focus"}


def places(ctx: click.Context) -> tuple[tuple[int, ...], ...]:
    """The places in the focus that the command line asks for."""
    found = ctx.meta.get(_VALUES, {}).get("focus") or ()
    return tuple(tuple(place) if isinstance(place, tuple) else (place,) for place in found)


def _named(args: Sequence[str]) -> str | None:
    for n, word in enumerate(args):
        if word == "--pair" and n + 1 < len(args):
            return args[n + 1]
        if word.startswith("--pair="):
            return word.removeprefix("--pair=")
    return None


def _options(pair: Pair, taken: set[str], with_focus: bool) -> list[click.Option]:
    made = []
    for option in pair.options.values():
        kind = click.Path() if option.is_file else click.STRING
        made.append(_option(option.name, f"--{option.name}", type=kind, help=option.help))
    if pair.focus and with_focus:
        names = " ".join(name.upper() for name in pair.focus_names)
        made.append(
            _option(
                "focus",
                *_focus_flags(pair),
                nargs=len(pair.focus),
                type=click.IntRange(min=0),
                multiple=True,
                metavar=names,
                help="Place to trace, repeatable; in place of the case's own.",
            )
        )
    if clash := next((name for option in made for name in option.opts if name in taken), None):
        raise HarnessError(
            Exit.USAGE, f"{clash[2:]}: trace-diff has an option of that name", where=pair.where, expected="another name"
        )
    return made


def _focus_flags(pair: Pair) -> list[str]:
    """--at, and the name that the pair has for it; reports name --pixel for the places of two loops."""
    names = ["at", pair.focus_option, "pixel" if len(pair.focus) == 2 else ""]
    return [f"--{name}" for name in dict.fromkeys(names) if name]


def _option(name: str, *flags: str, **settings: Any) -> click.Option:
    def keep(ctx: click.Context, param: click.Parameter, value: object) -> None:
        ctx.meta.setdefault(_VALUES, {})[name] = value

    return click.Option([*flags], expose_value=False, callback=keep, **settings)
