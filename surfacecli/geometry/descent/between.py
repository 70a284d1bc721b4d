"""Between kinks: the flow with every unit kept on its piece, to the first kink, to rest, or out.

Steps are exact for a quadratic (`exponential`). Where a unit leaves its piece within a step, the
step is shortened until it ends on the kink (`rooms`).
"""

import math

import numpy as np

from surfacecli.geometry.descent.exponential import exponential_step
from surfacecli.geometry.descent.path import End
from surfacecli.geometry.descent.pieces import Pattern
from surfacecli.geometry.descent.rooms import SIDES, Rooms
from surfacecli.geometry.descent.steepest import Vector
from surfacecli.geometry.descent.trail import Trail
from surfacecli.geometry.surface import Derivatives
from surfacecli.network.transfers import Array

#: Relative to the window: how far a step may be off, and how far it goes at most.
ACCURACY, STRIDE = 1e-8, 0.01
#: A lowest point nearer than this, relative to the window, is reached by one step of Newton.
CLOSE = 1e-7


def follow_pattern(trail: Trail, start: Vector, pattern: Pattern) -> None:
    """Follow the flow on one pattern to the first kink, to rest, or to the window's border."""
    pieces, lookout, size = trail.lookout.pieces, trail.lookout, trail.size
    rooms = Rooms(pieces, trail.window, pattern)

    def look(place: Array) -> Derivatives:
        return pieces.differentiate(pattern, place[None])

    place = np.array(start)
    at = look(place)
    time = trail.times[-1]
    steepness = float(np.hypot(*at.gradient[0]))
    h = STRIDE * size / max(steepness, 1e-300)
    fresh = True
    while not trail.full:
        gradient, hessian = at.gradient[0], at.hessian[0]
        if float(np.hypot(*gradient)) <= 1e-10 * lookout.scale:
            trail.end = End("stationary")
            return
        curvatures = np.linalg.eigvalsh(hessian)
        last = _last_step(rooms, size, place, gradient, hessian)
        if last is not None:
            error = min(float(look(last).error[0]), trail.errors[-1])
            trail.add((float(last[0]), float(last[1])), error, math.inf)
            trail.end = End("stationary")
            return
        if curvatures[0] < 0:
            h = min(h, 2.0 / -curvatures[0])
        moved, off = exponential_step(place, gradient, hessian, rooms.gradient, h)
        length = float(np.hypot(*(moved - place)))
        tolerance = ACCURACY * size
        if off > tolerance or length > 1.5 * STRIDE * size:
            h *= min(max(0.8 * (tolerance / max(off, 1e-300)) ** 0.25, 0.1), 0.5)
            continue
        after = look(moved)
        met = rooms.first_met(place, gradient, moved, after.gradient[0], h, fresh)
        if met is not None:
            number, share = met
            h, moved = rooms.close_in(place, gradient, hessian, h, number, share)
            after = look(moved)
        fresh = False
        time += h
        if met is None and not after.error[0] < trail.errors[-1]:
            # Nothing is left of E to lose: the path has come to rest, to rounding.
            trail.end = End("stationary")
            return
        trail.add((float(moved[0]), float(moved[1])), float(after.error[0]), time)
        if met is not None:
            if met[0] < SIDES:
                trail.end = End("border")
            return
        place, at = moved, after
        growth = 0.8 * (tolerance / max(off, 1e-300)) ** 0.25
        reach = STRIDE * size / max(length, 1e-300)
        h *= min(max(min(growth, reach), 0.2), 4.0)
    trail.end = End("limit")


def _last_step(
    rooms: Rooms, size: float, place: Array, gradient: Array, hessian: Array
) -> Array | None:
    """The lowest point next to a place, where there is one on the same piece."""
    values, vectors = np.linalg.eigh(hessian)
    if values[0] <= 1e-10 * values[1] or values[1] <= 0:
        return None
    step = -vectors @ ((vectors.T @ gradient) / values)
    if float(np.hypot(*step)) > CLOSE * size:
        return None
    left, _ = rooms.at((place + step)[None], step[None])
    return np.asarray(place + step) if (left >= 0).all() else None
