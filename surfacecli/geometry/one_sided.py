"""One-sided derivatives of E and the arcs of directions on which it falls, kinks or not.

A unit whose pre-activation h lies on a node takes, in the direction d, the piece towards which h
goes: that of the sign of h'(d). With this rule the chain rule gives the exact one-sided derivative

    D(d) = lim (E(p + t d) - E(p)) / t,  t -> 0+,

which is linear in d between the rays on which some h'(d) is 0. So the signs of D at these rays, at
the ends, and at a few directions between (no two of them half a turn apart) tell on how many arcs E
falls. Directions are counted in units of the window. Where D itself is 0 values of E decide.
Legend: P points, A directions, N data points, n units of a layer, K turning units.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.surface import (
    affine_parts,
    blocks,
    differentiate,
    evaluate,
    fixed_inputs,
    numbers_per_point,
    propagate,
)
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]
Signs = NDArray[np.int8]

#: A pre-activation this near to a node, relative to the largest of its layer, lies on it.
TIE = 1e-9
#: A derivative below this, relative to the largest gradient of the window, is level.
LEVEL = 1e-8
#: Values of E closer than this, relative to the largest, are equal.
EQUAL = 1e-12
#: Directions at which E is looked at before its kinks' rays are known, for each quarter turn.
DIRECTIONS = 3
#: Steps at most that close in on a ray, to this part of h'; where no other ray is near, one does.
RAY_STEPS, ON_RAY = 8, 1e-9
#: Where derivatives do not decide, values do: on a circle of this radius, at so many directions,
#: each of its extrema looked at so often, ever closer.
CIRCLE, VALUE_DIRECTIONS, LOOKS = 1e-5, 96, 20
_NARROW = np.linspace(-1.0, 1.0, 7)


@dataclass(frozen=True, eq=False)
class Sides:
    """A slice with the sizes that one-sided derivatives are measured by.

    `scales`, the largest pre-activation of each layer; the largest |E|, slope of E and second
    derivative (in units of the window) on a small lattice. `inputs` (N, n) of the first moved
    layer, and `parts`, the constant, u and v part of its pre-activations.
    """

    slice: Slice
    window: Window
    inputs: Array
    parts: tuple[Array, Array | None, Array | None]
    scales: tuple[float, ...]
    error_scale: float
    gradient_scale: float
    curvature_scale: float

    @property
    def size(self) -> Array:
        """The width and the height of the window (2,)."""
        return self.window.size


@dataclass(frozen=True, eq=False)
class Links:
    """The arcs round P points on which E falls.

    `falling` (P,) their number. `rises`, `falls` (P,): whether E rises, falls in any direction.
    `level` (P,): whether values of E had to decide, because D is 0 in some direction.
    """

    falling: Indices
    rises: Flags
    falls: Flags
    level: Flags


def measure_sides(slice: Slice, window: Window) -> Sides:
    """Look at a slice from a small lattice of points that keeps off symmetric places."""
    size = window.size
    at = (np.arange(9) + 0.381966) / 9
    u, v = (x.ravel() for x in np.meshgrid(window.u0 + size[0] * at, window.v0 + size[1] * at))
    scales = np.zeros(slice.objective.network.depth - slice.first_moved + 1)
    for block in blocks(len(u), numbers_per_point(slice)):
        for k, h in enumerate(_pre_activations(slice, u[block], v[block])):
            scales[k] = max(scales[k], float(np.abs(h).max()))
    there = differentiate(slice, u, v)
    inputs = fixed_inputs(slice)
    return Sides(
        slice,
        window,
        inputs,
        affine_parts(slice, inputs),
        tuple(map(float, scales)),
        float(np.abs(there.error).max()),
        float(np.abs(there.gradient * size).max()),
        float(np.abs(there.hessian * np.outer(size, size)).max()),
    )


def _pre_activations(slice: Slice, u: Array, v: Array) -> list[Array]:
    return [pre.a for _, pre, _ in propagate(slice, fixed_inputs(slice), u, v, 0)]


def slopes_along(sides: Sides, places: Array, angles: Array) -> Array:
    """D (P, A) at places (P, 2) in the directions of `angles` (P, A), in units of the window."""
    return np.concatenate(
        [
            _follow(sides, places[block], angles[block])[0]
            for block in _blocks(sides, len(places), angles.shape[1])
        ]
        or [np.empty(angles.shape)]
    )


def find_links(sides: Sides, places: Array, start: Array, span: Array, kinds: bool = True) -> Links:
    """The arcs within `span` (P,) radians from `start` (P,) round places (P, 2), counter-clockwise.

    A span of 2 pi is the whole circle. Where derivatives alone tell the number of arcs, values of E
    are looked at only if `kinds` wants to know whether E rises or falls nowhere.
    """
    count = len(places)
    falling = np.zeros(count, dtype=np.intp)
    rises, falls = np.zeros(count, dtype=np.bool_), np.zeros(count, dtype=np.bool_)
    level = np.zeros(count, dtype=np.bool_)
    quarters = np.rint(span / (0.5 * np.pi)).astype(np.intp)
    for number in np.unique(quarters):
        alike = np.flatnonzero(quarters == number)
        for block in _blocks(sides, len(alike), 2 * DIRECTIONS * number):
            mine = alike[block]
            every = _signs(sides, places[mine], start[mine], int(number))
            vague = [_is_vague(signs, number == 4, kinds) for signs in every]
            asked = np.flatnonzero(vague)
            by_value = _signs_by_value(sides, places[mine[asked]], start[mine[asked]], int(number))
            for k, signs in zip(asked, by_value, strict=True):
                every[k] = signs
            level[mine] = vague
            for p, signs in zip(mine, every, strict=True):
                falling[p] = count_falling(signs, number == 4)
                rises[p], falls[p] = bool((signs > 0).any()), bool((signs < 0).any())
    return Links(falling, rises, falls, level)


def _is_vague(signs: Signs, whole: bool, kinds: bool) -> bool:
    """Whether level directions leave open how many arcs E falls on, or whether it rises anywhere.

    One between a falling and a rising direction, or at an end beside a falling one, does not.
    """
    if signs.all():
        return False
    if kinds and not ((signs > 0).any() and (signs < 0).any()):
        return True
    decided = np.flatnonzero(signs)
    if not len(decided):
        return True
    if not whole and ((signs[0] == 0 < signs[decided[0]]) or (signs[-1] == 0 < signs[decided[-1]])):
        return True
    gaps = np.diff(decided) > 1
    same = signs[decided[1:]] == signs[decided[:-1]]
    if (gaps & same).any():
        return True
    across = whole and (signs[0] == 0 or signs[-1] == 0)
    return bool(across and signs[decided[0]] == signs[decided[-1]])


def count_falling(signs: Signs, whole: bool) -> int:
    """The number of arcs on which E falls, from its signs in order; level directions part them.

    Of a whole circle on which E falls everywhere the number is 0: chi(circle) = 0.
    """
    falls = signs < 0
    before = np.roll(falls, 1)
    if not whole:
        before[0] = False
    return int((falls & ~before).sum())


def _blocks(sides: Sides, count: int, directions: int) -> list[slice]:
    return list(blocks(count, 2 * directions * numbers_per_point(sides.slice)))


def _signs(sides: Sides, places: Array, start: Array, quarters: int) -> list[Signs]:
    """Signs of D in order, for each place: ends, rays of its kinks, directions between."""
    steps = np.linspace(0.0, 0.5 * np.pi * quarters, DIRECTIONS * quarters + 1)
    angles = start[:, None] + steps
    slopes, turns = _follow(sides, places, angles)
    owner = np.repeat(np.arange(len(places)), len(steps))
    ray_owner, ray_angle, ray_slope = _rays(sides, places, angles, turns)
    owner = np.concatenate([owner, ray_owner])
    angles = np.concatenate([angles.ravel(), ray_angle])
    slopes = np.concatenate([slopes.ravel(), ray_slope])
    order = np.lexsort((angles, owner))
    level = np.abs(slopes) <= LEVEL * sides.gradient_scale
    signs = np.sign(np.where(level, 0.0, slopes)).astype(np.int8)[order]
    return np.split(signs, np.searchsorted(owner[order], np.arange(1, len(places))))


def _rays(
    sides: Sides, places: Array, angles: Array, turns: "_Turns"
) -> tuple[Indices, Array, Array]:
    """Where units that lie on a node turn: which place, angle, and D there, (r,) each."""
    h = turns.slopes  # (K, A)
    k, left = np.nonzero(np.sign(h[:, :-1]) * np.sign(h[:, 1:]) < 0)
    point = turns.point[k]
    a, b = angles[point, left], angles[point, left + 1]
    h_a, h_b = h[k, left], h[k, left + 1]
    angle, slope = a.copy(), np.zeros(len(k))
    near = ON_RAY * np.maximum(np.abs(h_a), np.abs(h_b))
    active = np.arange(len(k))
    for _ in range(RAY_STEPS):
        if not len(active):
            break
        r = active
        # h' is linear in d: its zero between directions a and b is |h_b| d_a + |h_a| d_b.
        u = np.abs(h_b[r]) * np.cos(a[r]) + np.abs(h_a[r]) * np.cos(b[r])
        v = np.abs(h_b[r]) * np.sin(a[r]) + np.abs(h_a[r]) * np.sin(b[r])
        turn = (np.arctan2(v, u) - a[r] + np.pi) % (2.0 * np.pi) - np.pi
        angle[r] = np.clip(a[r] + turn, a[r], b[r])
        seen, there = _follow(sides, places[point[r]], angle[r][:, None], (turns, k[r]))
        slope[r], h_m = seen[:, 0], there.slopes[:, 0]
        before = np.sign(h_m) == np.sign(h_a[r])
        a[r], h_a[r] = np.where(before, angle[r], a[r]), np.where(before, h_m, h_a[r])
        b[r], h_b[r] = np.where(before, b[r], angle[r]), np.where(before, h_b[r], h_m)
        active = r[np.abs(h_m) > near[r]]
    return point, angle, slope


@dataclass(frozen=True, eq=False)
class _Turns:
    """h' (K, A) of units that lie on a node: which point, layer, data point and unit (K,)."""

    point: Indices
    layer: Indices
    sample: Indices
    unit: Indices
    slopes: Array


def _follow(
    sides: Sides,
    places: Array,
    angles: Array,
    wanted: tuple[_Turns, Indices] | None = None,
) -> tuple[Array, _Turns]:
    """D (P, A), and how the units that lie on a node turn.

    With `wanted` (turns, k) it is the h' of the units `turns[k]`, one for each place.
    """
    slice = sides.slice
    network, data = slice.objective.network, slice.objective.data
    u, v = places[:, 0], places[:, 1]
    du, dv = sides.size[0] * np.cos(angles), sides.size[1] * np.sin(angles)
    a: Array = sides.inputs  # (N, n), then (P, N, n)
    a_d: Array | None = None  # (P, A, N, n)
    found: list[tuple[Indices, Indices, Indices, Indices, Array]] = []
    for layer in range(slice.first_moved, network.depth + 1):
        U, V = slice.along_u.get(layer), slice.along_v.get(layer)
        f = network.transfers[layer - 1]
        if layer == slice.first_moved:
            constant, part_u, part_v = sides.parts
            h = np.broadcast_to(constant, (len(u), *constant.shape))
            h = h if part_u is None else h + u[:, None, None] * part_u
            h = h if part_v is None else h + v[:, None, None] * part_v
            h_d = np.zeros((*angles.shape, *constant.shape))
        else:
            W = slice.origin.get(layer, network.weights[layer - 1])
            W = W if U is None else W + u[:, None, None] * U
            W = W if V is None else W + v[:, None, None] * V
            b = network.biases[layer - 1]
            h = a @ W.swapaxes(-1, -2)
            h = h if b is None else h + b
            turned = W.swapaxes(-1, -2) if W.ndim == 2 else W.swapaxes(-1, -2)[:, None]
            h_d = np.asarray(a_d) @ turned
            part_u, part_v = (None if X is None else a @ X.T for X in (U, V))
        for part, d in ((part_u, du), (part_v, dv)):
            if part is not None:
                part = part if part.ndim == 3 else part[None]
                h_d = h_d + d[:, :, None, None] * part[:, None]
        if f.nodes is None:
            slope: Array = f.slope(h)[:, None]
        else:
            slope, tied = _slopes(f.nodes, f.slopes or (), h, h_d, sides.scales, layer, slice)
            if wanted is None:
                p, n, j = (x.astype(np.intp) for x in np.nonzero(tied))
                found.append((p, np.full(len(p), layer), n, j, h_d[p, :, n, j]))
            else:
                turns, k = wanted
                mine = np.flatnonzero(turns.layer[k] == layer)
                n, j = turns.sample[k[mine]], turns.unit[k[mine]]
                found.append((mine, k[mine] * 0 + layer, n, j, h_d[mine, :, n, j]))
        a, a_d = f.value(h), slope * h_d
    gradient = slice.objective.loss.gradient(a, data.targets)
    D = np.einsum("pnj,panj->pa", gradient, np.asarray(a_d))
    if not found:
        none = np.empty(0, dtype=np.intp)
        return D, _Turns(none, none, none, none, np.empty((0, angles.shape[1])))
    p, layers, n, j = (np.concatenate([part[k] for part in found]) for k in range(4))
    h_d = np.concatenate([part[4] for part in found])
    order = np.argsort(p, kind="stable")
    return D, _Turns(p[order], layers[order], n[order], j[order], h_d[order])


def _slopes(
    nodes: tuple[float, ...],
    slopes: tuple[float, ...],
    h: Array,
    h_d: Array,
    scales: tuple[float, ...],
    layer: int,
    slice: Slice,
) -> tuple[Array, Flags]:
    """f' (P, A, N, n), on a node that of the piece the unit goes to; who is on one (P, N, n)."""
    near = TIE * scales[layer - slice.first_moved]
    number = np.zeros(h.shape, dtype=np.int8)[:, None]
    tied_anywhere = np.zeros(h.shape, dtype=np.bool_)
    for node in nodes:
        tied = np.abs(h - node) <= near + TIE * abs(node)
        right = (h > node)[:, None]
        if tied.any():
            right = np.where(tied[:, None], h_d > 0, right)
            tied_anywhere |= tied
        number = number + right
    return np.asarray(slopes)[number], tied_anywhere


def _signs_by_value(sides: Sides, places: Array, start: Array, quarters: int) -> list[Signs]:
    """Signs of E - E(p) on small arcs, their own extrema looked at ever closer.

    Along a level kink, however sharp, E may be 0 in one direction only, which no sample meets.
    """
    if not len(places):
        return []
    whole, span = quarters == 4, 0.5 * np.pi * quarters
    part = np.arange(VALUE_DIRECTIONS + 1) / VALUE_DIRECTIONS
    angles = start[:, None] + span * (part[1:] - 0.5 / VALUE_DIRECTIONS if whole else part)
    reach = CIRCLE * sides.size
    error = evaluate(sides.slice, places[:, 0], places[:, 1])

    def seen_at(owner: Indices, angle: Array) -> Array:
        """E - E(p) for (k,) places, (k, A) angles; the window's border is met to the last bit."""
        found = []
        for axis, turn in ((0, np.cos(angle)), (1, np.sin(angle))):
            x = places[owner, axis][:, None] + reach[axis] * turn
            for bound in (sides.window.low[axis], sides.window.high[axis]):
                x = np.where(np.abs(x - bound) <= 1e-9 * reach[axis], bound, x)
            found.append(x)
        return evaluate(sides.slice, *found) - error[owner][:, None]

    values = seen_at(np.arange(len(places)), angles)
    before, after = np.roll(values, 1, axis=1), np.roll(values, -1, axis=1)
    if not whole:
        before[:, 0], after[:, -1] = values[:, 0], values[:, -1]
    # What is level or beyond is seen already: only a top below and a bottom above are in doubt.
    slack = EQUAL * sides.error_scale
    top, top_at = np.nonzero((values >= before) & (values >= after) & (values < -slack))
    bottom, bottom_at = np.nonzero((values <= before) & (values <= after) & (values > slack))
    owner = np.concatenate([top, bottom])
    sign = np.concatenate([np.ones(len(top)), -np.ones(len(bottom))])
    at = np.concatenate([top_at, bottom_at])
    centre, best = angles[owner, at], values[owner, at]
    rows, width = np.arange(len(owner)), span / VALUE_DIRECTIONS
    for _ in range(LOOKS if len(owner) else 0):
        near_by = centre[:, None] + width * _NARROW
        if not whole:
            near_by = np.clip(near_by, start[owner][:, None], start[owner][:, None] + span)
        seen = seen_at(owner, near_by)
        which = (sign[:, None] * seen).argmax(axis=1)
        centre, best = near_by[rows, which], seen[rows, which]
        width *= 0.4
    owners = np.concatenate([np.repeat(np.arange(len(places)), angles.shape[1]), owner])
    order = np.lexsort((np.concatenate([angles.ravel(), centre]), owners))
    every = np.concatenate([values.ravel(), best])[order]
    signs = np.sign(np.where(np.abs(every) <= slack, 0.0, every)).astype(np.int8)
    return np.split(signs, np.searchsorted(owners[order], np.arange(1, len(places))))
