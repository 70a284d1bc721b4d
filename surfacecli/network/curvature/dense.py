"""A layer's Hessian as a matrix: eq. (1) of Botev, Ritter and Barber (2017), summed over the data.

    H_l = sum_n PH_l,n kron a_n a_n^T        a = a_{l-1}

The order of its rows and columns is that of W_l.ravel(): entry (i, j) of W_l is i n_{l-1} + j.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from surfacecli.network.curvature.passes import backpropagate, check_layer
from surfacecli.network.curvature.recursion import walk_pre_activation_hessians
from surfacecli.network.data import Objective
from surfacecli.network.model import Network
from surfacecli.network.transfers import Array


def layer_hessian(
    objective: Objective,
    layer: int,
    network: Network | None = None,
    gauss_newton: bool = False,
    biases: bool = False,
) -> Array:
    """H_l, (size, size) with size = n_l n_{l-1}, over the weights flattened as W_l.ravel().

    With `gauss_newton` the generalised Gauss-Newton matrix instead. With `biases` over the matrix
    [W_l b_l], (n_l, n_{l-1} + 1), flattened likewise. It has size^2 numbers: for layers where that
    is too many there is `layer_hessian_product`.
    """
    passes = backpropagate(objective, network)
    check_layer(passes.network, layer)
    a = passes.inputs(layer, biases)
    total = KroneckerSum(passes.network.widths[layer], a.shape[1])
    for block in walk_pre_activation_hessians(passes, layer):
        if block.layer == layer:
            total.add(block.gauss_newton if gauss_newton else block.hessian, a[block.rows])
    return total.matrix()


@dataclass
class KroneckerSum:
    """The running sum of P_n kron a_n a_n^T for symmetric P (n, n) and a (m,).

    Only the upper triangles of P and of a a^T are multiplied: a quarter of the work.
    """

    n: int
    m: int
    _sum: Array = field(init=False)

    def __post_init__(self) -> None:
        self._sum = np.zeros((self.n * (self.n + 1) // 2, self.m * (self.m + 1) // 2))

    def add(self, P: Array, a: Array) -> None:
        """P (N, n, n) and a (N, m) of a block of data points."""
        left, right = np.triu_indices(self.n), np.triu_indices(self.m)
        self._sum += P[:, left[0], left[1]].T @ (a[:, right[0]] * a[:, right[1]])

    def matrix(self) -> Array:
        """The sum as a matrix (n m, n m)."""
        whole = self._sum[_packed(self.n)[:, :, None, None], _packed(self.m)]
        size = self.n * self.m
        return np.asarray(whole.transpose(0, 2, 1, 3).reshape(size, size))


def _packed(n: int) -> NDArray[np.intp]:
    """Where entry (i, j) of a symmetric (n, n) matrix stands among those of its upper triangle."""
    place = np.empty((n, n), dtype=np.intp)
    rows, columns = np.triu_indices(n)
    place[rows, columns] = place[columns, rows] = np.arange(len(rows))
    return place
