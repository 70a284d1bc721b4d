"""E on each cell of a within-layer slice, as a function of its own: value, gradient, Hessian.

Inside a cell every output is affine, o = r + s u + t v, so with squares E = scale |o - y|^2 summed
is a quadratic; with another convex loss E is convex and smooth. Both answer the same questions of
any cell at any point, inside it or not: `Quadratics` from six coefficients, `AffineOutputs` through
the loss.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.cells import Cells, moved_parts
from surfacecli.geometry.surface import blocks
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]

#: Outputs of all cells are kept up to so many numbers (half a GB), else computed when asked for.
KEPT = 1 << 26


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

    def along(self, cells: Indices, points: Array, direction: Array) -> tuple[Array, Array]:
        c, (x, y) = self.coefficients[cells].T, direction.T
        gradient, _ = self.gradient(cells, points)
        bend = 2.0 * (x * (c[3] * x + c[4] * y) + c[5] * y * y)
        return gradient[:, 0] * x + gradient[:, 1] * y, bend


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
            g = _flat(self._loss.gradient(a, self._y))
            parts = o[:, 1:].reshape(len(o), 2, -1)
            result[block] = np.einsum("kij,kj->ki", parts, g)
            size[block] = np.einsum("kij,kj->k", np.abs(parts), np.abs(g))
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


def cell_errors(cells: Cells) -> CellErrors:
    """E of the cells, by the way that the loss allows."""
    if cells.slice.objective.loss.scale is None:
        return AffineOutputs(cells)
    return cell_quadratics(cells)


def affine_outputs(cells: Cells, inner: Array) -> Array:
    """The outputs in the cells around the points `inner` (f, 2), as (m, f, 3, n_L).

    For each distinct input m: constant, u part, v part. The pieces are those at the inner point.
    """
    network = cells.slice.objective.network
    first = cells.slice.first_moved
    at = np.stack([np.ones(len(inner)), inner[:, 0], inner[:, 1]], axis=1)
    parts = moved_parts(cells.slice, cells.inputs).transpose(1, 0, 2)
    # A layer's pre-activations are S a, S (m, f, k) the slopes below and a (m, k, 3 n) or, in the
    # moved layer itself, where they are the same in all cells, a alone: no array (m, f, 3, k) yet.
    a = np.broadcast_to(parts[:, None], (len(parts), len(inner), *parts.shape[1:]))
    for layer in range(first, network.depth + 1):
        f = network.transfers[layer - 1]
        above = network.weights[layer] if layer < network.depth else None
        if f.is_identity:
            a = a if above is None else a @ above.T
        else:
            h = at @ parts if layer == first else np.einsum("fk,mfkn->mfn", at, a)
            piece = f.piece(h)
            slope = np.array(f.slopes)[piece]
            if layer == first and above is not None:
                through = np.einsum("min,on->mnio", parts, above).reshape(*parts.shape[::2], -1)
                a = (slope @ through).reshape(*slope.shape[:2], 3, len(above))
            else:
                a = slope[:, :, None] * a
                a = a if above is None else a @ above.T
            if any(f.intercepts or ()):
                intercept = np.array(f.intercepts)[piece]
                a[:, :, 0] += intercept if above is None else intercept @ above.T
        b = network.biases[layer] if above is not None else None
        if b is not None:
            a[:, :, 0] += b
    return np.array(a)


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
        o *= np.sqrt(count)[:, None, None, None]
        scaled = np.square(o[:, :, 0]).sum(axis=(0, 2))
        o[:, :, 0] -= (np.sqrt(count)[:, None] * mean)[:, None]
        r, s, t = o.transpose(2, 1, 0, 3).reshape(3, o.shape[1], -1)
        rr, rs, rt, ss, st, tt = (
            np.einsum("fk,fk->f", one, other)
            for one, other in ((r, r), (r, s), (r, t), (s, s), (s, t), (t, t))
        )
        coefficients[block] = np.stack([rr + scatter, 2 * rs, 2 * rt, ss, 2 * st, tt], axis=1)
        sizes[block] = 2.0 * np.sqrt((scaled + rr) * (ss + tt))
    scale = objective.loss.scale
    return Quadratics(scale * coefficients, scale * sizes)
