"""A rectangle cut into convex polygons by the zeros of one function after another.

Half-edges: half-edge h starts at vertex `origin[h]` and has the face `face[h]` on its left; `after`
and `before` lead round that face; h and h ^ 1 are the two sides of edge h // 2. Outside the
rectangle the face is -1.

A cut takes the sign (-1, 0, 1) of a function at every vertex, decided once, and nothing else: an
edge between -1 and 1 is split at a new vertex, and a face that has both signs is split between the
two places where its border passes 0. Wrong signs could spoil that only where a face would pass 0
more than twice; there the smaller stray values are set to 0 first. So V - E + F = 1 after every
cut, whatever rounding did to the signs.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.columns import Column
from surfacecli.geometry.slices import Window
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]
Signs = NDArray[np.int8]


#: No cut makes an edge shorter than this times the window.
SNAP = 1e-13


class Subdivision:
    """The polygons of a rectangle.

    place (V, 2), the corners first; origin, after, before, face (H,); label (E,), -1 - side on the
    rectangle's four sides and else the number of the function that made the edge; side (F,) one
    half-edge a face.
    """

    def __init__(
        self,
        place: Array,
        origin: Indices,
        after: Indices,
        face: Indices,
        label: Indices,
        side: Indices,
    ) -> None:
        before = np.empty_like(after)
        before[after] = np.arange(len(after))
        arrays = (place, origin, after, before, face, label, side)
        names = ("place", "origin", "after", "before", "face", "label", "side")
        self._columns = {name: Column(a) for name, a in zip(names, arrays, strict=True)}
        self.snap = SNAP * float(np.ptp(place[:4], axis=0).max())
        # The first and last piece of each half-edge while edges are being split: itself at rest.
        self._first, self._last = Column(np.arange(len(origin))), Column(np.arange(len(origin)))
        #: Functions that are 0 on an edge made by another: edge -> their numbers.
        self.also: dict[int, list[int]] = {}
        #: Functions with the very same zeros: label of the edges -> all of them.
        self.twins: dict[int, list[int]] = {}

    @property
    def place(self) -> Array:
        return self._columns["place"].values

    @property
    def origin(self) -> Indices:
        return self._columns["origin"].values

    @property
    def after(self) -> Indices:
        return self._columns["after"].values

    @property
    def before(self) -> Indices:
        return self._columns["before"].values

    @property
    def face(self) -> Indices:
        return self._columns["face"].values

    @property
    def label(self) -> Indices:
        return self._columns["label"].values

    @property
    def side(self) -> Indices:
        return self._columns["side"].values

    @property
    def ends(self) -> Indices:
        """The two vertices of each edge, (E, 2)."""
        return self.origin.reshape(-1, 2)

    @property
    def shared(self) -> list[tuple[int, int]]:
        """The pairs (edge, number of a function that is 0 on it and did not make it)."""
        return [(edge, label) for edge, labels in self.also.items() for label in labels]

    @property
    def counts(self) -> tuple[int, int, int]:
        """(V, E, F)."""
        return len(self.place), len(self.label), len(self.side)

    def cut(
        self,
        values: Array,
        signs: Signs,
        label: int,
        crossings: Callable[[Indices], Array] | None = None,
    ) -> None:
        """Cut along the zeros of a function with these values and signs at the vertices (V,).

        `crossings` gives the new vertices (m, 2) on edges (m,), by default from the values along
        the edges. Edges on which the function was 0 already join `also`. `signs` may be levelled
        in place.
        """
        crossed, t, at_zero = self._crossed(values, signs)
        flat = at_zero[signs[self.origin[at_zero ^ 1]] == 0]
        if len(flat):
            edges = np.unique(flat >> 1)
            for edge in self._at_a_change(edges, signs).tolist():
                self.also.setdefault(edge, []).append(label)
        if len(crossed):
            if crossings is None:
                a, b = self.ends[crossed].T
                new = self.place[a] + t * (self.place[b] - self.place[a])
            else:
                new = crossings(crossed)
            at_zero = np.concatenate([at_zero, self._split_edges(crossed, new)])
            signs = np.concatenate([signs, np.zeros(len(crossed), dtype=np.int8)])
        if len(at_zero):
            self._split_faces(at_zero, signs, label)

    def _crossed(self, values: Array, signs: Signs) -> tuple[Indices, Array, Indices]:
        """The edges to split, and where, 0 to 1 from their first end (k, 1); half-edges from a 0.

        A split closer than `SNAP` to an end goes through that end: its sign becomes 0.
        """
        while True:
            sign_from = signs[self.origin]
            crossed = np.flatnonzero(sign_from[0::2] * sign_from[1::2] < 0)
            at_zero = np.flatnonzero(sign_from == 0)
            if self._level_strays(crossed, at_zero, values, signs):
                continue
            a, b = self.ends[crossed].T
            t = (values[a] / (values[a] - values[b]))[:, None]
            along = self.place[b] - self.place[a]
            length = np.hypot(along[:, 0], along[:, 1])
            at_first, at_second = length * t[:, 0] <= self.snap, length * (1 - t[:, 0]) <= self.snap
            if not (at_first.any() or at_second.any()):
                return crossed, t, at_zero
            signs[a[at_first]] = 0
            signs[b[at_second]] = 0

    def _at_a_change(self, edges: Indices, signs: Signs) -> Indices:
        """Of edges on which a function is 0, those beside a face on which it is not."""
        beside = np.zeros(len(edges), dtype=np.bool_)
        for side in (0, 1):
            start = 2 * edges + side
            here, inside = self.after[start], self.face[start] >= 0
            left = inside.copy()
            while left.any():
                beside |= left & (signs[self.origin[here]] != 0)
                left &= ~beside
                here = self.after[here]
                left &= here != start
        return edges[beside]

    def _split_edges(self, edges: Indices, places: Array) -> Indices:
        """Split edges at new vertices; gives the half-edges that start there."""
        vertices = len(self.place) + np.arange(len(edges))
        fresh = len(self.origin) + 2 * np.arange(len(edges))
        h, t = 2 * edges, 2 * edges + 1
        # What lies on the window's border stays there to the last bit.
        one, other = self.place[self.origin[h]], self.place[self.origin[t]]
        places = np.clip(places, np.minimum(one, other), np.maximum(one, other))
        self._columns["place"].extend(places)
        # h: a -> new and h' : new -> b; t' : b -> new and t : new -> a.
        self._extend_half_edges(
            np.stack([vertices, self.origin[t]], axis=1).ravel(),
            np.stack([self.face[h], self.face[t]], axis=1).ravel(),
        )
        if self.also:
            for edge, half in zip(edges.tolist(), (fresh // 2).tolist(), strict=True):
                if edge in self.also:
                    self.also[half] = list(self.also[edge])
        self._columns["label"].extend(self.label[edges])
        self.origin[t] = vertices
        self._last.values[h], self._first.values[t] = fresh, fresh + 1
        first, last = self._first.values, self._last.values
        touched = np.unique(np.concatenate([h, t, self.before[h], self.before[t]]))
        following = self.after[touched]
        into, out = last[touched], first[following]
        self.after[h], self.before[fresh] = fresh, h
        self.after[fresh + 1], self.before[t] = t, fresh + 1
        self.after[into], self.before[out] = out, into
        last[h], first[t] = h, t
        return np.concatenate([t, fresh])

    def _extend_half_edges(self, origin: Indices, face: Indices) -> None:
        self._columns["origin"].extend(origin)
        self._columns["face"].extend(face)
        self._columns["after"].extend(np.zeros_like(origin))
        self._columns["before"].extend(np.zeros_like(origin))
        numbers = len(self._first.values) + np.arange(len(origin))
        self._first.extend(numbers)
        self._last.extend(numbers)

    def _split_faces(self, at_zero: Indices, signs: Signs, label: int) -> None:
        falling, rising = self._separators(at_zero, signs)
        falling = falling[np.argsort(self.face[falling])]
        rising = rising[np.argsort(self.face[rising])]
        count, faces = len(falling), len(self.side)
        x = len(self.origin) + 2 * np.arange(count)
        y, new_face = x + 1, faces + np.arange(count)
        self._extend_half_edges(
            np.stack([self.origin[falling], self.origin[rising]], axis=1).ravel(),
            np.stack([new_face, self.face[falling]], axis=1).ravel(),
        )
        self._columns["label"].extend(np.full(count, label))
        self._columns["side"].extend(x)
        self.side[self.face[falling]] = y
        before_falling, before_rising = self.before[falling], self.before[rising]
        for one, other in (
            (before_falling, x),
            (x, rising),
            (before_rising, y),
            (y, falling),
        ):
            self.after[one], self.before[other] = other, one
        here, number = rising, new_face
        while len(here):
            self.face[here] = number
            here = self.after[here]
            left = here != self.side[number]
            here, number = here[left], number[left]

    def border(self, face: int) -> Indices:
        """The vertices of a face, in order round it."""
        start = here = int(self.side[face])
        vertices: list[int] = []
        while not vertices or here != start:
            vertices.append(int(self.origin[here]))
            here = int(self.after[here])
        return np.array(vertices)

    def _separators(self, at_zero: Indices, signs: Signs) -> tuple[Indices, Indices]:
        """Of half-edges from a 0, those where their face's border passes from 1 to -1, and back."""
        after, before, origin = self.after, self.before, self.origin
        at = at_zero[self.face[at_zero] >= 0]
        following = signs[origin[after[at]]]
        at, following = at[following != 0], following[following != 0]
        back = before[at]
        preceding = signs[origin[back]]
        while (level := preceding == 0).any():
            back[level] = before[back[level]]
            preceding = signs[origin[back]]
        return at[(preceding > 0) & (following < 0)], at[(preceding < 0) & (following > 0)]

    def _level_strays(
        self, crossed: Indices, at_zero: Indices, values: Array, signs: Signs
    ) -> bool:
        """Set signs to 0 where a face's border would pass 0 more than twice, by rounding alone.

        Gives whether any was set.
        """
        passing = np.concatenate([2 * crossed, 2 * crossed + 1, *self._separators(at_zero, signs)])
        faces, count = np.unique(self.face[passing], return_counts=True)
        spoiled = faces[(count > 2) & (faces >= 0)]
        for face in spoiled:
            _level_face(self.border(int(face)), values, signs)
        return len(spoiled) > 0


def rectangle(window: Window) -> Subdivision:
    """The window as one polygon, its sides counter-clockwise from the lowest."""
    u0, u1, v0, v1 = window.u0, window.u1, window.v0, window.v1
    ring = np.arange(4)
    following, preceding = np.roll(ring, -1), np.roll(ring, 1)
    return Subdivision(
        np.array([[u0, v0], [u1, v0], [u1, v1], [u0, v1]], dtype=np.float64),
        np.stack([ring, following], axis=1).ravel(),
        np.stack([2 * following, 2 * preceding + 1], axis=1).ravel(),
        np.tile(np.array([0, -1]), 4),
        -1 - ring,
        np.zeros(1, dtype=np.intp),
    )


def _level_face(border: Indices, values: Array, signs: Signs) -> None:
    """Keep the runs with the largest value of either sign; the other vertices go to 0."""
    sign = signs[border]
    if not ((sign > 0).any() and (sign < 0).any()):
        return  # levelled already, together with a neighbour
    keep = np.zeros(len(border), dtype=np.bool_)
    for wanted in (1, -1):
        members = np.flatnonzero(sign == wanted)
        top = members[np.abs(values[border[members]]).argmax()]
        for step in (1, -1):
            at = top
            while sign[at] != -wanted and not (at == top and keep[at] and step == 1):
                keep[at] = True
                at = (at + step) % len(border)
    signs[border[~keep]] = 0
