"""Within the last layer: every kink is one straight line, so E is a sum over half-planes.

Coordinates are counted in steps of the grid from its first corner, x along u and z along v. An
output h passes the node t of f on the line g = h - t = P x + Q z + C = 0; beyond it, where g > 0,
the error (f(h) - y)^2 gains

    (s'^2 - s^2) g^2 + 2 (s' - s) (f(t) - y) g,     s and s' being the slopes before and behind t.

A row meets the line once and hands that quadratic in x to the points behind; the rest is a running
sum. A line is followed along the axis on which it is met less often: a flat one by rows, a steep
one by columns.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.grids import forward
from surfacecli.geometry.grids.running import (
    EPSILON,
    Indices,
    evaluate_quadratics,
    keeps_digits,
    squared_residual,
)
from surfacecli.geometry.slices import Slice
from surfacecli.geometry.surface import affine_parts, blocks, fixed_inputs
from surfacecli.network.transfers import Array

#: Rows that are followed at once; lines that none of them meets are left out.
STRIP = 16
#: A line whose P is smaller than this, relative to all that it has, never gets to meet a row.
FLAT = 1e-30


def applies(slice: Slice) -> bool:
    """Squares, and nothing moves but the last layer, which is piecewise linear."""
    network = slice.objective.network
    return (
        slice.objective.loss.scale is not None
        and slice.moved == (network.depth,)
        and slice.kind == "within-layer"
        and network.transfers[-1].piecewise_linear
    )


def operations(slice: Slice, n_u: int, n_v: int) -> float:
    """Every line on at most half of the rows or columns, at some 20 operations."""
    nodes = slice.objective.network.transfers[-1].nodes or ()
    lines = len(slice.objective.data) * slice.objective.network.widths[-1] * len(nodes)
    return 10.0 * (n_u * n_v + lines * max(n_u, n_v))


def sample(slice: Slice, u: Array, v: Array) -> Array:
    """E on the grid of u (n_u,) and v (n_v,), shape (n_v, n_u)."""
    f = slice.objective.network.transfers[-1]
    slopes, intercepts = f.slopes or (1.0,), f.intercepts or (0.0,)
    scale = slice.objective.loss.scale or 0.0
    constant, p, q = affine_parts(slice, fixed_inputs(slice))
    assert p is not None
    assert q is not None
    C = (constant + u[0] * p + v[0] * q).ravel()
    P = p.ravel() * ((u[-1] - u[0]) / (len(u) - 1))
    Q = q.ravel() * ((v[-1] - v[0]) / (len(v) - 1))
    y = slice.objective.data.targets.ravel()

    x, z = np.arange(len(u), dtype=np.float64), np.arange(len(v), dtype=np.float64)
    rest = slopes[0] * C + (intercepts[0] - y)
    left = squared_residual(*(part[:, None] for part in (slopes[0] * P, slopes[0] * Q, rest)))
    coefficients = np.array(left).reshape(6, 1, 1)
    error = evaluate_quadratics(coefficients, x, z[:, None])
    size = np.abs(coefficients).ravel()
    flat = np.abs(P) <= np.abs(Q)
    for number, node in enumerate(f.nodes or ()):
        s, t = slopes[number], slopes[number + 1]
        pull = (t - s) * (s * node + intercepts[number] - y)
        lines = HalfPlanes(P, Q, C - node, t * t - s * s, pull)
        size += np.abs(lines.gains()).sum(axis=1)
        error += _sum_by_rows(lines.part(flat), len(u), len(v))
        error += _sum_by_rows(lines.part(~flat).transposed(), len(v), len(u)).T
    rounding = EPSILON * float(evaluate_quadratics(size, x[-1:], z[-1:])[0])
    return scale * error if keeps_digits(error, rounding) else forward.sample(slice, u, v)


@dataclass(frozen=True, eq=False)
class HalfPlanes:
    """Where g = P x + Q z + C > 0, E gains square g^2 + 2 pull g; arrays (lines,)."""

    P: Array
    Q: Array
    C: Array
    square: float
    pull: Array

    def part(self, which: slice | NDArray[np.bool_]) -> "HalfPlanes":
        P, Q, C, pull = (array[which] for array in (self.P, self.Q, self.C, self.pull))
        return HalfPlanes(P, Q, C, self.square, pull)

    def transposed(self) -> "HalfPlanes":
        """The same with x and z changed over."""
        return HalfPlanes(self.Q, self.P, self.C, self.square, self.pull)

    def gains(self) -> Array:
        """What they gain: coefficients (6, lines) of x^2, xz, z^2, x, z, 1."""
        P, Q, C, pull = self.P, self.Q, self.C, self.pull
        P_weighed, Q_weighed, C_weighed = (self.square * part for part in (P, Q, C))
        return np.stack(
            [
                P_weighed * P,
                P_weighed * Q,
                Q_weighed * Q,
                (C_weighed + pull) * P,
                (C_weighed + pull) * Q,
                (C_weighed + 2.0 * pull) * C,
            ]
        )


def _sum_by_rows(lines: HalfPlanes, points: int, rows: int) -> Array:
    """What half-planes give to a grid, (rows, points)."""
    x, result = np.arange(points, dtype=np.float64), np.empty((rows, points))
    for block in blocks(rows, points):
        here = replace(lines, C=lines.C + block.start * lines.Q)
        # One place more than there are points: for lines that are met behind the last.
        total = np.zeros((3, block.stop - block.start, points + 1))
        for part in blocks(len(lines.C), STRIP):
            _add_rows(total, here.part(part))
        quadratics = np.cumsum(total[:, :, :-1], axis=2)
        result[block] = evaluate_quadratics(quadratics, x, np.ones_like(x))
    return result


def _add_rows(total: Array, lines: HalfPlanes) -> None:
    """Add half-planes to the quadratics in x that begin at each point of each row."""
    rows, width = total.shape[1:]
    tiny = np.finfo(np.float64).tiny
    least = FLAT * (np.abs(lines.C) + rows * np.abs(lines.Q)) + tiny / FLAT
    P = np.where(np.abs(lines.P) < least, least, lines.P)
    sign = np.where(P < 0, -1.0, 1.0)
    # Row z meets the line at x = start + turn z, where it gains alpha (x - .)^2 + 2 beta (x - .).
    # It moves by a point a row or more, but for a line so flat that it meets none.
    start, turn = -lines.C / P, -lines.Q / P
    turn = np.copysign(np.maximum(np.abs(turn), 1.0), turn)
    alpha, beta = sign * lines.square * P * P, sign * lines.pull * P
    low, high = _add_passed(total, lines, P < 0, start, turn)

    room = np.empty((2, STRIP * len(P)))
    places = np.empty(STRIP * len(P), dtype=np.intp)
    for number, first in enumerate(range(0, rows, STRIP)):
        strip = total[:, first : first + STRIP]
        z = np.arange(first, first + strip.shape[1], dtype=np.float64)[:, None]
        met = np.flatnonzero((low <= number) & (high >= number))
        shape, size = (len(z), len(met)), len(z) * len(met)
        at, work = (part[:size].reshape(shape) for part in room)
        place = places[:size].reshape(shape)
        np.multiply(z, turn[met], out=at)
        at += start[met]
        np.clip(at, -0.5, width - 1.5, out=work)
        np.add(work, 1.0 + width * (z - first), out=place, casting="unsafe")

        alpha_met, beta_met = alpha[met], beta[met]
        np.multiply(alpha_met, at, out=work)
        np.subtract(beta_met, work, out=work)
        _begin(strip[1], place, work)
        work += beta_met
        work *= at
        _begin(strip[2], place, -work)
        work[...] = alpha_met
        _begin(strip[0], place, work)


def _begin(sums: Array, place: Indices, part: Array) -> None:
    """Let coefficients begin at places of a strip (rows, width), counted along its rows."""
    sums += np.bincount(place.ravel(), part.ravel(), sums.size).reshape(sums.shape)


def _add_passed(
    total: Array, lines: HalfPlanes, falls: NDArray[np.bool_], start: Array, turn: Array
) -> tuple[Indices, Indices]:
    """Add what lines give to whole rows, to the left of which they pass; strips by number.

    Gives the first and the last strip in which each line is met inside the rows.
    """
    rows, width = total.shape[1:]
    strips = -(-rows // STRIP)
    ends = np.sort(np.stack([-start / turn, (width - 2 - start) / turn]) / STRIP, axis=0)
    low, high = np.clip(np.floor(ends), -1, strips).astype(np.intp)
    rises = turn > 0
    gains = lines.gains()
    # Far to the left of the grid those half-planes are on that fall along x.
    begin = gains @ falls
    gains *= np.where(falls, -1.0, 1.0)
    begin += gains @ rises
    change = np.where(rises, np.maximum(low, 0), np.minimum(high, strips - 1) + 1)
    gains *= np.where(rises, -1.0, 1.0)
    changes = np.stack([np.bincount(change, part, strips + 1)[:strips] for part in gains])
    by_strip = begin[:, None] + np.cumsum(changes, axis=1)
    xx, xz, zz, x, one_z, one = np.repeat(by_strip, STRIP, axis=1)[:, :rows]
    z = np.arange(rows, dtype=np.float64)
    total[0, :, 0] += xx
    total[1, :, 0] += x + xz * z
    total[2, :, 0] += one + (2.0 * one_z + zz * z) * z
    return low, high
