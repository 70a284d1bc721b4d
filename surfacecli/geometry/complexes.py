"""The exact cells and stationary points of a slice as plain arrays, for other programs.

Vertices, edges and faces are counted from 0, layers, units and data points from 1. Lists of unequal
length are one array and where each begins: row f of `faces` is
`face_vertices[face_start[f] : face_start[f + 1]]`.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.cells import Cells
from surfacecli.geometry.exact.points import Exact
from surfacecli.geometry.exact.polynomials import Quadratics
from surfacecli.geometry.stationary import StationaryPoint

Indices = NDArray[np.intp]
Arrays = dict[str, NDArray[np.generic]]


def face_rings(cells: Cells) -> tuple[Indices, Indices]:
    """(start (F + 1,), vertices): the corners of every cell, counter-clockwise round it."""
    plane = cells.plane
    count = np.bincount(plane.face[plane.face >= 0], minlength=len(cells))
    start = np.concatenate([[0], np.cumsum(count)])
    vertices = np.empty(start[-1], dtype=np.intp)
    here, faces, step = plane.side.copy(), np.arange(len(cells)), 0
    while len(faces):
        vertices[start[faces] + step] = plane.origin[here]
        step += 1
        left = count[faces] > step
        here, faces = plane.after[here][left], faces[left]
    return start, vertices


def flatten_complex(exact: Exact) -> Arrays:
    """Everything of `exact` by name; each name is described in `FIELDS`.

    `face_coefficients` is there for squared losses only: with another loss E is no polynomial.
    """
    cells = exact.cells
    plane, kinks = cells.plane, cells.kinks
    start, vertices = face_rings(cells)
    samples = [kinks.samples[number] + 1 for number in kinks.input]
    arrays: Arrays = {
        "vertices": plane.place.copy(),
        "vertex_error": vertex_errors(exact),
        "edges": plane.ends.copy(),
        "edge_kink": plane.label.copy(),
        "more_kinks": _more_kinks(cells),
        "edge_faces": plane.face.reshape(-1, 2).copy(),
        "face_start": start,
        "face_vertices": vertices,
        "face_curvatures": exact.curvatures,
        "kink_layer": kinks.layer,
        "kink_unit": kinks.unit,
        "kink_node": kinks.node,
        "kink_sample_start": np.concatenate([[0], np.cumsum([len(s) for s in samples])]).astype(
            np.intp
        ),
        "kink_samples": np.concatenate([*samples, np.zeros(0, dtype=np.intp)]),
    }
    if isinstance(exact.errors, Quadratics):
        arrays["face_coefficients"] = exact.errors.coefficients
    arrays |= _point_arrays((*exact.points, *exact.border))
    return arrays


def vertex_errors(exact: Exact) -> NDArray[np.float64]:
    """E at every vertex, (V,), by the function of a cell beside it."""
    plane = exact.cells.plane
    beside = np.flatnonzero(plane.face >= 0)
    face = np.zeros(len(plane.place), dtype=np.intp)
    face[plane.origin[beside]] = plane.face[beside]
    return exact.errors.value(face, plane.place)


def _more_kinks(cells: Cells) -> Indices:
    """(edge, kink) of every further kink that lies on an edge, (k, 2)."""
    plane = cells.plane
    pairs = [np.array(plane.shared, dtype=np.intp).reshape(-1, 2)]
    for label, twins in plane.twins.items():
        edges = np.flatnonzero(plane.label == label)
        for twin in twins:
            if twin != label:
                pairs.append(np.stack([edges, np.full(len(edges), twin)], axis=1))
    return np.unique(np.concatenate(pairs), axis=0)


def _point_arrays(points: tuple[StationaryPoint, ...]) -> Arrays:
    eigenvalues = [p.eigenvalues or (np.nan, np.nan) for p in points]
    return {
        "point_place": np.array([(p.u, p.v) for p in points], dtype=np.float64).reshape(-1, 2),
        "point_error": np.array([p.error for p in points], dtype=np.float64),
        "point_kind": np.array([p.kind for p in points], dtype="U8"),
        "point_support": np.array([p.support for p in points], dtype="U8"),
        "point_smooth": np.array([p.smooth for p in points], dtype=np.bool_),
        "point_index": np.array([p.index for p in points], dtype=np.intp),
        "point_on_border": np.array([p.on_border for p in points], dtype=np.bool_),
        "point_eigenvalues": np.array(eigenvalues, dtype=np.float64).reshape(-1, 2),
    }


#: What the arrays hold: V vertices, E edges, F faces, K kinks, P stationary points.
FIELDS: Mapping[str, str] = {
    "vertices": "(V, 2) u and v of each vertex",
    "vertex_error": "(V,) E at each vertex",
    "edges": "(E, 2) the vertices at the ends of each edge",
    "edge_kink": "(E,) the kink that made the edge; -1 lower, -2 right, -3 upper, -4 left side of "
    "the window",
    "more_kinks": "(k, 2) edge and kink, for edges on which several kinks lie",
    "edge_faces": "(E, 2) the face to the left and to the right of each edge, -1 outside",
    "face_start": "(F + 1,) where the corners of each face begin in face_vertices",
    "face_vertices": "corners of the faces, counter-clockwise",
    "face_curvatures": "(F, 2) eigenvalues of E's Hessian, smallest first; for losses other than "
    "squares at the mean of the corners",
    "face_coefficients": "(F, 6) E = c0 + c1 u + c2 v + c3 u^2 + c4 u v + c5 v^2; squared losses",
    "kink_layer": "(K,) layer, from 1",
    "kink_unit": "(K,) unit of the layer, from 1",
    "kink_node": "(K,) the pre-activation at which the transfer function bends",
    "kink_sample_start": "(K + 1,) where the data points of each kink begin in kink_samples",
    "kink_samples": "data points, from 1, that share the kink",
    "point_place": "(P, 2) u and v of each stationary point, those on the border last",
    "point_error": "(P,) E there",
    "point_kind": "(P,) minimum, maximum, saddle or shoulder",
    "point_support": "(P,) cell, edge, vertex, valley (also of a ridge, a curve of maxima) or "
    "plateau",
    "point_smooth": "(P,) whether E has a gradient there",
    "point_index": "(P,) its index; all indices of a complete result sum to 1",
    "point_on_border": "(P,) whether it lies on the border of the window",
    "point_eigenvalues": "(P, 2) of the Hessian inside a cell, NaN elsewhere",
}
