"""How many cells a slice has in the whole plane, not in a window alone.

A window has all of them where nothing new begins beyond it. That is decided cell by cell: a cell
that reaches the border goes on beyond it between the two kinks on which it leaves the window, and
there every pre-activation h is affine. If h grows away from its nodes, or stays, in the directions
of both kinks, it does so in all directions between them, and no further kink is met; the pieces
between the kinks, side by side, are all that lies outside.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.cells import Cells, find_cells
from surfacecli.geometry.exact.estimate import estimate_cells
from surfacecli.geometry.exact.kinks import KinkList, distinct_inputs, moved_kinks, moved_parts
from surfacecli.geometry.exact.outputs import ROUNDING, slope_bounds
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.surface import blocks
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]

#: The window reaches this times as far as the farthest meeting point of lines.
MARGIN = 2.0
#: Where later layers have corners farther out, it grows by `STEP`, `MOST` times at most. (Not a
#: round number: kinks that meet on the border of one window must not do so on the next one's.)
STEP, MOST = 7.3, 12
#: A slope along a kink below this, relative to the largest of its unit, is 0: parallel kinks.
PARALLEL = 1e-11


def count_plane_cells(slice: Slice, most: int | None = None) -> int:
    """The number of cells of the whole plane, proven.

    A window that every line of the moved layer crosses, and that holds all points in which two of
    them meet, has all cells of these lines; where later layers have kinks, it grows until nothing
    begins beyond it. Kinks whose directions differ by less than `PARALLEL` count as parallel.
    Raises `ValueError` where there are about more than `most` cells, and where the cells spread so
    far that no window was found to hold them.
    """
    lines = moved_kinks(slice, distinct_inputs(slice)[0], KinkList())
    reach = MARGIN * _farthest(lines)
    later = slice.objective.network.transfers[slice.first_moved :]
    for _ in range(MOST):
        window = Window(-reach, reach, -reach, reach)
        expected = estimate_cells(slice, window)
        if most is not None and expected > most:
            raise ValueError(
                f"slice {slice.name} has about {expected:,} cells in the whole plane, past the "
                f"budget of {most:,}"
            )
        cells = find_cells(slice, window)
        if not any(f.nodes for f in later) or holds_plane(cells):
            return len(cells)
        reach *= STEP
    raise ValueError(
        f"slice {slice.name}: the cells of the whole plane spread too far to be counted"
    )


def holds_plane(cells: Cells) -> bool:
    """Whether no kink begins beyond the window, so that it has the cells of the whole plane.

    Where kinks meet on the border itself the answer is no: a larger window will tell.
    """
    faces, out = _outward(cells)
    return faces is not None and not _meets_more(cells, faces, out)


def _outward(cells: Cells) -> tuple[Indices | None, Array]:
    """The faces (k,) that go on beyond the window, and three directions (k, 3, 2) of each.

    Those of the two kinks between which it goes on, and one between these; None for the faces
    where more than one kink leaves the window at one place. A face may go on at two ends.
    """
    plane = cells.plane
    outside = np.flatnonzero(plane.face < 0)
    inside = plane.face[outside ^ 1]
    if (inside == inside[0]).all():
        return inside[:1], np.array([[[1.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]]])
    # Outside, the half-edge after h goes on clockwise: its face is the next one on the border.
    following = plane.face[plane.after[outside] ^ 1]
    leaving = outside[inside != following]  # where these end a kink leaves, and it comes on:
    spoke = plane.before[leaving ^ 1]
    if (plane.face[spoke ^ 1] != following[inside != following]).any():
        return None, np.empty((0, 3, 2))
    away = plane.place[plane.origin[spoke ^ 1]] - plane.place[plane.origin[spoke]]
    away /= np.hypot(*away.T)[:, None]
    # Place by place clockwise round the border: a face lies between a kink and the one before it.
    number = np.full(len(plane.face), -1)
    number[leaving] = np.arange(len(leaving))
    last = leaving.copy()
    left = np.full(len(leaving), True)
    before = np.empty(len(leaving), dtype=np.intp)
    while left.any():
        back = plane.before[last[left]]
        last[left] = back
        met = np.flatnonzero(left)[number[back] >= 0]
        before[met] = number[last[met]]
        left[met] = False
    first, second = away, away[before]
    middle = first + second
    opposite = np.einsum("kj,kj->k", first, second) < -1.0 + 1e-9
    # Half a plane: from the earlier kink, clockwise, straight into it.
    middle[opposite] = np.stack([second[opposite, 1], -second[opposite, 0]], axis=1)
    middle /= np.hypot(*middle.T)[:, None]
    return plane.face[leaving ^ 1], np.stack([first, second, middle], axis=1)


def _meets_more(cells: Cells, faces: Indices, out: Array) -> bool:
    """Whether a pre-activation comes nearer to one of its nodes on the way out of some face."""
    network, first = cells.slice.objective.network, cells.slice.first_moved
    widest, bounds = max(network.widths[first:]), slope_bounds(cells.slice, cells.inputs)
    inner = cells.inner_points[faces]
    for block in blocks(len(faces), 6 * len(cells.inputs) * widest):
        at = np.column_stack([np.ones(len(inner[block])), inner[block]])
        for layer, parts in _affine_layers(cells, inner[block]):
            h = np.einsum("fk,mfkn->mfn", at, parts)
            slopes = np.einsum("fdk,mfkn->dmfn", out[block], parts[:, :, 1:])
            steepest = np.abs(parts[:, :, 1:]).max(axis=(1, 2), initial=0.0)
            level = np.maximum(PARALLEL * steepest, ROUNDING * bounds[layer - first])
            slopes[np.abs(slopes) <= level[:, None]] = 0.0
            for node in network.transfers[layer - 1].nodes or ():
                if (np.sign(h - node) * slopes < 0).any():
                    return True
    return False


def _affine_layers(cells: Cells, inner: Array) -> Iterator[tuple[int, Array]]:
    """Layer by layer from the moved one: constant, u and v part of its pre-activations.

    (m, f, 3, n), for each distinct input in the cells around the points `inner` (f, 2).
    """
    network, first = cells.slice.objective.network, cells.slice.first_moved
    at = np.column_stack([np.ones(len(inner)), inner])
    parts = moved_parts(cells.slice, cells.inputs).transpose(1, 0, 2)
    h = np.repeat(parts[:, None], len(inner), axis=1)
    for layer in range(first, network.depth + 1):
        yield layer, h
        if layer == network.depth:
            return
        f, W, b = network.transfers[layer - 1], network.weights[layer], network.biases[layer]
        piece = f.piece(np.einsum("fk,mfkn->mfn", at, h))
        a = np.array(f.slopes)[piece][:, :, None] * h
        a[:, :, 0] += np.array(f.intercepts)[piece]
        h = a @ W.T
        if b is not None:
            h[:, :, 0] += b


def _farthest(lines: Array) -> float:
    """The largest coordinate of what lines (k, 3) have nearest to the origin or in common."""
    lines = np.unique(lines / np.hypot(lines[:, 1], lines[:, 2])[:, None], axis=0)
    farthest = float(np.abs(lines[:, 0]).max(initial=0.0))
    for number, (c, p, q) in enumerate(lines):
        d, r, s = lines[:number].T
        with np.errstate(divide="ignore", invalid="ignore"):
            points = np.stack([q * d - c * s, c * r - p * d]) / (p * s - q * r)
        # Parallel lines, or the same line rounded twice, meet nowhere.
        apart = np.abs(p * s - q * r) > 1e-12
        farthest = max(farthest, float(np.abs(points[:, apart]).max(initial=0.0)))
    return farthest or 1.0
