"""An across-layers slice as x and y: x moves the lower layer, y the higher one, u and v either way.

With the activation pattern fixed, every pre-activation from the higher layer on is bilinear in
(x, y), whatever lies between the two layers or above them: below the higher layer nothing depends
on y, and a sum or a slope keeps c0 + c1 x + c2 y + c3 x y what it is.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.exact.kinks import distinct_inputs
from surfacecli.geometry.slices import Slice, Window
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Frame:
    """A slice with its window in x and y.

    `lower`, `higher`: the layers that x and y move. `swapped`: whether x is v. `inputs` (m, n): the
    distinct inputs of the lower layer; `input_of` (N,): which of them each data point has.
    """

    slice: Slice
    window: Window
    lower: int
    higher: int
    swapped: bool
    inputs: Array
    input_of: Indices

    @cached_property
    def x(self) -> tuple[float, float]:
        w = self.window
        return (w.v0, w.v1) if self.swapped else (w.u0, w.u1)

    @cached_property
    def y(self) -> tuple[float, float]:
        w = self.window
        return (w.u0, w.u1) if self.swapped else (w.v0, w.v1)

    @cached_property
    def reach(self) -> tuple[float, float]:
        """The largest |x| and |y| of the window."""
        return max(map(abs, self.x)), max(map(abs, self.y))

    @cached_property
    def extent(self) -> tuple[float, float]:
        """The width and the height of the window."""
        return self.x[1] - self.x[0], self.y[1] - self.y[0]

    @cached_property
    def along_x(self) -> Array:
        """The direction of the lower layer."""
        return (self.slice.along_v if self.swapped else self.slice.along_u)[self.lower]

    @cached_property
    def along_y(self) -> Array:
        """The direction of the higher layer."""
        return (self.slice.along_u if self.swapped else self.slice.along_v)[self.higher]

    def swap(self, places: Array) -> Array:
        """Places (..., 2) in (x, y) as (u, v), or back."""
        return places[..., ::-1] if self.swapped else places

    def swap_hessians(self, hessian: Array) -> Array:
        """Hessians (..., 2, 2) in (x, y) as in (u, v), or back."""
        return hessian[..., ::-1, ::-1] if self.swapped else hessian


def make_frame(slice: Slice, window: Window) -> Frame:
    """Raises `ValueError` where the slice is not across two layers."""
    if slice.kind != "across-layers":
        raise ValueError(f"slice {slice.name} is {slice.kind}, not across two layers")
    (u,), (v,) = slice.along_u, slice.along_v
    inputs, input_of = distinct_inputs(slice)
    return Frame(slice, window, min(u, v), max(u, v), u > v, inputs, input_of)


def across_applies(slice: Slice) -> bool:
    """Whether the cells of a slice are bounded by bilinear curves: two layers, piecewise linear."""
    transfers = slice.objective.network.transfers[slice.first_moved - 1 :]
    return slice.kind == "across-layers" and all(f.piecewise_linear for f in transfers)
