"""Who has which key: the half-edges of a face, of a vertex, looked up many at a time."""

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]


class Lookup:
    """The members i of wanted groups, keys[i] (n,) being the group of i, or -1 for none."""

    def __init__(self, keys: Indices, wanted: Indices | None = None) -> None:
        if wanted is None:
            members = np.flatnonzero(keys >= 0)
        else:
            # One place more, for the key -1.
            chosen = np.zeros(max(keys.max(initial=-1), wanted.max(initial=-1)) + 2, dtype=np.bool_)
            chosen[wanted] = True
            members = np.flatnonzero(chosen[keys])
        self._members = members[np.argsort(keys[members], kind="stable")]
        self._keys = keys[self._members]

    def of(self, groups: Indices) -> tuple[Indices, Indices]:
        """All members of groups (k,), one group after the other, and which of the k each is of."""
        start = np.searchsorted(self._keys, groups)
        count = np.searchsorted(self._keys, groups, side="right") - start
        owner = np.repeat(np.arange(len(groups)), count)
        first = np.repeat(start - (np.cumsum(count) - count), count)
        return self._members[first + np.arange(len(owner))], owner
