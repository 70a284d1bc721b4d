"""Marks of stationary points: shape and colour say the kind, a hollow mark says kinked."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle as Patch
from matplotlib.patheffects import withStroke
from mpl_toolkits.mplot3d.axes3d import Axes3D  # type: ignore[import-untyped]

from surfacecli.figures.box import MARKS, Box
from surfacecli.figures.height import Heights
from surfacecli.figures.picture import Picture
from surfacecli.figures.sight import are_clear, height_between, is_visible
from surfacecli.figures.theme import BLUE, GREY, INK, ORANGE, PURPLE, VERMILLION
from surfacecli.geometry.stationary import StationaryPoint
from surfacecli.network.transfers import Array

#: Shape and colour by kind.
KINDS = {
    "minimum": ("v", BLUE),
    "maximum": ("^", VERMILLION),
    "saddle": ("D", ORANGE),
    "shoulder": ("o", PURPLE),
}
#: Shapes of sets, whose colour is that of their kind.
SETS = {"plateau": "s", "valley": "h"}
LARGEST, SMALLEST, BORDER = 6.0, 3.0, 3.0
#: Marks on a 3-D view relative to those on the view from above: they must not hide a small peak.
SMALLER = 0.75
#: So many marks keep their full size.
FEW = 15
LOWEST = "lowest point"
#: Half the bar that shows where E falls from a smooth saddle, in inches, and the share of it that
#: can be told beside the mark, where E rises again soon; widths of its white rim and of itself in
#: points.
HALF_BAR, LEAST_BAR, BAR_RIM, BAR_LINE = 0.14, 0.55, 3.2, 1.8
#: On a 3-D view, half the bar in windows, and of how many points it consists.
RAISED, BAR_POINTS = 0.065, 9
#: Width in points of the line along which a valley or a ridge runs.
COURSE = 1.6
#: The ring around the lowest point, in marks: on the border it must not meet numbers or colour bar.
RING, BORDER_RING = 1.8, 1.3
#: Points: the dark rim around the ring.
RIM = 2.2
#: Widths in points of the dashes around a set, and of the white below them, for dark ground.
EXTENT, EXTENT_RIM = 0.8, 2.0
#: A set that spans this share of both sides of the window is about the whole of it.
WHOLE = 0.9


@dataclass(frozen=True)
class Mark:
    """How one sort of points is drawn; `size`, `width` of the edge and of a dark rim in points."""

    shape: str
    face: str
    edge: str
    width: float
    size: float
    rim: float = 0.0


def mark_of(point: StationaryPoint, size: float) -> Mark:
    """The mark of a point: filled where E is smooth, hollow on a kink, small on the border."""
    shape, colour = KINDS[point.kind]
    if point.on_border:
        return Mark(shape, "white", GREY, 0.7, min(BORDER, size))
    if point.is_set:
        shape = SETS[point.support]
    if shape == "D":
        size *= 0.8
    if point.smooth or point.is_set:
        return Mark(shape, colour, "white", 0.6, size)
    return Mark(shape, "white", colour, 1.2, size)


def mark_size(count: int) -> float:
    """The size of marks where there are `count`: many must not bury the picture."""
    return float(np.clip(LARGEST * np.sqrt(FEW / max(count, 1)), SMALLEST, LARGEST))


def mark_plane(axes: Axes, picture: Picture) -> None:
    """Marks on a view from above, those on the border small, the extent of sets dashed."""
    size = mark_size(len(picture.points))
    for points, layer in ((picture.border, 3.0), (picture.points, 4.0)):
        for mark, group in _grouped(points, size):
            u, v = [p.u for p in group], [p.v for p in group]
            axes.plot(u, v, zorder=layer, clip_on=False, **_line(mark))
    for point in picture.points:
        if has_extent(point, picture):
            axes.add_patch(_extent(point))
    draw_descents(axes, picture)
    if picture.lowest is not None:
        at_u, at_v, _ = picture.lowest
        ring = _ring(size, BORDER_RING if _on_border(at_u, at_v, picture) else RING)
        axes.plot([at_u], [at_v], zorder=5.0, clip_on=False, **_line(ring))


def _on_border(u: float, v: float, picture: Picture) -> bool:
    return u in (picture.u[0], picture.u[-1]) or v in (picture.v[0], picture.v[-1])


def draw_descents(axes: Axes, picture: Picture) -> None:
    """Of each smooth saddle a bar along the line in which E bends down most, as far as it falls."""
    unit = HALF_BAR * axes.figure.dpi
    sides = axes.bbox.width / unit, axes.bbox.height / unit
    bars = [_bar(p, picture, sides, 2) for p in picture.points if p.downhill is not None]
    if not bars:
        return
    for colour, width, layer in (("white", BAR_RIM, 3.6), (KINDS["saddle"][1], BAR_LINE, 3.7)):
        collection = LineCollection(
            bars, colors=colour, linewidths=width, capstyle="round", zorder=layer, clip_on=True
        )
        collection.set_gid("descents of saddles" if colour != "white" else "rims of descents")
        axes.add_collection(collection, autolim=False)


def _bar(point: StationaryPoint, picture: Picture, sides: tuple[float, float], count: int) -> Array:
    """The bar of a saddle in `count` points (count, 2), there and back.

    `sides` are those of the window in half bars: it is as long on paper whatever its direction,
    or shorter, where E stops falling before.
    """
    assert point.downhill is not None
    du, dv = point.downhill
    along = du * sides[0] / float(np.ptp(picture.u)), dv * sides[1] / float(np.ptp(picture.v))
    longest = 1.0 / float(np.hypot(*along))
    back, forth = np.clip(
        picture.falls.get((point.u, point.v), (longest, longest)), LEAST_BAR * longest, longest
    )
    steps = np.interp(np.linspace(-1.0, 1.0, count), (-1.0, 0.0, 1.0), (-back, 0.0, forth))
    return np.column_stack([point.u + steps * du, point.v + steps * dv])


def raise_descents(axes: Axes3D, box: Box, picture: Picture, heights: Heights) -> None:
    """The same bars on a 3-D view, on the surface: of saddles in sight, as far as they are."""
    middle = BAR_POINTS // 2
    for point in picture.points:
        if point.downhill is None:
            continue
        u, v = _bar(point, picture, (1.0 / RAISED,) * 2, BAR_POINTS).T
        z = height_between(picture.u, picture.v, heights.z, u, v)
        z[middle] = float(heights.of(point.error))
        seen = (u >= box.u[0]) & (u <= box.u[1]) & (v >= box.v[0]) & (v <= box.v[1])
        seen &= are_clear(u, v, z, box, picture, heights)
        if not seen[middle]:
            continue
        hidden = np.flatnonzero(~seen)
        first = int(hidden[hidden < middle].max(initial=-1)) + 1
        last = int(hidden[hidden > middle].min(initial=BAR_POINTS))
        u, v, z = u[first:last], v[first:last], z[first:last]
        for colour, width, below in (
            ("white", BAR_RIM, 0.2),
            (KINDS["saddle"][1], BAR_LINE, 0.1),
        ):
            (line,) = axes.plot(
                u,
                v,
                z,
                color=colour,
                lw=SMALLER * width,
                solid_capstyle="round",
                zorder=MARKS - below,
            )
            line.set_gid("descent of a saddle" if colour != "white" else "rim of a descent")


def mark_surface(axes: Axes3D, box: Box, picture: Picture, heights: Heights) -> None:
    """Marks on a 3-D view: those that the surface does not hide; none on the border."""
    size = SMALLER * mark_size(len(picture.points))
    raise_descents(axes, box, picture, heights)
    seen = [p for p in picture.points if is_visible(p.u, p.v, p.error, box, picture, heights)]
    for mark, points in _grouped(seen, size):
        z = heights.of(np.array([p.error for p in points]))
        axes.plot(
            [p.u for p in points],
            [p.v for p in points],
            z,
            zorder=MARKS,
            clip_on=False,
            **_line(mark),
        )
    if picture.lowest is not None and is_visible(*picture.lowest, box, picture, heights):
        at_u, at_v, error = picture.lowest
        axes.plot(
            [at_u],
            [at_v],
            [float(heights.of(error))],
            zorder=MARKS,
            clip_on=False,
            **_line(_ring(size, RING)),
        )


def legend_entries(pictures: Sequence[Picture]) -> list[tuple[Line2D, str]]:
    """A handle and a text with its count for every sort of points in the pictures.

    A sort whose points have a line, as saddles, valleys and ridges have, is followed by that.
    """
    counts: Counter[str] = Counter()
    examples: dict[str, StationaryPoint] = {}
    lowest, sets = False, False
    for picture in pictures:
        lowest |= picture.lowest is not None
        for point in (*picture.points, *picture.border):
            counts[point.describe()] += 1
            examples.setdefault(point.describe(), point)
            sets |= has_extent(point, picture)
    lined = {
        p.describe()
        for picture in pictures
        for p in picture.points
        if p.downhill is not None or (p.outline and p.support == "valley")
    }
    entries = []
    smooth = {p.describe() for picture in pictures for p in picture.points if p.smooth}
    for name in sorted(counts, key=lambda name: _rank(examples[name])):
        point = examples[name]
        entries.append((Line2D([], [], **_line(mark_of(point, LARGEST))), f"{name} {counts[name]}"))
        if name in lined:  # what its line is, next to it
            words = "saddle: E falls this way"
            words = _course_words(point, name not in smooth) if point.is_set else words
            width = COURSE if point.is_set else BAR_LINE
            entries.append((Line2D([], [], color=KINDS[point.kind][1], lw=width), words))
    if lowest:
        entries.append((Line2D([], [], **_line(_ring(LARGEST, RING))), LOWEST))
    if sets:
        entries.append((Line2D([], [], color=INK, lw=EXTENT, ls=(0, (3, 2))), "extent of a set"))
    return entries


def _course_words(point: StationaryPoint, kinked: bool) -> str:
    """What a legend calls the line of a set: 'course of a valley (saddle)', 'course of a ridge'.

    A ridge may be all that shows its kinks, which it hides, so it says whether it is `kinked`.
    """
    if point.is_ridge:
        return f"course of a {'kinked ' if kinked else ''}ridge"
    return "course of a valley" + (f" ({point.kind})" if point.kind != "minimum" else "")


def _rank(point: StationaryPoint) -> tuple[bool, int, bool, str]:
    return point.on_border, list(KINDS).index(point.kind), point.is_set, point.describe()


def _grouped(
    points: Iterable[StationaryPoint], size: float
) -> Iterable[tuple[Mark, list[StationaryPoint]]]:
    """Marks with all points that bear them: saddles first, then the rarest kinds last, on top.

    Between two minima close together there is a saddle, which must not hide them.
    """
    groups: dict[Mark, list[StationaryPoint]] = {}
    for point in points:
        groups.setdefault(mark_of(point, size), []).append(point)
    saddle = KINDS["saddle"][0]
    for mark in sorted(groups, key=lambda mark: (mark.shape != saddle, -len(groups[mark]))):
        yield mark, groups[mark]


def _line(mark: Mark) -> dict[str, Any]:
    return {
        "linestyle": "none",
        "marker": mark.shape,
        "markersize": mark.size,
        "markerfacecolor": mark.face,
        "markeredgecolor": mark.edge,
        "markeredgewidth": mark.width,
        "path_effects": [withStroke(linewidth=mark.rim, foreground=INK)] if mark.rim else None,
    }


def _ring(size: float, wide: float) -> Mark:
    return Mark("o", "none", "white", 1.1, wide * size, rim=RIM)


def has_extent(point: StationaryPoint, picture: Picture) -> bool:
    """Whether the extent of a set is worth drawing: its outline is not known, its end in sight."""
    if point.extent is None or point.outline:
        return False
    u0, u1, v0, v1 = point.extent
    wide = u1 - u0 > WHOLE * float(np.ptp(picture.u))
    return not (wide and v1 - v0 > WHOLE * float(np.ptp(picture.v)))


def _extent(point: StationaryPoint) -> Patch:
    assert point.extent is not None
    u0, u1, v0, v1 = point.extent
    return Patch(
        (u0, v0),
        u1 - u0,
        v1 - v0,
        fill=False,
        edgecolor=INK,
        linewidth=EXTENT,
        linestyle=(0, (3, 2)),
        path_effects=[withStroke(linewidth=EXTENT_RIM, foreground="white")],
        zorder=3.5,
    )
