"""The box around a 3-D surface, looked at without perspective, and a frame of ticks drawn by hand.

Matplotlib's own 3-D axes choose their margins and their edges themselves; here the box fills the
room that it is given, and each axis stands on the edge where the style wants it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Line3DCollection  # type: ignore[import-untyped]
from mpl_toolkits.mplot3d.axes3d import Axes3D  # type: ignore[import-untyped]
from mpl_toolkits.mplot3d.proj3d import proj_transform  # type: ignore[import-untyped]

from surfacecli.figures.lettering import text_width
from surfacecli.figures.theme import FAINT, INK, LEADING, SMALL, TEXT
from surfacecli.figures.ticks import Ticks
from surfacecli.network.transfers import Array

#: Layers of a 3-D picture, from the back to the front.
WALLS, FLOOR, SURFACE, FRAME, MARKS = 1.0, 2.0, 3.0, 4.0, 5.0
#: Length of tick marks, in sides of the box.
TICK = 0.02

Span = tuple[float, float]
Rectangle = tuple[float, float, float, float]
Scales = tuple[Ticks, Ticks, Ticks]


@dataclass(frozen=True)
class View:
    """Where the eye is, in degrees, as matplotlib counts them, and how high a box of sides 1 is."""

    azimuth: float
    elevation: float
    height: float

    @property
    def towards(self) -> Array:
        """The unit vector from the box to the eye."""
        a, e = np.deg2rad([self.azimuth, self.elevation])
        return np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])


@dataclass(frozen=True)
class Box:
    """The box in data coordinates, the ratio of its sides, and the eye."""

    u: Span
    v: Span
    z: Span
    sides: tuple[float, float, float]
    view: View

    @property
    def near(self) -> tuple[float, float]:
        """u and v of the vertical edge that is next to the eye."""
        x, y, _ = self.view.towards
        return self.u[int(x >= 0)], self.v[int(y >= 0)]

    @property
    def far(self) -> tuple[float, float]:
        near_u, near_v = self.near
        return sum(self.u) - near_u, sum(self.v) - near_v

    @property
    def left(self) -> tuple[float, float]:
        """u and v of the vertical edge at the left end of the picture."""
        (near_u, near_v), (far_u, far_v) = self.near, self.far
        across = np.deg2rad(self.view.azimuth)

        def position(u: float, v: float) -> float:
            x, y = (u - self.u[0]) / np.ptp(self.u), (v - self.v[0]) / np.ptp(self.v)
            return float(-np.sin(across) * x * self.sides[0] + np.cos(across) * y * self.sides[1])

        return min(((near_u, far_v), (far_u, near_v)), key=lambda corner: position(*corner))

    def beyond(self, share: float) -> tuple[float, float]:
        """Steps out of the box on its near sides, along u and v: a share of the longer side."""
        (near_u, near_v), longest = self.near, max(self.sides[:2])
        return (
            float(np.sign(near_u - np.mean(self.u)) * share * np.ptp(self.u) / self.sides[0])
            * longest,
            float(np.sign(near_v - np.mean(self.v)) * share * np.ptp(self.v) / self.sides[1])
            * longest,
        )

    def leftwards(self, share: float) -> tuple[float, float]:
        """A step out of the box at its left edge, away from the near corner."""
        out_u, out_v = self.beyond(share)
        return (0.0, -out_v) if self.left[0] == self.near[0] else (-out_u, 0.0)


@dataclass(frozen=True)
class Look:
    """How a frame is drawn."""

    grid_colour: str = FAINT
    grid_style: str | tuple[int, tuple[float, ...]] = "solid"
    grid_width: float = 0.5
    edge_colour: str = INK
    size: float = SMALL
    distance: float = 0.045


@dataclass(frozen=True)
class Label:
    """A text that stands at a place (u, v, z) of the box, aligned as matplotlib says it."""

    place: tuple[float, float, float]
    text: str
    size: float
    across: str
    upright: str

    def reach(self) -> Array:
        """Inches from its place: ((left, down), (right, up))."""
        width, height = text_width(self.text, self.size), self.size * LEADING
        right = {"left": 1.0, "center": 0.5, "right": 0.0}[self.across] * width
        up = {"bottom": 1.0, "center": 0.5, "top": 0.0}[self.upright] * height
        return np.array([[width - right, height - up], [right, up]])


def box_sides(u: Array, v: Array, height: float) -> tuple[float, float, float]:
    """Sides of a box: equal units along u and v where that leaves neither shorter than half."""
    ratio = float(np.ptp(u) / np.ptp(v))
    along_u, along_v = (ratio, 1.0) if ratio <= 1 else (1.0, 1.0 / ratio)
    if min(along_u, along_v) < 0.5:
        along_u = along_v = 1.0
    return along_u, along_v, height


def add_box(figure: Figure, rectangle: Rectangle, box: Box, labels: Sequence[Label]) -> Axes3D:
    """Axes on which box and labels fill a rectangle (left, bottom, width, height) in inches."""
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0), projection="3d", computed_zorder=False)
    assert isinstance(axes, Axes3D)
    axes.set_axis_off()
    axes.patch.set_visible(False)
    axes.set_proj_type("ortho")
    axes.view_init(elev=box.view.elevation, azim=box.view.azimuth)
    axes.set_box_aspect(box.sides)
    axes.set(xlim=box.u, ylim=box.v, zlim=box.z)
    corners = list(product(box.u, box.v, box.z))
    places = np.array([*corners, *(label.place for label in labels)]).T
    x, y, _ = proj_transform(*places, axes.get_proj())
    # In units of the axes' own (square) rectangle, whatever its size.
    anchors = axes.transLimits.transform(np.column_stack([x, y]))
    reach = np.array([np.zeros((2, 2))] * len(corners) + [label.reach() for label in labels])
    origin, side = _fit(np.array(rectangle).reshape(2, 2), anchors, reach[:, 0], reach[:, 1])
    size = figure.get_size_inches()
    axes.set_position((*(origin / size), *(side / size)))
    for label in labels:
        axes.text(
            *label.place,
            label.text,
            size=label.size,
            ha=label.across,
            va=label.upright,
            zorder=FRAME,
        )
    return axes


def _fit(rectangle: Array, anchors: Array, before: Array, after: Array) -> tuple[Array, float]:
    """Origin (2,) and side of the largest square of axes on which everything fits a rectangle.

    `anchors` (n, 2) in units of the side; what stands there reaches (n, 2) inches to the left and
    down, and to the right and up.
    """

    def span(side: float) -> tuple[Array, Array]:
        return (side * anchors - before).min(axis=0), (side * anchors + after).max(axis=0)

    corner, room = rectangle
    low, high = 0.0, float((room / np.ptp(anchors, axis=0)).min())
    for _ in range(30):
        side = 0.5 * (low + high)
        first, last = span(side)
        low, high = (side, high) if (last - first <= room).all() else (low, side)
    first, last = span(low)
    return corner + 0.5 * (room - first - last), low


def draw_frame(axes: Axes3D, box: Box, ticks: Scales, look: Look) -> None:
    """Grid lines on floor and back walls, the three axes and their tick marks."""
    (at_u, _), (at_v, _), (at_z, _) = ticks
    (near_u, near_v), (far_u, far_v), (left_u, left_v) = box.near, box.far, box.left
    z0, z1 = box.z
    # The walls end in lines too: not all have a tick there.
    wall_u, wall_v, wall_z = _closed(at_u, box.u), _closed(at_v, box.v), _closed(at_z, box.z)
    grid = [
        *([(u, near_v, z0), (u, far_v, z0), (u, far_v, z1)] for u in wall_u),
        *([(near_u, v, z0), (far_u, v, z0), (far_u, v, z1)] for v in wall_v),
        *([(near_u, far_v, z), (far_u, far_v, z), (far_u, near_v, z)] for z in wall_z),
    ]
    _add_lines(axes, grid, look.grid_colour, look.grid_width, look.grid_style, WALLS)
    out_u, out_v = box.beyond(TICK)
    side_u, side_v = box.leftwards(TICK)
    edges = [
        [(far_u, near_v, z0), (near_u, near_v, z0), (near_u, far_v, z0)],
        [(left_u, left_v, z0), (left_u, left_v, z1)],
        *([(u, near_v, z0), (u, near_v + out_v, z0)] for u in at_u),
        *([(near_u, v, z0), (near_u + out_u, v, z0)] for v in at_v),
        *([(left_u, left_v, z), (left_u + side_u, left_v + side_v, z)] for z in at_z),
    ]
    _add_lines(axes, edges, look.edge_colour, 0.6, "solid", FRAME)


def _closed(at: Array, span: Span) -> list[float]:
    """Places along a side, and its two ends where they are not among them."""
    slack = 1e-9 * (span[1] - span[0])
    ends = [end for end in span if not (np.abs(at - end) <= slack).any()]
    return [*at.tolist(), *ends]


def number_axes(box: Box, ticks: Scales, look: Look) -> list[Label]:
    """The numbers along the three axes."""
    (at_u, names_u), (at_v, names_v), (at_z, names_z) = ticks
    (near_u, near_v), (left_u, left_v), z0 = box.near, box.left, box.z[0]
    away_u, away_v = box.beyond(look.distance)
    side_u, side_v = box.leftwards(look.distance)
    # Where the vertical axis begins at a corner the other axis's label stands below; where that is
    # beside rather than below the corner, the vertical axis's stands above.
    crowded = len(at_z) > 0 and at_z[0] == z0
    right, down = _facing(box, 0 if left_u == near_u else 1)
    level = down < 0.25 * abs(right)
    labels = []
    for u, name in zip(at_u, names_u, strict=True):
        across, upright = _anchor(box, 1)
        upright = "top" if crowded and u == left_u else upright
        labels.append(Label((u, near_v + away_v, z0), name, look.size, across, upright))
    for v, name in zip(at_v, names_v, strict=True):
        across, upright = _anchor(box, 0)
        upright = "top" if crowded and v == left_v else upright
        labels.append(Label((near_u + away_u, v, z0), name, look.size, across, upright))
    for z, name in zip(at_z, names_z, strict=True):
        place = (left_u + side_u, left_v + side_v, z)
        upright = "bottom" if level and z == z0 else "center"
        labels.append(Label(place, name, look.size, "right", upright))
    return labels


def name_axes(box: Box, names: tuple[str, str, str], away: float) -> list[Label]:
    """Names beside the middle of the near edges, and above the vertical axis."""
    (near_u, near_v), (left_u, left_v), (z0, z1) = box.near, box.left, box.z
    out_u, out_v = box.beyond(away)
    middle_u, middle_v = 0.5 * sum(box.u), 0.5 * sum(box.v)
    return [
        Label((middle_u, near_v + out_v, z0), names[0], TEXT, *_anchor(box, 1)),
        Label((near_u + out_u, middle_v, z0), names[1], TEXT, *_anchor(box, 0)),
        Label((left_u, left_v, z1 + 0.1 * (z1 - z0)), names[2], TEXT, "center", "bottom"),
    ]


def _anchor(box: Box, axis: int) -> tuple[str, str]:
    """How text beside a near side is aligned, by where on the picture that side faces."""
    right, down = _facing(box, axis)
    if abs(right) < 0.35 * down:
        return "center", "top"
    vertical = "top" if down > 0.4 * abs(right) else "center"
    return ("left" if right > 0 else "right"), vertical


def _facing(box: Box, axis: int) -> tuple[float, float]:
    """Steps to the right and down on the picture, out of a near side of the box."""
    a, e = np.deg2rad([box.view.azimuth, box.view.elevation])
    x, y = np.sign(box.view.towards[:2])
    right = (-np.sin(a) * x, np.cos(a) * y)[axis]
    down = (np.cos(a) * x, np.sin(a) * y)[axis] * np.sin(e)
    return float(right), float(down)


def _add_lines(
    axes: Axes3D,
    lines: list[list[tuple[float, float, float]]],
    colour: str,
    width: float,
    style: str | tuple[int, tuple[float, ...]],
    layer: float,
) -> None:
    collection = Line3DCollection(
        lines, colors=colour, linewidths=width, linestyles=[style], zorder=layer
    )
    axes.add_collection3d(collection)
