"""Figures for one column of a journal: as wide, as legible, nothing over anything else."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from mpl_toolkits.mplot3d.axes3d import Axes3D
from oracles import random_objective, random_slice
from test_figures import (
    BORDER,
    POINTS,
    assert_texts_stand_apart,
    boxes,
    picture,
    plane_of,
    section,
    view_of,
)

from surfacecli.figures import SIZES, draw_panel, draw_section, draw_surface, make_picture
from surfacecli.figures.audit import AuditPicture, draw_audit
from surfacecli.figures.legend import Legend, arrange_legend, draw_legend
from surfacecli.figures.lettering import FINE
from surfacecli.figures.picture import Picture
from surfacecli.figures.theme import COLUMN, new_figure, theme
from surfacecli.geometry.claim import Verdict, give_exact_verdict
from surfacecli.geometry.grids import Grid, sample_grid
from surfacecli.geometry.missed import find_missed
from surfacecli.geometry.slices import Window
from surfacecli.pictures import picture_of
from surfacecli.study import make_study

#: Points: what journals ask of letters at their final size.
LEGIBLE = 7.0
SOURCE = (
    "surface 0: preset p, slice E1, origin zero, gaussian directions, seed 119, weights seed 60"
)


@pytest.fixture(scope="module")
def examined() -> tuple[Grid, Verdict]:
    rng = np.random.default_rng(3)
    objective = random_objective(rng, 2, ["relu", "relu"], "squared", widths=[3, 6, 2], samples=6)
    slice = random_slice(rng, "within-layer", objective=objective)
    window = Window(-1.3, 0.9, -0.7, 1.9)
    return sample_grid(slice, window, (13, 11)), give_exact_verdict(slice, window)


@pytest.fixture(scope="module")
def exact(examined: tuple[Grid, Verdict]) -> Picture:
    return make_picture(*examined, "A net of two layers and what it shows", SOURCE, cells=True)


@pytest.fixture(scope="module")
def audit(examined: tuple[Grid, Verdict]) -> AuditPicture:
    grid, verdict = examined
    assert verdict.exact is not None
    missed = find_missed(verdict.exact, grid)
    return AuditPicture("A net", "E1: W1 = uU + vV", "u (layer 1)", "v (layer 1)", missed, SOURCE)


def full(**changes: object) -> Picture:
    return picture(points=POINTS, border=BORDER, lowest=(0.0, 0.0, 1.0), **changes)


FIGURES: dict[str, Callable[[Picture, AuditPicture], Figure]] = {
    "modern": lambda exact, _: draw_surface(exact, size="column"),
    "modern with all marks": lambda _, __: draw_surface(full(), size="column"),
    "post": lambda exact, _: draw_surface(exact, "post", size="column"),
    "cells": lambda exact, _: draw_surface(exact, "cells", size="column"),
    "cells by rank": lambda exact, _: draw_surface(exact, "cells", "rank", "column"),
    "cells by active units": lambda exact, _: draw_surface(exact, "cells", "active", "column"),
    "panel": lambda exact, _: draw_panel([exact, full(), exact, full()], size="column"),
    "panel of post": lambda exact, _: draw_panel([exact, full()], "post", "column"),
    "section": lambda _, __: draw_section(section(7), "column"),
    "section with long ends": lambda _, __: draw_section(
        section(7, start=(-0.12345, -1.234e-5), end=(-1234.5, 2.5e7)), "column"
    ),
    "audit": lambda _, audit: draw_audit(audit, COLUMN),
}


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES.keys())
def test_a_column_is_legible_and_nothing_stands_over_anything(
    draw: Callable[[Picture, AuditPicture], Figure], exact: Picture, audit: AuditPicture
) -> None:
    figure = draw(exact, audit)
    width, height = figure.get_size_inches()
    assert width == 3.5
    assert height < 10  # what a page has, with a caption
    # As many pixels as a page has: at the size of print they must not be seen.
    assert figure.dpi >= 400
    assert_texts_stand_apart(figure)
    assert min(text.get_fontsize() for text, _ in boxes(figure)) >= LEGIBLE
    flat = [axes for axes in figure.axes if not isinstance(axes, Axes3D)]
    for legend in figure.legends:
        extent = legend.get_window_extent()
        assert 0 <= extent.xmin < extent.xmax <= figure.bbox.xmax
        assert not any(extent.overlaps(axes.get_tightbbox()) for axes in flat)
    for one, other in combinations(flat, 2):
        assert not one.get_window_extent().overlaps(other.get_window_extent())


def test_the_surface_stands_over_the_view_from_above_and_the_legend_below() -> None:
    figure = draw_surface(full(), size="column")
    figure.draw_without_rendering()
    plane = plane_of(figure).get_window_extent()
    around_the_surface = [box for text, box in boxes(figure) if text.axes is view_of(figure)]
    assert min(box.ymin for box in around_the_surface) > plane.ymax
    assert figure.legends[0].get_window_extent().ymax < plane.ymin
    # Both views are about as wide as the column.
    assert plane.width > 0.55 * figure.bbox.width


def test_marks_are_where_they_are_on_a_page() -> None:
    def places(figure: Figure) -> list[list[list[float]]]:
        return [line.get_xydata().tolist() for line in plane_of(figure).lines]

    assert places(draw_surface(full(), size="column")) == places(draw_surface(full()))


def test_a_row_of_a_panel_has_its_views_side_by_side_and_no_bar() -> None:
    figure = draw_panel([full(), full(name="E2")], size="column")
    views = [axes for axes in figure.axes if isinstance(axes, Axes3D)]
    planes = [axes for axes in figure.axes if not isinstance(axes, Axes3D)]
    assert (len(views), len(planes)) == (2, 2)  # a colour bar would be one more
    for plane in planes:
        assert isinstance(plane, Axes)
        assert plane.get_position().x0 > 0.5


def test_a_panel_says_once_what_its_slices_share() -> None:
    sources = (
        "surface 0: preset p, slice E1, seed 3, 5 x 5",
        "surface 0: preset p, slice E2, 5 x 5",
    )
    pictures = [full(provenance=source, sampled=False) for source in sources]
    said = " ".join(text.get_text() for text in draw_panel(pictures, size="column").texts)
    assert "surface 0: preset p, 5 x 5; slice E1, seed 3; slice E2" in said


@pytest.mark.parametrize(
    ("preset", "slice_name"),
    [("post", "E12"), ("leaky", "E12"), ("saddles", "E12"), ("post-linear", "E12"), ("tanh", "E1")],
)
def test_the_legend_of_a_column_has_two_columns(preset: str, slice_name: str) -> None:
    study = make_study(preset, slice_name=slice_name, resolution=(21, 21))
    figure = draw_surface(picture_of(study.examine(study.slices[0])), size="column")
    (legend,) = figure.legends
    figure.draw_without_rendering()
    left = {round(text.get_window_extent().x0) for text in legend.get_texts()}
    assert len(left) == 2
    assert figure.get_size_inches()[1] < 7.8
    extent = legend.get_window_extent()
    assert 0 <= extent.xmin < extent.xmax <= figure.bbox.xmax


def entries(*texts: str) -> list[tuple[Line2D, str]]:
    return [(Line2D([], [], marker="o"), text) for text in texts]


def drawn(legend: Legend, width: float) -> tuple[float, float]:
    """Width and height in inches of a legend as matplotlib draws it."""
    with theme():
        figure = new_figure(width, 4.0, COLUMN)
        draw_legend(figure, legend, 3.9)
        figure.draw_without_rendering()
        extent = figure.legends[0].get_window_extent()
        return extent.width / figure.dpi, extent.height / figure.dpi


def test_as_many_columns_as_fit() -> None:
    nine = entries(*(f"an entry {n}" for n in range(9)))
    with theme():
        for width, columns in ((0.8, 1), (1.7, 2), (2.6, 3), (9.0, 9)):
            legend = arrange_legend(nine, width, FINE)
            assert (legend.columns, legend.rows) == (columns, -(-9 // columns))
            wide, high = drawn(legend, width)
            assert wide <= width + 0.03  # its pad
            assert high <= legend.room + 0.08
    assert arrange_legend([], 3.0) == Legend([], 0, 0)


def test_long_entries_are_broken_for_a_second_column() -> None:
    words = "Gauss-Newton steps 18 (12 equal to Newton's)"
    texts = ["maximum on the border 24", *(f"kinks of layer {n}" for n in range(7)), words]
    with theme():
        legend = arrange_legend(entries(*texts), 3.3, FINE)
        assert (legend.columns, legend.rows) == (2, 5)
        broken = [text for _, text in legend.entries]
        assert broken[:-1] == texts[:-1]
        assert broken[-1] == "Gauss-Newton steps 18\n(12 equal to Newton's)"
        wide, high = drawn(legend, 3.5)
        assert wide <= 3.33
        assert high <= legend.room + 0.08
        # Not where it helps little, nor where two lines are not enough.
        assert arrange_legend(entries(words, words), 3.3, FINE).columns == 1
        endless = arrange_legend(entries(*texts, 3 * words), 3.3, FINE)
        assert (endless.columns, endless.entries[-2][1]) == (1, words)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="1 to 4 slices, not 5"):
        draw_panel([full()] * 5, size="column")
    with pytest.raises(ValueError, match="'poster' is not a size of figures; choose page or col"):
        draw_surface(full(), size="poster")
    assert SIZES == ("page", "column")
