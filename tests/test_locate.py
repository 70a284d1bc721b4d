"""Which cell a grid point lies in, against activation patterns; areas against the shoelace."""

import numpy as np
import pytest
from oracles import make_objective, make_slice_by_hand, random_objective, random_slice

from surfacecli.geometry import locate
from surfacecli.geometry.exact.cells import Cells, find_cells
from surfacecli.geometry.locate import locate_grid, measure_areas
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.surface import linear_pieces


def abs_cross() -> Slice:
    """E = (|u| - 1)^2 + (|v| - 1)^2: four cells, kinks along both axes."""
    objective = make_objective([[[0], [0]], np.eye(2)], ["abs", "identity"], [[1]], [[1, 1]])
    return make_slice_by_hand(objective, {1: [[1], [0]]}, {1: [[0], [1]]})


def random_cells(seed: int, window: Window) -> Cells:
    rng = np.random.default_rng(seed)
    transfers = [*["leaky_relu", "abs", "hard_tanh"][: 1 + seed % 3], "leaky_relu"]
    objective = random_objective(rng, len(transfers), transfers, "squared", biases=True)
    return find_cells(random_slice(rng, "within-layer", objective=objective), window)


def corners(cells: Cells, face: int) -> np.ndarray:
    """The corners of a face, by following its half-edges one at a time."""
    return cells.plane.place[cells.plane.border(face)]


def test_kinks_and_quadrants():
    cells = find_cells(abs_cross(), Window(-2, 2, -2, 2))
    u = v = np.linspace(-2, 2, 5)
    found = locate_grid(cells, u, v)
    on_kink = (u == 0) | (v == 0)[:, None]
    assert ((found == -1) == on_kink).all()
    for row, column in np.argwhere(~on_kink):
        middle = cells.inner_points[found[row, column]]
        assert np.sign(middle).tolist() == [np.sign(u[column]), np.sign(v[row])]


@pytest.mark.parametrize("seed", range(24))
def test_the_cell_of_a_point_has_its_pattern(seed):
    window = Window(-1.3, 0.9, -0.7, 1.9)
    cells = random_cells(seed, window)
    u, v = window.axes((23, 17))
    found = locate_grid(cells, u, v)
    assert found.shape == (17, 23)
    along_u, along_v = np.meshgrid(u, v)
    inside = found >= 0
    here = linear_pieces(cells.slice, along_u[inside], along_v[inside])
    middle = cells.inner_points[found[inside]]
    assert (here == linear_pieces(cells.slice, middle[:, 0], middle[:, 1])).all()
    # Points in two cells of one pattern (cut by a kink that E does not feel): by their corners too.
    for row, column in np.argwhere(inside)[::7]:
        ring = corners(cells, int(found[row, column]))
        to, along = (u[column], v[row]) - ring, np.roll(ring, -1, axis=0) - ring
        assert (along[:, 0] * to[:, 1] - along[:, 1] * to[:, 0] > -1e-12).all()


def test_rows_through_every_vertex():
    cells = random_cells(1, Window())
    v = np.unique(np.concatenate([cells.plane.place[:, 1], np.linspace(-1, 1, 7)]))
    v = v[np.append(np.diff(v) > 1e-9, True)]
    u = np.linspace(-1, 1, 31)
    found = locate_grid(cells, u, v)
    along_u, along_v = np.meshgrid(u, v)
    inside = found >= 0
    assert inside.mean() > 0.9
    here = linear_pieces(cells.slice, along_u[inside], along_v[inside])
    middle = cells.inner_points[found[inside]]
    same = (here == linear_pieces(cells.slice, middle[:, 0], middle[:, 1])).all(axis=1)
    assert same.all()


def roof() -> Slice:
    """Kinks on u = v - 1 and u = 1 - v, which meet in the middle of the window's upper side."""
    weights = [[[0.0, -1], [0, -1]], [[1.0, 1]]]
    objective = make_objective(weights, ["abs", "identity"], [[1, 1]], [[0]])
    along_u, along_v = [[1, 0], [-1, 0]], [[0, 1], [0, 1]]
    # h = (u + v - 1, v - u - 1): the constant part is the origin.
    return Slice(
        "roof",
        objective,
        {1: np.array(weights[0])},
        {1: np.array(along_u, dtype=float)},
        {1: np.array(along_v, dtype=float)},
    )


@pytest.mark.parametrize("v", [np.linspace(-1, 1, 5), np.linspace(0, 2, 5)])
def test_kinks_that_meet_on_a_row(v, monkeypatch):
    # The order along the row is right by itself: no point is held against every cell.
    monkeypatch.setattr(locate, "_deepest", None)
    cells = find_cells(roof(), Window(-1, 1, float(v[0]), float(v[-1])))
    u = np.linspace(-0.9, 0.9, 7)
    found = locate_grid(cells, u, v)
    for row, column in np.argwhere(found >= 0):
        middle = cells.inner_points[found[row, column]]
        here, there = (
            (np.sign(a + b - 1), np.sign(b - a - 1))
            for a, b in ((u[column], v[row]), (float(middle[0]), float(middle[1])))
        )
        assert here == there
    on_kink = (u + v[:, None] == 1) | (v[:, None] - u == 1)
    assert ((found == -1) == on_kink).all()


def test_the_distances_have_the_last_word(monkeypatch):
    cells, u, v = random_cells(2, Window()), np.linspace(-1, 1, 9), np.linspace(-1, 1, 7)
    expected = locate_grid(cells, u, v)
    right = locate._cross_rows

    def spoilt(*arguments):
        crossings = right(*arguments)
        return locate.Crossings(crossings.start, crossings.place, np.roll(crossings.right, 1))

    monkeypatch.setattr(locate, "_cross_rows", spoilt)
    assert (locate_grid(cells, u, v) == expected).all()


@pytest.mark.parametrize("seed", range(6))
def test_areas(seed):
    window = Window(-1.3, 0.9, -0.7, 1.9)
    cells = random_cells(seed, window)
    areas = measure_areas(cells)
    assert areas.sum() == pytest.approx(2.2 * 2.6, rel=1e-12)
    for face in range(min(len(cells), 40)):
        x, y = corners(cells, face).T
        shoelace = sum(
            x[k - 1] * y[k] - x[k] * y[k - 1]
            for k in range(len(x))  # k - 1 wraps round
        )
        assert areas[face] == pytest.approx(shoelace / 2, rel=1e-9, abs=1e-14)
