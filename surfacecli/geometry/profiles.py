"""E along a row or column of the window: where it may turn, exactly for piecewise-linear nets.

Between two switches of units E is a polynomial of the coordinate, whose slope is interpolated from
exact values at Chebyshev nodes; its roots are the places at which E is stationary along the line.
With losses other than squares, and with smooth transfer functions, E is no polynomial: the slope is
interpolated by a higher degree, on many short stretches, and what it shows is sampled.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.grids.forward import operations
from surfacecli.geometry.kinks import find_switches
from surfacecli.geometry.one_sided import Sides, slopes_along
from surfacecli.geometry.roots import (
    differentiate_polynomials,
    evaluate_polynomials,
    find_roots,
)
from surfacecli.geometry.surface import evaluate
from surfacecli.network.transfers import Array

Flags = NDArray[np.bool_]

#: Places nearer than this, relative to the line, are one.
MERGE = 1e-9
#: A slope along a stretch below this, relative to the largest of the window, is level.
LEVEL = 1e-10
#: Nodes for a stretch where E is no polynomial, for many short ones; stretches of a line without
#: known switches.
NODES, FEW_NODES, MANY, STRETCHES = 8, 4, 100, 48
#: Switches are not looked for where N times the units exceeds this; multiply-adds for a line then.
MOST_UNITS, LINE_WORK = 5_000, 5e8
#: Steps that polish a root of the interpolated slope with exact ones.
POLISH = 3


@dataclass(frozen=True, eq=False)
class Profile:
    """E along the line on which coordinate 1 - `axis` is `fixed`; places are the other coordinate.

    `places` (k,) ascending: switches, and where E is stationary along the line. `bends` (k,): the
    second derivative of E there in units of the window, NaN at switches. `single` (k,): whether at
    most one data point switches there. `flats` (m, 2): stretches on which E is constant. `errors`
    (k,) and `flat_errors` (m,): E there. `exact`: whether nothing can be missing but pairs at
    double roots.
    """

    axis: int
    fixed: float
    places: Array
    bends: Array
    single: Flags
    flats: Array
    errors: Array
    flat_errors: Array
    exact: bool

    def points(self, at: Array) -> Array:
        """Coordinates along the line as points (k, 2)."""
        return _points(self.axis, self.fixed, at)


def take_profile(sides: Sides, axis: int, fixed: float) -> Profile:
    """E along a row (`axis` 0, v fixed) or a column (1, u fixed) of the whole window."""
    low, high = float(sides.window.low[axis]), float(sides.window.high[axis])
    ends = _points(axis, fixed, np.array([low, high]))
    slice = sides.slice
    units = len(slice.objective.data) * sum(slice.objective.network.widths[slice.first_moved :])
    switches = None
    if units <= MOST_UNITS:
        switches = find_switches(slice, tuple(ends[0]), tuple(ends[1]))
    if switches is None:
        each = 2.0 * NODES * operations(slice, 1, 1)
        cuts = np.linspace(low, high, 1 + int(np.clip(LINE_WORK / each, 6, STRETCHES)))
        kinks, alone, nodes = np.empty(0), np.empty(0, dtype=np.bool_), NODES
    else:
        t, alone = switches
        kinks = low + (high - low) * t
        cuts = np.concatenate([[low], kinks, [high]])
        moved = sides.slice.along_v if axis else sides.slice.along_u
        squares = sides.slice.objective.loss.scale is not None
        nodes = 2 * len(moved) if squares else NODES if len(kinks) < MANY else FEW_NODES
    stationary, bends, flats = _stationary(sides, axis, fixed, cuts, nodes)
    places = np.concatenate([kinks, stationary])
    bends = np.concatenate([np.full(len(kinks), np.nan), bends])
    single = np.concatenate([alone, np.ones(len(stationary), dtype=np.bool_)])
    order = np.argsort(places, kind="stable")
    places, bends, single = places[order], bends[order], single[order]
    # A root beside a switch is the switch; of roots that all but coincide one is kept.
    near = np.diff(places) <= MERGE * (high - low)
    drop = np.zeros(len(places), dtype=np.bool_)
    drop[1:] |= near & ~np.isnan(bends[1:])
    drop[:-1] |= near & ~np.isnan(bends[:-1]) & np.isnan(bends[1:])
    exact = switches is not None and sides.slice.objective.loss.scale is not None
    places, bends, single = places[~drop], bends[~drop], single[~drop]
    at = _points(axis, fixed, np.concatenate([places, flats.mean(axis=1)]))
    errors = evaluate(sides.slice, at[:, 0], at[:, 1])
    on, level = errors[: len(places)], errors[len(places) :]
    return Profile(axis, fixed, places, bends, single, flats, on, level, exact)


def _points(axis: int, fixed: float, at: Array) -> Array:
    across = np.full(len(at), fixed)
    return np.stack([across, at] if axis else [at, across], axis=1)


def _stationary(
    sides: Sides, axis: int, fixed: float, cuts: Array, nodes: int
) -> tuple[Array, Array, Array]:
    """Roots of E's slope inside the stretches between cuts, E'' there, and level stretches."""
    lower, upper = cuts[:-1], cuts[1:]
    half, middle = 0.5 * (upper - lower), 0.5 * (upper + lower)
    x = np.cos(np.pi * (np.arange(nodes) + 0.5) / nodes)
    at = middle[:, None] + half[:, None] * x
    slopes = _slopes(sides, axis, fixed, at.ravel()).reshape(at.shape)
    coefficients = np.linalg.solve(np.vander(x, increasing=True), slopes.T)  # (nodes, stretches)
    level = np.abs(slopes).max(axis=1) <= LEVEL * sides.gradient_scale
    one = np.ones(len(half))
    roots = find_roots(coefficients, -one, one)
    roots[:, level] = np.nan
    _, stretch = np.nonzero(~np.isnan(roots))
    t = roots[~np.isnan(roots)]
    bend = differentiate_polynomials(coefficients) if nodes > 1 else np.zeros_like(coefficients)
    for _ in range(POLISH):
        off = _slopes(sides, axis, fixed, middle[stretch] + half[stretch] * t)
        rate = evaluate_polynomials(bend[:, stretch], t)
        step = np.divide(off, rate, out=np.zeros_like(off), where=rate != 0)
        t = np.clip(t - np.clip(step, -0.1, 0.1), -1.0, 1.0)
    second = evaluate_polynomials(bend[:, stretch], t) / half[stretch] * sides.size[axis]
    flats = np.stack([lower[level], upper[level]], axis=1)
    return middle[stretch] + half[stretch] * t, second, flats


def _slopes(sides: Sides, axis: int, fixed: float, at: Array) -> Array:
    """dE along the line in units of the window, at coordinates (k,)."""
    angles = np.full((len(at), 1), 0.5 * np.pi * axis)
    return slopes_along(sides, _points(axis, fixed, at), angles)[:, 0]
