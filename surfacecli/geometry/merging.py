"""Which of the points that a sampled search found are one and the same, and pieces of one set."""

from dataclasses import replace

import numpy as np

from surfacecli.geometry.courses import distance_to_course
from surfacecli.geometry.smooth import CHAIN, LEVEL
from surfacecli.geometry.stationary import StationaryPoint
from surfacecli.geometry.surface import evaluate
from surfacecli.geometry.terrain import Terrain
from surfacecli.network.transfers import Array

#: Points nearer than this, relative to the window, are one.
SAME = 1e-5
#: Two pieces of a kinked valley are one where E is level, but for the places' own rounding times
#: the slope of the kink, at so many points between them.
LOOKS_BETWEEN, UNEVEN = 24, 1e-7


def is_near(
    terrain: Terrain, point: StationaryPoint, at: tuple[float, float], steps: float
) -> bool:
    """Whether `at` lies within some grid steps of a point, of a set's course, or of its box."""
    if point.outline:
        return distance_to_course(point.outline, at, terrain.spacing) <= steps
    u0, u1, v0, v1 = point.extent or (point.u, point.u, point.v, point.v)
    reach_u, reach_v = steps * terrain.spacing
    return bool(u0 - reach_u <= at[0] <= u1 + reach_u and v0 - reach_v <= at[1] <= v1 + reach_v)


def distinct(terrain: Terrain, points: list[StationaryPoint]) -> list[StationaryPoint]:
    """Each point once, sets before single points that lie on them, sorted by error."""
    kept: list[StationaryPoint] = []

    def size(point: StationaryPoint) -> float:
        u0, u1, v0, v1 = point.extent or (0.0, 0.0, 0.0, 0.0)
        return u1 - u0 + v1 - v0

    for point in sorted(points, key=lambda p: (not p.is_set, -size(p), p.residual or 0.0)):
        same = [k for k, other in enumerate(kept) if are_same(terrain, point, other)]
        if not same:
            kept.append(point)
        elif point.support == kept[same[0]].support == "valley":
            # Pieces of one valley: their extents become one, and so do valleys that they join.
            joined = [kept.pop(k) for k in reversed(same)][::-1]
            outline = sum((other.outline for other in (*joined, point)), ())
            kept.append(replace(joined[0], extent=bounding_box([point, *joined]), outline=outline))
    return sorted(kept, key=lambda p: (p.error, p.u, p.v))


def are_same(terrain: Terrain, point: StationaryPoint, other: StationaryPoint) -> bool:
    """Whether two points are one, a point lies on a set, or two sets are pieces of one valley."""
    apart: Array = np.abs([point.u - other.u, point.v - other.v]) / terrain.size
    if (apart <= SAME).all():
        return True
    level = abs(point.error - other.error) <= LEVEL * terrain.error_scale
    on_plateau = point.is_set and other.support == "plateau"
    if not level or (other.kind != point.kind and not on_plateau):
        return False
    # Along a kink a zoom ends where E is level to rounding: some way from where it should.
    steps = CHAIN if other.is_set else 0.0 if point.smooth or other.smooth else 1.0
    if is_near(terrain, other, (point.u, point.v), steps):
        return True
    return point.support == other.support == "valley" and _level_between(terrain, point, other)


def _level_between(terrain: Terrain, one: StationaryPoint, other: StationaryPoint) -> bool:
    """Whether E is level on the straight line between two points of valleys."""
    t = np.linspace(0.0, 1.0, LOOKS_BETWEEN)
    u, v = one.u + t * (other.u - one.u), one.v + t * (other.v - one.v)
    uneven = np.abs(evaluate(terrain.slice, u, v) - one.error)
    return bool((uneven <= UNEVEN * terrain.error_scale).all())


def bounding_box(points: list[StationaryPoint]) -> tuple[float, float, float, float]:
    """u0, u1, v0, v1 round sets, and points that have no extent."""
    u0, u1, v0, v1 = np.transpose([p.extent or (p.u, p.u, p.v, p.v) for p in points])
    return float(u0.min()), float(u1.max()), float(v0.min()), float(v1.max())
