"""Where E of an across-layers slice is a function of u v alone, and which: stretch by stretch.

So it is with origin zero and no biases below the higher layer: h of the higher layer is
in proportion to u v on each side of u = 0 and of v = 0. Kinks from there on are p = u v = const,
and between them E is a quadratic in p.
"""

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np

from surfacecli.geometry.across import curves as bent
from surfacecli.geometry.across.cells import AcrossCells
from surfacecli.geometry.across.points import AcrossExact
from surfacecli.geometry.descent.steepest import Vector
from surfacecli.geometry.slices import Window

Quadrant = tuple[int, int]

#: Coefficients below this times the size of their terms are rounding.
ROUNDING = 1e-11


@dataclass(frozen=True)
class Stretch:
    """E = a q^2 + b q + c in q = |u v| from `low` to `high`, within one cell.

    Slopes below `level` are rounding.
    """

    cell: int
    low: float
    high: float
    a: float
    b: float
    c: float
    level: float

    def slope(self, q: float) -> float:
        """dE/dq, 0 where it is rounding."""
        slope = 2.0 * self.a * q + self.b
        return slope if abs(slope) > self.level else 0.0


Product = dict[Quadrant, tuple[Stretch, ...]]


def find_product(exact: AcrossExact) -> Product | None:
    """E as a function of |u v|, stretch by stretch, of every quadrant; None where it is none."""
    cells, tables = exact.cells, exact.tables
    frame, every = cells.frame, np.arange(len(cells))
    at_zero = np.zeros(len(cells))
    table, size = tables.shifted(every, at_zero, at_zero)
    reach = np.array([1.0, frame.reach[0], frame.reach[0] ** 2])[:, None] * np.array(
        [1.0, frame.reach[1], frame.reach[1] ** 2]
    )
    others = ~np.eye(3, dtype=np.bool_)
    terms = (size * reach).sum(axis=(1, 2))
    if (np.abs(table * reach)[:, others] > ROUNDING * terms[:, None]).any():
        return None
    bounds = _bounds(cells)
    if bounds is None:
        return None
    found: Product = {}
    for quadrant in ((1, 1), (-1, 1), (-1, -1), (1, -1)):
        (u0, u1), (v0, v1) = quadrant_sides(frame.window, quadrant)
        if not (u0 < u1 and v0 < v1):
            continue
        # Along a diagonal of the window's part in the quadrant q takes all its values.
        ends = np.unique([0.0, *bounds, np.inf])
        own: list[Stretch] = []
        last = -1
        for low, high in itertools.pairwise(ends.tolist()):
            first, end = max(low, u0 * v0), min(high, u1 * v1)
            if not first < end:
                continue
            share = _share(0.5 * (first + end), u0, u1 - u0, v0, v1 - v0)
            at = (quadrant[0] * (u0 + share * (u1 - u0)), quadrant[1] * (v0 + share * (v1 - v0)))
            cell = _cell_at(cells, at)
            if cell == last:
                own[-1] = replace(own[-1], high=high)
                continue
            last = cell
            c, b, a = (float(table[cell, k, k]) for k in range(3))
            level = ROUNDING * float(size[cell, 1, 1] + 2.0 * size[cell, 2, 2] * reach[1, 1])
            own.append(Stretch(cell, low, high, a, quadrant[0] * quadrant[1] * b, c, level))
        found[quadrant] = tuple(own)
    return found


def _bounds(cells: AcrossCells) -> list[float] | None:
    """|u v| of all kinks that are no axes; None where one is something else."""
    frame, chains, gaps = cells.frame, cells.chains, cells.gaps
    inner = np.flatnonzero((chains.below >= 0) & (chains.above >= 0))
    curves = chains.curve[inner]
    sizes = np.abs(curves) * np.array([1.0, frame.reach[0], frame.reach[1], math.prod(frame.reach)])
    small = sizes <= ROUNDING * sizes.max(axis=1, keepdims=True)
    hyperbola, axis = small[:, [1, 2]].all(axis=1), small[:, [0, 1]].all(axis=1)
    kink = gaps.edge & (gaps.patch >= 0).all(axis=0)
    upright = cells.nodes.place[gaps.lower[kink], 0]
    if not (hyperbola | axis).all() or (np.abs(upright) > ROUNDING * frame.reach[0]).any():
        return None
    curved = curves[hyperbola & ~axis]
    return [abs(q) for q in (curved[:, 0] / curved[:, 3]).tolist()]


def _share(q: float, u0: float, along_u: float, v0: float, along_v: float) -> float:
    """The t >= 0 at which (u0 + t along_u)(v0 + t along_v) = q, none of these below 0."""
    linear, least = 0.5 * (u0 * along_v + v0 * along_u), q - u0 * v0
    return least / (linear + math.sqrt(linear * linear + along_u * along_v * least))


def _cell_at(cells: AcrossCells, place: Vector) -> int:
    """The cell around a place (u, v) off the kinks."""
    slabs = cells.slabs
    x, y = cells.frame.swap(np.array(place)).tolist()
    slab = min(max(int(np.searchsorted(slabs.x, x)) - 1, 0), len(slabs.x) - 2)
    first, last = int(slabs.start[slab]), int(slabs.start[slab + 1])
    inner = slabs.curves[first + 1 : last - 1]
    below = int((bent.heights(inner, np.full(len(inner), x)) < y).sum())
    return int(cells.cell[first - slab + below])


def quadrant_sides(window: Window, quadrant: Quadrant) -> tuple[Vector, Vector]:
    """From where to where |u| and |v| go in a quadrant of the window."""
    u, v = (
        (max(low, 0.0), high) if sign > 0 else (max(-high, 0.0), -low)
        for sign, low, high in zip(
            quadrant, (window.u0, window.v0), (window.u1, window.v1), strict=True
        )
    )
    return u, v
