"""The cells of across-layers slices: against patterns, counts, areas and the forward pass."""

import dataclasses

import numpy as np
import pytest
from across_slices import WINDOW, random_across_slice, small_across_slice
from exact_slices import random_points
from oracles import make_objective, make_slice_by_hand, slice_error_by_loops

from surfacecli.geometry.across import curves as bent
from surfacecli.geometry.across.cells import AcrossCells, find_across_cells
from surfacecli.geometry.across.estimate import estimate_across
from surfacecli.geometry.across.frame import across_applies, make_frame
from surfacecli.geometry.across.tables import Tables, make_tables
from surfacecli.geometry.across.tracing import trace_edges
from surfacecli.geometry.slices import Slice, Window, make_slice
from surfacecli.geometry.surface import differentiate, evaluate, linear_pieces
from surfacecli.presets import load_preset

SEEDS = range(16)


def places_in(cells: AcrossCells, patch: np.ndarray, seed: int = 0) -> np.ndarray:
    """A random place (u, v) in each of some patches."""
    slabs, rng = cells.slabs, np.random.default_rng(seed)
    slab = slabs.slab_of_patch[patch]
    s, t = rng.uniform(0.02, 0.98, size=(2, len(patch)))
    x = slabs.x[slab] + s * (slabs.x[slab + 1] - slabs.x[slab])
    low, high = (bent.heights(slabs.curves[slabs.below[patch] + k], x) for k in (0, 1))
    return cells.frame.swap(np.stack([x, low + t * (high - low)], axis=1))


@pytest.mark.parametrize("nearest", [10.0, 1.0, 0.3, 1e-2, 1e-6])
def test_the_integral_of_a_curve(nearest: float) -> None:
    """Against many small parts of equal weight in log(distance), for poles near and far."""
    pole, high = 0.5 - nearest, 1.75
    curve = np.array([0.7, -1.3, -pole, 1.0])  # y = -(0.7 - 1.3 x) / (x - pole)
    bounds = pole + np.geomspace(0.5 - pole, high - pole, 4001)
    points, weights = np.polynomial.legendre.leggauss(3)
    half = 0.5 * np.diff(bounds)[:, None]
    x = 0.5 * (bounds[1:] + bounds[:-1])[:, None] + half * points
    wanted = (bent.heights(curve, x) * half * weights).sum()
    assert bent.integral(curve, np.array(0.5), np.array(high)) == pytest.approx(wanted, rel=1e-11)
    line = np.array([0.7, -1.3, 2.0, 0.0])
    assert bent.integral(line, np.array(-1.0), np.array(2.0)) == pytest.approx(
        -0.35 * 3 + 0.65 * 1.5
    )


def locate(cells: AcrossCells, places: np.ndarray) -> np.ndarray:
    """The cells of places (k, 2), by trying every patch of their slab."""
    slabs = cells.slabs
    found = []
    for x, y in cells.frame.swap(places):
        slab = np.searchsorted(slabs.x, x) - 1
        for patch in np.flatnonzero(slabs.slab_of_patch == slab):
            low, high = (
                float(bent.heights(slabs.curves[slabs.below[patch] + k], x)) for k in (0, 1)
            )
            if low < y < high:
                found.append(int(cells.cell[patch]))
    return np.array(found)


def tables_of(cells: AcrossCells) -> Tables:
    return make_tables(cells.frame, cells.slabs.inner_points()[cells.largest])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cell_has_one_pattern_and_neighbours_have_others(seed: int) -> None:
    slice = random_across_slice(seed)
    cells = find_across_cells(slice, WINDOW)
    patch = np.arange(len(cells.cell))
    inner = cells.frame.swap(cells.slabs.inner_points())
    pieces = linear_pieces(slice, *inner.T)
    for _ in range(3):
        there = places_in(cells, patch, seed)
        assert (linear_pieces(slice, *there.T) == pieces).all()
    first = {int(c): pieces[k] for k, c in enumerate(cells.cell)}
    assert all((pieces[k] == first[int(c)]).all() for k, c in enumerate(cells.cell))
    chains = cells.chains
    for below, above in zip(chains.below, chains.above, strict=True):
        if below >= 0 and above >= 0:
            assert (first[int(below)] != first[int(above)]).any()
    for left, right in cells.gaps.patch[:, cells.gaps.edge].T:
        if left >= 0 and right >= 0:
            assert (pieces[left] != pieces[right]).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_nodes_less_edges_and_cells_are_one(seed: int) -> None:
    cells = find_across_cells(random_across_slice(seed), WINDOW)
    nodes = int((~cells.nodes.alone).sum())
    edges = len(cells.chains.curve) + int(cells.gaps.edge.sum())
    assert nodes - edges + len(cells) == 1
    assert (cells.chains.ends >= 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_every_pattern_of_a_dense_sample_has_a_cell(seed: int) -> None:
    slice = small_across_slice(seed)
    cells = find_across_cells(slice, WINDOW)
    sampled = np.unique(linear_pieces(slice, *random_points(WINDOW, 40_000).T), axis=0)
    known = np.unique(linear_pieces(slice, *cells.inner_points.T), axis=0)
    everything = np.unique(np.concatenate([sampled, known]), axis=0)
    assert len(everything) == len(known)
    assert len(sampled) >= 0.7 * len(known)


@pytest.mark.parametrize("seed", range(4))
def test_every_point_lies_in_the_cell_of_its_pattern(seed: int) -> None:
    slice = small_across_slice(seed)
    cells = find_across_cells(slice, WINDOW)
    points = random_points(WINDOW, 400, seed)
    assert (np.bincount(locate(cells, points), minlength=len(cells)).sum()) == len(points)
    pieces = linear_pieces(slice, *points.T)
    own = linear_pieces(slice, *cells.inner_points.T)[locate(cells, points)]
    assert (pieces == own).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_tables_are_e_and_its_derivatives(seed: int) -> None:
    slice = random_across_slice(seed)
    cells = find_across_cells(slice, WINDOW)
    tables = tables_of(cells)
    patch = np.random.default_rng(seed).permutation(len(cells.cell))[:25]
    at = places_in(cells, patch, seed)
    (x, y), cell = cells.frame.swap(at).T, cells.cell[patch]
    there = differentiate(slice, *at.T)
    scale = max(float(there.error.max()), 1e-3)
    assert np.abs(tables.value(cell, x, y) - there.error).max() < 1e-12 * scale
    loops = [slice_error_by_loops(slice, u, v) for u, v in at[:5].tolist()]
    assert tables.value(cell, x, y)[:5] == pytest.approx(loops, rel=1e-12, abs=1e-13 * scale)
    gradient = cells.frame.swap(tables.gradient(cell, x, y)[0])
    steepest = max(float(np.abs(there.gradient).max()), scale)
    assert np.abs(gradient - there.gradient).max() < 1e-12 * steepest
    hessian = cells.frame.swap_hessians(tables.hessian(cell, x, y))
    most = max(float(np.abs(there.hessian).max()), scale)
    assert np.abs(hessian - there.hessian).max() < 1e-11 * most


def test_shifted_tables_are_the_same_polynomials() -> None:
    slice = random_across_slice(5)
    cells = find_across_cells(slice, WINDOW)
    tables = tables_of(cells)
    cell, (x, y) = np.zeros(30, dtype=np.intp), random_points(WINDOW, 30).T
    table, _ = tables.shifted(cell, x, y)
    dx, dy = 0.3, -0.2
    value = np.einsum("kij,i,j->k", table, [1, dx, dx**2], [1, dy, dy**2])
    assert value == pytest.approx(tables.value(cell, x + dx, y + dy), rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_layers_change_places_with_the_axes(seed: int) -> None:
    """u on the higher layer and v on the lower one: the same cells, mirrored."""
    slice = small_across_slice(seed)
    mirrored = Slice("mirrored", slice.objective, slice.origin, slice.along_v, slice.along_u)
    turned = Window(WINDOW.v0, WINDOW.v1, WINDOW.u0, WINDOW.u1)
    here, there = find_across_cells(slice, WINDOW), find_across_cells(mirrored, turned)
    assert len(here) == len(there)
    assert there.frame.swapped
    assert not here.frame.swapped
    assert here.inner_points == pytest.approx(there.inner_points[:, ::-1], abs=1e-12)


@pytest.mark.parametrize(("u", "v"), [(1, 3), (1, 4), (2, 3), (3, 1), (4, 2)])
def test_layers_between_and_above_leave_borders_bilinear(u: int, v: int) -> None:
    """In a deep net too the curves pass where a unit of some layer changes its piece."""
    objective = load_preset("deep").objective
    few = dataclasses.replace(
        objective,
        data=dataclasses.replace(
            objective.data,
            inputs=objective.data.inputs[:2],
            targets=objective.data.targets[:2],
        ),
    )
    slice = make_slice("deep", few, [u], [v], "weights", 3)
    cells = find_across_cells(slice, WINDOW)
    points = random_points(WINDOW, 300)
    own = linear_pieces(slice, *cells.inner_points.T)[locate(cells, points)]
    assert (linear_pieces(slice, *points.T) == own).all()


def test_four_quadrants_of_the_post() -> None:
    slice = load_preset("post").slices["E12"]
    cells = find_across_cells(slice, Window())
    assert len(cells) == 4
    quadrants = {(u > 0, v > 0) for u, v in cells.inner_points.tolist()}
    assert len(quadrants) == 4


def test_one_unit_by_hand() -> None:
    """relu(u) v x with a relu above: kinks u = 0, and v = 0 where u > 0."""
    objective = make_objective([[[1.0]], [[1.0]]], ["relu", "relu"], [[1.0]], [[1.0]])
    slice = make_slice_by_hand(objective, {1: [[1.0]]}, {2: [[1.0]]})
    cells = find_across_cells(slice, Window(-2, 2, -2, 2))
    assert len(cells) == 3
    ways = trace_edges(cells)
    edges = {
        tuple(map(tuple, ways.places[a:b].round(9) + 0.0))
        for a, b in zip(ways.start[:-1], ways.start[1:], strict=True)
    }
    assert edges == {((0, -2), (0, 0)), ((0, 0), (0, 2)), ((0, 0), (2, 0))}
    assert sorted(ways.layer.tolist()) == [1, 1, 2]


@pytest.mark.parametrize("seed", range(3))
def test_edges_that_are_drawn_are_kinks(seed: int) -> None:
    """Pieces change across the middle of every drawn segment, in the layer that it names."""
    slice = small_across_slice(seed)
    cells = find_across_cells(slice, WINDOW)
    ways = trace_edges(cells)
    widths = [5 * n for n in slice.objective.network.widths[1:]]
    for k, (a, b) in enumerate(zip(ways.start[:-1], ways.start[1:], strict=True)):
        way = ways.places[a:b]
        middle = len(way) // 2
        start, end = way[middle - 1], way[middle]
        across = np.array([end[1] - start[1], start[0] - end[0]])
        across *= 1e-3 * np.hypot(*(end - start)) / max(np.hypot(*across), 1e-300)
        # Between two points of a curve the chord is off the curve: look at both sides of a point.
        at = way[middle] if len(way) > 2 else 0.5 * (start + end)
        sides = np.stack([at - across, at + across])
        left, right = (
            np.split(row, np.cumsum(widths)[:-1]) for row in linear_pieces(slice, *sides.T)
        )
        assert (left[ways.layer[k] - 1] != right[ways.layer[k] - 1]).any()


@pytest.mark.parametrize("seed", range(4))
def test_estimates_are_near_the_counts(seed: int) -> None:
    slice = small_across_slice(seed)
    count = len(find_across_cells(slice, WINDOW))
    assert count / 2.5 <= estimate_across(slice, WINDOW) <= 2.5 * count


def test_estimates_grow_with_the_square_of_the_data() -> None:
    few, many = (
        make_slice("n", load_preset("post").objective, [1], [2], "weights", 1) for _ in range(2)
    )
    objective = few.objective
    data = dataclasses.replace(
        objective.data, inputs=objective.data.inputs[:5], targets=objective.data.targets[:5]
    )
    few = dataclasses.replace(few, objective=dataclasses.replace(objective, data=data))
    ratio = estimate_across(many, Window()) / estimate_across(few, Window())
    assert 2.0 < ratio < 8.0


def test_other_slices_are_refused() -> None:
    within = load_preset("post").slices["E1"]
    assert not across_applies(within)
    with pytest.raises(ValueError, match="within-layer, not across two layers"):
        make_frame(within, Window())
    assert not across_applies(load_preset("tanh").slices["E12"])
    other = small_across_slice(0, "identity", "cross_entropy")
    with pytest.raises(ValueError, match="no sum of squares"):
        make_tables(make_frame(other, WINDOW), np.zeros((1, 2)))


def test_progress_counts_strips() -> None:
    slice = load_preset("deep").slices["E13"]
    told: list[tuple[int, int]] = []
    find_across_cells(
        slice, Window(-0.5, 0.5, -0.5, 0.5), lambda done, total: told.append((done, total))
    )
    assert all(0 < done <= total for done, total in told)


def test_e_is_continuous_across_every_edge() -> None:
    """The tables of both sides agree along curves: no kink between them was missed."""
    for seed in range(4):
        slice = small_across_slice(seed)
        cells = find_across_cells(slice, WINDOW)
        tables, chains = tables_of(cells), cells.chains
        inner = (chains.below >= 0) & (chains.above >= 0)
        x = cells.nodes.place[chains.ends[inner], 0].mean(axis=1)
        y = bent.heights(chains.curve[inner], x)
        below, above = (tables.value(side[inner], x, y) for side in (chains.below, chains.above))
        assert below == pytest.approx(above, rel=1e-9)
        assert below == pytest.approx(
            evaluate(slice, *cells.frame.swap(np.stack([x, y], 1)).T), rel=1e-9
        )
