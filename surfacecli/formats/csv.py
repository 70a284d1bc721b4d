"""Comma-separated values: a comment, the header u,v,error, and one row per point of the grid."""

import numpy as np
from numpy.typing import ArrayLike

from surfacecli.formats.grid import checked_grid
from surfacecli.formats.mark import MARK, one_line
from surfacecli.formats.rows import text_rows


def encode(u: ArrayLike, v: ArrayLike, error: ArrayLike, provenance: str) -> bytes:
    """The grid as text, u running fastest; each number reads back as the same float.

    The first line is `# made by surfacecli {...}` with the provenance, the second the header:
    `np.loadtxt(file, delimiter=",", skiprows=2)` or `pandas.read_csv(file, comment="#")`. The
    column error reshaped to (n_v, n_u) is the grid again. Raises `ValueError` where the arrays do
    not fit together.
    """
    u, v, error = checked_grid(u, v, error)
    along_u, along_v = np.meshgrid(u, v)
    table = np.column_stack([along_u.ravel(), along_v.ravel(), error.ravel()])
    header = f"# {MARK} {one_line(provenance)}\nu,v,error\n"
    return header.encode("ascii") + text_rows("%r,%r,%r\n", table)
