"""Gradient flow of E = f(u v): against forward passes, small steps, and flows known by hand."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from across_slices import WINDOW, small_across_slice
from oracles import make_objective, make_slice_by_hand, slice_error_by_loops

from surfacecli.geometry.across.points import AcrossExact, examine_across
from surfacecli.geometry.descent.between import CLOSE as LAST_STEP
from surfacecli.geometry.descent.descend import descend
from surfacecli.geometry.descent.path import Path
from surfacecli.geometry.descent.product import find_product
from surfacecli.geometry.descent.starts import spread_starts
from surfacecli.geometry.slices import Slice, Window, make_slice
from surfacecli.geometry.surface import differentiate, evaluate
from surfacecli.network.data import Objective, random_data
from surfacecli.network.losses import LOSSES
from surfacecli.network.model import random_network
from surfacecli.network.transfers import TRANSFERS
from surfacecli.study import make_study

Array = np.ndarray
#: Of the coordinates of a window, what rounding may do to u^2 - v^2.
CLOSE = 1e-12
QUADRANTS = [(1, 1), (-1, 1), (-1, -1), (1, -1)]


@pytest.fixture(scope="module", params=["post", "post-linear"])
def solved(request: pytest.FixtureRequest) -> tuple[Slice, Window, AcrossExact]:
    study = make_study(request.param, slice_name="E12")
    (slice,) = study.slices
    return slice, study.window, examine_across(slice, study.window)


def product_slice(seed: int) -> Slice:
    """A net without biases, its outputs in proportion to u v in each quadrant; or with one above.

    Of seed 1, 4, 7, ...: biases in the higher layer, and so kinks along u v = const.
    """
    rng = np.random.default_rng(seed)
    names = ["relu", "leaky_relu", "abs", "identity"]
    f, g = (TRANSFERS[str(name)] for name in rng.choice(names, size=2))
    network = random_network((3, 4, 2), [f, g], seed)
    if seed % 3 == 1:
        network = replace(network, biases=(None, rng.normal(size=2) / 4.0))
    objective = Objective(network, random_data(4, 3, 2, seed), LOSSES["squared"])
    u, v = ((1, 2), (2, 1))[seed % 2]
    return make_slice(f"product {seed}", objective, [u], [v], "zero", seed)


def exact_path(slice: Slice, window: Window, start: tuple[float, float]) -> Path:
    (path,) = descend(slice, window, [start], across=examine_across(slice, window))
    assert path.exact
    return path


def small_steps(slice: Slice, start: Array, time: float, steps: int) -> Array:
    """The flow after a time by the classical method of Runge and Kutta, on E's own gradient."""

    def fall(place: Array) -> Array:
        return -differentiate(slice, *place[:, None]).gradient[0]

    h, place = time / steps, start
    for _ in range(steps):
        k1 = fall(place)
        k2 = fall(place + 0.5 * h * k1)
        k3 = fall(place + 0.5 * h * k2)
        k4 = fall(place + h * k3)
        place = place + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
    return place


@pytest.mark.parametrize("quadrant", QUADRANTS)
def test_u2_less_v2_is_kept_in_each_quadrant(
    solved: tuple[Slice, Window, AcrossExact], quadrant: tuple[int, int]
) -> None:
    """The flow of f(u v) keeps u^2 - v^2: both the exact path, and the integrated one to 1e-7."""
    slice, window, across = solved
    # In the outer place the paths fall outwards or to the valley, in the inner one to v = 0.
    starts = [(a * quadrant[0], b * quadrant[1]) for a, b in ((0.15, 0.4), (0.1, 0.02))]
    for start, path, other in zip(
        starts,
        descend(slice, window, starts, across=across),
        descend(slice, window, starts),
        strict=True,
    ):
        s = start[0] ** 2 - start[1] ** 2
        assert (path.exact, other.exact) == (True, False)
        np.testing.assert_allclose(path.u**2 - path.v**2, s, atol=CLOSE)
        kept = other.u**2 - other.v**2
        np.testing.assert_allclose(kept[:-1], s, atol=1e-7)
        # The last step, to a lowest point that is next to it, is no step of the flow.
        size = window.u1 - window.u0
        assert abs(kept[-1] - s) <= 2.0 * (abs(other.u[-1]) + abs(other.v[-1])) * LAST_STEP * size
        np.testing.assert_allclose(path.error, evaluate(slice, path.u, path.v), rtol=1e-12)
        assert (np.diff(path.error) <= 0.0).all()
        assert (np.diff(path.time) > 0.0).all()
        assert np.hypot(np.diff(path.u), np.diff(path.v)).max() < 0.01
        assert (path.u[0], path.v[0]) == start
        assert path.end.reason == other.end.reason
        assert path.crossed == other.crossed
        ends = np.array([[p.u[-1], p.v[-1]] for p in (path, other)])
        np.testing.assert_allclose(ends[0], ends[1], atol=1e-6)


def test_the_clock_is_right(solved: tuple[Slice, Window, AcrossExact]) -> None:
    """After the time that a point of the path is said to take, small steps are there."""
    slice, window, across = solved
    for start in ((0.3, 0.2), (-0.25, 0.25)):
        (path,) = descend(slice, window, [start], across=across)
        k = int(np.flatnonzero(np.isfinite(path.time))[-1]) // 2
        there = small_steps(slice, np.array(start), float(path.time[k]), 200)
        np.testing.assert_allclose([path.u[k], path.v[k]], there, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_random_products_against_the_integrated_flow(seed: int) -> None:
    compare_with_integrated(seed, 3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3, 120))
def test_more_random_products_against_the_integrated_flow(seed: int) -> None:
    compare_with_integrated(seed, 6)


def compare_with_integrated(seed: int, count: int) -> None:
    slice = product_slice(seed)
    across = examine_across(slice, WINDOW)
    assert find_product(across) is not None
    starts = spread_starts(WINDOW, count)
    exact = descend(slice, WINDOW, starts, across=across)
    known = (*across.points, *across.border)
    for path, other in zip(exact, descend(slice, WINDOW, starts, points=known), strict=True):
        assert path.exact
        assert path.end.reason == other.end.reason
        assert path.crossed == other.crossed
        np.testing.assert_allclose([path.u[-1], path.v[-1]], [other.u[-1], other.v[-1]], atol=1e-5)
        assert path.error[-1] == pytest.approx(slice_error_by_loops(slice, path.u[-1], path.v[-1]))
        if path.end.reason == "stationary":
            assert path.end.point in known
            assert other.end.point == path.end.point


def by_hand(bias: float | None = None, transfer: str = "identity") -> Slice:
    """x = y = 1, W1 = u, W2 = v: E = (1 - u v)^2 with linear units."""
    objective = make_objective(
        [[[0.0]], [[0.0]]],
        ["identity", transfer],
        [[1.0]],
        [[1.0]],
        biases=None if bias is None else [None, [bias]],
    )
    return make_slice_by_hand(objective, {1: [[1.0]]}, {2: [[1.0]]})


def test_a_flow_known_by_hand() -> None:
    """On u = v, u' = 2 u (1 - u^2): u^2 = 1 / (1 + (1 / u0^2 - 1) exp(-4 t))."""
    window = Window(-2.0, 1.75, -1.5, 2.0)
    for start in (0.25, 1.5):
        path = exact_path(by_hand(), window, (start, start))
        known = 1.0 / (1.0 + (1.0 / start**2 - 1.0) * np.exp(-4.0 * path.time))
        np.testing.assert_allclose(path.u**2, known, rtol=1e-12)
        np.testing.assert_allclose(path.v, path.u, rtol=1e-15)
        assert path.time[-1] == np.inf
        assert (path.u[-1], path.v[-1]) == pytest.approx((1.0, 1.0), abs=1e-15)
        assert path.end.describe() == "valley (minimum)"
    # From u v < 0 it crosses an axis, which is no kink here, and stays on its hyperbola.
    path = exact_path(by_hand(), window, (1.25, -0.5))
    assert (path.crossed, path.end.describe()) == (0, "valley (minimum)")
    assert path.u[-1] * path.v[-1] == pytest.approx(1.0, rel=1e-14)
    np.testing.assert_allclose(path.u**2 - path.v**2, 1.3125, rtol=1e-14)
    assert (path.v == 0.0).sum() == 1


def test_on_the_axes() -> None:
    window = Window(-2.0, 1.75, -1.5, 2.0)
    assert exact_path(by_hand(), window, (0.0, 0.0)).end.reason == "stationary"
    path = exact_path(by_hand(), window, (0.5, 0.0))
    assert path.v[-1] > 0
    assert path.end.describe() == "valley (minimum)"
    # relu(-u v): dead where u v > 0, and so off the axis E falls to one side alone.
    objective = make_objective([[[0.0]], [[0.0]]], ["abs", "abs"], [[1.0]], [[1.0]])
    ridge = make_slice_by_hand(objective, {1: [[1.0]]}, {2: [[1.0]]})
    path = exact_path(ridge, window, (0.5, 0.0))
    assert [event.kind for event in path.events] == ["choice"]
    assert path.u[-1] * abs(path.v[-1]) == pytest.approx(1.0, rel=1e-14)


def test_kinks_along_hyperbolas() -> None:
    """E = (1 - relu(u v - 1/4))^2: a plateau where u v < 1/4, else a valley at u v = 5/4."""
    slice, window = by_hand(-0.25, "relu"), Window(-2.0, 1.75, -1.5, 2.0)
    path = exact_path(slice, window, (0.5, 0.25))
    assert (path.end.describe(), len(path.u)) == ("plateau (maximum)", 1)
    path = exact_path(slice, window, (0.75, 0.5))
    assert path.end.describe() == "valley (minimum)"
    assert path.u[-1] * path.v[-1] == pytest.approx(1.25, rel=1e-14)
    # E = (1 - |u v - 1/4|)^2 + ...: crossed on the way down from u v = 0 to -3/4.
    bowl = by_hand(-0.25, "abs")
    path = exact_path(bowl, window, (0.75, 0.4))
    assert path.u[-1] * path.v[-1] == pytest.approx(1.25, rel=1e-14)
    path = exact_path(bowl, window, (0.75, 0.25))
    assert path.u[-1] * path.v[-1] == pytest.approx(-0.75, rel=1e-14)
    # With the target 0, u v = 1/4 is a kinkless valley of |u v - 1/4|^2, reached from both sides.
    for start in ((0.75, 0.5), (0.75, 0.25), (0.5, -1.0)):
        objective = replace(
            bowl.objective, data=replace(bowl.objective.data, targets=np.array([[0.0]]))
        )
        path = exact_path(replace(bowl, objective=objective), window, start)
        assert path.u[-1] * path.v[-1] == pytest.approx(0.25, rel=1e-14)
        assert path.end.reason == "stationary"


def test_windows_that_leave_out_the_axes() -> None:
    """The path ends exactly on the side of the window that the hyperbola meets."""
    for window, start, end in (
        (Window(0.25, 1.0, 0.5, 2.0), (0.75, 0.5), "border of the window"),
        (Window(0.25, 3.0, 0.5, 3.0), (0.5, 0.75), "valley (minimum)"),
        (Window(-1.0, -0.25, 0.5, 2.0), (-0.75, 1.0), "border of the window"),
    ):
        path = exact_path(by_hand(), window, start)
        assert path.end.describe() == end
        np.testing.assert_allclose(path.u**2 - path.v**2, start[0] ** 2 - start[1] ** 2, atol=CLOSE)
        if end == "border of the window":
            sides = itertools.chain((window.u0, window.u1), (window.v0, window.v1))
            assert {float(path.u[-1]), float(path.v[-1])} & set(sides)


def test_where_e_is_no_function_of_u_v() -> None:
    """Around the weights, or with biases below, it is not, and the flow is integrated."""
    slice = small_across_slice(3)
    across = examine_across(slice, WINDOW)
    assert find_product(across) is None
    assert not descend(slice, WINDOW, [(0.5, 0.5)], across=across)[0].exact
