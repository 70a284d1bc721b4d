"""The Hessian of a layer's weights in numbers, by the cheapest of four roads that is exact for it.

    units      last layer, loss separable: H_L = diag over outputs i of A^T diag(c_i) A
    matrix     up to `DENSE` weights: H_l itself, over what the units' data span (see bounds.py)
    factors    PH_n = L_n S_n L_n^T with few columns in all: H = F S F^T, F of columns l kron a,
               and R S R^T of F = Q R has the same nonzero eigenvalues
    products   beyond: extreme eigenvalues by Lanczos's iteration, the rank by bounds that say so

Legend: A (N, n_{l-1}) what enters the layer, L_n (n_l, k), S_n a diagonal of signs.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from surfacecli.network.curvature.bounds import span_bound, unit_spans
from surfacecli.network.curvature.floors import outer_floor
from surfacecli.network.curvature.inner import by_products
from surfacecli.network.curvature.inverses import outer_inverse
from surfacecli.network.curvature.matrices import (
    ALL,
    Measured,
    is_positive_definite,
    measure_matrix,
)
from surfacecli.network.curvature.passes import Backpropagation
from surfacecli.network.curvature.products import layer_product
from surfacecli.network.curvature.roots import has_roots, walk_roots
from surfacecli.network.curvature.spectrum import (
    Rank,
    Spectrum,
    count_nonzero,
    spectrum_from,
    zero_below,
)
from surfacecli.network.transfers import Array

#: The largest matrix (rows) that is formed: up to here the rank is exact.
DENSE = 4500
#: Numbers that the columns F of the factors may hold (about 0.25 GB).
FACTORS = 1 << 25
#: Up to this many rows or columns of F a rank in doubt is settled by F's singular values.
SHARP = 600


def weights_by_units(
    passes: Backpropagation, layer: int, diagonal: Array, trace: float
) -> Spectrum:
    """The spectrum where PH_l is diagonal, `diagonal` (N, n_l): one small matrix for each unit."""
    a = passes.inputs(layer)
    m, n = a.shape[1], diagonal.shape[1]
    patterns, which = np.unique(diagonal.T, axis=0, return_inverse=True)
    values, ranks = [], []
    for c in patterns:
        X = a * np.sqrt(np.abs(c))[:, None]
        found = eigenvalues_of_factors(X.T, np.sign(c))
        rank = count_nonzero(found)
        if (c >= 0).all() and rank < min(np.count_nonzero(c), m):
            rank = count_nonzero(np.asarray(np.linalg.svd(X, compute_uv=False)))
        values.append(found)
        ranks.append(rank)
    chosen = which.ravel()
    rank = sum(ranks[k] for k in chosen)
    return spectrum_from(
        np.concatenate([values[k] for k in chosen]), trace, Rank(rank, rank), n * m
    )


def eigenvalues_of_factors(F: Array, signs: Array) -> Array:
    """The eigenvalues of F diag(signs) F^T for F (size, k), without those that must be 0."""
    if F.shape[1] < F.shape[0]:
        F = np.asarray(np.linalg.qr(F, mode="r"), dtype=np.float64)
    return np.asarray(np.linalg.eigvalsh((F * signs) @ F.T), dtype=np.float64)


def weights_by_matrix(
    passes: Backpropagation, layer: int, gauss_newton: bool, H: Array, trace: float, columns: int
) -> Spectrum:
    """The spectrum from H_l (size, size); `columns` is the number of columns of F."""
    size, rooted = len(H), has_roots(passes, layer, gauss_newton)
    if size <= ALL:
        found = measure_matrix(H, rooted)
        rank = found.rank
        if rooted and rank < min(size, columns):
            rank = _sharpened(passes, layer, gauss_newton, H, rank, columns)
        return _of_part(found, size, rank, trace, size)
    spans = unit_spans(passes, layer, gauss_newton)
    H = over_spans(H, spans)
    found = measure_matrix(H, rooted, size, _product(passes, layer, gauss_newton))
    return _of_part(found, len(H), found.rank, trace, size)


def _of_part(found: Measured, part: int, rank: int, trace: float, size: int) -> Spectrum:
    """The spectrum of a matrix of which only `part` of `size` rows can be other than 0."""
    if found.eigenvalues is not None:
        return spectrum_from(found.eigenvalues, trace, Rank(rank, rank), size)
    low, high = found.smallest, found.largest
    if part < size:
        low, high = min(0.0, low), max(0.0, high)
    psd = low >= -zero_below(part, max(-low, high))
    return Spectrum(size, trace, Rank(rank, rank), low, high, psd)


def _sharpened(
    passes: Backpropagation, layer: int, gauss_newton: bool, H: Array, rank: int, columns: int
) -> int:
    """The rank of a PSD matrix whose eigenvalues leave it in doubt; at least `rank`."""
    spans = unit_spans(passes, layer, gauss_newton)
    m = passes.inputs(layer).shape[1]
    most = min(columns, sum(m if Q is None else len(Q) for Q in spans))
    if rank >= most:
        return rank
    if min(len(H), columns) <= SHARP:
        return max(rank, min(most, _rank_of_factors(passes, layer)))
    reduced = over_spans(H, spans)
    return most if len(reduced) == most and is_positive_definite(reduced) else rank


def _rank_of_factors(passes: Backpropagation, layer: int) -> int:
    """The rank of F = [S_n^T kron a_n] by its singular values, a triangle for a block of data."""
    a = passes.inputs(layer)
    R: Array = np.zeros((0, a.shape[1] * passes.network.widths[layer]))
    for rows, S in walk_roots(passes, layer):
        F = np.einsum("nri,nj->nrij", S, a[rows]).reshape(-1, R.shape[1])
        R = np.asarray(np.linalg.qr(np.concatenate([R, F]), mode="r"), dtype=np.float64)
    return count_nonzero(np.asarray(np.linalg.svd(R, compute_uv=False)))


def over_spans(H: Array, spans: list[Array | None]) -> Array:
    """Q H Q^T, Q the block diagonal of the units' bases (None: the unit matrix)."""
    if all(Q is None for Q in spans):
        return H
    m = len(H) // len(spans)
    for _ in range(2):
        strips = [H[i * m : (i + 1) * m] for i in range(len(spans))]
        parts = [s if Q is None else Q @ s for s, Q in zip(strips, spans, strict=True)]
        H = np.concatenate(parts).T
    return H


def weights_by_factors(
    passes: Backpropagation,
    layer: int,
    gauss_newton: bool,
    factors: list[tuple[NDArray[np.intp], Array, Array]],
    trace: float,
    columns: int,
) -> Spectrum:
    """The spectrum from blocks of (data (k,), columns L (k, n_l), signs (k,)) of the PH_l,n.

    `columns` is what the blocks' ranks add up to: more, where eigenvalues did not tell them.
    """
    a = passes.inputs(layer)
    data, L, signs = (np.concatenate(parts) for parts in zip(*factors, strict=True))
    F = (L[:, :, None] * a[data, None, :]).reshape(len(data), L.shape[1] * a.shape[1])
    size, rooted = F.shape[1], has_roots(passes, layer, gauss_newton)
    R = F.T if len(F) >= size else np.asarray(np.linalg.qr(F.T, mode="r"), dtype=np.float64)
    found = measure_matrix((R * signs) @ R.T, rooted, size)
    rank, roots = found.rank, len(a) * passes.network.widths[-1]
    most = min(columns, size)
    if rooted and rank < most <= SHARP and roots * size <= FACTORS:
        rank = max(rank, min(most, _rank_of_factors(passes, layer)))
    return _of_part(found, len(R), rank, trace, size)


def weights_by_products(
    passes: Backpropagation,
    layer: int,
    gauss_newton: bool,
    trace: float,
    inner: tuple[NDArray[np.intp], NDArray[np.intp]],
) -> Spectrum:
    """The spectrum without any matrix; `inner` bounds the ranks of the PH_l,n, (N,) and (N,)."""
    size = passes.network.weights[layer - 1].size
    seen = np.any(passes.inputs(layer) != 0, axis=1)
    most = int(inner[1][seen].sum())
    high = min(size, most, span_bound(passes, layer, gauss_newton))
    low = outer_floor(passes, layer, gauss_newton, inner[0], high)
    rooted = has_roots(passes, layer, gauss_newton)
    inverse = outer_inverse(passes, layer, gauss_newton) if rooted and low == size else None
    shape = passes.network.weights[layer - 1].shape
    solve = inverse and (lambda v: inverse(v.reshape(shape)).ravel())
    product = _product(passes, layer, gauss_newton)
    return by_products(product, size, trace, Rank(low, high), rooted, solve)


def _product(passes: Backpropagation, layer: int, gauss_newton: bool) -> Callable[[Array], Array]:
    """v -> H_l v over the flattened weights, without the matrix."""
    shape = passes.network.weights[layer - 1].shape

    def product(v: Array) -> Array:
        return layer_product(passes, layer, v.reshape(shape), gauss_newton).ravel()

    return product
