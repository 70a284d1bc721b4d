"""A layer's Hessian as a matrix: eq. (1) of Botev, Ritter and Barber (2017), summed over the data.

    H_l = sum_n PH_l,n kron a_n a_n^T        a = a_{l-1}

The order of its rows and columns is that of W_l.ravel(): entry (i, j) of W_l is i n_{l-1} + j.
"""

import numpy as np
from numpy.typing import NDArray

from surfacecli.network.curvature.passes import backpropagate, check_layer
from surfacecli.network.curvature.recursion import BLOCK, walk_pre_activation_hessians
from surfacecli.network.data import Objective
from surfacecli.network.model import Network
from surfacecli.network.transfers import Array

#: Up to this many inputs of a layer the products a_i a_j are formed for each data point.
PACKED = 100


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


class KroneckerSum:
    """The running sum of P_n kron a_n a_n^T for symmetric P (n, n) and a (m,).

    Upper triangles only: a quarter of the multiply-adds where both are small, and where m is large,
    so that the products a_i a_j would be many numbers for each data point, a half.
    """

    def __init__(self, n: int, m: int) -> None:
        self.n, self.m = n, m
        self._left, self._right = np.triu_indices(n), np.triu_indices(m)
        pairs = len(self._left[0])
        self._packs = m <= PACKED
        self._sum = np.zeros((pairs, len(self._right[0])) if self._packs else (pairs, m, m))

    def add(self, P: Array, a: Array) -> None:
        """P (N, n, n) and a (N, m) of a block of data points."""
        i, j = self._left
        if not self._packs:
            for pair, (row, column) in enumerate(zip(i, j, strict=True)):
                self._sum[pair] += (a.T * P[:, row, column]) @ a
            return
        step = max(1, BLOCK // self._sum.shape[1])
        for start in range(0, len(a), step):
            block = a[start : start + step]
            products = block[:, self._right[0]] * block[:, self._right[1]]
            self._sum += P[start : start + step, i, j].T @ products

    def matrix(self) -> Array:
        """The sum as a matrix (n m, n m)."""
        pairs = self._sum[:, _packed(self.m)] if self._packs else self._sum
        whole = np.empty((self.n, self.m, self.n, self.m))
        i, j = self._left
        whole[i, :, j] = pairs
        whole[j, :, i] = pairs
        size = self.n * self.m
        return whole.reshape(size, size)


def _packed(n: int) -> NDArray[np.intp]:
    """Where entry (i, j) of a symmetric (n, n) matrix stands among those of its upper triangle."""
    place = np.empty((n, n), dtype=np.intp)
    rows, columns = np.triu_indices(n)
    place[rows, columns] = place[columns, rows] = np.arange(len(rows))
    return place
