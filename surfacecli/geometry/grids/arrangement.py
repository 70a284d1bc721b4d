"""The lines of some data points in a window, and all that is met along them, in order.

Every data point has its own lines g = P x + Q z + C = 0; x and z are counted in steps of the grid.
A line is followed through the window, and the border of the window, as one more line, round from
its first corner. What is met are vertices: crossings of two lines, ends of lines on the border, and
corners of it.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from surfacecli.geometry.grids.running import Indices
from surfacecli.network.transfers import Array

#: How far the window reaches beyond the grid, in steps: no round number, so that kinks of round
#: numbers do not run along its border.
MARGIN = 0.3719


#: What is met closer together than this, relative to how fast functions change there, may come in
#: another order on another line.
CLOSE = 1e-11


class DoubtfulError(Exception):
    """Data points (indices) of which rounding leaves open what lies where."""

    def __init__(self, points: Indices) -> None:
        super().__init__("what lies where is open")
        self.points = np.unique(points)


def doubt(points: Indices) -> None:
    """Raise `DoubtfulError` if there are any such data points."""
    if len(points):
        raise DoubtfulError(points)


@dataclass(frozen=True)
class Box:
    """The window [x0, x1] x [z0, z1]."""

    x0: float
    x1: float
    z0: float
    z1: float

    @classmethod
    def around(cls, points: int, rows: int) -> "Box":
        return cls(-MARGIN, points - 1 + MARGIN, -MARGIN, rows - 1 + MARGIN)

    @property
    def length(self) -> float:
        """Of the way round it."""
        return 2.0 * (self.x1 - self.x0 + self.z1 - self.z0)

    @property
    def way_round(self) -> Array:
        """Where the corners lie on the way round, as shares of it: (5,), from 0 to 1."""
        wide, high = self.x1 - self.x0, self.z1 - self.z0
        return np.cumsum([0.0, wide, high, wide, high]) / self.length


@dataclass(frozen=True, eq=False)
class Vertices:
    """Points (n,): data point, place, and the two lines through them, -1 for the border.

    Crossings come first, then ends, then five corners a data point; data points rise in each kind.
    """

    owner: Indices
    x: Array
    z: Array
    first: Indices
    second: Indices
    kinds: tuple[int, int]  # the first end and the first corner

    def by_kind(self) -> Iterator[tuple[Indices, Array, Array, Indices, Indices]]:
        """Crossings, ends and corners, each as owner, x, z, first, second."""
        for start, stop in itertools.pairwise((0, *self.kinds, len(self.x))):
            part = np.s_[start:stop]
            yield self.owner[part], self.x[part], self.z[part], self.first[part], self.second[part]


@dataclass(frozen=True, eq=False)
class Steps:
    """What is met, line by line, as arrays (n,).

    `line` is owner (width + 1) + number, the border being the last of a data point; `other` is the
    line that is crossed at the vertex, -1 for none, and `sign` is 1 where its g goes to plus.
    """

    line: Indices
    vertex: Indices
    other: Indices
    sign: Array


def arrange(lines: Array, box: Box) -> tuple[Vertices, Steps]:
    """Vertices and steps of lines (3, data points, width): coefficients of x, z and 1.

    Raises `DoubtfulError` where a line does not both enter and leave the window, and where two
    things are met too close together to tell their order.
    """
    count, width = lines.shape[1:]
    owner, first, second, x, z, determinant = _crossings(lines, box)
    ends = _Ends.of(lines, box)
    points = np.arange(count)
    corner = points.repeat(5)
    none_end, none_corner = np.full(len(ends.x), -1), np.full(5 * count, -1)
    vertices = Vertices(
        np.concatenate([owner, ends.owner, corner]),
        np.concatenate([x, ends.x, np.tile([box.x0, box.x1, box.x1, box.x0, box.x0], count)]),
        np.concatenate([z, ends.z, np.tile([box.z0, box.z0, box.z1, box.z1, box.z0], count)]),
        np.concatenate([first, ends.line, none_corner]),
        np.concatenate([second, none_end, none_corner]),
        (len(x), len(x) + len(ends.x)),
    )
    crossing, end, corner = np.split(np.arange(len(vertices.x)), vertices.kinds)

    # The number of a line in a list of all: with the borders left out, and with them.
    on_first, on_second, on_end = (
        part * width + line
        for part, line in ((owner, first), (owner, second), (ends.owner, ends.line))
    )
    number = np.arange(count * width) + points.repeat(width)
    border = points * (width + 1) + width
    met = np.bincount(on_end, minlength=count * width)
    doubt(np.flatnonzero((met != 0) & (met != 2)) // width)
    doubt(owner[(met[on_first] == 0) | (met[on_second] == 0)])

    # A line is followed along heading (-Q, P), so that z grows, or x where z stays. A number and a
    # share of its way, from 1/4 to 3/4, sort by line and place.
    P, Q = lines[0].ravel(), lines[1].ravel()
    heading = np.where((P > 0) | ((P == 0) & (Q < 0)), 1.0, -1.0)
    along_x, along_z = -heading * Q, heading * P
    ends_at = along_x[on_end] * ends.x + along_z[on_end] * ends.z
    low, high = np.full(count * width, np.inf), np.full(count * width, -np.inf)
    np.minimum.at(low, on_end, ends_at)
    np.maximum.at(high, on_end, ends_at)
    low[met == 0], high[met == 0] = 0.0, 1.0
    scale = 0.5 / (high - low)
    along_x *= scale
    along_z *= scale
    begin = number + (0.25 - low * scale)
    is_last = ends_at > (0.5 * (low + high)).take(on_end)
    corner_shares = 0.5 * box.way_round + [0.15, 0.25, 0.25, 0.25, 0.35]

    # What is met changes at a speed, relative to the largest value of its function.
    tiny = np.finfo(np.float64).tiny
    size = np.maximum(np.abs(P) * (box.x1 - box.x0), np.abs(Q) * (box.z1 - box.z0)) + tiny
    reach = (high - low) / (P * P + Q * Q + tiny)
    turning = np.abs(determinant)
    key, vertex, other, sign, speed = (
        np.concatenate(part)
        for part in zip(
            (
                along_x[on_first] * x + along_z[on_first] * z + begin[on_first],
                crossing,
                second,
                heading[on_first] * determinant,
                turning * reach[on_first] / size[on_second],
            ),
            (
                along_x[on_second] * x + along_z[on_second] * z + begin[on_second],
                crossing,
                first,
                -heading[on_second] * determinant,
                turning * reach[on_second] / size[on_first],
            ),
            (
                number[on_end] + np.where(is_last, 0.9, 0.1),
                end,
                none_end,
                np.zeros(len(end)),
                np.full(len(end), np.inf),
            ),
            (
                border[ends.owner] + 0.25 + 0.5 * ends.share,
                end,
                ends.line,
                ends.slope,
                np.abs(ends.slope) * box.length / size[on_end],
            ),
            (
                (border[:, None] + corner_shares).ravel(),
                corner,
                none_corner,
                np.zeros(len(corner)),
                np.full(len(corner), np.inf),
            ),
            strict=True,
        )
    )
    order = np.argsort(key)
    key, speed = key.take(order), speed.take(order)
    line = key.astype(np.intp)
    share = np.clip(key - line, 0.25, 0.75)
    close = np.abs(np.diff(share)) * np.minimum(speed[1:], speed[:-1]) < CLOSE
    doubt(line[1:][close] // (width + 1))
    return vertices, Steps(line, vertex.take(order), other.take(order), np.sign(sign).take(order))


def _crossings(lines: Array, box: Box) -> tuple[Indices, Indices, Indices, Array, Array, Array]:
    """Data point, both lines, x, z and determinant of the crossings inside the box."""
    width = lines.shape[2]
    half = width // 2
    # Line i with lines i + 1 ... i + half, counted round: every pair once.
    P, Q, C = lines[:, :, None]
    doubled = np.concatenate([lines, lines], axis=2)
    P_far, Q_far, C_far = sliding_window_view(doubled, width, axis=2)[:, :, 1 : half + 1]
    determinant = P * Q_far
    determinant -= Q * P_far
    x, z = Q * C_far, C * P_far
    x -= C * Q_far
    z -= P * C_far
    # Parallel lines meet nowhere: at inf or nan, inside of nothing.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x /= determinant
        z /= determinant
    inside = (x > box.x0) & (x < box.x1)
    inside &= z > box.z0
    inside &= z < box.z1
    if width % 2 == 0:
        inside[:, half - 1, half:] = False  # seen from both
    found = np.flatnonzero(inside)
    row, first = np.divmod(found, width)
    owner, offset = np.divmod(row, max(half, 1))
    second = first + offset + 1
    second[second >= width] -= width
    x, z, determinant = (array.ravel().take(found) for array in (x, z, determinant))
    return owner, first, second, x, z, determinant


@dataclass(frozen=True, eq=False)
class _Ends:
    """Where lines meet the border: share of the way round, and the slope of g on that way."""

    owner: Indices
    line: Indices
    x: Array
    z: Array
    share: Array
    slope: Array

    @classmethod
    def of(cls, lines: Array, box: Box) -> "_Ends":
        P, Q, C = lines
        way = box.way_round
        parts = []
        for side, (fixed, moving, value, start, stop) in enumerate(
            (
                (Q, P, box.z0, box.x0, box.x1),
                (P, Q, box.x1, box.z0, box.z1),
                (Q, P, box.z1, box.x1, box.x0),
                (P, Q, box.x0, box.z1, box.z0),
            )
        ):
            level = C + fixed * value
            owner, line = np.nonzero((level + moving * start > 0) != (level + moving * stop > 0))
            slope = moving[owner, line]
            at = np.clip(-level[owner, line] / slope, min(start, stop), max(start, stop))
            here = np.full_like(at, value)
            share = way[side] + (way[side + 1] - way[side]) * (at - start) / (stop - start)
            x, z = (here, at) if side % 2 else (at, here)
            parts.append((owner, line, x, z, share, slope * np.sign(stop - start)))
        owner, line, *rest = (np.concatenate(part) for part in zip(*parts, strict=True))
        order = np.argsort(owner, kind="stable")
        return cls(owner[order], line[order], *(part[order] for part in rest))
