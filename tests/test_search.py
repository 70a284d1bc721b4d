"""The sampled search against closed forms, dense small circles, and finer grids."""

import itertools

import numpy as np
import pytest
from across_slices import WINDOW as ACROSS
from across_slices import random_across_slice
from oracles import (
    central_gradient,
    make_objective,
    make_slice_by_hand,
    random_objective,
    random_slice,
    slice_error_by_loops,
)

from surfacecli.geometry import search as search_module
from surfacecli.geometry.across.points import examine_across
from surfacecli.geometry.candidates import find_candidates, find_flat_sets
from surfacecli.geometry.claim import give_exact_verdict
from surfacecli.geometry.grids import Grid, sample_grid
from surfacecli.geometry.polish import newton, slide, zoom
from surfacecli.geometry.search import Found, search
from surfacecli.geometry.slices import Slice, Window, make_slice
from surfacecli.geometry.stationary import StationaryPoint
from surfacecli.geometry.surface import differentiate
from surfacecli.network.data import Data, Objective, random_data
from surfacecli.network.losses import LOSSES
from surfacecli.network.model import random_network
from surfacecli.network.transfers import TRANSFERS


def found_in(slice: Slice, window: Window, resolution=(41, 41)) -> Found:
    return search(slice, window, sample_grid(slice, window, resolution))


def values(slice: Slice, u, v) -> np.ndarray:
    """E by one network and one plain forward pass for each point."""
    objective = slice.objective
    return np.array(
        [
            Objective(slice.network_at(a, b), objective.data, objective.loss).error()
            for a, b in zip(u, v, strict=True)
        ]
    )


def confirm(slice: Slice, window: Window, point: StationaryPoint, scale: float) -> None:
    """An extremum by values on small circles, a smooth point by its gradient too."""
    size = np.array([window.u1 - window.u0, window.v1 - window.v0])
    angles = np.linspace(0, 2 * np.pi, 240, endpoint=False) + 0.1
    for radius in (3e-5, 3e-4):
        u = np.clip(point.u + radius * size[0] * np.cos(angles), window.u0, window.u1)
        v = np.clip(point.v + radius * size[1] * np.sin(angles), window.v0, window.v1)
        above = values(slice, u, v) - point.error
        assert point.kind != "minimum" or above.min() >= -1e-11 * scale, point
        assert point.kind != "maximum" or above.max() <= 1e-11 * scale, point
        if point.is_set:
            continue  # a saddle may fall beside another place of the set
        if point.kind == "saddle":
            # Between two kinks E may rise or fall in an angle far narrower than these.
            rise, fall = (
                sharpest(slice, point, radius * size, angles, sign * above, sign)
                for sign in (1.0, -1.0)
            )
            assert rise > 0 < fall, point
    if point.is_set:
        return
    if point.smooth and not point.on_border:
        gradient = central_gradient(
            lambda x: slice_error_by_loops(slice, *x), (point.u, point.v), 1e-7 * size.min()
        )
        assert np.abs(gradient * size).max() <= 1e-5 * scale, point


def sharpest(slice, point, reach, angles, above, sign) -> float:
    """The most that sign times E rises on a circle, every peak of the samples looked at closer."""
    best = above.max()
    for k in np.flatnonzero((above >= np.roll(above, 1)) & (above >= np.roll(above, -1))):
        angle, width = angles[k], angles[1] - angles[0]
        for _ in range(30):
            near = angle + width * np.linspace(-1, 1, 5)
            u, v = point.u + reach[0] * np.cos(near), point.v + reach[1] * np.sin(near)
            seen = sign * (values(slice, u, v) - point.error)
            best, angle, width = max(best, seen.max()), near[seen.argmax()], 0.6 * width
    return float(best)


def one(points, kind: str, support: str | None = None) -> StationaryPoint:
    (only,) = [p for p in points if p.kind == kind and support in (None, p.support)]
    return only


# --- Closed forms ---------------------------------------------------------------------------------


def test_valley_and_saddle_of_a_product():
    # E = (1 - u v)^2: a valley E = 0 along u v = 1 (two branches), a saddle at 0 with -2 and 2.
    objective = make_objective([[[1]], [[1]]], ["identity"] * 2, [[1]], [[1]])
    slice = make_slice_by_hand(objective, {1: [[1]]}, {2: [[1]]})
    found = found_in(slice, Window(-2, 2, -2, 2))
    saddle = one(found.points, "saddle")
    assert (saddle.u, saddle.v) == pytest.approx((0, 0), abs=1e-12)
    assert saddle.error == pytest.approx(1)
    assert saddle.eigenvalues == pytest.approx((-2, 2))
    assert (saddle.support, saddle.smooth, saddle.index) == ("cell", True, -1)
    branches = [p for p in found.points if p.kind == "minimum"]
    assert len(branches) == 2
    for branch in branches:
        assert branch.support == "valley"
        assert branch.error == pytest.approx(0, abs=1e-15)
        assert branch.u * branch.v == pytest.approx(1)
        u0, u1, v0, v1 = np.abs(branch.extent)
        assert min(u0, u1) == pytest.approx(0.5, abs=0.05)
        assert max(v0, v1) == pytest.approx(2, abs=0.05)


def mixed_slice() -> Slice:
    """E = (1.5 - u^2 - v^2)^2 / 2 where u, v > -1."""
    objective = make_objective(
        [[[1], [1]], [[1, 1]]], ["relu", "identity"], [[1]], [[0.5]], "half_squared"
    )
    return make_slice_by_hand(
        objective, {1: [[1], [0]], 2: [[-1, 0]]}, {1: [[0], [1]], 2: [[0, -1]]}, "weights"
    )


def test_smooth_maximum_and_circle_of_minima_of_a_mixed_slice():
    found = found_in(mixed_slice(), Window(-0.95, 1.3, -0.95, 1.3), (40, 37))
    peak = one(found.points, "maximum")
    assert (peak.u, peak.v) == pytest.approx((0, 0), abs=1e-12)
    assert peak.error == pytest.approx(1.5**2 / 2)
    assert peak.eigenvalues == pytest.approx((-3, -3))
    assert peak.strict_smooth_maximum
    # The window leaves two arcs of the circle: it cuts off what lies beyond u or v = -0.95.
    arcs = sorted((p for p in found.points if p.kind == "minimum"), key=lambda p: p.extent[1])
    assert [p.support for p in arcs] == ["valley", "valley"]
    assert all(np.hypot(p.u, p.v) == pytest.approx(np.sqrt(1.5)) for p in arcs)
    assert [p.extent[1] for p in arcs] == pytest.approx(
        [-np.sqrt(1.5 - 0.95**2), np.sqrt(1.5)], abs=0.05
    )
    assert found.lowest[2] == pytest.approx(0, abs=1e-14)


def test_minimum_of_a_paraboloid_is_the_solution_of_a_linear_system():
    rng = np.random.default_rng(5)
    U, V, X = (rng.standard_normal(s) for s in ((3, 4), (3, 4), (6, 4)))
    y = rng.standard_normal((6, 3))
    objective = make_objective([np.zeros((3, 4))], ["identity"], X, y)
    slice = make_slice_by_hand(objective, {1: U}, {1: V})
    A = np.stack([(X @ U.T).ravel(), (X @ V.T).ravel()], axis=1)
    solution, rest, *_ = np.linalg.lstsq(A, y.ravel(), rcond=None)
    found = found_in(slice, Window(-1, 2, -3, 1))
    (only,) = found.points
    assert (only.u, only.v) == pytest.approx(tuple(solution), abs=1e-12)
    assert only.error == pytest.approx(rest[0])
    assert only.eigenvalues == pytest.approx(np.linalg.eigvalsh(2 * A.T @ A))
    assert (only.kind, only.support, only.smooth) == ("minimum", "cell", True)
    assert found.lowest == pytest.approx((*solution, rest[0]))
    # A convex function is largest at corners of the window.
    for corner in found.border:
        assert corner.kind == "maximum"
        assert (abs(corner.u), abs(corner.v)) in {(1, 3), (1, 1), (2, 3), (2, 1)}


def tanh_slice() -> Slice:
    objective = Objective(
        random_network((2, 5, 1), (TRANSFERS["tanh"], TRANSFERS["identity"]), 114),
        random_data(6, 2, 1, 114),
        LOSSES["squared"],
    )
    return make_slice("E1", objective, [1], [1], "weights", 114)


def test_smooth_peak_of_tanh():
    found = found_in(tanh_slice(), Window(-3, 3, -3, 3), (61, 61))
    peaks = [p for p in found.points if p.kind == "maximum"]
    highest = max(peaks, key=lambda p: p.error)
    assert (highest.u, highest.v) == pytest.approx((0.54559, 0.10087), abs=1e-5)
    assert highest.error == pytest.approx(4.89737, abs=1e-5)
    assert highest.strict_smooth_maximum
    assert highest.eigenvalues[1] < 0
    for point in found.points:
        confirm(tanh_slice(), Window(-3, 3, -3, 3), point, 5.0)


@pytest.mark.parametrize("layer", [1, 2])
@pytest.mark.parametrize("resolution", [(41, 41), (40, 30)])
def test_kinked_peak_of_two_rectified_layers(layer, resolution):
    # The post's E1 and E2: at 0 every output is 0, and around it E falls.
    relu = TRANSFERS["relu"]
    data = random_data(10, 10, 10, 2)
    objective = Objective(random_network((10,) * 3, (relu,) * 2, 1), data, LOSSES["squared"])
    slice = make_slice("E", objective, [layer], [layer], seed=3)
    found = found_in(slice, Window(), resolution)
    peak = one(found.points, "maximum")
    assert (peak.u, peak.v) == pytest.approx((0, 0), abs=1e-7)
    assert peak.error == pytest.approx((data.targets**2).sum())
    assert (peak.support, peak.smooth, peak.index) == ("vertex", False, 1)
    assert peak.residual is peak.eigenvalues is None


def stairs() -> Slice:
    """E = (relu(|u| - 0.3) + relu(|v| - 0.3) - 1)^2: all four units are dead in the middle."""
    objective = make_objective(
        [np.zeros((4, 1)), [[1, 1, 1, 1]]],
        ["relu", "identity"],
        [[1]],
        [[1]],
        biases=[[-0.3] * 4, None],
    )
    return make_slice_by_hand(objective, {1: [[1], [-1], [0], [0]]}, {1: [[0], [0], [1], [-1]]})


def test_plateau_with_kinked_rims_is_one_maximum():
    found = found_in(stairs(), Window(-1, 1.1, -1, 1), (43, 41))
    plateau = one(found.points, "maximum")
    assert plateau.support == "plateau"
    assert plateau.error == pytest.approx(1)
    assert plateau.extent == pytest.approx((-0.3, 0.3, -0.3, 0.3), abs=0.06)


def test_a_maximum_from_edge_to_edge_is_a_kinked_saddle_where_it_is_lowest():
    # E = (|h| - 1)^2 + g^2 with h, g turned out of the grid: at 0 a ridge along h = 0, rising in
    # +-g inside an angle that is as narrow as the circle is small, falling in +-h.
    objective = make_objective([np.zeros((2, 1))], ["abs"], [[1]], [[1, 0]])
    turn = np.array([[np.cos(0.5)], [np.sin(0.5)]]), np.array([[-np.sin(0.5)], [np.cos(0.5)]])
    slice = make_slice_by_hand(objective, {1: turn[0]}, {1: turn[1]})
    found = found_in(slice, Window(-1.5, 1.5, -1.4, 1.6), (31, 31))
    saddle = one(found.points, "saddle")
    assert (saddle.u, saddle.v) == pytest.approx((0, 0), abs=1e-6)
    assert saddle.error == pytest.approx(1)
    assert (saddle.smooth, saddle.index) == (False, -1)
    minima = [p for p in found.points if p.kind == "minimum"]
    place = sorted((p.u, p.v) for p in minima)
    expected = (np.cos(0.5), -np.sin(0.5))
    assert place == [
        pytest.approx((-expected[0], -expected[1]), abs=1e-7),
        pytest.approx(expected, abs=1e-7),
    ]


# --- Minima on sharp kinks ------------------------------------------------------------------------


def linear_output_fan() -> Slice:
    transfers = (TRANSFERS["relu"], TRANSFERS["identity"])
    objective = Objective(
        random_network((10, 10, 10), transfers, 1), random_data(10, 10, 10, 2), LOSSES["squared"]
    )
    return make_slice("E1", objective, [1], [1], seed=3)


def test_the_lowest_point_on_a_sharp_ray_is_found():
    # A zoom stops short: E falls along the ray in an angle that no lattice has a point in.
    slice, window = linear_output_fan(), Window(-0.5, 0.5, -0.5, 0.5)
    grid = sample_grid(slice, window, (61, 61))
    found = search(slice, window, grid)
    lowest = min(found.points, key=lambda p: p.error)
    row, column = np.unravel_index(grid.error.argmin(), grid.error.shape)
    assert (lowest.u, lowest.v) == pytest.approx((grid.u[column], grid.v[row]), abs=2 / 60)
    assert (lowest.kind, lowest.support) == ("minimum", "edge")
    assert lowest.error < grid.error.min()
    assert found.lowest == (lowest.u, lowest.v, lowest.error)
    # Some unit of some data point switches on the ray, which fixes its direction, and E is a
    # quadratic along it: its lowest value follows from three values of E.
    h = [X @ slice.objective.data.inputs.T for X in (slice.along_u[1], slice.along_v[1])]
    angles = np.arctan2(-h[0], h[1]).ravel()
    own = np.arctan2(lowest.v, lowest.u)
    turned = (angles - own + np.pi / 2) % np.pi - np.pi / 2
    assert np.abs(turned).min() < 1e-6
    ray = np.array(
        [
            np.cos(own + turned[np.abs(turned).argmin()]),
            np.sin(own + turned[np.abs(turned).argmin()]),
        ]
    )
    at = np.array([0.02, 0.04, 0.06])
    parabola = np.polyfit(at, values(slice, at * ray[0], at * ray[1]), 2)
    best = -parabola[1] / (2 * parabola[0])
    assert (lowest.u, lowest.v) == pytest.approx(tuple(best * ray), abs=1e-6)
    assert lowest.error == pytest.approx(np.polyval(parabola, best), rel=1e-9)


def test_the_lowest_grid_point_is_followed_whatever_the_budget(monkeypatch):
    slice, window = linear_output_fan(), Window(-0.5, 0.5, -0.5, 0.5)
    full = found_in(slice, window, (61, 61))
    monkeypatch.setattr(search_module, "CANDIDATES", 1)
    assert found_in(slice, window, (61, 61)).lowest == full.lowest


def test_the_lowest_point_of_a_deep_net_is_found():
    names = ("relu", "relu", "relu", "identity")
    network = random_network((6, 10, 10, 8, 4), tuple(TRANSFERS[n] for n in names), 1)
    objective = Objective(network, random_data(8, 6, 4, 1), LOSSES["squared"])
    slice, window = (
        make_slice("E1", objective, [1], [1], "weights", 1),
        Window(-1.5, 1.5, -1.5, 1.5),
    )
    grid = sample_grid(slice, window, (61, 61))
    found = search(slice, window, grid)
    lowest = min(found.points, key=lambda p: p.error)
    assert grid.error.min() > lowest.error > grid.error.min() - 0.05
    assert (lowest.kind, lowest.smooth) == ("minimum", False)
    for point in found.points:
        confirm(slice, window, point, grid.error.max())


@pytest.mark.parametrize("sharpness", [1.0, 1e2, 1e4])
@pytest.mark.parametrize("angle", [0.0, 0.3, 1.2, 2.0])
def test_slides_follow_kinks_however_sharp(angle, sharpness):
    slice = sharp_groove(angle, sharpness)
    place = slide(slice, Window(-2, 2, -2, 2), (0.1, -0.4), np.array([0.3, 0.3]), 1.0)
    expected = 0.3 * np.array([-np.sin(angle), np.cos(angle)])
    assert place == pytest.approx(tuple(expected), abs=1e-5 * max(1.0, sharpness / 20))
    assert slice_error_by_loops(slice, *place) == pytest.approx(2.0, abs=1e-8 * sharpness)


def sharp_groove(angle: float, sharpness: float) -> Slice:
    """E = (1 + relu(k h))^2 + (1 + relu(-k h))^2 + (g - 0.3)^2, (h, g) turned by an angle."""
    k = sharpness
    objective = make_objective(
        [np.zeros((4, 1)), [[k, 0, 0, 0], [0, k, 0, 0], [0, 0, 1, -1]]],
        ["relu", "identity"],
        [[1]],
        [[-1, -1, 0.3]],
    )
    c, s = np.cos(angle), np.sin(angle)
    return make_slice_by_hand(objective, {1: [[c], [-c], [-s], [s]]}, {1: [[s], [-s], [c], [-c]]})


@pytest.mark.parametrize("angle", [0.3, 1.2])
def test_the_bottom_of_a_sharp_groove_is_one_kinked_minimum(angle):
    found = found_in(sharp_groove(angle, 30.0), Window(-1.2, 1, -1, 1.1), (32, 35))
    (bottom,) = found.points
    assert (bottom.u, bottom.v) == pytest.approx(
        (-0.3 * np.sin(angle), 0.3 * np.cos(angle)), abs=1e-6
    )
    assert (bottom.kind, bottom.support, bottom.smooth) == ("minimum", "edge", False)


def test_a_hollow_beside_a_deeper_one_is_not_jumped_over():
    # Grid minima in neighbouring hollows: E = (min over k of |u - k/4|)^2-like, from abs of abs.
    # |||u| - 0.5| - 0.25| is 0 at +-0.25 and +-0.75; v adds its square, tilted by 0.2 u.
    objective = make_objective(
        [[[1], [0]], [[1, 0], [0, 1]], [[1, 0], [0, 1]]],
        ["abs", "abs", "abs"],
        [[1]],
        [[0, 0]],
        biases=[None, [-0.5, 0], [-0.25, 0]],
    )
    slice = make_slice_by_hand(objective, {1: [[1], [0]]}, {1: [[0], [1]]})
    found = found_in(slice, Window(-1, 1.03, -0.5, 0.61), (27, 24))
    minima = sorted(p.u for p in found.points if p.kind == "minimum")
    assert minima == pytest.approx([-0.75, -0.25, 0.25, 0.75], abs=1e-6)


# --- Sets, constants, extremes --------------------------------------------------------------------


def test_a_constant_surface_is_one_plateau():
    objective = make_objective(
        [np.zeros((2, 1)), [[1, 1]]], ["relu", "relu"], [[1]], [[0.5]], biases=[[-9, -9], None]
    )
    slice = make_slice_by_hand(objective, {1: [[1], [0]]}, {1: [[0], [1]]})
    found = found_in(slice, Window())
    (plateau,) = (*found.points, *found.border)
    assert (plateau.support, plateau.error) == ("plateau", 0.25)
    assert plateau.extent == (-1, 1, -1, 1)
    assert found.lowest[2] == 0.25


def test_no_error_at_all_is_one_plateau():
    objective = make_objective([[[1]]], ["identity"], [[0]], [[0]])
    found = found_in(make_slice_by_hand(objective, {1: [[1]]}, {1: [[2]]}), Window())
    assert [(p.support, p.error) for p in found.points] == [("plateau", 0)]


@pytest.mark.parametrize("transfer", ["identity", "abs", "tanh"])
@pytest.mark.parametrize("target", [0.0, 0.37, -0.45])
def test_an_axis_that_does_nothing_leaves_one_valley(transfer, target):
    # E = (f(v) - y)^2, whatever u is; the valley runs between the rows of the grid.
    objective = make_objective([[[1]]], [transfer], [[1]], [[target]])
    slice = make_slice_by_hand(objective, {1: [[0]]}, {1: [[1]]})
    found = found_in(slice, Window(-1, 1, -0.9, 1), (21, 20))
    root = {"identity": target, "abs": abs(target), "tanh": np.arctanh(target)}[transfer]
    roots = {root, -root} if transfer == "abs" else {root}
    if transfer == "abs" and target < 0:
        roots = {0.0}
    valleys = [p for p in found.points if p.kind == "minimum"]
    assert sorted(p.v for p in valleys) == pytest.approx(sorted(roots), abs=1e-6)
    for valley in valleys:
        assert valley.support == "valley"
        assert valley.extent[:2] == pytest.approx((-1, 1), abs=0.1)
        assert valley.extent[2:] == pytest.approx((valley.v, valley.v), abs=1e-6)
    if transfer == "identity":
        # The highest rows are the border's: there is no maximum inside.
        assert all(p.kind == "minimum" for p in found.points)
        assert any(p.kind == "maximum" for p in found.border)


@pytest.mark.parametrize("resolution", [(20, 20), (20, 21), (21, 20)])
def test_equal_grid_points_round_a_minimum_are_one_point(resolution):
    # E = u^2 + v^2 with 0 between two or four grid points of the same E.
    objective = make_objective([[[0], [0]]], ["identity"], [[1]], [[0, 0]])
    slice = make_slice_by_hand(objective, {1: [[1], [0]]}, {1: [[0], [1]]})
    (only,) = found_in(slice, Window(), resolution).points
    assert (only.u, only.v) == pytest.approx((0, 0), abs=1e-12)
    assert only.support == "cell"
    kinked = make_objective([np.zeros((4, 1)), [[1, 1, 1, 1]]], ["relu"] * 2, [[1]], [[-1]])
    slice = make_slice_by_hand(kinked, {1: [[1], [-1], [0], [0]]}, {1: [[0], [0], [1], [-1]]})
    (only,) = found_in(slice, Window(), resolution).points
    assert (only.u, only.v) == pytest.approx((0, 0), abs=1e-7)
    assert (only.kind, only.support) == ("minimum", "vertex")


def test_a_level_crest_is_one_kinked_valley():
    # E = (1 - |h|)^2 with h turned out of the grid: a crest along h = 0, E = 0 along h = +-1.
    objective = make_objective([[[1]]], ["abs"], [[1]], [[1]])
    c, s = np.cos(0.4), np.sin(0.4)
    slice = make_slice_by_hand(objective, {1: [[c]]}, {1: [[s]]})
    found = found_in(slice, Window(-2, 2.1, -0.5, 0.6), (40, 31))
    crest = one(found.points, "maximum")
    assert (crest.support, crest.smooth) == ("valley", False)
    assert crest.error == pytest.approx(1)
    assert c * crest.u + s * crest.v == pytest.approx(0, abs=1e-6)
    bottoms = [p for p in found.points if p.kind == "minimum"]
    assert [p.support for p in bottoms] == ["valley", "valley"]
    assert sorted(c * p.u + s * p.v for p in bottoms) == pytest.approx([-1, 1])


def test_a_jump_of_the_hessian_alone_is_no_saddle():
    # E = (1 - |u| v)^2: at 0 the gradient is 0 from all sides, and one side's Hessian is a
    # saddle's; but E falls where v > 0 and rises where v < 0.
    objective = make_objective([[[1]], [[1]]], ["abs", "identity"], [[1]], [[1]])
    slice = make_slice_by_hand(objective, {1: [[1]]}, {2: [[1]]})
    for resolution in ((30, 31), (31, 31)):
        found = found_in(slice, Window(-0.7, 0.72, -0.5, 0.9), resolution)
        # E is 1 all along u = 0, which is one set, as the exact road has it.
        (line,) = found.points
        (exact,) = give_exact_verdict(slice, Window(-0.7, 0.72, -0.5, 0.9)).points
        assert (line.support, line.kind, line.index) == (exact.support, exact.kind, exact.index)
        assert line.is_set


def test_a_level_smooth_crest_is_a_maximum():
    # E = ((1 + v) (1 - v))^2 whatever u is: 1 along v = 0, between two rows of the grid.
    objective = make_objective([[[1]], [[1]]], ["identity"] * 2, [[1]], [[0]])
    slice = make_slice_by_hand(objective, {1: [[0]], 2: [[0]]}, {1: [[1]], 2: [[-1]]}, "weights")
    crest = one(found_in(slice, Window(-1, 1, -0.8, 0.8), (21, 20)).points, "maximum")
    assert (crest.support, crest.smooth, crest.error) == ("valley", True, pytest.approx(1))
    assert crest.v == pytest.approx(0, abs=1e-9)
    assert crest.extent[:2] == pytest.approx((-1, 1), abs=0.1)


@pytest.mark.parametrize("half", [1e-6, 1e-3, 1e3, 1e6])
def test_windows_of_any_size(half):
    rng = np.random.default_rng(8)
    for seed in range(6):
        objective = random_objective(rng, 2, None, "squared", False)
        slice = random_slice(np.random.default_rng(seed), "within-layer", "zero", objective)
        window = Window(-half, half, -half, half)
        grid = sample_grid(slice, window, (15, 14))
        found = search(slice, window, grid)
        assert found.lowest[2] <= grid.error.min()
        for point in (*found.points, *found.border):
            assert -half <= point.u <= half
            assert -half <= point.v <= half


# --- Random nets ----------------------------------------------------------------------------------


#: A few nets, and many in the slow run.
FEW = [
    1,
    2,
    3,
    4,
    72,
    171,
    369,
    *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(5, 70)),
]


def random_case(seed: int) -> tuple[Slice, Window, Grid]:
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(1, 4))
    objective = random_objective(rng, depth, "tanh" if seed % 7 == 0 else None)
    slice = random_slice(rng, objective=objective)
    window = (Window(), Window(-1.5, 1, -0.7, 2), Window(0.2, 1.1, -3, -0.5))[seed % 3]
    return slice, window, sample_grid(slice, window, ((31, 31), (30, 24), (17, 33))[seed % 3])


@pytest.mark.parametrize("seed", FEW)
def test_every_point_of_random_nets_is_confirmed(seed):
    slice, window, grid = random_case(seed)
    found = search(slice, window, grid)
    scale = np.abs(grid.error).max()
    assert found.lowest[2] <= grid.error.min()
    u, v, error = found.lowest
    assert error == pytest.approx(slice_error_by_loops(slice, u, v), rel=1e-9, abs=1e-14 * scale)
    for point in (*found.points, *found.border):
        confirm(slice, window, point, scale)
        assert point.error == pytest.approx(
            slice_error_by_loops(slice, point.u, point.v), rel=1e-9, abs=1e-12 * scale
        )


@pytest.mark.parametrize("seed", [36, 55])
def test_a_bent_kink_along_which_e_is_level_has_no_turns(seed: int) -> None:
    """The chord of a piece of it is no tangent: slopes along it would differ in sign."""
    slice, window, grid = random_case(seed)
    found = search(slice, window, grid)
    assert found.audit is not None
    assert found.audit.agrees
    exact = give_exact_verdict(slice, window)

    def on_edges(points):
        return sorted((p.kind, round(p.error, 9)) for p in points if p.support == "edge")

    assert on_edges(found.points) == on_edges(exact.points)


def chain(seed: int) -> Slice:
    """One unit in each hidden layer, no biases: kinks of several layers lie on one another."""
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(2, 4))
    widths = [1] * depth + [int(rng.integers(1, 3))]
    transfers = [TRANSFERS[("relu", "leaky_relu")[k]] for k in rng.integers(0, 2, size=depth)]
    network = random_network(widths, transfers, seed, False)
    objective = Objective(network, random_data(3, 1, widths[-1], seed), LOSSES["squared"])
    layers = list(range(1, depth + 1))
    return make_slice("mixed", objective, layers, layers, "weights", seed)


def narrow_net(seed: int) -> Slice:
    """Layers of 1 to 3 units, with biases or none."""
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(2, 4))
    widths = [int(n) for n in rng.integers(1, 4, size=depth + 1)]
    names = ["relu", "relu", "identity", "leaky_relu"]
    transfers = [TRANSFERS[names[int(k)]] for k in rng.integers(0, 4, size=depth)]
    network = random_network(widths, transfers, seed, bool(rng.integers(2)))
    data = random_data(int(rng.integers(1, 5)), widths[0], widths[-1], seed, "squared")
    layers = list(range(1, depth + 1))
    kind = "filter" if rng.integers(2) else "gaussian"
    objective = Objective(network, data, LOSSES["squared"])
    return make_slice("mixed", objective, layers, layers, "weights", seed, kind)


def rises_beside(slice: Slice, window: Window, saddle: StationaryPoint) -> bool:
    """Whether E rises, or falls, as far on a small circle as on a wide one: a ridge lies beside."""
    size = np.array([window.u1 - window.u0, window.v1 - window.v0])
    angles = np.linspace(0, 2 * np.pi, 240, endpoint=False) + 0.1

    def most(radius: float, sign: float) -> float:
        u = saddle.u + radius * size[0] * np.cos(angles)
        v = saddle.v + radius * size[1] * np.sin(angles)
        above = sign * (values(slice, u, v) - saddle.error)
        return sharpest(slice, saddle, radius * size, angles, above, sign)

    return any(most(3e-5, sign) > 0.3 * most(3e-4, sign) for sign in (1.0, -1.0))


WINDOWS = [
    Window(-1.5, 2, -1, 1.25),
    Window(-2, 2, -2, 2),
    Window(-3, 2, -2, 3),
    Window(-1.2, 1.7, -1.6, 0.9),
]


@pytest.mark.parametrize(
    ("make", "seed", "number"),
    [
        (narrow_net, 2, 0),
        (chain, 1, 1),
        (chain, 4, 0),
        (chain, 9, 2),
        (chain, 10, 3),
        *(
            pytest.param(make, seed, number, marks=pytest.mark.slow)
            for make, seeds in ((chain, range(16)), (narrow_net, (2, 12, 40, 59)))
            for seed, number in itertools.product(seeds, range(len(WINDOWS)))
        ),
    ],
)
def test_no_saddles_on_kinks_that_lie_on_one_another(make, seed: int, number: int) -> None:
    """E is level along them and falls on both sides: a ridge, and no point of it is a saddle."""
    slice, window = make(seed), WINDOWS[number]
    found = search(slice, window, sample_grid(slice, window, (31, 31)), refine=False)
    for saddle in (p for p in found.points if p.kind == "saddle" and not p.is_set):
        assert not rises_beside(slice, window, saddle), saddle
    sets = np.array([p.error for p in found.points if p.is_set])
    scale = np.abs(found.samples.derivatives.error).max()
    for point in (p for p in found.points if p.kind == "saddle" and not p.is_set):
        assert (np.abs(sets - point.error) > 1e-9 * scale).all(), point
    if found.audit.agrees:
        # What is left over for a set is no more than it can have.
        assert sum(p.index for p in found.points if p.is_set) <= len(sets)


def test_a_ridge_on_kinks_that_lie_on_one_another_is_one_set() -> None:
    slice, window = narrow_net(2), WINDOWS[0]
    found = found_in(slice, window, (61, 61))
    assert found.audit.agrees
    assert all(p.is_set for p in found.points)
    # The ridge runs into a plateau, with which it is one.
    (ridge,) = (p for p in found.points if p.kind == "maximum")
    assert ridge.support == "plateau"
    # E is level on a straight line from border to border: it is seen where h of layer 1 is 0.
    u = np.linspace(-1.47, -0.01, 60)
    W, U, V = slice.objective.network.weights[0], slice.along_u[1], slice.along_v[1]
    v = -(W[0, 0] + u * U[0, 0]) / V[0, 0]
    assert values(slice, u, v) == pytest.approx(np.full(60, ridge.error), rel=1e-12)
    for aside in (1e-3, -1e-3):
        assert (values(slice, u, v + aside) < ridge.error).all()


@pytest.mark.parametrize("seed", [38, 64, 73, 104, 124, 125])
def test_plateaus_are_those_of_the_exact_road(seed: int) -> None:
    """Each one entry, of the right kind and index, whether E falls and rises beside it or not."""
    slice = random_across_slice(seed)
    exact = examine_across(slice, ACROSS)
    found = search(slice, ACROSS, sample_grid(slice, ACROSS, (61, 61)))
    plateaus = [
        p for p in exact.points if p.area is not None and p.area > 0.03 * ACROSS.size.prod()
    ]
    assert plateaus
    for plateau in plateaus:
        alike, known = (
            sorted(
                (p.kind, p.support, p.index)
                for p in points
                if p.is_set and p.error == pytest.approx(plateau.error, rel=1e-9, abs=1e-12)
            )
            for points in (found.points, exact.points)
        )
        assert alike == known


def certain_extrema(slice: Slice, window: Window, kind: str) -> list[tuple[float, float]]:
    """Grid points of a fine grid with a rim of squares round them on which E is higher (lower).

    Somewhere inside such a rim there is a minimum (maximum) for certain.
    """
    fine, reach = sample_grid(slice, window, (81, 81)), 4
    sign = 1.0 if kind == "minimum" else -1.0
    places = []
    inner = sign * fine.error[1:-1, 1:-1]
    lowest = np.ones_like(inner, dtype=bool)
    for down, right in itertools.product((0, 1, 2), repeat=2):
        lowest &= inner <= sign * fine.error[down : down + 79, right : right + 79]
    for row, column in np.argwhere(lowest) + 1:
        if min(row, column) >= reach and max(row, column) < 81 - reach:
            part = (
                sign
                * fine.error[row - reach : row + reach + 1, column - reach : column + reach + 1]
            )
            rim = min(part[0].min(), part[-1].min(), part[:, 0].min(), part[:, -1].min())
            here = part[reach, reach]
            if here > part.min() or rim - here < 1e-3 * np.abs(fine.error).max():
                continue
            u, v = (
                fine.u[column - reach : column + reach + 1],
                fine.v[row - reach : row + reach + 1],
            )
            s = np.linspace(0, 1, 100)
            around = [(u[0] + s * (u[-1] - u[0]), 0 * s + e) for e in (v[0], v[-1])]
            around += [(0 * s + e, v[0] + s * (v[-1] - v[0])) for e in (u[0], u[-1])]
            if all((sign * values(slice, *side)).min() > here for side in around):
                places.append((float(fine.u[column]), float(fine.v[row])))
    return places


def test_a_minimum_between_higher_ground_and_a_deeper_hollow_is_found():
    slice, window, grid = random_case(72)
    near = [
        p
        for p in search(slice, window, grid).points
        if p.kind == "minimum" and np.hypot(p.u + 0.55, p.v + 0.3667) < 0.03
    ]
    assert len(near) == 1
    confirm(slice, window, near[0], np.abs(grid.error).max())


@pytest.mark.parametrize("seed", FEW)
def test_every_clear_extremum_of_a_finer_grid_has_its_point(seed):
    slice, window, grid = random_case(seed)
    found = search(slice, window, grid)
    for kind in ("minimum", "maximum"):
        for u, v in certain_extrema(slice, window, kind):
            reach_u, reach_v = 5 / 80 * (window.u1 - window.u0), 5 / 80 * (window.v1 - window.v0)
            near = [
                p
                for p in found.points
                if p.kind == kind
                and (p.is_set or (abs(p.u - u) <= reach_u and abs(p.v - v) <= reach_v))
            ]
            assert near, (kind, u, v)


# --- The steps ------------------------------------------------------------------------------------


def bowl(rows: str) -> Grid:
    """A grid from digits, one row of text for each v."""
    error = np.array([[float(digit) for digit in row] for row in rows.split()])
    return Grid(np.arange(error.shape[1]), np.arange(error.shape[0]), error, "by hand")


def test_candidates_are_the_extrema_and_saddles_of_a_grid():
    grid = bowl("99999 94549 95159 94549 99999")
    assert [(c.row, c.column, c.kind) for c in find_candidates(grid) if c.row == 2] == [
        (2, 2, "minimum")
    ]
    flipped = Grid(grid.u, grid.v, -grid.error, "by hand")
    assert (2, 2, "maximum") in [(c.row, c.column, c.kind) for c in find_candidates(flipped)]
    pass_ = bowl("919 757 919")
    assert ("saddle", 1, 1) in [(c.kind, c.row, c.column) for c in find_candidates(pass_)]
    assert [(c.kind, c.row, c.column) for c in find_candidates(bowl("123 234 345"))] == [
        ("minimum", 0, 0),
        ("maximum", 2, 2),
    ]


def test_flat_sets_are_connected_and_unbeaten():
    sets = find_flat_sets(bowl("9999999 9228889 9228999 9999933"))
    assert sorted((s.kind, s.has_area, len(s.members)) for s in sets) == [
        ("maximum", False, 18),
        ("minimum", False, 2),
        ("minimum", True, 4),
    ]


def test_newton_ends_at_the_root_of_the_gradient():
    slice, window = tanh_slice(), Window(-3, 3, -3, 3)
    reach, scale = np.array([0.2, 0.2]), 100.0
    found = newton(slice, window, np.array([[0.5, 0.15], [0.6, 0.0]]), reach, scale)
    assert found.points == pytest.approx(np.array([[0.545587, 0.100870]] * 2), abs=1e-6)
    assert found.residual.max() < 1e-12
    at = differentiate(slice, found.points[:, 0], found.points[:, 1])
    assert (at.hessian == found.hessian).all()
    outside = newton(slice, Window(-3, 0.5, -3, 3), np.array([[0.45, 0.1]]), reach, scale)
    assert not len(outside.points)


def test_newton_keeps_nothing_that_lies_on_a_node():
    # E = relu(u)^2 + v^2: from the right the steps end on u = 0, where the Hessian jumps.
    objective = make_objective([[[1], [0]]], ["relu"], [[1]], [[0, 0]])
    slice = make_slice_by_hand(objective, {1: [[1], [0]]}, {1: [[0], [1]]})
    found = newton(slice, Window(-2, 2, -2, 2), np.array([[1.0, 1.0]]), np.array([4.0, 4.0]), 4.0)
    assert not len(found.points)


def test_zoom_closes_in_on_a_vertex():
    # E = (relu(|u|) + relu(|v|) + 1)^2 about (0, 0).
    kinked = make_objective([np.zeros((4, 1)), [[1, 1, 1, 1]]], ["relu"] * 2, [[1]], [[-1]])
    slice = make_slice_by_hand(kinked, {1: [[1], [-1], [0], [0]]}, {1: [[0], [0], [1], [-1]]})
    place = zoom(slice, Window(-1, 1, -1, 1), (0.31, -0.17), np.array([0.1, 0.1]), "minimum")
    assert place == pytest.approx((0, 0), abs=1e-10)


def test_long_data_do_not_make_the_search_long():
    objective = Objective(
        random_network((20, 64, 10), (TRANSFERS["relu"],) * 2, 1),
        random_data(1000, 20, 10, 2),
        LOSSES["squared"],
    )
    slice = make_slice("E1", objective, [2], [2], "weights")
    found = found_in(slice, Window(), (21, 21))
    assert len(found.samples.u) <= 600
    assert found.points


def test_the_samples_keep_off_nodes():
    data = Data(np.array([[1.0]]), np.array([[1.0]]))
    network = random_network((1, 2, 1), (TRANSFERS["relu"], TRANSFERS["identity"]), 1)
    slice = make_slice("s", Objective(network, data, LOSSES["squared"]), [1], [1])
    found = found_in(slice, Window(), (9, 7))
    assert len(found.samples.u) == 63
    assert not found.samples.derivatives.on_node.any()
    assert found.samples.eigenvalues.shape == (63, 2)
