"""Layer Hessians by the recursion against differences, second-order passes and closed forms."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from exact_slices import WINDOW, random_exact_slice
from numpy.typing import NDArray
from oracles import (
    PIECEWISE_LINEAR,
    SMOOTH,
    central_gradient,
    error_by_loops,
    explicit_objective,
    make_objective,
    random_objective,
    random_slice,
    stencil_derivative,
)

from surfacecli.geometry.exact.cells import find_cells
from surfacecli.geometry.exact.polynomials import cell_errors
from surfacecli.geometry.surface import differentiate
from surfacecli.network.curvature import (
    backpropagate,
    contract_layer,
    examine_layers,
    full_hessian,
    full_trace,
    layer_hessian,
    layer_hessian_product,
    pre_activation_hessians,
    walk_pre_activation_hessians,
)
from surfacecli.network.data import Data, Objective, random_data
from surfacecli.network.losses import LOSSES
from surfacecli.network.model import Network, random_network
from surfacecli.network.transfers import TRANSFERS

Array = NDArray[np.float64]
EVERY = (*PIECEWISE_LINEAR, *SMOOTH)


def any_objective(seed: int, depth: int | None = None) -> Objective:
    """A random net of depth 1 to 5 with transfer functions of both sorts, any loss, any biases."""
    rng = np.random.default_rng(seed)
    depth = depth or 1 + seed % 5
    return random_objective(rng, depth, [str(name) for name in rng.choice(EVERY, size=depth)])


def apart(one: Array, other: Array) -> float:
    """The largest difference, relative to the largest entry."""
    return float(np.abs(one - other).max() / max(np.abs(other).max(), 1e-3))


def pieces(network: Network, inputs: Array) -> list[Array]:
    """The linear piece of every unit of a piecewise-linear transfer function."""
    pre_activations, _ = network.forward(inputs)
    return [
        f.piece(h)
        for f, h in zip(network.transfers, pre_activations, strict=True)
        if f.piecewise_linear
    ]


def moved(network: Network, layer: int, change: Array) -> Network:
    return network.with_weights({layer: network.weights[layer - 1] + change})


def difference_step(objective: Objective, layer: int, direction: Array) -> float:
    """A step along a direction of a layer whose fourfold stays in the cell, 0.005 at most."""
    network, x = objective.network, objective.data.inputs
    here = pieces(network, x)
    step = 0.005 / max(1.0, float(np.abs(direction).max()))
    while step > 1e-4:  # below, rounding would be all that a difference of 1e-9 shows
        ends = [pieces(moved(network, layer, s * 4 * step * direction), x) for s in (-1, 1)]
        # Along a line in one layer a cell is an interval: the ends tell.
        if all((a == b).all() for end in ends for a, b in zip(here, end, strict=True)):
            return step
        step /= 2
    raise NextToNodeError


class NextToNodeError(Exception):
    """The cell around the weights is too small for differences."""


def objective_off_nodes(seed: int, depth: int | None = None) -> Objective:
    """`any_objective`, drawn anew where its weights lie next to a kink."""
    for again in range(seed, seed + 100_000, 1_000):
        objective = any_objective(again, depth)
        try:
            for layer, W in enumerate(objective.network.weights, start=1):
                difference_step(objective, layer, np.abs(W) + 1.0)
                for unit in np.eye(W.size):
                    difference_step(objective, layer, unit.reshape(W.shape))
        except NextToNodeError:
            continue
        return objective
    raise AssertionError("every net lies next to a kink")


def test_the_explicit_net() -> None:
    layers = examine_layers(explicit_objective())
    assert [layer.size for layer in layers] == [6, 6, 2]
    assert [layer.rank.low for layer in layers] == [2, 2, 2]
    assert all(layer.rank.exact and layer.psd for layer in layers)
    wanted = [(377.429875, 370.623625, 6.80625), (833.775475, 771.75985, 62.015625)]
    wanted += [(271.27595, 253.66703921, 17.60891079)]
    for layer, (trace, large, small) in zip(layers, wanted, strict=True):
        assert layer.trace == pytest.approx(trace, rel=1e-12)
        assert layer.weights.eigenvalues is not None
        assert layer.weights.eigenvalues[-2:] == pytest.approx([small, large], rel=1e-8)
        assert np.abs(layer.weights.eigenvalues[:-2]).max(initial=0.0) < 1e-11
    assert full_trace(explicit_objective()) == pytest.approx(1482.4812999999999, rel=1e-12)


@pytest.mark.parametrize("seed", range(15))
def test_gradients_by_differences_of_plain_python(seed: int) -> None:
    objective = any_objective(seed)
    network = objective.network
    passes = backpropagate(objective)
    for layer, (W, b) in enumerate(zip(network.weights, network.biases, strict=True), start=1):

        def error(flat: Array, layer: int = layer, shape: tuple[int, ...] = W.shape) -> float:
            there = network.with_weights({layer: flat.reshape(shape)})
            return error_by_loops(replace(objective, network=there))

        wanted = central_gradient(error, W.ravel())
        assert passes.weight_gradients[layer - 1].ravel() == pytest.approx(wanted, abs=2e-7)
        if b is not None:
            offsets = list(network.biases)

            def error_of_bias(b: Array, layer: int = layer, offsets: list = offsets) -> float:  # type: ignore[type-arg]
                biases = (*offsets[: layer - 1], b, *offsets[layer:])
                return error_by_loops(replace(objective, network=replace(network, biases=biases)))

            wanted = central_gradient(error_of_bias, b)
            assert passes.bias_gradients[layer - 1] == pytest.approx(wanted, abs=2e-7)


@pytest.mark.parametrize("seed", range(20))
def test_layer_hessian_by_differences_of_the_gradient(seed: int) -> None:
    objective = objective_off_nodes(seed)
    for layer, W in enumerate(objective.network.weights, start=1):
        H = layer_hessian(objective, layer)
        for entry, index in enumerate(np.ndindex(W.shape)):
            unit = np.zeros_like(W)
            unit[index] = 1.0
            step = difference_step(objective, layer, unit)

            def gradient(t: float, unit: Array = unit, layer: int = layer) -> Array:
                there = moved(objective.network, layer, t * unit)
                return backpropagate(objective, there).weight_gradients[layer - 1].ravel()

            wanted = stencil_derivative(gradient, step)
            scale = max(np.abs(H).max(), 1e-3)
            assert np.abs(H[entry] - wanted).max() <= 1e-9 * scale


@pytest.mark.parametrize("seed", range(10))
def test_full_hessian_by_differences_of_the_gradient(seed: int) -> None:
    """Across layers too, with and without biases; the biases are moved as one more column."""
    objective = objective_off_nodes(seed, depth=1 + seed % 4)
    network = objective.network
    with_biases = all(b is not None for b in network.biases)
    H = full_hessian(objective, biases=with_biases)
    assert pytest.approx(H.T, rel=1e-12, abs=1e-12) == H
    row = 0
    for layer, (W, b) in enumerate(zip(network.weights, network.biases, strict=True), start=1):
        matrix = np.concatenate([W, b[:, None]], axis=1) if with_biases and b is not None else W
        for index in np.ndindex(matrix.shape):
            unit = np.zeros_like(matrix)
            unit[index] = 1.0

            def gradient(t: float, unit: Array = unit, layer: int = layer) -> Array:
                shape = network.weights[layer - 1].shape
                there = moved(network, layer, t * unit[:, : shape[1]])
                biases = list(there.biases)
                if with_biases:
                    biases[layer - 1] = biases[layer - 1] + t * unit[:, -1]  # type: ignore[operator]
                passes = backpropagate(objective, replace(there, biases=tuple(biases)))
                parts = []
                for g, c in zip(passes.weight_gradients, passes.bias_gradients, strict=True):
                    part = np.concatenate([g, c[:, None]], axis=1) if with_biases else g
                    parts.append(part.ravel())
                return np.concatenate(parts)

            at_most = difference_step(objective, layer, np.abs(W) + 1.0)
            wanted = stencil_derivative(gradient, at_most)
            assert np.abs(H[row] - wanted).max() <= 1e-9 * max(np.abs(H).max(), 1e-3)
            row += 1
    assert row == len(H)


@pytest.mark.parametrize("seed", range(60))
def test_the_slices_hessian_by_second_order_propagation(seed: int) -> None:
    """Three roads: U, V contracted with H_l, with the product, and forward propagation."""
    rng = np.random.default_rng(seed)
    objective = any_objective(seed)
    slice = random_slice(rng, "within-layer", objective=objective)
    (layer,) = slice.moved
    for u, v in rng.uniform(-1, 1, size=(3, 2)):
        network = slice.network_at(u, v)
        wanted = differentiate(slice, u, v).hessian[0]
        directions = np.stack([slice.along_u[layer], slice.along_v[layer]])
        flat = directions.reshape(2, -1)
        H = layer_hessian(objective, layer, network)
        scale = max(np.abs(wanted).max(), 1e-6)
        assert np.abs(flat @ H @ flat.T - wanted).max() <= 1e-9 * scale
        contracted = contract_layer(objective, layer, directions, network)
        assert np.abs(contracted - wanted).max() <= 1e-9 * scale


@pytest.mark.parametrize("seed", range(40))
def test_a_mixed_slices_hessian_from_the_full_hessian(seed: int) -> None:
    rng = np.random.default_rng(seed)
    objective = any_objective(seed, depth=2 + seed % 4)
    slice = random_slice(rng, ("across-layers", "mixed")[seed % 2], objective=objective)
    u, v = rng.uniform(-1, 1, size=2)
    H = full_hessian(objective, slice.network_at(u, v))
    directions = []
    for along in (slice.along_u, slice.along_v):
        shapes = enumerate(objective.network.weights, start=1)
        directions.append(
            np.concatenate([along.get(layer, np.zeros_like(W)).ravel() for layer, W in shapes])
        )
    D = np.stack(directions)
    wanted = differentiate(slice, u, v).hessian[0]
    assert np.abs(D @ H @ D.T - wanted).max() <= 1e-9 * max(np.abs(wanted).max(), 1e-6)


@pytest.mark.parametrize("seed", range(30))
def test_psd_and_the_polynomial_in_every_cell(seed: int) -> None:
    """In each cell: the moved layer's Hessian is PSD and gives the Hessian of the polynomial."""
    slice = random_exact_slice(seed)
    (layer,) = slice.moved
    cells = find_cells(slice, WINDOW)
    every = np.arange(len(cells))[:12]
    wanted = cell_errors(cells).hessian(every, cells.inner_points[every])
    flat = np.stack([slice.along_u[layer].ravel(), slice.along_v[layer].ravel()])
    scale = max(1e-6, float(np.abs(wanted).max()))
    for cell in every:
        network = slice.network_at(*cells.inner_points[cell])
        H = layer_hessian(slice.objective, layer, network)
        assert np.abs(flat @ H @ flat.T - wanted[cell]).max() <= 1e-9 * scale
        for found in examine_layers(slice.objective, network):
            assert found.psd
            assert found.weights.smallest_eigenvalue >= -1e-12 * found.largest_eigenvalue
            assert found.pre_activations.psd
            assert not found.bent
            assert found.gauss_newton is found.weights


@pytest.mark.parametrize("transfer", ["tanh", "sigmoid"])
def test_smooth_nets_are_not_psd(transfer: str) -> None:
    """The check can fail: layers with bent transfer functions have negative curvature."""
    objective = random_objective(
        np.random.default_rng(3), 3, transfer, "squared", widths=[3, 4, 4, 2], samples=5
    )
    layers = examine_layers(objective)
    assert any(layer.psd is False for layer in layers)
    for layer in layers:
        assert layer.bent
        assert "D is not 0" in layer.reason
        assert layer.psd == (layer.smallest_eigenvalue > -1e-10 * layer.largest_eigenvalue)
        assert layer.gauss_newton.psd
        H = layer_hessian(objective, layer.layer)
        G = layer_hessian(objective, layer.layer, gauss_newton=True)
        assert apart(H, G) > 1e-3
        assert np.linalg.eigvalsh(G)[0] >= -1e-13 * np.abs(G).max()


@pytest.mark.parametrize("seed", range(10))
def test_gauss_newton_is_the_jacobian_squared(seed: int) -> None:
    """J by differences of the outputs; equal to the Hessian where nothing bends."""
    objective = objective_off_nodes(seed)
    network, loss = objective.network, objective.loss
    a_L = network.forward(objective.data.inputs)[1][-1]
    middle = loss.hessian(a_L, objective.data.targets)
    for layer, W in enumerate(network.weights, start=1):
        columns = []
        for index in np.ndindex(W.shape):
            unit = np.zeros_like(W)
            unit[index] = 1.0

            def outputs(t: float, unit: Array = unit, layer: int = layer) -> Array:
                return moved(network, layer, t * unit).forward(objective.data.inputs)[1][-1]

            columns.append(stencil_derivative(outputs, difference_step(objective, layer, unit)))
        J = np.stack(columns, axis=-1)
        wanted = np.einsum("nip,nij,njq->pq", J, middle, J)
        G = layer_hessian(objective, layer, gauss_newton=True)
        assert np.abs(G - wanted).max() <= 1e-9 * max(np.abs(wanted).max(), 1e-3)
        if not backpropagate(objective).bent(layer):
            assert (layer_hessian(objective, layer) == G).all()


def test_linear_net_with_squares() -> None:
    """One linear layer: H = 2 I kron X^T X, whatever the weights."""
    objective = random_objective(
        np.random.default_rng(0), 1, "identity", "squared", widths=[4, 3], samples=7
    )
    X = objective.data.inputs
    wanted = np.kron(np.eye(3), 2 * X.T @ X)
    assert layer_hessian(objective, 1) == pytest.approx(wanted, rel=1e-13, abs=1e-13)
    (layer,) = examine_layers(objective)
    assert layer.trace == pytest.approx(3 * 2 * (X**2).sum())
    assert layer.weights.eigenvalues == pytest.approx(np.linalg.eigvalsh(wanted))
    half = replace(objective, loss=LOSSES["half_squared"])
    assert layer_hessian(half, 1) == pytest.approx(wanted / 2, rel=1e-13, abs=1e-13)


def test_softmax_regression() -> None:
    """H = sum_n (diag p - p p^T) kron x x^T; the classes' common shift is flat."""
    objective = random_objective(
        np.random.default_rng(1), 1, "identity", "cross_entropy", widths=[3, 4], samples=9
    )
    wanted = np.zeros((12, 12))
    for x in objective.data.inputs:
        e = np.exp(objective.network.weights[0] @ x)
        p = e / e.sum()
        wanted += np.kron(np.diag(p) - np.outer(p, p), np.outer(x, x))
    assert layer_hessian(objective, 1) == pytest.approx(wanted, rel=1e-12, abs=1e-13)
    (layer,) = examine_layers(objective)
    assert layer.rank.low == layer.rank.high == 3 * 3
    assert layer.pre_activations.rank.low == 9 * 3


def test_a_rectified_output_starts_from_its_active_units() -> None:
    """diag(h > 0) times the loss's Hessian, and B H B + D in general."""
    objective = make_objective(
        [[[1.0, 0.5], [-1.0, 0.25]]], ["relu"], [[1.0, 2.0], [-1.0, 2.0]], [[0.0, 0.0]] * 2
    )
    (layer,) = pre_activation_hessians(objective)
    assert layer.hessian.tolist() == [[[2, 0], [0, 0]], [[0, 0], [0, 2]]]
    curved = replace(
        objective, network=replace(objective.network, transfers=(TRANSFERS["softplus"],))
    )
    (layer,) = pre_activation_hessians(curved)
    f, h = TRANSFERS["softplus"], objective.data.inputs @ objective.network.weights[0].T
    diagonal = 2 * f.slope(h) ** 2 + 2 * f.value(h) * f.bend(h)
    assert np.diagonal(layer.hessian, axis1=1, axis2=2) == pytest.approx(diagonal)
    assert np.diagonal(layer.gauss_newton, axis1=1, axis2=2) == pytest.approx(2 * f.slope(h) ** 2)
    assert layer.bends == pytest.approx(2 * f.value(h) * f.bend(h))


@pytest.mark.parametrize("seed", range(20))
def test_products_equal_the_matrix(seed: int) -> None:
    """With biases the layer has one more column; many matrices at once, in blocks."""
    objective = any_objective(seed)
    rng = np.random.default_rng(seed)
    for (layer, W), biases, gauss_newton in itertools.product(
        enumerate(objective.network.weights, start=1), (False, True), (False, True)
    ):
        V = rng.standard_normal((2, 3, W.shape[0], W.shape[1] + biases))
        H = layer_hessian(objective, layer, None, gauss_newton, biases)
        product = layer_hessian_product(objective, layer, V, None, gauss_newton, biases)
        wanted = V.reshape(6, -1) @ H
        assert product.reshape(6, -1) == pytest.approx(wanted, rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("seed", range(15))
def test_the_full_hessian_holds_the_layers(seed: int) -> None:
    objective = any_objective(seed)
    for biases in (False, True):
        H, start = full_hessian(objective, biases=biases), 0
        for layer in range(1, objective.network.depth + 1):
            block = layer_hessian(objective, layer, biases=biases)
            stop = start + len(block)
            assert (H[start:stop, start:stop] == block).all()
            start = stop
        assert start == len(H)
    traces = [found.trace for found in examine_layers(objective)]
    assert full_trace(objective) == pytest.approx(sum(traces), rel=1e-12, abs=1e-12)


def test_the_trace_is_not_negative_but_eigenvalues_across_layers_are() -> None:
    H = full_hessian(explicit_objective())
    assert np.trace(H) == pytest.approx(full_trace(explicit_objective()))
    assert np.trace(H) > 0
    assert np.linalg.eigvalsh(H)[0] < -100


def test_blocks_of_data_give_what_all_at_once_give(monkeypatch: pytest.MonkeyPatch) -> None:
    objective = random_objective(
        np.random.default_rng(5), 3, ["tanh", "relu", "sigmoid"], widths=[3, 4, 2, 3], samples=11
    )
    whole = pre_activation_hessians(objective)
    layers, H = examine_layers(objective), full_hessian(objective)
    V = np.random.default_rng(0).standard_normal((5, 4, 3))
    product = layer_hessian_product(objective, 1, V)
    for module in ("recursion", "products", "dense", "roots"):
        monkeypatch.setattr(f"surfacecli.network.curvature.{module}.BLOCK", 50)
    monkeypatch.setattr("surfacecli.network.curvature.recursion.CACHE", 16)
    blocks = list(walk_pre_activation_hessians(backpropagate(objective)))
    assert len(blocks) > 6
    for block in blocks:
        assert len(block.hessian) == block.rows.stop - block.rows.start
        same = whole[block.layer - 1]
        assert block.hessian == pytest.approx(same.hessian[block.rows])
        assert block.gauss_newton == pytest.approx(same.gauss_newton[block.rows])
        assert block.bends == pytest.approx(same.bends[block.rows])
    assert full_hessian(objective) == pytest.approx(H)
    assert layer_hessian_product(objective, 1, V) == pytest.approx(product)
    for one, other in zip(examine_layers(objective), layers, strict=True):
        assert one.trace == pytest.approx(other.trace)
        assert one.rank == other.rank
        assert one.weights.eigenvalues == pytest.approx(other.weights.eigenvalues)


def test_nodes_have_slope_zero_and_are_counted() -> None:
    """relu at 0 counts to its left; a unit behind dead ones lies on its node but cannot leave."""
    objective = make_objective(
        [[[1.0, -1.0], [1.0, 1.0]], [[1.0, 1.0], [0.0, 0.0]]],
        ["relu", "relu"],
        [[1.0, 1.0], [0.0, 0.0], [2.0, 1.0]],
        [[1.0, 1.0]] * 3,
    )
    passes = backpropagate(objective)
    assert passes.slopes[0].tolist() == [[0, 1], [0, 0], [1, 1]]
    # Point 1 on unit 1 of layer 1; points 1 and 3 on unit 2 of layer 2; point 2 moves nothing.
    assert passes.on_node == (1, 2)
    assert [passes.kinked(layer) for layer in (1, 2)] == [True, True]
    assert [found.on_node for found in examine_layers(objective)] == [1, 2]


@pytest.mark.parametrize("inputs", [[[0.0, 0.0]], [[-1.0, -2.0], [-3.0, 0.0]]])
def test_no_curvature_anywhere(inputs: list[list[float]]) -> None:
    """A data point that is zero, and units that are dead for all data."""
    objective = make_objective(
        [[[1.0, 1.0], [2.0, 1.0]], [[1.0, 1.0]]], ["relu", "relu"], inputs, [[1.0]] * len(inputs)
    )
    for found in examine_layers(objective):
        for spectrum in (found.weights, found.pre_activations):
            assert (spectrum.trace, spectrum.rank.low, spectrum.rank.high) == (0.0, 0, 0)
            assert spectrum.smallest_eigenvalue == spectrum.largest_eigenvalue == 0.0
            assert spectrum.psd
            assert spectrum.zero_share == 1.0
    assert not full_hessian(objective).any()


def test_another_network_of_the_same_widths_only() -> None:
    objective = explicit_objective()
    other = random_network([2, 3, 2, 1], objective.network.transfers, 0)
    here = replace(objective, network=other)
    assert (layer_hessian(objective, 2, other) == layer_hessian(here, 2)).all()
    with pytest.raises(ValueError, match="widths"):
        backpropagate(objective, random_network([2, 4, 2, 1], objective.network.transfers, 0))
    with pytest.raises(ValueError, match="4 is not a layer; the network has layers 1 to 3"):
        layer_hessian(objective, 4)
    with pytest.raises(ValueError, match="0 is not a layer"):
        examine_layers(objective, layers=[0])
    with pytest.raises(ValueError, match=r"shape \(2, 3\); layer 1 takes matrices \(3, 2\)"):
        layer_hessian_product(objective, 1, np.zeros((2, 3)))


def test_nothing_of_the_callers_is_changed() -> None:
    objective = any_objective(7)
    W = [np.array(w) for w in objective.network.weights]
    x, y = np.array(objective.data.inputs), np.array(objective.data.targets)
    state = np.random.get_state()[1].tolist()  # type: ignore[union-attr, index]  # noqa: NPY002
    examine_layers(objective)
    full_hessian(objective)
    assert all((a == b).all() for a, b in zip(W, objective.network.weights, strict=True))
    assert (x == objective.data.inputs).all()
    assert (y == objective.data.targets).all()
    assert state == np.random.get_state()[1].tolist()  # type: ignore[union-attr, index]  # noqa: NPY002


def test_losses_that_are_not_convex_say_so() -> None:
    """A loss of one's own: the cosine of the output, whose Hessian has either sign."""
    cosine = replace(
        LOSSES["squared"],
        name="cosine",
        convex=False,
        separable=False,
        scale=None,
        value=lambda a, y: np.cos(a).sum(axis=-1),
        gradient=lambda a, y: -np.sin(a),
        product=lambda a, y, t: -np.cos(a) * t,
    )
    network = random_network([3, 4, 2], [TRANSFERS["relu"], TRANSFERS["identity"]], 0)
    objective = Objective(network, random_data(6, 3, 2, 1), cosine)
    for found in examine_layers(objective):
        assert found.reason == "the loss is not convex"
        assert found.psd is False
        assert found.weights.eigenvalues is not None
        H = layer_hessian(objective, found.layer)
        assert found.weights.eigenvalues == pytest.approx(np.linalg.eigvalsh(H), abs=1e-12)


def test_data_of_one_point_without_biases() -> None:
    """One data point: rank H_l is rank PH_l, eq. (1) with one term."""
    network = random_network([3, 5, 4], [TRANSFERS["leaky_relu"], TRANSFERS["identity"]], 2)
    data = Data(np.array([[1.0, -2.0, 0.5]]), np.zeros((1, 4)))
    for found in examine_layers(Objective(network, data, LOSSES["squared"])):
        assert found.rank.low == found.pre_activations.rank.low == 4
