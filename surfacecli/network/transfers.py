"""Transfer functions f, each with value f, slope f' and bend f''.

A piecewise-linear f is given by its nodes t_1 < ... < t_m, the slopes s_0 ... s_m of its pieces and
its intercepts c_0 ... c_m: f(h) = s_i h + c_i on piece i. At a node the slope is that of the piece
to the left (so relu has slope 0 at 0), and the bend is 0 everywhere: the recursion of Botev, Ritter
and Barber (2017), eq. (2), holds off the nodes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Transfer:
    """A transfer function, applied to each pre-activation by itself.

    `value`, `slope` and `bend` take and give arrays of any one shape. `nodes`, `slopes` and
    `intercepts` describe a piecewise-linear function and are None for a smooth one.
    """

    name: str
    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    bend: Callable[[Array], Array]
    nodes: tuple[float, ...] | None = None
    slopes: tuple[float, ...] | None = None
    intercepts: tuple[float, ...] | None = None

    @property
    def piecewise_linear(self) -> bool:
        return self.nodes is not None

    @property
    def is_identity(self) -> bool:
        return self.nodes == ()

    @property
    def homogeneous(self) -> bool:
        """Whether f(t h) = t f(h) for t >= 0: every node at 0 and f(0) = 0."""
        if self.nodes is None or self.intercepts is None:
            return False
        return set(self.nodes) <= {0.0} and not any(self.intercepts)

    def piece(self, h: Array) -> NDArray[np.int8]:
        """The number of the linear piece that each h lies on; a node counts to its left."""
        if self.nodes is None:
            raise ValueError(f"{self.name} is smooth: it has no pieces")
        number = np.zeros(np.shape(h), dtype=np.int8)
        for node in self.nodes:
            number += h > node
        return number


def _piecewise(
    name: str,
    value: Callable[[Array], Array],
    nodes: tuple[float, ...],
    slopes: tuple[float, ...],
    intercepts: tuple[float, ...],
) -> Transfer:
    def slope(h: Array) -> Array:
        result = np.full(np.shape(h), slopes[0])
        for node, right in zip(nodes, slopes[1:], strict=True):
            result[h > node] = right
        return result

    return Transfer(name, value, slope, np.zeros_like, nodes, slopes, intercepts)


def _sigmoid(h: Array) -> Array:
    # exp of a negative number on either side: no overflow.
    e = np.exp(-np.abs(h))
    return np.where(h >= 0, 1.0, e) / (1.0 + e)


def _sigmoid_slope(h: Array) -> Array:
    # Not s (1 - s), which is 0 from h = 37 on: the slope is even in h to the last bit.
    e = np.exp(-np.abs(h))
    return np.asarray(e / np.square(1.0 + e))


def _sigmoid_bend(h: Array) -> Array:
    return -_sigmoid_slope(h) * np.tanh(0.5 * h)


def _softplus(h: Array) -> Array:
    return np.maximum(h, 0.0) + np.log1p(np.exp(-np.abs(h)))


def _tanh_slope(h: Array) -> Array:
    # tanh h = 2 sigmoid(2 h) - 1, and so are its derivatives: without the cancellation of 1 - t^2.
    return 4.0 * _sigmoid_slope(2.0 * h)


def _tanh_bend(h: Array) -> Array:
    return 8.0 * _sigmoid_bend(2.0 * h)


def leaky_relu(slope: float = 0.01) -> Transfer:
    """max(h, slope h): `slope` on the left of 0, 1 on the right."""
    if not (np.isfinite(slope) and 0.0 < slope < 1.0):
        raise ValueError(f"the slope of leaky_relu is {slope}; it must lie between 0 and 1")

    def value(h: Array) -> Array:
        return np.maximum(h, slope * h)

    return _piecewise("leaky_relu", value, (0.0,), (slope, 1.0), (0.0, 0.0))


relu = _piecewise("relu", lambda h: np.maximum(h, 0.0), (0.0,), (0.0, 1.0), (0.0, 0.0))
absolute = _piecewise("abs", np.abs, (0.0,), (-1.0, 1.0), (0.0, 0.0))
hard_tanh = _piecewise(
    "hard_tanh",
    lambda h: np.clip(h, -1.0, 1.0),
    (-1.0, 1.0),
    (0.0, 1.0, 0.0),
    (-1.0, 0.0, 1.0),
)
identity = _piecewise("identity", np.copy, (), (1.0,), (0.0,))
tanh = Transfer("tanh", np.tanh, _tanh_slope, _tanh_bend)
sigmoid = Transfer("sigmoid", _sigmoid, _sigmoid_slope, _sigmoid_bend)
softplus = Transfer("softplus", _softplus, _sigmoid, _sigmoid_slope)

#: Every transfer function by the name that presets use.
TRANSFERS: dict[str, Transfer] = {
    t.name: t for t in (relu, leaky_relu(), absolute, hard_tanh, identity, tanh, sigmoid, softplus)
}
