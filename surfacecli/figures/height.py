"""How the error becomes a height and a colour: linear, or by powers of ten."""

from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from surfacecli.figures.theme import COLOURS
from surfacecli.figures.ticks import Ticks, log_ticks, round_ticks
from surfacecli.network.transfers import Array

#: E spans decades where its maximum exceeds this many times all but LOW of its values. Not the
#: minimum: on a valley of zero error, its logarithm is the luck of where the grid points lie.
DECADES, LOW = 1e3, 0.1
#: A range of E below this, relative to E, is rounding: the surface is drawn as flat.
FLAT = 1e-12


@dataclass(frozen=True, eq=False)
class Heights:
    """Heights z (n_v, n_u) of a surface, `low` to `high`, E itself or log10 E; `flat` if constant.

    `high` > `low` also where E is constant.
    """

    z: Array
    low: float
    high: float
    log: bool
    flat: bool

    @property
    def label(self) -> str:
        return "E (log)" if self.log else "E"

    def of(self, error: Array | float) -> Array:
        """The height of errors; what lies below a logarithmic range sits at its lower end."""
        if not self.log:
            return np.asarray(error, dtype=np.float64)
        return np.asarray(np.log10(np.maximum(error, 10.0**self.low)), dtype=np.float64)

    def colour(self, z: Array) -> NDArray[np.float64]:
        """Colours (..., 4) of heights."""
        return np.asarray(colormaps[COLOURS](Normalize(self.low, self.high)(z)), dtype=np.float64)

    def ticks(self, intervals: int) -> Ticks:
        """Ticks in z with labels in E."""
        if self.log and self.high - self.low >= 2:
            return log_ticks(self.low, self.high)
        return round_ticks(self.low, self.high, intervals)

    def levels(self, count: int) -> Array:
        """Heights for contour lines: round values of E, or equal parts of its logarithm."""
        if self.flat:
            return np.empty(0)
        if self.log:
            return np.linspace(self.low, self.high, count + 2)[1:-1]
        positions, _ = round_ticks(self.low, self.high, count)
        return positions[(positions > self.low) & (positions < self.high)]


def measure_heights(error: Array, linear: bool = False) -> Heights:
    """The heights for a grid of errors (n_v, n_u); `linear` never takes logarithms."""
    low, high = float(error.min()), float(error.max())
    size = max(abs(low), abs(high))
    if high - low <= FLAT * size or high == low:
        pad = 0.5 * size or 0.5
        return Heights(np.full_like(error, low), low - pad, low + pad, log=False, flat=True)
    if not linear and low > 0 and high > DECADES * float(np.quantile(error, LOW)):
        z = np.log10(error)
        return Heights(z, float(z.min()), float(z.max()), log=True, flat=False)
    return Heights(error, low, high, log=False, flat=False)
