"""Random across-layers slices, many of them degenerate, that the tests of exact surfaces share."""

from typing import Literal

import numpy as np
from exact_slices import degenerate_objective
from oracles import PIECEWISE_LINEAR

from surfacecli.geometry.slices import Slice, Window, make_slice
from surfacecli.network.data import Objective, random_data
from surfacecli.network.losses import LOSSES
from surfacecli.network.model import random_network
from surfacecli.network.transfers import TRANSFERS

#: Neither square nor symmetric: a transpose would show.
WINDOW = Window(-1.5, 2.0, -1.0, 1.25)


def small_across_slice(seed: int, transfer: str = "relu", loss: str = "squared") -> Slice:
    """The nets of the stated speed: widths 3-4-2, 5 data points, around the weights, biases."""
    network = random_network((3, 4, 2), [TRANSFERS["relu"], TRANSFERS[transfer]], seed, True)
    objective = Objective(network, random_data(5, 3, 2, seed, loss), LOSSES[loss])
    return make_slice(f"small {seed}", objective, [1], [2], "weights", seed)


def random_across_slice(seed: int, widest: int = 3, loss: str = "squared") -> Slice:
    """A net of depth 2 to 4: a third with whole-number weights, a third with equal data.

    Whole numbers make dead units, concurrent kinks, plateaus and valleys.
    """
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(2, 5))
    widths = rng.integers(1, widest + 1, size=depth + 1)
    transfers = [TRANSFERS[str(name)] for name in rng.choice(PIECEWISE_LINEAR, size=depth)]
    objective = degenerate_objective(rng, widths, transfers, seed, loss)
    u, v = (int(layer) for layer in rng.permutation(np.arange(1, depth + 1))[:2])
    origin: Literal["zero", "weights"] = "zero" if rng.integers(2) else "weights"
    slice = make_slice(f"seed {seed}", objective, [u], [v], origin, seed)
    if rng.integers(4) == 0:
        U, V = np.round(2 * slice.along_u[u]), np.round(2 * slice.along_v[v])
        slice = Slice(slice.name, objective, slice.origin, {u: U}, {v: V})
    return slice
