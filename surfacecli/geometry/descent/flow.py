"""The exact path of gradient flow through the cells of a slice with a squared loss.

In a cell the flow has a closed form (`closed`); it leaves through the edge that it passes first.
On a kink it crosses where the far side pulls it on, and where both sides push it back it follows
the kink: along it E is a quadratic of one variable, until a side lets go, to its lowest point or
its end. At a vertex it goes on in the direction of steepest descent (`steepest`). It ends where E
falls in no direction, and so, E being convex in every cell, on a local minimum or a stationary set;
or on the window's border.
"""

import math
from dataclasses import dataclass

import numpy as np

from surfacecli.geometry.descent.closed import Flow, first_passing
from surfacecli.geometry.descent.mesh import Mesh, Spot
from surfacecli.geometry.descent.path import End, Event, EventKind, Path
from surfacecli.geometry.descent.recognise import recognise
from surfacecli.geometry.descent.steepest import Vector, cross, dot, find_steepest

#: Drawn points are no farther apart than this, relative to the window.
SPACING = 4e-3
#: Stretches of a path at most, for each edge of the cells.
MOST = 20
#: Two sides of a cell are one straight line where the sine of their angle is below this.
STRAIGHT = 1e-9


@dataclass(frozen=True)
class _Into:
    """Through a face, from the half-edges of it that it starts on."""

    face: int
    entered: tuple[int, ...]


@dataclass(frozen=True)
class _Along:
    """Along a half-edge, from a place on it."""

    half: int


def follow_flow(mesh: Mesh, start: Vector) -> Path:
    """The path of steepest descent from a point (u, v) of the window, exactly."""
    return _Walk(mesh).go(start)


class _Walk:
    """One path while it is being made."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.spacing = SPACING * mesh.size
        self.places: list[np.ndarray] = []
        self.errors: list[np.ndarray] = []
        self.times: list[np.ndarray] = []
        self.events: list[Event] = []
        self.count, self.elapsed = 1, 0.0
        self.end: End | None = None

    def go(self, start: Vector) -> Path:
        mesh = self.mesh
        spot = mesh.locate(start)
        faces = [f for f in self._faces(spot) if f >= 0]
        self.places.append(np.array([start]))
        self.errors.append(np.array([mesh.error(faces[0], spot.place)]))
        self.times.append(np.zeros(1))
        motion = self._choose(spot, None)
        for _ in range(MOST * len(mesh.plane.label) + 1000):
            if motion is None:
                break
            before = motion
            if isinstance(motion, _Into):
                spot, motion = self._through(motion, spot)
            else:
                spot, motion = self._slide(motion, spot)
            if motion is None and self.end is None:
                motion = self._choose(spot, before)
        places = np.concatenate(self.places)
        return Path(
            "flow",
            places[:, 0],
            places[:, 1],
            np.concatenate(self.errors),
            np.concatenate(self.times),
            tuple(self.events),
            self.end or End("limit"),
            exact=True,
        )

    def _faces(self, spot: Spot) -> list[int]:
        if spot.kind == "face":
            return [spot.number]
        halves, _, _ = self.mesh.sectors(spot)
        return [int(self.mesh.plane.face[half]) for half in halves]

    def _say(self, kind: EventKind) -> None:
        self.events.append(Event(kind, self.count - 1))

    def _choose(self, spot: Spot, before: _Into | _Along | None) -> _Into | _Along | None:
        """Where the path goes on from a spot; None, with `end` set, where it does not."""
        mesh = self.mesh
        halves, sectors, closed = mesh.sectors(spot)
        if not closed and before is not None:
            self.end = End("border")
            return None
        steepest = find_steepest(sectors, closed)
        if steepest is None:
            level = all(math.hypot(*sector.gradient) <= sector.level for sector in sectors)
            if not closed and not level:  # E falls out of the window alone
                self.end = End("border")
                return None
            self.end = End("stationary", recognise(mesh, spot))
            return None
        if steepest.choices > 1:
            self._say("choice")
        if steepest.sector is not None:
            if spot.kind == "face":
                return _Into(spot.number, ())
            face = int(mesh.plane.face[halves[steepest.sector]])
            if isinstance(before, _Into) and before.face != face:
                self._say("cross")
            elif isinstance(before, _Along):
                self._say("leave")
            return _Into(face, self._touched(face, spot, halves))
        assert steepest.ray is not None
        half = halves[steepest.ray]
        if mesh.on_border(half):
            self.end = End("border")
            return None
        labels = mesh.plane.label
        if not (isinstance(before, _Along) and labels[before.half // 2] == labels[half // 2]):
            self._say("slide")
        return _Along(half)

    def _touched(self, face: int, spot: Spot, halves: list[int]) -> tuple[int, ...]:
        """The half-edges of a face that a spot lies on."""
        plane = self.mesh.plane
        if spot.kind == "edge":
            return tuple(h for h in halves if plane.face[h] == face)
        at = spot.number
        return tuple(
            h for h in self.mesh.ring(face) if at in (plane.origin[h], plane.origin[h ^ 1])
        )

    def _through(self, motion: _Into, spot: Spot) -> tuple[Spot, None]:
        """Follow the flow of a face to its end or to the border of the face."""
        mesh, place = self.mesh, spot.place
        flow = mesh.flow(motion.face, place)
        ring = mesh.ring(motion.face)
        entered = self._in_line(motion, ring)
        passing = {}
        for half in ring:
            along = mesh.unit(half)
            on_it = half in entered
            distance = 0.0 if on_it else mesh.distance(half, place)
            passing[half] = flow.passing_time((-along[1], along[0]), distance, on_it)
        soonest = min(passing.values())
        self._draw_flow(flow, soonest)
        u, v = self.places[-1][-1].tolist()
        if soonest == math.inf:
            if mesh.exact.strata.inside[motion.face]:
                self.end = End("stationary", recognise(mesh, Spot("face", motion.face, (u, v))))
                return Spot("face", motion.face, (u, v)), None
            # Nothing is stationary inside: the flow ends on the border of the cell, to rounding.
            return mesh.on_side(min(ring, key=lambda h: abs(self._beside(h, (u, v)))), (u, v)), None
        # Two sides that lie on one line are passed together: the one that the place lies on.
        nearly = [h for h in ring if passing[h] <= soonest * (1.0 + 1e-12)]
        return self._put(mesh.on_side(min(nearly, key=lambda h: self._beside(h, (u, v))), (u, v)))

    def _put(self, spot: Spot) -> tuple[Spot, None]:
        """The last point of the path put on the spot that it lies on, to the last bit."""
        self.places[-1][-1] = spot.place
        return spot, None

    def _in_line(self, motion: _Into, ring: list[int]) -> set[int]:
        """The sides of a face that a path starts on, and those on one line with one of them."""
        mesh, found = self.mesh, set(motion.entered)
        for half in motion.entered:
            along = mesh.unit(half)
            for other in ring:
                parallel = abs(cross(along, mesh.unit(other))) < STRAIGHT
                if parallel and abs(mesh.distance(half, mesh.corner(other))) <= mesh.near:
                    found.add(other)
        return found

    def _beside(self, half: int, place: Vector) -> float:
        """How far from a half-edge a place lies."""
        mesh, start, along = self.mesh, self.mesh.corner(half), self.mesh.unit(half)
        to = (place[0] - start[0], place[1] - start[1])
        at = dot(to, along)
        return math.hypot(cross(along, to), max(-at, at - mesh.length(half), 0.0))

    def _draw_flow(self, flow: Flow, end: float) -> None:
        times = flow.times_to_draw(end, self.spacing)[1:]
        self.places.append(flow.places(times))
        self.errors.append(flow.errors(times))
        self.times.append(self.elapsed + times)
        self.elapsed += end
        self.count += len(times)

    def _slide(self, motion: _Along, spot: Spot) -> tuple[Spot, _Into | None]:
        """Follow a kink: to its end, its lowest point, or where a side lets go."""
        mesh, half, place = self.mesh, motion.half, spot.place
        plane, along = mesh.plane, mesh.unit(motion.half)
        across = (-along[1], along[0])
        left, right = int(plane.face[half]), int(plane.face[half ^ 1])
        start = mesh.corner(half)
        at = dot((place[0] - start[0], place[1] - start[1]), along)
        rest = mesh.length(half) - at
        gradient, level = mesh.gradient(left, place)
        slope, bend = dot(gradient, along), _bend(mesh.hessian(left), along, along)
        events: list[tuple[float, _Into | None]] = [(rest, None)]
        dip = -slope / bend if bend > 0 and half // 2 in self._dips() else math.inf
        for face, side, sign in ((left, half, 1.0), (right, half ^ 1, -1.0)):
            gradient, level = mesh.gradient(face, place)
            push = sign * dot(gradient, across)  # towards the kink where above 0
            change = sign * _bend(mesh.hessian(face), along, across)
            if change * rest < -level:
                events.append((max(push / -change, 0.0), _Into(face, (side,))))
        reach, follows = min(events, key=lambda event: event[0])
        if dip <= reach:
            reach, follows = dip, None
        self._draw_slide(mesh.error(left, place), place, along, slope, bend, reach)
        here = (place[0] + reach * along[0], place[1] + reach * along[1])
        if dip == reach:
            number = int(np.searchsorted(mesh.exact.strata.dips, half // 2))
            u, v = mesh.exact.strata.dip_places[number].tolist()
            spot, _ = self._put(Spot("edge", half // 2, (u, v)))
            self.times[-1][-1] = self.elapsed = math.inf
            self.end = End("stationary", recognise(mesh, spot))
            return spot, None
        if follows is None:
            return self._put(mesh.at_vertex(int(plane.origin[half ^ 1])))
        self._say("leave")
        return Spot("edge", half // 2, here), follows

    def _dips(self) -> set[int]:
        return set(self.mesh.exact.strata.dips.tolist())

    def _draw_slide(
        self, error: float, place: Vector, along: Vector, slope: float, bend: float, reach: float
    ) -> None:
        flow = Flow(
            place, error, (0.0, slope), (0.0, max(bend, 0.0)), ((-along[1], along[0]), along)
        )
        end = first_passing(reach, (0.0, -slope), flow.curvatures, leaving=False)
        self._draw_flow(flow, end)


def _bend(hessian: tuple[float, float, float], one: Vector, other: Vector) -> float:
    """one^T H other."""
    uu, uv, vv = hessian
    return one[0] * (uu * other[0] + uv * other[1]) + one[1] * (uv * other[0] + vv * other[1])
