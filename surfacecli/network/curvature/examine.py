"""The curvature of each layer in numbers: of the weights, the pre-activations, by Gauss-Newton.

How a layer is measured depends on its size. Up to `DENSE` weights: all eigenvalues of the matrix.
Fewer factors than that (PH_n = L_n S_n L_n^T, so H = F S F^T with one column of F for each nonzero
eigenvalue of each PH_n): those of R S R^T, F = Q R, which has the same nonzero eigenvalues. Beyond
both: extreme eigenvalues by Lanczos's iteration on products, the rank by bounds; no matrix of the
layer's size is ever formed.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np

from surfacecli.network.curvature.dense import KroneckerSum
from surfacecli.network.curvature.lanczos import find_extremes
from surfacecli.network.curvature.passes import Backpropagation, backpropagate, check_layer
from surfacecli.network.curvature.products import layer_product, pre_activation_product
from surfacecli.network.curvature.recursion import walk_pre_activation_hessians
from surfacecli.network.curvature.spectrum import (
    Rank,
    Spectrum,
    eigenvalues_of,
    spectrum_of,
    zero_below,
)
from surfacecli.network.data import Objective
from surfacecli.network.model import Network
from surfacecli.network.transfers import Array

#: The largest matrix (rows) of which all eigenvalues are found.
DENSE = 1500
#: The widest layer of which the pre-activation Hessians' eigenvalues are all found.
WIDE = 300


@dataclass(frozen=True, eq=False)
class LayerCurvature:
    """The curvature of one layer (from 1).

    weights: H_l over the n_l n_{l-1} weights; pre_activations: PH_l of all data points as one
    block-diagonal matrix (N n_l rows); gauss_newton and pre_activation_gauss_newton: the same with
    D = 0, the very same objects where nothing bends. `bent` tells whether D is not zero somewhere
    from this layer on, `convex` whether the loss is convex: without the one and with the other
    every PH_l is PSD (eq. (2)), and so is H_l. `on_node` counts (data point, unit) pairs on a node.
    """

    layer: int
    weights: Spectrum
    pre_activations: Spectrum
    gauss_newton: Spectrum
    pre_activation_gauss_newton: Spectrum
    bent: bool
    convex: bool
    on_node: int

    @property
    def size(self) -> int:
        return self.weights.size

    @property
    def trace(self) -> float:
        return self.weights.trace

    @property
    def rank(self) -> Rank:
        return self.weights.rank

    @property
    def smallest_eigenvalue(self) -> float:
        return self.weights.smallest_eigenvalue

    @property
    def largest_eigenvalue(self) -> float:
        return self.weights.largest_eigenvalue

    @property
    def psd(self) -> bool | None:
        return self.weights.psd

    @property
    def reason(self) -> str:
        """Why H_l must be PSD, or why it need not."""
        bends = "the transfer functions bend from here on (D is not 0)"
        loss = "the loss is not convex"
        if self.bent:
            return bends if self.convex else f"{bends} and {loss}"
        return "D = 0 and the loss is convex" if self.convex else loss


def examine_layers(
    objective: Objective,
    network: Network | None = None,
    layers: Collection[int] | None = None,
) -> tuple[LayerCurvature, ...]:
    """The curvature of the layers asked for (None: all), lowest first.

    Raises `ValueError` where a layer does not exist or the network does not fit.
    """
    passes = backpropagate(objective, network)
    chosen = sorted(set(range(1, passes.network.depth + 1) if layers is None else layers))
    for layer in chosen:
        check_layer(passes.network, layer)
    if not chosen:
        return ()
    gathered = {n: (_Gathered(passes, n, False), _Gathered(passes, n, True)) for n in chosen}
    for block in walk_pre_activation_hessians(passes, chosen[0]):
        if block.layer in gathered:
            hessian, gauss_newton = gathered[block.layer]
            hessian.add(block.hessian, block.rows)
            if passes.bent(block.layer):
                gauss_newton.add(block.gauss_newton, block.rows)
    results = []
    for layer, (hessian, gauss_newton) in gathered.items():
        bent = passes.bent(layer)
        inner, outer = hessian.pre_activations(), hessian.weights()
        results.append(
            LayerCurvature(
                layer,
                outer,
                inner,
                gauss_newton.weights() if bent else outer,
                gauss_newton.pre_activations() if bent else inner,
                bent,
                objective.loss.convex,
                passes.on_node[layer - 1],
            )
        )
    return tuple(results)


@dataclass
class _Gathered:
    """What is gathered of one layer's matrices while the recursion walks the data."""

    passes: Backpropagation
    layer: int
    gauss_newton: bool
    dense: KroneckerSum | None = field(init=False, default=None)
    trace: float = 0.0
    inner_trace: float = 0.0
    ranks: int = 0
    eigenvalues: list[Array] = field(default_factory=list)
    columns: list[Array] | None = field(default_factory=list)
    signs: list[Array] = field(default_factory=list)
    counts: int = 0

    def __post_init__(self) -> None:
        self.a = self.passes.inputs(self.layer)
        self.n, self.m = self.passes.network.weights[self.layer - 1].shape
        if self.n * self.m <= DENSE:
            self.dense = KroneckerSum(self.n, self.m)
            self.columns = None

    def add(self, PH: Array, rows: slice) -> None:
        a = self.a[rows]
        traces = np.einsum("nii->n", PH)
        self.inner_trace += float(traces.sum())
        self.trace += float(traces @ np.square(a).sum(axis=1))
        if self.dense is not None:
            self.dense.add(PH, a)
        if self.n > WIDE:
            self.columns = None
            return
        if self.columns is None:
            self.eigenvalues.append(eigenvalues_of(PH))
            return
        values, vectors = np.linalg.eigh(PH)
        self.eigenvalues.append(values)
        size = np.abs(values)
        limit = zero_below(self.n, 1.0) * size.max(axis=1, keepdims=True)
        data, column = np.nonzero((size > limit) & np.any(a != 0, axis=1, keepdims=True))
        self.counts += len(data)
        if self.counts > DENSE:
            self.columns = None
            return
        scaled = vectors[data, :, column] * np.sqrt(size[data, column])[:, None]
        self.columns.append((scaled[:, :, None] * a[data, None, :]).reshape(len(data), -1))
        self.signs.append(np.sign(values[data, column]))

    def weights(self) -> Spectrum:
        """H_l in numbers."""
        size = self.n * self.m
        if self.dense is not None:
            return spectrum_of(eigenvalues_of(self.dense.matrix()), self.trace)
        if self.columns is not None:
            F, signs = np.concatenate(self.columns), np.concatenate(self.signs)
            R = np.asarray(np.linalg.qr(F.T, mode="r"), dtype=np.float64)
            return spectrum_of(eigenvalues_of((R * signs) @ R.T), self.trace, size)

        def product(v: Array) -> Array:
            V = v.reshape(self.n, self.m)
            return layer_product(self.passes, self.layer, V, self.gauss_newton).ravel()

        high = min(size, self.n * min(self.m, int(np.linalg.matrix_rank(self.a))))
        if self.n <= WIDE:
            high = min(high, self._inner_ranks())
        return self._by_products(product, size, self.trace, high)

    def _inner_ranks(self) -> int:
        values = np.abs(np.concatenate(self.eigenvalues))
        limit = zero_below(self.n, 1.0) * values.max(axis=1, keepdims=True)
        return int(((values > limit) & (values > 0)).sum())

    def _by_products(
        self, product: Callable[[Array], Array], size: int, trace: float, high: int
    ) -> Spectrum:
        found = find_extremes(product, size)
        scale = max(abs(found.smallest), abs(found.largest))
        zero = max(zero_below(size, scale), found.smallest_residual)
        proven = self.passes.objective.loss.convex and (
            self.gauss_newton or not self.passes.bent(self.layer)
        )
        smallest = found.smallest
        converged = found.converged
        if proven and high < size:
            smallest = 0.0
        psd: bool | None = True if proven else smallest >= -zero
        if not proven and smallest >= -zero and not converged:
            psd = None
        return Spectrum(
            size, trace, Rank(1 if scale > 0 else 0, high), smallest, found.largest, psd, converged
        )

    def pre_activations(self) -> Spectrum:
        """PH_l of all data points as one block-diagonal matrix, in numbers."""
        size = len(self.a) * self.n
        if self.n <= WIDE:
            values = np.concatenate(self.eigenvalues)
            found = spectrum_of(values.ravel(), self.inner_trace)
            rank = self._inner_ranks()
            return Spectrum(
                found.size,
                found.trace,
                Rank(rank, rank),
                found.smallest_eigenvalue,
                found.largest_eigenvalue,
                found.psd,
                True,
                found.eigenvalues,
            )

        def product(v: Array) -> Array:
            x = v.reshape(-1, self.n)
            return pre_activation_product(self.passes, self.layer, x, self.gauss_newton).ravel()

        return self._by_products(product, size, self.inner_trace, size)
