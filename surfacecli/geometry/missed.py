"""What a grid misses of a slice whose cells and stationary points are all known.

A grid shows a minimum, a maximum or a saddle where its eight neighbours say so. It is held against
the exact points: one of the same kind within a grid step (in u and in v) makes it true. Hessians by
central differences with the grid's own step, as tools that sample a loss take them, are held
against the cell that the grid point lies in.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.candidates import EQUAL, find_candidates, find_flat_sets
from surfacecli.geometry.exact.points import Exact
from surfacecli.geometry.grids import Grid
from surfacecli.geometry.locate import locate_grid, measure_areas
from surfacecli.geometry.stationary import PointKind, StationaryPoint
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]

#: "Within a grid step" allows for the rounding of a point that lies one step away exactly.
SLACK = 1e-9
#: A true eigenvalue may be this far below 0, relative to the largest one, by rounding alone.
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Claims:
    """What a grid shows of one kind: places (k, 2), error (k,), and which are true (k,).

    Connected grid points of equal E are one claim, with one of them as its place.
    """

    places: Array
    error: Array
    true: Flags

    @property
    def false_places(self) -> Array:
        return np.asarray(self.places[~self.true])


@dataclass(frozen=True, eq=False)
class Differences:
    """Hessians by central differences at the `judged` inner grid points that lie in a cell.

    Those that have a negative eigenvalue, beyond rounding, where the cell's true Hessian has none:
    places (k, 2), the smaller eigenvalues `claimed` (k,) and `true` (k,).
    """

    judged: int
    places: Array
    claimed: Array
    true: Array


@dataclass(frozen=True, eq=False)
class Missed:
    """What a grid misses of `exact`.

    `cell` (n_v, n_u): the cell of each grid point, -1 on a kink. `visits` (F,): the grid points
    inside each cell; `areas` (F,). `unshown`: minima, maxima and saddles (those of the border too,
    but its saddles), `showable` in number, that no claim of their kind lies within a step of.
    """

    exact: Exact
    grid: Grid
    cell: Indices
    visits: Indices
    areas: Array
    claims: dict[PointKind, Claims]
    unshown: tuple[StationaryPoint, ...]
    showable: int
    differences: Differences

    @property
    def unvisited(self) -> Flags:
        """The cells without a grid point inside, (F,)."""
        return np.equal(self.visits, 0)

    @property
    def unvisited_area(self) -> float:
        """Their share of the window's area."""
        return float(self.areas[self.unvisited].sum() / self.areas.sum())

    @property
    def lowest(self) -> tuple[float, float, float]:
        """The lowest grid point: u, v, E."""
        row, column = np.unravel_index(self.grid.error.argmin(), self.grid.error.shape)
        return (
            float(self.grid.u[column]),
            float(self.grid.v[row]),
            float(self.grid.error[row, column]),
        )


def find_missed(exact: Exact, grid: Grid) -> Missed:
    """Hold a grid over the window of `exact` against it."""
    cell = locate_grid(exact.cells, grid.u, grid.v)
    visits = np.bincount(cell[cell >= 0], minlength=len(exact.cells))
    claims: dict[PointKind, Claims] = {}
    unshown: list[StationaryPoint] = []
    showable = 0
    shown = _shown(grid)
    for kind, groups in shown.items():
        wanted = [
            p
            for p in (*exact.points, *exact.border)
            if p.kind == kind and not (p.on_border and kind == "saddle")
        ]
        showable += len(wanted)
        claims[kind], seen = _judge(grid, groups, wanted)
        unshown += [p for p, is_seen in zip(wanted, seen, strict=True) if not is_seen]
    return Missed(
        exact,
        grid,
        cell,
        visits,
        measure_areas(exact.cells),
        claims,
        tuple(sorted(unshown, key=lambda p: (p.error, p.u, p.v))),
        showable,
        judge_differences(exact, grid, cell),
    )


def _shown(grid: Grid) -> dict[PointKind, list[Indices]]:
    """What the grid shows by kind: for each claim its grid points (m, 2), rows and columns."""
    shown: dict[PointKind, list[Indices]] = {"minimum": [], "maximum": [], "saddle": []}
    for candidate in find_candidates(grid):
        shown[candidate.kind].append(np.array([[candidate.row, candidate.column]]))
    for flat in find_flat_sets(grid):
        shown[flat.kind].append(flat.members)
    return shown


def _judge(
    grid: Grid, groups: list[Indices], wanted: list[StationaryPoint]
) -> tuple[Claims, Flags]:
    """The claims with what is true of them, and which of the wanted points one of them shows."""
    members = np.concatenate([*groups, np.zeros((0, 2), dtype=np.intp)])
    group = np.repeat(np.arange(len(groups)), [len(m) for m in groups])
    near = _near(grid, members, wanted)
    seen: Flags = np.asarray(near.any(axis=0))
    true = np.zeros(len(groups), dtype=np.bool_)
    true[group[near.any(axis=1)]] = True
    middle = [m[np.abs(m - m.mean(axis=0)).sum(axis=1).argmin()] for m in groups]
    rows, columns = np.array(middle, dtype=np.intp).reshape(-1, 2).T
    places = np.stack([grid.u[columns], grid.v[rows]], axis=1)
    return Claims(places, grid.error[rows, columns], true), seen


def _near(grid: Grid, members: Indices, points: Sequence[StationaryPoint]) -> Flags:
    """Which grid points (m, 2) lie within a grid step of which stationary points: (m, P)."""
    step = _steps(grid)
    rows, columns = members.T
    places = np.stack([grid.u[columns], grid.v[rows]], axis=1)
    near = np.zeros((len(members), len(points)), dtype=np.bool_)
    if not len(members) or not points:
        return near
    at = np.array([(p.u, p.v) for p in points])
    near |= (np.abs(places[:, None] - at) <= (1.0 + SLACK) * step).all(axis=2)
    for number, point in enumerate(points):
        # Equal grid points on a plateau are one claim, with members within a step of its rim.
        for start, end in point.outline:
            near[:, number] |= _meets(places, step, np.array(start), np.array(end))
    return near


def _meets(places: Array, step: Array, start: Array, end: Array) -> Flags:
    """Whether a segment meets the rectangles of one step to all sides of places (m, 2)."""
    a, along = (start - places) / step, (end - start) / step
    # The part of 0 <= t <= 1 on which |a + t along| <= 1, first in u, then in v.
    enter, leave = np.zeros(len(places)), np.ones(len(places))
    for k in (0, 1):
        if along[k] == 0.0:
            leave = np.where(np.abs(a[:, k]) > 1.0 + SLACK, -1.0, leave)
            continue
        bounds = np.stack([(-1.0 - SLACK - a[:, k]), (1.0 + SLACK - a[:, k])]) / along[k]
        enter = np.maximum(enter, bounds.min(axis=0))
        leave = np.minimum(leave, bounds.max(axis=0))
    return np.asarray(enter <= leave)


def _steps(grid: Grid) -> Array:
    return np.array(
        [
            (grid.u[-1] - grid.u[0]) / (len(grid.u) - 1),
            (grid.v[-1] - grid.v[0]) / (len(grid.v) - 1),
        ]
    )


def difference_hessians(grid: Grid) -> Array:
    """Hessians (n_v - 2, n_u - 2, 2, 2) at the inner grid points, by central differences.

    E_uu = (E(u + h) - 2 E + E(u - h)) / h^2, E_uv from the four corners, each with the grid's step.
    """
    E, (step_u, step_v) = grid.error, _steps(grid)
    middle = E[1:-1, 1:-1]
    uu = (E[1:-1, 2:] - 2.0 * middle + E[1:-1, :-2]) / step_u**2
    vv = (E[2:, 1:-1] - 2.0 * middle + E[:-2, 1:-1]) / step_v**2
    uv = (E[2:, 2:] - E[2:, :-2] - E[:-2, 2:] + E[:-2, :-2]) / (4.0 * step_u * step_v)
    return np.stack([uu, uv, uv, vv], axis=-1).reshape(*middle.shape, 2, 2)


def judge_differences(exact: Exact, grid: Grid, cell: Indices) -> Differences:
    """Where difference Hessians claim a negative eigenvalue and the true ones have none.

    Grid points on a kink have no Hessian and are left out. The truth is `exact.curvatures`; for a
    loss other than squares that is the sign alone, which is the same all over a cell.
    """
    inner = cell[1:-1, 1:-1]
    rows, columns = np.nonzero(inner >= 0)
    claimed = np.linalg.eigvalsh(difference_hessians(grid)[rows, columns])[:, 0]
    true = exact.curvatures[inner[rows, columns], 0]
    rounding = 4.0 * EQUAL * np.abs(grid.error).max() * (_steps(grid) ** -2.0).sum()
    largest = float(np.abs(exact.curvatures).max(initial=0.0))
    wrong = (claimed < -rounding) & (true >= -ROUNDING * largest)
    places = np.stack([grid.u[1:-1][columns], grid.v[1:-1][rows]], axis=1)
    return Differences(len(rows), places[wrong], claimed[wrong], true[wrong])
