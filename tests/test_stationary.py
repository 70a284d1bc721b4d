"""Kinds of stationary points by the arcs on which E falls, and what they are called."""

import numpy as np
import pytest

from surfacecli.geometry.stationary import StationaryPoint, falling_arcs, kind_of_arcs


def signs_round(function, count=200):
    """Signs of a function of the angle at `count` angles."""
    angles = 2 * np.pi * (np.arange(count) + 0.3) / count
    return np.sign(function(angles)).astype(np.int8)


@pytest.mark.parametrize(
    ("function", "kind", "index"),
    [
        (lambda a: 1 + 0 * a, "minimum", 1),
        (lambda a: -1 + 0 * a, "maximum", 1),
        (lambda a: np.cos(2 * a), "saddle", -1),
        (lambda a: np.cos(3 * a), "saddle", -2),
        (lambda a: np.cos(7 * a), "saddle", -6),
        (lambda a: np.abs(np.cos(a)), "minimum", 1),
    ],
)
@pytest.mark.parametrize("turn", [0.0, 0.7, 3.0])
def test_kind_and_index_by_the_circle(function, kind, index, turn):
    # u^n + ... has a monkey saddle of n falling arcs and index 1 - n, however it is turned.
    signs = signs_round(lambda a: function(a + turn))
    assert kind_of_arcs(falling_arcs(signs)) == (kind, index)


@pytest.mark.parametrize("turn", [0.0, 1.0, 2.0, 4.0])
def test_a_slope_is_regular(turn):
    assert kind_of_arcs(falling_arcs(signs_round(lambda a: np.cos(a + turn)))) is None


def test_zeros_take_the_side_before_them():
    for signs, arcs in (
        ([1, 0, 1, 0], 0),
        ([0, 0, 0, 0], 0),
        ([-1, 0, -1, 0], -1),
        ([1, 0, -1, 0], 1),
        ([0, 1, 0, -1, 0, 1, -1], 2),
        ([-1, 0, 0, 1, -1, 1], 2),
    ):
        assert falling_arcs(np.array(signs, dtype=np.int8)) == arcs


def point(**values):
    return StationaryPoint(**{"u": 0.0, "v": 0.0, "error": 1.0, "index": 1, **values})


def test_what_the_theorem_forbids_is_a_maximum_inside_a_smooth_piece():
    smooth = point(kind="maximum", support="cell", smooth=True)
    assert smooth.strict_smooth_maximum
    for allowed in (
        point(kind="maximum", support="vertex", smooth=False),
        point(kind="maximum", support="vertex", smooth=True),  # the Hessian jumps there
        point(kind="maximum", support="plateau", smooth=True),
        point(kind="maximum", support="valley", smooth=True),
        point(kind="maximum", support="cell", smooth=True, on_border=True),
        point(kind="minimum", support="cell", smooth=True),
        point(kind="saddle", support="cell", smooth=True),
    ):
        assert not allowed.strict_smooth_maximum


def test_words():
    words = {
        "kinked maximum": point(kind="maximum", support="vertex", smooth=False),
        "smooth saddle": point(kind="saddle", support="cell", smooth=True),
        "plateau (maximum)": point(kind="maximum", support="plateau", smooth=True),
        "valley (minimum)": point(kind="minimum", support="valley", smooth=False),
        "valley (saddle)": point(kind="saddle", support="valley", smooth=False),
        "ridge (maximum)": point(kind="maximum", support="valley", smooth=False),
        "maximum on the border": point(
            kind="maximum", support="edge", smooth=False, on_border=True
        ),
    }
    for expected, described in words.items():
        assert described.describe() == expected
    assert [p.is_set for p in words.values()] == [False, False, True, True, True, True, False]
