"""RUNS what is exact or not at all: the cells of a slice, and what a grid misses of them."""

from dataclasses import dataclass

from surfacecli.errors import SurfaceError
from surfacecli.geometry.claim import exact_applies, why_not_exact
from surfacecli.geometry.exact.estimate import estimate_cells
from surfacecli.geometry.exact.points import Exact, examine_cells
from surfacecli.geometry.missed import Missed, find_missed
from surfacecli.geometry.slices import Slice
from surfacecli.study import Study


@dataclass(frozen=True, eq=False)
class Audited:
    """A slice with what the grid of a study misses of it."""

    slice: Slice
    missed: Missed


def examine_exactly(study: Study, slice: Slice) -> Exact:
    """All cells and stationary points of a slice over the window of a study.

    Raises `SurfaceError` where the slice has no exact cells, or more than the budget.
    """
    if not exact_applies(slice):
        raise SurfaceError(
            f"slice {slice.name} has no exact cells: {why_not_exact(slice)}; choose a slice within "
            "one layer of a piecewise-linear net with a convex loss"
        )
    count = estimate_cells(slice, study.window)
    if count > study.budget:
        raise SurfaceError(
            f"slice {slice.name} has about {count:,} cells in this window, past the budget of "
            f"{study.budget:,}; choose a smaller --window, or --budget {2 * count}"
        )
    return examine_cells(slice, study.window)


def audit_slice(study: Study, slice: Slice) -> Audited:
    """What the grid of a study misses of a slice; raises as `examine_exactly` does."""
    exact = examine_exactly(study, slice)
    return Audited(slice, find_missed(exact, study.sample(slice)))
