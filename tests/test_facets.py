"""Meshes along the kinks: areas, activation patterns, E by a plain forward pass, no cracks."""

from collections import Counter

import numpy as np
import pytest
from oracles import (
    make_objective,
    make_slice_by_hand,
    random_objective,
    random_slice,
    slice_error_by_loops,
)

from surfacecli.geometry.exact.points import Exact, examine_cells
from surfacecli.geometry.facets import Facets, cut_facets, estimate_facets
from surfacecli.geometry.slices import Window, make_slice
from surfacecli.geometry.surface import linear_pieces

WINDOW = Window(-1.3, 0.9, -0.7, 1.9)
AREA = 2.2 * 2.6


def random_exact(seed: int) -> Exact:
    rng = np.random.default_rng(seed)
    transfers = [["leaky_relu", "abs", "relu"][(seed + k) % 3] for k in range(1 + seed % 3)]
    objective = random_objective(rng, len(transfers), transfers, "squared", samples=4)
    return examine_cells(random_slice(rng, "within-layer", objective=objective), WINDOW)


def fan(kinks: int = 40) -> Exact:
    """Needles: all kinks through u = v = 0."""
    rng = np.random.default_rng(1)
    objective = random_objective(
        rng, 2, ["leaky_relu", "identity"], "squared", biases=False, widths=[4, kinks // 8, 2],
        samples=8,
    )  # fmt: skip
    return examine_cells(make_slice("fan", objective, [1], [1]), WINDOW)


CASES = [*range(9), "fan"]


def case(name: int | str) -> Exact:
    return fan() if name == "fan" else random_exact(int(name))


def areas(facets: Facets) -> np.ndarray:
    a, b, c = facets.places[facets.triangles].transpose(1, 0, 2)
    (x, y), (r, s) = (b - a).T, (c - a).T
    return (x * s - y * r) / 2


@pytest.mark.parametrize("name", CASES)
def test_triangles_fill_the_window_cell_by_cell(name):
    exact = case(name)
    facets = cut_facets(exact, (0.2, 0.15))
    assert areas(facets).min() > -1e-15
    assert areas(facets).sum() == pytest.approx(AREA, rel=1e-12)
    # Inner points of a triangle have the activation pattern of its cell.
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(3, 3.0), size=len(facets.triangles))
    large = areas(facets) > 1e-9
    inner = np.einsum("mk,mkx->mx", shares, facets.places[facets.triangles])[large]
    middle = exact.cells.inner_points[facets.cell[large]]
    here, there = (linear_pieces(exact.cells.slice, at[:, 0], at[:, 1]) for at in (inner, middle))
    assert (here == there).all()


@pytest.mark.parametrize("name", CASES)
def test_the_mesh_is_whole(name):
    facets = cut_facets(case(name), (0.2, 0.15))
    sides = Counter()
    directed = set()
    for triangle in facets.triangles.tolist():
        for k in range(3):
            a, b = triangle[k - 1], triangle[k]
            assert (a, b) not in directed
            directed.add((a, b))
            sides[min(a, b), max(a, b)] += 1
    assert set(facets.triangles.ravel().tolist()) == set(range(len(facets.places)))
    assert len(facets.places) - len(sides) + len(facets.triangles) == 1
    # A side of one triangle alone lies on the border of the window.
    single = [facets.places[list(side)] for side, count in sides.items() if count == 1]
    length = 0.0
    for a, b in single:
        on = [(0, WINDOW.u0), (0, WINDOW.u1), (1, WINDOW.v0), (1, WINDOW.v1)]
        assert any(abs(a[k] - at) < 1e-14 > abs(b[k] - at) for k, at in on)
        length += np.abs(a - b).sum()
    assert length == pytest.approx(2 * (2.2 + 2.6))
    assert max(sides.values()) == 2


@pytest.mark.parametrize("name", CASES)
def test_heights_are_those_of_the_forward_pass(name):
    exact = case(name)
    facets = cut_facets(exact, (0.3, 0.3))
    size = np.abs(facets.error).max()
    for k in range(0, len(facets.places), 7):
        expected = slice_error_by_loops(exact.cells.slice, *map(float, facets.places[k]))
        assert facets.error[k] == pytest.approx(expected, abs=1e-10 * size)


@pytest.mark.parametrize("name", CASES)
def test_sizes(name):
    exact, size = case(name), np.array([0.2, 0.15])
    facets = cut_facets(exact, tuple(size))
    curved = exact.curvatures[facets.cell, 1] > 1e-9 * np.abs(exact.curvatures).max()
    corners = facets.places[facets.triangles][curved]
    sides = np.abs(corners - np.roll(corners, 1, axis=1)) / size
    assert sides.max(initial=0) <= 2.0
    assert len(facets.triangles) <= estimate_facets(exact, tuple(size))


def test_needles_stay_few():
    # 1600 needles, thinner than the mesh size: as many triangles as they are long, not the square.
    exact = fan(800)
    counts = [len(cut_facets(exact, (size, size)).triangles) for size in (0.1, 0.05, 0.025)]
    assert counts[1] < 2.1 * counts[0]
    assert counts[2] < 2.3 * counts[1]


def test_flat_cells_are_not_cut():
    # E = (max(u, 0) - 1)^2: half the window is a plateau, two triangles and what its rim needs.
    objective = make_objective([[[0]]], ["relu"], [[1]], [[1]])
    slice = make_slice_by_hand(objective, {1: [[1]]}, {1: [[0]]})
    exact = examine_cells(slice, Window(-1, 1, -1, 1))
    facets = cut_facets(exact, (0.1, 0.1))
    middle = facets.places[facets.triangles].mean(axis=1)
    left, right = (middle[:, 0] < 0).sum(), (middle[:, 0] > 0).sum()
    assert left <= 4 + 32
    assert right >= 200


def test_the_mesh_shows_the_curvature():
    # Between its corners a mesh of size s is off by at most the curvature times s^2.
    exact = fan()
    errors = []
    for size in (0.2, 0.1):
        facets = cut_facets(exact, (size, size))
        middle = facets.places[facets.triangles].mean(axis=1)
        true = exact.errors.value(facets.cell, middle)
        errors.append(np.abs(facets.error[facets.triangles].mean(axis=1) - true).max())
    assert 0 < errors[1] < 0.4 * errors[0]


@pytest.mark.parametrize("size", [0.0, -1.0, float("nan")])
def test_a_size_is_above_zero(size):
    with pytest.raises(ValueError, match="above 0"):
        cut_facets(fan(), (0.1, size))
