"""The least that a script must do to draw the figure of `surface plot post --slice E1`.

    python bare_plot.py ARRAYS.npz PICTURE.png

It imports numpy and matplotlib, loads finished arrays and makes the same matplotlib calls, with
every size and place written down instead of worked out. Nothing of surfacecli is imported.
ARRAYS holds u (n_u,), v (n_v,), error (n_v, n_u), points (p, 4): u, v, E and the number of the mark
below, and kinks (k, 2, 2) from (u, v) to (u, v) with their layer (k,).
"""

import sys

import matplotlib as mpl
import numpy as np
from contourpy import contour_generator
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedFormatter, FixedLocator
from mpl_toolkits.mplot3d.art3d import Line3DCollection

INK, GREY, FAINT = "#222222", "#666666", "#d4d4d4"
WIDTH, HEIGHT, DPI = 7.1, 4.0, 200
TITLE, TEXT, SMALL = 9.5, 8.5, 7.5
SETTINGS = {
    "font.family": ["sans-serif"],
    "font.size": TEXT,
    "text.color": INK,
    "text.parse_math": False,
    "axes.labelsize": TEXT,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.pad": 2.5,
    "ytick.major.pad": 2.5,
    "legend.fontsize": SMALL,
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
}
#: Name, shape, face, edge, width of the edge, size.
MARKS = [
    ("kinked minimum", "v", "white", "#0072B2", 1.2, 6.0),
    ("smooth minimum", "v", "#0072B2", "white", 0.6, 6.0),
    ("kinked maximum", "^", "white", "#D55E00", 1.2, 6.0),
    ("kinked saddle", "D", "white", "#E69F00", 1.2, 4.8),
    ("maximum on the border", "^", "white", GREY, 0.7, 3.0),
    ("lowest point", "o", "none", "white", 1.1, 10.8),
]
BORDER = 4
#: The more marks, the smaller; smaller still on the 3-D view.
ON_PLANE, ON_SURFACE = 0.77, 0.58
KINKS = {1: "#FF5A36", 2: "#7CD5FF"}
TICKS = [-1.0, -0.5, 0.0, 0.5, 1.0]


def shade(colours, slope_u, slope_v, azimuth, strength):
    angle = np.deg2rad(azimuth)
    towards = -(slope_u * np.cos(angle) + slope_v * np.sin(angle))
    turned = (towards + 1) / np.sqrt(2 * (slope_u**2 + slope_v**2 + 1)) - np.sqrt(0.5)
    amount = np.clip(strength * turned, -0.4, 0.3)[..., None]
    rgb = colours[..., :3]
    colours[..., :3] = np.where(amount < 0, rgb * (1 + amount), rgb + (1 - rgb) * amount)
    return colours


def line_of(mark, smaller=1.0):
    _, shape, face, edge, width, size = MARKS[mark]
    ring = [withStroke(linewidth=2.2, foreground=INK)] if face == "none" else None
    return {
        "linestyle": "none",
        "marker": shape,
        "markersize": smaller * size,
        "markerfacecolor": face,
        "markeredgecolor": edge,
        "markeredgewidth": width,
        "path_effects": ring,
    }


def draw(u, v, error, points, kinks, layer):
    low, high = error.min(), error.max()
    norm, colour_map = Normalize(low, high), mpl.colormaps["viridis"]
    rise_u = 0.5 * (np.diff(error, axis=1)[1:] + np.diff(error, axis=1)[:-1])
    rise_v = 0.5 * (np.diff(error, axis=0)[:, 1:] + np.diff(error, axis=0)[:, :-1])
    levels = [level for level in np.arange(0, high, 5.0) if level > low]
    generator = contour_generator(u, v, error)
    lines = [(level, line) for level in levels for line in generator.lines(level)]
    e_ticks = [e for e in np.arange(0.0, high, 10.0) if e > low]
    e_names = [f"{e:g}" for e in e_ticks]
    names = ["\u22121", "\u22120.5", "0", "0.5", "1"]

    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    title = "The error surface of a two-layer ReLU net"
    figure.text(0.014, 0.94, title, size=TITLE, weight="bold", color=INK)
    figure.text(0.014, 0.90, "E1: W1 = uU + vV", size=TEXT, color=INK)
    foot = (
        "bare script: the array of preset post, slice E1, origin zero, gaussian directions, seeds"
    )
    figure.text(0.014, 0.05, foot, size=SMALL, color=GREY)
    figure.text(0.014, 0.016, "exact: see the other picture", size=SMALL, color=GREY)
    handles = [Line2D([], [], **line_of(mark)) for mark in range(len(MARKS))]
    entries = [f"{mark[0]} {(points[:, 3] == k).sum()}" for k, mark in enumerate(MARKS)]
    handles += [Line2D([], [], color=colour, lw=1.0) for colour in KINKS.values()]
    entries += [f"kinks of layer {number}" for number in KINKS]
    figure.legend(
        handles,
        entries,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.19),
        ncols=4,
        frameon=False,
        borderaxespad=0.0,
    )

    # The 3-D view: the frame by hand, a floor of contours, the surface.
    axes = figure.add_axes((0.05, 0.2, 0.4, 0.71), projection="3d", computed_zorder=False)
    axes.set_axis_off()
    axes.patch.set_visible(False)
    axes.set_proj_type("ortho")
    axes.view_init(elev=30, azim=-120)
    axes.set_box_aspect((1, 1, 0.72))
    floor = low - 0.32 * (high - low)
    axes.set(xlim=(u[0], u[-1]), ylim=(v[0], v[-1]), zlim=(floor, high))
    grid = [[(x, -1, floor), (x, 1, floor), (x, 1, high)] for x in TICKS]
    grid += [[(-1, y, floor), (1, y, floor), (1, y, high)] for y in TICKS]
    grid += [[(-1, 1, z), (1, 1, z), (1, -1, z)] for z in e_ticks]
    edges = [[(1, -1, floor), (-1, -1, floor), (-1, 1, floor)], [(-1, 1, floor), (-1, 1, high)]]
    edges += [[(x, -1, floor), (x, -1.04, floor)] for x in TICKS]
    edges += [[(-1, y, floor), (-1.04, y, floor)] for y in TICKS]
    edges += [[(-1, 1, z), (-1.04, 1, z)] for z in e_ticks]
    for segments, colour, width, order in ((grid, FAINT, 0.5, 1), (edges, INK, 0.6, 4)):
        collection = Line3DCollection(
            segments, colors=colour, linewidths=width, linestyles=["solid"], zorder=order
        )
        axes.add_collection3d(collection, autolim=False)
    for place, name in zip(TICKS, names, strict=True):
        axes.text(place, -1.09, floor, name, size=SMALL, ha="left", va="top", zorder=4)
        axes.text(-1.09, place, floor, name, size=SMALL, ha="right", va="top", zorder=4)
    for place, name in zip(e_ticks, e_names, strict=True):
        axes.text(-1.09, 1, place, name, size=SMALL, ha="right", va="center", zorder=4)
    axes.text(0, -1.34, floor, "u (layer 1)", size=TEXT, ha="left", va="top", zorder=4)
    axes.text(-1.34, 0, floor, "v (layer 1)", size=TEXT, ha="right", va="top", zorder=4)
    axes.text(-1, 1, high + 3, "E", size=TEXT, ha="center", va="bottom", zorder=4)
    placed = [np.column_stack([line, np.full(len(line), floor)]) for _, line in lines]
    colours = colour_map(norm([level for level, _ in lines]))
    collection = Line3DCollection(placed, colors=colours, linewidths=0.8, zorder=2)
    axes.add_collection3d(collection, autolim=False)
    facets = np.zeros((*error.shape, 4))
    mean = 0.25 * (error[1:, 1:] + error[1:, :-1] + error[:-1, 1:] + error[:-1, :-1])
    unit = 0.72 / (high - floor)
    steps = np.diff(u) / 2, np.diff(v)[:, None] / 2
    slopes = unit * rise_u / steps[0], unit * rise_v / steps[1]
    facets[:-1, :-1] = shade(colour_map(norm(mean)), *slopes, -195, 1.0)
    axes.plot_surface(
        *np.meshgrid(u, v),
        error,
        rcount=len(v),
        ccount=len(u),
        facecolors=facets,
        shade=False,
        linewidth=0.2,
        rasterized=True,
        zorder=3,
        axlim_clip=False,
    )

    # The view from above, and its colour bar.
    plane = figure.add_axes((0.595, 0.29, 0.305, 0.305 * WIDTH / HEIGHT))
    wide_u, wide_v = np.pad(rise_u, 1, mode="edge"), np.pad(rise_v, 1, mode="edge")
    slopes = [
        0.25 * (w[1:, 1:] + w[1:, :-1] + w[:-1, 1:] + w[:-1, :-1]) * 0.6 * 60 / (high - low)
        for w in (wide_u, wide_v)
    ]
    half = 0.5 * (u[1] - u[0])
    plane.imshow(
        shade(colour_map(norm(error)), *slopes, 135, 0.6),
        origin="lower",
        extent=(u[0] - half, u[-1] + half, v[0] - half, v[-1] + half),
        interpolation="bilinear",
        aspect="auto",
    )
    plane.set(xlim=(u[0], u[-1]), ylim=(v[0], v[-1]), xlabel="u (layer 1)", ylabel="v (layer 1)")
    contours = [line for _, line in lines]
    plane.add_collection(
        LineCollection(contours, colors="white", linewidths=0.45, alpha=0.55), autolim=False
    )
    for number in (2, 1):
        plane.add_collection(
            LineCollection(
                list(kinks[layer == number]),
                colors=KINKS[number],
                linewidths=0.28,
                alpha=0.5,
                zorder=2.2,
            ),
            autolim=False,
        )
    bar = figure.add_axes((0.914, 0.29, 0.0127, 0.305 * WIDTH / HEIGHT))
    figure.colorbar(ScalarMappable(norm, "viridis"), cax=bar).outline.set_visible(False)
    for axis, at, labels in (
        (plane.xaxis, TICKS, names),
        (plane.yaxis, TICKS, names),
        (bar.yaxis, e_ticks, e_names),
    ):
        axis.set_major_locator(FixedLocator(at))
        axis.set_major_formatter(FixedFormatter(labels))
    bar.minorticks_off()
    bar.set_title("E", size=TEXT, pad=4)

    for mark in range(len(MARKS)):
        at_u, at_v, at_e, _ = points[points[:, 3] == mark].T
        plane.plot(at_u, at_v, zorder=4, clip_on=False, **line_of(mark, ON_PLANE))
        if mark != BORDER:
            axes.plot(at_u, at_v, at_e, zorder=5, clip_on=False, **line_of(mark, ON_SURFACE))
    return figure


with np.load(sys.argv[1]) as arrays:
    loaded = dict(arrays)
mpl.rcParams.update(SETTINGS)
draw(**loaded).savefig(sys.argv[2], dpi=DPI)
