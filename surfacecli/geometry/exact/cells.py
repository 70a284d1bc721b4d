"""The exact cells of a within-layer slice: where every unit of every data point keeps its piece.

In the moved layer the pre-activations are affine in (u, v), so its kinks are lines, cut one after
another with exact signs (`lines`). Inside each cell found so far the next layer's pre-activations
are affine too: its kinks are cut by their values at the vertices, where what lies within rounding
of a node counts as on it. Cutting keeps the subdivision consistent whatever the signs
(`planar`), so rounding there can misplace a kink by about 1e-13 of the window, and no more.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.lines import Lines, Meetings
from surfacecli.geometry.exact.planar import Subdivision
from surfacecli.geometry.slices import Slice, Window
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


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a window: the subdivision and the kinks that its edges are labelled with.

    `inputs` (m, n) are the distinct inputs of the moved layer, `input_of` (N,) says which of them
    each data point has.
    """

    slice: Slice
    window: Window
    plane: Subdivision
    kinks: Kinks
    inputs: Array
    input_of: Indices

    def __len__(self) -> int:
        return len(self.plane.side)

    @cached_property
    def inner_points(self) -> Array:
        """A point inside each cell, (F, 2): the mean of its vertices."""
        plane = self.plane
        inside = plane.face >= 0
        faces = plane.face[inside]
        places = plane.place[plane.origin[inside]]
        count = np.bincount(faces, minlength=len(self))
        sums = [np.bincount(faces, weights=places[:, k], minlength=len(self)) for k in (0, 1)]
        return np.stack(sums, axis=1) / count[:, None]


def cells_apply(slice: Slice) -> bool:
    """Whether the cells of a slice are polygons: one layer moved, piecewise linear from it on."""
    transfers = slice.objective.network.transfers[slice.first_moved - 1 :]
    return slice.kind == "within-layer" and all(f.piecewise_linear for f in transfers)


def find_cells(slice: Slice, window: Window) -> Cells:
    """All cells of a window of a within-layer slice of a piecewise-linear net.

    Source: edge subdivision, Berzins, "Polyhedral Complex Extraction from ReLU Networks using Edge
    Subdivision" (ICML 2023), with exact signs in the moved layer.
    """
    if not cells_apply(slice):
        raise ValueError(f"slice {slice.name} has no polygonal cells: {slice.kind}, or not linear")
    inputs, input_of = distinct_inputs(slice)
    samples = [np.flatnonzero(input_of == m) for m in range(len(inputs))]
    plane = Subdivision(window.u0, window.u1, window.v0, window.v1)
    made = _KinkList()
    _cut_moved_layer(slice, window, plane, inputs, made)
    network = slice.objective.network
    for layer in range(slice.first_moved + 1, network.depth + 1):
        if network.transfers[layer - 1].nodes:
            for number, x in enumerate(inputs):
                _cut_later_layer(slice, plane, x, number, layer, made)
    return Cells(slice, window, plane, made.kinks(samples), inputs, input_of)


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


class _KinkList:
    """The functions whose zeros are cut, numbered in the order of cutting."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, float, int]] = []

    def add(self, layer: int, unit: int, node: float, number: int) -> int:
        self._rows.append((layer, unit, node, number))
        return len(self._rows) - 1

    def kinks(self, samples: list[Indices]) -> Kinks:
        layer, unit, node, number = (
            zip(*self._rows, strict=True) if self._rows else ((), (), (), ())
        )
        return Kinks(
            np.array(layer, dtype=np.intp),
            np.array(unit, dtype=np.intp),
            np.array(node, dtype=np.float64),
            np.array(number, dtype=np.intp),
            samples,
        )


def _cut_moved_layer(
    slice: Slice, window: Window, plane: Subdivision, inputs: Array, made: _KinkList
) -> None:
    layer = slice.first_moved
    c, p, q = moved_parts(slice, inputs)
    nodes = slice.objective.network.transfers[layer - 1].nodes or ()
    rows: list[tuple[float, float, float]] = []
    first: dict[tuple[float, float, float], list[int]] = {}
    for node in nodes:
        for number, unit in np.ndindex(c.shape):
            coefficients = (c[number, unit] - node, p[number, unit], q[number, unit])
            if coefficients[1] == 0.0 and coefficients[2] == 0.0:
                continue  # the same everywhere: no kink
            label = made.add(layer, unit + 1, node, number)
            first.setdefault(coefficients, []).append(label)
            rows.append(coefficients)
    sides = [
        (-window.v0, 0.0, 1.0),
        (-window.u1, 1.0, 0.0),
        (-window.v1, 0.0, 1.0),
        (-window.u0, 1.0, 0.0),
    ]
    count = len(rows)
    lines = Lines(np.array([*rows, *sides], dtype=np.float64).reshape(-1, 3))
    corners = [(count + (k + 3) % 4, count + k) for k in range(4)]
    extent = max(window.u1 - window.u0, window.v1 - window.v0)
    meetings = Meetings(lines, corners, extent)
    for line in [labels[0] for labels in first.values()]:
        values, signs = meetings.signs(line)

        def cross(edges: Indices, line: int = line) -> Array:
            label = plane.label[edges]
            label = np.where(label < 0, count - 1 - label, label)
            return meetings.add(np.stack([label, np.full(len(edges), line)], axis=1))

        plane.cut(values, signs, line, cross)
    plane.twins = {labels[0]: labels for labels in first.values() if len(labels) > 1}


def _cut_later_layer(
    slice: Slice, plane: Subdivision, x: Array, number: int, layer: int, made: _KinkList
) -> None:
    """Cut along the kinks of one later layer for one input of the moved layer."""
    nodes = slice.objective.network.transfers[layer - 1].nodes or ()
    h = later_pre_activations(slice, x, plane.place, layer)
    rounding = ON_NODE * largest_terms(slice, x, np.abs(plane.place[:4]).max(axis=0), layer)
    known = len(plane.place)
    added = np.empty((len(h), 0))  # at the vertices that these cuts add
    for unit in range(len(h)):
        for node in nodes:
            values = np.concatenate([h[unit], added[unit]]) - node
            signs = np.greater(values, 0.0).view(np.int8) - np.less(values, 0.0).view(np.int8)
            signs[np.abs(values) <= rounding[unit] + ON_NODE * abs(node)] = 0
            if signs.all() and (signs == signs[0]).all():
                continue
            label = made.add(layer, unit + 1, node, number)
            plane.cut(values, signs, label)
            fresh = plane.place[known + added.shape[1] :]
            if len(fresh):
                more = later_pre_activations(slice, x, fresh, layer)
                added = np.concatenate([added, more], axis=1)


def later_pre_activations(slice: Slice, x: Array, points: Array, layer: int) -> Array:
    """Pre-activations (n, P) of a layer for one input x of the moved layer at points (P, 2)."""
    network = slice.objective.network
    c, p, q = moved_parts(slice, x[None])[:, 0, :, None]
    h = np.concatenate([p, q], axis=1) @ points.T
    h += c
    for number in range(slice.first_moved + 1, layer + 1):
        h = network.weights[number - 1] @ network.transfers[number - 2].value(h)
        b = network.biases[number - 1]
        if b is not None:
            h += b[:, None]
    return np.asarray(h)


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
