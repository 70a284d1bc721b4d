"""What the rim of a region contributes to the sum of indices.

A region is a set of boxes of a lattice whose lines are rows and columns of the window. At a point p
of its rim let ind(p) = 1 - chi(lower half-link), the half-link cut by the region: 1 where E falls
nowhere within the region, 1 - n where it falls on n arcs. Then, points inside and on the rim
together,

    sum of ind = chi(region),

so the rim alone tells the sum of the indices inside. On a stretch of the rim along which E is
constant, the open stretch counts -ind. Only corners, switches of units, and places at which E is
stationary along the rim can contribute: all of them are found by `take_profile`.
"""

import itertools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.one_sided import LEVEL, Sides, find_links, slopes_along
from surfacecli.geometry.profiles import MERGE, Profile, take_profile
from surfacecli.network.transfers import Array

Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]

#: A second derivative along the rim below this, relative to the largest of the window, is no bend.
FLAT = 1e-7


@dataclass(eq=False)
class Lines:
    """The rows and columns of a slice that were looked at, each once."""

    sides: Sides
    profiles: dict[tuple[int, float], Profile] = field(default_factory=dict)

    def profile(self, axis: int, fixed: float) -> Profile:
        """A row (`axis` 0, at v = `fixed`) or a column (1, at u = `fixed`)."""
        key = (axis, float(fixed))
        if key not in self.profiles:
            self.profiles[key] = take_profile(self.sides, axis, float(fixed))
        return self.profiles[key]


@dataclass(frozen=True, eq=False)
class Region:
    """Boxes of the lattice of `u` (n + 1,) and `v` (m + 1,): those where `mask` (m, n) is True."""

    u: Array
    v: Array
    mask: Flags

    @property
    def chi(self) -> int:
        """The Euler characteristic of the closed boxes: vertices - edges + faces."""
        m = np.pad(self.mask, 1)
        across, along = m[:, 1:] | m[:, :-1], m[1:] | m[:-1]
        corners = across[1:] | across[:-1]
        edges = int(across[1:-1].sum()) + int(along[:, 1:-1].sum())
        return int(corners.sum()) - edges + int(self.mask.sum())


@dataclass(frozen=True, eq=False)
class Rim:
    """The places (k, 2) on the rim of a region that may contribute to the sum.

    `index` (k,): what each contributes, the minus of open stretches included. `rises`, `falls`
    (k,): whether E does so in any direction within the region. `smooth` (k,): off the kinks and no
    corner. `flat` (k,): the number of the constant stretch that a place is the middle of, or -1;
    `stretch` (f, 2, 2) their ends. `full` (k,): on the border of the window, with all of the window
    round it in the region. `exact`: whether every line was.
    """

    places: Array
    index: Indices
    rises: Flags
    falls: Flags
    smooth: Flags
    flat: Indices
    stretch: Array
    full: Flags
    exact: bool


def whole(sides: Sides) -> Region:
    """The window as a region of one box."""
    w = sides.window
    return Region(np.array([w.u0, w.u1]), np.array([w.v0, w.v1]), np.ones((1, 1), dtype=np.bool_))


def walk_rim(lines: Lines, region: Region, kinds: bool = False) -> Rim:
    """Everything on the rim of a region that may contribute.

    With `kinds` it is made sure of every place whether E rises or falls nowhere; without, `rises`
    and `falls` may overlook level directions that do not change the index.
    """
    sides = lines.sides
    corners = _corners(region)
    sections, bends, flats = _sections(lines, region)
    places = np.concatenate([corners[:, :2], sections[:, :2], flats[:, :2]])
    start = np.concatenate([corners[:, 2], sections[:, 2], flats[:, 2]])
    span = np.concatenate([corners[:, 3], np.full(len(sections) + len(flats), np.pi)])
    n, m = len(corners), len(corners) + len(sections)
    arcs = np.zeros(len(places), dtype=np.intp)
    rises, falls = np.ones(len(places), dtype=np.bool_), np.ones(len(places), dtype=np.bool_)
    # Where E is smooth, bend and inward slope say it all.
    turns = start[n:m, None] + np.pi * np.array([0.0, 0.5, 1.0])
    first, inward, last = slopes_along(sides, places[n:m], turns).T
    level = LEVEL * sides.gradient_scale
    clear = (np.abs(bends) > FLAT * sides.curvature_scale) & (np.abs(inward) > level)
    up, inner = bends > 0, inward > 0
    # On one kink E goes down on one side and up on the other: it falls on one arc.
    passing = np.isnan(bends) & (first * last < 0) & (np.abs(first) > level)
    passing &= (np.abs(last) > level) & sections[:, 3].astype(np.bool_)
    arcs[n:m] = np.where(inner & ~passing, np.where(up, 0, 2), 1)
    rises[n:m], falls[n:m] = passing | up | inner, passing | ~(up & inner)
    asked = np.ones(len(places), dtype=np.bool_)
    asked[n:m] = ~(clear | passing)
    links = find_links(sides, places[asked], start[asked], span[asked], kinds)
    arcs[asked], rises[asked], falls[asked] = links.falling, links.rises, links.falls
    index = 1 - arcs
    index[m:] *= -1
    # A corner at which boxes meet across has several arcs: ind is 1 - the sum of their n.
    index[:n] = -arcs[:n] + corners[:, 4].astype(np.intp)
    smooth = np.zeros(len(places), dtype=np.bool_)
    smooth[n:m] = ~np.isnan(bends)
    flat = np.full(len(places), -1)
    flat[m:] = np.arange(len(flats))
    stretch = flats[:, 3:7].reshape(-1, 2, 2)
    bounds = ((places == sides.window.low) | (places == sides.window.high)).sum(axis=1)
    full = (bounds > 0) & np.isclose(span, np.pi / np.maximum(bounds, 1))
    exact = all(lines.profile(axis, fixed).exact for axis, fixed in _used(region))
    return Rim(places, index, rises, falls, smooth, flat, stretch, full, exact)


def _corners(region: Region) -> Array:
    """Lattice points on the rim: u, v, start and span of an arc inside, and 1 for the first arc."""
    m = np.pad(region.mask, 1)
    # The four boxes round a lattice point, counter-clockwise from the upper right one.
    around = np.stack([m[1:, 1:], m[1:, :-1], m[:-1, :-1], m[:-1, 1:]], axis=-1)
    found = []
    for row, column in np.argwhere(around.any(axis=-1) & ~around.all(axis=-1)):
        inside = around[row, column]
        first = 1.0
        for k in np.flatnonzero(inside & ~np.roll(inside, 1)):
            length = 1
            while inside[(k + length) % 4]:
                length += 1
            place = region.u[column], region.v[row]
            found.append((*place, 0.5 * np.pi * k, 0.5 * np.pi * length, first))
            first = 0.0
    return np.array(found, dtype=np.float64).reshape(-1, 5)


def _used(region: Region) -> list[tuple[int, float]]:
    """The lines (axis, fixed) on which the rim has a piece."""
    rows, columns = _edges(region)
    used = [(0, float(region.v[k])) for k in np.flatnonzero((rows != 0).any(axis=1))]
    return used + [(1, float(region.u[k])) for k in np.flatnonzero((columns != 0).any(axis=0))]


def _edges(region: Region) -> tuple[Indices, Indices]:
    """Rim edges on rows (m + 1, n) and columns (m, n + 1): 1 with the region above or to the right,
    -1 below or to the left, 0 where there is no rim."""
    m = np.pad(region.mask, 1).astype(np.intp)
    return m[1:, 1:-1] - m[:-1, 1:-1], m[1:-1, 1:] - m[1:-1, :-1]


def _sections(lines: Lines, region: Region) -> tuple[Array, Array, Array]:
    """Places on the open rim edges, their bends, and constant stretches.

    Places: (u, v, start of the half circle, whether no more than one data point switches there).
    Stretches: (u, v, start) of a middle, and both ends; cut at the lattice.
    """
    places, bends, flats = [np.empty((0, 4))], [np.empty(0)], [np.empty((0, 7))]
    for axis, cut, grid in zip((0, 1), (region.u, region.v), _edges(region), strict=True):
        lattice = grid if axis == 0 else grid.T
        for number, fixed in enumerate(region.v if axis == 0 else region.u):
            sides_of = lattice[number]
            if not sides_of.any():
                continue
            profile = lines.profile(axis, float(fixed))
            near = MERGE * float(lines.sides.size[axis])
            box = np.searchsorted(cut, profile.places) - 1
            inside = (box >= 0) & (box < len(sides_of))
            inside[inside] = sides_of[box[inside]] != 0
            inside &= np.abs(profile.places[:, None] - cut).min(axis=1) > near
            at, box = profile.places[inside], box[inside]
            start = _start(axis, sides_of[box])
            places.append(np.column_stack([profile.points(at), start, profile.single[inside]]))
            bends.append(profile.bends[inside])
            flats.append(_flats(lines.sides, profile, cut, sides_of))
    return np.concatenate(places), np.concatenate(bends), np.concatenate(flats)


def _start(axis: int, side: Indices) -> Array:
    """Where the half circle inside begins: a quarter turn before the inward normal."""
    normal = np.where(side > 0, 0.5, 1.5) if axis == 0 else np.where(side > 0, 0.0, 1.0)
    return np.asarray(np.pi * (normal - 0.5))


def _flats(sides: Sides, profile: Profile, cut: Array, sides_of: Indices) -> Array:
    """Constant stretches cut at the lattice: (u, v, start) of their middles, and both ends."""
    found = [np.empty((0, 7))]
    for low, high in profile.flats:
        inner = cut[(cut > low) & (cut < high)]
        ends = np.concatenate([[low], inner, [high]])
        for a, b in itertools.pairwise(ends):
            box = int(np.searchsorted(cut, 0.5 * (a + b))) - 1
            if not (0 <= box < len(sides_of)) or sides_of[box] == 0:
                continue
            start = _start(profile.axis, sides_of[box : box + 1])
            middle = profile.points(np.array([0.5 * (a + b)]))
            both = profile.points(np.array([a, b])).reshape(1, 4)
            found.append(np.column_stack([middle, start, both]))
    return np.concatenate(found)
