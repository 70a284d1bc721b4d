"""The error over a whole grid, by the fastest way that its slice allows.

Each way is a module with `applies(slice)`, `operations(slice, n_u, n_v)` and `sample(slice, u, v)`;
all of them agree with the plain forward pass. Memory does not grow with the grid, but for the
result itself.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from surfacecli.geometry.grids import (
    columns,
    edges,
    fan,
    forward,
    halfplanes,
    quadratic,
    rows,
)
from surfacecli.geometry.slices import Slice, Window
from surfacecli.network.transfers import Array

#: Fastest first; the first that applies is taken.
WAYS = {
    "quadratic": quadratic,
    "fan": fan,
    "halfplanes": halfplanes,
    "columns": columns,
    "edges": edges,
    "rows": rows,
    "forward": forward,
}

#: Multiply-adds a second that one core does at least; for estimates before a long run.
SPEED = 5e8


@dataclass(frozen=True, eq=False)
class Grid:
    """A sampled surface: u (n_u,), v (n_v,), error (n_v, n_u); rows are v. `way` made it."""

    u: Array
    v: Array
    error: Array
    way: str


@dataclass(frozen=True)
class Estimate:
    """What a grid will cost: the way that is taken, seconds (an upper guess) and bytes."""

    way: str
    seconds: float
    bytes: int


def choose_way(slice: Slice) -> str:
    """The name of the fastest way that applies to a slice."""
    return next(name for name, way in WAYS.items() if way.applies(slice))


def estimate_grid(slice: Slice, resolution: tuple[int, int]) -> Estimate:
    """The cost of a grid of (n_u, n_v) points, before it is computed."""
    way = choose_way(slice)
    operations: Callable[[Slice, int, int], float] = WAYS[way].operations
    return Estimate(way, operations(slice, *resolution) / SPEED, 8 * resolution[0] * resolution[1])


def sample_grid(
    slice: Slice, window: Window, resolution: tuple[int, int], way: str | None = None
) -> Grid:
    """E over a window, at (n_u, n_v) points, each at least 2.

    `way` names one of `WAYS`; by default the fastest that applies.
    Source: the prefix sums of the switches, design note "Fast grids"; tested against `forward`.
    """
    if min(resolution) < 2:
        raise ValueError(f"a grid of {resolution[0]} x {resolution[1]} points; at least 2 x 2")
    way = way or choose_way(slice)
    if not WAYS[way].applies(slice):
        raise ValueError(f"the way {way!r} does not apply to slice {slice.name}")
    _keep_freed_memory()
    u, v = window.axes(resolution)
    return Grid(u, v, WAYS[way].sample(slice, u, v), way)


def _keep_freed_memory() -> None:
    """Let the allocator keep the work arrays that it gets back, for the next ones.

    The GNU allocator gives large arrays back to the system, which clears each page again when it is
    next touched: up to half of the time of a grid. It keeps arrays up to the size of the largest
    that it has given back, at most 32 MB. This one is never touched, so it costs no memory.
    """
    np.empty(31 << 17)
