"""What the eye sees of a surface: which places on it no other part of it hides."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from surfacecli.figures.box import Box
from surfacecli.figures.height import Heights
from surfacecli.figures.picture import Picture
from surfacecli.network.transfers import Array

#: Steps of a ray from a place towards the eye, in units of the box: it begins clear of the surface.
STEPS = np.linspace(0.03, 1.5, 200)
#: Places looked at in one go, which bounds the memory.
BLOCK = 2000


def is_visible(
    u: float, v: float, error: float, box: Box, picture: Picture, heights: Heights
) -> bool:
    """Whether nothing of the surface lies between a point on it and the eye."""
    place = np.array([[u], [v], [float(heights.of(error))]])
    return bool(are_clear(place[0], place[1], place[2], box, picture, heights)[0])


def are_clear(
    u: Array, v: Array, z: Array, box: Box, picture: Picture, heights: Heights
) -> NDArray[np.bool_]:
    """Whether nothing of the surface lies between places (n,) at heights z (n,) and the eye."""
    blocks = [slice(k, k + BLOCK) for k in range(0, len(u), BLOCK)]
    clear = [_look(u[part], v[part], z[part], box, picture, heights) for part in blocks]
    return np.concatenate([np.zeros(0, dtype=np.bool_), *clear])


def _look(
    u: Array, v: Array, z: Array, box: Box, picture: Picture, heights: Heights
) -> NDArray[np.bool_]:
    x, y, up = box.view.towards
    path_u = u[:, None] + STEPS * x * np.ptp(box.u) / box.sides[0]
    path_v = v[:, None] + STEPS * y * np.ptp(box.v) / box.sides[1]
    path_z = z[:, None] + STEPS * up * (box.z[1] - box.z[0]) / box.sides[2]
    inside = (path_u >= box.u[0]) & (path_u <= box.u[1]) & (path_v >= box.v[0])
    inside &= (path_v <= box.v[1]) & (path_z <= box.z[1])
    surface = height_between(picture.u, picture.v, heights.z, path_u[inside], path_v[inside])
    hidden = np.zeros(path_z.shape, dtype=np.bool_)
    hidden[inside] = surface > path_z[inside]
    return np.asarray(~hidden.any(axis=1))


def height_between(u: Array, v: Array, z: Array, at_u: Array, at_v: Array) -> Array:
    """z (n_v, n_u) between the grid points, linearly along u and v."""
    i = np.clip(np.searchsorted(u, at_u) - 1, 0, len(u) - 2)
    j = np.clip(np.searchsorted(v, at_v) - 1, 0, len(v) - 2)
    s, t = (at_u - u[i]) / (u[i + 1] - u[i]), (at_v - v[j]) / (v[j + 1] - v[j])
    below = (1 - s) * z[j, i] + s * z[j, i + 1]
    return np.asarray((1 - t) * below + t * ((1 - s) * z[j + 1, i] + s * z[j + 1, i + 1]))


def runs_of(seen: NDArray[np.bool_]) -> Iterator[slice]:
    """The stretches of two or more places (n,) that are seen."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], seen, [False]])))
    for start, stop in edges.reshape(-1, 2).tolist():
        if stop - start > 1:
            yield np.s_[start:stop]
