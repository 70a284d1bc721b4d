"""The sampled search: stationary points from grid seeds, polished with exact derivatives.

Smooth points: Newton from every sample whose Newton step is short enough to end near it. Kinked
points: grid extrema and grid saddles followed by zooming, then told apart by comparing E on a small
circle, one side against the other. It finds what the grid shows; it does not prove that nothing
else is there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.candidates import (
    EQUAL,
    Candidate,
    FlatSet,
    find_candidates,
    find_flat_sets,
)
from surfacecli.geometry.grids import Grid, forward
from surfacecli.geometry.polish import LOOK, SHRINK, Polished, newton, zoom
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.stationary import (
    PointKind,
    StationaryPoint,
    Support,
    falling_arcs,
    kind_of_arcs,
)
from surfacecli.geometry.surface import Derivatives, differentiate, evaluate, linear_pieces
from surfacecli.network.transfers import Array

#: Sides of the circles, relative to the window: for the kind of a point, for what lies under it.
CIRCLE, TINY_CIRCLE = 1e-4, 1e-6
DIRECTIONS = 48
#: Looks at each extremum of a circle: the last spans 1e-6 of an angle between two directions.
ANGLE_LOOKS = 14
#: Flat points so many grid steps apart at most, of errors that differ by so little (relative to the
#: largest of the grid), belong to one valley.
CHAIN, LEVEL = 4.0, 1e-9
#: Points nearer than this, relative to the window, are one.
SAME = 1e-5
#: An eigenvalue below this times the largest of the window counts as zero.
SINGULAR = 1e-9
#: Samples of the Hessian along an axis at most, and multiply-adds for all of them at most.
SAMPLES, WORK = 61, 4e9
#: Zooming at each kinked candidate costs some thousand evaluations; the best ones are taken.
CANDIDATES = 60


@dataclass(frozen=True, eq=False)
class Samples:
    """Exact derivatives on a lattice of points off the grid: u, v (k,) and `derivatives`."""

    u: Array
    v: Array
    derivatives: Derivatives

    @property
    def eigenvalues(self) -> Array:
        """Of the 2x2 Hessians, (k, 2), smallest first."""
        return np.asarray(np.linalg.eigvalsh(self.derivatives.hessian), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found: points inside the window, extrema on its border, the lowest point."""

    points: tuple[StationaryPoint, ...]
    border: tuple[StationaryPoint, ...]
    lowest: tuple[float, float, float]
    samples: Samples


def sample_derivatives(slice: Slice, window: Window, resolution: tuple[int, int]) -> Samples:
    """Exact derivatives on a lattice within the window, no finer than the grid.

    The lattice is a little out of step with the grid, so that its points keep off the kinks that
    run along a row, a column or the diagonals; what lands on a node all the same is left out.
    """
    each = 6.0 * forward.operations(slice, 1, 1)
    most = int(np.clip(np.sqrt(WORK / each), 5, SAMPLES))
    axes = []
    for low, high, points, part in (
        (window.u0, window.u1, resolution[0], 0.381966),
        (window.v0, window.v1, resolution[1], 0.618034),
    ):
        count = min(points, most)
        axes.append(low + (high - low) * (np.arange(count) + part) / count)
    u, v = (axis.ravel() for axis in np.meshgrid(*axes))
    at = differentiate(slice, u, v)
    off = ~at.on_node
    kept = Derivatives(at.error[off], at.gradient[off], at.hessian[off], at.on_node[off])
    return Samples(u[off], v[off], kept)


def search(slice: Slice, window: Window, grid: Grid) -> Found:
    """All stationary points that the grid (and a lattice of Hessians) shows. Not exhaustive."""
    return _Search(slice, window, grid).run()


class _Search:
    def __init__(self, slice: Slice, window: Window, grid: Grid) -> None:
        self.slice, self.window, self.grid = slice, window, grid
        self.size = np.array([window.u1 - window.u0, window.v1 - window.v0])
        n_v, n_u = grid.error.shape
        self.spacing = self.size / (n_u - 1, n_v - 1)
        self.samples = sample_derivatives(slice, window, (n_u, n_v))
        gradient, hessian = self.samples.derivatives.gradient, self.samples.derivatives.hessian
        self.gradient_scale = float(np.abs(gradient).max(initial=0.0))
        self.curvature_scale = float(np.abs(hessian).max(initial=0.0))
        self.error_scale = float(np.abs(grid.error).max())
        self.valley_points: Array = np.zeros((0, 2))

    def run(self) -> Found:
        sets = find_flat_sets(self.grid)
        points = [self._set_point(flat) for flat in sets]
        points += self._smooth_points()
        border: list[StationaryPoint] = []
        candidates = sorted(find_candidates(self.grid), key=self._prominence, reverse=True)
        for candidate in candidates[:CANDIDATES]:
            at = (float(self.grid.u[candidate.column]), float(self.grid.v[candidate.row]))
            if self._known(points, at, candidate.kind):
                continue
            if self._is_corner(candidate):
                border += self._border_point(at)
                continue
            reach = (1.5 * float(self.spacing[0]), 1.5 * float(self.spacing[1]))
            place = zoom(self.slice, self.window, at, reach, candidate.kind)
            if place is None:
                continue
            if self._on_border(place):
                border += self._border_point(place)
            else:
                points += self._kinked_point(place)
        points = self._distinct(points)
        border = self._distinct(border)
        return Found(tuple(points), tuple(border), self._lowest([*points, *border]), self.samples)

    def _is_corner(self, candidate: Candidate) -> bool:
        n_v, n_u = self.grid.error.shape
        return candidate.row in (0, n_v - 1) and candidate.column in (0, n_u - 1)

    def _prominence(self, candidate: Candidate) -> float:
        row, column = candidate.row, candidate.column
        error = self.grid.error
        around = error[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
        return float(np.abs(around - error[row, column]).max())

    def _known(
        self, points: list[StationaryPoint], at: tuple[float, float], kind: PointKind
    ) -> bool:
        """Whether a smooth point of this kind, or any valley, near by explains the candidate."""
        if (np.abs(self.valley_points - at) <= 1.5 * self.spacing).all(axis=1).any():
            return True
        return any(
            point.kind == kind and point.smooth and self._near(point, at, 1.5) for point in points
        )

    def _near(self, point: StationaryPoint, at: tuple[float, float], steps: float) -> bool:
        """Whether `at` lies within some grid steps of a point, or of the box round a set."""
        u0, u1, v0, v1 = point.extent or (point.u, point.u, point.v, point.v)
        reach_u, reach_v = steps * self.spacing
        return bool(u0 - reach_u <= at[0] <= u1 + reach_u and v0 - reach_v <= at[1] <= v1 + reach_v)

    # Smooth points

    def _smooth_points(self) -> list[StationaryPoint]:
        at = self.samples.derivatives
        step = np.einsum("kij,kj->ki", np.linalg.pinv(at.hessian, rcond=1e-11), at.gradient)
        lattice = np.array(
            [self.size[0] / len(set(self.samples.u)), self.size[1] / len(set(self.samples.v))]
        )
        near = (np.abs(step) <= 2.0 * lattice).all(axis=1)
        seeds = np.stack([self.samples.u, self.samples.v], axis=1)[near]
        if not len(seeds) or not self.gradient_scale:
            return []
        found = newton(self.slice, self.window, seeds, tuple(lattice), self.gradient_scale)
        return self._classify_smooth(found)

    def _classify_smooth(self, found: Polished) -> list[StationaryPoint]:
        eigenvalues: Array = np.asarray(np.linalg.eigvalsh(found.hessian), dtype=np.float64)
        zero = SINGULAR * self.curvature_scale
        singular = np.abs(eigenvalues).min(axis=1, initial=np.inf) <= zero
        points = []
        for k in np.flatnonzero(~singular):
            low, high = map(float, eigenvalues[k])
            kind: PointKind = "minimum" if low > 0 else "maximum" if high < 0 else "saddle"
            points.append(
                StationaryPoint(
                    float(found.points[k, 0]),
                    float(found.points[k, 1]),
                    float(found.error[k]),
                    kind,
                    "cell",
                    smooth=True,
                    index=-1 if kind == "saddle" else 1,
                    residual=float(found.residual[k]),
                    eigenvalues=(low, high),
                )
            )
        valleys = np.flatnonzero(singular & (np.abs(eigenvalues).max(axis=1, initial=0) > zero))
        return [*points, *self._valleys(found, valleys, eigenvalues)]

    def _valleys(
        self, found: Polished, which: NDArray[np.intp], eigenvalues: Array
    ) -> list[StationaryPoint]:
        """Points with one flat direction: those of equal error in one chain are one valley."""
        valleys = []
        for mine in self._chains(found, which):
            points, across = found.points[mine], eigenvalues[mine]
            self.valley_points = np.concatenate([self.valley_points, points])
            curved = across[np.arange(len(mine)), np.abs(across).argmax(axis=1)]
            kind: PointKind = "minimum" if np.median(curved) > 0 else "maximum"
            middle = mine[np.linalg.norm(points - points.mean(axis=0), axis=1).argmin()]
            u, v = map(float, found.points[middle])
            if self._weak_kind((u, v), float(found.error[middle])) not in (kind, "level"):
                continue
            low, high = points.min(axis=0), points.max(axis=0)
            valleys.append(
                StationaryPoint(
                    u,
                    v,
                    float(found.error[middle]),
                    kind,
                    "valley",
                    smooth=True,
                    index=1,
                    residual=float(found.residual[middle]),
                    eigenvalues=(float(eigenvalues[middle][0]), float(eigenvalues[middle][1])),
                    extent=(float(low[0]), float(high[0]), float(low[1]), float(high[1])),
                )
            )
        return valleys

    def _chains(self, found: Polished, which: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """The points `which`, put together where a few grid steps and no error lie between them."""
        place = found.points / self.spacing
        chains, left = [], which
        while len(left):
            chain, left = left[:1], left[1:]
            grown = chain
            while len(grown):
                apart = np.abs(place[left, None] - place[None, grown]).max(axis=2)
                uneven = np.abs(found.error[left, None] - found.error[None, grown])
                joins = ((apart <= CHAIN) & (uneven <= LEVEL * self.error_scale)).any(axis=1)
                grown, left = left[joins], left[~joins]
                chain = np.concatenate([chain, grown])
            chains.append(chain)
        return chains

    # Kinked points and sets

    def _circle(self, at: tuple[float, float], radius: float) -> tuple[Array, Array]:
        angles = 2.0 * np.pi * (np.arange(DIRECTIONS) + 0.5) / DIRECTIONS
        return (
            at[0] + radius * self.size[0] * np.cos(angles),
            at[1] + radius * self.size[1] * np.sin(angles),
        )

    def _weak_kind(self, at: tuple[float, float], error: float) -> str | None:
        """Extremum or `level` by E on a small circle, ties allowed; None for anything else."""
        around = evaluate(self.slice, *self._circle(at, CIRCLE)) - error
        tolerance = EQUAL * self.error_scale
        rises, falls = bool((around > tolerance).any()), bool((around < -tolerance).any())
        if rises and falls:
            return None
        return "minimum" if rises else "maximum" if falls else "level"

    def _kinked_point(self, at: tuple[float, float]) -> list[StationaryPoint]:
        error = float(evaluate(self.slice, *at))
        kind = kind_of_arcs(falling_arcs(self._ring_signs(at, error)))
        if kind is None:
            return []
        smooth, support = self._support(at)
        if smooth:
            # Newton comes from the samples; a smooth point next to a kink may escape them.
            seed = np.array([at])
            found = newton(self.slice, self.window, seed, tuple(self.spacing), self.gradient_scale)
            return self._classify_smooth(found)
        return [StationaryPoint(*at, error, kind[0], support, smooth=False, index=kind[1])]

    def _ring_signs(self, at: tuple[float, float], error: float) -> NDArray[np.int8]:
        """Signs of E - E(at) round a small circle, its own extrema included.

        Along a kink E may rise on an arc as narrow as the circle is small, so each extremum of the
        sampled circle is looked at ever closer in angle before its sign counts.
        """
        step = 2.0 * np.pi / DIRECTIONS
        angles: Array = np.asarray(step * (np.arange(DIRECTIONS) + 0.5), dtype=np.float64)

        def around(angle: Array) -> Array:
            radius = CIRCLE * self.size
            u, v = at[0] + radius[0] * np.cos(angle), at[1] + radius[1] * np.sin(angle)
            return evaluate(self.slice, u, v) - error

        values = around(angles)
        before, after = np.roll(values, 1), np.roll(values, -1)
        tops = np.flatnonzero((values >= before) & (values >= after))
        bottoms = np.flatnonzero((values <= before) & (values <= after))
        sign = np.concatenate([np.ones(len(tops)), -np.ones(len(bottoms))])
        centre = angles[np.concatenate([tops, bottoms])]
        best = np.concatenate([values[tops], values[bottoms]])
        width = step
        looks = np.linspace(-1.0, 1.0, LOOK)
        for _ in range(ANGLE_LOOKS):
            near = centre[:, None] + width * looks
            seen = around(near)
            which = (sign[:, None] * seen).argmax(axis=1)
            rows = np.arange(len(centre))
            centre, best = near[rows, which], seen[rows, which]
            width *= SHRINK
        order = np.argsort(np.concatenate([angles, centre]))
        every = np.concatenate([values, best])[order]
        level = np.abs(every) <= EQUAL * self.error_scale
        return np.sign(np.where(level, 0.0, every)).astype(np.int8)

    def _support(self, at: tuple[float, float]) -> tuple[bool, Support]:
        """Whether E has a gradient at a point, and if not, whether one kink makes it or several."""
        u, v = self._circle(at, TINY_CIRCLE)
        gradient = differentiate(self.slice, u, v).gradient
        jump = np.abs(gradient - gradient.mean(axis=0)).max()
        if jump <= 1e-3 * self.gradient_scale:
            return True, "cell"
        network = self.slice.objective.network
        if not all(f.piecewise_linear for f in network.transfers[self.slice.first_moved - 1 :]):
            return False, "edge"
        cells = len(np.unique(linear_pieces(self.slice, u, v), axis=0))
        return False, "edge" if cells == 2 else "vertex"

    def _set_point(self, flat: FlatSet) -> StationaryPoint:
        rows, columns = flat.members.T
        u, v = self.grid.u[columns], self.grid.v[rows]
        middle = np.hypot((u - u.mean()) / self.size[0], (v - v.mean()) / self.size[1]).argmin()
        at = (float(u[middle]), float(v[middle]))
        smooth, _ = self._support(at)
        return StationaryPoint(
            *at,
            float(self.grid.error[rows[middle], columns[middle]]),
            flat.kind,
            "plateau" if flat.has_area else "valley",
            smooth=smooth,
            index=1,
            extent=(float(u.min()), float(u.max()), float(v.min()), float(v.max())),
        )

    # The border

    def _on_border(self, at: tuple[float, float]) -> bool:
        low = np.array([self.window.u0, self.window.v0])
        return bool((np.minimum(at - low, low + self.size - at) <= SAME * self.size).any())

    def _border_point(self, at: tuple[float, float]) -> list[StationaryPoint]:
        """An extremum of the window that lies on its border, tested against the inside."""
        u, v = self._circle(at, CIRCLE)
        inside = (
            (u >= self.window.u0)
            & (u <= self.window.u1)
            & (v >= self.window.v0)
            & (v <= self.window.v1)
        )
        error = float(evaluate(self.slice, *at))
        around = evaluate(self.slice, u[inside], v[inside]) - error
        tolerance = EQUAL * self.error_scale
        kind: PointKind
        if (around >= -tolerance).all():
            kind, index = "minimum", 1
        elif (around <= tolerance).all():
            kind, index = "maximum", 0
        else:
            return []
        smooth, support = self._support(at)
        return [
            StationaryPoint(*at, error, kind, support, smooth=smooth, index=index, on_border=True)
        ]

    # All together

    def _distinct(self, points: list[StationaryPoint]) -> list[StationaryPoint]:
        """Each point once, sets before single points that lie on them, sorted by error."""
        kept: list[StationaryPoint] = []

        def size(point: StationaryPoint) -> float:
            u0, u1, v0, v1 = point.extent or (0.0, 0.0, 0.0, 0.0)
            return u1 - u0 + v1 - v0

        for point in sorted(points, key=lambda p: (not p.is_set, -size(p), p.residual or 0.0)):
            if not any(self._same(point, other) for other in kept):
                kept.append(point)
        return sorted(kept, key=lambda p: (p.error, p.u, p.v))

    def _same(self, point: StationaryPoint, other: StationaryPoint) -> bool:
        apart = np.abs([(point.u - other.u), (point.v - other.v)]) / self.size
        if (apart <= SAME).all():
            return True
        level = abs(point.error - other.error) <= LEVEL * self.error_scale
        if other.kind != point.kind or not level:
            return False
        # Along a kink a zoom ends where E is level to rounding: some way from where it should.
        steps = CHAIN if other.is_set else 0.0 if point.smooth or other.smooth else 1.0
        return self._near(other, (point.u, point.v), steps)

    def _lowest(self, points: list[StationaryPoint]) -> tuple[float, float, float]:
        row, column = np.unravel_index(self.grid.error.argmin(), self.grid.error.shape)
        places = [(p.u, p.v, p.error) for p in points]
        places.append(
            (
                float(self.grid.u[column]),
                float(self.grid.v[row]),
                float(self.grid.error[row, column]),
            )
        )
        return min(places, key=lambda place: place[2])
