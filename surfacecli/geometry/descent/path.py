"""A path of descent in a slice: its points, what happened on the way, where and why it ended."""

from dataclasses import dataclass
from typing import Literal

from surfacecli.geometry.stationary import StationaryPoint
from surfacecli.network.transfers import Array

Method = Literal["flow", "gradient", "newton", "gauss-newton"]
#: Every method; the first is the default.
METHODS: tuple[Method, ...] = ("flow", "gradient", "newton", "gauss-newton")

EventKind = Literal["cross", "slide", "leave", "choice"]
Reason = Literal["stationary", "border", "limit"]


@dataclass(frozen=True)
class Event:
    """Something that happened at point number `at` of a path.

    `cross`: a kink was crossed. `slide`: from here on the path follows a kink, towards which E
    falls on both sides. `leave`: it leaves the kink that it followed. `choice`: E falls in several
    directions (on a ridge, a peak or a saddle); the steepest was taken, and descent is not unique.
    """

    kind: EventKind
    at: int


@dataclass(frozen=True)
class End:
    """Why a path ended: `stationary`, E falls no further; `border` of the window; `limit` of work.

    `point` is the stationary point, or the set of them, that the path ended on.
    """

    reason: Reason
    point: StationaryPoint | None = None

    def describe(self) -> str:
        """'smooth minimum', 'valley (minimum)', 'border of the window'."""
        if self.point is not None:
            return self.point.describe()
        return {
            "stationary": "stationary point",
            "border": "border of the window",
            "limit": "limit of steps",
        }[self.reason]


@dataclass(frozen=True, eq=False)
class Path:
    """A path of descent, from its start to its end.

    u, v, error (n,): points of the path, dense enough to be drawn, and E there, falling throughout.
    time (n,): that of the flow, infinite where it ends in a minimum; of steps, their number.
    `exact`: the path is known in closed form; else it was integrated, or steps are taken, which
    are what they are.
    """

    method: Method
    u: Array
    v: Array
    error: Array
    time: Array
    events: tuple[Event, ...]
    end: End
    exact: bool

    @property
    def crossed(self) -> int:
        """How many kinks the path crossed."""
        return sum(event.kind == "cross" for event in self.events)

    @property
    def slides(self) -> int:
        """How many kinks the path followed."""
        return sum(event.kind == "slide" for event in self.events)
