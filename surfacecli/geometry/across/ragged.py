"""Groups of different sizes, one after the other in flat arrays."""

import numpy as np
from numpy.typing import NDArray

from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]


def spread(counts: Indices) -> tuple[Indices, Indices]:
    """Of each member of groups of `counts` (k,) members: its group, and its place there from 0."""
    group = np.repeat(np.arange(len(counts)), counts)
    return group, np.arange(len(group)) - np.repeat(np.cumsum(counts) - counts, counts)


def pairs_within(counts: Indices) -> tuple[Indices, Indices]:
    """The numbers i < k of all pairs of members of one group, members numbered throughout."""
    group, place = spread(counts)
    first, step = spread(counts[group] - 1 - place)
    return first, first + 1 + step


def starts(counts: Indices) -> Indices:
    """Where each group starts, and at the end the number of all members: (k + 1,)."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.intp)


def thin_out(values: Array, group: Indices, lower: Array, upper: Array, nearest: float) -> Indices:
    """The numbers of values (n,) to keep, sorted by group and value.

    Strictly between the bounds (k,) of their group, and `nearest` from these and from each other.
    """
    inside = (values > lower[group] + nearest) & (values < upper[group] - nearest)
    kept = np.flatnonzero(inside)
    kept = kept[np.lexsort((values[kept], group[kept]))]
    if not len(kept):
        return kept
    ordered, of = values[kept], group[kept]
    far = np.concatenate([[True], (np.diff(ordered) > nearest) | (np.diff(of) > 0)])
    return np.asarray(kept[far])
