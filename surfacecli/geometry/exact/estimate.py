"""How many cells a window holds, before they are found: right within a factor of two or three.

In the moved layer the lines that cross the window and, by sampling pairs of them, the points where
they meet inside it: 1 + lines + meetings cells. Later layers cut these further; a line through the
window meets all kinks in proportion to their length, and cells grow with its square.
"""

import numpy as np

from surfacecli.geometry.exact.kinks import distinct_inputs, moved_parts
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.surface import linear_pieces
from surfacecli.network.transfers import Array

#: Pairs of lines that are looked at, lines through the window, and points on each of them.
PAIRS, PROBES, STEPS = 20_000, 6, 300


def estimate_cells(slice: Slice, window: Window) -> int:
    """About how many cells `find_cells` will find in a window."""
    lines = _crossing_lines(slice, window)
    moved = 1.0 + len(lines) + _meetings(lines, window)
    network = slice.objective.network
    later = [f for f in network.transfers[slice.first_moved :] if f.nodes]
    if not later:
        return round(moved)
    first, every = _kinks_along_probes(slice, window)
    if first == 0.0:
        return round(moved + every + every * every / 2.0)
    return round(moved * (every / first) ** 2)


def _crossing_lines(slice: Slice, window: Window) -> Array:
    """The kinks (n, 3) of the moved layer that cross the window, each once."""
    inputs, _ = distinct_inputs(slice)
    c, p, q = moved_parts(slice, inputs)
    nodes = slice.objective.network.transfers[slice.first_moved - 1].nodes or ()
    lines = np.concatenate(
        [np.stack([(c - node).ravel(), p.ravel(), q.ravel()], axis=1) for node in nodes]
        or [np.zeros((0, 3))]
    )
    corners = np.array(
        [[1.0, u, v] for u in (window.u0, window.u1) for v in (window.v0, window.v1)]
    )
    values = lines @ corners.T
    return np.unique(lines[(values.min(axis=1) < 0) & (values.max(axis=1) > 0)], axis=0)


def _meetings(lines: Array, window: Window) -> float:
    """How many pairs of lines meet inside the window; lines through one point count once each."""
    count = len(lines)
    pairs = count * (count - 1) / 2.0
    if pairs == 0:
        return 0.0
    if np.count_nonzero(lines[:, 0]) == 0:
        return 1.0  # all through the origin
    draw = np.random.default_rng(0)
    i, k = draw.integers(count, size=(2, PAIRS))
    apart = i != k
    (c, p, q), (d, r, s) = lines[i[apart]].T, lines[k[apart]].T
    with np.errstate(divide="ignore", invalid="ignore"):
        u, v = (q * d - c * s) / (p * s - q * r), (c * r - p * d) / (p * s - q * r)
    inside = (u > window.u0) & (u < window.u1) & (v > window.v0) & (v < window.v1)
    return pairs * float(inside.mean())


def _kinks_along_probes(slice: Slice, window: Window) -> tuple[float, float]:
    """Changes of piece along lines through the window: those of the moved layer, and all."""
    draw = np.random.default_rng(0)
    ends = draw.uniform(size=(PROBES, 2, 2))
    ends = np.array([window.u0, window.v0]) + ends * [
        window.u1 - window.u0,
        window.v1 - window.v0,
    ]
    t = np.linspace(0.0, 1.0, STEPS)[:, None]
    width = len(slice.objective.data) * slice.objective.network.widths[slice.first_moved]
    first = every = 0.0
    for a, b in ends:
        points = (1.0 - t) * a + t * b
        changes = np.diff(linear_pieces(slice, points[:, 0], points[:, 1]), axis=0) != 0
        first += changes[:, :width].sum()
        every += changes.sum()
    return first, every
