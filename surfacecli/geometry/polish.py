"""From a grid point to the stationary point near it: Newton where E is smooth, zooming on kinks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surfacecli.geometry.candidates import RING
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.surface import differentiate, evaluate
from surfacecli.network.transfers import Array

#: A gradient counts as zero below this times the largest gradient of the window.
FLAT = 1e-9
STEPS = 40
#: A zoom looks at LOOK x LOOK points; the next look spans a bit more than one step to each side.
LOOK, SHRINK = 7, 0.4
#: Looks at most; shrinking in each of them ends at the rounding of (u, v) after about 35.
LOOKS = 120


@dataclass(frozen=True, eq=False)
class Polished:
    """Points (k, 2) of zero gradient: error (k,), residual (k,), hessian (k, 2, 2)."""

    points: Array
    error: Array
    residual: Array
    hessian: Array


def newton(
    slice: Slice, window: Window, seeds: Array, reach: tuple[float, float], gradient_scale: float
) -> Polished:
    """Newton's iteration on exact derivatives from seeds (k, 2), each step at most `reach`.

    Keeps what ends inside the window, off every node, with a gradient below `FLAT` times
    `gradient_scale`. Singular Hessians take the shortest step (pseudo-inverse).
    """
    points = np.array(seeds, dtype=np.float64)
    limit = np.array(reach)
    low, high = np.array([window.u0, window.v0]), np.array([window.u1, window.v1])
    for _ in range(STEPS):
        at = differentiate(slice, points[:, 0], points[:, 1])
        step = -np.einsum("kij,kj->ki", np.linalg.pinv(at.hessian, rcond=1e-11), at.gradient)
        step = np.clip(step, -limit, limit)
        moved = np.clip(points + step, low, high)
        if np.abs(moved - points).max(initial=0.0) <= 1e-15 * np.abs(high - low).max():
            break
        points = moved
    at = differentiate(slice, points[:, 0], points[:, 1])
    residual = np.linalg.norm(at.gradient, axis=1)
    inside = ((points > low) & (points < high)).all(axis=1)
    keep = inside & ~at.on_node & (residual <= FLAT * gradient_scale)
    return Polished(points[keep], at.error[keep], residual[keep], at.hessian[keep])


def zoom(
    slice: Slice, window: Window, start: Sequence[float], width: tuple[float, float], kind: str
) -> tuple[float, float] | None:
    """The minimum, maximum or saddle of E near `start` by looking ever closer, kinks or not.

    Looks at points within `width` of the best one so far, inside the window, and narrows whenever
    the best is not on the rim. None where a saddle is lost from sight.
    """
    centre = np.array(start, dtype=np.float64)
    size = np.array(width, dtype=np.float64)
    offsets = np.linspace(-1.0, 1.0, LOOK)
    low, high = np.array([window.u0, window.v0]), np.array([window.u1, window.v1])
    first = size.copy()
    for _ in range(LOOKS):
        if size.max() <= 1e-13 * (high - low).max():
            break
        u = np.clip(centre[0] + size[0] * offsets, low[0], high[0])
        v = np.clip(centre[1] + size[1] * offsets, low[1], high[1])
        error = evaluate(slice, u[None, :], v[:, None])
        best = _best(error, kind)
        if best is None:
            # Below the rounding of E a saddle cannot be told from its surroundings any more.
            return (float(centre[0]), float(centre[1])) if size[0] < 1e-6 * first[0] else None
        row, column = best
        centre = np.array([u[column], v[row]])
        on_rim = row in (0, LOOK - 1) or column in (0, LOOK - 1)
        at_bound = ((centre <= low) | (centre >= high)).any()
        if not on_rim or at_bound or kind == "saddle":
            size = SHRINK * size
    return float(centre[0]), float(centre[1])


def _best(error: Array, kind: str) -> tuple[int, int] | None:
    if kind == "saddle":
        return _grid_saddle(error)
    flat = int(np.argmin(error) if kind == "minimum" else np.argmax(error))
    # Among equals the middle: where rounding levels E, the look stays where it is.
    if error[LOOK // 2, LOOK // 2] == error.flat[flat]:
        return LOOK // 2, LOOK // 2
    return divmod(flat, LOOK)


def _grid_saddle(error: Array) -> tuple[int, int] | None:
    """The inner point of a look with a saddle's ring, nearest the middle."""
    inner = np.s_[1:-1]
    ring = np.stack([np.roll(error, (-d, -r), axis=(0, 1))[inner, inner] for d, r in RING])
    signs = np.sign(ring - error[inner, inner])
    changes = (signs != np.roll(signs, 1, axis=0)).sum(axis=0)
    rows, columns = np.nonzero((changes >= 4) & (signs != 0).all(axis=0))
    if not len(rows):
        return None
    middle = LOOK // 2 - 1
    nearest = int(np.argmin(np.abs(rows - middle) + np.abs(columns - middle)))
    return int(rows[nearest]) + 1, int(columns[nearest]) + 1
