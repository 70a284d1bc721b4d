"""Losses between the last activation a and the target y of one data point, with derivatives in a.

    squared        sum_k (a_k - y_k)^2            (the post's, without a half)
    half_squared   sum_k (a_k - y_k)^2 / 2
    cross_entropy  -sum_k y_k log softmax(a)_k    y a distribution over the outputs
    logistic       sum_k log(1 + exp(a_k)) - y_k a_k    y_k in [0, 1], each output by itself

Arrays end in the axis of the outputs, (..., n_L); the axes before it are free.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from surfacecli.network.transfers import TRANSFERS, Array

_sigmoid = TRANSFERS["sigmoid"].value
_softplus = TRANSFERS["softplus"].value


@dataclass(frozen=True)
class Loss:
    """A loss per data point.

    value (a, y) -> (...,); gradient (a, y) -> (..., n_L); hessian (a, y) -> (..., n_L, n_L);
    product (a, y, t) -> (..., n_L), the Hessian times t. `convex` says whether the loss is convex
    in a, `separable` whether it is a sum of functions of one output each: then its Hessian is
    diagonal. `scale` is s where the loss is s |a - y|^2, None where it is not of that form.
    `target_problem` takes the targets (N, n_L) and says what is wrong with them, or None.
    """

    name: str
    convex: bool
    value: Callable[[Array, Array], Array]
    gradient: Callable[[Array, Array], Array]
    product: Callable[[Array, Array, Array], Array]
    separable: bool = False
    scale: float | None = None
    target_problem: Callable[[Array], str | None] = lambda y: None

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


def _softmax(a: Array) -> Array:
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def _cross_entropy_value(a: Array, y: Array) -> Array:
    # Everything relative to the largest a: no overflow, and nothing large to cancel.
    below = a - a.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(below).sum(axis=-1))
    return np.asarray(y.sum(axis=-1) * log_sum - (y * below).sum(axis=-1))


def _cross_entropy_product(a: Array, y: Array, t: Array) -> Array:
    p = _softmax(a)
    total = y.sum(axis=-1, keepdims=True)
    return np.asarray(total * p * (t - (p * t).sum(axis=-1, keepdims=True)))


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
    gradient=lambda a, y: y.sum(axis=-1, keepdims=True) * _softmax(a) - y,
    product=_cross_entropy_product,
    target_problem=_not_a_distribution,
)
logistic = Loss(
    name="logistic",
    convex=True,
    value=lambda a, y: np.asarray((_softplus(a) - y * a).sum(axis=-1)),
    gradient=lambda a, y: _sigmoid(a) - y,
    product=lambda a, y, t: TRANSFERS["sigmoid"].slope(a) * t,
    separable=True,
    target_problem=_not_in_unit_interval,
)

#: Every loss by the name that presets use.
LOSSES: dict[str, Loss] = {
    loss.name: loss for loss in (squared, half_squared, cross_entropy, logistic)
}
