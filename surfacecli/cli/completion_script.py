"""`surface completion SHELL`: the script that lets a shell complete commands, options, presets."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, /, shell: str) -> None:
    """Print the completion script for a shell.

    \b
    bash:  eval "$(surface completion bash)"      in ~/.bashrc
    zsh:   eval "$(surface completion zsh)"       in ~/.zshrc
    fish:  surface completion fish > ~/.config/fish/completions/surface.fish
    """
    complete = get_completion_class(shell)
    assert complete is not None
    group = ctx.find_root().command
    click.echo(complete(group, {}, "surface", "_SURFACE_COMPLETE").source())
