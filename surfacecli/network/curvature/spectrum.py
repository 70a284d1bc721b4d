"""What is told of a symmetric matrix: trace, rank, extreme eigenvalues, and whether it is PSD."""

from dataclasses import dataclass

import numpy as np

from surfacecli.network.transfers import Array

#: An eigenvalue counts as 0 below this many roundings: ZERO eps size times the largest one.
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

    `eigenvalues` are all of them, ascending, (size,), or None where the matrix is too large. Where
    not `converged`, the extreme eigenvalues are those of a subspace: the smallest is an upper bound
    and the largest a lower one. `psd` is None where that leaves it open.
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
        """The share of directions without curvature, 1 - rank / size; a lower bound of it where
        the rank is known by bounds."""
        return 1.0 - self.rank.high / self.size


def eigenvalues_of(matrix: Array) -> Array:
    """All eigenvalues (..., n), ascending, of symmetric matrices (..., n, n)."""
    return np.asarray(np.linalg.eigvalsh(matrix), dtype=np.float64)


def zero_below(size: int, largest: float) -> float:
    """What an eigenvalue of a matrix of this size must exceed, in absolute value, to count."""
    return ZERO * float(np.finfo(np.float64).eps) * size * largest


def spectrum_of(eigenvalues: Array, trace: float, size: int | None = None) -> Spectrum:
    """The spectrum from eigenvalues; those that are left out of `size` are exactly 0."""
    if size is not None and size > len(eigenvalues):
        eigenvalues = np.concatenate([eigenvalues, np.zeros(size - len(eigenvalues))])
    values = np.sort(eigenvalues)
    zero = zero_below(len(values), float(np.abs(values).max()))
    rank = int((np.abs(values) > zero).sum())
    low, high = float(values[0]), float(values[-1])
    return Spectrum(len(values), trace, Rank(rank, rank), low, high, low >= -zero, True, values)
