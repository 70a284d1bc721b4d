"""Lower bounds of ranks where no matrix is formed: with bounds.py, the rank from both sides.

    rank S_{k-1} >= rank S_k - (n_k - rank W_k) - (units with B_{k-1} = 0)
    rank H_l = sum_n rank PH_n              where all a_n are independent
    rank H_l >= sum over T of rank PH_n     where the PH_n are PSD and a_n independent for n in T
    rank M >= rank of a principal block of M

The first is Sylvester's inequality along the chain S_{k-1} = S_k W_k B_{k-1} of roots.py. The
second holds since H_l = X^T diag(PH_n) X, X of blocks I kron a_n^T, which then has full row rank;
the third since adding PSD terms lowers no rank. Legend: a = a_{l-1}, what enters the layer.
"""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from surfacecli.network.curvature.bounds import curved_units, inner_rank_bounds
from surfacecli.network.curvature.dense import KroneckerSum
from surfacecli.network.curvature.matrices import measure_matrix, smallest_size
from surfacecli.network.curvature.passes import Backpropagation
from surfacecli.network.curvature.products import pre_activation_product
from surfacecli.network.curvature.recursion import BLOCK
from surfacecli.network.curvature.roots import has_roots, walk_roots
from surfacecli.network.curvature.spectrum import (
    count_nonzero,
    count_nonzero_each,
    eigenvalues_of,
    zero_below,
)
from surfacecli.network.curvature.traces import output_diagonal
from surfacecli.network.transfers import Array

#: Multiply-adds that principal blocks may take, and numbers that those of all data may hold.
FLOOR_WORK, FLOOR_NUMBERS = 4e11, 1 << 24
#: The largest principal block of one data point of which all eigenvalues are found.
SMALL = 128
#: A block is nearly regular where the bound of its smallest eigenvalue exceeds this part of what
#: counts: the bound itself is low by some such factor.
DOUBT = 1e-3
#: The largest principal block (rows) of H_l.
LARGE = 4000


def inner_floors(passes: Backpropagation, layer: int, gauss_newton: bool) -> NDArray[np.intp]:
    """The least that the rank of each data point's PH_l, or G_l, can be: (N,)."""
    most = inner_rank_bounds(passes, layer, gauss_newton)
    least = np.zeros(len(most), dtype=np.intp)
    if has_roots(passes, layer, gauss_newton):
        least = np.minimum(chain_floors(passes, layer), most)
    if (least < most).any():
        for rows, P in _walk_principal_blocks(passes, layer, gauss_newton):
            least[rows] = np.maximum(least[rows], np.minimum(_block_ranks(P), most[rows]))
    return least


def chain_floors(passes: Backpropagation, layer: int) -> NDArray[np.intp]:
    """The same for a loss whose Hessian has a root, by the ranks of the weights alone: (N,)."""
    network, loss = passes.network, passes.objective.loss
    if loss.separable:
        least = np.asarray((output_diagonal(passes, True) != 0).sum(axis=1), dtype=np.intp)
    else:
        least = np.zeros(len(passes.objective.data), dtype=np.intp)
        for rows, S in walk_roots(passes, network.depth):
            least[rows] = count_nonzero_each(np.asarray(np.linalg.svd(S, compute_uv=False)))
    for k in range(network.depth, layer, -1):
        W = network.weights[k - 1]
        rank = count_nonzero(np.asarray(np.linalg.svd(W, compute_uv=False)))
        least = least - (len(W) - rank) - (passes.slopes[k - 2] == 0).sum(axis=1)
    return np.maximum(least, 0)


def _walk_principal_blocks(
    passes: Backpropagation, layer: int, gauss_newton: bool
) -> Iterator[tuple[slice, Array]]:
    """(rows, blocks of their PH_l over the units that most data curve), of bounded work."""
    network, count = passes.network, len(passes.objective.data)
    n = network.widths[layer]
    if layer + 1 == network.depth and passes.objective.loss.separable:
        c = output_diagonal(passes, gauss_newton)
        alike = bool((c == c[0]).all())
        above = 0 if alike else len(network.weights[layer])
        size = n
        while size > 1 and count * (above * size**2 + size**3 / 3) > FLOOR_WORK:
            size = size * 9 // 10
        yield from _next_to_output(
            passes, gauss_newton, most_curved(passes, layer, gauss_newton, size)
        )
        return
    widths = network.widths[layer:]
    each = 2.0 * count * (n + sum(one * other for one, other in itertools.pairwise(widths)))
    size = int(min(n, SMALL, np.sqrt(FLOOR_NUMBERS / count), FLOOR_WORK / each))
    if size:
        units = most_curved(passes, layer, gauss_newton, size)
        yield slice(0, count), blocks_by_products(passes, layer, gauss_newton, units)


def most_curved(
    passes: Backpropagation, layer: int, gauss_newton: bool, count: int
) -> NDArray[np.intp]:
    """The `count` units of a layer that most data points curve."""
    data = curved_units(passes, layer, gauss_newton).sum(axis=0)
    return np.sort(np.argsort(-data, kind="stable")[:count])


def _next_to_output(
    passes: Backpropagation, gauss_newton: bool, units: NDArray[np.intp]
) -> Iterator[tuple[slice, Array]]:
    """The same where PH_{l+1} is diagonal, c: B W^T c W B + D over `units`, some data at a time."""
    layer = passes.network.depth - 1
    W, c = passes.network.weights[layer][:, units], output_diagonal(passes, gauss_newton)
    B, D = passes.slopes[layer - 1][:, units], passes.bends[layer - 1][:, units]
    shared = (W.T * c[0]) @ W if (c == c[0]).all() else None
    step = max(1, BLOCK // (len(units) * max(len(units), len(W))))
    at = np.arange(len(units))
    for start in range(0, len(c), step):
        rows = slice(start, min(start + step, len(c)))
        P = shared if shared is not None else (W.T * c[rows, None, :]) @ W
        P = P * B[rows, :, None] * B[rows, None, :]
        if not gauss_newton:
            P[:, at, at] += D[rows]
        yield rows, P


def blocks_by_products(
    passes: Backpropagation, layer: int, gauss_newton: bool, units: NDArray[np.intp]
) -> Array:
    """The principal blocks (N, k, k) of PH_l, or G_l, over k units: k products with all data."""
    count, n = len(passes.objective.data), passes.network.widths[layer]
    blocks = np.empty((count, len(units), len(units)))
    for column, unit in enumerate(units):
        x = np.zeros((count, n))
        x[:, unit] = 1.0
        product = pre_activation_product(passes, layer, x, gauss_newton)
        blocks[:, :, column] = product[:, units]
    return np.asarray(0.5 * (blocks + blocks.swapaxes(1, 2)))


def _block_ranks(P: Array) -> NDArray[np.intp]:
    """What the ranks of symmetric matrices (k, n, n) are at least; exact up to `SMALL` rows.

    A larger one is clearly regular; or nearly so, and all its eigenvalues tell; or its first rows
    are all that is looked at.
    """
    if P.shape[1] <= SMALL:
        return count_nonzero_each(eigenvalues_of(P))
    ranks = np.full(len(P), P.shape[1])
    for k, block in enumerate(P):
        largest = float(np.abs(block).sum(axis=1).max())
        zero, smallest = zero_below(len(block), largest), smallest_size(block)
        if smallest <= zero:
            part = block if smallest > DOUBT * zero else block[:SMALL, :SMALL]
            ranks[k] = count_nonzero(eigenvalues_of(part))
    return ranks


def outer_floor(
    passes: Backpropagation, layer: int, gauss_newton: bool, inner: NDArray[np.intp], high: int
) -> int:
    """The least that the rank of H_l can be, by what its PH_l have at least, `inner` (N,)."""
    a = passes.inputs(layer)
    seen = np.any(a != 0, axis=1)
    rooted = has_roots(passes, layer, gauss_newton)
    order = np.argsort(-inner[seen], kind="stable")
    least, a, inner = 0, a[seen][order], inner[seen][order]
    rank = _rank_of(a)
    if rank == len(a):
        least = int(inner.sum())
    elif rooted:
        # Some `rank` of the data are independent: the first ones, or at worst those of least rank.
        independent = _rank_of(a[:rank]) == rank
        least = int((inner[:rank] if independent else inner[len(inner) - rank :]).sum())
    size = min(LARGE, high) // a.shape[1]
    if least < high and size * a.shape[1] > least:
        least = max(least, _rank_of_principal_block(passes, layer, gauss_newton, size))
    return min(least, high)


def _rank_of(a: Array) -> int:
    return count_nonzero(np.asarray(np.linalg.svd(a, compute_uv=False))) if a.size else 0


def _rank_of_principal_block(
    passes: Backpropagation, layer: int, gauss_newton: bool, count: int
) -> int:
    """The rank of H_l over the weights into the `count` units that most data curve."""
    units = most_curved(passes, layer, gauss_newton, count)
    a = passes.inputs(layer)
    block = KroneckerSum(len(units), a.shape[1])
    block.add(blocks_by_products(passes, layer, gauss_newton, units), a)
    return measure_matrix(block.matrix(), has_roots(passes, layer, gauss_newton)).rank
