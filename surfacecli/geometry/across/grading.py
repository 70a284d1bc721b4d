"""Slabs cut into panels, for windows far larger than what is in them.

A panel is a stretch of x of which none is very much wider than the next: distances and rounding
within a cell are then shares of one panel, and not of a cell that is thousands of times as wide.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.across.slabs import Slabs, cut_slabs
from surfacecli.geometry.across.strips import NEAREST
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]

#: Where panels next to each other may differ in width by g, they are cut at g^STEP narrower widths.
STEP = 0.75
#: A bound as near to such a place as this share of the step to it is taken instead.
SNAP = 0.6
#: Slabs narrower than this times |x| are rounding.
TINY = 1e-9


def grade(slabs: Slabs, at: Array, most: float) -> Slabs:
    """The slabs with panels that begin at x = at (k,), none more than `most` times the next one.

    Bounds of slabs are marked as those of panels where they lie well, and others added.
    """
    old = slabs.x
    slabs, _ = cut_slabs(slabs, at, np.searchsorted(old, at).clip(1, len(old) - 1) - 1)
    cut = slabs.strip_edge | ~np.isin(slabs.x, old)
    width = np.diff(slabs.x)
    # The bounds beside a slab whose width is as good as rounding stay together.
    tiny = TINY * np.abs(slabs.x[1:]) + NEAREST * (slabs.x[-1] - slabs.x[0])
    cut[1:-1] &= width[:-1] > tiny[:-1]
    width = np.where(width > tiny, width, np.inf)
    first, narrow = 0, width[0]
    for k in range(1, len(width)):
        if not cut[k]:
            narrow = min(narrow, width[k])
            if slabs.x[k + 1] - slabs.x[first] > most * narrow:
                cut[k] = True
        if cut[k]:
            first, narrow = k, width[k]
    while True:
        bounds = np.flatnonzero(cut)
        x = slabs.x[bounds]
        width = np.diff(x)
        left = np.flatnonzero(width[1:] > most * width[:-1])
        right = np.flatnonzero(width[:-1] > most * width[1:])
        start = np.concatenate([x[left + 1], x[right + 1]])
        step = np.concatenate([width[left], -width[right + 1]]) * most**STEP
        if not len(start):
            return replace(slabs, cut=cut)
        value = start + step
        near: Indices = np.searchsorted(slabs.x, value)
        fresh = np.ones(len(value), dtype=bool)
        for bound in (near - 1, near):
            ok = np.abs(slabs.x[bound] - value) < SNAP * np.abs(step)
            cut[bound[ok]] = True
            fresh &= ~ok
        value = np.unique(value[fresh])
        old, oldcut = slabs.x, cut
        slabs, _ = cut_slabs(slabs, value, np.searchsorted(slabs.x, value) - 1)
        cut = np.ones(len(slabs.x), dtype=np.bool_)
        cut[np.isin(slabs.x, old)] = oldcut
