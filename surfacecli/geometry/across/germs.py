"""In which directions E falls round a point: the signs of E - E(p) in order round it.

What leaves p: edges, and upwards and downwards the line x = const, each with the sign that E takes
along it. Between two neighbours on the right of p, or on the left, lies a sector of one cell. There
E is convex in y, so the signs on both sides of a sector decide those inside, but for three cases:
E is the same along a side; or the slope in y is 0 at p, so that a valley of the cell may run into
the sector with E falling along it; or E is the same along x = const. Then E is looked at along a
chord of the sector close to p, in the cell's table around p, in which what is rounding is 0.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.across import curves as bent
from surfacecli.geometry.across.tables import Tables
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]

#: A coefficient of a table around a point is 0 below this times the size of its terms, and a slope
#: too where a step of `PLACE` lengths, as far as the point itself may be misplaced, makes it 0.
ZERO, PLACE = 1e-12, 1e-12
#: How far from the point a chord lies, in widths of the panel it goes through.
CHORD = 1e-8
#: The lowest value on a chord counts as 0 below this times its terms.
LOWEST = 1e-8
#: The sign of what lies outside the window: neither falling nor rising.
OUTSIDE = 2
#: Upwards; what leaves on the left comes after, from above downwards.
UP = 1 << 20


@dataclass(eq=False)
class Sectors:
    """Sectors of points and what leaves the points, gathered piece by piece.

    Keys order what belongs to a point counter-clockwise from the line downwards.
    """

    points: list[Indices] = field(default_factory=list)
    keys: list[Indices] = field(default_factory=list)
    sides: list[Indices] = field(default_factory=list)
    cells: list[Indices] = field(default_factory=list)
    curves: list[Array] = field(default_factory=list)
    signs: list[Array] = field(default_factory=list)
    germs: list[tuple[Indices, Indices, Array]] = field(default_factory=list)

    def germ(self, point: Indices, key: Indices | int, sign: Array) -> None:
        """Something that leaves points (k,), with the sign of E along it."""
        self.germs.append((point, np.broadcast_to(key, point.shape), np.asarray(sign, float)))

    def sector(
        self,
        point: Indices,
        key: Indices | int,
        side: int,
        cell: Indices,
        lower: tuple[Array, Array],
        upper: tuple[Array, Array],
    ) -> None:
        """Sectors on the right (side 1) or left (-1) of points (k,).

        `lower`, `upper`: the curves (k, 4) that bound them, NaN for the line x = const, and the
        signs of E along those. A cell of -1 is outside the window.
        """
        inside = cell >= 0
        key = np.broadcast_to(key, point.shape)
        self.germ(point[~inside], key[~inside], np.full(int((~inside).sum()), float(OUTSIDE)))
        self.points.append(point[inside])
        self.keys.append(key[inside])
        self.sides.append(np.full(int(inside.sum()), side))
        self.cells.append(cell[inside])
        self.curves.append(np.stack([lower[0], upper[0]], axis=1)[inside])
        self.signs.append(np.stack([lower[1], upper[1]], axis=1)[inside])


@dataclass(frozen=True, eq=False)
class Rounds:
    """What the signs round points (P,) say: arcs in which E falls, and whether it falls or rises.

    arcs is 0 where E falls all round. everywhere: it falls in all directions into the window.
    """

    arcs: Indices
    falls: Flags
    rises: Flags
    everywhere: Flags

    @property
    def index(self) -> Indices:
        return np.asarray(1 - self.arcs)


def vertical_signs(
    tables: Tables, cells: Indices, x: Array, y: Array, up: int, scale: Array
) -> Array:
    """The sign of E - E(p) from points up (1) or down (-1) along x = const; 0 where it is level."""
    first, second = (cleaned(tables, cells, x, y, scale)[:, 0, k] for k in (1, 2))
    return np.where(first != 0, up * np.sign(first), np.sign(second))


def cleaned(tables: Tables, cells: Indices, x: Array, y: Array, scale: Array) -> Array:
    """Tables around points (k, 3, 3) with what is rounding set to 0; `scale` (k,): panels."""
    table, size = tables.shifted(cells, x, y)
    most = ZERO * size
    dx, dy = PLACE * np.maximum(np.abs(x), scale[:, 0]), PLACE * scale[:, 1]
    # Moved by dx or dy, a coefficient takes up a share of the next ones.
    present, steps = np.abs(table), np.arange(1.0, 3.0)
    most[:, :2] += steps[:, None] * present[:, 1:] * dx[:, None, None]
    most[:, :, :2] += steps * present[:, :, 1:] * dy[:, None, None]
    return np.where(np.abs(table) <= most, 0.0, table)


def go_round(sectors: Sectors, tables: Tables, x: Array, y: Array, scale: Array) -> Rounds:
    """Put germs and sectors of points (P,) in order round each and count the arcs that fall."""
    point = np.concatenate(sectors.points)
    key, cells = np.concatenate(sectors.keys), np.concatenate(sectors.cells)
    side, curves = np.concatenate(sectors.sides), np.concatenate(sectors.curves)
    signs = np.concatenate(sectors.signs)
    table = cleaned(tables, cells, x[point], y[point], scale[point])
    table[:, 0, 0] = 0.0
    open_ = (signs == 0).any(axis=1) | (table[:, 0, 1] == 0)
    inner = _along_chord(
        table[open_],
        side[open_],
        curves[open_],
        signs[open_],
        x[point[open_]],
        scale[point[open_], 0],
    )
    germs = [np.concatenate(part) for part in zip(*sectors.germs, strict=True)]
    at = np.concatenate([germs[0], np.repeat(point[open_], 3)])
    order_key = np.concatenate(
        [4.0 * germs[1], (4.0 * key[open_, None] + side[open_, None] * [-1.0, 0.0, 1.0]).ravel()]
    )
    sign = np.concatenate([germs[2], inner.ravel()])
    known = ~np.isnan(sign)
    at, order_key, sign = at[known], order_key[known], sign[known]
    order = np.lexsort((order_key, at))
    at, sign = at[order], sign[order]
    count = np.bincount(at, minlength=len(x))
    first = np.cumsum(count) - count
    before = np.arange(len(at)) - 1
    wraps = np.flatnonzero(np.append(True, np.diff(at) > 0))
    before[wraps] = (first + count - 1)[at[wraps]]
    begins = (sign < 0) & (sign[before] >= 0)
    falls, level, rises = (np.bincount(at[sign == k], minlength=len(x)) > 0 for k in (-1, 0, 1))
    return Rounds(np.bincount(at[begins], minlength=len(x)), falls, rises, falls & ~level & ~rises)


def _along_chord(
    table: Array, side: Indices, curves: Array, signs: Array, x: Array, scale: Array
) -> Array:
    """Signs of E - E(p) at the lower end of a chord, at its lowest point, at its upper end: (k, 3).

    NaN where there is nothing to add: no lower point inside that falls.
    """
    step = np.asarray(side * (CHORD * scale), dtype=np.float64)
    powers = np.stack([np.ones_like(step), step, step * step], axis=1)
    a = np.einsum("kij,ki->kj", table, powers)
    ends = bent.rise(curves, x[:, None], step[:, None])
    upright = np.isnan(curves[:, :, 0])
    into = a[:, 1:2] + 2.0 * a[:, 2:] * ends
    into_terms = np.abs(a[:, 1:2]) + 2.0 * np.abs(a[:, 2:] * ends)
    none = ZERO + bent.ROUNDING * bent.rise_error(curves, x[:, None])
    into = np.where(np.abs(into) <= none * into_terms, 0.0, into) * [1.0, -1.0]
    # Beside a level curve: the way E goes into the sector, convex where it is flat at first.
    beside = np.where(into != 0, np.sign(into), np.sign(a[:, 2:]))
    end = np.where(upright, _beside_upright(table, side), beside)
    end = np.where(signs != 0, signs, end)
    ends = np.where(upright, [-np.inf, np.inf], ends)
    with np.errstate(divide="ignore", invalid="ignore"):
        lowest = -a[:, 1] / (2.0 * a[:, 2])
        bottom = a[:, 0] - a[:, 1] * a[:, 1] / (4.0 * a[:, 2])
        terms = np.abs(a[:, 0]) + a[:, 1] * a[:, 1] / (4.0 * a[:, 2])
        inside = (a[:, 2] > 0) & (lowest > ends[:, 0]) & (lowest < ends[:, 1]) & _arrives(table)
    sign = np.where(np.abs(bottom) <= LOWEST * terms, 0.0, np.sign(bottom))
    wanted = inside & (end > 0).all(axis=1) & (sign <= 0)
    return np.stack([end[:, 0], np.where(wanted, sign, np.nan), end[:, 1]], axis=1)


def _beside_upright(table: Array, side: Indices) -> Array:
    """The sign of E - E(p) next to the line x = const, downwards and upwards of p: (k, 2).

    Where E is level along it: of the first term that is not 0 where |dx| << |dy| << 1.
    """
    result = np.zeros((len(table), 2))
    for i, j in ((1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)):
        term = np.sign(table[:, i, j])[:, None] * side[:, None] ** i * np.array([-1.0, 1.0]) ** j
        result = np.where(result != 0, result, term)
    return result


def _arrives(table: Array) -> Flags:
    """Whether the place y = -a1 / (2 a2) where E is lowest goes to p as dx goes to 0."""
    (c01, c02), (c11, c12), (c21, c22) = (table[:, i, 1:].T for i in range(3))
    slow = (c11 == 0) & ((c12 != 0) | ((c21 == 0) & (c22 != 0)))
    return np.asarray((c01 == 0) & ((c02 != 0) | slow))
