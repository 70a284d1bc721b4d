"""Every fast way over a grid against the plain forward pass, on random nets and on hard cases."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import (
    PIECEWISE_LINEAR,
    SMOOTH,
    make_objective,
    make_slice_by_hand,
    random_objective,
    random_slice,
    slice_error_by_loops,
)

from surfacecli.geometry import surface
from surfacecli.geometry.grids import (
    WAYS,
    Grid,
    choose_way,
    estimate_grid,
    rows,
    sample_grid,
)
from surfacecli.geometry.grids.arrangement import Box, arrange
from surfacecli.geometry.slices import Slice, Window, make_slice
from surfacecli.geometry.surface import evaluate
from surfacecli.network.data import Data, Objective
from surfacecli.network.losses import LOSSES

seeds = st.integers(0, 2**32)
WINDOWS = (
    Window(),
    Window(-1.0, 1.5, -0.7, 0.3),
    Window(0.2, 1.7, -2.0, -0.4),
    Window(0.0, 1.0, -1.0, 0.0),
    Window(-3.0, -1.0, 0.5, 0.6),
    Window(-5e-7, 5e-7, -5e-7, 5e-7),
    Window(-5e5, 5e5, -5e5, 5e5),
    Window(-1e-6, 1e6, -1e6, 1e-6),
)


def plain(slice: Slice, grid: Grid) -> np.ndarray:
    """E by one forward pass of one network for each grid point; rows are v."""
    objective = slice.objective
    return np.array(
        [
            [
                Objective(slice.network_at(u, v), objective.data, objective.loss).error()
                for u in grid.u
            ]
            for v in grid.v
        ]
    )


def agrees(slice: Slice, window: Window, resolution: tuple[int, int]) -> list[str]:
    """Compares every way that applies with the forward pass; gives their names."""
    ways = [name for name, way in WAYS.items() if way.applies(slice)]
    expected = None
    for name in ways:
        grid = sample_grid(slice, window, resolution, name)
        if expected is None:
            expected = plain(slice, grid)
        assert grid.error.shape == (resolution[1], resolution[0])
        assert grid.way == name
        scale = max(np.abs(expected).max(), np.finfo(float).tiny)
        assert np.abs(grid.error - expected).max() <= 1e-10 * scale, name
    return ways


def harden(rng: np.random.Generator, slice: Slice) -> Slice:
    """The same slice with one of the things that make ties and zeros."""
    objective, network, data = slice.objective, slice.objective.network, slice.objective.data
    what = int(rng.integers(10))
    if what == 0:  # repeated and opposite data points
        X = np.concatenate([data.inputs, data.inputs, -data.inputs])
        Y = np.concatenate([data.targets] * 3)
        objective = replace(objective, data=Data(X, Y))
    elif what == 1:  # integer weights, data and directions: kinks meet on grid points
        weights = tuple(np.round(2 * W) for W in network.weights)
        objective = Objective(
            replace(network, weights=weights),
            Data(np.round(2 * data.inputs), data.targets),
            objective.loss,
        )
        slice = replace(
            slice,
            origin={n: np.round(2 * W) for n, W in slice.origin.items()},
            along_u={n: np.round(2 * W) for n, W in slice.along_u.items()},
            along_v={n: np.round(2 * W) for n, W in slice.along_v.items()},
        )
    elif what == 2:  # nothing moves along u
        slice = replace(slice, along_u={n: np.zeros_like(U) for n, U in slice.along_u.items()})
    elif what == 3:  # nothing moves along v in the first unit
        along_v = {n: V.copy() for n, V in slice.along_v.items()}
        for V in along_v.values():
            V[0] = 0.0
        slice = replace(slice, along_v=along_v)
    elif what == 4:  # one unit in each layer without weights out of it
        weights = tuple(W * (np.arange(W.shape[1]) > 0) for W in network.weights)
        objective = replace(objective, network=replace(network, weights=weights))
    elif what == 5:  # all hidden units dead or constant
        biases = tuple(np.full(len(W), -100.0) for W in network.weights[:-1])
        network = replace(network, biases=(*biases, network.biases[-1]))
        objective = replace(objective, network=network)
    elif what == 6:  # one data point, all inputs zero
        data = Data(np.zeros_like(data.inputs[:1]), data.targets[:1])
        objective = replace(objective, data=data)
    elif what == 7:  # u and v move alike
        shared = slice.along_u.keys() & slice.along_v.keys()
        slice = replace(
            slice,
            along_v={n: slice.along_u[n] if n in shared else V for n, V in slice.along_v.items()},
        )
    return replace(slice, objective=objective)


def check_random(seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(1, 5))
    names = PIECEWISE_LINEAR if rng.integers(3) else PIECEWISE_LINEAR + SMOOTH
    transfers = [str(name) for name in rng.choice(names, size=depth)]
    loss = None if rng.integers(4) == 0 else str(rng.choice(["squared", "half_squared"]))
    objective = random_objective(rng, depth, transfers, loss)
    kind = ["within-layer", "within-layer", "across-layers", "mixed"][rng.integers(4)]
    if depth == 1:
        kind = "within-layer"
    slice = random_slice(rng, kind, objective=objective)
    if rng.integers(2):
        slice = harden(rng, slice)
    # Products of coordinates of a million leave no digits for the plain forward pass either.
    window = WINDOWS[
        rng.integers(len(WINDOWS) if slice.kind == "within-layer" else len(WINDOWS) - 2)
    ]
    resolution = (int(rng.integers(2, 9)), int(rng.integers(2, 9)))
    return agrees(slice, window, resolution)


@given(seeds)
@settings(max_examples=150)
def test_every_way_is_the_forward_pass(seed):
    check_random(seed)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_way_is_the_forward_pass_on_thousands_of_nets():
    taken = [way for seed in range(6000) for way in check_random(seed)]
    for way in WAYS:
        assert taken.count(way) > 200, way


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("output", ["identity", "relu", "abs", "leaky_relu", "hard_tanh"])
@pytest.mark.parametrize("hidden", ["relu", "abs", "leaky_relu", "hard_tanh", "identity"])
def test_two_layers_in_each_window(hidden, output, window):
    rng = np.random.default_rng(7)
    for biases in (False, True):
        objective = random_objective(rng, 2, [hidden, output], "squared", biases, (2, 3, 2), 4)
        for u, v in (([1], [1]), ([2], [2]), ([1], [2]), ([2], [1]), ([1], [1, 2])):
            for origin in ("zero", "weights"):
                agrees(make_slice("s", objective, u, v, origin, 3), window, (5, 4))


def test_rows_are_v_and_columns_are_u():
    slice = make_slice_by_hand(
        make_objective([[[1, 0], [0, 1]]], ["identity"], [[1, 1]], [[0, 0]]),
        {1: [[1, 0], [0, 0]]},
        {1: [[0, 0], [0, 3]]},
    )
    for way in ("quadratic", "columns", "forward"):
        grid = sample_grid(slice, Window(0, 2, 0, 1), (3, 2), way)
        assert grid.u.tolist() == [0, 1, 2]
        assert grid.v.tolist() == [0, 1]
        assert grid.error.tolist() == [[0, 1, 4], [9, 10, 13]]


@given(seeds)
@settings(max_examples=25)
def test_forward_is_that_of_loops(seed):
    rng = np.random.default_rng(seed)
    slice = random_slice(rng)
    grid = sample_grid(slice, Window(-1, 2, 0.3, 0.9), (3, 2), "forward")
    for row, column in np.ndindex(2, 3):
        expected = slice_error_by_loops(slice, grid.u[column], grid.v[row])
        assert grid.error[row, column] == pytest.approx(expected, rel=1e-10)


# --- Which way is taken ---------------------------------------------------------------------------

TABLE = [
    # transfers, loss, biases, u, v, origin -> way
    ("relu identity", "squared", False, [1], [1], "zero", "fan"),
    ("relu relu", "squared", False, [1], [1], "zero", "fan"),
    ("relu relu", "half_squared", False, [2], [2], "zero", "fan"),
    ("relu identity", "squared", False, [2], [2], "zero", "quadratic"),
    ("relu identity", "squared", True, [2], [2], "weights", "quadratic"),
    ("identity identity", "squared", True, [1], [1], "weights", "quadratic"),
    ("relu relu", "squared", False, [2], [2], "weights", "halfplanes"),
    ("relu hard_tanh", "half_squared", True, [2], [2], "zero", "halfplanes"),
    ("relu relu", "logistic", True, [2], [2], "zero", "columns"),
    ("relu identity", "squared", False, [1], [2], "zero", "columns"),
    ("relu relu", "squared", True, [2], [1], "weights", "columns"),
    ("tanh identity", "squared", True, [1], [2], "weights", "columns"),
    ("relu identity", "cross_entropy", True, [1], [2], "weights", "columns"),
    ("tanh tanh", "logistic", True, [2], [2], "weights", "columns"),
    ("relu identity", "squared", True, [1, 2], [2], "weights", "columns"),
    ("relu identity", "squared", True, [1], [1], "zero", "edges"),
    ("relu relu", "squared", False, [1], [1], "weights", "edges"),
    ("abs hard_tanh", "half_squared", True, [1], [1], "weights", "edges"),
    ("identity relu", "squared", False, [1], [1], "weights", "rows"),
    ("hard_tanh identity", "squared", False, [1], [1], "zero", "edges"),
    ("tanh identity", "squared", False, [1], [1], "zero", "forward"),
    ("relu sigmoid", "squared", False, [1], [1], "zero", "forward"),
    ("relu identity", "cross_entropy", False, [1], [1], "zero", "forward"),
    ("relu identity", "squared", False, [1, 2], [1, 2], "weights", "forward"),
    ("relu relu identity", "squared", False, [1], [1], "zero", "forward"),
    ("relu relu identity", "squared", False, [2], [2], "zero", "fan"),
    ("relu relu identity", "squared", False, [2], [2], "weights", "edges"),
    ("relu relu identity", "squared", False, [1], [3], "weights", "columns"),
    ("relu relu identity", "squared", False, [1], [2], "weights", "forward"),
]


@pytest.mark.parametrize(("transfers", "loss", "biases", "u", "v", "origin", "way"), TABLE)
def test_the_way_that_is_taken(transfers, loss, biases, u, v, origin, way):
    names = transfers.split()
    widths = (3, 4, 3, 2)[-len(names) - 1 :]
    objective = random_objective(np.random.default_rng(1), len(names), names, loss, biases, widths)
    slice = make_slice("s", objective, u, v, origin, 5)
    assert choose_way(slice) == way
    assert sample_grid(slice, Window(), (3, 3)).way == way
    assert estimate_grid(slice, (10, 10)).way == way
    agrees(slice, Window(-1.2, 0.9, -0.3, 0.7), (6, 5))


def test_a_way_that_does_not_apply_is_refused():
    objective = random_objective(np.random.default_rng(1), 2, "tanh", "squared")
    slice = make_slice("peak", objective, [1], [1])
    with pytest.raises(ValueError, match="'fan' does not apply to slice peak"):
        sample_grid(slice, Window(), (3, 3), "fan")
    with pytest.raises(ValueError, match="1 x 3 points; at least 2 x 2"):
        sample_grid(slice, Window(), (1, 3))


# --- Hard places ----------------------------------------------------------------------------------


@pytest.mark.parametrize("resolution", [(5, 5), (4, 5), (5, 4)])
def test_fan_with_the_grid_on_its_axes_and_kinks(resolution):
    # Kinks along u = 0, v = 0 and the diagonals, where grid points lie; one unit without u.
    inputs = [[1, 0], [0, 1], [1, 1], [1, -1], [0, 0]]
    objective = make_objective(
        [[[1, 0], [0, 1]], [[1, -1], [2, 1]]], ["relu", "relu"], inputs, [[1, 2]] * 5
    )
    slice = make_slice_by_hand(objective, {1: [[1, 0], [0, -1]]}, {1: [[0, 1], [1, 0]]})
    assert choose_way(slice) == "fan"
    agrees(slice, Window(), resolution)
    agrees(slice, Window(0.0, 1.0, 0.0, 1.0), resolution)
    agrees(slice, Window(-1.0, 0.0, -2.0, 0.0), resolution)


@pytest.mark.parametrize("output", ["identity", "relu"])
def test_a_direction_that_a_unit_does_not_feel(output):
    # U a = 0 for the first unit: along u its pre-activation never changes.
    for first in (-1.0, 0.0, 1.0):
        objective = make_objective(
            [[[first], [0.5]], [[1, -2]]], ["relu", output], [[1], [-2]], [[1], [0.5]]
        )
        for origin in ("zero", "weights"):
            slice = make_slice_by_hand(objective, {1: [[0], [1]]}, {1: [[1], [1]]}, origin)
            assert {"rows", "forward"} <= set(agrees(slice, Window(-2, 2, -1, 1), (9, 5)))


def points_by_rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collects how many data points the way `edges` leaves to `rows`, call by call."""
    left: list[int] = []
    sample = rows.sample

    def counting(slice: Slice, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        left.append(len(slice.objective.data))
        return sample(slice, u, v)

    monkeypatch.setattr(rows, "sample", counting)
    return left


@pytest.mark.parametrize("output", PIECEWISE_LINEAR)
@pytest.mark.parametrize("hidden", [f for f in PIECEWISE_LINEAR if f != "identity"])
def test_edges_of_nets_with_many_units(monkeypatch, hidden, output):
    left = points_by_rows(monkeypatch)
    rng = np.random.default_rng(5)
    objective = random_objective(rng, 2, [hidden, output], "squared", True, (6, 25, 11), 12)
    slice = make_slice("s", objective, [1], [1], "weights", 2)
    for window in (Window(), Window(-1.0, 3.0, 0.5, 0.9)):
        grid = sample_grid(slice, window, (40, 23), "edges")
        expected = evaluate(slice, grid.u, grid.v[:, None])
        assert grid.error == pytest.approx(expected, rel=1e-10)
    assert not left


@pytest.mark.parametrize("output", ["identity", "relu", "abs", "hard_tanh"])
def test_edges_leave_to_rows_what_rounding_leaves_open(monkeypatch, output):
    left = points_by_rows(monkeypatch)
    rng = np.random.default_rng(8)
    plain_net = random_objective(rng, 2, ["relu", output], "squared", False, (3, 6, 4), 5)
    # Origin zero: all lines of a data point meet in (0, 0), on the grid and beside it.
    meeting = make_slice("s", plain_net, [1], [1], "zero", 1)
    # One unit twice: two lines in one.
    W1, W2 = plain_net.network.weights
    twice = replace(plain_net.network, weights=(W1[[0, 1, 2, 3, 4, 0]], W2))
    double = make_slice("s", replace(plain_net, network=twice), [1], [1], "weights", 1)
    along = [{1: U[1][[0, 1, 2, 3, 4, 0]]} for U in (double.along_u, double.along_v)]
    double = replace(double, along_u=along[0], along_v=along[1])
    for slice in (meeting, double):
        left.clear()
        for window in (Window(), Window(-1.0, 1.2, -0.3, 0.8)):
            grid = sample_grid(slice, window, (9, 7), "edges")
            expected = evaluate(slice, grid.u, grid.v[:, None])
            assert grid.error == pytest.approx(expected, rel=1e-10)
        assert len(left) == 2
        assert min(left) > 2  # all but those whose lines miss the window


@pytest.mark.parametrize("output", ["relu", "abs", "leaky_relu"])
def test_edges_where_outputs_pass_nodes_on_a_grid_point(output):
    # Two lines cross on the corner of the grid, where all outputs pass their node: rounding turns
    # the shortest of their segments round.
    for seed in range(12):
        rng = np.random.default_rng(seed)
        objective = random_objective(rng, 2, ["leaky_relu", output], "squared", False, (4, 2, 3), 6)
        slice = make_slice("s", objective, [1], [1], "zero", seed)
        grid = sample_grid(slice, Window(0.0, 1.0, -1.0, 0.0), (13, 12), "edges")
        expected = evaluate(slice, grid.u, grid.v[:, None])
        assert grid.error == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_the_arrangement_of_lines():
    rng = np.random.default_rng(3)
    lines = rng.standard_normal((3, 4, 7))
    lines[2] = -lines[0] * rng.uniform(0, 8, (4, 7)) - lines[1] * rng.uniform(0, 5, (4, 7))
    box = Box.around(9, 6)
    vertices, steps = arrange(lines, box)
    found = {
        (owner, *sorted(pair)): (x, z)
        for owner, x, z, *pair in zip(*next(vertices.by_kind()), strict=True)
    }
    expected = {}
    for owner in range(4):
        for i in range(7):
            for j in range(i):
                P, Q, C = lines[:, owner, [i, j]]
                x, z = np.linalg.solve(np.stack([P, Q], axis=1), -C)
                if box.x0 < x < box.x1 and box.z0 < z < box.z1:
                    expected[owner, j, i] = (x, z)
    assert found.keys() == expected.keys()
    assert len(found) > 30
    for key, point in found.items():
        assert point == pytest.approx(expected[key])
    # From one step to the next on the same line nothing else is crossed, and signs are true.
    owner = steps.line // 8
    x, z = vertices.x[steps.vertex], vertices.z[steps.vertex]
    for step in np.flatnonzero(steps.line[1:] == steps.line[:-1]):
        P, Q, C = lines[:, owner[step]]
        values = [P * x[s] + Q * z[s] + C for s in (step, step + 1)]
        middle = 0.5 * (values[0] + values[1])
        away = np.abs(values) > 1e-9
        assert (np.sign(values)[away] == np.broadcast_to(np.sign(middle), (2, 7))[away]).all()
        crossed = steps.other[step + 1]
        if crossed >= 0:
            assert np.sign(middle[crossed]) == -steps.sign[step + 1]


@pytest.mark.parametrize("hidden", PIECEWISE_LINEAR)
def test_blocks_do_not_change_the_grid(monkeypatch, hidden):
    rng = np.random.default_rng(2)
    objective = random_objective(rng, 2, [hidden, "leaky_relu"], "squared", False, (3, 4, 2), 9)
    slices = [
        make_slice("s", objective, u, v, origin, 1)
        for u, v in (([1], [1]), ([2], [2]), ([1], [2]))
        for origin in ("zero", "weights")
    ]
    cases = [(s, way) for s in slices for way in WAYS if WAYS[way].applies(s)]
    whole = [sample_grid(s, WINDOWS[1], (7, 6), way).error for s, way in cases]
    monkeypatch.setattr(surface, "BLOCK", 40)
    for (slice, way), error in zip(cases, whole, strict=True):
        again = sample_grid(slice, WINDOWS[1], (7, 6), way).error
        assert again == pytest.approx(error, rel=1e-12), way


# --- Manners --------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_nothing_of_the_caller_is_changed(way):
    output = "identity" if way == "quadratic" else "relu"
    objective = random_objective(
        np.random.default_rng(4), 2, ["relu", output], "squared", False, (3, 4, 2), 5
    )
    layer = 2 if way in ("quadratic", "halfplanes", "columns") else 1
    origin = "zero" if way in ("quadratic", "fan", "forward") else "weights"
    slice = make_slice("s", objective, [layer], [layer], origin)
    kept = [*slice.origin.values(), *slice.along_u.values(), *slice.along_v.values()]
    kept += [*objective.network.weights, objective.data.inputs, objective.data.targets]
    before = [array.copy() for array in kept]
    first = sample_grid(slice, Window(), (5, 4), way)
    assert all((a == b).all() for a, b in zip(kept, before, strict=True))
    again = sample_grid(slice, Window(), (5, 4), way)
    assert (first.error == again.error).all()


MEMORY = [
    ([1], [1], "zero", "relu", "fan"),
    ([1], [1], "weights", "relu", "edges"),
    ([1], [1], "weights", "identity", "edges"),
    ([1], [2], "weights", "relu", "columns"),
    ([2], [2], "weights", "relu", "halfplanes"),
    ([2], [2], "zero", "identity", "quadratic"),
]


@pytest.mark.parametrize(("u", "v", "origin", "output", "way"), MEMORY)
def test_memory_does_not_grow_with_the_data_or_the_grid(u, v, origin, output, way):
    # The array of all pre-activations would take 400 x 400 x 300 x 16 numbers, 6 GB.
    objective = random_objective(
        np.random.default_rng(6), 2, ["relu", output], "squared", False, (5, 16, 3), 300
    )
    slice = make_slice("s", objective, u, v, origin)
    assert choose_way(slice) == way
    tracemalloc.start()
    sample_grid(slice, Window(), (400, 400))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6


@pytest.mark.parametrize("way", WAYS)
def test_estimates_grow_with_the_grid(way):
    output = "identity" if way == "quadratic" else "relu"
    objective = random_objective(
        np.random.default_rng(4), 2, ["relu", output], "squared", False, (3, 4, 2), 50
    )
    layer = 2 if way in ("quadratic", "halfplanes", "columns") else 1
    slice = make_slice("s", objective, [layer], [layer], "zero")
    costs = [WAYS[way].operations(slice, n, n) for n in (10, 100, 1000)]
    assert 0 < costs[0] < costs[1] < costs[2]
    assert WAYS["forward"].operations(slice, 1000, 1000) >= costs[2]


def test_the_estimate_counts_the_grid_itself():
    slice = random_slice(np.random.default_rng(0))
    small, large = (estimate_grid(slice, (n, 2 * n)) for n in (50, 500))
    assert (small.bytes, large.bytes) == (8 * 50 * 100, 8 * 500 * 1000)
    assert large.seconds > small.seconds > 0


def test_loss_scale_is_kept():
    objective = random_objective(np.random.default_rng(9), 2, "relu", "squared", False)
    halved = replace(objective, loss=LOSSES["half_squared"])
    for layer in (1, 2):
        for origin in ("zero", "weights"):
            whole, half = (
                sample_grid(make_slice("s", o, [layer], [layer], origin), Window(), (4, 4))
                for o in (objective, halved)
            )
            assert half.error == pytest.approx(whole.error / 2)


def test_fan_with_a_bias_of_a_linear_output():
    # The only constant part that a fan may have: it joins the targets.
    rng = np.random.default_rng(3)
    objective = make_objective(
        [np.zeros((4, 3)), rng.standard_normal((2, 4))],
        ["relu", "identity"],
        rng.standard_normal((5, 3)),
        rng.standard_normal((5, 2)),
        biases=[None, [0.7, -1.2]],
    )
    slice = make_slice("s", objective, [1], [1])
    assert choose_way(slice) == "fan"
    agrees(slice, Window(-1, 2, -0.5, 1.5), (6, 5))
