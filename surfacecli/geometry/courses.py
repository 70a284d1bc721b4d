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
