"""Traces of the layers' Hessians, of all of them together too, without forming them where wide.

    tr PH_l = sum_i B_i^2 (W_{l+1}^T PH_{l+1} W_{l+1})_ii + D_ii        tr G_l = |S_l|^2

Next to an output where PH_L is diagonal, c, the diagonal of W^T PH W is c W^2, W^2 entry by entry.
"""

import numpy as np

from surfacecli.network.curvature.passes import Backpropagation, backpropagate
from surfacecli.network.curvature.recursion import walk_pre_activation_hessians
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

    Where D is not 0 in a deep and wide net this is the recursion itself, down to layer l + 1: about
    2 N n^3 multiply-adds for each layer between.
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
    above = min(layer + 1, network.depth)
    for block in walk_pre_activation_hessians(passes, above):
        if block.layer == above:
            PH = block.gauss_newton if gauss_newton else block.hessian
            if W is None:
                traces[block.rows] = np.einsum("nii->n", PH)
            else:
                diagonal = np.square(B[block.rows]) * ((PH @ W) * W).sum(axis=1)
                traces[block.rows] = (diagonal + D[block.rows]).sum(axis=1)
    return traces


def full_trace(objective: Objective, network: Network | None = None) -> float:
    """The trace of the Hessian over all weights: the sum of the layers' traces."""
    passes = backpropagate(objective, network)
    total = 0.0
    for layer in range(1, passes.network.depth + 1):
        squares = np.square(passes.inputs(layer)).sum(axis=1)
        total += float(pre_activation_traces(passes, layer, False) @ squares)
    return total
