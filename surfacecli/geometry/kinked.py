"""Kinked stationary points of a piecewise-linear net: on kinks, and where kinks cross.

A lattice of boxes shows which kinks run through which box. In each box every two of them are
brought to their crossing by Newton's iteration on the two pre-activations, and every kink is cut by
these crossings and by the box's sides into pieces on which E is smooth. Where the one-sided slopes
of E along a piece have different signs at its ends there is a stationary point between: closed in
on along the kink. One-sided derivatives round each place tell what it is. What the lattice does not
show, a kink that enters and leaves a box by one side, and two stationary points on one piece, are
missed; the audit of the indices is there to see that.
Legend: places (P, 2); slopes and directions are in units of the window.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.one_sided import EQUAL, LEVEL, Links, Sides, find_links, slopes_along
from surfacecli.geometry.slices import Window
from surfacecli.geometry.stationary import PointKind, StationaryPoint, Support
from surfacecli.geometry.surface import evaluate
from surfacecli.geometry.switches import (
    Switches,
    cross_lattice,
    follow_switches,
    list_switches,
    sides_of_kinks,
)
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]

#: Pairs of kinks in boxes, and pieces of kinks, that are followed at most.
MOST = 150_000
#: Numbers (points of the lattice times kinks) that one look at a lattice may take.
MOST_LOOKS = 30_000_000
#: Steps of Newton's iteration for a crossing, steps that close in on a point of a piece.
STEPS, CLOSING = 12, 40
#: A crossing is kept within the box it was looked for in and this part of it around.
AROUND = 0.5
#: The direction in which a kink leaves an end is looked at so far ahead, in pieces of it.
AHEAD = 1e-6
#: Places nearer than this, relative to the window, are one.
SAME = 1e-8
#: The last bits of a pre-activation, relative to the largest of its layer.
ROUNDING = 1e-15
#: Directions from which crossings are looked at.
SECTORS = 8


@dataclass(frozen=True, eq=False)
class Kinked:
    """Stationary points on kinks; `doubtful` (k, 2) places where E is level in some direction;
    `beside` (s, 2) points of the cells along the kinks, from which smooth points may be sought.

    `followed`: whether all kinks were, or there are too many.
    """

    points: tuple[StationaryPoint, ...]
    doubtful: Array
    beside: Array
    followed: bool = True


@dataclass(frozen=True, eq=False)
class _Vertices:
    """Crossings: place (q, 2), the two kinks (q, 2)."""

    place: Array
    kinks: Indices


def find_kinked_points(sides: Sides, window: Window, boxes: int) -> Kinked:
    """Stationary points on the kinks within `window`, from a lattice of boxes x boxes."""
    switches = list_switches(sides)
    nothing = np.empty((0, 2))
    if not len(switches):
        return Kinked((), nothing, nothing)
    if len(switches) * (boxes + 1) ** 2 > MOST_LOOKS:
        return Kinked((), nothing, nothing, followed=False)
    u, v = lattice_lines(window.u0, window.u1, boxes), lattice_lines(window.v0, window.v1, boxes)
    flat_u, flat_v = (x.ravel() for x in np.meshgrid(u, v))
    right = sides_of_kinks(switches, flat_u, flat_v).reshape(len(v), len(u), -1)
    box, first, second = _pairs(right)
    if len(box) > MOST:
        return Kinked((), nothing, nothing, followed=False)
    vertices = _meet(switches, u, v, box, first, second)
    kink, a, b = _pieces(switches, u, v, right, vertices)
    if len(kink) > MOST:
        return Kinked((), nothing, nothing, followed=False)
    edges, doubtful_edges = _edge_points(switches, kink, a, b)
    corners, doubtful_corners = _vertex_points(switches, vertices)
    return Kinked(
        (*edges, *corners),
        np.concatenate([doubtful_edges, doubtful_corners]),
        _beside(switches, kink, a, b),
    )


def lattice_lines(low: float, high: float, boxes: int) -> Array:
    """Bounds of `boxes` boxes, out of step with places that are likely: halves, thirds, tenths."""
    inner = (np.arange(1, boxes) - 0.1180339887) / (boxes - 0.2360679775)
    return np.concatenate([[low], low + (high - low) * inner, [high]])


def _pairs(right: Flags) -> tuple[Indices, Indices, Indices]:
    """Every two kinks that run through one box: box, first and second kink."""
    corners = np.stack([right[1:, 1:], right[1:, :-1], right[:-1, 1:], right[:-1, :-1]])
    rows, columns, kink = np.nonzero(corners.any(axis=0) & ~corners.all(axis=0))
    box = rows * (right.shape[1] - 1) + columns
    start = np.flatnonzero(np.diff(box, prepend=-1))
    count = np.diff(start, append=len(box))
    # The j-th kink of a box is paired with those before it.
    number = np.arange(len(box)) - np.repeat(start, count)
    second = np.repeat(np.arange(len(box)), number)
    before = np.arange(len(second)) - np.repeat(np.cumsum(number) - number, number)
    first = np.repeat(np.repeat(start, count), number) + before
    return box[second], kink[first], kink[second]


def _meet(
    switches: Switches, u: Array, v: Array, box: Indices, first: Indices, second: Indices
) -> _Vertices:
    """Newton's iteration from the middle of each box to where its two kinks cross."""
    size = switches.sides.size
    row, column = np.divmod(box, len(u) - 1)
    low = np.stack([u[column], v[row]], axis=1)
    high = np.stack([u[column + 1], v[row + 1]], axis=1)
    place, extent = 0.5 * (low + high), high - low
    active, kinks = np.arange(len(box)), np.stack([first, second], axis=1)
    met = np.zeros(len(box), dtype=np.bool_)
    for _ in range(STEPS):
        if not len(active):
            break
        both = np.concatenate([kinks[active, 0], kinks[active, 1]])
        h, slope = follow_switches(switches, both, np.concatenate([place[active]] * 2))
        (h_a, h_b), (g_a, g_b) = h.reshape(2, -1), (slope * size).reshape(2, -1, 2)
        turn = g_a[:, 0] * g_b[:, 1] - g_a[:, 1] * g_b[:, 0]
        lengths = np.hypot(*g_a.T) * np.hypot(*g_b.T)
        cross = np.abs(turn) > 1e-9 * lengths
        turn = np.where(cross, turn, 1.0)
        along_u = (h_b * g_a[:, 1] - h_a * g_b[:, 1]) / turn
        along_v = (h_a * g_b[:, 0] - h_b * g_a[:, 0]) / turn
        step = np.stack([along_u, along_v], axis=1)
        place[active] += np.where(cross[:, None], step * size, 0.0)
        short = (np.abs(step) <= 1e-13).all(axis=1) & cross
        met[active[short]] = True
        off = (place[active] < low[active] - extent[active]) | (
            place[active] > high[active] + extent[active]
        )
        active = active[cross & ~short & ~off.any(axis=1)]
    # Rounding keeps some steps from getting shorter: small values will do.
    h, _ = follow_switches(switches, np.concatenate([first, second]), np.tile(place, (2, 1)))
    small = np.abs(h.reshape(2, -1)) <= 1e-12 * switches.scale(kinks.T.ravel()).reshape(2, -1)
    reach = AROUND * extent
    window = switches.sides.window
    near = ((place >= low - reach) & (place <= high + reach)).all(axis=1)
    near &= window.encloses(place)
    kept = near & (met | small.all(axis=0))
    place, kinks = place[kept], kinks[kept]
    real = _cross_there(switches, place, kinks)
    place, kinks = place[real], kinks[real]
    key = np.column_stack([np.round((place - window.low) / size / SAME), kinks])
    once = np.unique(key, axis=0, return_index=True)[1]
    return _Vertices(place[once], kinks[once])


def _cross_there(switches: Switches, place: Array, kinks: Indices) -> Flags:
    """Whether two kinks (q, 2) really cross at places (q, 2), seen from any side.

    Kinks that lie on one another have parallel slopes there, or none on a side on which h is 0
    throughout: what Newton's iteration ends at is then anywhere along them, and a little beside.
    They cross where h to its last bits leaves no more room than SAME for the place.
    """
    size = switches.sides.size
    room = ROUNDING * switches.scale(kinks.T.ravel()).reshape(2, -1)
    real = np.zeros(len(place), dtype=np.bool_)
    for angle in 2.0 * np.pi * (np.arange(SECTORS) + 0.5) / SECTORS:
        ahead = AHEAD * size * np.array([np.cos(angle), np.sin(angle)])
        near, far = (
            follow_switches(switches, kinks.T.ravel(), np.tile(place + steps * ahead, (2, 1)))[1]
            for steps in (1.0, 2.0)
        )
        g_a, g_b = ((2.0 * near - far) * size).reshape(2, -1, 2)
        turn = np.abs(g_a[:, 0] * g_b[:, 1] - g_a[:, 1] * g_b[:, 0])
        real |= room[0] * np.hypot(*g_b.T) + room[1] * np.hypot(*g_a.T) < SAME * turn
    return real


def _pieces(
    switches: Switches, u: Array, v: Array, right: Flags, vertices: _Vertices
) -> tuple[Indices, Array, Array]:
    """Kinks cut by box sides and by other kinks: which kink (s,), from place a to b (s, 2) each."""
    crossings = cross_lattice(switches, u, v, right)
    count = len(switches)
    box = crossings.boxes.T.ravel()
    key = box * count + np.tile(crossings.kink, 2)
    place = np.tile(crossings.place, (2, 1))[box >= 0]
    key = key[box >= 0]
    order = np.argsort(key, kind="stable")
    key, place = key[order], place[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    sizes = np.diff(starts, append=len(key))
    two = starts[sizes == 2]
    chords = [(key[two], place[two], place[two + 1])]
    # Four crossings: which two belong together is not known, so each with each.
    for four in starts[sizes == 4]:
        i, j = np.triu_indices(4, 1)
        chords.append((np.full(len(i), key[four]), place[four + i], place[four + j]))
    key, a, b = (np.concatenate(parts) for parts in zip(*chords, strict=True))
    # Crossings with other kinks, by box and kink.
    at = vertices.place
    column = np.clip(np.searchsorted(u, at[:, 0], side="right") - 1, 0, len(u) - 2)
    row = np.clip(np.searchsorted(v, at[:, 1], side="right") - 1, 0, len(v) - 2)
    vertex_key = ((row * (len(u) - 1) + column)[:, None] * count + vertices.kinks).ravel()
    at = np.repeat(at, 2, axis=0)
    order = np.argsort(vertex_key, kind="stable")
    vertex_key, at = vertex_key[order], at[order]
    begin = np.searchsorted(vertex_key, key)
    number = np.searchsorted(vertex_key, key, side="right") - begin
    owner = np.repeat(np.arange(len(key)), number)
    mine = at[np.repeat(begin - np.cumsum(number) + number, number) + np.arange(len(owner))]
    along = (b - a) / switches.sides.size
    length = np.maximum((along * along).sum(axis=1), 1e-300)
    t = (((mine - a[owner]) / switches.sides.size) * along[owner]).sum(axis=1) / length[owner]
    inner = (t > 0) & (t < 1)
    owners = np.concatenate([np.arange(len(key))] * 2 + [owner[inner]])
    ends = np.concatenate([np.zeros(len(key)), np.ones(len(key)), t[inner]])
    places = np.concatenate([a, b, mine[inner]])
    order = np.lexsort((ends, owners))
    owners, places = owners[order], places[order]
    joined = owners[1:] == owners[:-1]
    apart = (np.abs(places[1:] - places[:-1]) > 10 * SAME * switches.sides.size).any(axis=1)
    joined &= apart
    return key[owners[:-1][joined]] % count, places[:-1][joined], places[1:][joined]


def _slopes_on(
    switches: Switches, kink: Indices, place: Array, to: Array, ahead: float = 0.0
) -> Array:
    """E's one-sided slope at places on kinks, along the kink in the direction of `to` (s, 2).

    `ahead`: the kink's direction is that at the place as seen from this share of `to` ahead of it,
    on the right side of other kinks, and from twice as far: kinks bend. NaN where h has no slope:
    it is 0 beside, and the kink lies on one of an earlier layer, which is followed itself.
    """
    size = switches.sides.size
    _, gradient = follow_switches(switches, kink, place + ahead * to)
    if ahead:
        _, farther = follow_switches(switches, kink, place + 2.0 * ahead * to)
        gradient = 2.0 * gradient - farther
    normal = gradient * size
    angle = np.arctan2(normal[:, 1], normal[:, 0]) + 0.5 * np.pi
    along = np.cos(angle) * to[:, 0] / size[0] + np.sin(angle) * to[:, 1] / size[1]
    angle = np.where(along < 0, angle + np.pi, angle)
    slope = slopes_along(switches.sides, place, angle[:, None])[:, 0]
    return np.where(normal.any(axis=1), slope, np.nan)


def _edge_points(
    switches: Switches, kink: Indices, a: Array, b: Array
) -> tuple[list[StationaryPoint], Array]:
    """Points on single kinks at which E is stationary along them, and doubtful ones."""
    sides = switches.sides
    level = LEVEL * sides.gradient_scale
    slope_a = _slopes_on(switches, kink, a, b - a, AHEAD)
    slope_b = -_slopes_on(switches, kink, b, a - b, AHEAD)
    turns = (np.abs(slope_a) > level) & (np.abs(slope_b) > level) & (slope_a * slope_b < 0)
    flat = _level_places(
        switches, kink, a, b, (np.abs(slope_a) <= level) & (np.abs(slope_b) <= level)
    )
    kink, slope_a, slope_b = kink[turns], slope_a[turns], slope_b[turns]
    a, b = a[turns], b[turns]
    place, kept = _close_in(switches, kink, a, b, slope_a, slope_b)
    kink, place, lowest = kink[kept], place[kept], slope_a[kept] < 0
    _, gradient = follow_switches(switches, kink, place)
    normal = gradient * sides.size
    angle = np.arctan2(normal[:, 1], normal[:, 0])
    across = slopes_along(sides, place, np.stack([angle, angle + np.pi], axis=1))
    doubtful = np.asarray((np.abs(across) <= level).any(axis=1))
    rises = np.asarray((across > 0).all(axis=1))
    falls = np.asarray((across < 0).all(axis=1))
    # Where several kinks lie on one another E may be level along them: arcs all round must agree.
    found = np.flatnonzero((rises | falls) & ~doubtful)
    index = np.where(rises[found] == lowest[found], 1, -1)
    links = _links_round(sides, place[found])
    agree = ~links.level & (1 - links.falling == index)
    doubtful[found[~agree]] = True
    points = []
    error = evaluate(sides.slice, place[:, 0], place[:, 1])
    for k, number in zip(found[agree], index[agree].tolist(), strict=True):
        kind: PointKind = "saddle"
        if number == 1:
            kind = "minimum" if rises[k] else "maximum"
        name = switches.name(int(kink[k]))
        points.append(_kinked(place[k], error[k], kind, "edge", number, (name,)))
    return points, np.concatenate([place[doubtful], flat])


def _level_places(switches: Switches, kink: Indices, a: Array, b: Array, level: Flags) -> Array:
    """A place (k, 2) on each kink along which E is level on some pieces, in the middle of one.

    Longer pieces tell more: each kink's longest one. Once for kinks that lie on one another.
    """
    sides = switches.sides
    error_a, error_b = (evaluate(sides.slice, *x[level].T) for x in (a, b))
    level[level] = np.abs(error_a - error_b) <= EQUAL * sides.error_scale
    mine = np.flatnonzero(level)
    length = np.hypot(*((b - a)[mine] / sides.size).T)
    mine = mine[np.lexsort((-length, kink[mine]))]
    mine = mine[np.unique(kink[mine], return_index=True)[1]]
    place, normal = 0.5 * (a + b)[mine], np.zeros((len(mine), 2))
    for _ in range(3):
        h, gradient = follow_switches(switches, kink[mine], place)
        normal = gradient * sides.size
        square = np.maximum((normal * normal).sum(axis=1), 1e-300)
        place = place - (h / square)[:, None] * normal * sides.size
    place = place[normal.any(axis=1)]
    key = np.round((place - sides.window.low) / sides.size / SAME)
    return place[np.unique(key, axis=0, return_index=True)[1]]


def _links_round(sides: Sides, places: Array) -> Links:
    """What lies all round places (P, 2)."""
    return find_links(sides, places, np.zeros(len(places)), np.full(len(places), 2.0 * np.pi))


def _kinked(
    place: Array,
    error: float,
    kind: PointKind,
    support: Support,
    index: int,
    kinks: tuple[tuple[int, int, int], ...],
) -> StationaryPoint:
    """A stationary point at `place` (2,) on kinks."""
    u, v = place.tolist()
    return StationaryPoint(
        u, v, float(error), kind, support, smooth=False, index=index, kinks=kinks
    )


def _close_in(
    switches: Switches, kink: Indices, a: Array, b: Array, slope_a: Array, slope_b: Array
) -> tuple[Array, Flags]:
    """Where E is stationary along pieces of kinks whose ends' slopes differ in sign.

    A place of the piece is s (b - a) from a, brought back to the kink across the chord.
    """
    size = switches.sides.size
    s_a, s_b = np.zeros(len(kink)), np.ones(len(kink))
    f_a, f_b = slope_a.copy(), slope_b.copy()
    place, s = 0.5 * (a + b), np.full(len(kink), 0.5)
    active, on_kink = np.arange(len(kink)), np.ones(len(kink), dtype=np.bool_)
    for _ in range(CLOSING):
        if not len(active):
            break
        k = active
        s[k] = (s_a[k] * f_b[k] - s_b[k] * f_a[k]) / (f_b[k] - f_a[k])
        chord = (b[k] - a[k]) / size
        across = np.stack([-chord[:, 1], chord[:, 0]], axis=1)
        place[k] = a[k] + s[k, None] * (b[k] - a[k])
        for _ in range(6):
            h, gradient = follow_switches(switches, kink[k], place[k])
            rate = (gradient * size * across).sum(axis=1)
            move = np.divide(-h, rate, out=np.zeros_like(h), where=rate != 0)
            place[k] += np.clip(move, -0.5, 0.5)[:, None] * across * size
            if (np.abs(move) <= 1e-14).all():
                break
        f = _slopes_on(switches, kink[k], place[k], b[k] - a[k])
        on_kink[k] = (np.abs(h) <= 1e-10 * switches.scale(kink[k])) & ~np.isnan(f)
        before = np.sign(f) == np.sign(slope_a[k])
        s_a[k], f_b[k] = np.where(before, s[k], s_a[k]), np.where(before, 0.5 * f_b[k], f)
        s_b[k], f_a[k] = np.where(before, s_b[k], s[k]), np.where(before, f, 0.5 * f_a[k])
        small = np.abs(f) <= 1e-13 * switches.sides.gradient_scale
        active = k[on_kink[k] & ~small & (s_b[k] - s_a[k] > 1e-14)]
    inside = switches.sides.window.encloses(place)
    f = _slopes_on(switches, kink, place, b - a)
    flat = np.abs(f) <= 10 * LEVEL * switches.sides.gradient_scale
    return place, on_kink & inside & flat


def _vertex_points(switches: Switches, vertices: _Vertices) -> tuple[list[StationaryPoint], Array]:
    """Stationary points among the crossings, and crossings at which E is level somewhere."""
    sides = switches.sides
    key = np.round((vertices.place - sides.window.low) / sides.size / SAME)
    _, first, group = np.unique(key, axis=0, return_index=True, return_inverse=True)
    place = vertices.place[first]
    links = _links_round(sides, place)
    index = 1 - links.falling
    extreme = ~links.rises | ~links.falls
    points = []
    error = evaluate(sides.slice, place[:, 0], place[:, 1])
    for k in np.flatnonzero(((index != 0) | extreme) & ~links.level):
        names = {switches.name(int(i)) for i in vertices.kinks[group.ravel() == k].ravel()}
        kind: PointKind = "saddle"
        if extreme[k]:
            kind = "maximum" if links.falls[k] else "minimum"
        among = tuple(sorted(names))
        points.append(_kinked(place[k], error[k], kind, "vertex", int(index[k]), among))
    return points, place[links.level]


def _beside(switches: Switches, kink: Indices, a: Array, b: Array) -> Array:
    """Points close to both sides of the middles of pieces."""
    middle = 0.5 * (a + b)
    h, gradient = follow_switches(switches, kink, middle)
    size = switches.sides.size
    normal = gradient * size
    square = (normal * normal).sum(axis=1)
    good = square > 0
    normal, square, middle = normal[good], square[good], middle[good]
    on = middle - (h[good] / square)[:, None] * normal * size
    length = np.hypot(*((b - a)[good] / size).T)
    away = (1e-3 * length / np.sqrt(square))[:, None] * normal * size
    both = np.concatenate([on - away, on + away])
    return both[switches.sides.window.encloses(both)]
