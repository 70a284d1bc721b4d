"""The stationary points, the audit and the extremes, each against something else."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from exact_slices import WINDOW, random_exact_slice
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import crossed_segments, make_objective, make_slice_by_hand

from surfacecli.geometry.exact import points as points_module
from surfacecli.geometry.exact.points import Audit, Exact, examine_cells
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.stationary import StationaryPoint
from surfacecli.geometry.surface import evaluate
from surfacecli.presets import load_preset

#: The sweep that several tests look at.
SWEEP = 1000


@pytest.fixture(scope="module")
def sweep() -> list[Exact]:
    return [examine_cells(random_exact_slice(seed), WINDOW) for seed in range(SWEEP)]


def every_point(exact: Exact) -> tuple[StationaryPoint, ...]:
    return (*exact.points, *exact.border)


def test_the_audit_of_a_thousand_nets(sweep: list[Exact]) -> None:
    assert {exact.audit for exact in sweep} == {Audit(sum=1, disputed=0)}
    assert all(exact.audit.complete for exact in sweep)


def test_the_points_alone_sum_to_one_too(sweep: list[Exact]) -> None:
    """Regular strata have index 0: the reported points carry the whole sum."""
    for exact in sweep:
        assert sum(point.index for point in every_point(exact)) == 1


@pytest.mark.parametrize("seed", [741, 756, 917, *range(40)])
def test_no_point_of_a_set_is_regular(seed: int) -> None:
    """Level kinks that E crosses downhill once bound a saddle at their end into a long valley."""
    slice = random_exact_slice(seed)
    for window in (WINDOW, Window(-1.5, 2.0, -1.0, 1.75)):
        for point in every_point(examine_cells(slice, window)):
            assert crossed_segments(slice, window, point) == 0


def test_the_sweep_has_points_of_all_sorts(sweep: list[Exact]) -> None:
    kinds = Counter((p.support, p.kind) for exact in sweep for p in exact.points)
    for support, wanted in (
        ("cell", {"minimum"}),
        ("edge", {"minimum", "saddle"}),
        ("vertex", {"minimum", "saddle", "maximum"}),
        ("valley", {"minimum", "saddle", "maximum", "shoulder"}),
        ("plateau", {"minimum", "saddle", "maximum", "shoulder"}),
    ):
        assert {kind for place, kind in kinds if place == support} == wanted
    losses = Counter(exact.cells.slice.objective.loss.name for exact in sweep)
    assert min(losses.values()) >= 40
    assert len(losses) == 4


@given(st.integers(min_value=10_000, max_value=2**31))
@settings(max_examples=60)
def test_the_audit_of_any_net(seed: int) -> None:
    exact = examine_cells(random_exact_slice(seed, widest=4), WINDOW)
    assert exact.audit == Audit(sum=1, disputed=0)


def test_slopes_that_cancel_are_level() -> None:
    """Found by the law above: units that cancel leave slopes of 1e-18, whose signs mean nothing."""
    exact = examine_cells(random_exact_slice(15539, widest=4), WINDOW)
    assert exact.audit == Audit(sum=1, disputed=0)


def test_certain_outputs_have_slopes_with_signs() -> None:
    """Found by the law above: cross entropy with probabilities within 1e-13 of 1 and 0.

    Their differences to the targets were rounding, of which Newton's way to the zero was made.
    """
    exact = examine_cells(random_exact_slice(16168, widest=4), WINDOW)
    assert exact.audit == Audit(sum=1, disputed=0)


@pytest.mark.parametrize("left_out", ["vertex", "dip", "constant", "cell"])
def test_the_audit_fails_where_a_kind_of_stratum_is_left_out(
    left_out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kind of stratum carries weight: without it the sum is wrong on many nets."""
    whole = points_module.find_strata

    def partial(*arguments: object) -> object:
        strata = whole(*arguments)  # type: ignore[arg-type]
        if left_out == "vertex":
            return dataclasses.replace(strata, arcs=np.ones_like(strata.arcs))
        if left_out == "dip":
            sides = strata.side_falls.copy()
            sides[2 * strata.dips], sides[2 * strata.dips + 1] = True, False
            return dataclasses.replace(strata, side_falls=sides)
        if left_out == "constant":
            sides = strata.side_falls.copy()
            constant = np.flatnonzero(strata.constant)
            sides[2 * constant], sides[2 * constant + 1] = True, False
            return dataclasses.replace(strata, side_falls=sides)
        return dataclasses.replace(strata, inside=np.zeros_like(strata.inside))

    monkeypatch.setattr(points_module, "find_strata", partial)
    failed = 0
    for seed in range(60):
        exact = examine_cells(random_exact_slice(seed), WINDOW)
        failed += not exact.audit.complete
    assert failed >= 10


def test_a_wrong_cell_is_disputed(sweep: list[Exact], monkeypatch: pytest.MonkeyPatch) -> None:
    """The inside of a cell is decided twice: a lost lowest point shows, with every loss."""
    whole = points_module.find_strata

    def spoiled(*arguments: object) -> object:
        strata = whole(*arguments)  # type: ignore[arg-type]
        inside = strata.inside.copy()
        curved = exact.curvatures[:, 0] > 1e-6 * exact.curvatures[:, 1]
        inside[np.flatnonzero((inside == 1) & curved)[0]] = 0
        return dataclasses.replace(strata, inside=inside)

    monkeypatch.setattr(points_module, "find_strata", spoiled)
    disputed = Counter()
    for exact in sweep:
        name = exact.cells.slice.objective.loss.name
        if disputed[name] < 4 and any(point.support == "cell" for point in exact.points):
            again = examine_cells(exact.cells.slice, WINDOW)
            assert again.audit == Audit(sum=1, disputed=1)
            assert not again.audit.complete
            disputed[name] += 1
    assert set(disputed) == {"squared", "half_squared", "cross_entropy", "logistic"}


def directions_of_kinks(exact: Exact, place: np.ndarray) -> np.ndarray:
    """Angles of the kinks through a place, from the edges that pass near it."""
    plane = exact.cells.plane
    a, b = plane.place[plane.ends[:, 0]], plane.place[plane.ends[:, 1]]
    along = b - a
    length = np.hypot(*along.T)
    t = np.clip(np.einsum("ek,ek->e", place - a, along) / length**2, 0, 1)
    near = np.hypot(*(a + t[:, None] * along - place).T) < 1e-11
    angle = np.arctan2(along[near, 1], along[near, 0])
    return np.concatenate([angle, angle + np.pi])


def circle_signs(
    exact: Exact, point: StationaryPoint, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Signs of E - E(p) round a small circle, 2 outside the window, and which lie on a kink."""
    place = np.array([point.u, point.v])
    kinks = np.sort(directions_of_kinks(exact, place) % (2 * np.pi))
    angles = np.concatenate([kinks, np.linspace(0, 2 * np.pi, 97)])
    angles = np.unique(angles)
    angles = np.concatenate([angles, 0.5 * (angles + np.roll(angles, -1) + 2e-17)[:-1]])
    angles = np.sort(angles)
    circle = place + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    window = exact.cells.window
    inside = (circle[:, 0] >= window.u0) & (circle[:, 0] <= window.u1)
    inside &= (circle[:, 1] >= window.v0) & (circle[:, 1] <= window.v1)
    centre = evaluate(exact.cells.slice, point.u, point.v)
    values = evaluate(exact.cells.slice, *circle.T) - centre
    noise = 1e-13 * max(exact.highest[2], 1e-300)
    signs = np.where(np.abs(values) <= noise, 0, np.sign(values))
    return np.where(inside, signs, 2), np.isin(angles, kinks)


def looks_like(exact: Exact, point: StationaryPoint, radius: float) -> bool:
    """Whether E on a circle clearly falls and rises as a point's kind and index say."""
    signs, on_kink = circle_signs(exact, point, radius)
    held = signs[signs != 2]
    clear = held[held != 0]
    if len(clear) < 0.5 * len(held):
        return False
    if point.kind == "minimum":
        return bool((clear > 0).all())
    if point.kind == "maximum":
        return bool((clear < 0).all())
    if point.on_border:
        return bool((clear > 0).any() and (clear < 0).any())
    arcs = int(((clear < 0) & (np.roll(clear, 1) > 0)).sum())
    return arcs == 1 - point.index and not (signs[on_kink] == 0).any()


def clear_radius(exact: Exact, place: np.ndarray) -> float:
    """Less than the distance to every vertex and edge that does not pass through a place."""
    plane = exact.cells.plane
    a, b = plane.place[plane.ends[:, 0]], plane.place[plane.ends[:, 1]]
    along = b - a
    t = np.clip(np.einsum("ek,ek->e", place - a, along) / np.einsum("ek,ek->e", along, along), 0, 1)
    away = np.hypot(*(a + t[:, None] * along - place).T)
    corners = np.hypot(*(plane.place - place).T)
    return 0.3 * min(away[away > 1e-11].min(initial=1.0), corners[corners > 1e-11].min(initial=1.0))


def test_small_circles_round_every_single_point(sweep: list[Exact]) -> None:
    """E by the plain forward pass falls and rises as the kind of each point says."""
    looked = Counter()
    for exact in sweep[:400]:
        for point in every_point(exact):
            radius = clear_radius(exact, np.array([point.u, point.v]))
            if point.is_set or radius < 1e-4:
                continue
            # Small enough: far out E may rise again, or fall. Not so small that rounding rules.
            radii = radius * 0.2 ** np.arange(6)
            assert any(looks_like(exact, point, r) for r in radii), point
            looked[point.support, point.kind] += 1
    for support, kind in (
        ("cell", "minimum"),
        ("edge", "minimum"),
        ("edge", "saddle"),
        ("vertex", "minimum"),
        ("vertex", "maximum"),
        ("vertex", "saddle"),
    ):
        assert looked[support, kind] >= 5, (support, kind)


def near_points(exact: Exact, u: float, v: float, kind: str, reach: float) -> bool:
    """Whether some reported point of a kind, or such a set's box, lies near (u, v)."""
    for point in every_point(exact):
        u0, u1, v0, v1 = point.extent or (point.u, point.u, point.v, point.v)
        near = u0 - reach <= u <= u1 + reach and v0 - reach <= v <= v1 + reach
        if point.kind == kind and near:
            return True
    return False


def follow(slice: Slice, place: np.ndarray, sign: float) -> np.ndarray:
    """Downhill (sign 1) or uphill from a place of the window, by trying steps of all sizes."""
    rng = np.random.default_rng(0)
    low, high = [WINDOW.u0, WINDOW.v0], [WINDOW.u1, WINDOW.v1]
    value = sign * float(evaluate(slice, *place))
    for _ in range(150):
        steps = rng.normal(size=(300, 2)) * 10.0 ** rng.uniform(-7, -1, size=(300, 1))
        tried = np.clip(place + steps, low, high)
        values = sign * evaluate(slice, *tried.T)
        if values.min() < value:
            place, value = tried[values.argmin()], values.min()
    return place


def test_extrema_of_a_grid_lead_to_reported_points(sweep: list[Exact]) -> None:
    """A grid has minima and maxima of its own along slanting kinks: followed on, they are found."""
    count = Counter()
    for exact in sweep[:120]:
        ratio = exact.curvatures[:, 0] / np.maximum(exact.curvatures[:, 1], 1e-300)
        if ((ratio > 1e-9) & (ratio < 0.03)).any():
            continue  # steps at random lose their way in narrow valleys
        slice = exact.cells.slice
        u, v = WINDOW.axes((41, 31))
        error = evaluate(slice, u[None, :], v[:, None])
        inner = error[1:-1, 1:-1]
        around = np.stack(
            [
                np.roll(error, (dv, du), (0, 1))[1:-1, 1:-1]
                for dv in (-1, 0, 1)
                for du in (-1, 0, 1)
                if (dv, du) != (0, 0)
            ]
        )
        noise = 1e-12 * exact.highest[2]
        for kind, sign in (("minimum", 1.0), ("maximum", -1.0)):
            extreme = (sign * inner < sign * around - noise).all(axis=0)
            for row, column in zip(*np.nonzero(extreme), strict=True):
                end = follow(slice, np.array([u[column + 1], v[row + 1]]), sign)
                assert near_points(exact, *end, kind, 0.01), (slice.name, kind, end)
                count[kind] += 1
    assert min(count["minimum"], count["maximum"]) >= 5


def test_the_minimum_is_below_every_sample_and_attained(sweep: list[Exact]) -> None:
    for exact in sweep[:400]:
        u, v = WINDOW.axes((61, 41))
        error = evaluate(exact.cells.slice, u[None, :], v[:, None])
        noise = 1e-11 * max(exact.highest[2], 1e-300)
        for (u_at, v_at, value), sign in ((exact.lowest, 1.0), (exact.highest, -1.0)):
            assert (sign * (error - value) >= -noise).all()
            attained = float(evaluate(exact.cells.slice, u_at, v_at))
            assert attained == pytest.approx(value, abs=noise)
            assert WINDOW.u0 <= u_at <= WINDOW.u1
            assert WINDOW.v0 <= v_at <= WINDOW.v1


def test_the_lowest_point_is_among_the_reported(sweep: list[Exact]) -> None:
    for exact in sweep:
        lowest = min(point.error for point in every_point(exact) if point.kind == "minimum")
        assert lowest == pytest.approx(exact.lowest[2], abs=1e-11 * max(exact.highest[2], 1e-300))


def test_maxima_lie_on_kinks(sweep: list[Exact]) -> None:
    """The theorem: inside a cell E is convex."""
    for exact in sweep:
        scale = np.abs(exact.curvatures).max(initial=0.0)
        assert (exact.curvatures >= -1e-9 * scale).all()
        for point in exact.points:
            if point.kind == "maximum" and not point.is_set:
                assert point.support == "vertex"
                assert not point.smooth
                assert point.kinks


def test_smooth_points_have_a_gradient(sweep: list[Exact]) -> None:
    for exact in sweep[:400]:
        for point in exact.points:
            if point.is_set:
                continue
            assert (point.residual is not None) == point.smooth
            if point.residual is not None:
                assert point.residual <= 1e-9 * max(exact.highest[2], 1.0)


def test_the_kinks_of_a_point_have_a_unit_on_its_node(sweep: list[Exact]) -> None:
    checked = 0
    for exact in sweep[:200]:
        network, data = exact.cells.slice.objective.network, exact.cells.slice.objective.data
        for point in exact.points:
            if point.support not in ("edge", "vertex"):
                continue
            there = exact.cells.slice.network_at(point.u, point.v)
            pre_activations, _ = there.forward(data.inputs)
            for layer, unit, sample in point.kinks:
                h = pre_activations[layer - 1][sample - 1, unit - 1]
                nodes = network.transfers[layer - 1].nodes or ()
                assert min(abs(h - node) for node in nodes) < 1e-10
                checked += 1
    assert checked > 200


def test_a_point_names_every_unit_of_its_kink() -> None:
    """Two units and a third in proportion share a kink, on two data points: six names."""
    objective = make_objective(
        [[[0.0], [0.0], [0.0]], [[-1.0, 0.5, -1.0]]],
        ["relu", "identity"],
        [[1.0], [2.0]],
        [[-0.3], [-0.4]],
    )
    U, V = [[1.0], [1.0], [-2.0]], [[0.5], [0.5], [-1.0]]
    slice = make_slice_by_hand(objective, {1: U}, {1: V})
    for window in (Window(), Window(-1.0, 1.0, -1.0, 0.5), Window(0.1, 1.0, -1.0, 0.5)):
        (ridge,) = [p for p in examine_cells(slice, window).points if p.kind == "maximum"]
        assert (ridge.support, ridge.smooth) == ("valley", False)
        assert ridge.error == pytest.approx(0.25)
        assert ridge.kinks == tuple((1, unit, sample) for unit in (1, 2, 3) for sample in (1, 2))


# Plateaus, valleys and cases by hand


def test_the_plateau_preset() -> None:
    """Six dead units round a hexagon: its closed form, its rim, six minima of either sort."""
    preset = load_preset("plateau")
    (slice,) = preset.slices.values()
    exact = examine_cells(slice, Window(-1.6, 1.6, -1.6, 1.6))
    (plateau,) = [p for p in exact.points if p.support == "plateau"]
    assert plateau.kind == "maximum"
    assert plateau.area == pytest.approx(2 * np.sqrt(3) * 0.3**2, rel=1e-12)
    assert plateau.error == pytest.approx(3 * 0.8**2, rel=1e-12)
    corner = 2 * 0.3 / np.sqrt(3)
    ends = np.array(plateau.outline)
    assert ends.shape == (6, 2, 2)
    assert np.hypot(ends[..., 0], ends[..., 1]) == pytest.approx(np.full((6, 2), corner))
    assert plateau.extent == pytest.approx((-0.3, 0.3, -corner, corner), abs=1e-12)
    minima = Counter(round(p.error, 9) for p in exact.points if p.kind == "minimum")
    assert sorted(minima.values()) == [6, 6]
    assert exact.audit.complete


def one_unit(target: float, output: str = "identity") -> Slice:
    """E = (relu(u + 0.25) - y)^2 for all v: a plateau, a valley, or both."""
    objective = make_objective([[[0.25, 0.0]], [[1.0]]], ["relu", output], [[1.0, 0.0]], [[target]])
    return make_slice_by_hand(objective, {1: [[1.0, 0.0]]}, {1: [[0.0, 1.0]]}, "weights")


def test_a_valley_and_a_plateau_by_hand() -> None:
    exact = examine_cells(one_unit(0.5), WINDOW)
    assert len(exact.points) == 2
    valley, plateau = exact.points
    assert (valley.kind, valley.support, valley.smooth) == ("minimum", "valley", True)
    assert valley.extent == pytest.approx((0.25, 0.25, -0.7, 1.0))
    assert valley.error == pytest.approx(0.0, abs=1e-15)
    assert len(valley.outline) == 1
    assert (plateau.kind, plateau.support) == ("maximum", "plateau")
    assert plateau.area == pytest.approx(0.75 * 1.7)
    assert plateau.error == pytest.approx(0.25)
    assert plateau.extent == pytest.approx((-1.0, -0.25, -0.7, 1.0))


def test_a_plateau_that_is_a_minimum_has_a_kinked_rim_or_none() -> None:
    exact = examine_cells(one_unit(-0.5), WINDOW)
    (plateau,) = exact.points
    assert (plateau.kind, plateau.index, plateau.smooth) == ("minimum", 1, False)
    exact = examine_cells(one_unit(0.0), WINDOW)
    (plateau,) = exact.points
    assert (plateau.kind, plateau.index, plateau.smooth) == ("minimum", 1, True)


def test_one_valley_over_many_cells() -> None:
    """relu(2 + u) = 0.75 along a line that two kinks of units without effect cross."""
    units = [[1.0, 0.0], *([[0.0, 1.0]] * 2)]
    objective = make_objective(
        [units, [[1.0, 0.0, 0.0]]],
        ["relu", "identity"],
        [[1.0, 0.0]],
        [[0.75]],
        biases=[[1.0, 0.3, -0.4], [0.0]],
    )
    slice = make_slice_by_hand(
        objective, {1: [[1, 0], [0, 0], [0, 0]]}, {1: [[0, 0], [1, 0], [1, 0]]}, "weights"
    )
    exact = examine_cells(slice, Window(-1.5, 1.5, -1, 1))
    valleys = [p for p in exact.points if p.kind == "minimum"]
    assert len(exact.cells) == 3
    assert len(valleys) == 1
    # Pre-activations 2 + u, v + 0.3 and v - 0.4.
    assert valleys[0].extent == pytest.approx((-1.25, -1.25, -1.0, 1.0))
    assert len(valleys[0].outline) == 3


def test_a_kink_that_ends_on_another_makes_a_straight_corner() -> None:
    """E falls off a level ridge on which another kink ends: the corner of 180 degrees counts."""
    # o = |a| with a = u; a second kink relu(u - ...) lives on u > 0 only and ends on u = 0.
    objective = make_objective(
        [[[0.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [1.0, -1.0]], [[-1.0, -0.5]]],
        ["relu", "relu", "identity"],
        [[1.0, 1.0]],
        [[1.0]],
    )
    slice = make_slice_by_hand(objective, {1: [[1, 0], [0, 0]]}, {1: [[0, 0], [1, 0]]}, "weights")
    exact = examine_cells(slice, Window(-1, 1, -1, 1))
    assert exact.audit.complete
    assert set(exact.strata.inside.tolist()) <= {-1, 0, 1}


def test_a_valley_of_the_other_losses() -> None:
    objective = make_objective(
        [[[0.0, 0.0]], [[1.0], [-1.0]]],
        ["relu", "identity"],
        [[1.0, 0.0], [1.0, 0.0]],
        [[1.0, 0.0], [0.0, 1.0]],
        "cross_entropy",
    )
    slice = make_slice_by_hand(objective, {1: [[1.0, 0.0]]}, {1: [[0.0, 1.0]]})
    exact = examine_cells(slice, WINDOW)
    # Both classes on one input: 2 log(2 cosh a) is least at a = 0, where relu is 0 for u <= 0.
    (plateau,) = exact.points
    assert (plateau.kind, plateau.support) == ("minimum", "plateau")
    assert plateau.error == pytest.approx(2 * np.log(2))
    assert plateau.area == pytest.approx(1.7)


@pytest.mark.parametrize("name", ["cross_entropy", "logistic"])
def test_newton_points_of_convex_losses(name: str, sweep: list[Exact]) -> None:
    residuals = [
        point.residual
        for exact in sweep
        if exact.cells.slice.objective.loss.name == name
        for point in exact.points
        if point.support == "cell"
    ]
    assert len(residuals) >= 4
    assert max(r for r in residuals if r is not None) <= 1e-9


def test_level_kinks_that_are_crossed_downhill_are_not_stationary() -> None:
    """u alone moves the hidden unit: its kink u = 0.5 is level, and E falls through it."""
    objective = make_objective([[[1.0]], [[1.0]]], ["leaky_relu", "identity"], [[1.0]], [[-5.0]])
    slice = make_slice_by_hand(objective, {1: [[1.0]]}, {1: [[0.0]]}, "zero")
    exact = examine_cells(slice, Window(-1, 1, -1, 1))
    assert len(exact.cells) == 2
    assert exact.audit.complete
    assert exact.points == ()
    kinds = {(point.kind, point.support) for point in exact.border}
    assert ("minimum", "valley") in kinds
    assert sum(point.index for point in exact.border) == 1
