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
    """A line for each item at work, a bar with what is done and left, what ended above them."""

    def __init__(self, console: "Console", running: "Bars", overall: "Bars", total: int) -> None:
        self._console = console
        self._running = running
        self._overall = overall
        self._total = total
        self._done = 0
        self._lines: dict[str, TaskID] = {}
        self._bar = overall.add_task(self._count(), total=total)

    def began(self, name: str) -> None:
        if name not in self._lines:
            self._lines[name] = self._running.add_task(name, total=None)

    def ended(self, name: str, words: str) -> None:
        self._done += 1
        if name in self._lines:
            self._running.remove_task(self._lines.pop(name))
        self._console.print(f"{name}: {words}")
        self._overall.update(self._bar, completed=self._done, description=self._count())

    def _count(self) -> str:
        return f"{self._done} of {self._total}, {self._total - self._done} left"


@contextmanager
def _live(console: "Console", total: int) -> Iterator[LiveProgress]:
    from rich.console import Group
    from rich.live import Live
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    name = TextColumn("{task.description}", markup=False)
    running = Bars(SpinnerColumn(), name, TimeElapsedColumn(), console=console)
    overall = Bars(BarColumn(), name, TimeElapsedColumn(), console=console)
    with Live(Group(running, overall), console=console, transient=True, redirect_stdout=False):
        yield LiveProgress(console, running, overall, total)
