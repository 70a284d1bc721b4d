"""Signs and places of meeting points against whole numbers; cuts with signs that make no sense."""

from fractions import Fraction

import numpy as np
import pytest

from surfacecli.geometry.exact.lines import Lines, Meetings
from surfacecli.geometry.exact.lookup import Lookup
from surfacecli.geometry.exact.planar import SNAP, Subdivision, rectangle
from surfacecli.geometry.slices import Window

SIDES = [[1.0, 0.0, 1.0], [-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]


def meeting_by_fractions(one: np.ndarray, other: np.ndarray) -> tuple[Fraction, Fraction]:
    c, p, q = map(Fraction, one)
    d, r, s = map(Fraction, other)
    return (q * d - c * s) / (p * s - q * r), (c * r - p * d) / (p * s - q * r)


@pytest.mark.parametrize("angle", [1.0, 1e-3, 1e-6, 1e-8])
def test_signs_and_places_where_lines_are_nearly_parallel_or_meet_nearly(angle: float) -> None:
    rng = np.random.default_rng(int(-np.log10(angle)))
    rows, pairs, thirds = list(SIDES), [], []
    for _ in range(60):
        u, v = rng.uniform(-0.9, 0.9, 2)
        turn = rng.uniform(0, np.pi)
        first = len(rows)
        for a in (turn, turn + angle * rng.uniform(0.5, 2.0)):
            rows.append([-np.cos(a) * u - np.sin(a) * v, np.cos(a), np.sin(a)])
        miss = rng.choice([-1, 1]) * 10.0 ** rng.uniform(-15, -8)
        a = rng.uniform(0, np.pi)
        # Through where the two meet once rounded, but for a hair.
        at = meeting_by_fractions(np.array(rows[first]), np.array(rows[first + 1]))
        x, y = float(at[0]), float(at[1])
        rows.append([-np.cos(a) * x - np.sin(a) * y + miss, np.cos(a), np.sin(a)])
        pairs.append((first, first + 1))
        thirds.append(first + 2)
    lines = Lines(np.array(rows))
    meetings = Meetings(lines, [(3, 0), (0, 1), (1, 2), (2, 3)], size=2.0)
    places = meetings.add(np.array(pairs))
    decided = 0
    for k, ((one, other), third) in enumerate(zip(pairs, thirds, strict=True)):
        x, y = meeting_by_fractions(lines.coefficients[one], lines.coefficients[other])
        off = np.array([float(x - Fraction(places[k, 0])), float(y - Fraction(places[k, 1]))])
        assert np.abs(off).max() <= 0.5 * SNAP * 2.0
        c, p, q = map(Fraction, lines.coefficients[third])
        miss = float(c + p * x + q * y)
        _, signs = meetings.signs(third)
        if abs(miss) > 1.001 * SNAP * 2.0:
            assert signs[4 + k] == np.sign(miss)
            decided += 1
        elif abs(miss) < 0.999 * SNAP * 2.0:
            assert signs[4 + k] == 0
        # The two lines themselves pass through their meeting point, whatever rounding says.
        assert meetings.signs(one)[1][4 + k] == 0
        assert meetings.signs(other)[1][4 + k] == 0
    assert decided > 20


def is_consistent(plane: Subdivision) -> bool:
    v, e, f = plane.counts
    half = np.arange(2 * e)
    return (
        v - e + f == 1
        and bool((plane.before[plane.after] == half).all())
        and bool((plane.face[plane.after] == plane.face).all())
        and bool((plane.origin[plane.after] == plane.origin[half ^ 1]).all())
        and bool((plane.face[plane.side] == np.arange(f)).all())
    )


@pytest.mark.parametrize("seed", range(25))
def test_cuts_stay_consistent_whatever_the_signs(seed: int) -> None:
    """Lines, and every third cut by signs and values at random."""
    rng = np.random.default_rng(seed)
    plane = rectangle(Window(-1, 1, -2, 1))
    for number in range(24):
        if number % 3 == 2:
            values = rng.normal(size=len(plane.place))
            signs = np.sign(np.where(rng.uniform(size=len(values)) < 0.2, 0, values))
        else:
            angle = rng.uniform(0, np.pi)
            values = plane.place @ [np.cos(angle), np.sin(angle)] - rng.uniform(-0.8, 0.8)
            signs = np.sign(values)
        plane.cut(values, signs.astype(np.int8), number)
        assert is_consistent(plane)
    assert len(plane.side) > 25
    assert np.abs(plane.place[:, 0]).max() <= 1.0


def test_a_cut_through_a_corner_or_nearly_so_makes_no_tiny_edge() -> None:
    plane = rectangle(Window())
    for number, shift in enumerate((0.0, 3e-14, -3e-14)):
        values = plane.place @ [1.0, -1.0] + shift
        plane.cut(values, np.sign(values).astype(np.int8), number)
    assert plane.counts == (4, 5, 2)
    assert plane.also == {4: [1, 2]}
    assert plane.shared == [(4, 1), (4, 2)]


def test_an_edge_that_is_split_keeps_all_its_functions() -> None:
    plane = rectangle(Window())
    for number, normal in enumerate(([1.0, 0.0], [2.0, 0.0], [0.0, 1.0])):
        values = plane.place @ normal
        plane.cut(values, np.sign(values).astype(np.int8), number)
    assert plane.counts == (9, 12, 4)
    halves = np.flatnonzero(plane.label == 0)
    assert len(halves) == 2
    assert {edge: plane.also.get(int(edge)) for edge in halves} == {e: [1] for e in halves}


def test_lookup_gives_members_group_by_group() -> None:
    keys = np.array([3, -1, 0, 3, 2, 0, -1, 3])
    members, owner = Lookup(keys).of(np.array([3, 1, 0]))
    assert members.tolist() == [0, 3, 7, 2, 5]
    assert owner.tolist() == [0, 0, 0, 2, 2]
    members, _ = Lookup(keys, np.array([0, 2])).of(np.array([2, 3, 0]))
    assert members.tolist() == [4, 2, 5]
    members, owner = Lookup(keys, np.array([], dtype=np.intp)).of(np.array([3]))
    assert len(members) == len(owner) == 0
