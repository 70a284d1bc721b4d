"""The forward pass against plain loops, shapes at the door, and the independence of streams."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import PIECEWISE_LINEAR, SMOOTH, forward_by_loops

from surfacecli.network.model import Network, random_network, random_stream
from surfacecli.network.transfers import TRANSFERS, identity, relu, tanh


@given(
    seed=st.integers(0, 2**32),
    widths=st.lists(st.integers(1, 5), min_size=2, max_size=5),
    names=st.lists(st.sampled_from([*PIECEWISE_LINEAR, *SMOOTH]), min_size=4, max_size=4),
    biases=st.booleans(),
)
def test_forward_is_the_definition(seed: int, widths: list[int], names: list[str], biases: bool):
    transfers = [TRANSFERS[name] for name in names[: len(widths) - 1]]
    network = random_network(widths, transfers, seed, biases)
    inputs = np.random.default_rng(seed).standard_normal((3, widths[0]))
    pre_activations, activations = network.forward(inputs)
    assert len(pre_activations) == network.depth == len(widths) - 1
    assert len(activations) == network.depth + 1
    for n, x in enumerate(inputs):
        h, a = forward_by_loops(network, x)
        for layer in range(network.depth):
            np.testing.assert_allclose(pre_activations[layer][n], h[layer], atol=1e-13)
            np.testing.assert_allclose(activations[layer + 1][n], a[layer + 1], atol=1e-13)


def test_a_net_by_hand():
    # h1 = (2, -3) + (0.5, 0.5), a1 = (2.5, 0), h2 = 2.5 * 2 - 1
    network = Network(
        (np.array([[2.0], [-3.0]]), np.array([[2.0, 7.0]])),
        (np.array([0.5, 0.5]), np.array([-1.0])),
        (relu, identity),
    )
    pre_activations, activations = network.forward(np.array([[1.0]]))
    assert pre_activations[0].tolist() == [[2.5, -2.5]]
    assert activations[1].tolist() == [[2.5, 0.0]]
    assert activations[2].tolist() == [[4.0]]
    assert network.widths == (1, 2, 1)
    assert network.piecewise_linear


def test_one_smooth_layer_makes_it_not_piecewise_linear():
    assert not random_network([2, 2, 1], [relu, tanh], seed=0).piecewise_linear


W1, W2 = np.ones((3, 2)), np.ones((1, 3))


@pytest.mark.parametrize(
    ("weights", "biases", "message"),
    [
        ((), (), "at least one layer"),
        ((W1, W2), (None,), "2 weight matrices, 1 biases"),
        ((W1, np.ones((1, 2))), (None, None), "W2 takes 2 inputs, but layer 1 has 3 units"),
        ((np.ones(3), W2), (None, None), r"W1 has shape \(3,\)"),
        ((np.ones((3, 0)), W2), (None, None), r"W1 has shape \(3, 0\)"),
        ((W1, W2), (np.ones(2), None), r"b1 has shape \(2,\); it must be \(3,\)"),
        ((W1, np.array([[1, np.nan, 1]])), (None, None), "layer 2 holds a number that is not fin"),
        ((W1, W2), (np.array([1, np.inf, 1]), None), "layer 1 holds a number that is not finite"),
    ],
)
def test_what_does_not_fit_is_refused(weights: tuple, biases: tuple, message: str):
    with pytest.raises(ValueError, match=message):
        Network(weights, biases, (relu,) * len(weights))


def test_with_weights_replaces_and_leaves_the_original():
    network = random_network([2, 3, 1], [relu, relu], seed=0, biases=True)
    before = [W.copy() for W in network.weights]
    other = network.with_weights({2: np.zeros((1, 3))})
    for W, copy in zip(network.weights, before, strict=True):
        np.testing.assert_array_equal(W, copy)
    assert not other.weights[1].any()
    assert other.weights[0] is network.weights[0]
    assert other.biases == network.biases
    with pytest.raises(ValueError, match="W2 takes 2 inputs"):
        network.with_weights({2: np.zeros((1, 2))})


@pytest.mark.parametrize("layer", [0, 3])
def test_with_weights_knows_its_layers(layer: int):
    network = random_network([2, 3, 1], [relu, relu], seed=0)
    with pytest.raises(ValueError, match=f"{layer} is not a layer; the network has layers 1 to 2"):
        network.with_weights({layer: np.zeros((1, 3))})


def test_drawn_weights_have_the_promised_size():
    network = random_network([400, 300, 1], [relu, relu], seed=5, biases=True)
    for W, b in zip(network.weights, network.biases, strict=True):
        assert b is not None
        assert W.std() * np.sqrt(W.shape[1]) == pytest.approx(1.0, abs=0.2)
    assert network.weights[0].mean() == pytest.approx(0.0, abs=1e-3)
    assert network.biases[0].std() * 20 == pytest.approx(1.0, abs=0.2)


def test_same_seed_same_net_whatever_else_is_drawn():
    one = random_network([3, 4, 2], [relu, relu], seed=7)
    two = random_network([3, 4, 2], [tanh, relu], seed=7, biases=True)
    deeper = random_network([3, 4, 2, 2], [relu, relu, relu], seed=7)
    other = random_network([3, 4, 2], [relu, relu], seed=8)
    for layer in range(2):
        np.testing.assert_array_equal(one.weights[layer], two.weights[layer])
        np.testing.assert_array_equal(one.weights[layer], deeper.weights[layer])
        assert not np.array_equal(one.weights[layer], other.weights[layer])


def test_streams_of_one_seed_are_independent():
    keys = [(1,), (2,), (3,), (1, 1), (1, 2), (3, 1, 0), (3, 1, 1)]
    draws = np.array([random_stream(11, *key).standard_normal(2000) for key in keys])
    correlation = np.corrcoef(draws) - np.eye(len(keys))
    assert np.abs(correlation).max() < 0.1
    np.testing.assert_array_equal(draws[0], random_stream(11, 1).standard_normal(2000))


def test_global_random_state_is_neither_read_nor_touched():
    np.random.seed(1)  # noqa: NPY002  (the global state is the subject)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = random_network([2, 2], [relu], seed=3).weights[0]
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    np.testing.assert_array_equal(first, random_network([2, 2], [relu], seed=3).weights[0])
