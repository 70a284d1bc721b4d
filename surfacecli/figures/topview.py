"""The surface from above: colours under a light, contour lines, marks, and a colour bar."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator

from surfacecli.figures.box import Rectangle
from surfacecli.figures.descent import draw_paths
from surfacecli.figures.height import Heights
from surfacecli.figures.kinks import draw_kinks
from surfacecli.figures.lettering import text_width
from surfacecli.figures.marks import mark_plane
from surfacecli.figures.picture import Picture
from surfacecli.figures.sets import draw_outlines, hatch_level
from surfacecli.figures.shading import facet_slopes, shade
from surfacecli.figures.surface3d import contour_lines
from surfacecli.figures.theme import COLOURS, SMALL, TEXT
from surfacecli.figures.ticks import Ticks, round_ticks, thin_ticks, widest_label
from surfacecli.network.transfers import Array

#: Height of the surface under the light, in widths of the window.
RELIEF = 0.6
STRENGTH = 0.35
#: The light comes from the upper left.
LIGHT = 135.0
#: Units are equal along u and v where neither side of the window is longer than this many times
#: the other; else the window fills its room.
EQUAL = 2.5
#: Inches beside the numbers of a colour bar: the bar itself and its gaps.
BAR = 0.29


def draw_plane(
    figure: Figure,
    rectangle: Rectangle,
    picture: Picture,
    heights: Heights,
    intervals: int = 4,
    *,
    small: bool = False,
    bar: bool = True,
) -> Axes:
    """The view from above in a rectangle (left, bottom, width, height), with its colour `bar`.

    Without one the scale is that of the 3-D view beside it.
    """
    ticks_e = heights.ticks(6)
    beside = BAR + widest_label(ticks_e, SMALL) if bar else None
    axes, scale = place_plane(figure, rectangle, picture, intervals, beside)
    u, v = picture.u, picture.v
    axes.imshow(
        _lit_colours(picture, heights),
        origin="lower",
        extent=(*outer_span(u), *outer_span(v)),
        interpolation="bilinear",
        aspect="auto",
    )
    axes.set(xlim=(u[0], u[-1]), ylim=(v[0], v[-1]))
    lines, _ = contour_lines(picture, heights)
    axes.add_collection(
        LineCollection(lines, colors="white", linewidths=0.45, alpha=0.55), autolim=False
    )
    if picture.kinks is not None:
        draw_kinks(axes, picture.kinks, small)
    if picture.level is not None:
        hatch_level(axes, picture.level, heights.colour(heights.of(picture.level.error)))
    draw_outlines(axes, picture, small)
    draw_paths(axes, picture, small)
    mark_plane(axes, picture)
    if bar:
        draw_bar(figure, scale, heights, ticks_e)
    return axes


def place_plane(
    figure: Figure, rectangle: Rectangle, picture: Picture, intervals: int, beside: float | None
) -> tuple[Axes, Rectangle]:
    """Empty axes over the window in a rectangle, and the place of a colour bar beside them.

    `beside` inches are left to the right of the axes, or a little more; with None, no bar stands
    there.
    """
    left, bottom, width, height = rectangle
    ticks_u, ticks_v = (
        round_ticks(axis[0], axis[-1], intervals) for axis in (picture.u, picture.v)
    )
    room_left = max(0.62, 0.35 + widest_label(ticks_v, SMALL))
    room_right = 0.2 if beside is None else max(0.71, beside)
    room_below, room_above = 0.40, 0.2
    free = (width - room_left - room_right, height - room_below - room_above)
    side_u, side_v = _fit(picture, free)
    x = left + room_left + (free[0] - side_u) / 2
    y = bottom + room_below + (free[1] - side_v) / 2
    axes = figure.add_axes(_share(figure, (x, y, side_u, side_v)))
    axes.set(xlim=(picture.u[0], picture.u[-1]), ylim=(picture.v[0], picture.v[-1]))
    axes.set_xlabel(_short(picture.label_u, side_u))
    axes.set_ylabel(_short(picture.label_v, side_v))
    set_ticks(axes, "x", thin_ticks(ticks_u, side_u + 0.3, SMALL))
    set_ticks(axes, "y", ticks_v)
    return axes, (x + side_u + 0.1, y, 0.09, side_v)


def set_ticks(axes: Axes, which: str, ticks: Ticks) -> None:
    """Ticks at positions, written as given."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(ticks[0].tolist()))
    axis.set_major_formatter(FixedFormatter(ticks[1]))


def draw_bar(figure: Figure, rectangle: Rectangle, heights: Heights, ticks: Ticks) -> None:
    """The colours of heights, with ticks."""
    colours = ScalarMappable(Normalize(heights.low, heights.high), COLOURS)
    draw_scale(figure, rectangle, colours, ticks, heights.label)


def draw_scale(
    figure: Figure,
    rectangle: Rectangle,
    colours: ScalarMappable,
    ticks: Ticks,
    name: str,
    ends: tuple[float, float] | None = None,
) -> None:
    """A colour bar with its name above; `ends` where not all of the colours are shown."""
    axes = figure.add_axes(_share(figure, rectangle))
    figure.colorbar(colours, cax=axes).outline.set_visible(False)
    if ends is not None:
        axes.set_ylim(ends)
    set_ticks(axes, "y", ticks)
    axes.minorticks_off()
    axes.set_title(name, size=TEXT, pad=4)


def _lit_colours(picture: Picture, heights: Heights) -> Array:
    """The colour of each grid point (n_v, n_u, 4), lit by the slopes of the cells around it."""
    rise_u, rise_v = (
        _at_points(rise) * RELIEF / (heights.high - heights.low) for rise in facet_slopes(heights.z)
    )
    n_v, n_u = heights.z.shape
    return shade(heights.colour(heights.z), rise_u * (n_u - 1), rise_v * (n_v - 1), LIGHT, STRENGTH)


def _at_points(cells: Array) -> Array:
    """Means at the corners of the cells around them, from (n - 1, m - 1) to (n, m)."""
    wide = np.pad(cells, 1, mode="edge")
    return 0.25 * (wide[1:, 1:] + wide[1:, :-1] + wide[:-1, 1:] + wide[:-1, :-1])


def outer_span(points: Array) -> tuple[float, float]:
    """The span of an image whose pixels have these centres."""
    half = 0.5 * float(points[-1] - points[0]) / (len(points) - 1)
    return float(points[0]) - half, float(points[-1]) + half


def _fit(picture: Picture, free: tuple[float, float]) -> tuple[float, float]:
    span_u, span_v = float(np.ptp(picture.u)), float(np.ptp(picture.v))
    if not 1 / EQUAL <= span_u / span_v <= EQUAL:
        return min(free), min(free)
    scale = min(free[0] / span_u, free[1] / span_v)
    return scale * span_u, scale * span_v


def _short(label: str, side: float) -> str:
    """The name of an axis: 'u (layers 1 and 2)', or 'u' beside a side that is too short for it."""
    return label if text_width(label, TEXT) <= side + 0.3 else label.split(" ")[0]


def _share(figure: Figure, rectangle: Rectangle) -> Rectangle:
    width, height = figure.get_size_inches()
    x, y, w, h = rectangle
    return x / width, y / height, w / width, h / height
