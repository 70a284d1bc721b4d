"""Real roots of many small polynomials at once, each in an interval of its own.

p(t) = c_0 + c_1 t + ... + c_d t^d, the coefficients along the first axis, lowest first. Degrees 1
and 2 have formulas; above, a polynomial is monotone between two roots of its derivative, and a
change of sign there is closed in on. That needs no leading coefficient to be far from zero, as a
companion matrix would.
"""

import numpy as np

from surfacecli.network.transfers import Array

# Halving an interval this often reaches the spacing of floating-point numbers.
_HALVINGS = 60


def evaluate_polynomials(coefficients: Array, t: Array) -> Array:
    """p(t) (...) of polynomials (d + 1, ...) at t, which fits (...)."""
    value = coefficients[-1] + np.zeros_like(t)
    for c in coefficients[-2::-1]:
        value = value * t + c
    return np.asarray(value)


def differentiate_polynomials(coefficients: Array) -> Array:
    """The derivatives (d, ...) of polynomials (d + 1, ...), d >= 1."""
    degrees = np.arange(1.0, len(coefficients))
    return np.asarray(coefficients[1:] * degrees.reshape(-1, *[1] * (coefficients.ndim - 1)))


def find_roots(coefficients: Array, lower: Array, upper: Array) -> Array:
    """The real roots of polynomials (d + 1, ...) strictly between two bounds.

    `lower` and `upper` fit (...). Gives (d, ...): the roots in no order, NaN in the places left
    over. A root at which the polynomial touches zero without crossing it may be missed or come
    twice, as rounding has it; a polynomial that vanishes everywhere has none.
    """
    if len(coefficients) == 1:
        return np.empty((0, *coefficients.shape[1:]))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if len(coefficients) == 2:
            roots = -coefficients[:1] / coefficients[1:]
        elif len(coefficients) == 3:
            roots = _quadratic_roots(coefficients)
        else:
            roots = _bracketed_roots(coefficients, lower, upper)
    return np.where((roots > lower) & (roots < upper), roots, np.nan)


def _quadratic_roots(coefficients: Array) -> Array:
    """Both roots without cancellation, q/a and c/q; where a = 0 the second is that of a line."""
    c, b, a = coefficients
    q = -0.5 * (b + np.copysign(np.sqrt(b * b - 4.0 * a * c), b))
    return np.stack([q / a, c / q])


def _bracketed_roots(coefficients: Array, lower: Array, upper: Array) -> Array:
    """One root in each monotone stretch on which the polynomial changes sign."""
    turns = find_roots(differentiate_polynomials(coefficients), lower, upper)
    # A turn that is not there repeats the upper bound: its stretch is empty.
    turns = np.sort(np.where(np.isnan(turns), upper, turns), axis=0)
    ends = np.broadcast_to(lower, (1, *turns.shape[1:])), np.broadcast_to(upper, turns.shape)[:1]
    left, right = np.concatenate([ends[0], turns]), np.concatenate([turns, ends[1]])
    each = coefficients[:, None]
    rises = evaluate_polynomials(each, right) > 0
    crossed = (evaluate_polynomials(each, left) > 0) != rises
    found = np.full(crossed.shape, np.nan)
    at = np.nonzero(crossed)
    own = np.stack([c[at[1:]] for c in coefficients])
    left, right, rises = left[at], right[at], rises[at]
    for _ in range(_HALVINGS):
        middle = 0.5 * (left + right)
        beyond = (evaluate_polynomials(own, middle) > 0) == rises
        left, right = np.where(beyond, left, middle), np.where(beyond, middle, right)
    found[at] = 0.5 * (left + right)
    return found
