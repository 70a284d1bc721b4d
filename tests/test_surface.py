"""E and its derivatives over slices, against loops, differences and closed forms."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import (
    PIECEWISE_LINEAR,
    SMOOTH,
    central_gradient,
    central_hessian,
    make_objective,
    make_slice_by_hand,
    random_objective,
    random_slice,
    slice_error_by_loops,
)

from surfacecli.geometry import surface
from surfacecli.geometry.slices import Slice, make_slice
from surfacecli.geometry.surface import (
    blocks,
    differentiate,
    evaluate,
    fixed_inputs,
    hidden_activations,
    linear_pieces,
)
from surfacecli.network.losses import LOSSES
from surfacecli.network.transfers import TRANSFERS

seeds = st.integers(0, 2**32)
STEP = 1e-4


def any_slice(seed: int) -> Slice:
    """A slice of any kind of a net with any transfer functions and any loss."""
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(1, 5))
    names = [str(name) for name in rng.choice(PIECEWISE_LINEAR + SMOOTH, size=depth)]
    return random_slice(rng, objective=random_objective(rng, depth, names))


def in_one_cell(slice: Slice, u: float, v: float, step: float) -> bool:
    """Whether every piecewise-linear unit keeps its piece on the stencil round a point.

    Written with forward passes of single nets, not with `linear_pieces`.
    """
    patterns = []
    for i in (-2, -1, 0, 1, 2):
        for j in (-2, -1, 0, 1, 2):
            network = slice.network_at(u + i * step, v + j * step)
            h, _ = network.forward(slice.objective.data.inputs)
            patterns.append(
                [
                    f.piece(layer).tolist()
                    for f, layer in zip(network.transfers, h, strict=True)
                    if f.piecewise_linear
                ]
            )
    return all(pattern == patterns[0] for pattern in patterns)


# --- Values ---------------------------------------------------------------------------------------


@given(seeds)
@settings(max_examples=40)
def test_values_are_those_of_loops(seed):
    slice = any_slice(seed)
    points = np.random.default_rng(seed).uniform(-2, 2, (3, 2))
    expected = [slice_error_by_loops(slice, u, v) for u, v in points]
    assert evaluate(slice, points[:, 0], points[:, 1]) == pytest.approx(expected, rel=1e-11)


def test_points_may_have_any_shape():
    slice = any_slice(5)
    u, v = np.array([0.1, 0.2, 0.3]), np.array([-1.0, 1.0])
    table = evaluate(slice, u[None, :], v[:, None])
    assert table.shape == (2, 3)
    for row, column in np.ndindex(2, 3):
        assert table[row, column] == evaluate(slice, u[column], v[row])
    assert evaluate(slice, [], []).shape == (0,)
    assert evaluate(slice, 0.5, 0.5).shape == ()


@pytest.mark.parametrize("block", [1, 7, 100])
def test_blocks_do_not_change_values(monkeypatch, block):
    slices = [any_slice(seed) for seed in range(20)]
    u, v = np.random.default_rng(1).uniform(-1, 1, (2, 25))
    whole = [(evaluate(s, u, v), differentiate(s, u, v), linear(s, u, v)) for s in slices]
    monkeypatch.setattr(surface, "BLOCK", block)
    for slice, (error, derivatives, pieces) in zip(slices, whole, strict=True):
        assert evaluate(slice, u, v) == pytest.approx(error, rel=1e-13)
        again = differentiate(slice, u, v)
        assert again.error == pytest.approx(derivatives.error, rel=1e-13)
        scale = np.abs(derivatives.hessian).max() + 1
        assert again.gradient == pytest.approx(derivatives.gradient, abs=1e-12 * scale)
        assert again.hessian == pytest.approx(derivatives.hessian, abs=1e-12 * scale)
        assert (again.on_node == derivatives.on_node).all()
        assert (linear(slice, u, v) == pieces).all()


def linear(slice: Slice, u, v):
    moved = slice.objective.network.transfers[slice.first_moved - 1 :]
    return linear_pieces(slice, u, v) if all(f.piecewise_linear for f in moved) else np.zeros(0)


def test_blocks_cover_every_point_once():
    for count, each in ((0, 5), (1, 10**9), (1000, 3000), (7, 0)):
        covered = [i for block in blocks(count, each) for i in range(count)[block]]
        assert covered == list(range(count))
    sizes = [len(range(1000)[block]) for block in blocks(1000, surface.BLOCK // 10)]
    assert max(sizes) == 10


def test_memory_is_that_of_a_block():
    rng = np.random.default_rng(0)
    objective = random_objective(rng, 2, "relu", "squared", True, (5, 20, 3), 200)
    slice = make_slice("s", objective, [1], [2], "weights")
    u, v = rng.uniform(-1, 1, (2, 4_000))  # all at once: 4000 x 200 x 20 numbers, 128 MB
    for function, limit in ((evaluate, 20e6), (differentiate, 40e6)):
        function(slice, u[:1], v[:1])
        tracemalloc.start()
        function(slice, u, v)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < limit


# --- Derivatives ----------------------------------------------------------------------------------


@given(seeds)
@settings(max_examples=60)
def test_derivatives_are_those_of_differences(seed):
    slice = any_slice(seed)
    for u, v in np.random.default_rng(seed).uniform(-1.5, 1.5, (3, 2)):
        if not in_one_cell(slice, u, v, STEP):
            continue

        def error(point):
            return slice_error_by_loops(slice, *point)

        at = differentiate(slice, [u], [v])
        assert at.error[0] == pytest.approx(error((u, v)), rel=1e-12)
        scale = 1.0 + np.abs(at.hessian[0]).max() + np.abs(at.gradient[0]).max() + at.error[0]
        assert at.gradient[0] == pytest.approx(
            central_gradient(error, (u, v), STEP), abs=1e-5 * scale
        )
        assert at.hessian[0] == pytest.approx(
            central_hessian(error, (u, v), STEP), abs=1e-4 * scale
        )
        assert not at.on_node[0]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", ["within-layer", "across-layers", "mixed"])
@pytest.mark.parametrize("transfer", TRANSFERS)
def test_each_transfer_function_in_each_kind_of_slice_with_each_loss(kind, transfer, loss):
    rng = np.random.default_rng(3)
    objective = random_objective(rng, 3, transfer, loss, True, (2, 3, 3, 2), 4)
    slice = random_slice(rng, kind, "weights", objective)
    checked = 0
    for u, v in rng.uniform(-1, 1, (8, 2)):
        if in_one_cell(slice, u, v, STEP):

            def error(point):
                return slice_error_by_loops(slice, *point)

            at = differentiate(slice, [u], [v])
            scale = 1.0 + np.abs(at.hessian[0]).max() + at.error[0]
            expected = central_hessian(error, (u, v), STEP)
            assert at.hessian[0] == pytest.approx(expected, abs=1e-4 * scale)
            checked += 1
    assert checked >= 3


def test_linear_net_is_one_paraboloid():
    # Two linear layers, the first one moved: E = |W2 (u U + v V) x - y|^2.
    rng = np.random.default_rng(1)
    U, V, W, X = (rng.standard_normal(s) for s in ((4, 3), (4, 3), (2, 4), (5, 3)))
    y = rng.standard_normal((5, 2))
    objective = make_objective([np.zeros((4, 3)), W], ["identity"] * 2, X, y)
    p, q = X @ U.T @ W.T, X @ V.T @ W.T
    at = differentiate(make_slice_by_hand(objective, {1: U}, {1: V}), [0.3], [-0.7])
    residual = 0.3 * p - 0.7 * q - y
    assert at.error[0] == pytest.approx((residual**2).sum())
    assert at.gradient[0] == pytest.approx([2 * (residual * d).sum() for d in (p, q)])
    assert at.hessian[0] == pytest.approx(
        2 * np.array([[(p * p).sum(), (p * q).sum()], [(p * q).sum(), (q * q).sum()]])
    )


def test_product_of_two_weights():
    # E = (1 - u v)^2: gradient -2 (1 - uv) (v, u), Hessian 2 [[v^2, 2uv - 1], [2uv - 1, u^2]].
    objective = make_objective([[[1]], [[1]]], ["identity"] * 2, [[1]], [[1]])
    slice = make_slice_by_hand(objective, {1: [[1]]}, {2: [[1]]})
    u, v = np.array([0.5, -2.0, 0.0]), np.array([3.0, 0.25, 0.0])
    at = differentiate(slice, u, v)
    assert at.error == pytest.approx((1 - u * v) ** 2)
    expected = -2 * (1 - u * v) * np.array([v, u])
    assert at.gradient == pytest.approx(expected.T)
    for k in range(3):
        mixed = 2 * (2 * u[k] * v[k] - 1)
        expected = [[2 * v[k] ** 2, mixed], [mixed, 2 * u[k] ** 2]]
        assert at.hessian[k] == pytest.approx(np.array(expected))


def test_smooth_maximum_of_a_mixed_slice():
    # E = (1.5 - u^2 - v^2)^2 / 2 with s = 1.5 - u^2 - v^2: E_i = -2 s x_i, E_ij = 4 x_i x_j - 2 s.
    objective = make_objective([[[1], [1]], [[1, 1]]], ["relu", "identity"], [[1]], [[0.5]])
    objective = type(objective)(objective.network, objective.data, LOSSES["half_squared"])
    slice = make_slice_by_hand(
        objective, {1: [[1], [0]], 2: [[-1, 0]]}, {1: [[0], [1]], 2: [[0, -1]]}, "weights"
    )
    u, v = np.array([0.0, 0.4, -0.7]), np.array([0.0, -0.9, 0.6])
    at = differentiate(slice, u, v)
    s = 1.5 - u**2 - v**2
    assert at.error == pytest.approx(s**2 / 2)
    expected = -2 * s * np.array([u, v])
    assert at.gradient == pytest.approx(expected.T)
    for k in range(3):
        x = np.array([u[k], v[k]])
        assert at.hessian[k] == pytest.approx(4 * np.outer(x, x) - 2 * s[k] * np.eye(2))


def test_softmax_regression():
    # One layer, cross entropy: the Hessian along the slice is sum of t_i . (diag p - p p^T) t_j.
    rng = np.random.default_rng(2)
    X, U, V = (rng.standard_normal(s) for s in ((6, 4), (3, 4), (3, 4)))
    y = np.eye(3)[rng.integers(3, size=6)]
    objective = make_objective([np.zeros((3, 4))], ["identity"], X, y, "cross_entropy")
    at = differentiate(make_slice_by_hand(objective, {1: U}, {1: V}), [0.8], [-0.4])
    error, gradient, hessian = 0.0, np.zeros(2), np.zeros((2, 2))
    for x, target in zip(X, y, strict=True):
        T = np.array([U @ x, V @ x])
        e = np.exp(0.8 * T[0] - 0.4 * T[1])
        p = e / e.sum()
        error -= math.log(p[target.argmax()])
        gradient += T @ (p - target)
        hessian += T @ (np.diag(p) - np.outer(p, p)) @ T.T
    assert at.error[0] == pytest.approx(error)
    assert at.gradient[0] == pytest.approx(gradient)
    assert at.hessian[0] == pytest.approx(hessian)


# --- Nodes ----------------------------------------------------------------------------------------


def relu_line() -> Slice:
    """E = (relu(u) - 1)^2 + relu(-u)^2 and nothing of v."""
    objective = make_objective([[[1], [-1]]], ["relu"], [[1]], [[1, 0]])
    return make_slice_by_hand(objective, {1: [[1], [-1]]}, {1: [[0], [0]]})


def test_on_node_where_a_unit_switches():
    at = differentiate(relu_line(), [-0.5, 0.0, 0.5], [0.2, 0.2, 0.2])
    assert at.on_node.tolist() == [False, True, False]
    assert at.gradient[:, 0] == pytest.approx([-1.0, 0.0, -1.0])  # left of both nodes at 0


def test_a_unit_that_lies_on_its_node_makes_no_kink():
    # Behind a dead hidden unit the output's pre-activation is 0, the node of abs, all around.
    objective = make_objective([[[1]], [[1]]], ["relu", "abs"], [[1]], [[0.5]])
    at = differentiate(
        make_slice_by_hand(objective, {1: [[1]]}, {1: [[0.5]]}), [-1.0, 0.0, 1.0], [0.0, 0.0, 0.0]
    )
    assert at.on_node.tolist() == [False, True, False]
    assert at.gradient == pytest.approx(np.array([[0, 0], [0, 0], [1, 0.5]]))


def test_linear_pieces_name_the_cells():
    slice = relu_line()
    pieces = linear_pieces(slice, [-1.0, -0.5, 0.5], [0.0, 1.0, 1.0])
    assert pieces.tolist() == [[0, 1], [0, 1], [1, 0]]
    smooth = make_slice_by_hand(
        make_objective([[[1]]], ["tanh"], [[1]], [[1]]), {1: [[1]]}, {1: [[1]]}
    )
    with pytest.raises(ValueError, match="tanh is smooth"):
        linear_pieces(smooth, [0.0], [0.0])


@given(seeds)
@settings(max_examples=25)
def test_linear_pieces_are_those_of_the_network(seed):
    rng = np.random.default_rng(seed)
    slice = random_slice(rng, objective=random_objective(rng, int(rng.integers(1, 4))))
    u, v = rng.uniform(-1, 1, (2, 3))
    for k, row in enumerate(linear_pieces(slice, u, v)):
        network = slice.network_at(u[k], v[k])
        h, _ = network.forward(slice.objective.data.inputs)
        pieces = [f.piece(layer).ravel() for f, layer in zip(network.transfers, h, strict=True)][
            slice.first_moved - 1 :
        ]
        assert (row == np.concatenate(pieces)).all()


# --- Parts ----------------------------------------------------------------------------------------


@given(seeds)
@settings(max_examples=25)
def test_hidden_activations_are_those_of_the_network(seed):
    slice = any_slice(seed)
    u, v = np.random.default_rng(seed).uniform(-1, 1, (2, 3))
    got = hidden_activations(slice, fixed_inputs(slice), u, v)
    for k in range(3):
        _, activations = slice.network_at(u[k], v[k]).forward(slice.objective.data.inputs)
        here = got if got.ndim == 2 else got[k]
        assert here == pytest.approx(activations[-2], abs=1e-12)
    assert (got.ndim == 2) == (slice.first_moved == slice.objective.network.depth)


def test_nothing_of_the_caller_is_changed():
    slice = any_slice(11)
    u, v = np.array([0.5, -0.5]), np.array([0.25, 1.0])
    kept = [u, v, *slice.origin.values(), *slice.along_u.values(), *slice.along_v.values()]
    kept += [*slice.objective.network.weights, slice.objective.data.inputs]
    before = [array.copy() for array in kept]
    differentiate(slice, u, v)
    evaluate(slice, u, v)
    assert all((a == b).all() for a, b in zip(kept, before, strict=True))
