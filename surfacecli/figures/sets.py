"""Stationary sets at their exact places: plateaus hatched with their rims, valleys as lines."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path
from numpy.typing import NDArray

from surfacecli.figures.cellmap import LevelCells
from surfacecli.figures.marks import COURSE, KINDS
from surfacecli.figures.picture import Picture
from surfacecli.figures.theme import INK, SHAPES
from surfacecli.network.transfers import Array

HATCH = "////"
#: Weights of red, green and blue in the brightness of a colour, and what is dark.
BRIGHTNESS, DARK = np.array([0.299, 0.587, 0.114]), 0.45
#: Width of the rims, in points.
RIM = 1.0


def hatch_level(axes: Axes, level: LevelCells, ground: NDArray[np.float64]) -> None:
    """Hatching where E is constant: white on dark and dark on light ground, colours (k, 4)."""
    dark = ground[:, :3] @ BRIGHTNESS < DARK
    for chosen, colour in ((dark, "white"), (~dark, INK)):
        polygons = [level.polygons[k] for k in np.flatnonzero(chosen)]
        if polygons:
            axes.add_patch(
                PathPatch(
                    _compound(polygons),
                    facecolor="none",
                    edgecolor=colour,
                    linewidth=0.0,
                    hatch=HATCH,
                    zorder=2.6,
                    rasterized=len(polygons) > SHAPES,
                )
            )


def draw_outlines(axes: Axes, picture: Picture, small: bool = False) -> None:
    """Rims of plateaus and courses of valleys in the colour of their kind."""
    outlines: dict[tuple[str, str], list[Array]] = {}
    for point in picture.points:
        if point.outline:
            group = outlines.setdefault((point.support, point.kind), [])
            group += list(np.array(point.outline))
    for (support, kind), segments in outlines.items():
        width = (RIM if support == "plateau" else COURSE) * (0.7 if small else 1.0)
        name = f"{support} ({kind})"
        # All of the white rim first: segment by segment it would cut the line into dashes.
        for colour, wide, layer, gid in (
            ("white", width + 0.9, 2.7, f"rim of {name}"),
            (KINDS[kind][1], width, 2.8, name),
        ):
            collection = LineCollection(
                segments,
                colors=colour,
                linewidths=wide,
                capstyle="round",
                zorder=layer,
                rasterized=len(segments) > SHAPES,
            )
            collection.set_gid(gid)
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
    """The entry of a legend for what is hatched."""
    if not any(picture.level is not None and len(picture.level.cells) for picture in pictures):
        return ()
    hatched = Patch(facecolor="none", edgecolor=INK, linewidth=0.0, hatch=2 * HATCH)
    return ((hatched, "E is constant"),)
