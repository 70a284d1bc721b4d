"""From a place that looks stationary on the grid, or is doubtful, to the point that is there."""

from collections.abc import Iterator

import numpy as np

from surfacecli.geometry.around import (
    CIRCLE,
    TINY_CIRCLE,
    find_support,
    lies_beside,
    lies_on_a_set,
    ring_signs,
    weak_kind,
)
from surfacecli.geometry.candidates import EQUAL, RING, FlatSet
from surfacecli.geometry.courses import trace_course
from surfacecli.geometry.grids import Grid
from surfacecli.geometry.merging import SAME, is_near
from surfacecli.geometry.polish import slide, zoom
from surfacecli.geometry.slices import Window
from surfacecli.geometry.smooth import CHAIN, LEVEL, polish_smooth
from surfacecli.geometry.stationary import (
    PointKind,
    StationaryPoint,
    falling_arcs,
    kind_of_arcs,
)
from surfacecli.geometry.surface import evaluate
from surfacecli.geometry.terrain import Terrain
from surfacecli.network.transfers import Array

#: Halvings that find where a plateau ends between two grid points; steps beyond, in grid steps, of
#: which the first with another E than the plateau's tells whether E falls or rises.
HALVINGS, STEPS_BEYOND = 40, (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0)


def follow(terrain: Terrain, at: tuple[float, float], kind: PointKind) -> list[StationaryPoint]:
    """The stationary point near a grid point that looks like one, if there is any."""
    for place in _places(terrain, at, kind):
        point = (
            _border_point(terrain, place)
            if _on_border(terrain, place)
            else point_at(terrain, place)
        )
        if point is not None:
            return [point]
    return []


def _places(
    terrain: Terrain, at: tuple[float, float], kind: PointKind
) -> Iterator[tuple[float, float]]:
    """Where the point may be: the grid point, zooming, sliding; near by first, then farther.

    A look around can jump over a small hollow into a deeper one: so first in a box.
    """
    yield at
    slice, window, spacing = terrain.slice, terrain.window, terrain.spacing
    if kind == "saddle":
        place = zoom(slice, window, at, 1.5 * spacing, kind)
        if place is not None:
            yield place
        return
    box = _box(terrain, at)
    place = zoom(slice, box, at, spacing, kind) or at
    yield place
    sign = 1.0 if kind == "minimum" else -1.0
    place = slide(slice, box, place, spacing, sign)
    yield place
    if place[0] in (box.u0, box.u1) or place[1] in (box.v0, box.v1):
        yield slide(slice, window, place, spacing, sign)


def _box(terrain: Terrain, at: tuple[float, float]) -> Window:
    """The part of the window within a grid step and a half of a point."""
    (u0, v0), (u1, v1) = at - 1.5 * terrain.spacing, at + 1.5 * terrain.spacing
    w = terrain.window
    return Window(max(u0, w.u0), min(u1, w.u1), max(v0, w.v0), min(v1, w.v1))


def point_at(terrain: Terrain, at: tuple[float, float]) -> StationaryPoint | None:
    """The stationary point at a place inside the window, None where E is regular there."""
    signs = ring_signs(terrain, at)
    kind = kind_of_arcs(falling_arcs(signs))
    if kind is None or not signs.any():
        return None
    if kind[0] != "saddle" and not _is_extremum(terrain, at, kind[0]):
        # On a kink the extremum may be a little farther along, within the circle.
        reach = CIRCLE * terrain.size
        sign = 1.0 if kind[0] == "minimum" else -1.0
        at = slide(terrain.slice, terrain.window, at, reach, sign)
        if not _is_extremum(terrain, at, kind[0]):
            return None
    on_set = lies_on_a_set(signs)
    if kind[0] == "saddle" and not on_set and lies_beside(terrain, at):
        return None
    smooth, support = find_support(terrain, at)
    if smooth:
        # Newton comes from the samples; a smooth point next to a kink may escape them.
        seed, reach = np.array([at]), 0.1 * terrain.spacing
        for point in polish_smooth(terrain, seed, reach).points:
            if is_near(terrain, point, at, 0.1):
                return point
        if support == "cell":
            return None
    error = float(evaluate(terrain.slice, *at))
    if on_set if kind[0] == "saddle" else (signs == 0).any():  # level along a kink
        extent = (at[0], at[0], at[1], at[1])
        return StationaryPoint(*at, error, kind[0], "valley", False, kind[1], extent=extent)
    return StationaryPoint(*at, error, kind[0], support, smooth=False, index=kind[1])


def _is_extremum(terrain: Terrain, at: tuple[float, float], kind: PointKind) -> bool:
    against = -1 if kind == "minimum" else 1
    return not (ring_signs(terrain, at, TINY_CIRCLE) == against).any()


def _on_border(terrain: Terrain, at: tuple[float, float]) -> bool:
    place, low, high = np.array(at), terrain.window.low, terrain.window.high
    nearest = np.minimum(place - low, high - place)
    return bool((nearest <= SAME * terrain.size).any())


def _border_point(terrain: Terrain, at: tuple[float, float]) -> StationaryPoint | None:
    """An extremum of the window that lies on its border, tested against the inside."""
    signs = ring_signs(terrain, at)
    if not signs.any() or ((signs < 0).any() and (signs > 0).any()):
        return None
    falls = bool((signs < 0).any())
    smooth, support = find_support(terrain, at)
    return StationaryPoint(
        *at,
        float(evaluate(terrain.slice, *at)),
        "maximum" if falls else "minimum",
        "cell" if smooth else support,
        smooth=smooth,
        index=0 if falls else 1,
        on_border=True,
    )


def set_points(terrain: Terrain, flat: FlatSet) -> list[StationaryPoint]:
    """A set of equal grid points as a valley or plateau, or the point that made them equal.

    Grid points on both sides of a minimum, or along a valley between two rows, are equal too.
    """
    grid = terrain.grid
    members = np.stack([grid.u[flat.members[:, 1]], grid.v[flat.members[:, 0]]], axis=1)
    away = np.hypot(*((members - members.mean(axis=0)) / terrain.size).T)
    at = (float(members[away.argmin(), 0]), float(members[away.argmin(), 1]))
    place = at
    if flat.square is not None:
        place = _middle_of_square(grid, *flat.square)
        if weak_kind(terrain, place) == "level":
            return [_plateau(terrain, flat, place, members)]
        place = at
    if flat.kind == "shoulder":
        return []
    if weak_kind(terrain, at) not in (flat.kind, "level"):
        sign = 1.0 if flat.kind == "minimum" else -1.0
        place = slide(terrain.slice, terrain.window, at, terrain.spacing, sign)
    members = np.clip(members + np.subtract(place, at), terrain.window.low, terrain.window.high)
    error = float(evaluate(terrain.slice, *place))
    uneven = np.abs(evaluate(terrain.slice, members[:, 0], members[:, 1]) - error)
    if len(members) < 3 or (uneven > LEVEL * terrain.error_scale).any():
        return follow(terrain, place, flat.kind)
    if weak_kind(terrain, place) not in (flat.kind, "level"):
        return []
    low, high = members.min(axis=0), members.max(axis=0)
    along_border = _on_border(terrain, place) and bool((low == high).any())
    return [
        StationaryPoint(
            *place,
            error,
            flat.kind,
            "plateau" if flat.has_area else "valley",
            smooth=find_support(terrain, place)[0],
            index=0 if along_border and flat.kind == "maximum" else 1,
            extent=(float(low[0]), float(high[0]), float(low[1]), float(high[1])),
            on_border=along_border,
            outline=() if flat.has_area else trace_course(members, terrain.spacing, CHAIN),
        )
    ]


def _plateau(
    terrain: Terrain, flat: FlatSet, place: tuple[float, float], members: Array
) -> StationaryPoint:
    """A set with a whole square of the grid, of which `place` is one point."""
    error = float(evaluate(terrain.slice, *place))
    falls, rises = _leaves(terrain, flat, error)
    kind: PointKind = "shoulder" if falls and rises else "maximum" if falls else "minimum"
    (u0, v0), (u1, v1) = members.min(axis=0).tolist(), members.max(axis=0).tolist()
    index = 0 if kind == "shoulder" else 1
    return StationaryPoint(
        *place, error, kind, "plateau", smooth=True, index=index, extent=(u0, u1, v0, v1)
    )


def _leaves(terrain: Terrain, flat: FlatSet, error: float) -> tuple[bool, bool]:
    """Whether E falls, and rises, from where a plateau ends on its way to the grid points beside.

    These may lie beyond a ditch or a wall.
    """
    grid, n = terrain.grid, np.array(terrain.grid.error.shape)
    beside = flat.members[:, None] + np.array(RING)
    inside = ((beside >= 0) & (beside < n)).all(axis=2)
    start, to = np.repeat(flat.members, inside.sum(axis=1), axis=0), beside[inside]
    a, b = (np.stack([grid.u[k[:, 1]], grid.v[k[:, 0]]], axis=1) for k in (start, to))
    slack = EQUAL * terrain.error_scale

    def above(t: Array) -> Array:
        values = evaluate(terrain.slice, *(a + t[:, None] * (b - a)).T) - error
        return np.asarray(np.where(np.abs(values) <= slack, 0.0, values))

    other = above(np.ones(len(a))) != 0
    a, b = a[other], b[other]
    low, high = np.zeros(len(a)), np.ones(len(a))
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        level = above(middle) == 0
        low, high = np.where(level, middle, low), np.where(level, high, middle)
    first = np.zeros(len(a))
    for step in STEPS_BEYOND:
        first = np.where(first == 0, above(np.minimum(low + step, 1.0)), first)
    return bool((first < 0).any()), bool((first > 0).any())


def _middle_of_square(grid: Grid, row: int, column: int) -> tuple[float, float]:
    u, v = grid.u[column : column + 2].mean(), grid.v[row : row + 2].mean()
    return float(u), float(v)
