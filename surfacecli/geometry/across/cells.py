"""The cells of an across-layers slice: nodes, edges and cells, read off its slabs.

At each bound between two slabs the curves that end or begin close to each other meet in a node;
what lies between two nodes is a gap, with a patch on either side. Patches on both sides of a gap
that is no kink belong to one cell, and a curve that passes a bound alone goes on: a chain of curves
is an edge, and so is a gap that is a kink or lies on the window's border.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.across import curves as bent
from surfacecli.geometry.across.frame import Frame, make_frame
from surfacecli.geometry.across.ragged import spread, starts
from surfacecli.geometry.across.slabs import BOTTOM, TOP, Slabs, find_slabs
from surfacecli.geometry.exact.groups import connect
from surfacecli.geometry.exact.telling import Progress
from surfacecli.geometry.slices import Slice, Window
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]

#: Curves meet at a bound where they are nearer than this times the height of the window, or than
#: rounding of the bound moves a steep curve.
CLOSE, STEEP = 1e-11, 1e-14
#: Two halves of a curve have the same coefficients within this share of the largest.
ONE = 1e-9
#: A steep curve is held for misplaced by no more than this times the height of the window.
MISPLACED = 1e-6


@dataclass(frozen=True, eq=False)
class Nodes:
    """Where curves meet a bound, numbered from left to right and upwards.

    bound (n,), place (n, 2). first, last (2, n): the curves of the slabs on the left (0) and on the
    right (1) that end in a node, from `first` up to but without `last`. alone (n,): only one curve
    passes here, and nothing else happens.
    """

    bound: Indices
    place: Array
    first: Indices
    last: Indices
    alone: Flags


@dataclass(frozen=True, eq=False)
class Gaps:
    """What lies between neighbouring nodes of one bound.

    lower (g,): the node below; above is the next one. patch (2, g): on the left and on the right,
    -1 outside the window. edge (g,): a kink, or part of the window's border.
    """

    lower: Indices
    patch: Indices
    edge: Flags


@dataclass(frozen=True, eq=False)
class Chains:
    """Edges that are curves y(x), from left to right.

    curve (c, 4); ends (c, 2): the nodes; below, above (c,): the cells, -1 outside the window.
    """

    curve: Array
    ends: Indices
    below: Indices
    above: Indices


@dataclass(frozen=True, eq=False)
class AcrossCells:
    """The cells of a window, with what they are read off.

    cell (T,): of each patch. chain_of (C,): of each curve of the slabs.
    """

    frame: Frame
    slabs: Slabs
    nodes: Nodes
    gaps: Gaps
    chains: Chains
    cell: Indices
    chain_of: Indices
    count: int

    def __len__(self) -> int:
        return self.count

    @property
    def along_x(self) -> tuple[Array, Array]:
        """Where each cell begins and ends, (F,) and (F,)."""
        slab = self.slabs.slab_of_patch
        low, high = np.full(len(self), np.inf), np.full(len(self), -np.inf)
        np.minimum.at(low, self.cell, self.slabs.x[slab])
        np.maximum.at(high, self.cell, self.slabs.x[slab + 1])
        return low, high

    @property
    def largest(self) -> Indices:
        """The largest patch of each cell, (F,)."""
        slabs = self.slabs
        x = slabs.middle[slabs.slab_of_patch]
        low, high = (bent.heights(slabs.curves[slabs.below + k], x) for k in (0, 1))
        size = np.minimum(np.diff(slabs.x)[slabs.slab_of_patch] / np.diff(slabs.frame.x)[0], 1.0)
        size = size * (high - low)
        order = np.lexsort((size, self.cell))
        last = np.append(np.diff(self.cell[order]) > 0, True)
        return np.asarray(order[last])

    @property
    def inner_points(self) -> Array:
        """A point inside each cell as (u, v), (F, 2)."""
        return self.frame.swap(self.slabs.inner_points()[self.largest])


def find_across_cells(
    slice: Slice, window: Window, progress: Progress | None = None
) -> AcrossCells:
    """All cells of a window of an across-layers slice of a piecewise-linear net.

    `progress` is called with the strips done and their total. Raises `ValueError` where the slice
    is not across two layers.
    """
    frame = make_frame(slice, window)
    return read_cells(frame, find_slabs(frame, progress))


def read_cells(frame: Frame, slabs: Slabs) -> AcrossCells:
    """The cells of a slice from its slabs; panels cut them too."""
    nodes, gaps = _find_nodes(slabs)
    cell, count = _find_cells(slabs, gaps)
    chains, chain_of = _find_chains(slabs, nodes, cell)
    return AcrossCells(frame, slabs, nodes, gaps, chains, cell, chain_of, count)


def _find_nodes(slabs: Slabs) -> tuple[Nodes, Gaps]:
    bounds, curves, slab = len(slabs.x), slabs.curves, slabs.slab_of_curve
    y0, y1 = slabs.frame.y
    # Each curve twice: on the left of the bound where it ends, on the right of where it starts.
    side = np.repeat([0, 1], len(curves))
    curve = np.tile(np.arange(len(curves)), 2)
    bound = np.concatenate([slab + 1, slab])
    x = slabs.x[bound]
    y = np.clip(bent.heights(curves[curve], x), y0, y1)
    y = np.where(np.isnan(y), 0.5 * (y0 + y1), y)
    steep = np.abs(bent.slopes(curves[curve], x)) * slabs.frame.reach[0] * STEEP
    near = CLOSE * (y1 - y0) + np.minimum(np.nan_to_num(steep, nan=0.0), MISPLACED * (y1 - y0))
    # In the order of the curves of each side, however rounding has it.
    y = _ascending(y, side, bound)
    order = np.lexsort((curve, y, bound))
    closed = np.diff(y[order]) <= near[order][1:] + near[order][:-1]
    closed &= np.diff(bound[order]) == 0
    closed = _close_strays(slabs, side, curve, bound, order, closed)
    node_of = np.empty(len(order), dtype=np.intp)
    node_of[order] = np.cumsum(np.append(True, ~closed)) - 1
    count = int(node_of.max()) + 1
    at_node = np.empty(count, dtype=np.intp)
    at_node[node_of] = bound
    members = np.bincount(node_of, minlength=count)
    place = np.stack([slabs.x[at_node], np.bincount(node_of, y, count) / members], axis=1)
    for name, at in ((BOTTOM, y0), (TOP, y1)):
        place[node_of[slabs.name[curve] == name], 1] = at
    first, last = np.empty((2, count), dtype=np.intp), np.empty((2, count), dtype=np.intp)
    for s in (0, 1):
        # The curves of a slab come to the nodes of its bound in order: counts tell which to which.
        here = np.bincount(node_of[side == s], minlength=count)
        begin = starts(here)
        # On the left side the slabs' curves in order belong to bounds 1, 2, ...; right: 0, 1, ...
        first[s], last[s] = begin[:-1], begin[1:]
    gap = np.flatnonzero(np.diff(at_node) == 0)
    patch = np.full((2, len(gap)), -1, dtype=np.intp)
    for s in (0, 1):
        inside = at_node[gap] > 0 if s == 0 else at_node[gap] < bounds - 1
        patch[s, inside] = _patch_above(slabs, last[s, gap[inside]] - 1)
    outside = (patch < 0).any(axis=0)
    kink = slabs.strip_edge[at_node[gap]] | slabs.cut[at_node[gap]] | outside
    kink |= slabs.pattern[patch[0]] != slabs.pattern[patch[1]]
    gaps = Gaps(gap, patch, kink)
    alone = _alone(slabs, at_node, first, last, gaps)
    return Nodes(at_node, place, first, last, alone), gaps


def _patch_above(slabs: Slabs, curve: Indices) -> Indices:
    return np.asarray(curve - slabs.slab_of_curve[curve])


def _ascending(y: Array, side: Indices, bound: Indices) -> Array:
    """y with what rounding lets fall behind a lower curve of the same side raised to it."""
    y = y.copy()
    for s in (0, 1):
        own = np.flatnonzero(side == s)
        while True:
            fallen = (np.diff(y[own]) < 0) & (np.diff(bound[own]) == 0)
            if not fallen.any():
                break
            at = np.flatnonzero(fallen) + 1
            y[own[at]] = y[own[at - 1]]
    return y


def _close_strays(
    slabs: Slabs, side: Indices, curve: Indices, bound: Indices, order: Indices, closed: Flags
) -> Flags:
    """Join the two halves of a curve that passes a bound within a strip, however steep it is.

    What lies between them in the order of y is joined too. Where a unit of the higher layer or
    above has its kink on the bound, what a unit further up makes may go on elsewhere.
    """
    name, at, from_side = slabs.name[curve[order]], bound[order], side[order]
    keys = np.lexsort((from_side, name, at))
    new = (np.diff(at[keys]) > 0) | (np.diff(name[keys]) != 0)
    alone = np.append(True, new) & np.append(new, True)
    first = np.flatnonzero(np.append(True, new) & ~alone)
    pair = np.append(new, True)[np.minimum(first + 1, len(keys) - 1)]
    first = first[pair]
    one, other = keys[first], keys[np.minimum(first + 1, len(keys) - 1)]
    same = (from_side[one] != from_side[other]) & (name[one] >= 0)
    same &= ~slabs.strip_edge[at[one]]
    same &= _are_one(slabs, curve[order[one]], curve[order[other]])
    low, high = np.minimum(one, other)[same], np.maximum(one, other)[same]
    change = np.zeros(len(order) + 1, dtype=np.intp)
    np.add.at(change, low, 1)
    np.add.at(change, high, -1)
    return np.asarray(closed | (np.cumsum(change)[: len(closed)] > 0))


def _are_one(slabs: Slabs, one: Indices, other: Indices) -> Flags:
    """Whether curves (k,) and (k,) are the same but for a factor and rounding."""
    reach = slabs.frame.reach
    scale = np.array([1.0, reach[0], reach[1], reach[0] * reach[1]])
    a, b = (slabs.curves[numbers] * scale for numbers in (one, other))
    a, b = (c / np.abs(c).max(axis=1, keepdims=True, initial=1e-300) for c in (a, b))
    return np.asarray((np.abs(a - b) < ONE).all(axis=1))


def _alone(slabs: Slabs, bound: Indices, first: Indices, last: Indices, gaps: Gaps) -> Flags:
    """Nodes that one curve passes and no kink touches."""
    count = last - first
    alone = (count == 1).all(axis=0) & (bound > 0) & (bound < len(slabs.x) - 1)
    left, right = np.minimum(first, len(slabs.name) - 1)
    alone &= slabs.name[left] == slabs.name[right]
    edges = gaps.lower[gaps.edge]
    alone[edges] = False
    alone[edges + 1] = False
    return np.asarray(alone)


def _find_cells(slabs: Slabs, gaps: Gaps) -> tuple[Indices, int]:
    name = connect(len(slabs.pattern), gaps.patch[:, ~gaps.edge].T)
    kept, cell = np.unique(name, return_inverse=True)
    return cell.ravel(), len(kept)


def _find_chains(slabs: Slabs, nodes: Nodes, cell: Indices) -> tuple[Chains, Indices]:
    through = np.flatnonzero(nodes.alone)
    name = connect(len(slabs.curves), nodes.first[:, through].T)
    _, chain = np.unique(name, return_inverse=True)
    chain = chain.ravel()
    count = int(chain.max()) + 1
    slab = slabs.slab_of_curve
    width = np.diff(slabs.x)[slab]
    order = np.lexsort((width, chain))
    widest = order[np.append(np.diff(chain[order]) > 0, True)]
    ends = np.full((count, 2), -1, dtype=np.intp)
    every = np.flatnonzero(~nodes.alone)
    for s, end in ((1, 0), (0, 1)):
        owner, place = spread((nodes.last - nodes.first)[s, every])
        ends[chain[nodes.first[s, every[owner]] + place], end] = every[owner]
    above = np.where(slabs.name[widest] == TOP, -1, widest - slab[widest])
    below = np.where(slabs.name[widest] == BOTTOM, -1, widest - slab[widest] - 1)
    return (
        Chains(
            slabs.curves[widest],
            ends,
            np.where(below < 0, -1, cell[below]),
            np.where(above < 0, -1, cell[above]),
        ),
        chain,
    )
