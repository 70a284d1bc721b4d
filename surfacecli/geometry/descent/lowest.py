"""The lowest point of E on a straight step, to rounding: kinks first, then each smooth stretch.

The kinks of the line part it into stretches on which E is smooth (a polynomial where the loss is a
square). On each, E is looked at in a few places, and Newton's iteration on its slope, kept within
its bracket, finds the lowest point between them: for a quadratic the first step is the answer.
"""

from dataclasses import dataclass

import numpy as np

from surfacecli.geometry.descent.steepest import Vector
from surfacecli.geometry.kinks import find_kinks
from surfacecli.geometry.slices import Slice
from surfacecli.geometry.surface import differentiate, evaluate
from surfacecli.network.transfers import Array

#: Looks at each stretch; a line whose kinks are not known is one stretch, looked at more often.
LOOKS, LOOKS_BLIND = 8, 200
NEWTON_STEPS = 60
#: A lowest point so near to an end of its stretch is that end.
SAME = 1e-10


@dataclass(frozen=True)
class Lowest:
    """The lowest point of a step: its place, E there, the share of the step, kinks before it."""

    place: Vector
    error: float
    share: float
    crossed: int


def lowest_on_step(slice: Slice, start: Vector, step: Vector) -> Lowest:
    """The lowest point from `start` to `start` + `step`; of equally low ones, the nearest."""
    end = (start[0] + step[0], start[1] + step[1])
    found = find_kinks(slice, start, end) if end != start else (np.empty(0), np.empty(0))
    kinks = np.empty(0) if found is None else found[0]
    cuts = np.concatenate([[0.0], kinks, [1.0]])
    inner = (np.arange(LOOKS_BLIND if found is None else LOOKS) + 0.5) / (
        LOOKS_BLIND if found is None else LOOKS
    )
    looks = cuts[:-1, None] + inner * np.diff(cuts)[:, None]
    t = np.concatenate([cuts, looks.ravel()])
    t = np.concatenate([t, _polish(slice, start, step, cuts, looks)])
    error = evaluate(slice, start[0] + t * step[0], start[1] + t * step[1])
    best = int(np.lexsort((t, error))[0])
    share = float(t[best])
    return Lowest(
        (start[0] + share * step[0], start[1] + share * step[1]) if share < 1.0 else end,
        float(error[best]),
        share,
        int((kinks < share).sum()),
    )


def _polish(slice: Slice, start: Vector, step: Vector, cuts: Array, looks: Array) -> Array:
    """The lowest points inside the stretches between cuts, where there are any.

    The slope at each look brackets them: it is below 0 at one look and above at the next.
    """
    slope, _ = _along(slice, start, step, looks.ravel())
    slope = slope.reshape(looks.shape)
    # Before the first and after the last look the stretch may have its lowest point too.
    bounds = np.concatenate([cuts[:-1, None], looks, cuts[1:, None]], axis=1)
    falls = np.concatenate([slope[:, :1] <= np.inf, slope < 0], axis=1)
    rises = np.concatenate([slope >= 0, slope[:, :1] <= np.inf], axis=1)
    low, high = bounds[:, :-1][falls & rises], bounds[:, 1:][falls & rises]
    t = 0.5 * (low + high)
    left = np.arange(len(t))
    for _ in range(NEWTON_STEPS):
        if not len(left):
            break
        here = t[left]
        slope, bend = _along(slice, start, step, here)
        low[left] = np.where(slope < 0, here, low[left])
        high[left] = np.where(slope < 0, high[left], here)
        moved = here - np.divide(slope, bend, out=np.zeros_like(slope), where=bend > 0)
        within = (moved > low[left]) & (moved < high[left])
        t[left] = np.where(within, moved, 0.5 * (low[left] + high[left]))
        left = left[np.abs(t[left] - here) > 1e-15]
    nearest = np.abs(t[:, None] - cuts).min(axis=1, initial=1.0)
    return np.asarray(t[nearest > SAME])


def _along(slice: Slice, start: Vector, step: Vector, t: Array) -> tuple[Array, Array]:
    """First and second derivative of E in t at places of the step."""
    at = differentiate(slice, start[0] + t * step[0], start[1] + t * step[1])
    p = np.array(step)
    return at.gradient @ p, np.asarray(np.einsum("i,kij,j->k", p, at.hessian, p))
