"""Losses between the last activation a and the target y of one data point, with derivatives in a.

    squared        sum_k (a_k - y_k)^2            (the post's, without a half)
    half_squared   sum_k (a_k - y_k)^2 / 2
    cross_entropy  -sum_k y_k log softmax(a)_k    y a distribution over the outputs
    logistic       sum_k log(1 + exp(a_k)) - y_k a_k    y_k in [0, 1], each output by itself

Arrays end in the axis of the outputs, (..., n_L); the axes before it are free. Where a class is all
but certain value and derivatives are tiny, and right to the last bits all the same: they are sums
of terms of one sign, nothing large cancels.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.network.transfers import TRANSFERS, Array

_sigmoid = TRANSFERS["sigmoid"].value


@dataclass(frozen=True)
class Loss:
    """A loss per data point.

    value (a, y) -> (...,); gradient (a, y) -> (..., n_L); hessian (a, y) -> (..., n_L, n_L);
    product (a, y, t) -> (..., n_L), the Hessian times t. `convex` says whether the loss is convex
    in a, `separable` whether it is a sum of functions of one output each: then its Hessian is
    diagonal. `scale` is s where the loss is s |a - y|^2, None where it is not of that form.
    `terms` (a, y) -> two (..., n_L), both >= 0, whose difference the gradient is.
    `root` (a, y) -> C (..., r, n_L) with C^T C the Hessian, right to the last bits in every entry.
    `target_problem` takes the targets (N, n_L) and says what is wrong with them, or None.
    """

    name: str
    convex: bool
    value: Callable[[Array, Array], Array]
    gradient: Callable[[Array, Array], Array]
    product: Callable[[Array, Array, Array], Array]
    separable: bool = False
    scale: float | None = None
    terms: Callable[[Array, Array], tuple[Array, Array]] | None = None
    root: Callable[[Array, Array], Array] | None = None
    target_problem: Callable[[Array], str | None] = lambda y: None

    def sized_gradient(self, a: Array, y: Array) -> tuple[Array, Array]:
        """The gradient, and the size (..., n_L) of the terms that it is the difference of."""
        if self.terms is None:
            gradient = self.gradient(a, y)
            return gradient, np.abs(gradient)
        one, other = self.terms(a, y)
        return one - other, one + other

    def hessian(self, a: Array, y: Array) -> Array:
        """The Hessian in a, shape (..., n_L, n_L): its product with every unit vector."""
        return self.product(a[..., None, :], y[..., None, :], np.eye(a.shape[-1]))


def _squares(name: str, scale: float) -> Loss:
    return Loss(
        name=name,
        convex=True,
        value=lambda a, y: scale * np.square(a - y).sum(axis=-1),
        gradient=lambda a, y: 2.0 * scale * (a - y),
        product=lambda a, y, t: 2.0 * scale * t + np.zeros_like(a),
        separable=True,
        scale=scale,
    )


def _apart(x: Array) -> tuple[NDArray[np.intp], Array, Array]:
    """Over the last axis: where the largest entry lies, that entry, and the sum of the others."""
    at = x.argmax(axis=-1, keepdims=True)
    small = x.copy()
    np.put_along_axis(small, at, 0.0, axis=-1)
    return at, np.take_along_axis(x, at, axis=-1), small.sum(axis=-1, keepdims=True)


def _others(x: Array) -> Array:
    """Sums over the last axis of all entries but one, for each one; x >= 0.

    Not the sum less the entry: of a large one beside small ones nothing would be left but rounding.
    """
    at, top, rest = _apart(x)
    result = (top + rest) - x
    np.put_along_axis(result, at, rest, axis=-1)
    return result


def _cross_entropy_value(a: Array, y: Array) -> Array:
    # Everything relative to the largest a: no overflow, and nothing large to cancel.
    below = a - a.max(axis=-1, keepdims=True)
    _, _, rest = _apart(np.exp(below))
    return np.asarray(y.sum(axis=-1) * np.log1p(rest[..., 0]) - (y * below).sum(axis=-1))


def _cross_entropy_terms(a: Array, y: Array) -> tuple[Array, Array]:
    # (sum of y) p_k - y_k = sum over j of y_j p_k - y_k p_j, where j = k drops out.
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    total = e.sum(axis=-1, keepdims=True)
    return _others(y) * e / total, y * _others(e) / total


def _cross_entropy_product(a: Array, y: Array, t: Array) -> Array:
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    # The Hessian does not see a shift of t: one that leaves 0 where nearly all of p may lie.
    p, t = np.broadcast_arrays(p, t)
    t = t - np.take_along_axis(t, p.argmax(axis=-1, keepdims=True), axis=-1)
    total = y.sum(axis=-1, keepdims=True)
    return np.asarray(total * p * (t - (p * t).sum(axis=-1, keepdims=True)))


def _cross_entropy_root(a: Array, y: Array) -> Array:
    # The Cholesky factor of diag(p) - p p^T (Tanabe and Sagae 1992), of one row less than p has:
    # sqrt(p_i q_i / (p_i + q_i)) (e_i - p_j / q_i over j > i), q_i the sum of these p_j. No terms
    # cancel; eigenvectors, where outputs are all but certain, are no longer orthogonal to 1.
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    from_here = np.cumsum(p[..., ::-1], axis=-1)[..., ::-1]
    before, after = from_here[..., :-1, None], from_here[..., 1:, None]
    tiny = 5e-324  # in place of a sum that is 0, as all its terms are
    later = np.tri(p.shape[-1], k=-1).T[:-1]
    shares = later * p[..., None, :] / np.maximum(after, tiny)
    left = after / np.maximum(before, tiny)
    sizes = np.sqrt(y.sum(axis=-1))[..., None, None] * np.sqrt(p[..., :-1, None]) * np.sqrt(left)
    return np.asarray(sizes * (np.eye(p.shape[-1])[:-1] - shares))


def _logistic_value(a: Array, y: Array) -> Array:
    # log(1 + e^a) - y a as a sum of terms that are not negative.
    away = np.where(a > 0, 1.0 - y, y) * np.abs(a)
    return np.asarray((np.log1p(np.exp(-np.abs(a))) + away).sum(axis=-1))


def _logistic_terms(a: Array, y: Array) -> tuple[Array, Array]:
    return (1.0 - y) * _sigmoid(a), y * _sigmoid(-a)


def _not_a_distribution(y: Array) -> str | None:
    if (y < 0).any() or np.abs(y.sum(axis=1) - 1.0).max() > 1e-9:
        row = int(np.argmax((y < 0).any(axis=1) | (np.abs(y.sum(axis=1) - 1.0) > 1e-9)))
        return (
            f"row {row + 1} of the targets is no distribution over the outputs; cross_entropy "
            "wants numbers >= 0 that sum to 1 (1 for the class, 0 elsewhere)"
        )
    return None


def _not_in_unit_interval(y: Array) -> str | None:
    if (y < 0).any() or (y > 1).any():
        row = int(np.argmax(((y < 0) | (y > 1)).any(axis=1)))
        return f"row {row + 1} of the targets leaves [0, 1]; logistic wants 0, 1 or between"
    return None


squared = _squares("squared", 1.0)
half_squared = _squares("half_squared", 0.5)
cross_entropy = Loss(
    name="cross_entropy",
    convex=True,
    value=_cross_entropy_value,
    gradient=lambda a, y: np.subtract(*_cross_entropy_terms(a, y)),
    product=_cross_entropy_product,
    terms=_cross_entropy_terms,
    root=_cross_entropy_root,
    target_problem=_not_a_distribution,
)
logistic = Loss(
    name="logistic",
    convex=True,
    value=_logistic_value,
    gradient=lambda a, y: np.subtract(*_logistic_terms(a, y)),
    product=lambda a, y, t: TRANSFERS["sigmoid"].slope(a) * t,
    separable=True,
    terms=_logistic_terms,
    target_problem=_not_in_unit_interval,
)

#: Every loss by the name that presets use.
LOSSES: dict[str, Loss] = {
    loss.name: loss for loss in (squared, half_squared, cross_entropy, logistic)
}
