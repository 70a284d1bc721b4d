"""Traces of the layers' Hessians, of all of them together too, without forming them where wide.

    tr PH_l = sum_i B_i^2 (W_{l+1}^T PH_{l+1} W_{l+1})_ii + D_ii        tr G_l = |S_l|^2

Next to an output where PH_L is diagonal, c, the diagonal of W^T PH W is c W^2, W^2 entry by entry.
From k = l + 2 on PH_{l+1} need not be formed either, nor PH_k where it is diagonal:

    diag W_{l+1}^T PH_{l+1} W_{l+1} = diag Y^T PH_k Y + D_{l+1} W_{l+1}^2    Y = W_k B_{l+1} W_{l+1}
"""

from collections.abc import Iterator

import numpy as np

from surfacecli.network.curvature.passes import Backpropagation, backpropagate
from surfacecli.network.curvature.recursion import BLOCK, walk_pre_activation_hessians
from surfacecli.network.curvature.roots import has_roots, walk_roots
from surfacecli.network.data import Objective
from surfacecli.network.model import Network
from surfacecli.network.transfers import Array


def output_diagonal(passes: Backpropagation, gauss_newton: bool) -> Array:
    """PH_L, or G_L, of a separable loss: the diagonals (N, n_L)."""
    a, B = passes.activations[-1], passes.slopes[-1]
    curved = np.square(B) * passes.objective.loss.product(
        a, passes.objective.data.targets, np.ones_like(a)
    )
    return curved if gauss_newton else curved + passes.bends[-1]


def pre_activation_traces(passes: Backpropagation, layer: int, gauss_newton: bool) -> Array:
    """tr PH_l, or tr G_l, of each data point, (N,).

    Where D is not 0 in a deep and wide net this is the recursion itself, down to layer l + 2, and
    Y: about 2 N n^3 multiply-adds for each layer between.
    """
    network, loss = passes.network, passes.objective.loss
    if layer == network.depth and loss.separable:
        return np.asarray(output_diagonal(passes, gauss_newton).sum(axis=1))
    B = passes.slopes[layer - 1]
    D = np.zeros_like(B) if gauss_newton else passes.bends[layer - 1]
    W = None if layer == network.depth else network.weights[layer]
    if W is not None and layer + 1 == network.depth and loss.separable:
        diagonal = output_diagonal(passes, gauss_newton) @ np.square(W)
        return np.asarray((np.square(B) * diagonal + D).sum(axis=1))
    traces = np.empty(len(passes.objective.data))
    if has_roots(passes, layer, gauss_newton):
        for rows, S in walk_roots(passes, layer):
            traces[rows] = np.einsum("nri,nri->n", S, S)
        return traces
    if W is not None and layer + 1 < network.depth:
        diagonal = np.zeros_like(B) if gauss_newton else passes.bends[layer] @ np.square(W)
        traces = _traces_by_two_layers(passes, layer, gauss_newton)
        return np.asarray(traces + (np.square(B) * diagonal + D).sum(axis=1))
    for block in walk_pre_activation_hessians(passes, network.depth):
        PH = block.gauss_newton if gauss_newton else block.hessian
        if W is None:
            traces[block.rows] = np.einsum("nii->n", PH)
        else:
            diagonal = np.square(B[block.rows]) * ((PH @ W) * W).sum(axis=1)
            traces[block.rows] = (diagonal + D[block.rows]).sum(axis=1)
    return traces


def _traces_by_two_layers(passes: Backpropagation, layer: int, gauss_newton: bool) -> Array:
    """The trace of B_l Y^T PH_{l+2} Y B_l for each data point, (N,)."""
    above, last = layer + 2, passes.network.depth
    traces = np.empty(len(passes.objective.data))
    if above == last and passes.objective.loss.separable:
        c = output_diagonal(passes, gauss_newton)
        for part, Y in _walk_two_layers(passes, layer, slice(0, len(c))):
            traces[part] = (np.square(Y).sum(axis=2) * c[part]).sum(axis=1)
        return traces
    for block in walk_pre_activation_hessians(passes, above):
        if block.layer == above:
            PH = block.gauss_newton if gauss_newton else block.hessian
            for part, Y in _walk_two_layers(passes, layer, block.rows):
                here = PH[part.start - block.rows.start :][: len(Y)]
                traces[part] = ((here @ Y) * Y).sum(axis=(1, 2))
    return traces


def _walk_two_layers(
    passes: Backpropagation, layer: int, rows: slice
) -> Iterator[tuple[slice, Array]]:
    """(block of `rows`, Y B_l (k, n_{l+2}, n_l)), the Jacobian of h_{l+2} in h_l; few at a time."""
    lower, upper = passes.network.weights[layer : layer + 2]
    step = max(1, BLOCK // (len(upper) * max(lower.shape)))
    for start in range(rows.start, rows.stop, step):
        block = slice(start, min(start + step, rows.stop))
        inner = upper * passes.slopes[layer][block][:, None, :]
        count, k, n = inner.shape
        Y = (inner.reshape(count * k, n) @ lower).reshape(count, k, -1)
        Y *= passes.slopes[layer - 1][block][:, None, :]
        yield block, Y


def full_trace(objective: Objective, network: Network | None = None) -> float:
    """The trace of the Hessian over all weights: the sum of the layers' traces."""
    passes = backpropagate(objective, network)
    total = 0.0
    for layer in range(1, passes.network.depth + 1):
        squares = np.square(passes.inputs(layer)).sum(axis=1)
        total += float(pre_activation_traces(passes, layer, False) @ squares)
    return total
