"""Roots of the Gauss-Newton matrices: G_l = S_l^T S_l for each data point, by the chain rule.

    S_L = C B_L,  C^T C = H_loss        S_l = S_{l+1} W_{l+1} B_l

S_l is (r, n_l), r at most n_L: where the net narrows, much smaller than G_l; and its singular
values tell the rank where the eigenvalues of G_l, their squares, are lost to rounding (leaky_relu
with slope 0.01 loses four digits of G with each layer). Needs a convex loss. Where nothing bends,
G_l is PH_l of eq. (2), found by another road.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from surfacecli.network.curvature.passes import Backpropagation
from surfacecli.network.curvature.recursion import BLOCK
from surfacecli.network.transfers import Array


def has_roots(passes: Backpropagation, layer: int, gauss_newton: bool) -> bool:
    """Whether the layer's matrices are S^T S by the mathematics: then they must be PSD."""
    return passes.objective.loss.convex and (gauss_newton or not passes.bent(layer))


def walk_roots(
    passes: Backpropagation, layer: int, chosen: NDArray[np.intp] | None = None
) -> Iterator[tuple[NDArray[np.intp], Array]]:
    """(data, S_l (k, r, n_l)) for blocks of k data points, of those `chosen` (None: of all).

    Memory is bounded by a few blocks. Raises `ValueError` where the loss is not convex.
    """
    if not passes.objective.loss.convex:
        raise ValueError(f"{passes.objective.loss.name} is not convex: its Hessian has no root")
    network = passes.network
    data = np.arange(len(passes.objective.data)) if chosen is None else chosen
    step = max(1, BLOCK // (max(network.widths[layer:]) * network.widths[-1]))
    for start in range(0, len(data), step):
        rows = data[start : start + step]
        S = _loss_root(passes, rows)
        for k in range(network.depth, layer - 1, -1):
            if k < network.depth:
                count, r, n = S.shape
                W = network.weights[k]
                S = (S.reshape(count * r, n) @ W).reshape(count, r, W.shape[1])
            S = S * passes.slopes[k - 1][rows][:, None, :]
        yield rows, S


def _loss_root(passes: Backpropagation, rows: NDArray[np.intp]) -> Array:
    """C (k, r, n_L) with C^T C the loss's Hessian."""
    loss = passes.objective.loss
    a, y = passes.activations[-1][rows], passes.objective.data.targets[rows]
    if loss.separable:
        return np.sqrt(loss.product(a, y, np.ones_like(a)))[:, :, None] * np.eye(a.shape[1])
    assert loss.root is not None, f"{loss.name} is neither separable nor has a root"
    return loss.root(a, y)
