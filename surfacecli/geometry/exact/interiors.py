"""What E itself says of the inside of each cell: lowest points, valleys, level ground.

The second road to `Strata.inside`, which follows from the borders of the cells alone: here the zero
of the gradient is computed, and the cell asked whether it lies inside.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.cells import Cells
from surfacecli.geometry.exact.polynomials import CellErrors, Quadratics
from surfacecli.geometry.exact.strata import LEVEL
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]

#: A Hessian is singular where its smaller eigenvalue is below this times its larger one.
SINGULAR = 1e-10
#: A zero of the gradient this near to a cell's border (relative to the window) may lie on it.
NEAR = 1e-9
STEPS = 80


@dataclass(frozen=True, eq=False)
class Lowest:
    """Where the gradient of the given cells vanishes: places (k, 2), residual (k,), hessian."""

    places: Array
    residual: Array
    hessian: Array


def lowest_points(cells: Cells, errors: CellErrors, which: Indices) -> Lowest:
    """The lowest points of E of cells that have one inside, by damped Newton iteration."""
    places = cells.inner_points[which]
    value = errors.value(which, places)
    for _ in range(STEPS):
        gradient, _ = errors.gradient(which, places)
        hessian = errors.hessian(which, places)
        step = -np.einsum("kij,kj->ki", np.linalg.pinv(hessian, rcond=1e-14), gradient)
        factor = np.ones(len(which))
        for _ in range(30):
            moved = places + factor[:, None] * step
            lower = errors.value(which, moved)
            worse = lower > value + 1e-14 * np.abs(value)
            if not worse.any():
                break
            factor[worse] /= 2.0
        change = np.abs(moved - places).max(initial=0.0)
        places, value = moved, lower
        if change <= 1e-15 * np.abs(places).max(initial=1.0):
            break
    gradient, _ = errors.gradient(which, places)
    return Lowest(places, np.linalg.norm(gradient, axis=1), errors.hessian(which, places))


def depth_inside(cells: Cells, which: Indices, places: Array) -> Array:
    """How far places (k, 2) lie inside the cells `which` (k,): the least distance to a side."""
    plane = cells.plane
    half = np.flatnonzero(plane.face >= 0)
    half = half[np.argsort(plane.face[half], kind="stable")]
    start = np.searchsorted(plane.face[half], np.arange(len(cells) + 1))
    count = (start[1:] - start[:-1])[which]
    owner = np.repeat(np.arange(len(which)), count)
    first = np.repeat(start[which] - np.cumsum(count) + count, count)
    mine = half[first + np.arange(len(owner))]
    a, b = plane.place[plane.origin[mine]], plane.place[plane.origin[mine ^ 1]]
    along, to = b - a, places[owner] - a
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), np.finfo(np.float64).tiny)
    distance = (along[:, 0] * to[:, 1] - along[:, 1] * to[:, 0]) / length
    depth = np.full(len(which), np.inf)
    np.minimum.at(depth, owner, distance)
    return depth


def inside_by_gradient(cells: Cells, errors: Quadratics, by_border: Indices) -> Indices:
    """1, 0 or -1 for every cell as in `Strata.inside`, from the quadratics alone.

    Where the zero of the gradient lies on the border to within `NEAR`, or the Hessian is so nearly
    singular that rounding decides, `by_border` stands.
    """
    which = np.arange(len(cells))
    hessian = errors.hessian(which, cells.inner_points)
    eigenvalues, vectors = np.linalg.eigh(hessian)
    gradient, size = errors.gradient(which, cells.inner_points)
    result = by_border.copy()
    near = NEAR * max(cells.window.u1 - cells.window.u0, cells.window.v1 - cells.window.v0)
    regular = eigenvalues[:, 0] > SINGULAR * eigenvalues[:, 1]
    regular &= eigenvalues[:, 1] > 0
    solved = np.flatnonzero(regular)
    step = np.linalg.solve(hessian[solved], -gradient[solved][:, :, None])[:, :, 0]
    depth = depth_inside(cells, solved, cells.inner_points[solved] + step)
    # How far the zero may be off: the gradient's rounding over the smallest curvature.
    doubt = near + LEVEL * size[solved] / eigenvalues[solved, 0]
    result[solved[depth > doubt]] = 1
    result[solved[depth < -doubt]] = 0
    flat = np.flatnonzero(~regular)
    along = np.einsum("ki,ki->k", gradient[flat], vectors[flat, :, 0])
    sloping = np.abs(along) > 10.0 * np.sqrt(LEVEL) * size[flat]
    result[flat[sloping]] = 0
    return result
