"""The pre-activation Hessians of a layer, all data points' as one block-diagonal matrix.

Its eigenvalues are those of the blocks PH_l,n together. In a wide layer they are left out, and the
extreme ones come from products (`pre_activation_product`) with all blocks at once.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from surfacecli.network.curvature.bounds import inner_rank_bounds
from surfacecli.network.curvature.floors import inner_floors
from surfacecli.network.curvature.inverses import inner_inverse
from surfacecli.network.curvature.lanczos import find_extremes
from surfacecli.network.curvature.passes import Backpropagation
from surfacecli.network.curvature.products import pre_activation_product
from surfacecli.network.curvature.roots import has_roots, walk_roots
from surfacecli.network.curvature.spectrum import (
    Rank,
    Spectrum,
    count_nonzero_each,
    zero_below,
)
from surfacecli.network.transfers import Array

#: Multiply-adds that singular values of roots may take, by their sizes.
ROOT_WORK = 2e10


def inner_ranks(
    passes: Backpropagation, layer: int, gauss_newton: bool, eigenvalues: Array
) -> NDArray[np.intp]:
    """The rank of each block (N,): by its eigenvalues (N, n_l), sharpened where they leave doubt.

    Where nothing bends a count that reaches the structural bound is right; the other blocks are
    counted by the singular values of their roots, which see twice as many digits.
    """
    ranks = count_nonzero_each(eigenvalues)
    if not has_roots(passes, layer, gauss_newton):
        return ranks
    open_ones = np.flatnonzero(ranks < inner_rank_bounds(passes, layer, gauss_newton))
    for rows, S in walk_roots(passes, layer, open_ones):
        ranks[rows] = np.maximum(ranks[rows], count_nonzero_each(singular_values(S)))
    return ranks


def singular_values(S: Array) -> Array:
    """The singular values (N, k) of N matrices."""
    return np.asarray(np.linalg.svd(S, compute_uv=False), dtype=np.float64)


def inner_by_eigenvalues(ranks: NDArray[np.intp], eigenvalues: Array, trace: float) -> Spectrum:
    """The spectrum from all eigenvalues (N, n_l) and the ranks (N,) of the blocks."""
    n = eigenvalues.shape[1]
    limits = zero_below(n, 1.0) * np.abs(eigenvalues).max(axis=1)
    psd = bool((eigenvalues.min(axis=1) >= -limits).all())
    values, rank = np.sort(eigenvalues.ravel()), int(ranks.sum())
    low, high = float(values[0]), float(values[-1])
    return Spectrum(len(values), trace, Rank(rank, rank), low, high, psd, True, values)


def inner_rank_range(
    passes: Backpropagation, layer: int, gauss_newton: bool
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The least and the most that the rank of each block (N,) can be, none of them formed."""
    n, r, count = *(passes.network.widths[k] for k in (layer, -1)), len(passes.objective.data)
    if has_roots(passes, layer, gauss_newton) and count * n * r * min(n, r) <= ROOT_WORK:
        exact = np.empty(count, dtype=np.intp)
        for rows, S in walk_roots(passes, layer):
            exact[rows] = count_nonzero_each(singular_values(S))
        return exact, exact
    most = inner_rank_bounds(passes, layer, gauss_newton)
    return inner_floors(passes, layer, gauss_newton), most


def inner_by_products(
    passes: Backpropagation, layer: int, gauss_newton: bool, trace: float, rank: Rank
) -> Spectrum:
    """The spectrum without any block: extreme eigenvalues by products."""
    n, count = passes.network.widths[layer], len(passes.objective.data)

    def product(x: Array) -> Array:
        blocks = x.reshape(count, n)
        return pre_activation_product(passes, layer, blocks, gauss_newton).ravel()

    rooted, inverse = has_roots(passes, layer, gauss_newton), None
    if rooted and rank.low == count * n:
        inverse = inner_inverse(passes, layer, gauss_newton)
    solve = inverse and (lambda x: inverse(x.reshape(count, n)).ravel())
    return by_products(product, count * n, trace, rank, rooted, solve)


def by_products(
    product: Callable[[Array], Array],
    size: int,
    trace: float,
    rank: Rank,
    rooted: bool,
    inverse: Callable[[Array], Array] | None = None,
) -> Spectrum:
    """The spectrum of a map; one that must be PSD and is not regular has 0 as its smallest.

    `inverse` is that of a regular one that must be PSD, where it is known.
    """
    singular = rooted and rank.high < size
    found = find_extremes(product, size, "largest" if singular or inverse else "both")
    smallest, converged = found.smallest, found.converged
    if inverse is not None:
        least = find_extremes(inverse, size, "largest")
        smallest, converged = min(smallest, 1.0 / least.largest), converged and least.converged
    low = max(rank.low, min(found.rank_at_least, rank.high))
    zero = zero_below(size, max(abs(found.smallest), abs(found.largest)))
    negative = smallest < -zero
    psd = False if negative else True if rooted or converged else None
    if singular and not negative:
        smallest = 0.0
    return Spectrum(size, trace, Rank(low, rank.high), smallest, found.largest, psd, converged)
