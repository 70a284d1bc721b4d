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
#: Lines that meet at a sharper angle than this (relative to their coefficients) have their meeting
#: point computed in whole numbers, as its rounding would move it along them.
SHARP = 1e-6


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

    def __init__(self, lines: Lines, pairs: Sequence[tuple[int, int]], size: float) -> None:
        self.lines, self.size = lines, size
        self._pairs = Column(np.zeros((0, 2), dtype=np.intp))
        # D, X, Y and the sums of the absolute values of their products, each (k,).
        self._parts = [Column(np.zeros(0)) for _ in range(6)]
        self.add(np.array(pairs, dtype=np.intp))

    def add(self, pairs: Indices) -> Array:
        """Add the meeting points of pairs (k, 2) of lines, not parallel; gives them (k, 2)."""
        (c, p, q), (d, r, s) = (self.lines.coefficients[side].T for side in pairs.T)
        products = np.stack([p * s, q * d, c * r, q * r, c * s, p * d], axis=1)
        determinants = products[:, :3] - products[:, 3:]
        sizes = np.abs(products[:, :3]) + np.abs(products[:, 3:])
        turned = determinants[:, 0] < 0
        determinants[turned] *= -1.0  # D > 0 from here on
        self._pairs.extend(pairs)
        for column, part in zip(self._parts, (*determinants.T, *sizes.T), strict=True):
            column.extend(part)
        sharp = np.abs(determinants[:, 0]) <= SHARP * sizes[:, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            points = determinants[:, 1:] / determinants[:, :1]
        for k in np.flatnonzero(sharp):
            points[k] = self._exact_point(int(pairs[k, 0]), int(pairs[k, 1]))
        return np.asarray(points)

    def signs(self, line: int) -> tuple[Array, Signs]:
        """Values and exact signs of a line at all points; within `SNAP` the sign is 0."""
        c, p, q = self.lines.coefficients[line]
        D, X, Y, D_size, X_size, Y_size = (column.values for column in self._parts)
        values = c * D + p * X + q * Y
        size = np.abs(c) * D_size + np.abs(p) * X_size + np.abs(q) * Y_size
        signs = np.sign(values).astype(np.int8)
        far = np.abs(values)
        near = far <= SNAP * self.size * np.hypot(p, q) * D
        for k in np.flatnonzero(~near & (far <= BOUND * size)):
            signs[k] = self._exact_sign(line, *map(int, self._pairs.values[k]))
        signs[near] = 0
        return values / D, signs

    def _exact_sign(self, line: int, one: int, other: int) -> int:
        if line in (one, other):
            return 0
        c, p, q = self.lines.whole(line)
        d, x, y = self._whole_parts(one, other)
        total = c * d + p * x + q * y
        return (total > 0) - (total < 0)

    def _whole_parts(self, one: int, other: int) -> tuple[int, int, int]:
        (c, p, q), (d, r, s) = self.lines.whole(one), self.lines.whole(other)
        D, X, Y = p * s - q * r, q * d - c * s, c * r - p * d
        return (-D, -X, -Y) if D < 0 else (D, X, Y)

    def _exact_point(self, one: int, other: int) -> tuple[float, float]:
        D, X, Y = self._whole_parts(one, other)
        return float(Fraction(X, D)), float(Fraction(Y, D))
