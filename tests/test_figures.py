"""Figures, by what was drawn: marks at their coordinates, contours not transposed, nothing cut."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, pairwise

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from mpl_toolkits.mplot3d.art3d import Line3DCollection, Poly3DCollection, Text3D
from mpl_toolkits.mplot3d.axes3d import Axes3D
from mpl_toolkits.mplot3d.proj3d import proj_transform
from oracles import make_objective, make_slice_by_hand

from surfacecli.figures import (
    Picture,
    SectionPicture,
    draw_panel,
    draw_section,
    draw_surface,
    make_picture,
    write_formula,
)
from surfacecli.figures.box import Box, Look, View, number_axes
from surfacecli.figures.height import measure_heights
from surfacecli.figures.lettering import fit_lines, text_width
from surfacecli.figures.marks import (
    EXTENT_RIM,
    HALF_BAR,
    LEAST_BAR,
    RAISED,
    RIM,
    legend_entries,
    mark_size,
)
from surfacecli.figures.picture import FARTHEST, measure_falls
from surfacecli.figures.shading import shade
from surfacecli.figures.sight import is_visible
from surfacecli.figures.surface3d import FACETS, choose_box, contour_lines
from surfacecli.figures.ticks import log_ticks, round_ticks, thin_ticks, write_numbers
from surfacecli.geometry.claim import give_verdict
from surfacecli.geometry.grids import sample_grid
from surfacecli.geometry.section import Section
from surfacecli.geometry.slices import Window, make_slice
from surfacecli.geometry.stationary import StationaryPoint
from surfacecli.network.data import Objective, random_data
from surfacecli.network.losses import LOSSES
from surfacecli.network.model import random_network
from surfacecli.network.transfers import TRANSFERS

U, V = np.linspace(-1.0, 2.0, 13), np.linspace(-0.5, 1.0, 9)


def picture(**changes: object) -> Picture:
    """A valley along u that is steeper in v, on a window and a grid that are not square."""
    plain = Picture(
        title="A title",
        name="E1",
        kind="within-layer",
        formula="W1 = uU + vV",
        label_u="u (layer 1)",
        label_v="v (layer 1)",
        u=U,
        v=V,
        error=1.0 + 0.1 * U[None, :] ** 2 + V[:, None] ** 2,
        provenance="surface 0: preset p",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def on(u: object, v: object, function: object) -> dict[str, object]:
    """The changes that put a function of u and v on another grid."""
    u, v = np.asarray(u, dtype=float), np.asarray(v, dtype=float)
    return {"u": u, "v": v, "error": function(u[None, :], v[:, None]) + 0 * (u + v[:, None])}  # type: ignore[operator]


def point(u: float, v: float, kind: str = "minimum", **changes: object) -> StationaryPoint:
    plain = StationaryPoint(u, v, 1 + 0.1 * u**2 + v**2, "minimum", "cell", True, 1)
    return replace(plain, kind=kind, **changes)  # type: ignore[arg-type]


POINTS = (
    point(0.25, 0.125),
    point(1.5, 0.75, "maximum", support="vertex", smooth=False),
    point(-0.5, 0.5, "saddle"),
    point(-0.75, -0.25, "maximum", support="plateau", extent=(-0.9, -0.6, -0.4, -0.1)),
)
BORDER = (point(2.0, 1.0, "maximum", on_border=True),)


def plane_of(figure: Figure) -> Axes:
    return next(axes for axes in figure.axes if axes.images)


def view_of(figure: Figure) -> Axes3D:
    return next(axes for axes in figure.axes if isinstance(axes, Axes3D))


def marks(axes: Axes) -> dict[tuple[float, ...], Line2D]:
    """Every marked place with the line that marks it; the ring of the lowest point left out."""
    found = {}
    for line in axes.lines:
        if line.get_marker() == "o":
            continue
        data = line.get_data_3d() if hasattr(line, "get_data_3d") else line.get_data()
        for place in zip(*data, strict=True):
            found[tuple(float(x) for x in place)] = line
    return found


def faces(mesh: Poly3DCollection) -> np.ndarray:
    """The corners (facets, corners, 3) in data coordinates; matplotlib 3.9 keeps them otherwise."""
    if hasattr(mesh, "_faces"):
        return np.asarray(mesh._faces)
    return np.stack([mesh._vec[:3, part].T for part in mesh._segslices])


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def boxes(figure: Figure) -> Iterator[tuple[Text, Bbox]]:
    """Every visible text with the rectangle of pixels that it covers."""
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip():
            if isinstance(text, Text3D):
                # Its window extent is right only once the projection was applied to it.
                x, y, _ = proj_transform(*text.get_position_3d(), text.axes.get_proj())
                flat = Text(x, y, text.get_text(), size=text.get_fontsize(), ha=text.get_ha())
                flat.set_va(text.get_va())
                flat.set_transform(text.axes.transData)
                flat.set_figure(figure)
                yield text, flat.get_window_extent(renderer)
            elif text.axes is None or not isinstance(text.axes, Axes3D):
                yield text, text.get_window_extent(renderer)


def test_marks_stand_at_the_points() -> None:
    figure = draw_surface(picture(points=POINTS, border=BORDER), "modern")
    found = marks(plane_of(figure))
    assert found.keys() == {(p.u, p.v) for p in (*POINTS, *BORDER)}
    shapes = {place: line.get_marker() for place, line in found.items()}
    assert shapes == {
        (0.25, 0.125): "v",
        (1.5, 0.75): "^",
        (-0.5, 0.5): "D",
        (-0.75, -0.25): "s",
        (2.0, 1.0): "^",
    }
    kinked, smooth, border = found[1.5, 0.75], found[0.25, 0.125], found[2.0, 1.0]
    assert kinked.get_markerfacecolor() == "white"
    assert smooth.get_markerfacecolor() not in ("white", "none")
    assert border.get_markersize() < kinked.get_markersize()
    assert kinked.get_markeredgecolor() != smooth.get_markerfacecolor()


def test_marks_in_3d_stand_on_the_surface_and_leave_the_border_out() -> None:
    figure = draw_surface(picture(points=POINTS, border=BORDER), "modern")
    found = marks(view_of(figure))
    assert found
    assert found.keys() <= {(p.u, p.v, p.error) for p in POINTS}
    assert (0.25, 0.125, POINTS[0].error) in found


def test_what_the_surface_hides_is_not_marked() -> None:
    """A wall between the eye and a pit: the pit is hidden, the wall's crest is seen."""
    plain = picture(
        **on(np.linspace(0, 1, 41), np.linspace(0, 1, 41), lambda u, v: 5.0 * (u > 0.5))
    )
    heights = measure_heights(plain.error)
    box = choose_box(plain, heights)
    from_right = replace(box, view=View(0.0, 30.0, 0.7))
    assert not is_visible(0.45, 0.5, 0.0, from_right, plain, heights)
    assert is_visible(0.55, 0.5, 5.0, from_right, plain, heights)
    assert is_visible(0.45, 0.5, 0.0, replace(box, view=View(180.0, 30.0, 0.7)), plain, heights)


def test_the_eye_is_at_the_lowest_corner() -> None:
    for u, v in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        slope = picture(**on(U, V, lambda x, y, u=u, v=v: -u * x - v * y))
        box = choose_box(slope, measure_heights(slope.error))
        assert box.near == (U[0] if u < 0 else U[-1], V[0] if v < 0 else V[-1])


def test_the_extent_of_a_plateau_is_outlined() -> None:
    (outline,) = plane_of(draw_surface(picture(points=POINTS))).patches
    assert outline.get_extents().transformed(
        outline.axes.transData.inverted()
    ).extents.tolist() == (pytest.approx([-0.9, -0.4, -0.6, -0.1]))
    whole = point(0, 0, support="valley", extent=(U[0], U[-1], V[0], V[-1]))
    assert not plane_of(draw_surface(picture(points=(whole,)))).patches


def test_the_lowest_point_has_a_ring() -> None:
    figure = draw_surface(picture(points=POINTS, lowest=(0.1, 0.2, 1.041)))
    rings = [line for line in plane_of(figure).lines if line.get_marker() == "o"]
    assert [line.get_xydata().tolist() for line in rings] == [[[0.1, 0.2]]]
    (ring,) = [line for line in view_of(figure).lines if line.get_marker() == "o"]
    assert [float(x[0]) for x in ring.get_data_3d()] == [0.1, 0.2, 1.041]


def test_contours_are_not_transposed() -> None:
    """Along every line E has the value of a level; on the transposed grid it would not."""
    plain = picture()
    figure = draw_surface(plain)
    (drawn,) = [c for c in plane_of(figure).collections if isinstance(c, LineCollection)]
    levels = measure_heights(plain.error).levels(12)
    for line in drawn.get_segments():
        error = 1 + 0.1 * line[:, 0] ** 2 + line[:, 1] ** 2
        # Linear interpolation on this grid is wrong by its curvature at most.
        assert np.abs(error[:, None] - levels).min(axis=1) == pytest.approx(0, abs=0.012)
    assert len(drawn.get_segments()) >= len(levels)


def test_the_image_is_not_transposed() -> None:
    image = plane_of(draw_surface(picture(**on(U, V, lambda u, v: u + 0 * v)))).images[0]
    assert image.get_array().shape[:2] == (len(V), len(U))
    assert image.origin == "lower"
    brightness = np.asarray(image.get_array())[..., :3].sum(axis=2)
    assert (np.diff(brightness, axis=1) > 0).all()
    assert np.ptp(brightness, axis=0) == pytest.approx(0, abs=1e-12)
    # Pixel centres on grid points: half a step beyond the window on each side.
    assert image.get_extent() == pytest.approx([-1.125, 2.125, -0.59375, 1.09375])


def test_the_surface_in_3d_has_the_values() -> None:
    plain = picture()
    mesh = next(
        c for c in view_of(draw_surface(plain)).collections if isinstance(c, Poly3DCollection)
    )
    corners = faces(mesh).reshape(-1, 3)
    assert len(faces(mesh)) == (len(U) - 1) * (len(V) - 1)
    assert set(corners[:, 0]) == set(U)
    assert set(corners[:, 1]) == set(V)
    expected = 1 + 0.1 * corners[:, 0] ** 2 + corners[:, 1] ** 2
    assert corners[:, 2] == pytest.approx(expected, rel=1e-12)


def test_the_floor_lies_below_the_surface() -> None:
    figure = draw_surface(picture())
    lines = [c for c in view_of(figure).collections if isinstance(c, Line3DCollection)]
    bottom = view_of(figure).get_zlim()[0]
    floor = [c for c in lines if len({z for s in c._segments3d for z in np.asarray(s)[:, 2]}) == 1]
    assert bottom < 1.0
    assert any(len(c._segments3d) > 3 for c in floor)
    for c in floor:
        assert np.asarray(c._segments3d[0])[:, 2] == pytest.approx(bottom)


def test_every_grid_line_is_drawn_up_to_a_limit() -> None:
    n = FACETS + 61
    fine = picture(**on(np.linspace(0, 1, n), np.linspace(0, 1, 5), lambda u, v: u + v))
    mesh = next(
        c for c in view_of(draw_surface(fine)).collections if isinstance(c, Poly3DCollection)
    )
    drawn = np.unique(faces(mesh)[..., 0])
    assert drawn == pytest.approx(np.linspace(0, 1, n)[::2])
    assert len(np.unique(faces(mesh)[..., 1])) == 5


def test_labels_limits_and_lines() -> None:
    figure = draw_surface(picture(points=POINTS))
    plane = plane_of(figure)
    assert (plane.get_xlabel(), plane.get_ylabel()) == ("u (layer 1)", "v (layer 1)")
    assert (*plane.get_xlim(), *plane.get_ylim()) == (-1.0, 2.0, -0.5, 1.0)
    assert texts(figure)[:2] == ["A title", "E1: W1 = uU + vV"]
    assert texts(figure)[2] == "surface 0: preset p; points sampled, not exhaustive"
    exact = draw_surface(picture(points=POINTS, sampled=False))
    assert texts(exact)[2] == "surface 0: preset p"
    assert {text.get_text() for text in view_of(figure).texts} >= {
        "u (layer 1)",
        "v (layer 1)",
        "E",
    }
    bar = figure.axes[-1]
    assert bar.get_title() == "E"
    assert bar.get_ylim() == pytest.approx((1.0 + V[3] ** 2, 2.4))


def test_a_saddle_has_its_bar_in_both_views() -> None:
    saddle = point(-0.5, 0.5, "saddle", downhill=(0.6, 0.8))
    figure = draw_surface(picture(points=(saddle,)))
    (bar,) = [c for c in plane_of(figure).collections if c.get_gid() == "descents of saddles"]
    ((low, high),) = bar.get_segments()
    plane = plane_of(figure)
    ends = plane.transData.transform([low, high]) / figure.dpi
    assert np.hypot(*(ends[1] - ends[0])) == pytest.approx(2 * HALF_BAR)
    assert (high - low) / np.hypot(*(high - low)) == pytest.approx((0.6, 0.8))
    (raised,) = [line for line in view_of(figure).lines if line.get_gid() == "descent of a saddle"]
    u, v, z = raised.get_data_3d()
    assert np.hypot((u[-1] - u[0]) / 3.0, (v[-1] - v[0]) / 1.5) == pytest.approx(2 * RAISED)
    assert (v[-1] - v[0]) / (u[-1] - u[0]) == pytest.approx(0.8 / 0.6)
    assert z == pytest.approx(1 + 0.1 * u**2 + v**2, abs=0.05)  # between points of the grid
    assert z[len(z) // 2] == saddle.error
    # One at the edge of the window has what is left of its bar.
    edge = draw_surface(picture(points=(point(1.95, 0.5, "saddle", downhill=(1.0, 0.0)),)))
    (raised,) = [line for line in view_of(edge).lines if line.get_gid() == "descent of a saddle"]
    u, _, _ = raised.get_data_3d()
    assert u.min() < 1.95 - 0.9 * RAISED * 3.0
    assert 1.95 <= u.max() <= 2.0
    # One that the surface hides has none.
    buried = draw_surface(picture(points=(replace(saddle, error=0.0),)))
    assert not [line for line in view_of(buried).lines if line.get_gid() == "descent of a saddle"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "smooth saddle 1",
        "saddle: E falls this way",
    ]


def bar_of(drawn: Picture) -> tuple[np.ndarray, float]:
    """The ends of the bar in the view from above, and half of a whole bar, in units of u."""
    plane = plane_of(draw_surface(drawn))
    (bar,) = [c for c in plane.collections if c.get_gid() == "descents of saddles"]
    (ends,) = bar.get_segments()
    return ends, HALF_BAR * plane.figure.dpi / plane.bbox.width * float(np.ptp(drawn.u))


def test_the_bar_of_a_saddle_ends_where_e_stops_falling() -> None:
    saddle = point(0.5, 0.5, "saddle", downhill=(1.0, 0.0))
    ((low, _), (high, _)), half = bar_of(picture(points=(saddle,), falls={(0.5, 0.5): (9.0, 9.0)}))
    assert (0.5 - low, high - 0.5) == pytest.approx((half, half))
    falls = {(0.5, 0.5): (0.7 * half, 0.0)}
    cut = picture(points=(saddle,), falls=falls)
    ((low, _), (high, _)), _ = bar_of(cut)
    assert (0.5 - low, high - 0.5) == pytest.approx((0.7 * half, LEAST_BAR * half))
    (raised,) = [
        line for line in view_of(draw_surface(cut)).lines if line.get_gid() == "descent of a saddle"
    ]
    u, _, _ = raised.get_data_3d()
    assert u[-1] - 0.5 == pytest.approx(LEAST_BAR * RAISED * 3.0)
    assert 0.5 - u[0] == pytest.approx(0.7 * half)


def test_e_is_followed_down_from_a_saddle() -> None:
    """E = 0.5 (1 - u v)^2 falls from 0 along (1, 1) as far as u v = 1."""
    objective = make_objective([[[0]], [[0]]], ["identity", "identity"], [[1]], [[1]])
    slice = make_slice_by_hand(objective, {1: [[1]]}, {2: [[1]]})
    saddle = point(0.0, 0.0, "saddle", downhill=(0.5**0.5, 0.5**0.5))
    for side, known in ((20.0, 2**0.5), (2.0, FARTHEST * 4.0)):
        grid = sample_grid(slice, Window(-side, side, -side, side), (5, 5))
        assert measure_falls(slice, grid, saddle) == pytest.approx((known, known), rel=0.06)
    verdict = give_verdict(slice, Window(-20, 20, -20, 20), grid)
    assert set(make_picture(grid, verdict, "t", "p").falls) == {
        (p.u, p.v) for p in verdict.smooth_saddles
    }


def test_the_ring_on_the_border_keeps_off_numbers_and_colour_bar() -> None:
    figure = draw_surface(picture(points=POINTS, lowest=(2.0, -0.5, 1.65)))
    figure.draw_without_rendering()
    plane = plane_of(figure)
    (ring,) = [line for line in plane.lines if line.get_marker() == "o"]
    reach = (ring.get_markersize() + RIM) / 2 / 72 * figure.dpi
    x, y = plane.transData.transform((2.0, -0.5))
    assert x + reach < figure.axes[-1].get_window_extent().x0
    number = plane.get_xticklabels()[-1]
    assert number.get_text() == "2"
    assert y - reach > number.get_window_extent().y1 - 0.5 / 72 * figure.dpi
    inside = draw_surface(picture(points=POINTS, lowest=(0.0, 0.0, 1.0)))
    (wide,) = [line for line in plane_of(inside).lines if line.get_marker() == "o"]
    assert wide.get_markersize() > ring.get_markersize()


def test_legend_counts_and_covers_no_data() -> None:
    many = (*POINTS, point(0.3, 0.3), point(0.4, 0.3))
    figure = draw_surface(picture(points=many, border=BORDER, lowest=(0.0, 0.0, 1.0)))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "smooth minimum 3",
        "kinked maximum 1",
        "plateau (maximum) 1",
        "smooth saddle 1",
        "maximum on the border 1",
        "lowest point",
        "extent of a set",
    ]
    figure.draw_without_rendering()
    extent = legend.get_window_extent()
    plane = plane_of(figure)
    assert not extent.overlaps(plane.get_window_extent())
    assert not extent.overlaps(plane.get_tightbbox())
    own = set(legend.get_texts())
    for text, box in boxes(figure):
        assert text in own or not extent.overlaps(box), text
    assert extent.xmin >= 0
    assert extent.xmax <= figure.bbox.xmax


def test_marks_shrink_where_there_are_many() -> None:
    assert mark_size(5) == mark_size(15) > mark_size(30) > mark_size(50) >= 3
    assert mark_size(5000) == 3


def test_panel_has_one_legend_with_all_counts() -> None:
    figure = draw_panel([picture(points=POINTS), picture(name="E2", points=POINTS[:1])])
    entries = [text.get_text() for text in figure.legends[0].get_texts()]
    assert entries[0] == "smooth minimum 2"
    assert len([axes for axes in figure.axes if isinstance(axes, Axes3D)]) == 2
    assert {"E1: W1 = uU + vV", "E2: W1 = uU + vV"} <= set(texts(figure))
    assert len(legend_entries([picture()])) == 0


@pytest.mark.parametrize(
    ("style", "count"), [("modern", 1), ("modern", 5), ("post", 2), ("post", 9)]
)
def test_panels_of_any_number(style: str, count: int) -> None:
    figure = draw_panel([picture(name=f"S{n}") for n in range(count)], style)
    views = [axes for axes in figure.axes if isinstance(axes, Axes3D)]
    assert len(views) == count
    for axes in figure.axes:
        if not isinstance(axes, Axes3D):
            assert axes.get_position().y0 > 0
            assert axes.get_position().x1 < 1


@pytest.mark.parametrize("count", [0, 10])
def test_panels_of_too_many_or_none_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"1 to 9 slices, not {count}"):
        draw_panel([picture()] * count)


def test_unknown_style_is_refused() -> None:
    with pytest.raises(ValueError, match="'old' is not a style of figures; choose modern"):
        draw_surface(picture(), "old")


CASES: dict[str, dict[str, object]] = {
    "constant": on(U, V, lambda u, v: 3.0),
    "zero": on(U, V, lambda u, v: 0.0),
    "rounding only": on(U, V, lambda u, v: 3.0 + 1e-15 * np.sin(99 * u * v)),
    "negative": on(U, V, lambda u, v: -np.exp(4 * u)),
    "tiny window": on(U * 1e-7, V * 1e-7, lambda u, v: (u * 1e7) ** 2 + v),
    "huge": on(U * 1e6, V * 1e6, lambda u, v: u**2 + v**2),
    "far from zero": on(
        1000 + U * 1e-3, 50 + V, lambda u, v: (u - 1000) ** 2 * 1e6 + (v - 50) ** 2
    ),
    "wide": on(U * 40, V, lambda u, v: u**2 + v),
    "tall": on(U, V * 2, lambda u, v: u**2 + v),
    "two points": on([-1.0, 1.0], [0.0, 3.0], lambda u, v: u + v),
    "decades": on(U, V, lambda u, v: np.exp(9 * u)),
    "long words": {
        "title": "A title that goes on and on " * 12,
        "name": "a-slice-with-a-very-long-name-" * 3,
        "formula": "W1 = W1 + uU1 + vV1, " * 9,
        "label_u": "u (layers 1, 2, 3, 4, 5, 6 and 7)",
        "label_v": "v (layers 1, 2, 3, 4, 5, 6 and 7)",
        "provenance": "preset-" + "y" * 90 + ", and so on" * 30,
    },
    "dollars": {"title": "costs $\\frac{$", "name": "$x_1^2$"},
}


@pytest.mark.parametrize("size", ["page", "column"])
@pytest.mark.parametrize("style", ["modern", "post"])
@pytest.mark.parametrize("changes", CASES.values(), ids=CASES.keys())
def test_nothing_is_cut_off_and_no_texts_overlap(
    changes: dict[str, object], style: str, size: str
) -> None:
    assert_texts_stand_apart(draw_surface(picture(points=POINTS[:2], **changes), style, size=size))


def assert_texts_stand_apart(figure: Figure) -> None:
    """No text is cut off at the figure's border, and none covers another."""
    found = list(boxes(figure))
    assert len(found) > 6
    width, height = figure.bbox.size
    pixel = figure.dpi / 200
    for text, box in found:
        assert box.xmin >= 0, text
        assert box.ymin >= 0, text
        assert box.xmax <= width, text
        assert box.ymax <= height, text
    for (one, a), (other, b) in combinations(found, 2):
        width = min(a.xmax, b.xmax) - max(a.xmin, b.xmin)
        height = min(a.ymax, b.ymax) - max(a.ymin, b.ymin)
        # The boxes of letters have empty edges.
        assert width <= 3 * pixel or height <= 6 * pixel, (one.get_text(), other.get_text())


def test_error_over_decades_gets_a_logarithmic_scale() -> None:
    figure = draw_surface(picture(**CASES["decades"]))  # e^-9 to e^18
    assert figure.axes[-1].get_title() == "E (log)"
    bar = figure.axes[-1]
    assert bar.get_ylim() == pytest.approx((-9 / np.log(10), 18 / np.log(10)))
    names = [label.get_text() for label in bar.get_yticklabels()]
    values = [float(name.replace("\N{MINUS SIGN}", "-")) for name in names]
    assert np.log10(values) == pytest.approx(bar.get_yticks())


def test_a_valley_of_zero_error_gets_no_logarithmic_scale() -> None:
    """Its depth in powers of ten is the luck of the grid."""
    u = np.linspace(-1, 1, 41)
    heights = measure_heights((u[None, :] ** 2 + u[:, None] ** 2 - 0.5) ** 2 + 1e-12)
    assert not heights.log
    assert measure_heights(np.exp(9 * u)[None, :] + 0 * u[:, None]).log
    assert not measure_heights(np.array([[0.0, 1.0], [10.0, 1e9]])).log


def test_post_shows_indices_and_neither_title_nor_marks() -> None:
    figure = draw_surface(picture(points=POINTS, border=BORDER), "post")
    assert texts(figure) == ["surface 0: preset p"]
    assert not figure.legends
    (axes,) = figure.axes
    assert isinstance(axes, Axes3D)
    assert not axes.lines
    (mesh,) = [c for c in axes.collections if isinstance(c, Poly3DCollection)]
    assert len(faces(mesh)) == 2 * (len(U) - 1) * (len(V) - 1)
    corners = faces(mesh).reshape(-1, 3)
    expected = 1 + 0.1 * U[corners[:, 0].astype(int)] ** 2 + V[corners[:, 1].astype(int)] ** 2
    assert corners[:, 2] == pytest.approx(expected, rel=1e-12)
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 12), (0, 8))
    low, high = axes.get_zlim()
    assert low <= 1.0
    assert high >= 2.4
    # Jet: the lowest facet dark blue, the highest dark red.
    colours = mesh._facecolor3d
    z = faces(mesh)[..., 2].mean(axis=1)
    assert colours[z.argmin()][2] > 0.5 > colours[z.argmin()][0]
    assert colours[z.argmax()][0] > 0.4 > colours[z.argmax()][2]


@pytest.mark.parametrize("size", ["page", "column"])
def test_where_a_picture_comes_from_is_said_in_full(size: str) -> None:
    """Whatever the style, the size and how many slices there are: lines are broken, not cut."""
    source = (
        "surface 0.1.0: preset saddles, slice E12, origin zero, gaussian directions, seed 111, "
        "U along eigenvector 1 of the Hessian, weights seed 111, data seed 111, 61 x 61"
    )
    one = picture(provenance=source, title="The counterexample, a smooth peak of a ReLU net")
    for figure in (
        *(draw_surface(one, style, size=size) for style in ("modern", "post")),
        *(draw_panel([one] * n, style, size) for n in (1, 2, 3) for style in ("modern", "post")),
        draw_section(replace(section(3), provenance=source), size),
    ):
        said = " ".join(texts(figure))
        assert source in said
        assert "..." not in said


@pytest.mark.parametrize(
    ("kind", "last", "across"),
    [
        ("within-layer", False, "u"),
        ("within-layer", True, "v"),
        ("mixed", True, "u"),
    ],
)
def test_the_viewpoints_of_the_post(kind: str, last: bool, across: str) -> None:
    """E1 has u from left to right at the bottom, E2 v; matplotlib's projection says so."""
    axes = draw_surface(picture(kind=kind, last_layer=last), "post").axes[0]
    assert isinstance(axes, Axes3D)
    (x0, x1), (y0, y1), (z0, _) = axes.get_xlim(), axes.get_ylim(), axes.get_zlim()
    ends = ([x0, x1], [y0, y0]) if across == "u" else ([x0, x0], [y0, y1])
    x, y, _ = proj_transform(*ends, [z0, z0], axes.get_proj())
    assert x[1] > x[0]
    assert abs(x[1] - x[0]) > 4 * abs(y[1] - y[0])


def test_the_viewpoint_across_layers_has_the_first_corner_in_front() -> None:
    axes = draw_surface(picture(kind="across-layers", last_layer=False), "post").axes[0]
    assert isinstance(axes, Axes3D)
    x, y, _ = proj_transform(
        [0, 12, 0, 12], [0, 0, 8, 8], [axes.get_zlim()[0]] * 4, axes.get_proj()
    )
    assert y.argmin() == 0
    assert x[1] > x[0] > x[2]


def section(
    kinks: int,
    exact: bool = True,
    start: tuple[float, float] = (-0.5, 0.25),
    end: tuple[float, float] = (1.5, 2.0),
) -> SectionPicture:
    t = np.linspace(0, 1, 101)
    at = np.linspace(0.1, 0.9, kinks)
    values = Section(t, t, t, np.abs(t - 0.5), at, np.abs(at - 0.5), np.ones(kinks), exact)
    return SectionPicture("A title", "E1", values, start, end, "surface 0")


def test_numbers_keep_apart_where_two_axes_meet() -> None:
    """The vertical axis begins at the corner where v ends: one number above, the other below."""
    view = View(-102.9, 23.7, 0.85)
    box = Box((0, 40), (0, 40), (20, 80), (1, 1, 0.85), view)
    ticks = (round_ticks(0, 40, 4), round_ticks(0, 40, 4), round_ticks(20, 80, 3))
    labels = number_axes(box, ticks, Look())
    (last,) = [label for label in labels if label.text == "40" and label.place[1:] == (40, 20)]
    (lowest,) = [label for label in labels if label.text == "20" and label.upright == "bottom"]
    assert lowest.place == pytest.approx((0, 41.8, 20))
    for label, reach in ((lowest, [0, 1]), (last, [1, 0])):
        down, up = label.reach()[:, 1]
        assert [down > 0, up > 0] == reach, label


def test_the_lowest_number_stands_at_its_tick_where_the_corner_leaves_room() -> None:
    """As in post's E12: raised, it would stand on the next one."""
    box = Box((0, 40), (0, 40), (33.2, 34.6), (1, 1, 0.68), View(-135.0, 46.0, 0.68))
    along_e = np.linspace(33.2, 34.6, 8)
    ticks = (round_ticks(0, 40, 4), round_ticks(0, 40, 4), (along_e, write_numbers(along_e)))
    numbers = number_axes(box, ticks, Look())[-len(ticks[2][1]) :]
    assert [label.text for label in numbers] == ticks[2][1]
    assert {label.upright for label in numbers} == {"center"}


def test_the_extent_of_a_set_has_a_light_rim() -> None:
    level = point(0.5, 0.5, "minimum", support="plateau", extent=(0.0, 1.0, 0.2, 0.8))
    (box,) = plane_of(draw_surface(picture(points=(level,)))).patches
    (rim,) = box.get_path_effects()
    assert rim._gc == {"linewidth": EXTENT_RIM, "foreground": "white"}
    assert box.get_linewidth() + 1.0 < EXTENT_RIM


def test_the_walls_end_in_lines_where_no_tick_is() -> None:
    u, v = np.linspace(-1.23, 2.17, 9), np.linspace(-0.61, 1.07, 7)
    drawn = picture(**on(u, v, lambda u, v: 1.0 + 0.1 * u * u + v * v))
    box = choose_box(drawn, measure_heights(drawn.error))
    lines = view_of(draw_surface(drawn)).collections[0]._segments3d
    (far_u, far_v), (near_u, near_v), (z0, z1) = box.far, box.near, box.z
    closing = (
        [(far_u, near_v, z0), (far_u, far_v, z0), (far_u, far_v, z1)],
        [(near_u, near_v, z0), (near_u, far_v, z0), (near_u, far_v, z1)],
        [(near_u, near_v, z0), (far_u, near_v, z0), (far_u, near_v, z1)],
        [(near_u, far_v, z1), (far_u, far_v, z1), (far_u, near_v, z1)],
    )
    for line in closing:
        assert sum(np.allclose(line, other, atol=1e-12) for other in lines) == 1, line


def test_section_marks_its_kinks() -> None:
    (axes,) = draw_section(section(5)).axes
    line, circles = axes.lines
    assert line.get_xydata()[:, 1] == pytest.approx(np.abs(np.linspace(0, 1, 101) - 0.5))
    assert circles.get_xdata() == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])
    assert circles.get_ydata() == pytest.approx([0.4, 0.2, 0.0, 0.2, 0.4])
    assert circles.get_marker() == "o"
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["E", "5 kinks"]
    minus = "\N{MINUS SIGN}"
    assert {t.get_text() for t in axes.texts} == {
        f"(u, v) = ({minus}0.5, 0.25)",
        "(u, v) = (1.5, 2)",
    }


def test_section_with_many_kinks_has_a_rug() -> None:
    (axes,) = draw_section(section(61)).axes
    rug = axes.lines[1]
    assert rug.get_marker() == "|"
    assert rug.get_xdata() == pytest.approx(np.linspace(0.1, 0.9, 61))
    assert set(rug.get_ydata()) == {0.0}
    assert rug.get_transform() == axes.get_xaxis_transform()


@pytest.mark.parametrize(
    ("kinks", "exact", "words"),
    [(1, True, "1 kink"), (0, True, "0 kinks"), (0, False, "kinks not marked")],
)
def test_section_says_what_it_knows_of_kinks(kinks: int, exact: bool, words: str) -> None:
    (axes,) = draw_section(section(kinks, exact)).axes
    assert axes.get_legend().get_texts()[1].get_text() == words


def test_section_of_constant_error() -> None:
    flat = section(0)
    even = replace(flat.section, error=np.full(101, 2.0))
    (axes,) = draw_section(replace(flat, section=even)).axes
    low, high = axes.get_ylim()
    assert low < 2 < high


@pytest.mark.parametrize("count", [0, 5, 90])
def test_nothing_of_a_section_is_cut_off(count: int) -> None:
    figure = draw_section(replace(section(count), title="long " * 60, provenance="seed 3, " * 60))
    for text, box in boxes(figure):
        assert box.xmin >= 0, text
        assert box.ymin >= 0, text
        assert box.xmax <= figure.bbox.xmax, text
        assert box.ymax <= figure.bbox.ymax, text


def small_objective() -> Objective:
    network = random_network([3, 4, 2], [TRANSFERS["relu"], TRANSFERS["identity"]], seed=1)
    return Objective(network, random_data(5, 3, 2, seed=2), LOSSES["squared"])


def test_picture_of_a_slice() -> None:
    objective = small_objective()
    window = Window(-1, 1, -1, 2)
    slice = make_slice("E2", objective, [2], [2], seed=3)
    grid = sample_grid(slice, window, (7, 5))
    verdict = give_verdict(slice, window, grid)
    made = make_picture(grid, verdict, "title", "line")
    assert made.error.shape == (5, 7)
    assert (made.heading, made.label_v) == ("E2: W2 = uU + vV", "v (layer 2)")
    assert made.last_layer
    assert made.lowest == (verdict.lowest.u, verdict.lowest.v, verdict.lowest.value)
    assert made.points == verdict.points
    assert not make_picture(
        grid, give_verdict(make_slice("E1", objective, [1], [1]), window, grid), "", ""
    ).last_layer


@pytest.mark.parametrize(
    ("u", "v", "origin", "formula"),
    [
        ([1], [1], "zero", "W1 = uU + vV"),
        ([1], [2], "zero", "W1 = uU, W2 = vV"),
        ([2], [2], "weights", "W2 = W2⁰ + uU + vV"),
        ([1, 2], [2], "zero", "W1 = uU1, W2 = uU2 + vV"),
    ],
)
def test_formulas(u: list[int], v: list[int], origin: str, formula: str) -> None:
    objective = small_objective()
    assert write_formula(make_slice("S", objective, u, v, origin)) == formula  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"error": np.zeros((13, 9))}, r"error has shape \(13, 9\).*\(9, 13\); rows are v"),
        ({"error": np.full((9, 13), np.nan)}, "not finite"),
        ({"u": U[::-1]}, "must ascend"),
        (on([0.0], V, lambda u, v: u + v), "2 points or more"),
    ],
)
def test_grids_that_cannot_be_drawn(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=f"slice E1: .*{words}"):
        picture(**changes)


def test_shading_keeps_level_colours_and_tells_slopes_apart() -> None:
    colours = np.full((1, 3, 4), 0.5)
    slopes = np.array([[0.0, 1.0, -1.0]])
    lit = shade(colours, slopes, 0 * slopes, azimuth=180.0, strength=1.0)
    assert lit[0, 0].tolist() == pytest.approx([0.5] * 4)
    # Light from -u: what rises along u faces it.
    assert lit[0, 1, 0] > 0.5 > lit[0, 2, 0]
    assert lit[..., 3].tolist() == [[0.5] * 3]


def test_contour_lines_of_a_flat_surface_are_none() -> None:
    flat = picture(**CASES["constant"])
    assert contour_lines(flat, measure_heights(flat.error))[0] == []


def test_ticks() -> None:
    minus = "\N{MINUS SIGN}"
    assert round_ticks(-1, 1, 4)[1] == [f"{minus}1", f"{minus}0.5", "0", "0.5", "1"]
    positions, _ = round_ticks(22.1, 76.9, 5, beyond=True)
    assert positions[0] <= 22.1 < positions[1]
    assert positions[-2] < 76.9 <= positions[-1]
    assert log_ticks(-1.5, 2.2)[1] == ["0.1", "1", "10", "100"]
    assert write_numbers(np.array([-2e-5, 0.0, 1e-5])) == [
        f"2e{minus}5".join([minus, ""]),
        "0",
        f"1e{minus}5",
    ]
    assert write_numbers(np.array([1000.0, 1000.0005])) == ["1000", "1000.0005"]
    assert len(thin_ticks(round_ticks(0, 100, 10), 0.5, 8.0)[1]) == 2


@pytest.mark.parametrize("low", [-3.3, 0.0, 7e-9, 1e6])
@pytest.mark.parametrize("span", [1e-3, 1.0, 8e5])
def test_a_scale_has_three_numbers_or_more(low: float, span: float) -> None:
    positions, labels = round_ticks(low, low + span, 3)
    assert len(positions) >= 3
    assert low - 1e-9 * span <= positions[0]
    assert positions[-1] <= low + span * (1 + 1e-9)
    assert len(set(labels)) == len(labels)
    read = [float(label.replace("\N{MINUS SIGN}", "-")) for label in labels]
    assert read == pytest.approx(positions.tolist(), abs=1e-3 * span)


def test_long_lines_are_broken_and_cut() -> None:
    text = "one two, three four " * 20
    lines = fit_lines(text, 2.0, 8.0, 3)
    assert len(lines) == 3
    assert all(text_width(line, 8.0) <= 2.0 for line in lines)
    assert lines[-1].endswith("...")
    assert " ".join(lines)[:-3].split()[:-1] == text.split()[: len(" ".join(lines).split()) - 1]
    assert fit_lines("short", 2.0, 8.0, 2) == ["short"]
    assert fit_lines("", 2.0, 8.0, 2) == []
    assert all(len(a) >= 1 for a, _ in pairwise(fit_lines("x" * 500, 1.0, 8.0, 4)))


def test_global_settings_are_left_alone_and_pyplot_is_not_imported() -> None:
    before = dict(mpl.rcParams)
    draw_surface(picture())
    assert dict(mpl.rcParams) == before
    code = (
        "import sys, numpy as np\n"
        "from surfacecli.figures import Picture, draw_surface, encode_figure\n"
        "x = np.linspace(0, 1, 4)\n"
        "p = Picture('t', 'E1', 'mixed', '', 'u', 'v', x, x, x + x[:, None])\n"
        "for style in ('modern', 'post'):\n"
        "    encode_figure(draw_surface(p, style), 'png', {}, 't')\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
