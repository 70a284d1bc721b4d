"""The Stanford PLY format, binary little-endian, with the error as a property of each vertex."""

import numpy as np
from numpy.typing import ArrayLike

from surfacecli.formats.mark import comment_lines
from surfacecli.formats.mesh import Mesh, mesh_of_grid

VERTEX = np.dtype([("position", "<f8", 3), ("error", "<f8")])
FACE = np.dtype([("corners", "u1"), ("vertex_indices", "<i4", 3)])


def encode(u: ArrayLike, v: ArrayLike, error: ArrayLike, provenance: str) -> bytes:
    """The grid as a mesh, x = u, y = v, z = error, z up; limits as in `mesh_of_grid`."""
    return encode_mesh(mesh_of_grid(u, v, error), provenance)


def encode_mesh(mesh: Mesh, provenance: str) -> bytes:
    """A mesh as PLY; `error` holds the mesh's values."""
    vertices = np.empty(len(mesh.vertices), VERTEX)
    vertices["position"] = mesh.vertices
    vertices["error"] = mesh.values
    faces = np.empty(len(mesh.triangles), FACE)
    faces["corners"] = 3
    faces["vertex_indices"] = mesh.triangles
    header = [
        "ply",
        "format binary_little_endian 1.0",
        *(f"comment {line}" for line in comment_lines(provenance)),
        f"element vertex {len(vertices)}",
        *(f"property double {name}" for name in ("x", "y", "z", "error")),
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    return "\n".join(header).encode("ascii") + vertices.tobytes() + faces.tobytes()
