"""Random within-layer slices for the tests of exact cells, degenerate ones among them."""

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.slices import Slice, Window, make_slice
from surfacecli.network.data import Data, Objective, random_data
from surfacecli.network.losses import LOSSES
from surfacecli.network.model import Network, random_network
from surfacecli.network.transfers import TRANSFERS, Transfer

PIECEWISE_LINEAR = ("relu", "leaky_relu", "abs", "hard_tanh", "identity")

#: Neither square nor centred: a transpose or a sign shows.
WINDOW = Window(-1.0, 1.5, -0.7, 1.0)


def degenerate_objective(
    rng: np.random.Generator,
    widths: NDArray[np.int64],
    transfers: list[Transfer],
    seed: int,
    loss: str,
) -> Objective:
    """A small net with few data: a third with whole-number weights, a third with equal data."""
    network = random_network(widths, transfers, seed, bool(rng.integers(2)))
    if rng.integers(3) == 0:
        network = Network(
            tuple(np.round(2 * W) for W in network.weights),
            tuple(None if b is None else np.round(2 * b) for b in network.biases),
            network.transfers,
        )
    data = random_data(int(rng.integers(1, 5)), int(widths[0]), int(widths[-1]), seed, loss)
    if rng.integers(3) == 0:
        # Equal data, and data in proportion.
        inputs = np.round(np.concatenate([data.inputs, data.inputs, 2 * data.inputs]))
        data = Data(inputs, np.concatenate([data.targets] * 3))
    return Objective(network, data, LOSSES[loss])


def random_exact_slice(seed: int, losses: bool = True, widest: int = 3) -> Slice:
    """A small net of depth 1 to 4: a third with whole-number weights, a third with equal data.

    Whole numbers make dead units, concurrent and parallel kinks, plateaus and valleys.
    """
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(1, 5))
    widths = rng.integers(1, widest + 1, size=depth + 1)
    transfers = [TRANSFERS[str(name)] for name in rng.choice(PIECEWISE_LINEAR, size=depth)]
    loss = "squared"
    if losses and seed % 4 == 0:
        loss = str(rng.choice(["half_squared", "cross_entropy", "logistic"]))
    objective = degenerate_objective(rng, widths, transfers, seed, loss)
    layer = int(rng.integers(1, depth + 1))
    slice = make_slice(
        f"seed {seed}",
        objective,
        [layer],
        [layer],
        "zero" if rng.integers(2) else "weights",
        seed,
    )
    if rng.integers(4) == 0:
        U, V = np.round(2 * slice.along_u[layer]), np.round(2 * slice.along_v[layer])
        slice = Slice(slice.name, slice.objective, slice.origin, {layer: U}, {layer: V})
    return slice


def random_points(window: Window, count: int, seed: int = 0) -> NDArray[np.float64]:
    """Points (count, 2) of a window."""
    low, high = [window.u0, window.v0], [window.u1, window.v1]
    return np.random.default_rng(seed).uniform(low, high, size=(count, 2))
