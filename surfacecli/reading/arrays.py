"""Arrays of numbers from .npz files that may be anything: looked at before they are believed."""

import math
import re
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from surfacecli.network.transfers import Array
from surfacecli.reading.problems import in_words, shown_key

#: Weights, data and directions of a preset together, as numbers of 8 bytes.
MOST_NUMBERS = 200_000_000
MOST_BYTES = 1_000_000_000
MOST_ARRAYS = 10_000


@dataclass(frozen=True, eq=False)
class Arrays:
    """The arrays of a file by name, as float64, and the names of all that is in it."""

    named: dict[str, Array]
    names: tuple[str, ...]

    def holds(self) -> str:
        """What is in the file, in words, for a message."""
        names = [shown_key(name) for name in self.names[:20]]
        more = [f"{len(self.names) - 20} more"] if len(self.names) > 20 else []
        return f"it holds {in_words([*names, *more], 'and')}" if names else "it holds no array"


def read_arrays(path: Path, wanted: str) -> Arrays:
    """The arrays of an .npz file whose whole names match the expression `wanted`.

    Sizes are taken from the headers and refused where they are unreasonable, before anything is
    unpacked; nothing is ever unpickled. Raises `ValueError`, its message without the file's name.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ValueError("this is no regular file")  # a pipe would keep its reader waiting
        with path.open("rb") as file:
            start = file.read(6)
            if start == b"\x93NUMPY":
                raise ValueError("this is a .npy file; save named arrays with numpy.savez")
            if not zipfile.is_zipfile(file):
                raise ValueError("this is no .npz file, or cut short; numpy.savez makes one")
            try:
                with zipfile.ZipFile(file) as archive:
                    return _read_archive(archive, wanted)
            except _RefusedError:
                raise
            except Exception as error:
                # Any of a dozen kinds, down to the tokenizer's: damage all the same.
                reason = shown_key(" ".join(str(error).split()) or type(error).__name__)
                raise ValueError(f"the file is damaged ({reason}); save it again") from error
    except FileNotFoundError as error:
        raise ValueError("no such file") from error
    except IsADirectoryError as error:
        raise ValueError("this is a folder") from error
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror or error}") from error


class _RefusedError(ValueError):
    """An array that is intact but not wanted here; told apart from damage."""


def _read_archive(archive: zipfile.ZipFile, wanted: str) -> Arrays:
    members = {
        info.filename.removesuffix(".npy"): info
        for info in archive.infolist()
        if info.filename.endswith(".npy")
    }
    if len(members) > MOST_ARRAYS:
        raise _RefusedError(f"the file holds {len(members)} arrays; at most {MOST_ARRAYS} are read")
    chosen = {name: info for name, info in members.items() if re.fullmatch(wanted, name)}
    size = sum(info.file_size for info in chosen.values())
    if size > MOST_BYTES:
        raise _RefusedError(f"the file unpacks to {size / 1e9:.3g} GB; at most 1 GB is read")
    budget = MOST_NUMBERS
    named = {}
    for name, info in chosen.items():
        with archive.open(info) as member:
            named[name] = _read_array(member, name, info.file_size, budget)
        budget -= named[name].size
    return Arrays(named, tuple(members))


def _read_array(member: IO[bytes], name: str, size: int, budget: int) -> Array:
    version = np.lib.format.read_magic(member)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{name} has an unknown format {version}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # headers that Python 2 wrote are as good
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(member)
        else:
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(member)
    if dtype.hasobject:
        raise _RefusedError(
            f"{name} holds Python objects, which are never read; save plain numbers"
        )
    if dtype.kind not in "biuf":
        raise _RefusedError(f"{name} holds {dtype}, not real numbers")
    count = math.prod(shape)
    if count > budget:
        raise _RefusedError(f"more than {MOST_NUMBERS:.0e} numbers with {name}")
    raw = member.read(size)
    if len(raw) != count * dtype.itemsize:
        raise ValueError(f"{name} is {len(raw)} bytes long where {shape} of {dtype} belongs")
    array = np.frombuffer(raw, dtype).reshape(shape, order="F" if fortran else "C")
    # A copy of the reader's own: of native byte order, contiguous, and writable.
    with np.errstate(over="ignore"):
        return np.array(array, dtype=np.float64, order="C")
