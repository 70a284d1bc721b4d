"""From a grid point to the stationary point near it: Newton where E is smooth, zooming on kinks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surfacecli.geometry.candidates import RING
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.surface import (
    Derivatives,
    differentiate,
    evaluate,
    layer_pieces,
    linear_pieces,
)
from surfacecli.geometry.terrain import Terrain
from surfacecli.network.transfers import Array

#: A gradient counts as zero below this times the largest gradient of the window.
FLAT = 1e-9
#: A coordinate below this times the size of the window is 0 but for rounding.
ROUNDING = 1e-14
#: Steps at most, and steps in a row that get no shorter.
STEPS, PATIENCE = 40, 5
#: Steps at most within a cell's own function, and multiply-adds for those of all cells.
#: The first step is no longer than this part of the window.
CELL_STEPS, CELL_WORK, NEAR = 12, 4e9, 0.25
#: Multiply-adds for the first steps of all seeds.
SEED_WORK = 4e9
#: A zoom looks at LOOK x LOOK points; the next look spans a bit more than one step to each side.
LOOK, SHRINK = 7, 0.4
#: Looks at most; shrinking in each of them ends at the rounding of (u, v) after about 35.
LOOKS = 120
#: A slide looks at so many directions, follows the best few dips among them in so many looks (the
#: last spans 1e-7 of a radian), goes along the best in so many, on so many circles at most. Circles
#: shrink by NARROWING down to LAST_RADIUS, relative to the window.
DIRECTIONS, DIPS, ANGLE_LOOKS, LINE_LOOKS, CIRCLES = 24, 2, 16, 18, 60
NARROWING, LAST_RADIUS = 0.2, 1e-8


@dataclass(frozen=True, eq=False)
class Polished:
    """Points (k, 2) of zero gradient: error (k,), residual (k,), hessian (k, 2, 2)."""

    points: Array
    error: Array
    residual: Array
    hessian: Array


def newton_steps(derivatives: Derivatives, size: Array) -> Array:
    """Newton's steps (k, 2), in units of the window; a singular Hessian takes the shortest one."""
    hessian = derivatives.hessian * np.outer(size, size)
    gradient = derivatives.gradient * size
    return np.asarray(-np.einsum("kij,kj->ki", np.linalg.pinv(hessian, rcond=1e-11), gradient))


def newton(
    slice: Slice, window: Window, seeds: Array, reach: Array, gradient_scale: float
) -> Polished:
    """Newton's iteration on exact derivatives from seeds (k, 2), each step at most `reach` (2,).

    Keeps what ends inside the window, off every node, with a gradient below `FLAT` times
    `gradient_scale`, both times the size of the window. A seed that wanders from one linear piece
    to the next without coming closer is given up.
    """
    points = np.array(seeds, dtype=np.float64)
    low, high = window.low, window.high
    size = high - low
    limit = reach / size
    active = np.arange(len(points))
    shortest, idle = np.full(len(points), np.inf), np.zeros(len(points), dtype=np.intp)
    for _ in range(STEPS):
        if not len(active):
            break
        at = differentiate(slice, points[active, 0], points[active, 1])
        step = np.clip(newton_steps(at, size), -limit, limit)
        moved = np.clip(points[active] + step * size, low, high)
        length = np.abs((moved - points[active]) / size).max(axis=1)
        points[active] = moved
        idle[active] = np.where(length < 0.9 * shortest[active], 0, idle[active] + 1)
        shortest[active] = np.minimum(shortest[active], length)
        active = active[(length > 1e-15) & (idle[active] < PATIENCE)]
    _snap_zeros(slice, points, size)
    at = differentiate(slice, points[:, 0], points[:, 1])
    inside = ((points > low) & (points < high)).all(axis=1)
    flat = np.abs(at.gradient * size).max(axis=1) <= FLAT * gradient_scale
    keep = inside & ~at.on_node & flat
    residual = np.linalg.norm(at.gradient, axis=1)
    return Polished(points[keep], at.error[keep], residual[keep], at.hessian[keep])


def _snap_zeros(slice: Slice, points: Array, size: Array) -> None:
    """Set coordinates that rounding keeps from 0 to 0, in place, where 0 is no node.

    There a layer may vanish, and the rank of a Hessian that is 0 but for rounding means nothing.
    """
    near = (np.abs(points) <= ROUNDING * size) & (points != 0)
    which = np.flatnonzero(near.any(axis=1))
    if len(which):
        snapped = np.where(near[which], 0.0, points[which])
        free = ~differentiate(slice, snapped[:, 0], snapped[:, 1]).on_node
        points[which[free]] = snapped[free]


def newton_in_cells(terrain: Terrain, seeds: Array) -> Array:
    """Zeros (k, 2) of the gradient in the cells of seeds (s, 2) of a piecewise-linear net.

    Each cell's function is followed past the cell's kinks, once for each cell; what ends in the
    cell, or in one with the same function, is kept.
    """
    slice, size = terrain.slice, terrain.size
    if len(seeds):
        seeds = seeds[: int(SEED_WORK / (6.0 * terrain.evaluation))]
    if not len(seeds):
        return np.empty((0, 2))
    at = differentiate(slice, seeds[:, 0], seeds[:, 1])
    length = np.abs(newton_steps(at, size)).max(axis=1)
    near = length.argsort(kind="stable")
    near = near[length[near] <= NEAR]
    rows = linear_pieces(slice, seeds[near, 0], seeds[near, 1])
    # Of each cell the seed with the shortest step; cells told apart by a number for each.
    weights = np.random.default_rng(0).integers(1 << 62, size=rows.shape[1])
    _, first = np.unique(rows @ weights, return_index=True)
    first = np.sort(first)[: max(20, int(CELL_WORK / (60.0 * terrain.evaluation)))]
    points = np.array(seeds[near[first]])
    pieces = layer_pieces(slice, points[:, 0], points[:, 1])
    active = np.arange(len(points))
    for _ in range(CELL_STEPS):
        if not len(active):
            break
        mine = [piece[active] for piece in pieces]
        at = differentiate(slice, points[active, 0], points[active, 1], mine)
        step = np.clip(newton_steps(at, size), -0.5, 0.5)
        points[active] += step * size
        outside = (points[active] < terrain.window.low - size) | (
            points[active] > terrain.window.high + size
        )
        short = (np.abs(step) <= 1e-13).all(axis=1)
        points[active[outside.any(axis=1)]] = np.nan
        active = active[~outside.any(axis=1) & ~short]
    inside = terrain.window.encloses(points)
    points, first = points[inside], first[inside]
    if not len(points):
        return points
    there = linear_pieces(slice, points[:, 0], points[:, 1])
    return np.asarray(points[(there == rows[first]).all(axis=1)])


def zoom(
    slice: Slice, window: Window, start: Sequence[float], width: Array, kind: str
) -> tuple[float, float] | None:
    """The minimum, maximum or saddle of E near `start` by looking ever closer, kinks or not.

    Looks at points within `width` of the best one so far, inside the window, and narrows whenever
    the best is not on the rim. None where a saddle is lost from sight.
    """
    centre = np.array(start, dtype=np.float64)
    size = np.array(width, dtype=np.float64)
    offsets = np.linspace(-1.0, 1.0, LOOK)
    low, high = window.low, window.high
    first = size.copy()
    for _ in range(LOOKS):
        if size.max() <= 1e-13 * (high - low).max():
            break
        u = np.clip(centre[0] + size[0] * offsets, low[0], high[0])
        v = np.clip(centre[1] + size[1] * offsets, low[1], high[1])
        error = evaluate(slice, u[None, :], v[:, None])
        best = _best(error, kind)
        if best is None:
            # Below the rounding of E a saddle cannot be told from its surroundings any more.
            return (float(centre[0]), float(centre[1])) if size[0] < 1e-6 * first[0] else None
        row, column = best
        centre = np.array([u[column], v[row]])
        on_rim = row in (0, LOOK - 1) or column in (0, LOOK - 1)
        at_bound = ((centre <= low) | (centre >= high)).any()
        if not on_rim or at_bound or kind == "saddle":
            size = SHRINK * size
    return float(centre[0]), float(centre[1])


def slide(
    slice: Slice, window: Window, start: Sequence[float], width: Array, sign: float
) -> tuple[float, float]:
    """The minimum (`sign` 1) or maximum (-1) of E near `start`, along kinks however sharp.

    On a kink E may fall in an angle so narrow that no lattice of looks has a point in it. So each
    step takes the best direction of a circle, looked at ever closer, and goes along it to where E
    is best; a circle with nothing better than its centre shrinks. Starts with a circle of `width`.
    """
    low, high = window.low, window.high
    centre, scale = np.array(start, dtype=np.float64), np.array(width, dtype=np.float64)
    radius, last = 1.0, LAST_RADIUS * float(((high - low) / scale).max())
    step = 2.0 * np.pi / DIRECTIONS
    every: Array = np.asarray(step * np.arange(DIRECTIONS), dtype=np.float64)
    narrow = np.linspace(-1.0, 1.0, LOOK)

    def at(distance: Array, angle: Array) -> tuple[Array, Array]:
        away = scale * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        points = np.clip(centre + distance[..., None] * away, low, high)
        return points, sign * evaluate(slice, points[..., 0], points[..., 1])

    best = sign * float(evaluate(slice, *centre))
    for _ in range(CIRCLES):
        _, error = at(np.full(DIRECTIONS, radius), every)
        dips = np.flatnonzero((error <= np.roll(error, 1)) & (error <= np.roll(error, -1)))
        angle, spread = every[dips[error[dips].argsort()[:DIPS]]], step
        rows = np.arange(len(angle))
        for _ in range(ANGLE_LOOKS):
            looks = angle[:, None] + spread * narrow
            places, error = at(np.full(looks.shape, radius), looks)
            which = error.argmin(axis=1)
            angle, spread = looks[rows, which], SHRINK * spread
        error = error[rows, which]
        k = int(error.argmin())
        if error[k] >= best:
            if radius <= last:
                break
            radius *= NARROWING
            continue
        best, found, distance, spread = float(error[k]), places[k, which[k]], radius, 1.0
        for _ in range(LINE_LOOKS):
            distances = np.maximum(distance + spread * radius * narrow, 0.0)
            places, error = at(distances, np.full(LOOK, angle[k]))
            which = int(error.argmin())
            if error[which] < best:
                best, found = float(error[which]), places[which]
            distance, spread = distances[which], SHRINK * spread
        centre = found
    return float(centre[0]), float(centre[1])


def _best(error: Array, kind: str) -> tuple[int, int] | None:
    if kind == "saddle":
        return _grid_saddle(error)
    flat = int(np.argmin(error) if kind == "minimum" else np.argmax(error))
    # Among equals the middle: where rounding levels E, the look stays where it is.
    if error[LOOK // 2, LOOK // 2] == error.flat[flat]:
        return LOOK // 2, LOOK // 2
    return divmod(flat, LOOK)


def _grid_saddle(error: Array) -> tuple[int, int] | None:
    """The inner point of a look with a saddle's ring, nearest the middle."""
    inner = np.s_[1:-1]
    ring = np.stack([np.roll(error, (-d, -r), axis=(0, 1))[inner, inner] for d, r in RING])
    signs = np.sign(ring - error[inner, inner])
    changes = (signs != np.roll(signs, 1, axis=0)).sum(axis=0)
    rows, columns = np.nonzero((changes >= 4) & (signs != 0).all(axis=0))
    if not len(rows):
        return None
    middle = LOOK // 2 - 1
    nearest = int(np.argmin(np.abs(rows - middle) + np.abs(columns - middle)))
    return int(rows[nearest]) + 1, int(columns[nearest]) + 1
