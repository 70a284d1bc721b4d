"""The exact cells of a within-layer slice: where every unit of every data point keeps its piece.

In the moved layer the pre-activations are affine in (u, v), so its kinks are lines, cut one after
another with exact signs (`lines`). Inside each cell found so far the next layer's pre-activations
are affine too: its kinks are cut by their values at the vertices, where what lies within rounding
of a node counts as on it. Cutting keeps the subdivision consistent whatever the signs
(`planar`), so rounding there can misplace a kink by about 1e-13 of the window, and no more.
"""

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.fans import Rays, fan_applies, find_fan
from surfacecli.geometry.exact.kinks import (
    ON_NODE,
    KinkList,
    Kinks,
    distinct_inputs,
    largest_terms,
    later_pre_activations,
    moved_kinks,
)
from surfacecli.geometry.exact.lines import Lines, Meetings
from surfacecli.geometry.exact.lookup import Lookup
from surfacecli.geometry.exact.planar import Subdivision, rectangle
from surfacecli.geometry.exact.telling import Progress, Teller
from surfacecli.geometry.slices import Slice, Window
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]

#: A corner is clearly on one side of a line from this times the size of the line's terms on.
CLEAR = 1e-9


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a window: the subdivision and the kinks that its edges are labelled with.

    `inputs` (m, n) are the distinct inputs of the moved layer, `input_of` (N,) says which of them
    each data point has. `rays`: of a fan, the rays that all kinks are.
    """

    slice: Slice
    window: Window
    plane: Subdivision
    kinks: Kinks
    inputs: Array
    input_of: Indices
    rays: Rays | None = None

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


def find_cells(slice: Slice, window: Window, progress: Progress | None = None) -> Cells:
    """All cells of a window of a within-layer slice of a piecewise-linear net.

    `progress` is called with the kinks done and their total, ten times a second at most.
    Raises `ValueError` where the cells are no polygons.
    Source: edge subdivision, Berzins, "Polyhedral Complex Extraction from ReLU Networks using Edge
    Subdivision" (ICML 2023), with exact signs in the moved layer.
    """
    if not cells_apply(slice):
        raise ValueError(f"slice {slice.name} has no polygonal cells: {slice.kind}, or not linear")
    inputs, input_of = distinct_inputs(slice)
    made = KinkList()
    lines = moved_kinks(slice, inputs, made)
    later = _later_inputs(slice, len(inputs))
    if fan_applies(slice, window):
        plane, rays = find_fan(slice, window, inputs, lines, made)
        return Cells(slice, window, plane, made.kinks(input_of), inputs, input_of, rays)
    tell = Teller(progress, len(lines) + sum(width for _, _, width in later))
    plane = rectangle(window)
    _cut_lines(plane, window, lines, tell)
    for layer, number, _ in later:
        _cut_later_layer(slice, plane, inputs[number], number, layer, made, tell)
    return Cells(slice, window, plane, made.kinks(input_of), inputs, input_of)


def _later_inputs(slice: Slice, inputs: int) -> list[tuple[int, int, int]]:
    """(layer, input, kinks) of the layers behind the moved one that have kinks."""
    network = slice.objective.network
    return [
        (layer, number, network.widths[layer] * len(network.transfers[layer - 1].nodes or ()))
        for layer in range(slice.first_moved + 1, network.depth + 1)
        for number in range(inputs)
        if network.transfers[layer - 1].nodes
    ]


def _cut_lines(plane: Subdivision, window: Window, rows: Array, tell: Teller) -> None:
    """Cut along lines (k, 3), labelled by their numbers; equal ones become twins."""
    sides = [
        [-window.v0, 0.0, 1.0],
        [-window.u1, 1.0, 0.0],
        [-window.v1, 0.0, 1.0],
        [-window.u0, 1.0, 0.0],
    ]
    count = len(rows)
    lines = Lines(np.concatenate([rows, sides]))
    corners = [(count + (k + 3) % 4, count + k) for k in range(4)]
    meetings = Meetings(lines, corners, window.longer_side)
    _, first, group = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    members = Lookup(group.ravel())
    for number in np.argsort(first):
        line = int(first[number])
        tell.one_more(len(members.of(np.array([number]))[0]))
        if not _crosses(plane.place[:4], rows[line]):
            continue
        values, signs = meetings.signs(line)

        def cross(edges: Indices, line: int = line) -> Array:
            label = plane.label[edges]
            label = np.where(label < 0, count - 1 - label, label)
            return meetings.add(np.stack([label, np.full(len(edges), line)], axis=1))

        plane.cut(values, signs, line, cross)
        twins = members.of(np.array([number]))[0]
        if len(twins) > 1:
            plane.twins[line] = twins.tolist()


def _crosses(corners: Array, line: Array) -> bool:
    """Whether a line may pass through the window: not where all corners clearly lie on one side."""
    values = line[0] + corners @ line[1:]
    terms = np.abs(line[0]) + np.abs(corners) @ np.abs(line[1:])
    clear = np.abs(values) > CLEAR * terms
    return not (clear.all() and abs(np.sign(values).sum()) == len(corners))


def _cut_later_layer(
    slice: Slice,
    plane: Subdivision,
    x: Array,
    number: int,
    layer: int,
    made: KinkList,
    tell: Teller,
) -> None:
    """Cut along the kinks of one later layer for one input of the moved layer."""
    nodes = slice.objective.network.transfers[layer - 1].nodes or ()
    h = later_pre_activations(slice, x, plane.place, layer)
    rounding = ON_NODE * largest_terms(slice, x, np.abs(plane.place[:4]).max(axis=0), layer)
    known = len(plane.place)
    added = np.empty((len(h), 0))  # at the vertices that these cuts add
    for unit, node in itertools.product(range(len(h)), nodes):
        tell.one_more()
        values = np.concatenate([h[unit], added[unit]]) - node
        signs = np.greater(values, 0.0).view(np.int8) - np.less(values, 0.0).view(np.int8)
        signs[np.abs(values) <= rounding[unit] + ON_NODE * abs(node)] = 0
        if signs.all() and (signs == signs[0]).all():
            continue
        (label,) = made.add(layer, np.array([unit]), node, np.array([number]))
        plane.cut(values, signs, int(label))
        fresh = plane.place[known + added.shape[1] :]
        if len(fresh):
            more = later_pre_activations(slice, x, fresh, layer)
            added = np.concatenate([added, more], axis=1)
