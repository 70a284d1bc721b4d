"""Stationary sets of an across-layers slice: level edges, valleys and level cells that touch."""

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.across import curves as bent
from surfacecli.geometry.across.cells import AcrossCells
from surfacecli.geometry.across.edges import ChainTurns, GapTurns
from surfacecli.geometry.across.interiors import Interiors, bed
from surfacecli.geometry.across.spots import CHAIN, GAP, NODE, LevelPieces, Spots
from surfacecli.geometry.across.tables import Tables
from surfacecli.geometry.across.valleys import INNER, Courses
from surfacecli.geometry.exact.groups import connect
from surfacecli.geometry.stationary import PointKind, StationaryPoint
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]

#: A valley ends at the spot nearest to its end, if that is nearer than this, in windows.
AT_SPOT = 1e-6
#: And if E is the same there but for this share of what it is the sum of.
SAME_LEVEL, ROUNDED = 1e-7, 1e-14
#: Segments that a curve is drawn with.
SEGMENTS = 24
#: Shares of a course at which it is looked at: of a hyperbola in a wide window all that is not
#: straight lies close to the ends.
#: The direction of shorter steps, in lengths of a course, is rounding.
LONG_ENOUGH = 1e-7
_NEAR_END = 0.5 * np.geomspace(1e-12, 1.0, 12 * SEGMENTS)
SHARES = np.unique(np.concatenate([[0.0], _NEAR_END, 1.0 - _NEAR_END, [1.0]]))


@dataclass(frozen=True, eq=False)
class Found:
    """All that was found of a slice: cells, tables, and what lies on edges and inside."""

    cells: AcrossCells
    tables: Tables
    chains: ChainTurns
    gaps: GapTurns
    spots: Spots
    pieces: LevelPieces
    inside: Interiors
    courses: Courses

    @cached_property
    def cell_of_spots(self) -> Indices:
        """A cell that each spot belongs to."""
        spots, cells = self.spots, self.cells
        result = np.empty(len(spots.x), dtype=np.intp)
        chain, gap, node = (spots.on == k for k in (CHAIN, GAP, NODE))
        result[chain] = self.chains.cell[spots.number[chain]]
        result[gap] = self.gaps.cell[:, spots.number[gap]].max(axis=0)
        beside = np.full(len(cells.nodes.bound), -1)
        for end in (0, 1):
            beside[cells.chains.ends[:, end]] = self.chains.cell
        edge = cells.gaps.lower[self.gaps.edge]
        for step in (0, 1):
            beside[edge + step] = self.gaps.cell.max(axis=0)
        result[node] = beside[spots.number[node]]
        return result

    @cached_property
    def goes_on(self) -> NDArray[np.bool_]:
        """Which ends of courses (k, 2) are those of others too."""
        result = np.zeros((len(self.courses), 2), dtype=np.bool_)
        result[self.courses.joined[:, 0], 1] = True
        result[self.courses.joined[:, 1], 0] = True
        return result

    @cached_property
    def spots_at_ends(self) -> Indices:
        """The spots at which courses end: (k, 2), -1 where there is none, or the course goes on.

        One near by may lie on another set. And where a valley runs steeply, the end is known less
        well than that a spot lies on the valley.
        """
        spots, courses = self.spots, self.courses
        extent = np.array(self.cells.frame.extent)
        places, ends = np.stack([spots.x, spots.y], axis=1) / extent, courses.ends / extent
        result = np.full((len(courses), 2), -1)
        for course, k in np.argwhere(~self.goes_on):
            distance = np.abs(places - ends[course, k])
            near = np.flatnonzero((distance[:, 0] < AT_SPOT) & self.on_level(course))
            away = distance[near].max(axis=1)
            if not courses.upright[course]:
                cell = np.full(len(near), self.cells.cell[courses.patch[course]])
                aside = np.abs(bed(self.tables, cell, spots.x[near]) - spots.y[near]) / extent[1]
                away = np.fmin(away, aside)
            if len(near) and away.min() < AT_SPOT:
                result[course, k] = near[away.argmin()]
        return result

    @cached_property
    def loose_ends(self) -> int:
        """The ends of courses at which there is nothing, which there cannot be."""
        loose = np.argwhere(~self.goes_on & (self.spots_at_ends < 0))
        ends = self.courses.ends
        return sum(_piece_at(self, course, ends[course, k]) < 0 for course, k in loose)

    def on_level(self, course: int) -> NDArray[np.bool_]:
        """The spots (P,) at which E is what it is along a course."""
        level, slack = self._levels
        return np.asarray(np.abs(level - self._course_levels[course]) <= slack)

    @cached_property
    def _levels(self) -> tuple[Array, Array]:
        table, size = self.tables.shifted(self.cell_of_spots, self.spots.x, self.spots.y)
        # Where E is 0, as good as the square of a place's rounding.
        slack = SAME_LEVEL * size[:, 0, 0] + ROUNDED**2 * table[:, 0, 0].max()
        return table[:, 0, 0], slack

    @cached_property
    def _course_levels(self) -> Array:
        cell = self.cells.cell[self.courses.patch]
        x, y = (self.courses.ends * [[[1.0 - INNER], [INNER]]]).sum(axis=1).T
        y = np.where(self.courses.upright, y, bed(self.tables, cell, x))
        return self.tables.value(cell, x, y)

    @property
    def index(self) -> int:
        """The Euler integral of the index over the window."""
        total = self.spots.rounds.index.sum() + self.pieces.index.sum()
        total += self.inside.index.sum() + self.inside.level.sum()
        return int(total) + self.courses.index


@dataclass(frozen=True, eq=False)
class Group:
    """Strata that touch: the numbers of spots, level pieces, courses and level cells."""

    spots: Indices
    pieces: Indices
    courses: Indices
    cells: Indices


def find_groups(found: Found) -> list[Group]:
    """The stationary sets, each with all of its strata.

    A level piece that E crosses downhill belongs to none: no point of it is stationary.
    """
    counts = [len(found.spots.x), len(found.pieces.on), len(found.courses), len(found.cells)]
    begin = np.cumsum([0, *counts])
    links = [_piece_links(found, begin), *_course_links(found, begin), *_cell_links(found, begin)]
    joined = np.concatenate([np.zeros((0, 2), dtype=np.intp), *links])
    alone = np.concatenate(
        [begin[2] + np.arange(counts[2]), begin[3] + np.flatnonzero(found.inside.level)]
    )
    joined = np.concatenate([joined, np.stack([alone, alone], axis=1)])
    if not len(joined):
        return []
    members, position = np.unique(joined, return_inverse=True)
    name = connect(len(members), position.reshape(-1, 2))
    order = np.argsort(name, kind="stable")
    parts = np.split(members[order], np.flatnonzero(np.diff(name[order])) + 1)
    return [
        Group(*(part[(part >= a) & (part < b)] - a for a, b in itertools.pairwise(begin)))
        for part in parts
    ]


def _piece_links(found: Found, begin: Indices) -> Indices:
    """Level pieces with the spots at their ends."""
    own = np.flatnonzero(~found.pieces.crossed)
    ends = found.pieces.ends[own].ravel()
    return np.stack([begin[1] + np.repeat(own, 2), ends], axis=1)


def _course_links(found: Found, begin: Indices) -> list[Indices]:
    """Courses with each other where they go on, else with the spots at their ends."""
    courses, at = found.courses, found.spots_at_ends
    links = [begin[2] + courses.joined, begin[2] + courses.crossed]
    for course, k in np.argwhere(~found.goes_on):
        if at[course, k] >= 0:
            links.append(np.array([[begin[2] + course, at[course, k]]]))
        elif (piece := _piece_at(found, course, courses.ends[course, k])) >= 0:
            links.append(np.array([[begin[2] + course, begin[1] + piece]]))
    return links


def _piece_at(found: Found, course: int, place: Array) -> int:
    """A stationary level piece that the end of a course lies on, or -1."""
    spots, pieces = found.spots, found.pieces
    low, high = pieces.ends.T
    x, y = (np.stack([at[low], at[high]]) for at in (spots.x, spots.y))
    slack = AT_SPOT * np.array(found.cells.frame.extent)
    on = np.abs(x[0] - place[0]) < slack[0]
    on &= (y[0] - slack[1] < place[1]) & (place[1] < y[1] + slack[1])
    chain = pieces.on == CHAIN
    curve = found.cells.chains.curve[pieces.number[chain]]
    at = np.clip(place[0], *x[:, chain])
    on[chain] = (np.abs(at - place[0]) < slack[0]) & (
        np.abs(bent.heights(curve, at) - place[1]) < slack[1]
    )
    on &= ~pieces.crossed & found.on_level(course)[low]
    return int(on.argmax()) if on.any() else -1


def _cell_links(found: Found, begin: Indices) -> list[Indices]:
    """Level cells with the level pieces round them."""
    pieces, chains = found.pieces, found.cells.chains
    links = []
    for on, sides in ((CHAIN, (chains.below, chains.above)), (GAP, tuple(found.gaps.cell))):
        own = np.flatnonzero(pieces.on == on)
        for cell in sides:
            beside = cell[pieces.number[own]]
            level = (beside >= 0) & found.inside.level[beside]
            links.append(np.stack([begin[1] + own[level], begin[3] + beside[level]], axis=1))
    return links


def read_group(found: Found, group: Group) -> StationaryPoint:
    """The stationary point that stands for a group."""
    spots, pieces, frame = found.spots, found.pieces, found.cells.frame
    rounds = spots.rounds
    joints = np.isin(found.courses.joined[:, 0], group.courses).sum()
    joints -= np.isin(found.courses.crossed[:, 0], group.courses).sum()
    index = (
        rounds.index[group.spots].sum()
        + pieces.index[group.pieces].sum()
        + len(group.cells)
        - len(group.courses)
        + joints
    )
    falls = rounds.falls[group.spots].any() or (pieces.falls[group.pieces] > 0).any()
    rises = (
        rounds.rises[group.spots].any()
        or pieces.rises[group.pieces].any()
        or len(group.courses) > 0
    )
    kind: PointKind = "saddle" if index else "shoulder"
    if not falls:
        kind = "minimum"
    elif not rises:
        kind = "maximum"
    lines = _lines(found, group)
    (x, y), cell = _middle(found, group)
    along = np.concatenate([*lines, np.array([[x, y]])])
    low, high = frame.swap(along.min(axis=0)), frame.swap(along.max(axis=0))
    u, v = frame.swap(np.array([x, y]))
    error = found.tables.value(np.array([cell]), np.array([x]), np.array([y]))[0]
    segments = [np.stack([line[:-1], line[1:]], axis=1) for line in lines]
    outline = frame.swap(np.concatenate([np.zeros((0, 2, 2)), *segments])).tolist()
    border = _on_border(found, group.pieces)
    return StationaryPoint(
        float(u),
        float(v),
        float(error),
        kind,
        "plateau" if len(group.cells) else "valley",
        smooth=not pieces.kinked[group.pieces].any(),
        index=int(index),
        extent=(float(low[0]), float(high[0]), float(low[1]), float(high[1])),
        on_border=bool(border.all()) and not len(group.courses) and not len(group.cells),
        area=_area(found, group.cells) if len(group.cells) else None,
        outline=tuple(((a[0], a[1]), (b[0], b[1])) for a, b in outline),
    )


def _on_border(found: Found, pieces: Indices) -> NDArray[np.bool_]:
    """Which level pieces lie on the window's border."""
    number, on = found.pieces.number[pieces], found.pieces.on[pieces]
    chains, gaps = found.cells.chains, found.gaps
    outer_chain = (chains.below < 0) | (chains.above < 0)
    outer_gap = np.asarray((gaps.cell < 0).any(axis=0))
    result = np.zeros(len(pieces), dtype=np.bool_)
    result[on == CHAIN] = outer_chain[number[on == CHAIN]]
    result[on == GAP] = outer_gap[number[on == GAP]]
    return result


def _is_amid(found: Found, group: Group) -> NDArray[np.bool_]:
    """Which level pieces of a group lie between two of its level cells."""
    number, on = found.pieces.number[group.pieces], found.pieces.on[group.pieces]
    chains, result = found.cells.chains, np.zeros(len(group.pieces), dtype=np.bool_)
    sides = {CHAIN: np.stack([chains.below, chains.above]), GAP: found.gaps.cell}
    for kind, cell in sides.items():
        own = on == kind
        result[own] = np.isin(cell[:, number[own]], group.cells).all(axis=0)
    return result


def _lines(found: Found, group: Group) -> list[Array]:
    """The set as lines (n, 2) of places (x, y)."""
    rim = group.pieces[~_is_amid(found, group)]
    lines = [_piece_line(found, piece) for piece in rim]
    lines += [_course_line(found, course) for course in group.courses]
    return lines


def _piece_line(found: Found, piece: int) -> Array:
    """A level piece as places along it."""
    spots, ends = found.spots, found.pieces.ends[piece]
    if found.pieces.on[piece] == GAP:
        return np.stack([spots.x[ends], spots.y[ends]], axis=1)
    curve = found.cells.chains.curve[found.pieces.number[piece]]
    straight = curve[1] == 0 and curve[3] == 0
    first, last = spots.x[ends]
    x = np.linspace(first, last, 2 if straight else SEGMENTS + 1)
    return np.stack([x, bent.heights(curve, x)], axis=1)


def _course_line(found: Found, course: int) -> Array:
    """A course as places along it, close where it bends."""
    courses, at = found.courses, found.spots_at_ends[course]
    places = np.stack([found.spots.x[at], found.spots.y[at]], axis=1)
    ends: Array = np.where(at[:, None] >= 0, places, courses.ends[course])
    if courses.upright[course]:
        return ends
    cell = found.cells.cell[courses.patch[course]]
    x = ends[0, 0] + SHARES * (ends[1, 0] - ends[0, 0])
    y = bed(found.tables, np.full(len(x), cell), x)
    y[[0, -1]] = ends[:, 1]
    # Where q2 has a double root the bed goes on as it comes.
    known = np.isfinite(y)
    frame = found.cells.frame
    y = np.interp(x, x[known], y[known]).clip(*frame.y)
    across, up = np.diff(x) / frame.extent[0], np.diff(y) / frame.extent[1]
    step = np.hypot(across, up)
    # Even steps in length and in direction together: short ones where it bends.
    turned = np.abs(np.diff(np.arctan2(up, across))) * (step[1:] > LONG_ENOUGH * step.sum())
    way = np.append(0.0, np.cumsum(step)) / max(step.sum(), 1e-300)
    way[1:-1] += np.cumsum(turned) / np.pi
    way[-1] = 1.0 + turned.sum() / np.pi
    kept = np.unique(
        np.searchsorted(way, np.linspace(0.0, way[-1], SEGMENTS + 1)).clip(0, len(x) - 1)
    )
    return np.stack([x[kept], y[kept]], axis=1)


def _course_middle(found: Found, course: int) -> Array:
    """The place half-way along a course."""
    line = _course_line(found, course)
    if found.courses.upright[course]:
        return np.asarray(line.mean(axis=0))
    step = np.hypot(*(np.diff(line, axis=0) / found.cells.frame.extent).T)
    way = np.append(0.0, np.cumsum(step))
    x = np.interp(0.5 * way[-1], way, line[:, 0])
    y = bed(found.tables, found.cells.cell[found.courses.patch[[course]]], np.array([x]))[0]
    if not np.isfinite(y):
        y = np.interp(x, line[:, 0], line[:, 1])
    return np.array([x, y])


def _middle(found: Found, group: Group) -> tuple[tuple[float, float], int]:
    """A place of a set near its middle, and a cell that it belongs to."""
    cells = found.cells
    if len(group.cells):
        points = cells.slabs.inner_points()[cells.largest[group.cells]]
        areas = [_area(found, np.array([cell])) for cell in group.cells]
        k = int(np.argmax(areas))
        return (float(points[k, 0]), float(points[k, 1])), int(group.cells[k])
    if len(group.courses):
        lines = [_course_line(found, course) for course in group.courses]
        lengths = [np.hypot(*np.diff(line, axis=0).T).sum() for line in lines]
        k = int(np.argmax(lengths))
        course = group.courses[k]
        cell = int(cells.cell[found.courses.patch[course]])
        x, y = _course_middle(found, course)
        return (float(x), float(y)), cell
    places, owners = [], []
    for piece in group.pieces:
        line, number = _piece_line(found, piece), found.pieces.number[piece]
        places.append(line[len(line) // 2] if len(line) > 2 else line.mean(axis=0))
        on_chain = found.pieces.on[piece] == CHAIN
        owners.append(found.chains.cell[number] if on_chain else found.gaps.cell[:, number].max())
    at_spots = np.stack([found.spots.x, found.spots.y], axis=1)[group.spots]
    at = np.concatenate([np.array(places), at_spots])
    owners = [*owners, *found.cell_of_spots[group.spots]]
    # Of places equally near, the last: a spot, where edges meet.
    distance = np.hypot(*(at - at.mean(axis=0)).T)
    k = len(at) - 1 - int(distance[::-1].argmin())
    return (float(at[k, 0]), float(at[k, 1])), int(owners[k])


def _area(found: Found, wanted: Indices) -> float:
    """The area of cells."""
    slabs = found.cells.slabs
    patch = np.flatnonzero(np.isin(found.cells.cell, wanted))
    slab = slabs.slab_of_patch[patch]
    low, high = (
        bent.integral(slabs.curves[slabs.below[patch] + k], slabs.x[slab], slabs.x[slab + 1])
        for k in (0, 1)
    )
    return float((high - low).sum())
