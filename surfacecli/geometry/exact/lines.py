"""Lines c + p u + q v = 0 with float coefficients, and on which side of one two others meet.

The coefficients, rounded once, are the problem; from there on every sign is right. The sign at the
meeting point of lines i and k is that of a 3 x 3 determinant: in floating point where it exceeds
its error bound, else in whole numbers (every float is one, times a power of two).
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.columns import Column
from surfacecli.geometry.exact.planar import SNAP
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]
Signs = NDArray[np.int8]

#: Error of the determinant relative to the sum of the absolute values of its six products: each
#: passes at most five roundings of 2^-53; twice that is safe with the bound's own rounding.
BOUND = 10.0 * 2.0**-53


class Lines:
    """Lines with coefficients (n, 3): c, p, q."""

    def __init__(self, coefficients: Array) -> None:
        self.coefficients = coefficients
        self._whole: dict[int, tuple[int, int, int]] = {}

    def whole(self, line: int) -> tuple[int, int, int]:
        """The coefficients of a line times a power of two that makes them whole numbers."""
        if line not in self._whole:
            parts = [float(part).as_integer_ratio() for part in self.coefficients[line]]
            scale = max(below for _, below in parts)
            c, p, q = (above * (scale // below) for above, below in parts)
            self._whole[line] = c, p, q
        return self._whole[line]


class Meetings:
    """The meeting points of pairs of lines, growing; point k is where its two lines cross.

    A line passes through a meeting point that it misses by less than `SNAP` times `size`, the
    extent of the window: lines that meet in one point by nature (data on a line, say) do so no
    longer once rounded.
    """

    def __init__(self, lines: Lines, corners: Sequence[tuple[int, int]], size: float) -> None:
        self.lines, self.near = lines, SNAP * size
        self._pairs = Column(np.zeros((0, 2), dtype=np.intp))
        self._u, self._v = Column(np.zeros(0)), Column(np.zeros(0))
        points = self.add(np.array(corners, dtype=np.intp))
        #: No coordinate in the window is larger.
        self._reach = np.abs(points).max(axis=0)

    def add(self, pairs: Indices) -> Array:
        """Add the meeting points of pairs (k, 2) of lines, not parallel; gives them (k, 2).

        They are right to half of `near`: where rounding could move one further, it is computed in
        whole numbers.
        """
        determinants, sizes = self._determinants(pairs)
        with np.errstate(divide="ignore", invalid="ignore"):
            points = determinants[:, 1:] / determinants[:, :1]
            error = sizes[:, 1:] + np.abs(points) * sizes[:, :1]
            error *= BOUND / determinants[:, :1]
        for k in np.flatnonzero(~(error <= 0.5 * self.near).all(axis=1)):
            points[k] = self._exact_point(int(pairs[k, 0]), int(pairs[k, 1]))
        self._pairs.extend(pairs)
        self._u.extend(points[:, 0])
        self._v.extend(points[:, 1])
        return np.asarray(points)

    def _determinants(self, pairs: Indices) -> tuple[Array, Array]:
        """D > 0, X, Y (k, 3) with the points (X, Y) / D, and the sums of |products| in each."""
        (c, p, q), (d, r, s) = (self.lines.coefficients[side].T for side in pairs.T)
        products = np.stack([p * s, q * d, c * r, q * r, c * s, p * d], axis=1)
        determinants = products[:, :3] - products[:, 3:]
        sizes = np.abs(products[:, :3]) + np.abs(products[:, 3:])
        determinants[determinants[:, 0] < 0] *= -1.0
        return determinants, sizes

    def signs(self, line: int) -> tuple[Array, Signs]:
        """Values and exact signs of a line at all points; within `SNAP` the sign is 0."""
        c, p, q = self.lines.coefficients[line]
        values = p * self._u.values
        values += q * self._v.values
        values += c
        signs = np.greater(values, 0.0).view(np.int8) - np.less(values, 0.0).view(np.int8)
        terms = np.abs(c) + np.abs(p) * self._reach[0] + np.abs(q) * self._reach[1]
        open_until = 2.0 * self.near * (np.abs(p) + np.abs(q)) + BOUND * terms
        undecided = np.flatnonzero(np.abs(values) <= open_until)
        if len(undecided):
            signs[undecided] = self._close_signs(line, undecided)
        return values, signs

    def _close_signs(self, line: int, points: Indices) -> Signs:
        """The signs at points that the line passes through or nearly so."""
        c, p, q = self.lines.coefficients[line]
        pairs = self._pairs.values[points]
        determinants, sizes = self._determinants(pairs)
        values = determinants @ np.array([c, p, q])
        through = self.near * np.hypot(p, q) * determinants[:, 0]
        rounding = BOUND * (sizes @ np.abs(np.array([c, p, q])))
        far = np.abs(values)
        signs = np.sign(np.where(far <= through, 0.0, values)).astype(np.int8)
        own = (pairs == line).any(axis=1)
        signs[own] = 0
        # Where rounding could carry the value over the border between through and beside.
        for k in np.flatnonzero(~own & (np.abs(far - through) <= rounding) & (rounding > 0)):
            signs[k] = self._exact_sign(line, int(pairs[k, 0]), int(pairs[k, 1]))
        return np.asarray(signs)

    def _exact_sign(self, line: int, one: int, other: int) -> int:
        c, p, q = self.lines.whole(line)
        d, x, y = self._whole_parts(one, other)
        total = c * d + p * x + q * y
        if total * total <= Fraction(self.near) ** 2 * (p * p + q * q) * d * d:
            return 0
        return 1 if total > 0 else -1

    def _whole_parts(self, one: int, other: int) -> tuple[int, int, int]:
        (c, p, q), (d, r, s) = self.lines.whole(one), self.lines.whole(other)
        D, X, Y = p * s - q * r, q * d - c * s, c * r - p * d
        return (-D, -X, -Y) if D < 0 else (D, X, Y)

    def _exact_point(self, one: int, other: int) -> tuple[float, float]:
        D, X, Y = self._whole_parts(one, other)
        return float(Fraction(X, D)), float(Fraction(Y, D))
