"""The 3-D view of the modern style: a shaded surface over a floor of contour lines."""

from dataclasses import dataclass

import numpy as np
from contourpy import contour_generator
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Line3DCollection  # type: ignore[import-untyped]
from mpl_toolkits.mplot3d.axes3d import Axes3D  # type: ignore[import-untyped]

from surfacecli.figures.box import (
    FLOOR,
    SURFACE,
    Box,
    Look,
    Rectangle,
    View,
    add_box,
    box_sides,
    draw_frame,
    name_axes,
    number_axes,
)
from surfacecli.figures.descent import raise_paths
from surfacecli.figures.height import Heights
from surfacecli.figures.lettering import text_width
from surfacecli.figures.marks import mark_surface
from surfacecli.figures.picture import Picture
from surfacecli.figures.sets import raise_outlines
from surfacecli.figures.shading import facet_slopes, shade
from surfacecli.figures.theme import SMALL, TEXT
from surfacecli.figures.ticks import round_ticks, thin_ticks
from surfacecli.network.transfers import Array

ELEVATION, HEIGHT = 30.0, 0.72
#: The floor lies below the surface by this share of its height.
GAP = 0.32
#: Drawn facets along an axis at most: beyond, every second, third ... grid line.
FACETS = 200
#: How strongly the light falls.
STRENGTH = 1.0
#: Inches for the name of an axis beside the box; longer ones stand on the view from above only.
ROOM = 0.85


@dataclass(frozen=True)
class Detail:
    """How much stands around a 3-D view: about so many `intervals` between ticks, numbers that fit
    `edge` inches along u and v, at most `numbers` along E, the names of the axes `away` by a share
    of the box's side; `short` names where the view from above has them in full.
    """

    intervals: int
    edge: float
    numbers: int
    away: float
    short: bool


#: A view by itself, one of three abreast on a page, and one of two abreast in a column.
FULL, REDUCED, LEAST = (
    Detail(5, 2.0, 12, 0.17, short=False),
    Detail(3, 1.1, 12, 0.17, short=True),
    Detail(3, 0.8, 3, 0.27, short=True),
)


def draw_view(
    figure: Figure,
    rectangle: Rectangle,
    picture: Picture,
    heights: Heights,
    detail: Detail = FULL,
) -> Axes3D:
    """The 3-D view of a slice in a rectangle (left, bottom, width, height) in inches."""
    box = choose_box(picture, heights)
    label_u, label_v = picture.label_u, picture.label_v
    if detail.short or max(text_width(label, TEXT) for label in (label_u, label_v)) > ROOM:
        label_u, label_v = "u", "v"
    most = min(detail.intervals, 4)
    at_e, numbers = heights.ticks(detail.intervals)
    step = -(-len(numbers) // detail.numbers)
    ticks = (
        thin_ticks(round_ticks(*box.u, most), detail.edge, SMALL),
        thin_ticks(round_ticks(*box.v, most), detail.edge, SMALL),
        (at_e[::step], numbers[::step]),
    )
    names = (label_u, label_v, "E" if detail.short else heights.label)
    labels = [*number_axes(box, ticks, Look()), *name_axes(box, names, detail.away)]
    axes = add_box(figure, rectangle, box, labels)
    draw_frame(axes, box, ticks, Look())
    draw_floor(axes, box, picture, heights)
    draw_facets(axes, box, picture, heights)
    raise_outlines(axes, box, picture, heights, detail.short)
    raise_paths(axes, box, picture, heights, detail.short)
    mark_surface(axes, box, picture, heights)
    return axes


def choose_box(picture: Picture, heights: Heights) -> Box:
    """The box of a slice, seen from the corner next to which E is lowest: it hides least."""
    u, v = picture.u, picture.v
    third_v, third_u = (1 + (n - 1) // 3 for n in heights.z.shape)
    low_v, high_v = slice(0, third_v), slice(-third_v, None)
    low_u, high_u = slice(0, third_u), slice(-third_u, None)
    corners = {
        -120.0: heights.z[low_v, low_u],
        -60.0: heights.z[low_v, high_u],
        60.0: heights.z[high_v, high_u],
        120.0: heights.z[high_v, low_u],
    }
    # The usual corner stays where another would be hardly better.
    slack = 0.02 * (heights.high - heights.low)
    azimuth = min(corners, key=lambda a: corners[a].mean() + (slack if a != -120.0 else 0.0))
    view = View(azimuth, ELEVATION, HEIGHT)
    bottom = heights.low - GAP * (heights.high - heights.low)
    sides = box_sides(u, v, HEIGHT)
    return Box((u[0], u[-1]), (v[0], v[-1]), (bottom, heights.high), sides, view)


def draw_facets(axes: Axes3D, box: Box, picture: Picture, heights: Heights) -> None:
    """The surface itself, each facet in the colour of its mean height under the light."""
    step_v, step_u = (-(-(n - 1) // FACETS) for n in picture.error.shape)
    rows, columns = _thin(len(picture.v), step_v), _thin(len(picture.u), step_u)
    z = heights.z[np.ix_(rows, columns)]
    u, v = picture.u[columns], picture.v[rows]
    rise_u, rise_v = facet_slopes(z)
    # Slopes in the box as it is drawn, not in the units of E.
    unit = box.sides[2] / (box.z[1] - box.z[0])
    slope_u = unit * rise_u / (np.diff(u) * box.sides[0] / np.ptp(picture.u))
    slope_v = unit * rise_v / (np.diff(v) * box.sides[1] / np.ptp(picture.v))[:, None]
    mean = 0.25 * (z[1:, 1:] + z[1:, :-1] + z[:-1, 1:] + z[:-1, :-1])
    colours = np.zeros((*z.shape, 4))
    light = box.view.azimuth - 75.0
    colours[:-1, :-1] = shade(heights.colour(mean), slope_u, slope_v, light, STRENGTH)
    axes.plot_surface(
        *np.meshgrid(u, v),
        z,
        rcount=len(v),
        ccount=len(u),
        facecolors=colours,
        shade=False,
        linewidth=0.2,
        rasterized=True,
        zorder=SURFACE,
    )


def draw_floor(axes: Axes3D, box: Box, picture: Picture, heights: Heights) -> None:
    """Contour lines on the bottom of the box."""
    lines, colours = contour_lines(picture, heights)
    placed = [np.column_stack([line, np.full(len(line), box.z[0])]) for line in lines]
    if placed:
        collection = Line3DCollection(placed, colors=colours, linewidths=0.8, zorder=FLOOR)
        axes.add_collection3d(collection)


def contour_lines(picture: Picture, heights: Heights, count: int = 12) -> tuple[list[Array], Array]:
    """Contours of E: lines (points, 2) of u and v, and the colour of each (lines, 4)."""
    generator = contour_generator(picture.u, picture.v, heights.z)
    lines, heights_of = list[Array](), list[float]()
    for level in heights.levels(count):
        found = generator.lines(level)
        lines += [np.asarray(line) for line in found]
        heights_of += [level] * len(found)
    return lines, heights.colour(np.array(heights_of))


def _thin(points: int, step: int) -> Array:
    """Every `step`-th index, and always the last."""
    return np.unique(np.append(np.arange(0, points, step), points - 1))
