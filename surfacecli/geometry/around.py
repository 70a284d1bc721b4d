"""What E does close around a point, by comparing values on small circles: kinks or not."""

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.candidates import EQUAL
from surfacecli.geometry.polish import LOOK, SHRINK
from surfacecli.geometry.stationary import Support
from surfacecli.geometry.surface import differentiate, evaluate, linear_pieces
from surfacecli.geometry.terrain import Terrain
from surfacecli.network.transfers import Array

#: Radii, relative to the window: for the kind of a point, for what lies under it.
CIRCLE, TINY_CIRCLE = 1e-4, 1e-6
DIRECTIONS = 96
#: More level directions than these side by side are an arc: no crossing of zero is as slow.
ARC = 2
#: Looks at each extremum of a circle: the last spans 1e-8 of an angle between two directions, so
#: that along a level kink, however sharp, E is found level.
ANGLE_LOOKS = 20
#: Round a smooth point the gradient changes by its curvature: kinked where it changes by more than
#: BEND times the largest curvature, and by more than rounding, relative to the largest gradient.
BEND, ROUNDING = 8.0, 1e-10


def _every_angle() -> Array:
    return np.asarray(2.0 * np.pi * (np.arange(DIRECTIONS) + 0.5) / DIRECTIONS, dtype=np.float64)


def _on_circle(
    terrain: Terrain, at: tuple[float, float], radius: float, angles: Array
) -> tuple[Array, Array]:
    """Points round `at`; those outside the window are brought to its border."""
    reach = radius * terrain.size
    u = np.clip(at[0] + reach[0] * np.cos(angles), terrain.window.u0, terrain.window.u1)
    v = np.clip(at[1] + reach[1] * np.sin(angles), terrain.window.v0, terrain.window.v1)
    return u, v


def ring_signs(
    terrain: Terrain, at: tuple[float, float], radius: float = CIRCLE
) -> NDArray[np.int8]:
    """Signs of E - E(at) round a small circle (within the window), its own extrema included."""
    every = _ring(terrain, at, radius)
    level = np.abs(every) <= EQUAL * terrain.error_scale
    return np.sign(np.where(level, 0.0, every)).astype(np.int8)


def lies_on_a_set(signs: NDArray[np.int8]) -> bool:
    """Whether E is level on an arc round a point, or in a direction beside which it falls (or
    rises) on both sides: a ridge, a valley or a plateau goes through it."""
    decided = np.flatnonzero(signs)
    if not len(decided):
        return True
    gaps = np.diff(np.append(decided, decided[0] + len(signs))) - 1
    same = signs[decided] == np.roll(signs[decided], -1)
    return bool(((gaps > 0) & (same | (gaps > ARC))).any())


def lies_beside(terrain: Terrain, at: tuple[float, float]) -> bool:
    """Whether E on some arc round a saddle is no closer to E(at) on a circle a quarter as wide.

    Round a stationary point it would be, by a quarter at least. So the place is none: it lies
    beside a ridge or a valley, which is higher (lower) by as much wherever a circle meets it.
    """
    wide, narrow = (_weakest(_ring(terrain, at, r), terrain) for r in (CIRCLE, 0.25 * CIRCLE))
    return narrow > 0.5 * wide


def _weakest(values: Array, terrain: Terrain) -> float:
    """The least that E rises, or falls, at most on each arc of a circle on which it does."""
    values = values[np.abs(values) > EQUAL * terrain.error_scale]
    first = np.flatnonzero(np.sign(values) != np.sign(np.roll(values, 1)))
    if not len(first):
        return 0.0
    arcs = np.maximum.reduceat(np.abs(np.roll(values, -first[0])), first - first[0])
    return float(arcs.min())


def _ring(terrain: Terrain, at: tuple[float, float], radius: float) -> Array:
    """E - E(at) in order round a small circle (within the window), its own extrema included.

    Along a kink E may rise on an arc as narrow as the circle is small, so each extremum of the
    sampled circle is looked at ever closer in angle before its sign counts.
    """
    error = float(evaluate(terrain.slice, *at))
    angles = _every_angle()

    def around(angle: Array) -> Array:
        return evaluate(terrain.slice, *_on_circle(terrain, at, radius, angle)) - error

    values = around(angles)
    before, after = np.roll(values, 1), np.roll(values, -1)
    tops = np.flatnonzero((values >= before) & (values >= after))
    bottoms = np.flatnonzero((values <= before) & (values <= after))
    sign = np.concatenate([np.ones(len(tops)), -np.ones(len(bottoms))])
    centre = angles[np.concatenate([tops, bottoms])]
    best = np.concatenate([values[tops], values[bottoms]])
    rows, width = np.arange(len(centre)), 2.0 * np.pi / DIRECTIONS
    looks = np.linspace(-1.0, 1.0, LOOK)
    for _ in range(ANGLE_LOOKS):
        near = centre[:, None] + width * looks
        seen = around(near)
        which = (sign[:, None] * seen).argmax(axis=1)
        centre, best = near[rows, which], seen[rows, which]
        width *= SHRINK
    order = np.argsort(np.concatenate([angles, centre]))
    return np.concatenate([values, best])[order]


def weak_kind(terrain: Terrain, at: tuple[float, float]) -> str | None:
    """Minimum, maximum or `level` by E on a small circle, ties allowed; None for anything else."""
    error = evaluate(terrain.slice, *at)
    around = evaluate(terrain.slice, *_on_circle(terrain, at, CIRCLE, _every_angle())) - error
    tolerance = EQUAL * terrain.error_scale
    rises, falls = bool((around > tolerance).any()), bool((around < -tolerance).any())
    if rises and falls:
        return None
    return "minimum" if rises else "maximum" if falls else "level"


def find_support(terrain: Terrain, at: tuple[float, float]) -> tuple[bool, Support]:
    """Whether E has a gradient at a point, and whether it is in a cell, on one kink or on several.

    A unit may switch without E noticing: smooth, and yet on an edge or a vertex.
    """
    u, v = _on_circle(terrain, at, TINY_CIRCLE, _every_angle()[::2])
    gradient = differentiate(terrain.slice, u, v).gradient * terrain.size
    jump = np.abs(gradient - gradient.mean(axis=0)).max()
    bend = BEND * TINY_CIRCLE * terrain.curvature_scale
    smooth = bool(jump <= bend + ROUNDING * terrain.gradient_scale)
    network = terrain.slice.objective.network
    if not all(f.piecewise_linear for f in network.transfers[terrain.slice.first_moved - 1 :]):
        return smooth, "cell" if smooth else "edge"
    pieces = linear_pieces(terrain.slice, u, v)
    cells = len(np.unique(pieces[:, (pieces != pieces[0]).any(axis=0)], axis=0))
    return smooth, "cell" if cells == 1 else "edge" if cells == 2 else "vertex"
