"""Maps of a layer's Hessian: constant cells, grids that are not transposed, kinks left out."""

import numpy as np
import pytest
from exact_slices import WINDOW, random_exact_slice, random_points
from oracles import make_objective, make_slice_by_hand

from surfacecli.geometry.exact.cells import Cells, find_cells
from surfacecli.geometry.grids import Grid, sample_grid
from surfacecli.geometry.layers import measure_layer
from surfacecli.geometry.maps import constant_in_cells, estimate_map, map_layer
from surfacecli.geometry.slices import Slice, Window, make_slice
from surfacecli.geometry.surface import linear_pieces
from surfacecli.network.data import Objective, random_data
from surfacecli.network.losses import LOSSES
from surfacecli.network.model import random_network
from surfacecli.network.transfers import TRANSFERS

QUANTITIES = ("curvature", "trace", "rank", "dead")


def cell_at(cells: Cells, points: np.ndarray) -> np.ndarray:
    """The cell around each point, by the pieces of its units: -1 where none has just these."""
    slice, inner = cells.slice, cells.inner_points
    numbers = {
        row.tobytes(): number
        for number, row in enumerate(linear_pieces(slice, inner[:, 0], inner[:, 1]))
    }
    rows = linear_pieces(slice, points[:, 0], points[:, 1])
    return np.array([numbers.get(row.tobytes(), -1) for row in rows])


@pytest.mark.parametrize("seed", range(12))
def test_what_is_constant_in_cells_is(seed: int) -> None:
    """At random points the layer's numbers are those that the map has for the cell around."""
    slice = random_exact_slice(seed)
    cells = find_cells(slice, WINDOW)
    points = random_points(WINDOW, 60, seed)
    around = cell_at(cells, points)
    assert (around >= 0).mean() > 0.9
    points, around = points[around >= 0], around[around >= 0]
    grid = sample_grid(slice, WINDOW, (3, 4))
    for layer in range(1, slice.objective.network.depth + 1):
        for quantity in QUANTITIES:
            found = map_layer(slice, quantity, layer, grid, cells)  # type: ignore[arg-type]
            if not constant_in_cells(slice, quantity, layer):  # type: ignore[arg-type]
                assert not found.exact
                assert found.values.shape == (4, 3)
                continue
            assert found.exact
            assert found.values.shape == (len(cells),)
            there = measure_layer(slice, quantity, layer, points[:, 0], points[:, 1])  # type: ignore[arg-type]
            np.testing.assert_allclose(found.values[around], there, rtol=1e-9, atol=1e-12)


def two_layers(loss: str = "squared") -> Slice:
    network = random_network([3, 5, 2], [TRANSFERS["relu"], TRANSFERS["identity"]], 7, biases=True)
    objective = Objective(network, random_data(6, 3, 2, 7, loss), LOSSES[loss])
    return make_slice("E1", objective, [1], [1], "weights", seed=7)


def test_which_quantities_are_constant() -> None:
    squares, entropy = two_layers(), two_layers("cross_entropy")
    for quantity, of_squares, of_entropy in (
        ("curvature", True, False),
        ("trace", True, False),
        ("rank", True, True),
        ("dead", True, True),
    ):
        assert constant_in_cells(squares, quantity, 1) is of_squares  # type: ignore[arg-type]
        assert constant_in_cells(entropy, quantity, 1) is of_entropy  # type: ignore[arg-type]
    assert not constant_in_cells(squares, "rank", 2)
    assert constant_in_cells(squares, "dead", 2)


def test_what_is_said_to_vary_does() -> None:
    """Of another layer, or with another loss: two points of one cell have unequal traces."""
    for slice, layer in ((two_layers(), 2), (two_layers("cross_entropy"), 1)):
        cells = find_cells(slice, WINDOW)
        points = random_points(WINDOW, 40)
        around = cell_at(cells, points)
        number = np.bincount(around[around >= 0]).argmax()
        u, v = points[around == number].T
        assert len(u) > 1
        assert np.ptp(measure_layer(slice, "trace", layer, u, v)) > 1e-6


def test_rows_of_a_grid_are_v() -> None:
    slice = two_layers()
    grid = sample_grid(slice, WINDOW, (7, 5))
    found = map_layer(slice, "trace", 2, grid)
    assert found.values.shape == (5, 7)
    at = measure_layer(slice, "trace", 2, grid.u[[6]], grid.v[[1]])
    assert found.values[1, 6] == pytest.approx(at[0])
    assert found.values[1, 6] != pytest.approx(found.values[2, 6])
    assert found.range == (found.values.min(), found.values.max())


def test_no_hessian_on_a_kink() -> None:
    """E = (relu(u) - 1)^2: on u = 0, and nowhere else, there is no second derivative."""
    objective = make_objective([[[0.0]], [[1.0]]], ["relu", "identity"], [[1.0]], [[1.0]])
    slice = make_slice_by_hand(objective, {1: [[1.0]]}, {1: [[0.0]]})
    window = Window(-1.0, 1.0, -1.0, 1.0)
    grid = sample_grid(slice, window, (5, 3))
    sampled = map_layer(slice, "trace", 1, grid)
    np.testing.assert_array_equal(sampled.values, [[0.0, 0.0, np.nan, 2.0, 2.0]] * 3)
    assert sampled.range == (0.0, 2.0)
    exact = map_layer(slice, "trace", 1, grid, find_cells(slice, window))
    assert sorted(exact.values.tolist()) == [0.0, 2.0]
    along = Grid(np.zeros(2), np.array([0.0, 1.0]), np.ones((2, 2)), "")
    on_kink = map_layer(slice, "rank", 1, along)
    assert np.isnan(on_kink.values).all()
    assert np.isnan(on_kink.range).all()


def test_what_a_map_will_take() -> None:
    slice = two_layers()
    grid, cells = sample_grid(slice, WINDOW, (7, 5)), find_cells(slice, WINDOW)
    assert estimate_map(slice, "rank", 1, grid, cells).points == len(cells)
    assert estimate_map(slice, "rank", 1, grid).points == 35
    assert estimate_map(slice, "rank", 2, grid, cells).points == 35
    cheap, dear = (estimate_map(slice, quantity, 1, grid) for quantity in ("dead", "curvature"))  # type: ignore[arg-type]
    assert 0 < cheap.seconds < dear.seconds < 1
