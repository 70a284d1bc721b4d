"""Kinks that cancel, relu(s) - relu(-s) = s: the points are those of the net with linear units."""

import dataclasses
import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from oracles import make_objective, make_slice_by_hand

from surfacecli.geometry.across.points import AcrossExact, examine_across
from surfacecli.geometry.claim import give_exact_verdict
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.stationary import StationaryPoint
from surfacecli.geometry.surface import evaluate

WINDOW = Window(-2.0, 2.25, -1.75, 2.0)


def linear_slice(seed: int) -> Slice:
    """Linear hidden units, rectified or linear outputs; each layer from zero or from its weights.

    From zero layer 1 is 0 along a whole line, and E is level there.
    """
    rng = np.random.default_rng([seed, 61])
    widths = rng.integers(1, 4, size=3)
    weights, directions = (
        [rng.normal(size=(n, m)) for m, n in itertools.pairwise(widths)] for _ in range(2)
    )
    samples = int(rng.integers(1, 4))
    inputs, targets = rng.normal(size=(samples, widths[0])), rng.normal(size=(samples, widths[2]))
    output = ["identity", "relu", "leaky_relu"][int(rng.integers(3))]
    objective = make_objective(weights, ["identity", output], inputs, targets)
    along = [{1: directions[0]}, {2: directions[1]}]
    slice = make_slice_by_hand(objective, *along[:: int(rng.choice([1, -1]))], "weights")
    origin = {
        layer: weights[layer - 1] * float(rng.integers(2) if layer == 1 else 1.0)
        for layer in (1, 2)
    }
    return dataclasses.replace(slice, origin=origin)


def with_cancelling_kinks(slice: Slice) -> Slice:
    """Each hidden unit s as relu(s) - relu(-s): the same outputs."""
    network = slice.objective.network
    doubled = {
        1: lambda W: np.concatenate([W, -W], axis=0),
        2: lambda W: np.concatenate([W, -W], axis=1),
    }
    objective = make_objective(
        [doubled[layer](W) for layer, W in enumerate(network.weights, start=1)],
        ["relu", network.transfers[1]],
        slice.objective.data.inputs,
        slice.objective.data.targets,
    )
    parts = (
        {layer: doubled[layer](W) for layer, W in part.items()}
        for part in (slice.origin, slice.along_u, slice.along_v)
    )
    return Slice("doubled", objective, *parts)


def hard_tanh_slice(seed: int) -> Slice:
    """Layers 1 and 2 from zero, hard_tanh on layer 2 and kinks on all others; no biases."""
    rng = np.random.default_rng([seed, 55])
    widths = rng.integers(1, 4, size=int(rng.integers(4, 6)))
    kinked = ("relu", "abs", "leaky_relu")
    transfers = [kinked[k] for k in rng.integers(3, size=len(widths) - 1)]
    transfers[1] = "hard_tanh"
    weights, directions = (
        [rng.normal(size=(n, m)) for m, n in itertools.pairwise(widths)] for _ in range(2)
    )
    samples = int(rng.integers(1, 3))
    inputs, targets = rng.normal(size=(samples, widths[0])), rng.normal(size=(samples, widths[-1]))
    objective = make_objective(weights, transfers, inputs, targets)
    return make_slice_by_hand(objective, {1: directions[0]}, {2: directions[1]})


def with_rectified_hard_tanh(slice: Slice) -> Slice:
    """Each hard_tanh(s) of layer 2 as relu(s + 1) - relu(s - 1) - relu(1): the same outputs."""
    network = slice.objective.network
    (along_u,), (along_v,) = slice.along_u.values(), slice.along_v.values()
    first, second, third, *others = network.weights
    one = np.ones(len(second))
    objective = make_objective(
        [first, _three_times(second), np.concatenate([third, -third, -third], axis=1), *others],
        [network.transfers[0], "relu", *network.transfers[2:]],
        slice.objective.data.inputs,
        slice.objective.data.targets,
        biases=[None, np.concatenate([one, -one, one]), None, *(None for _ in others)],
    )
    return make_slice_by_hand(objective, {1: along_u}, {2: _three_times(along_v)})


def _three_times(W: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([W, W, 0.0 * W], axis=0)


def of_single_points(points: tuple[StationaryPoint, ...]) -> list[StationaryPoint]:
    return sorted((p for p in points if not p.is_set), key=lambda p: (round(p.u, 7), p.v))


def examine_twins(slice: Slice, other: Slice, seed: int) -> tuple[AcrossExact, AcrossExact]:
    """Two slices of the same E, both complete."""
    u, v = np.random.default_rng(seed).uniform(-1.5, 1.5, size=(2, 20))
    assert evaluate(other, u, v) == pytest.approx(evaluate(slice, u, v))
    one, two = examine_across(slice, WINDOW), examine_across(other, WINDOW)
    assert one.audit.complete
    assert two.audit.complete
    return one, two


@pytest.mark.parametrize("seed", range(40))
def test_points_are_those_of_linear_units(seed: int) -> None:
    slice = linear_slice(seed)
    one, two = examine_twins(slice, with_cancelling_kinks(slice), seed)
    for name in ("points", "border"):
        plain, kinked = (of_single_points(getattr(exact, name)) for exact in (one, two))
        assert [p.describe() for p in kinked] == [p.describe() for p in plain]
        for a, b in zip(plain, kinked, strict=True):
            assert (b.u, b.v, b.error) == pytest.approx((a.u, a.v, a.error), abs=1e-9)
            assert b.index == a.index
            if a.smooth and a.support == "cell":
                assert b.eigenvalues == pytest.approx(a.eigenvalues, abs=1e-9)
                assert b.downhill == pytest.approx(a.downhill, abs=1e-7)
    # A plateau or a valley may be cut in pieces by kinks, but is none the less one set.
    sets = [
        sorted((p.describe(), p.index) for p in exact.points if p.is_set) for exact in (one, two)
    ]
    assert sets[0] == sets[1]


def marks(points: tuple[StationaryPoint, ...]) -> list[tuple[tuple[str, int], list[float]]]:
    """What points are, and where: sets by their extent, as any place of one may stand for it."""
    places = [(p, p.extent if p.extent is not None else (p.u, p.v)) for p in points]
    return sorted(
        ((p.describe(), p.index), [round(x, 7) for x in (p.error, *place)]) for p, place in places
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", [0, 46, 62, 78, 107, 138, 141, 214])
def test_kinks_of_constants_that_cancel(seed: int) -> None:
    """1 - 1 times weights leaves rounding, which bends no kink of the layer above."""
    slice = hard_tanh_slice(seed)
    one, two = examine_twins(slice, with_rectified_hard_tanh(slice), seed)
    for name in ("points", "border"):
        plain, rectified = (marks(getattr(exact, name)) for exact in (one, two))
        assert [what for what, _ in rectified] == [what for what, _ in plain]
        for (_, a), (_, b) in zip(plain, rectified, strict=True):
            assert b == pytest.approx(a, abs=1e-6)


def test_a_smooth_saddle_on_kinks_that_cancel() -> None:
    """E = (uv - 1)^2 + u^2: level along u = 0, with its saddle at the origin."""
    objective = make_objective(
        [[[0.0], [0.0]], [[0.0, 0.0], [1.0, -1.0]]], ["relu", "identity"], [[1.0]], [[1.0, 0.0]]
    )
    slice = make_slice_by_hand(
        objective, {1: [[1.0], [-1.0]]}, {2: [[1.0, -1.0], [0.0, 0.0]]}, "weights"
    )
    verdict = give_exact_verdict(slice, Window(-2.0, 2.0, -2.0, 2.5))
    assert verdict.complete
    (saddle,) = verdict.smooth_saddles
    assert verdict.claim.reason == "diagonal entries >= 0, no smooth maximum; 1 smooth saddle"
    assert [p.describe() for p in verdict.points] == ["smooth saddle"]
    assert (saddle.u, saddle.v, saddle.error) == pytest.approx((0.0, 0.0, 1.0))
    assert saddle.support == "edge"
    assert saddle.eigenvalues == pytest.approx((1.0 - 5.0**0.5, 1.0 + 5.0**0.5))
    assert saddle.downhill is not None
    line = np.array(saddle.downhill)
    hessian = np.array([[2.0, -2.0], [-2.0, 0.0]])
    assert hessian @ line == pytest.approx(saddle.eigenvalues[0] * line)  # type: ignore[index]


def test_the_way_down_where_the_hessian_jumps() -> None:
    """E = (uv - 1)^2 + relu(u)^2 has a gradient along u = 0, and two Hessians."""
    objective = make_objective(
        [[[0.0], [0.0]], [[0.0, 0.0], [1.0, 0.0]]], ["relu", "identity"], [[1.0]], [[1.0, 0.0]]
    )
    slice = make_slice_by_hand(
        objective, {1: [[1.0], [-1.0]]}, {2: [[1.0, -1.0], [0.0, 0.0]]}, "weights"
    )
    (saddle,) = give_exact_verdict(slice, WINDOW).smooth_saddles
    assert (saddle.u, saddle.v, saddle.eigenvalues) == pytest.approx((0.0, 0.0, None))
    # Up to the right E is u^2 - 2 uv at first, down to the left -2 uv, which is lower.
    steepest = np.linalg.eigh(np.array([[2.0, -2.0], [-2.0, 0.0]]))[1][:, 0]
    assert saddle.downhill is not None
    assert abs(np.array(saddle.downhill) @ steepest) == pytest.approx(1.0)


@pytest.mark.parametrize("steep", [1.0, 3.0, 30.0, 300.0])
def test_a_way_down_within_a_narrow_wedge(steep: float) -> None:
    """E = (uv - 1)^2 + (K relu(u))^2 + (2 K relu(-u))^2 falls both ways within 1/2K^2 of u = 0."""
    objective = make_objective(
        [[[0.0], [0.0]], [[0.0, 0.0], [steep, 0.0], [0.0, 2.0 * steep]]],
        ["relu", "identity"],
        [[1.0]],
        [[1.0, 0.0, 0.0]],
    )
    slice = make_slice_by_hand(
        objective, {1: [[1.0], [-1.0]]}, {2: [[1.0, -1.0], [0.0, 0.0], [0.0, 0.0]]}, "weights"
    )
    (saddle,) = give_exact_verdict(slice, WINDOW).smooth_saddles
    assert (saddle.u, saddle.v) == pytest.approx((0.0, 0.0), abs=1e-10)
    left = np.array([[8.0 * steep**2, -2.0], [-2.0, 0.0]])
    smallest = np.linalg.eigvalsh(left)[0]
    line = np.array(saddle.downhill)
    assert line @ left @ line == pytest.approx(smallest, rel=1e-6)
    at = 1e-4 * np.outer([1.0, -1.0], line)
    assert (evaluate(slice, *at.T) < saddle.error).all()
