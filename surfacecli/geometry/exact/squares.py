"""E on each cell with a squared loss: a quadratic, of six coefficients."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.cells import Cells
from surfacecli.geometry.exact.cones import Opening
from surfacecli.geometry.exact.fans import Rays
from surfacecli.geometry.exact.outputs import affine_outputs, outputs_at
from surfacecli.geometry.surface import blocks
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]

#: A slope counts as zero below this times the size of the terms it is the sum of.
LEVEL = 1e-12


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


class SquaredInputs:
    """E of each distinct input by itself, where the loss is squares: scale |o - y|^2, summed."""

    def __init__(self, cells: Cells) -> None:
        objective, which = cells.slice.objective, cells.input_of
        if objective.loss.scale is None:
            raise ValueError(f"with {objective.loss.name} E is no polynomial")
        y = objective.data.targets
        self.scale = objective.loss.scale
        self.root = np.sqrt(np.bincount(which, minlength=len(cells.inputs)).astype(np.float64))
        sums = np.zeros((len(self.root), y.shape[1]))
        np.add.at(sums, which, y)
        self.mean = sums / np.square(self.root)[:, None]
        # Data points of one input: as many times |o - mean|^2, and their scatter round the mean.
        self.scatter = float(np.square(y - self.mean[which]).sum())

    def coefficients(self, o: Array, inputs: slice) -> tuple[Array, Array]:
        """The quadratics (f, 6) of some inputs, unscaled and without the scatter, summed.

        o (m, f, 3, n_L) are their outputs, overwritten. Also the size (f,) of the linear terms.
        """
        root = self.root[inputs]
        o *= root[:, None, None, None]
        level = np.square(o[:, :, 0]).sum(axis=(0, 2))
        o[:, :, 0] -= (root[:, None] * self.mean[inputs])[:, None]
        r, s, t = o.transpose(2, 1, 0, 3).reshape(3, o.shape[1], -1)
        rr, rs, rt, ss, st, tt = (
            np.einsum("fk,fk->f", one, other)
            for one, other in ((r, r), (r, s), (r, t), (s, s), (s, t), (t, t))
        )
        level = 2.0 * np.sqrt((level + rr) * (ss + tt))
        return np.stack([rr, 2 * rs, 2 * rt, ss, 2 * st, tt], axis=1), level


def cell_quadratics(cells: Cells) -> Quadratics:
    """The quadratic of every cell. Raises `ValueError` where the loss is no square."""
    squares = SquaredInputs(cells)
    coefficients, sizes = np.empty((len(cells), 6)), np.empty(len(cells))
    network, inputs = cells.slice.objective.network, len(cells.inputs)
    widest = max(network.widths[cells.slice.first_moved :])
    for block in blocks(len(cells), 4 * inputs * widest):
        o = affine_outputs(cells, cells.inner_points[block])
        coefficients[block], sizes[block] = squares.coefficients(o, np.s_[:])
    coefficients[:, 0] += squares.scatter
    return Quadratics(squares.scale * coefficients, squares.scale * sizes)


def fan_quadratics(cells: Cells, rays: Rays) -> Quadratics:
    """The quadratics of a fan's cones as running sums: a ray changes those of one input alone.

    So each input is looked at in its own few cones only, not in all.
    """
    squares, opening = SquaredInputs(cells), Opening.of(cells.window)
    start, level = squares.coefficients(affine_outputs(cells, cells.inner_points[:1]), np.s_[:])
    spoke, direction, bounds = _own_rays(cells, rays, opening)
    gained = np.empty((len(spoke), 6))
    for m in range(len(cells.inputs)):
        own = np.s_[bounds[m] : bounds[m + 1]]
        at = direction[own]
        if not len(at):
            continue
        if opening.is_turn:
            between = np.concatenate([at[-1:], at, at[:1]])
        else:
            between = np.concatenate([opening.first[None], at, opening.last[None]])
        o = outputs_at(cells.slice, cells.inputs[m : m + 1], _bisectors(between))
        quadratics, _ = squares.coefficients(o, np.s_[m : m + 1])
        gained[own] = quadratics[1:] - quadratics[:-1]
    coefficients = np.empty((len(cells), 6))
    for k in range(6):
        sums = np.bincount(spoke, weights=gained[:, k], minlength=len(cells))
        sums[0] = start[0, k]  # the first cone has its quadratic already
        coefficients[:, k] = np.cumsum(sums)
    coefficients[:, 0] += squares.scatter
    # What rounding may have taken from the running sums joins the size of the terms.
    lost = np.sqrt(len(rays.spoke)) * 2.0**-52 / LEVEL
    reach = max(map(abs, (cells.window.u0, cells.window.u1, cells.window.v0, cells.window.v1)))
    largest = np.abs(coefficients).max(axis=0)
    linear = np.abs(coefficients[:, 1:3]).max(axis=1) + lost * largest[1:3].max()
    sizes = linear + lost * reach * largest[3:].max() + level.max()
    return Quadratics(squares.scale * coefficients, squares.scale * sizes)


def _own_rays(cells: Cells, rays: Rays, opening: Opening) -> tuple[Indices, Array, Indices]:
    """Spoke and unit vector of each ray, input by input, once each; bounds[m] is input m's first.

    Without rays on the window's sides, which change nothing inside.
    """
    order = np.argsort(rays.input * (len(cells) + 1) + rays.spoke, kind="stable")
    spoke, number = rays.spoke[order], rays.input[order]
    wanted = np.concatenate([[True], (np.diff(spoke) != 0) | (np.diff(number) != 0)])
    if not opening.is_turn:
        wanted &= (spoke > 0) & (spoke < len(cells))
    order, spoke, number = order[wanted], spoke[wanted], number[wanted]
    direction = rays.direction[order]
    direction /= np.hypot(direction[:, 0], direction[:, 1])[:, None]
    return spoke, direction, np.searchsorted(number, np.arange(len(cells.inputs) + 1))


def _bisectors(directions: Array) -> Array:
    """The middle directions (k, 2) between unit vectors (k + 1, 2), counter-clockwise."""
    one, other = directions[:-1], directions[1:]
    middle = one + other
    opposite = np.abs(middle).max(axis=1) < 1e-9
    middle[opposite] = np.stack([-one[opposite, 1], one[opposite, 0]], axis=1)
    return np.asarray(middle / np.hypot(middle[:, 0], middle[:, 1])[:, None])
