"""E on each cell of a within-layer slice, as a function of its own: value, gradient, Hessian.

Inside a cell every output is affine, o = r + s u + t v, so with squares E = scale |o - y|^2 summed
is a quadratic; with another convex loss E is convex and smooth. Both answer the same questions of
any cell at any point, inside it or not: `Quadratics` from six coefficients, `AffineOutputs` through
the loss.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.cells import Cells, moved_parts
from surfacecli.geometry.surface import blocks
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]


class CellErrors(Protocol):
    """E of given cells (k,) at points (k, 2)."""

    def value(self, cells: Indices, points: Array) -> Array:
        """E, (k,)."""

    def gradient(self, cells: Indices, points: Array) -> tuple[Array, Array]:
        """The gradient (k, 2), and the size of the terms it is the sum of (k,)."""

    def hessian(self, cells: Indices, points: Array) -> Array:
        """The Hessian (k, 2, 2)."""


@dataclass(frozen=True, eq=False)
class Quadratics:
    """Coefficients (F, 6) in the order 1, u, v, u^2, uv, v^2; sizes (F,) of the linear terms."""

    coefficients: Array
    sizes: Array

    def value(self, cells: Indices, points: Array) -> Array:
        c, (u, v) = self.coefficients[cells].T, points.T
        return np.asarray(c[0] + u * (c[1] + c[3] * u + c[4] * v) + v * (c[2] + c[5] * v))

    def gradient(self, cells: Indices, points: Array) -> tuple[Array, Array]:
        c, (u, v) = self.coefficients[cells].T, points.T
        gradient = np.stack([c[1] + 2.0 * c[3] * u + c[4] * v, c[2] + c[4] * u + 2.0 * c[5] * v], 1)
        curved = 2.0 * (np.abs(c[3]) + np.abs(c[4]) + np.abs(c[5])) * np.abs(points).max(axis=1)
        return gradient, self.sizes[cells] + curved

    def hessian(self, cells: Indices, points: Array) -> Array:
        c = self.coefficients[cells].T
        return np.stack([2.0 * c[3], c[4], c[4], 2.0 * c[5]], axis=1).reshape(-1, 2, 2)


@dataclass(frozen=True, eq=False)
class AffineOutputs:
    """E through the loss, from the outputs of the cells; for convex losses that are no squares."""

    cells: Cells
    inner: Array

    def _each(self, cells: Indices, points: Array, order: int) -> list[Array]:
        objective, which = self.cells.slice.objective, self.cells.input_of
        loss, y = objective.loss, objective.data.targets
        results: list[list[Array]] = []
        widest = max(objective.network.widths[self.cells.slice.first_moved :])
        for block in blocks(len(cells), 6 * len(y) * widest):
            o = affine_outputs(self.cells, self.inner[cells[block]])[:, which]
            u, v = points[block, :1, None], points[block, 1:, None]
            a = o[:, :, 0] + u * o[:, :, 1] + v * o[:, :, 2]
            if order == 0:
                results.append([loss.value(a, y).sum(axis=1)])
                continue
            along = (o[:, :, 1], o[:, :, 2])
            g = loss.gradient(a, y)
            if order == 1:
                slopes = [(g * part).sum(axis=(1, 2)) for part in along]
                sizes = [np.abs(g * part).sum(axis=(1, 2)) for part in along]
                results.append([np.stack(slopes, axis=1), sizes[0] + sizes[1]])
                continue
            bent = [loss.product(a, y, part) for part in along]
            uu, uv, vv = (
                (along[i] * bent[j]).sum(axis=(1, 2)) for i, j in ((0, 0), (0, 1), (1, 1))
            )
            results.append([np.stack([uu, uv, uv, vv], axis=1).reshape(-1, 2, 2)])
        if not results:
            shapes: dict[int, list[tuple[int, ...]]] = {0: [()], 1: [(2,), ()], 2: [(2, 2)]}
            return [np.zeros((0, *shape)) for shape in shapes[order]]
        return [np.concatenate(parts) for parts in zip(*results, strict=True)]

    def value(self, cells: Indices, points: Array) -> Array:
        return self._each(cells, points, 0)[0]

    def gradient(self, cells: Indices, points: Array) -> tuple[Array, Array]:
        gradient, size = self._each(cells, points, 1)
        return gradient, size

    def hessian(self, cells: Indices, points: Array) -> Array:
        return self._each(cells, points, 2)[0]


def cell_errors(cells: Cells) -> CellErrors:
    """E of the cells, by the way that the loss allows."""
    if cells.slice.objective.loss.scale is None:
        return AffineOutputs(cells, cells.inner_points)
    return cell_quadratics(cells)


def affine_outputs(cells: Cells, inner: Array) -> Array:
    """The outputs in the cells around the points `inner` (f, 2), as (f, m, 3, n_L).

    For each distinct input m: constant, u part, v part. The pieces are those at the inner point.
    """
    network = cells.slice.objective.network
    first = cells.slice.first_moved
    parts = moved_parts(cells.slice, cells.inputs).transpose(1, 0, 2)
    a = np.broadcast_to(parts, (len(inner), *parts.shape))
    at = np.stack([np.ones(len(inner)), inner[:, 0], inner[:, 1]], axis=1)
    for layer in range(first, network.depth + 1):
        f = network.transfers[layer - 1]
        if layer > first:
            a = a @ network.weights[layer - 1].T
            b = network.biases[layer - 1]
            if b is not None:
                a[:, :, 0] += b
        if f.is_identity:
            continue
        h = np.einsum("fk,fmkn->fmn", at, a)
        slopes, intercepts = np.array(f.slopes), np.array(f.intercepts)
        piece = f.piece(h)
        a = slopes[piece][:, :, None, :] * a
        if intercepts.any():
            a[:, :, 0] += intercepts[piece]
    return a if a.flags.writeable else a.copy()


def cell_quadratics(cells: Cells) -> Quadratics:
    """The quadratic of every cell. Raises `ValueError` where the loss is no square."""
    objective = cells.slice.objective
    if objective.loss.scale is None:
        raise ValueError(f"with {objective.loss.name} E is no polynomial")
    y, which = objective.data.targets, cells.input_of
    count = np.bincount(which, minlength=len(cells.inputs)).astype(np.float64)
    sums = np.zeros((len(count), y.shape[1]))
    np.add.at(sums, which, y)
    mean = sums / count[:, None]
    # Data points of one input: as many times |o - mean|^2, and their scatter round the mean.
    scatter = float(np.square(y - mean[which]).sum())
    inner = cells.inner_points
    coefficients, sizes = np.empty((len(cells), 6)), np.empty(len(cells))
    widest = max(objective.network.widths[cells.slice.first_moved :])
    for block in blocks(len(cells), 4 * len(count) * widest):
        o = affine_outputs(cells, inner[block])
        scaled = np.square(o[:, :, 0]).sum(axis=2) @ count
        o[:, :, 0] -= mean
        gram = np.einsum("fmin,fmjn,m->fij", o, o, count, optimize=True)
        coefficients[block] = np.stack(
            [
                gram[:, 0, 0] + scatter,
                2.0 * gram[:, 0, 1],
                2.0 * gram[:, 0, 2],
                gram[:, 1, 1],
                2.0 * gram[:, 1, 2],
                gram[:, 2, 2],
            ],
            axis=1,
        )
        level = scaled + gram[:, 0, 0]
        sizes[block] = 2.0 * np.sqrt(level * (gram[:, 1, 1] + gram[:, 2, 2]))
    scale = objective.loss.scale
    return Quadratics(scale * coefficients, scale * sizes)
