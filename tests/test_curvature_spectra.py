"""Ranks and eigenvalues of layers, by every road, against full matrices and exact fractions."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from oracles import SMOOTH, random_objective
from test_curvature import any_objective

from surfacecli.network.curvature import (
    LayerCurvature,
    Rank,
    Spectrum,
    backpropagate,
    examine_layers,
    layer_hessian,
    pre_activation_hessians,
)
from surfacecli.network.curvature.bounds import span_bound
from surfacecli.network.curvature.inner import by_products
from surfacecli.network.curvature.lanczos import _orthogonal, find_extremes
from surfacecli.network.curvature.matrices import Factor, is_positive_definite, measure_matrix
from surfacecli.network.curvature.roots import walk_roots
from surfacecli.network.curvature.spectrum import count_nonzero, spectrum_from
from surfacecli.network.data import Data, Objective
from surfacecli.network.losses import LOSSES
from surfacecli.network.model import Network, random_network
from surfacecli.network.transfers import TRANSFERS, Transfer, leaky_relu

Array = NDArray[np.float64]
HOME = "surfacecli.network.curvature"


def rank_by_fractions(rows: list[list[Fraction]]) -> int:
    """The rank of a matrix of fractions, by elimination without rounding."""
    rows, rank = [list(row) for row in rows], 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((k for k in range(rank, len(rows)) if rows[k][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for k in range(rank + 1, len(rows)):
            if rows[k][column]:
                factor = rows[k][column] / rows[rank][column]
                rows[k] = [a - factor * b for a, b in zip(rows[k], rows[rank], strict=True)]
        rank += 1
    return rank


def product(A: list[list[Fraction]], B: list[list[Fraction]]) -> list[list[Fraction]]:
    return [[sum((a * b for a, b in zip(row, col, strict=True)), Fraction(0))
             for col in zip(*B, strict=True)] for row in A]  # fmt: skip


def exact_ranks(objective: Objective) -> list[tuple[int, int]]:
    """(rank of H_l, sum of the ranks of PH_l,n) by eqs. (1) and (2) in fractions; squares."""
    network, scale = objective.network, objective.loss.scale
    assert scale is not None
    weights = [[[Fraction(float(w)) for w in row] for row in W] for W in network.weights]
    sums: list[list[list[Fraction]]] = [
        [[Fraction(0)] * W.size for _ in range(W.size)] for W in network.weights
    ]
    inner = [0] * network.depth
    for x in objective.data.inputs:
        activations, slopes = [[Fraction(float(value)) for value in x]], []
        for W, b, f in zip(weights, network.biases, network.transfers, strict=True):
            assert f.slopes is not None
            assert f.nodes == (0.0,) or f.is_identity
            h = [
                sum((w * a for w, a in zip(row, activations[-1], strict=True)), Fraction(0))
                for row in W
            ]
            if b is not None:
                h = [value + Fraction(float(c)) for value, c in zip(h, b, strict=True)]
            B = [Fraction(f.slopes[-1] if value > 0 else f.slopes[0]) for value in h]
            slopes.append(B)
            activations.append([s * value for s, value in zip(B, h, strict=True)])
        n = len(slopes[-1])
        PH = [[2 * Fraction(scale) * (i == j) for j in range(n)] for i in range(n)]
        for layer in range(network.depth - 1, -1, -1):
            if layer + 1 < network.depth:
                W = weights[layer + 1]
                PH = product(product([list(c) for c in zip(*W, strict=True)], PH), W)
            B, a = slopes[layer], activations[layer]
            PH = [[B[i] * p * B[j] for j, p in enumerate(row)] for i, row in enumerate(PH)]
            inner[layer] += rank_by_fractions(PH)
            m = len(a)
            for i, row in enumerate(PH):
                for j, p in enumerate(row):
                    if p:
                        for k in range(m):
                            for q in range(m):
                                sums[layer][i * m + k][j * m + q] += p * a[k] * a[q]
    return [(rank_by_fractions(H), count) for H, count in zip(sums, inner, strict=True)]


def whole_number_objective(seed: int) -> Objective:
    """Dead units, repeated data, whole-number weights in half of them, slopes of 1/128."""
    rng = np.random.default_rng(seed)
    depth = 1 + seed % 5
    widths = [int(n) for n in rng.integers(1, 4, size=depth + 1)]
    transfers = [TRANSFERS["relu"], leaky_relu(1 / 128), TRANSFERS["abs"], TRANSFERS["identity"]]
    chosen = [transfers[k] for k in rng.integers(4, size=depth)]
    if seed % 3 == 0:
        chosen = [leaky_relu(1 / 128)] * depth
    network = random_network(widths, chosen, seed, biases=bool(rng.integers(2)))
    if seed % 2:
        rounded = tuple(np.round(2 * W) for W in network.weights)
        network = replace(network, weights=rounded)
    x = np.round(4 * rng.standard_normal((int(rng.integers(1, 4)), widths[0]))) / 4
    x = np.concatenate([x, x[:1], 2 * x[:1]])
    return Objective(network, Data(x, np.zeros((len(x), widths[-1]))), LOSSES["half_squared"])


@pytest.mark.parametrize("seed", range(24))
def test_ranks_are_exact(seed: int) -> None:
    """Against fractions."""
    objective = whole_number_objective(seed)
    found = examine_layers(objective)
    assert all(layer.rank.exact for layer in found)
    ranks = [(layer.rank.low, layer.pre_activations.rank.low) for layer in found]
    assert ranks == exact_ranks(objective)


def test_leaky_slopes_keep_the_rank_that_eigenvalues_lose() -> None:
    """Five layers of slope 1/128: eigenvalues fall by 2^-14 a layer, below rounding at the end."""
    draw = np.random.default_rng(1)
    weights = tuple(np.linalg.qr(draw.standard_normal((4, 4)))[0] for _ in range(6))
    network = Network(weights, (None,) * 6, (leaky_relu(1 / 128),) * 5 + (TRANSFERS["identity"],))
    data = Data(draw.standard_normal((1, 4)), np.zeros((1, 4)))
    objective = Objective(network, data, LOSSES["squared"])
    assert [layer.pre_activations.rank for layer in examine_layers(objective)] == [Rank(4, 4)] * 6
    assert [rank for rank, _ in exact_ranks(objective)] == [4] * 6
    assert [layer.rank for layer in examine_layers(objective)] == [Rank(4, 4)] * 6
    PH = pre_activation_hessians(objective)[0].hessian[0]
    assert count_nonzero(np.linalg.eigvalsh(PH)) < 4


def check(found: LayerCurvature, objective: Objective) -> None:
    """All numbers of a layer against its full matrices."""
    H = layer_hessian(objective, found.layer)
    G = layer_hessian(objective, found.layer, gauss_newton=True)
    PH = pre_activation_hessians(objective)[found.layer - 1]
    for spectrum, matrix in ((found.weights, H), (found.gauss_newton, G)):
        check_spectrum(spectrum, np.linalg.eigvalsh(matrix))
    for spectrum, blocks in (
        (found.pre_activations, PH.hessian),
        (found.pre_activation_gauss_newton, PH.gauss_newton),
    ):
        check_spectrum(spectrum, np.sort(np.linalg.eigvalsh(blocks).ravel()))


def check_spectrum(spectrum: Spectrum, values: Array) -> None:
    scale = max(np.abs(values).max(), 1e-12)
    assert spectrum.size == len(values)
    assert spectrum.trace == pytest.approx(values.sum(), abs=1e-10 * scale * len(values))
    assert spectrum.converged
    assert spectrum.smallest_eigenvalue == pytest.approx(values[0], abs=1e-9 * scale)
    assert spectrum.largest_eigenvalue == pytest.approx(values[-1], abs=1e-9 * scale)
    assert spectrum.psd is bool(spectrum.smallest_eigenvalue >= -1e-11 * scale)
    clear = int((np.abs(values) > 1e-6 * scale).sum())
    possible = int((np.abs(values) > 0).sum())
    assert spectrum.rank.low <= possible
    assert spectrum.rank.high >= clear
    if spectrum.eigenvalues is not None:
        assert spectrum.eigenvalues == pytest.approx(values, abs=1e-9 * scale)
        assert clear <= spectrum.rank.low
        assert spectrum.rank.exact


def roads(monkeypatch: pytest.MonkeyPatch, road: str) -> None:
    """Sizes at which a small net takes the road of a large one."""
    if road in ("regular", "factors", "products"):
        monkeypatch.setattr(f"{HOME}.matrices.ALL", 1)
        monkeypatch.setattr(f"{HOME}.outer.ALL", 1)
        monkeypatch.setattr(f"{HOME}.outer.SHARP", 1)
    if road == "factors":
        monkeypatch.setattr(f"{HOME}.examine.DENSE", 12)
    if road == "products":
        monkeypatch.setattr(f"{HOME}.examine.WORK", 0.0)
        monkeypatch.setattr(f"{HOME}.examine.WIDE", 0)
    if road == "bounds":
        monkeypatch.setattr(f"{HOME}.examine.WORK", 0.0)
        monkeypatch.setattr(f"{HOME}.inner.ROOT_WORK", 0.0)
        monkeypatch.setattr(f"{HOME}.bounds.SPAN_WORK", 0.0)
        monkeypatch.setattr(f"{HOME}.floors.FLOOR_WORK", 0.0)
        monkeypatch.setattr(f"{HOME}.floors.LARGE", 12)


@pytest.mark.parametrize("road", ["small", "regular", "factors", "products", "bounds"])
@pytest.mark.parametrize("seed", range(20))
def test_every_road_tells_the_same(seed: int, road: str, monkeypatch: pytest.MonkeyPatch) -> None:
    objective = any_objective(seed)
    roads(monkeypatch, road)
    for found in examine_layers(objective):
        check(found, objective)


def test_the_large_roads_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the test above would test one road five times."""
    objective = random_objective(
        np.random.default_rng(0), 3, "tanh", "cross_entropy", widths=[4, 5, 4, 3], samples=12
    )
    few = replace(objective, data=Data(objective.data.inputs[:2], objective.data.targets[:2]))
    for road, function in (
        ("factors", "examine.weights_by_factors"),
        ("products", "examine.weights_by_products"),
        ("regular", "matrices._regular"),
    ):
        taken = []
        with monkeypatch.context() as patch:
            roads(patch, road)
            if road == "factors":
                patch.setattr(f"{HOME}.examine.DENSE", 60)

            def noted(*arguments: object, taken: list[int] = taken) -> None:
                taken.append(1)
                raise KeyboardInterrupt

            patch.setattr(f"{HOME}.{function}", noted)
            with pytest.raises(KeyboardInterrupt):
                examine_layers(few if road == "factors" else objective)
        assert taken == [1], road


@pytest.mark.parametrize("name", ["relu", *SMOOTH])
def test_a_layer_of_some_thousand_weights(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past `ALL` rows: regular or not, the numbers are those of all eigenvalues."""
    monkeypatch.setattr(f"{HOME}.matrices.ALL", 50)
    monkeypatch.setattr(f"{HOME}.outer.ALL", 50)
    objective = random_objective(
        np.random.default_rng(4), 3, [name, name, "identity"], "squared", True, [6, 12, 11, 5], 90
    )
    (found,) = examine_layers(objective, layers=[2])
    H = layer_hessian(objective, 2)
    values = np.linalg.eigvalsh(H)
    assert found.rank == Rank(*[int(np.linalg.matrix_rank(H, hermitian=True))] * 2)
    check_spectrum(found.weights, values)


def test_a_bound_that_says_it_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing but products is left, the rank is between bounds that hold the true one."""
    objective = random_objective(
        np.random.default_rng(4), 3, ["relu", "relu", "identity"], "squared", True, [6, 9, 8, 5], 90
    )
    exact = [layer.rank.low for layer in examine_layers(objective)]
    roads(monkeypatch, "bounds")
    monkeypatch.setattr(f"{HOME}.lanczos.VECTORS", 24)
    monkeypatch.setattr(f"{HOME}.examine.WIDE", 0)
    found = examine_layers(objective)
    for layer, rank in zip(found, exact, strict=True):
        assert layer.rank.low <= rank <= layer.rank.high
    assert not found[0].rank.exact
    assert str(found[0].rank) == f"{found[0].rank.low} to {found[0].rank.high}"
    assert found[0].weights.zero_share <= 1 - exact[0] / found[0].size


@pytest.mark.parametrize("seed", range(6))
def test_roots_are_roots(seed: int) -> None:
    """S^T S, by the chain rule, is G of the recursion."""
    objective = any_objective(seed)
    layers = pre_activation_hessians(objective)
    passes = backpropagate(objective)
    for layer in range(1, objective.network.depth + 1):
        for rows, S in walk_roots(passes, layer):
            G = layers[layer - 1].gauss_newton[rows]
            assert np.einsum("nri,nrj->nij", S, S) == pytest.approx(G, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("seed", range(40))
def test_outputs_all_but_certain_do_not_raise_a_rank(seed: int) -> None:
    """Cross entropy does not curve along 1: with n outputs and m inputs (n - 1) m is the most."""
    draw = np.random.default_rng(seed)
    n, m = draw.integers(2, 6, 2)
    data = Data(draw.standard_normal((12, m)), np.eye(n)[draw.integers(n, size=12)])
    network = random_network((m, n), (TRANSFERS["identity"],), seed)
    network = network.with_weights({1: draw.uniform(5, 20) * network.weights[0]})
    (found,) = examine_layers(Objective(network, data, LOSSES["cross_entropy"]))
    assert found.rank.high <= (n - 1) * m
    assert found.pre_activations.rank.high <= 12 * (n - 1)


@pytest.mark.parametrize("size", [1, 2, 17, 60, 400])
def test_lanczos_finds_both_ends(size: int) -> None:
    draw = np.random.default_rng(size)
    Q = np.linalg.qr(draw.standard_normal((size, size)))[0]
    values = np.sort(draw.standard_normal(size))
    A = (Q * values) @ Q.T
    found = find_extremes(lambda v: A @ v, size)
    assert found.converged
    assert found.smallest == pytest.approx(values[0], abs=1e-10)
    assert found.largest == pytest.approx(values[-1], abs=1e-10)
    assert found.rank_at_least <= size


def test_lanczos_restarts_and_says_when_it_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.linspace(0.0, 1.0, 1000)
    monkeypatch.setattr(f"{HOME}.lanczos.VECTORS", 30)
    found = find_extremes(lambda v: values * v, len(values), products=5000)
    assert found.converged
    assert found.products > 60
    assert found.largest == pytest.approx(1.0, abs=1e-8)
    assert found.smallest == pytest.approx(0.0, abs=1e-8)
    early = find_extremes(lambda v: values * v, len(values), products=20)
    assert not early.converged
    assert 0.0 < early.smallest < 0.1
    assert 0.9 < early.largest < 1.0


def test_psd_up_to_rounding_and_no_further() -> None:
    for low, psd in ((0.0, True), (-1e-16, True), (-1e-13, False), (-1e-6, False)):
        values = np.array([low, 0.5, 1.0])
        assert spectrum_from(values, values.sum(), Rank(2, 2), 5).psd is psd
        found = by_products(lambda v, values=values: values * v, 3, 1.5, Rank(2, 3), False)
        assert found.psd is psd


@pytest.mark.parametrize("road", ["small", "products", "bounds"])
def test_units_of_slope_zero_that_bend(road: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """f(h) = h^2 at h = 0: no slope, but a bend; D alone curves the unit."""
    square = Transfer("square", np.square, lambda h: 2.0 * h, lambda h: np.full(np.shape(h), 2.0))
    draw = np.random.default_rng(0)
    weights = (np.zeros((3, 2)), draw.standard_normal((2, 3)))
    network = Network(weights, (None, None), (square, TRANSFERS["identity"]))
    data = Data(draw.standard_normal((5, 2)), draw.standard_normal((5, 2)))
    objective = Objective(network, data, LOSSES["squared"])
    roads(monkeypatch, road)
    found = examine_layers(objective)[0]
    check(found, objective)
    assert found.rank.low <= 6 <= found.rank.high
    assert found.pre_activations.rank.low <= 15 <= found.pre_activations.rank.high
    assert found.gauss_newton.rank == Rank(0, 0)


def test_the_bound_by_the_spans_of_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly where it may be computed, else by counting; more would not be a sharp bound."""
    objective = random_objective(
        np.random.default_rng(4), 2, ["relu", "identity"], "squared", True, [4, 9, 5], 6
    )
    x = objective.data.inputs.copy()
    x[:, 3] = x[:, 0] - x[:, 1]
    passes = backpropagate(replace(objective, data=Data(x, objective.data.targets)))
    active = passes.slopes[0] != 0
    spans = [np.linalg.matrix_rank(x[on]) if on.any() else 0 for on in active.T]
    assert span_bound(passes, 1, False) == sum(spans)
    monkeypatch.setattr(f"{HOME}.bounds.SPAN_WORK", 0.0)
    counts = active.sum(axis=0)
    assert counts.min() < 3 < counts.max()
    assert span_bound(passes, 1, False) == np.minimum(counts, 3).sum()


@pytest.mark.parametrize("left", [1.0, 1e-6, 1e-12])
def test_what_lanczos_adds_is_orthogonal_to_the_basis(left: float) -> None:
    """However little of a product leads out of it, and whichever rows hold the rest."""
    draw = np.random.default_rng(0)
    Q = np.linalg.qr(draw.standard_normal((300, 61)))[0].T
    V, outside = Q[:60], Q[60]
    along = draw.standard_normal(60)
    w, found = _orthogonal(along @ V + left * outside, V)
    assert found == pytest.approx(along, abs=1e-14)
    assert np.linalg.norm(w) == pytest.approx(left, abs=1e-14)
    assert np.abs(V @ w).max() <= 4e-15 * np.linalg.norm(w)


def test_lanczos_of_nothing_and_of_one_value() -> None:
    for factor in (0.0, -3.0):
        found = find_extremes(lambda v, factor=factor: factor * v, 500)
        assert (found.smallest, found.largest) == pytest.approx((factor, factor))
        assert found.converged
        assert found.rank_at_least == (factor != 0)


def test_positive_definite_whatever_the_scales() -> None:
    draw = np.random.default_rng(0)
    A = draw.standard_normal((30, 40))
    scales = 10.0 ** np.linspace(-9, 9, 30)
    assert is_positive_definite((A @ A.T) * scales[:, None] * scales)
    B = A[:, :29]
    assert not is_positive_definite(B @ B.T)
    assert not is_positive_definite(np.diag([1.0, 0.0]))
    assert not is_positive_definite(np.diag([1.0, -1.0]))


@pytest.mark.parametrize("size", [1, 128, 129, 300])
def test_a_factor_solves(size: int) -> None:
    draw = np.random.default_rng(size)
    A = draw.standard_normal((size, size + 20))
    M, x = A @ A.T, draw.standard_normal(size)
    assert Factor(M).solve(M @ x) == pytest.approx(x, rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("definite", [True, False])
def test_matrices_past_the_size_of_all_eigenvalues(
    definite: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{HOME}.matrices.ALL", 10)
    draw = np.random.default_rng(1)
    Q = np.linalg.qr(draw.standard_normal((80, 80)))[0]
    values = np.linspace(1e-3 if definite else -2.0, 3.0, 80)
    found = measure_matrix((Q * values) @ Q.T, definite)
    assert found.eigenvalues is None
    assert found.rank == 80
    assert (found.smallest, found.largest) == pytest.approx((values[0], 3.0), rel=1e-9)
    values[40:45] = 0.0
    singular = measure_matrix((Q * values) @ Q.T, definite)
    assert singular.rank == 75
    assert singular.eigenvalues == pytest.approx(np.sort(values), abs=1e-12)
