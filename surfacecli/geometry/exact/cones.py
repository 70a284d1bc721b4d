"""The subdivision of a window by rays from u = v = 0, which lies inside it or on its border."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.planar import SNAP, Subdivision
from surfacecli.geometry.grids.tracks import half_angle
from surfacecli.geometry.slices import Window
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]

#: The directions of turns 0, 1, 2 and 3; `TURN` is a whole one.
AXES = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
TURN = 4.0
#: The label of a spoke that `build_cones` leaves to its caller.
UNNAMED = -5


def turn(direction: Array) -> Array:
    """A stand-in for the angle of directions (k, 2): 0 at (1, 0), growing to `TURN`."""
    x, z = direction.T
    lower = (z < 0) | ((z == 0) & (x < 0))
    sign = np.where(lower, -1.0, 1.0)
    return np.asarray(half_angle(sign * x, sign * z) + 2.0 * lower)


@dataclass(frozen=True)
class Opening:
    """The directions from the origin into the window: from `start`, `width` on, as `turn` counts.

    All of them, a half-turn where the origin lies on a side, a quarter where it is a corner.
    """

    start: int
    width: float

    @classmethod
    def of(cls, window: Window) -> "Opening":
        into = [window.u1 > 0.0, window.v1 > 0.0, window.u0 < 0.0, window.v0 < 0.0]
        if all(into):
            return cls(0, TURN)
        start = next(k for k in range(4) if into[k] and not into[k - 1])
        return cls(start, sum(into) - 1.0)

    @property
    def is_turn(self) -> bool:
        return self.width == TURN

    @property
    def first(self) -> Array:
        return np.asarray(AXES[self.start])

    @property
    def last(self) -> Array:
        return np.asarray(AXES[(self.start + int(self.width)) % 4])

    def angle(self, direction: Array) -> Array:
        """How far directions (k, 2) lie from the start; a rounding before it is negative."""
        angle = (turn(direction) - self.start) % TURN
        return np.asarray(np.where(angle >= TURN - SNAP, angle - TURN, angle))


def build_cones(window: Window, toward: Array) -> Subdivision:
    """The window cut along spokes in directions (S, 2), S >= 2, counter-clockwise.

    Spoke s is edge s, from the origin outwards, and cone s, on its left, is face s. Where the
    origin lies on the border the first and last spoke are the sides of the window there; all other
    spokes are labelled `UNNAMED`.
    """
    opening, spokes = Opening.of(window), len(toward)
    place, centre, end, border = _border(window, toward, opening)
    edges = len(border) - (0 if opening.is_turn else 1)
    first, second = border[:edges], np.roll(border, -1)[:edges]
    origin = np.concatenate(
        [
            np.stack([np.full(spokes, centre), end], axis=1),
            np.stack([first, second], axis=1),
        ]
    ).ravel()

    # at (B,): how many spokes end at or before a place of the border, and which one ends there.
    ending = np.full(len(place), -1)
    ending[end] = np.arange(spokes)
    at = ending[border]
    cone = np.cumsum(at >= 0)[:edges] - 1
    position = np.flatnonzero(at >= 0)

    out, back = 2 * np.arange(spokes), 2 * np.arange(spokes) + 1
    along = 2 * (spokes + np.arange(edges))
    after = np.empty(2 * (spokes + edges), dtype=np.intp)
    face = np.full(2 * (spokes + edges), -1)
    face[along] = cone
    # Round a cone: out along its spoke, along the border, back along the next spoke.
    cones = spokes if opening.is_turn else spokes - 1
    face[out[:cones]] = np.arange(cones)
    face[np.roll(back, -1)[:cones]] = np.arange(cones)
    after[out[:cones]] = along[position[:cones]]
    after[np.roll(back, -1)[:cones]] = out[:cones]
    arriving = np.roll(at, -1)[:edges]
    after[along] = np.where(arriving >= 0, 2 * arriving + 1, np.roll(along, -1))
    # Round the outside, clockwise.
    after[along + 1] = np.roll(along + 1, 1)
    if not opening.is_turn:
        after[along[0] + 1] = back[0]
        after[back[0]] = out[-1]
        after[out[-1]] = along[-1] + 1
    label = np.concatenate([np.full(spokes, UNNAMED), _sides(window, place[first], place[second])])
    if not opening.is_turn:
        for s in (0, spokes - 1):
            label[s] = _sides(window, place[[centre]], place[end[[s]]])[0]
    return Subdivision(place, origin, after, face, label, out[:cones].copy())


def _border(window: Window, toward: Array, opening: Opening) -> tuple[Array, int, Indices, Indices]:
    """All vertices (V, 2), the centre's number, those of the spokes' ends, the border in order.

    The border starts at the end of the first spoke.
    """
    u0, u1, v0, v1 = window.u0, window.u1, window.v0, window.v1
    corners = np.array([[u0, v0], [u1, v0], [u1, v1], [u0, v1]])
    ends = _hits(window, toward)
    at_origin = np.flatnonzero(~corners.any(axis=1))
    centre = int(at_origin[0]) if len(at_origin) else 4
    place = corners if len(at_origin) else np.concatenate([corners, np.zeros((1, 2))])
    end = np.full(len(toward), -1)
    others = np.array([k for k in range(4) if k != centre])
    for k in others:
        distance = np.hypot(*(ends - corners[k]).T)
        if distance.min() <= SNAP * max(u1 - u0, v1 - v0):
            end[distance.argmin()] = k
    fresh = np.flatnonzero(end < 0)
    end[fresh] = len(place) + np.arange(len(fresh))
    place = np.concatenate([place, ends[fresh]])

    alone = others[~np.isin(others, end)]
    angle = np.concatenate([opening.angle(toward), opening.angle(corners[alone])])
    if opening.is_turn:
        angle = (angle - angle[0]) % TURN
    numbers = np.concatenate([end, alone])
    return place, centre, end, numbers[np.argsort(angle, kind="stable")]


def _hits(window: Window, toward: Array) -> Array:
    """Where rays from the origin in directions (S, 2) leave the window, exactly on its border."""
    x, z = toward.T
    with np.errstate(divide="ignore", invalid="ignore"):
        to_u = np.where(x > 0, window.u1, window.u0) / x
        to_v = np.where(z > 0, window.v1, window.v0) / z
    to_u[x == 0], to_v[z == 0] = np.inf, np.inf
    through_u = to_u <= to_v
    far = np.where(through_u, to_u, to_v)[:, None]
    with np.errstate(invalid="ignore"):
        places = np.where(toward == 0, 0.0, far * toward)
    places[through_u, 0] = np.where(x > 0, window.u1, window.u0)[through_u]
    places[~through_u, 1] = np.where(z > 0, window.v1, window.v0)[~through_u]
    return np.clip(places, window.low, window.high)


def _sides(window: Window, one: Array, other: Array) -> Indices:
    """-1 less the number of the window's side that segments (k, 2) to (k, 2) lie on."""
    (a, b), (c, d) = one.T, other.T
    on = np.stack(
        [
            (b == window.v0) & (d == window.v0),
            (a == window.u1) & (c == window.u1),
            (b == window.v1) & (d == window.v1),
        ]
    )
    return np.asarray(-1 - np.where(on.any(axis=0), on.argmax(axis=0), 3))
