"""The curvature of a preset: against differences of the plain error, and its own laws."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracles import (
    central_hessian,
    explicit_objective,
    loss_by_loops,
    make_objective,
    random_objective,
)

from surfacecli import hessians as module
from surfacecli.errors import SurfaceError
from surfacecli.geometry.slices import make_slice
from surfacecli.geometry.stationary import StationaryPoint
from surfacecli.hessian_pictures import depth_picture, sided_words, spectra_picture
from surfacecli.hessians import (
    FULL,
    count_work,
    examine_hessians,
    exchange_transfers,
    quote_layers,
    signed_parts,
    theorem_holds,
    trace_words,
)
from surfacecli.network import difference
from surfacecli.network.curvature import Rank, full_hessian
from surfacecli.network.curvature.matrices import ALL, measure_matrix
from surfacecli.network.curvature.spectrum import spectrum_from
from surfacecli.network.data import Objective
from surfacecli.network.difference import Difference, gauss_newton_difference
from surfacecli.network.model import Network
from surfacecli.network.transfers import TRANSFERS, Array
from surfacecli.presets import Preset, load_preset
from surfacecli.study import make_study

SMALL = """
network:
  widths: [2, 3, 3, 2]
  transfer: {transfer}
  weights: {{seed: 5}}
  biases: true
data: {{samples: 5, seed: 4}}
loss: {loss}
slices:
  E2: {{layer: 2, origin: weights}}
"""


def preset_of(folder: Path, transfer: str, loss: str = "squared") -> Preset:
    path = folder / "small.yaml"
    path.write_text(SMALL.format(transfer=transfer, loss=loss))
    return load_preset(path)


def hessian_by_differences(objective: Objective, network: Network) -> Array:
    """Over all weights, from nothing but the plain error; exact to about 1e-7 within one cell."""
    start = np.concatenate([W.ravel() for W in network.weights])
    ends = np.cumsum([W.size for W in network.weights])[:-1]

    def error(theta: Array) -> float:
        moved = {
            layer: part.reshape(W.shape)
            for layer, (part, W) in enumerate(
                zip(np.split(theta, ends), network.weights, strict=True), start=1
            )
        }
        return replace(objective, network=network.with_weights(moved)).error()

    return central_hessian(error, start)


def inner_by_differences(objective: Objective, network: Network, layer: int) -> list[Array]:
    """Per data point, over the pre-activations of a layer: the net above it, pass by pass."""

    def loss_from(h: Array, y: Array) -> float:
        a = network.transfers[layer - 1].value(h)
        for above in range(layer, network.depth):
            b = network.biases[above]
            h = network.weights[above] @ a + (0.0 if b is None else b)
            a = network.transfers[above].value(h)
        return loss_by_loops(objective.loss.name, a.tolist(), y.tolist())

    pre_activations, _ = network.forward(objective.data.inputs)
    return [
        central_hessian(lambda x, y=y: loss_from(x, y), h)
        for h, y in zip(pre_activations[layer - 1], objective.data.targets, strict=True)
    ]


@pytest.mark.parametrize(
    ("transfer", "loss"),
    [("relu", "squared"), ("[tanh, softplus, identity]", "cross_entropy"), ("abs", "logistic")],
)
@pytest.mark.parametrize("at", [None, (0.37, -0.21)])
def test_against_differences(tmp_path, transfer, loss, at):
    preset = preset_of(tmp_path, transfer, loss)
    slice = preset.slices["E2"] if at else None
    found = examine_hessians(preset, None, slice, at)
    network = preset.objective.network if slice is None or at is None else slice.network_at(*at)
    H = hessian_by_differences(preset.objective, network)
    scale = np.abs(H).max()
    assert found.full is not None
    assert found.full.eigenvalues == pytest.approx(np.linalg.eigvalsh(H), abs=2e-6 * scale)
    assert found.trace == pytest.approx(np.trace(H), abs=2e-6 * scale)
    assert found.trace == pytest.approx(sum(layer.trace for layer in found.layers), rel=1e-12)
    assert found.weights == len(H)
    assert found.smooth
    assert found.one_sided == found.inner_one_sided == ()
    start = 0
    for layer in found.layers:
        size = layer.size
        block = H[start : start + size, start : start + size]
        start += size
        values = np.linalg.eigvalsh(block)
        assert layer.smallest_eigenvalue == pytest.approx(values[0], abs=2e-6 * scale)
        assert layer.largest_eigenvalue == pytest.approx(values[-1], abs=2e-6 * scale)
        assert layer.trace == pytest.approx(np.trace(block), abs=2e-6 * scale)
        assert layer.psd == (values[0] > -1e-5 * scale)
        assert layer.rank.low == (np.abs(values) > 2e-6 * scale).sum()
        inner = np.array(inner_by_differences(preset.objective, network, layer.layer))
        inner_values = np.sort(np.linalg.eigvalsh(inner).ravel())
        inner_scale = np.abs(inner).max()
        assert layer.pre_activations.eigenvalues == pytest.approx(
            inner_values, abs=2e-6 * inner_scale
        )


def test_the_net_whose_numbers_are_known():
    found = examine_hessians(replace(load_preset("post"), objective=explicit_objective()))
    assert [layer.trace for layer in found.layers] == pytest.approx(
        [377.429875, 833.775475, 271.27595]
    )
    assert found.trace == pytest.approx(377.429875 + 833.775475 + 271.27595)
    assert [layer.rank.low for layer in found.layers] == [2, 2, 2]
    assert [layer.weights.zero_share for layer in found.layers] == pytest.approx([2 / 3, 2 / 3, 0])
    assert found.full is not None
    assert found.full.trace == pytest.approx(found.trace)
    assert found.negative > 0


def test_negative_eigenvalues_beside_a_trace_that_is_not(tmp_path):
    found = examine_hessians(preset_of(tmp_path, "relu"))
    assert found.full is not None
    assert found.full.eigenvalues is not None
    assert found.negative > 0
    assert found.negative == (np.array(found.full.eigenvalues) < -1e-9).sum()
    assert found.trace > 0
    assert all(layer.psd for layer in found.layers)


def test_gauss_newton_is_the_hessian_or_not(tmp_path):
    none = Difference(0.0)
    assert examine_hessians(preset_of(tmp_path, "leaky_relu")).differences == (none,) * 3
    preset = preset_of(tmp_path, "[tanh, relu, identity]")
    found = examine_hessians(preset)
    assert found.differences[1:] == (none, none)
    assert found.differences[0].size > 0.01
    # By hand: the Gauss-Newton matrix over the weights of layer 1 is 2 J^T J of the outputs.
    network, data = preset.objective.network, preset.objective.data

    def outputs(theta: Array) -> Array:
        moved = network.with_weights({1: theta.reshape(network.weights[0].shape)})
        return moved.forward(data.inputs)[1][-1].ravel()

    theta, step = network.weights[0].ravel(), 1e-6
    J = np.stack(
        [
            (outputs(theta + step * e) - outputs(theta - step * e)) / (2 * step)
            for e in np.eye(len(theta))
        ],
        axis=1,
    )
    H = hessian_by_differences(preset.objective, network)[: len(theta), : len(theta)]
    wanted = np.abs(np.linalg.eigvalsh(H - 2 * J.T @ J)).max()
    assert found.differences[0].size == pytest.approx(wanted, rel=1e-5)
    assert found.layers[0].gauss_newton.trace == pytest.approx(2 * (J**2).sum(), rel=1e-7)


def test_the_difference_by_products_agrees(monkeypatch):
    objective = random_objective(
        np.random.default_rng(8), 3, ["tanh", "sigmoid", "identity"], "squared", widths=[3, 5, 4, 2]
    )
    dense = [gauss_newton_difference(objective, layer) for layer in (1, 2, 3)]
    assert all(found.converged for found in dense)
    assert dense[2] == Difference(0.0)
    monkeypatch.setattr(difference, "ALL", 1)
    sparse = [gauss_newton_difference(objective, layer) for layer in (1, 2, 3)]
    assert [d.size for d in sparse] == pytest.approx([d.size for d in dense])
    assert all(found.converged for found in sparse)
    monkeypatch.setattr(difference, "PRODUCTS", 2)
    bound = gauss_newton_difference(objective, 1)
    assert not bound.converged
    assert 0 < bound.size <= dense[0].size


def test_signed_parts_are_as_many_as_the_rank():
    values = np.array([-3.0, -0.5, -1e-17, 0.0, 1e-17, 2.0, 5.0])
    spectrum = spectrum_from(values, 3.5, Rank(4, 4), 7)
    positive, negative = signed_parts(spectrum)
    assert positive.tolist() == [5.0, 2.0]
    assert negative.tolist() == [-0.5, -3.0]
    with pytest.raises(ValueError, match="not held"):
        signed_parts(replace(spectrum, eigenvalues=None))


def test_a_kink_that_a_lower_layer_feels_is_one_sided(tmp_path):
    """tanh at W1 = 0: nothing enters layer 2, and yet W1 moves its h off the node of relu."""
    text = SMALL.format(transfer="[tanh, relu, identity]", loss="squared")
    text = text.replace("biases: true", "biases: false").replace("E2: {layer: 2", "E1: {layer: 1")
    path = tmp_path / "p.yaml"
    path.write_text(text.replace("origin: weights", "origin: zero"))
    preset = load_preset(path)
    plane = preset.slices["E1"]
    found = examine_hessians(preset, None, plane, (0.0, 0.0))
    assert found.on_node == (0, 0, 0)
    assert found.kinked == (True, False, False)
    assert found.one_sided == (1,)
    assert not found.smooth
    assert spectra_picture(found).remarks.startswith("15 pairs")

    def error(u: float) -> float:
        return replace(preset.objective, network=plane.network_at(u, 0.0)).error()

    middle, step = error(0.0), 1e-6
    left, right = (middle - error(-step)) / step, (error(step) - middle) / step
    assert abs(right - left) > 0.01
    away = examine_hessians(preset, None, plane, (0.3, 0.2))
    assert away.kinked == (False, False, False)
    assert away.smooth


def test_what_is_psd_has_no_negative_part():
    """Of a PSD matrix rounding may leave an eigenvalue that counts below 0."""
    spectrum = spectrum_from(np.array([-3e-17, -1e-17, 0.0, 2.0]), 2.0, Rank(3, 3), 4)
    assert spectrum.psd
    positive, negative = signed_parts(spectrum)
    assert positive.tolist() == [2.0, 0.0, 0.0]
    assert not len(negative)


def test_the_figure_of_iris_has_no_negative_eigenvalues_within_layers():
    """2 of 8 units are dead; cross entropy curves 2 of 3 outputs: 2 x 6 directions, all of them."""
    picture = spectra_picture(examine_hessians(load_preset("iris")))
    layers = [*picture.weights[:-1], *picture.pre_activations]
    assert [len(layer.negative) for layer in layers] == [0] * 4
    assert [layer.rank for layer in layers] == [24, 12, 300, 300]


def test_a_point_on_nodes_is_counted():
    preset = load_preset("post")
    found = examine_hessians(preset, None, preset.slices["E1"], (0.0, 0.0))
    # With W1 = 0 every hidden h is on its node; what lies behind dead units cannot leave it.
    assert found.on_node == (10 * 10, 0)
    assert found.at_node == (10 * 10, 10 * 10)
    assert (found.one_sided, found.inner_one_sided) == ((1,), (1, 2))
    assert sided_words(found) == (
        "one-sided over the weights of layer 1 and of all layers together, "
        "and over the pre-activations of layers 1 and 2"
    )
    second = examine_hessians(preset, 2, preset.slices["E1"], (0.0, 0.0))
    assert second.on_node == (100, 0)
    assert sided_words(second) == (
        "one-sided over the weights of all layers together, and over the pre-activations of layer 2"
    )
    picture = spectra_picture(second)
    assert picture.heading == f"Hessians at u = 0, v = 0 of slice E1, {sided_words(second)}"
    exchanged = exchange_transfers(preset, found.network)
    heading = depth_picture(found, exchanged).heading
    assert heading.endswith("exchanged; one-sided, at a kink, with relu and leaky_relu")


def test_all_layers_together_are_measured_like_one_layer(tmp_path):
    found = examine_hessians(preset_of(tmp_path, "tanh"))
    H = full_hessian(found.preset.objective)
    measured = measure_matrix(H, definite=False)
    assert found.full is not None
    assert found.full.rank == Rank(measured.rank, measured.rank)
    np.testing.assert_array_equal(found.full.eigenvalues, measured.eigenvalues)
    assert len(H) <= FULL <= ALL  # beyond ALL the eigenvalues are not held


def test_refusals(tmp_path):
    preset = preset_of(tmp_path, "relu")
    with pytest.raises(SurfaceError, match="4 is not a layer of small; choose 1 to 3"):
        examine_hessians(preset, 4)
    with pytest.raises(SurfaceError, match="the point inf,0 is not finite"):
        examine_hessians(preset, None, preset.slices["E2"], (np.inf, 0.0))
    with pytest.raises(SurfaceError, match="choose smaller weights or data"):
        examine_hessians(preset, None, preset.slices["E2"], (1e120, 0.0))


def test_large_nets_are_not_held(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FULL", 10)
    found = examine_hessians(preset_of(tmp_path, "relu"))
    assert found.full is None
    assert found.negative == 0
    assert found.trace > 0


def test_exchange_keeps_the_net(tmp_path):
    preset = preset_of(tmp_path, "[relu, relu, identity]")
    others = exchange_transfers(preset, preset.objective.network)
    assert [other.name for other in others] == ["relu", "leaky_relu", "tanh"]
    own = examine_hessians(preset)
    for layer, mine in zip(others[0].layers, own.layers, strict=True):
        assert layer.trace == mine.trace
    tanh = preset_of(tmp_path, "[tanh, tanh, identity]")
    for layer, mine in zip(others[2].layers, examine_hessians(tanh).layers, strict=True):
        assert layer.trace == mine.trace
        assert layer.rank == mine.rank
    assert others[0].units == own.units


def test_exchange_of_other_nets(tmp_path):
    def names(transfer: str) -> list[str]:
        preset = preset_of(tmp_path, transfer)
        return [other.name for other in exchange_transfers(preset, preset.objective.network)]

    usual = ["relu", "leaky_relu", "tanh"]
    assert names("[abs, hard_tanh, identity]") == [*usual, "as it is (abs, hard_tanh)"]
    assert names("[relu, tanh, relu]") == [*usual, "as it is (relu, tanh)"]
    assert names("identity") == []
    # Its own slope: the leaky net of the exchange is the net itself.
    preset = preset_of(tmp_path, "{leaky_relu: 0.3}")
    leaky = exchange_transfers(preset, preset.objective.network)[1]
    own = examine_hessians(preset)
    assert [n.trace for n in leaky.layers] == [n.trace for n in own.layers]


def test_relu_loses_rank_on_the_way_back_and_leaky_relu_keeps_it():
    """The post's remark on plateaus. No layer is narrower than the output, so leaky keeps all."""
    rng = np.random.default_rng(2)
    relu = random_objective(
        rng, 4, ["relu", "relu", "relu", "identity"], "squared", False, [6, 7, 7, 7, 6], 10
    )
    preset = replace(load_preset("post"), objective=relu)
    found = {other.name: other for other in exchange_transfers(preset, relu.network)}
    ranks = {
        name: [layer.pre_activations.rank.low for layer in other.layers]
        for name, other in found.items()
    }
    assert ranks["leaky_relu"] == [60, 60, 60, 60]
    assert ranks["relu"][3] == 60
    assert ranks["relu"] == sorted(ranks["relu"])
    assert ranks["relu"][0] < 40
    assert ranks["tanh"][:3] == [70, 70, 70]
    # Rank by rank: B W^T PH W B has at most as many dimensions as there are slopes that are not 0.
    flat = [units.flat for units in found["relu"].units]
    assert all(rank <= 70 * (1 - share) for rank, share in zip(ranks["relu"], flat, strict=True))


def test_quotes_of_smooth_points_only():
    study = make_study("post", slice_name="E1")
    slice = study.slices[0]
    points = study.examine(slice).verdict.points
    quoted = quote_layers(slice, points)
    smooth = [point for point in points if point.support == "cell"]
    assert [quote.point for quote in quoted.quotes] == smooth
    assert len(smooth) == 8
    assert quoted.left_out == 0
    quote = quoted.quotes[3]
    found = examine_hessians(study.preset, None, slice, (quote.point.u, quote.point.v))
    (layer,) = quote.layers
    assert layer.layer == 1
    assert layer.trace == found.layers[0].trace
    assert quote.trace == pytest.approx(found.trace)
    assert layer.psd
    assert quote.trace >= layer.trace > 0


def test_quotes_end_where_they_take_too_long(monkeypatch):
    study = make_study("post", slice_name="E1")
    slice = study.slices[0]
    points = study.examine(slice).verdict.points
    monkeypatch.setattr(module, "QUOTING", 2.5 * count_work(slice.objective, slice.moved))
    quoted = quote_layers(slice, points)
    assert (len(quoted.quotes), quoted.left_out) == (2, 6)
    monkeypatch.setattr(module, "QUOTING", 0.0)
    quoted = quote_layers(slice, points)
    assert (quoted.quotes, quoted.left_out) == ((), 8)


def test_no_quote_on_a_node():
    """Whatever a search says of a point, a Hessian of one side is not quoted as that of both."""
    objective = make_objective([[[1.0], [1.0]], [[1.0, 1.0]]], ["relu", "identity"], [[1]], [[1]])
    slice = make_slice("E1", objective, [1], [1], "zero", seed=1)
    point = StationaryPoint(0.0, 0.0, 1.0, "minimum", "cell", True, 1, eigenvalues=(1.0, 1.0))
    assert quote_layers(slice, [point]).quotes == ()


def test_what_the_trace_says():
    relu, tanh = load_preset("post").objective, load_preset("tanh").objective
    assert theorem_holds(relu)
    assert not theorem_holds(tanh)
    assert trace_words(relu).endswith("no smooth maximum anywhere in the weight space")
    assert trace_words(tanh).endswith("these may be negative: tanh bends")
    bent = replace(relu, loss=replace(relu.loss, name="odd", convex=False))
    assert trace_words(bent).endswith("the loss odd is not convex")
    assert TRANSFERS["relu"] in relu.network.transfers
