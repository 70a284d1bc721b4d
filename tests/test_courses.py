"""Courses of valleys: points of a curve joined along it."""

import numpy as np

from surfacecli.geometry.candidates import find_flat_sets
from surfacecli.geometry.courses import MOST, trace_course
from surfacecli.study import make_study


def length(segments) -> float:
    return sum(np.hypot(*np.subtract(a, b)) for a, b in segments)


def test_points_of_a_circle_give_its_length() -> None:
    angles = np.random.default_rng(0).permutation(np.linspace(0, 2 * np.pi, 200, endpoint=False))
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    segments = trace_course(points, np.array([0.05, 0.05]), 4.0)
    assert len(segments) == 199  # a tree: one gap
    assert np.isclose(length(segments), 199 * 2 * np.sin(np.pi / 200))


def test_a_wide_gap_is_left_open() -> None:
    points = np.array([[0.0, 0], [0.1, 0], [0.9, 0], [1.0, 0]])
    segments = trace_course(points, np.array([0.1, 0.1]), 4.0)
    assert sorted(segments) == [((0.0, 0.0), (0.1, 0.0)), ((0.9, 0.0), (1.0, 0.0))]


def test_steps_are_counted_in_the_grid_of_each_axis() -> None:
    points = np.array([[0.0, 0], [0, 1], [1, 0]])
    assert trace_course(points, np.array([1.0, 0.1]), 2.0) == (((0.0, 0.0), (1.0, 0.0)),)


def test_few_and_many_points() -> None:
    assert trace_course(np.zeros((0, 2)), np.ones(2), 1.0) == ()
    assert trace_course(np.zeros((5, 2)), np.ones(2), 1.0) == ()
    line = np.stack([np.linspace(0, 1, 5000), np.zeros(5000)], axis=1)
    segments = trace_course(line, np.array([0.01, 0.01]), 4.0)
    assert len(segments) < MOST
    assert np.isclose(length(segments), 1.0, atol=0.01)


def test_the_ridge_of_the_post_is_a_cross() -> None:
    study = make_study("post", slice_name="E12", resolution=(21, 21), method="sampled")
    result = study.examine(study.slices[0])
    assert find_flat_sets(result.grid)
    (ridge,) = [p for p in result.verdict.points if p.kind == "maximum"]
    assert np.isclose(length(ridge.outline), 4.0)
    assert all(a[0] == b[0] == 0 or a[1] == b[1] == 0 for a, b in ridge.outline)
