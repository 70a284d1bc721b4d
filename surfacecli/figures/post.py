"""Style 'post': what the author of the post saw, a jet mesh in a dotted box over grid indices."""

from dataclasses import replace

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Poly3DCollection  # type: ignore[import-untyped]

from surfacecli.figures.box import (
    SURFACE,
    Box,
    Look,
    Rectangle,
    View,
    add_box,
    draw_frame,
    number_axes,
)
from surfacecli.figures.height import measure_heights
from surfacecli.figures.lettering import foot_lines, room, write_lines
from surfacecli.figures.picture import Picture
from surfacecli.figures.theme import PAGE, SMALL, Sheet, new_figure, theme
from surfacecli.figures.ticks import round_ticks

#: His viewpoints, measured on the published pictures (matplotlib's azimuth is MATLAB's - 90).
WITHIN_FIRST = View(-102.9, 23.7, 0.85)
WITHIN_LAST = View(5.9, 24.9, 0.70)
ACROSS = View(-135.0, 46.0, 0.68)
SIZE = 4.2
MATLAB = Look("#555555", (0, (1, 4)), 0.6, "black", 9.0, 0.05)


def draw_post(picture: Picture, sheet: Sheet = PAGE) -> Figure:
    """One slice as the post shows it, with one small line of provenance."""
    with theme():
        side = min(SIZE, sheet.width)
        foot = foot_lines(picture.provenance, side - 0.2)
        figure = new_figure(side, side + room(foot), sheet)
        write_lines(figure, foot, 0.1, 0.05 + room(foot), grey=True)
        draw_mesh(figure, (0.1, 0.15 + room(foot), side - 0.2, side - 0.25), picture)
        return figure


def viewpoint(picture: Picture) -> View:
    """From where the post looks at a slice of this kind."""
    if picture.kind == "across-layers":
        return ACROSS
    return WITHIN_LAST if picture.last_layer and picture.kind == "within-layer" else WITHIN_FIRST


def draw_mesh(
    figure: Figure, rectangle: Rectangle, picture: Picture, *, small: bool = False
) -> None:
    """The mesh over grid indices, in a rectangle (left, bottom, width, height) in inches."""
    n_v, n_u = picture.error.shape
    heights, view = measure_heights(picture.error, linear=True), viewpoint(picture)
    ticks_z = round_ticks(heights.low, heights.high, 3 if small else 6, beyond=True)
    span_u, span_v = (0.0, n_u - 1.0), (0.0, n_v - 1.0)
    span_z = (float(ticks_z[0][0]), float(ticks_z[0][-1]))
    box = Box(span_u, span_v, span_z, (1.0, 1.0, view.height), view)
    ticks = (round_ticks(*span_u, 4), round_ticks(*span_v, 4), ticks_z)
    look = replace(MATLAB, size=SMALL, distance=0.06) if small else MATLAB
    axes = add_box(figure, rectangle, box, number_axes(box, ticks, look))
    draw_frame(axes, box, ticks, look)
    i, j = np.meshgrid(np.arange(n_u), np.arange(n_v))
    points = np.stack([i, j, heights.z], axis=-1).astype(np.float64)
    a, b, c, d = points[:-1, :-1], points[:-1, 1:], points[1:, 1:], points[1:, :-1]
    # His cells are pairs of triangles; the thin light lines around them are part of the look.
    triangles = np.concatenate(
        [np.stack(corners, axis=-2).reshape(-1, 3, 3) for corners in ((a, b, c), (a, c, d))]
    )
    colours = colormaps["jet"](Normalize(heights.low, heights.high)(triangles[..., 2].mean(axis=1)))
    edges = 0.72 * colours + 0.28
    mesh = Poly3DCollection(
        triangles, facecolors=colours, edgecolors=edges, linewidths=0.25, rasterized=True
    )
    mesh.set_zorder(SURFACE)
    axes.add_collection3d(mesh)
