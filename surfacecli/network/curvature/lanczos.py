"""Extreme eigenvalues of a symmetric map that is known by its products alone.

Lanczos's iteration with full reorthogonalisation and thick restarts (Wu and Simon, 2000): with an
orthonormal basis V (m, size) and T = V A V^T, an eigenpair (t, y) of T has the residual
|A (V^T y) - t V^T y| = b |y_last|, b the norm of what A leads out of the basis. Some eigenvalue of
A lies within the residual of t; the outermost t lie inside the spectrum.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from surfacecli.network.transfers import Array

#: Residual, relative to the largest absolute eigenvalue, at which an end counts as found.
TOLERANCE = 1e-9
#: Numbers that the basis may hold (about 0.5 GB), and vectors that it holds at most.
BASIS, VECTORS = 1 << 26, 200
#: Products before the iteration gives up.
PRODUCTS = 2000
#: Vectors of each end of the spectrum that a restart keeps.
KEPT = 8


@dataclass(frozen=True)
class Extremes:
    """The outermost eigenvalues found, their residuals, and the number of products it took.

    Where not `converged`, `smallest` is only known to be an upper bound of the smallest eigenvalue
    and `largest` a lower bound of the largest.
    """

    smallest: float
    largest: float
    smallest_residual: float
    largest_residual: float
    products: int
    converged: bool


def find_extremes(
    product: Callable[[Array], Array],
    size: int,
    tolerance: float = TOLERANCE,
    products: int = PRODUCTS,
) -> Extremes:
    """Smallest and largest eigenvalue of the symmetric map `product` of (size,) to (size,).

    Reproducible: the start is drawn from a fixed seed.
    """
    most = min(size, max(2 * KEPT + 2, min(VECTORS, BASIS // size)))
    V = np.empty((most, size))
    T = np.zeros((most, most))
    v = np.random.default_rng(0).standard_normal(size)
    V[0] = v / np.linalg.norm(v)
    used, taken = 1, 0
    while True:
        w = product(V[used - 1])
        taken += 1
        along = np.zeros(used)
        for _ in range(2):  # twice is enough (Kahan and Parlett)
            part = V[:used] @ w
            w = w - part @ V[:used]
            along += part
        T[used - 1, :used] = T[:used, used - 1] = along
        out = float(np.linalg.norm(w))
        full, restart = used == size, used == most
        scale = float(np.abs(T[:used, :used]).max())
        # What is left is rounding: the basis holds every eigenvalue that the start can reach.
        closed = full or out <= 16 * np.finfo(np.float64).eps * scale
        if closed or restart or used % 10 == 0 or taken >= products:
            values, vectors = np.linalg.eigh(T[:used, :used])
            residuals = (0.0 if closed else out) * np.abs(vectors[-1])
            limit = tolerance * float(np.abs(values).max())
            found = closed or max(residuals[0], residuals[-1]) <= limit
            if found or taken >= products:
                return Extremes(
                    float(values[0]),
                    float(values[-1]),
                    float(residuals[0]),
                    float(residuals[-1]),
                    taken,
                    bool(found),
                )
        if restart:
            keep = np.r_[0:KEPT, used - KEPT : used]
            V[: 2 * KEPT] = vectors[:, keep].T @ V[:used]
            T[:] = 0.0
            T[np.arange(2 * KEPT), np.arange(2 * KEPT)] = values[keep]
            used = 2 * KEPT
        V[used] = w / out
        used += 1
