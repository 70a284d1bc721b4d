"""RUNS what is exact or not at all: the cells of a slice, and what a grid misses of them."""

from dataclasses import dataclass

from surfacecli.geometry.claim import Progress
from surfacecli.geometry.exact.points import Exact, examine_cells
from surfacecli.geometry.missed import Missed, find_missed
from surfacecli.geometry.slices import Slice
from surfacecli.study import Plan, Study


@dataclass(frozen=True, eq=False)
class Audited:
    """A slice with what the grid of a study misses of it."""

    slice: Slice
    missed: Missed


def examine_exactly(
    study: Study, slice: Slice, progress: Progress | None = None, plan: Plan | None = None
) -> Exact:
    """All cells and stationary points of a slice over the window of a study.

    `plan` is that of `study.plan_polygons(slice)`, where the caller has it already; without it,
    this raises `SurfaceError` where the slice has no exact cells, or more than the budget.
    """
    if plan is None:
        study.plan_polygons(slice)
    return examine_cells(slice, study.window, progress)


def audit_slice(study: Study, slice: Slice, exact: Exact) -> Audited:
    """What the grid of a study misses of a slice, of which everything is known."""
    return Audited(slice, find_missed(exact, study.sample(slice)))
