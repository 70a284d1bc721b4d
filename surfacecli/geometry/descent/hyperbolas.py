"""Gradient flow of E = f(u v) in closed form: its paths are the hyperbolas u^2 - v^2 = const.

Where E depends on p = u v alone in each quadrant (`product`), and with s = u^2 - v^2,

    u' = -v f'(p)      v' = -u f'(p)      s' = 0      z = (|u| + |v|)^2 = sqrt(s^2 + 4 p^2) + 2 |p|

and with f = a p^2 + b p + c in |p|, z' = -(a z^2 + 2 b z - a s^2), whose roots z+ > 0 > z- give

    t = 1 / (2 R) log((z - z-) / |z - z+|)      R = sqrt(b^2 + a^2 s^2)

The path falls to the p at which f is lowest, or ends on an axis that rises on both sides, or on
the window's border. On an axis E is constant, and so u^2 - v^2 is kept where one is crossed.
"""

import math

import numpy as np

from surfacecli.geometry.descent.path import End, Event, EventKind, Path
from surfacecli.geometry.descent.product import Product, Quadrant, Stretch, quadrant_sides
from surfacecli.geometry.descent.steepest import Vector
from surfacecli.geometry.slices import Window
from surfacecli.network.transfers import Array

#: A start so near to an axis or a kink, relative to the window, is on it.
ON = 1e-14
#: Drawn points are no farther apart than this, relative to the window.
SPACING = 4e-3


def follow_hyperbola(product: Product, window: Window, start: Vector) -> Path:
    """The path of gradient flow from a point (u, v) of the window, exactly."""
    return _Walk(product, window, start).go()


class _Walk:
    """One path while it is being made."""

    def __init__(self, product: Product, window: Window, start: Vector) -> None:
        self.product, self.window = product, window
        self.size = window.longer_side
        near = ON * self.size
        u, v = (0.0 if abs(x) <= near else x for x in start)
        self.place = u, v
        self.s = (u - v) * (u + v)
        self.points = [np.array([start])]
        self.errors: list[Array] = []
        self.times = [np.zeros(1)]
        self.events: list[Event] = []
        self.count, self.elapsed = 1, 0.0

    def go(self) -> Path:
        u, v = self.place
        q = abs(u * v)
        ways = self._ways(q)
        self.errors.append(np.array([self._error(q)]))
        falling = [way for way in ways if way[2] < 0.0]
        end: End | None = None
        if not falling or not (u or v):
            end = End("stationary")
        elif len(falling) > 1:
            self._say("choice")
        way = min(falling, key=lambda way: way[2]) if falling else None
        while end is None:
            assert way is not None
            end, way = self._follow(*way[:2], way[3])
        places = np.concatenate(self.points)
        return Path(
            "flow",
            places[:, 0],
            places[:, 1],
            np.concatenate(self.errors),
            np.concatenate(self.times),
            tuple(self.events),
            end,
            exact=True,
        )

    def _say(self, kind: EventKind) -> None:
        self.events.append(Event(kind, self.count - 1))

    def _error(self, q: float) -> float:
        stretch = next(way[3] for way in self._ways(q))
        return stretch.c + q * (stretch.b + q * stretch.a)

    def _quadrants(self) -> list[Quadrant]:
        """Those at the place that the window reaches."""
        u, v = self.place
        signs = [[_sign(x)] if x else [1, -1] for x in (u, v)]
        return [q for q in ((a, b) for a in signs[0] for b in signs[1]) if q in self.product]

    def _ways(self, q: float) -> list[tuple[Quadrant, int, float, Stretch]]:
        """Where one may go at the place: quadrant, whether q grows (1) or falls, dE/d that, in."""
        ways = []
        for quadrant in self._quadrants():
            for stretch in self.product[quadrant]:
                near = ON * max(q, self.size**2)
                if stretch.low - near <= q < stretch.high - near:
                    ways.append((quadrant, 1, stretch.slope(q), stretch))
                if stretch.low + near < q <= stretch.high + near:
                    ways.append((quadrant, -1, -stretch.slope(q), stretch))
        return ways

    def _follow(
        self, quadrant: Quadrant, grows: int, stretch: Stretch
    ) -> tuple[End | None, tuple[Quadrant, int, float, Stretch] | None]:
        """Follow a stretch to its lowest point, its end or the window's border."""
        q0 = abs(self.place[0] * self.place[1])
        low, high, sides = self._limits(quadrant)
        border = high if grows > 0 else low
        bound = stretch.high if grows > 0 else stretch.low
        lowest = -stretch.b / (2.0 * stretch.a) if stretch.a > 0.0 else math.inf * grows
        rest = _nearest(grows, lowest, bound, border) == lowest
        if grows * (border - q0) <= 0.0 and not (border == 0.0 == bound):
            return End("border"), None
        if rest:
            self._draw(quadrant, stretch, q0, lowest, None)
            return End("stationary"), None
        if _nearest(grows, bound, border) == border != bound:
            self._draw(quadrant, stretch, q0, border, sides[0 if grows < 0 else 1])
            return End("border"), None
        self._draw(quadrant, stretch, q0, bound, None)
        if bound == 0.0:
            if not self.s:
                return End("stationary"), None
            # Through the axis, where the other side falls off it.
            u, v = quadrant
            beyond = (u, -v) if self.s > 0.0 else (-u, v)
            ways = [way for way in self._ways(0.0) if way[0] == beyond]
            if not ways:
                return End("border"), None
        else:
            ways = [way for way in self._ways(bound) if way[1] == grows]
        way = ways[0]
        if way[2] >= 0.0:
            return End("stationary"), None
        if way[3].cell != stretch.cell:
            self._say("cross")
        return None, way

    def _limits(self, quadrant: Quadrant) -> tuple[float, float, tuple[Vector | None, Vector]]:
        """The least and the largest q of the hyperbola in the window, and the places there."""
        w, s = self.window, self.s
        (u_low, u_high), (v_low, v_high) = quadrant_sides(w, quadrant)
        # |v| where |u| is on a side, and |u| where |v| is.
        ends = []
        for a, b in ((u_low, v_low), (u_high, v_high)):
            on_u = (a, math.sqrt(max(a * a - s, 0.0)))
            on_v = (math.sqrt(max(b * b + s, 0.0)), b)
            ends.append((on_u, on_v))
        least = max(ends[0], key=lambda at: at[0] * at[1])
        most = min(ends[1], key=lambda at: at[0] * at[1])
        first, last = ((quadrant[0] * at[0], quadrant[1] * at[1]) for at in (least, most))
        return least[0] * least[1], most[0] * most[1], (first, last)

    def _draw(
        self, quadrant: Quadrant, stretch: Stretch, q0: float, q1: float, last: Vector | None
    ) -> None:
        """Add the hyperbola from q0 to q1; `last` is its end where that is known better."""
        w0, w1 = (math.sqrt(math.hypot(self.s, 2.0 * q) + 2.0 * q) for q in (q0, q1))
        count = max(math.ceil(abs(w1 - w0) / (SPACING * self.size)), 1)
        w = np.linspace(w0, w1, count + 1)[1:]
        # |u| + |v| = w and |u| - |v| = s / w.
        apart = np.divide(self.s, w, out=np.zeros_like(w), where=w > 0.0)
        u, v = 0.5 * (w + apart), 0.5 * (w - apart)
        if q1 == 0.0:
            u[-1], v[-1] = math.sqrt(max(self.s, 0.0)), math.sqrt(max(-self.s, 0.0))
        places = np.stack([quadrant[0] * u, quadrant[1] * v], axis=1) + 0.0
        if last is not None:
            places[-1] = last
        q = np.abs(places[:, 0] * places[:, 1])
        times = self.elapsed + _times(stretch, self.s, w0 * w0, w * w)
        if stretch.slope(q1) == 0.0 and last is None and q1:
            times[-1] = math.inf
        self.points.append(places)
        self.errors.append(stretch.c + q * (stretch.b + q * stretch.a))
        self.times.append(times)
        self.elapsed = float(times[-1])
        self.count += len(places)
        self.place = float(places[-1, 0]), float(places[-1, 1])


def _times(stretch: Stretch, s: float, start: float, z: Array) -> Array:
    """How long the flow takes from z = start to each z (k,)."""
    a, b = stretch.a, stretch.b
    R = math.hypot(b, a * s)
    with np.errstate(divide="ignore"):
        if a <= 0.0:
            return np.asarray(-np.log(z / start) / (2.0 * b))
        if not R:
            return np.asarray((1.0 / z - 1.0 / start) / a)
        upper = (R - b) / a if b < 0.0 else a * s * s / (R + b)
        lower = -s * s / upper if upper and s else -2.0 * max(b, 0.0) / a
        grown = np.log((z - lower) / (start - lower))
        left = np.log(np.abs((z - upper) / (start - upper)))
        return np.asarray((grown - left) / (2.0 * R))


def _nearest(grows: int, *places: float) -> float:
    """The first of some q on the way, in the direction that q takes."""
    return min(places) if grows > 0 else max(places)


def _sign(x: float) -> int:
    return 1 if x > 0.0 else -1
