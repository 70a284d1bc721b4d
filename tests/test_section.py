"""Sections against closed forms, dense sampling, and polynomials fitted between the kinks."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import Chebyshev
from oracles import (
    make_objective,
    make_slice_by_hand,
    random_objective,
    random_slice,
    slice_error_by_loops,
)

from surfacecli.geometry import kinks as kinks_module
from surfacecli.geometry.section import Section, take_section
from surfacecli.geometry.slices import Slice, make_slice
from surfacecli.network.data import Data, Objective
from surfacecli.network.losses import LOSSES
from surfacecli.network.model import Network
from surfacecli.network.transfers import Transfer

Point = tuple[float, float]
seeds = st.integers(0, 2**32)


def one_unit(hidden: str, output: str, target: float, across: bool = False) -> Slice:
    """x = 1 through one unit after the other: h = u, or with `across` weights u and then v."""
    if across:
        objective = make_objective([[[1]], [[1]]], [hidden, output], [[1]], [[target]])
        return make_slice_by_hand(objective, {1: [[1]]}, {2: [[1]]})
    objective = make_objective([[[1]], [[1]]], [hidden, output], [[1]], [[target]])
    return make_slice_by_hand(objective, {1: [[1]]}, {1: [[0]]})


def error_at(slice: Slice, start: Point, end: Point, t: float) -> float:
    """E at t by a network put together there and its plain forward pass."""
    u, v = ((1 - t) * a + t * b for a, b in zip(start, end, strict=True))
    return Objective(slice.network_at(u, v), slice.objective.data, slice.objective.loss).error()


def random_line(rng: np.random.Generator) -> tuple[Point, Point]:
    ends = rng.uniform(-2, 2, (2, 2))
    return (float(ends[0, 0]), float(ends[0, 1])), (float(ends[1, 0]), float(ends[1, 1]))


# --- Closed forms ---------------------------------------------------------------------------------


def test_abs():
    # E = (|u| - 1)^2: dE/du is 2 left of 0 and -2 right of it; du/dt = 4.
    section = take_section(one_unit("abs", "identity", 1), (-2, 0), (2, 0))
    assert section.exact
    assert section.kinks.tolist() == [0.5]
    assert section.kink_errors.tolist() == [1.0]
    assert section.kink_turns == pytest.approx([-16])


def test_hard_tanh():
    # E = min(u^2, 1): slopes 0 | -2 at u = -1 and 2 | 0 at u = 1; du/dt = 4.
    section = take_section(one_unit("hard_tanh", "identity", 0), (-2, 0), (2, 0))
    np.testing.assert_allclose(section.kinks, [0.25, 0.75], rtol=1e-15)
    np.testing.assert_allclose(section.kink_turns, [-8, -8])
    np.testing.assert_allclose(section.kink_errors, [1, 1])


def test_rectified_product():
    # E = (max(uv, 0) - 1)^2 on u = 3t - 1, v = 3t - 2, uv = 9t^2 - 9t + 2: outside of [1/3, 2/3]
    # dE/dt = 2 (uv - 1)(18t - 9), which is 6 at 1/3 and -6 at 2/3; between them E = 1.
    section = take_section(one_unit("identity", "relu", 1, across=True), (-1, -2), (2, 1))
    np.testing.assert_allclose(section.kinks, [1 / 3, 2 / 3], rtol=1e-14)
    np.testing.assert_allclose(section.kink_turns, [-6, -6], rtol=1e-13)
    np.testing.assert_allclose(section.kink_errors, [1, 1], rtol=1e-13)


def test_linear_product_has_no_kink():
    section = take_section(one_unit("identity", "identity", 1, across=True), (-1, -2), (2, 1))
    assert section.exact
    assert len(section.kinks) == len(section.kink_turns) == len(section.kink_errors) == 0
    p = (3 * section.t - 1) * (3 * section.t - 2)
    np.testing.assert_allclose(section.error, (1 - p) ** 2, atol=1e-13)


def test_a_target_at_the_kink_leaves_no_kink():
    # E = max(u, 0)^2 is smooth at 0: the slope is 0 on both sides.
    assert len(take_section(one_unit("relu", "identity", 0), (-1, 0), (1, 0)).kinks) == 0
    assert len(take_section(one_unit("relu", "identity", 1), (-1, 0), (1, 0)).kinks) == 1


@pytest.mark.parametrize("depth", [3, 4, 5])
def test_a_product_of_many_layers(depth: int):
    # h = (s - c_1)(s - c_2)... on s = t: one factor for each layer, roots c_i.
    roots = np.array([0.2, 0.45, 0.7, 0.75, 0.9])[:depth]
    objective = make_objective(
        [[[-c]] for c in roots], ["identity"] * (depth - 1) + ["abs"], [[1]], [[1]]
    )
    layers = {layer: [[1]] for layer in range(1, depth + 1)}
    slice = make_slice_by_hand(objective, layers, {1: [[0]]}, origin="weights")
    section = take_section(slice, (0, 0), (1, 0))
    np.testing.assert_allclose(section.kinks, roots, atol=1e-12)
    # E = (|h| - 1)^2 turns by -4 |h'(c_i)|, and h'(c_i) is the product of the other factors.
    slopes = [np.prod([c - other for other in roots if other != c]) for c in roots]
    np.testing.assert_allclose(section.kink_turns, -4 * np.abs(slopes), rtol=1e-9)


@pytest.mark.parametrize("start", [-1.0, -0.7, -1 / 3])
@pytest.mark.parametrize("depth", range(1, 6))
def test_a_multiple_root_is_no_kink(depth: int, start: float):
    # |s|^depth has a jump in slope at s = 0 for depth 1 only.
    objective = make_objective([[[1]]] * depth, ["identity"] * (depth - 1) + ["abs"], [[1]], [[1]])
    layers = {layer: [[math.pi]] for layer in range(1, depth + 1)}
    section = take_section(make_slice_by_hand(objective, layers, layers), (start, start), (1, 1))
    assert section.exact
    if depth == 1:
        np.testing.assert_allclose(section.kinks, [start / (start - 1)], rtol=1e-14)
    else:
        assert len(section.kinks) == 0


@pytest.mark.parametrize("seed", range(60))
def test_smeared_multiple_roots_make_no_kinks(seed: int):
    # Through the origin of two or more moved layers every pre-activation of the upper ones has a
    # multiple root, which rounding parts into several: E is smooth there to first order.
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(2, 5))
    names = rng.choice(["identity", "relu", "abs", "leaky_relu"], depth)
    names[: seed % 2] = "identity"
    objective = random_objective(rng, depth, names.tolist(), "squared", False, samples=6)
    slice = make_slice("s", objective, [1, 2], [1, 2], seed=seed)
    u, v = rng.uniform(-1, 1, 2)
    section = take_section(slice, (-1.7 * u, -1.7 * v), (u, v))
    assert section.exact
    assert section.kinks.tolist() == []


@pytest.mark.parametrize(("start", "kinks"), [(-1, [0.25, 0.75]), (-0.2, [0.7 / 1.2])])
@pytest.mark.parametrize("c", [1.0, 0.7, 1.3, 1.7])
@pytest.mark.parametrize("power", [2, 4])
def test_a_zero_without_a_crossing_does_not_decide_the_side(
    power: int, c: float, start: float, kinks: list[float]
):
    # a = max((c s)^p, 0), E = (|a - (c/2)^p| - 1)^2 turns at s = -1/2 and 1/2 by -4 c p (c/2)^(p-1)
    # in s. The zero of s^p lies at t = 1/2 or 1/6, where a single sample would find no sign.
    objective = make_objective(
        [[[1]]] * (power + 1),
        [*["identity"] * (power - 1), "relu", "abs"],
        [[1]],
        [[1]],
        biases=[*[None] * power, [-((0.5 * c) ** power)]],
    )
    moved = {layer: [[c]] for layer in range(1, power + 1)}
    slice = make_slice_by_hand(objective, moved, {1: [[0]]})
    section = take_section(slice, (start, 0), (1, 0))
    np.testing.assert_allclose(section.kinks, kinks, rtol=1e-12)
    turn = -4 * c * power * (0.5 * c) ** (power - 1) * (1 - start)
    np.testing.assert_allclose(section.kink_turns, turn, rtol=1e-9)


def test_a_transfer_function_with_a_node_off_centre():
    # f(h) = max(h - 1/2, 0), E = (f(u) - 1)^2: slopes 0 | -2 at u = 1/2; du/dt = 2.
    def value(h: np.ndarray) -> np.ndarray:
        return np.maximum(h - 0.5, 0.0)

    def slope(h: np.ndarray) -> np.ndarray:
        return np.where(h > 0.5, 1.0, 0.0)

    shrink = Transfer("shrink", value, slope, np.zeros_like, (0.5,), (0.0, 1.0), (0.0, -0.5))
    objective = make_objective([[[1]]], [shrink], [[1]], [[1]])
    slice = make_slice_by_hand(objective, {1: [[1]]}, {1: [[0]]})
    section = take_section(slice, (-1, 0), (1, 0))
    np.testing.assert_allclose(section.kinks, [0.75], rtol=1e-15)
    np.testing.assert_allclose(section.kink_turns, [-4], rtol=1e-15)


# --- Laws on random nets --------------------------------------------------------------------------


def check_pieces(slice: Slice, start: Point, end: Point, section: Section) -> None:
    """Between kinks E of a squared loss is a polynomial in t; at the kinks its slopes turn."""
    degree = 2 * len(slice.moved)
    nodes = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    ends = np.concatenate([[0], section.kinks, [1]])
    scale = np.abs(section.error).max()
    left_slopes, right_slopes = [], []
    for left, right in itertools.pairwise(ends):
        t = 0.5 * (left + right) + 0.5 * (right - left) * nodes
        values = [error_at(slice, start, end, x) for x in t]
        piece = Chebyshev.fit(t, values, degree, domain=[left, right])
        for x in np.linspace(left, right, 7):
            assert error_at(slice, start, end, x) == pytest.approx(piece(x), abs=1e-10 * scale)
        left_slopes.append(piece.deriv()(left))
        right_slopes.append(piece.deriv()(right))
    turns = np.array(left_slopes[1:]) - np.array(right_slopes[:-1])
    # A slope fitted on a short piece is less sure by the inverse of its length.
    gaps = np.minimum(np.diff(ends)[1:], np.diff(ends)[:-1])
    assert (np.abs(turns - section.kink_turns) <= 1e-8 * scale / np.minimum(gaps, 1)).all()


@settings(max_examples=60)
@given(seed=seeds)
def test_pieces_of_a_slice_within_a_layer_or_across_layers(seed: int):
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(2, 5))
    objective = random_objective(rng, depth, loss=str(rng.choice(["squared", "half_squared"])))
    slice = random_slice(rng, ("within-layer", "across-layers")[seed % 2], objective=objective)
    start, end = random_line(rng)
    section = take_section(slice, start, end, points=5)
    assert section.exact
    check_pieces(slice, start, end, section)


@settings(max_examples=60)
@given(seed=seeds)
def test_pieces_of_a_mixed_slice(seed: int):
    # Around the weights: about zero, pieces meet where E bends without a jump in slope.
    rng = np.random.default_rng(seed)
    objective = random_objective(rng, int(rng.integers(2, 5)), loss="squared")
    slice = random_slice(rng, "mixed", "weights", objective=objective)
    start, end = random_line(rng)
    check_pieces(slice, start, end, take_section(slice, start, end, points=5))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("seed", range(4))
def test_one_sided_differences_at_every_kink(loss: str, seed: int):
    rng = np.random.default_rng(seed)
    objective = random_objective(rng, 3, "leaky_relu", loss, widths=[2, 3, 2, 2], samples=2)
    slice = random_slice(rng, "mixed", "weights", objective=objective)
    start, end = random_line(rng)
    section = take_section(slice, start, end)
    gaps = np.diff(section.kinks, prepend=0, append=1)
    assert len(section.kinks) >= 2
    for kink, turn, gap in zip(
        section.kinks, section.kink_turns, np.minimum(gaps[:-1], gaps[1:]), strict=True
    ):
        h = min(1e-4, gap / 3)
        at = {k: error_at(slice, start, end, kink + k * h) for k in range(-2, 3)}
        right = (-3 * at[0] + 4 * at[1] - at[2]) / (2 * h)
        left = (3 * at[0] - 4 * at[-1] + at[-2]) / (2 * h)
        assert right - left == pytest.approx(
            turn, abs=2e-5 * np.abs(section.error).max() + 1e-12 / h
        )


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_second_differences_of_a_dense_sampling_show_these_kinks_and_no_other(seed: int):
    rng = np.random.default_rng(seed)
    objective = random_objective(rng, 3, "relu", "squared", widths=[3, 4, 3, 2], samples=4)
    slice = random_slice(rng, "across-layers", "weights", objective=objective)
    start, end = (-2.0, -1.5), (2.0, 1.0)
    section = take_section(slice, start, end)
    t, step = np.linspace(0, 1, 4001, retstep=True)
    error = [error_at(slice, start, end, x) for x in t]
    # Over the step, a second difference is the turn of a kink, or E'' times the step.
    turns, middle = np.diff(error, 2) / step, t[1:-1]
    assert len(section.kinks) > 5
    for kink, turn in zip(section.kinks, section.kink_turns, strict=True):
        assert turns[np.abs(middle - kink) < 1.01 * step].sum() == pytest.approx(turn, abs=0.1)
    away = np.abs(middle[:, None] - section.kinks).min(axis=1) > 1.01 * step
    assert np.abs(turns[away]).max() < 0.05


@given(seed=seeds)
def test_the_line_read_backwards(seed: int):
    rng = np.random.default_rng(seed)
    slice = random_slice(rng, origin="weights")
    start, end = random_line(rng)
    there, back = take_section(slice, start, end, 3), take_section(slice, end, start, 3)
    np.testing.assert_allclose(there.kinks, 1 - back.kinks[::-1], atol=1e-8)
    scale = np.abs(there.kink_turns).max(initial=0)
    np.testing.assert_allclose(there.kink_turns, back.kink_turns[::-1], atol=1e-6 * scale)


def with_data(slice: Slice, inputs: np.ndarray, targets: np.ndarray) -> Slice:
    objective = Objective(slice.objective.network, Data(inputs, targets), slice.objective.loss)
    return Slice("s", objective, slice.origin, slice.along_u, slice.along_v)


@pytest.mark.parametrize("seed", range(5))
def test_repeated_data_double_the_turns_and_add_no_kinks(seed: int):
    rng = np.random.default_rng(seed)
    slice = random_slice(rng, "across-layers", "weights")
    x, y = slice.objective.data.inputs, slice.objective.data.targets
    once = take_section(slice, (-2, -1), (2, 1.5))
    order = rng.permutation(2 * len(x))
    twice = take_section(
        with_data(slice, np.concatenate([x, x])[order], np.concatenate([y, y])[order]),
        (-2, -1),
        (2, 1.5),
    )
    np.testing.assert_allclose(twice.kinks, once.kinks, atol=1e-12)
    np.testing.assert_allclose(twice.kink_turns, 2 * once.kink_turns, rtol=1e-7, atol=1e-9)


def test_units_that_cannot_be_seen_make_no_kinks():
    rng = np.random.default_rng(0)
    objective = random_objective(rng, 2, ["relu", "identity"], "squared", False, [3, 4, 2], 5)
    network = objective.network
    plain = make_slice("s", objective, [1], [1], "weights", seed=1)
    before = take_section(plain, (-2, -1), (2, 1.5))
    # Two more hidden units: one that nothing listens to, one whose weights stay zero.
    W1 = np.concatenate([network.weights[0], rng.standard_normal((1, 3)), np.zeros((1, 3))])
    W2 = np.concatenate([network.weights[1], np.zeros((2, 1)), np.ones((2, 1))], axis=1)
    wider = Objective(
        Network((W1, W2), network.biases, network.transfers), objective.data, objective.loss
    )
    more = {1: np.concatenate([plain.along_u[1], rng.standard_normal((1, 3)), np.zeros((1, 3))])}
    over = {1: np.concatenate([plain.along_v[1], rng.standard_normal((1, 3)), np.zeros((1, 3))])}
    after = take_section(Slice("s", wider, {1: W1}, more, over), (-2, -1), (2, 1.5))
    assert len(before.kinks) > 5
    np.testing.assert_allclose(after.kinks, before.kinks, atol=1e-13)
    np.testing.assert_allclose(after.kink_turns, before.kink_turns, rtol=1e-9)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["within-layer", "across-layers"])
def test_through_the_origin_all_kinks_are_one(seed: int, kind: str):
    rng = np.random.default_rng(seed)
    objective = random_objective(rng, 2, "relu", "squared", False, [3, 4, 2], 5)
    layers = ([1], [1]) if kind == "within-layer" else ([1], [2])
    slice = make_slice("s", objective, *layers, seed=seed)
    for end in ((0.7, 0.4), (-1.0, 1.0)):
        section = take_section(slice, (-end[0], -end[1]), end)
        if kind == "within-layer":
            assert section.kinks.tolist() == [0.5]
            h = 1e-5
            E = [error_at(slice, (-end[0], -end[1]), end, 0.5 + k * h) for k in range(-2, 3)]
            turn = (-3 * E[2] + 4 * E[3] - E[4] - (3 * E[2] - 4 * E[1] + E[0])) / (2 * h)
            assert section.kink_turns[0] == pytest.approx(turn, abs=1e-5)
        else:
            # E depends on |u| v and alike, which has slope 0 at the origin.
            assert section.kinks.tolist() == []


@pytest.mark.parametrize("seed", range(10))
def test_a_line_along_a_kink(seed: int):
    rng = np.random.default_rng(seed)
    objective = random_objective(rng, 2, "relu", "squared", False, [3, 4, 2], 5)
    slice = make_slice("s", objective, [1], [1], seed=seed)
    # The first hidden unit stays at 0 for the first data point all along this line.
    x = objective.data.inputs[0]
    along = float(slice.along_v[1][0] @ x), -float(slice.along_u[1][0] @ x)
    end = (along[0] / math.hypot(*along), along[1] / math.hypot(*along))
    section = take_section(slice, (-end[0], -end[1]), end)
    assert section.kinks == pytest.approx([0.5], abs=1e-12)
    far = take_section(slice, (0.25 * end[0], 0.25 * end[1]), end)
    assert len(far.kinks) == 0


# --- What is sampled, and what is refused ---------------------------------------------------------


def test_the_points_of_a_section():
    slice = random_slice(np.random.default_rng(1), "mixed", "weights")
    section = take_section(slice, (-1.5, 0.3), (2.0, -0.9), points=21)
    assert len(section.kinks) > 0
    assert np.isin(section.kinks, section.t).all()
    assert np.isin(np.linspace(0, 1, 21), section.t).all()
    assert len(section.t) == 21 + len(section.kinks)
    assert (np.diff(section.t) > 0).all()
    assert (np.diff(section.kinks) > 0).all()
    assert (section.u[0], section.v[0], section.u[-1], section.v[-1]) == (-1.5, 0.3, 2.0, -0.9)
    for t, u, v, error in zip(section.t, section.u, section.v, section.error, strict=True):
        assert (u, v) == pytest.approx((-1.5 + 3.5 * t, 0.3 - 1.2 * t))
        assert error == pytest.approx(slice_error_by_loops(slice, u, v), rel=1e-11)
    np.testing.assert_array_equal(
        section.kink_errors, section.error[np.isin(section.t, section.kinks)]
    )


def test_a_kink_takes_the_place_of_the_point_it_falls_on():
    slice = one_unit("abs", "identity", 1)
    for k in range(1, 30):
        section = take_section(slice, (-0.1 * k, 0), (3 - 0.1 * k, 0), points=31)
        assert section.kinks == pytest.approx([k / 30])
        assert len(section.t) == 31
        between = take_section(slice, (-0.1 * k, 0), (3 - 0.1 * k, 0), points=32)
        assert len(between.t) == 33


def test_a_kink_at_an_end_is_not_between_the_ends():
    slice = one_unit("abs", "identity", 1)
    for start, end in (((0, 0), (1, 0)), ((-1, 0), (1e-11, 0)), ((1, -1), (1, 1))):
        section = take_section(slice, start, end)
        assert section.exact
        assert len(section.kinks) == 0


def test_a_smooth_layer_on_the_way_leaves_the_kinks_unsought():
    rng = np.random.default_rng(2)
    objective = random_objective(rng, 2, ["relu", "tanh"], "squared", widths=[2, 4, 1])
    section = take_section(make_slice("s", objective, [1], [1]), (-1, 0.2), (1, 0.3), points=9)
    assert not section.exact
    assert len(section.kinks) == 0
    assert len(section.t) == len(section.error) == 9


def test_a_smooth_layer_below_the_moved_ones_does_no_harm():
    rng = np.random.default_rng(2)
    objective = random_objective(rng, 2, ["tanh", "relu"], "squared", widths=[2, 4, 2], samples=4)
    slice = make_slice("s", objective, [2], [2], origin="weights")
    section = take_section(slice, (-2.0, 0.2), (2.0, 0.3), points=9)
    assert section.exact
    assert len(section.kinks) >= 2
    check_pieces(slice, (-2.0, 0.2), (2.0, 0.3), section)


@pytest.mark.parametrize("limit", ["MOST_WORK", "MOST_KINKS"])
def test_beyond_the_budget_the_kinks_are_left_out(limit: str, monkeypatch: pytest.MonkeyPatch):
    slice = random_slice(np.random.default_rng(1), "mixed", "weights")
    assert len(take_section(slice, (-1.5, 0.3), (2.0, -0.9), points=7).kinks) > 1
    monkeypatch.setattr(kinks_module, limit, 1)
    section = take_section(slice, (-1.5, 0.3), (2.0, -0.9), points=7)
    assert not section.exact
    assert len(section.kinks) == 0
    assert len(section.error) == 7


def test_blocks_of_data_points_change_nothing(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(4)
    objective = random_objective(rng, 3, "relu", "squared", samples=9, widths=[2, 3, 3, 1])
    slice = random_slice(rng, "mixed", "weights", objective=objective)
    every = take_section(slice, (-1.5, 0.3), (2.0, -0.9))
    # So high a bar leaves out some kinks: it must be the same bar, that of all data points.
    monkeypatch.setattr(kinks_module, "LEAST_TURN", 1e-3)
    whole = take_section(slice, (-1.5, 0.3), (2.0, -0.9))
    monkeypatch.setattr(kinks_module, "_BLOCK", 6)
    parts = take_section(slice, (-1.5, 0.3), (2.0, -0.9))
    assert len(every.kinks) > len(whole.kinks) > 5
    np.testing.assert_allclose(parts.kinks, whole.kinks, rtol=1e-12)
    np.testing.assert_allclose(parts.kink_turns, whole.kink_turns, rtol=1e-9)


@pytest.mark.parametrize(
    ("start", "end", "points", "message"),
    [
        ((1, 2), (1, 2), 9, r"starts and ends at \(1, 2\); give two different points"),
        ((math.nan, 0), (1, 1), 9, "the start of the section is .*two finite numbers"),
        ((0, 0), (1, math.inf), 9, "the end of the section is .*two finite numbers"),
        ((0, 0), (1, 1), 1, "a section of 1 points is no line; it needs 2 or more"),
    ],
)
def test_what_is_no_line_is_refused(start: Point, end: Point, points: int, message: str):
    with pytest.raises(ValueError, match=message):
        take_section(one_unit("relu", "relu", 1), start, end, points)
