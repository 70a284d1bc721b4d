"""Where on a grid a stationary point may hide: grid extrema, grid saddles, flat sets."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.grids import Grid
from surfacecli.geometry.stationary import PointKind
from surfacecli.network.transfers import Array

#: The eight neighbours (row, column) of a grid point, in order round it.
RING = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))

#: Values of E closer than this, relative to the largest |E| of the grid, count as equal: some
#: thousand roundings of a sum over the data.
EQUAL = 1e-12


@dataclass(frozen=True)
class Candidate:
    """A grid point (row, column) whose neighbours look like those of a stationary point."""

    row: int
    column: int
    kind: PointKind


@dataclass(frozen=True, eq=False)
class FlatSet:
    """Connected grid points of equal E: members (m, 2).

    A minimum or maximum as a whole, or where they have an area a shoulder, in which E falls from
    some and rises from others. `square`: a member whose right and upper neighbours are members too.
    """

    members: NDArray[np.intp]
    kind: PointKind
    square: tuple[int, int] | None

    @property
    def has_area(self) -> bool:
        """Whether a whole grid square belongs to it."""
        return self.square is not None


def ring_signs(error: Array) -> NDArray[np.int8]:
    """Signs of E(neighbour) - E(p) round each grid point, (8, n_v, n_u); 2 outside the grid."""
    n_v, n_u = error.shape
    tolerance = EQUAL * np.abs(error).max()
    signs = np.full((8, n_v, n_u), 2, dtype=np.int8)
    for place, (down, right) in enumerate(RING):
        here = np.s_[max(0, -down) : n_v - max(0, down), max(0, -right) : n_u - max(0, right)]
        there = np.s_[max(0, down) : n_v + min(0, down), max(0, right) : n_u + min(0, right)]
        difference = error[there] - error[here]
        signs[place][here] = np.sign(np.where(np.abs(difference) <= tolerance, 0.0, difference))
    return signs


def find_candidates(grid: Grid) -> list[Candidate]:
    """Grid points without an equal neighbour that are extrema or saddles among their neighbours.

    On the border of the window only extrema of what lies inside it count.
    """
    signs = ring_signs(grid.error)
    inside = signs < 2
    lonely = ~((signs == 0).any(axis=0))
    minimum = lonely & ((signs > 0) | ~inside).all(axis=0)
    maximum = lonely & ((signs < 0) | ~inside).all(axis=0)
    # Every change of sign round a ring is counted twice: once into a falling arc, once out of it.
    changes = (signs != np.roll(signs, 1, axis=0)).sum(axis=0)
    saddle = lonely & inside.all(axis=0) & (changes >= 4)
    found: list[Candidate] = []
    kinds: tuple[tuple[NDArray[np.bool_], PointKind], ...] = (
        (minimum, "minimum"),
        (maximum, "maximum"),
        (saddle, "saddle"),
    )
    for where, kind in kinds:
        found += [Candidate(int(r), int(c), kind) for r, c in np.argwhere(where)]
    return found


def find_flat_sets(grid: Grid) -> list[FlatSet]:
    """Connected sets of equal grid points that no neighbour beats, or that have an area."""
    signs = ring_signs(grid.error)
    flat = (signs == 0).any(axis=0)
    seen = np.zeros_like(flat)
    sets = []
    for start in np.argwhere(flat):
        if seen[tuple(start)]:
            continue
        members = _connected(signs, seen, (int(start[0]), int(start[1])))
        around = signs[:, members[:, 0], members[:, 1]]
        rises, falls = bool((around == 1).any()), bool((around == -1).any())
        # Three neighbours equal round a corner: the set holds a whole grid square.
        squares = members[(around[:3] == 0).all(axis=0)]
        if rises and falls and not len(squares):
            continue
        kind: PointKind = "maximum" if falls else "minimum"
        # One in the middle, so that it is inside.
        away = np.abs(squares - members.mean(axis=0)).max(axis=1, initial=0.0)
        square = tuple(squares[away.argmin()].tolist()) if len(squares) else None
        sets.append(FlatSet(members, "shoulder" if rises and falls else kind, square))
    return sets


def _connected(
    signs: NDArray[np.int8], seen: NDArray[np.bool_], start: tuple[int, int]
) -> NDArray[np.intp]:
    """All grid points reached from `start` by steps between equal values; marks them as seen."""
    seen[start] = True
    stack, members = [start], []
    while stack:
        row, column = stack.pop()
        members.append((row, column))
        for place, (down, right) in enumerate(RING):
            if signs[place, row, column] == 0 and not seen[row + down, column + right]:
                seen[row + down, column + right] = True
                stack.append((row + down, column + right))
    return np.array(members, dtype=np.intp)
