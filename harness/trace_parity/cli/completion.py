"""`trace-diff completion`: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click

HOW = {
    "bash": 'eval "$(trace-diff completion bash)" in ~/.bashrc',
    "zsh": 'eval "$(trace-diff completion zsh)" in ~/.zshrc, after compinit',
    "fish": "trace-diff completion fish > ~/.config/fish/completions/trace-diff.fish",
}


@click.command()
@click.argument("shell", metavar="SHELL", type=click.Choice(list(HOW)))
def completion(shell: str) -> None:
    """Print the completion script for a shell: commands, options, and the names of cases, variables, loops, quirks and
    pairs.

    \b
    bash: eval "$(trace-diff completion bash)"     in ~/.bashrc
    zsh:  eval "$(trace-diff completion zsh)"      in ~/.zshrc, after compinit
    fish: trace-diff completion fish > ~/.config/fish/completions/trace-diff.fish
    """
    from click.shell_completion import get_completion_class

    from trace_parity.cli.main import COMPLETING, trace_diff

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(trace_diff, {}, "trace-diff", COMPLETING).source())
