"""The grid of a surface: u (n_u,), v (n_v,) and error (n_v, n_u), one row per v."""

import numpy as np
from numpy.typing import ArrayLike

from surfacecli.network.transfers import Array


def checked_grid(u: ArrayLike, v: ArrayLike, error: ArrayLike) -> tuple[Array, Array, Array]:
    """The three arrays as 64-bit floats in row order. Raises `ValueError` where they do not fit.

    Coordinates must be finite; the error may be NaN, which means "not computed".
    """
    axes = [np.ascontiguousarray(axis, dtype=np.float64) for axis in (u, v)]
    for name, given, axis in zip("uv", (u, v), axes, strict=True):
        if np.ndim(given) != 1 or axis.size == 0:
            raise ValueError(f"{name} has shape {np.shape(given)}; it must be (n_{name},)")
        if not np.isfinite(axis).all():
            raise ValueError(f"{name} holds a coordinate that is not finite")
    heights = np.ascontiguousarray(error, dtype=np.float64)
    expected = (axes[1].size, axes[0].size)
    if heights.shape != expected:
        raise ValueError(f"error has shape {heights.shape}; it must be (n_v, n_u) = {expected}")
    return axes[0], axes[1], heights
