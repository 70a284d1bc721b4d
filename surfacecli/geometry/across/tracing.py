"""The kinks of an across-layers slice as ways of places, for drawing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.across import curves as bent
from surfacecli.geometry.across.cells import AcrossCells
from surfacecli.geometry.across.ragged import starts
from surfacecli.geometry.across.slabs import kink_layers
from surfacecli.geometry.surface import blocks, linear_pieces
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]

#: Segments that a bent edge is made of.
SEGMENTS = 16


@dataclass(frozen=True, eq=False)
class Ways:
    """Edges inside the window as ways: those of edge k are places[start[k] : start[k + 1]], (u, v).

    layer (k,): of the unit that has its kink there; line (k,): equal for all edges of one unit's
    kink on one data point, and for all on one line x = const.
    """

    places: Array
    start: Indices
    layer: Indices
    line: Indices


def trace_edges(cells: AcrossCells) -> Ways:
    """The edges inside the window: kinks x = const from gap to gap, and curves."""
    chains, nodes, slabs = cells.chains, cells.nodes, cells.slabs
    inner = np.flatnonzero((chains.below >= 0) & (chains.above >= 0))
    curve, ends = chains.curve[inner], nodes.place[chains.ends[inner]][..., 0]
    straight = (curve[:, 1] == 0) & (curve[:, 3] == 0)
    steps = np.linspace(0.0, 1.0, SEGMENTS + 1)
    x = ends[:, :1] * (1.0 - steps) + ends[:, 1:] * steps
    bows = np.stack([x, bent.heights(curve[:, None], x)], axis=2)
    ways = [bow[[0, -1]] if flat else bow for bow, flat in zip(bows, straight, strict=True)]
    first = np.unique(cells.chain_of, return_index=True)[1]
    name = slabs.name[first][inner]
    gap = np.flatnonzero(cells.gaps.edge & (cells.gaps.patch >= 0).all(axis=0))
    lower = cells.gaps.lower[gap]
    ways += list(np.stack([nodes.place[lower], nodes.place[lower + 1]], axis=1))
    layer = np.concatenate([kink_layers(cells.frame, name), _layers_of_gaps(cells, gap)])
    _, line = np.unique(np.concatenate([name, -1 - nodes.bound[lower]]), return_inverse=True)
    return Ways(
        cells.frame.swap(np.concatenate([np.zeros((0, 2)), *ways])),
        starts(np.array([len(way) for way in ways], dtype=np.intp)),
        layer,
        line.ravel(),
    )


def _layers_of_gaps(cells: AcrossCells, gap: Indices) -> Indices:
    """The lowest layer with a unit that changes its piece across each gap."""
    slice = cells.frame.slice
    widths = slice.objective.network.widths[slice.first_moved :]
    samples = len(slice.objective.data)
    first = starts(samples * np.array(widths))[:-1]
    points = cells.frame.swap(cells.slabs.inner_points())
    patch = cells.gaps.patch[:, gap]
    result = np.empty(len(gap), dtype=np.intp)
    for block in blocks(len(gap), 2 * samples * sum(widths)):
        left, right = (linear_pieces(slice, *points[patch[s, block]].T) for s in (0, 1))
        changes = np.logical_or.reduceat(left != right, first, axis=1)
        result[block] = slice.first_moved + changes.argmax(axis=1)
    return result
