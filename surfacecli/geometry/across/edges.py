"""E along the edges of the cells: where it is constant, where it turns, how it leaves the ends.

Along a curve y = -n/d the error is A/d^2 with A = q0 d^2 - q1 n d + q2 n^2, so its slope has the
sign of P = A' d - 2 A d', a polynomial of degree 4. A curve is taken as x(y) where that is better
conditioned: the coefficients of x^i y^j and of the curve change places. Along a line x = const
E is a quadratic in y.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.across import curves as bent
from surfacecli.geometry.across import polynomials as poly
from surfacecli.geometry.across.cells import AcrossCells
from surfacecli.geometry.across.tables import Tables
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]
Signs = NDArray[np.int8]

#: A slope counts as zero throughout below this times the size of the terms that it is the sum of.
LEVEL = 1e-12
#: At the end of an edge a slope is looked at a little further in below this times its terms.
AT_END = 1e-10

#: A turn is made sharper by steps up to this share of its chain.
POLISHED = 1e-6


@dataclass(frozen=True, eq=False)
class ChainTurns:
    """E along the chains.

    constant (c,): E is the same all along. leaving (2, c): the sign of the slope as one leaves the
    left end to the right and the right end to the left. turn_chain, turn_x (k,): where E turns;
    dip (k,): whether it is lowest there. cell (c,): one that a chain borders.
    """

    constant: Flags
    leaving: Signs
    chain: Indices
    x: Array
    dip: Flags
    cell: Indices


def find_chain_turns(cells: AcrossCells, tables: Tables) -> ChainTurns:
    chains, nodes = cells.chains, cells.nodes
    cell = np.where(chains.above >= 0, chains.above, chains.below)
    ends = nodes.place[chains.ends]
    centre = ends[:, :, 0].mean(axis=1)
    table, sizes = tables.around(cell, centre)
    curve = bent.from_place(chains.curve, centre)
    low, high = ends[:, 0, 0] - centre, ends[:, 1, 0] - centre
    falling = np.zeros(len(curve), dtype=np.bool_)
    upright = _is_upright(chains.curve, ends)
    if upright.any():
        table[upright] = table[upright].swapaxes(1, 2)
        sizes[upright] = sizes[upright].swapaxes(1, 2)
        curve[upright] = curve[upright][:, [0, 2, 1, 3]]
        y = ends[upright, :, 1]
        falling[upright] = y[:, 1] < y[:, 0]
        low[upright], high[upright] = y.min(axis=1), y.max(axis=1)
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    d = curve[:, 2] + curve[:, 3] * middle
    curve *= np.sign(d)[:, None]
    slope, size = _slope_along(table, sizes, curve, middle, half)
    total = poly.size_within(size)
    constant = np.abs(slope).max(axis=0) <= LEVEL * total
    slope[:, constant] = 0.0
    t, rising, between = poly.crossings(slope)
    _leave_to_the_ends(slope, total, t, between)
    found = np.nonzero(~np.isnan(t))
    leaving = []
    for end, inner in ((-1.0, between[0]), (1.0, between[-1])):
        at_end = poly.evaluate_polynomials(slope, np.full(len(low), end))
        near = np.abs(at_end) <= AT_END * total
        sign = np.where(near, inner, np.sign(at_end))
        # Never 0 unless E is constant: then a root lies within rounding of the end.
        steepest = np.sign(slope[np.abs(slope).argmax(axis=0), np.arange(slope.shape[1])])
        sign = np.where((sign == 0) & ~constant, between[len(between) // 2], sign)
        leaving.append(-end * np.where((sign == 0) & ~constant, steepest, sign))
    left, right = leaving
    signs = np.where(falling, [right, left], [left, right]).astype(np.int8)
    chain = found[1]
    place = middle[chain] + half[chain] * t[found]
    # Of an upright chain the place is y: x is on the curve x(y).
    other = bent.heights(curve[chain], place)
    x = np.where(upright[chain], other, place) + centre[chain]
    x = _polish(tables, cell[chain], chains.curve[chain], upright[chain], x, ends[chain, :, 0])
    dip = np.asarray(rising[found], dtype=np.bool_)
    order = np.lexsort((x, chain))
    return ChainTurns(constant, signs, chain[order], x[order], dip[order], cell)


def _polish(
    tables: Tables, cell: Indices, curve: Array, upright: Flags, x: Array, ends: Array
) -> Array:
    """Turns x (k,) by Newton's method in the table around them, which is the sharper the nearer.

    `ends` (k, 2): where the chains end; steps that leave them, or are no small ones, are not made.
    """
    swapped = curve[:, [0, 2, 1, 3]]
    _, n1, d0, d1 = np.where(upright[:, None], swapped, curve).T
    longest = POLISHED * (ends[:, 1] - ends[:, 0])
    for _ in range(2):
        y = bent.heights(curve, x)
        table, _ = tables.shifted(cell, x, y)
        table = np.where(upright[:, None, None], table.swapaxes(1, 2), table)
        a, b = np.where(upright, y, x), np.where(upright, x, y)
        with np.errstate(divide="ignore", invalid="ignore"):
            rise = -(n1 + d1 * b) / (d0 + d1 * a)
            bend = -2.0 * d1 * rise / (d0 + d1 * a)
            slope = table[:, 1, 0] + table[:, 0, 1] * rise
            curved = 2.0 * (table[:, 2, 0] + rise * (table[:, 1, 1] + rise * table[:, 0, 2]))
            step = -slope / (curved + table[:, 0, 1] * bend)
            moved = np.where(upright, bent.heights(swapped, a + step), x + step)
        small = np.abs(moved - x) <= longest
        x = np.where(small & (moved > ends[:, 0]) & (moved < ends[:, 1]), moved, x)
    return np.asarray(x)


def _leave_to_the_ends(slope: Array, total: Array, t: Array, between: Array) -> None:
    """Drop turns that an end's rounding makes: up to which the slope is rounding. In place.

    The signs between such a turn and its end become that beyond the turn.
    """
    for end, numbers in ((-1.0, range(len(t))), (1.0, range(len(t) - 1, -1, -1))):
        for k in numbers:
            turn = np.where(np.isnan(t[k]), end, t[k])
            steps = [poly.evaluate_polynomials(slope, end + f * (turn - end)) for f in (0.0, 0.5)]
            gone = ~np.isnan(t[k]) & (np.abs(steps).max(axis=0) <= AT_END * total)
            t[k, gone] = np.nan
            outer = slice(0, k + 1) if end < 0 else slice(k + 1, None)
            between[outer, gone] = between[k + 1 if end < 0 else k, gone]


def _is_upright(curve: Array, ends: Array) -> Flags:
    """Which chains are better taken as x(y): those whose d comes nearer to 0 than n1 + d1 y."""
    steady = []
    for constant, linear, at in ((2, 3, 0), (1, 3, 1)):
        values = np.abs(curve[:, constant, None] + curve[:, linear, None] * ends[:, :, at])
        with np.errstate(divide="ignore", invalid="ignore"):
            steady.append(np.nan_to_num(values.min(axis=1) / values.max(axis=1)))
    return np.asarray(steady[0] < 0.1 * steady[1])


def _slope_along(
    table: Array, sizes: Array, curve: Array, middle: Array, half: Array
) -> tuple[Array, Array]:
    """P in t along curves, x = middle + half t, and the sizes of its terms: (5, c) each."""
    results = []
    for T, c, x, minus in (
        (table, curve, middle, -1.0),
        (sizes, np.abs(curve), np.abs(middle), 1.0),
    ):
        q = [poly.substitute(T[:, :, j].T, x, half) for j in range(3)]
        n, d = poly.substitute(c[:, :2].T, x, half), poly.substitute(c[:, 2:].T, x, half)
        A = poly.add(
            poly.multiply(q[0], d, d), minus * poly.multiply(q[1], n, d), poly.multiply(q[2], n, n)
        )
        results.append(
            poly.add(
                poly.multiply(poly.differentiate_polynomials(A), d),
                2.0 * minus * poly.multiply(A, d[1:2]),
            )
        )
    # The highest coefficient, of t^5, is 0 but for rounding.
    return results[0][:5], results[1][:5]


@dataclass(frozen=True, eq=False)
class GapTurns:
    """E along the gaps that are edges: edge (e,) their numbers among the gaps.

    constant (e,): E is the same all along. dip_edge (k,) numbers e with a lowest point inside, at
    dip_y (k,). cell (2, e): on the left and on the right, -1 outside the window.
    """

    edge: Indices
    constant: Flags
    dip_edge: Indices
    dip_y: Array
    cell: Indices


def find_gap_turns(cells: AcrossCells, tables: Tables) -> GapTurns:
    gaps, nodes = cells.gaps, cells.nodes
    edge = np.flatnonzero(gaps.edge)
    lower = gaps.lower[edge]
    x, low, high = nodes.place[lower, 0], nodes.place[lower, 1], nodes.place[lower + 1, 1]
    patch = gaps.patch[:, edge]
    cell = np.where(patch >= 0, cells.cell[patch], -1)
    beside = np.where(cell[1] >= 0, cell[1], cell[0])
    q, size = tables.in_y(beside, x)
    reach = np.maximum(np.abs(low), np.abs(high))
    terms = size[:, 1] + 2.0 * reach * size[:, 2]
    constant = np.abs(q[:, 1]) + 2.0 * reach * np.abs(q[:, 2]) <= LEVEL * terms
    slopes = [q[:, 1] + 2.0 * q[:, 2] * y for y in (low, high)]
    inside = ~constant & (slopes[0] < -AT_END * terms) & (slopes[1] > AT_END * terms)
    dip = np.flatnonzero(inside)
    dip_y = -q[dip, 1] / (2.0 * q[dip, 2])
    # Once more about the dip itself, where less is rounding.
    here, _ = tables.shifted(beside[dip], x[dip], dip_y)
    step = -here[:, 0, 1] / (2.0 * here[:, 0, 2])
    dip_y = np.where(np.abs(step) <= POLISHED * (high - low)[dip], dip_y + step, dip_y)
    return GapTurns(edge, constant, dip, dip_y, cell)
