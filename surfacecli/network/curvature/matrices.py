"""One symmetric matrix in numbers: all eigenvalues where it is small, else only what is asked."""

from dataclasses import dataclass

import numpy as np

from surfacecli.network.curvature.lanczos import find_extremes
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


def measure_matrix(M: Array, definite: bool, part: bool = False) -> Measured:
    """Rank and extreme eigenvalues of a symmetric matrix (n, n), exact up to rounding.

    Past `ALL` rows, a matrix that proves to be regular takes a fraction of the time: its inverse
    gives the eigenvalues next to 0, and Lanczos's iteration the outer ones. `definite` says that
    the matrix ought to be positive semi-definite: then a Cholesky factor is tried first. With
    `part` it stands for a larger matrix that is 0 elsewhere: 0 may then be told as the smallest of
    a positive definite one.
    """
    if len(M) > ALL:
        found = _regular(M, definite, part)
        if found is not None:
            return found
    values = eigenvalues_of(M)
    low, high = (float(values[0]), float(values[-1])) if len(values) else (0.0, 0.0)
    return Measured(count_nonzero(values), low, high, values)


def _regular(M: Array, definite: bool, part: bool) -> Measured | None:
    """What is told of a matrix that is clearly regular; None where it is not, or not clearly."""
    if definite and not is_positive_definite(M):
        return None
    outer = find_extremes(lambda v: M @ v, len(M), "largest" if definite else "both")
    if definite and part and outer.converged:
        return Measured(len(M), 0.0, outer.largest, None)
    try:
        inverse = np.linalg.inv(M)
    except np.linalg.LinAlgError:
        return None
    inner = find_extremes(lambda v: inverse @ v, len(M), "largest" if definite else "both")
    nearest = inner.largest if definite else max(-inner.smallest, inner.largest)
    zero = zero_below(len(M), max(-outer.smallest, outer.largest))
    if not (outer.converged and inner.converged) or nearest * zero >= 1.0:
        return None
    smallest = 1.0 / inner.largest if definite else outer.smallest
    return Measured(len(M), smallest, outer.largest, None)


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
