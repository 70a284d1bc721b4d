"""The points of a slice at which E may be stationary on the edges: nodes, turns, dips and cuts.

A chain along which E is constant is cut where the slope of E into a cell beside it changes its
sign, and so is such a gap: on each piece of it the same sides fall.
"""

import itertools
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.across import curves as bent
from surfacecli.geometry.across import polynomials as poly
from surfacecli.geometry.across.cells import AcrossCells
from surfacecli.geometry.across.edges import LEVEL, ChainTurns, GapTurns
from surfacecli.geometry.across.germs import PLACE, UP, Rounds, Sectors, go_round, vertical_signs
from surfacecli.geometry.across.ragged import spread
from surfacecli.geometry.across.tables import Tables
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]

#: Cuts of an edge nearer to each other than this, in halves of the edge, are one.
SAME = 1e-9

#: A place of gradient 0 is on the edge of a spot if it is this near across the edge, in windows,
#: and no farther than that along it, in panels.
ON_EDGE, NEAR = 2e-11, 1e-6

#: What a spot lies on.
NODE, CHAIN, GAP = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Spots:
    """Points x, y (P,) with what lies round them.

    on (P,): `NODE`, `CHAIN` or `GAP`, and `number` (P,) which node, chain or edge gap (as numbered
    by `GapTurns`). level (P,): cuts of an edge along which E is constant. scale (P, 2): the lengths
    along x and along y that places are as good as.
    """

    x: Array
    y: Array
    on: Indices
    number: Indices
    level: Flags
    scale: Array
    rounds: Rounds


@dataclass(frozen=True, eq=False)
class LevelPieces:
    """The pieces of constant edges: on `CHAIN` or `GAP`, and which.

    ends (k, 2): the spots at which a piece begins and ends. falls (k,): how many sides fall;
    rises (k,): whether one rises; crossed (k,): one falls, the other rises, neither with a slope of
    0, so that no point of it is stationary; kinked (k,): some side has a slope that is not 0.
    """

    on: Indices
    number: Indices
    ends: Indices
    falls: Indices
    rises: Flags
    crossed: Flags
    kinked: Flags

    @property
    def index(self) -> Indices:
        """Of a piece, an open segment: 1 less the sides that fall, and that times -1."""
        return np.asarray(self.falls - 1)

    def with_ends(self, of_edge: Indices, cuts: Indices) -> "LevelPieces":
        """The pieces with the spots at the ends of their edges (k, 2), and those at the cuts."""
        at_cut = np.append(cuts, -1)[self.ends]
        return replace(self, ends=np.where(self.ends >= 0, at_cut, of_edge))


def _all_pieces(parts: list[LevelPieces]) -> LevelPieces:
    names = [field.name for field in fields(LevelPieces)]
    return LevelPieces(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def find_spots(
    cells: AcrossCells, tables: Tables, chains: ChainTurns, gaps: GapTurns, outside: Array
) -> tuple[Spots, LevelPieces]:
    """All points on edges at which E may be stationary, with the arcs in which it falls.

    `outside` (o, 2): where the gradient of a cell's table is 0, but not inside the cell.
    """
    chain_cuts, chain_pieces = _cut_chains(cells, tables, chains)
    gap_cuts, gap_pieces = _cut_gaps(cells, tables, gaps)
    nodes = np.flatnonzero(~cells.nodes.alone)
    curve, high = cells.chains.curve, cells.nodes.place
    x_of_gap = high[cells.gaps.lower[gaps.edge], 0]
    parts = [
        (NODE, nodes, *high[nodes].T, np.zeros(len(nodes), dtype=bool)),
        (
            CHAIN,
            chains.chain,
            chains.x,
            bent.heights(curve[chains.chain], chains.x),
            np.zeros(len(chains.x), dtype=bool),
        ),
        (
            CHAIN,
            chain_cuts[0],
            chain_cuts[1],
            bent.heights(curve[chain_cuts[0]], chain_cuts[1]),
            np.ones(len(chain_cuts[0]), dtype=bool),
        ),
        (
            GAP,
            gaps.dip_edge,
            x_of_gap[gaps.dip_edge],
            gaps.dip_y,
            np.zeros(len(gaps.dip_y), dtype=bool),
        ),
        (
            GAP,
            gap_cuts[0],
            x_of_gap[gap_cuts[0]],
            gap_cuts[1],
            np.ones(len(gap_cuts[0]), dtype=bool),
        ),
    ]
    on = np.concatenate([np.full(len(part[1]), part[0]) for part in parts])
    number, x, y, level = (np.concatenate([part[k] for part in parts]) for k in range(1, 5))
    sectors = Sectors()
    bounds = np.cumsum([0] + [len(part[1]) for part in parts])
    ranges = [np.arange(a, b) for a, b in itertools.pairwise(bounds)]
    scale = _scales(cells, gaps, x, y, on, number)
    _blur_at(outside, x, y, scale, np.array(cells.frame.extent))
    _round_nodes(sectors, cells, tables, chains, gaps, nodes, x, y, scale)
    signs = np.where(chains.dip, 1.0, -1.0)
    _round_chains(sectors, cells, tables, ranges[1], chains.chain, signs, x, y, scale)
    _round_chains(
        sectors, cells, tables, ranges[2], chain_cuts[0], 0.0 * chain_cuts[1], x, y, scale
    )
    _round_gaps(sectors, gaps, ranges[3], gaps.dip_edge, 1.0)
    _round_gaps(sectors, gaps, ranges[4], gap_cuts[0], 0.0)
    rounds = go_round(sectors, tables, x, y, scale)
    spot_of = np.full(len(cells.nodes.bound), -1)
    spot_of[nodes] = ranges[0]
    lower = cells.gaps.lower[gaps.edge[gap_pieces.number]]
    pieces = [
        chain_pieces.with_ends(spot_of[cells.chains.ends[chain_pieces.number]], ranges[2]),
        gap_pieces.with_ends(spot_of[np.stack([lower, lower + 1], axis=1)], ranges[4]),
    ]
    return Spots(x, y, on, number, level, scale, rounds), _all_pieces(pieces)


def _scales(
    cells: AcrossCells, gaps: GapTurns, x: Array, y: Array, on: Indices, number: Indices
) -> Array:
    """The lengths (P, 2) that places of spots are as good as: of panels, and upwards."""
    nodes, slabs = cells.nodes, cells.slabs
    length = nodes.place[cells.gaps.lower + 1, 1] - nodes.place[cells.gaps.lower, 1]
    beside = np.zeros(len(nodes.bound))
    for step in (0, 1):
        np.maximum.at(beside, cells.gaps.lower + step, length)
    upwards = np.zeros(len(x))
    upwards[on == NODE] = beside[number[on == NODE]]
    upwards[on == GAP] = length[gaps.edge[number[on == GAP]]]
    return np.stack([slabs.panel_at(x), np.maximum(upwards, np.abs(y))], axis=1)


def _blur_at(outside: Array, x: Array, y: Array, scale: Array, extent: Array) -> None:
    """Spots are as good as their distance from a gradient of 0 on the very same edge; in place.

    Such a place counts as on the edge, not inside the cell: so the slope into it is 0.
    """
    known = np.isfinite(outside).all(axis=1)
    order = np.argsort(outside[known, 0])
    near = outside[known][order]
    first = np.searchsorted(near[:, 0], x - NEAR * extent[0])
    last = np.searchsorted(near[:, 0], x + NEAR * extent[0])
    spot, place = spread(last - first)
    apart = np.abs(np.stack([x, y], axis=1)[spot] - near[first[spot] + place])
    beside = (apart <= NEAR * np.minimum(scale[spot], extent)).all(axis=1)
    beside &= (apart <= ON_EDGE * extent).any(axis=1)
    np.maximum.at(scale, spot[beside], 2.0 * apart[beside] / PLACE)


def _round_nodes(
    sectors: Sectors,
    cells: AcrossCells,
    tables: Tables,
    turns: ChainTurns,
    gap_turns: GapTurns,
    nodes: Indices,
    x: Array,
    y: Array,
    scale: Array,
) -> None:
    slabs, gaps, every = cells.slabs, cells.gaps, cells.nodes
    spot = np.arange(len(nodes))
    # Upwards and downwards: the gaps above and below, their cells, and the sign of E along them.
    gap_above = np.full(len(every.bound) + 1, -1)
    gap_above[gaps.lower] = np.arange(len(gaps.lower))
    vertical = {}
    for up, gap in ((1, gap_above[nodes]), (-1, gap_above[nodes - 1])):
        patch = gaps.patch[:, gap]
        cell = np.where((gap >= 0) & (patch >= 0), cells.cell[patch], -1)
        either = np.where(cell[1] >= 0, cell[1], cell[0])
        sign = np.full(len(nodes), np.nan)
        here = either >= 0
        sign[here] = vertical_signs(
            tables, either[here], x[spot[here]], y[spot[here]], up, scale[spot[here]]
        )
        level = np.zeros(len(gaps.lower), dtype=np.bool_)
        level[gap_turns.edge[gap_turns.constant]] = True
        sign[here & level[gap]] = 0.0
        sectors.germ(spot[here], UP if up > 0 else 0, sign[here])
        vertical[up] = cell, sign
    nothing = np.full((len(nodes), 4), np.nan)
    for side, s in ((1, 1), (-1, 0)):
        first, last = every.first[s, nodes], every.last[s, nodes]
        count = last - first
        # Sector j lies below curve j of the node, sector `count` above the last.
        of, j = spread(count + 1)
        upper, lower = j < count[of], j > 0
        curve = np.minimum(first[of] + j, len(slabs.name) - 1)
        below = np.maximum(first[of] + j - 1, 0)
        chain_above, chain_below = cells.chain_of[curve], cells.chain_of[below]
        cell = np.where(upper, cells.chains.below[chain_above], cells.chains.above[chain_below])
        none = count[of] == 0
        (cell_up, sign_up), (_, sign_down) = vertical[1], vertical[-1]
        cell[none] = cell_up[s, of[none]]
        leaving = turns.leaving[1 - s]
        high = (
            np.where(upper[:, None], cells.chains.curve[chain_above], nothing[of]),
            np.where(upper, leaving[chain_above], sign_up[of]),
        )
        low = (
            np.where(lower[:, None], cells.chains.curve[chain_below], nothing[of]),
            np.where(lower, leaving[chain_below], sign_down[of]),
        )
        key = 2 * j + 1 if side > 0 else UP + 2 * (count[of] - j) + 1
        outside = every.bound[nodes[of]] == (0 if s == 0 else len(slabs.x) - 1)
        cell[outside] = -1
        sectors.sector(spot[of], key, side, cell, low, high)
        germ = np.flatnonzero(upper)
        sectors.germ(
            spot[of[germ]],
            key[germ] + side,
            leaving[chain_above[germ]],
        )


def _round_chains(
    sectors: Sectors,
    cells: AcrossCells,
    tables: Tables,
    spot: Indices,
    chain: Indices,
    signs: Array,
    x: Array,
    y: Array,
    scale: Array,
) -> None:
    nothing = np.full((len(chain), 4), np.nan)
    curve = cells.chains.curve[chain], signs
    for cell, up, key in ((cells.chains.below[chain], -1, 0), (cells.chains.above[chain], 1, UP)):
        inside = cell >= 0
        sign = np.full(len(chain), np.nan)
        at = spot[inside]
        sign[inside] = vertical_signs(tables, cell[inside], x[at], y[at], up, scale[at])
        sectors.germ(at, key, sign[inside])
        vertical = nothing, sign
        low, high = (curve, vertical) if up > 0 else (vertical, curve)
        sectors.sector(spot, 3 if up > 0 else 1, 1, cell, low, high)
        sectors.sector(spot, UP + (1 if up > 0 else 3), -1, cell, low, high)
    sectors.germ(spot, 2, signs)
    sectors.germ(spot, UP + 2, signs)


def _round_gaps(
    sectors: Sectors, gaps: GapTurns, spot: Indices, edge: Indices, sign: float
) -> None:
    signs = np.full(len(edge), sign)
    vertical = np.full((len(edge), 4), np.nan), signs
    sectors.germ(spot, 0, signs)
    sectors.germ(spot, UP, signs)
    sectors.sector(spot, 1, 1, gaps.cell[1, edge], vertical, vertical)
    sectors.sector(spot, UP + 1, -1, gaps.cell[0, edge], vertical, vertical)


def _cut_chains(
    cells: AcrossCells, tables: Tables, turns: ChainTurns
) -> tuple[tuple[Indices, Array], LevelPieces]:
    """Cuts of the constant chains (their numbers, and x), and the pieces between.

    On a curve the slope of E in y is (q1 d - 2 q2 n) / d, a cubic.
    """
    chain, chains = np.flatnonzero(turns.constant), cells.chains
    ends = cells.nodes.place[chains.ends[chain], 0]
    middle, half = ends.mean(axis=1), 0.5 * (ends[:, 1] - ends[:, 0])
    curve = chains.curve[chain]
    sides = []
    for cell in (chains.below[chain], chains.above[chain]):
        table, size = tables.around(cell, middle)
        local = bent.from_place(curve, middle)
        slope = slope_in_y(table, local, half, -1.0)
        terms = poly.size_within(slope_in_y(size, np.abs(local), half, 1.0))
        sides.append((slope, terms, table[:, 0, 2], size[:, 0, 2], cell >= 0))
    which, t, pieces = _cut_level(sides, CHAIN)
    cuts = chain[which], middle[which] + half[which] * t
    return cuts, replace(pieces, number=chain[pieces.number])


def slope_in_y(table: Array, curve: Array, half: Array, minus: float) -> Array:
    """q1 d - 2 q2 n in t along curves, x = half t: (4, c)."""
    middle = np.zeros_like(half)
    q1, q2 = (poly.substitute(table[:, :, j].T, middle, half) for j in (1, 2))
    n, d = (poly.substitute(part.T, middle, half) for part in (curve[:, :2], curve[:, 2:]))
    return poly.add(poly.multiply(q1, d), 2.0 * minus * poly.multiply(q2, n))


def _cut_gaps(
    cells: AcrossCells, tables: Tables, gaps: GapTurns
) -> tuple[tuple[Indices, Array], LevelPieces]:
    """Cuts of the constant gaps (their numbers, and y), and the pieces between."""
    edge = np.flatnonzero(gaps.constant)
    lower = cells.gaps.lower[gaps.edge[edge]]
    x = cells.nodes.place[lower, 0]
    low, high = cells.nodes.place[lower, 1], cells.nodes.place[lower + 1, 1]
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    sides = []
    for side in (0, 1):
        cell = gaps.cell[side, edge]
        (slope, terms), (bend, bend_terms) = (tables.in_y(cell, x, order) for order in (1, 2))
        reach = np.abs(middle) + half
        sides.append(
            (
                poly.substitute(slope.T, middle, half),
                poly.evaluate_polynomials(terms.T, reach),
                poly.evaluate_polynomials(bend.T, middle),
                poly.evaluate_polynomials(bend_terms.T, np.abs(middle)),
                cell >= 0,
            )
        )
    which, t, pieces = _cut_level(sides, GAP)
    cuts = edge[which], middle[which] + half[which] * t
    return cuts, replace(pieces, number=edge[pieces.number])


def _cut_level(
    sides: list[tuple[Array, Array, Array, Array, Flags]], on: int
) -> tuple[Indices, Array, LevelPieces]:
    """Cut level edges where the slope into a side changes its sign.

    Of each side: the slope of E across the edge, towards larger y or x, as polynomials in t; the
    size of its terms; the second derivative and its size; whether there is a cell. Gives which
    edges are cut, at which t, and the pieces, the cuts as their ends (-1 at those of the edge).
    """
    count = len(sides[0][1])
    t = [-np.ones((1, count)), np.ones((1, count))]
    slopes, bends = [], []
    for slope, terms, bend, bend_terms, inside in sides:
        zero = (np.abs(slope).max(axis=0, initial=0.0) <= LEVEL * terms) | ~inside
        slopes.append(np.where(zero, 0.0, slope))
        bends.append(inside & (bend > LEVEL * bend_terms))
        t.append(poly.crossings(slopes[-1])[0])
    at = np.sort(np.concatenate(t), axis=0)  # NaN comes last
    # Cuts at an end are that end's; those that both sides have are one.
    at[(np.abs(at) < 1.0) & (np.abs(at) > 1.0 - SAME)] = np.nan
    at = np.sort(at, axis=0)
    at[1:][np.diff(at, axis=0) < SAME] = np.nan
    at = np.sort(at, axis=0)
    row, which = np.nonzero(np.abs(at) < 1.0)
    cut_t = at[row, which]
    cut = np.full(at.shape, -1)
    cut[row, which] = np.arange(len(row))
    row, piece = np.nonzero(at[1:] > at[:-1])
    inner = 0.5 * (at[1:] + at[:-1])[row, piece]
    falls, rises = np.zeros(len(piece), dtype=np.intp), np.zeros(len(piece), dtype=np.bool_)
    steep = np.zeros(len(piece), dtype=np.intp)
    for slope, bends_up, outward in zip(slopes, bends, (-1.0, 1.0), strict=True):
        value = outward * poly.evaluate_polynomials(slope[:, piece], inner)
        falls += value < 0
        rises |= (value > 0) | ((value == 0) & bends_up[piece])
        steep += value != 0
    crossed = (steep == 2) & (falls == 1)
    ends = np.stack([cut[row, piece], cut[row + 1, piece]], axis=1)
    kinked = steep > 0
    pieces = LevelPieces(np.full(len(piece), on), piece, ends, falls, rises, crossed, kinked)
    return which, cut_t, pieces
