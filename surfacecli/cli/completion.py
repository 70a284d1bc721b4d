"""Shell completion of presets: lists the shipped names and imports no more than that."""

import click
from click.shell_completion import CompletionItem

from surfacecli.errors import SurfaceError


def complete_preset(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The shipped presets that start with `incomplete`, beside the shell's own files."""
    from surfacecli.reading.shipped import shipped_presets

    try:
        names = shipped_presets()
    except SurfaceError:
        names = []
    # The wish for files comes first: bash forgets the items before it.
    files = CompletionItem(incomplete, type="file")
    return [files, *(CompletionItem(name) for name in names if name.startswith(incomplete))]
