"""Style 'cells': one view from above, every cell filled by its error, its rank or its activity."""

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from surfacecli.figures.box import Rectangle
from surfacecli.figures.cellmap import CellMap
from surfacecli.figures.descent import draw_paths, path_entries
from surfacecli.figures.height import measure_heights
from surfacecli.figures.marks import legend_entries, mark_plane
from surfacecli.figures.page import open_view
from surfacecli.figures.picture import NO_CELLS, Picture
from surfacecli.figures.sets import draw_outlines, hatch_level, set_entries
from surfacecli.figures.theme import FAINT, GREY, PAGE, SHAPES, SMALL, Sheet, theme
from surfacecli.figures.ticks import whole_ticks, widest_label
from surfacecli.figures.topview import BAR, draw_bar, draw_scale, place_plane
from surfacecli.network.transfers import Array

#: What may fill the cells, and how the figure says it.
FILLS = {
    "error": "E inside each cell",
    "rank": "rank of the Hessian in each cell",
    "active": "active units in each cell",
}
#: Colours and names of the ranks 0, 1, 2 of a cell's Hessian.
RANKS = (
    ("#F7F1DE", "rank 0: flat or a slope"),
    ("#A8D5A2", "rank 1: a trough"),
    ("#4F9D69", "rank 2: a bowl"),
)
ACTIVE = "cividis"
#: Up to so many cells have a border that can be seen; thinner the more there are.
BORDERED = 1000


def draw_cells(picture: Picture, fill: str = "error", sheet: Sheet = PAGE) -> Figure:
    """One slice from above, its cells filled by E, the rank of its Hessian, or active units.

    Raises `ValueError` where the picture has no cells (see `make_picture`), or for another filling.
    """
    cells = picture.cells
    if cells is None:
        raise ValueError(f"slice {picture.name}: {NO_CELLS}")
    if fill not in FILLS:
        raise ValueError(f"{fill!r} does not fill cells; choose {', '.join(FILLS)}")
    with theme():
        entries = [
            *(rank_entries(cells) if fill == "rank" else ()),
            *legend_entries([picture]),
            *set_entries([picture]),
            *path_entries([picture]),
        ]
        figure, rectangle = open_view(picture, FILLS[fill], picture.evidence, entries, sheet)
        axes, colours = _place(figure, rectangle, picture, cells, fill)
        fill_polygons(axes, cells.polygons(), colours, few=len(cells) <= BORDERED)
        if picture.level is not None:
            hatch_level(axes, picture.level, colours[picture.level.cells])
        draw_outlines(axes, picture)
        draw_paths(axes, picture)
        mark_plane(axes, picture)
        return figure


def _place(
    figure: Figure, rectangle: Rectangle, picture: Picture, cells: CellMap, fill: str
) -> tuple[Axes, NDArray[np.float64]]:
    """Axes with their colour bar, and the colour of every cell (F, 4)."""
    if fill == "error":
        heights = measure_heights(picture.error)  # the scale of the figure without cells
        ticks = heights.ticks(6)
        axes, bar = place_plane(figure, rectangle, picture, 6, BAR + widest_label(ticks, SMALL))
        draw_bar(figure, bar, heights, ticks)
        return axes, heights.colour(heights.of(cells.error))
    if fill == "rank":
        axes, _ = place_plane(figure, rectangle, picture, 6, 0.0)
        return axes, _rank_colours()[cells.rank]
    low, high = int(cells.active.min()), int(cells.active.max())
    scale = ScalarMappable(Normalize(low - (low == high), high + (low == high)), ACTIVE)
    ticks = whole_ticks(low, high)
    axes, bar = place_plane(figure, rectangle, picture, 6, 1.1)
    draw_scale(figure, bar, scale, ticks, f"active of {cells.units:,}")
    return axes, np.asarray(scale.to_rgba(cells.active))


def _rank_colours() -> NDArray[np.float64]:
    return np.array([to_rgba(colour) for colour, _ in RANKS])


def rank_entries(cells: CellMap) -> Sequence[tuple[Artist, str]]:
    """Entries of a legend: the ranks that there are, with the number of cells of each."""
    counts = np.bincount(cells.rank, minlength=len(RANKS)).tolist()
    return [
        (Patch(facecolor=colour, edgecolor=GREY, linewidth=0.4), f"{name} {count:,}")
        for (colour, name), count in zip(RANKS, counts, strict=True)
        if count
    ]


def fill_polygons(
    axes: Axes, polygons: Sequence[Array], colours: NDArray[np.float64], *, few: bool
) -> None:
    """The polygons, with a border that can be seen where there are `few`.

    Else their borders have their own colour, to leave no gaps.
    """
    axes.add_collection(
        PolyCollection(
            polygons,
            closed=True,
            facecolors=colours,
            edgecolors=FAINT if few else colours,
            linewidths=3.0 / max(np.sqrt(len(polygons)), 8.0) if few else 0.25,
            zorder=1,
            rasterized=len(polygons) > SHAPES,
        ),
        autolim=False,
    )
