"""What a figure shows: plain values, so that drawing needs neither preset nor study."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from surfacecli.figures.cellmap import (
    CellMap,
    LevelCells,
    find_level,
    find_level_across,
    map_cells,
)
from surfacecli.figures.kinks import KinkLines, trace_curves, trace_kinks
from surfacecli.geometry.claim import Verdict, audit_fault
from surfacecli.geometry.descent.path import Path
from surfacecli.geometry.exact.points import Audit
from surfacecli.geometry.grids import Grid
from surfacecli.geometry.section import Section
from surfacecli.geometry.slices import Kind, Slice
from surfacecli.geometry.stationary import StationaryPoint
from surfacecli.geometry.surface import evaluate
from surfacecli.network.transfers import Array

Style = Literal["modern", "post", "cells"]
SAMPLED = "points sampled, not exhaustive"
#: How far E is followed from a saddle, in windows, and at how many places: no bar is longer, and
#: none so short that the first of them matters.
FARTHEST, NEAREST, PLACES = 0.2, 1e-3, 100
NO_CELLS = (
    "style cells draws polygonal cells, and this slice has none, or was sampled; choose a slice "
    "within one layer of a piecewise-linear net, or a smaller window"
)


@dataclass(frozen=True, eq=False)
class Picture:
    """One slice, ready to be drawn.

    `title` of the whole figure, `name` of the slice, `formula` what it is, such as 'W1 = uU + vV',
    `label_u` and `label_v` of the axes. u (n_u,), v (n_v,), both ascending, error (n_v, n_u): rows
    are v. `points` inside the window, `border` on its border, `lowest` the lowest point known
    (u, v, error). `falls`: by a smooth saddle's u and v how far E falls along its line, back and
    forth; where that is not known, farther than can be drawn. `last_layer` where the slice moves
    the last layer alone (style post looks at such a slice from another side). `sampled` where the
    points may not be all, with the sum of their indices, `index_sum`, where it is known, and the
    `fault` that the audit of them found;
    `provenance` one line that says what made the picture.

    Of a slice with exact cells: `kinks` as lines, `level` the cells in which E is constant, `audit`
    of the points and the `cell_count` that it went over; `cells` themselves where they were asked
    for. `paths` of descent.

    Raises `ValueError` where the arrays do not fit or are not finite.
    """

    title: str
    name: str
    kind: Kind
    formula: str
    label_u: str
    label_v: str
    u: Array
    v: Array
    error: Array
    points: tuple[StationaryPoint, ...] = ()
    border: tuple[StationaryPoint, ...] = ()
    lowest: tuple[float, float, float] | None = None
    falls: Mapping[tuple[float, float], tuple[float, float]] = field(default_factory=dict)
    last_layer: bool = False
    sampled: bool = True
    index_sum: int | None = None
    fault: str = ""
    provenance: str = ""
    kinks: KinkLines | None = None
    level: LevelCells | None = None
    audit: Audit | None = None
    cell_count: int = 0
    cells: CellMap | None = None
    paths: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if self.u.ndim != 1 or self.v.ndim != 1 or self.error.shape != (len(self.v), len(self.u)):
            raise ValueError(
                f"slice {self.name}: error has shape {self.error.shape}, "
                f"u and v ask for ({self.v.size}, {self.u.size}); rows are v"
            )
        if min(self.error.shape) < 2:
            raise ValueError(f"slice {self.name}: a picture needs 2 points or more along an axis")
        if not all(np.isfinite(array).all() for array in (self.u, self.v, self.error)):
            raise ValueError(f"slice {self.name}: the grid holds a number that is not finite")
        if not ((np.diff(self.u) > 0).all() and (np.diff(self.v) > 0).all()):
            raise ValueError(f"slice {self.name}: u and v must ascend")

    @property
    def heading(self) -> str:
        """'E1: W1 = uU + vV'."""
        return f"{self.name}: {self.formula}" if self.formula else self.name

    @property
    def evidence(self) -> str:
        """'exact: 396 cells, audit 1 of 1', or that the points may not be all."""
        if self.audit is None:
            if self.sampled and self.index_sum is not None:
                return f"points sampled, indices sum to {self.index_sum} of 1"
            return SAMPLED if self.sampled else ""
        disputed = f", {self.audit.disputed:,} cells disputed" if self.audit.disputed else ""
        cells = f"{self.cell_count:,} cell{'s' * (self.cell_count != 1)}"
        return f"exact: {cells}, audit {self.audit.sum} of {self.audit.expected}{disputed}"

    @property
    def alarm(self) -> str:
        """What must be said loudly: that the audit failed. Empty where it did not."""
        fault = self.fault or audit_fault(self.audit)
        return f"AUDIT FAILED: {fault}" if fault else ""


@dataclass(frozen=True, eq=False)
class SectionPicture:
    """E along a line of a slice, ready to be drawn; `start` and `end` are its ends (u, v)."""

    title: str
    name: str
    section: Section
    start: tuple[float, float]
    end: tuple[float, float]
    provenance: str = ""


def make_picture(
    grid: Grid, verdict: Verdict, title: str, provenance: str, *, cells: bool = False
) -> Picture:
    """The picture of a slice from its grid and its verdict; `cells` for style 'cells'.

    Raises `ValueError` where cells are asked for and the verdict is not exact.
    """
    slice, lowest, exact = verdict.slice, verdict.lowest, verdict.exact
    solved, across = verdict.solved, verdict.across
    if cells and exact is None:
        raise ValueError(f"slice {slice.name}: {NO_CELLS}")
    return Picture(
        title=title,
        name=slice.name,
        kind=slice.kind,
        formula=write_formula(slice),
        label_u=slice.moves("u"),
        label_v=slice.moves("v"),
        u=grid.u,
        v=grid.v,
        error=grid.error,
        points=verdict.points,
        border=verdict.border,
        lowest=(lowest.u, lowest.v, lowest.value),
        falls={(p.u, p.v): measure_falls(slice, grid, p) for p in verdict.points if p.downhill},
        last_layer=slice.moved == (slice.objective.network.depth,),
        sampled=verdict.method == "sampled",
        index_sum=None if verdict.sampled_audit is None else verdict.sampled_audit.sum,
        fault=verdict.fault,
        provenance=provenance,
        kinks=trace_kinks(exact.cells) if exact else trace_curves(across.cells) if across else None,
        level=find_level(exact) if exact else find_level_across(across) if across else None,
        audit=verdict.audit,
        cell_count=len(solved.cells) if solved else 0,
        cells=map_cells(exact) if exact and cells else None,
    )


def measure_falls(slice: Slice, grid: Grid, saddle: StationaryPoint) -> tuple[float, float]:
    """How far from a saddle E goes on falling along its line, back and forth; see `FARTHEST`."""
    assert saddle.downhill is not None
    du, dv = saddle.downhill
    window = 1.0 / float(np.hypot(du / np.ptp(grid.u), dv / np.ptp(grid.v)))
    steps = window * np.append(0.0, np.geomspace(NEAREST, FARTHEST, PLACES))
    back, forth = (
        float(steps[_falling(evaluate(slice, saddle.u + way * du, saddle.v + way * dv))])
        for way in (-steps, steps)
    )
    return back, forth


def _falling(errors: Array) -> int:
    """The last of the places (n,) up to which E falls from each to the next."""
    rises = np.diff(errors) >= 0.0
    return int(rises.argmax()) if rises.any() else len(errors) - 1


def write_formula(slice: Slice) -> str:
    """What u and v do: 'W1 = uU + vV'; around weights with W1 and a raised 0 as the first term."""

    def term(axis: str, directions: Mapping[int, Array], layer: int) -> list[str]:
        index = str(layer) if len(directions) > 1 else ""
        return [f"{axis}{axis.upper()}{index}"] if layer in directions else []

    formulas = []
    for layer in slice.moved:
        start = [f"W{layer}\u2070"] if slice.origin[layer].any() else []
        terms = [*start, *term("u", slice.along_u, layer), *term("v", slice.along_v, layer)]
        formulas.append(f"W{layer} = {' + '.join(terms)}")
    return ", ".join(formulas)
