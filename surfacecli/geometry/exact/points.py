"""All stationary points of a within-layer slice, from the strata of its cells, with their audit.

Single points: vertices, lowest points of edges and lowest points inside cells whose index is not 0.
Sets: constant edges, valleys and level cells, put together where they touch, one entry each.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.cells import Cells, find_cells
from surfacecli.geometry.exact.interiors import Lowest, inside_by_gradient, lowest_points
from surfacecli.geometry.exact.polynomials import CellErrors, Quadratics, cell_errors
from surfacecli.geometry.exact.strata import LEVEL, Strata, find_strata
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.stationary import PointKind, StationaryPoint, Support
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


def examine_cells(slice: Slice, window: Window) -> Exact:
    """Find all stationary points of a window of a within-layer slice of a piecewise-linear net.

    The loss must be convex. Raises `ValueError` where the slice has no polygonal cells.
    """
    cells = find_cells(slice, window)
    errors = cell_errors(cells)
    strata = find_strata(cells, errors)
    return _Reader(cells, errors, strata).read()


class _Reader:
    """Reads the stationary points off the strata."""

    def __init__(self, cells: Cells, errors: CellErrors, strata: Strata) -> None:
        self.cells, self.errors, self.strata = cells, errors, strata
        plane = self.plane = cells.plane
        self.edge_index = 1 - strata.edge_falls
        self.vertex_count, self.edge_count = len(plane.place), len(plane.label)
        beside = np.flatnonzero(plane.face >= 0)
        # A face at each vertex, to compute E from.
        self.face_at = np.zeros(self.vertex_count, dtype=np.intp)
        self.face_at[plane.origin[beside]] = plane.face[beside]
        self.vertex_error = errors.value(self.face_at, plane.place)
        self.left = np.where(plane.face[0::2] >= 0, plane.face[0::2], plane.face[1::2])
        self.dip_error = errors.value(self.left[strata.dips], strata.dip_places)
        outer = np.zeros(self.vertex_count, dtype=np.bool_)
        outer[plane.origin[plane.face < 0]] = True
        self.outer_vertex = outer
        self.outer_edge = (plane.face.reshape(-1, 2) < 0).any(axis=1)
        constant_sides = np.repeat(strata.constant, 2)[beside]
        level = np.bincount(plane.face[beside], weights=constant_sides, minlength=len(cells))
        sides = np.bincount(plane.face[beside], minlength=len(cells))
        self.level_face = (strata.inside == 1) & (level == sides)
        self.valley_face = strata.inside == -1
        self.bowls = np.flatnonzero((strata.inside == 1) & ~self.level_face)
        self.bottom: Lowest = lowest_points(cells, errors, self.bowls)

    def read(self) -> Exact:
        strata = self.strata
        groups = self._groups()
        in_set = np.zeros(self.vertex_count + self.edge_count + len(self.cells), dtype=np.bool_)
        for group in groups:
            in_set[group] = True
        points = [self._set(group) for group in groups]
        points += self._bowl_points()
        border: list[StationaryPoint] = []
        everywhere: Flags = np.equal(strata.falling, strata.degree)
        wanted = (strata.vertex_index != 0) | (everywhere & self.outer_vertex)
        for vertex in np.flatnonzero(wanted & ~in_set[: self.vertex_count]):
            point = self._vertex(int(vertex))
            (border if point.on_border else points).append(point)
        dip_in_set = in_set[self.vertex_count + strata.dips]
        for number in np.flatnonzero((self.edge_index[strata.dips] != 0) & ~dip_in_set):
            point = self._dip(int(number))
            (border if point.on_border else points).append(point)
        return Exact(
            self.cells,
            self.errors,
            strata,
            _sorted(points),
            _sorted(border),
            self._audit(),
            self._lowest(),
            self._highest(),
            self._curvatures(),
        )

    def _curvatures(self) -> Array:
        every = np.arange(len(self.cells))
        hessian = self.errors.hessian(every, self.cells.inner_points)
        return np.asarray(np.linalg.eigvalsh(hessian), dtype=np.float64)

    def _audit(self) -> Audit:
        strata = self.strata
        inside = strata.inside
        if isinstance(self.errors, Quadratics):
            inside = inside_by_gradient(self.cells, self.errors, strata.inside)
        total = (
            strata.vertex_index.sum()
            + self.edge_index[strata.dips].sum()
            - self.edge_index[strata.constant].sum()
            + inside.sum()
        )
        return Audit(int(total), int((inside != strata.inside).sum()))

    # Single points

    def _vertex(self, vertex: int) -> StationaryPoint:
        strata, plane = self.strata, self.plane
        falling, degree = int(strata.falling[vertex]), int(strata.degree[vertex])
        kind: PointKind = "saddle"
        if falling == 0:
            kind = "minimum"
        elif falling == degree:
            kind = "maximum"
        u, v = map(float, plane.place[vertex])
        faces = self._faces_at(vertex)
        smooth, residual = self._smooth(faces, np.array([u, v]))
        return StationaryPoint(
            u,
            v,
            float(self.vertex_error[vertex]),
            kind,
            "vertex",
            smooth=smooth,
            index=int(strata.vertex_index[vertex]),
            residual=residual,
            on_border=bool(self.outer_vertex[vertex]),
            kinks=self._kinks(self._edges_at(vertex)),
        )

    def _dip(self, number: int) -> StationaryPoint:
        edge = int(self.strata.dips[number])
        place = self.strata.dip_places[number]
        faces = self.plane.face[[2 * edge, 2 * edge + 1]]
        smooth, residual = self._smooth(faces[faces >= 0], place)
        falls = int(self.strata.edge_falls[edge])
        on_border = bool(self.outer_edge[edge])
        return StationaryPoint(
            float(place[0]),
            float(place[1]),
            float(self.dip_error[number]),
            "minimum" if falls == 0 else "saddle",
            "edge",
            smooth=smooth and not on_border,
            index=int(self.edge_index[edge]),
            residual=residual if not on_border else None,
            on_border=on_border,
            kinks=self._kinks(np.array([edge])),
        )

    def _bowl_points(self) -> list[StationaryPoint]:
        values = self.errors.value(self.bowls, self.bottom.places)
        eigenvalues = np.linalg.eigvalsh(self.bottom.hessian)
        return [
            StationaryPoint(
                float(self.bottom.places[k, 0]),
                float(self.bottom.places[k, 1]),
                float(values[k]),
                "minimum",
                "cell",
                smooth=True,
                index=1,
                residual=float(self.bottom.residual[k]),
                eigenvalues=(float(eigenvalues[k, 0]), float(eigenvalues[k, 1])),
            )
            for k in range(len(self.bowls))
        ]

    def _edges_at(self, vertex: int) -> Indices:
        return np.flatnonzero((self.plane.ends == vertex).any(axis=1))

    def _faces_at(self, vertex: int) -> Indices:
        faces = self.plane.face[self.plane.origin == vertex]
        return np.asarray(faces[faces >= 0])

    def _smooth(self, faces: Indices, place: Array) -> tuple[bool, float | None]:
        """Whether E has a gradient at a stationary place, that is, 0 on all sides."""
        gradient, size = self.errors.gradient(faces, np.tile(place, (len(faces), 1)))
        steepest = np.abs(gradient).max(axis=1)
        smooth = bool((steepest <= 10.0 * LEVEL * size).all())
        return smooth, float(steepest.max()) if smooth else None

    def _kinks(self, edges: Indices) -> tuple[tuple[int, int, int], ...]:
        """(layer, unit, data point) of everything that has its kink on one of the edges."""
        kinks = self.cells.kinks
        labels = set(map(int, self.plane.label[edges]))
        wanted = set(map(int, edges))
        labels |= {label for edge, label in self.plane.shared if edge in wanted}
        every = {twin for label in labels for twin in self.plane.twins.get(label, [label])}
        sources = {
            (int(kinks.layer[k]), int(kinks.unit[k]), int(sample) + 1)
            for k in every
            if k >= 0
            for sample in kinks.samples[kinks.input[k]]
        }
        return tuple(sorted(sources))

    # Sets

    def _groups(self) -> list[Indices]:
        """Constant edges, valley cells and level cells that touch; nodes are numbered V, E, F."""
        strata, plane = self.strata, self.plane
        edges0, faces0 = self.vertex_count, self.vertex_count + self.edge_count
        constant = np.flatnonzero(strata.constant)
        links = [np.stack([edges0 + constant, plane.ends[constant, k]], 1) for k in (0, 1)]
        half = np.flatnonzero(plane.face >= 0)
        face, edge = plane.face[half], half // 2
        level = self.level_face[face]
        links.append(np.stack([faces0 + face[level], edges0 + edge[level]], axis=1))
        valley = self.valley_face[face]
        corner = valley & ~strata.falls[half] & ~strata.falls[plane.before[half] ^ 1]
        links.append(np.stack([faces0 + face[corner], plane.origin[half[corner]]], axis=1))
        dip = strata.falls[0::2] & strata.falls[1::2]
        ending = valley & dip[edge] & ~strata.side_falls[half]
        links.append(np.stack([faces0 + face[ending], edges0 + edge[ending]], axis=1))
        joined = np.concatenate(links)
        if not len(joined):
            return []
        nodes, position = np.unique(joined, return_inverse=True)
        one, other = position.reshape(-1, 2).T
        name = np.arange(len(nodes))
        while True:
            least = np.minimum(name[one], name[other])
            before = name.copy()
            np.minimum.at(name, one, least)
            np.minimum.at(name, other, least)
            name = name[name]
            if (name == before).all():
                break
        order = np.argsort(name, kind="stable")
        cuts = np.flatnonzero(np.diff(name[order])) + 1
        return np.split(nodes[order], cuts)

    def _set(self, group: Indices) -> StationaryPoint:
        strata, plane = self.strata, self.plane
        edges0, faces0 = self.vertex_count, self.vertex_count + self.edge_count
        vertices = group[group < edges0]
        edges = group[(group >= edges0) & (group < faces0)] - edges0
        faces = group[group >= faces0] - faces0
        constant = edges[strata.constant[edges]]
        dips = edges[~strata.constant[edges]]
        index = (
            strata.vertex_index[vertices].sum()
            + self.edge_index[dips].sum()
            - self.edge_index[constant].sum()
            + strata.inside[faces].sum()
        )
        falls = (strata.falling[vertices] > 0).any() or (strata.edge_falls[edges] > 0).any()
        rises = self._rises(vertices, constant, dips, faces)
        kind: PointKind
        if not falls:
            kind = "minimum"
        elif not rises:
            kind = "maximum"
        else:
            kind = "saddle" if index else "shoulder"
        dip_number = np.searchsorted(strata.dips, dips)
        places = np.concatenate([plane.place[vertices], strata.dip_places[dip_number]])
        low, high = places.min(axis=0), places.max(axis=0)
        level = faces[self.level_face[faces]]
        middle, cell = self._middle(places, constant, level)
        support: Support = "plateau" if len(level) else "valley"
        smooth = not strata.side_falls.reshape(-1, 2)[edges].any() and not self._kinked(constant)
        return StationaryPoint(
            float(middle[0]),
            float(middle[1]),
            float(self.errors.value(np.array([cell]), middle[None])[0]),
            kind,
            support,
            smooth=smooth,
            index=int(index),
            extent=(float(low[0]), float(high[0]), float(low[1]), float(high[1])),
            kinks=self._kinks(constant) if support == "valley" else (),
            area=float(self._areas(level).sum()) if len(level) else None,
            outline=self._outline(vertices, constant, dips, faces, level),
        )

    def _rises(self, vertices: Indices, constant: Indices, dips: Indices, faces: Indices) -> bool:
        """Whether E rises from some point of a set."""
        strata, plane = self.strata, self.plane
        if len(dips) or self.valley_face[faces].any():
            return True
        half = np.flatnonzero(np.isin(plane.origin, vertices))
        if (~strata.falls[half] & ~strata.constant[half // 2]).any():
            return True
        sides = np.stack([2 * constant, 2 * constant + 1], axis=1).ravel()
        sides = sides[plane.face[sides] >= 0]
        return bool((~strata.side_falls[sides] & ~self.level_face[plane.face[sides]]).any())

    def _kinked(self, edges: Indices) -> bool:
        """Whether E's slope jumps across some constant edge."""
        plane, strata = self.plane, self.strata
        half = np.stack([2 * edges, 2 * edges + 1], axis=1).ravel()
        half = half[plane.face[half] >= 0]
        _, size = self.errors.gradient(plane.face[half], plane.place[plane.origin[half]])
        return bool((np.abs(strata.side_slopes[half]) > 10.0 * LEVEL * size).any())

    def _middle(self, places: Array, constant: Indices, level: Indices) -> tuple[Array, int]:
        """A point of a set near its middle, and a cell that it belongs to."""
        if len(level):
            cell = int(level[self._areas(level).argmax()])
            return self.cells.inner_points[cell], cell
        centre = places.mean(axis=0)
        if len(constant):
            ends = self.plane.place[self.plane.ends[constant]]
            middles = ends.mean(axis=1)
            nearest = int(np.hypot(*(middles - centre).T).argmin())
            return middles[nearest], int(self.left[constant[nearest]])
        nearest = int(np.hypot(*(places - centre).T).argmin())
        place = places[nearest]
        distance = np.hypot(*(self.strata.dip_places - place).T)
        if len(distance) and distance.min() == 0.0:
            return place, int(self.left[self.strata.dips[distance.argmin()]])
        vertex = int(np.hypot(*(self.plane.place - place).T).argmin())
        return place, int(self.face_at[vertex])

    def _areas(self, faces: Indices) -> Array:
        plane = self.plane
        half = np.flatnonzero(plane.face >= 0)
        a, b = plane.place[plane.origin[half]], plane.place[plane.origin[half ^ 1]]
        twice = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
        areas = np.bincount(plane.face[half], weights=0.5 * twice, minlength=len(self.cells))
        return np.asarray(areas[faces], dtype=np.float64)

    def _outline(
        self, vertices: Indices, constant: Indices, dips: Indices, faces: Indices, level: Indices
    ) -> tuple[tuple[tuple[float, float], tuple[float, float]], ...]:
        """The set as segments: its constant edges, less those between level cells, its valleys."""
        plane, strata = self.plane, self.strata
        inside = np.zeros(len(self.cells) + 1, dtype=np.bool_)
        inside[level] = True
        sides = plane.face.reshape(-1, 2)[constant]
        rim = constant[~inside[sides].all(axis=1)]
        segments = [plane.place[plane.ends[edge]] for edge in rim]
        for face in faces[self.valley_face[faces]]:
            half = np.flatnonzero(plane.face == face)
            ends = [
                plane.place[plane.origin[h]]
                for h in half
                if not strata.falls[h] and not strata.falls[plane.before[h] ^ 1]
            ]
            for h in half:
                number = int(np.searchsorted(strata.dips, h // 2))
                found = number < len(strata.dips) and strata.dips[number] == h // 2
                if found and not strata.side_falls[h]:
                    ends.append(strata.dip_places[number])
            if len(ends) == 2:
                segments.append(np.array(ends))
        return tuple(((float(a[0]), float(a[1])), (float(b[0]), float(b[1]))) for a, b in segments)

    # The extremes of the window

    def _lowest(self) -> Place:
        """E is convex in each cell: lowest at a vertex, on an edge or where its gradient is 0."""
        values = self.errors.value(self.bowls, self.bottom.places)
        places = np.concatenate([self.plane.place, self.strata.dip_places, self.bottom.places])
        every = np.concatenate([self.vertex_error, self.dip_error, values])
        k = int(every.argmin())
        return float(places[k, 0]), float(places[k, 1]), float(every[k])

    def _highest(self) -> Place:
        """E is convex in each cell: highest at a vertex."""
        k = int(self.vertex_error.argmax())
        return (*map(float, self.plane.place[k]), float(self.vertex_error[k]))  # type: ignore[return-value]


def _sorted(points: list[StationaryPoint]) -> tuple[StationaryPoint, ...]:
    return tuple(sorted(points, key=lambda p: (p.error, p.u, p.v)))
