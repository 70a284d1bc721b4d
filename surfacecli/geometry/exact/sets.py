"""Stationary sets: constant edges, valleys and level cells, put together where they touch."""

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.groups import connect
from surfacecli.geometry.exact.lookup import Lookup
from surfacecli.geometry.exact.survey import SMOOTH, Survey
from surfacecli.geometry.stationary import PointKind, StationaryPoint, Support
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]
Segments = tuple[tuple[tuple[float, float], tuple[float, float]], ...]


def find_groups(survey: Survey) -> list[Indices]:
    """The sets of strata that touch; strata are numbered on: vertices, edges, faces.

    A kink that is level by chance of the slice, which E crosses downhill, belongs to none.
    """
    strata, plane = survey.strata, survey.plane
    edges0 = len(plane.place)
    faces0 = edges0 + len(plane.label)
    constant = np.flatnonzero(strata.constant & ~survey.crossed_edge)
    links = [np.stack([edges0 + constant, plane.ends[constant, k]], 1) for k in (0, 1)]
    half = np.flatnonzero(plane.face >= 0)
    face, edge = plane.face[half], half // 2
    level = survey.level_face[face]
    links.append(np.stack([faces0 + face[level], edges0 + edge[level]], axis=1))
    half = half[survey.valley_face[face]]
    corner, ending = _valley_ends(survey, half)
    links.append(np.stack([faces0 + plane.face[corner], plane.origin[corner]], axis=1))
    links.append(np.stack([faces0 + plane.face[ending], edges0 + ending // 2], axis=1))
    joined = np.concatenate(links)
    if not len(joined):
        return []
    nodes, position = np.unique(joined, return_inverse=True)
    name = connect(len(nodes), position.reshape(-1, 2))
    order = np.argsort(name, kind="stable")
    cuts = np.flatnonzero(np.diff(name[order])) + 1
    return np.split(nodes[order], cuts)


def _valley_ends(survey: Survey, half: Indices) -> tuple[Indices, Indices]:
    """Of half-edges of valley faces, those with the valley's end at their origin, or inside."""
    strata = survey.strata
    dip = strata.falls[half] & strata.falls[half ^ 1] & ~strata.side_falls[half]
    return half[strata.corner[half]], half[dip]


class SetReader:
    """Reads one entry off each group of strata."""

    def __init__(self, survey: Survey, groups: list[Indices]) -> None:
        self._survey, self._plane, self._strata = survey, survey.plane, survey.strata
        self._edges0 = len(self._plane.place)
        self._faces0 = self._edges0 + len(self._plane.label)
        every = np.concatenate(groups)
        self._leaving = Lookup(self._plane.origin, every[every < self._edges0])
        valleys = every[every >= self._faces0] - self._faces0
        valleys = valleys[survey.valley_face[valleys]]
        self._round = Lookup(self._plane.face, valleys)

    def read(self, group: Indices) -> StationaryPoint:
        """The stationary point that stands for a group."""
        survey, strata, plane = self._survey, self._strata, self._plane
        vertices = group[group < self._edges0]
        edges = group[(group >= self._edges0) & (group < self._faces0)] - self._edges0
        faces = group[group >= self._faces0] - self._faces0
        constant, dips = edges[strata.constant[edges]], edges[~strata.constant[edges]]
        level = faces[survey.level_face[faces]]
        valleys = faces[survey.valley_face[faces]]
        index = (
            strata.vertex_index[vertices].sum()
            + survey.edge_index[dips].sum()
            - survey.edge_index[constant].sum()
            + strata.inside[faces].sum()
        )
        falls = (strata.falling[vertices] > 0).any() or (strata.edge_falls[edges] > 0).any()
        rises = len(dips) > 0 or len(valleys) > 0 or self._rises(vertices, constant)
        places = np.concatenate(
            [plane.place[vertices], strata.dip_places[survey.dip_numbers(dips)]]
        )
        low, high = places.min(axis=0), places.max(axis=0)
        middle, cell = self._middle(places, vertices, constant, dips, level)
        support: Support = "plateau" if len(level) else "valley"
        return StationaryPoint(
            float(middle[0]),
            float(middle[1]),
            float(survey.errors.value(np.array([cell]), middle[None])[0]),
            _kind(bool(falls), bool(rises), int(index)),
            support,
            smooth=not strata.side_falls.reshape(-1, 2)[edges].any() and not self._kinked(constant),
            index=int(index),
            on_border=self._on_border(vertices, edges, faces),
            extent=(float(low[0]), float(high[0]), float(low[1]), float(high[1])),
            kinks=survey.kinks(constant) if support == "valley" else (),
            area=float(survey.areas(level).sum()) if len(level) else None,
            outline=self._outline(constant, level, valleys),
        )

    def _on_border(self, vertices: Indices, edges: Indices, faces: Indices) -> bool:
        """Whether a set lies on the window's border as a whole."""
        survey = self._survey
        outer = survey.outer_vertex[vertices].all() and survey.outer_edge[edges].all()
        return bool(outer) and not len(faces)

    def _rises(self, vertices: Indices, constant: Indices) -> bool:
        """Whether E rises from some point of a set without valleys."""
        strata, plane = self._strata, self._plane
        half, _ = self._leaving.of(vertices)
        if (~strata.falls[half] & ~strata.constant[half // 2]).any():
            return True
        sides = self._sides(constant)
        return bool((~strata.side_falls[sides] & ~self._survey.level_face[plane.face[sides]]).any())

    def _sides(self, edges: Indices) -> Indices:
        """The half-edges of edges that have a face."""
        half = np.stack([2 * edges, 2 * edges + 1], axis=1).ravel()
        return half[self._plane.face[half] >= 0]

    def _kinked(self, edges: Indices) -> bool:
        """Whether E's slope jumps across some constant edge."""
        plane, half = self._plane, self._sides(edges)
        _, size = self._survey.errors.gradient(plane.face[half], plane.place[plane.origin[half]])
        return bool((np.abs(self._strata.side_slopes[half]) > SMOOTH * size).any())

    def _middle(
        self, places: Array, vertices: Indices, constant: Indices, dips: Indices, level: Indices
    ) -> tuple[Array, int]:
        """A point of a set near its middle, and a cell that it belongs to."""
        survey, plane = self._survey, self._plane
        if len(level):
            cell = int(level[survey.areas(level).argmax()])
            return survey.cells.inner_points[cell], cell
        centre = places.mean(axis=0)
        if len(constant):
            middles = plane.place[plane.ends[constant]].mean(axis=1)
            nearest = int(np.hypot(*(middles - centre).T).argmin())
            return middles[nearest], int(survey.left[constant[nearest]])
        nearest = int(np.hypot(*(places - centre).T).argmin())
        cells = np.concatenate([survey.face_at[vertices], survey.left[dips]])
        return places[nearest], int(cells[nearest])

    def _outline(self, constant: Indices, level: Indices, valleys: Indices) -> Segments:
        """The set as segments: its constant edges, less those between level cells, its valleys."""
        plane, survey = self._plane, self._survey
        beside = plane.face.reshape(-1, 2)[constant]
        rim = constant[~np.isin(beside, level).all(axis=1)]
        half, _ = self._round.of(valleys)
        corner, ending = _valley_ends(survey, half)
        numbers = survey.dip_numbers(ending // 2)
        owner = np.concatenate([plane.face[corner], plane.face[ending]])
        ends = np.concatenate([plane.place[plane.origin[corner]], self._strata.dip_places[numbers]])
        # A valley through a face ends at two places of its border; where rounding has it end at
        # another number, which the audit reports, it is not drawn.
        order = np.argsort(owner, kind="stable")
        _, first, count = np.unique(owner[order], return_index=True, return_counts=True)
        pairs = first[count == 2]
        through = np.stack([ends[order[pairs]], ends[order[pairs + 1]]], axis=1)
        segments = np.concatenate([plane.place[plane.ends[rim]], through]).tolist()
        return tuple(((a[0], a[1]), (b[0], b[1])) for a, b in segments)


def _kind(falls: bool, rises: bool, index: int) -> PointKind:
    if not falls:
        return "minimum"
    if not rises:
        return "maximum"
    return "saddle" if index else "shoulder"
