"""The direction in which E falls fastest from a point, whatever kinks meet there.

Around a point the plane is parted into sectors by the kinks through it; in each E has a gradient g,
and in the direction d the one-sided slope g . d. The steepest descent is -g of a sector that holds
-g, or runs along a kink between two sectors, neither of which pulls off it. Where E is convex
across a kink, that is minus the shortest element of the convex hull of the gradients, as in
Filippov's rule; on a ridge, off which both sides pull, the steeper side is taken: descent from
there is not unique.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Vector = tuple[float, float]


@dataclass(frozen=True)
class Sector:
    """A cone of directions counter-clockwise from `start` to `end`, 180 degrees at most, or all.

    `start` and `end` are unit vectors, None where the sector is the whole plane. Slopes below
    `level` are rounding.
    """

    start: Vector | None
    end: Vector | None
    gradient: Vector
    level: float


@dataclass(frozen=True)
class Steepest:
    """The steepest descent: into a sector, or along a ray, each by its number; the other is None.

    Ray k is where sector k starts; the last ray of sectors that do not close ends the last one.
    `choices` counts the directions that are steeper than all beside them.
    """

    sector: int | None
    ray: int | None
    slope: float
    direction: Vector
    choices: int


def cross(a: Vector, b: Vector) -> float:
    return a[0] * b[1] - a[1] * b[0]


def dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1]


def find_steepest(sectors: Sequence[Sector], closed: bool = True) -> Steepest | None:
    """The steepest descent among sectors in counter-clockwise order, None where E falls nowhere.

    `closed`: they go all round; else, on the window's border, from the first to the last.
    Of directions equally steep the first is taken.
    """
    found: list[tuple[float, int | None, int | None, Vector]] = []
    for number, sector in enumerate(sectors):
        steep = math.hypot(*sector.gradient)
        if steep <= sector.level:
            continue
        down = (-sector.gradient[0] / steep, -sector.gradient[1] / steep)
        if pulls(sector, at_start=True) and pulls(sector, at_start=False):
            found.append((-steep, number, None, down))
    count = len(sectors)
    for ray in range(count if closed else count + 1):
        left = sectors[ray] if ray < count else None
        right = sectors[ray - 1] if closed or ray else None
        direction = left.start if left else right.end if right else None
        if direction is None or any(
            side is not None and pulls(side, at_start)
            for side, at_start in ((left, True), (right, False))
        ):
            continue
        side = left or right
        assert side is not None
        slope = dot(side.gradient, direction)
        if slope < -side.level:
            found.append((slope, None, ray, direction))
    if not found:
        return None
    slope, sector_number, ray_number, direction = min(found, key=lambda f: f[0])
    return Steepest(sector_number, ray_number, slope, direction, len(found))


def pulls(sector: Sector, at_start: bool) -> bool:
    """Whether -grad E at one end of a sector points off that ray into the sector."""
    ray = sector.start if at_start else sector.end
    if ray is None:
        return True
    down = (-sector.gradient[0], -sector.gradient[1])
    inward = cross(ray, down) if at_start else cross(down, ray)
    return inward > sector.level
