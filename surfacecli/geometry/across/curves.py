"""Curves n(x) + d(x) y = 0 with n and d affine in x: graphs y = -n/d, lines or hyperbolas.

A curve is four coefficients (n0, n1, d0, d1), the last axis of arrays (..., 4): those of 1, x, y
and x y of the bilinear function whose zeros it is.
"""

import numpy as np

from surfacecli.network.transfers import Array

#: A coefficient is rounding below this times its own terms, or times the largest coefficient where
#: each is multiplied by what it meets in the window.
ROUNDING = 4e-15
#: n and d share a root where their resultant is below this times its terms.
SHARED = 1e-12
#: Where d changes by more than this share of its middle, a curve's integral is a logarithm; else so
#: many points and weights are right to the last bits.
STEEP, GAUSS = 0.4, np.polynomial.legendre.leggauss(12)


def level(y: float) -> Array:
    """The curve y = const."""
    return np.array([-y, 0.0, 1.0, 0.0])


def heights(curves: Array, x: Array) -> Array:
    """y of curves (..., 4) at x (...)."""
    n0, n1, d0, d1 = np.moveaxis(curves, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(-(n0 + n1 * x) / (d0 + d1 * x) + 0.0)


def slopes(curves: Array, x: Array) -> Array:
    """dy/dx of curves (..., 4) at x (...)."""
    n0, n1, d0, d1 = np.moveaxis(curves, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((n0 * d1 - n1 * d0) / np.square(d0 + d1 * x))


def rise(curves: Array, x: Array, step: Array) -> Array:
    """y(x + step) - y(x), without cancellation."""
    n0, n1, d0, d1 = np.moveaxis(curves, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(step * (n0 * d1 - n1 * d0) / ((d0 + d1 * x) * (d0 + d1 * (x + step))))


def integral(curves: Array, low: Array, high: Array) -> Array:
    """The integral of y(x) from low to high (...), over which d has no root."""
    n0, n1, d0, d1 = np.moveaxis(from_place(curves, 0.5 * (low + high)), -1, 0)
    half = 0.5 * (high - low)
    x, weights = half[..., None] * GAUSS[0], half[..., None] * GAUSS[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        y = (n0[..., None] + n1[..., None] * x) / (d0[..., None] + d1[..., None] * x)
        exact = n1 / d1 * 2.0 * half
        exact += (n0 - n1 * d0 / d1) / d1 * np.log((d0 + d1 * half) / (d0 - d1 * half))
        steep = np.abs(d1 * half) > STEEP * np.abs(d0)
    return np.asarray(-np.where(steep, exact, (y * weights).sum(axis=-1)))


def rise_error(curves: Array, x: Array) -> Array:
    """How many times the rounding of its coefficients `rise` has lost where they cancel."""
    n0, n1, d0, d1 = np.moveaxis(curves, -1, 0)
    one, other, d = n0 * d1, n1 * d0, d0 + d1 * x
    with np.errstate(divide="ignore", invalid="ignore"):
        result = (np.abs(one) + np.abs(other)) / np.abs(one - other)
        result += 2.0 * (np.abs(d0) + np.abs(d1 * x)) / np.abs(d)
    return np.asarray(np.where(one == other, 0.0, result))


def from_place(curves: Array, x: Array) -> Array:
    """Curves (..., 4) with x counted from x (...)."""
    moved = np.array(curves)
    moved[..., 0::2] += x[..., None] * moved[..., 1::2]
    return moved


def clean(functions: Array, terms: Array, reach: tuple[float, float]) -> Array:
    """Bilinear functions (..., 4) with coefficients that are rounding alone set to 0.

    terms (..., 4): the sizes of all that was added up to each coefficient, some of which cancelled.
    """
    scale = np.array([1.0, reach[0], reach[1], reach[0] * reach[1]])
    present = np.abs(functions)
    sizes = present * scale
    # The largest of four in two steps: along so short an axis `max` takes many times as long.
    pairs = np.maximum(sizes[..., :2], sizes[..., 2:])
    largest = np.maximum(pairs[..., :1], pairs[..., 1:])
    rounding = (sizes <= ROUNDING * largest) | (present <= ROUNDING * terms)
    return np.where(rounding, 0.0, functions)


def normalise(curves: Array, x: Array) -> Array:
    """Curves (..., 4) with d > 0 at x; where n and d share a root, the level line that is left."""
    n0, n1, d0, d1 = np.moveaxis(curves, -1, 0)
    one, other = n0 * d1, n1 * d0
    shared = np.abs(one - other) <= SHARED * (np.abs(one) + np.abs(other))
    by_x = np.abs(d1 * x) > np.abs(d0)
    zero = np.zeros_like(n0)
    flat = np.stack([np.where(by_x, n1, n0), zero, np.where(by_x, d1, d0), zero], axis=-1)
    result = np.where(shared[..., None], flat, curves)
    d = result[..., 2] + result[..., 3] * x
    return np.asarray(result * np.sign(d)[..., None])


def on_curve(functions: Array, curves: Array) -> Array:
    """f(x, -n/d) d of bilinear functions (..., 4) on curves: quadratics (3, ...), lowest first."""
    f0, f1, f2, f3 = np.moveaxis(functions, -1, 0)
    n0, n1, d0, d1 = np.moveaxis(curves, -1, 0)
    return np.stack([f0 * d0 - f2 * n0, f0 * d1 + f1 * d0 - f2 * n1 - f3 * n0, f1 * d1 - f3 * n1])


def on_curve_size(functions: Array, curves: Array, reach: Array) -> Array:
    """The size of the terms of `on_curve` where |x| <= reach."""
    n0, n1, d0, d1 = np.moveaxis(np.abs(curves), -1, 0)
    f0, f1, f2, f3 = np.moveaxis(np.abs(functions), -1, 0)
    return np.asarray((f0 + f1 * reach) * (d0 + d1 * reach) + (f2 + f3 * reach) * (n0 + n1 * reach))
