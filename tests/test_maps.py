"""Maps of a layer's Hessian: constant cells, grids that are not transposed, kinks left out."""

from dataclasses import replace

import numpy as np
import pytest
from across_slices import WINDOW as ACROSS
from across_slices import random_across_slice, small_across_slice
from exact_slices import WINDOW, random_exact_slice, random_points
from oracles import forward_by_loops, hessian_by_entries, make_objective, make_slice_by_hand
from test_across_cells import locate as locate_across

from surfacecli.geometry.across.cells import find_across_cells
from surfacecli.geometry.across.tiles import FLAT, lay_tiles
from surfacecli.geometry.exact.cells import Cells, find_cells
from surfacecli.geometry.grids import Grid, sample_grid
from surfacecli.geometry.layers import Quantity, measure_layer
from surfacecli.geometry.maps import almost_constant, constant_in_cells, estimate_map, map_layer
from surfacecli.geometry.slices import Slice, Window, make_slice
from surfacecli.geometry.surface import linear_pieces
from surfacecli.network.data import Objective, random_data
from surfacecli.network.losses import LOSSES
from surfacecli.network.model import random_network
from surfacecli.network.transfers import TRANSFERS

QUANTITIES = ("curvature", "trace", "rank", "dead")
EXACT: tuple[Quantity, ...] = ("rank", "dead")
VARYING: tuple[Quantity, ...] = ("trace", "curvature")


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
        assert not almost_constant(squares, quantity, 1)  # type: ignore[arg-type]
    assert not constant_in_cells(squares, "trace", 2)
    assert constant_in_cells(squares, "dead", 2)
    assert constant_in_cells(squares, "rank", 2)
    assert almost_constant(squares, "rank", 2)
    across = small_across_slice(1)
    for layer in (1, 2):
        for quantity, constant in (
            ("curvature", False),
            ("trace", False),
            ("rank", True),
            ("dead", True),
        ):
            assert constant_in_cells(across, quantity, layer) is constant  # type: ignore[arg-type]
            assert almost_constant(across, quantity, layer) is (quantity == "rank")  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(4))
def test_cells_across_layers_have_what_points_in_them_have(seed: int) -> None:
    """Rank and dead units at random points, from the net there and its Hessian by entries."""
    slice = random_across_slice(seed)
    cells = find_across_cells(slice, ACROSS)
    grid = sample_grid(slice, ACROSS, (3, 4))
    points = random_points(ACROSS, 16, seed)
    around = locate_across(cells, points)
    network = slice.objective.network
    for layer in range(1, network.depth + 1):
        ranks, dead = (map_layer(slice, quantity, layer, grid, cells) for quantity in EXACT)
        assert ranks.places == dead.places == "cells"
        assert (ranks.almost, dead.almost) == (True, False)
        for cell, (u, v) in zip(around, points.tolist(), strict=True):
            there = replace(slice.objective, network=slice.network_at(u, v))
            H = hessian_by_entries(there, layer)
            most = float(np.abs(H).max())
            rank = np.linalg.matrix_rank(H, tol=1e-9 * most, hermitian=True) if most else 0
            assert ranks.values[cell] == rank
            f = network.transfers[layer - 1]
            passes = [forward_by_loops(there.network, x)[0] for x in there.data.inputs.tolist()]
            slopes = [f.slope(np.array(h[layer - 1])) for h in passes]
            assert dead.values[cell] == np.mean(np.all(np.array(slopes) == 0, axis=0))


def test_a_rank_is_that_of_almost_all_points_of_a_cell() -> None:
    """W1 = u, W2 = v - 1/2, x = 1: the Hessian of layer 1 is 2 (v - 1/2)^2, 0 where v = 1/2."""
    objective = make_objective([[[0.0]], [[-0.5]]], ["relu", "identity"], [[1.0]], [[1.0]])
    slice = make_slice_by_hand(objective, {1: [[1.0]]}, {2: [[1.0]]}, "weights")
    # The middle of the cell u > 0 lies on v = 1/2.
    window = Window(-1.0, 1.0, 0.0, 1.0)
    cells = find_across_cells(slice, window)
    assert sorted(cells.inner_points.tolist()) == [[-0.5, 0.5], [0.5, 0.5]]
    shown = map_layer(slice, "rank", 1, sample_grid(slice, window, (3, 3)), cells)
    right = int(cells.inner_points[:, 0].argmax())
    assert measure_layer(slice, "rank", 1, *cells.inner_points[[right]].T) == 0.0
    assert shown.values[right] == 1.0
    assert shown.values[1 - right] == 0.0


@pytest.mark.parametrize("seed", range(6))
def test_tiles_lie_inside_their_cells_and_fill_the_window(seed: int) -> None:
    slice = random_across_slice(seed)
    cells = find_across_cells(slice, ACROSS)
    for tiles in (lay_tiles(cells), lay_tiles(cells, (0.25, 0.5))):
        u, v = tiles.corners[..., 0], tiles.corners[..., 1]
        area = 0.5 * (u * np.roll(v, -1, axis=1) - v * np.roll(u, -1, axis=1)).sum(axis=1)
        sign = -1.0 if cells.frame.swapped else 1.0
        assert (sign * area).min() >= 0.0
        assert sign * area.sum() == pytest.approx(3.5 * 2.25, rel=1e-12)
        # Tiles thinner than rounding may have their middle on a kink.
        wide = np.abs(area) > 1e-9
        pieces = linear_pieces(slice, *cells.inner_points.T)[tiles.cell]
        assert (linear_pieces(slice, *tiles.centres.T) == pieces)[wide].all()


def test_a_bent_kink_is_followed() -> None:
    """relu(u v + 1/4): corners of the tiles lie on the hyperbola, and none of them is astride."""
    objective = make_objective(
        [[[0.0]], [[0.0]]],
        ["identity", "relu"],
        [[1.0]],
        [[1.0]],
        biases=[None, [0.25]],
    )
    slice = make_slice_by_hand(objective, {1: [[1.0]]}, {2: [[1.0]]})
    window = Window(0.125, 1.0, -1.0, 1.0)
    cells = find_across_cells(slice, window)
    assert len(cells) == 2
    tiles = lay_tiles(cells)
    h = tiles.corners.prod(axis=2) + 0.25
    on = np.abs(h) < 1e-14
    assert on.any(axis=1).sum() > 20
    assert ((h > -1e-14).all(axis=1) | (h < 1e-14).all(axis=1)).all()
    # The straight sides between them stay near the curve, in a window of height 2.
    low = tiles.corners[on[:, :2].all(axis=1)][:, :2]
    middle = low.mean(axis=1)
    assert len(low) > 10
    assert np.abs(middle[:, 1] + 0.25 / middle[:, 0]).max() < 2.0 * 2.0 * FLAT


@pytest.mark.parametrize("seed", range(4))
def test_values_of_tiles_are_those_of_the_net_there(seed: int) -> None:
    """Trace and smallest eigenvalue in the middle of tiles, from the Hessian by entries."""
    slice = random_across_slice(seed + 100)
    cells = find_across_cells(slice, ACROSS)
    grid = sample_grid(slice, ACROSS, (6, 4))
    some = np.random.default_rng(seed)
    for layer in range(1, slice.objective.network.depth + 1):
        traces, least = (map_layer(slice, quantity, layer, grid, cells) for quantity in VARYING)
        assert traces.places == least.places == "tiles"
        assert not traces.exact
        assert traces.tiles is not None
        assert len(traces.values) == len(traces.tiles) >= 15
        for k in some.integers(len(traces.tiles), size=8).tolist():
            u, v = traces.tiles.centres[k].tolist()
            H = hessian_by_entries(replace(slice.objective, network=slice.network_at(u, v)), layer)
            most = float(np.abs(H).max())
            assert traces.values[k] == pytest.approx(np.trace(H), abs=1e-9 * most)
            assert least.values[k] == pytest.approx(np.linalg.eigvalsh(H)[0], abs=1e-9 * most)


def test_a_trace_is_a_polynomial_in_each_cell_across_layers() -> None:
    """Of degree 2 in u and in v: fitted in nine places of a cell, it gives all tiles of it."""
    slice = random_across_slice(105)
    cells = find_across_cells(slice, ACROSS)
    shown = map_layer(slice, "trace", 1, sample_grid(slice, ACROSS, (41, 31)), cells)
    assert shown.tiles is not None
    centres, checked = shown.tiles.centres, 0
    for cell in range(len(cells)):
        at = np.flatnonzero(shown.tiles.cell == cell)
        u, v = centres[at].T
        powers = np.stack([u**i * v**j for i in range(3) for j in range(3)], axis=1)
        if len(at) < 30 or np.linalg.cond(powers) > 1e6:
            continue
        fitted, *_ = np.linalg.lstsq(powers[::2], shown.values[at[::2]], rcond=None)
        np.testing.assert_allclose(powers @ fitted, shown.values[at], rtol=1e-8, atol=1e-8)
        checked += 1
    assert checked > 1


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
    assert estimate_map(slice, "rank", 2, grid, cells).points == 2 * len(cells)
    assert estimate_map(slice, "trace", 2, grid, cells).points == 35
    across = small_across_slice(2)
    cells_across = find_across_cells(across, ACROSS)
    coarse = sample_grid(across, ACROSS, (7, 5))
    tiled = estimate_map(across, "trace", 1, coarse, cells_across)
    assert tiled.points == len(map_layer(across, "trace", 1, coarse, cells_across).values)
    assert tiled.by_grid
    assert not estimate_map(across, "dead", 1, coarse, cells_across).by_grid
    cheap, dear = (estimate_map(slice, quantity, 1, grid) for quantity in ("dead", "curvature"))  # type: ignore[arg-type]
    assert 0 < cheap.seconds < dear.seconds < 1
