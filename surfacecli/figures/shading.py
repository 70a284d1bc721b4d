"""Light on a surface: facets turned to the light are brighter, so that kinks show as creases."""

import numpy as np
from numpy.typing import NDArray

from surfacecli.network.transfers import Array

#: How far light and shadow may move a colour towards white and black.
LIGHT, SHADOW = 0.3, 0.4


def shade(
    colours: NDArray[np.float64], slope_u: Array, slope_v: Array, azimuth: float, strength: float
) -> NDArray[np.float64]:
    """Colours (n, m, 4) under a light at 45 degrees of elevation, 0 degrees of azimuth being +u.

    `slope_u`, `slope_v` (n, m) are the slopes of the surface, in a box of comparable sides. A level
    facet keeps its colour, so that the colour bar stays true.
    """
    angle = np.deg2rad(azimuth)
    towards = -(slope_u * np.cos(angle) + slope_v * np.sin(angle))
    # The cosine between the facet's normal and the light, less that of a level facet.
    turned = (towards + 1.0) / np.sqrt(2.0 * (slope_u**2 + slope_v**2 + 1.0)) - np.sqrt(0.5)
    amount = np.clip(strength * turned, -SHADOW, LIGHT)[..., None]
    shaded = colours.copy()
    rgb = colours[..., :3]
    shaded[..., :3] = np.where(amount < 0, rgb * (1 + amount), rgb + (1 - rgb) * amount)
    return shaded


def facet_slopes(z: Array) -> tuple[Array, Array]:
    """Rises of each cell of a grid (n_v, n_u) along u and v, per cell: two (n_v - 1, n_u - 1)."""
    along_u, along_v = np.diff(z, axis=1), np.diff(z, axis=0)
    return 0.5 * (along_u[1:] + along_u[:-1]), 0.5 * (along_v[:, 1:] + along_v[:, :-1])
