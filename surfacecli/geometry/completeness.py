"""The audit of a sampled search: do the indices of what was found sum to 1, and if not, where not?

The indices of a window's points, sets and border points sum to chi(window) = 1, and those of any
box of it to chi(box) = 1. What a rim contributes is found exactly for piecewise-linear nets with
squared losses (see `surfacecli.geometry.profiles`), so a box tells whether something inside it is
missing. A sum that is right is evidence, no proof: two points that are missing from one box, of
indices 1 and -1, leave it as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.border import find_border_points
from surfacecli.geometry.kinked import lattice_lines
from surfacecli.geometry.level_sets import (
    BOXES,
    BOXES_FOR_KINDS,
    BOXES_TO_PART,
    LEVEL,
    Surrounding,
    grow,
    others_inside,
    surround,
)
from surfacecli.geometry.merging import bounding_box
from surfacecli.geometry.rims import Lines, Region, walk_rim
from surfacecli.geometry.slices import Window
from surfacecli.geometry.stationary import PointKind, StationaryPoint

Flags = NDArray[np.bool_]

#: A line that bounds boxes keeps this far from points that were found, relative to the window.
CLEAR = 1e-5
#: Half sides of a point's own box, relative to the window: the first that keeps off the sets.
OWN_BOXES = (1e-3, 1e-4, 1e-5)


@dataclass(frozen=True)
class SampledAudit:
    """The sum of the indices of all that a sampled search found, border and sets included.

    `boxes`: parts of the window in which the sum is not right, or only as a set near by makes up
    for it; empty where it is right, and where none could be told (`judged` is the number of boxes
    that were, besides sets). `rounds`: how often the search was made finer. `border_exact`: whether
    the border's points are exact, not sampled themselves.
    """

    sum: int
    boxes: tuple[Window, ...] = ()
    judged: int = 0
    rounds: int = 0
    border_exact: bool = True
    expected: int = 1

    @property
    def agrees(self) -> bool:
        return self.sum == self.expected and not self.boxes


@dataclass(frozen=True, eq=False)
class Counted:
    """What was found, each set with its index from its surroundings, and the sum of all."""

    points: tuple[StationaryPoint, ...]
    border: tuple[StationaryPoint, ...]
    surroundings: tuple[Surrounding, ...]
    sum: int


def count_indices(
    lines: Lines, points: Sequence[StationaryPoint], border: Sequence[StationaryPoint] | None = None
) -> Counted:
    """Sum the indices of points inside the window and of everything on its border.

    `border` is found where it is not given. Sets get their index and, where E falls and rises
    beside them, their kind; border points that belong to a set are counted with it. Sets too near
    to each other to be told apart are one where E is the same, else they have one index together:
    minima have 1, and one of them has what is left.
    """
    outer = find_border_points(lines) if border is None else tuple(border)
    single = [p for p in points if not p.is_set]
    sets = [p for p in points if p.is_set]
    groups = _surround_all(lines, sets)
    around = tuple(surrounding for surrounding, _ in groups)
    counted: list[StationaryPoint] = []
    for surrounding, members in groups:
        index = surrounding.index(others_inside(surrounding, single, outer))
        first, *others = _of_each_level([sets[k] for k in members], surrounding.slack)
        others = [replace(other, index=int(other.kind == "minimum")) for other in others]
        index -= sum(other.index for other in others)
        counted.append(replace(first, kind=_kind(surrounding, first, index), index=index))
        counted += others
    rest = tuple(p for p in outer if not any(s.holds(p.u, p.v, p.error) for s in around))
    every = tuple(sorted((*single, *counted), key=lambda p: (p.error, p.u, p.v)))
    total = sum(p.index for p in (*every, *rest))
    return Counted(every, rest, around, total)


def _surround_all(
    lines: Lines, sets: Sequence[StationaryPoint]
) -> list[tuple[Surrounding, list[int]]]:
    """Regions round sets, with the numbers of their sets, as coarse as will do."""
    boxes = BOXES
    while sets:
        masks = [grow(lines, point, boxes) for point in sets]
        groups = _group(masks)
        if len(groups) < len(sets) and boxes < BOXES_TO_PART:
            boxes *= 2
            continue
        found = []
        for members in groups:
            slack = LEVEL * lines.sides.error_scale
            levels = tuple(p.error for p in _of_each_level([sets[k] for k in members], slack))
            mask = np.any([masks[k] for k in members], axis=0)
            found.append((surround(lines, mask, levels), members))
        clear = all(not s.beaten[sets[m[0]].kind == "maximum"] for s, m in found)
        if clear or boxes >= BOXES_FOR_KINDS:
            return found
        boxes *= 2
    return []


def _group(masks: Sequence[Flags]) -> list[list[int]]:
    """The numbers of masks that overlap, directly or by others, together."""
    groups: list[list[int]] = []
    for number, mask in enumerate(masks):
        joined = [g for g in groups if any((masks[k] & mask).any() for k in g)]
        groups = [g for g in groups if g not in joined]
        groups.append(sorted([k for g in joined for k in g] + [number]))
    return groups


def _of_each_level(sets: Sequence[StationaryPoint], slack: float) -> list[StationaryPoint]:
    """Sets that run into each other, those on one level as one set."""
    result: list[StationaryPoint] = []
    for point in sorted(sets, key=lambda p: (p.kind == "minimum", p.support != "plateau")):
        same = [k for k, other in enumerate(result) if abs(other.error - point.error) <= slack]
        if same:
            result[same[0]] = _joined(result[same[0]], point)
        else:
            result.append(point)
    return result


def _joined(one: StationaryPoint, other: StationaryPoint) -> StationaryPoint:
    """Two pieces of a set as one: the first, with the extent of both."""
    kind: PointKind = one.kind if one.kind == other.kind else "shoulder"
    extent, outline = bounding_box([one, other]), one.outline + other.outline
    return replace(one, kind=kind, extent=extent, outline=outline)


def _kind(around: Surrounding, point: StationaryPoint, index: int) -> PointKind:
    """A set's kind: beaten somewhere, it is no extremum."""
    below, above = around.beaten
    if point.kind in ("minimum", "maximum") and point.support == "plateau":
        return point.kind  # all round it E was looked at closer than this rim
    if point.kind == "shoulder" or (above if point.kind == "maximum" else below):
        return "saddle" if index else "shoulder"
    return point.kind


def find_wrong_boxes(
    lines: Lines, counted: Counted, window: Window, parts: int
) -> tuple[list[Window], int]:
    """The boxes of parts x parts in a rectangle of the window whose indices do not sum to 1.

    Boxes that a set runs through are not judged. Gives those that are wrong, and how many were
    judged.
    """
    at = np.array([(p.u, p.v) for p in counted.points]).reshape(-1, 2)
    u = _clear(lattice_lines(window.u0, window.u1, parts), at[:, 0])
    v = _clear(lattice_lines(window.v0, window.v1, parts), at[:, 1])
    wrong, judged = [], 0
    for j in range(parts):
        for i in range(parts):
            low, high = np.array([u[i], v[j]]), np.array([u[i + 1], v[j + 1]])
            if any(s.overlaps(low, high) for s in counted.surroundings):
                continue
            judged += 1
            box = Window(float(u[i]), float(u[i + 1]), float(v[j]), float(v[j + 1]))
            if sum_of_box(lines, counted.points, box) != 1:
                wrong.append(box)
    return wrong, judged


def find_wrong_sets(lines: Lines, counted: Counted) -> list[Window]:
    """Rectangles round sets whose index makes up for a point that is missing or false."""
    single = [p for p in counted.points if not p.is_set]
    wrong = []
    for around in counted.surroundings:
        index = sum(p.index for p in counted.points if p.is_set and around.contains(p.u, p.v))
        near = (p for p in single if around.contains(p.u, p.v))
        if (
            index > len(around.levels)
            or _lacks_a_minimum(counted, around)
            or not all(_is_right(lines, p, single, around) for p in near)
        ):
            wrong.append(around.bounds)
    return wrong


def _lacks_a_minimum(counted: Counted, around: Surrounding) -> bool:
    """Whether a region's one set, a minimum, has another index than 1, and no hole for it.

    In a hole there would be a maximum.
    """
    inside = [p for p in counted.points if around.contains(p.u, p.v)]
    sets = [p for p in inside if p.is_set]
    if len(sets) != 1 or sets[0].kind != "minimum" or around.region.chi != 1:
        return False
    return sets[0].index != 1 and not any(p.kind == "maximum" for p in inside)


def _is_right(
    lines: Lines, point: StationaryPoint, points: Sequence[StationaryPoint], around: Surrounding
) -> bool:
    """Whether a point near a set has its index by a box of its own, which the set does not meet."""
    window = lines.sides.window
    for part in OWN_BOXES:
        place, reach = np.array([point.u, point.v]), part * lines.sides.size
        low, high = np.maximum(place - reach, window.low), np.minimum(place + reach, window.high)
        box = Window(float(low[0]), float(high[0]), float(low[1]), float(high[1]))
        if not around.meets_rim(walk_rim(lines, _region(box)), lines):
            return sum_of_box(lines, points, box) == 1
    return False


def sum_of_box(lines: Lines, points: Sequence[StationaryPoint], box: Window) -> int:
    """The sum of indices over a box: its rim's, and those of the points inside. 1 if none lacks."""
    inside = (p for p in points if box.u0 < p.u < box.u1 and box.v0 < p.v < box.v1)
    return int(walk_rim(lines, _region(box)).index.sum()) + sum(p.index for p in inside)


def _region(box: Window) -> Region:
    """A rectangle of the window as a region of one box."""
    return Region(
        np.array([box.u0, box.u1]), np.array([box.v0, box.v1]), np.ones((1, 1), dtype=np.bool_)
    )


def _clear(lines: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Inner bounds moved off the coordinates of points."""
    step = CLEAR * (lines[-1] - lines[0])
    moved = lines.copy()
    for k in range(1, len(lines) - 1):
        while len(taken) and np.abs(taken - moved[k]).min() < step:
            moved[k] += 2.7 * step
    return moved
