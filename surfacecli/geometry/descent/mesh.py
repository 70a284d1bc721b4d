"""Where in the exact cells a place lies, and what is around it: sectors with E's gradient in each.

A spot is a place in a face, on an edge or on a vertex; which of them is known from how the place
was reached, not read off its coordinates. Half-edges are those of the subdivision: h and h ^ 1 are
the two sides of edge h // 2, each has its face to its left.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from surfacecli.geometry.descent.closed import Flow, start_flow
from surfacecli.geometry.descent.steepest import Sector, Vector, cross, dot
from surfacecli.geometry.exact.interiors import depth_inside
from surfacecli.geometry.exact.lookup import Lookup
from surfacecli.geometry.exact.points import Exact
from surfacecli.geometry.exact.squares import LEVEL, Quadratics

#: A place nearer to a kink than this, relative to the window, lies on it.
ON_KINK = 1e-12


@dataclass(frozen=True)
class Spot:
    """A place and the face, the edge or the vertex that it lies on, by number."""

    kind: Literal["face", "edge", "vertex"]
    number: int
    place: Vector


class Mesh:
    """The cells of a slice, looked up one at a time. Raises `ValueError` unless E is quadratic."""

    def __init__(self, exact: Exact) -> None:
        if not isinstance(exact.errors, Quadratics):
            raise ValueError("the flow has a closed form only where E is a quadratic in each cell")
        self.exact, self.plane, self.errors = exact, exact.cells.plane, exact.errors
        window = exact.cells.window
        self.size = window.longer_side
        self.near = ON_KINK * self.size
        self._origins = Lookup(self.plane.origin)
        start = self.plane.place[self.plane.origin]
        along = start.reshape(-1, 2, 2)[:, ::-1].reshape(-1, 2) - start
        length = np.hypot(along[:, 0], along[:, 1])
        self._start: list[Vector] = [(u, v) for u, v in start.tolist()]
        self._unit: list[Vector] = [(x, y) for x, y in (along / length[:, None]).tolist()]
        self._length: list[float] = length.tolist()

    def locate(self, place: Vector) -> Spot:
        """The spot of a place of the window."""
        every = np.arange(len(self.exact.cells))
        depth = depth_inside(self.exact.cells, every, np.tile(np.array(place), (len(every), 1)))
        face = int(depth.argmax())
        beside = [h for h in self.ring(face) if abs(self.distance(h, place)) <= self.near]
        return self.on_side(beside[0], place) if beside else Spot("face", face, place)

    def on_side(self, half: int, place: Vector) -> Spot:
        """The spot of a place on a half-edge, put on it: its end where that is all but there."""
        start, along = self.corner(half), self.unit(half)
        at = dot((place[0] - start[0], place[1] - start[1]), along)
        length = self.length(half)
        if at <= self.near and at <= 0.5 * length:
            return self.at_vertex(int(self.plane.origin[half]))
        if at >= length - self.near:
            return self.at_vertex(int(self.plane.origin[half ^ 1]))
        return Spot("edge", half // 2, (start[0] + at * along[0], start[1] + at * along[1]))

    def at_vertex(self, vertex: int) -> Spot:
        u, v = self.plane.place[vertex].tolist()
        return Spot("vertex", vertex, (u, v))

    # Half-edges

    def ring(self, face: int) -> list[int]:
        """The half-edges of a face, counter-clockwise."""
        start = here = int(self.plane.side[face])
        found = [start]
        while (here := int(self.plane.after[here])) != start:
            found.append(here)
        return found

    def leaving(self, vertex: int) -> tuple[list[int], bool]:
        """The half-edges from a vertex, counter-clockwise, and whether they go all round.

        On the window's border they go from the first with a face to its left to the last without.
        """
        members, _ = self._origins.of(np.array([vertex]))
        outer = [int(h) for h in members if self.plane.face[h ^ 1] < 0]
        start = here = outer[0] if outer else int(members[0])
        found = [start]
        while self.plane.face[here] >= 0:
            here = int(self.plane.before[here]) ^ 1
            if here == start:
                return found, True
            found.append(here)
        return found, False

    def corner(self, half: int) -> Vector:
        """Where a half-edge starts."""
        return self._start[half]

    def length(self, half: int) -> float:
        return self._length[half]

    def unit(self, half: int) -> Vector:
        """The direction of a half-edge."""
        return self._unit[half]

    def distance(self, half: int, place: Vector) -> float:
        """How far to the left of a half-edge a place lies."""
        start = self.corner(half)
        return cross(self.unit(half), (place[0] - start[0], place[1] - start[1]))

    def on_border(self, half: int) -> bool:
        """Whether an edge lies on the window's border."""
        return bool(self.plane.face[half] < 0 or self.plane.face[half ^ 1] < 0)

    # E

    def error(self, face: int, place: Vector) -> float:
        return float(self.errors.value(np.array([face]), np.array([place]))[0])

    def gradient(self, face: int, place: Vector) -> tuple[Vector, float]:
        """E's gradient in a face, and the slope below which it is rounding."""
        gradient, size = self.errors.gradient(np.array([face]), np.array([place]))
        return (float(gradient[0, 0]), float(gradient[0, 1])), LEVEL * float(size[0])

    def hessian(self, face: int) -> tuple[float, float, float]:
        """E's Hessian in a face: uu, uv, vv."""
        uu, uv, vv = self.errors.coefficients[face, 3:].tolist()
        return 2.0 * uu, uv, 2.0 * vv

    def flow(self, face: int, place: Vector) -> Flow:
        """The flow of a face from a place. Through a valley it runs straight across."""
        gradient, _ = self.gradient(face, place)
        flow = start_flow(place, self.error(face, place), gradient, self.hessian(face))
        if self.exact.strata.inside[face] == -1:
            return Flow(
                place, flow.error, (0.0, flow.pull[1]), (0.0, flow.curvatures[1]), flow.axes
            )
        return flow

    def sectors(self, spot: Spot) -> tuple[list[int], list[Sector], bool]:
        """The half-edges that start at a spot, the sectors from each to the next, if they close.

        On an edge the half-edges are its two sides; in a face there are none, and one sector.
        """
        if spot.kind == "face":
            return [], [Sector(None, None, *self.gradient(spot.number, spot.place))], True
        if spot.kind == "vertex":
            halves, closed = self.leaving(spot.number)
        else:
            halves = [2 * spot.number, 2 * spot.number + 1]
            closed = not self.on_border(halves[0])
            if self.plane.face[halves[0]] < 0:
                halves.reverse()
        rays = [self.unit(half) for half in halves]
        if closed:
            rays.append(rays[0])
        faces = self.plane.face[halves].tolist()
        return (
            halves,
            [
                Sector(rays[k], rays[k + 1], *self.gradient(face, spot.place))
                for k, face in enumerate(faces)
                if face >= 0
            ],
            closed,
        )
