"""NumPy's .npz: named arrays and `provenance`, a JSON text."""

import io
import zipfile
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from surfacecli.formats.grid import checked_grid
from surfacecli.formats.mark import MARK, one_line


def encode(u: ArrayLike, v: ArrayLike, error: ArrayLike, provenance: str) -> bytes:
    """The grid as u (n_u,), v (n_v,) and error (n_v, n_u); see `encode_arrays`.

    Raises `ValueError` where the arrays do not fit together.
    """
    u, v, error = checked_grid(u, v, error)
    return encode_arrays({"u": u, "v": v, "error": error}, provenance)


def encode_arrays(arrays: Mapping[str, NDArray[np.generic]], provenance: str) -> bytes:
    """Arrays as an npz file that `np.load` opens without pickle.

    The same arrays give the same bytes: nothing is compressed (zlib's output differs between its
    versions) and no member has a date. The comment of the archive holds the mark.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.comment = MARK.encode("ascii")
        for name, array in arrays.items():
            _add(archive, name, array)
        _add(archive, "provenance", np.array(one_line(provenance)))
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, array: NDArray[np.generic]) -> None:
    content = io.BytesIO()
    np.lib.format.write_array(content, array, allow_pickle=False)
    member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
    member.create_system = 3  # Unix, wherever it runs: else the bytes differ between systems
    member.external_attr = 0o644 << 16
    archive.writestr(member, content.getbuffer())
