"""The audit of sampled searches: it holds on known surfaces, and it fails where a point lacks."""

from dataclasses import replace

import numpy as np
import pytest
from exact_slices import WINDOW, random_exact_slice
from oracles import make_objective, make_slice_by_hand, random_slice

from surfacecli.geometry import kinked
from surfacecli.geometry import search as module
from surfacecli.geometry.border import find_border_points
from surfacecli.geometry.claim import exact_applies, give_exact_verdict
from surfacecli.geometry.completeness import (
    count_indices,
    find_wrong_boxes,
    find_wrong_sets,
    sum_of_box,
)
from surfacecli.geometry.grids import sample_grid
from surfacecli.geometry.kinked import find_kinked_points
from surfacecli.geometry.one_sided import count_falling, find_links, measure_sides, slopes_along
from surfacecli.geometry.profiles import take_profile
from surfacecli.geometry.rims import Lines, Region, walk_rim, whole
from surfacecli.geometry.search import audited_search, search
from surfacecli.geometry.slices import Slice, Window, make_slice
from surfacecli.geometry.stationary import StationaryPoint
from surfacecli.geometry.surface import evaluate
from surfacecli.geometry.switches import cross_lattice, list_switches, sides_of_kinks
from surfacecli.network.data import Objective, random_data
from surfacecli.network.losses import LOSSES
from surfacecli.network.model import random_network
from surfacecli.network.transfers import TRANSFERS
from surfacecli.words import sampled_audit_words


def small_net(seed: int, kind: str = "mixed", output: str = "relu") -> Slice:
    """Widths 3-4-2 with biases and 5 data points, around the weights."""
    transfers = [TRANSFERS["relu"], TRANSFERS[output]]
    objective = Objective(
        random_network((3, 4, 2), transfers, seed, True),
        random_data(5, 3, 2, seed),
        LOSSES["squared"],
    )
    u, v = ([1, 2], [1, 2]) if kind == "mixed" else ([1], [2])
    return make_slice("s", objective, u, v, "weights", seed)


def circle_slice() -> Slice:
    """E = (1.5 - u^2 - v^2)^2 / 2 where u, v > -2."""
    objective = make_objective(
        [[[2], [2]], [[2, 2]]], ["relu", "identity"], [[1]], [[6.5]], "half_squared"
    )
    return make_slice_by_hand(
        objective, {1: [[1], [0]], 2: [[-1, 0]]}, {1: [[0], [1]], 2: [[0, -1]]}, "weights"
    )


def square_pyramids() -> Slice:
    """E = (|u| - 0.5)^2 + (|v| - 0.5)^2: four minima, four kinked saddles, a kinked peak at 0."""
    objective = make_objective(
        [np.zeros((2, 1)), np.eye(2)], ["abs", "identity"], [[1]], [[0.5, 0.5]]
    )
    return make_slice_by_hand(objective, {1: [[1], [0]]}, {1: [[0], [1]]})


# --- One-sided derivatives ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_one_sided_slopes_are_limits_of_differences_on_and_off_kinks(seed):
    slice = random_slice(np.random.default_rng(seed))
    window = Window(-1.0, 1.2, -0.8, 1.0)
    sides = measure_sides(slice, window)
    profile = take_profile(sides, 0, 0.1234)
    places = np.concatenate([profile.points(profile.places), [[0.3, 0.2], [-0.4, 0.7]]])
    angles = np.linspace(0.05, 6.2, 9) * np.ones((len(places), 1))
    step = 1e-7
    ahead = places[:, None] + step * sides.size * np.stack([np.cos(angles), np.sin(angles)], -1)
    here = evaluate(slice, places[:, 0], places[:, 1])[:, None]
    difference = (evaluate(slice, ahead[..., 0], ahead[..., 1]) - here) / step
    slack = 1e-5 * max(sides.gradient_scale, sides.curvature_scale, sides.error_scale)
    assert slopes_along(sides, places, angles) == pytest.approx(difference, abs=slack)


def test_links_of_a_saddle_a_peak_and_a_regular_point():
    sides = measure_sides(square_pyramids(), Window())
    places = np.array([[0.0, 0.0], [0.0, 0.5], [0.5, 0.5], [0.2, 0.7]])
    links = find_links(sides, places, np.zeros(4), np.full(4, 2 * np.pi))
    assert links.falling.tolist() == [0, 2, 0, 1]  # all round a peak the link is a circle
    assert links.rises.tolist() == [False, True, True, True]
    assert links.falls.tolist() == [True, True, False, True]


@pytest.mark.parametrize(
    ("signs", "whole", "arcs"),
    [
        ([1, -1, 1, -1], True, 2),
        ([-1, 1, -1], True, 1),
        ([-1, 1, -1], False, 2),
        ([-1, -1], True, 0),
        ([-1, -1], False, 1),
        ([-1, 0, -1], False, 2),
        ([0, 1, 0], True, 0),
    ],
)
def test_falling_arcs_are_counted(signs, whole, arcs):
    assert count_falling(np.array(signs, dtype=np.int8), whole) == arcs


# --- Profiles and the border ----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_a_profile_has_every_extremum_of_a_fine_line(seed):
    slice = small_net(seed)
    sides = measure_sides(slice, Window())
    for axis in (0, 1):
        profile = take_profile(sides, axis, 0.271)
        assert profile.exact
        t = np.linspace(-1, 1, 4001)
        at = profile.points(t)
        error = evaluate(slice, at[:, 0], at[:, 1])
        rise = np.sign(np.diff(error))
        turns = t[1:-1][rise[:-1] * rise[1:] < 0]
        assert all(np.abs(profile.places - x).min() < 1e-3 for x in turns)


@pytest.mark.parametrize("seed", [*range(12), 23, 25])
def test_the_border_is_that_of_the_exact_road(seed):
    slice = random_exact_slice(seed, losses=False)
    exact = give_exact_verdict(slice, WINDOW).exact
    counted = count_indices(Lines(measure_sides(slice, WINDOW)), exact.points)

    def listed(points):
        return [(p.kind, p.index, round(p.u, 6), round(p.v, 6)) for p in points]

    assert sorted(listed(counted.border)) == sorted(listed(exact.border))


def test_the_euler_characteristic_of_boxes():
    ring = np.ones((3, 3), dtype=np.bool_)
    ring[1, 1] = False
    lines = np.arange(4.0)
    assert Region(lines, lines, ring).chi == 0
    assert Region(lines, lines, np.eye(3, dtype=np.bool_)).chi == 1  # they touch in corners
    assert Region(lines, lines, np.array([[1, 0, 1]] * 3, dtype=np.bool_)).chi == 2


@pytest.mark.parametrize("kind", ["mixed", "across"])
@pytest.mark.parametrize("seed", range(4))
def test_rims_add_up_whatever_the_lattice(seed, kind):
    # What the rims of the parts say of their insides adds up to what the whole says.
    slice = small_net(seed, kind)
    window = Window(-1.5, 1.5, -1.0, 1.2)
    sides = measure_sides(slice, window)
    lines = Lines(sides)
    u, v = np.array([-1.5, -0.211, 0.843, 1.5]), np.array([-1.0, 0.317, 1.2])
    inside = 0
    for i in range(3):
        for j in range(2):
            part = Region(u[i : i + 2], v[j : j + 2], np.ones((1, 1), dtype=np.bool_))
            inside += 1 - int(walk_rim(lines, part).index.sum())
    assert inside == 1 - int(walk_rim(lines, whole(sides)).index.sum())


# --- The audit ------------------------------------------------------------------------------------


def test_the_circle_of_minima_counts_0_and_the_peak_1():
    found = audited_search(circle_slice(), Window(-1.6, 1.55, -1.5, 1.7))
    (peak,) = (p for p in found.points if p.support == "cell")
    (circle,) = (p for p in found.points if p.is_set)
    assert (peak.kind, peak.index) == ("maximum", 1)
    assert (peak.u, peak.v) == pytest.approx((0, 0), abs=1e-12)
    assert (circle.kind, circle.support, circle.index) == ("minimum", "valley", 0)
    # On the border E is highest in the corners and lowest in the middles of the sides: regular.
    assert found.audit.sum == 1
    assert sum(p.index for p in found.border) == 0
    assert {p.kind for p in found.border} == {"maximum"}


def test_a_point_taken_away_is_missed_where_it_was():
    slice, window = square_pyramids(), Window(-1.0, 1.1, -0.9, 1.0)
    found = audited_search(slice, window)
    assert sorted((p.kind, p.index) for p in found.points) == [
        ("maximum", 1),
        *[("minimum", 1)] * 4,
        *[("saddle", -1)] * 4,
    ]
    assert found.audit.sum == 1 == found.audit.expected
    lines = Lines(measure_sides(slice, window))
    for lost in found.points:
        rest = [p for p in found.points if p is not lost]
        counted = count_indices(lines, rest)
        assert counted.sum == 1 - lost.index
        wrong, judged = find_wrong_boxes(lines, counted, window, 4)
        (box,) = wrong
        assert judged == 16
        assert box.u0 < lost.u < box.u1
        assert box.v0 < lost.v < box.v1
        assert sum_of_box(lines, rest, box) == 1 - lost.index
        assert sum_of_box(lines, found.points, box) == 1


def test_two_points_whose_indices_cancel_are_seen_in_boxes_alone():
    slice, window = square_pyramids(), Window(-1.0, 1.1, -0.9, 1.0)
    lines, found = Lines(measure_sides(slice, window)), audited_search(slice, window)
    saddle = next(p for p in found.points if p.kind == "saddle" and p.v > 0.4)
    bottom = next(p for p in found.points if p.kind == "minimum" and p.v < 0)
    counted = count_indices(lines, [p for p in found.points if p not in (saddle, bottom)])
    assert counted.sum == 1
    wrong, _ = find_wrong_boxes(lines, counted, window, 4)
    assert len(wrong) == 2


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["mixed", "across"])
def test_the_indices_of_small_nets_sum_to_1(kind, seed):
    found = audited_search(small_net(seed, kind), Window(-1.5, 1.5, -1.5, 1.5))
    assert found.audit.sum == 1
    assert found.audit.border_exact


@pytest.mark.slow
def test_the_indices_of_small_nets_sum_to_1_in_the_large_majority():
    sums = [
        audited_search(small_net(seed, kind, output), Window(-1.5, 1.5, -1.5, 1.5)).audit.sum
        for seed in range(20)
        for kind in ("mixed", "across")
        for output in ("relu", "identity")
    ]
    assert sum(total == 1 for total in sums) >= 0.95 * len(sums)


@pytest.mark.parametrize("seed", range(12))
def test_every_kinked_point_of_the_exact_road_is_found(seed):
    slice = random_exact_slice(seed, losses=False)
    assert exact_applies(slice)
    exact = give_exact_verdict(slice, WINDOW)
    if any(p.is_set for p in exact.points):
        return
    found = search(slice, WINDOW, sample_grid(slice, WINDOW, (31, 31)))

    def listed(points):
        return [(p.kind, p.index, round(p.u, 6) + 0.0, round(p.v, 6) + 0.0) for p in points]

    assert sorted(listed(found.points)) == sorted(listed(exact.points))
    assert found.audit.sum == 1


def test_a_refinement_finds_what_a_coarse_lattice_misses(monkeypatch):
    slice, window = square_pyramids(), Window(-1.0, 1.1, -0.9, 1.0)
    grid = sample_grid(slice, window, (5, 5))
    monkeypatch.setattr(module, "find_candidates", lambda grid: [])
    looked_at = []

    def blind_to_the_whole(sides, part, boxes):
        looked_at.append(part)
        found = find_kinked_points(sides, part, boxes)
        return found if part != window else replace(found, points=(), beside=np.empty((0, 2)))

    monkeypatch.setattr(module, "find_kinked_points", blind_to_the_whole)
    coarse = search(slice, window, grid, refine=False)
    assert coarse.audit.sum != 1
    fine = search(slice, window, grid)
    assert fine.audit.sum == 1
    assert fine.audit.rounds > 1
    assert len(fine.points) == 9 > len(coarse.points)
    assert any(part != window for part in looked_at)


def test_a_search_that_stays_incomplete_names_the_boxes(monkeypatch):
    slice, window = square_pyramids(), Window(-1.0, 1.1, -0.9, 1.0)
    grid = sample_grid(slice, window, (5, 5))
    monkeypatch.setattr(module, "find_candidates", lambda grid: [])

    def without_peak(sides, part, boxes):
        found = find_kinked_points(sides, part, boxes)
        return replace(found, points=tuple(p for p in found.points if p.kind != "maximum"))

    monkeypatch.setattr(module, "find_kinked_points", without_peak)
    audit = search(slice, window, grid).audit
    assert (audit.sum, audit.agrees) == (0, False)
    (box,) = audit.boxes
    assert box.u0 < 0 < box.u1
    assert box.v0 < 0 < box.v1
    words = sampled_audit_words(audit)
    assert words.startswith(
        "the indices sum to 0 of 1: NOT COMPLETE, points are missing; look in u"
    )


def level_crest(transfer: str = "abs") -> Slice:
    """E = (1 - |h|)^2: a crest along h = 0, which runs askew through the window."""
    objective = make_objective([[[1]]], [transfer], [[1]], [[1]])
    return make_slice_by_hand(objective, {1: [[np.cos(0.4)]]}, {1: [[np.sin(0.4)]]})


def saddle_beside(crest: StationaryPoint, distance: float) -> StationaryPoint:
    place = {"u": crest.u + distance * np.cos(0.4), "v": crest.v + distance * np.sin(0.4)}
    error = (1 - distance) ** 2
    return replace(crest, **place, error=error, kind="saddle", support="edge", index=-1)


@pytest.mark.parametrize("distance", [0.0, 4e-7, 1e-5, 1e-3, 1e-2])
def test_a_set_does_not_make_up_for_a_false_point(distance):
    slice, window = level_crest(), Window(-2.0, 2.1, -0.5, 0.6)
    lines, found = Lines(measure_sides(slice, window)), audited_search(slice, window)
    assert found.audit.agrees
    assert not find_wrong_sets(lines, count_indices(lines, found.points))
    (crest,) = (p for p in found.points if p.kind == "maximum")
    false = saddle_beside(crest, distance)
    counted = count_indices(lines, [*found.points, replace(false, extent=None)])
    assert counted.sum == 1  # the crest has one more
    (box,) = find_wrong_sets(lines, counted)
    assert box.u0 < crest.u < box.u1


def test_a_search_with_a_false_point_near_a_set_does_not_agree(monkeypatch):
    slice, window = level_crest(), Window(-2.0, 2.1, -0.5, 0.6)
    (crest,) = (p for p in audited_search(slice, window).points if p.kind == "maximum")
    false = replace(saddle_beside(crest, 3e-4), extent=None)

    def with_false_saddle(sides, part, boxes):
        found = find_kinked_points(sides, part, boxes)
        return replace(found, points=(*found.points, false))

    monkeypatch.setattr(module, "find_kinked_points", with_false_saddle)
    audit = audited_search(slice, window).audit
    assert (audit.sum, audit.agrees) == (1, False)
    assert "NOT COMPLETE, a point is missing or false" in sampled_audit_words(audit)


def test_a_set_has_no_more_than_its_pieces():
    # A crest from border to border has -1: one piece, less two arcs on which E falls.
    slice, window = level_crest(), Window(-2.0, 2.1, -0.5, 0.6)
    lines, found = Lines(measure_sides(slice, window)), audited_search(slice, window)
    counted = count_indices(lines, found.points)
    assert [p.index for p in counted.points if p.kind == "maximum"] == [-1]
    sets = tuple(replace(p, index=p.index + 3) if p.kind == "maximum" else p for p in found.points)
    assert not find_wrong_sets(lines, counted)
    assert len(find_wrong_sets(lines, replace(counted, points=sets))) == 1


def test_a_minimum_has_index_1_unless_it_has_a_hole():
    slice, window = level_crest("identity"), Window(-0.4, 2.1, -0.5, 0.6)
    lines, found = Lines(measure_sides(slice, window)), audited_search(slice, window)
    counted = count_indices(lines, found.points)
    assert [(p.describe(), p.index) for p in counted.points] == [("valley (minimum)", 1)]
    assert not find_wrong_sets(lines, counted)
    for index in (0, -1):
        wrong = replace(counted, points=(replace(counted.points[0], index=index),))
        assert len(find_wrong_sets(lines, wrong)) == 1


# --- Kinks that lie on one another ----------------------------------------------------------------


def chained(first: str) -> Slice:
    """h1 = u + 0.3, h2 = (1 + v) f(h1): both switch at u = -0.3, with relu h2 is 0 left of it."""
    objective = make_objective([[[0.3]], [[1]]], [first, "relu"], [[1]], [[0.5]])
    return make_slice_by_hand(objective, {1: [[1]]}, {2: [[1]]}, "weights")


@pytest.mark.parametrize("first", ["relu", "leaky_relu"])
def test_a_kink_is_where_its_unit_is_last_off(first):
    sides = measure_sides(chained(first), Window(-1.0, 0.9, -0.5, 0.6))
    switches = list_switches(sides)
    u, v = np.linspace(-1.0, 0.9, 8), np.linspace(-0.5, 0.6, 6)
    flat_u, flat_v = (x.ravel() for x in np.meshgrid(u, v))
    right = sides_of_kinks(switches, flat_u, flat_v).reshape(6, 8, -1)
    crossings = cross_lattice(switches, u, v, right)
    assert sorted(crossings.kink.tolist()) == [0] * 6 + [1] * 6
    # To the last bits of h, whose slope is 0.01 left of the kink of a leaky unit.
    assert crossings.place[:, 0] == pytest.approx(np.full(12, -0.3), abs=1e-11)


@pytest.mark.parametrize("first", ["relu", "leaky_relu"])
def test_kinks_that_lie_on_one_another_do_not_cross(first, monkeypatch):
    seen = []
    look = kinked._vertex_points
    monkeypatch.setattr(
        kinked, "_vertex_points", lambda s, vertices: seen.append(vertices) or look(s, vertices)
    )
    sides = measure_sides(chained(first), Window(-1.0, 0.9, -0.5, 0.6))
    find_kinked_points(sides, sides.window, 13)
    (vertices,) = seen
    assert not len(vertices.place)


def test_smooth_nets_are_audited_from_a_sampled_border():
    objective = Objective(
        random_network((2, 5, 1), (TRANSFERS["tanh"], TRANSFERS["identity"]), 114),
        random_data(6, 2, 1, 114),
        LOSSES["squared"],
    )
    slice = make_slice("E1", objective, [1], [1], "weights", 114)
    found = audited_search(slice, Window(-3, 3, -3, 3))
    assert found.audit.sum == 1
    assert not found.audit.border_exact
    border = find_border_points(Lines(measure_sides(slice, Window(-3, 3, -3, 3))))
    assert {p.kind for p in border} == {"minimum", "maximum", "saddle"}
