"""Stationary points, valleys and level regions inside the cells of an across-layers slice.

dE/dy = q1 + 2 q2 y is 0 at y = -q1 / (2 q2), where E is q0 - q1^2 / (4 q2); the slope of that in x
is N / (4 q2^2) with N = 4 q0' q2^2 - 2 q1' q1 q2 + q2' q1^2, of degree 5. So where N changes to
positive E has a minimum, where it changes to negative a saddle: E is convex in y. Where N vanishes
throughout, the whole curve y(x) is a valley. Where q2 has a double root q1 has a root, and E is the
same along that line x = const: a saddle where dE/dx changes its sign there, a valley where it is 0.
Where q2 and q1 vanish throughout, E depends on x alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.across import curves as bent
from surfacecli.geometry.across import polynomials as poly
from surfacecli.geometry.across.cells import AcrossCells
from surfacecli.geometry.across.edges import LEVEL
from surfacecli.geometry.across.ragged import spread
from surfacecli.geometry.across.tables import Tables
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]

#: A point is inside a cell where it is this far from its border, in windows.
INSIDE = 1e-11
#: The least value of q2 counts as 0 below this times the size of its terms.
DOUBLE = 1e-14
#: A line so near to an end of a cell, in halves of its width, belongs to what bounds it there.
NEAR_END = 1e-9
#: A double root of q2 makes roots of N that are none so far beyond the ends too.
NEARBY = 1.5
#: q2 counts as 0 at a root of N below this times the size of its terms.
FLAT = 1e-12
#: Steps of Newton's iteration; it has settled where the last is shorter than this, in windows, and
#: stayed at its root where x moved by less than that.
STEPS, SETTLED, SAME_PLACE = 8, 1e-9, 1e-5


@dataclass(frozen=True, eq=False)
class Interiors:
    """What the cells hold inside.

    cell, x, y, index (k,): stationary points. outside (o, 2): where the gradient of a cell's table
    is 0 on its border or beyond. level (F,): E is the same all over a cell.
    curved (j,): cells with a valley along y = -q1 / (2 q2). upright_cell, upright_x (i,): with one
    along a line x = const.
    """

    cell: Indices
    x: Array
    y: Array
    index: Indices
    outside: Array
    level: Flags
    curved: Indices
    upright_cell: Indices
    upright_x: Array


def find_interiors(cells: AcrossCells, tables: Tables) -> Interiors:
    count = len(cells)
    low, high = cells.along_x
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    q, size = (
        [poly.substitute(T[:, :, j].T, np.zeros(count), half) for j in range(3)]
        for T in tables.around(np.arange(count), middle)
    )
    # Against the terms of E itself: a slope in y or x that is rounding is none.
    slope_terms = [poly.size_within(s) for s in size]
    flat = np.abs(q[2]).max(axis=0) <= LEVEL * slope_terms[2]
    along_x = poly.differentiate_polynomials(q[0])
    still = np.abs(along_x).max(axis=0) <= LEVEL * poly.size_within(
        poly.differentiate_polynomials(size[0])
    )
    N, terms = _numerator(q, -1.0), _numerator(size, 1.0)
    vanishes = np.abs(N).max(axis=0) <= LEVEL * poly.size_within(terms)
    curved = ~flat & vanishes
    N[:, flat | vanishes] = 0.0
    t, rising, _ = poly.crossings(N)
    double, double_t = _double_roots(q[2], slope_terms[2])
    double &= ~flat
    _set_fifth_roots(q, double, double_t, vanishes, t, rising)
    double &= np.abs(double_t) < 1.0 - NEAR_END
    row, cell = np.nonzero(~np.isnan(t))
    index = np.where(rising[row, cell], 1, -1)
    t = t[row, cell]
    bend = poly.evaluate_polynomials(q[2][:, cell], t)
    steep = bend > FLAT * slope_terms[2][cell]
    row, cell, t, bend, index = row[steep], cell[steep], t[steep], bend[steep], index[steep]
    y = -poly.evaluate_polynomials(q[1][:, cell], t) / (2.0 * bend)
    x = middle[cell] + half[cell] * t
    lines = _level_lines(q, double, double_t)
    saddle, saddle_t, saddle_y = lines[0]
    x = np.concatenate([x, middle[saddle] + half[saddle] * saddle_t])
    y, cell = np.concatenate([y, saddle_y]), np.concatenate([cell, saddle])
    index = np.concatenate([index, np.full(len(saddle), -1)])
    x, y = _polish(cells, tables, cell, x, y)
    inside = _inside(cells, cell, x, y)
    outside = np.stack([x, y], axis=1)[~inside]
    cell, x, y, index = cell[inside], x[inside], y[inside], index[inside]
    valley, valley_t = lines[1]
    bottom = flat & ~still
    turn = np.where(bottom, -q[0][1] / np.where(bottom, 2.0 * q[0][2], 1.0), np.nan)
    low_cell = np.flatnonzero(np.abs(turn) < 1.0 - NEAR_END)
    upright = np.concatenate([valley, low_cell])
    upright_t = np.concatenate([valley_t, turn[low_cell]])
    return Interiors(
        cell,
        x,
        y,
        index,
        outside,
        flat & still,
        np.flatnonzero(curved),
        upright,
        middle[upright] + half[upright] * upright_t,
    )


def _numerator(q: list[Array], minus: float) -> Array:
    d = [poly.differentiate_polynomials(part) for part in q]
    return poly.add(
        4.0 * poly.multiply(d[0], q[2], q[2]),
        2.0 * minus * poly.multiply(d[1], q[1], q[2]),
        poly.multiply(d[2], q[1], q[1]),
    )


def _set_fifth_roots(
    q: list[Array], double: Flags, double_t: Array, vanishes: Flags, t: Array, rising: Flags
) -> None:
    """Where q2 has a double root, the root of N that is none of q2, and its direction, in place.

    With s counted from the double root q2 = a s^2, q1 = b s + c s^2 and q0' = e0 + e1 s, so that
    N = s^4 (4 a^2 q0' - 2 a c (b + c s)), in which the last factor is linear.
    """
    a, at = q[2][2], np.where(double, double_t, 0.0)
    b, c = q[1][1] + 2.0 * q[1][2] * at, q[1][2]
    e0, e1 = q[0][1] + 2.0 * q[0][2] * at, 2.0 * q[0][2]
    lead = 4.0 * a * a * e1 - 2.0 * a * c * c
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        fifth = at + (2.0 * a * c * b - 4.0 * a * a * e0) / lead
    t[:, double] = np.nan
    wanted = double & ~vanishes & (np.abs(fifth) < 1.0) & (fifth != at)
    t[0, wanted], rising[0, wanted] = fifth[wanted], lead[wanted] > 0


def _double_roots(q2: Array, size: Array) -> tuple[Flags, Array]:
    """Whether q2 (3, F), nowhere negative, is 0 at some |t| < `NEARBY`, and there."""
    c0, c1, c2 = q2
    curved = c2 > DOUBLE * size
    safe = np.where(curved, c2, 1.0)
    t = np.where(curved, -c1 / (2.0 * safe), np.nan)
    least = c0 - c1 * c1 / (4.0 * safe)
    return curved & (np.abs(t) < NEARBY) & (least <= DOUBLE * size), t


def _level_lines(
    q: list[Array], double: Flags, t: Array
) -> tuple[tuple[Indices, Array, Array], tuple[Indices, Array]]:
    """At double roots of q2: saddles (cell, t, y), and the cells with a valley along the line."""
    cell = np.flatnonzero(double)
    t = t[cell]
    d0, d1 = (
        poly.evaluate_polynomials(poly.differentiate_polynomials(part[:, cell]), t)
        for part in q[:2]
    )
    terms = [np.abs(part[1:, cell]).sum(axis=0) * 2.0 for part in q[:2]]
    tilted = np.abs(d1) > FLAT * terms[1]
    resting = ~tilted & (np.abs(d0) <= FLAT * terms[0])
    y = -d0[tilted] / d1[tilted]
    return (cell[tilted], t[tilted], y), (cell[resting], t[resting])


def _inside(cells: AcrossCells, cell: Indices, x: Array, y: Array) -> Flags:
    """Whether points (k,) lie inside their cells, off the borders."""
    slabs = cells.slabs
    counts = slabs.counts - 1
    first = slabs.start[:-1] - np.arange(len(counts))
    slab = np.clip(np.searchsorted(slabs.x, x, side="right") - 1, 0, len(counts) - 1)
    of, place = spread(counts[slab])
    patch = first[slab[of]] + place
    own = cells.cell[patch] == cell[of]
    of, patch = of[own], patch[own]
    far = INSIDE * (slabs.frame.y[1] - slabs.frame.y[0])
    low, high = (bent.heights(slabs.curves[slabs.below[patch] + k], x[of]) for k in (0, 1))
    within = (y[of] > low + far) & (y[of] < high - far)
    # Next to a kink x = const a point is on that kink.
    close = INSIDE * (slabs.frame.x[1] - slabs.frame.x[0])
    for s in (0, 1):
        edge = np.zeros(len(slabs.pattern), dtype=np.bool_)
        beside = cells.gaps.patch[1 - s, cells.gaps.edge]
        edge[beside[beside >= 0]] = True
        bound = slabs.x[slabs.slab_of_patch[patch] + s]
        within &= ~(edge[patch] & (np.abs(x[of] - bound) < close))
    return np.bincount(of[within], minlength=len(x)) > 0


def _polish(
    cells: AcrossCells, tables: Tables, cell: Indices, x: Array, y: Array
) -> tuple[Array, Array]:
    """Points after Newton's iteration on the gradient, where it settles at nearly the same x.

    Where q2 is small but not 0 a root of N may be right to 1e-8 only, and y = -q1 / (2 q2) wrong by
    as much as the window: near it the gradient itself is well conditioned.
    """
    extent = np.array(cells.frame.extent)
    at, step = np.stack([x, y], axis=1), np.full((len(x), 2), np.inf)
    with np.errstate(all="ignore"):
        for _ in range(STEPS):
            a, b = tables.gradient(cell, *at.T)[0].T
            H = tables.hessian(cell, *at.T)
            determinant = H[:, 0, 0] * H[:, 1, 1] - H[:, 0, 1] ** 2
            across, along = H[:, 0, 1] * b - H[:, 1, 1] * a, H[:, 0, 1] * a - H[:, 0, 0] * b
            step = np.stack([across, along], axis=1) / determinant[:, None]
            at = at + step
        settled = (np.abs(step) < SETTLED * extent).all(axis=1)
        settled &= np.abs(at[:, 0] - x) < SAME_PLACE * extent[0]
    return np.where(settled, at[:, 0], x), np.where(settled, at[:, 1], y)


def bed(tables: Tables, cells: Indices, x: Array) -> Array:
    """y = -q1 / (2 q2) of cells (k,) at x (k,)."""
    q, _ = tables.in_y(cells, x)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(-q[:, 1] / (2.0 * q[:, 2]))
