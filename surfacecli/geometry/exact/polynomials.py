"""E on each cell of a within-layer slice, as a function of its own: value, gradient, Hessian.

Inside a cell every output is affine, o = r + s u + t v, so with squares E = scale |o - y|^2 summed
is a quadratic; with another convex loss E is convex and smooth. Both answer the same questions of
any cell at any point, inside it or not: `Quadratics` from six coefficients, `AffineOutputs` through
the loss.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.cells import Cells
from surfacecli.geometry.exact.convex import AffineOutputs
from surfacecli.geometry.exact.squares import Quadratics, cell_quadratics, fan_quadratics
from surfacecli.network.transfers import Array

__all__ = ["AffineOutputs", "CellErrors", "Quadratics", "cell_errors"]

Indices = NDArray[np.intp]

#: A fan with more (cells x inputs x units) than this has its quadratics by running sums.
LARGE = 1 << 26


class CellErrors(Protocol):
    """E of given cells (k,) at points (k, 2)."""

    def value(self, cells: Indices, points: Array) -> Array:
        """E, (k,)."""

    def gradient(self, cells: Indices, points: Array) -> tuple[Array, Array]:
        """The gradient (k, 2), and the size of the terms it is the sum of (k,)."""

    def hessian(self, cells: Indices, points: Array) -> Array:
        """The Hessian (k, 2, 2)."""

    def along(self, cells: Indices, points: Array, direction: Array) -> tuple[Array, Array]:
        """First and second derivative along directions (k, 2), each (k,)."""


def cell_errors(cells: Cells) -> CellErrors:
    """E of the cells, by the way that the loss allows."""
    network = cells.slice.objective.network
    if cells.slice.objective.loss.scale is None:
        return AffineOutputs(cells)
    widest = max(network.widths[cells.slice.first_moved :])
    if cells.rays is not None and len(cells) * len(cells.inputs) * widest > LARGE:
        return fan_quadratics(cells, cells.rays)
    return cell_quadratics(cells)
