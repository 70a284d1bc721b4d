"""Polynomials with the coefficients along the first axis, lowest first: (d + 1, ...)."""

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.roots import (
    differentiate_polynomials,
    evaluate_polynomials,
    find_roots,
)
from surfacecli.network.transfers import Array


def multiply(*factors: Array) -> Array:
    """The product."""
    result = factors[0]
    for factor in factors[1:]:
        shape = np.broadcast_shapes(result.shape[1:], factor.shape[1:])
        product = np.zeros((len(result) + len(factor) - 1, *shape))
        for k, c in enumerate(factor):
            product[k : k + len(result)] += c * result
        result = product
    return result


def add(*terms: Array) -> Array:
    """The sum, of polynomials of any degrees."""
    shape = np.broadcast_shapes(*(term.shape[1:] for term in terms))
    total = np.zeros((max(map(len, terms)), *shape))
    for term in terms:
        total[: len(term)] += term
    return total


def substitute(coefficients: Array, middle: Array, half: Array) -> Array:
    """p(middle + half t) in t, of degree 2 at most."""
    c = coefficients
    if len(c) == 2:
        return np.stack([c[0] + c[1] * middle, c[1] * half])
    return np.stack(
        [
            c[0] + middle * (c[1] + middle * c[2]),
            half * (c[1] + 2.0 * middle * c[2]),
            half * half * c[2],
        ]
    )


def size_within(sizes: Array) -> Array:
    """The most that terms of these sizes (d + 1, ...) give for |t| <= 1."""
    return np.asarray(sizes.sum(axis=0))


def crossings(coefficients: Array) -> tuple[Array, NDArray[np.bool_], Array]:
    """Where polynomials (d + 1, n) in t change their sign for |t| < 1.

    Gives t (d, n), NaN in places left over, ascending; whether each changes to positive (d, n);
    and the signs between, before the first and after the last: (d + 1, n), 0 where it vanishes.
    """
    bound = np.ones(coefficients.shape[1:])
    roots = np.sort(find_roots(coefficients, -bound, bound), axis=0)
    # The stretches between the roots; beyond the last they are empty, at t = 1.
    ends = np.where(np.isnan(roots), 1.0, roots)
    left, right = np.concatenate([-bound[None], ends]), np.concatenate([ends, bound[None]])
    sign = np.sign(evaluate_polynomials(coefficients[:, None], 0.5 * (left + right)))
    empty = np.concatenate([np.zeros_like(bound[None], dtype=bool), np.isnan(roots)])
    for k in range(1, len(sign)):
        sign[k] = np.where(empty[k], sign[k - 1], sign[k])
    changes = sign[1:] * sign[:-1] < 0
    return np.where(changes, roots, np.nan), sign[1:] > 0, sign


__all__ = [
    "add",
    "crossings",
    "differentiate_polynomials",
    "evaluate_polynomials",
    "find_roots",
    "multiply",
    "size_within",
    "substitute",
]
