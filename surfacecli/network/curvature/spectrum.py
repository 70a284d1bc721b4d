"""What is told of a symmetric matrix: trace, rank, extreme eigenvalues, and whether it is PSD."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.network.transfers import Array

#: An eigenvalue or singular value counts as 0 below ZERO size eps times the largest: rounding.
ZERO = 8.0


@dataclass(frozen=True)
class Rank:
    """A rank, or bounds of one where they differ: low <= rank <= high."""

    low: int
    high: int

    @property
    def exact(self) -> bool:
        return self.low == self.high

    def __str__(self) -> str:
        return str(self.low) if self.exact else f"{self.low} to {self.high}"


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A symmetric matrix (size, size) in numbers.

    `eigenvalues` are all of them, ascending, (size,), or None where not all were found. Where not
    `converged` the extreme eigenvalues are those of a subspace: the smallest is an upper bound and
    the largest a lower one. `psd` is None where that leaves it open.
    """

    size: int
    trace: float
    rank: Rank
    smallest_eigenvalue: float
    largest_eigenvalue: float
    psd: bool | None
    converged: bool = True
    eigenvalues: Array | None = None

    @property
    def zero_share(self) -> float:
        """The share of directions without curvature, 1 - rank / size.

        Where the rank is known by bounds, what is certain: the share is at least this.
        """
        return 1.0 - self.rank.high / self.size


def zero_below(size: int, largest: float) -> float:
    """What a value of a matrix of this size must exceed, in absolute value, to count."""
    return ZERO * float(np.finfo(np.float64).eps) * size * largest


def eigenvalues_of(matrix: Array) -> Array:
    """All eigenvalues (..., n), ascending, of symmetric matrices (..., n, n)."""
    return np.asarray(np.linalg.eigvalsh(matrix), dtype=np.float64)


def count_nonzero(values: Array) -> int:
    """How many of the eigenvalues or singular values (n,) of one matrix are not rounding of 0."""
    sizes = np.abs(values)
    return int((sizes > zero_below(len(values), float(sizes.max(initial=0.0)))).sum())


def count_nonzero_each(values: Array) -> NDArray[np.intp]:
    """The same for N matrices at once: values (N, n), counts (N,)."""
    sizes = np.abs(values)
    limit = zero_below(values.shape[1], 1.0) * sizes.max(axis=1, keepdims=True, initial=0.0)
    return np.asarray((sizes > limit).sum(axis=1), dtype=np.intp)


def spectrum_from(eigenvalues: Array, trace: float, rank: Rank, size: int) -> Spectrum:
    """The spectrum from the eigenvalues; those that are missing from `size` are exactly 0."""
    values = np.sort(np.concatenate([eigenvalues, np.zeros(size - len(eigenvalues))]))
    low, high = float(values[0]), float(values[-1])
    psd = low >= -zero_below(len(eigenvalues), max(-low, high))
    return Spectrum(size, trace, rank, low, high, psd, True, values)
