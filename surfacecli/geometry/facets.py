"""A mesh of a slice whose triangles follow the kinks: each triangle lies in one cell.

A cell of three sides is one triangle, any other a fan round a point inside it. A side is long where
it exceeds the mesh size and E curves beside it. While a triangle has three long sides they are
halved; a triangle with one, two or three halved sides becomes two, three or four. Then all that are
still long are cut into equal pieces, and the triangle is laced up between them: halving would cut a
sliver into far more triangles. Sides belong to both neighbours, so the mesh has no cracks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.complexes import face_rings
from surfacecli.geometry.exact.points import Exact
from surfacecli.geometry.locate import measure_areas
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]

#: A cell whose larger curvature is below this, relative to the largest of all, is drawn flat.
FLAT = 1e-10
#: A side that exceeds the mesh size by rounding alone is not long.
ROUNDING = 1e-9
#: Halving ends here at the latest; sides of the window halved so often are lost in rounding.
MOST_HALVINGS = 40
#: Triangles for each square of one mesh size, and for each piece of an edge, at most about.
EACH_SQUARE, EACH_PIECE = 8.0, 6.0


@dataclass(frozen=True, eq=False)
class Facets:
    """Triangles of the window: places (n, 2) and error (n,) of the corners, by the cells' own E.

    `triangles` (m, 3) are rows of corners, counter-clockwise; `cell` (m,) the cell of each.
    """

    places: Array
    error: Array
    triangles: Indices
    cell: Indices


def estimate_facets(exact: Exact, size: tuple[float, float]) -> float:
    """About how many triangles `cut_facets` makes, at most."""
    plane, curved = exact.cells.plane, _curved(exact)
    area = float(measure_areas(exact.cells)[curved].sum())
    extent = (np.abs(plane.place[plane.ends[:, 0]] - plane.place[plane.ends[:, 1]]) / size).max(1)
    bent = (curved[plane.face] & (plane.face >= 0)).reshape(-1, 2).any(axis=1)
    pieces = np.where(bent, np.ceil(extent), 1.0).sum()
    return float(EACH_SQUARE * area / (size[0] * size[1]) + EACH_PIECE * pieces)


def cut_facets(exact: Exact, size: tuple[float, float]) -> Facets:
    """Triangles for a mesh size along u and along v.

    Where E curves, sides on kinks are no longer than that, others no longer than twice that. Where
    E is flat a triangle may be as large as its cell: it shows the surface as it is. Raises
    `ValueError` for a size that is not above 0.
    """
    if not all(extent > 0.0 for extent in size):
        raise ValueError(f"a mesh size of {size[0]:g} x {size[1]:g}; both must be above 0")
    places, triangles, cell = _fans(exact)
    curved = _curved(exact)
    for _ in range(MOST_HALVINGS):
        sides, side_of = _sides(triangles, len(places))
        pieces = _pieces(places, sides, side_of[curved[cell]], size)
        fat = (pieces[side_of] > 1).all(axis=1) & _wide(places / size, triangles)
        if not fat.any():
            places, triangles, cell = _lace(places, triangles, cell, sides, side_of, pieces)
            break
        halved = np.zeros(len(sides), dtype=np.bool_)
        halved[side_of[fat]] = True
        middle = np.full(len(sides), -1)
        middle[halved] = len(places) + np.arange(halved.sum())
        places = np.concatenate([places, places[sides[halved]].mean(axis=1)])
        triangles, cell = _split(places, triangles, cell, middle[side_of])
    corner_cell = np.zeros(len(places), dtype=np.intp)
    corner_cell[triangles] = cell[:, None]
    return Facets(places, exact.errors.value(corner_cell, places), triangles, cell)


def _curved(exact: Exact) -> Flags:
    largest = float(np.abs(exact.curvatures).max(initial=0.0))
    return np.asarray(exact.curvatures[:, 1] > FLAT * largest)


def _fans(exact: Exact) -> tuple[Array, Indices, Indices]:
    """Places (n, 2), triangles (m, 3) and their cells before any halving."""
    cells = exact.cells
    start, ring = face_rings(cells)
    count = np.diff(start)
    single, fanned = np.flatnonzero(count == 3), count > 3
    number = np.full(len(cells), -1)
    number[fanned] = len(cells.plane.place) + np.arange(fanned.sum())
    face = np.repeat(np.arange(len(cells)), count)
    following = np.arange(len(ring)) + 1
    following[start[1:] - 1] = start[:-1]
    spokes = np.flatnonzero(fanned[face])
    fans = np.stack([number[face[spokes]], ring[spokes], ring[following[spokes]]], axis=1)
    alone = ring[start[single][:, None] + np.arange(3)]
    places = np.concatenate([cells.plane.place, cells.inner_points[fanned]])
    return places, np.concatenate([alone, fans]), np.concatenate([single, face[spokes]])


def _sides(triangles: Indices, count: int) -> tuple[Indices, Indices]:
    """The sides (s, 2) of triangles, each once, and which three each triangle has, (m, 3).

    Side k of a triangle is that from its corner k to the next.
    """
    pairs = np.sort(np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=2), axis=2)
    keys, side_of = np.unique(pairs[..., 0] * count + pairs[..., 1], return_inverse=True)
    return np.stack([keys // count, keys % count], axis=1), side_of.reshape(-1, 3)


def _wide(places: Array, triangles: Indices) -> Flags:
    """Whether triangles are higher than 1 over their longest side."""
    a, b, c = (places[triangles[:, k]] for k in range(3))
    (x, y), (r, s) = (b - a).T, (c - a).T
    longest = np.max([np.hypot(*(p - q).T) for p, q in ((a, b), (b, c), (c, a))], axis=0)
    return np.asarray(x * s - y * r > longest)


def _pieces(places: Array, sides: Indices, bent: Indices, size: tuple[float, float]) -> Indices:
    """Into how many pieces each side is to be cut, (s,), 1 where E is flat beside it."""
    extent = (np.abs(places[sides[:, 0]] - places[sides[:, 1]]) / size).max(axis=1)
    pieces = np.ones(len(sides), dtype=np.intp)
    pieces[bent] = np.ceil(extent[bent] - ROUNDING).astype(np.intp)
    return np.maximum(pieces, 1)


def _lace(
    places: Array,
    triangles: Indices,
    cell: Indices,
    sides: Indices,
    side_of: Indices,
    pieces: Indices,
) -> tuple[Array, Indices, Indices]:
    """Cut every side into its pieces, and each triangle between them."""
    side, k = _counted(pieces - 1)
    share = ((k + 1) / pieces[side])[:, None]
    start, end = places[sides[side, 0]], places[sides[side, 1]]
    between_ends = start + share * (end - start)  # stays on a border of the window exactly
    first = len(places) + np.cumsum(pieces - 1) - (pieces - 1)

    def point(corner: Indices, side: Indices, k: Indices) -> Indices:
        """Point k of a side as counted from one of its corners, which is point 0."""
        forth = sides[side, 0] == corner
        j = np.where(forth, k, pieces[side] - k)
        between = first[side] + j - 1
        return np.where(
            j == 0, sides[side, 0], np.where(j == pieces[side], sides[side, 1], between)
        )

    corner, p, n_p, q, n_q, owner, whole = _wedges(places, triangles, sides, side_of, pieces)
    one = np.ones_like(n_p)
    tips = np.stack([corner, point(corner, p, one), point(corner, q, one)], axis=1)
    # Each further piece of either side, with the point of the other side that has been reached.
    i, k = _counted(n_p - 1)
    k, start = k + 1, corner[i]
    reached = np.clip(-(-(k + 1) * n_q[i] // n_p[i]) - 1, 1, n_q[i])
    along_p = [point(start, p[i], k), point(start, p[i], k + 1), point(start, q[i], reached)]
    j, k = _counted(n_q - 1)
    k, start = k + 1, corner[j]
    reached = np.clip((k + 1) * n_p[j] // n_q[j], 1, n_p[j])
    along_q = [point(start, q[j], k), point(start, p[j], reached), point(start, q[j], k + 1)]
    return (
        np.concatenate([places, between_ends]),
        np.concatenate(
            [triangles[whole], tips, np.stack(along_p, axis=1), np.stack(along_q, axis=1)]
        ),
        np.concatenate([cell[whole], cell[owner], cell[owner[i]], cell[owner[j]]]),
    )


def _wedges(
    places: Array, triangles: Indices, sides: Indices, side_of: Indices, pieces: Indices
) -> tuple[Indices, ...]:
    """Triangles as wedges: a corner and the two sides p and q that are laced up from there.

    Gives (corner, p, pieces of p, q, pieces of q, triangle) for each wedge, counter-clockwise from
    p to q, and the triangles that stay whole. A triangle with three long sides is two wedges, which
    meet at the point of its longest side that is nearest to the opposite corner.
    """
    along = places[sides[:, 1]] - places[sides[:, 0]]
    length = np.hypot(along[:, 0], along[:, 1])[side_of]
    long = pieces[side_of] > 1
    number = long.sum(axis=1)
    # Corner a is the one that the long sides ab and ca share, or the first of the only one, or
    # that opposite to the longest.
    turn = np.select(
        [number == 1, number == 2],
        [long.argmax(axis=1), (~long).argmax(axis=1) + 2],
        length.argmax(axis=1) + 2,
    )
    order = (turn[:, None] + np.arange(3)) % 3
    a, b, c = np.take_along_axis(triangles, order, axis=1).T
    ab, bc, ca = np.take_along_axis(side_of, order, axis=1).T
    some, all_long = np.flatnonzero((number == 1) | (number == 2)), np.flatnonzero(number == 3)
    to_a, to_c = places[a] - places[b], places[c] - places[b]
    foot = np.einsum("mk,mk->m", to_a, to_c) / np.einsum("mk,mk->m", to_c, to_c)
    meeting = np.clip(np.rint(foot * pieces[bc]), 1, pieces[bc] - 1).astype(np.intp)[all_long]
    x, y = some, all_long
    return (
        np.concatenate([a[x], b[y], c[y]]),
        np.concatenate([ab[x], bc[y], ca[y]]),
        np.concatenate([pieces[ab[x]], meeting, pieces[ca[y]]]),
        np.concatenate([ca[x], ab[y], bc[y]]),
        np.concatenate([pieces[ca[x]], pieces[ab[y]], pieces[bc[y]] - meeting]),
        np.concatenate([x, y, y]),
        np.flatnonzero(number == 0),
    )


def _counted(count: Indices) -> tuple[Indices, Indices]:
    """(owner, k): k = 0 to count - 1 for each owner in turn."""
    owner = np.repeat(np.arange(len(count)), count)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)


def _split(
    places: Array, triangles: Indices, cell: Indices, middle: Indices
) -> tuple[Indices, Indices]:
    """Split triangles at the middles of their sides, (m, 3), -1 where a side stays whole."""
    number = (middle >= 0).sum(axis=1)
    # Turn each triangle so that its halved sides come first; two halved ones are sides 0 and 1.
    turn = np.where(
        number == 1, (middle >= 0).argmax(axis=1), ((middle < 0).argmax(axis=1) + 1) % 3
    )
    order = (turn[:, None] + np.arange(3)) % 3
    a, b, c = np.take_along_axis(triangles, order, axis=1).T
    p, q, r = np.take_along_axis(middle, order, axis=1).T
    none, one, two, three = (number == k for k in range(4))
    # Of the four-sided rest a p q c the shorter diagonal is cut.
    length_aq = np.hypot(*(places[a] - places[q]).T)
    length_pc = np.hypot(*(places[p] - places[c]).T)
    by_aq, by_pc = two & (length_aq <= length_pc), two & (length_aq > length_pc)
    parts = [
        (none, (a, b, c)),
        (one, (a, p, c)),
        (one, (p, b, c)),
        (two, (p, b, q)),
        (by_aq, (a, p, q)),
        (by_aq, (a, q, c)),
        (by_pc, (a, p, c)),
        (by_pc, (p, q, c)),
        (three, (a, p, r)),
        (three, (p, b, q)),
        (three, (r, q, c)),
        (three, (p, q, r)),
    ]
    made = np.concatenate([np.stack(corners, axis=1)[where] for where, corners in parts])
    return made, np.concatenate([cell[where] for where, _ in parts])
