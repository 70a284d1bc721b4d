"""The top eigenvectors of a symmetric map: of a matrix where that is small, else by its products.

A block method, since one vector at a time does not see that an eigenvalue stands twice: the basis V
grows by the residuals A x - t x of the wanted eigenpairs (t, x) of V A V^T, and restarts with the
best of them (Davidson's iteration without a preconditioner, which is a block of Lanczos's).
"""

from collections.abc import Callable

import numpy as np

from surfacecli.network.transfers import Array

#: The largest matrix (rows) that is formed and solved as a whole.
WHOLE = 500
#: Residual, relative to the largest absolute eigenvalue, at which a pair counts as found.
TOLERANCE = 1e-10
#: Vectors of the basis for each that is wanted; products for each before the iteration gives up.
ROOM, PATIENCE = 12, 400


def top_eigenpairs(product: Callable[[Array], Array], size: int, count: int) -> tuple[Array, Array]:
    """The `count` largest eigenvalues, the largest first, (count,), and eigenvectors (count, size).

    `product` takes and gives vectors (k, size). Reproducible: the start is drawn from a fixed seed.
    Raises `ValueError` where there are fewer than `count`, or where they are not found.
    """
    if not 1 <= count <= size:
        raise ValueError(f"a matrix of {size} rows has no {count} eigenvalues")
    if size <= WHOLE:
        values, vectors = np.linalg.eigh(product(np.eye(size)))
        return values[::-1][:count].copy(), np.ascontiguousarray(vectors.T[::-1][:count])
    V = _orthonormal(np.random.default_rng(0).standard_normal((2 * count, size)))
    AV = product(V)
    for _ in range(PATIENCE):
        values, vectors = np.linalg.eigh(V @ AV.T)
        T = vectors.T[::-1]  # the largest first
        top, X, AX = values[::-1][:count], T[:count] @ V, T[:count] @ AV
        residuals = AX - top[:, None] * X
        missed = np.linalg.norm(residuals, axis=1)
        open_ones = missed > TOLERANCE * np.abs(values).max()
        if not open_ones.any():
            return top, X
        if len(V) + count > ROOM * count:
            V, AV = T[: 3 * count] @ V, T[: 3 * count] @ AV
        fresh = _orthonormal(residuals[open_ones] / missed[open_ones, None], V)
        V, AV = np.concatenate([V, fresh]), np.concatenate([AV, product(fresh)])
    raise ValueError(f"the {count} largest eigenvalues are not found in {PATIENCE} steps")


def _orthonormal(rows: Array, against: Array | None = None) -> Array:
    """Rows (k, size) made orthonormal, and orthogonal to orthonormal ones; twice is enough."""
    for _ in range(2):
        if against is not None:
            rows = rows - (rows @ against.T) @ against
        rows = np.asarray(np.linalg.qr(rows.T)[0].T, dtype=np.float64)
    return rows
