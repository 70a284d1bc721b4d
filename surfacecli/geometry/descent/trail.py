"""An integrated path while it is being made: its points so far, what happened, and how it ended."""

import numpy as np

from surfacecli.geometry.descent.outlook import Lookout
from surfacecli.geometry.descent.path import End, Event, EventKind, Path
from surfacecli.geometry.descent.steepest import Vector
from surfacecli.geometry.slices import Window

#: Points of a path at most.
MOST = 4000


class Trail:
    """The points of a path, and all that finds more of them: the slice looked at, the window."""

    def __init__(self, lookout: Lookout, window: Window) -> None:
        self.lookout, self.window, self.size = lookout, window, lookout.size
        self.places: list[Vector] = []
        self.errors: list[float] = []
        self.times: list[float] = []
        self.events: list[Event] = []
        self.end: End | None = None

    @property
    def full(self) -> bool:
        """Whether the path has as many points as it may have."""
        return len(self.places) >= MOST

    def add(self, place: Vector, error: float, time: float) -> None:
        self.places.append(place)
        self.errors.append(error)
        self.times.append(time)

    def say(self, kind: EventKind) -> None:
        """Something happened at the last point."""
        self.events.append(Event(kind, len(self.places) - 1))

    def path(self) -> Path:
        """The path as it is now."""
        u, v = np.array(self.places).T
        return Path(
            "flow",
            u,
            v,
            np.array(self.errors),
            np.array(self.times),
            tuple(self.events),
            self.end or End("limit"),
            exact=False,
        )
