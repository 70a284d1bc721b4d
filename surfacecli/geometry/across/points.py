"""All stationary points of an across-layers slice, with their audit.

Single points: nodes, turns of E along edges and points inside cells whose index is not 0. Sets:
level edges, valleys and level cells, put together where they touch, one entry each.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.across import curves as bent
from surfacecli.geometry.across.cells import AcrossCells, find_across_cells, read_cells
from surfacecli.geometry.across.edges import find_chain_turns, find_gap_turns
from surfacecli.geometry.across.grading import grade
from surfacecli.geometry.across.interiors import find_interiors
from surfacecli.geometry.across.narrow import find_narrow
from surfacecli.geometry.across.sets import (
    Found,
    find_groups,
    read_group,
)
from surfacecli.geometry.across.spots import CHAIN, GAP, NODE, find_spots
from surfacecli.geometry.across.tables import Tables, make_tables, second_derivatives
from surfacecli.geometry.across.valleys import find_courses
from surfacecli.geometry.exact.points import Audit
from surfacecli.geometry.exact.telling import Progress
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.stationary import PointKind, StationaryPoint, line_along
from surfacecli.geometry.surface import differentiate, evaluate, linear_pieces
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]
Place = tuple[float, float, float]

#: A gradient counts as 0 on all sides below this times the size of its terms.
SMOOTH = 1e-10
#: The bend of a line counts as 0 below this times the largest one there.
NONE = 1e-12
#: A cell's table and the forward pass agree within this, relative to the largest E.
AGREE = 1e-9
#: Round a point at this distance, in windows, the units that change their pieces make its kink.
RING = 1e-7
#: How far corners are drawn in, towards the middle of their patch, and places along curves, in
#: windows; how many of these a curve has.
DRAWN_IN, ALONG = 1e-6, 9
#: Where cells must be cut into panels: how many times wider than the next one may be, in turn.
GRADES = (100.0, 10.0)
#: Points whose rings are looked at together.
TOGETHER = 256


@dataclass(frozen=True, eq=False)
class AcrossExact:
    """Everything about an across-layers slice: cells, E in them, points, audit, extremes.

    `found` may have its cells cut further, into panels, than `cells` with their `tables`.
    """

    found: Found
    cells: AcrossCells
    tables: Tables
    points: tuple[StationaryPoint, ...]
    border: tuple[StationaryPoint, ...]
    audit: Audit
    lowest: Place
    highest: Place

    @property
    def judged_places(self) -> Array:
        """Where the Hessians are that the verdict looks at, (k, 2) as (u, v).

        Of every cell a point in its middle and the places on its rim, as far as it was looked at,
        with the smallest eigenvalue and diagonal entry; and every smooth stationary point.
        """
        smooth = [(p.u, p.v) for p in self.points if p.support == "cell"]
        inner = self.found.cells.inner_points
        places = [inner, self.cells.frame.swap(_most_bent_down(self.found))]
        return np.concatenate([*places, np.array(smooth).reshape(-1, 2)])


def examine_across(slice: Slice, window: Window, progress: Progress | None = None) -> AcrossExact:
    """Find all stationary points of a window of an across-layers slice of a piecewise-linear net.

    The loss must be squares. `progress` is called with the strips done and their total. Raises
    `ValueError` where the slice is not across two layers, or the loss is another.
    """
    found = _find(find_across_cells(slice, window, progress))
    points, audit = _read_points(found), Audit(found.index, _disputed(found))
    if not _is_whole(points, audit):
        # A window far larger than what is in it: cells cut into panels, the audit as the judge.
        narrow = find_narrow(found.cells, found.tables)
        for most, at in ((GRADES[0], narrow[:0]), *((most, narrow) for most in GRADES)):
            slabs = grade(found.cells.slabs, at, most)
            finer = _find(read_cells(found.cells.frame, slabs))
            other, judged = _read_points(finer), Audit(finer.index, _disputed(finer))
            if _is_whole(other, judged):
                return _read(finer, found.cells, found.tables, other, judged)
    return _read(found, found.cells, found.tables, points, audit)


def _is_whole(points: list[StationaryPoint], audit: Audit) -> bool:
    """Whether the audit is complete and the points reported carry its whole sum."""
    return audit.complete and sum(point.index for point in points) == audit.sum


def _find(cells: AcrossCells) -> Found:
    tables = make_tables(cells.frame, cells.slabs.inner_points()[cells.largest])
    chains, gaps = find_chain_turns(cells, tables), find_gap_turns(cells, tables)
    inside = find_interiors(cells, tables)
    spots, pieces = find_spots(cells, tables, chains, gaps, inside.outside)
    courses = find_courses(cells, tables, inside)
    return Found(cells, tables, chains, gaps, spots, pieces, inside, courses)


def _read(
    found: Found,
    cells: AcrossCells,
    tables: Tables,
    points: list[StationaryPoint],
    audit: Audit,
) -> AcrossExact:
    spots, inside = found.spots, found.inside
    places = cells.frame.swap(
        np.stack([np.append(spots.x, inside.x), np.append(spots.y, inside.y)], axis=1)
    )
    values = _errors(found)
    return AcrossExact(
        found,
        cells,
        tables,
        _sorted([p for p in points if not p.on_border]),
        _sorted([p for p in points if p.on_border]),
        audit,
        _lowest(points, places, values),
        _place(places, values, int(values.argmax())),
    )


def _most_bent_down(found: Found) -> Array:
    """Of each cell, places (2 F, 2) as (x, y) where E bends down most, at all and along an axis.

    Looked at are the corners of patches and places along the curves, a little drawn in.
    """
    slabs, cells = found.cells.slabs, found.cells
    inner, slab = slabs.inner_points(), slabs.slab_of_patch
    places, owners = [], []
    for x in (slabs.x[slab], slabs.x[slab + 1]):
        for k in (0, 1):
            y = np.clip(bent.heights(slabs.curves[slabs.below + k], x), *cells.frame.y)
            corner = np.stack([x, np.where(np.isnan(y), inner[:, 1], y)], axis=1)
            places.append(corner + DRAWN_IN * (inner - corner))
            owners.append(cells.cell)
    chains = cells.chains
    ends = cells.nodes.place[chains.ends, 0]
    steps = np.linspace(0.0, 1.0, ALONG + 2)[1:-1]
    x = (ends[:, :1] * (1.0 - steps) + ends[:, 1:] * steps).ravel()
    y = bent.heights(np.repeat(chains.curve, ALONG, axis=0), x)
    beside = DRAWN_IN * cells.frame.extent[1]
    for cell, side in ((chains.below, -beside), (chains.above, beside)):
        inside = np.repeat(cell >= 0, ALONG)
        places.append(np.stack([x, y + side], axis=1)[inside])
        owners.append(np.repeat(cell, ALONG)[inside])
    at, owner = np.concatenate(places), np.concatenate(owners)
    hessian = found.tables.hessian(owner, *at.T)
    diagonal = np.minimum(hessian[:, 0, 0], hessian[:, 1, 1])
    chosen = []
    for least in (np.linalg.eigvalsh(hessian)[:, 0], diagonal):
        order = np.lexsort((least, owner))
        chosen.append(at[order[np.append(True, np.diff(owner[order]) > 0)]])
    return np.concatenate(chosen)


def _read_points(found: Found) -> list[StationaryPoint]:
    groups = find_groups(found)
    in_set = np.zeros(len(found.spots.x), dtype=np.bool_)
    result = []
    for group in groups:
        in_set[group.spots] = True
        point = read_group(found, group)
        # On the border a shoulder is a regular set.
        if not (point.on_border and point.kind == "shoulder"):
            result.append(_with_hessian(found, point) if len(group.courses) else point)
    result += _inner_points(found)
    rounds = found.spots.rounds
    wanted = (rounds.index != 0) | (rounds.everywhere & _outer(found))
    return result + _spot_points(found, np.flatnonzero(wanted & ~in_set))


def _with_hessian(found: Found, point: StationaryPoint) -> StationaryPoint:
    """A valley through cells with gradient and Hessian at its point, where E is smooth."""
    if not point.smooth or point.support == "plateau":
        return point
    at = differentiate(found.cells.frame.slice, point.u, point.v)
    smaller, larger = np.linalg.eigvalsh(at.hessian[0])
    return replace(
        point,
        residual=float(np.hypot(*at.gradient[0])),
        eigenvalues=(float(smaller), float(larger)),
    )


def _outer(found: Found) -> Flags:
    """Which spots lie on the window's border."""
    (x0, x1), (y0, y1) = found.cells.frame.x, found.cells.frame.y
    x, y = found.spots.x, found.spots.y
    return np.asarray((x == x0) | (x == x1) | (y == y0) | (y == y1))


def _spot_points(found: Found, wanted: Indices) -> list[StationaryPoint]:
    """The stationary points at spots."""
    spots, rounds, frame = found.spots, found.spots.rounds, found.cells.frame
    outer = _outer(found)
    cells = [_cells_round(found, spot) for spot in wanted.tolist()]
    residual = [_residual(found, spot, own) for spot, own in zip(wanted, cells, strict=True)]
    places = frame.swap(np.stack([spots.x, spots.y], axis=1)[wanted])
    errors = found.tables.value(found.cell_of_spots[wanted], spots.x[wanted], spots.y[wanted])
    kinks = find_kinks_at(frame.slice, frame.window, places)
    result = []
    for k, (spot, (u, v)) in enumerate(zip(wanted.tolist(), places.tolist(), strict=True)):
        kind: PointKind = "saddle"
        if not rounds.falls[spot]:
            kind = "minimum"
        elif rounds.everywhere[spot]:
            kind = "maximum"
        smooth = residual[k] is not None and not outer[spot]
        point = StationaryPoint(
            u,
            v,
            float(errors[k]),
            kind,
            "vertex" if spots.on[spot] == NODE else "edge",
            smooth=smooth,
            index=int(rounds.index[spot]),
            residual=residual[k] if smooth else None,
            on_border=bool(outer[spot]),
            kinks=kinks[k],
        )
        result.append(_with_bends(found, spot, cells[k], point) if smooth else point)
    return result


def _cells_round(found: Found, spot: int) -> Indices:
    """The cells that a spot lies on the border of."""
    spots, cells = found.spots, found.cells
    chains, nodes = cells.chains, cells.nodes
    number = spots.number[spot]
    if spots.on[spot] == CHAIN:
        beside = [chains.below[number], chains.above[number]]
    elif spots.on[spot] == GAP:
        beside = list(found.gaps.cell[:, number])
    else:
        at = [np.arange(nodes.first[s, number], nodes.last[s, number]) for s in (0, 1)]
        chain = cells.chain_of[np.concatenate(at)]
        beside = [*chains.below[chain], *chains.above[chain]]
        own = (cells.gaps.lower == number) | (cells.gaps.lower == number - 1)
        own &= nodes.bound[cells.gaps.lower] == nodes.bound[number]
        patch = cells.gaps.patch[:, own]
        beside += list(cells.cell[patch[patch >= 0]])
    return np.unique([c for c in beside if c >= 0]).astype(np.intp)


def _tables_at(found: Found, spot: int, cells: Indices) -> tuple[Array, Array]:
    """The tables of cells around a spot, with the sizes of their terms: (k, 3, 3) each."""
    x, y = np.full(len(cells), found.spots.x[spot]), np.full(len(cells), found.spots.y[spot])
    return found.tables.shifted(cells, x, y)


def _residual(found: Found, spot: int, cells: Indices) -> float | None:
    """The largest slope round a spot where it is 0 in all of its cells, else None."""
    table, size = _tables_at(found, spot, cells)
    slopes = np.abs([table[:, 1, 0], table[:, 0, 1]])
    # What the slopes are sums of, and what they become as far away as the spot may be misplaced.
    most = np.array([size[:, 1, 0], size[:, 0, 1]])
    most += np.einsum("kij,j->ik", np.abs(second_derivatives(table)), found.spots.scale[spot])
    level = slopes <= SMOOTH * most
    return float(slopes.max(initial=0.0)) if level.all() else None


def _with_bends(found: Found, spot: int, cells: Indices, point: StationaryPoint) -> StationaryPoint:
    """A smooth point on an edge or vertex with its Hessian, where there is one, and downhill line.

    There is one where the kinks there cancel, as those of relu(s) - relu(-s) do.
    """
    table, size = _tables_at(found, spot, cells)
    bends = [(2, 0), (1, 1), (0, 2)]
    spread = [np.ptp(table[:, i, j]) <= SMOOTH * size[:, i, j].max() for i, j in bends]
    saddle = point.kind == "saddle"
    hessians = found.cells.frame.swap_hessians(second_derivatives(table))
    if not all(spread):
        return replace(point, downhill=_line_down(found, point, hessians) if saddle else None)
    (smaller, larger), vectors = np.linalg.eigh(hessians[0])
    return replace(
        point,
        eigenvalues=(float(smaller), float(larger)),
        downhill=line_along(vectors[:, 0]) if saddle else None,
    )


def _line_down(found: Found, point: StationaryPoint, hessians: Array) -> tuple[float, float] | None:
    """The line in which E bends down most both ways; None where there is none.

    `hessians` (k, 2, 2) in (u, v) of the cells there, none of which has all directions. A line goes
    into one of them and, backwards, into another. The higher of their two bends is least along an
    eigenvector, or where both are the same, which they are on all borders of cells.
    """
    frame = found.cells.frame
    first, second = np.triu_indices(len(hessians), 1)
    jumps = hessians[first] - hessians[second]
    axes = np.linalg.eigh(np.concatenate([hessians, jumps]))[1].swapaxes(1, 2).reshape(-1, 2)
    lines = np.concatenate([axes, _level_lines(jumps)])
    step = RING * min(frame.extent)
    bends = []
    for way in (step, -step):
        at = np.array([point.u, point.v]) + way * lines
        hessian = differentiate(frame.slice, at[:, 0], at[:, 1]).hessian
        bends.append(np.einsum("ki,kij,kj->k", lines, hessian, lines))
    highest = np.maximum(*bends)
    k = int(highest.argmin())
    return line_along(lines[k]) if highest[k] < -NONE * np.abs(hessians).max() else None


def _level_lines(forms: Array) -> Array:
    """Unit vectors d (m, 2) with d Q d = 0, of forms Q (k, 2, 2): two of each, or none."""
    values, vectors = np.linalg.eigh(forms)
    indefinite = (values[:, 0] < 0.0) & (values[:, 1] > 0.0)
    parts, vectors = np.sqrt(np.abs(values[indefinite])), vectors[indefinite]
    lines = [
        sign * parts[:, :1] * vectors[:, :, 1] + parts[:, 1:] * vectors[:, :, 0]
        for sign in (1.0, -1.0)
    ]
    both = np.concatenate(lines)
    return np.asarray(both / np.hypot(*both.T)[:, None])


def _inner_points(found: Found) -> list[StationaryPoint]:
    """The stationary points inside cells; gradient and Hessian by forward propagation."""
    inside, frame = found.inside, found.cells.frame
    places = frame.swap(np.stack([inside.x, inside.y], axis=1))
    at = differentiate(frame.slice, places[:, 0], places[:, 1])
    eigenvalues, vectors = np.linalg.eigh(at.hessian)
    result = []
    for k, (u, v) in enumerate(places.tolist()):
        saddle = inside.index[k] < 0
        result.append(
            StationaryPoint(
                u,
                v,
                float(at.error[k]),
                "saddle" if saddle else "minimum",
                "cell",
                smooth=True,
                index=int(inside.index[k]),
                residual=float(np.hypot(*at.gradient[k])),
                eigenvalues=(float(eigenvalues[k, 0]), float(eigenvalues[k, 1])),
                downhill=line_along(vectors[k, :, 0]) if saddle else None,
            )
        )
    return result


def find_kinks_at(
    slice: Slice, window: Window, places: Array
) -> list[tuple[tuple[int, int, int], ...]]:
    """(layer, unit, data point), from 1, of what changes its piece round places (k, 2), (u, v)."""
    network, samples = slice.objective.network, len(slice.objective.data)
    widths = network.widths[slice.first_moved :]
    layer = np.repeat(
        np.arange(slice.first_moved, network.depth + 1), [samples * n for n in widths]
    )
    within = np.concatenate([np.arange(samples * n) for n in widths])
    width = np.array(network.widths)[layer]
    labels = np.stack([layer, within % width + 1, within // width + 1], axis=1)
    angle = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False) + 0.1
    ring = RING * np.stack(
        [(window.u1 - window.u0) * np.cos(angle), (window.v1 - window.v0) * np.sin(angle)], axis=1
    )
    result: list[tuple[tuple[int, int, int], ...]] = []
    for start in range(0, len(places), TOGETHER):
        some = places[start : start + TOGETHER]
        at = (some[:, None] + ring).reshape(-1, 2)
        pieces = linear_pieces(slice, at[:, 0], at[:, 1]).reshape(len(some), len(ring), -1)
        changes = (pieces != pieces[:, :1]).any(axis=1)
        for row in changes:
            own = labels[row]
            own = own[np.lexsort((own[:, 2], own[:, 1], own[:, 0]))]
            result.append(tuple((int(a), int(b), int(c)) for a, b, c in own))
    return result


def _disputed(found: Found) -> int:
    """How many cells two roads differ on: E by the forward pass, and the sign of the Hessian.

    A kink that was missed shows up in the first: the cell's table cannot be right on both sides.
    One more is disputed where E falls from the lowest of all places, and one for each valley that
    ends where nothing is.
    """
    cells, slabs, inside = found.cells, found.cells.slabs, found.inside
    points = slabs.inner_points()
    here = found.tables.value(cells.cell, points[:, 0], points[:, 1])
    at = cells.frame.swap(points)
    there = evaluate(cells.frame.slice, at[:, 0], at[:, 1])
    wrong = cells.cell[np.abs(here - there) > AGREE * max(np.abs(there).max(), 1e-300)]
    H = found.tables.hessian(inside.cell, inside.x, inside.y)
    product, mixed = H[:, 0, 0] * H[:, 1, 1], H[:, 0, 1] ** 2
    clear = np.abs(product - mixed) > AGREE * (np.abs(product) + mixed)
    other = clear & (np.sign(product - mixed) != inside.index)
    falls = np.append(found.spots.rounds.falls, inside.index < 0)
    beyond = bool(falls[_errors(found).argmin()])
    cell_count = len(np.unique(np.concatenate([wrong, inside.cell[other]])))
    return cell_count + beyond + found.loose_ends


def _errors(found: Found) -> Array:
    """E at the spots, and at the places inside cells."""
    spots, inside = found.spots, found.inside
    at_spots = found.tables.value(found.cell_of_spots, spots.x, spots.y)
    return np.append(at_spots, found.tables.value(inside.cell, inside.x, inside.y))


def _lowest(points: list[StationaryPoint], places: Array, values: Array) -> Place:
    """E is convex along one axis in each cell: lowest at a spot, inside a cell, or on a set."""
    at = np.concatenate([places, np.array([[p.u, p.v] for p in points]).reshape(-1, 2)])
    every = np.concatenate([values, [p.error for p in points]])
    return _place(at, every, int(every.argmin()))


def _place(places: Array, values: Array, k: int) -> Place:
    return float(places[k, 0]), float(places[k, 1]), float(values[k])


def _sorted(points: list[StationaryPoint]) -> tuple[StationaryPoint, ...]:
    return tuple(sorted(points, key=lambda p: (p.error, p.u, p.v)))
