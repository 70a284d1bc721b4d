"""The figure of what a grid misses: what was drawn, and where."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from oracles import make_objective, make_slice_by_hand, random_objective, random_slice

from surfacecli.figures.audit import DOTS, AuditPicture, draw_audit
from surfacecli.geometry.exact.points import examine_cells
from surfacecli.geometry.grids import sample_grid
from surfacecli.geometry.missed import Missed, find_missed
from surfacecli.geometry.slices import Slice, Window

WINDOW = Window(-1.3, 0.9, -0.7, 1.9)


def audit(slice: Slice, window: Window, resolution: tuple[int, int]) -> Missed:
    return find_missed(examine_cells(slice, window), sample_grid(slice, window, resolution))


@pytest.fixture(scope="module")
def missed() -> Missed:
    rng = np.random.default_rng(3)
    objective = random_objective(
        rng, 2, ["leaky_relu", "relu"], "squared", biases=True, widths=[3, 6, 2], samples=6
    )
    found = audit(random_slice(rng, "within-layer", objective=objective), WINDOW, (9, 7))
    assert found.unvisited.any()
    assert found.unshown
    assert len(found.differences.places)
    return found


def picture(missed: Missed) -> AuditPicture:
    return AuditPicture("A net", "E1: W1 = uU + vV", "u (layer 1)", "v (layer 1)", missed, "made")


def lines_at(axes: Axes, marker: str) -> list[tuple[float, float]]:
    return [
        (float(u), float(v))
        for line in axes.lines
        if line.get_marker() == marker
        for u, v in zip(line.get_xdata(), line.get_ydata(), strict=True)
    ]


def test_the_cells_without_a_point_are_filled(missed):
    left, _ = draw_audit(picture(missed)).axes
    (cells,) = [c for c in left.collections if isinstance(c, PolyCollection)]
    drawn = sorted(tuple(path.vertices[:-1].mean(axis=0).round(9)) for path in cells.get_paths())
    wanted = missed.exact.cells.inner_points[missed.visits == 0]
    assert drawn == sorted(map(tuple, wanted.round(9)))


def test_kinks_dots_and_marks(missed):
    left, right = draw_audit(picture(missed)).axes
    plane = missed.exact.cells.plane
    for axes in (left, right):
        (kinks,) = [c for c in axes.collections if isinstance(c, LineCollection)]
        assert len(kinks.get_segments()) == int((plane.label >= 0).sum())
        assert axes.get_xlim() == (-1.3, 0.9)
        assert axes.get_ylim() == (-0.7, 1.9)
    assert len(lines_at(left, ".")) == 9 * 7
    points = [at for marker in "vD^ohs" for at in lines_at(left, marker)]
    for point in missed.unshown:
        assert (point.u, point.v) in points
    assert missed.exact.lowest[:2] in lines_at(left, "o")
    assert lines_at(left, "+") == [missed.lowest[:2]]
    false = [tuple(place) for c in missed.claims.values() for place in c.places[~c.true].tolist()]
    assert sorted(at for marker in "vD^" for at in lines_at(right, marker)) == sorted(false)


def test_wrong_signs_fill_their_pixels(missed):
    _, right = draw_audit(picture(missed)).axes
    (image,) = right.images
    pixels = np.asarray(image.get_array())[:, :, 3] > 0
    assert pixels.shape == (7, 9)
    rows, columns = np.nonzero(pixels)
    found = sorted(zip(missed.grid.u[columns], missed.grid.v[rows], strict=True))
    assert found == sorted(map(tuple, missed.differences.places))
    # The middle of each pixel is its grid point.
    u0, u1, v0, v1 = image.get_extent()
    assert u0 + (u1 - u0) / 9 / 2 == pytest.approx(missed.grid.u[0])
    assert v1 - (v1 - v0) / 7 / 2 == pytest.approx(missed.grid.v[-1])


def test_the_legend_counts(missed):
    figure = draw_audit(picture(missed))
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert f"cells without a grid point {int((missed.visits == 0).sum())}" in texts
    wrong = f"Hessian by differences has the wrong sign {len(missed.differences.places)}"
    assert wrong in texts
    counted = sum(int(text.split()[-1]) for text in texts if " not shown " in text)
    assert counted == len(missed.unshown)
    figure.draw_without_rendering()
    box = legend.get_window_extent()
    assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
    for axes in figure.axes:
        assert not box.overlaps(axes.get_window_extent())


def test_a_fine_grid_has_no_dots_and_one_cell_no_kinks():
    objective = make_objective([[[0.0], [0.0]]], ["identity"], [[1]], [[1, 1]])
    slice = make_slice_by_hand(objective, {1: [[1], [0]]}, {1: [[0], [1]]})
    found = audit(slice, Window(-4, 4, -1, 1), (DOTS + 2, 5))
    left, _ = draw_audit(picture(found)).axes
    assert lines_at(left, ".") == []
    assert not left.collections[0].get_paths()
