"""The verdict on a slice: does the theorem apply, does it hold, and what was found.

Botev, Ritter and Barber (2017): with piecewise-linear transfer functions and a convex loss every
layer's Hessian is positive semi-definite off the kinks. So within a layer no smooth maximum and no
smooth saddle; across two layers both diagonal entries of the 2x2 Hessian are >= 0, so no smooth
strict maximum, while saddles may occur. Of a mixed slice the theorem says nothing.
"""

from dataclasses import dataclass

import numpy as np

from surfacecli.geometry.grids import Grid
from surfacecli.geometry.search import Found, search
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.stationary import StationaryPoint

#: An eigenvalue may be this far below 0, relative to the largest one, by rounding alone.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Claim:
    """Whether the theorem speaks of a slice, whether its conclusion was found true, and why."""

    applies: bool
    holds: bool
    reason: str

    @property
    def violated(self) -> bool:
        return self.applies and not self.holds


@dataclass(frozen=True)
class Place:
    """A point of the slice with a number that belongs to it."""

    u: float
    v: float
    value: float


@dataclass(frozen=True, eq=False)
class Verdict:
    """All that was found out about a slice; points and border are sorted by error.

    `smallest_eigenvalue` is that of the 2x2 Hessians at `hessians` points, `smallest_diagonal` the
    smallest of their diagonal entries. `method` is `sampled`: nothing is proven to be complete.
    """

    slice: Slice
    claim: Claim
    method: str
    smallest_eigenvalue: Place
    smallest_diagonal: Place
    hessians: int
    points: tuple[StationaryPoint, ...]
    border: tuple[StationaryPoint, ...]
    lowest: Place

    @property
    def maxima(self) -> tuple[StationaryPoint, ...]:
        """Every local maximum, inside the window and on its border."""
        return tuple(p for p in (*self.points, *self.border) if p.kind == "maximum")


def give_verdict(slice: Slice, window: Window, grid: Grid) -> Verdict:
    """Search a slice and hold what is found against the theorem. The method is sampled."""
    found = search(slice, window, grid)
    eigenvalues = found.samples.eigenvalues
    diagonal = np.diagonal(found.samples.derivatives.hessian, axis1=1, axis2=2)
    scale = float(np.abs(eigenvalues).max(initial=0.0))
    smallest = _smallest(found, eigenvalues[:, 0])
    smallest_diagonal = _smallest(found, diagonal.min(axis=1))
    claim = _judge(slice, found, smallest.value, smallest_diagonal.value, ROUNDING * scale)
    return Verdict(
        slice,
        claim,
        "sampled",
        smallest,
        smallest_diagonal,
        len(found.samples.u),
        found.points,
        found.border,
        Place(*found.lowest),
    )


def _smallest(found: Found, values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Place:
    if not len(values):
        return Place(np.nan, np.nan, np.nan)
    k = int(values.argmin())
    return Place(float(found.samples.u[k]), float(found.samples.v[k]), float(values[k]))


def why_not(slice: Slice) -> str | None:
    """Why the theorem says nothing of a slice, or None where it does."""
    objective = slice.objective
    smooth = [f.name for f in objective.network.transfers if not f.piecewise_linear]
    if smooth:
        return f"{smooth[0]} is not piecewise linear"
    if not objective.loss.convex:
        return f"the loss {objective.loss.name} is not convex"
    if slice.kind == "mixed":
        return "the slice moves several layers at once"
    return None


def _judge(slice: Slice, found: Found, smallest: float, diagonal: float, tolerance: float) -> Claim:
    maxima = [p for p in found.points if p.strict_smooth_maximum]
    saddles = [p for p in found.points if p.smooth and p.kind == "saddle"]
    against: list[str] = []
    if maxima:
        p = maxima[0]
        against.append(f"a smooth maximum at u = {p.u:.6g}, v = {p.v:.6g}")
    outside = why_not(slice)
    within = slice.kind == "within-layer"
    if within and saddles:
        p = saddles[0]
        against.append(f"a smooth saddle at u = {p.u:.6g}, v = {p.v:.6g}")
    if within and smallest < -tolerance:
        against.append(f"an eigenvalue of {smallest:.4g}")
    if slice.kind == "across-layers" and diagonal < -tolerance:
        against.append(f"a diagonal entry of {diagonal:.4g}")
    if outside is not None:
        found_words = " and ".join(against)
        if found_words:
            return Claim(False, False, f"{outside}; found {found_words}, no contradiction")
        return Claim(False, True, f"{outside}; nothing found against its conclusion either")
    if against:
        return Claim(True, False, f"found {' and '.join(against)}")
    if within:
        return Claim(True, True, "every Hessian is positive semi-definite, no smooth maximum")
    smooth_saddles = f"; {len(saddles)} smooth saddle{'s' * (len(saddles) != 1)}" if saddles else ""
    return Claim(True, True, f"diagonal entries >= 0, no smooth maximum{smooth_saddles}")
