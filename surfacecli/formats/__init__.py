"""File formats of a surface: pure functions from arrays to bytes, one file each, by file suffix."""

from collections.abc import Callable

from numpy.typing import ArrayLike

from surfacecli.formats import csv, npz, obj, ply, vtk
from surfacecli.formats.mesh import Mesh

Encoder = Callable[[ArrayLike, ArrayLike, ArrayLike, str], bytes]

FORMATS: dict[str, Encoder] = {
    ".npz": npz.encode,
    ".csv": csv.encode,
    ".obj": obj.encode,
    ".ply": ply.encode,
    ".vtk": vtk.encode,
}

#: How a mesh is written, whatever it was made from.
MESHES: dict[str, Callable[[Mesh, str], bytes]] = {
    ".obj": obj.encode_mesh,
    ".ply": ply.encode_mesh,
    ".vtk": vtk.encode_mesh,
}


def encode_surface(
    suffix: str, u: ArrayLike, v: ArrayLike, error: ArrayLike, provenance: str
) -> bytes:
    """The grid u (n_u,), v (n_v,), error (n_v, n_u) in the format that `suffix` names.

    `provenance` is a JSON text that says what made the grid; each format carries it, and the mark.
    Raises `ValueError` for an unknown suffix, arrays that do not fit, and a grid without triangles
    where the format is a mesh.
    """
    encoder = FORMATS.get(suffix.lower())
    if encoder is None:
        raise ValueError(f"{suffix or 'no suffix'} is not a format; choose {', '.join(FORMATS)}")
    return encoder(u, v, error, provenance)
