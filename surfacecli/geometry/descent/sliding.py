"""Along a kink that both sides push back to: the kink as a curve, and the flow on it.

There the flow has no choice: it goes on where E falls along the kink, until a side lets go, E rises
again, another kink is met, or the window ends.
"""

import math

import numpy as np

from surfacecli.geometry.descent.outlook import Outlook
from surfacecli.geometry.descent.path import End
from surfacecli.geometry.descent.pieces import Pattern, stack
from surfacecli.geometry.descent.steepest import Vector, dot
from surfacecli.geometry.descent.trail import Trail
from surfacecli.network.transfers import Array

#: Relative to the window: how far a step along a kink goes.
STRIDE = 0.004
#: Relative to the window: a slide has passed another kink when it is so far beyond.
BEYOND = 1e-11
#: Relative to the window: how well the end of a slide is known, and the kink itself.
ENDED = 1e-13
#: Rounds of closing in on what ends a slide.
ROUNDS = 60


def slide(trail: Trail, here: Outlook) -> None:
    """Follow the kink along the steepest ray of an outlook, until something ends it."""
    steepest = here.steepest
    assert steepest is not None
    assert steepest.ray is not None
    left = here.patterns[steepest.ray % len(here.patterns)]
    right = here.patterns[steepest.ray - 1]
    curve = KinkCurve(trail, left, right, here.place, steepest.direction)
    place, step = np.array(here.place), STRIDE * trail.size
    slope = steepest.slope
    while not trail.full:
        moved = curve.move(place, step)
        ended = moved is None or curve.ended(moved)
        if ended:
            low, high = 0.0, step
            for _ in range(ROUNDS):
                middle = 0.5 * (low + high)
                tried = curve.move(place, middle)
                if tried is None or curve.ended(tried):
                    high = middle
                else:
                    low = middle
                if high - low <= ENDED * trail.size:
                    break
            moved = curve.move(place, high)
            if moved is None:
                moved = curve.move(place, low)
        assert moved is not None
        error, new_slope = curve.along(moved)
        length = float(np.hypot(*(moved - place)))
        mean = 0.5 * abs(slope + new_slope)
        rest = new_slope >= -1e-10 * trail.lookout.scale
        time = math.inf if ended and rest else trail.times[-1] + length / max(mean, 1e-300)
        trail.add((float(moved[0]), float(moved[1])), error, time)
        place, slope = moved, new_slope
        curve.turn(place)
        if ended:
            if curve.left_window(place):
                trail.end = End("border")
            elif rest and curve.held(place):
                trail.end = End("stationary")
            return
    trail.end = End("limit")


class KinkCurve:
    """A kink as a curve, between the patterns on its left and on its right."""

    def __init__(
        self, trail: Trail, left: Pattern, right: Pattern, place: Vector, direction: Vector
    ) -> None:
        self._trail, self._pieces = trail, trail.lookout.pieces
        self.left, self.right, self.direction = left, right, direction
        self.changed = np.flatnonzero(left != right)
        at = self._pieces.margins(left, stack(place))
        slopes = np.hypot(at.along_u[0, self.changed], at.along_v[0, self.changed])
        self.unit = int(self.changed[slopes.argmax()])
        # The node between the two pieces is below the left one or above it.
        self.side = 0 if left[self.unit] > right[self.unit] else 1
        self.level = 1e-10 * trail.lookout.scale

    def _function(self, place: Array) -> tuple[float, Array]:
        """How far into the left side a place lies, in units of the pre-activation; its gradient."""
        at = self._pieces.margins(self.left, place[None])
        slope = np.array([at.along_u[0, self.unit], at.along_v[0, self.unit]])
        sign = 1.0 if self.side == 0 else -1.0
        return float(at.values[0, self.unit, self.side]), sign * slope

    def move(self, place: Array, length: float) -> Array | None:
        """The place on the kink about so far along it; None where it cannot be followed."""
        moved = place + length * np.array(self._tangent(place))
        for _ in range(20):
            value, slope = self._function(moved)
            steep = float(slope @ slope)
            if not steep:
                return None
            change = slope * (value / steep)
            moved = moved - change
            if float(np.hypot(*change)) <= ENDED * self._trail.size:
                break
        return moved if float(np.hypot(*(moved - place))) <= 2.0 * length + 1e-300 else None

    def turn(self, place: Array) -> None:
        """From now on the kink goes on from a place."""
        self.direction = self._tangent(place)

    def _tangent(self, place: Array) -> Vector:
        _, slope = self._function(place)
        length = float(np.hypot(*slope))
        if not length:
            return self.direction
        along = (float(slope[1]) / length, float(-slope[0]) / length)
        sign = math.copysign(1.0, dot(along, self.direction))
        return sign * along[0], sign * along[1]

    def along(self, place: Array) -> tuple[float, float]:
        """E at a place of the kink, and its slope along it."""
        at = self._pieces.differentiate(self.left, place[None])
        return float(at.error[0]), float(at.gradient[0] @ np.array(self._tangent(place)))

    def held(self, place: Array) -> bool:
        """Whether both sides push back to the kink."""
        _, slope = self._function(place)
        normal = slope / max(float(np.hypot(*slope)), 1e-300)
        left = float(self._pieces.differentiate(self.left, place[None]).gradient[0] @ normal)
        right = float(self._pieces.differentiate(self.right, place[None]).gradient[0] @ normal)
        return left >= -self.level and right <= self.level

    def left_window(self, place: Array) -> bool:
        w = self._trail.window
        return not (w.u0 < place[0] < w.u1 and w.v0 < place[1] < w.v1)

    def ended(self, place: Array) -> bool:
        """Whether a slide to a place has passed its end: border, lowest point, side, other kink."""
        if self.left_window(place):
            return True
        if self.along(place)[1] >= -self.level or not self.held(place):
            return True
        for pattern in (self.left, self.right):
            margins = self._pieces.margins(pattern, place[None])
            steep = np.hypot(margins.along_u[0], margins.along_v[0])
            beyond = (margins.values[0] < -BEYOND * self._trail.size * steep[:, None]).any(axis=1)
            beyond[self.changed] = False
            if beyond.any():
                return True
        return False
