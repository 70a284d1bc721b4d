"""How many units are active in each cell: those whose transfer function has a slope there."""

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.cells import Cells
from surfacecli.geometry.exact.kinks import later_pre_activations
from surfacecli.geometry.surface import blocks

Indices = NDArray[np.intp]


def count_active(cells: Cells) -> tuple[Indices, int]:
    """Active units of every cell (F,), summed over the data points, and how many there are.

    Counted are the units that have kinks, from the moved layer on; a unit is active on a data
    point where its transfer function has a slope other than 0.
    """
    network, first = cells.slice.objective.network, cells.slice.first_moved
    layers = [n for n in range(first, network.depth + 1) if network.transfers[n - 1].nodes]
    repeats = np.bincount(cells.input_of, minlength=len(cells.inputs))
    active = np.zeros(len(cells), dtype=np.intp)
    inner, widest = cells.inner_points, max(network.widths[first:])
    for layer in layers:
        f = network.transfers[layer - 1]
        sloping = np.not_equal(f.slopes or (), 0.0)
        for block in blocks(len(cells), 4 * widest):
            for x, repeat in zip(cells.inputs, repeats.tolist(), strict=True):
                h = later_pre_activations(cells.slice, x, inner[block], layer)
                active[block] += repeat * sloping[f.piece(h)].sum(axis=0)
    return active, int(repeats.sum()) * sum(network.widths[layer] for layer in layers)
