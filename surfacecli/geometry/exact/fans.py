"""The cells of a fan: with origin zero and no biases every kink is a ray from u = v = 0.

The net is then homogeneous in (u, v): f(t u, t v) = t f(u, v) for t >= 0. So the rays are sorted by
angle, and the cones between them put together at once (`cones`) instead of being cut one by one.
Rays nearer to each other than `SNAP` are one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.cones import AXES, UNNAMED, Opening, build_cones, turn
from surfacecli.geometry.exact.kinks import (
    ON_NODE,
    KinkList,
    largest_terms,
    later_pre_activations,
)
from surfacecli.geometry.exact.planar import SNAP, Subdivision, rectangle
from surfacecli.geometry.slices import Slice, Window
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Rays:
    """The rays of all kinks: direction (R, 2), input (R,), and the spoke (R,) that each lies on.

    Spokes are the edges from the origin, counted counter-clockwise; cone s begins at spoke s.
    """

    direction: Array
    input: Indices
    spoke: Indices


def fan_applies(slice: Slice, window: Window) -> bool:
    """Whether every kink of a within-layer slice is a ray from a point of the window."""
    network, first = slice.objective.network, slice.first_moved
    within = window.u0 <= 0.0 <= window.u1 and window.v0 <= 0.0 <= window.v1
    if not within or slice.origin[first].any():
        return False
    for layer in range(first, network.depth + 1):
        f, b = network.transfers[layer - 1], network.biases[layer - 1]
        linear_end = layer == network.depth and f.is_identity
        if not f.homogeneous or (b is not None and b.any() and not linear_end):
            return False
    return True


def find_fan(
    slice: Slice, window: Window, inputs: Array, lines: Array, made: KinkList
) -> tuple[Subdivision, Rays]:
    """The cones of a fan and its rays; `lines` (k, 3) are the first k kinks."""
    kinks = made.kinks(np.arange(len(inputs)))
    direction = np.concatenate([lines[:, [2, 1]] * [-1.0, 1.0], lines[:, [2, 1]] * [1.0, -1.0]])
    kink, number = np.tile(np.arange(len(lines)), 2), np.tile(kinks.input, 2)
    if any(f.nodes for f in slice.objective.network.transfers[slice.first_moved :]):
        found = [(direction, kink, number)]
        order = np.argsort(number, kind="stable")
        bounds = np.searchsorted(number[order], np.arange(len(inputs) + 1))
        for m, x in enumerate(inputs):
            own = direction[order[bounds[m] : bounds[m + 1]]]
            found += [(d, k, np.full(len(k), m)) for d, k in _later_rays(slice, x, m, own, made)]
        direction, kink, number = map(np.concatenate, zip(*found, strict=True))
    opening = Opening.of(window)
    angle = opening.angle(direction)
    spoke, toward = _spokes(direction, angle, opening)
    inside = spoke >= 0
    rays = Rays(direction[inside], number[inside], spoke[inside])
    if not inside.any():
        return rectangle(window), rays
    plane = build_cones(window, toward)
    _name_spokes(plane, kink[inside], rays.spoke)
    return plane, rays


def _spokes(direction: Array, angle: Array, opening: Opening) -> tuple[Indices, Array]:
    """The spoke of each ray, -1 outside the window, and the directions of all spokes.

    Where the origin lies on the window's border, the first and the last spoke are its sides there.
    """
    wanted = np.flatnonzero((angle >= -SNAP) & (angle <= opening.width + SNAP))
    order = wanted[np.argsort(angle[wanted], kind="stable")]
    sorted_angle = angle[order]
    if opening.is_turn:
        new = np.diff(sorted_angle, prepend=-np.inf) > SNAP
        toward = direction[order[new]]
    else:
        # The sides are there already: a ray on one is no spoke of its own.
        new = (np.diff(sorted_angle, prepend=0.0) > SNAP) & (sorted_angle < opening.width - SNAP)
        toward = np.concatenate([opening.first[None], direction[order[new]], opening.last[None]])
    spoke = np.full(len(angle), -1)
    spoke[order] = np.cumsum(new) - (1 if opening.is_turn else 0)
    if not opening.is_turn:
        spoke[order[sorted_angle >= opening.width - SNAP]] = len(toward) - 1
    return spoke, toward


def _name_spokes(plane: Subdivision, kink: Indices, spoke: Indices) -> None:
    """Label each spoke with the first of its kinks; the others are 0 on it `also`."""
    order = np.lexsort((kink, spoke))
    kink, spoke = kink[order], spoke[order]
    leading = np.diff(spoke, prepend=-1) > 0
    # Sides of the window keep their own label.
    names = leading & (plane.label[spoke] == UNNAMED)
    plane.label[spoke[names]] = kink[names]
    repeated = np.concatenate([[False], (kink[1:] == kink[:-1]) & (spoke[1:] == spoke[:-1])])
    for edge, number in zip(*(a[~names & ~repeated].tolist() for a in (spoke, kink)), strict=True):
        plane.also.setdefault(edge, []).append(number)


def _later_rays(
    slice: Slice, x: Array, number: int, own: Array, made: KinkList
) -> list[tuple[Array, Indices]]:
    """The rays (k, 2) of the later layers' kinks for one input, with the kinks' numbers (k,).

    `own` (R, 2) are the rays of the moved layer for this input. Between two rays of the layers
    before it, a pre-activation is linear: its signs there say where it is 0.
    """
    found: list[tuple[Array, Indices]] = []
    network = slice.objective.network
    # With the axes no cone is wider than a right angle.
    along = np.concatenate([own / np.abs(own).sum(axis=1, keepdims=True), AXES])
    for layer in range(slice.first_moved + 1, network.depth + 1):
        along = along[np.argsort(turn(along), kind="stable")]
        if not network.transfers[layer - 1].nodes:
            continue
        h = later_pre_activations(slice, x, along, layer)
        rounding = ON_NODE * largest_terms(slice, x, np.ones(2), layer)
        sign = np.sign(np.where(np.abs(h) <= rounding[:, None], 0.0, h))
        following = np.roll(sign, -1, axis=1)
        unit, k = np.nonzero(sign * following < 0)
        after = (k + 1) % len(along)
        crossed = np.abs(h[unit, after])[:, None] * along[k]
        crossed += np.abs(h[unit, k])[:, None] * along[after]
        crossed /= np.abs(crossed).sum(axis=1, keepdims=True)
        # On a ray that is there already, where it is not 0 on both sides.
        beside = (following != 0) | (np.roll(sign, 1, axis=1) != 0)
        touching, ray = np.nonzero((sign == 0) & beside)
        units, unit_of = np.unique(np.concatenate([unit, touching]), return_inverse=True)
        numbers = made.add(layer, units, 0.0, np.full(len(units), number))
        found.append((np.concatenate([crossed, along[ray]]), numbers[unit_of]))
        along = np.concatenate([along, crossed])
    return found
