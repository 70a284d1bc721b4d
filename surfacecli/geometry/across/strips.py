"""Strips of x in which no unit below the higher layer changes its piece; a = alpha + beta x there.

Below the higher layer nothing depends on y, so all kinks of the lower layer, and of those between,
are lines x = const through the whole window.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.across.frame import Frame
from surfacecli.geometry.across.ragged import thin_out
from surfacecli.geometry.exact.kinks import ON_NODE
from surfacecli.network.transfers import Array, Transfer

#: Lines nearer to each other than this times the width of the window are one.
NEAREST = 1e-13


@dataclass(frozen=True, eq=False)
class Strips:
    """Bounds x (S + 1,), and what enters the higher layer, alpha and beta: (S, m, n, 2).

    terms (S, m, n, 2): the sizes of all terms on the way, as `tables.outputs_at` has them.
    """

    x: Array
    entering: Array
    terms: Array


def find_strips(frame: Frame) -> Strips:
    """Cut the window along the kinks of the layers from the lower one up to below the higher."""
    network = frame.slice.objective.network
    x = np.array(frame.x)
    nearest = NEAREST * (x[1] - x[0])
    reach = np.array([1.0, frame.reach[0]])
    below = np.stack([frame.inputs, np.zeros_like(frame.inputs)], axis=-1)[None]
    size = np.abs(below)
    for layer in range(frame.lower, frame.higher):
        W, b = network.weights[layer - 1], network.biases[layer - 1]
        if layer == frame.lower:
            W = frame.slice.origin[layer]
        h = np.matmul(W, below)
        terms = np.matmul(np.abs(W), size)
        if layer == frame.lower:
            h[..., 1] += below[..., 0] @ frame.along_x.T
            terms[..., 1] += size[..., 0] @ np.abs(frame.along_x).T
        if b is not None:
            h[..., 0] += b
            terms[..., 0] += np.abs(b)
        f = network.transfers[layer - 1]
        x, strip = _cut(x, h, terms @ reach, f.nodes or (), nearest)
        h, terms = h[strip], terms[strip]
        middle = 0.5 * (x[:-1] + x[1:])[:, None, None]
        piece = f.piece(h[..., 0] + middle * h[..., 1])
        below, size = activate(f, piece, h, terms)
    return Strips(x, below, size)


def activate(f: Transfer, piece: NDArray[np.int8], h: Array, terms: Array) -> tuple[Array, Array]:
    """f of pre-activations (..., k) on their pieces (...), the constant first, and the sizes."""
    slope, intercept = np.array(f.slopes)[piece], np.array(f.intercepts)[piece]
    a, size = slope[..., None] * h, np.abs(slope)[..., None] * terms
    a[..., 0] += intercept
    size[..., 0] += np.abs(intercept)
    return a, size


def _cut(
    x: Array, h: Array, terms: Array, nodes: tuple[float, ...], nearest: float
) -> tuple[Array, NDArray[np.intp]]:
    """Bounds with those added at which some h (S, m, n, 2) passes a node, and which strip was cut.

    A pre-activation that is on its node at both ends of a strip, but for rounding, has none there.
    """
    lower, upper = x[:-1], x[1:]
    values, groups = [], []
    for node in nodes:
        constant, slope = h[..., 0] - node, h[..., 1]
        ends = [np.abs(constant + at[:, None, None] * slope) for at in (lower, upper)]
        wanted = (slope != 0.0) & (np.maximum(*ends) > ON_NODE * (terms + abs(node)))
        groups.append(np.nonzero(wanted)[0])
        values.append(-constant[wanted] / slope[wanted] + 0.0)
    if nodes:
        value, group = np.concatenate(values), np.concatenate(groups)
        x = np.sort(np.concatenate([x, value[thin_out(value, group, lower, upper, nearest)]]))
    return x, np.searchsorted(upper, 0.5 * (x[:-1] + x[1:]))
