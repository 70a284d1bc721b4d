"""Windows, kinds of slices, directions, and the network at a point."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import make_objective, random_objective, random_slice, slice_error_by_loops

from surfacecli.geometry.slices import (
    Slice,
    Window,
    filter_normalised,
    gaussian_direction,
    make_slice,
    slice_origin,
)
from surfacecli.network.data import Objective


@pytest.fixture
def objective() -> Objective:
    return random_objective(np.random.default_rng(0), 3, widths=[4, 3, 2, 2], biases=True)


def test_axes_of_a_window_that_is_not_square():
    u, v = Window(-1, 3, 0, 0.5).axes((5, 3))
    assert u.tolist() == [-1, 0, 1, 2, 3]
    assert v.tolist() == [0, 0.25, 0.5]


@given(half=st.floats(1e-3, 1e3), k=st.integers(1, 200))
def test_a_symmetric_window_has_its_centre_exactly(half: float, k: int):
    u, _ = Window(-half, half, 0, 1).axes((2 * k + 1, 2))
    assert u[k] == 0.0
    np.testing.assert_array_equal(u, -u[::-1])
    assert (u[0], u[-1]) == (-half, half)
    np.testing.assert_allclose(u, np.linspace(-half, half, 2 * k + 1), rtol=0, atol=1e-15 * half)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ((1, -1, 0, 1), r"\[1, -1\] x \[0, 1\] is empty"),
        ((0, 1, 2, 2), r"\[0, 1\] x \[2, 2\] is empty"),
        ((0, math.inf, 0, 1), "a bound that is not finite"),
        ((0, 1, math.nan, 1), "a bound that is not finite"),
    ],
)
def test_windows_that_are_refused(bounds: tuple[float, ...], message: str):
    with pytest.raises(ValueError, match=message):
        Window(*bounds)


@pytest.mark.parametrize(
    ("u", "v", "kind", "moved", "words"),
    [
        ([1], [1], "within-layer", (1,), ("u (layer 1)", "v (layer 1)")),
        ([3], [3], "within-layer", (3,), ("u (layer 3)", "v (layer 3)")),
        ([3], [1], "across-layers", (1, 3), ("u (layer 3)", "v (layer 1)")),
        ([1, 2], [1, 2], "mixed", (1, 2), ("u (layers 1 and 2)", "v (layers 1 and 2)")),
        ([2], [3, 1, 2], "mixed", (1, 2, 3), ("u (layer 2)", "v (layers 1, 2 and 3)")),
    ],
)
def test_kinds(objective: Objective, u: list, v: list, kind: str, moved: tuple, words: tuple):
    slice = make_slice("s", objective, u, v)
    assert slice.kind == kind
    assert slice.moved == moved
    assert slice.first_moved == moved[0]
    assert (slice.moves("u"), slice.moves("v")) == words


@given(seed=st.integers(0, 2**32), u=st.floats(-3, 3), v=st.floats(-3, 3))
def test_the_network_at_a_point(seed: int, u: float, v: float):
    slice = random_slice(np.random.default_rng(seed))
    there = slice.network_at(u, v)
    error = Objective(there, slice.objective.data, slice.objective.loss).error()
    assert error == pytest.approx(slice_error_by_loops(slice, u, v), rel=1e-11, abs=1e-13)


def test_only_moved_layers_move_and_nothing_is_changed_in_place(objective: Objective):
    network = objective.network
    before = [W.copy() for W in network.weights]
    slice = make_slice("s", objective, [1], [3], origin="weights", seed=3)
    there = slice.network_at(0.5, -2.0)
    np.testing.assert_array_equal(there.weights[1], network.weights[1])
    np.testing.assert_allclose(there.weights[0], before[0] + 0.5 * slice.along_u[1])
    np.testing.assert_allclose(there.weights[2], before[2] - 2.0 * slice.along_v[3])
    for W, copy in zip(network.weights, before, strict=True):
        np.testing.assert_array_equal(W, copy)
    for layer, W in slice.origin.items():
        np.testing.assert_array_equal(W, before[layer - 1])
    assert slice.network_at(0, 0).weights[0].tolist() == before[0].tolist()


def test_origin_zero_or_the_weights(objective: Objective):
    zero = slice_origin(objective.network, [1, 3], "zero")
    own = slice_origin(objective.network, [1, 3], "weights")
    assert zero.keys() == own.keys() == {1, 3}
    assert not zero[3].any()
    assert own[3] is objective.network.weights[2]
    slice = make_slice("s", objective, [2], [2], origin="zero")
    assert not slice.network_at(0, 0).weights[1].any()


def test_a_direction_depends_on_seed_layer_and_axis_only(objective: Objective):
    network = objective.network
    slices = [
        make_slice("a", objective, [1], [1], seed=5),
        make_slice("b", objective, [1], [2], seed=5, origin="weights"),
        make_slice("c", objective, [1, 2, 3], [3], seed=5),
    ]
    for slice in slices:
        np.testing.assert_array_equal(slice.along_u[1], gaussian_direction(network, 1, "u", seed=5))
    U = gaussian_direction(network, 1, "u", 5)
    for other in (
        gaussian_direction(network, 1, "v", 5),
        gaussian_direction(network, 1, "u", 6),
        network.weights[0],
    ):
        assert not np.allclose(U, other)


def test_directions_have_the_promised_size_and_are_independent():
    network = random_objective(np.random.default_rng(0), 2, widths=[400, 300, 400]).network
    drawn = [gaussian_direction(network, n, axis, 1) for n in (1, 2) for axis in ("u", "v")]
    for direction, fan_in in zip(drawn, (400, 400, 300, 300), strict=True):
        assert direction.std() * math.sqrt(fan_in) == pytest.approx(1.0, abs=0.02)
    correlation = np.corrcoef([d.ravel() for d in (*drawn, *network.weights)]) - np.eye(6)
    assert np.abs(correlation).max() < 0.02


def test_filter_normalisation_row_by_row():
    direction = np.array([[3.0, 4.0], [0.0, 0.0], [1.0, 0.0], [1e-100, 0.0]])
    weights = np.array([[0.0, 2.0], [1.0, 1.0], [0.0, 0.0], [0.0, -7.0]])
    scaled = filter_normalised(direction, weights)
    np.testing.assert_allclose(scaled, [[1.2, 1.6], [0, 0], [0, 0], [7, 0]], rtol=1e-15)
    assert direction[0].tolist() == [3.0, 4.0]


def test_filter_scale_of_a_drawn_slice(objective: Objective):
    plain = make_slice("s", objective, [1], [2], "weights", seed=2)
    scaled = make_slice("s", objective, [1], [2], "weights", seed=2, scale="filter")
    for mine, drawn, W in (
        (scaled.along_u[1], plain.along_u[1], objective.network.weights[0]),
        (scaled.along_v[2], plain.along_v[2], objective.network.weights[1]),
    ):
        for row, drawn_row, weights in zip(mine, drawn, W, strict=True):
            assert math.hypot(*row) == pytest.approx(math.hypot(*weights))
            assert np.dot(row, drawn_row) == pytest.approx(
                math.hypot(*row) * math.hypot(*drawn_row)
            )


@pytest.mark.parametrize(("u", "v", "wrong"), [([0], [1], 0), ([1], [4], 4), ([1, -1], [1], -1)])
def test_a_layer_that_is_not_there(objective: Objective, u: list[int], v: list[int], wrong: int):
    with pytest.raises(ValueError, match=f"slice s: {wrong} is not a layer; .* layers 1 to 3"):
        make_slice("s", objective, u, v)


W = np.ones((1, 2))


@pytest.mark.parametrize(
    ("origin", "along_u", "along_v", "message"),
    [
        ({1: W}, {}, {1: W}, "U moves no layer"),
        ({1: W}, {1: W}, {}, "V moves no layer"),
        ({1: W}, {1: np.ones((2, 1))}, {1: W}, r"U1 has shape \(2, 1\), W1 has \(1, 2\)"),
        ({1: W}, {1: W}, {1: W * np.nan}, "V1 holds a number that is not finite"),
        ({1: W}, {2: W}, {1: W}, "2 is not a layer"),
        ({1: W * np.inf}, {1: W}, {1: W}, "origin 1 holds a number that is not finite"),
    ],
)
def test_directions_that_do_not_fit(origin: dict, along_u: dict, along_v: dict, message: str):
    objective = make_objective([W], ["relu"], [[1.0, 2.0]], [[1.0]])
    with pytest.raises(ValueError, match=message):
        Slice("s", objective, origin, along_u, along_v)


def test_an_origin_for_every_moved_layer_and_no_other(objective: Objective):
    full = make_slice("s", objective, [1], [2])
    for origin in ({1: full.origin[1]}, {**full.origin, 3: objective.network.weights[2]}):
        with pytest.raises(ValueError, match="the origin must name every moved layer"):
            Slice("s", objective, origin, full.along_u, full.along_v)
