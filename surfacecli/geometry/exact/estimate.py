"""How many cells a window holds, before they are found: right within a factor of two or three.

The first layer with kinks has straight ones: of those that cross the window, 1 + lines + meetings
cells, the meetings by sampling pairs. Further layers bend theirs. A walk through the window that
crosses n kinks on a unit of length tells their length in a unit of area, pi n / 2, and so how often
they meet there, pi n^2 / 4 times, as if they lay at random (Santalo, "Integral Geometry", 1976).
Where all kinks are rays from one point, a walk round it counts them.
"""

import itertools
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.fans import fan_applies
from surfacecli.geometry.exact.kinks import distinct_inputs, moved_parts
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.surface import linear_pieces
from surfacecli.network.data import Data
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]

#: Pairs of lines that are looked at.
PAIRS = 20_000
#: Straight walks through the window, points on each of them, data points that are looked at.
WALKS, POINTS, SAMPLES = 12, 150, 30
#: Data points whose lines are looked at.
LINES = 100


def estimate_cells(slice: Slice, window: Window) -> int:
    """About how many cells `find_cells` will find in a window."""
    network, first = slice.objective.network, slice.first_moved
    kinked = [n for n in range(first, network.depth + 1) if network.transfers[n - 1].nodes]
    if not kinked:
        return 1
    # One data point for each distinct input: equal ones have their kinks together.
    rows = np.unique(distinct_inputs(slice)[1], return_index=True)[1]
    few, share = _fewer_samples(slice, rows, SAMPLES)
    if fan_applies(slice, window):
        corners = [(window.u0, window.v0), (window.u1, window.v0), (window.u1, window.v1)]
        corners += [(window.u0, window.v1), corners[0]]
        rays: int = sum(
            _changes(few, np.array(a), np.array(b), kinked[0])[1]
            for a, b in itertools.pairwise(corners)
        )
        return max(1, round(rays / share))
    cells = _cells_of_lines(*_fewer_samples(slice, rows, LINES), window, kinked[0])
    if len(kinked) == 1:
        return round(cells)
    size = window.size
    ends = np.random.default_rng(0).uniform(size=(WALKS, 2, 2)) * size + window.low
    counts = np.array([_changes(few, a, b, kinked[0]) for a, b in ends]).sum(axis=0) / share
    length = np.hypot(*(ends[:, 1] - ends[:, 0]).T).sum()
    straight, every = float(counts[0] / length), float(counts[1] / length)
    bent = every - straight
    area, half_round = float(size[0] * size[1]), float(size[0] + size[1])
    more = 0.25 * np.pi * area * (every * every - straight * straight) + half_round * bent
    return round(cells + more)


def _fewer_samples(slice: Slice, rows: Indices, most: int) -> tuple[Slice, float]:
    """The slice with `most` of these rows of its data, or all, and the share that they are."""
    objective, count = slice.objective, len(rows)
    if count > most:
        rows = np.random.default_rng(0).choice(rows, most, replace=False)
    data = Data(objective.data.inputs[rows], objective.data.targets[rows])
    few = replace(slice, objective=replace(objective, data=data))
    return few, len(rows) / count


def _changes(slice: Slice, start: Array, end: Array, layer: int) -> tuple[int, int]:
    """How often a unit changes its piece from `start` to `end` (2,): in one layer, in all."""
    t = np.linspace(0.0, 1.0, POINTS)[:, None]
    points = (1.0 - t) * start + t * end
    changes = np.abs(np.diff(linear_pieces(slice, points[:, 0], points[:, 1]), axis=0)).sum(axis=0)
    network = slice.objective.network
    widths = network.widths[slice.first_moved :]
    begin = len(slice.objective.data) * sum(widths[: layer - slice.first_moved])
    stop = begin + len(slice.objective.data) * network.widths[layer]
    return int(changes[begin:stop].sum()), int(changes.sum())


def _cells_of_lines(slice: Slice, share: float, window: Window, layer: int) -> float:
    """The cells of the straight kinks of a layer, of which the slice has a share."""
    lines = _crossing_lines(slice, window, layer)
    count = len(lines) / share
    if not lines[:, 0].any():
        return max(1.0, 2.0 * count)  # all through the origin
    return 1.0 + count + count * (count - 1.0) / 2.0 * _share_of_meetings(lines, window)


def _crossing_lines(slice: Slice, window: Window, layer: int) -> Array:
    """The kinks (n, 3) of the first layer with any that cross the window, each once."""
    network = slice.objective.network
    inputs, _ = distinct_inputs(slice)
    parts = moved_parts(slice, inputs)
    for number in range(slice.first_moved + 1, layer + 1):
        parts = parts @ network.weights[number - 1].T
        b = network.biases[number - 1]
        if b is not None:
            parts[0] += b
    c, p, q = parts
    nodes = network.transfers[layer - 1].nodes or ()
    lines = np.concatenate(
        [np.stack([(c - node).ravel(), p.ravel(), q.ravel()], axis=1) for node in nodes]
    )
    corners = np.array(
        [[1.0, u, v] for u in (window.u0, window.u1) for v in (window.v0, window.v1)]
    )
    values = lines @ corners.T
    return np.unique(lines[(values.min(axis=1) < 0) & (values.max(axis=1) > 0)], axis=0)


def _share_of_meetings(lines: Array, window: Window) -> float:
    """Of all pairs of lines (n, 3), the share that meets inside the window."""
    i, k = np.random.default_rng(0).integers(len(lines), size=(2, PAIRS))
    apart = i != k
    (c, p, q), (d, r, s) = lines[i[apart]].T, lines[k[apart]].T
    with np.errstate(divide="ignore", invalid="ignore"):
        u, v = (q * d - c * s) / (p * s - q * r), (c * r - p * d) / (p * s - q * r)
    inside = (u > window.u0) & (u < window.u1) & (v > window.v0) & (v < window.v1)
    return float(inside.mean()) if len(inside) else 0.0
