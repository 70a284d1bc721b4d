"""The sampled search: stationary points from grid seeds, polished with exact derivatives.

Smooth points: Newton from every sample whose Newton step is short enough to end near it, and from
the cells beside kinks. Kinked points: along all kinks that a lattice shows, and where they cross;
what the grid shows besides, extrema and saddles, is followed by zooming, and where a kink is too
sharp for that by sliding along it. The border of the window is walked exactly. The audit sums the
indices of all: where they are not right the search is repeated, finer, and then in the boxes in
which something lacks. It does not prove that nothing else is there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

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
from surfacecli.geometry.border import find_border_points
from surfacecli.geometry.candidates import Candidate, FlatSet, find_candidates, find_flat_sets
from surfacecli.geometry.completeness import (
    Counted,
    SampledAudit,
    count_indices,
    find_wrong_boxes,
    find_wrong_sets,
    sum_of_box,
)
from surfacecli.geometry.courses import distance_to_course, trace_course
from surfacecli.geometry.grids import Grid, sample_grid
from surfacecli.geometry.kinked import find_kinked_points
from surfacecli.geometry.one_sided import measure_sides
from surfacecli.geometry.polish import newton_in_cells, slide, zoom
from surfacecli.geometry.rims import Lines
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.smooth import CHAIN, LEVEL, Smooth, find_smooth_points, polish_smooth
from surfacecli.geometry.stationary import (
    PointKind,
    StationaryPoint,
    falling_arcs,
    kind_of_arcs,
)
from surfacecli.geometry.surface import evaluate
from surfacecli.geometry.terrain import Samples, Terrain, focus, survey
from surfacecli.network.transfers import Array

#: Points nearer than this, relative to the window, are one.
SAME = 1e-5
#: Two pieces of a kinked valley are one where E is level, but for the places' own rounding times
#: the slope of the kink, at so many points between them.
LOOKS_BETWEEN, UNEVEN = 24, 1e-7
#: Following one kinked candidate takes some thousand evaluations of E. The best are followed: so
#: many at most, and for long data no more than so many multiply-adds pay for (yet the lowest).
CANDIDATES, EVALUATIONS, WORK = 100, 8000, 1e10


#: Boxes of the lattice that shows the kinks, along an axis.
BOXES = 40
#: So many kinks at most are followed first; more of them only where the indices do not sum to 1.
FEW_KINKS = 100
#: Places at which E is level in some direction that are looked at, at most.
DOUBTFUL = 60
#: Where the indices are not right: the window is judged in so many boxes along an axis, one after
#: the other, and those that are wrong are searched, the first so many of them.
BOX_PARTS, MOST_BOXES = (4, 8, 16), 16
#: Samples along an axis of such a box; multiply-adds of one evaluation of E beyond which the search
#: is not made finer.
BOX_SAMPLES, REFINE_EVALUATION = 21, 2e4


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found: points inside the window, all that counts on its border, the lowest
    point, and the audit of the indices.
    """

    points: tuple[StationaryPoint, ...]
    border: tuple[StationaryPoint, ...]
    lowest: tuple[float, float, float]
    samples: Samples
    audit: SampledAudit


def search(slice: Slice, window: Window, grid: Grid, refine: bool = True) -> Found:
    """Stationary points that the grid and lattices of Hessians and kinks show. Not exhaustive.

    Where the indices do not sum to 1 and `refine` is not False, the search is made finer.
    """
    return _Search(survey(slice, window, grid)).run(refine)


def audited_search(slice: Slice, window: Window, resolution: tuple[int, int] = (61, 61)) -> Found:
    """`search` from a grid of its own: points, border, and the audit with its sum."""
    return search(slice, window, sample_grid(slice, window, resolution))


class _Search:
    def __init__(self, terrain: Terrain) -> None:
        self.terrain = terrain
        self.smooth = Smooth((), np.zeros((0, 2)))
        self.lines = Lines(measure_sides(terrain.slice, terrain.window))
        self.border = find_border_points(self.lines)
        network = terrain.slice.objective.network
        transfers = network.transfers[terrain.slice.first_moved - 1 :]
        self.piecewise_linear = all(f.piecewise_linear for f in transfers)
        self.followed = False

    def run(self, refine: bool) -> Found:
        self.smooth = find_smooth_points(self.terrain)
        found = list(self.smooth.points)
        for flat in find_flat_sets(self.terrain.grid):
            found += [p for p in self._set_points(flat) if not p.on_border]
        steps = [self._from_grid, self._from_kinks]
        if self._few_kinks():
            steps.reverse()
        counted: Counted | None = None
        for step in steps:
            if counted is None or counted.sum != 1:
                found += step(found)
                counted = self._count(found)
        assert counted is not None
        doubted = tuple(find_wrong_sets(self.lines, counted))
        audit = SampledAudit(counted.sum, doubted, border_exact=self._border_exact())
        if refine and not audit.agrees and self.terrain.evaluation <= REFINE_EVALUATION:
            counted, audit = self._refine(counted)
        lowest = self._lowest([*counted.points, *counted.border])
        return Found(counted.points, counted.border, lowest, self.terrain.samples, audit)

    def _from_grid(self, found: list[StationaryPoint]) -> list[StationaryPoint]:
        """What extrema and saddles of the grid lead to that nothing found explains."""
        more: list[StationaryPoint] = []
        for candidate in self._ranked():
            at = self._grid_point(candidate.row, candidate.column)
            if not self._known([*found, *more, *self.border], candidate, at):
                more += [p for p in self._follow(at, candidate.kind) if not p.on_border]
        return more

    def _from_kinks(self, found: list[StationaryPoint]) -> list[StationaryPoint]:
        return self._on_kinks(self.terrain, BOXES, found)

    def _count(self, found: list[StationaryPoint]) -> Counted:
        return count_indices(self.lines, self._distinct(found), self.border)

    def _border_exact(self) -> bool:
        return all(profile.exact for profile in self.lines.profiles.values())

    # Kinks

    def _few_kinks(self) -> bool:
        """Whether the kinks are followed first, and not only where the indices ask for it."""
        if not self.piecewise_linear:
            return False
        network, data = self.terrain.slice.objective.network, self.terrain.slice.objective.data
        units = sum(network.widths[self.terrain.slice.first_moved :])
        return len(data) * units <= FEW_KINKS

    def _on_kinks(
        self, terrain: Terrain, boxes: int, known: list[StationaryPoint]
    ) -> list[StationaryPoint]:
        """Points on the kinks within the window of `terrain`, and smooth ones in cells beside."""
        if not self.piecewise_linear:
            return []
        kinked = find_kinked_points(self.lines.sides, terrain.window, boxes)
        self.followed = kinked.followed
        seeds = newton_in_cells(terrain, kinked.beside)
        points = list(kinked.points)
        points += polish_smooth(terrain, seeds, 0.1 * terrain.spacing).points
        doubtful = [(float(u), float(v)) for u, v in kinked.doubtful]
        for at in doubtful[:DOUBTFUL]:
            if not any(self._near(p, at, 1.0) for p in known if p.is_set):
                point = self._point(at)
                points += [] if point is None else [point]
        return points

    # Refinement

    def _refine(self, counted: Counted) -> tuple[Counted, SampledAudit]:
        """Search once more, twice as fine, then in the boxes whose indices are not right."""
        window = self.terrain.window
        found = [*counted.points, *self._look_closer(window, 2, counted)]
        counted, rounds = self._count(found), 1
        wrong: list[Window] = []
        judged = 0
        for parts in BOX_PARTS:
            doubted = find_wrong_sets(self.lines, counted)
            if counted.sum == 1 and rounds == 1 and not doubted:
                break
            wrong, judged = find_wrong_boxes(self.lines, counted, window, parts)
            if not wrong and not doubted and counted.sum == 1:
                break
            for box in [*doubted, *wrong][:MOST_BOXES]:
                found += self._look_closer(box, 1, counted)
            counted, rounds = self._count(found), rounds + 1
            wrong = [b for b in wrong if sum_of_box(self.lines, counted.points, b) != 1]
        boxes = (*find_wrong_sets(self.lines, counted), *wrong)
        return counted, SampledAudit(counted.sum, boxes, judged, rounds, self._border_exact())

    def _look_closer(self, window: Window, finer: int, counted: Counted) -> list[StationaryPoint]:
        """What a search of a part of the window finds besides: smooth points and kinked ones."""
        n_v, n_u = self.terrain.grid.error.shape
        points = (2 * n_u, 2 * n_v) if finer > 1 else (BOX_SAMPLES, BOX_SAMPLES)
        part = focus(self.terrain, window, points)
        found = list(find_smooth_points(part).points)
        found += self._on_kinks(part, finer * BOXES, list(counted.points))
        sets = [p for p in counted.points if p.is_set]
        return [p for p in found if not p.is_set and not any(self._same(p, s) for s in sets)]

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
            trusted = point.smooth or point.on_border or self.followed
            if point.kind != candidate.kind or not trusted or not self._near(point, at, 1.5):
                return False
            if point.kind == "minimum":
                return point.error <= error + slack
            return point.kind == "saddle" or point.error >= error - slack

        return any(map(explains, points))

    def _near(self, point: StationaryPoint, at: tuple[float, float], steps: float) -> bool:
        """Whether `at` lies within some grid steps of a point, of a set's course, or of its box."""
        if point.outline:
            return distance_to_course(point.outline, at, self.terrain.spacing) <= steps
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
        on_set = lies_on_a_set(signs)
        if kind[0] == "saddle" and not on_set and lies_beside(self.terrain, at):
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
        if on_set if kind[0] == "saddle" else (signs == 0).any():  # level along a kink
            extent = (at[0], at[0], at[1], at[1])
            return StationaryPoint(*at, error, kind[0], "valley", False, kind[1], extent=extent)
        return StationaryPoint(*at, error, kind[0], support, smooth=False, index=kind[1])

    def _is_extremum(self, at: tuple[float, float], kind: PointKind) -> bool:
        against = -1 if kind == "minimum" else 1
        return not (ring_signs(self.terrain, at, TINY_CIRCLE) == against).any()

    def _on_border(self, at: tuple[float, float]) -> bool:
        place, low, high = np.array(at), self.terrain.window.low, self.terrain.window.high
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
        members = np.clip(members + np.subtract(place, at), terrain.window.low, terrain.window.high)
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
