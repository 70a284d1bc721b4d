"""A map of a layer's Hessian: one view from above, coloured by eigenvalue, trace, rank or units."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from surfacecli.figures.cells import fill_polygons
from surfacecli.figures.height import measure_heights
from surfacecli.figures.marks import legend_entries, mark_plane
from surfacecli.figures.page import open_view
from surfacecli.figures.picture import Picture
from surfacecli.figures.sets import draw_outlines, set_entries
from surfacecli.figures.theme import COLOURS, GREY, INK, PAGE, SMALL, Sheet, theme
from surfacecli.figures.ticks import Ticks, round_ticks, whole_ticks, widest_label
from surfacecli.figures.topview import BAR, draw_scale, outer_span, place_plane
from surfacecli.geometry.maps import LayerMap
from surfacecli.network.transfers import Array

#: What each map shows, for its heading, and what stands above its colours.
NAMES = {
    "curvature": ("smallest eigenvalue of the Hessian of layer {}", "eigenvalue"),
    "trace": ("trace of the Hessian of layer {}", "trace"),
    "rank": ("rank of the Hessian of layer {}", "rank"),
    "dead": ("units of layer {} that are dead on all data", "dead, %"),
}
#: Red below 0, blue above, and white at 0.
SIGNED, STEPS, SHARES = "RdBu", "cividis", "bone_r"
#: What a map of nothing says, over all that is drawn.
REMARK: dict[str, Any] = {
    "ha": "center",
    "va": "center",
    "color": GREY,
    "fontsize": SMALL,
    "zorder": 6.0,
    "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 2.0},
}
#: Points on a kink, where there is no Hessian.
NOWHERE = INK


@dataclass(frozen=True, eq=False)
class MapPicture:
    """A map ready to be drawn over the window of a picture.

    `polygons` are its cells, or parts of them, if any, and `cell_of` says which value each of them
    has, where it is not its own.
    """

    shown: LayerMap
    polygons: Sequence[Array] | None = None
    cell_of: NDArray[np.intp] | None = None

    @property
    def heading(self) -> str:
        """'rank of the Hessian of layer 1 (100 weights)', and what it is where it is no map."""
        shown = self.shown
        name = NAMES[shown.quantity][0].format(shown.layer)
        low, high = shown.range
        if shown.quantity == "dead":
            same = f"{low:.0%} everywhere" if low else "none anywhere"
            return f"{name}: {same}" if low == high else name
        name = f"{name} ({shown.size:,} weights)"
        return f"{name}: {low:g} everywhere" if low == high else name

    @property
    def remark(self) -> str | None:
        """What a map of nothing says in its middle, so as not to be taken for an empty picture."""
        if self.shown.quantity != "dead" or self.shown.range != (0.0, 0.0):
            return None
        return f"no dead units{' at these points' if self.shown.places == 'grid' else ''}"

    @property
    def evidence(self) -> str:
        """Whether the colours are those of whole cells or of single points."""
        if self.shown.exact:
            lower = " but for curves where it is lower" if self.shown.almost else ""
            return f"map exact, constant in each cell{lower}"
        if self.shown.tiles is not None:
            return f"map sampled at {len(self.shown.values):,} places, borders of cells exact"
        n_v, n_u = self.shown.values.shape
        return f"map sampled at {n_u} x {n_v} points"


@dataclass(frozen=True, eq=False)
class Scale:
    """Colours for values as they are drawn, the ends of the bar that is shown, and its ticks."""

    drawn: Array
    colours: ScalarMappable
    ends: tuple[float, float]
    ticks: Ticks
    name: str


def draw_map(picture: Picture, layer_map: MapPicture, sheet: Sheet = PAGE) -> Figure:
    """One slice from above, coloured by what a layer's Hessian is, with its stationary points."""
    shown = layer_map.shown
    with theme():
        remarks = "; ".join(part for part in (layer_map.evidence, picture.evidence) if part)
        # Plateaus are not hatched here: the hatching would hide the map.
        marks = replace(picture, level=None)
        entries = [*_gap_entries(shown), *legend_entries([marks]), *set_entries([marks])]
        figure, rectangle = open_view(picture, layer_map.heading, remarks, entries, sheet)
        scale = _SCALES[shown.quantity](shown.values)
        beside = BAR + widest_label(scale.ticks, SMALL)
        axes, bar = place_plane(figure, rectangle, picture, 6, beside)
        _colour(axes, picture, layer_map, scale)
        if layer_map.remark is not None:
            axes.text(0.5, 0.9, layer_map.remark, transform=axes.transAxes, **REMARK)
        draw_outlines(axes, marks)
        mark_plane(axes, marks)
        draw_scale(figure, bar, scale.colours, scale.ticks, scale.name, scale.ends)
        return figure


def _colour(axes: Axes, picture: Picture, layer_map: MapPicture, scale: Scale) -> None:
    colours = np.asarray(scale.colours.to_rgba(scale.drawn))
    if layer_map.polygons is not None:
        if layer_map.cell_of is not None:
            colours = colours[layer_map.cell_of]
        fill_polygons(axes, layer_map.polygons, colours, few=False)
        return
    axes.set_facecolor(NOWHERE)
    colours[np.isnan(scale.drawn)] = 0.0
    axes.imshow(
        colours,
        origin="lower",
        extent=(*outer_span(picture.u), *outer_span(picture.v)),
        interpolation="nearest",
        aspect="auto",
    )
    axes.set(xlim=(picture.u[0], picture.u[-1]), ylim=(picture.v[0], picture.v[-1]))


def _gap_entries(shown: LayerMap) -> list[tuple[Artist, str]]:
    """The entry of a legend for points without a Hessian, where there are some."""
    if not np.isnan(shown.values).any():
        return []
    return [(Patch(facecolor=NOWHERE), "on a kink: no Hessian")]


def _finite(values: Array) -> Array:
    finite = values[~np.isnan(values)]
    return finite if finite.size else np.zeros(1)


def _signed(values: Array, name: str) -> Scale:
    """0 is white wherever it lies between the ends, and equal sizes are equally strong."""
    finite = _finite(values)
    low, high = min(float(finite.min()), 0.0), max(float(finite.max()), 0.0)
    if low == high:
        nothing = np.zeros(1), ["0"]
        return Scale(values, ScalarMappable(Normalize(-1, 1), SIGNED), (-1, 1), nothing, name)
    most = max(-low, high)
    colours = ScalarMappable(Normalize(-most, most), SIGNED)
    return Scale(values, colours, (low, high), round_ticks(low, high, 6), name)


def _curvature(values: Array) -> Scale:
    return _signed(values, NAMES["curvature"][1])


def _trace(values: Array) -> Scale:
    finite, name = _finite(values), NAMES["trace"][1]
    if finite.min() < 0:
        return _signed(values, name)
    heights = measure_heights(finite)
    drawn = np.full_like(values, np.nan)
    drawn[~np.isnan(values)] = heights.of(finite)
    colours = ScalarMappable(Normalize(heights.low, heights.high), COLOURS)
    label = f"{name} (log)" if heights.log else name
    return Scale(drawn, colours, (heights.low, heights.high), heights.ticks(6), label)


def _rank(values: Array) -> Scale:
    """One colour for each whole number from the lowest rank to the highest."""
    finite = _finite(values)
    low, high = int(finite.min()), int(finite.max())
    ends = (low - 0.5, high + 0.5)
    steps = colormaps[STEPS].resampled(high - low + 1)
    colours = ScalarMappable(Normalize(*ends), steps)
    return Scale(values, colours, ends, whole_ticks(low, high), NAMES["rank"][1])


def _dead(values: Array) -> Scale:
    colours = ScalarMappable(Normalize(0.0, 100.0), SHARES)
    ticks = round_ticks(0.0, 100.0, 5)
    return Scale(100.0 * values, colours, (0.0, 100.0), ticks, NAMES["dead"][1])


_SCALES: dict[str, Callable[[Array], Scale]] = {
    "curvature": _curvature,
    "trace": _trace,
    "rank": _rank,
    "dead": _dead,
}
