"""A number of one layer's Hessian over a window: of every cell where it is constant, or sampled.

A cell fixes the pieces, and so which units are dead and, within the moved layer with squared
losses, the whole Hessian, by eq. (2). The rank is that of factors that are polynomials in (u, v)
there: it is constant in the cell, but for curves at most, where minors vanish and it is lower.
Other traces and eigenvalues change inside a cell: they are taken at the grid's points or, across
layers, in the tiles that its cells are cut into, so that none lies across a kink.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from surfacecli.geometry.across.cells import AcrossCells
from surfacecli.geometry.across.tiles import Tiles, lay_tiles, places_inside
from surfacecli.geometry.exact.cells import Cells
from surfacecli.geometry.grids import Grid
from surfacecli.geometry.layers import Quantity, matrix_size, measure_layer, numbers_each
from surfacecli.geometry.slices import Slice
from surfacecli.geometry.surface import differentiate
from surfacecli.network.transfers import Array

#: Seconds for one point: an eigenvalue problem of n rows, and a number of the largest work array.
SECONDS, SECONDS_PER_CUBE, SECONDS_PER_NUMBER = 2e-5, 5e-10, 1e-8


#: The second place of a cell at which a rank is taken, as a share of the way to its border.
ASIDE = 0.381966


@dataclass(frozen=True, eq=False)
class LayerMap:
    """A quantity of a layer over the window of a slice, of the `size` weights of that layer.

    `values` are those of the cells (F,), each constant in its cell (`exact`; `almost`: but for
    curves on which it is lower); or those in the middle of `tiles` (q,), each inside one cell; or
    those at the points of a grid (n_v, n_u), NaN where a point lies on a kink and there is no
    Hessian.
    """

    quantity: Quantity
    layer: int
    size: int
    values: Array
    exact: bool
    almost: bool = False
    tiles: Tiles | None = None

    @property
    def places(self) -> Literal["cells", "tiles", "grid"]:
        """What the values belong to."""
        if self.exact:
            return "cells"
        return "grid" if self.tiles is None else "tiles"

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest value; NaN where there is none."""
        if np.isnan(self.values).all():
            return np.nan, np.nan
        return float(np.nanmin(self.values)), float(np.nanmax(self.values))


@dataclass(frozen=True)
class MapCost:
    """What a map will take: points (of cells too), seconds, numbers in the largest work array.

    `by_grid`: there are fewer points on a smaller grid.
    """

    points: int
    seconds: float
    numbers: int
    by_grid: bool


def constant_in_cells(slice: Slice, quantity: Quantity, layer: int) -> bool:
    """Whether a quantity of a layer is constant in the cells of a slice, if it has any.

    A rank is, but for curves where `almost_constant` holds.
    """
    if quantity in ("dead", "rank"):
        return True
    squares = slice.objective.loss.scale is not None
    return slice.kind == "within-layer" and layer == slice.first_moved and squares


def almost_constant(slice: Slice, quantity: Quantity, layer: int) -> bool:
    """Whether a quantity may be lower on curves inside a cell: ranks, if the factors change."""
    still = slice.kind == "within-layer" and layer == slice.first_moved
    return quantity == "rank" and not still


def map_layer(
    slice: Slice,
    quantity: Quantity,
    layer: int,
    grid: Grid,
    cells: Cells | AcrossCells | None = None,
) -> LayerMap:
    """The map of a layer of a slice; `cells` are those of the grid's window, where they are known.

    Raises `ValueError` where there is no such layer.
    """
    size = slice.objective.network.weights[layer - 1].size if layer > 0 else 0
    if cells is not None and constant_in_cells(slice, quantity, layer):
        almost = almost_constant(slice, quantity, layer)
        # A rank is taken twice, should one of the places lie on a curve on which it is lower.
        places = _places(cells, almost)
        values = np.max([measure_layer(slice, quantity, layer, *at.T) for at in places], axis=0)
        return LayerMap(quantity, layer, size, values, exact=True, almost=almost)
    if isinstance(cells, AcrossCells):
        tiles = lay_tiles(cells, _step(grid))
        values = measure_layer(slice, quantity, layer, *tiles.centres.T)
        return LayerMap(quantity, layer, size, values, exact=False, tiles=tiles)
    u, v = (axis.ravel() for axis in np.meshgrid(grid.u, grid.v))
    values = measure_layer(slice, quantity, layer, u, v)
    values[differentiate(slice, u, v).on_node] = np.nan
    return LayerMap(quantity, layer, size, values.reshape(grid.error.shape), exact=False)


def _places(cells: Cells | AcrossCells, two: bool) -> list[Array]:
    """One place inside each cell, or two: (F, 2) each."""
    inner = cells.inner_points
    if not two:
        return [inner]
    if isinstance(cells, AcrossCells):
        return [inner, places_inside(cells, ASIDE, 1.0 - ASIDE)]
    plane = cells.plane
    corner = plane.place[plane.origin[plane.side]]
    return [inner, inner + ASIDE * (corner - inner)]


def _step(grid: Grid) -> tuple[float, float]:
    """How far the points of a grid are apart along u and v."""
    u, v = (float(axis[-1] - axis[0]) / max(len(axis) - 1, 1) for axis in (grid.u, grid.v))
    return u, v


def estimate_map(
    slice: Slice,
    quantity: Quantity,
    layer: int,
    grid: Grid,
    cells: Cells | AcrossCells | None = None,
) -> MapCost:
    """What `map_layer` will take with the same arguments."""
    by_grid = cells is None or not constant_in_cells(slice, quantity, layer)
    if cells is not None and not by_grid:
        points = len(cells) * (2 if almost_constant(slice, quantity, layer) else 1)
    elif isinstance(cells, AcrossCells):
        points = len(lay_tiles(cells, _step(grid)))
    else:
        points = grid.error.size
    numbers = numbers_each(slice, quantity, layer)
    each = SECONDS + SECONDS_PER_NUMBER * numbers
    if quantity in ("curvature", "rank"):
        each += SECONDS_PER_CUBE * matrix_size(slice, quantity, layer) ** 3
    return MapCost(points, points * each, numbers, by_grid)
