"""Quadratics in (x, z) that begin at grid points, summed up along the rows of a grid."""

import numpy as np
from numpy.typing import NDArray

from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]

#: Rounding of one sum, and what it may be beside the largest error of a grid: an upper bound, in
#: practice a hundredth of it.
EPSILON, ALLOWED = 2.0**-53, 1e-10
#: What is added to one row, at most, relative to the mean of all rows.
MOST_OF_ROWS = 4.0


def dot(a: Array, b: Array) -> Array:
    """Products of columns, (k, s) and (k, s) -> (s,)."""
    return np.asarray(np.einsum("ks,ks->s", a, b))


def squared_residual(P: Array, Q: Array, rest: Array | None) -> list[Array]:
    """Coefficients of |P x + Q z + rest|^2 in x^2, xz, z^2 (, x, z, 1 with a rest).

    P, Q, rest (k, s) -> arrays (s,); the mixed terms count twice, see `evaluate_quadratics`.
    """
    squares = [dot(P, P), dot(P, Q), dot(Q, Q)]
    return squares if rest is None else [*squares, dot(P, rest), dot(Q, rest), dot(rest, rest)]


def evaluate_quadratics(coefficients: Array, x: Array, z: Array) -> Array:
    """Quadratics with coefficients (3 or 6, ...), ordered as in `squared_residual`, at (x, z)."""
    A, B, C = coefficients[:3]
    total = (A * x + 2.0 * B * z) * x + C * z * z
    if len(coefficients) == 6:
        F, G, H = coefficients[3:]
        total += 2.0 * (F * x + G * z) + H
    return np.asarray(total)


def keeps_digits(error: Array, rounding: float) -> bool:
    """Whether the rounding of what was added up and taken away again is small beside the result.

    It is not where large parts cancel: bounded outputs over a huge window, a far corner in which
    all units are dead.
    """
    return rounding <= ALLOWED * float(np.abs(error).max())


class RunningSum:
    """The quadratic of each grid point, as a sum of all that begin before it in its row."""

    def __init__(self, coefficients: int, rows: int, points: int) -> None:
        # One place more than there are grid points: for what begins behind the last.
        self._width = points + 1
        self._sums = np.zeros((coefficients, rows * self._width))
        self._sizes = np.zeros(coefficients)

    def add(self, row: Indices, rank: Indices, coefficients: list[Array]) -> None:
        """Let quadratics begin at point `rank` of `row`; coefficients left out stay as they are."""
        if not len(row):
            return
        place = row * self._width + rank
        low, high = int(row.min()) * self._width, (int(row.max()) + 1) * self._width
        for k, (total, part) in enumerate(zip(self._sums, coefficients, strict=False)):
            self._sizes[k] += np.abs(part).sum()
            total[low:high] += np.bincount(place - low, weights=part, minlength=high - low)

    def quadratics(self) -> Array:
        """The quadratic that holds at each grid point: (coefficients, rows, points)."""
        by_row = self._sums.reshape(len(self._sums), -1, self._width)
        return np.cumsum(by_row[:, :, :-1], axis=2)

    def rounding(self, x: Array, z: Array) -> float:
        """How much of the sums may be rounding at the points (x, z)."""
        corner = (np.abs(x).max(initial=0.0), np.abs(z).max(initial=0.0))
        rows = self._sums.shape[1] / self._width
        sizes = MOST_OF_ROWS * self._sizes / rows
        return float(EPSILON * evaluate_quadratics(sizes, *map(np.asarray, corner)))
