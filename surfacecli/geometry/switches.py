"""The kinks of a slice as curves h = node, one for each unit, data point and node, on a lattice.

Each depends on one data point alone, so following one takes the forward pass of one data point.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.one_sided import Sides
from surfacecli.geometry.surface import blocks, fixed_inputs, numbers_per_point, propagate
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]
Moving = tuple[Array, Array] | None

#: Steps at most that close in on the crossing of a kink with an edge of the lattice: some 70 where
#: its slope is a hundred times steeper on one side, as where it lies on that of a leaky unit.
CROSSING_STEPS = 100


@dataclass(frozen=True, eq=False)
class Switches:
    """K kinks: layer from 1, data point and unit from 0, and node, (K,) each."""

    sides: Sides
    layer: Indices
    sample: Indices
    unit: Indices
    node: Array

    def __len__(self) -> int:
        return len(self.layer)

    def name(self, k: int) -> tuple[int, int, int]:
        """(layer, unit, data point), each from 1."""
        return int(self.layer[k]), int(self.unit[k]) + 1, int(self.sample[k]) + 1

    def scale(self, which: Indices) -> Array:
        """The largest pre-activation of each one's layer."""
        scales = np.array(self.sides.scales)
        return scales[self.layer[which] - self.sides.slice.first_moved]


@dataclass(frozen=True, eq=False)
class Crossings:
    """Where kinks cross edges of a lattice: which kink (q,), place (q, 2), and both boxes beside.

    `boxes` (q, 2) number the boxes row by row, -1 outside the lattice.
    """

    kink: Indices
    place: Array
    boxes: Indices


def list_switches(sides: Sides) -> Switches:
    """Every kink of the layers from the first moved one on, which must be piecewise linear."""
    network, count = sides.slice.objective.network, len(sides.slice.objective.data)
    rows = [
        (layer, sample, unit, node)
        for layer in range(sides.slice.first_moved, network.depth + 1)
        for node in network.transfers[layer - 1].nodes or ()
        for sample in range(count)
        for unit in range(network.widths[layer])
    ]
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    layer, sample, unit = table[:, :3].astype(np.intp).T
    return Switches(sides, layer, sample, unit, table[:, 3])


def sides_of_kinks(switches: Switches, u: Array, v: Array) -> Flags:
    """Whether points (P,) lie right of each kink, (P, K)."""
    slice = switches.sides.slice
    inputs, transfers = fixed_inputs(slice), slice.objective.network.transfers
    found = np.empty((len(u), len(switches)), dtype=np.bool_)
    for block in blocks(len(u), numbers_per_point(slice)):
        columns = [
            (pre.a > node).reshape(block.stop - block.start, -1)
            for layer, pre, _ in propagate(slice, inputs, u[block], v[block], 0)
            for node in transfers[layer - 1].nodes or ()
        ]
        found[block] = np.concatenate(columns, axis=1) if columns else False
    return found


def follow_switches(
    switches: Switches, which: Indices, places: Array, gradients: bool = True
) -> tuple[Array, Array]:
    """h - node (P,) of kinks `which` (P,) at places (P, 2), and its gradient (P, 2).

    One data point for each place: a (P, n), and with x_i the derivative in u or v

        h = W a + u U a + v V a + b     h_i = W a_i + u U a_i + v V a_i + (U or V) a
    """
    slice = switches.sides.slice
    network = slice.objective.network
    value, gradient = np.empty(len(which)), np.zeros((len(which), 2))
    if not len(which):
        return value, gradient
    layers, units = switches.layer[which], switches.unit[which]
    u, v = places[:, :1], places[:, 1:]
    a = fixed_inputs(slice)[switches.sample[which]]
    slopes: list[Array | None] = [None, None]
    for layer in range(slice.first_moved, int(layers.max()) + 1):
        f, b = network.transfers[layer - 1], network.biases[layer - 1]
        W = slice.origin.get(layer, network.weights[layer - 1])
        moving = [
            None if X is None else (x, X)
            for x, X in ((u, slice.along_u.get(layer)), (v, slice.along_v.get(layer)))
        ]

        def through(x: Array, W: Array = W, moving: list[Moving] = moving) -> Array:
            return sum((t[0] * (x @ t[1].T) for t in moving if t is not None), x @ W.T)

        h = through(a) if b is None else through(a) + b
        rates: list[Array | None] = [None, None]
        for i in (0, 1) if gradients else ():
            part, inner = moving[i], slopes[i]
            rates[i] = None if inner is None else through(inner)
            if part is not None:
                own, rest = a @ part[1].T, rates[i]
                rates[i] = own if rest is None else rest + own
        here = np.flatnonzero(layers == layer)
        value[here] = h[here, units[here]]
        for i in (0, 1):
            rate = rates[i]
            if rate is not None:
                gradient[here, i] = rate[here, units[here]]
        if gradients:
            slope = f.slope(h)
            slopes = [None if rate is None else slope * rate for rate in rates]
        a = f.value(h)
    return value - switches.node[which], gradient


def cross_lattice(switches: Switches, u: Array, v: Array, right: Flags) -> Crossings:
    """Where kinks cross the edges of the lattice u (n + 1,), v (m + 1,), one crossing each.

    `right` (m + 1, n + 1, K) is `sides_of_kinks` of its points. An edge that a kink crosses twice
    does not show it.
    """
    n, m = len(u) - 1, len(v) - 1
    row, column, kink = np.nonzero(right[:, 1:] != right[:, :-1])
    start = np.stack([u[column], v[row]], axis=1)
    end = np.stack([u[column + 1], v[row]], axis=1)
    box = row * n + column
    boxes = np.stack([np.where(row < m, box, -1), np.where(row > 0, box - n, -1)], axis=1)
    row, column, other = np.nonzero(right[1:] != right[:-1])
    start = np.concatenate([start, np.stack([u[column], v[row]], axis=1)])
    end = np.concatenate([end, np.stack([u[column], v[row + 1]], axis=1)])
    box = row * n + column
    beside = np.stack([np.where(column < n, box, -1), np.where(column > 0, box - 1, -1)], axis=1)
    kink, boxes = np.concatenate([kink, other]), np.concatenate([boxes, beside])
    return Crossings(kink, _cross(switches, kink, start, end), boxes)


def _cross(switches: Switches, kink: Indices, start: Array, end: Array) -> Array:
    """Where h - node changes sign on segments (q, 2), by the Illinois rule.

    Halved where h is 0 to the last bit: it may be so all the way from the kink to there.
    """
    t_a, t_b = np.zeros(len(kink)), np.ones(len(kink))
    h_a, _ = follow_switches(switches, kink, start, gradients=False)
    h_b, _ = follow_switches(switches, kink, end, gradients=False)
    left = h_a > 0
    active = np.arange(len(kink))
    near = 1e-14 * switches.scale(kink)
    t = np.where(np.abs(h_a) < np.abs(h_b), 0.0, 1.0)
    h_a, h_b = np.where(h_a == 0, -h_b, h_a), np.where(h_b == 0, -h_a, h_b)
    for _ in range(CROSSING_STEPS):
        if not len(active):
            break
        k = active
        jump = h_b[k] - h_a[k]
        step = np.divide(h_b[k], jump, out=np.full(len(k), 0.5), where=jump != 0)
        t[k] = np.clip(t_b[k] - step * (t_b[k] - t_a[k]), t_a[k], t_b[k])
        place = start[k] + t[k, None] * (end[k] - start[k])
        h, _ = follow_switches(switches, kink[k], place, gradients=False)
        before = (h > 0) == left[k]
        h = np.where(h == 0, -np.where(before, h_b[k], h_a[k]), h)
        # The value at an end that stays is halved: the other end is reached sooner.
        t_a[k], h_b[k] = np.where(before, t[k], t_a[k]), np.where(before, 0.5 * h_b[k], h)
        t_b[k], h_a[k] = np.where(before, t_b[k], t[k]), np.where(before, h, 0.5 * h_a[k])
        active = k[(np.abs(h) > near[k]) & (t_b[k] - t_a[k] > 1e-15)]
    return np.asarray(start + t[:, None] * (end - start))
