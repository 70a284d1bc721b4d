"""Stationary sets at their places: plateaus hatched with rims, valleys and ridges as lines."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path
from mpl_toolkits.mplot3d.art3d import Line3DCollection  # type: ignore[import-untyped]
from mpl_toolkits.mplot3d.axes3d import Axes3D  # type: ignore[import-untyped]
from numpy.typing import NDArray

from surfacecli.figures.box import MARKS, Box
from surfacecli.figures.cellmap import LevelCells
from surfacecli.figures.height import Heights
from surfacecli.figures.kinks import layers_in_sight
from surfacecli.figures.marks import COURSE, KINDS, SMALLER
from surfacecli.figures.picture import Picture
from surfacecli.figures.sight import are_clear, height_between, runs_of
from surfacecli.figures.theme import INK, SHAPES
from surfacecli.geometry.stationary import StationaryPoint
from surfacecli.network.transfers import Array

HATCH = "////"
#: Weights of red, green and blue in the brightness of a colour, and what is dark.
BRIGHTNESS, DARK = np.array([0.299, 0.587, 0.114]), 0.45
#: Width of the rims of plateaus, and of the white on both sides of a line together, in points.
RIM, BESIDE = 1.0, 0.9
#: On a 3-D view an outline has a point at least every so many-th part of the window.
PARTS = 100


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
    """Rims of plateaus, courses of valleys and ridges, in the colour of their kind."""
    for name, points in _outlined(picture).items():
        segments = list(np.concatenate([np.array(point.outline) for point in points]))
        # All of the white rim first: segment by segment it would cut the line into dashes.
        for colour, wide, gid in _strokes(name, points[0], 0.7 if small else 1.0):
            collection = LineCollection(
                segments,
                colors=colour,
                linewidths=wide,
                capstyle="round",
                zorder=2.7 if colour == "white" else 2.8,
                rasterized=len(segments) > SHAPES,
            )
            collection.set_gid(gid)
            axes.add_collection(collection, autolim=False)


def raise_outlines(
    axes: Axes3D, box: Box, picture: Picture, heights: Heights, small: bool = False
) -> None:
    """The same lines on a 3-D view, on the surface, as far as it does not hide them."""
    for name, points in _outlined(picture).items():
        runs = [run for p in points for run in _seen_runs(p, box, picture, heights)]
        if not runs:
            continue
        for colour, wide, gid in _strokes(name, points[0], SMALLER * (0.7 if small else 1.0)):
            collection = Line3DCollection(
                runs,
                colors=colour,
                linewidths=wide,
                capstyle="round",
                zorder=MARKS - (0.8 if colour == "white" else 0.7),
                rasterized=len(runs) > SHAPES,
            )
            collection.set_gid(gid)
            axes.add_collection3d(collection)


def _outlined(picture: Picture) -> dict[str, list[StationaryPoint]]:
    """The sets whose outline is known, by what they are called."""
    found: dict[str, list[StationaryPoint]] = {}
    for point in picture.points:
        if point.outline:
            found.setdefault(point.describe(), []).append(point)
    return found


def kinks_in_sight(picture: Picture) -> list[int]:
    """The layers whose kinks are seen from above: some may lie under ridges, valleys and rims."""
    if picture.kinks is None:
        return []
    covers = [np.zeros((0, 2, 2)), *(np.array(p.outline) for p in picture.points if p.outline)]
    sides = np.array([np.ptp(picture.u), np.ptp(picture.v)])
    return layers_in_sight(picture.kinks, np.concatenate(covers), sides)


def _strokes(name: str, point: StationaryPoint, scale: float) -> Iterator[tuple[str, float, str]]:
    """Colour, width in points and id of the two strokes of an outline, the white rim first."""
    width = scale * (RIM if point.support == "plateau" else COURSE)
    yield "white", width + BESIDE, f"rim of {name}"
    yield KINDS[point.kind][1], width, name


def _seen_runs(
    point: StationaryPoint, box: Box, picture: Picture, heights: Heights
) -> Iterator[Array]:
    """Stretches (n, 3) of an outline that are seen, on the surface as it is drawn.

    Between the points of the grid this may lie above E, as it does over the bed of a valley.
    """
    ends = np.array(point.outline)
    sides = np.array([np.ptp(picture.u), np.ptp(picture.v)])
    length = np.hypot(*((ends[:, 1] - ends[:, 0]) / sides).T)
    counts = 2 + (PARTS * length).astype(np.intp)
    ways = [np.linspace(a, b, n) for (a, b), n in zip(ends, counts.tolist(), strict=True)]
    u, v = np.concatenate(ways).T
    drawn = height_between(picture.u, picture.v, heights.z, u, v)
    z = np.maximum(drawn, float(heights.of(point.error)))
    seen = are_clear(u, v, z, box, picture, heights)
    places = np.column_stack([u, v, z])
    stops = np.cumsum(counts).tolist()
    for start, stop in zip([0, *stops], stops, strict=False):
        for run in runs_of(seen[start:stop]):
            yield places[start:stop][run]


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
