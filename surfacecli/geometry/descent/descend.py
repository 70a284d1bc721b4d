"""Descent from given points of a slice, by the way that the method and the slice allow."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from surfacecli.geometry.across.points import AcrossExact
from surfacecli.geometry.descent.flow import follow_flow
from surfacecli.geometry.descent.hyperbolas import follow_hyperbola
from surfacecli.geometry.descent.integrated import integrate_flow
from surfacecli.geometry.descent.mesh import Mesh
from surfacecli.geometry.descent.outlook import Lookout
from surfacecli.geometry.descent.path import METHODS, Method, Path
from surfacecli.geometry.descent.pieces import Pieces
from surfacecli.geometry.descent.product import find_product
from surfacecli.geometry.descent.recognise import name_end
from surfacecli.geometry.descent.steepest import Vector
from surfacecli.geometry.descent.steps import MOST, take_steps
from surfacecli.geometry.exact.points import Exact
from surfacecli.geometry.exact.squares import Quadratics
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.stationary import StationaryPoint
from surfacecli.geometry.surface import differentiate

#: Places along an axis at which the size of E's gradient is looked at.
LOOKS = 9


def descend(
    slice: Slice,
    window: Window,
    starts: Sequence[Vector],
    method: Method = "flow",
    *,
    exact: Exact | None = None,
    across: AcrossExact | None = None,
    points: Sequence[StationaryPoint] = (),
    step: float | None = None,
    steps: int = MOST,
) -> list[Path]:
    """The path of descent from each start (u, v) in a window of a slice.

    `flow`: gradient flow x' = -grad E. With `exact`, the cells of a slice with a squared loss, its
    path has a closed form, and with `across`, those of a slice across layers, where E is a function
    of u v (see `hyperbolas`); else it is integrated, every kink found on the way. `gradient`,
    `newton`, `gauss-newton`: steps, each to its lowest point (see `steps`); `step` is the size of
    gradient steps, `steps` how many are taken at most. `points`: stationary points that are known,
    for ends to be named after. Raises `ValueError` for a start outside the window, another method,
    or a step size that is none.
    """
    if method not in METHODS:
        raise ValueError(f"{method!r} is no method of descent; choose {', '.join(METHODS)}")
    if step is not None and not 0.0 < step < np.inf:
        raise ValueError(f"{step} is no size of a step; give a number above 0")
    for u, v in starts:
        if not (window.u0 <= u <= window.u1 and window.v0 <= v <= window.v1):
            raise ValueError(
                f"the start ({u:g}, {v:g}) lies outside the window [{window.u0:g}, {window.u1:g}] "
                f"x [{window.v0:g}, {window.v1:g}]"
            )
    if method == "flow" and exact is not None and isinstance(exact.errors, Quadratics):
        mesh = Mesh(exact)
        return [follow_flow(mesh, start) for start in starts]
    lookout = Lookout(Pieces(slice), window, gradient_scale(slice, window))
    solved = exact or across
    known = (*points, *(solved.points + solved.border if solved else ()))
    product = find_product(across) if across is not None and method == "flow" else None
    paths = []
    for start in starts:
        if product is not None:
            path = follow_hyperbola(product, window, start)
        elif method == "flow":
            path = integrate_flow(lookout, window, start)
        else:
            path = take_steps(lookout, window, start, method, step, steps)
        paths.append(replace(path, end=name_end(path, lookout, known)))
    return paths


def gradient_scale(slice: Slice, window: Window) -> float:
    """The largest gradient at some places of the window: how large a slope is, to round by."""
    share = (np.arange(LOOKS) + 0.5) / LOOKS
    u, v = np.meshgrid(
        window.u0 + share * (window.u1 - window.u0), window.v0 + share * (window.v1 - window.v0)
    )
    gradient = differentiate(slice, u, v).gradient
    return float(np.hypot(gradient[:, 0], gradient[:, 1]).max())
