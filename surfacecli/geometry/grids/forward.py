"""Any slice: a forward pass at every grid point, in blocks that fit the cache."""

import itertools

import numpy as np

from surfacecli.geometry.slices import Slice
from surfacecli.geometry.surface import evaluate
from surfacecli.network.transfers import Array


def applies(slice: Slice) -> bool:
    return True


def operations(slice: Slice, n_u: int, n_v: int) -> float:
    """Multiply-adds, roughly, with ten for every transfer function."""
    widths = slice.objective.network.widths[slice.first_moved - 1 :]
    later = sum(m * n for m, n in itertools.pairwise(widths[1:]))
    return float(n_u) * n_v * len(slice.objective.data) * (later + 10.0 * sum(widths[1:]))


def sample(slice: Slice, u: Array, v: Array) -> Array:
    """E on the grid of u (n_u,) and v (n_v,), shape (n_v, n_u), row by row."""
    return np.stack([evaluate(slice, u, along) for along in v])
