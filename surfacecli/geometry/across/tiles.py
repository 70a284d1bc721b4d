"""The cells of an across-layers slice cut into tiles, each inside one cell, none across a kink.

A patch lies between two curves, one above the other from one side of its slab to the other. It is
cut into columns, and these into rows: corners of its lowest and highest tiles lie on the curves.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.across import curves as bent
from surfacecli.geometry.across.cells import AcrossCells
from surfacecli.geometry.across.ragged import spread
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]

#: The straight side of a tile and the curve are about this near, relative to the window's height.
FLAT = 5e-4
#: Columns of a slab at most that its curves ask for, and the parts of them that are looked at.
MOST, PARTS = 64, 8


@dataclass(frozen=True, eq=False)
class Tiles:
    """Tiles of a window: `corners` (q, 4, 2) as (u, v), in order round each; `cell` (q,)."""

    corners: Array
    cell: Indices

    def __len__(self) -> int:
        return len(self.cell)

    @property
    def centres(self) -> Array:
        """A place inside each tile as (u, v), (q, 2)."""
        return np.asarray(self.corners.mean(axis=1))


def lay_tiles(cells: AcrossCells, step: tuple[float, float] | None = None) -> Tiles:
    """The cells cut into tiles no larger than `step` along u and v, or as few as curves allow."""
    slabs, frame = cells.slabs, cells.frame
    steps = np.array((np.inf, np.inf) if step is None else step)
    step_x, step_y = frame.swap(steps)
    slab = slabs.slab_of_patch
    left, right = slabs.x[slab], slabs.x[slab + 1]
    columns = _columns(cells, step_x)[slab]
    patch, column = spread(columns)
    share = np.stack([column, column + 1]) / columns[patch]
    x = (1.0 - share) * left[patch] + share * right[patch]
    low, high = (_heights(cells, patch, x, side) for side in (0, 1))
    rows = np.maximum(np.ceil((high - low).max(axis=0) / step_y), 1)
    strip, row = spread(rows.astype(np.intp))
    x, low, height = x[:, strip], low[:, strip], (high - low)[:, strip]
    y0, y1 = (low + k / rows[strip] * height for k in (row, row + 1))
    ring = [(x[0], y0[0]), (x[1], y0[1]), (x[1], y1[1]), (x[0], y1[0])]
    corners = np.stack([np.stack(corner, axis=1) for corner in ring], axis=1)
    return Tiles(np.ascontiguousarray(frame.swap(corners)), cells.cell[patch[strip]])


def places_inside(cells: AcrossCells, along: float, up: float) -> Array:
    """A place in the largest patch of each cell at shares of its width and height, (F, 2)."""
    slabs, patch = cells.slabs, cells.largest
    slab = slabs.slab_of_patch[patch]
    x = slabs.x[slab] + along * (slabs.x[slab + 1] - slabs.x[slab])
    low, high = (_heights(cells, patch, x, side) for side in (0, 1))
    return cells.frame.swap(np.stack([x, low + up * (high - low)], axis=1))


def _columns(cells: AcrossCells, step: float) -> Indices:
    """Columns of each slab (S,): narrow enough for the step, and for the sides of tiles to be near.

    By how far the chords of some parts of each curve are off. Patches of one slab have the same
    columns: their common curve would else have two kinds of chords, with gaps between.
    """
    slabs = cells.slabs
    slab, width = slabs.slab_of_patch, np.diff(slabs.x)
    share = np.linspace(0.0, 1.0, 2 * PARTS + 1)[:, None]
    x = slabs.x[slab] + share * width[slab]
    y = _heights(cells, np.arange(len(slab)), x, 1)
    off = np.abs(y[1::2] - 0.5 * (y[:-1:2] + y[2::2])).max(axis=0)
    most = np.maximum.reduceat(off, slabs.start[:-1] - np.arange(len(width)))
    bent_ones = PARTS * np.sqrt(most / (FLAT * cells.frame.extent[1]))
    columns = np.maximum(np.ceil(width / step), np.minimum(np.ceil(bent_ones), MOST))
    return np.asarray(np.maximum(columns, 1.0), dtype=np.intp)


def _heights(cells: AcrossCells, patch: Indices, x: Array, side: int) -> Array:
    """y (..., k) of the curve below (0) or above (1) patches (k,) at x (..., k), in the window."""
    slabs, (y0, y1) = cells.slabs, cells.frame.y
    y = bent.heights(slabs.curves[slabs.below[patch] + side], x)
    return np.clip(np.where(np.isnan(y), (y0, y1)[side], y), y0, y1)
