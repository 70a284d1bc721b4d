"""Sums of squares of piecewise-linear outputs along paths, from switch to switch.

Along a path with coordinates (x, z), a grid row (x = u, z = 1) or a half-turn of directions
(x, z) = (u, v), the outputs of one data point are o = P x + Q z + c, and P and Q change only where
a hidden unit switches: there o gains (alpha x + beta z) w, w being the unit's outgoing weights. So
all paths march together, each from one of its switches to the next, and every step hands a
quadratic in (x, z) to the grid points behind it. The work is (data points x switches), not
(data points x grid points).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from surfacecli.geometry.grids.running import Indices, RunningSum, dot, squared_residual
from surfacecli.network.transfers import Array, Transfer


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


@dataclass(frozen=True, eq=False)
class Switches:
    """The switches of all paths, in any order, as arrays (s,).

    On path `path`, at (x, z), unit `unit` adds (alpha x + beta z) W[:, unit] to the outputs,
    W (n_L, units) being the weights from the units to the outputs.
    """

    path: Indices
    x: Array
    z: Array
    alpha: Array
    beta: Array
    unit: Indices
    W: Array


def no_switches(W: Array) -> Switches:
    """For outputs that no hidden unit kinks."""
    nothing, nowhere = np.zeros(0, dtype=np.intp), np.zeros(0)
    return Switches(nothing, nowhere, nowhere, nowhere, nowhere, nothing, W)


@dataclass(frozen=True, eq=False)
class Outputs:
    """The outputs of all paths at their starts: P, Q and targets y, each (n_L, paths).

    The residual of an output is f(P x + Q z) - y. Where z is 1 all along (`rows`), y joins the z
    part; else it has a part of its own. Path i adds to row row[i] of the grid.
    """

    f: Transfer
    P: Array
    Q: Array
    y: Array
    row: Indices
    rows: bool


def add_outputs(total: RunningSum, track: Track, outputs: Outputs, switches: Switches) -> None:
    """Add the squared residuals of all paths to the quadratics of their rows."""
    march = _March.of(track, outputs, switches)
    if outputs.f.is_identity:
        _add_linear(total, outputs, march)
    else:
        _add_kinked(total, track, outputs, march)


@dataclass(frozen=True, eq=False)
class _March:
    """The switches sorted by path and position, to be met in rounds: one of each path a round."""

    switches: Switches
    rank: Indices
    first: Indices  # the first switch of each path
    count: Indices  # the number of switches of each path
    longest_first: Indices  # paths by falling count
    rounds: int

    @classmethod
    def of(cls, track: Track, outputs: Outputs, switches: Switches) -> "_March":
        position = track.position(switches.x, switches.z)
        low, high = (track.position(*map(np.array, end)) for end in (track.start, track.stop))
        # One float key sorts by path, then position. Two switches closer than its rounding may
        # change places: the outputs are continuous there, so what lies between is no wider than it.
        order = np.argsort(switches.path + (position - low) / (high - low) * (1.0 - 1e-9))
        s = switches
        paths = outputs.P.shape[1]
        count = np.bincount(switches.path, minlength=paths)
        first = np.cumsum(count) - count
        return cls(
            Switches(
                s.path[order],
                s.x[order],
                s.z[order],
                s.alpha[order],
                s.beta[order],
                s.unit[order],
                s.W,
            ),
            track.rank(position[order]),
            first,
            count,
            np.argsort(-count, kind="stable"),
            int(count.max(initial=0)),
        )

    def each_round(self) -> Iterator[tuple[Indices, Indices]]:
        """(paths that have a switch number e, those switches), e = 0, 1, ..."""
        falling = self.count[self.longest_first]
        for e in range(self.rounds):
            paths = self.longest_first[: np.searchsorted(-falling, -e)]
            yield paths, self.first[paths] + e


def _add_linear(total: RunningSum, outputs: Outputs, march: _March) -> None:
    """Each switch adds |r + (alpha x + beta z) w|^2 - |r|^2, r being the residual before it."""
    s, rest = march.switches, -outputs.y
    P, Q = outputs.P, outputs.Q + rest if outputs.rows else outputs.Q
    start = squared_residual(P, Q, None if outputs.rows else rest)
    total.add(outputs.row, np.zeros_like(outputs.row), start)
    P, Q = P[:, march.longest_first], Q[:, march.longest_first]
    P_w, Q_w = np.empty_like(s.x), np.empty_like(s.x)
    for paths, at in march.each_round():
        active = np.s_[:, : len(paths)]
        w = s.W[:, s.unit[at]]
        P_w[at], Q_w[at] = dot(P[active], w), dot(Q[active], w)
        P[active] += s.alpha[at] * w
        Q[active] += s.beta[at] * w
    ww = np.square(s.W).sum(axis=0)[s.unit]
    gains = [
        s.alpha * (2.0 * P_w + s.alpha * ww),
        s.alpha * Q_w + s.beta * (P_w + s.alpha * ww),
        s.beta * (2.0 * Q_w + s.beta * ww),
    ]
    if not outputs.rows:
        rest_w = (s.W.T @ rest)[s.unit, s.path]
        gains += [s.alpha * rest_w, s.beta * rest_w]
    total.add(outputs.row[s.path], march.rank, gains)


@dataclass(frozen=True, eq=False)
class _Ends:
    """Where segments begin or end: coordinates and ranks (s,)."""

    x: Array
    z: Array
    rank: Indices

    @classmethod
    def all_at(cls, point: tuple[float, float], rank: int, count: int) -> "_Ends":
        return cls(np.full(count, point[0]), np.full(count, point[1]), np.full(count, rank))

    def head(self, count: int) -> "_Ends":
        return _Ends(self.x[:count], self.z[:count], self.rank[:count])


def _add_kinked(total: RunningSum, track: Track, outputs: Outputs, march: _March) -> None:
    """Segments from the start to the first switch, and from each switch to the next."""
    s, paths = march.switches, march.longest_first
    P, Q, y, row = outputs.P[:, paths], outputs.Q[:, paths], outputs.y[:, paths], outputs.row[paths]
    left = _Ends.all_at(track.start, 0, len(paths))
    h_left = P * left.x + Q * left.z
    segments = _KinkedSegments(outputs.f, track, outputs.rows)
    for reached, at in march.each_round():
        here = len(reached)
        # The paths that go on meet their next switch; the others run on to their stop.
        right = _Ends.all_at(track.stop, track.points, P.shape[1])
        for part, met in ((right.x, s.x), (right.z, s.z), (right.rank, march.rank)):
            part[:here] = met[at]
        h_left = segments.collect(P, Q, y, row, h_left, left, right)[:, :here]
        w = s.W[:, s.unit[at]]
        P, Q, y, row = P[:, :here], Q[:, :here], y[:, :here], row[:here]
        P += s.alpha[at] * w
        Q += s.beta[at] * w
        left = right.head(here)
    stop = _Ends.all_at(track.stop, track.points, P.shape[1])
    segments.collect(P, Q, y, row, h_left, left, stop)
    segments.hand_to(total)


class _KinkedSegments:
    """The quadratics of outputs f(P x + Q z) - y on segments, collected until handed on."""

    def __init__(self, f: Transfer, track: Track, rows: bool) -> None:
        self._f, self._track, self._rows = f, track, rows
        self._slopes, self._intercepts = np.array(f.slopes), np.array(f.intercepts)
        self._nodes = f.nodes or ()
        self._parts: list[tuple[Indices, Indices, list[Array]]] = []

    def collect(
        self, P: Array, Q: Array, y: Array, row: Indices, h_left: Array, left: _Ends, right: _Ends
    ) -> Array:
        """Take segments with P, Q, y and h_left = P x + Q z at their left, all (n_L, s).

        Gives h at their right, where the next segments begin.
        """
        h_right = P * right.x + Q * right.z
        begins = self._squared(*self._pieces(h_left), P, Q, y)
        self._parts.append((row, left.rank, begins))
        ends = [part.copy() for part in begins]
        last = np.maximum(left.rank, right.rank)
        for number, node in enumerate(self._nodes, start=1):
            beyond = h_right > node
            crossed = np.flatnonzero((h_left > node) != beyond)
            segment = crossed % P.shape[1]
            p, q, target = (a.ravel()[crossed] for a in (P, Q, y))
            rank = self._track.rank(self._track.position(*self._track.crossing(p, q, node)))
            # A crossing stays between the ends of its segment, whatever its rounding.
            rank = np.clip(rank, left.rank[segment], last[segment])
            sign = np.where(beyond.ravel()[crossed], 1.0, -1.0)
            above, below = (
                self._squared(self._slopes[n], self._intercepts[n], p[None], q[None], target[None])
                for n in (number, number - 1)
            )
            gained = [sign * (a - b) for a, b in zip(above, below, strict=True)]
            self._parts.append((row[segment], rank, gained))
            for part, gain in zip(ends, gained, strict=True):
                part += np.bincount(segment, weights=gain, minlength=len(part))
        self._parts.append((row, right.rank, [-part for part in ends]))
        return h_right

    def hand_to(self, total: RunningSum) -> None:
        """Add all that was collected to the quadratics of the grid."""
        rows, ranks, coefficients = zip(*self._parts, strict=True)
        parts = [np.concatenate(part) for part in zip(*coefficients, strict=True)]
        total.add(np.concatenate(rows), np.concatenate(ranks), parts)

    def _pieces(self, h: Array) -> tuple[Array, Array | float]:
        """Slope and intercept of the piece that each h lies on."""
        slope: Array = np.full_like(h, self._slopes[0])
        intercept: Array | float = self._intercepts[0]
        for number, node in enumerate(self._nodes, start=1):
            beyond = h > node
            slope += (self._slopes[number] - self._slopes[number - 1]) * beyond
            step = self._intercepts[number] - self._intercepts[number - 1]
            if step:
                intercept = intercept + step * beyond
        return slope, intercept

    def _squared(
        self, slope: Array, intercept: Array | float, P: Array, Q: Array, y: Array
    ) -> list[Array]:
        rest = intercept - y
        if self._rows:
            return squared_residual(slope * P, slope * Q + rest, None)
        return squared_residual(slope * P, slope * Q, rest)
