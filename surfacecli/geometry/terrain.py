"""What each step of a search knows: slice, window, grid, exact samples, sizes to measure by."""

from dataclasses import dataclass, replace

import numpy as np

from surfacecli.geometry.grids import Grid, forward
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.surface import Derivatives, differentiate
from surfacecli.network.transfers import Array

#: Samples of the Hessian along an axis at most, and multiply-adds for all of them at most.
SAMPLES, WORK = 61, 4e9


@dataclass(frozen=True, eq=False)
class Samples:
    """Exact derivatives on a lattice of points off the grid: u, v (k,) and `derivatives`."""

    u: Array
    v: Array
    derivatives: Derivatives

    @property
    def eigenvalues(self) -> Array:
        """Of the 2x2 Hessians, (k, 2), smallest first."""
        return np.asarray(np.linalg.eigvalsh(self.derivatives.hessian), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Terrain:
    """A sampled slice. `spacing` (2,): from grid point to grid point.

    `error_scale`, `gradient_scale`, `curvature_scale`: the largest of each that was sampled, the
    latter two in units of the window; tolerances are relative to them. `evaluation`: multiply-adds
    of one evaluation of E, roughly.
    """

    slice: Slice
    window: Window
    grid: Grid
    samples: Samples
    spacing: Array
    error_scale: float
    gradient_scale: float
    curvature_scale: float
    evaluation: float

    @property
    def size(self) -> Array:
        """The width and the height of the window (2,)."""
        return self.window.size


def survey(slice: Slice, window: Window, grid: Grid) -> Terrain:
    """Sample the derivatives of a slice whose grid is there already."""
    n_v, n_u = grid.error.shape
    samples = sample_derivatives(slice, window, (n_u, n_v))
    size = window.size
    return Terrain(
        slice,
        window,
        grid,
        samples,
        size / (n_u - 1, n_v - 1),
        float(np.abs(grid.error).max()),
        float(np.abs(samples.derivatives.gradient * size).max(initial=0.0)),
        float(np.abs(samples.derivatives.hessian * np.outer(size, size)).max(initial=0.0)),
        forward.operations(slice, 1, 1),
    )


def focus(terrain: Terrain, window: Window, points: tuple[int, int]) -> Terrain:
    """A part of a terrain's window, or all of it, sampled anew, by so many points along u and v.

    Tolerances stay those of the whole window: the scales are brought to the part's own units.
    """
    size = window.size
    ratio = float((size / terrain.size).min())
    return replace(
        terrain,
        window=window,
        samples=sample_derivatives(terrain.slice, window, points, most=2 * SAMPLES),
        spacing=size / (points[0] - 1, points[1] - 1),
        gradient_scale=terrain.gradient_scale * ratio,
        curvature_scale=terrain.curvature_scale * ratio**2,
    )


def sample_derivatives(
    slice: Slice, window: Window, resolution: tuple[int, int], most: int = SAMPLES
) -> Samples:
    """Exact derivatives on a lattice within the window, no finer than `resolution`.

    The lattice is a little out of step with the grid, so that its points keep off the kinks that
    run along a row, a column or the diagonals; what lands on a node all the same is left out.
    """
    each = 6.0 * forward.operations(slice, 1, 1)
    most = int(np.clip(np.sqrt(WORK / each), 5, most))
    axes = []
    for low, high, points, part in (
        (window.u0, window.u1, resolution[0], 0.381966),
        (window.v0, window.v1, resolution[1], 0.618034),
    ):
        count = min(points, most)
        axes.append(low + (high - low) * (np.arange(count) + part) / count)
    u, v = (axis.ravel() for axis in np.meshgrid(*axes))
    at = differentiate(slice, u, v)
    off = ~at.on_node
    kept = Derivatives(
        at.error[off], at.gradient[off], at.hessian[off], at.gauss_newton[off], at.on_node[off]
    )
    return Samples(u[off], v[off], kept)
