"""The outputs of a net as affine functions of (u, v), cell by cell."""

import numpy as np

from surfacecli.geometry.exact.cells import Cells
from surfacecli.geometry.exact.kinks import moved_parts
from surfacecli.geometry.slices import Slice
from surfacecli.network.transfers import Array

#: A slope of an output counts as 0 below this times the sum of the sizes of its terms: where units
#: cancel each other, what is left of their slopes is rounding, and its sign means nothing.
ROUNDING = 16.0 * 2.0**-53


def affine_outputs(cells: Cells, inner: Array) -> Array:
    """The outputs in the cells around the points `inner` (f, 2), as (m, f, 3, n_L).

    For each distinct input m: constant, u part, v part. The pieces are those at the inner point.
    """
    return outputs_at(cells.slice, cells.inputs, inner)


def outputs_at(slice: Slice, inputs: Array, inner: Array) -> Array:
    """`affine_outputs` for inputs (m, n) of the moved layer of a slice."""
    network, first = slice.objective.network, slice.first_moved
    at = np.stack([np.ones(len(inner)), inner[:, 0], inner[:, 1]], axis=1)
    parts = moved_parts(slice, inputs).transpose(1, 0, 2)
    # A layer's pre-activations are S a, S (m, f, k) the slopes below and a (m, k, 3 n) or, in the
    # moved layer itself, where they are the same in all cells, a alone: no array (m, f, 3, k) yet.
    a = np.broadcast_to(parts[:, None], (len(parts), len(inner), *parts.shape[1:]))
    for layer in range(first, network.depth + 1):
        f = network.transfers[layer - 1]
        above = network.weights[layer] if layer < network.depth else None
        if f.is_identity:
            a = a if above is None else a @ above.T
        else:
            h = at @ parts if layer == first else np.einsum("fk,mfkn->mfn", at, a)
            piece = f.piece(h)
            slope = np.array(f.slopes)[piece]
            if layer == first and above is not None:
                through = np.einsum("min,on->mnio", parts, above).reshape(*parts.shape[::2], -1)
                a = (slope @ through).reshape(*slope.shape[:2], 3, len(above))
            else:
                a = slope[:, :, None] * a
                a = a if above is None else a @ above.T
            if any(f.intercepts or ()):
                intercept = np.array(f.intercepts)[piece]
                a[:, :, 0] += intercept if above is None else intercept @ above.T
        b = network.biases[layer] if above is not None else None
        if b is not None:
            a[:, :, 0] += b
    a = np.array(a)
    noise = ROUNDING * slope_bounds(slice, inputs)[-1][:, None, None]
    slopes = a[:, :, 1:]
    slopes[np.abs(slopes) <= noise] = 0.0
    return a


def slope_bounds(slice: Slice, inputs: Array) -> list[Array]:
    """How large the terms of the slopes of pre-activations can be: no signs, no cancelling.

    (m, n_l) for each layer from the moved one on, and at last (m, n_L) for the outputs.
    """
    network, first = slice.objective.network, slice.first_moved
    directions = np.abs(slice.along_u[first]) + np.abs(slice.along_v[first])
    bounds = [np.abs(inputs) @ directions.T]
    for layer in range(first, network.depth + 1):
        through = bounds[-1] * np.abs(np.array(network.transfers[layer - 1].slopes)).max()
        last = layer == network.depth
        bounds.append(through if last else through @ np.abs(network.weights[layer]).T)
    return bounds
