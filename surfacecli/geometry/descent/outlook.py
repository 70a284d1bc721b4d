"""What is around a place of any slice: sectors between kinks, with E's derivatives in each.

Looked up on a small circle: where the units change their pieces on it, a kink runs through. Its
direction is that in which the unit's pre-activation stays, from its derivatives.
"""

import math
from dataclasses import dataclass

import numpy as np

from surfacecli.geometry.descent.pieces import Pattern, Pieces, stack
from surfacecli.geometry.descent.steepest import Sector, Steepest, Vector, find_steepest
from surfacecli.geometry.slices import Window
from surfacecli.network.transfers import Array

#: Radius of the circle, relative to the window, and the angles looked at first.
CIRCLE, ANGLES = 1e-7, 32
#: A boundary between two sectors is known to within this angle before its direction is computed.
CLOSE = 1e-6
#: Slopes below this times the size of the gradients around are rounding.
LEVEL = 1e-10


@dataclass(frozen=True, eq=False)
class Outlook:
    """Around a place: sectors counter-clockwise, and of each its pattern and E's derivatives.

    `hessians` and `gauss_newtons` (k, 2, 2).
    """

    place: Vector
    error: float
    sectors: tuple[Sector, ...]
    patterns: tuple[Pattern, ...]
    hessians: Array
    gauss_newtons: Array
    steepest: Steepest | None


class Lookout:
    """Looks around places of a slice; `scale` is how large gradients are in the window."""

    def __init__(self, pieces: Pieces, window: Window, scale: float) -> None:
        self.pieces, self.scale = pieces, scale
        self.size = window.longer_side
        self.radius = CIRCLE * self.size

    def look(self, place: Vector) -> Outlook:
        """What is around a place."""
        if self.pieces.smooth:
            rays: list[Vector] = []
            patterns = [self.pieces.patterns(stack(place))[0]]
        else:
            rays, patterns = self._part(place)
        at = [self.pieces.differentiate(pattern, stack(place)) for pattern in patterns]
        level = LEVEL * self.scale
        sectors = []
        for k, here in enumerate(at):
            u, v = here.gradient[0].tolist()
            start, end = (rays[k], rays[(k + 1) % len(rays)]) if rays else (None, None)
            sectors.append(Sector(start, end, (u, v), level))
        return Outlook(
            place,
            float(at[0].error[0]),
            tuple(sectors),
            tuple(patterns),
            np.concatenate([here.hessian for here in at]),
            np.concatenate([here.gauss_newton for here in at]),
            find_steepest(sectors),
        )

    def _on_circle(self, place: Vector, angles: Array) -> Array:
        circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        return np.array(place) + self.radius * circle

    def _part(self, place: Vector) -> tuple[list[Vector], list[Pattern]]:
        """The rays at which sectors start, and the pattern of each sector."""
        # Out of step with the axes and diagonals, along which kinks like to run.
        angles = 2.0 * np.pi * (np.arange(ANGLES) + 0.381966) / ANGLES
        patterns = self.pieces.patterns(self._on_circle(place, angles))
        stretches = [
            (a, b, patterns[k], patterns[(k + 1) % ANGLES])
            for k, (a, b) in enumerate(
                zip(angles, [*angles[1:], angles[0] + 2.0 * np.pi], strict=True)
            )
            if (patterns[k] != patterns[(k + 1) % ANGLES]).any()
        ]
        changes: list[tuple[float, float, Pattern, Pattern]] = []
        while stretches:
            middles = np.array([0.5 * (a + b) for a, b, _, _ in stretches])
            between = self.pieces.patterns(self._on_circle(place, middles))
            halves: list[tuple[float, float, Pattern, Pattern]] = []
            for (a, b, one, other), middle, pattern in zip(
                stretches, middles, between, strict=True
            ):
                for half in ((a, middle, one, pattern), (middle, b, pattern, other)):
                    if (half[2] != half[3]).any():
                        (changes if half[1] - half[0] < CLOSE else halves).append(half)
            stretches = halves
        if not changes:
            return [], [patterns[0]]
        changes.sort(key=lambda change: change[0])
        rays = [self._direction(place, *change) for change in changes]
        return rays, [change[3] for change in changes]

    def _direction(self, place: Vector, a: float, b: float, one: Pattern, other: Pattern) -> Vector:
        """The direction near the angles a to b in which what changes there stays on its node."""
        middle = 0.5 * (a + b)
        margins = self.pieces.margins(one, stack(place))
        changed = np.flatnonzero(one != other)
        slopes = np.stack([margins.along_u[0, changed], margins.along_v[0, changed]], axis=1)
        steepest = slopes[np.hypot(slopes[:, 0], slopes[:, 1]).argmax()]
        length = math.hypot(*steepest)
        near = (math.cos(middle), math.sin(middle))
        if not length:
            return near
        along = (float(-steepest[1] / length), float(steepest[0] / length))
        sign = math.copysign(1.0, along[0] * near[0] + along[1] * near[1])
        return sign * along[0], sign * along[1]
