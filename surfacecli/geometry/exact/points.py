"""All stationary points of a within-layer slice, from the strata of its cells, with their audit.

Single points: vertices, lowest points of edges and lowest points inside cells whose index is not 0.
Sets: constant edges, valleys and level cells, put together where they touch, one entry each.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.cells import Cells, find_cells
from surfacecli.geometry.exact.interiors import inside_by_gradient
from surfacecli.geometry.exact.lookup import Lookup
from surfacecli.geometry.exact.polynomials import CellErrors, cell_errors
from surfacecli.geometry.exact.sets import SetReader, find_groups
from surfacecli.geometry.exact.strata import Strata, find_strata
from surfacecli.geometry.exact.survey import Survey
from surfacecli.geometry.exact.telling import Progress
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.stationary import PointKind, StationaryPoint
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]
Place = tuple[float, float, float]


@dataclass(frozen=True)
class Audit:
    """The Euler integral of the index over the window: 1 where nothing is missing.

    `disputed` cells are those of which border and gradient say different things.
    """

    sum: int
    disputed: int
    expected: int = 1

    @property
    def complete(self) -> bool:
        return self.sum == self.expected and not self.disputed


@dataclass(frozen=True, eq=False)
class Exact:
    """Everything about a slice: cells, points, the audit, the lowest and the highest point.

    `curvatures` (F, 2) are the eigenvalues of E's Hessian in each cell, smallest first; for losses
    other than squares they belong to a point inside the cell.
    """

    cells: Cells
    errors: CellErrors
    strata: Strata
    points: tuple[StationaryPoint, ...]
    border: tuple[StationaryPoint, ...]
    audit: Audit
    lowest: Place
    highest: Place
    curvatures: Array


def examine_cells(slice: Slice, window: Window, progress: Progress | None = None) -> Exact:
    """Find all stationary points of a window of a within-layer slice of a piecewise-linear net.

    The loss must be convex. `progress` is told how many kinks are cut, as by `find_cells`.
    Raises `ValueError` where the slice has no polygonal cells.
    """
    cells = find_cells(slice, window, progress)
    errors = cell_errors(cells)
    strata = find_strata(cells, errors)
    survey = Survey(cells, errors, strata)
    points, border = read_points(survey)
    every = np.arange(len(cells))
    return Exact(
        cells,
        errors,
        strata,
        _sorted(points),
        _sorted(border),
        _audit(survey),
        _lowest(survey),
        _highest(survey),
        np.asarray(np.linalg.eigvalsh(errors.hessian(every, cells.inner_points))),
    )


def read_points(survey: Survey) -> tuple[list[StationaryPoint], list[StationaryPoint]]:
    """The stationary points inside the window, sets first, and those on its border."""
    strata, plane = survey.strata, survey.plane
    groups = find_groups(survey)
    in_set = np.zeros(sum(plane.counts), dtype=np.bool_)
    single = _bowl_points(survey)
    if groups:
        in_set[np.concatenate(groups)] = True
        reader = SetReader(survey, groups)
        sets = [reader.read(group) for group in groups]
        # On the border a shoulder is a regular set.
        single += [p for p in sets if not (p.on_border and p.kind == "shoulder")]
    everywhere: Flags = np.equal(strata.falling, strata.degree)
    wanted: Flags = (strata.vertex_index != 0) | (everywhere & survey.outer_vertex)
    single += _vertex_points(survey, np.flatnonzero(wanted & ~in_set[: len(plane.place)]))
    dip_in_set = in_set[len(plane.place) + strata.dips]
    numbers = np.flatnonzero((survey.edge_index[strata.dips] != 0) & ~dip_in_set)
    single += [_dip_point(survey, int(number)) for number in numbers]
    inside = [point for point in single if not point.on_border]
    return inside, [point for point in single if point.on_border]


def _vertex_points(survey: Survey, vertices: Indices) -> list[StationaryPoint]:
    leaving, owner = Lookup(survey.plane.origin, vertices).of(vertices)
    bounds = np.searchsorted(owner, np.arange(len(vertices) + 1))
    return [
        _vertex_point(survey, int(vertex), leaving[bounds[k] : bounds[k + 1]])
        for k, vertex in enumerate(vertices)
    ]


def _vertex_point(survey: Survey, vertex: int, leaving: Indices) -> StationaryPoint:
    strata, plane = survey.strata, survey.plane
    kind: PointKind = "saddle"
    if strata.falling[vertex] == 0:
        kind = "minimum"
    elif strata.falling[vertex] == strata.degree[vertex]:
        kind = "maximum"
    place, faces = plane.place[vertex], plane.face[leaving]
    smooth, residual = survey.is_smooth(faces[faces >= 0], place)
    on_border = bool(survey.outer_vertex[vertex])
    return StationaryPoint(
        float(place[0]),
        float(place[1]),
        float(survey.vertex_error[vertex]),
        kind,
        "vertex",
        smooth=smooth and not on_border,
        index=int(strata.vertex_index[vertex]),
        residual=residual if not on_border else None,
        on_border=on_border,
        kinks=survey.kinks(leaving // 2),
    )


def _dip_point(survey: Survey, number: int) -> StationaryPoint:
    edge = int(survey.strata.dips[number])
    place = survey.strata.dip_places[number]
    faces = survey.plane.face[[2 * edge, 2 * edge + 1]]
    smooth, residual = survey.is_smooth(faces[faces >= 0], place)
    on_border = bool(survey.outer_edge[edge])
    return StationaryPoint(
        float(place[0]),
        float(place[1]),
        float(survey.dip_error[number]),
        "minimum" if survey.strata.edge_falls[edge] == 0 else "saddle",
        "edge",
        smooth=smooth and not on_border,
        index=int(survey.edge_index[edge]),
        residual=residual if not on_border else None,
        on_border=on_border,
        kinks=survey.kinks(np.array([edge])),
    )


def _bowl_points(survey: Survey) -> list[StationaryPoint]:
    bottom = survey.bottom
    eigenvalues = np.linalg.eigvalsh(bottom.hessian)
    return [
        StationaryPoint(
            float(u),
            float(v),
            float(error),
            "minimum",
            "cell",
            smooth=True,
            index=1,
            residual=float(residual),
            eigenvalues=(float(smaller), float(larger)),
        )
        for (u, v), error, residual, (smaller, larger) in zip(
            bottom.places, survey.bottom_error, bottom.residual, eigenvalues, strict=True
        )
    ]


def _audit(survey: Survey) -> Audit:
    strata = survey.strata
    inside = inside_by_gradient(survey.cells, survey.errors, strata.inside)
    total = (
        strata.vertex_index.sum()
        + survey.edge_index[strata.dips].sum()
        - survey.edge_index[strata.constant].sum()
        + inside.sum()
    )
    return Audit(int(total), int((inside != strata.inside).sum()))


def _lowest(survey: Survey) -> Place:
    """E is convex in each cell: lowest at a vertex, on an edge or where its gradient is 0."""
    places = [survey.plane.place, survey.strata.dip_places, survey.bottom.places]
    values = [survey.vertex_error, survey.dip_error, survey.bottom_error]
    return _place(
        np.concatenate(places), np.concatenate(values), int(np.concatenate(values).argmin())
    )


def _highest(survey: Survey) -> Place:
    """E is convex in each cell: highest at a vertex."""
    return _place(survey.plane.place, survey.vertex_error, int(survey.vertex_error.argmax()))


def _place(places: Array, values: Array, k: int) -> Place:
    return float(places[k, 0]), float(places[k, 1]), float(values[k])


def _sorted(points: list[StationaryPoint]) -> tuple[StationaryPoint, ...]:
    return tuple(sorted(points, key=lambda p: (p.error, p.u, p.v)))
