"""Gradient flow in a convex quadratic, in closed form, and when it passes a straight line.

x' = -grad E from x0, with g the gradient there and H = sum l_i e_i e_i^T the Hessian, l_i >= 0:

    x(t) = x0 - sum_i (g . e_i) phi(l_i, t) e_i       phi(l, t) = (1 - exp(-l t)) / l, t where l = 0
    E(t) = E(x0) - sum_i (g . e_i)^2 phi(2 l_i, t)

The distance to a line is then d - A phi(l_1, t) - B phi(l_2, t). Its derivative has one zero at
most, so on either side of that it is monotone, and no passing is missed.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from surfacecli.geometry.descent.steepest import Vector, dot
from surfacecli.network.transfers import Array

Function = Callable[[float], float]

#: A curvature below this times the larger one is rounding.
FLAT = 1e-14
#: Drawn points of one stretch at most, along each axis.
MOST = 400
HALVINGS = 200
#: A line that is not passed by then is not passed.
LONGEST = 1e280


@dataclass(frozen=True)
class Flow:
    """The flow from a place: `error` and E's gradient there in the eigenvectors `axes`, both (2,).

    `curvatures` (2,): the eigenvalues that belong to them, none below 0.
    """

    place: Vector
    error: float
    pull: Vector
    curvatures: Vector
    axes: tuple[Vector, Vector]

    def places(self, times: Array) -> Array:
        """Where the flow is at times (k,), as (k, 2); times may be infinite where it converges."""
        result = np.tile(np.array(self.place), (len(times), 1))
        for g, curvature, axis in zip(self.pull, self.curvatures, self.axes, strict=True):
            if g:
                result -= np.outer(g * _phi(curvature, times), axis)
        return result

    def errors(self, times: Array) -> Array:
        """E at times (k,), (k,)."""
        lost = np.zeros(len(times))
        for g, curvature in zip(self.pull, self.curvatures, strict=True):
            if g:
                lost += g * g * _phi(2.0 * curvature, times)
        return np.asarray(self.error - lost)

    def passing_time(self, normal: Vector, distance: float, leaving: bool = False) -> float:
        """When the flow passes a line from the side of `normal`, `distance` before it; or infinity.

        `leaving`: it starts on the line and goes off it; only a return counts.
        """
        (a, b), (l1, l2) = (
            [dot(normal, axis) * g for axis, g in zip(self.axes, self.pull, strict=True)],
            self.curvatures,
        )
        return first_passing(max(distance, 0.0), (a, b), (l1, l2), leaving)

    def times_to_draw(self, end: float, spacing: float) -> Array:
        """Times from 0 to `end` between which neither eigenvector is followed beyond `spacing`."""
        parts = [np.array([0.0, end])]
        for g, curvature in zip(self.pull, self.curvatures, strict=True):
            if not g:
                continue
            whole = float(_phi(curvature, np.array([end]))[0])
            count = int(min(math.ceil(abs(g) * whole / spacing), MOST))
            share = whole * np.arange(1, count) / max(count, 1)
            parts.append(-np.log1p(-curvature * share) / curvature if curvature else share)
        times = np.unique(np.concatenate(parts))
        return times[times <= end]


def start_flow(
    place: Vector, error: float, gradient: Vector, hessian: tuple[float, float, float]
) -> Flow:
    """The flow from a place with E, its gradient and its Hessian (uu, uv, vv) there."""
    uu, uv, vv = hessian
    mean, half = 0.5 * (uu + vv), math.hypot(0.5 * (uu - vv), uv)
    larger, smaller = mean + half, mean - half
    angle = 0.5 * math.atan2(2.0 * uv, uu - vv)
    axis = (math.cos(angle), math.sin(angle))
    other = (-axis[1], axis[0])
    return Flow(
        place,
        error,
        (dot(gradient, other), dot(gradient, axis)),
        (smaller if smaller > FLAT * larger else 0.0, max(larger, 0.0)),
        (other, axis),
    )


def first_passing(distance: float, rates: Vector, curvatures: Vector, leaving: bool) -> float:
    """The first t > 0 at which f(t) = d - A phi(l1, t) - B phi(l2, t) falls below 0, or infinity.

    d >= 0. `leaving`: d is 0, and f falling from there is rounding.
    """
    (a, b), (l1, l2) = rates, curvatures

    def f(t: float) -> float:
        return distance - a * phi(l1, t) - b * phi(l2, t)

    def slope(t: float) -> float:
        return -a * math.exp(-l1 * t) - b * math.exp(-l2 * t)

    # A exp(-l1 t) + B exp(-l2 t) = 0, where l1 <= l2.
    turn = math.inf
    if a * b < 0.0 and l2 > l1 and abs(b) > abs(a):
        turn = math.log(-b / a) / (l2 - l1)
    limit = distance
    for rate, curvature in ((a, l1), (b, l2)):
        if rate:
            limit -= rate / curvature if curvature else math.copysign(math.inf, rate)
    # Not sooner than with all of both rates from the first to the last.
    soonest = distance / (abs(a) + abs(b)) if a or b else math.inf
    falls_first = a + b > 0.0 or (a + b == 0.0 and b < 0.0)
    if falls_first and distance == 0.0 and not leaving:
        return 0.0
    if falls_first:
        return math.inf if leaving else _falling_root(f, slope, 0.0, turn, limit, soonest)
    return math.inf if turn == math.inf else _falling_root(f, slope, turn, math.inf, limit, soonest)


def _falling_root(
    f: Function, slope: Function, low: float, high: float, limit: float, soonest: float
) -> float:
    """The root of a function that falls from `low`, where it is >= 0, to `high`; or infinity.

    `limit` is its value at infinity; Newton's iteration, kept between the bounds.
    """
    if high == math.inf:
        if limit >= 0.0:
            return math.inf
        low = max(low, soonest)
        high = 2.0 * low
        while f(high) >= 0.0:
            if not 0.0 < high < LONGEST:
                return low if high == 0.0 else math.inf
            low, high = high, 4.0 * high
    elif f(high) >= 0.0:
        return math.inf
    t = 0.5 * (low + high)
    for _ in range(HALVINGS):
        value, rate = f(t), slope(t)
        low, high = (low, t) if value < 0.0 else (t, high)
        before = t
        t = t - value / rate if rate else math.nan
        if not low < t < high:
            t = 0.5 * (low + high)
        if abs(t - before) <= 2e-16 * t:
            break
    return t


def phi(curvature: float, time: float) -> float:
    """(1 - exp(-l t)) / l, and t where l = 0."""
    return -math.expm1(-curvature * time) / curvature if curvature else time


def _phi(curvature: float, times: Array) -> Array:
    return np.asarray(-np.expm1(-curvature * times) / curvature if curvature else times)
