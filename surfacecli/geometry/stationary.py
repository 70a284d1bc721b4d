"""What a stationary point is: its kind by the directions in which E falls, its support, its index.

On a small circle around a point let E fall on some arcs (the lower link). None: a minimum, index 1.
The whole circle: a maximum, index 1. n >= 2 arcs: a saddle, index 1 - n. One arc: a regular point.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

PointKind = Literal["minimum", "maximum", "saddle", "shoulder"]
Support = Literal["cell", "edge", "vertex", "valley", "plateau"]


@dataclass(frozen=True)
class StationaryPoint:
    """One stationary point, or one connected set of them, of E over a slice.

    `u`, `v`, `error`: where, and E there; of a set, a point of it. `support`: `cell` where E is a
    polynomial (or smooth) around the point, `edge` and `vertex` on one kink or several, `valley`
    and `plateau` for a curve and a region of constant E; a curve of maxima is supported by a
    `valley` too, and called a ridge. `smooth`: whether E has a gradient there (it may on an edge or
    a vertex too, where only its Hessian jumps).
    `residual`: the norm of the gradient, None on a kink. `eigenvalues`: of the 2x2 Hessian,
    smallest first, None where there is no one Hessian. `extent`: u0, u1, v0, v1 of a set's bounding
    box. `on_border`: on the border of the window, and a minimum or maximum of what lies inside it.
    `kinks`: (layer, unit, data point), each from 1, of what makes the kink, where that is known.
    `downhill`: of a smooth saddle, the unit vector (there and back) in which E bends down most.
    `area` of a plateau; `outline` of a set: segments, a plateau's rim, the course of a valley or
    of a ridge.
    """

    u: float
    v: float
    error: float
    kind: PointKind
    support: Support
    smooth: bool
    index: int
    residual: float | None = None
    eigenvalues: tuple[float, float] | None = None
    extent: tuple[float, float, float, float] | None = None
    on_border: bool = False
    kinks: tuple[tuple[int, int, int], ...] = ()
    area: float | None = None
    outline: tuple[tuple[tuple[float, float], tuple[float, float]], ...] = ()
    downhill: tuple[float, float] | None = None

    @property
    def is_set(self) -> bool:
        return self.support in ("valley", "plateau")

    @property
    def strict_smooth_maximum(self) -> bool:
        """What the theorem forbids: a maximum inside a smooth piece, E falling on all sides."""
        inside = self.support == "cell" and not self.on_border
        return self.kind == "maximum" and self.smooth and inside

    @property
    def smooth_saddle(self) -> bool:
        """A saddle at which E has a gradient: in a cell, or on kinks that cancel or are level."""
        return self.kind == "saddle" and self.smooth and not (self.is_set or self.on_border)

    @property
    def is_ridge(self) -> bool:
        """A curve of maxima: what is a valley where E is lowest."""
        return self.support == "valley" and self.kind == "maximum"

    def describe(self) -> str:
        """'kinked maximum', 'ridge (maximum)', 'plateau (saddle)': for tables and legends."""
        if self.on_border:
            return f"{self.kind} on the border"
        if self.is_set:
            return f"{'ridge' if self.is_ridge else self.support} ({self.kind})"
        return f"{'smooth' if self.smooth else 'kinked'} {self.kind}"


def line_along(vector: NDArray[np.float64]) -> tuple[float, float]:
    """A unit vector, with its larger part positive: of two opposite ones always the same."""
    sign = np.sign(vector[np.abs(vector).argmax()])
    return float(sign * vector[0]), float(sign * vector[1])


def falling_arcs(signs: NDArray[np.int8]) -> int:
    """The number of arcs on which E falls, from signs of E - E(p) in order round a circle (n,).

    Zeros take the side of what comes before them. 0 where E falls nowhere; -1 where everywhere.
    """
    decided = signs[signs != 0]
    if not (decided < 0).any():
        return 0
    if not (decided > 0).any():
        return -1
    return int(((decided < 0) & (np.roll(decided, 1) > 0)).sum())


def kind_of_arcs(arcs: int) -> tuple[PointKind, int] | None:
    """Kind and index of an interior point by its falling arcs, None for a regular one."""
    if arcs == 0:
        return "minimum", 1
    if arcs == -1:
        return "maximum", 1
    return None if arcs == 1 else ("saddle", 1 - arcs)
