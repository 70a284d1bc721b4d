"""Bounds of ranks, and traces, where nothing is formed: against full matrices and fractions."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from oracles import random_objective
from test_curvature import any_objective
from test_curvature_spectra import exact_ranks, roads, whole_number_objective

from surfacecli.network.curvature import (
    Rank,
    backpropagate,
    examine_layers,
    layer_hessian,
    pre_activation_hessians,
    pre_activation_product,
)
from surfacecli.network.curvature.bounds import inner_rank_bounds
from surfacecli.network.curvature.floors import (
    _walk_principal_blocks,
    blocks_by_products,
    chain_floors,
    inner_floors,
    most_curved,
    outer_floor,
)
from surfacecli.network.curvature.inverses import inner_inverse, outer_inverse
from surfacecli.network.curvature.products import layer_product
from surfacecli.network.curvature.roots import has_roots
from surfacecli.network.curvature.traces import pre_activation_traces
from surfacecli.network.data import Data, Objective

Array = NDArray[np.float64]
HOME = "surfacecli.network.curvature"
NETS = list(
    itertools.product(("relu", "tanh"), (1, 2, 3, 4), ("squared", "logistic", "cross_entropy"))
)


def a_net(name: str, depth: int, loss: str, samples: int = 14) -> Objective:
    """Widths that go up and down, a linear output."""
    widths = [*[5, 7, 4, 6, 3][:depth], 4]
    transfers = [name] * (depth - 1) + ["identity"]
    rng = np.random.default_rng(depth)
    return random_objective(rng, depth, transfers, loss, True, widths, samples)


def true_rank(matrix: Array) -> int:
    return int(np.linalg.matrix_rank(matrix, hermitian=True))


def matrices(objective: Objective, layer: int, gauss_newton: bool) -> tuple[Array, Array]:
    """H_l and the PH_l,n (N, n_l, n_l), or G_l and G_l,n."""
    blocks = pre_activation_hessians(objective)[layer - 1]
    inner = blocks.gauss_newton if gauss_newton else blocks.hessian
    return layer_hessian(objective, layer, gauss_newton=gauss_newton), inner


@pytest.mark.parametrize("road", ["products", "bounds"])
@pytest.mark.parametrize(("name", "depth", "loss"), NETS)
def test_the_large_road_against_full_matrices(
    name: str, depth: int, loss: str, road: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trace, extreme eigenvalues and rank bounds, by products alone."""
    objective = a_net(name, depth, loss)
    roads(monkeypatch, road)
    monkeypatch.setattr(f"{HOME}.examine.WIDE", 0)
    for found in examine_layers(objective):
        for gauss_newton, spectrum, inner in (
            (False, found.weights, found.pre_activations),
            (True, found.gauss_newton, found.pre_activation_gauss_newton),
        ):
            H, PH = matrices(objective, found.layer, gauss_newton)
            values, inner_values = np.linalg.eigvalsh(H), np.linalg.eigvalsh(PH)
            for told, wanted in ((spectrum, values), (inner, inner_values)):
                low, high = wanted.min(), wanted.max()
                scale = max(-low, high)
                assert told.converged
                assert told.trace == pytest.approx(wanted.sum(), abs=1e-11 * scale * wanted.size)
                assert told.smallest_eigenvalue == pytest.approx(low, abs=1e-9 * scale)
                assert told.largest_eigenvalue == pytest.approx(high, abs=1e-9 * scale)
            assert spectrum.rank.low <= true_rank(H) <= spectrum.rank.high
            ranks = sum(true_rank(block) for block in PH)
            assert inner.rank.low <= ranks <= inner.rank.high


@pytest.mark.parametrize("seed", range(24))
def test_bounds_hold_the_rank_of_fractions(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dead units, repeated data, whole-number weights: each bound by itself, and all of them."""
    objective = whole_number_objective(seed)
    wanted = exact_ranks(objective)
    roads(monkeypatch, "bounds")
    monkeypatch.setattr(f"{HOME}.examine.WIDE", 0)
    passes = backpropagate(objective)
    for layer, (_, inner) in enumerate(wanted, start=1):
        assert chain_floors(passes, layer).sum() <= inner
        assert inner_floors(passes, layer, False).sum() <= inner
    for found, (outer, inner) in zip(examine_layers(objective), wanted, strict=True):
        assert found.rank.low <= outer <= found.rank.high
        rank = found.pre_activations.rank
        assert rank.low <= inner <= rank.high


@pytest.mark.parametrize("name", ["relu", "leaky_relu"])
def test_the_chain_is_sharp_where_weights_are_regular(name: str) -> None:
    """rank W B = active units for a regular W; a unit dead for a data point costs one each time."""
    objective = random_objective(
        np.random.default_rng(3), 2, [name, "identity"], "squared", True, [4, 8, 8], 9
    )
    passes = backpropagate(objective)
    active = (passes.slopes[0] != 0).sum(axis=1)
    assert (chain_floors(passes, 1) == active).all()
    PH = pre_activation_hessians(objective)[0].hessian
    assert [true_rank(block) for block in PH] == active.tolist()
    # A W2 that lacks two ranks takes two from every data point's floor.
    W = objective.network.weights[1].copy()
    W[6:] = W[:2]
    lacking = replace(objective, network=objective.network.with_weights({2: W}))
    floors = chain_floors(backpropagate(lacking), 1)
    assert (floors == np.maximum(active - 2, 0)).all()
    PH = pre_activation_hessians(lacking)[0].hessian
    assert all(least <= true_rank(block) for least, block in zip(floors, PH, strict=True))


def test_the_chain_begins_with_the_rank_of_the_loss() -> None:
    """Softmax does not see a common shift: one rank less than outputs."""
    objective = a_net("leaky_relu", 1, "cross_entropy")
    assert (chain_floors(backpropagate(objective), 1) == 3).all()


@pytest.mark.parametrize("name", ["relu", "tanh"])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_independent_data_make_the_rank_exact(
    name: str, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many inputs as data points: rank H_l is the sum of the PH_l,n's, of either sign."""
    objective = random_objective(
        np.random.default_rng(5), 2, [name, "identity"], loss, True, [8, 6, 6], 8
    )
    small = examine_layers(objective)[0]
    roads(monkeypatch, "bounds")
    monkeypatch.setattr(f"{HOME}.examine.WIDE", 0)
    monkeypatch.setattr(f"{HOME}.lanczos.VECTORS", 24)
    monkeypatch.setattr(f"{HOME}.floors.FLOOR_WORK", 1e9)
    found = examine_layers(objective)[0]
    rank = true_rank(layer_hessian(objective, 1))
    assert small.rank == found.rank == Rank(rank, rank)
    assert found.weights.eigenvalues is None


def test_of_dependent_data_only_psd_matrices_may_be_left_out() -> None:
    """Two data points with one input: PH_1 and PH_2 may cancel, unless both are PSD."""
    objective = random_objective(
        np.random.default_rng(2), 2, ["tanh", "identity"], "squared", True, [3, 4, 4], 6
    )
    x = objective.data.inputs.copy()
    x[1:] = x[0]
    passes = backpropagate(replace(objective, data=Data(x, objective.data.targets)))
    ranks = np.array([4, 3, 4, 2, 4, 1])
    one_less = dict.fromkeys((True, False), 0)
    for gauss_newton in one_less:
        one_less[gauss_newton] = outer_floor(passes, 1, gauss_newton, ranks, 2)
    # With no room for a principal block (two of twelve weights): rank 1 of the inputs.
    assert one_less == {True: 2, False: 0}
    assert outer_floor(passes, 1, True, ranks[[5] * 6], 2) == 1


@pytest.mark.parametrize("gauss_newton", [False, True])
@pytest.mark.parametrize(("name", "depth", "loss"), NETS)
def test_principal_blocks_are_those_of_the_recursion(
    name: str, depth: int, loss: str, gauss_newton: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = a_net(name, depth, loss)
    passes = backpropagate(objective)
    for layer in range(1, depth + 1):
        _, PH = matrices(objective, layer, gauss_newton)
        n = PH.shape[1]
        units = most_curved(passes, layer, gauss_newton, min(3, n))
        assert len(units) == min(3, n)
        wanted = PH[:, units][:, :, units]
        found = blocks_by_products(passes, layer, gauss_newton, units)
        assert found == pytest.approx(wanted, rel=1e-11, abs=1e-13)
        for block in (1 << 20, 30):
            monkeypatch.setattr(f"{HOME}.floors.BLOCK", block)
            parts = list(_walk_principal_blocks(passes, layer, gauss_newton))
            together = np.concatenate([P for _, P in parts])
            assert parts[0][0].start == 0
            assert together == pytest.approx(PH, rel=1e-11, abs=1e-13)


@pytest.mark.parametrize("small", [2, 128])
@pytest.mark.parametrize("seed", range(10))
def test_floors_of_blocks_are_ranks_or_less(
    seed: int, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{HOME}.floors.SMALL", small)
    objective = any_objective(seed)
    passes = backpropagate(objective)
    for layer in range(1, objective.network.depth + 1):
        for gauss_newton in (False, True):
            _, PH = matrices(objective, layer, gauss_newton)
            floors = inner_floors(passes, layer, gauss_newton)
            # Eigenvalues leave the rank in doubt where they are roundings: then up to the bound.
            most = inner_rank_bounds(passes, layer, gauss_newton)
            sizes = np.abs(np.linalg.eigvalsh(PH))
            clear = (sizes > 1e-10 * sizes.max(axis=1, keepdims=True)).sum(axis=1)
            assert (floors <= most).all()
            if small == 128:
                assert (floors >= clear).all()
            if not has_roots(passes, layer, gauss_newton):
                possible = (sizes > 1e-16 * sizes.max(axis=1, keepdims=True)).sum(axis=1)
                assert (floors <= possible).all()


def test_most_curved_units_come_first() -> None:
    objective = a_net("relu", 2, "squared")
    passes = backpropagate(objective)
    active = (passes.slopes[0] != 0).sum(axis=0)
    for count in (1, 3, 7):
        units = most_curved(passes, 1, False, count)
        assert sorted(active[units]) == sorted(active)[-count:]


@pytest.mark.parametrize("block", [1 << 20, 40])
@pytest.mark.parametrize("gauss_newton", [False, True])
@pytest.mark.parametrize(("name", "depth", "loss"), NETS)
def test_traces_without_matrices(
    name: str,
    depth: int,
    loss: str,
    gauss_newton: bool,
    block: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    objective = a_net(name, depth, loss)
    passes = backpropagate(objective)
    for module in ("traces", "recursion", "roots"):
        monkeypatch.setattr(f"{HOME}.{module}.BLOCK", block)
    for layer in range(1, depth + 1):
        _, PH = matrices(objective, layer, gauss_newton)
        wanted = np.trace(PH, axis1=1, axis2=2)
        found = pre_activation_traces(passes, layer, gauss_newton)
        assert found == pytest.approx(wanted, rel=1e-11, abs=1e-12 * np.abs(wanted).max())


@pytest.mark.parametrize("seed", range(10))
def test_what_the_bends_add(seed: int) -> None:
    """(PH_l - G_l) x and (H_l - G_l) V by one product, against the two matrices."""
    objective = any_objective(seed)
    passes, rng = backpropagate(objective), np.random.default_rng(seed)
    for layer, W in enumerate(objective.network.weights, start=1):
        (H, PH), (G, inner) = (matrices(objective, layer, kind) for kind in (False, True))
        x = rng.standard_normal((2, len(PH), PH.shape[1]))
        found = pre_activation_product(passes, layer, x, bends_only=True)
        assert found == pytest.approx(np.einsum("nij,knj->kni", PH - inner, x), abs=1e-10)
        V = rng.standard_normal((3, *W.shape))
        added = layer_product(passes, layer, V, bends_only=True)
        assert added.reshape(3, -1) == pytest.approx(V.reshape(3, -1) @ (H - G), abs=1e-10)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_the_smallest_eigenvalue_of_square_factors(
    loss: str, depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the inverse, as far as the matrix itself knows it: to a rounding of its largest."""
    widths = [6] * (depth + 1)
    transfers = ["leaky_relu"] * (depth - 1) + ["identity"]
    rng = np.random.default_rng(depth)
    objective = random_objective(rng, depth, transfers, loss, True, widths, 6)
    W = objective.network.weights[-1].copy()
    W[0] = W[1] + 0.03 * W[0]
    objective = replace(objective, network=objective.network.with_weights({depth: W}))
    roads(monkeypatch, "products")
    passes = backpropagate(objective)
    for layer in range(1, depth + 1):
        H, PH = matrices(objective, layer, False)
        inner = inner_inverse(passes, layer, False)
        outer = outer_inverse(passes, layer, False)
        assert inner is not None
        assert outer is not None
        x, V = rng.standard_normal((6, 6)), rng.standard_normal((6, 6))
        digits = 1e-14 * np.linalg.cond(PH).max()
        assert inner(np.einsum("nij,nj->ni", PH, x)) == pytest.approx(x, abs=digits)
        digits = 1e-14 * np.linalg.cond(H)
        assert outer((H @ V.ravel()).reshape(6, 6)) == pytest.approx(V, abs=digits)
    for found in examine_layers(objective)[:-1]:
        H, PH = matrices(objective, found.layer, False)
        for spectrum, values in (
            (found.weights, np.linalg.eigvalsh(H)),
            (found.pre_activations, np.linalg.eigvalsh(PH)),
        ):
            low, high = values.min(), values.max()
            assert spectrum.converged
            assert spectrum.rank == Rank(36, 36)
            assert 1e-12 * high < low < 1e-4 * high
            assert spectrum.smallest_eigenvalue == pytest.approx(low, abs=1e-14 * high)
            assert spectrum.largest_eigenvalue == pytest.approx(high, rel=1e-9)


def test_no_inverse_without_square_factors() -> None:
    narrow = random_objective(
        np.random.default_rng(0), 2, ["leaky_relu", "identity"], "squared", True, [6, 6, 5], 6
    )
    assert inner_inverse(backpropagate(narrow), 1, False) is None
    assert inner_inverse(backpropagate(narrow), 2, False) is not None
    more = replace(narrow, data=Data(np.ones((7, 6)), np.zeros((7, 5))))
    assert outer_inverse(backpropagate(more), 2, False) is None
    bent = random_objective(
        np.random.default_rng(0), 2, ["tanh", "identity"], "squared", True, [6, 6, 6], 6
    )
    assert inner_inverse(backpropagate(bent), 1, False) is None
    assert outer_inverse(backpropagate(bent), 1, True) is not None
