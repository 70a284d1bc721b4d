"""What a grid misses: a surface whose every number is known, and loops over random ones."""

import itertools

import numpy as np
import pytest
from oracles import make_objective, make_slice_by_hand, random_objective, random_slice

from surfacecli.geometry.exact.points import examine_cells
from surfacecli.geometry.grids import Grid, sample_grid
from surfacecli.geometry.missed import Missed, difference_hessians, find_missed
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.surface import linear_pieces


def audit(slice: Slice, window: Window, resolution: tuple[int, int]) -> Missed:
    return find_missed(examine_cells(slice, window), sample_grid(slice, window, resolution))


def abs_cross() -> Slice:
    """E = (|u| - 1)^2 + (|v| - 1)^2.

    On [-2, 2]^2: minima at (+-1, +-1), saddles at (+-1, 0) and (0, +-1), maxima at 0, at the four
    corners and in the middle of the four sides; E is 0, 1 and 2 there.
    """
    objective = make_objective([[[0], [0]], np.eye(2)], ["abs", "identity"], [[1]], [[1, 1]])
    return make_slice_by_hand(objective, {1: [[1], [0]]}, {1: [[0], [1]]})


def linear(row_u: list[float], row_v: list[float], target: list[float]) -> Slice:
    """E = |u a + v b - y|^2: one cell."""
    zeros = [[0.0] for _ in target]
    objective = make_objective([zeros], ["identity"], [[1]], [target])
    return make_slice_by_hand(objective, {1: [[a] for a in row_u]}, {1: [[b] for b in row_v]})


def test_a_surface_known_by_heart():
    # Six points along each axis, at +-0.4, +-1.2 and +-2. E_uu at 0.4 is
    # (E(1.2) - 2 E(0.4) + E(-0.4)) / 0.8^2 = (0.04 - 0.72 + 0.36) / 0.64 = -0.5.
    missed = audit(abs_cross(), Window(-2, 2, -2, 2), (6, 6))
    assert missed.visits.tolist() == [9, 9, 9, 9]
    assert (missed.unvisited_area, missed.unvisited.any()) == (0.0, False)
    assert missed.areas == pytest.approx([4, 4, 4, 4])
    # Four minima; nine maxima, those in the middle of a side and at 0 as sets of equal points.
    shown = {kind: (len(c.true), int((~c.true).sum())) for kind, c in missed.claims.items()}
    assert shown == {"minimum": (4, 0), "maximum": (9, 0), "saddle": (0, 0)}
    assert missed.showable == 4 + 9 + 4
    assert sorted((p.kind, round(p.u), round(p.v)) for p in missed.unshown) == [
        ("saddle", -1, 0),
        ("saddle", 0, -1),
        ("saddle", 0, 1),
        ("saddle", 1, 0),
    ]
    assert missed.lowest[2] == pytest.approx(0.08)
    assert missed.exact.lowest[2] == pytest.approx(0.0, abs=1e-15)
    differences = missed.differences
    assert differences.judged == 16
    assert sorted(map(tuple, differences.places.round(9).tolist())) == [
        (u, v)
        for u, v in itertools.product([-1.2, -0.4, 0.4, 1.2], repeat=2)
        if 0.4 in (abs(u), abs(v))
    ]
    assert differences.claimed == pytest.approx(np.full(12, -0.5))
    assert differences.true == pytest.approx(np.full(12, 2.0))


def test_grid_points_on_kinks_are_in_no_cell():
    missed = audit(abs_cross(), Window(-2, 2, -2, 2), (9, 9))
    assert int((missed.cell < 0).sum()) == 17
    assert missed.visits.tolist() == [16, 16, 16, 16]
    # Differences from a point on a kink to one beside it stay in one cell: all are right.
    assert missed.differences.judged == 36
    assert not len(missed.differences.places)
    assert not missed.unshown  # the saddles now lie on grid points


def test_cells_that_no_point_visits():
    # |u|, |u - 0.1| through its bias, |v|: a strip of 0.1 x 4 that a grid at odd multiples misses.
    objective = make_objective(
        [[[0], [0], [0]], np.ones((1, 3))],
        ["abs", "identity"],
        [[1]],
        [[1]],
        biases=[[0, -0.1, 0], None],
    )
    slice = make_slice_by_hand(objective, {1: [[1], [1], [0]]}, {1: [[0], [0], [1]]})
    missed = audit(slice, Window(-2, 2, -2, 2), (6, 6))
    assert sorted(missed.visits.tolist()) == [0, 0, 9, 9, 9, 9]
    assert missed.unvisited_area == pytest.approx(0.1 * 4 / 16)
    assert missed.areas[missed.unvisited] == pytest.approx([0.2, 0.2])


def test_minima_that_are_none():
    # A narrow valley across the grid: at (0.3, 0.8) the grid is 0.004 off its course.
    slice = linear([10, 0], [-3.7, 0.1], [0, 0.02])
    missed = audit(slice, Window(), (21, 21))
    (point,) = missed.exact.points
    assert (point.u, point.v) == pytest.approx((0.074, 0.2))
    claims = missed.claims["minimum"]
    E = missed.grid.error
    by_loops = [
        (missed.grid.u[i], missed.grid.v[j])
        for i in range(21)
        for j in range(21)
        if all(
            E[b, a] > E[j, i]
            for a in range(max(i - 1, 0), min(i + 2, 21))
            for b in range(max(j - 1, 0), min(j + 2, 21))
            if (a, b) != (i, j)
        )
    ]
    assert sorted(map(tuple, claims.places.tolist())) == sorted(by_loops)
    true = [abs(u - 0.074) <= 0.1 and abs(v - 0.2) <= 0.1 for u, v in claims.places]
    assert claims.true.tolist() == true
    assert any(np.allclose(place, (0.3, 0.8)) for place in claims.false_places)
    # One quadratic: differences are right everywhere, however narrow the valley.
    assert (missed.differences.judged, len(missed.differences.places)) == (361, 0)


def test_a_valley_is_seen_along_its_whole_course():
    # E = (u - v)^2: every grid point of the diagonal is a minimum, one set, and so is the valley.
    missed = audit(linear([1], [-1], [0]), Window(), (9, 9))
    assert missed.claims["minimum"].true.tolist() == [True]
    # E = (u - 0.37 v)^2 has no two equal neighbours there: single points, each on the valley.
    missed = audit(linear([1], [-0.37], [0]), Window(), (41, 41))
    claims = missed.claims["minimum"]
    assert claims.true.all()
    assert len(claims.true) > 1
    assert (np.abs(claims.places[:, 0] - 0.37 * claims.places[:, 1]) < 0.05).all()
    assert not [p for p in missed.unshown if p.kind == "minimum"]


def test_a_plateau_is_one_claim():
    # One ReLU unit that wants to be negative: E = (max(u, 0) - 1)^2 + dead half with E = 1.
    objective = make_objective([[[0]]], ["relu"], [[1]], [[1]])
    slice = make_slice_by_hand(objective, {1: [[1]]}, {1: [[0]]})
    missed = audit(slice, Window(-1, 1.8, -1, 1), (15, 11))
    (plateau,) = [p for p in missed.exact.points if p.support == "plateau"]
    assert (plateau.kind, plateau.error) == ("maximum", 1.0)
    assert missed.claims["maximum"].true.all()
    assert plateau not in missed.unshown


def test_saddles_of_the_border_are_not_asked_for():
    # On [-2, 2] x [1, 2] the point (0, 1) is a saddle of what lies inside: no grid can show it.
    missed = audit(abs_cross(), Window(-2, 2, 1, 2), (6, 5))
    kinds = [p.kind for p in missed.exact.border]
    assert sorted(kinds) == ["maximum"] * 3 + ["minimum"] * 2 + ["saddle"]
    assert missed.showable == 5
    assert not missed.unshown


@pytest.mark.parametrize("seed", range(12))
def test_against_loops(seed):
    rng = np.random.default_rng(seed)
    objective = random_objective(rng, 1 + seed % 3, "leaky_relu", "squared", biases=True, samples=5)
    slice = random_slice(rng, "within-layer", objective=objective)
    window = Window(-1.3, 0.9, -0.7, 1.9)
    missed = audit(slice, window, (13, 9))
    exact, grid = missed.exact, missed.grid
    at = exact.cells.inner_points
    patterns = [bytes(row) for row in linear_pieces(slice, at[:, 0], at[:, 1])]
    seen = {
        bytes(linear_pieces(slice, u, v)[0])
        for u, v in itertools.product(grid.u.tolist(), grid.v.tolist())
    }
    assert len(set(patterns)) == len(patterns)
    for visits, pattern in zip(missed.visits, patterns, strict=True):
        assert (visits > 0) == (pattern in seen)
    # Differences, point by point.
    h, k = grid.u[1] - grid.u[0], grid.v[1] - grid.v[0]
    wrong = []
    for j, i in itertools.product(range(1, 8), range(1, 12)):
        E = grid.error
        uu = (E[j, i + 1] - 2 * E[j, i] + E[j, i - 1]) / h**2
        vv = (E[j + 1, i] - 2 * E[j, i] + E[j - 1, i]) / k**2
        uv = (E[j + 1, i + 1] - E[j + 1, i - 1] - E[j - 1, i + 1] + E[j - 1, i - 1]) / (4 * h * k)
        assert difference_hessians(grid)[j - 1, i - 1] == pytest.approx(
            np.array([[uu, uv], [uv, vv]]), rel=1e-9, abs=1e-9 * np.abs(E).max()
        )
        smallest = (uu + vv) / 2 - np.hypot((uu - vv) / 2, uv)
        if smallest < -1e-8 * np.abs(E).max():
            wrong.append((grid.u[i], grid.v[j]))
    assert sorted(map(tuple, missed.differences.places.tolist())) == sorted(wrong)
    # Points that are not shown have no claim of their kind within a step.
    for point in missed.unshown:
        if point.outline:
            continue
        claims = missed.claims[point.kind]
        off = np.abs(claims.places - (point.u, point.v)) / (h, k)
        assert (off.max(axis=1) > 1).all()


def test_a_finer_grid_misses_less():
    rng = np.random.default_rng(5)
    objective = random_objective(rng, 2, "leaky_relu", "squared", biases=True, samples=6)
    slice = random_slice(rng, "within-layer", objective=objective)
    coarse, fine = (audit(slice, Window(), (n, n)) for n in (7, 97))
    assert fine.unvisited.sum() < coarse.unvisited.sum()
    assert fine.unvisited_area < coarse.unvisited_area
    gaps = [m.lowest[2] - m.exact.lowest[2] for m in (coarse, fine)]
    assert -1e-12 <= gaps[1] < gaps[0]


def test_a_grid_of_two_points_has_no_inner_one():
    slice = abs_cross()
    window = Window(-2, 2, -2, 2)
    grid = sample_grid(slice, window, (2, 2))
    missed = find_missed(examine_cells(slice, window), Grid(grid.u, grid.v, grid.error, "by hand"))
    assert missed.differences.judged == 0
