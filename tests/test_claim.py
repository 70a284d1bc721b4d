"""The verdict: when the theorem applies, when it holds, and that the check can fail."""

from dataclasses import replace

import numpy as np
import pytest
from oracles import make_objective, make_slice_by_hand, random_objective, random_slice

from surfacecli.geometry.claim import Claim, Verdict, give_exact_verdict, give_verdict, why_not
from surfacecli.geometry.grids import sample_grid
from surfacecli.geometry.slices import Slice, Window, make_slice
from surfacecli.network.data import Objective, random_data
from surfacecli.network.losses import LOSSES, Loss
from surfacecli.network.model import random_network
from surfacecli.network.transfers import TRANSFERS, Transfer


def verdict_of(slice: Slice, window: Window | None = None, resolution=(31, 29)) -> Verdict:
    window = window or Window(-2, 2.1, -1.9, 2)
    return give_verdict(slice, window, sample_grid(slice, window, resolution))


def net(*names: str, loss: str = "squared") -> Objective:
    return random_objective(
        np.random.default_rng(2), len(names), names, loss, False, (3, 4, 3, 2)[-len(names) - 1 :], 5
    )


# --- Whether the theorem applies ------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("u", "v"), [([1], [1]), ([2], [2]), ([1], [2]), ([2], [1])])
def test_it_applies_to_piecewise_linear_nets_within_and_across_layers(u, v, loss):
    slice = make_slice("s", net("relu", "leaky_relu", loss=loss), u, v)
    assert why_not(slice) is None
    claim = verdict_of(slice).claim
    assert claim.applies
    assert claim.holds
    assert not claim.violated


def test_each_reason_why_it_does_not_apply():
    assert why_not(make_slice("s", net("tanh", "identity"), [2], [2])) is None
    assert why_not(make_slice("s", net("tanh", "identity"), [1], [1])) == (
        "tanh is not piecewise linear"
    )
    assert why_not(make_slice("s", net("relu", "sigmoid"), [1], [2])) == (
        "sigmoid is not piecewise linear"
    )
    objective = net("relu", "identity")
    concave = replace(objective, loss=replace(objective.loss, name="odd", convex=False))
    assert why_not(make_slice("s", concave, [1], [1])) == "the loss odd is not convex"
    for u, v in (([1, 2], [1]), ([1], [1, 2]), ([1, 2], [1, 2])):
        assert why_not(make_slice("s", objective, u, v)) == "the slice moves several layers at once"


def test_reasons_stand_in_the_claim():
    words = verdict_of(make_slice("s", net("relu", "identity"), [1, 2], [1, 2])).claim
    assert words == Claim(
        False,
        True,
        "the slice moves several layers at once; nothing found against its conclusion either",
    )
    assert verdict_of(make_slice("s", net("relu", "relu"), [1], [1])).claim.reason == (
        "every Hessian is positive semi-definite, no smooth maximum"
    )


def test_a_smooth_maximum_where_it_does_not_apply_is_a_finding():
    objective = make_objective(
        [[[1], [1]], [[1, 1]]], ["relu", "identity"], [[1]], [[0.5]], "half_squared"
    )
    slice = make_slice_by_hand(
        objective, {1: [[1], [0]], 2: [[-1, 0]]}, {1: [[0], [1]], 2: [[0, -1]]}, "weights"
    )
    claim = verdict_of(slice, Window(-0.9, 0.9, -0.9, 0.9), (33, 33)).claim
    assert (claim.applies, claim.holds, claim.violated) == (False, False, False)
    assert "several layers at once; found a smooth maximum at u = " in claim.reason
    assert "no contradiction: of the trace -6 of the slice" in claim.reason


def test_a_tanh_net_has_what_the_theorem_forbids():
    objective = Objective(
        random_network((2, 5, 1), (TRANSFERS["tanh"], TRANSFERS["identity"]), 114),
        random_data(6, 2, 1, 114),
        LOSSES["squared"],
    )
    slice = make_slice("E1", objective, [1], [1], "weights", 114)
    verdict = verdict_of(slice, Window(-3, 3, -3, 3), (61, 61))
    assert (verdict.claim.applies, verdict.claim.holds) == (False, False)
    for words in ("a smooth maximum at", "a smooth saddle at", "an eigenvalue of -"):
        assert words in verdict.claim.reason
    assert any(p.strict_smooth_maximum for p in verdict.maxima)


def test_smooth_saddles_across_layers_are_no_violation():
    # E = (1 - u v)^2 has one at 0.
    objective = make_objective([[[1]], [[1]]], ["identity"] * 2, [[1]], [[1]])
    slice = make_slice_by_hand(objective, {1: [[1]]}, {2: [[1]]})
    verdict = verdict_of(slice, Window(-2, 2, -2, 2), (41, 41))
    assert verdict.claim == Claim(
        True, True, "diagonal entries >= 0, no smooth maximum; 1 smooth saddle"
    )
    assert verdict.smallest_eigenvalue.value < -1
    assert verdict.smallest_diagonal.value >= 0


# --- The check can fail ---------------------------------------------------------------------------


def cap() -> Loss:
    """-|a - y|^2, which says that it is convex."""
    squared = LOSSES["squared"]
    return Loss(
        name="cap",
        convex=True,
        value=lambda a, y: -squared.value(a, y),
        gradient=lambda a, y: -squared.gradient(a, y),
        product=lambda a, y, t: -squared.product(a, y, t),
    )


def test_a_loss_that_is_not_convex_is_found_out():
    objective = make_objective([[[1, 0], [0, 1]]], ["identity"], [[1, 1]], [[0.3, -0.2]])
    objective = replace(objective, loss=cap())
    slice = make_slice_by_hand(objective, {1: [[1, 0], [0, 0]]}, {1: [[0, 0], [0, 1]]})
    verdict = verdict_of(slice)
    assert verdict.claim.applies
    assert not verdict.claim.holds
    assert verdict.claim.violated
    assert "a smooth maximum at u = 0.3, v = -0.2" in verdict.claim.reason
    assert "an eigenvalue of -2" in verdict.claim.reason
    assert verdict.smallest_eigenvalue.value == pytest.approx(-2)


def saddle_loss() -> Loss:
    """a_1^2 - a_2^2: a saddle, no maximum."""
    sign = np.array([1.0, -1.0])
    return Loss(
        name="pass",
        convex=True,
        value=lambda a, y: (sign * a * a).sum(axis=-1),
        gradient=lambda a, y: 2 * sign * a,
        product=lambda a, y, t: 2 * sign * t,
    )


def test_a_smooth_saddle_within_a_layer_is_found_out():
    objective = make_objective([[[1], [1]]], ["identity"], [[1]], [[0, 0]])
    objective = replace(objective, loss=saddle_loss())
    slice = make_slice_by_hand(objective, {1: [[1], [0]]}, {1: [[0], [1]]})
    verdict = verdict_of(slice)
    assert verdict.claim.violated
    assert "a smooth saddle at u = " in verdict.claim.reason
    assert "maximum" not in verdict.claim.reason


def test_a_negative_diagonal_across_layers_is_found_out():
    objective = net("relu", "identity")
    slice = make_slice("s", replace(objective, loss=cap()), [1], [2], "weights")
    claim = verdict_of(slice).claim
    assert claim.violated
    assert "a diagonal entry of -" in claim.reason


def disguised(transfer: Transfer) -> Transfer:
    """A smooth function that describes itself as piecewise linear, its node far away."""
    return replace(
        transfer, name="disguised", nodes=(1e6,), slopes=(1.0, 1.0), intercepts=(0.0, 0.0)
    )


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_a_bend_that_is_denied_is_found_out(name):
    # The bend is asked for at every point: Hessians of the form J^T J could not show it.
    objective = Objective(
        random_network((2, 5, 1), (disguised(TRANSFERS[name]), TRANSFERS["identity"]), 114),
        random_data(6, 2, 1, 114),
        LOSSES["squared"],
    )
    slice = make_slice("E1", objective, [1], [1], "weights", 114)
    window = Window(-3, 3, -3, 3)
    verdict = give_verdict(slice, window, sample_grid(slice, window, (41, 41), "forward"))
    assert why_not(slice) is None
    assert verdict.claim.violated
    assert "an eigenvalue of -" in verdict.claim.reason


# --- What the verdict says ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_no_random_net_violates_it(seed):
    rng = np.random.default_rng(seed)
    slice = random_slice(rng, "within-layer" if seed % 2 else "across-layers")
    verdict = verdict_of(slice)
    assert verdict.claim.applies
    assert verdict.claim.holds, verdict.claim.reason
    assert verdict.method == "sampled"
    assert not verdict.complete


@pytest.mark.slow
def test_no_random_net_of_hundreds_violates_it():
    for seed in range(8, 400):
        rng = np.random.default_rng(seed)
        slice = random_slice(rng, "within-layer" if seed % 2 else "across-layers")
        claim = verdict_of(slice, None, (19, 20)).claim
        assert claim.holds, (seed, claim.reason)


def test_the_smallest_eigenvalue_is_that_of_a_hessian_at_its_place():
    slice = make_slice("s", net("tanh", "identity"), [1], [1], "weights")
    verdict = verdict_of(slice)
    place = verdict.smallest_eigenvalue
    objective = slice.objective

    def error(u: float, v: float) -> float:
        return Objective(slice.network_at(u, v), objective.data, objective.loss).error()

    h, u, v = 1e-4, place.u, place.v
    uu = (error(u + h, v) - 2 * error(u, v) + error(u - h, v)) / h**2
    vv = (error(u, v + h) - 2 * error(u, v) + error(u, v - h)) / h**2
    uv = (error(u + h, v + h) - error(u + h, v - h) - error(u - h, v + h) + error(u - h, v - h)) / (
        4 * h * h
    )
    assert place.value == pytest.approx(np.linalg.eigvalsh([[uu, uv], [uv, vv]])[0], abs=1e-4)
    assert verdict.hessians == 31 * 29


def test_points_on_kinks_name_the_units_that_make_them():
    """A sampled search names the same ones as the exact cells."""
    slice = make_slice("w", net("relu", "identity"), [1], [1], seed=4)
    window = Window(-2, 2.1, -1.9, 2)
    sampled = [p for p in verdict_of(slice, window).points if not (p.smooth or p.is_set)]
    exact = [p for p in give_exact_verdict(slice, window).points if not (p.smooth or p.is_set)]
    assert {p.support for p in sampled} >= {"edge"}
    assert len(sampled) == len(exact)
    for one, other in zip(sampled, exact, strict=True):
        assert (one.u, one.v) == pytest.approx((other.u, other.v), abs=1e-6)
        assert one.kinks == other.kinks != ()


def test_maxima_are_those_inside_and_those_on_the_border():
    objective = make_objective([[[0], [0]]], ["identity"], [[1]], [[0, 0]])
    slice = make_slice_by_hand(objective, {1: [[1], [0]]}, {1: [[0], [1]]})
    verdict = verdict_of(slice, Window(-1, 1, -1, 1))
    assert len(verdict.points) == 1
    assert sorted((p.u, p.v) for p in verdict.maxima) == [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    assert all(p.on_border for p in verdict.maxima)
    assert (verdict.lowest.u, verdict.lowest.v) == pytest.approx((0, 0), abs=1e-12)


def test_a_constant_surface_holds():
    objective = make_objective([[[1]], [[0]]], ["relu", "identity"], [[1]], [[2]])
    slice = make_slice_by_hand(objective, {1: [[1]]}, {1: [[0.5]]})
    verdict = verdict_of(slice)
    assert verdict.claim.holds
    assert verdict.smallest_eigenvalue.value == 0
    assert verdict.lowest.value == 4
