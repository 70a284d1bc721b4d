"""Which cell a point of a grid lies in, and how large the cells are.

Row by row: the edges that cross a row, sorted along it, with the cell to the right of each. A row
through a vertex is taken as the row just above it (the top row, just below). Where rounding spoils
the order of crossings that all but coincide, the distances to the cell's sides show it, and the
point is held against every cell.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.cells import Cells
from surfacecli.geometry.surface import blocks
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]

#: A point nearer to a kink than this, relative to the window, lies on it: in no cell.
ON_KINK = 1e-12
#: Sides of a cell, about; for the size of blocks.
SIDES = 8


@dataclass(frozen=True, eq=False)
class Crossings:
    """Where edges cross rows: row j has `start[j]` to `start[j + 1]`, sorted along it.

    `place` is u there, `right` the cell to the right of the edge, -1 outside the window.
    """

    start: Indices
    place: Array
    right: Indices


def measure_areas(cells: Cells) -> Array:
    """The area of each cell, (F,)."""
    plane = cells.plane
    half = np.flatnonzero(plane.face >= 0)
    face = plane.face[half]
    # Seen from a point of the cell itself: a tiny cell far from 0 would lose its digits.
    a = plane.place[plane.origin[half]] - cells.inner_points[face]
    b = plane.place[plane.origin[half ^ 1]] - cells.inner_points[face]
    twice = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    areas = np.bincount(face, weights=0.5 * twice, minlength=len(cells))
    return np.asarray(areas, dtype=np.float64)


def locate_grid(cells: Cells, u: Array, v: Array) -> Indices:
    """The cell (n_v, n_u) of every grid point of u (n_u,) and v (n_v,), -1 on a kink.

    Both axes ascend inside the window. The window's own border is no kink: a grid point on it lies
    in the cell beside it.
    """
    crossings = _cross_rows(cells, v)
    found = np.empty((len(v), len(u)), dtype=np.intp)
    for row in range(len(v)):
        here = np.s_[crossings.start[row] : crossings.start[row + 1]]
        number = np.searchsorted(crossings.place[here], u, side="right") - 1
        right = crossings.right[here]
        found[row] = right[np.clip(number, 0, len(right) - 1)]
        # On the right border of the window the cell is the one before the last crossing.
        beyond = found[row] < 0
        number = np.searchsorted(crossings.place[here], u[beyond], side="left") - 1
        found[row, beyond] = right[np.clip(number, 0, len(right) - 1)]
    return _confirm(cells, u, v, found.ravel()).reshape(found.shape)


def _cross_rows(cells: Cells, v: Array) -> Crossings:
    plane = cells.plane
    ends, places = plane.ends, _on_the_border(cells)
    upward = places[ends[:, 0], 1] < places[ends[:, 1], 1]
    low, high = np.where(upward, ends.T, ends.T[::-1])
    (u0, v0), (u1, v1) = places[low].T, places[high].T
    first = np.searchsorted(v, v0, side="left")
    last = np.searchsorted(v, v1, side="left")
    # The top row lies below nothing: it is crossed by the edges that end on it.
    last[v1 >= cells.window.v1] = len(v)
    count = np.where(v0 < v1, np.maximum(last - first, 0), 0)
    edge = np.repeat(np.arange(len(ends)), count)
    row = np.repeat(first - np.cumsum(count) + count, count) + np.arange(len(edge))
    slope = (u1[edge] - u0[edge]) / (v1[edge] - v0[edge])
    place = u0[edge] + (v[row] - v0[edge]) * slope
    place = np.where(v[row] == v1[edge], u1[edge], place)
    # A half-edge has its face on its left: to the right of an upward edge lies the other one's.
    right = np.where(upward[edge], plane.face[2 * edge + 1], plane.face[2 * edge])
    top = v[row] >= cells.window.v1
    order = np.lexsort((np.where(top, -slope, slope), place, row))
    start = np.searchsorted(row[order], np.arange(len(v) + 1))
    return Crossings(start, place[order], right[order])


def _on_the_border(cells: Cells) -> Array:
    """The places of all vertices; those that rounding put beside the border lie on it."""
    window, places = cells.window, cells.plane.place.copy()
    for axis, bounds in ((0, (window.u0, window.u1)), (1, (window.v0, window.v1))):
        for bound in bounds:
            beside = np.abs(places[:, axis] - bound) <= _near(cells)
            places[beside, axis] = bound
    return places


def _near(cells: Cells) -> float:
    window = cells.window
    return ON_KINK * window.longer_side


def _confirm(cells: Cells, u: Array, v: Array, found: Indices) -> Indices:
    """The cells of all points in row order: corrected where outside, -1 where on a kink."""
    near = _near(cells)
    starts, halves = _sides(cells)
    result = found.copy()
    for block in blocks(len(found), SIDES * 16):
        number = np.arange(block.start, block.stop)
        places = np.stack([u[number % len(u)], v[number // len(u)]], axis=1)
        here = np.maximum(found[block], 0)
        to_kink, to_side = _depths(cells, starts, halves, here, places)
        for k in np.flatnonzero((to_side < -near) | (found[block] < 0)):
            here[k], to_kink[k] = _deepest(cells, places[k])
        result[block] = np.where(to_kink <= near, -1, here)
    return result


def _sides(cells: Cells) -> tuple[Indices, Indices]:
    """The half-edges cell by cell (H,), and where each cell's begin (F + 1,)."""
    face = cells.plane.face
    half = np.flatnonzero(face >= 0)
    half = half[np.argsort(face[half], kind="stable")]
    return np.searchsorted(face[half], np.arange(len(cells) + 1)), half


def _depths(
    cells: Cells, starts: Indices, halves: Indices, which: Indices, places: Array
) -> tuple[Array, Array]:
    """Least distance of places (k, 2) to the kinks and to all sides of their cells, (k,) each."""
    count = (starts[1:] - starts[:-1])[which]
    owner = np.repeat(np.arange(len(which)), count)
    first = np.repeat(starts[which] - np.cumsum(count) + count, count)
    mine = halves[first + np.arange(len(owner))]
    distance = _distances(cells, mine, places[owner])
    begin = np.cumsum(count) - count
    kinks_only = np.where(cells.plane.label[mine // 2] >= 0, distance, np.inf)
    return np.minimum.reduceat(kinks_only, begin), np.minimum.reduceat(distance, begin)


def _distances(cells: Cells, halves: Indices, places: Array) -> Array:
    """How far to the left of half-edges (m,) the places (m, 2) or (2,) lie."""
    plane = cells.plane
    a, b = plane.place[plane.origin[halves]], plane.place[plane.origin[halves ^ 1]]
    along, to = b - a, places - a
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), np.finfo(np.float64).tiny)
    return np.asarray((along[:, 0] * to[:, 1] - along[:, 1] * to[:, 0]) / length)


def _deepest(cells: Cells, place: Array) -> tuple[int, float]:
    """Of all cells the one that a place (2,) lies deepest in, and its distance to a kink there."""
    starts, halves = _sides(cells)
    cell = int(np.minimum.reduceat(_distances(cells, halves, place), starts[:-1]).argmax())
    to_kink, _ = _depths(cells, starts, halves, np.array([cell]), place[None])
    return cell, float(to_kink[0])
