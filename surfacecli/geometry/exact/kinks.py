"""The functions whose zeros are the kinks of a slice: a unit's pre-activation less a node."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.slices import Slice
from surfacecli.geometry.surface import blocks
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]

#: In later layers a pre-activation counts as on its node within this times the largest sum of the
#: absolute values of its terms in the window: some hundred roundings.
ON_NODE = 5e-14


@dataclass(frozen=True, eq=False)
class Kinks:
    """What makes the kinks, one entry a function: layer, unit, node, and the input that it sees.

    `input` (k,) counts the distinct inputs of the moved layer; `samples[input]` are the data points
    (rows of the data) that share it.
    """

    layer: Indices
    unit: Indices
    node: Array
    input: Indices
    samples: list[Indices]


class KinkList:
    """The functions whose zeros are kinks, numbered in the order in which they are added."""

    def __init__(self) -> None:
        self._rows: list[tuple[Indices, Indices, Array, Indices]] = []
        self._count = 0

    def add(self, layer: int, unit: Indices, node: float, number: Indices) -> Indices:
        """Add units (k,) of a layer, counted from 0, with inputs (k,); gives their numbers (k,)."""
        count = len(unit)
        self._rows.append((np.full(count, layer), unit + 1, np.full(count, node), number))
        self._count += count
        return np.arange(self._count - count, self._count)

    def kinks(self, input_of: Indices) -> Kinks:
        """All of them; `input_of` (N,) says which input each data point has."""
        nothing = np.zeros(0, dtype=np.intp)
        rows = [(nothing, nothing, np.zeros(0), nothing), *self._rows]
        layer, unit, node, number = (np.concatenate(part) for part in zip(*rows, strict=True))
        order = np.argsort(input_of, kind="stable")
        samples = np.split(order, np.cumsum(np.bincount(input_of))[:-1])
        return Kinks(layer, unit, node, number, samples)


def distinct_inputs(slice: Slice) -> tuple[Array, Indices]:
    """The distinct rows that enter the moved layer, and which of them each data point gives.

    Equal data are found before they pass a matrix product, which may round equal rows unequally.
    """
    data = slice.objective.data.inputs
    rows, row_of = np.unique(data, axis=0, return_inverse=True)
    _, activations = slice.objective.network.forward(rows)
    entering, entry_of = np.unique(
        activations[slice.first_moved - 1] + 0.0, axis=0, return_inverse=True
    )
    return entering, entry_of.ravel()[row_of.ravel()]


def moved_parts(slice: Slice, inputs: Array) -> Array:
    """Constant, u and v part of the moved layer's pre-activations, (3, m, n)."""
    layer = slice.first_moved
    b = slice.objective.network.biases[layer - 1]
    constant = inputs @ slice.origin[layer].T
    U, V = slice.along_u[layer], slice.along_v[layer]
    return np.stack([constant if b is None else constant + b, inputs @ U.T, inputs @ V.T])


def moved_kinks(slice: Slice, inputs: Array, made: KinkList) -> Array:
    """Add the kinks of the moved layer; gives the lines (k, 3) c + p u + q v = 0 that they are.

    A unit that is the same everywhere has none.
    """
    layer = slice.first_moved
    parts = moved_parts(slice, inputs)
    number, unit = np.nonzero(parts[1:].any(axis=0))
    lines = [np.zeros((0, 3))]
    for node in slice.objective.network.transfers[layer - 1].nodes or ():
        made.add(layer, unit, node, number)
        # No -0.0: equal lines should be equal to the last bit.
        lines.append(parts[:, number, unit].T - [node, 0.0, 0.0] + 0.0)
    return np.concatenate(lines)


def later_pre_activations(slice: Slice, x: Array, points: Array, layer: int) -> Array:
    """Pre-activations (n, P) of a layer for one input x of the moved layer at points (P, 2)."""
    network = slice.objective.network
    c, p, q = moved_parts(slice, x[None])[:, 0, :, None]
    slopes = np.concatenate([p, q], axis=1)
    result = np.empty((network.widths[layer], len(points)))
    for block in blocks(len(points), 2 * max(network.widths[slice.first_moved : layer + 1])):
        h = slopes @ points[block].T
        h += c
        for number in range(slice.first_moved + 1, layer + 1):
            h = network.weights[number - 1] @ network.transfers[number - 2].value(h)
            b = network.biases[number - 1]
            if b is not None:
                h += b[:, None]
        result[:, block] = h
    return result


def largest_terms(slice: Slice, x: Array, reach: Array, layer: int) -> Array:
    """The size (n,) that the terms of a layer's pre-activations may reach where |u, v| <= reach."""
    network = slice.objective.network
    parts = np.abs(moved_parts(slice, x[None])[:, 0])
    size = np.array([1.0, *reach]) @ parts
    for number in range(slice.first_moved + 1, layer + 1):
        f, b = network.transfers[number - 2], network.biases[number - 1]
        steepest = np.abs(np.array(f.slopes)).max()
        size = np.abs(network.weights[number - 1]) @ (steepest * size)
        if b is not None:
            size += np.abs(b)
    return np.asarray(size)
