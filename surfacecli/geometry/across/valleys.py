"""The courses of valleys through cells: pieces from border to border of a patch.

A valley y = -q1 / (2 q2) is above a curve y = -n/d where the slope of E in y is negative there:
where q1 d - 2 q2 n < 0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.across import curves as bent
from surfacecli.geometry.across import polynomials as poly
from surfacecli.geometry.across.cells import AcrossCells
from surfacecli.geometry.across.edges import LEVEL
from surfacecli.geometry.across.interiors import FLAT, Interiors, bed
from surfacecli.geometry.across.spots import slope_in_y
from surfacecli.geometry.across.tables import Tables
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]

#: Pieces shorter than this along x, in windows, are rounding: near a double root of q2 the signs of
#: slopes in y are, as far as the square root of the spacing of numbers.
SHORTEST = 1e-7
#: Where a piece is looked at, in lengths of it.
INNER = 0.382
#: How far from an end at which q2 is 0 a valley is looked at, in lengths of the piece.
LIMIT = 1e-7


@dataclass(frozen=True, eq=False)
class Courses:
    """Pieces of valleys: open segments of one patch each.

    patch (k,); ends (k, 2, 2): places (x, y); upright (k,): whether x is constant. `joined` (j, 2):
    pieces that go on in one another through a gap that is no edge. `crossed` (i, 2): pieces that
    cross inside a patch.
    """

    patch: Indices
    ends: Array
    upright: NDArray[np.bool_]
    joined: Indices
    crossed: Indices

    @property
    def index(self) -> int:
        """Of all pieces: -1 each, but what two share is counted once; a place on them counts 1."""
        return len(self.joined) - len(self.crossed) - len(self.patch)

    def __len__(self) -> int:
        return len(self.patch)


def find_courses(cells: AcrossCells, tables: Tables, inside: Interiors) -> Courses:
    """All pieces of the valleys inside the cells."""
    patches = [_curved(cells, tables, inside), _upright(cells, inside)]
    patch, ends = (np.concatenate(part) for part in zip(*patches, strict=True))
    upright = np.repeat([False, True], [len(patches[0][0]), len(patches[1][0])])
    joined = _joints(cells, patch, ends, upright)
    return Courses(patch, ends, upright, joined, _crossings(cells, tables, patch, ends, upright))


def _curved(cells: AcrossCells, tables: Tables, inside: Interiors) -> tuple[Indices, Array]:
    slabs = cells.slabs
    patch = np.flatnonzero(np.isin(cells.cell, inside.curved))
    slab, cell = slabs.slab_of_patch[patch], cells.cell[patch]
    low, high = slabs.x[slab], slabs.x[slab + 1]
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    table, sizes = tables.around(cell, middle)
    beside = [bent.from_place(slabs.curves[slabs.below[patch] + k], middle) for k in (0, 1)]
    sides = [_slopes_beside(table, sizes, curve, half) for curve in beside]
    ends = np.ones((1, len(patch)))
    t = np.concatenate([-ends, *(poly.crossings(side)[0] for side in sides), ends])
    t = np.sort(t, axis=0)
    row, which = np.nonzero(t[1:] > t[:-1])
    start, stop = t[:-1][row, which], t[1:][row, which]
    # Not the middle: in a symmetric window q2 likes to have its double root there.
    inner = start + INNER * (stop - start)
    under, over = (poly.evaluate_polynomials(side[:, which], inner) for side in sides)
    through = (under < 0) & (over > 0)
    # Where q2 and q1 are both near 0 those signs are rounding: the bed itself lies elsewhere.
    x = middle[which] + half[which] * inner
    y = _end(tables, cell[which], x, low[which])
    curve = slabs.below[patch[which]]
    through &= (y > bent.heights(slabs.curves[curve], x)) & (
        y < bent.heights(slabs.curves[curve + 1], x)
    )
    which, start, stop = which[through], start[through], stop[through]
    order = np.lexsort((start, patch[which]))
    which, start, stop = which[order], start[order], stop[order]
    # The bounds to the last bit: there a piece may go on in the next slab.
    x = np.stack(
        [
            np.where(start == -1.0, low[which], middle[which] + half[which] * start),
            np.where(stop == 1.0, high[which], middle[which] + half[which] * stop),
        ],
        axis=1,
    )
    which, x = _mend(which, x, cell, inside, SHORTEST * slabs.panel_at(x.mean(axis=1)))
    y = np.stack([_end(tables, cell[which], x[:, k], x[:, 1 - k]) for k in (0, 1)], axis=1)
    ends = np.stack([x, y], axis=2)
    long = x[:, 1] - x[:, 0] > SHORTEST * slabs.panel_at(x.mean(axis=1))
    return patch[which][long], ends[long]


def _mend(
    which: Indices, x: Array, cell: Indices, inside: Interiors, shortest: Array
) -> tuple[Indices, Array]:
    """Pieces from x[k, 0] to x[k, 1] of patches `which` (k,), sorted, whole again at double roots.

    There the signs of slopes in y are rounding, so that a gap `shortest` (k,) may open.
    """
    apart = np.ones(len(which), dtype=np.bool_)
    for k in range(1, len(which)):
        if which[k] == which[k - 1] and x[k, 0] - x[k - 1, 1] <= shortest[k]:
            lines = inside.upright_x[inside.upright_cell == cell[which[k]]]
            between = (lines >= x[k - 1, 1] - shortest[k]) & (lines <= x[k, 0] + shortest[k])
            apart[k] = not between.any()
    first = np.flatnonzero(apart)
    last = np.append(first[1:], len(which))[: len(first)] - 1
    return which[first], np.stack([x[first, 0], x[last, 1]], axis=1)


def _slopes_beside(table: Array, sizes: Array, curve: Array, half: Array) -> Array:
    """The slope of E in y on curves, polynomials in t; 0 where the curve itself is the bed."""
    slope = slope_in_y(table, curve, half, -1.0)
    terms = slope_in_y(sizes, np.abs(curve), half, 1.0)
    zero = np.abs(slope).max(axis=0) <= LEVEL * poly.size_within(terms)
    return np.where(zero, 0.0, slope)


def _end(tables: Tables, cell: Indices, x: Array, other: Array) -> Array:
    """y of a valley at one end of a piece; where q2 is 0 or rounding there, the limit."""
    q, size = tables.in_y(cell, x)
    sure = q[:, 2] > FLAT * size[:, 2]
    return np.where(sure, bed(tables, cell, x), bed(tables, cell, x + LIMIT * (other - x)))


def _upright(cells: AcrossCells, inside: Interiors) -> tuple[Indices, Array]:
    slabs = cells.slabs
    x = inside.upright_x
    last = len(slabs.x) - 2
    slab = np.clip(np.searchsorted(slabs.x, x, side="right") - 1, 0, last)
    patches, places = [], []
    for cell, at, s in zip(inside.upright_cell, x, slab, strict=True):
        patch = np.flatnonzero((cells.cell == cell) & (slabs.slab_of_patch == s))
        ends = [bent.heights(slabs.curves[slabs.below[patch] + k], at) for k in (0, 1)]
        patches.append(patch)
        places.append(np.stack([np.stack([np.full(len(patch), at), y], 1) for y in ends], axis=1))
    if not patches:
        return np.zeros(0, dtype=np.intp), np.zeros((0, 2, 2))
    return np.concatenate(patches), np.concatenate(places)


def _crossings(
    cells: AcrossCells, tables: Tables, patch: Indices, ends: Array, upright: NDArray[np.bool_]
) -> Indices:
    """Pairs of pieces that cross: one along x = const, one along the bed of the same patch."""
    crossed = []
    for one in np.flatnonzero(upright):
        x = ends[one, 0, 0]
        for other in np.flatnonzero(~upright & (patch == patch[one])):
            start, stop = ends[other, :, 0]
            if not start < x < stop:
                continue
            cell = cells.cell[patch[[one]]]
            (y,) = _end(tables, cell, np.array([x]), np.array([stop]))
            if ends[one, 0, 1] < y < ends[one, 1, 1]:
                crossed.append((one, other))
    return np.array(crossed, dtype=np.intp).reshape(-1, 2)


def _joints(cells: AcrossCells, patch: Indices, ends: Array, upright: NDArray[np.bool_]) -> Indices:
    """Pairs of pieces, one ending at a bound and one going on from there in the same cell."""
    slabs, gaps = cells.slabs, cells.gaps
    starting = {
        (int(p), float(x)): k
        for k, (p, x) in enumerate(zip(patch, ends[:, 0, 0], strict=True))
        if not upright[k]
    }
    beyond: dict[int, list[int]] = {}
    for left, right in gaps.patch[:, ~gaps.edge].T.tolist():
        beyond.setdefault(left, []).append(right)
    slab = slabs.slab_of_patch
    joined = []
    for k, p in enumerate(patch.tolist()):
        bound = slabs.x[slab[p] + 1]
        if upright[k] or ends[k, 1, 0] < bound:
            continue
        joined += [
            (k, starting[right, float(bound)])
            for right in beyond.get(p, [])
            if (right, float(bound)) in starting
        ]
    return np.array(joined, dtype=np.intp).reshape(-1, 2)
