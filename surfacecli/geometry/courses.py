"""The course of a valley through points that were found on it, as segments between neighbours."""

import numpy as np

from surfacecli.network.transfers import Array

Segments = tuple[tuple[tuple[float, float], tuple[float, float]], ...]

#: Of more points than this every second, third ... is taken.
MOST = 500


def trace_course(points: Array, spacing: Array, reach: float) -> Segments:
    """The shortest tree that joins points (n, 2), without segments longer than `reach`.

    Lengths are counted in grid steps `spacing` (2,). The points of a curve are joined along it.
    """
    points = np.unique(points, axis=0)
    points = points[:: -(-len(points) // MOST)] if len(points) else points
    if len(points) < 2:
        return ()
    place = points / spacing
    # Prim's algorithm: the point nearest to the tree joins it.
    nearest = np.zeros(len(place), dtype=np.intp)
    distance = np.hypot(*(place - place[0]).T)
    distance[0] = np.inf
    outside = np.ones(len(place), dtype=np.bool_)
    outside[0] = False
    segments = []
    for _ in range(len(place) - 1):
        new = int(np.where(outside, distance, np.inf).argmin())
        if distance[new] <= reach:
            a, b = points[nearest[new]], points[new]
            segments.append(((float(a[0]), float(a[1])), (float(b[0]), float(b[1]))))
        outside[new] = False
        apart = np.hypot(*(place - place[new]).T)
        closer = outside & (apart < distance)
        nearest[closer], distance[closer] = new, apart[closer]
    return tuple(segments)


def distance_to_course(course: Segments, at: tuple[float, float], spacing: Array) -> float:
    """How far a point lies from the nearest of some segments, in grid steps `spacing` (2,)."""
    ends = np.array(course) / spacing - np.array(at) / spacing
    start, along = ends[:, 0], ends[:, 1] - ends[:, 0]
    length = np.maximum((along * along).sum(axis=1), 1e-300)
    t = np.clip(-(start * along).sum(axis=1) / length, 0.0, 1.0)
    return float(np.hypot(*(start + t[:, None] * along).T).min())
