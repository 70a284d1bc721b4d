"""Every stratum of the cells (vertices, edges, faces) with the directions in which E falls there.

In every closed cell E is convex. So all follows from a few signs, each decided once: does E fall
along an edge as one leaves its end (two flags an edge), and, at the lowest point inside an edge,
does it fall into the cell on either side. A direction in which the slope vanishes does not fall.
With chi the Euler characteristic, the index of a point is 1 - chi(directions in which E falls):

    vertex                1 - arcs of falling edges    (all round: 1)
    lowest point of edge  1 - sides that fall
    constant edge         1 - sides that fall, times -1 for an open edge
    inside a face         1 for a lowest point, -1 for a valley through it, 1 where E is constant

What a face holds inside follows from its border: the indices of a closed convex cell by itself sum
to 1. The same is computed from E inside the face, and the audit compares the two.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.cells import Cells
from surfacecli.geometry.exact.polynomials import CellErrors
from surfacecli.geometry.exact.squares import LEVEL
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]

NEWTON_STEPS = 60
#: A corner is straight where the sine of its angle is below this.
FLAT = 1e-3


@dataclass(frozen=True, eq=False)
class Strata:
    """The signs of all strata and what follows from them.

    falls (H,): E falls along a half-edge as one leaves its origin. constant (E,): E is the same
    along an edge. dips (k,): the edges with a lowest point inside, at dip_places (k, 2).
    side_falls (H,): E falls into the half-edge's face from its edge's dip, or from a constant edge.
    side_slopes (H,): the slope there. corner (H,): from the origin of a half-edge E falls nowhere
    into its face. At vertices (V,): arcs in which E falls; of `degree` directions looked at,
    `falling` (edges, and straight angles into which alone E falls).
    inside (F,): 1, 0 or -1, see the head of this module.
    """

    falls: Flags
    constant: Flags
    dips: Indices
    dip_places: Array
    side_falls: Flags
    side_slopes: Array
    corner: Flags
    arcs: Indices
    falling: Indices
    degree: Indices
    inside: Indices

    @property
    def vertex_index(self) -> Indices:
        return np.asarray(1 - self.arcs)

    @property
    def edge_falls(self) -> Indices:
        """The number of sides that fall, (E,), at dips and constant edges."""
        return np.asarray(self.side_falls.reshape(-1, 2).sum(axis=1))


def find_strata(cells: Cells, errors: CellErrors) -> Strata:
    """Decide all signs of a subdivision."""
    plane = cells.plane
    count = len(plane.label)
    ends = plane.ends
    along = plane.place[ends[:, 1]] - plane.place[ends[:, 0]]
    length = np.hypot(along[:, 0], along[:, 1])
    along = along / np.maximum(length, np.finfo(np.float64).tiny)[:, None]
    # The slope along an edge is that of either face: take the left one where there is one.
    left = plane.face[0::2]
    reference = np.where(left >= 0, left, plane.face[1::2])
    falls = np.empty(2 * count, dtype=np.bool_)
    for side, sign in ((0, 1.0), (1, -1.0)):
        gradient, size = errors.gradient(reference, plane.place[ends[:, side]])
        slope = sign * np.einsum("ek,ek->e", gradient, along)
        falls[side::2] = slope < -LEVEL * size
    both = falls[0::2] & falls[1::2]
    constant = ~falls[0::2] & ~falls[1::2]
    dips = np.flatnonzero(both)
    dip_places = _lowest_on_edges(
        errors, reference[dips], plane.place[ends[dips, 0]], plane.place[ends[dips, 1]]
    )
    side_falls = np.zeros(2 * count, dtype=np.bool_)
    side_slopes = np.zeros(2 * count)
    middle = 0.5 * (plane.place[ends[:, 0]] + plane.place[ends[:, 1]])
    middle[dips] = dip_places
    wanted = both | constant
    for side, sign in ((0, 1.0), (1, -1.0)):
        edges = np.flatnonzero(wanted & (plane.face[side::2] >= 0))
        half = 2 * edges + side
        gradient, size = errors.gradient(plane.face[half], middle[edges])
        inward = sign * np.stack([-along[edges, 1], along[edges, 0]], axis=1)
        slope = np.einsum("ek,ek->e", gradient, inward)
        side_slopes[half] = slope
        side_falls[half] = slope < -LEVEL * size
    # Counter-clockwise round its origin the half-edge after h is the twin of the one before h.
    following = plane.before ^ 1
    ends_arc = falls & ((plane.face < 0) | ~falls[following])
    corner = (plane.face >= 0) & ~falls & ~falls[following]
    opens = _falls_between(cells, errors, np.flatnonzero(corner), along)
    corner[opens] = False
    vertices = len(plane.place)
    between = np.bincount(plane.origin[opens], minlength=vertices)
    return Strata(
        falls,
        constant,
        dips,
        dip_places,
        side_falls,
        side_slopes,
        corner,
        np.bincount(plane.origin[ends_arc], minlength=vertices) + between,
        np.bincount(plane.origin[falls], minlength=vertices) + between,
        np.bincount(plane.origin, minlength=vertices) + between,
        _inside_faces(cells, corner, both, constant, side_falls),
    )


def _falls_between(cells: Cells, errors: CellErrors, corners: Indices, along: Array) -> Indices:
    """Of half-edges, those with a straight angle to their left into which alone E falls.

    A vertex in the middle of a cell's side (another kink ends there, from across) is a corner of
    180 degrees. There E may fall between two edges along which it does not.
    """
    plane = cells.plane
    direction = np.stack([along, -along], axis=1).reshape(-1, 2)
    one, other = direction[corners], direction[plane.before[corners] ^ 1]
    cross = one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]
    flat = (np.abs(cross) < FLAT) & (np.einsum("ek,ek->e", one, other) < 0)
    corners, one = corners[flat], one[flat]
    gradient, size = errors.gradient(plane.face[corners], plane.place[plane.origin[corners]])
    slope = one[:, 0] * gradient[:, 1] - one[:, 1] * gradient[:, 0]
    return np.asarray(corners[slope < -LEVEL * size])


def _inside_faces(
    cells: Cells, corner: Flags, both: Flags, constant: Flags, side_falls: Flags
) -> Indices:
    """1 minus the indices of a face's own border: what it must hold inside."""
    plane, faces = cells.plane, len(cells)
    half = np.flatnonzero(plane.face >= 0)
    face, edge = plane.face[half], half // 2
    border = corner[half].astype(np.intp)
    border += both[edge] & ~side_falls[half]
    border -= constant[edge] & ~side_falls[half]
    total = np.bincount(face, weights=border, minlength=faces)
    return 1 - np.rint(total).astype(np.intp)


def _lowest_on_edges(errors: CellErrors, faces: Indices, start: Array, end: Array) -> Array:
    """Where E is lowest between `start` and `end` (k, 2); it falls from both ends.

    Newton's iteration on the slope along the edge, kept between the ends that bracket it: for a
    quadratic the first step is the answer.
    """
    along = end - start
    low, high = np.zeros(len(faces)), np.ones(len(faces))
    t = np.full(len(faces), 0.5)
    left = np.arange(len(faces))
    for _ in range(NEWTON_STEPS):
        points = start[left] + t[left, None] * along[left]
        slope, bend = errors.along(faces[left], points, along[left])
        here = t[left]
        low[left] = np.where(slope < 0, here, low[left])
        high[left] = np.where(slope < 0, high[left], here)
        moved = here - np.divide(slope, bend, out=np.zeros_like(slope), where=bend > 0)
        within = (moved > low[left]) & (moved < high[left])
        moved = np.where(within, moved, 0.5 * (low[left] + high[left]))
        t[left] = np.where(slope == 0.0, here, moved)
        left = left[np.abs(t[left] - here) > 1e-15]
        if not len(left):
            break
    return start + t[:, None] * along
