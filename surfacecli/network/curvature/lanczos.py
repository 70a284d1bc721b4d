"""Extreme eigenvalues of a symmetric map that is known by its products alone.

Lanczos's iteration with full reorthogonalisation and thick restarts (Wu and Simon, 2000): with an
orthonormal basis V (m, size) and T = V A V^T, an eigenpair (t, y) of T has the residual
|A (V^T y) - t V^T y| = b |y_last|, b the norm of what A leads out of the basis. Some eigenvalue of
A lies within the residual of t; every t lies inside the spectrum.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from surfacecli.network.curvature.spectrum import zero_below
from surfacecli.network.transfers import Array

#: Residual, relative to the largest absolute eigenvalue, at which an end counts as found. The error
#: of the eigenvalue is at most that, and of the order of its square where it stands alone.
TOLERANCE = 1e-6
#: Numbers that the basis may hold (about 0.5 GB), and vectors that it holds at most.
BASIS, VECTORS = 1 << 26, 200
#: Products before the iteration gives up.
PRODUCTS = 600
#: Vectors of each end of the spectrum that a restart keeps.
KEPT = 8


@dataclass(frozen=True)
class Extremes:
    """The outermost eigenvalues found, and the number of products it took.

    `converged` tells of the end or ends that were asked for. An end that is not found is only known
    to be a bound: the smallest eigenvalue is at most `smallest`, the largest at least `largest`.
    `rank_at_least` counts the eigenvalues of T that are not 0: by interlacing no more than A has.
    """

    smallest: float
    largest: float
    converged: bool
    rank_at_least: int
    products: int


def find_extremes(
    product: Callable[[Array], Array],
    size: int,
    ends: Literal["both", "largest"] = "both",
    products: int = PRODUCTS,
) -> Extremes:
    """Smallest and largest eigenvalue of the symmetric map `product` of (size,) to (size,).

    With `ends` "largest" the iteration stops when that one is found. Reproducible: the start is
    drawn from a fixed seed.
    """
    most = min(size, max(3 * KEPT, min(VECTORS, BASIS // size)))
    V, T = np.empty((most, size)), np.zeros((most, most))
    start = np.random.default_rng(0).standard_normal(size)
    V[0] = start / np.linalg.norm(start)
    used, taken, rank = 1, 0, 0
    while True:
        w, along = _orthogonal(product(V[used - 1]), V[:used])
        taken += 1
        T[used - 1, :used] = T[:used, used - 1] = along
        out = float(np.linalg.norm(w))
        # What is left is rounding: the basis holds every eigenvalue that the start can reach.
        scale = float(np.abs(T[:used, :used]).max())
        closed = used == size or out <= 64 * np.finfo(np.float64).eps * scale
        last = closed or taken >= products
        if last or used == most or used % 10 == 0:
            values, vectors = np.linalg.eigh(T[:used, :used])
            size_of = np.abs(values)
            # A value is certain where it exceeds both rounding and its residual.
            residuals = (0.0 if closed else out) * np.abs(vectors[-1])
            largest = float(size_of.max())
            rank = max(rank, int((size_of > zero_below(used, largest) + residuals).sum()))
            wanted = residuals[-1] if ends == "largest" else max(residuals[0], residuals[-1])
            found = bool(wanted <= TOLERANCE * largest)
            if last or found:
                return Extremes(float(values[0]), float(values[-1]), found, rank, taken)
            if used == most:
                keep = np.r_[0:KEPT, used - KEPT : used]
                V[: len(keep)] = vectors[:, keep].T @ V
                T[:] = 0.0
                T[np.arange(len(keep)), np.arange(len(keep))] = values[keep]
                used = len(keep)
        V[used] = w / out
        used += 1


def _orthogonal(w: Array, V: Array) -> tuple[Array, Array]:
    """w (size,) without its part in the orthonormal rows of V (used, size); that part, V w.

    The last two rows first, which hold nearly all of it: then once is as good as twice, and where
    it is not (after a restart, or with nothing left) twice is enough (Kahan and Parlett).
    """
    along = np.zeros(len(V))
    for row in range(len(V) - 1, max(len(V) - 3, -1), -1):
        along[row] = V[row] @ w
        w = w - along[row] * V[row]
    before = float(np.linalg.norm(w))
    for _ in range(2):
        part = V @ w
        w = w - part @ V
        along += part
        if float(np.linalg.norm(w)) > 0.7 * before:
            break
    return w, along
