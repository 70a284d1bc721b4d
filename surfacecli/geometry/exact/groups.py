"""What hangs together by links between pairs."""

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]


def connect(count: int, links: Indices) -> Indices:
    """A name for each of `count` nodes, the same for two that links (k, 2) join."""
    one, other = links.T
    name = np.arange(count)
    while True:
        least = np.minimum(name[one], name[other])
        before = name.copy()
        np.minimum.at(name, one, least)
        np.minimum.at(name, other, least)
        # Roots too, or a long chain would take as many rounds as it has links.
        np.minimum.at(name, before[one], least)
        np.minimum.at(name, before[other], least)
        name = name[name]
        if (name == before).all():
            return name
