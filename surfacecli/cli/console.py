"""Where tables go: rich on a terminal, the same table whole and without colour anywhere else."""

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

#: Wide enough for any table, where no terminal sets a width: nothing is cut off.
WIDE = 400


def results_console() -> "Console":
    """The console of standard output."""
    from rich.console import Console

    if sys.stdout.isatty():
        return Console(highlight=False, markup=False)
    return Console(file=sys.stdout, width=WIDE, highlight=False, markup=False, color_system=None)


def make_table(*columns: str, title: str | None = None) -> "Table":
    """A table with the given headings; those that start with '>' are numbers, to the right."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(
            column.removeprefix(">"),
            justify="right" if column.startswith(">") else "left",
            no_wrap=True,
        )
    return table


def print_table(table: "Table") -> None:
    """Print a table without blanks at the ends of its lines.

    On a terminal too narrow for it each row becomes a block of lines, heading and value: a table
    whose words are broken cannot be read.
    """
    from rich.console import Console

    console, wide = results_console(), Console(width=WIDE)
    if table.row_count and table.__rich_measure__(wide, wide.options).maximum > console.width:
        _print_blocks(table)
        return
    with console.capture() as capture:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))


def _print_blocks(table: "Table") -> None:
    headings = [str(column.header) for column in table.columns]
    width = max(map(len, headings))
    if table.title:
        click.echo(str(table.title))
    for row in zip(*(column.cells for column in table.columns), strict=True):
        click.echo()
        for heading, value in zip(headings, row, strict=True):
            if str(value):
                click.echo(f"{heading:{width}}  {value}")
    click.echo()
