"""Legacy VTK, version 3.0, binary polygonal data: what ParaView, VisIt and PyVista open."""

import numpy as np
from numpy.typing import ArrayLike

from surfacecli.formats.mark import MARK, one_line
from surfacecli.formats.mesh import Mesh, mesh_of_grid

# The format is big-endian whatever the machine.
POLYGON = np.dtype([("corners", ">i4"), ("points", ">i4", 3)])


def encode(u: ArrayLike, v: ArrayLike, error: ArrayLike, provenance: str) -> bytes:
    """The grid as a mesh, x = u, y = v, z = error, z up; limits as in `mesh_of_grid`."""
    return encode_mesh(mesh_of_grid(u, v, error), provenance)


def encode_mesh(mesh: Mesh, provenance: str) -> bytes:
    """A mesh as VTK: point data `error`, and the provenance as the string of that field name.

    The title, which may have 256 characters and no more, holds the mark.
    """
    polygons = np.empty(len(mesh.triangles), POLYGON)
    polygons["corners"] = 3
    polygons["points"] = mesh.triangles
    count = len(mesh.vertices)
    return b"".join(
        [
            f"# vtk DataFile Version 3.0\n{MARK}\nBINARY\nDATASET POLYDATA\n".encode("ascii"),
            b"FIELD FieldData 1\nprovenance 1 1 string\n",
            _counted(one_line(provenance).encode("ascii")),
            f"\nPOINTS {count} double\n".encode("ascii"),
            mesh.vertices.astype(">f8").tobytes(),
            f"\nPOLYGONS {len(polygons)} {4 * len(polygons)}\n".encode("ascii"),
            polygons.tobytes(),
            f"\nPOINT_DATA {count}\nSCALARS error double 1\nLOOKUP_TABLE default\n".encode("ascii"),
            mesh.values.astype(">f8").tobytes(),
            b"\n",
        ]
    )


def _counted(text: bytes) -> bytes:
    """A binary string of the format: its length, whose two highest bits tell its own size."""
    for tag, size in ((3, 1), (2, 2), (1, 4)):
        bits = 8 * size - 2
        if len(text) < 1 << bits:
            return (tag << bits | len(text)).to_bytes(size, "big") + text
    raise ValueError("the provenance is longer than a gigabyte")
