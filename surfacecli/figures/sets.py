"""Stationary sets at their exact places: plateaus hatched with their rims, valleys as lines."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from surfacecli.figures.marks import KINDS
from surfacecli.figures.picture import Picture
from surfacecli.figures.theme import INK, SHAPES
from surfacecli.network.transfers import Array

HATCH = "////"
#: Widths of the lines, in points.
RIM, COURSE = 1.0, 1.6


def draw_sets(axes: Axes, picture: Picture, small: bool = False) -> None:
    """Hatching where E is constant; rims and courses in the colour of their kind."""
    if picture.level:
        axes.add_patch(
            PathPatch(
                _compound(picture.level),
                facecolor="none",
                edgecolor=INK,
                linewidth=0.0,
                hatch=HATCH,
                zorder=2.6,
                rasterized=len(picture.level) > SHAPES,
            )
        )
    outlines: dict[tuple[str, str], list[Array]] = {}
    for point in picture.points:
        if point.outline:
            group = outlines.setdefault((point.support, point.kind), [])
            group += list(np.array(point.outline))
    for (support, kind), segments in outlines.items():
        width = (RIM if support == "plateau" else COURSE) * (0.7 if small else 1.0)
        collection = LineCollection(
            segments,
            colors=KINDS[kind][1],
            linewidths=width,
            capstyle="round",
            zorder=2.8,
            path_effects=[withStroke(linewidth=width + 0.9, foreground="white")],
            rasterized=len(segments) > SHAPES,
        )
        collection.set_gid(f"{support} ({kind})")
        axes.add_collection(collection, autolim=False)


def _compound(polygons: Iterable[Array]) -> Path:
    """Many polygons (n, 2) as one path, so that the hatching runs through."""
    closed = [np.concatenate([polygon, polygon[:1]]) for polygon in polygons]
    codes = [
        np.array([Path.MOVETO, *[Path.LINETO] * (len(p) - 2), Path.CLOSEPOLY], dtype=np.uint8)
        for p in closed
    ]
    return Path(np.concatenate(closed), np.concatenate(codes))


def set_entries(pictures: Iterable[Picture]) -> Sequence[tuple[Artist, str]]:
    """Entries of a legend: what hatching and thick lines are."""
    level, kinds = False, set[str]()
    for picture in pictures:
        level |= bool(picture.level)
        kinds |= {p.kind for p in picture.points if p.outline and p.support == "valley"}
    hatched = Patch(facecolor="none", edgecolor=INK, linewidth=0.0, hatch=2 * HATCH)
    entries: list[tuple[Artist, str]] = [(hatched, "E is constant")] if level else []
    if kinds:
        colour = KINDS[min(kinds, key=list(KINDS).index)][1]
        entries.append((Line2D([], [], color=colour, lw=COURSE), "course of a valley"))
    return entries
