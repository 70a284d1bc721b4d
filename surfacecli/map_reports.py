"""Maps of a layer's Hessian as figures, as JSON and in few words."""

import numpy as np
from matplotlib.figure import Figure

from surfacecli.documents import Document, number
from surfacecli.figures import sheet_of
from surfacecli.figures.maps import MapPicture, draw_map
from surfacecli.geometry.across.tiles import lay_tiles
from surfacecli.geometry.complexes import face_rings
from surfacecli.geometry.maps import LayerMap
from surfacecli.pictures import picture_of
from surfacecli.study import Result

_NAMES = {
    "curvature": "smallest eigenvalue of layer {}",
    "trace": "trace of layer {}",
    "rank": "rank of layer {}",
    "dead": "dead units of layer {}",
}


def map_words(layer_map: LayerMap) -> str:
    """'rank of layer 1 from 0 to 53, in every cell'; or 'sampled', or 'sampled in every cell'."""
    low, high = layer_map.range
    what = _NAMES[layer_map.quantity].format(layer_map.layer)
    if np.isnan(low):
        return f"{what} nowhere defined, sampled on kinks alone"
    if layer_map.quantity == "dead":
        if not high:
            return f"no dead units of layer {layer_map.layer}, {_how(layer_map)}"
        ends = f"{low:.0%}", f"{high:.0%}"
    else:
        ends = f"{low:.4g}", f"{high:.4g}"
    values = f"from {ends[0]} to {ends[1]}" if ends[0] != ends[1] else ends[0]
    return f"{what} {values}, {_how(layer_map)}"


def _how(layer_map: LayerMap) -> str:
    """What the values of a map belong to."""
    named = {"cells": "in every cell", "tiles": "sampled in every cell", "grid": "sampled"}
    return named[layer_map.places]


def map_document(layer_map: LayerMap) -> Document:
    """A map of `plot --show --json`: of which layer, exact or sampled, and its range.

    `places` says what its values belong to: `cells`; `tiles`, which the cells are cut into; or the
    points of a `grid`. Only of a grid are the borders of the cells not exact.
    """
    low, high = layer_map.range
    return {
        "show": layer_map.quantity,
        "layer": layer_map.layer,
        "exact": layer_map.exact,
        "places": layer_map.places,
        "smallest": number(low),
        "largest": number(high),
    }


def draw_layer_map(result: Result, layer_map: LayerMap) -> Figure:
    """A matplotlib figure of a map of a layer's Hessian over the window of a result."""
    sheet = sheet_of(result.study.size)
    return draw_map(picture_of(result), _map_picture(result, layer_map), sheet)


def _map_picture(result: Result, layer_map: LayerMap) -> MapPicture:
    exact, across = result.verdict.exact, result.verdict.across
    if layer_map.tiles is not None:
        return MapPicture(layer_map, list(layer_map.tiles.corners))
    if layer_map.exact and across is not None:
        tiles = lay_tiles(across.cells)
        return MapPicture(layer_map, list(tiles.corners), tiles.cell)
    if layer_map.exact and exact is not None:
        start, vertices = face_rings(exact.cells)
        return MapPicture(layer_map, np.split(exact.cells.plane.place[vertices], start[1:-1]))
    return MapPicture(layer_map)
