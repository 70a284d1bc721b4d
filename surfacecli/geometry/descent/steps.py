"""Descent by steps: along the gradient, by Newton's and by Gauss-Newton's step in the slice.

    gradient      p = -s g                s a given step size, or 1 / (largest eigenvalue of H)
    newton        p = -|H|^+ g            H the 2x2 Hessian in the slice
    gauss-newton  p = -G^+ g              G its part without the bends of the net

(Botev, Ritter and Barber 2017.) G equals H where the outputs are affine in (u, v): in the cells of
a within-layer slice of a piecewise-linear net. |H| has the absolute values of H's eigenvalues, so
that p points downhill where H is indefinite; the pseudo-inverse takes the shortest of all steps
where H is singular, or, where E falls along an axis without curvature, one as far as the window.
Each step goes to the lowest point of E on it, kinks included, so E never rises. On a kink the step
is that of the side that falls most steeply, or runs along the kink where both sides push back.
"""

import math
from collections.abc import Sequence

import numpy as np

from surfacecli.geometry.descent.lowest import lowest_on_step
from surfacecli.geometry.descent.outlook import Lookout, Outlook
from surfacecli.geometry.descent.path import End, Event, Method, Path
from surfacecli.geometry.descent.steepest import Vector, dot
from surfacecli.geometry.slices import Window
from surfacecli.network.transfers import Array

#: Steps at most, unless told.
MOST = 100
#: Eigenvalues below this times the largest are 0: the step does not move along their axes.
SINGULAR = 1e-10
#: A path has come to rest when a step moves it less than this, relative to the window.
REST = 1e-10
#: A gradient step where E does not bend goes this far, relative to the window.
STRIDE = 0.1


def take_steps(
    lookout: Lookout,
    window: Window,
    start: Vector,
    method: Method,
    size: float | None = None,
    most: int = MOST,
) -> Path:
    """The path of a method from a point of the window; `size` is that of gradient steps.

    Ends where E falls in no direction, where a step no longer moves it, on the border of the
    window, or after `most` steps.
    """
    slice = lookout.pieces.slice
    here, events, end = lookout.look(start), list[Event](), End("limit")
    places, errors = [start], [here.error]
    for number in range(1, most + 1):
        if here.steepest is None:
            end = End("stationary")
            break
        taken, cut, on_kink = None, False, here.steepest.sector is None
        for step in _steps(here, method, size, lookout.size):
            inside, cut = _within(window, here.place, step)
            taken = lowest_on_step(slice, here.place, inside)
            if taken.share > 0.0 and taken.error < here.error:
                break
            taken = None
        if taken is None:
            end = End("border" if cut else "stationary")
            break
        if here.steepest.choices > 1:
            events.append(Event("choice", number - 1))
        events += [Event("cross", number)] * taken.crossed
        if on_kink:
            events.append(Event("slide", number - 1))
        moved = math.hypot(taken.place[0] - here.place[0], taken.place[1] - here.place[1])
        places.append(taken.place)
        errors.append(taken.error)
        if cut and taken.share == 1.0:
            end = End("border")
            break
        here = lookout.look(taken.place)
        if moved <= REST * lookout.size:
            end = End("stationary")
            break
    u, v = np.array(places).T
    time = np.arange(len(places), dtype=np.float64)
    return Path(method, u, v, np.array(errors), time, tuple(events), end, exact=False)


def _steps(here: Outlook, method: Method, size: float | None, stride: float) -> Sequence[Vector]:
    """The steps to try from a place, each downhill, the last as short as a gradient step."""
    steepest = here.steepest
    assert steepest is not None
    on_kink = steepest.sector is None
    number = steepest.sector if steepest.sector is not None else steepest.ray
    assert number is not None
    number %= len(here.sectors)
    hessian, level = here.hessians[number], here.sectors[number].level
    if method == "gauss-newton":
        hessian = here.gauss_newtons[number]
    # On a kink E is a function of one variable: only what bends along it counts.
    axis = np.array(steepest.direction)
    gradient = steepest.slope * axis
    if on_kink:
        hessian = np.outer(axis, axis) * float(axis @ hessian @ axis)
    largest, slope = float(np.abs(np.linalg.eigvalsh(hessian)).max()), -steepest.slope
    # 1 / largest, or STRIDE of the window where that is less.
    small = 1.0 / max(largest, slope / (STRIDE * stride))
    steps = [_vector(-(size or small) * gradient)]
    if size is not None and size > small:
        steps.append(_vector(-small * gradient))
    if method != "gradient":
        newton = _vector(-newton_step(hessian, gradient, stride, level))
        if dot(newton, _vector(gradient)) < 0.0:
            steps.insert(0, newton)
    return steps


def newton_step(hessian: Array, gradient: Array, stride: float, level: float) -> Array:
    """|H|^+ g: each component of g divided by the size of the curvature along its axis.

    Along an axis without curvature it is 0, which makes it the shortest of all solutions; where g
    has a component above `level` there, there is no solution, and the step goes `stride` far.
    """
    values, vectors = np.linalg.eigh(hessian)
    size, along = np.abs(values), vectors.T @ gradient
    curved = size > SINGULAR * size.max()
    parts = np.divide(along, size, out=np.zeros(len(values)), where=curved)
    sloping = ~curved & (np.abs(along) > level)
    parts[sloping] = np.copysign(stride, along[sloping])
    return np.asarray(vectors @ parts)


def _vector(array: Array) -> Vector:
    return float(array[0]), float(array[1])


def _within(window: Window, place: Vector, step: Vector) -> tuple[Vector, bool]:
    """A step as far as it stays in the window, and whether it was cut."""
    share = 1.0
    for at, move, low, high in (
        (place[0], step[0], window.u0, window.u1),
        (place[1], step[1], window.v0, window.v1),
    ):
        if move > 0.0:
            share = min(share, (high - at) / move)
        elif move < 0.0:
            share = min(share, (low - at) / move)
    return (step[0] * share, step[1] * share), share < 1.0
