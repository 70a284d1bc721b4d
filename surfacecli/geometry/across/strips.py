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
from surfacecli.network.transfers import Array

#: Lines nearer to each other than this times the width of the window are one.
NEAREST = 1e-13


@dataclass(frozen=True, eq=False)
class Strips:
    """Bounds x (S + 1,), and what enters the higher layer, alpha and beta: (S, m, n, 2)."""

    x: Array
    entering: Array


def find_strips(frame: Frame) -> Strips:
    """Cut the window along the kinks of the layers from the lower one up to below the higher."""
    network = frame.slice.objective.network
    x = np.array(frame.x)
    nearest = NEAREST * (x[1] - x[0])
    reach = np.array([1.0, frame.reach[0]])
    below = np.stack([frame.inputs, np.zeros_like(frame.inputs)], axis=-1)[None]
    for layer in range(frame.lower, frame.higher):
        W, b = network.weights[layer - 1], network.biases[layer - 1]
        if layer == frame.lower:
            W = frame.slice.origin[layer]
        h = np.matmul(W, below)
        terms = np.matmul(np.abs(W), np.abs(below)) @ reach
        if layer == frame.lower:
            h[..., 1] += below[..., 0] @ frame.along_x.T
            terms += reach[1] * (np.abs(below[..., 0]) @ np.abs(frame.along_x).T)
        if b is not None:
            h[..., 0] += b
            terms += np.abs(b)
        f = network.transfers[layer - 1]
        x, strip = _cut(x, h, terms, f.nodes or (), nearest)
        h = h[strip]
        middle = 0.5 * (x[:-1] + x[1:])[:, None, None]
        piece = f.piece(h[..., 0] + middle * h[..., 1])
        below = np.array(f.slopes)[piece][..., None] * h
        below[..., 0] += np.array(f.intercepts)[piece]
    return Strips(x, below)


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
