"""Smooth stationary points and valleys: Newton's iteration from samples of exact derivatives.

A Hessian of full rank makes a single point. Points with one flat direction lie on a valley, a curve
of equal E: those a few grid steps apart and of one level are put together.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.around import find_support, ring_signs, weak_kind
from surfacecli.geometry.courses import trace_course
from surfacecli.geometry.polish import Polished, newton, newton_steps
from surfacecli.geometry.stationary import (
    PointKind,
    StationaryPoint,
    falling_arcs,
    kind_of_arcs,
    line_along,
)
from surfacecli.geometry.terrain import Terrain
from surfacecli.network.transfers import Array

#: Flat points so many grid steps apart at most, of errors that differ by so little (relative to the
#: largest of the grid), belong to one valley.
CHAIN, LEVEL = 4.0, 1e-9
#: An eigenvalue below this times the largest of the window counts as zero.
SINGULAR = 1e-9
#: Ends of the iteration nearer than this, relative to the window, are one.
SAME_ROOT = 1e-8
#: Multiply-adds that the iteration may take, at some ten steps of six evaluations for each seed.
WORK = 6e9


@dataclass(frozen=True, eq=False)
class Smooth:
    """Smooth points and valleys, and every point (k, 2) on a valley that was seen."""

    points: tuple[StationaryPoint, ...]
    valley_points: Array


def find_smooth_points(terrain: Terrain) -> Smooth:
    """Newton from every sample whose Newton step is short enough to end near it."""
    at = terrain.samples
    counts = (len(set(at.u)), len(set(at.v)))
    if min(counts) == 0 or terrain.gradient_scale == 0:
        return Smooth((), np.zeros((0, 2)))
    step = np.abs(newton_steps(at.derivatives, terrain.size)) * counts
    near = np.flatnonzero((step <= 2.0).all(axis=1))
    most = max(20, int(WORK / (60.0 * terrain.evaluation)))
    near = near[step[near].max(axis=1).argsort(kind="stable")[:most]]
    seeds = np.stack([at.u[near], at.v[near]], axis=1)
    return polish_smooth(terrain, seeds, terrain.size / counts)


def polish_smooth(terrain: Terrain, seeds: Array, reach: Array) -> Smooth:
    """What Newton's iteration finds from seeds (k, 2), with steps of at most `reach` (2,)."""
    found = newton(terrain.slice, terrain.window, seeds, reach, terrain.gradient_scale)
    eigenvalues: Array = np.asarray(np.linalg.eigvalsh(found.hessian), dtype=np.float64)
    in_window = found.hessian * np.outer(terrain.size, terrain.size)
    curvature = np.abs(np.linalg.eigvalsh(in_window))
    zero = SINGULAR * terrain.curvature_scale
    singular = curvature.min(axis=1, initial=np.inf) <= zero
    single = np.flatnonzero(~singular)
    # Many seeds end at one point: each once, up to the rounding of an iteration.
    place = np.round((found.points[single] - terrain.window.low) / terrain.size / SAME_ROOT)
    single = single[np.unique(place, axis=0, return_index=True)[1]]
    points = [_classify(terrain, found, int(k), eigenvalues[k]) for k in single]
    flat = np.flatnonzero(singular & (curvature.max(axis=1, initial=0.0) > zero))
    valleys = _find_valleys(terrain, found, flat, eigenvalues)
    return Smooth((*(p for p in points if p is not None), *valleys), found.points[flat])


def _classify(
    terrain: Terrain, found: Polished, k: int, eigenvalues: Array
) -> StationaryPoint | None:
    """Kind by the eigenvalues where one Hessian holds all around, else by comparing values."""
    at = (float(found.points[k, 0]), float(found.points[k, 1]))
    error, residual = float(found.error[k]), float(found.residual[k])
    smooth, support = find_support(terrain, at)
    if support == "cell":
        low, high = map(float, eigenvalues)
        kind: PointKind = "minimum" if low > 0 else "maximum" if high < 0 else "saddle"
        saddle = kind == "saddle"
        down = line_along(np.linalg.eigh(found.hessian[k])[1][:, 0]) if saddle else None
        return StationaryPoint(
            *at,
            error,
            kind,
            support,
            smooth=True,
            index=-1 if saddle else 1,
            residual=residual,
            eigenvalues=(low, high),
            downhill=down,
        )
    ring = kind_of_arcs(falling_arcs(ring_signs(terrain, at)))
    if ring is None:
        return None
    return StationaryPoint(
        *at, error, ring[0], support, smooth, ring[1], residual=residual if smooth else None
    )


def _find_valleys(
    terrain: Terrain, found: Polished, flat: NDArray[np.intp], eigenvalues: Array
) -> list[StationaryPoint]:
    """Points with one flat direction: those of equal error in one chain are one valley."""
    valleys = []
    for mine in _chains(terrain, found, flat):
        points, across = found.points[mine], eigenvalues[mine]
        curved = across[np.arange(len(mine)), np.abs(across).argmax(axis=1)]
        kind: PointKind = "minimum" if np.median(curved) > 0 else "maximum"
        middle = mine[
            np.linalg.norm((points - points.mean(axis=0)) / terrain.size, axis=1).argmin()
        ]
        u, v = map(float, found.points[middle])
        if weak_kind(terrain, (u, v)) not in (kind, "level"):
            continue
        low, high = points.min(axis=0), points.max(axis=0)
        valleys.append(
            StationaryPoint(
                u,
                v,
                float(found.error[middle]),
                kind,
                "valley",
                smooth=True,
                index=1,
                residual=float(found.residual[middle]),
                eigenvalues=(float(eigenvalues[middle][0]), float(eigenvalues[middle][1])),
                extent=(float(low[0]), float(high[0]), float(low[1]), float(high[1])),
                outline=trace_course(points, terrain.spacing, 2.0 * CHAIN),
            )
        )
    return valleys


def _chains(terrain: Terrain, found: Polished, which: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """The points `which`, put together where a few grid steps and no error lie between them."""
    place = found.points / terrain.spacing
    chains, left = [], which
    while len(left):
        chain, left = left[:1], left[1:]
        grown = chain
        while len(grown):
            apart = np.abs(place[left, None] - place[None, grown]).max(axis=2)
            uneven = np.abs(found.error[left, None] - found.error[None, grown])
            joins = ((apart <= CHAIN) & (uneven <= LEVEL * terrain.error_scale)).any(axis=1)
            grown, left = left[joins], left[~joins]
            chain = np.concatenate([chain, grown])
        chains.append(chain)
    return chains
