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

import numpy as np

from surfacecli.geometry.grids.crossings import Crossings
from surfacecli.geometry.grids.running import Indices, RunningSum, dot, squared_residual
from surfacecli.geometry.grids.tracks import Track
from surfacecli.network.transfers import Array, Transfer

#: What a path counts for in a block, for each hidden unit: a thousand of 64 units march at once,
#: which is enough to spread the cost of a step, and their outputs still fit the cache.
PATH_SIZE = 2


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
        w = s.W.take(s.unit[at], axis=1)
        P_w[at], Q_w[at] = dot(P[active], w), dot(Q[active], w)
        P[active] += s.alpha[at] * w
        Q[active] += s.beta[at] * w
    ww = np.square(s.W).sum(axis=0)[s.unit]
    rest_w = None if outputs.rows else (s.W.T @ rest)[s.unit, s.path]
    total.add(outputs.row[s.path], march.rank, _gains(s, P_w, Q_w, rest_w, ww))


def _gains(s: Switches, P_w: Array, Q_w: Array, rest_w: Array | None, ww: Array) -> list[Array]:
    """|r + (alpha x + beta z) w|^2 - |r|^2, r = P x + Q z + rest, from the products with w."""
    gains = [
        s.alpha * (2.0 * P_w + s.alpha * ww),
        s.alpha * Q_w + s.beta * (P_w + s.alpha * ww),
        s.beta * (2.0 * Q_w + s.beta * ww),
    ]
    return gains if rest_w is None else [*gains, s.alpha * rest_w, s.beta * rest_w]


def _add_kinked(total: RunningSum, track: Track, outputs: Outputs, march: _March) -> None:
    """As `_add_linear`, but the residual is r = slope o + (intercept - y), by the piece of f.

    So a switch moves r by slope w, and where an output passes a node the next piece takes over.
    """
    s, order = march.switches, march.longest_first
    P, Q, target = (a[:, order] for a in (outputs.P, outputs.Q, outputs.y))
    row = outputs.row[order]
    crossings = Crossings(outputs.f, track, P, Q, target, outputs.rows)
    total.add(row, np.zeros_like(row), crossings.squared(P, Q))
    P_w, Q_w, rest_w, ww = np.empty((4, len(s.x)))
    for paths, at in march.each_round():
        here = len(paths)
        p, q = P[:, :here], Q[:, :here]
        crossings.meet(p, q, s.x[at], s.z[at], march.rank[at])
        slope, rest = crossings.pieces(here)
        w = s.W.take(s.unit[at], axis=1)
        moved = slope * w
        rest_w[at] = dot(rest, moved)
        moved *= slope
        P_w[at], Q_w[at], ww[at] = dot(p, moved), dot(q, moved), dot(w, moved)
        p += s.alpha[at] * w
        q += s.beta[at] * w
    stop_x, stop_z = track.stop
    crossings.meet(P, Q, np.array(stop_x), np.array(stop_z), np.full_like(row, track.points))
    if outputs.rows:
        Q_w += rest_w
    gains = _gains(s, P_w, Q_w, None if outputs.rows else rest_w, ww)
    total.add(outputs.row[s.path], march.rank, gains)
    for path, rank, gained in crossings.gains():
        total.add(row[path], rank, gained)
