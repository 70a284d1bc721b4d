"""A surface as triangles: vertices (u, v, z) with z = error, and how a grid becomes one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from surfacecli.formats.grid import checked_grid
from surfacecli.network.transfers import Array


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles in space with one value at each vertex.

    `vertices` (n, 3) are points (u, v, z); `triangles` (m, 3) are rows of vertices, counted from 0,
    counter-clockwise as seen from above (from large z), so that normals point up; `values` (n,) are
    the errors. Raises `ValueError` where the arrays do not fit, hold a number that is not finite,
    or hold no triangle.
    """

    vertices: Array
    triangles: NDArray[np.int64]
    values: Array

    def __post_init__(self) -> None:
        count = len(self.vertices)
        if self.vertices.shape != (count, 3):
            raise ValueError(f"vertices have shape {self.vertices.shape}; it must be (n, 3)")
        if self.values.shape != (count,):
            raise ValueError(f"values have shape {self.values.shape}; it must be ({count},)")
        if self.triangles.ndim != 2 or self.triangles.shape[1] != 3:
            raise ValueError(f"triangles have shape {self.triangles.shape}; it must be (m, 3)")
        if len(self.triangles) == 0:
            raise ValueError("a mesh needs at least one triangle")
        if not np.issubdtype(self.triangles.dtype, np.integer):
            raise ValueError(f"triangles must be whole numbers, not {self.triangles.dtype}")
        if self.triangles.min() < 0 or self.triangles.max() >= count:
            raise ValueError(f"a triangle names a vertex outside 0 to {count - 1}")
        if not (np.isfinite(self.vertices).all() and np.isfinite(self.values).all()):
            raise ValueError("a vertex holds a number that is not finite")


def mesh_of_grid(u: ArrayLike, v: ArrayLike, error: ArrayLike) -> Mesh:
    """Two triangles per square of the grid u (n_u,), v (n_v,), error (n_v, n_u); z = error.

    Vertices run along u first. A triangle with a corner whose error is not finite is left out, and
    so are the points that no triangle needs. Raises `ValueError` where the axes do not increase
    (the triangles would face down) or no triangle is left.
    """
    u, v, error = checked_grid(u, v, error)
    for name, axis in (("u", u), ("v", v)):
        if axis.size < 2 or not (np.diff(axis) > 0).all():
            raise ValueError(f"a mesh needs two points or more along {name}, in increasing order")
    along_u, along_v = np.meshgrid(u, v)
    heights = error.ravel()
    vertices = np.column_stack([along_u.ravel(), along_v.ravel(), heights])

    number = np.arange(heights.size).reshape(error.shape)
    low, high = number[:-1], number[1:]
    right_half = np.stack([low[:, :-1], low[:, 1:], high[:, 1:]], axis=-1)
    left_half = np.stack([low[:, :-1], high[:, 1:], high[:, :-1]], axis=-1)
    triangles = np.stack([right_half, left_half], axis=2).reshape(-1, 3)

    known = np.isfinite(heights)
    if not known.all():
        triangles = triangles[known[triangles].all(axis=1)]
        if len(triangles) == 0:
            raise ValueError("no triangle of the grid has a finite error at all its corners")
        used = np.zeros(heights.size, dtype=np.bool_)
        used[triangles] = True
        triangles = (np.cumsum(used) - 1)[triangles]
        vertices = vertices[used]
    return Mesh(vertices, triangles, vertices[:, 2])
