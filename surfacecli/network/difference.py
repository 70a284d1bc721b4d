"""How far a layer's Gauss-Newton matrix is from its Hessian: the size of what D contributes.

    H_l - G_l = sum_n (PH_l,n - G_l,n) kron a_n a_n^T

Botev, Ritter and Barber (2017), section 3: with D = 0 in eq. (2) the two are one.
"""

from dataclasses import dataclass

import numpy as np

from surfacecli.network.curvature import backpropagate, layer_hessian, layer_product
from surfacecli.network.curvature.lanczos import find_extremes
from surfacecli.network.curvature.matrices import ALL
from surfacecli.network.curvature.spectrum import eigenvalues_of
from surfacecli.network.data import Objective
from surfacecli.network.model import Network
from surfacecli.network.transfers import Array

#: Products before the iteration gives up, where the matrix is larger than `ALL` rows.
PRODUCTS = 100


@dataclass(frozen=True)
class Difference:
    """The largest absolute eigenvalue of H_l - G_l; a lower bound where not `converged`."""

    size: float
    converged: bool = True


def gauss_newton_difference(
    objective: Objective, layer: int, network: Network | None = None
) -> Difference:
    """How far G_l is from H_l: exactly 0 where nothing bends from l on.

    Beyond `ALL` weights by at most `PRODUCTS` products with the difference itself.
    """
    passes = backpropagate(objective, network)
    if not passes.bent(layer):
        return Difference(0.0)
    shape = passes.network.weights[layer - 1].shape
    size = shape[0] * shape[1]
    if size <= ALL:
        H = layer_hessian(objective, layer, network)
        H -= layer_hessian(objective, layer, network, gauss_newton=True)
        return Difference(float(np.abs(eigenvalues_of(H)).max()))

    def product(v: Array) -> Array:
        return layer_product(passes, layer, v.reshape(shape), bends_only=True).ravel()

    found = find_extremes(product, size, products=PRODUCTS)
    return Difference(max(abs(found.smallest), abs(found.largest)), found.converged)
