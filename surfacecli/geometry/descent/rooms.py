"""How far the flow on one pattern may go: what room units and the window leave, and when it ends.

A room is how far a unit's pre-activation is from a node of its piece, or a place from a side of the
window. Within a step it is taken as a cubic in time, and its zero then found on the flow itself.
"""

import numpy as np

from surfacecli.geometry.descent.exponential import exponential_step
from surfacecli.geometry.descent.pieces import Pattern, Pieces
from surfacecli.geometry.roots import find_roots
from surfacecli.geometry.slices import Window
from surfacecli.network.transfers import Array

#: Of a step, the share in which a unit that starts on its node cannot have come back to it.
START = 1e-3
#: Relative to the step: a unit that starts so near to its node starts on it.
NEAR = 1e-8
#: A kink is met when the time of it is known to within this share of the step.
MET = 1e-12
#: Rounds of closing in on a kink.
ROUNDS = 60
#: The first rooms are those to the sides of the window.
SIDES = 4


class Rooms:
    """The rooms of one pattern: to the sides of the window, and to the nodes of every unit."""

    def __init__(self, pieces: Pieces, window: Window, pattern: Pattern) -> None:
        self.pieces, self.window, self.pattern = pieces, window, pattern

    def gradient(self, place: Array) -> Array:
        """E's gradient at a place, every unit on its piece of the pattern."""
        return np.asarray(self._gradients(place[None])[0])

    def _gradients(self, places: Array) -> Array:
        return self.pieces.differentiate(self.pattern, places).gradient

    def at(self, places: Array, velocities: Array) -> tuple[Array, Array]:
        """How far units and the window's sides leave room at places (k, 2), (k, m); its change."""
        margins = self.pieces.margins(self.pattern, places)
        change = margins.along_u * velocities[:, :1] + margins.along_v * velocities[:, 1:]
        w = self.window
        u, v = places.T
        x, y = velocities.T
        sides = np.stack([u - w.u0, w.u1 - u, v - w.v0, w.v1 - v], axis=1)
        rooms = np.concatenate([sides, margins.values[..., 0], margins.values[..., 1]], axis=1)
        return rooms, np.concatenate([np.stack([x, -x, y, -y], axis=1), change, -change], axis=1)

    def first_met(
        self,
        place: Array,
        gradient: Array,
        moved: Array,
        gradient_there: Array,
        h: float,
        fresh: bool,
    ) -> tuple[int, float] | None:
        """Which room is used up first within a step, and at what share of it; None if none is.

        A room is taken as a cubic in time, from its values and its changes at both ends.
        """
        rooms, change = self.at(np.stack([place, moved]), -np.stack([gradient, gradient_there]))
        # Where all four control points of the cubic are above 0, so is the cubic.
        inner = rooms + h * change * np.array([[1.0], [-1.0]]) / 3.0
        low = np.isfinite(rooms[0]) & ((rooms <= 0.0) | (inner <= 0.0)).any(axis=0)
        near = np.flatnonzero(low)
        if not len(near):
            return None
        (p0, p1), (m0, m1) = rooms[:, near], h * change[:, near]
        started = np.zeros(len(near), dtype=np.bool_)
        if fresh:
            started = np.abs(p0) <= START * np.abs(m0) + NEAR * np.abs(p1)
            p0 = np.where(started, 0.0, p0)
        cubic = np.stack([p0, m0, 3 * (p1 - p0) - 2 * m0 - m1, 2 * (p0 - p1) + m0 + m1])
        lower = np.where(started, START, 0.0)
        # What is outside at the end has been passed, whatever the cubic says.
        shares = find_roots(cubic, lower, np.ones(len(near)))
        falling = cubic[1] + shares * (2 * cubic[2] + 3 * shares * cubic[3]) < 0
        first = np.nanmin(np.where(falling, shares, np.inf), axis=0, initial=np.inf)
        first = np.where((p1 < 0) & ~np.isfinite(first), np.where(started, START, 1.0), first)
        if not np.isfinite(first).any():
            return None
        k = int(first.argmin())
        return int(near[k]), float(first[k])

    def close_in(
        self,
        place: Array,
        gradient: Array,
        hessian: Array,
        h: float,
        number: int,
        share: float,
    ) -> tuple[float, Array]:
        """The time and the place at which a room is used up, by Newton's iteration."""

        def room(time: float) -> tuple[Array, float, float]:
            moved, _ = exponential_step(place, gradient, hessian, self.gradient, time)
            rooms, change = self.at(moved[None], -self._gradients(moved[None]))
            return moved, float(rooms[0, number]), float(change[0, number])

        time = share * h
        moved, value, change = room(time)
        for _ in range(ROUNDS):
            if not change:
                break
            following = min(max(time - value / change, 0.0), h)
            if abs(following - time) <= MET * h:
                break
            time = following
            moved, value, change = room(time)
        if number < SIDES:  # on the border to the last bit
            w = self.window
            moved[number // 2] = (w.u0, w.u1, w.v0, w.v1)[number]
        return time, moved
