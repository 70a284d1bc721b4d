"""Arrays that grow at their end."""

import numpy as np
from numpy.typing import NDArray


class Column:
    """An array that grows at its end, doubling its room. It keeps the one that it is given."""

    def __init__(self, values: NDArray) -> None:  # type: ignore[type-arg]
        self._room, self._count = values, len(values)

    @property
    def values(self) -> NDArray:  # type: ignore[type-arg]
        return self._room[: self._count]

    def extend(self, values: NDArray) -> None:  # type: ignore[type-arg]
        wanted = self._count + len(values)
        if wanted > len(self._room):
            shape = (max(wanted, 2 * len(self._room)), *self._room.shape[1:])
            room = np.empty(shape, self._room.dtype)
            room[: self._count] = self._room[: self._count]
            self._room = room
        self._room[self._count : wanted] = values
        self._count = wanted
