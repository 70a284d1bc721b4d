"""Exact paths of gradient flow, against closed forms by hand, differences and small steps."""

import math

import numpy as np
import pytest
from exact_slices import WINDOW, random_exact_slice, random_points
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from oracles import make_objective, make_slice_by_hand

from surfacecli.geometry.descent import flow as flow_module
from surfacecli.geometry.descent.closed import first_passing, phi, start_flow
from surfacecli.geometry.descent.descend import descend
from surfacecli.geometry.descent.path import Path
from surfacecli.geometry.descent.starts import random_starts, spread_starts
from surfacecli.geometry.descent.steepest import Sector, find_steepest
from surfacecli.geometry.exact.points import Exact, examine_cells
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.surface import differentiate, evaluate
from surfacecli.presets import load_preset

Array = NDArray[np.float64]
SQUARE = Window(-2.0, 2.0, -2.0, 2.0)


def by_hand(transfer: str, targets: list[list[float]], slopes: tuple[float, float]) -> Slice:
    """Two outputs f(p u) and f(q v), each seen by one data point alone; the other is 0 there."""
    p, q = slopes
    objective = make_objective([np.eye(2)], [transfer], [[p, 0.0], [0.0, q]], targets)
    return make_slice_by_hand(objective, {1: [[1, 0], [0, 0]]}, {1: [[0, 0], [0, 1]]})


def flow(slice: Slice, window: Window, *starts: tuple[float, float]) -> list[Path]:
    return descend(slice, window, starts, exact=examine_cells(slice, window))


# By hand


def test_a_bowl() -> None:
    """E = (u - 1)^2 + (2 v)^2."""
    (path,) = flow(by_hand("identity", [[1, 0], [0, 0]], (1.0, 2.0)), SQUARE, (-1.5, 1.25))
    finite = np.isfinite(path.time)
    t = path.time[finite]
    np.testing.assert_allclose(path.u[finite], 1.0 - 2.5 * np.exp(-2.0 * t), atol=1e-14)
    np.testing.assert_allclose(path.v[finite], 1.25 * np.exp(-8.0 * t), atol=1e-14)
    assert (path.u[-1], path.v[-1]) == pytest.approx((1.0, 0.0), abs=1e-14)
    assert path.time[-1] == math.inf
    assert path.end.describe() == "smooth minimum"
    assert path.exact
    assert not path.events
    steps = np.hypot(np.diff(path.u), np.diff(path.v))
    assert steps.max() < 0.02 * 4.0


def test_a_kink_that_is_followed() -> None:
    """E = (|u| + 1)^2 + (|v| - 1)^2: u reaches its kink at t = log(1.5) / 2 and stays on it."""
    slice = by_hand("abs", [[-1, 0], [0, 1]], (1.0, 1.0))
    (path,) = flow(slice, SQUARE, (0.5, 0.5))
    (slide,) = path.events
    assert slide.kind == "slide"
    assert path.slides == 1
    assert path.time[slide.at] == pytest.approx(math.log(1.5) / 2, rel=1e-12)
    assert path.u[slide.at] == 0.0
    assert path.v[slide.at] == pytest.approx(2.0 / 3.0, rel=1e-12)
    assert (path.u[slide.at :] == 0.0).all()
    after = slice_of_time(path, slide.at)
    np.testing.assert_allclose(path.v[after], 1.0 - 0.5 * np.exp(-2.0 * path.time[after]))
    assert path.end.describe() == "kinked minimum"
    assert (path.end.point.u, path.end.point.v) == (0.0, 1.0)


def slice_of_time(path: Path, start: int) -> Array:
    return np.arange(start, len(path.u) - 1)


def test_a_ridge_is_a_choice() -> None:
    """From v = 0 both sides fall equally, and E along the ridge falls less."""
    slice = by_hand("abs", [[-1, 0], [0, 1]], (1.0, 1.0))
    (path,) = flow(slice, SQUARE, (0.5, 0.0))
    assert path.events[0].kind == "choice"
    assert path.events[0].at == 0
    assert abs(path.v[-1]) == 1.0
    assert path.u[-1] == 0.0


def test_a_vertex_that_catches_the_path() -> None:
    """E = (|u| + 1)^2 + (|v| + 1)^2 has its minimum where the kinks cross."""
    (path,) = flow(by_hand("abs", [[-1, 0], [0, -1]], (1.0, 1.0)), SQUARE, (0.5, 1.25))
    assert path.u[-1] == path.v[-1] == 0.0
    assert path.end.point.support == "vertex"
    assert path.time[-1] == pytest.approx(math.log(2.25) / 2, rel=1e-12)  # finite: a kink
    assert [event.kind for event in path.events] == ["slide"]


def test_a_kink_that_lets_go() -> None:
    """E = (relu(u) + v)^2 + (u / 2 - 0.2)^2: for u > 0 the first term pushes back while v > 0.1."""
    objective = make_objective(
        [[[0.0], [0.0], [0.0]], [[1, 1, 0], [0, 0, 1]]],
        ["relu", "identity"],
        [[1.0]],
        [[3.0, 3.2]],
        biases=[[0.0, 3.0, 3.0], None],
    )
    slice = make_slice_by_hand(objective, {1: [[1], [0], [0.5]]}, {1: [[0], [1], [0]]})
    (path,) = flow(slice, SQUARE, (-0.3, 1.0))
    slide, leave = path.events
    assert (slide.kind, leave.kind) == ("slide", "leave")
    assert path.time[slide.at] == pytest.approx(2.0 * math.log(1.75), rel=1e-12)
    assert path.v[slide.at] == pytest.approx((4 / 7) ** 4, rel=1e-12)
    assert path.time[leave.at] == pytest.approx(0.5 * math.log(10.0), rel=1e-12)
    assert (path.u[leave.at], path.v[leave.at]) == pytest.approx((0.0, 0.1), abs=1e-14)
    assert (path.u[leave.at + 1 :] > 0.0).all()
    assert (path.u[-1], path.v[-1]) == pytest.approx((0.4, -0.4), abs=1e-12)
    assert path.end.describe() == "smooth minimum"


def test_a_plateau_and_its_rim() -> None:
    """On dead units the flow stands still; what comes down to a plateau stops on its rim."""
    plateau = load_preset("plateau").slices["E1"]
    window = Window(-1.6, 1.6, -1.6, 1.6)
    (still,) = flow(plateau, window, (0.05, 0.1))
    assert len(still.u) == 1
    assert still.end.describe() == "plateau (maximum)"
    # relu(u) with target -1: E = (relu(u) + 1)^2, level for u < 0.
    (down,) = flow(by_hand("relu", [[-1, 0], [0, 0]], (1.0, 0.0)), SQUARE, (0.5, 0.3))
    assert (down.u[-1], down.v[-1]) == pytest.approx((0.0, 0.3), abs=1e-15)
    assert down.end.describe() == "plateau (minimum)"


def test_a_valley_is_crossed_straight() -> None:
    """E = (u + v - 1)^2 falls along (1, 1) only."""
    objective = make_objective([[[0.0]]], ["identity"], [[1.0]], [[1.0]])
    slice = make_slice_by_hand(objective, {1: [[1.0]]}, {1: [[1.0]]})
    (path,) = flow(slice, SQUARE, (-1.0, 0.5))
    assert (path.u[-1], path.v[-1]) == pytest.approx((-0.25, 1.25), abs=1e-14)
    assert path.end.describe() == "valley (minimum)"


def test_the_border_of_the_window() -> None:
    window = Window(-2.0, 0.5, -2.0, 2.0)
    slice = by_hand("identity", [[1, 0], [0, 0]], (1.0, 2.0))
    inside, on_it, corner = flow(slice, window, (-1.0, 0.5), (0.5, 0.5), (0.5, 2.0))
    assert inside.end.reason == "border"
    assert inside.u[-1] == 0.5
    assert on_it.end.reason == corner.end.reason == "border"
    assert len(on_it.u) == 1
    with pytest.raises(ValueError, match="outside the window"):
        flow(slice, window, (0.6, 0.0))


# The parts


@given(
    st.one_of(st.just(0.0), st.floats(1e-12, 3)),  # a distance in windows: 0, or no rounding
    st.floats(-4, 4),
    st.floats(-4, 4),
    st.one_of(st.just(0.0), st.floats(1e-6, 3)),
    st.one_of(st.just(0.0), st.floats(1e-3, 40)),
)
@settings(max_examples=150)
def test_the_first_passing_of_a_line(d: float, a: float, b: float, l1: float, more: float) -> None:
    """Against a scan: nowhere below 0 before, 0 there, below 0 soon after."""
    l2 = l1 + more
    t = first_passing(d, (a, b), (l1, l2), leaving=False)

    def f(time: float) -> float:
        return d - a * phi(l1, time) - b * phi(l2, time)

    reach = t if t < math.inf else 60.0
    times = reach * np.linspace(0.0, 1.0, 400) ** 3
    scan = d - sum(
        rate * (-np.expm1(-curvature * times) / curvature if curvature else times)
        for rate, curvature in ((a, l1), (b, l2))
    )
    size = d + abs(a) * min(phi(l1, reach), 60.0) + abs(b) * min(phi(l2, reach), 60.0) + 1e-300
    assert scan.min() >= -1e-12 * size
    if t < math.inf:
        assert abs(f(t)) <= 1e-11 * size


def test_a_line_is_passed_on_return_only_when_left() -> None:
    """f = phi(2, t) - 0.6 phi(1, t) rises from 0 and falls through it once."""
    t = first_passing(0.0, (0.6, -1.0), (1.0, 2.0), leaving=True)
    # (1 - e^-2t) / 2 = 0.6 (1 - e^-t): 1 + e^-t = 1.2.
    assert t == pytest.approx(-math.log(0.2), rel=1e-12)
    assert first_passing(0.0, (0.6, -0.3), (1.0, 2.0), leaving=False) == 0.0
    assert first_passing(0.0, (0.6, -0.3), (1.0, 2.0), leaving=True) == math.inf


def test_the_flow_of_a_quadratic_against_small_steps() -> None:
    rng = np.random.default_rng(5)
    for _ in range(3):
        root = rng.normal(size=(2, 2))
        hessian, gradient, place = root @ root.T, rng.normal(size=2), rng.normal(size=2)
        made = start_flow(
            (place[0], place[1]),
            3.0,
            (gradient[0], gradient[1]),
            (hessian[0, 0], hessian[0, 1], hessian[1, 1]),
        )
        x, steps = place.copy(), 5_000
        for _ in range(steps):
            middle = x - 0.5 / steps * (gradient + hessian @ (x - place))
            x = x - 1.0 / steps * (gradient + hessian @ (middle - place))
        np.testing.assert_allclose(made.places(np.array([1.0]))[0], x, atol=1e-6)
        error = 3.0 + gradient @ (x - place) + 0.5 * (x - place) @ hessian @ (x - place)
        assert made.errors(np.array([1.0]))[0] == pytest.approx(error, abs=1e-6)


@pytest.mark.parametrize("seed", range(40))
def test_the_steepest_descent_against_all_directions(seed: int) -> None:
    """A continuous piecewise-linear function of the direction, looked at in 20,000 directions."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(3, 7))
    angles = np.sort(rng.uniform(0.0, 2.0 * np.pi, count))
    while np.diff(angles, append=angles[0] + 2.0 * np.pi).max() >= np.pi:
        angles = np.sort(rng.uniform(0.0, 2.0 * np.pi, count))
    rays = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    slopes = rng.normal(size=count) + (0.5 if seed % 3 else 1.5)
    sectors = []
    for k in range(count):
        pair = rays[[k, (k + 1) % count]]
        g = np.linalg.solve(pair, slopes[[k, (k + 1) % count]])
        start, end = (tuple(ray) for ray in pair.tolist())
        sectors.append(Sector(start, end, (g[0], g[1]), 1e-12))
    downhill = [math.atan2(-s.gradient[1], -s.gradient[0]) % (2.0 * np.pi) for s in sectors]
    fine = np.linspace(0.0, 2.0 * np.pi, 20_000, endpoint=False)
    fine = np.unique(np.concatenate([fine, angles, downhill]))
    number = (np.searchsorted(angles, fine, side="right") - 1) % count
    directions = np.stack([np.cos(fine), np.sin(fine)], axis=1)
    value = np.einsum("ij,ij->i", np.array([s.gradient for s in sectors])[number], directions)
    found = find_steepest(sectors)
    if value.min() > -1e-3:
        assert found is None or found.slope > -2e-3
        return
    assert found is not None
    assert found.slope == pytest.approx(value.min(), abs=1e-12 * np.abs(value).max())
    assert found.direction == pytest.approx(directions[value.argmin()], abs=1e-9)
    dips = (value < np.roll(value, 1)) & (value <= np.roll(value, -1)) & (value < -1e-3)
    assert found.choices == dips.sum()


def test_starts() -> None:
    window = Window(-1.0, 3.0, 2.0, 2.5)
    for starts in (spread_starts(window, 20), random_starts(window, 20, 7)):
        u, v = np.array(starts).T
        assert len(set(starts)) == 20
        assert ((u > -1) & (u < 3) & (v > 2) & (v < 2.5)).all()
    assert random_starts(window, 5, 7) == random_starts(window, 5, 7)
    assert random_starts(window, 5, 7) != random_starts(window, 5, 8)


# Random nets


def squared_slices(count: int, first: int = 0) -> list[Slice]:
    """Random slices with a squared loss, every second of a wider net."""
    return [
        random_exact_slice(first + seed, losses=False, widest=3 + 3 * (seed % 2))
        for seed in range(count)
    ]


def walk(slice: Slice, number: int) -> tuple[Exact, list[Path]]:
    """Paths from random points, from vertices, stationary points and u = v = 0."""
    exact = examine_cells(slice, WINDOW)
    starts = [(u, v) for u, v in random_points(WINDOW, 3, number).tolist()]
    starts += [(u, v) for u, v in exact.cells.plane.place[:3].tolist()]
    starts += [(p.u, p.v) for p in exact.points[:3]]
    return exact, descend(slice, WINDOW, [*starts, (0.0, 0.0)], exact=exact)


@pytest.fixture(scope="module")
def walked() -> list[tuple[Exact, list[Path]]]:
    return [walk(slice, number) for number, slice in enumerate(squared_slices(45, 200))]


@pytest.mark.slow
def test_a_thousand_nets() -> None:
    wide = [walk(slice, number) for number, slice in enumerate(squared_slices(1000, 30_000))]
    test_e_falls_all_along(wide)
    test_e_is_that_of_the_forward_pass(wide)
    test_paths_end_on_stationary_points_or_the_border(wide)


def every_path(walked: list[tuple[Exact, list[Path]]]) -> list[tuple[Exact, Path]]:
    return [(exact, path) for exact, paths in walked for path in paths]


def test_e_falls_all_along(walked: list[tuple[Exact, list[Path]]]) -> None:
    for exact, path in every_path(walked):
        rounding = 1e-14 * max(exact.highest[2], 1e-300)
        assert np.diff(path.error).max(initial=0.0) <= rounding
        moved = np.hypot(np.diff(path.u), np.diff(path.v))
        assert (np.diff(path.error)[moved > 1e-5] < 0).all()


def test_e_is_that_of_the_forward_pass(walked: list[tuple[Exact, list[Path]]]) -> None:
    for exact, path in every_path(walked):
        error = evaluate(exact.cells.slice, path.u, path.v)
        np.testing.assert_allclose(path.error, error, rtol=1e-9, atol=1e-11 * exact.highest[2])


def test_paths_end_on_stationary_points_or_the_border(
    walked: list[tuple[Exact, list[Path]]],
) -> None:
    reasons = set()
    for exact, path in every_path(walked):
        reasons.add(path.end.reason)
        at = np.array([path.u[-1], path.v[-1]])
        if path.end.reason == "border":
            sides = [at[0] - WINDOW.u0, WINDOW.u1 - at[0], at[1] - WINDOW.v0, WINDOW.v1 - at[1]]
            assert min(sides) == 0.0
            continue
        point = path.end.point
        assert point in (*exact.points, *exact.border)
        if not point.is_set:
            assert np.abs(at - [point.u, point.v]).max() <= 1e-9
            # E is convex in each cell: where it falls in no direction it is lowest.
            assert point.kind == "minimum"
        else:
            assert path.error[-1] == pytest.approx(point.error, abs=1e-12 * exact.highest[2])
    assert reasons == {"stationary", "border"}


def test_the_sweep_meets_everything(walked: list[tuple[Exact, list[Path]]]) -> None:
    kinds = [event.kind for _, path in every_path(walked) for event in path.events]
    for kind, least in (("cross", 150), ("slide", 20), ("leave", 3), ("choice", 20)):
        assert kinds.count(kind) >= least, kind
    ends = {path.end.point.support for _, path in every_path(walked) if path.end.point}
    assert ends == {"cell", "edge", "vertex", "valley", "plateau"}


def test_the_gradient_is_minus_the_velocity(walked: list[tuple[Exact, list[Path]]]) -> None:
    """Between two points of a path the mean velocity is minus the mean gradient, off the kinks."""
    checked = 0
    for exact, path in every_path(walked):
        slices = _stretches(path)
        for first, last in slices:
            k = np.arange(first, last)
            step = np.stack([np.diff(path.u), np.diff(path.v)], axis=1)[k]
            time = np.diff(path.time)[k]
            middle = np.stack([path.u[:-1] + path.u[1:], path.v[:-1] + path.v[1:]], axis=1)[k] / 2
            at = differentiate(exact.cells.slice, middle[:, 0], middle[:, 1])
            # Steps in which exp(-l t) is all but a line.
            l2 = np.linalg.eigvalsh(at.hessian)[:, 1]
            fine = np.isfinite(time) & (l2 * time < 0.02) & ~at.on_node
            fine &= np.hypot(*step.T) > 1e-6
            velocity = step[fine] / time[fine, None]
            size = np.abs(at.gradient).max(initial=1e-300)
            np.testing.assert_allclose(velocity, -at.gradient[fine], atol=2e-4 * size)
            checked += int(fine.sum())
    assert checked > 300


def _stretches(path: Path) -> list[tuple[int, int]]:
    """Pieces of a path between events, without those that follow a kink."""
    cuts = [0, *(event.at for event in path.events), len(path.u) - 1]
    kinds = ["cross", *(event.kind for event in path.events)]
    return [
        (a, b)
        for a, b, kind in zip(cuts, cuts[1:], kinds, strict=False)
        if kind != "slide" and b > a
    ]


@pytest.mark.parametrize("number", [3, 16, 25])
def test_paths_against_many_small_steps(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Euler's method on the derivatives of forward propagation, which knows nothing of cells.

    Its steps chatter about a kink that is followed, by as much as a step; the deviation is held to
    a few steps, and halves with them.
    """
    monkeypatch.setattr(flow_module, "SPACING", 1e-4)  # to interpolate in time
    slice = squared_slices(number + 1)[number]
    exact = examine_cells(slice, WINDOW)
    starts = random_points(WINDOW, 5, number)
    paths = descend(slice, WINDOW, [(u, v) for u, v in starts.tolist()], exact=exact)
    sharpest = float(exact.curvatures.max())
    ends = 12.0 / sharpest
    worst = []
    for steps in (250, 500):
        h = ends / steps
        x, off = starts.copy(), 0.0
        for k in range(steps):
            at = differentiate(slice, x[:, 0], x[:, 1])
            for i, path in enumerate(paths):
                known = np.isfinite(path.time)
                time, u, v = (part[known] for part in (path.time, path.u, path.v))
                if k * h <= time[-1]:
                    there = (np.interp(k * h, time, u), np.interp(k * h, time, v))
                    off = max(off, float(np.abs(x[i] - there).max()))
            x = x - h * at.gradient
        steepest = float(np.abs(differentiate(slice, *starts.T).gradient).max())
        assert off <= 6.0 * h * steepest
        worst.append(off)
    assert worst[1] < 0.75 * worst[0]


def test_a_fan_from_its_peak() -> None:
    """u = v = 0 is the peak of `post`: all directions fall, and the path takes the steepest."""
    preset = load_preset("post")
    slice = preset.slices["E1"]
    exact = examine_cells(slice, preset.window)
    (path,) = descend(slice, preset.window, [(0.0, 0.0)], exact=exact)
    assert path.events[0].kind == "choice"
    assert path.end.point in exact.points
    angles = np.linspace(0.0, 2.0 * np.pi, 4000)
    r = 1e-6
    around = evaluate(slice, r * np.cos(angles), r * np.sin(angles))
    steepest = angles[around.argmin()]
    first = math.atan2(path.v[1], path.u[1]) % (2.0 * np.pi)
    assert abs(first - steepest) < 0.02
