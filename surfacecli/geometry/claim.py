"""The verdict on a slice: does the theorem apply, does it hold, and what was found.

Botev, Ritter and Barber (2017): with piecewise-linear transfer functions and a convex loss every
layer's Hessian is positive semi-definite off the kinks. So within a layer no smooth maximum and no
smooth saddle; across two layers both diagonal entries of the 2x2 Hessian are >= 0, so no smooth
strict maximum, while saddles may occur. Of a mixed slice the theorem says nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from surfacecli.geometry.across.estimate import estimate_across
from surfacecli.geometry.across.frame import across_applies
from surfacecli.geometry.across.points import AcrossExact, examine_across, find_kinks_at
from surfacecli.geometry.completeness import SampledAudit
from surfacecli.geometry.exact.cells import cells_apply
from surfacecli.geometry.exact.estimate import estimate_cells
from surfacecli.geometry.exact.points import Audit, Exact, examine_cells
from surfacecli.geometry.grids import Grid
from surfacecli.geometry.layer_shares import LayerShares, share_by_layers
from surfacecli.geometry.search import search
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.stationary import StationaryPoint
from surfacecli.geometry.surface import differentiate
from surfacecli.network.transfers import Array

#: Called with what is done and the total, from time to time.
Progress = Callable[[int, int], None]

#: An eigenvalue may be this far below 0, relative to the largest one, by rounding alone.
ROUNDING = 1e-9
SEVERAL_LAYERS = "the slice moves several layers at once"


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
    smallest of their diagonal entries. `method`: `sampled`, nothing is proven to be complete (with
    `sampled_audit`, the sum of the indices); or `exact`, every stationary point of the window, one
    Hessian for each cell, and `lowest` proven (with the cells, their audit and the highest point in
    `exact`, where cells are polygons, or in `across`, where they are bounded by curves).
    `explanations`: for each smooth maximum of a mixed slice, why it is no contradiction.
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
    exact: Exact | None = None
    across: AcrossExact | None = None
    sampled_audit: SampledAudit | None = None
    explanations: tuple[LayerShares, ...] = ()

    @property
    def solved(self) -> Exact | AcrossExact | None:
        """The exact surface, of whichever kind; None where points are sampled."""
        return self.exact or self.across

    @property
    def audit(self) -> Audit | None:
        """The audit of the exact surface."""
        return None if self.solved is None else self.solved.audit

    @property
    def complete(self) -> bool:
        """Whether it is proven that no stationary point is missing."""
        return self.audit is not None and self.audit.complete

    @property
    def fault(self) -> str:
        """What its audit finds wrong, whichever it has, in few words; empty where nothing."""
        return audit_fault(self.audit or self.sampled_audit)

    @property
    def smooth_saddles(self) -> tuple[StationaryPoint, ...]:
        """The smooth saddles, the one in which E bends down most first."""
        saddles = [p for p in self.points if p.smooth_saddle]
        return tuple(sorted(saddles, key=lambda p: p.eigenvalues[0] if p.eigenvalues else 0.0))

    @property
    def maxima(self) -> tuple[StationaryPoint, ...]:
        """Every local maximum, inside the window and on its border."""
        return tuple(p for p in (*self.points, *self.border) if p.kind == "maximum")


def audit_fault(audit: Audit | SampledAudit | None) -> str:
    """What an audit finds wrong, in few words that tables, messages and figures share.

    Empty where it finds nothing wrong, and without an audit.
    """
    if isinstance(audit, Audit):
        return "" if audit.complete else "points are missing or disputed"
    if audit is None or audit.agrees:
        return ""
    if audit.sum == audit.expected:
        return "a point is missing or false, and what lies near makes up for it"
    return "points are missing"


def give_verdict(slice: Slice, window: Window, grid: Grid) -> Verdict:
    """Search a slice and hold what is found against the theorem. The method is sampled."""
    found = search(slice, window, grid)
    at = np.stack([found.samples.u, found.samples.v], axis=1)
    hessian = found.samples.derivatives.hessian
    points = name_kinks(slice, window, found.points)
    verdict = _verdict(slice, "sampled", at, hessian, points, found.border, found.lowest)
    explained = explain_maxima(slice, found.points)
    if explained:
        reason = f"{verdict.claim.reason}: {explained[0].describe()}"
        verdict = replace(verdict, claim=replace(verdict.claim, reason=reason))
    return replace(verdict, sampled_audit=found.audit, explanations=explained)


def name_kinks(
    slice: Slice, window: Window, points: Sequence[StationaryPoint]
) -> tuple[StationaryPoint, ...]:
    """The points, single ones on kinks that are not named yet with the units that make them."""
    lacking = [p for p in points if not (p.smooth or p.is_set or p.kinks)]
    places = np.array([(p.u, p.v) for p in lacking]).reshape(-1, 2)
    named = dict(zip(map(id, lacking), find_kinks_at(slice, window, places), strict=True))
    return tuple(replace(p, kinks=named[id(p)]) if id(p) in named else p for p in points)


def explain_maxima(slice: Slice, points: Sequence[StationaryPoint]) -> tuple[LayerShares, ...]:
    """What each layer adds to the Hessian at the smooth maxima of a mixed slice.

    Only where the theorem speaks of the layers, and says nothing only because several are moved:
    the transfer functions are piecewise linear and the loss is convex.
    """
    if slice.kind != "mixed" or why_not(slice) != SEVERAL_LAYERS:
        return ()
    return tuple(share_by_layers(slice, p.u, p.v) for p in points if p.strict_smooth_maximum)


def polygons_apply(slice: Slice) -> bool:
    """Whether the cells of a slice are polygons with a convex E in each."""
    return cells_apply(slice) and slice.objective.loss.convex


def exact_applies(slice: Slice) -> bool:
    """Whether all stationary points can be found.

    Within a layer: polygonal cells, and a convex loss. Across two: piecewise linear, and squares.
    """
    squares = slice.objective.loss.scale is not None
    return polygons_apply(slice) or (across_applies(slice) and squares)


def why_no_polygons(slice: Slice) -> str:
    """Why `polygons_apply` does not hold."""
    if slice.kind == "across-layers":
        return "the kinks of a slice across layers are curves"
    return why_not_exact(slice)


def expect_cells(slice: Slice, window: Window) -> int:
    """About how many cells `give_exact_verdict` will find in a window."""
    estimate = estimate_cells if polygons_apply(slice) else estimate_across
    return estimate(slice, window)


def why_not_exact(slice: Slice) -> str:
    """Why `exact_applies` does not hold."""
    loss = slice.objective.loss
    transfers = slice.objective.network.transfers[slice.first_moved - 1 :]
    smooth = [f.name for f in transfers if not f.piecewise_linear]
    if slice.kind == "mixed":
        return (
            "exact stationary points are found within a layer and across two; this slice is mixed"
        )
    if smooth:
        return f"exact stationary points need piecewise-linear transfer functions, not {smooth[0]}"
    if slice.kind == "across-layers":
        return f"exact stationary points across layers need squares as loss, not {loss.name}"
    return f"the loss {loss.name} is not convex"


def give_exact_verdict(slice: Slice, window: Window, progress: Progress | None = None) -> Verdict:
    """Find all stationary points of a slice and hold them against the theorem.

    The Hessians that are judged come from second-order forward propagation at a point of every
    cell, not from the cells' own tables: those could not be anything but convex (across layers:
    along each axis). Raises `ValueError` where `exact_applies` does not hold.
    """
    if not exact_applies(slice):
        raise ValueError(f"slice {slice.name} cannot be solved exactly: {why_not_exact(slice)}")
    solved: Exact | AcrossExact
    if polygons_apply(slice):
        solved = exact = examine_cells(slice, window, progress)
        at, across = exact.cells.inner_points, None
    else:
        solved = across = examine_across(slice, window, progress)
        at, exact = across.judged_places, None
    hessian = differentiate(slice, at[:, 0], at[:, 1]).hessian
    verdict = _verdict(slice, "exact", at, hessian, solved.points, solved.border, solved.lowest)
    return replace(verdict, exact=exact, across=across)


def _verdict(
    slice: Slice,
    method: str,
    at: Array,
    hessian: Array,
    points: tuple[StationaryPoint, ...],
    border: tuple[StationaryPoint, ...],
    lowest: tuple[float, float, float],
) -> Verdict:
    eigenvalues: Array = np.asarray(np.linalg.eigvalsh(hessian), dtype=np.float64)
    diagonal = np.diagonal(hessian, axis1=1, axis2=2)
    tolerance = ROUNDING * float(np.abs(eigenvalues).max(initial=0.0))
    smallest = _smallest(at, eigenvalues[:, 0])
    smallest_diagonal = _smallest(at, diagonal.min(axis=1))
    claim = _judge(slice, points, smallest.value, smallest_diagonal.value, tolerance)
    return Verdict(
        slice,
        claim,
        method,
        smallest,
        smallest_diagonal,
        len(at),
        points,
        border,
        Place(*lowest),
    )


def _smallest(at: Array, values: Array) -> Place:
    if not len(values):
        return Place(np.nan, np.nan, np.nan)
    k = int(values.argmin())
    return Place(float(at[k, 0]), float(at[k, 1]), float(values[k]))


def why_not(slice: Slice) -> str | None:
    """Why the theorem says nothing of a slice, or None where it does.

    Only layers from the first moved one on matter: below it nothing changes.
    """
    objective = slice.objective
    transfers = objective.network.transfers[slice.first_moved - 1 :]
    smooth = [f.name for f in transfers if not f.piecewise_linear]
    if smooth:
        return f"{smooth[0]} is not piecewise linear"
    if not objective.loss.convex:
        return f"the loss {objective.loss.name} is not convex"
    if slice.kind == "mixed":
        return SEVERAL_LAYERS
    return None


def _judge(
    slice: Slice,
    points: tuple[StationaryPoint, ...],
    smallest: float,
    diagonal: float,
    tolerance: float,
) -> Claim:
    maxima = [p for p in points if p.strict_smooth_maximum]
    saddles = [p for p in points if p.smooth_saddle]
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
