"""Which of the stationary points of a slice a path has ended on."""

import math
from collections.abc import Sequence

import numpy as np

from surfacecli.geometry.descent.mesh import Mesh, Spot
from surfacecli.geometry.descent.outlook import Lookout, Outlook
from surfacecli.geometry.descent.path import End, Path
from surfacecli.geometry.descent.steepest import Vector, cross
from surfacecli.geometry.stationary import StationaryPoint, Support
from surfacecli.network.transfers import Array

#: A path has reached a point that is nearer than this, relative to the window.
REACHED = 1e-6
#: The same for paths that are integrated, or made of steps.
FOUND = 1e-5
#: Curvatures below this times the larger one are none.
FLAT = 1e-9
#: Levels of E are equal to within this times the highest of the window.
EQUAL = 1e-9


def recognise(mesh: Mesh, spot: Spot) -> StationaryPoint | None:
    """The stationary point of the exact cells that a spot is, or the set that it lies in.

    None where it is none of them, which would be a mistake somewhere.
    """
    exact = mesh.exact
    points = (*exact.points, *exact.border)
    support = {"face": "cell", "edge": "edge", "vertex": "vertex"}[spot.kind]
    single = [p for p in points if not p.is_set and p.support == support]
    nearest = min(single, key=lambda p: _apart(p, spot.place), default=None)
    if nearest is not None and _apart(nearest, spot.place) <= REACHED * mesh.size:
        return nearest
    face = spot.number if spot.kind == "face" else _beside(mesh, spot)
    error = mesh.error(face, spot.place)
    near = REACHED * mesh.size
    level = [
        p
        for p in points
        if p.is_set
        and abs(p.error - error) <= EQUAL * exact.highest[2]
        and _reaches(p, spot.place, near)
    ]
    return min(level, key=lambda p: distance_to(p, spot.place), default=None)


def name_end(path: Path, lookout: Lookout, known: Sequence[StationaryPoint]) -> End:
    """The end of a path that knows no cells: the known point next to it, or what E says there.

    A kinked end is called a minimum where E rises in all directions, to first order or, where it
    does not change to first order, by its curvature.
    """
    if path.end.reason != "stationary":
        return path.end
    place = (float(path.u[-1]), float(path.v[-1]))
    single = [p for p in known if not p.is_set]
    nearest = min(single, key=lambda p: _apart(p, place), default=None)
    if nearest is not None and _apart(nearest, place) <= FOUND * lookout.size:
        return End("stationary", nearest)
    here = lookout.look(place)
    scale = max(abs(float(path.error[0])), abs(here.error))
    for point in known:
        level = point.is_set and abs(point.error - here.error) <= FOUND * scale
        if level and _reaches(point, place, FOUND * lookout.size, bent=True):
            return End("stationary", point)
    smooth = len(here.sectors) == 1
    values, vectors = np.linalg.eigh(here.hessians[0])
    if smooth:
        # At rest to rounding: what a step of Newton would still add is next to nothing.
        if values[0] <= FLAT * abs(values[1]):
            return path.end
        missing = (vectors.T @ np.array(here.sectors[0].gradient)) / values
        if float(np.hypot(*missing)) > FOUND * lookout.size:
            return path.end
    elif here.steepest is not None or not _rises(here):
        return path.end
    support: Support = "cell" if smooth else "edge" if len(here.sectors) == 2 else "vertex"
    point = StationaryPoint(
        *place,
        here.error,
        "minimum",
        support,
        smooth=smooth,
        index=1,
        eigenvalues=(float(values[0]), float(values[1])) if smooth else None,
    )
    return End("stationary", point)


def _rises(here: Outlook) -> bool:
    """Whether E rises in all directions from a place on a kink where it falls in none."""
    for sector, hessian in zip(here.sectors, here.hessians, strict=True):
        values, vectors = np.linalg.eigh(hessian)
        assert sector.start is not None
        assert sector.end is not None
        axes = [(float(x), float(y)) for x, y in (*vectors.T, *-vectors.T)]
        directions = (sector.start, sector.end, *axes)
        for x, y in directions:
            along = np.array([x, y])
            if cross(sector.start, (x, y)) < -FLAT or cross((x, y), sector.end) < -FLAT:
                continue
            slope = float(np.dot(sector.gradient, along))
            if slope <= sector.level and along @ hessian @ along <= FLAT * abs(values[1]):
                return False
    return True


def _beside(mesh: Mesh, spot: Spot) -> int:
    halves, _, _ = mesh.sectors(spot)
    return max(int(mesh.plane.face[half]) for half in halves)


def _apart(point: StationaryPoint, place: Vector) -> float:
    return math.hypot(point.u - place[0], point.v - place[1])


def _reaches(point: StationaryPoint, place: Vector, near: float, bent: bool = False) -> bool:
    """Whether a place with the level of a set lies on it: on a valley, or in a plateau's extent.

    `bent`: the outline of a valley may be chords of a curve, which bows out between their ends.
    """
    if point.support == "valley" and point.outline:
        return bool((_distances(point, place) <= near + (_bows(point) if bent else 0.0)).any())
    u0, u1, v0, v1 = point.extent or (point.u, point.u, point.v, point.v)
    return u0 - near <= place[0] <= u1 + near and v0 - near <= place[1] <= v1 + near


def distance_to(point: StationaryPoint, place: Vector) -> float:
    """How far a place is from a set's outline, or from its one point."""
    return float(_distances(point, place).min()) if point.outline else _apart(point, place)


def _distances(point: StationaryPoint, place: Vector) -> Array:
    """How far a place is from each segment of an outline."""
    a, b = np.array(point.outline).swapaxes(0, 1)
    along, to = b - a, np.array(place) - a
    length = np.maximum(np.square(along).sum(axis=1), np.finfo(np.float64).tiny)
    at = np.clip((along * to).sum(axis=1) / length, 0.0, 1.0)
    return np.asarray(np.hypot(*(to - at[:, None] * along).T))


def _bows(point: StationaryPoint) -> Array:
    """How far a curve may be from each of its chords, by how these turn: L angle / 8, doubled."""
    a, b = np.array(point.outline).swapaxes(0, 1)
    along = b - a
    one, other = along[:-1], along[1:]
    turn = np.arctan2(
        np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]), (one * other).sum(axis=1)
    )
    turn = np.where((b[:-1] == a[1:]).all(axis=1), turn, 0.0)
    most = np.maximum(np.append(turn, 0.0), np.append(0.0, turn))
    return np.asarray(np.hypot(*along.T) * most / 4.0)
