"""Directions in a layer's weights that the error itself marks out, at a network's own weights.

The gradient, g / |g|, along which E rises with slope |g|; and eigenvectors of the layer's Hessian,
H x = t x, |x| = 1, along which it curves by t, numbered from the largest t. In a plane of two of
the latter E's Hessian is diag(t_1, t_2). The sign is made so that the largest entry is positive.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from surfacecli.network.curvature.eigenvectors import top_eigenpairs
from surfacecli.network.curvature.passes import backpropagate, check_layer
from surfacecli.network.curvature.products import layer_product
from surfacecli.network.curvature.spectrum import zero_below
from surfacecli.network.data import Objective
from surfacecli.network.transfers import Array

#: Eigenvalues nearer than this, relative to the largest, are one, with a plane of eigenvectors.
EQUAL = 1e-8
#: A gradient below this, relative to the terms that it is the sum of, is rounding.
FLAT = 1e-12
#: What to do where nothing is marked out.
INSTEAD = " and marks out no direction; take other weights, or directions: {seed: 1}"
#: Entries within this of the largest one, relative to it, are as large: the first decides the sign.
TIE = 1e-6


class NoDirectionError(ValueError):
    """The error marks out no such direction."""


def gradient_direction(objective: Objective, layers: Collection[int]) -> dict[int, Array]:
    """The gradient of E in the weights of some layers, together of norm 1, by layer.

    Raises `NoDirectionError` where it is 0, up to rounding.
    """
    passes = backpropagate(objective)
    gradient = {layer: passes.weight_gradients[layer - 1] for layer in layers}
    terms = [
        np.abs(passes.sensitivities[layer - 1]).T @ np.abs(passes.inputs(layer)) for layer in layers
    ]
    norm = _norm(gradient.values())
    if norm <= FLAT * _norm(terms):
        raise NoDirectionError(f"the gradient is 0 at the network's weights{INSTEAD}")
    return {layer: g / norm for layer, g in gradient.items()}


def _norm(parts: Collection[Array]) -> float:
    return float(np.sqrt(sum(float(np.square(part).sum()) for part in parts)))


@dataclass(frozen=True, eq=False)
class TopEigenvectors:
    """The largest eigenvalues of a layer's Hessian, the largest first, and their vectors.

    `values` (k,), `vectors` (k, n_l, n_{l-1}), of `size` eigenvalues in all.
    """

    values: Array
    vectors: Array
    size: int

    def direction(self, number: int) -> Array:
        """Eigenvector `number`, from 1, (n_l, n_{l-1}).

        Raises `NoDirectionError` where there is no such eigenvalue, where it is 0, or where it is
        not alone: then its vector is not determined.
        """
        if number > self.size:
            raise NoDirectionError(f"there is no eigenvalue {number} of {self.size} weights")
        value, largest = self.values[number - 1], float(np.abs(self.values).max())
        zero = zero_below(self.size, largest)
        if abs(value) <= zero:
            above = int((self.values > zero).sum())
            if not above:
                raise NoDirectionError(
                    f"the Hessian has no eigenvalue above 0 at the network's weights{INSTEAD}"
                )
            first = f"the first {above} are" if above > 1 else "the first is"
            raise NoDirectionError(f"eigenvalue {number} of the Hessian is 0; only {first} above 0")
        for pair in ((number - 1, number), (number, number + 1)):
            if pair[0] < 1 or pair[1] > len(self.values):
                continue
            if self.values[pair[0] - 1] - self.values[pair[1] - 1] <= EQUAL * largest:
                raise NoDirectionError(
                    f"eigenvalues {pair[0]} and {pair[1]} of the Hessian are equal ({value:.6g}): "
                    "neither has a vector of its own"
                )
        return signed(self.vectors[number - 1])


def top_eigenvectors(objective: Objective, layer: int, count: int) -> TopEigenvectors:
    """The `count` top eigenvectors of a layer's Hessian, and one more that tells them apart.

    Raises `NoDirectionError` where the iteration for large layers does not find them.
    """
    passes = backpropagate(objective)
    check_layer(passes.network, layer)
    shape = passes.network.weights[layer - 1].shape
    size = shape[0] * shape[1]

    def product(vectors: Array) -> Array:
        return layer_product(passes, layer, vectors.reshape(-1, *shape)).reshape(-1, size)

    try:
        values, vectors = top_eigenpairs(product, size, min(count + 1, size))
    except ValueError as error:
        raise NoDirectionError(f"{error}") from error
    return TopEigenvectors(values, vectors.reshape(-1, *shape), size)


def signed(direction: Array) -> Array:
    """A direction or its opposite: the one whose largest entry is positive."""
    size = np.abs(direction).ravel()
    first = int(np.argmax(size >= (1.0 - TIE) * size.max()))
    return direction if direction.flat[first] > 0 else -direction
