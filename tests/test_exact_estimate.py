"""The estimate of the number of cells against the number."""

import time

import numpy as np
import pytest
from exact_slices import WINDOW, random_exact_slice

from surfacecli.geometry.exact.cells import find_cells
from surfacecli.geometry.exact.estimate import estimate_cells
from surfacecli.geometry.slices import Slice, Window, make_slice
from surfacecli.network.data import Objective, random_data
from surfacecli.network.losses import LOSSES
from surfacecli.network.model import random_network
from surfacecli.network.transfers import TRANSFERS


def net_slice(widths: list[int], samples: int, output: str, origin: str, seed: int = 1) -> Slice:
    transfers = [TRANSFERS["relu"]] * (len(widths) - 2) + [TRANSFERS[output]]
    network = random_network(widths, transfers, seed)
    data = random_data(samples, widths[0], widths[-1], seed + 1)
    objective = Objective(network, data, LOSSES["squared"])
    return make_slice("net", objective, [1], [1], origin, seed + 2)  # type: ignore[arg-type]


def test_within_a_factor_of_three_on_random_nets() -> None:
    ratios = []
    for seed in range(200):
        slice = random_exact_slice(seed, widest=7)
        found = len(find_cells(slice, WINDOW))
        if found >= 12:
            ratios.append(estimate_cells(slice, WINDOW) / found)
    assert len(ratios) > 80
    # Data in proportion have fewer kinks than it seems: some are thought too many, none too few.
    low, high = np.quantile(ratios, [0.03, 0.9])
    assert low > 1 / 3
    assert high < 3
    assert max(ratios) < 10
    assert 0.8 < np.median(ratios) < 1.3


@pytest.mark.parametrize("samples", [10, 45])
@pytest.mark.parametrize("origin", ["zero", "weights"])
@pytest.mark.parametrize("output", ["identity", "relu"])
@pytest.mark.parametrize("size", [0.3, 1.0])
def test_within_a_factor_of_two_on_wider_nets(
    samples: int, origin: str, output: str, size: float
) -> None:
    slice = net_slice([6, 8, 3], samples, output, origin)
    window = Window(-size, 2 * size, -size, size)
    assert 0.5 < estimate_cells(slice, window) / len(find_cells(slice, window)) < 2


def test_linear_outputs_around_weights_are_counted_closely() -> None:
    slice = net_slice([6, 8, 3], 40, "identity", "weights")
    found = len(find_cells(slice, Window()))
    assert estimate_cells(slice, Window()) == pytest.approx(found, rel=0.1)


def test_no_kink_no_cut() -> None:
    network = random_network([2, 2], [TRANSFERS["identity"]], 1)
    objective = Objective(network, random_data(3, 2, 2, 1), LOSSES["squared"])
    assert estimate_cells(make_slice("one", objective, [1], [1], "zero"), Window()) == 1


def test_cheap_even_where_the_cells_are_not() -> None:
    slice = net_slice([20, 64, 10], 1000, "relu", "weights")
    start = time.process_time()
    assert estimate_cells(slice, Window()) > 10**8
    assert time.process_time() - start < 0.5
