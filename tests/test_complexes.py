"""The complex as arrays: Euler, areas, kinks and polynomials, each by a plain forward pass."""

import numpy as np
import pytest
from oracles import (
    forward_by_loops,
    make_objective,
    make_slice_by_hand,
    random_objective,
    random_slice,
    slice_error_by_loops,
)

from surfacecli.geometry.complexes import FIELDS, flatten_complex
from surfacecli.geometry.exact.points import Exact, examine_cells
from surfacecli.geometry.slices import Slice, Window

WINDOW = Window(-1.3, 0.9, -0.7, 1.9)


def random_exact(seed: int, loss: str = "squared") -> Exact:
    rng = np.random.default_rng(seed)
    transfers = [["relu", "leaky_relu", "abs", "hard_tanh"][(seed + k) % 4] for k in range(3)]
    objective = random_objective(rng, 1 + seed % 3, transfers[: 1 + seed % 3], loss, samples=4)
    return examine_cells(random_slice(rng, "within-layer", objective=objective), WINDOW)


def twins() -> Slice:
    """Two equal data points and a unit that repeats another: kinks on kinks."""
    weights = [[[0.0, 0], [0, 0]], [[1.0, 1]]]
    objective = make_objective(weights, ["relu", "relu"], [[1, 2], [1, 2]], [[1], [2]])
    return make_slice_by_hand(objective, {1: [[1, 0], [1, 0]]}, {1: [[0, 1], [0, 1]]})


def pre_activation(slice: Slice, u: float, v: float, layer: int, unit: int, sample: int) -> float:
    network = slice.network_at(u, v)
    x = slice.objective.data.inputs[sample - 1].tolist()
    return forward_by_loops(network, x)[0][layer - 1][unit - 1]


@pytest.mark.parametrize("seed", range(12))
def test_faces_fill_the_window(seed):
    arrays = flatten_complex(random_exact(seed))
    places, start, ring = (arrays[k] for k in ("vertices", "face_start", "face_vertices"))
    faces = len(start) - 1
    assert len(places) - len(arrays["edges"]) + faces == 1
    area = 0.0
    sides = set()
    for f in range(faces):
        corners = ring[start[f] : start[f + 1]].tolist()
        assert len(set(corners)) == len(corners) >= 3
        x, y = places[corners].T
        shoelace = (x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2
        assert shoelace > 0
        area += shoelace
        sides |= {(corners[k - 1], corners[k]) for k in range(len(corners))}
    assert area == pytest.approx(2.2 * 2.6, rel=1e-12)
    # Each edge is a side of the face to its left as it stands, and of the other one turned round.
    for (a, b), (left, right), kink in zip(
        arrays["edges"].tolist(),
        arrays["edge_faces"].tolist(),
        arrays["edge_kink"].tolist(),
        strict=True,
    ):
        assert ((a, b) in sides) == (left >= 0)
        assert ((b, a) in sides) == (right >= 0)
        assert (min(left, right) < 0) == (kink < 0)


@pytest.mark.parametrize("seed", range(12))
def test_polynomials_and_vertices(seed):
    exact = random_exact(seed)
    arrays = flatten_complex(exact)
    slice = exact.cells.slice
    places, start, ring = (arrays[k] for k in ("vertices", "face_start", "face_vertices"))
    size = np.abs(arrays["vertex_error"]).max() + 1e-12
    for vertex in range(0, len(places), 5):
        expected = slice_error_by_loops(slice, *map(float, places[vertex]))
        assert arrays["vertex_error"][vertex] == pytest.approx(expected, abs=1e-10 * size)
    rng = np.random.default_rng(seed)
    for f in range(0, len(start) - 1, 3):
        corners = places[ring[start[f] : start[f + 1]]]
        u, v = map(float, rng.dirichlet(np.ones(len(corners))) @ corners)
        polynomial = arrays["face_coefficients"][f] @ [1, u, v, u * u, u * v, v * v]
        expected = slice_error_by_loops(slice, u, v)
        assert polynomial == pytest.approx(expected, abs=1e-10 * size)


@pytest.mark.parametrize("seed", range(12))
def test_kinks_lie_where_they_say(seed):
    exact = random_exact(seed)
    check_kinks(exact.cells.slice, flatten_complex(exact))


def check_kinks(slice: Slice, arrays: dict) -> None:
    made = [(e, k) for e, k in enumerate(arrays["edge_kink"].tolist()) if k >= 0]
    for edge, kink in [*made[::2], *map(tuple, arrays["more_kinks"].tolist())]:
        u, v = map(float, arrays["vertices"][arrays["edges"][edge]].mean(axis=0))
        first, end = arrays["kink_sample_start"][kink : kink + 2]
        for sample in arrays["kink_samples"][first:end]:
            h = pre_activation(
                slice, u, v, arrays["kink_layer"][kink], arrays["kink_unit"][kink], int(sample)
            )
            assert h == pytest.approx(arrays["kink_node"][kink], abs=1e-10)


def test_kinks_on_kinks():
    exact = examine_cells(twins(), Window(-1, 1, -1, 1))
    arrays = flatten_complex(exact)
    check_kinks(exact.cells.slice, arrays)
    # u + 2v = 0 bends both hidden units, for both data points, on each edge that lies on it.
    made = np.flatnonzero(arrays["edge_kink"] >= 0)
    assert len(made)
    for edge in made:
        u, v = arrays["vertices"][arrays["edges"][edge]].T
        assert u + 2 * v == pytest.approx([0, 0], abs=1e-14)
        more = arrays["more_kinks"][arrays["more_kinks"][:, 0] == edge, 1]
        kinks = {int(arrays["edge_kink"][edge]), *more.tolist()}
        units = {(int(arrays["kink_layer"][k]), int(arrays["kink_unit"][k])) for k in kinks}
        assert {(1, 1), (1, 2)} <= units
        for kink in kinks:
            first, end = arrays["kink_sample_start"][kink : kink + 2]
            assert arrays["kink_samples"][first:end].tolist() == [1, 2]


def test_points_are_those_found():
    exact = random_exact(3)
    arrays = flatten_complex(exact)
    points = (*exact.points, *exact.border)
    assert len(points) > 3
    assert [tuple(place) for place in arrays["point_place"]] == [(p.u, p.v) for p in points]
    assert arrays["point_kind"].tolist() == [p.kind for p in points]
    assert arrays["point_support"].tolist() == [p.support for p in points]
    assert arrays["point_on_border"].sum() == len(exact.border)
    assert arrays["point_index"].sum() == 1


def test_every_array_is_described_and_nothing_is_pickled():
    squared = flatten_complex(random_exact(1))
    assert list(FIELDS.keys() - squared.keys()) == []
    assert squared.keys() == FIELDS.keys()
    assert not any(array.dtype.hasobject for array in squared.values())
    assert FIELDS.keys() - flatten_complex(random_exact(1, "logistic")) == {"face_coefficients"}
