"""E along a straight line through two points of a slice, with its kinks."""

from dataclasses import dataclass

import numpy as np

from surfacecli.geometry.kinks import MERGE, find_kinks
from surfacecli.geometry.slices import Slice
from surfacecli.geometry.surface import evaluate
from surfacecli.network.transfers import Array


@dataclass(frozen=True, eq=False)
class Section:
    """E at points of a line, t from 0 to 1, and the kinks of E between its ends.

    t, u, v, error (n,), t ascending; kinks (k,) their positions in t, each of them also in `t`,
    kink_errors (k,), and kink_turns (k,), the slope dE/dt on the right minus that on the left.
    `exact` is False where the kinks were not looked for: a layer from the first moved one on is
    smooth, or the line crosses too many pieces (see `surfacecli.geometry.kinks`).
    """

    t: Array
    u: Array
    v: Array
    error: Array
    kinks: Array
    kink_errors: Array
    kink_turns: Array
    exact: bool


def take_section(
    slice: Slice, start: tuple[float, float], end: tuple[float, float], points: int = 401
) -> Section:
    """E along the line from `start` to `end`, two points (u, v) of the slice.

    At `points` equally spaced t and at every kink, so that a line drawn through the values has its
    corners in the right places. Raises `ValueError` where the ends are no two different points, or
    `points` is below 2.
    """
    for what, point in (("start", start), ("end", end)):
        if len(point) != 2 or not np.isfinite(point).all():
            raise ValueError(f"the {what} of the section is {point}; it must be two finite numbers")
    if tuple(start) == tuple(end):
        raise ValueError(f"the section starts and ends at {start}; give two different points")
    if points < 2:
        raise ValueError(f"a section of {points} points is no line; it needs 2 or more")
    found = find_kinks(slice, start, end)
    kinks, turns = (np.empty(0), np.empty(0)) if found is None else found
    t = _with_kinks(np.linspace(0.0, 1.0, points), kinks)
    # The ends weighed, not stepped from: t = 0 and t = 1 give them to the last bit.
    u, v = ((1.0 - t) * a + t * b for a, b in zip(start, end, strict=True))
    error = evaluate(slice, u, v)
    return Section(
        t, u, v, error, kinks, error[np.searchsorted(t, kinks)], turns, found is not None
    )


def _with_kinks(t: Array, kinks: Array) -> Array:
    """The kinks sorted into t, each in place of a point that it can hardly be told from."""
    if not len(kinks):
        return t
    above = np.minimum(np.searchsorted(kinks, t), len(kinks) - 1)
    distance = np.minimum(np.abs(kinks[above] - t), np.abs(kinks[np.maximum(above - 1, 0)] - t))
    return np.union1d(t[distance > MERGE], kinks)
