"""Where E changes within a stretch of x far shorter than the cell or the edge it happens in.

In a cell the lowest E over y, min_y E(x, y) = q0 - q1^2 / (4 q2), has its poles where q2 = 0, at
x = p + i w and p - i w: near p it changes within w. On a curve y = n(x) / d(x) it is the root of d.
No kink need lie there: the activation of a unit with the identity as transfer passes 0 unseen.
"""

import numpy as np

from surfacecli.geometry.across.cells import AcrossCells
from surfacecli.geometry.across.tables import Tables
from surfacecli.network.transfers import Array

#: A stretch is far shorter than the cell below this share of its width.
SHORT = 1e-1
#: Stretches are taken this long at least, in widths of the cell.
SHORTEST = 1e-8


def find_narrow(cells: AcrossCells, tables: Tables) -> Array:
    """The ends x (k,) of such stretches."""
    still, moved = tables.factors[:, :, 2], tables.factors[:, :, 3]
    length = np.square(moved).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        step = -(still * moved).sum(axis=1) / length
        least = np.sqrt(np.square(still + step[:, None] * moved).sum(axis=1) / length)
        pole = -cells.chains.curve[:, 2] / cells.chains.curve[:, 3]
    ends = cells.nodes.place[cells.chains.ends, 0]
    inside = _ends(*cells.along_x, tables.centre + step, least)
    along = _ends(ends[:, 0], ends[:, 1], pole, np.zeros(len(pole)))
    return np.unique(np.concatenate([inside, along]))


def _ends(low: Array, high: Array, place: Array, width: Array) -> Array:
    """Where stretches round places p of half-widths w end that are short and in low < x < high."""
    known = np.isfinite(place) & np.isfinite(width) & (high > low)
    low, high, place, width = (part[known] for part in (low, high, place, width))
    nearest = np.clip(place, low, high)
    reach = np.maximum(np.hypot(place - nearest, width), SHORTEST * (high - low))
    short = reach < SHORT * (high - low)
    x = np.concatenate([nearest - reach, nearest + reach])
    inside = (x > np.tile(low, 2)) & (x < np.tile(high, 2)) & np.tile(short, 2)
    return np.asarray(x[inside])
