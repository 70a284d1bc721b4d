"""A number of one layer's Hessian over a window: of every cell where it is constant, or sampled.

Within the moved layer of a piecewise-linear net a cell fixes the pieces and so, by eq. (2), the
rank and, with squared losses, the whole Hessian. Of another layer the inputs or the weights above
it change inside a cell, and so do trace and eigenvalues: those are taken at the grid's points.
"""

from dataclasses import dataclass

import numpy as np

from surfacecli.geometry.exact.cells import Cells
from surfacecli.geometry.grids import Grid
from surfacecli.geometry.layers import Quantity, matrix_size, measure_layer, numbers_each
from surfacecli.geometry.slices import Slice
from surfacecli.geometry.surface import differentiate
from surfacecli.network.transfers import Array

#: Seconds for one point: an eigenvalue problem of n rows, and a number of the largest work array.
SECONDS, SECONDS_PER_CUBE, SECONDS_PER_NUMBER = 2e-5, 5e-10, 1e-8


@dataclass(frozen=True, eq=False)
class LayerMap:
    """A quantity of a layer over the window of a slice, of the `size` weights of that layer.

    `values` are those of the cells (F,), each constant in its cell (`exact`), or those at the
    points of a grid (n_v, n_u), NaN where a point lies on a kink and there is no Hessian.
    """

    quantity: Quantity
    layer: int
    size: int
    values: Array
    exact: bool

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest value; NaN where there is none."""
        if np.isnan(self.values).all():
            return np.nan, np.nan
        return float(np.nanmin(self.values)), float(np.nanmax(self.values))


@dataclass(frozen=True)
class MapCost:
    """What a map will take: points (or cells), seconds, numbers in the largest work array."""

    points: int
    seconds: float
    numbers: int


def constant_in_cells(slice: Slice, quantity: Quantity, layer: int) -> bool:
    """Whether a quantity of a layer is constant in the cells of a within-layer slice, if any."""
    if quantity == "dead":
        return True
    if layer != slice.first_moved:
        return False
    return quantity == "rank" or slice.objective.loss.scale is not None


def map_layer(
    slice: Slice, quantity: Quantity, layer: int, grid: Grid, cells: Cells | None = None
) -> LayerMap:
    """The map of a layer of a slice; `cells` are those of the grid's window, where they are known.

    Raises `ValueError` where there is no such layer.
    """
    size = slice.objective.network.weights[layer - 1].size if layer > 0 else 0
    if cells is not None and constant_in_cells(slice, quantity, layer):
        inner = cells.inner_points
        values = measure_layer(slice, quantity, layer, inner[:, 0], inner[:, 1])
        return LayerMap(quantity, layer, size, values, exact=True)
    u, v = (axis.ravel() for axis in np.meshgrid(grid.u, grid.v))
    values = measure_layer(slice, quantity, layer, u, v)
    values[differentiate(slice, u, v).on_node] = np.nan
    return LayerMap(quantity, layer, size, values.reshape(grid.error.shape), exact=False)


def estimate_map(
    slice: Slice, quantity: Quantity, layer: int, grid: Grid, cells: Cells | None = None
) -> MapCost:
    """What `map_layer` will take with the same arguments."""
    exact = cells is not None and constant_in_cells(slice, quantity, layer)
    points = len(cells) if exact and cells is not None else grid.error.size
    numbers = numbers_each(slice, quantity, layer)
    each = SECONDS + SECONDS_PER_NUMBER * numbers
    if quantity in ("curvature", "rank"):
        each += SECONDS_PER_CUBE * matrix_size(slice, quantity, layer) ** 3
    return MapCost(points, points * each, numbers)
