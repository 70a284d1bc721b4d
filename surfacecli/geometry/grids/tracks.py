"""Two kinds of path over a grid: a row (v fixed, u grows) and a half-turn of directions."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from surfacecli.geometry.grids.running import Indices
from surfacecli.network.transfers import Array


class Track(Protocol):
    """How positions on a path are counted: rows by u, half-turns by angle."""

    @property
    def start(self) -> tuple[float, float]:
        """The (x, z) at which the path starts."""

    @property
    def stop(self) -> tuple[float, float]:
        """The (x, z) at which it ends."""

    @property
    def points(self) -> int:
        """The number of grid points on it."""

    def position(self, x: Array, z: Array) -> Array:
        """A number that grows along the path."""

    def crossing(self, P: Array, Q: Array, node: float) -> tuple[Array, Array]:
        """The point (x, z) of the path where P x + Q z = node."""

    def rank(self, position: Array) -> Indices:
        """How many grid points lie before a position."""


def count_before(axis: Array, position: Array) -> Indices:
    """How many points of an equally spaced axis lie before each position (-> 0 ... len(axis))."""
    step = (axis[-1] - axis[0]) / (len(axis) - 1)
    rank = np.ceil((position - axis[0]) / step)
    return np.asarray(np.clip(rank, 0, len(axis)), dtype=np.intp)


@dataclass(frozen=True, eq=False)
class RowTrack:
    """A grid row: x = u, z = 1, positions are u itself."""

    axis: Array

    @property
    def start(self) -> tuple[float, float]:
        return float(self.axis[0]), 1.0

    @property
    def stop(self) -> tuple[float, float]:
        return float(self.axis[-1]), 1.0

    @property
    def points(self) -> int:
        return len(self.axis)

    def position(self, x: Array, z: Array) -> Array:
        return x

    def crossing(self, P: Array, Q: Array, node: float) -> tuple[Array, Array]:
        # P = 0 crosses nothing; rounding may ask for it on a node, where any place will do.
        x = np.divide(node - Q, P, out=np.full_like(P, self.axis[0]), where=P != 0)
        return x, np.ones_like(P)

    def rank(self, position: Array) -> Indices:
        return count_before(self.axis, position)


def half_angle(x: Array, z: Array) -> Array:
    """A stand-in for the angle of a direction with z >= 0: 0 at (1, 0), 2 at (-1, 0)."""
    # The smallest normal number keeps 0 / 0 away; any angle will do there.
    return np.asarray(1.0 - x / (np.abs(x) + z + np.finfo(np.float64).tiny))


@dataclass(frozen=True, eq=False)
class HalfTurn:
    """The directions (x, z) with z >= 0, in the order of their angle; nodes are all at 0.

    `angles` are the half angles of the grid points, sorted.
    """

    angles: Array
    start: tuple[float, float] = field(default=(1.0, 0.0), init=False)
    stop: tuple[float, float] = field(default=(-1.0, 0.0), init=False)

    @property
    def points(self) -> int:
        return len(self.angles)

    def position(self, x: Array, z: Array) -> Array:
        return half_angle(x, z)

    def crossing(self, P: Array, Q: Array, node: float) -> tuple[Array, Array]:
        # Q z alone leaves its side of 0 at the stop only; `fan` lets none of it start on 0.
        return np.where(P > 0, -Q, np.where(P < 0, Q, -np.abs(Q))), np.abs(P)

    def rank(self, position: Array) -> Indices:
        # Sorted needles find their places three times as fast.
        order = np.argsort(position)
        rank = np.empty(len(position), dtype=np.intp)
        rank[order] = np.searchsorted(self.angles, position[order])
        return rank
