"""Traces of a layer's pre-activation Hessians without forming them, for wide layers.

    tr PH_l = sum_i B_i^2 (W_{l+1}^T PH_{l+1} W_{l+1})_ii + D_ii        tr G_l = |S_l|^2

Next to an output where PH_L is diagonal, c, the diagonal of W^T PH W is c W^2, W^2 entry by entry.
"""

import numpy as np

from surfacecli.network.curvature.passes import Backpropagation
from surfacecli.network.curvature.recursion import walk_pre_activation_hessians
from surfacecli.network.curvature.roots import has_roots, walk_roots
from surfacecli.network.transfers import Array


def output_diagonal(passes: Backpropagation, gauss_newton: bool) -> Array:
    """PH_L, or G_L, of a separable loss: the diagonals (N, n_L)."""
    a, B = passes.activations[-1], passes.slopes[-1]
    curved = np.square(B) * passes.objective.loss.product(
        a, passes.objective.data.targets, np.ones_like(a)
    )
    return curved if gauss_newton else curved + passes.bends[-1]


def pre_activation_traces(passes: Backpropagation, layer: int, gauss_newton: bool) -> Array:
    """tr PH_l, or tr G_l, of each data point, (N,), of a layer below the last one.

    Where D is not 0 in a deep and wide net this is the recursion itself, down to layer l + 1: about
    2 N n^3 multiply-adds for each layer between.
    """
    network = passes.network
    W, B = network.weights[layer], passes.slopes[layer - 1]
    D = np.zeros_like(B) if gauss_newton else passes.bends[layer - 1]
    if layer + 1 == network.depth and passes.objective.loss.separable:
        diagonal = output_diagonal(passes, gauss_newton) @ np.square(W)
        return np.asarray((np.square(B) * diagonal + D).sum(axis=1))
    traces = np.empty(len(B))
    if has_roots(passes, layer, gauss_newton):
        for rows, S in walk_roots(passes, layer):
            traces[rows] = np.einsum("nri,nri->n", S, S)
        return traces
    for block in walk_pre_activation_hessians(passes, layer + 1):
        if block.layer == layer + 1:
            PH = block.gauss_newton if gauss_newton else block.hessian
            diagonal = ((PH @ W) * W).sum(axis=1)
            traces[block.rows] = (np.square(B[block.rows]) * diagonal + D[block.rows]).sum(axis=1)
    return traces
