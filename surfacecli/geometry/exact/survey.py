"""What the reading of stationary points needs to know of all cells, each looked up once."""

import itertools

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.cells import Cells
from surfacecli.geometry.exact.interiors import Lowest, lowest_points
from surfacecli.geometry.exact.lookup import Lookup
from surfacecli.geometry.exact.polynomials import CellErrors
from surfacecli.geometry.exact.squares import LEVEL
from surfacecli.geometry.exact.strata import Strata
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]

#: A gradient counts as zero on all sides below this times the size of its terms.
SMOOTH = 10.0 * LEVEL


class Survey:
    """Cells, E and strata with what follows: which faces are level, E at vertices and dips, ...

    edge_index (E,): 1 less the sides that fall. face_at (V,), left (E,): a face to compute E from.
    outer_vertex (V,), outer_edge (E,): on the window's border. crossed_edge (E,): E is constant
    along it, falls on one side and rises on the other, with slopes that are not 0, so that no point
    of the edge is stationary. level_face (F,): E is constant.
    valley_face (F,): a valley runs through. bowls: the faces with a lowest point inside, `bottom`.
    """

    def __init__(self, cells: Cells, errors: CellErrors, strata: Strata) -> None:
        self.cells, self.errors, self.strata, plane = cells, errors, strata, cells.plane
        self.plane = plane
        self._samples = Lookup(cells.input_of)
        self.edge_index = 1 - strata.edge_falls
        beside = np.flatnonzero(plane.face >= 0)
        self.face_at = np.zeros(len(plane.place), dtype=np.intp)
        self.face_at[plane.origin[beside]] = plane.face[beside]
        self.left = np.where(plane.face[0::2] >= 0, plane.face[0::2], plane.face[1::2])
        self.vertex_error = errors.value(self.face_at, plane.place)
        self.dip_error = errors.value(self.left[strata.dips], strata.dip_places)
        self.outer_vertex = np.zeros(len(plane.place), dtype=np.bool_)
        self.outer_vertex[plane.origin[plane.face < 0]] = True
        outer = np.less(plane.face, 0)
        self.outer_edge: Flags = np.logical_or(outer[0::2], outer[1::2])
        kept = np.bincount(
            plane.face[beside], weights=strata.constant[beside // 2], minlength=len(cells)
        )
        sides = np.bincount(plane.face[beside], minlength=len(cells))
        self.level_face = (strata.inside == 1) & (kept == sides)
        self.valley_face = strata.inside == -1
        self.crossed_edge: Flags = strata.constant & (self.edge_index == 0) & ~self.outer_edge
        self.crossed_edge[self.crossed_edge] = self._steep(np.flatnonzero(self.crossed_edge))
        self.bowls = np.flatnonzero((strata.inside == 1) & ~self.level_face)
        self.bottom: Lowest = lowest_points(cells, errors, self.bowls)
        self.bottom_error = errors.value(self.bowls, self.bottom.places)

    def is_smooth(self, faces: Indices, place: Array) -> tuple[bool, float | None]:
        """Whether E has a gradient at a stationary place, that is, 0 on all sides; how near to."""
        gradient, size = self.errors.gradient(faces, np.tile(place, (len(faces), 1)))
        steepest = np.abs(gradient).max(axis=1)
        smooth = bool((steepest <= SMOOTH * size).all())
        return smooth, float(steepest.max()) if smooth else None

    def _steep(self, edges: Indices) -> Flags:
        """Whether E has slopes that are not 0 on both sides of constant edges (k,)."""
        sides, plane = np.stack([2 * edges, 2 * edges + 1], axis=1).ravel(), self.plane
        _, size = self.errors.gradient(plane.face[sides], plane.place[plane.origin[sides]])
        steep = np.abs(self.strata.side_slopes[sides]) > SMOOTH * size
        return np.asarray(steep.reshape(-1, 2).all(axis=1))

    def dip_numbers(self, edges: Indices) -> Indices:
        """The numbers of the dips on edges that have one."""
        return np.searchsorted(self.strata.dips, edges)

    def kinks(self, edges: Indices) -> tuple[tuple[int, int, int], ...]:
        """(layer, unit, data point) of everything that has its kink on one of the edges."""
        kinks, plane = self.cells.kinks, self.plane
        labels = plane.label[edges]
        more = (
            [label for e in edges.tolist() for label in plane.also.get(e, ())] if plane.also else []
        )
        k = _distinct(np.concatenate([labels[labels >= 0], np.array(more, dtype=np.intp)]))
        if plane.twins:
            twins = [plane.twins.get(label, [label]) for label in k.tolist()]
            k = np.array(sorted(itertools.chain.from_iterable(twins)), dtype=np.intp)
        if not len(k):
            return ()
        rows, owner = self._samples.of(kinks.input[k])
        layer, unit, sample = kinks.layer[k][owner], kinks.unit[k][owner], rows + 1
        order = np.lexsort((sample, unit, layer))
        rows = np.stack([layer, unit, sample], axis=1)[order]
        new = np.concatenate([[True], (rows[1:] != rows[:-1]).any(axis=1)])
        return tuple(map(tuple, rows[new].tolist()))

    def areas(self, faces: Indices) -> Array:
        """The areas of faces (k,)."""
        plane = self.plane
        half, owner = Lookup(plane.face, faces).of(faces)
        # From a corner of each: no large products to cancel, far from u = v = 0.
        base = plane.place[plane.origin[plane.side[faces]]][owner]
        a, b = plane.place[plane.origin[half]] - base, plane.place[plane.origin[half ^ 1]] - base
        twice = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
        areas = np.bincount(owner, weights=0.5 * twice, minlength=len(faces))
        return np.asarray(areas, dtype=np.float64)


def _distinct(numbers: Indices) -> Indices:
    """What `np.unique` gives, for millions several times as fast."""
    ordered = np.sort(numbers)
    return ordered[np.diff(ordered, prepend=-1) > 0]
