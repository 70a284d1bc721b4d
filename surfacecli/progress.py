"""How far a long run has come, on standard error: live on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


class Progress(Protocol):
    """What a run tells while it goes on; every item by its name."""

    def began(self, name: str) -> None:
        """Work on an item has begun (perhaps for the second time)."""

    def ended(self, name: str, words: str) -> None:
        """An item has ended, with what came of it in few words."""


@contextmanager
def open_progress(total: int, quiet: bool = False) -> Iterator[Progress]:
    """The way to show the progress of `total` items that suits standard error."""
    if quiet or not total:
        yield QuietProgress()
        return
    if sys.stderr.isatty():
        from rich.console import Console

        console = Console(stderr=True, highlight=False, markup=False)
        if console.is_interactive:  # no dumb terminal
            with _live(console, total) as progress:
                yield progress
            return
    yield PlainProgress(total)


class QuietProgress:
    """Says nothing."""

    def began(self, name: str) -> None:
        pass

    def ended(self, name: str, words: str) -> None:
        pass


class PlainProgress:
    """A line for each item that has ended: fit for logs, free of escape codes."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0

    def began(self, name: str) -> None:
        pass

    def ended(self, name: str, words: str) -> None:
        self._done += 1
        print(f"[{self._done}/{self._total}] {name}: {words}", file=sys.stderr, flush=True)


class LiveProgress:
    """A bar with what is done and left, a line for each item at work, and what ended above."""

    def __init__(self, bars: "Bars", total: int) -> None:
        self._bars = bars
        self._all = bars.add_task("", total=total, count=_count(0, total))
        self._total = total
        self._done = 0
        self._running: dict[str, TaskID] = {}

    def began(self, name: str) -> None:
        if name not in self._running:
            self._running[name] = self._bars.add_task(name, total=None, count="")

    def ended(self, name: str, words: str) -> None:
        self._done += 1
        if name in self._running:
            self._bars.remove_task(self._running.pop(name))
        self._bars.console.print(f"{name}: {words}")
        self._bars.update(self._all, completed=self._done, count=_count(self._done, self._total))


@contextmanager
def _live(console: "Console", total: int) -> Iterator[LiveProgress]:
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[count]}{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console, transient=True, redirect_stdout=False) as bars:
        yield LiveProgress(bars, total)


def _count(done: int, total: int) -> str:
    return f"{done} of {total}, {total - done} left"
