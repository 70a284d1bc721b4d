"""What lies on the border of the window: all that the audit counts, and the highest places."""

import numpy as np

from surfacecli.geometry.rims import Lines, Rim, walk_rim, whole
from surfacecli.geometry.stationary import PointKind, StationaryPoint
from surfacecli.geometry.surface import evaluate

#: Ends of constant stretches nearer than this, relative to the window, are one.
SAME = 1e-8


def find_border_points(lines: Lines) -> tuple[StationaryPoint, ...]:
    """Points of the border whose index is not 0, and maxima of what lies inside; sorted by error.

    Constant stretches of the border, with the points at their ends, are one entry each.
    """
    rim = walk_rim(lines, whole(lines.sides), kinds=True)
    error = evaluate(lines.sides.slice, rim.places[:, 0], rim.places[:, 1])
    group = _groups(lines, rim)
    found = []
    for number in np.unique(group):
        mine = np.flatnonzero(group == number)
        index = int(rim.index[mine].sum())
        rises, falls = bool(rim.rises[mine].any()), bool(rim.falls[mine].any())
        if not index and rises:
            continue
        kind: PointKind = "saddle" if rises and falls else "maximum" if falls else "minimum"
        flat = rim.flat[mine[rim.flat[mine] >= 0]]
        at = mine[0] if not len(flat) else int(np.flatnonzero(rim.flat == flat[0])[0])
        corner = bool((rim.places[at] == lines.sides.window.low).any()) and bool(
            (rim.places[at] == lines.sides.window.high).any()
        )
        ends = rim.stretch[flat].reshape(-1, 2)
        found.append(
            StationaryPoint(
                float(rim.places[at, 0]),
                float(rim.places[at, 1]),
                float(error[at]),
                kind,
                "valley" if len(flat) else "cell" if rim.smooth[at] or corner else "edge",
                smooth=bool(rim.smooth[at] or corner) and not len(flat),
                index=index,
                on_border=True,
                extent=_extent(ends) if len(flat) else None,
                outline=tuple(
                    ((float(a[0]), float(a[1])), (float(b[0]), float(b[1])))
                    for a, b in rim.stretch[flat]
                ),
            )
        )
    return tuple(sorted(found, key=lambda p: (p.error, p.u, p.v)))


def _extent(ends: np.ndarray) -> tuple[float, float, float, float]:
    (u0, v0), (u1, v1) = ends.min(axis=0), ends.max(axis=0)
    return float(u0), float(u1), float(v0), float(v1)


def _groups(lines: Lines, rim: Rim) -> np.ndarray:
    """The number of the entry that each place belongs to: constant stretches join their ends."""
    group = np.arange(len(rim.places))
    size = lines.sides.size
    for number in np.flatnonzero(rim.flat >= 0):
        ends = rim.stretch[rim.flat[number]]
        near = (np.abs(rim.places[:, None] - ends) <= SAME * size).all(axis=2).any(axis=1)
        joined = np.isin(group, group[near | (np.arange(len(group)) == number)])
        group[joined] = group[number]
    return group
