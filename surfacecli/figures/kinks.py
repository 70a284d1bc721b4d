"""The kinks of a slice as lines on the view from above, one colour for each layer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from surfacecli.figures.theme import SHAPES
from surfacecli.geometry.across.cells import AcrossCells
from surfacecli.geometry.across.tracing import trace_edges
from surfacecli.geometry.exact.cells import Cells
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]

#: More lines than `LIMIT` hide the surface: `MOST` are drawn, and the figure says how many; fewer
#: where the cells cut them into more than so many pieces.
LIMIT, MOST, PIECES = 200, 150, 8000
#: Colours of layers 1, 2, 3 ..., then again: they show on the dark and the light end of the
#: surface's colours, apart from each other and from the white contours.
LAYERS = ("#FF5A36", "#7CD5FF", "#FFB3E6", "#111111", "#FFD43B", "#A78BFA")
#: Width in points and opacity of the lines, where there are up to so many and where there are most.
FEW = 20
CLEAR, THIN = (0.9, 0.9), (0.28, 0.5)
#: A kink nearer than this to the middle of a line drawn over it, in windows, is hidden: the line is
#: wider. Looked at in these shares of each piece.
COVERED, SAMPLES = 0.003, np.linspace(0.0, 1.0, 9)


@dataclass(frozen=True, eq=False)
class KinkLines:
    """The kinks that are drawn: `segments` (k, 2, 2) from (u, v) to (u, v), their `layer` (k,).

    `drawn` of `total` lines: a line is all that one unit's kink on one data point is.
    """

    segments: Array
    layer: Indices
    drawn: int
    total: int

    @property
    def layers(self) -> list[int]:
        return sorted(set(self.layer.tolist()))

    @property
    def note(self) -> str:
        """'kinks: 150 of 2,345 drawn', or nothing where all are."""
        return "" if self.drawn == self.total else f"kinks: {self.drawn} of {self.total:,} drawn"


def trace_kinks(cells: Cells) -> KinkLines:
    """The kinks of the cells as lines: all of them, or where these are too many about `MOST`.

    The choice is even: each layer has its share, and of a layer every so many-th line by direction.
    Chosen lines are drawn whole. An edge on which several kinks lie is drawn once.
    """
    plane, layer_of = cells.plane, cells.kinks.layer
    shared = np.array(plane.shared, dtype=np.intp).reshape(-1, 2)
    own = np.flatnonzero(plane.label >= 0)
    edge = np.concatenate([own, shared[:, 0]])
    line = np.concatenate([plane.label[own], shared[:, 1]])
    # Which kink runs along the window's own side is no line in it.
    inner = plane.label[edge] >= 0
    edge, line = edge[inner], line[inner]
    lines, first = np.unique(line, return_index=True)
    if len(lines) > LIMIT or len(edge) > PIECES:
        most = min(MOST, len(lines) * PIECES // max(len(edge), PIECES))
        a, b = plane.place[plane.ends[edge[first]]].swapaxes(0, 1)
        direction = np.arctan2(*(b - a).T) % np.pi
        chosen = _choose_evenly(layer_of[lines], direction, most)
        kept = np.isin(line, lines[chosen])
        edge, line, drawn = edge[kept], line[kept], len(chosen)
    else:
        drawn = len(lines)
    _, once = np.unique(edge, return_index=True)
    edge, line = edge[once], line[once]
    return KinkLines(plane.place[plane.ends[edge]], layer_of[line], drawn, len(lines))


def trace_curves(cells: AcrossCells) -> KinkLines:
    """The kinks of an across-layers slice, lines and curves; of too many about `MOST`."""
    edges = trace_edges(cells)
    lines, first = np.unique(edges.line, return_index=True)
    drawn = np.arange(len(lines))
    if len(lines) > LIMIT or len(edges.line) > PIECES:
        most = min(MOST, len(lines) * PIECES // max(len(edges.line), PIECES))
        a, b = (edges.places[edges.start[first] + k] for k in (0, 1))
        direction = np.arctan2(*(b - a).T) % np.pi
        drawn = _choose_evenly(edges.layer[first], direction, max(most, 1))
    kept = np.isin(edges.line, lines[drawn])
    segments, layers = [], []
    for k in np.flatnonzero(kept):
        way = edges.places[edges.start[k] : edges.start[k + 1]]
        segments.append(np.stack([way[:-1], way[1:]], axis=1))
        layers.append(np.full(len(way) - 1, edges.layer[k]))
    return KinkLines(
        np.concatenate([np.zeros((0, 2, 2)), *segments]),
        np.concatenate([np.zeros(0, dtype=np.intp), *layers]),
        len(drawn),
        len(lines),
    )


def _choose_evenly(layer: Indices, direction: Array, most: int) -> Indices:
    """Some `most` of the lines with these layers (k,) and directions (k,), at least one a layer."""
    chosen = []
    for number in np.unique(layer):
        mine = np.flatnonzero(layer == number)
        mine = mine[np.argsort(direction[mine], kind="stable")]
        share = max(1, len(mine) * most // len(layer))
        chosen.append(mine[np.linspace(0, len(mine) - 1, share).round().astype(np.intp)])
    return np.concatenate(chosen)


def colour_of_layer(layer: int) -> str:
    """The colour of a layer's kinks."""
    return LAYERS[(layer - 1) % len(LAYERS)]


def draw_kinks(axes: Axes, kinks: KinkLines, small: bool = False) -> None:
    """The lines over the surface and its contours, below the marks; the first layer on top."""
    share = np.clip(np.log(max(kinks.drawn, 1) / FEW) / np.log(MOST / FEW), 0.0, 1.0)
    width, opacity = (1 - share) * np.array(CLEAR) + share * np.array(THIN)
    for layer in reversed(kinks.layers):
        segments = kinks.segments[kinks.layer == layer]
        collection = LineCollection(
            list(segments),
            colors=colour_of_layer(layer),
            linewidths=width * (0.7 if small else 1.0),
            alpha=opacity,
            zorder=2.2,
            rasterized=len(segments) > SHAPES,
        )
        collection.set_gid(f"kinks of layer {layer}")
        axes.add_collection(collection, autolim=False)


def kink_entries(layers: Iterable[int]) -> Sequence[tuple[Line2D, str]]:
    """Entries of a legend: the layers whose kinks are seen."""
    return [
        (Line2D([], [], color=colour_of_layer(layer), lw=1.0), f"kinks of layer {layer}")
        for layer in sorted(set(layers))
    ]


def layers_in_sight(kinks: KinkLines, covers: Array, sides: Array) -> list[int]:
    """The layers whose kinks do not all lie under lines that are drawn over them.

    Those lines are `covers` (m, 2, 2), segments as the kinks are; `sides` (2,) of the window.
    """
    return [
        layer
        for layer in kinks.layers
        if _shows(kinks.segments[kinks.layer == layer] / sides, covers / sides)
    ]


def _shows(segments: Array, covers: Array) -> bool:
    """Whether some point of segments (k, 2, 2) lies beside all of the covers (m, 2, 2)."""
    start, along = covers[:, 0], covers[:, 1] - covers[:, 0]
    length = np.maximum((along**2).sum(axis=1), 1e-300)
    for a, b in segments:  # mostly the first one does
        beside = (a + SAMPLES[:, None] * (b - a))[:, None] - start
        share = np.clip((beside * along).sum(axis=2) / length, 0.0, 1.0)
        distance = np.hypot(*(beside - share[..., None] * along).transpose(2, 0, 1))
        if (distance.min(axis=1, initial=np.inf) > COVERED).any():
            return True
    return False
