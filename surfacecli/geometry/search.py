"""The sampled search: stationary points from grid seeds, polished with exact derivatives.

Smooth points: Newton from every sample whose Newton step is short enough to end near it. Kinked
points: grid extrema and grid saddles followed by zooming, and where a kink is too sharp for that by
sliding along it; then told apart by comparing E on a small circle, one side against the other. It
finds what the grid shows; it does not prove that nothing else is there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from surfacecli.geometry.around import CIRCLE, TINY_CIRCLE, find_support, ring_signs, weak_kind
from surfacecli.geometry.candidates import Candidate, FlatSet, find_candidates, find_flat_sets
from surfacecli.geometry.courses import trace_course
from surfacecli.geometry.grids import Grid
from surfacecli.geometry.polish import slide, zoom
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.smooth import CHAIN, LEVEL, Smooth, find_smooth_points, polish_smooth
from surfacecli.geometry.stationary import (
    PointKind,
    StationaryPoint,
    falling_arcs,
    kind_of_arcs,
)
from surfacecli.geometry.surface import evaluate
from surfacecli.geometry.terrain import Samples, Terrain, survey
from surfacecli.network.transfers import Array

#: Points nearer than this, relative to the window, are one.
SAME = 1e-5
#: Two pieces of a kinked valley are one where E is level, but for the places' own rounding times
#: the slope of the kink, at so many points between them.
LOOKS_BETWEEN, UNEVEN = 24, 1e-7
#: Following one kinked candidate takes some thousand evaluations of E. The best are followed: so
#: many at most, and for long data no more than so many multiply-adds pay for (yet the lowest).
CANDIDATES, EVALUATIONS, WORK = 100, 8000, 1e10


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found: points inside the window, extrema on its border, the lowest point."""

    points: tuple[StationaryPoint, ...]
    border: tuple[StationaryPoint, ...]
    lowest: tuple[float, float, float]
    samples: Samples


def search(slice: Slice, window: Window, grid: Grid) -> Found:
    """All stationary points that the grid (and a lattice of Hessians) shows. Not exhaustive."""
    return _Search(survey(slice, window, grid)).run()


class _Search:
    def __init__(self, terrain: Terrain) -> None:
        self.terrain = terrain
        self.smooth = Smooth((), np.zeros((0, 2)))

    def run(self) -> Found:
        self.smooth = find_smooth_points(self.terrain)
        found = list(self.smooth.points)
        for flat in find_flat_sets(self.terrain.grid):
            found += self._set_points(flat)
        for candidate in self._ranked():
            at = self._grid_point(candidate.row, candidate.column)
            if not self._known(found, candidate, at):
                found += self._follow(at, candidate.kind)
        points = self._distinct([p for p in found if not p.on_border])
        border = self._distinct([p for p in found if p.on_border])
        lowest = self._lowest([*points, *border])
        return Found(tuple(points), tuple(border), lowest, self.terrain.samples)

    # Candidates

    def _grid_point(self, row: int, column: int) -> tuple[float, float]:
        return float(self.terrain.grid.u[column]), float(self.terrain.grid.v[row])

    def _ranked(self) -> list[Candidate]:
        """The candidates to follow: the lowest of the grid first, then the most prominent."""
        error = self.terrain.grid.error

        def rank(candidate: Candidate) -> tuple[bool, float]:
            row, column = candidate.row, candidate.column
            around = error[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
            here = error[row, column]
            return bool(here > error.min()), -float(np.abs(around - here).max())

        ranked = sorted(find_candidates(self.terrain.grid), key=rank)
        most = max(1, min(CANDIDATES, int(WORK / (EVALUATIONS * self.terrain.evaluation))))
        # Beyond them only what lies on the grid point itself, which costs little to see.
        return ranked[:most] + [c for c in ranked[most:] if self._is_there(c)]

    def _is_there(self, candidate: Candidate) -> bool:
        at = self._grid_point(candidate.row, candidate.column)
        return candidate.kind != "saddle" and weak_kind(self.terrain, at) == candidate.kind

    def _known(
        self, points: list[StationaryPoint], candidate: Candidate, at: tuple[float, float]
    ) -> bool:
        """Whether a point of this kind, smooth and at least as extreme, explains the candidate.

        A saddle of the grid near a valley is the grid's own waviness.
        """
        if candidate.kind == "saddle":
            near = np.abs(self.smooth.valley_points - at) <= 1.5 * self.terrain.spacing
            if near.all(axis=1).any():
                return True
        error = float(self.terrain.grid.error[candidate.row, candidate.column])
        slack = LEVEL * self.terrain.error_scale

        def explains(point: StationaryPoint) -> bool:
            if point.kind != candidate.kind or not point.smooth or not self._near(point, at, 1.5):
                return False
            if point.kind == "minimum":
                return point.error <= error + slack
            return point.kind == "saddle" or point.error >= error - slack

        return any(map(explains, points))

    def _near(self, point: StationaryPoint, at: tuple[float, float], steps: float) -> bool:
        """Whether `at` lies within some grid steps of a point, or of the box round a set."""
        u0, u1, v0, v1 = point.extent or (point.u, point.u, point.v, point.v)
        reach_u, reach_v = steps * self.terrain.spacing
        return bool(u0 - reach_u <= at[0] <= u1 + reach_u and v0 - reach_v <= at[1] <= v1 + reach_v)

    def _follow(self, at: tuple[float, float], kind: PointKind) -> list[StationaryPoint]:
        """The stationary point near a grid point that looks like one, if there is any."""
        for place in self._places(at, kind):
            point = self._border_point(place) if self._on_border(place) else self._point(place)
            if point is not None:
                return [point]
        return []

    def _places(self, at: tuple[float, float], kind: PointKind) -> Iterator[tuple[float, float]]:
        """Where the point may be: the grid point, zooming, sliding; near by first, then farther.

        A look around can jump over a small hollow into a deeper one: so first in a box.
        """
        yield at
        slice, window, spacing = self.terrain.slice, self.terrain.window, self.terrain.spacing
        if kind == "saddle":
            place = zoom(slice, window, at, 1.5 * spacing, kind)
            if place is not None:
                yield place
            return
        box = self._box(at)
        place = zoom(slice, box, at, spacing, kind) or at
        yield place
        sign = 1.0 if kind == "minimum" else -1.0
        place = slide(slice, box, place, spacing, sign)
        yield place
        if place[0] in (box.u0, box.u1) or place[1] in (box.v0, box.v1):
            yield slide(slice, window, place, spacing, sign)

    def _box(self, at: tuple[float, float]) -> Window:
        """The part of the window within a grid step and a half of a point."""
        (u0, v0), (u1, v1) = at - 1.5 * self.terrain.spacing, at + 1.5 * self.terrain.spacing
        w = self.terrain.window
        return Window(max(u0, w.u0), min(u1, w.u1), max(v0, w.v0), min(v1, w.v1))

    # Points

    def _point(self, at: tuple[float, float]) -> StationaryPoint | None:
        """The stationary point at a place inside the window, None where E is regular there."""
        signs = ring_signs(self.terrain, at)
        kind = kind_of_arcs(falling_arcs(signs))
        if kind is None or not signs.any():
            return None
        if kind[0] != "saddle" and not self._is_extremum(at, kind[0]):
            # On a kink the extremum may be a little farther along, within the circle.
            reach = CIRCLE * self.terrain.size
            sign = 1.0 if kind[0] == "minimum" else -1.0
            at = slide(self.terrain.slice, self.terrain.window, at, reach, sign)
            if not self._is_extremum(at, kind[0]):
                return None
        smooth, support = find_support(self.terrain, at)
        if smooth:
            # Newton comes from the samples; a smooth point next to a kink may escape them.
            seed, reach = np.array([at]), 0.1 * self.terrain.spacing
            for point in polish_smooth(self.terrain, seed, reach).points:
                if self._near(point, at, 0.1):
                    return point
            if support == "cell":
                return None
        error = float(evaluate(self.terrain.slice, *at))
        if kind[0] != "saddle" and (signs == 0).any():  # level along a kink: part of a valley
            extent = (at[0], at[0], at[1], at[1])
            return StationaryPoint(*at, error, kind[0], "valley", False, kind[1], extent=extent)
        return StationaryPoint(*at, error, kind[0], support, smooth=False, index=kind[1])

    def _is_extremum(self, at: tuple[float, float], kind: PointKind) -> bool:
        against = -1 if kind == "minimum" else 1
        return not (ring_signs(self.terrain, at, TINY_CIRCLE) == against).any()

    def _on_border(self, at: tuple[float, float]) -> bool:
        place, low, high = np.array(at), self.terrain.low, self.terrain.high
        nearest = np.minimum(place - low, high - place)
        return bool((nearest <= SAME * self.terrain.size).any())

    def _border_point(self, at: tuple[float, float]) -> StationaryPoint | None:
        """An extremum of the window that lies on its border, tested against the inside."""
        signs = ring_signs(self.terrain, at)
        if not signs.any() or ((signs < 0).any() and (signs > 0).any()):
            return None
        falls = bool((signs < 0).any())
        smooth, support = find_support(self.terrain, at)
        return StationaryPoint(
            *at,
            float(evaluate(self.terrain.slice, *at)),
            "maximum" if falls else "minimum",
            "cell" if smooth else support,
            smooth=smooth,
            index=0 if falls else 1,
            on_border=True,
        )

    def _set_points(self, flat: FlatSet) -> list[StationaryPoint]:
        """A set of equal grid points as a valley or plateau, or the point that made them equal.

        Grid points on both sides of a minimum, or along a valley between two rows, are equal too.
        """
        grid, terrain = self.terrain.grid, self.terrain
        members = np.stack([grid.u[flat.members[:, 1]], grid.v[flat.members[:, 0]]], axis=1)
        away = np.hypot(*((members - members.mean(axis=0)) / terrain.size).T)
        at = (float(members[away.argmin(), 0]), float(members[away.argmin(), 1]))
        place = at
        if weak_kind(terrain, at) not in (flat.kind, "level"):
            sign = 1.0 if flat.kind == "minimum" else -1.0
            place = slide(terrain.slice, terrain.window, at, terrain.spacing, sign)
        members = np.clip(members + np.subtract(place, at), terrain.low, terrain.high)
        error = float(evaluate(terrain.slice, *place))
        uneven = np.abs(evaluate(terrain.slice, members[:, 0], members[:, 1]) - error)
        if len(members) < 3 or (uneven > LEVEL * terrain.error_scale).any():
            return self._follow(place, flat.kind)
        if weak_kind(terrain, place) not in (flat.kind, "level"):
            return []
        low, high = members.min(axis=0), members.max(axis=0)
        along_border = self._on_border(place) and bool((low == high).any())
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

    # All together

    def _distinct(self, points: list[StationaryPoint]) -> list[StationaryPoint]:
        """Each point once, sets before single points that lie on them, sorted by error."""
        kept: list[StationaryPoint] = []

        def size(point: StationaryPoint) -> float:
            u0, u1, v0, v1 = point.extent or (0.0, 0.0, 0.0, 0.0)
            return u1 - u0 + v1 - v0

        for point in sorted(points, key=lambda p: (not p.is_set, -size(p), p.residual or 0.0)):
            same = [k for k, other in enumerate(kept) if self._same(point, other)]
            if not same:
                kept.append(point)
            elif point.support == kept[same[0]].support == "valley":
                # Pieces of one valley: their extents become one, and so do valleys that they join.
                joined = [kept.pop(k) for k in reversed(same)][::-1]
                outline = sum((other.outline for other in (*joined, point)), ())
                kept.append(replace(joined[0], extent=_around([point, *joined]), outline=outline))
        return sorted(kept, key=lambda p: (p.error, p.u, p.v))

    def _same(self, point: StationaryPoint, other: StationaryPoint) -> bool:
        apart: Array = np.abs([point.u - other.u, point.v - other.v]) / self.terrain.size
        if (apart <= SAME).all():
            return True
        level = abs(point.error - other.error) <= LEVEL * self.terrain.error_scale
        if other.kind != point.kind or not level:
            return False
        # Along a kink a zoom ends where E is level to rounding: some way from where it should.
        steps = CHAIN if other.is_set else 0.0 if point.smooth or other.smooth else 1.0
        if self._near(other, (point.u, point.v), steps):
            return True
        return point.support == other.support == "valley" and self._level_between(point, other)

    def _level_between(self, one: StationaryPoint, other: StationaryPoint) -> bool:
        """Whether E is level on the straight line between two points of valleys."""
        t = np.linspace(0.0, 1.0, LOOKS_BETWEEN)
        u, v = one.u + t * (other.u - one.u), one.v + t * (other.v - one.v)
        uneven = np.abs(evaluate(self.terrain.slice, u, v) - one.error)
        return bool((uneven <= UNEVEN * self.terrain.error_scale).all())

    def _lowest(self, points: list[StationaryPoint]) -> tuple[float, float, float]:
        grid = self.terrain.grid
        row, column = np.unravel_index(grid.error.argmin(), grid.error.shape)
        places = [(p.u, p.v, p.error) for p in points]
        places.append((*self._grid_point(int(row), int(column)), float(grid.error[row, column])))
        return min(places, key=lambda place: place[2])


def _around(sets: list[StationaryPoint]) -> tuple[float, float, float, float]:
    """The bounding box of several sets."""
    u0, u1, v0, v1 = np.transpose([s.extent for s in sets if s.extent is not None])
    return float(u0.min()), float(u1.max()), float(v0.min()), float(v1.max())
