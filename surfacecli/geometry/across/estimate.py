"""How many cells a window of an across-layers slice holds, before they are found.

With n data points the kinks that meet in pairs make about a n^2 + b n + 1 cells. a and b come from
a few of the data points, cut as all of them would be: exact where there are no more than those,
else right within a factor of two or so.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.across.frame import make_frame
from surfacecli.geometry.across.slabs import find_slabs
from surfacecli.geometry.exact.kinks import distinct_inputs
from surfacecli.geometry.slices import Slice, Window
from surfacecli.network.data import Data

#: Data points that are looked at, twice: all of them, and half of them.
FEW = 4
#: Where there are more units than this, fewer are looked at.
UNITS = 120
#: Patches are the work, cells what a user counts: of so many patches one counts as a cell.
PATCHES = 10


def estimate_across(slice: Slice, window: Window) -> int:
    """About how many cells `find_across_cells` will find in a window."""
    rows = np.unique(distinct_inputs(slice)[1], return_index=True)[1]
    network = slice.objective.network
    units = sum(network.widths[slice.first_moved :])
    few = max(1, min(FEW, len(rows), UNITS * FEW // max(units, 1)))
    chosen = np.random.default_rng(0).permutation(rows)[:few]
    whole = _count(slice, window, chosen)
    if few == len(rows):
        return whole
    if few == 1:
        return whole * len(rows) ** 2
    half = few // 2
    some = [_count(slice, window, chosen[k : k + half]) for k in range(0, 2 * half, half)]
    smaller = sum(some) / len(some)
    # a n^2 + b n + 1 through both counts.
    square = ((whole - 1) / few - (smaller - 1) / half) / (few - half)
    square = max(square, 0.0)
    linear = max((whole - 1) / few - square * few, 0.0)
    return round(1 + linear * len(rows) + square * len(rows) ** 2)


def _count(slice: Slice, window: Window, rows: NDArray[np.intp]) -> int:
    objective = slice.objective
    data = Data(objective.data.inputs[rows], objective.data.targets[rows])
    few = replace(slice, objective=replace(objective, data=data))
    slabs = find_slabs(make_frame(few, window))
    return max(len(np.unique(slabs.pattern)), len(slabs.pattern) // PATCHES)
