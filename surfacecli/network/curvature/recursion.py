"""Pre-activation Hessians: eq. (2) of Botev, Ritter and Barber (2017), arXiv 1706.03662.

    PH_L = B_L H_loss B_L + D_L        PH_l = B_l W_{l+1}^T PH_{l+1} W_{l+1} B_l + D_l

one matrix (n_l, n_l) for each data point; H_loss is the loss's Hessian in the last activation. With
D = 0 throughout the same recursion gives the generalised Gauss-Newton matrix, G_l = J^T H_loss J
with J the Jacobian of the last activation in h_l (the split is at a_L, so a bent output transfer
counts to D). Where no transfer function bends, both are one.
Legend: N data points, or a block of them; B and D are diagonals (N, n).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from surfacecli.network.curvature.passes import Backpropagation, backpropagate
from surfacecli.network.data import Objective
from surfacecli.network.model import Network
from surfacecli.network.transfers import Array

#: Numbers in the matrices of one block of data points (about 8 MB).
BLOCK = 1 << 20
#: Of those, what is worked on at a time (0.5 MB).
CACHE = 1 << 16


@dataclass(frozen=True, eq=False)
class PreActivationHessians:
    """The curvature of one layer's pre-activations, for the data points `rows`.

    hessian PH_l (N, n_l, n_l); gauss_newton G_l (N, n_l, n_l), the very same array where nothing
    bends from this layer on; bends, the diagonal of D_l (N, n_l). Rows index the objective's data.
    """

    layer: int
    rows: slice
    hessian: Array
    gauss_newton: Array
    bends: Array


def pre_activation_hessians(
    objective: Objective, network: Network | None = None
) -> tuple[PreActivationHessians, ...]:
    """PH_l and G_l of every layer for all data points: N (n_1^2 + ... + n_L^2) numbers at least.

    For nets where that is too much, see `walk_pre_activation_hessians`.
    """
    passes = backpropagate(objective, network)
    layers = list(_recursion(passes, slice(0, len(objective.data)), 1))
    return tuple(reversed(layers))


def walk_pre_activation_hessians(
    passes: Backpropagation, lowest: int = 1
) -> Iterator[PreActivationHessians]:
    """The same in blocks of data points: each block's layers from the last down to `lowest`.

    Memory is bounded by two layers' matrices of one block, whatever N. A block has one data point
    at least, so by 2 n^2 numbers for the widest layer n where that is more.
    """
    widest = max(passes.network.widths[lowest:])
    step = max(1, BLOCK // widest**2)
    count = len(passes.objective.data)
    for start in range(0, count, step):
        yield from _recursion(passes, slice(start, min(start + step, count)), lowest)


def _recursion(
    passes: Backpropagation, rows: slice, lowest: int
) -> Iterator[PreActivationHessians]:
    network, loss = passes.network, passes.objective.loss
    PH = loss.hessian(passes.activations[-1][rows], passes.objective.data.targets[rows])
    G: Array | None = None  # None while no D has made a difference
    for layer in range(network.depth, lowest - 1, -1):
        B, D = passes.slopes[layer - 1][rows], passes.bends[layer - 1][rows]
        W = None if layer == network.depth else network.weights[layer]
        PH = _one_layer_back(PH, W, B)
        if G is not None:
            G = _one_layer_back(G, W, B)
        if D.any():
            G = PH.copy() if G is None else G
            units = np.arange(D.shape[1])
            PH[:, units, units] += D
        yield PreActivationHessians(layer, rows, PH, PH if G is None else G, D)


def _one_layer_back(above: Array, W: Array | None, B: Array) -> Array:
    """B W^T (above) W B for each data point; without W at the output. A new array.

    A few data points at a time, so that each stays in the cache through all four products.
    """
    n = B.shape[1]
    below = np.empty((len(B), n, n))
    step = max(1, CACHE // n**2)
    for start in range(0, len(B), step):
        part = slice(start, start + step)
        M = below[part]
        if W is None:
            np.multiply(above[part], B[part, :, None], out=M)
        else:
            np.matmul(W.T, above[part] @ W, out=M)
            M *= B[part, :, None]
        M *= B[part, None, :]
    return below
