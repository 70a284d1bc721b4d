"""What E itself says of the inside of each cell: lowest points, valleys, level ground.

The second road to `Strata.inside`, which follows from the borders of the cells alone: here the zero
of the gradient is computed, and the cell asked whether it lies inside.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.cells import Cells
from surfacecli.geometry.exact.lookup import Lookup
from surfacecli.geometry.exact.polynomials import CellErrors
from surfacecli.geometry.exact.squares import LEVEL, Quadratics
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]

#: A Hessian is singular where its smaller eigenvalue is below this times its larger one.
SINGULAR = 1e-10
#: A zero of the gradient this near to a cell's border (relative to the window) may lie on it.
NEAR = 1e-9
STEPS = 80
TINY = float(np.finfo(np.float64).tiny)


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
    left = np.arange(len(which))
    for _ in range(STEPS):
        mine, here = which[left], places[left]
        gradient, _ = errors.gradient(mine, here)
        hessian = errors.hessian(mine, here)
        step = -np.einsum("kij,kj->ki", np.linalg.pinv(hessian, rcond=1e-14), gradient)
        factor = np.ones(len(left))
        for _ in range(30):
            moved = here + factor[:, None] * step
            lower = errors.value(mine, moved)
            worse = lower > value[left] + 1e-14 * np.abs(value[left])
            if not worse.any():
                break
            factor[worse] /= 2.0
        places[left], value[left] = moved, lower
        change = np.abs(moved - here).max(axis=1)
        left = left[change > 1e-15 * np.maximum(np.abs(moved).max(axis=1), 1.0)]
        if not len(left):
            break
    gradient, _ = errors.gradient(which, places)
    return Lowest(places, np.linalg.norm(gradient, axis=1), errors.hessian(which, places))


def depth_inside(cells: Cells, which: Indices, places: Array) -> Array:
    """How far places (k, 2) lie inside the cells `which` (k,): the least distance to a side."""
    plane = cells.plane
    mine, owner = Lookup(plane.face, which).of(which)
    a, b = plane.place[plane.origin[mine]], plane.place[plane.origin[mine ^ 1]]
    along, to = b - a, places[owner] - a
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), np.finfo(np.float64).tiny)
    distance = (along[:, 0] * to[:, 1] - along[:, 1] * to[:, 0]) / length
    depth = np.full(len(which), np.inf)
    np.minimum.at(depth, owner, distance)
    return depth


def inside_by_gradient(cells: Cells, errors: CellErrors, by_border: Indices) -> Indices:
    """1, 0 or -1 for every cell as in `Strata.inside`, from E's derivatives inside alone.

    Where the zero of the gradient lies on the border to within `NEAR`, or the Hessian is so nearly
    singular that rounding decides, `by_border` stands.
    """
    result = by_border.copy()
    near = NEAR * cells.window.longer_side
    quadratic = isinstance(errors, Quadratics)
    left, places = np.arange(len(cells)), cells.inner_points
    reach = np.zeros(0) if quadratic else 2.0 * _diameters(cells)
    for _ in range(1 if quadratic else STEPS):
        gradient, size = errors.gradient(left, places)
        if not quadratic:
            excluded = _rises_into_cell(cells, left, places, gradient, size)
            result[left[excluded]] = 0
            left, places = left[~excluded], places[~excluded]
            gradient, size = gradient[~excluded], size[~excluded]
        curvature, vectors = np.linalg.eigh(errors.hessian(left, places))
        along = np.einsum("ki,kij->kj", gradient, vectors)
        regular = (curvature[:, 0] > SINGULAR * curvature[:, 1]) & (curvature[:, 1] > 0)
        sloping = np.abs(along[:, 0]) > 10.0 * np.sqrt(LEVEL) * size
        if quadratic:
            result[left[~regular & sloping]] = 0
        else:
            # Here E bends too little, which says nothing of places farther on.
            regular |= sloping & (curvature[:, 1] > 0)
            curvature[:, 0] = np.maximum(curvature[:, 0], SINGULAR * curvature[:, 1])
        left, places, size = left[regular], places[regular], size[regular]
        along, curvature = along[regular], curvature[regular]
        step = -np.einsum("kij,kj->ki", vectors[regular], along / curvature)
        length = np.hypot(step[:, 0], step[:, 1])
        if not quadratic:
            step *= np.minimum(1.0, reach[left] / np.maximum(length, TINY))[:, None]
        places = places + step
        # How far the zero may be off: the gradient's rounding over the smallest curvature.
        doubt = near + LEVEL * size / curvature[:, 0]
        arrived = np.full(len(left), True) if quadratic else length <= near
        depth = depth_inside(cells, left[arrived], places[arrived])
        result[left[arrived][depth > doubt[arrived]]] = 1
        result[left[arrived][depth < -doubt[arrived]]] = 0
        left, places = left[~arrived], places[~arrived]
        if not len(left):
            break
    return result


def _rises_into_cell(
    cells: Cells, which: Indices, places: Array, gradient: Array, size: Array
) -> Flags:
    """Whether E, convex beyond its cell too, lies higher all over the cell than at a place.

    So it does where the gradient at the place points towards all corners: no zero of it in there.
    """
    plane = cells.plane
    half, owner = Lookup(plane.face, which).of(which)
    to = plane.place[plane.origin[half]] - places[owner]
    rise = np.einsum("hk,hk->h", gradient[owner], to)
    rise -= LEVEL * size[owner] * np.hypot(to[:, 0], to[:, 1])
    lowest = np.full(len(which), np.inf)
    np.minimum.at(lowest, owner, rise)
    return lowest > 0


def _diameters(cells: Cells) -> Array:
    """The largest distance of a corner from each cell's inner point, (F,)."""
    plane = cells.plane
    half = np.flatnonzero(plane.face >= 0)
    face = plane.face[half]
    away = plane.place[plane.origin[half]] - cells.inner_points[face]
    result = np.zeros(len(cells))
    np.maximum.at(result, face, np.hypot(away[:, 0], away[:, 1]))
    return result
