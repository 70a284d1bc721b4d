"""Saying how far a long computation is, now and then."""

import time
from collections.abc import Callable

#: Called with what is done and the total.
Progress = Callable[[int, int], None]

#: Seconds between two calls.
PAUSE = 0.1


class Teller:
    """Counts steps and calls `progress` at most once in `PAUSE` seconds."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0
        self._last = time.monotonic()

    def one_more(self, steps: int = 1) -> None:
        """Count some steps more."""
        self._done += steps
        if self._progress is not None and time.monotonic() - self._last >= PAUSE:
            self._last = time.monotonic()
            self._progress(self._done, self._total)
