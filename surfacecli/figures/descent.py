"""Paths of descent: lines from a ring at their start to a dot at their end, a colour a method."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from mpl_toolkits.mplot3d.axes3d import Axes3D  # type: ignore[import-untyped]

from surfacecli.figures.box import MARKS, Box
from surfacecli.figures.height import Heights
from surfacecli.figures.picture import Picture
from surfacecli.figures.sight import are_clear, height_between, runs_of
from surfacecli.figures.theme import INK
from surfacecli.geometry.descent.path import METHODS, Path
from surfacecli.network.transfers import Array

#: They show on both ends of the surface's colours and are apart from kinks and marks.
COLOURS = {
    "flow": "#FFFFFF",
    "gradient": "#FF4FD8",
    "newton": "#00F0FF",
    "gauss-newton": "#FFE600",
}
NAMES = {
    "flow": "gradient flow",
    "gradient": "gradient steps",
    "newton": "Newton steps",
    "gauss-newton": "Gauss-Newton steps",
}
#: Widths in points: the flow is wide, to be seen where steps run over it.
WIDTHS, RIM = {"flow": 1.7}, 1.0
THIN = 0.9
#: Gauss-Newton steps that are Newton's too are striped in both colours.
STRIPES = (0, (4, 4))
#: Points of two paths are the same when they are nearer than this, relative to the window.
SAME = 1e-6
START, END, STOP = 4.4, 2.9, 1.9
#: On a 3-D view paths lie this share of the surface's height above it, and have a point at least
#: every so many-th part of the window.
LIFT, PARTS = 0.006, 100


def draw_paths(axes: Axes, picture: Picture, small: bool = False) -> None:
    """Paths on a view from above: over the kinks, below the marks of stationary points."""
    scale = 0.7 if small else 1.0
    for path in _in_order(picture.paths):
        striped = _is_newtons(path, picture)
        line = Line2D(path.u, path.v, zorder=2.9, **_look(path.method, scale, striped))
        line.set_gid(f"descent by {path.method}")
        if path.method != "flow":
            line.set(marker="o", markersize=scale * STOP, markeredgewidth=0.0)
        axes.add_line(line)
    for path in _in_order(picture.paths):
        for mark, k in ((_start(scale), 0), (_end(COLOURS[path.method], scale), -1)):
            layer = 3.4 if k == 0 else 4.5
            axes.plot([path.u[k]], [path.v[k]], zorder=layer, clip_on=False, **mark)


def raise_paths(
    axes: Axes3D, box: Box, picture: Picture, heights: Heights, small: bool = False
) -> None:
    """Paths on a 3-D view, as far as the surface does not hide them."""
    scale = 0.7 if small else 0.85
    lift = LIFT * (heights.high - heights.low)
    for path in _in_order(picture.paths):
        u, v, z = _drape(path, picture, heights)
        z = z + lift
        seen = are_clear(u, v, z, box, picture, heights)
        look = _look(path.method, scale, _is_newtons(path, picture))
        style = {"zorder": MARKS - 0.5, "clip_on": False, **look}
        for run in runs_of(seen):
            axes.plot(u[run], v[run], z[run], gid=f"descent by {path.method}", **style)
        for mark, k in ((_start(scale), 0), (_end(COLOURS[path.method], scale), -1)):
            if seen[k]:
                layer = MARKS - 0.4 if k == 0 else MARKS + 0.1
                axes.plot([u[k]], [v[k]], [z[k]], zorder=layer, clip_on=False, **mark)


def _drape(path: Path, picture: Picture, heights: Heights) -> tuple[Array, Array, Array]:
    """u, v and height of a path on the surface as it is drawn, which may lie above E in between."""
    u, v = path.u, path.v
    length = np.hypot(np.diff(u) / np.ptp(picture.u), np.diff(v) / np.ptp(picture.v))
    along = np.concatenate([[0.0], np.cumsum(length)])
    even = np.linspace(0.0, along[-1], 2 + int(PARTS * along[-1]))
    # Kinks of the path, where its steps begin, keep their places.
    at = np.union1d(even, along) if len(along) <= PARTS else even
    u, v = np.interp(at, along, u), np.interp(at, along, v)
    error = np.interp(at, along, heights.of(path.error))
    drawn = height_between(picture.u, picture.v, heights.z, u, v)
    return u, v, np.maximum(error, drawn) if path.method == "flow" else drawn


def path_entries(pictures: Sequence[Picture]) -> list[tuple[Artist, str]]:
    """Entries of a legend: each method with the number of its paths, their starts and ends."""
    counts = Counter(path.method for picture in pictures for path in picture.paths)
    entries: list[tuple[Artist, str]] = []
    flows = [p for picture in pictures for p in picture.paths if p.method == "flow"]
    integrated = sum(not path.exact for path in flows)
    newtons = sum(_is_newtons(path, picture) for picture in pictures for path in picture.paths)
    note = f" ({'' if integrated == len(flows) else f'{integrated} '}integrated)"
    for method in METHODS:
        if counts[method]:
            name = f"{NAMES[method]} {counts[method]}"
            name += note if method == "flow" and integrated else ""
            same = newtons if method == "gauss-newton" else 0
            if same:
                name += f" ({'all' if same == counts[method] else same} equal to Newton's)"
            entries.append((Line2D([], [], **_look(method, 1.0, same == counts[method])), name))
    if entries:
        entries += [
            (Line2D([], [], **_start(1.0)), "start"),
            (Line2D([], [], **_end("white", 1.0)), "end"),
        ]
    return entries


def _in_order(paths: Iterable[Path]) -> Iterator[Path]:
    """Gradient flow first, below the steps."""
    return iter(sorted(paths, key=lambda path: METHODS.index(path.method)))


def _is_newtons(path: Path, picture: Picture) -> bool:
    """Whether a path of Gauss-Newton steps is one of Newton steps too."""
    if path.method != "gauss-newton":
        return False
    near = SAME * max(np.ptp(picture.u), np.ptp(picture.v))
    return any(
        len(other.u) == len(path.u)
        and bool((np.hypot(other.u - path.u, other.v - path.v) <= near).all())
        for other in picture.paths
        if other.method == "newton"
    )


def _look(method: str, scale: float, striped: bool = False) -> dict[str, Any]:
    """How the line of a method looks; `striped`: with Newton's colour in between."""
    width = scale * WIDTHS.get(method, THIN)
    stripes = {"linestyle": STRIPES, "gapcolor": COLOURS["newton"]} if striped else {}
    return {
        **stripes,
        "color": COLOURS[method],
        "linewidth": width,
        "path_effects": [withStroke(linewidth=width + scale * RIM, foreground=INK)],
    }


def _start(scale: float) -> dict[str, Any]:
    return _mark("s", scale * START, INK, "white", 0.9)


def _end(colour: str, scale: float) -> dict[str, Any]:
    return _mark("o", scale * END, colour, INK, 0.7)


def _mark(shape: str, size: float, face: str, edge: str, width: float) -> dict[str, Any]:
    return {
        "linestyle": "none",
        "marker": shape,
        "markersize": size,
        "markerfacecolor": face,
        "markeredgecolor": edge,
        "markeredgewidth": width,
    }
