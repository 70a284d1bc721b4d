"""The cells of a slice as plain arrays for a figure: their corners and what fills them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.across.curves import heights
from surfacecli.geometry.across.points import AcrossExact
from surfacecli.geometry.complexes import face_rings
from surfacecli.geometry.exact.active import count_active
from surfacecli.geometry.exact.points import Exact
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]

#: A curvature below this times the larger one of its cell is rounding; one below its square times
#: the largest of the window too: curvatures are squares of slopes.
ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class CellMap:
    """The cells of a window, F of them.

    `places` (n, 2) are their corners, cell after cell, each counter-clockwise; those of cell f are
    `places[start[f] : start[f + 1]]`. Of each cell (F,): `error` E at a point inside, `rank` of its
    Hessian (0, 1, 2), `active` units of `units` in all, summed over the data points.
    """

    places: Array
    start: Indices
    error: Array
    rank: Indices
    active: Indices
    units: int

    def __len__(self) -> int:
        return len(self.error)

    def polygons(self) -> list[Array]:
        """The corners (n, 2) of every cell."""
        return np.split(self.places, self.start[1:-1])


def map_cells(exact: Exact) -> CellMap:
    """The cells of a slice with all that may fill them."""
    cells = exact.cells
    start, vertices = face_rings(cells)
    active, units = count_active(cells)
    return CellMap(
        cells.plane.place[vertices],
        start,
        exact.errors.value(np.arange(len(cells)), cells.inner_points),
        hessian_ranks(exact.curvatures),
        active,
        units,
    )


def hessian_ranks(curvatures: Array) -> Indices:
    """The ranks (F,) of symmetric matrices by their eigenvalues (F, 2)."""
    size = np.abs(curvatures)
    larger = size.max(axis=1)
    least = np.maximum(ROUNDING * larger, ROUNDING**2 * larger.max(initial=0.0))
    return np.asarray((size > least[:, None]).sum(axis=1))


@dataclass(frozen=True, eq=False)
class LevelCells:
    """The cells in which E is constant, those of plateaus: numbers (k,), `error` (k,), corners."""

    cells: Indices
    error: Array
    polygons: tuple[Array, ...]


def find_level(exact: Exact) -> LevelCells:
    """The cells in which E is constant."""
    plane, strata = exact.cells.plane, exact.strata
    moving = ~strata.constant[np.arange(len(plane.face)) // 2] & (plane.face >= 0)
    level: NDArray[np.bool_] = np.equal(strata.inside, 1)
    level[plane.face[moving]] = False
    cells = np.flatnonzero(level)
    error = exact.errors.value(cells, exact.cells.inner_points[cells])
    polygons = tuple(plane.place[plane.border(face)] for face in cells.tolist())
    return LevelCells(cells, error, polygons)


def find_level_across(exact: AcrossExact) -> LevelCells:
    """The same of an across-layers slice: the patches of its cells in which E is constant."""
    cells, level = exact.cells, exact.found.inside.level
    slabs = cells.slabs
    patch = np.flatnonzero(level[cells.cell])
    slab = slabs.slab_of_patch[patch]
    steps = np.linspace(0.0, 1.0, 9)
    x = slabs.x[slab, None] * (1.0 - steps) + slabs.x[slab + 1, None] * steps
    polygons = []
    for along, below in zip(x, slabs.below[patch].tolist(), strict=True):
        low, high = (heights(slabs.curves[below + k], along) for k in (0, 1))
        ring = np.concatenate([np.stack([along, low], 1), np.stack([along, high], 1)[::-1]])
        polygons.append(cells.frame.swap(ring))
    at = slabs.inner_points()[patch]
    error = exact.tables.value(cells.cell[patch], at[:, 0], at[:, 1])
    return LevelCells(patch, error, tuple(polygons))
