"""One step of x' = -grad E by an exponential integrator, exact where E is a quadratic.

With F = -grad E, J = -H at x, z = h J and D(y) = F(y) - F(x) - J (y - x), what is not linear:

    y2 = x + h/2 phi1(z/2) F          y3 = x + h phi1(z) (F + D(y2))
    x1 = x + h phi1(z) F + h (16 phi3 - 48 phi4)(z) D(y2) + h (12 phi4 - 2 phi3)(z) D(y3)

of order 4, with an error estimate of order 3: exprb43 of Hochbruck, Ostermann and Schweitzer
(SIAM J. Numer. Anal. 47, 2009). Stiff valleys, of which the Hessian knows, cost no small steps.
"""

from collections.abc import Callable
from math import factorial

import numpy as np

from surfacecli.network.transfers import Array

#: Below this the phi functions are summed as series of so many terms.
SERIES, TERMS = 1.0, 18

Field = Callable[[Array], Array]


def phi_functions(z: Array) -> Array:
    """phi_1 to phi_4 at z (n,), as (4, n): phi_0 = exp, phi_(k+1) = (phi_k - 1 / k!) / z."""
    result = np.empty((4, len(z)))
    small = np.abs(z) < SERIES
    powers = z[small] ** np.arange(TERMS)[:, None]
    for k in range(1, 5):
        series = [1.0 / factorial(j + k) for j in range(TERMS)]
        result[k - 1, small] = series @ powers
    large = z[~small]
    value = np.exp(large)
    for k in range(4):
        value = (value - 1.0 / factorial(k)) / large
        result[k, ~small] = value
    return result


def exponential_step(
    place: Array, gradient: Array, hessian: Array, gradient_at: Field, time: float
) -> tuple[Array, float]:
    """The flow's place (2,) after a time, and how far off it may be.

    `gradient` (2,) and `hessian` (2, 2) at the place, `gradient_at` at others.
    """
    curvatures, axes = np.linalg.eigh(hessian)

    def through(factors: Array, vector: Array) -> Array:
        return np.asarray(axes @ (factors * (axes.T @ vector)))

    def bent(y: Array) -> Array:
        return -gradient_at(y) + gradient + hessian @ (y - place)

    (half, *_), (one, _, three, four) = (
        phi_functions(-0.5 * time * curvatures),
        phi_functions(-time * curvatures),
    )
    straight = place - time * through(one, gradient)
    second = bent(place - 0.5 * time * through(half, gradient))
    third = bent(straight + time * through(one, second))
    moved = straight + time * (
        through(16.0 * three - 48.0 * four, second) + through(12.0 * four - 2.0 * three, third)
    )
    off = time * through(four, 12.0 * third - 48.0 * second)
    return moved, float(np.hypot(*off))
