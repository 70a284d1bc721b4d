"""Slices in which one axis moves the last layer alone: one forward pass per column.

With u fixed the last pre-activations are r + v s, so a column needs the activations below the last
layer once; the sum over its rows is a quadratic (linear output), a running sum over the switches of
the output units (other piecewise-linear outputs, squares), or an affine evaluation (other losses).
"""

import itertools
from collections.abc import Collection

import numpy as np

from surfacecli.geometry.grids import forward
from surfacecli.geometry.grids.lines import line_errors
from surfacecli.geometry.grids.running import keeps_digits
from surfacecli.geometry.slices import Slice
from surfacecli.geometry.surface import blocks, fixed_inputs, hidden_activations
from surfacecli.network.transfers import Array


def _transposed(slice: Slice) -> Slice:
    return Slice(slice.name, slice.objective, slice.origin, slice.along_v, slice.along_u)


def _moves_last_alone(layers: Collection[int], slice: Slice) -> bool:
    return set(layers) == {slice.objective.network.depth}


def applies(slice: Slice) -> bool:
    """u or v moves the last layer and nothing else."""
    return _moves_last_alone(slice.along_v, slice) or _moves_last_alone(slice.along_u, slice)


def operations(slice: Slice, n_u: int, n_v: int) -> float:
    if not _moves_last_alone(slice.along_v, slice):
        n_u, n_v = n_v, n_u
    network, samples = slice.objective.network, len(slice.objective.data)
    widths = network.widths[slice.first_moved - 1 :]
    passes = sum(m * n for m, n in itertools.pairwise(widths)) + 10.0 * sum(widths)
    outputs = 20.0 if slice.objective.loss.scale is not None else 20.0 * n_v
    return n_u * samples * (passes + outputs * widths[-1])


def sample(slice: Slice, u: Array, v: Array) -> Array:
    """E on the grid of u (n_u,) and v (n_v,), shape (n_v, n_u)."""
    if not _moves_last_alone(slice.along_v, slice):
        return sample(_transposed(slice), v, u).T
    objective = slice.objective
    network, loss, y = objective.network, objective.loss, objective.data.targets
    last = network.depth
    f, b = network.transfers[-1], network.biases[-1]
    V, U, W = slice.along_v[last], slice.along_u.get(last), slice.origin[last]
    inputs = fixed_inputs(slice)
    columns, rounding = np.empty((len(u), len(v))), 0.0
    size = len(y) * max(network.widths[slice.first_moved - 1 :])
    for block in blocks(len(u), size):
        a = hidden_activations(slice, inputs, u[block], np.zeros(len(u[block])))
        s = a @ V.T
        r = a @ W.T if W.any() else np.zeros_like(s)
        if U is not None:
            r = r + u[block, None, None] * (a @ U.T)
        if b is not None:
            r = r + b
        if a.ndim == 2:  # the last layer is the first moved one: its inputs are fixed
            s = np.broadcast_to(s, r.shape)
        if loss.scale is not None and f.piecewise_linear:
            flat = (len(r), -1)
            squares, rounded = line_errors(r.reshape(flat), s.reshape(flat), y.ravel(), f, v)
            columns[block] = loss.scale * squares
            rounding = max(rounding, loss.scale * rounded)
            continue
        for row, along in enumerate(v):
            columns[block, row] = loss.value(f.value(r + along * s), y).sum(axis=-1)
    return columns.T if keeps_digits(columns, rounding) else forward.sample(slice, u, v)
