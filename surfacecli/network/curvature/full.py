"""The Hessian over the weights of all layers, with the second derivatives across layers.

For layers l < m, with J_kl = dh_k/dh_l and dE/dh_m = d_m,

    d2E / dW_m[i, j] dW_l[k, q] = sum_n (PH_m J_ml)[i, k] a_{m-1}[j] a_{l-1}[q]
                                      + d_m[i] (B_{m-1} J_{m-1,l})[j, k] a_{l-1}[q]

since dE/dW_m = d_m a_{m-1}^T, d_m moves with h_m alone, and a_{m-1} with h_{m-1}. The diagonal
blocks are the layers' Hessians, eq. (1), so the trace is the sum of theirs (`full_trace`): where
those are PSD, it is not negative.
"""

import itertools

import numpy as np

from surfacecli.network.curvature.dense import KroneckerSum
from surfacecli.network.curvature.passes import Backpropagation, backpropagate
from surfacecli.network.curvature.recursion import walk_pre_activation_hessians
from surfacecli.network.data import Objective
from surfacecli.network.model import Network
from surfacecli.network.transfers import Array


def full_hessian(
    objective: Objective, network: Network | None = None, biases: bool = False
) -> Array:
    """The Hessian (size, size) over all weights, W_1.ravel(), W_2.ravel(), ... one after another.

    With `biases` over [W_l b_l].ravel() of each layer. For small nets: size^2 numbers.
    """
    passes = backpropagate(objective, network)
    depth, widths = passes.network.depth, passes.network.widths
    columns = [passes.inputs(layer, biases).shape[1] for layer in range(1, depth + 1)]
    ends = np.cumsum([0, *(n * m for n, m in zip(widths[1:], columns, strict=True))])
    sums = [KroneckerSum(n, m) for n, m in zip(widths[1:], columns, strict=True)]
    full = np.zeros((ends[-1], ends[-1]))
    for block in walk_pre_activation_hessians(passes):
        above = block.layer
        sums[above - 1].add(block.hessian, passes.inputs(above, biases)[block.rows])
        for below, across in _below(passes, above, block.rows, block.hessian, biases):
            full[ends[above - 1] : ends[above], ends[below - 1] : ends[below]] += across
    full += full.T
    for (start, stop), total in zip(itertools.pairwise(ends), sums, strict=True):
        full[start:stop, start:stop] = total.matrix()
    return full


def _below(
    passes: Backpropagation, m: int, rows: slice, PH: Array, biases: bool
) -> list[tuple[int, Array]]:
    """The blocks (size of m, size of l) for each l < m, summed over the data points `rows`."""
    weights = passes.network.weights
    a, delta = passes.inputs(m, biases)[rows], passes.sensitivities[m - 1][rows]
    blocks: list[tuple[int, Array]] = []
    J: Array | None = None  # dh_{m-1} / dh_l, (N, n_{m-1}, n_l); None for the unit matrix
    B = passes.slopes[m - 2][rows][:, :, None]
    for below in range(m - 1, 0, -1):
        lower = passes.inputs(below, biases)[rows]
        moved = B * (np.eye(B.shape[1]) if J is None else J)
        first = PH @ (weights[m - 1] @ moved)
        if biases:  # the 1 that a bias multiplies does not move
            moved = np.concatenate([moved, np.zeros_like(moved[:, :1])], axis=1)
        across = np.einsum("nik,nj,nq->ijkq", first, a, lower, optimize=True)
        across += np.einsum("ni,njk,nq->ijkq", delta, moved, lower, optimize=True)
        blocks.append((below, across.reshape(across.shape[0] * across.shape[1], -1)))
        if below > 1:
            step = weights[below - 1] * passes.slopes[below - 2][rows][:, None, :]
            J = step if J is None else J @ step
    return blocks
