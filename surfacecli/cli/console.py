"""Where tables go: rich on a terminal, the same table whole and without colour anywhere else."""

import sys
from typing import TYPE_CHECKING

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
            overflow="fold",
        )
    return table


def print_table(table: "Table") -> None:
    """Print a table without blanks at the ends of its lines."""
    console = results_console()
    with console.capture() as capture:
        console.print(table)
    console.file.write("\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n")
