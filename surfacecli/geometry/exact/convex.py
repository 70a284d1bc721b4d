"""E on each cell with a convex loss that is no square: through the loss, from affine outputs."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.cells import Cells
from surfacecli.geometry.exact.outputs import affine_outputs
from surfacecli.geometry.surface import blocks
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]

#: Outputs of all cells are kept up to so many numbers (half a GB), else computed when asked for.
KEPT = 1 << 26


class AffineOutputs:
    """E through the loss, from the outputs of the cells; for convex losses that are no squares.

    Arrays are (k, n_L, N) here, not (k, N, n_L): data points lie next to each other in memory, the
    few outputs do not, which makes sums over either fast.
    """

    def __init__(self, cells: Cells) -> None:
        self._cells, objective = cells, cells.slice.objective
        self._loss = objective.loss
        order = np.argsort(cells.input_of, kind="stable")
        self._which = cells.input_of[order]
        self._y = np.ascontiguousarray(objective.data.targets[order].T).T
        each = 3 * len(cells.inputs) * self._y.shape[1]
        self._kept = self._compute(np.arange(len(cells))) if len(cells) * each <= KEPT else None

    def _compute(self, cells: Indices) -> Array:
        """The outputs of cells, (f, 3, n_L, m)."""
        network, inputs = self._cells.slice.objective.network, len(self._cells.inputs)
        result = np.empty((len(cells), 3, network.widths[-1], inputs))
        inner = self._cells.inner_points[cells]
        widest = max(network.widths[self._cells.slice.first_moved :])
        for block in blocks(len(cells), 4 * inputs * widest):
            result[block] = affine_outputs(self._cells, inner[block]).transpose(1, 2, 3, 0)
        return result

    def _outputs(self, cells: Indices, points: Array) -> Iterator[tuple[slice, Array, Array]]:
        """Blocks of points: the outputs' parts (k, 3, n_L, N), and for the loss (k, N, n_L)."""
        for block in blocks(len(cells), 8 * self._y.size):
            wanted = cells[block]
            if self._kept is None:
                distinct, back = np.unique(wanted, return_inverse=True)
                o = self._compute(distinct)[back]
            else:
                o = self._kept[wanted]
            if o.shape[3] < len(self._which):
                o = np.take(o, self._which, axis=3)
            u, v = points[block, :1, None], points[block, 1:, None]
            yield block, o, (o[:, 0] + u * o[:, 1] + v * o[:, 2]).swapaxes(1, 2)

    def value(self, cells: Indices, points: Array) -> Array:
        result = np.empty(len(cells))
        for block, _, a in self._outputs(cells, points):
            result[block] = self._loss.value(a, self._y).sum(axis=1)
        return result

    def gradient(self, cells: Indices, points: Array) -> tuple[Array, Array]:
        result, size = np.empty((len(cells), 2)), np.empty(len(cells))
        for block, o, a in self._outputs(cells, points):
            g, terms = map(_flat, self._loss.sized_gradient(a, self._y))
            parts = o[:, 1:].reshape(len(o), 2, -1)
            result[block] = np.einsum("kij,kj->ki", parts, g)
            size[block] = np.einsum("kij,kj->k", np.abs(parts), terms)
        return result, size

    def hessian(self, cells: Indices, points: Array) -> Array:
        result = np.empty((len(cells), 2, 2))
        for block, o, a in self._outputs(cells, points):
            parts = o[:, 1:].reshape(len(o), 2, -1)
            for j in (0, 1):
                bent = self._loss.product(a, self._y, o[:, 1 + j].swapaxes(1, 2))
                result[block, :, j] = np.einsum("kij,kj->ki", parts, _flat(bent))
        return result

    def along(self, cells: Indices, points: Array, direction: Array) -> tuple[Array, Array]:
        slope, bend = np.empty(len(cells)), np.empty(len(cells))
        for block, o, a in self._outputs(cells, points):
            x, y = direction[block, :1, None], direction[block, 1:, None]
            part = (x * o[:, 1] + y * o[:, 2]).swapaxes(1, 2)
            for result, factor in (
                (slope, self._loss.gradient(a, self._y)),
                (bend, self._loss.product(a, self._y, part)),
            ):
                result[block] = np.einsum("kj,kj->k", _flat(part), _flat(factor))
        return slope, bend


def _flat(values: Array) -> Array:
    """(k, N, n_L) as (k, n_L N), data points next to each other."""
    return values.swapaxes(1, 2).reshape(len(values), -1)
