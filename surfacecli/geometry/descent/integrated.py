"""The path of gradient flow by integration: other losses, several layers, smooth nets.

Between kinks E is followed with every unit kept on its piece (`pieces`), by steps that are exact
for a quadratic (`exponential`). Where a unit leaves its piece within a step, the step is shortened
until it ends on the kink. A kink that both sides push back to is followed as a curve, for the flow
has no choice there; what it does on a kink is decided as on exact cells (`steepest`).
"""

import math

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.descent.exponential import exponential_step
from surfacecli.geometry.descent.outlook import Lookout, Outlook
from surfacecli.geometry.descent.path import End, Event, EventKind, Path
from surfacecli.geometry.descent.pieces import Pattern, stack
from surfacecli.geometry.descent.steepest import Vector, dot
from surfacecli.geometry.roots import find_roots
from surfacecli.geometry.slices import Window
from surfacecli.geometry.surface import Derivatives
from surfacecli.network.transfers import Array

Flags = NDArray[np.bool_]

#: Relative to the window: how far a step may be off, how far it goes at most, and along a kink.
ACCURACY, STRIDE, STRIDE_ON_KINK = 1e-8, 0.01, 0.004
#: A lowest point nearer than this, relative to the window, is reached by one step of Newton.
CLOSE = 1e-7
#: Steps of a path at most.
MOST = 4000
#: Of a step, the share in which a unit that starts on its node cannot have come back to it.
START = 1e-3
#: Relative to the step: a unit that starts so near to its node starts on it.
NEAR = 1e-8
#: Relative to the window: a slide has passed another kink when it is so far beyond.
BEYOND = 1e-11
#: A kink is met when the time of it is known to within this share of the step.
MET = 1e-12
#: Relative to the window: how well the end of a slide is known, and the kink itself.
ENDED = 1e-13
#: Rounds of closing in on a kink or on what ends a slide.
ROUNDS = 60


class Integration:
    """One path while it is being made."""

    def __init__(self, lookout: Lookout, window: Window) -> None:
        self.lookout, self.window, self.size = lookout, window, lookout.size
        self.places: list[Vector] = []
        self.errors: list[float] = []
        self.times: list[float] = []
        self.events: list[Event] = []
        self.end: End | None = None
        self.pattern: Pattern | None = None  # of the piece the path comes from
        self.sliding = False

    def go(self, start: Vector) -> Path:
        """The path from a start inside the window."""
        here = self.lookout.look(start)
        self._add(start, here.error, 0.0)
        while self.end is None and len(self.places) < MOST:
            if here.steepest is None:
                self.end = End("stationary")
                break
            if self._leaves(here.place, here.steepest.direction):
                self.end = End("border")
                break
            if here.steepest.choices > 1:
                self._say("choice")
            if here.steepest.sector is None:
                self._slide(here)
            else:
                pattern = here.patterns[here.steepest.sector]
                if self.sliding:
                    self._say("leave")
                elif self.pattern is not None and (pattern != self.pattern).any():
                    self._say("cross")
                self.sliding = False
                self._through(here.place, pattern)
            if self.end is None:
                here = self.lookout.look(self.places[-1])
        u, v = np.array(self.places).T
        return Path(
            "flow",
            u,
            v,
            np.array(self.errors),
            np.array(self.times),
            tuple(self.events),
            self.end or End("limit"),
            exact=False,
        )

    def _say(self, kind: EventKind) -> None:
        self.events.append(Event(kind, len(self.places) - 1))

    def _add(self, place: Vector, error: float, time: float) -> None:
        self.places.append(place)
        self.errors.append(error)
        self.times.append(time)

    def _leaves(self, place: Vector, direction: Vector) -> bool:
        """Whether a direction leads out of the window from a place on its border."""
        w, near = self.window, 1e-12 * self.size
        return (
            (place[0] <= w.u0 + near and direction[0] < 0)
            or (place[0] >= w.u1 - near and direction[0] > 0)
            or (place[1] <= w.v0 + near and direction[1] < 0)
            or (place[1] >= w.v1 - near and direction[1] > 0)
        )

    # Between kinks

    def _at(self, pattern: Pattern, place: Array) -> Derivatives:
        return self.lookout.pieces.differentiate(pattern, place[None])

    def _rooms(self, pattern: Pattern, places: Array, velocities: Array) -> tuple[Array, Array]:
        """How far units and the window's sides leave room at places (k, 2), (k, m); its change."""
        margins = self.lookout.pieces.margins(pattern, places)
        change = margins.along_u * velocities[:, :1] + margins.along_v * velocities[:, 1:]
        w = self.window
        u, v = places.T
        x, y = velocities.T
        sides = np.stack([u - w.u0, w.u1 - u, v - w.v0, w.v1 - v], axis=1)
        rooms = np.concatenate([sides, margins.values[..., 0], margins.values[..., 1]], axis=1)
        return rooms, np.concatenate([np.stack([x, -x, y, -y], axis=1), change, -change], axis=1)

    def _through(self, start: Vector, pattern: Pattern) -> None:
        """Follow the flow on one pattern to the first kink, to rest, or to the window's border."""
        self.pattern = pattern
        place = np.array(start)
        at = self._at(pattern, place)
        time = self.times[-1]
        steepness = float(np.hypot(*at.gradient[0]))
        h = STRIDE * self.size / max(steepness, 1e-300)
        fresh = True
        while len(self.places) < MOST:
            gradient, hessian = at.gradient[0], at.hessian[0]
            if float(np.hypot(*gradient)) <= 1e-10 * self.lookout.scale:
                self.end = End("stationary")
                return
            curvatures = np.linalg.eigvalsh(hessian)
            last = self._last_step(pattern, place, gradient, hessian)
            if last is not None:
                error = min(self._error(pattern, last), self.errors[-1])
                self._add((float(last[0]), float(last[1])), error, math.inf)
                self.end = End("stationary")
                return
            if curvatures[0] < 0:
                h = min(h, 2.0 / -curvatures[0])

            def gradient_at(y: Array, pattern: Pattern = pattern) -> Array:
                return np.asarray(self._at(pattern, y).gradient[0])

            moved, off = exponential_step(place, gradient, hessian, gradient_at, h)
            length = float(np.hypot(*(moved - place)))
            tolerance = ACCURACY * self.size
            if off > tolerance or length > 1.5 * STRIDE * self.size:
                h *= min(max(0.8 * (tolerance / max(off, 1e-300)) ** 0.25, 0.1), 0.5)
                continue
            after = self._at(pattern, moved)
            met = self._first_met(pattern, place, gradient, moved, after.gradient[0], h, fresh)
            if met is not None:
                number, share = met
                h, moved = self._close_in(pattern, place, gradient, hessian, h, number, share)
                after = self._at(pattern, moved)
            fresh = False
            time += h
            if met is None and not after.error[0] < self.errors[-1]:
                # Nothing is left of E to lose: the path has come to rest, to rounding.
                self.end = End("stationary")
                return
            self._add((float(moved[0]), float(moved[1])), float(after.error[0]), time)
            if met is not None:
                if met[0] < 4:
                    self.end = End("border")
                return
            place, at = moved, after
            growth = 0.8 * (tolerance / max(off, 1e-300)) ** 0.25
            reach = STRIDE * self.size / max(length, 1e-300)
            h *= min(max(min(growth, reach), 0.2), 4.0)
        self.end = End("limit")

    def _error(self, pattern: Pattern, place: Array) -> float:
        return float(self._at(pattern, place).error[0])

    def _last_step(
        self, pattern: Pattern, place: Array, gradient: Array, hessian: Array
    ) -> Array | None:
        """The lowest point next to a place, where there is one on the same piece."""
        values, vectors = np.linalg.eigh(hessian)
        if values[0] <= 1e-10 * values[1] or values[1] <= 0:
            return None
        step = -vectors @ ((vectors.T @ gradient) / values)
        if float(np.hypot(*step)) > CLOSE * self.size:
            return None
        rooms, _ = self._rooms(pattern, (place + step)[None], step[None])
        return np.asarray(place + step) if (rooms >= 0).all() else None

    def _first_met(
        self,
        pattern: Pattern,
        place: Array,
        gradient: Array,
        moved: Array,
        gradient_there: Array,
        h: float,
        fresh: bool,
    ) -> tuple[int, float] | None:
        """Which room is used up first within a step, and at what share of it; None if none is.

        A room is taken as a cubic in time, from its values and its changes at both ends.
        """
        rooms, change = self._rooms(
            pattern, np.stack([place, moved]), -np.stack([gradient, gradient_there])
        )
        # Where all four control points of the cubic are above 0, so is the cubic.
        inner = rooms + h * change * np.array([[1.0], [-1.0]]) / 3.0
        low = np.isfinite(rooms[0]) & ((rooms <= 0.0) | (inner <= 0.0)).any(axis=0)
        near = np.flatnonzero(low)
        if not len(near):
            return None
        (p0, p1), (m0, m1) = rooms[:, near], h * change[:, near]
        started = np.zeros(len(near), dtype=np.bool_)
        if fresh:
            started = np.abs(p0) <= START * np.abs(m0) + NEAR * np.abs(p1)
            p0 = np.where(started, 0.0, p0)
        cubic = np.stack([p0, m0, 3 * (p1 - p0) - 2 * m0 - m1, 2 * (p0 - p1) + m0 + m1])
        lower = np.where(started, START, 0.0)
        # What is outside at the end has been passed, whatever the cubic says.
        shares = find_roots(cubic, lower, np.ones(len(near)))
        falling = cubic[1] + shares * (2 * cubic[2] + 3 * shares * cubic[3]) < 0
        first = np.nanmin(np.where(falling, shares, np.inf), axis=0, initial=np.inf)
        first = np.where((p1 < 0) & ~np.isfinite(first), np.where(started, START, 1.0), first)
        if not np.isfinite(first).any():
            return None
        k = int(first.argmin())
        return int(near[k]), float(first[k])

    def _close_in(
        self,
        pattern: Pattern,
        place: Array,
        gradient: Array,
        hessian: Array,
        h: float,
        number: int,
        share: float,
    ) -> tuple[float, Array]:
        """The time and the place at which a room is used up, by Newton's iteration."""

        def room(time: float) -> tuple[Array, float, float]:
            moved, _ = exponential_step(
                place, gradient, hessian, lambda y: self._at(pattern, y).gradient[0], time
            )
            rooms, change = self._rooms(pattern, moved[None], -self._at(pattern, moved).gradient)
            return moved, float(rooms[0, number]), float(change[0, number])

        time = share * h
        moved, value, change = room(time)
        for _ in range(ROUNDS):
            if not change:
                break
            following = min(max(time - value / change, 0.0), h)
            if abs(following - time) <= MET * h:
                break
            time = following
            moved, value, change = room(time)
        if number < 4:  # on the border to the last bit
            w = self.window
            moved[number // 2] = (w.u0, w.u1, w.v0, w.v1)[number]
        return time, moved

    # On a kink

    def _slide(self, here: Outlook) -> None:
        """Follow the kink along the steepest ray of an outlook, until something ends it."""
        steepest = here.steepest
        assert steepest is not None
        assert steepest.ray is not None
        left = here.patterns[steepest.ray % len(here.patterns)]
        right = here.patterns[steepest.ray - 1]
        if not self.sliding:
            self._say("slide")
        self.sliding, self.pattern = True, None
        curve = _Kink(self, left, right, here.place, steepest.direction)
        place, step = np.array(here.place), STRIDE_ON_KINK * self.size
        slope = steepest.slope
        while len(self.places) < MOST:
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
                    if high - low <= ENDED * self.size:
                        break
                moved = curve.move(place, high)
                if moved is None:
                    moved = curve.move(place, low)
            assert moved is not None
            error, new_slope = curve.along(moved)
            length = float(np.hypot(*(moved - place)))
            mean = 0.5 * abs(slope + new_slope)
            rest = new_slope >= -1e-10 * self.lookout.scale
            time = math.inf if ended and rest else self.times[-1] + length / max(mean, 1e-300)
            self._add((float(moved[0]), float(moved[1])), error, time)
            place, slope = moved, new_slope
            curve.turn(place)
            if ended:
                if curve.left_window(place):
                    self.end = End("border")
                elif rest and curve.held(place):
                    self.end = End("stationary")
                return
        self.end = End("limit")


class _Kink:
    """A kink as a curve, between the patterns on its left and on its right."""

    def __init__(
        self, path: Integration, left: Pattern, right: Pattern, place: Vector, direction: Vector
    ) -> None:
        self._path, self._pieces = path, path.lookout.pieces
        self.left, self.right, self.direction = left, right, direction
        self.changed = np.flatnonzero(left != right)
        at = self._pieces.margins(left, stack(place))
        slopes = np.hypot(at.along_u[0, self.changed], at.along_v[0, self.changed])
        self.unit = int(self.changed[slopes.argmax()])
        # The node between the two pieces is below the left one or above it.
        self.side = 0 if left[self.unit] > right[self.unit] else 1
        self.level = 1e-10 * path.lookout.scale

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
            if float(np.hypot(*change)) <= ENDED * self._path.size:
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
        w = self._path.window
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
            beyond = (margins.values[0] < -BEYOND * self._path.size * steep[:, None]).any(axis=1)
            beyond[self.changed] = False
            if beyond.any():
                return True
        return False
