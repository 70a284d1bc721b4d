"""Sums of (f(r + s x) - y)^2 on an equally spaced axis, f piecewise linear, by its switches.

Each of the M functions r + s x passes a node of f at most once on the axis. There it hands the grid
points behind it another quadratic; the rest is a running sum.
"""

import numpy as np

from surfacecli.geometry.grids.running import EPSILON, MOST_OF_ROWS
from surfacecli.geometry.grids.tracks import count_before
from surfacecli.network.transfers import Array, Transfer


def line_errors(r: Array, s: Array, y: Array, f: Transfer, axis: Array) -> tuple[Array, float]:
    """sum over M of (f(r + s x) - y)^2 for r, s (C, M), y (M,), x on `axis` (G,): (C, G).

    And how much of it may be rounding.
    """
    slopes, intercepts = np.array(f.slopes), np.array(f.intercepts)
    start = r + s * axis[0]
    if f.is_identity:
        alpha, beta = r - y, s
    else:
        slope, intercept = np.array(slopes[0]), np.array(intercepts[0])
        for number, node in enumerate(f.nodes or (), start=1):
            slope = np.where(start > node, slopes[number], slope)
            intercept = np.where(start > node, intercepts[number], intercept)
        alpha, beta = slope * r + (intercept - y), slope * s
    count = len(axis)
    width = count + 1
    sums = np.zeros((3, len(r) * width))
    sizes = np.zeros(3)
    for k, (a, b) in enumerate(((alpha, alpha), (alpha, beta), (beta, beta))):
        sums[k, ::width] = np.einsum("cm,cm->c", a, b)
    # |alpha beta| sums to no more than the square root of the other two.
    sizes[[0, 2]] = sums[0].max(initial=0.0), sums[2].max(initial=0.0)
    sizes[1] = np.sqrt(sizes[0] * sizes[2])
    stop = r + s * axis[-1] if f.nodes else start
    for number, node in enumerate(f.nodes or ()):
        crossed = np.flatnonzero((start > node) != (stop > node))
        row, member = np.divmod(crossed, r.shape[1])
        here_r, here_s, here_y = r.ravel()[crossed], s.ravel()[crossed], y[member]
        place = row * width + count_before(axis, (node - here_r) / here_s)
        sign = np.where(here_s > 0, 1.0, -1.0)
        right_slope, left_slope = slopes[number + 1], slopes[number]
        right = right_slope * here_r + (intercepts[number + 1] - here_y)
        left = left_slope * here_r + (intercepts[number] - here_y)
        gains = (
            right * right - left * left,
            (right * right_slope - left * left_slope) * here_s,
            (right_slope**2 - left_slope**2) * here_s * here_s,
        )
        for k, (total, gain) in enumerate(zip(sums, gains, strict=True)):
            sizes[k] += MOST_OF_ROWS * np.abs(gain).sum() / len(r)
            total += np.bincount(place, weights=sign * gain, minlength=len(total))
    A, B, C = np.cumsum(sums.reshape(3, len(r), width)[:, :, :-1], axis=2)
    farthest = float(np.abs(axis).max())
    rounding = EPSILON * float(sizes @ [1.0, 2.0 * farthest, farthest**2])
    return np.asarray((C * axis + 2.0 * B) * axis + A), rounding
