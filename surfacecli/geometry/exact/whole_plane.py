"""How many cells a slice has in the whole plane, not in a window alone."""

import numpy as np

from surfacecli.geometry.exact.cells import find_cells
from surfacecli.geometry.exact.kinks import KinkList, distinct_inputs, moved_kinks
from surfacecli.geometry.slices import Slice, Window
from surfacecli.network.transfers import Array

#: The window reaches this times as far as the farthest meeting point of lines.
MARGIN = 2.0
#: Further kinks: the window grows by `STEP` until `QUIET` times running it holds no more cells.
STEP, QUIET, MOST = 8.0, 2, 12


def count_plane_cells(slice: Slice) -> int:
    """The number of cells of the whole plane.

    A window that every line of the moved layer crosses, and that holds all points in which two of
    them meet, has all cells of these lines. Where later layers have kinks too, their corners may
    lie farther out: the window is made eight times as wide again and again until it has held the
    same number three times running. That is no proof for them, but a corner missed would lie 64
    times as far out as all others. Raises `ValueError` where the count goes on growing.
    """
    lines = moved_kinks(slice, distinct_inputs(slice)[0], KinkList())
    reach = MARGIN * _farthest(lines)
    later = slice.objective.network.transfers[slice.first_moved :]
    count, quiet = -1, 0
    for _ in range(MOST):
        found = len(find_cells(slice, Window(-reach, reach, -reach, reach)))
        quiet = quiet + 1 if found == count else 0
        count = found
        if quiet == QUIET or not any(f.nodes for f in later):
            return count
        reach *= STEP
    raise ValueError(f"slice {slice.name}: its cells spread too far to be counted")


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
