"""Wavefront OBJ, which every 3-D program opens: text lines `v x y z` and `f a b c`."""

from numpy.typing import ArrayLike

from surfacecli.formats.mark import comment_lines
from surfacecli.formats.mesh import Mesh, mesh_of_grid
from surfacecli.formats.rows import text_rows


def encode(u: ArrayLike, v: ArrayLike, error: ArrayLike, provenance: str) -> bytes:
    """The grid as a mesh, x = u, y = v, z = error, z up; limits as in `mesh_of_grid`."""
    return encode_mesh(mesh_of_grid(u, v, error), provenance)


def encode_mesh(mesh: Mesh, provenance: str) -> bytes:
    """A mesh as OBJ. The format has no place for values: its z alone carries the error."""
    header = "".join(f"# {line}\n" for line in comment_lines(provenance))
    return b"".join(
        [
            header.encode("ascii"),
            b"o surface\n",
            text_rows("v %r %r %r\n", mesh.vertices),
            text_rows("f %d %d %d\n", mesh.triangles + 1),  # OBJ counts from 1
        ]
    )
