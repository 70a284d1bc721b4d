"""What a grid misses of a slice: its cells and points first, what it invents second."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from surfacecli.figures.lettering import foot_lines, head_lines
from surfacecli.figures.marks import mark_of
from surfacecli.figures.page import MARGIN, open_page
from surfacecli.figures.theme import (
    BLUE,
    FAINT,
    GREY,
    INK,
    PAGE,
    TEXT,
    VERMILLION,
    Sheet,
    theme,
)
from surfacecli.figures.ticks import round_ticks
from surfacecli.figures.topview import set_ticks
from surfacecli.geometry.complexes import face_rings
from surfacecli.geometry.missed import Missed
from surfacecli.geometry.stationary import StationaryPoint

LEFT, GAP, BELOW, ABOVE = 0.55, 0.62, 0.42, 0.24
#: The side of a view in a column, and inches between it and the next one.
SIDE, APART = 2.4, 0.1
#: A window this many times longer than wide, or more, is squeezed.
SQUEEZED = 1.6
#: Grids with more points than this along an axis are not drawn: their dots would be the picture.
DOTS = 81
#: Shapes finer than this many are drawn as they are; more are pixels in a PDF or an SVG.
SHAPES = 3000
MARK = 5.0
UNVISITED, WRONG = "#F3B64B", "#E9A58A"
Entry = tuple[Line2D, str]


@dataclass(frozen=True, eq=False)
class AuditPicture:
    """A slice and what its grid misses, ready to be drawn; the texts are those of `Picture`."""

    title: str
    heading: str
    label_u: str
    label_v: str
    missed: Missed
    provenance: str = ""


def draw_audit(picture: AuditPicture, sheet: Sheet = PAGE) -> Figure:
    """Two views of the window, side by side or in a column, with a legend of what they show."""
    missed = picture.missed
    window = missed.exact.cells.window
    ratio = (window.v1 - window.v0) / (window.u1 - window.u0)
    width, stacked = sheet.width, sheet.narrow
    side = SIDE if stacked else (width - LEFT - GAP - 2 * MARGIN) / 2
    high = side * float(np.clip(ratio, 1 / SQUEEZED, 1.0))
    with theme():
        head = head_lines(picture.title, picture.heading, width - 2 * MARGIN, sheet.lines)
        foot = foot_lines(picture.provenance, width - 2 * MARGIN)
        n_v, n_u = missed.grid.error.shape
        entries = [*_left_entries(missed), *_right_entries(missed)]
        block = BELOW + high + ABOVE
        body = 2 * block + APART if stacked else block
        figure, below = open_page(width, body, head, foot, entries, sheet=sheet)
        height = float(figure.get_size_inches()[1])
        titles = (f"what {n_u} x {n_v} points do not see", "what they show that is not there")
        for number, (title, draw) in enumerate(zip(titles, (_draw_left, _draw_right), strict=True)):
            left, up = LEFT + number * (side + GAP), below + BELOW
            if stacked:
                left, up = (width - SIDE + LEFT - MARGIN) / 2, up + (1 - number) * (block + APART)
            axes = figure.add_axes((left / width, up / height, side / width, high / height))
            axes.set(xlim=(window.u0, window.u1), ylim=(window.v0, window.v1))
            axes.set(
                xlabel=picture.label_u, ylabel=picture.label_v if stacked or number == 0 else ""
            )
            axes.set_title(title, size=TEXT, pad=4, loc="left")
            set_ticks(axes, "x", round_ticks(window.u0, window.u1, 4))
            set_ticks(axes, "y", round_ticks(window.v0, window.v1, 4))
            draw(axes, missed)
        return figure


def _draw_left(axes: Axes, missed: Missed) -> None:
    start, ring = face_rings(missed.exact.cells)
    places = missed.exact.cells.plane.place[ring]
    shapes = [places[start[f] : start[f + 1]] for f in np.flatnonzero(missed.unvisited)]
    fine = len(shapes) > SHAPES
    # The rim shows cells that are thinner than a line.
    rim = 0.25 if fine else 0.6
    axes.add_collection(
        PolyCollection(
            shapes,
            facecolors=UNVISITED,
            edgecolors=UNVISITED,
            linewidths=rim,
            rasterized=fine,
            zorder=1.5,
        ),
        autolim=False,
    )
    _draw_kinks(axes, missed)
    if _has_dots(missed):
        along_u, along_v = np.meshgrid(missed.grid.u, missed.grid.v)
        axes.plot(
            along_u.ravel(),
            along_v.ravel(),
            linestyle="none",
            marker=".",
            markersize=1.1,
            markeredgewidth=0.0,
            color=GREY,
            zorder=2,
            rasterized=True,
        )
    for point in missed.unshown:
        _plot(axes, point.u, point.v, _point_handle(point), 4.0)
    _draw_lowest(axes, missed)


def _draw_right(axes: Axes, missed: Missed) -> None:
    grid = missed.grid
    wrong = np.zeros(grid.error.shape, dtype=np.bool_)
    columns = np.searchsorted(grid.u, missed.differences.places[:, 0])
    rows = np.searchsorted(grid.v, missed.differences.places[:, 1])
    wrong[rows, columns] = True
    colours = np.zeros((*wrong.shape, 4))
    colours[wrong] = to_rgba(WRONG)
    half_u = 0.5 * (grid.u[-1] - grid.u[0]) / (len(grid.u) - 1)
    half_v = 0.5 * (grid.v[-1] - grid.v[0]) / (len(grid.v) - 1)
    limits = axes.get_xlim(), axes.get_ylim()
    axes.imshow(
        colours,
        origin="lower",
        extent=(grid.u[0] - half_u, grid.u[-1] + half_u, grid.v[0] - half_v, grid.v[-1] + half_v),
        interpolation="nearest",
        aspect="auto",
        zorder=1,
    )
    axes.set(xlim=limits[0], ylim=limits[1])
    _draw_kinks(axes, missed)
    for kind, claims in missed.claims.items():
        if len(claims.false_places):
            u, v = claims.false_places.T
            _plot(axes, u, v, _false_handle(kind), 4.0)


def _draw_kinks(axes: Axes, missed: Missed) -> None:
    plane = missed.exact.cells.plane
    inner = plane.label >= 0
    many = int(inner.sum()) > SHAPES
    axes.add_collection(
        LineCollection(
            list(plane.place[plane.ends[inner]]),
            colors=GREY,
            linewidths=0.12 if many else 0.25,
            alpha=0.6 if many else 0.8,
            rasterized=many,
            zorder=1.2,
        ),
        autolim=False,
    )


def _draw_lowest(axes: Axes, missed: Missed) -> None:
    u, v, _ = missed.exact.lowest
    _plot(axes, u, v, _lowest_handle(), 5.0)
    u, v, _ = missed.lowest
    _plot(axes, u, v, _lowest_grid_handle(), 5.0)


def _plot(axes: Axes, u: ArrayLike, v: ArrayLike, handle: Line2D, layer: float) -> None:
    """Points that look like a handle of the legend."""
    (line,) = axes.plot(np.ravel(u), np.ravel(v))
    line.update_from(handle)
    line.set(zorder=layer, clip_on=False)
    line.set_transform(axes.transData)


def _has_dots(missed: Missed) -> bool:
    return max(len(missed.grid.u), len(missed.grid.v)) <= DOTS


def _left_entries(missed: Missed) -> list[Entry]:
    unvisited = int(missed.unvisited.sum())
    entries = [
        (_square(UNVISITED), f"cells without a grid point {unvisited:,}"),
        (Line2D([], [], color=GREY, lw=0.7), f"kinks between {len(missed.exact.cells):,} cells"),
    ]
    if _has_dots(missed):
        entries.append(
            (Line2D([], [], linestyle="none", marker=".", ms=3, mew=0, color=GREY), "grid points")
        )
    counts = Counter(point.describe() for point in missed.unshown)
    examples = {point.describe(): point for point in missed.unshown}
    entries += [
        (_point_handle(examples[what]), f"{what} not shown {counts[what]}")
        for what in sorted(counts)
    ]
    return [
        *entries,
        (_lowest_handle(), "proven minimum"),
        (_lowest_grid_handle(), "lowest grid point"),
    ]


def _right_entries(missed: Missed) -> list[Entry]:
    count = len(missed.differences.places)
    entries = [(_square(WRONG), f"Hessian by differences has the wrong sign {count:,}")]
    for kind, claims in missed.claims.items():
        false = len(claims.false_places)
        if false:
            entries.append((_false_handle(kind), f"{kind} of the grid that is none {false}"))
    return entries


def _square(colour: str) -> Line2D:
    return Line2D([], [], linestyle="none", marker="s", ms=6, mfc=colour, mec=FAINT, mew=0.4)


def _point_handle(point: StationaryPoint) -> Line2D:
    mark = mark_of(point, MARK)
    return Line2D(
        [],
        [],
        linestyle="none",
        marker=mark.shape,
        markersize=mark.size,
        markerfacecolor=mark.face,
        markeredgecolor=mark.edge,
        markeredgewidth=mark.width,
    )


def _false_handle(kind: str) -> Line2D:
    shapes = {"minimum": "v", "maximum": "^", "saddle": "D"}
    return Line2D(
        [],
        [],
        linestyle="none",
        marker=shapes[kind],
        markersize=MARK,
        markerfacecolor=INK,
        markeredgecolor="white",
        markeredgewidth=0.5,
    )


def _lowest_handle() -> Line2D:
    return Line2D([], [], linestyle="none", marker="o", ms=8, mfc="none", mec=BLUE, mew=1.2)


def _lowest_grid_handle() -> Line2D:
    return Line2D([], [], linestyle="none", marker="+", ms=7, mec=VERMILLION, mew=1.2)
