"""RUNS a study: which slices of a preset, over which window and grid, and what was found there."""

from dataclasses import dataclass

import numpy as np

from surfacecli.errors import ChoiceError, SurfaceError
from surfacecli.geometry.claim import (
    Progress,
    Verdict,
    exact_applies,
    expect_cells,
    give_exact_verdict,
    give_verdict,
    polygons_apply,
    why_no_polygons,
    why_not_exact,
)
from surfacecli.geometry.grids import Estimate, Grid, estimate_grid, sample_grid
from surfacecli.geometry.slices import Slice, Window, make_slice
from surfacecli.geometry.surface import numbers_per_point
from surfacecli.presets import Preset, load_preset

#: Grid points along an axis where neither preset nor option says: the post's own for its style.
RESOLUTION = {"post": 41, "modern": 61, "cells": 61}
#: Announce grids that take longer than this (seconds) or more memory than this (bytes).
LONG, LARGE = 10.0, 1 << 30
#: Cells of a slice that are found without asking, and what one takes (seconds): by itself, and for
#: each unit of the widest moved-or-later layer on each data point.
BUDGET, SECONDS_PER_CELL, SECONDS_PER_UNIT = 100_000, 1e-5, 3e-8
#: What a cell between curves takes by itself, across layers.
SECONDS_PER_BENT_CELL = 4e-4
#: Seconds: a larger budget is advised where the cells take no longer; a day, a year.
BEARABLE, DAY, YEAR = 3600.0, 86400.0, 3.15e7
#: Beyond this, squares of E no longer fit a floating-point number.
TOO_HIGH = 1e150
#: Refuse grids whose result alone takes more than this (bytes).
TOO_LARGE = 8 << 30
#: What to do where a slice cannot be exact, and where polygonal cells are.
SAMPLED = "--method sampled"
ELSEWHERE = "choose a slice within one layer of a piecewise-linear net with a convex loss"


@dataclass(frozen=True, eq=False)
class Study:
    """A preset with the choices of a run: slices, window, grid, style and size of the figures.

    `remarks` are what the user should know of how the choices were read.
    """

    preset: Preset
    slices: tuple[Slice, ...]
    window: Window
    resolution: tuple[int, int]
    style: str
    method: str | None = None
    budget: int = BUDGET
    remarks: tuple[str, ...] = ()
    size: str = "page"

    def estimate(self, slice: Slice) -> Estimate:
        """What the grid of a slice will cost."""
        return estimate_grid(slice, self.resolution)

    def announcement(self) -> str | None:
        """What to say before a run that takes long or much memory; None where it does not.

        Raises `SurfaceError` where the grid cannot be held at all.
        """
        n_u, n_v = self.resolution
        costs = [self.estimate(slice) for slice in self.slices]
        size, seconds = max(c.bytes for c in costs), sum(c.seconds for c in costs)
        if size > TOO_LARGE:
            raise SurfaceError(
                f"a grid of {n_u} x {n_v} points needs {size / 2**30:.1f} GiB; "
                "choose a smaller --resolution"
            )
        if seconds <= LONG and size <= LARGE:
            return None
        return (
            f"{n_u} x {n_v} points on {len(costs)} slice{'s' * (len(costs) != 1)}: "
            f"{duration(seconds)} and {max(1, round(size / 2**20))} MiB; "
            "a smaller --resolution is faster"
        )

    def sample(self, slice: Slice) -> Grid:
        """E over the window. Raises `SurfaceError` where E is too large for a number."""
        with np.errstate(over="ignore", invalid="ignore"):
            grid = sample_grid(slice, self.window, self.resolution)
        if not (np.abs(grid.error) < TOO_HIGH).all():
            raise SurfaceError(
                f"slice {slice.name}: E exceeds {TOO_HIGH:g} in the window; choose a smaller "
                "--window, or smaller weights or data"
            )
        return grid

    def plan(self, slice: Slice) -> "Plan":
        """How the stationary points of a slice will be found, decided before the work.

        Exactly where that is possible within the budget, else from samples, saying why. Raises
        `SurfaceError` where the method was chosen to be exact and cannot be.
        """
        if self.method == "sampled":
            return Plan("sampled", None, None)
        if not exact_applies(slice):
            if self.method == "exact":
                raise SurfaceError(
                    f"slice {slice.name} has no exact cells: {why_not_exact(slice)}; say {SAMPLED}"
                )
            return Plan("sampled", None, None)
        plan = self._plan_cells(slice)
        if plan.remark is None:
            return plan
        if self.method == "exact":
            raise SurfaceError(f"{plan.remark}; choose {_advice(plan)}, or {SAMPLED}")
        advice = f"{_advice(plan)} makes it exact"
        return Plan("sampled", plan.cells, f"{plan.remark}: sampled instead; {advice}")

    def plan_polygons(self, slice: Slice) -> "Plan":
        """How all cells of a slice will be found, for what needs them all as polygons.

        Raises `SurfaceError` where there are none or more than the budget.
        """
        if not polygons_apply(slice):
            raise SurfaceError(
                f"slice {slice.name} has no polygonal cells: {why_no_polygons(slice)}; {ELSEWHERE}"
            )
        plan = self._plan_cells(slice)
        if plan.remark is not None:
            raise SurfaceError(f"{plan.remark}; choose {_advice(plan)}")
        return plan

    def _plan_cells(self, slice: Slice) -> "Plan":
        """The cells of a slice that has some; past the budget with a remark that says so."""
        with np.errstate(over="ignore", invalid="ignore"):
            cells = expect_cells(slice, self.window)
        each = SECONDS_PER_CELL if polygons_apply(slice) else SECONDS_PER_BENT_CELL
        seconds = cells * (each + SECONDS_PER_UNIT * numbers_per_point(slice))
        remark = (
            f"slice {slice.name} has about {round_count(cells)} cells in this window, past the "
            f"budget of {self.budget:,}; they would take {duration(seconds)}"
        )
        return Plan("exact", cells, remark if cells > self.budget else None, seconds)

    @property
    def drawable(self) -> tuple[Slice, ...]:
        """The slices that the style can draw: in style cells those with polygonal cells.

        Where none has, the first one, so that drawing it says why.
        """
        if self.style != "cells":
            return self.slices
        return tuple(s for s in self.slices if self.has_polygons(s)) or self.slices[:1]

    def has_polygons(self, slice: Slice) -> bool:
        """Whether a slice will be examined cell by cell, the cells being polygons."""
        return polygons_apply(slice) and self.plan(slice).method == "exact"

    def examine(
        self, slice: Slice, progress: Progress | None = None, plan: "Plan | None" = None
    ) -> "Result":
        """The grid of a slice, its stationary points and the verdict.

        `plan` is that of `plan(slice)`, where the caller has it already.
        """
        plan = plan or self.plan(slice)
        grid = self.sample(slice)
        if plan.method == "exact":
            verdict = give_exact_verdict(slice, self.window, progress)
        else:
            verdict = give_verdict(slice, self.window, grid)
        return Result(self, slice, grid, verdict)


@dataclass(frozen=True)
class Plan:
    """How stationary points will be found: method, expected cells and seconds, what to tell."""

    method: str
    cells: int | None
    remark: str | None
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Result:
    """One slice, sampled and judged: what tables, JSON and figures are made from."""

    study: Study
    slice: Slice
    grid: Grid
    verdict: Verdict


def make_study(
    source: str,
    *,
    seed: int | None = None,
    slice_name: str | None = None,
    layer: int | None = None,
    cross_layer: bool = False,
    window: Window | None = None,
    resolution: tuple[int, int] | None = None,
    style: str | None = None,
    method: str | None = None,
    budget: int | None = None,
    size: str | None = None,
) -> Study:
    """Read a preset and put the options of a run over it.

    `slice_name`, `layer` and `cross_layer` choose slices, at most one of the three; without one all
    of the preset's. `method` is `exact`, `sampled`, or None: exact where it is possible within
    `budget` cells. A preset without a slice of the wanted layer gets one: origin zero, the
    directions drawn from the preset's seed. Raises `SurfaceError` for what cannot be.
    """
    preset = load_preset(source, seed)
    style = style or preset.style
    points = RESOLUTION[style]
    slices = choose_slices(preset, slice_name, layer, cross_layer)
    remarks = [
        f"{preset.name} has no slice {_where(s)}; this one has {s.note}"
        for s in slices
        if s.name not in preset.slices
    ]
    if seed is not None and not preset.seeds:
        remarks.append(f"nothing in {preset.name} is drawn: --seed changes nothing")
    return Study(
        preset,
        slices,
        window or preset.window,
        resolution or preset.resolution or (points, points),
        style,
        method,
        budget or BUDGET,
        tuple(remarks),
        size or preset.size,
    )


def _where(slice: Slice) -> str:
    if slice.kind == "within-layer":
        return f"within layer {slice.first_moved}"
    return "across layers"


def choose_slices(
    preset: Preset, name: str | None = None, layer: int | None = None, cross_layer: bool = False
) -> tuple[Slice, ...]:
    """The slices of a preset that a run is about (see `make_study`)."""
    if name is not None:
        if name not in preset.slices:
            raise ChoiceError(
                f"{preset.name} has no slice {name!r}; it has {', '.join(preset.slices)}"
            )
        return (preset.slices[name],)
    depth = preset.objective.network.depth
    seed = preset.seeds.get("directions", 0)
    if layer is not None:
        check_layer(preset, layer)
        within = [s for s in preset.slices.values() if s.kind == "within-layer"]
        return tuple(s for s in within if s.moved == (layer,)) or (
            make_slice(f"layer{layer}", preset.objective, [layer], [layer], seed=seed),
        )
    if cross_layer:
        across = tuple(s for s in preset.slices.values() if s.kind == "across-layers")
        if across:
            return across
        if depth < 2:
            raise SurfaceError(f"{preset.name} has one layer; a slice across layers needs two")
        return (make_slice("cross-layer", preset.objective, [1], [2], seed=seed),)
    return tuple(preset.slices.values())


def check_layer(preset: Preset, layer: int) -> None:
    """Raises `ChoiceError` where the network of a preset has no such layer."""
    depth = preset.objective.network.depth
    if not 1 <= layer <= depth:
        raise ChoiceError(
            f"{layer} is not a layer of {preset.name}; choose "
            + ("1" if depth == 1 else f"1 to {depth}")
        )


def _advice(plan: Plan) -> str:
    """What brings a slice back within the budget; a larger one only where one can wait for it."""
    assert plan.cells is not None
    if plan.seconds > BEARABLE:
        return "a smaller --window"
    return f"a smaller --window, or --budget {2 * plan.cells}"


def round_count(count: int) -> str:
    """'12,345', or '8.8e+12': beyond 10 million the digits of an estimate tell nothing."""
    return f"{count:,}" if count < 1e7 else f"{count:.2g}"


def duration(seconds: float) -> str:
    """'less than 1 s', 'about 12 s', '5 min', '3.1 h', '4 days', 'more than a year'."""
    if seconds < 1:
        return "less than 1 s"
    if seconds < 120:
        return f"about {seconds:.0f} s"
    if seconds < 7200:
        return f"about {seconds / 60:.0f} min"
    if seconds < 2 * DAY:
        return f"about {seconds / 3600:.1f} h"
    return f"about {seconds / DAY:.0f} days" if seconds < YEAR else "more than a year"
