"""One symmetric matrix in numbers: all eigenvalues where it is small, else only what is asked."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from surfacecli.network.curvature.lanczos import Extremes, find_extremes
from surfacecli.network.curvature.spectrum import count_nonzero, eigenvalues_of, zero_below
from surfacecli.network.transfers import Array

#: The largest matrix (rows) of which all eigenvalues are found as a matter of course.
ALL = 1500


@dataclass(frozen=True, eq=False)
class Measured:
    """Of a symmetric matrix: rank, extreme eigenvalues, and all of them (n,) where found."""

    rank: int
    smallest: float
    largest: float
    eigenvalues: Array | None


def measure_matrix(
    M: Array,
    definite: bool,
    size: int | None = None,
    product: Callable[[Array], Array] | None = None,
) -> Measured:
    """Rank and extreme eigenvalues of a symmetric matrix (n, n), exact up to rounding.

    Past `ALL` rows, a matrix that proves to be regular takes a fraction of the time: its rank is n,
    and Lanczos's iteration finds the extreme eigenvalues. `definite` says that the matrix ought to
    be positive semi-definite: then a Cholesky factor has to show that. M may be all that is not 0
    of a larger matrix, of `size` rows: then the extreme eigenvalues may be told of that one, and
    `product`, where there is a faster one than M itself, is that one's.
    """
    if len(M) > ALL:
        part = size is not None and len(M) < size
        outer = find_extremes(
            product or M.__matmul__,
            size if product and size else len(M),
            "largest" if definite else "both",
        )
        found = _regular(M, definite, part, outer) if outer.converged else None
        if found is not None:
            return found
    values = eigenvalues_of(M)
    low, high = (float(values[0]), float(values[-1])) if len(values) else (0.0, 0.0)
    return Measured(count_nonzero(values), low, high, values)


def _regular(M: Array, definite: bool, part: bool, outer: Extremes) -> Measured | None:
    """What is told of a matrix that is clearly regular; None where it is not, or not clearly."""
    zero = zero_below(len(M), max(-outer.smallest, outer.largest))
    smallest = outer.smallest
    if not definite:
        if smallest_size(M) <= zero:
            return None
    elif not is_positive_definite(M):
        return None
    elif part:
        smallest = 0.0
    else:
        inverse = find_extremes(Factor(M).solve, len(M), "largest")
        smallest = 1.0 / inverse.largest
        if not inverse.converged or smallest <= zero:
            return None
    return Measured(len(M), smallest, outer.largest, None)


def smallest_size(M: Array) -> float:
    """A lower bound of the smallest absolute eigenvalue, 0 where M is singular to rounding.

    A solution x of M x = b is at least as long as b's part along that eigenvector, divided by the
    eigenvalue. Of eight Gaussian b one has a part of more than 0.01, but for once in 1e17 times.
    """
    sides = np.random.default_rng(0).standard_normal((len(M), 8))
    try:
        solutions = np.linalg.solve(M, sides)
    except np.linalg.LinAlgError:
        return 0.0
    return 0.01 / float(np.linalg.norm(solutions, axis=0).max())


class Factor:
    """The Cholesky factor L of a positive definite matrix, to solve with: M = L L^T.

    NumPy solves with triangles by factoring them anew; here it is block by block.
    """

    def __init__(self, M: Array) -> None:
        self.L = np.linalg.cholesky(M)
        starts = range(0, len(M), 128)
        self.blocks = [slice(start, min(start + 128, len(M))) for start in starts]
        self.inverses = [np.linalg.inv(self.L[b, b]) for b in self.blocks]

    def solve(self, right: Array) -> Array:
        """x (n,) with M x = right."""
        L, x = self.L, np.array(right)
        for b, inverse in zip(self.blocks, self.inverses, strict=True):
            x[b] = inverse @ (x[b] - L[b, : b.start] @ x[: b.start])
        for b, inverse in zip(reversed(self.blocks), reversed(self.inverses), strict=True):
            x[b] = inverse.T @ (x[b] - L[b.stop :, b].T @ x[b.stop :])
        return x


def is_positive_definite(M: Array) -> bool:
    """Whether a symmetric matrix is positive definite, clearly so, by a Cholesky factor.

    With rows and columns scaled to a diagonal of 1, which changes neither rank nor signs
    (Sylvester) and takes the units' different scales out of the rounding.
    """
    diagonal = np.diagonal(M)
    if not (diagonal > 0).all():
        return False
    scale = 1.0 / np.sqrt(diagonal)
    scaled = M * scale[:, None] * scale
    scaled[np.diag_indices(len(M))] = 1.0 - zero_below(len(M), 1.0)
    try:
        np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        return False
    return True
