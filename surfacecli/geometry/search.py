"""The sampled search: stationary points from grid seeds, polished with exact derivatives.

Smooth points: Newton from every sample whose Newton step is short enough to end near it, and from
the cells beside kinks. Kinked points: along all kinks that a lattice shows, and where they cross;
what the grid shows besides, extrema and saddles, is followed by zooming, and where a kink is too
sharp for that by sliding along it. The border of the window is walked exactly. The audit sums the
indices of all: where they are not right the search is repeated, finer, and then in the boxes in
which something lacks. It does not prove that nothing else is there.
"""

from dataclasses import dataclass

import numpy as np

from surfacecli.geometry.around import (
    weak_kind,
)
from surfacecli.geometry.border import find_border_points
from surfacecli.geometry.candidates import Candidate, find_candidates, find_flat_sets
from surfacecli.geometry.completeness import (
    Counted,
    SampledAudit,
    count_indices,
    find_wrong_boxes,
    find_wrong_sets,
    sum_of_box,
)
from surfacecli.geometry.grids import Grid, sample_grid
from surfacecli.geometry.kinked import find_kinked_points
from surfacecli.geometry.merging import are_same, distinct, is_near
from surfacecli.geometry.one_sided import measure_sides
from surfacecli.geometry.placing import follow, point_at, set_points
from surfacecli.geometry.polish import newton_in_cells
from surfacecli.geometry.rims import Lines
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.smooth import LEVEL, Smooth, find_smooth_points, polish_smooth
from surfacecli.geometry.stationary import (
    StationaryPoint,
)
from surfacecli.geometry.terrain import Samples, Terrain, focus, survey

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
            found += [p for p in set_points(self.terrain, flat) if not p.on_border]
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
                more += [p for p in follow(self.terrain, at, candidate.kind) if not p.on_border]
        return more

    def _from_kinks(self, found: list[StationaryPoint]) -> list[StationaryPoint]:
        return self._on_kinks(self.terrain, BOXES, found)

    def _count(self, found: list[StationaryPoint]) -> Counted:
        return count_indices(self.lines, distinct(self.terrain, found), self.border)

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
            if not any(is_near(self.terrain, p, at, 1.0) for p in known if p.is_set):
                point = point_at(self.terrain, at)
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
        return [
            p for p in found if not p.is_set and not any(are_same(self.terrain, p, s) for s in sets)
        ]

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
            if (
                point.kind != candidate.kind
                or not trusted
                or not is_near(self.terrain, point, at, 1.5)
            ):
                return False
            if point.kind == "minimum":
                return point.error <= error + slack
            return point.kind == "saddle" or point.error >= error - slack

        return any(map(explains, points))

    # All together

    def _lowest(self, points: list[StationaryPoint]) -> tuple[float, float, float]:
        grid = self.terrain.grid
        row, column = np.unravel_index(grid.error.argmin(), grid.error.shape)
        places = [(p.u, p.v, p.error) for p in points]
        places.append((*self._grid_point(int(row), int(column)), float(grid.error[row, column])))
        return min(places, key=lambda place: place[2])
