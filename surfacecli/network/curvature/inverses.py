"""Products with the inverses of matrices that are never formed, where every factor is square.

    G_l = B_l W_{l+1}^T ... W_L^T C W_L ... W_{l+1} B_l     H_l V = Y A,  y_n = G_l,n (V a_n)

C is diagonal, A (N, n_{l-1}) what enters the layer. Lanczos's iteration finds the smallest
eigenvalue of such a matrix slowly, since so many are close to 0; of the inverse it is the largest,
and stands alone.
"""

from collections.abc import Callable

import numpy as np

from surfacecli.network.curvature.passes import Backpropagation
from surfacecli.network.curvature.roots import has_roots
from surfacecli.network.curvature.traces import output_diagonal
from surfacecli.network.transfers import Array

Product = Callable[[Array], Array]


def inner_inverse(passes: Backpropagation, layer: int, gauss_newton: bool) -> Product | None:
    """x -> PH_l^-1 x, or G_l^-1 x, for every data point, x (N, n_l), of matrices that are regular.

    None where their factors are not square, or the matrices no products at all.
    """
    network = passes.network
    if not passes.objective.loss.separable or not has_roots(passes, layer, gauss_newton):
        return None
    if len(set(network.widths[layer:])) > 1:
        return None
    inverses = [np.linalg.inv(W) for W in network.weights[layer:]]
    slopes = passes.slopes[layer - 1 : network.depth - 1]
    C = output_diagonal(passes, True)

    def product(x: Array) -> Array:
        for B, inverse in zip(slopes, inverses, strict=True):
            x = (x / B) @ inverse
        x = x / C
        for B, inverse in zip(reversed(slopes), reversed(inverses), strict=True):
            x = (x @ inverse.T) / B
        return x

    return product


def outer_inverse(passes: Backpropagation, layer: int, gauss_newton: bool) -> Product | None:
    """V -> H_l^-1 V for V (n_l, n_{l-1}); None as above, or where A is not square."""
    a = passes.inputs(layer)
    inner = inner_inverse(passes, layer, gauss_newton) if a.shape[0] == a.shape[1] else None
    if inner is None:
        return None
    inverse = np.linalg.inv(a)

    def product(V: Array) -> Array:
        return inner((V @ inverse).T).T @ inverse.T

    return product
