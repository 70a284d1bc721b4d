"""A layer's Hessian at many points: against one put together entry by entry, without eq. (2)."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from oracles import (
    forward_by_loops,
    hessian_by_entries,
    make_objective,
    make_slice_by_hand,
    random_objective,
)
from oracles import random_slice as draw_slice

from surfacecli.geometry import surface
from surfacecli.geometry.layers import (
    Quantity,
    matrix_size,
    measure_layer,
    numbers_each,
    positive_by_theorem,
)
from surfacecli.geometry.slices import Slice
from surfacecli.network.curvature import examine_layers
from surfacecli.network.data import Objective
from surfacecli.reading.shipped import shipped_folder
from surfacecli.study import make_study

Array = NDArray[np.float64]
#: Relative to the largest eigenvalue; the rank of the matrix by entries has that much noise.
CLOSE, NOISE = 1e-9, 1e-10
CASES = {
    "within": ("within-layer", None),
    "across": ("across-layers", None),
    "mixed": ("mixed", None),
    "smooth": ("within-layer", ("tanh", "sigmoid", "softplus")),
    "smooth-across": ("across-layers", ("tanh", "relu", "identity")),
    "smooth-mixed": ("mixed", ("leaky_relu", "softplus", "tanh")),
}


def at_point(slice: Slice, u: float, v: float) -> Objective:
    return replace(slice.objective, network=slice.network_at(u, v))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("layer", [1, 2, 3])
def test_against_the_hessian_entry_by_entry(case: str, layer: int) -> None:
    kind, transfers = CASES[case]
    for seed in range(4):
        rng = np.random.default_rng([seed, layer])
        objective = random_objective(rng, 3, transfers)
        slice = draw_slice(rng, kind, objective=objective)  # type: ignore[arg-type]
        u, v = rng.uniform(-1.0, 1.0, size=(2, 2))
        found = {
            quantity: measure_layer(slice, quantity, layer, u, v)  # type: ignore[arg-type]
            for quantity in ("curvature", "trace", "rank")
        }
        for p in range(len(u)):
            H = hessian_by_entries(at_point(slice, u[p], v[p]), layer)
            eigenvalues = np.linalg.eigvalsh(H)
            most = float(np.abs(eigenvalues).max())
            assert found["curvature"][p] == pytest.approx(eigenvalues[0], abs=CLOSE * most)
            assert found["trace"][p] == pytest.approx(np.trace(H), abs=CLOSE * most)
            rank = np.linalg.matrix_rank(H, tol=NOISE * most, hermitian=True) if most else 0
            assert found["rank"][p] == rank


def test_against_one_net_at_a_time() -> None:
    """The same numbers as of the nets at the points themselves, where those are in no doubt."""
    rng = np.random.default_rng(4)
    for name, layers in (("deep", (1, 2, 3, 4)), ("tanh", (1, 2))):
        study = make_study(name)
        for slice in study.slices:
            u, v = rng.uniform(-1.0, 1.0, size=(2, 2))
            for layer in layers:
                curvature, trace, rank = (
                    measure_layer(slice, quantity, layer, u, v)  # type: ignore[arg-type]
                    for quantity in ("curvature", "trace", "rank")
                )
                for p in range(len(u)):
                    (one,) = examine_layers(slice.objective, slice.network_at(u[p], v[p]), [layer])
                    close = CLOSE * max(one.largest_eigenvalue, -one.smallest_eigenvalue)
                    assert curvature[p] == pytest.approx(one.smallest_eigenvalue, abs=close)
                    assert trace[p] == pytest.approx(one.trace, abs=close)
                    assert rank[p] == one.rank.low


def test_negative_curvature_where_it_can_be() -> None:
    """E = (tanh(u) - 1)^2: E'' = 2 s^2 - 4 t (t - 1) (1 - t^2) with s = 1 - t^2, t = tanh(u)."""
    objective = make_objective([[[0.0]]], ["tanh"], [[1.0]], [[1.0]])
    slice = make_slice_by_hand(objective, {1: [[1.0]]}, {1: [[0.0]]})
    u = np.array([-1.5, 0.0, 0.7])
    t = np.tanh(u)
    expected = 2 * (1 - t**2) ** 2 - 4 * t * (t - 1) * (1 - t**2)
    assert expected.min() < 0 < expected.max()
    for quantity in ("curvature", "trace"):
        found = measure_layer(slice, quantity, 1, u, np.zeros(3))  # type: ignore[arg-type]
        np.testing.assert_allclose(found, expected, rtol=1e-13)
    np.testing.assert_array_equal(measure_layer(slice, "rank", 1, u, np.zeros(3)), 1.0)


def test_dead_units_are_those_without_slope_on_all_data() -> None:
    rng = np.random.default_rng(11)
    some = 0
    for _ in range(12):
        objective = random_objective(rng, 3, ("relu", "hard_tanh", "relu"), samples=2)
        slice = draw_slice(rng, objective=objective)
        u, v = rng.uniform(-1.0, 1.0, size=(2, 3))
        for layer in (1, 2, 3):
            found = measure_layer(slice, "dead", layer, u, v)
            for p in range(len(u)):
                network = slice.network_at(u[p], v[p])
                h = [forward_by_loops(network, x.tolist())[0] for x in objective.data.inputs]
                units = range(network.widths[layer])
                name = network.transfers[layer - 1].name
                dead = [
                    all(x <= 0 if name == "relu" else abs(x) > 1 for x in values)
                    for values in ([point[layer - 1][unit] for point in h] for unit in units)
                ]
                assert found[p] == pytest.approx(np.mean(dead))
                some += 0 < sum(dead) < len(dead)
    assert some > 5


def test_the_rank_does_not_fade_where_the_loss_saturates() -> None:
    """Outputs of 0 and 40: p (1 - p) is 4e-18, and the Hessian has its rank all the same."""
    objective = make_objective(
        [[[0.0, 0.0], [40.0, 0.0]]],
        ["identity"],
        [[1.0, 0.0], [0.0, 1.0]],
        [[0.0, 1.0], [1.0, 0.0]],
        "cross_entropy",
    )
    direction = {1: [[0.0, 0.0], [0.0, 1.0]]}
    slice = make_slice_by_hand(objective, direction, direction, "weights")
    nowhere = np.zeros(1)
    assert measure_layer(slice, "rank", 1, nowhere, nowhere) == 2.0
    H = hessian_by_entries(objective, 1)
    assert np.linalg.matrix_rank(H, hermitian=True) == 1  # by its entries one is lost


def test_a_loss_without_curvature() -> None:
    objective = make_objective([[[0.5]]], ["identity"], [[1.0]], [[1.0]], "cross_entropy")
    slice = make_slice_by_hand(objective, {1: [[1.0]]}, {1: [[0.0]]})
    for quantity in ("curvature", "trace", "rank"):
        assert not measure_layer(slice, quantity, 1, np.ones(2), np.ones(2)).any()  # type: ignore[arg-type]


@pytest.mark.parametrize("quantity", ["curvature", "trace", "rank", "dead"])
@pytest.mark.parametrize("name", ["post", "tanh"])
def test_blocks_do_not_show(name: str, quantity: Quantity, monkeypatch: pytest.MonkeyPatch) -> None:
    (slice,) = make_study(name, slice_name="E12").slices
    u, v = np.random.default_rng(2).uniform(-1.0, 1.0, size=(2, 23))
    whole = measure_layer(slice, quantity, 1, u, v)
    monkeypatch.setattr(surface, "BLOCK", 1)
    np.testing.assert_allclose(measure_layer(slice, quantity, 1, u, v), whole, rtol=1e-12)


def test_memory_does_not_grow_with_the_points() -> None:
    (slice,) = make_study("post", slice_name="E12").slices
    for quantity in ("trace", "rank"):
        peaks = []
        for count in (400, 1200):
            u, v = np.random.default_rng(2).uniform(-1.0, 1.0, size=(2, count))
            tracemalloc.start()
            measure_layer(slice, quantity, 1, u, v)  # type: ignore[arg-type]
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] < 1.2 * peaks[0] < 1.2 * 40 * 8 * surface.BLOCK


def test_what_a_point_takes() -> None:
    (post,) = make_study("post", slice_name="E1").slices
    assert positive_by_theorem(post, 1)
    assert matrix_size(post, "rank", 1) == matrix_size(post, "curvature", 2) == 100
    assert numbers_each(post, "dead", 1) == 100
    assert numbers_each(post, "trace", 1) == 1000
    assert numbers_each(post, "curvature", 1) == 10_000
    (digits,) = make_study(
        str(shipped_folder() / "gallery" / "digits.yaml"), slice_name="E1"
    ).slices
    assert matrix_size(digits, "rank", 1) == 200  # 200 images, one output
    assert matrix_size(digits, "curvature", 1) == 320  # 5 units, 64 pixels
    (tanh,) = make_study("tanh", slice_name="E1").slices
    assert not positive_by_theorem(tanh, 1)
    assert positive_by_theorem(tanh, 2)


def test_layers_that_are_not_there() -> None:
    (slice,) = make_study("tanh", slice_name="E1").slices
    for layer in (0, 3):
        with pytest.raises(ValueError, match=f"{layer} is not a layer"):
            measure_layer(slice, "trace", layer, np.zeros(1), np.zeros(1))
