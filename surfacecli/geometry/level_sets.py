"""The index of a connected set of stationary points, from the rim of a region round it.

The region grows from a box of a lattice at a point of the set: wherever the set crosses its rim, E
is stationary along the rim at the set's own level, and the box beyond joins. Then the rim tells the
sum of the indices inside, and what is known to lie there besides is taken off.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.kinked import lattice_lines
from surfacecli.geometry.profiles import Profile
from surfacecli.geometry.rims import Lines, Region, Rim, walk_rim
from surfacecli.geometry.slices import Window
from surfacecli.geometry.stationary import StationaryPoint
from surfacecli.geometry.surface import evaluate
from surfacecli.network.transfers import Array

Flags = NDArray[np.bool_]

#: Values of E closer than this, relative to the largest, are one level.
LEVEL = 1e-9
#: Boxes along an axis: as few as will do. Doubled to see a set's kind, and to part sets that lie
#: near each other, up to so many.
BOXES, BOXES_FOR_KINDS, BOXES_TO_PART = 16, 32, 64


@dataclass(frozen=True, eq=False)
class Surrounding:
    """A region round a set of stationary points, its rim, and the level of E on the set.

    Sets too near to each other for the lattice share one: `levels` has one for each. `inner` (k,):
    which places of the rim are cut by the region, not by the window alone; `errors` (k,): E there.
    """

    region: Region
    rim: Rim
    inner: Flags
    levels: tuple[float, ...]
    slack: float
    errors: Array

    def contains(self, u: float, v: float) -> bool:
        """Whether a point lies in one of the region's boxes."""
        column = np.searchsorted(self.region.u, u, side="right") - 1
        row = np.searchsorted(self.region.v, v, side="right") - 1
        rows, columns = self.region.mask.shape
        return bool(self.region.mask[min(row, rows - 1), min(column, columns - 1)])

    def holds(self, u: float, v: float, error: float) -> bool:
        """Whether a point on the window's border belongs to the set."""
        level = any(abs(error - level) <= self.slack for level in self.levels)
        return level and self.contains(u, v)

    def overlaps(self, low: Array, high: Array) -> bool:
        """Whether a rectangle has a point in common with the region."""
        rows, columns = np.nonzero(self.region.mask)
        u, v = self.region.u, self.region.v
        apart = (u[columns] > high[0]) | (u[columns + 1] < low[0])
        apart |= (v[rows] > high[1]) | (v[rows + 1] < low[1])
        return bool((~apart).any())

    @property
    def bounds(self) -> Window:
        """The smallest rectangle that holds the region."""
        rows, columns = np.nonzero(self.region.mask)
        u, v = self.region.u, self.region.v
        u0, u1 = float(u[columns.min()]), float(u[columns.max() + 1])
        return Window(u0, u1, float(v[rows.min()]), float(v[rows.max() + 1]))

    def meets_rim(self, rim: Rim, lines: Lines) -> bool:
        """Whether one of the sets may cross the rim of a box: it does where E is stationary."""
        errors = evaluate(lines.sides.slice, rim.places[:, 0], rim.places[:, 1])
        return bool((np.abs(errors[:, None] - np.array(self.levels)) <= self.slack).any())

    def index(self, others: int) -> int:
        """The set's own index, where other points and border points inside have the sum `others`.

        What the set shares with the window's border counts as part of it.
        """
        return self.region.chi - int(self.rim.index[self.inner].sum()) - others

    @property
    def beaten(self) -> tuple[bool, bool]:
        """Whether E falls below, and rises above, the set's level on the rim inside the window."""
        above = self.errors[self.inner] - self.levels[0]
        return bool((above < -self.slack).any()), bool((above > self.slack).any())


def grow(lines: Lines, point: StationaryPoint, boxes: int) -> Flags:
    """Which boxes of a lattice, (boxes, boxes), the set of a point runs through."""
    sides, window = lines.sides, lines.sides.window
    u, v = lattice_lines(window.u0, window.u1, boxes), lattice_lines(window.v0, window.v1, boxes)
    mask = np.zeros((boxes, boxes), dtype=np.bool_)
    slack = LEVEL * sides.error_scale
    on_lattice = np.abs(evaluate(sides.slice, u[None, :], v[:, None]) - point.error) <= slack
    column = min(int(np.searchsorted(u, point.u, side="right")) - 1, boxes - 1)
    row = min(int(np.searchsorted(v, point.v, side="right")) - 1, boxes - 1)
    waiting = [(row, column)]
    while waiting:
        row, column = waiting.pop()
        if mask[row, column]:
            continue
        mask[row, column] = True
        for axis, line, cut, number, ahead in (
            (0, row, u, column, (row - 1, column)),
            (0, row + 1, u, column, (row + 1, column)),
            (1, column, v, row, (row, column - 1)),
            (1, column + 1, v, row, (row, column + 1)),
        ):
            if not (0 <= ahead[0] < boxes and 0 <= ahead[1] < boxes) or mask[ahead]:
                continue
            corners = on_lattice[line] if axis == 0 else on_lattice[:, line]
            profile = lines.profile(axis, float((v if axis == 0 else u)[line]))
            low, high = float(cut[number]), float(cut[number + 1])
            meets = _meets(profile, low, high, point.error, slack)
            if meets or corners[number : number + 2].any():
                waiting.append(ahead)
    return mask


def surround(lines: Lines, mask: Flags, levels: tuple[float, ...]) -> Surrounding:
    """The region of the boxes `mask`, round sets of these levels, with its rim."""
    window, boxes = lines.sides.window, len(mask)
    u, v = lattice_lines(window.u0, window.u1, boxes), lattice_lines(window.v0, window.v1, boxes)
    region = Region(u, v, mask)
    rim = walk_rim(lines, region)
    errors = evaluate(lines.sides.slice, rim.places[:, 0], rim.places[:, 1])
    slack = LEVEL * lines.sides.error_scale
    return Surrounding(region, rim, ~rim.full, levels, slack, errors)


def _meets(profile: Profile, low: float, high: float, level: float, slack: float) -> bool:
    """Whether E has the level between two places of a line, where it is stationary along it."""
    inner = (profile.places > low) & (profile.places < high)
    flat = (profile.flats[:, 0] < high) & (profile.flats[:, 1] > low)
    errors = np.concatenate([profile.errors[inner], profile.flat_errors[flat]])
    return bool((np.abs(errors - level) <= slack).any())


def others_inside(
    surrounding: Surrounding,
    points: Sequence[StationaryPoint],
    border: Sequence[StationaryPoint],
) -> int:
    """The sum of the indices of what lies in a region besides its set."""
    inside = [p for p in points if not p.is_set and surrounding.contains(p.u, p.v)]
    outer = [
        p
        for p in border
        if surrounding.contains(p.u, p.v) and not surrounding.holds(p.u, p.v, p.error)
    ]
    return sum(p.index for p in (*inside, *outer))
