"""What a figure shows: plain values, so that drawing needs neither preset nor study."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from surfacecli.geometry.claim import Verdict
from surfacecli.geometry.grids import Grid
from surfacecli.geometry.section import Section
from surfacecli.geometry.slices import Kind, Slice
from surfacecli.geometry.stationary import StationaryPoint
from surfacecli.network.transfers import Array

Style = Literal["modern", "post"]


@dataclass(frozen=True, eq=False)
class Picture:
    """One slice, ready to be drawn.

    `title` of the whole figure, `name` of the slice, `formula` what it is, such as 'W1 = uU + vV',
    `label_u` and `label_v` of the axes. u (n_u,), v (n_v,), both ascending, error (n_v, n_u): rows
    are v. `points` inside the window, `border` on its border, `lowest` the lowest point known
    (u, v, error). `last_layer` where the slice moves the last layer alone (style post looks at
    such a slice from another side). `sampled` where the points may not be all; `provenance` one
    line that says what made the picture.

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
    last_layer: bool = False
    sampled: bool = True
    provenance: str = ""

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


@dataclass(frozen=True, eq=False)
class SectionPicture:
    """E along a line of a slice, ready to be drawn; `start` and `end` are its ends (u, v)."""

    title: str
    name: str
    section: Section
    start: tuple[float, float]
    end: tuple[float, float]
    provenance: str = ""


def make_picture(grid: Grid, verdict: Verdict, title: str, provenance: str) -> Picture:
    """The picture of a slice from its grid and its verdict."""
    slice, lowest = verdict.slice, verdict.lowest
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
        last_layer=slice.moved == (slice.objective.network.depth,),
        sampled=verdict.method == "sampled",
        provenance=provenance,
    )


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
