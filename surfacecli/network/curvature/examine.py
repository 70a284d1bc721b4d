"""The curvature of each layer in numbers: of its weights, its pre-activations, by Gauss-Newton."""

import itertools
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from surfacecli.network.curvature.bounds import inner_rank_bounds
from surfacecli.network.curvature.dense import KroneckerSum
from surfacecli.network.curvature.inner import (
    inner_by_eigenvalues,
    inner_by_products,
    inner_rank_range,
    inner_ranks,
)
from surfacecli.network.curvature.outer import (
    DENSE,
    FACTORS,
    weights_by_factors,
    weights_by_matrix,
    weights_by_products,
    weights_by_units,
)
from surfacecli.network.curvature.passes import Backpropagation, backpropagate, check_layer
from surfacecli.network.curvature.recursion import walk_pre_activation_hessians
from surfacecli.network.curvature.spectrum import Rank, Spectrum, eigenvalues_of, zero_below
from surfacecli.network.curvature.traces import output_diagonal, pre_activation_traces
from surfacecli.network.data import Objective
from surfacecli.network.model import Network
from surfacecli.network.transfers import Array

#: The widest layer of which the pre-activation Hessians' eigenvalues are all found.
WIDE = 256
#: Multiply-adds that forming a layer's pre-activation Hessians may take.
WORK = 2e11


@dataclass(frozen=True, eq=False)
class LayerCurvature:
    """The curvature of one layer (from 1).

    weights: H_l over the n_l n_{l-1} weights; pre_activations: PH_l of all data points as one
    block-diagonal matrix (N n_l rows); gauss_newton and pre_activation_gauss_newton: the same with
    D = 0, the very same objects where nothing bends. `bent` tells whether D is not zero somewhere
    from this layer on, `convex` whether the loss is convex: without the one and with the other
    every PH_l is PSD (eq. (2)), and so is H_l. `on_node` counts (data point, unit) pairs on a node;
    `one_sided`: the weights could move one of them, or one in a layer above, off it.
    """

    layer: int
    weights: Spectrum
    pre_activations: Spectrum
    gauss_newton: Spectrum
    pre_activation_gauss_newton: Spectrum
    bent: bool
    convex: bool
    on_node: int
    one_sided: bool

    @property
    def size(self) -> int:
        """n_l n_{l-1}, the number of weights."""
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

    What is exact at which size: traces always. Eigenvalues and rank of H_l up to 4,500 weights, or
    where the data give it no more than so many factors (data points times the rank of their PH_l);
    and in the last layer at any size where the loss is a sum over outputs. Beyond, the extreme
    eigenvalues come by iteration (`Spectrum.converged` tells whether they are found) and the rank
    by bounds, which often meet: where not, `Rank.exact` is False. Of PH_l up to 256 units. Memory
    stays under 2 GB for widths up to 1000 and N = 1000.

    Raises `ValueError` where a layer does not exist or the network does not fit.
    """
    passes = backpropagate(objective, network)
    chosen = sorted(set(range(1, passes.network.depth + 1) if layers is None else layers))
    for layer in chosen:
        check_layer(passes.network, layer)
    parts = {n: [_Part(passes, n, gn) for gn in _kinds(passes, n)] for n in chosen}
    walked = [n for n in chosen if any(part.walks for part in parts[n])]
    if walked:
        for block in walk_pre_activation_hessians(passes, walked[0]):
            if block.layer in walked:
                for part in parts[block.layer]:
                    part.add(block.gauss_newton if part.gauss_newton else block.hessian, block.rows)
    return tuple(_conclude(passes, n, parts[n]) for n in chosen)


def _kinds(passes: Backpropagation, layer: int) -> tuple[bool, ...]:
    """The Hessian (False), and the Gauss-Newton matrix (True) where it is another."""
    return (False, True) if passes.bent(layer) else (False,)


def _conclude(passes: Backpropagation, layer: int, parts: list["_Part"]) -> LayerCurvature:
    inner, outer = zip(*(part.measure() for part in parts), strict=True)
    return LayerCurvature(
        layer,
        weights=outer[0],
        pre_activations=inner[0],
        gauss_newton=outer[-1],
        pre_activation_gauss_newton=inner[-1],
        bent=passes.bent(layer),
        convex=passes.objective.loss.convex,
        on_node=passes.on_node[layer - 1],
        one_sided=passes.kinked(layer),
    )


@dataclass
class _Part:
    """One layer's Hessian or Gauss-Newton matrix: what the walk over the data gathers of it."""

    passes: Backpropagation
    layer: int
    gauss_newton: bool
    walks: bool = field(init=False)
    eigenvalues: list[Array] = field(default_factory=list)
    factors: list[tuple[NDArray[np.intp], Array, Array]] = field(default_factory=list)
    trace: float = 0.0
    inner_trace: float = 0.0

    def __post_init__(self) -> None:
        passes, layer = self.passes, self.layer
        self.a = passes.inputs(layer)
        self.n, self.m = passes.network.weights[layer - 1].shape
        self.by_units = layer == passes.network.depth and passes.objective.loss.separable
        most = inner_rank_bounds(passes, layer, self.gauss_newton)
        #: No more columns of F than these.
        self.columns = int(most[np.any(self.a != 0, axis=1)].sum())
        formed = not self.by_units and self._work() <= WORK
        size = self.n * self.m
        few = self.columns <= DENSE and self.columns * size <= FACTORS and self.n <= WIDE
        self.by_factors = formed and few and self.columns <= size // 2
        dense = formed and size <= DENSE and not self.by_factors
        self.dense = KroneckerSum(self.n, self.m) if dense else None
        self.inner = formed and self.n <= WIDE
        self.walks = self.inner or dense

    def _work(self) -> float:
        """The multiply-adds of eq. (2) from the output to this layer."""
        widths = self.passes.network.widths[self.layer :]
        each = sum(n * above * (n + above) for n, above in itertools.pairwise(widths))
        return float(len(self.a)) * each

    def add(self, PH: Array, rows: slice) -> None:
        """PH_l, or G_l, (N, n_l, n_l) of the data points `rows`."""
        a = self.a[rows]
        self._add_traces(np.einsum("nii->n", PH), rows)
        if self.dense is not None:
            self.dense.add(PH, a)
        if self.by_factors:
            values, vectors = np.linalg.eigh(PH)
            sizes = np.abs(values)
            limit = zero_below(self.n, 1.0) * sizes.max(axis=1, keepdims=True)
            data, column = np.nonzero((sizes > limit) & np.any(a != 0, axis=1, keepdims=True))
            L = vectors[data, :, column] * np.sqrt(sizes[data, column])[:, None]
            self.factors.append((data + rows.start, L, np.sign(values[data, column])))
            self.eigenvalues.append(values)
        elif self.inner:
            self.eigenvalues.append(eigenvalues_of(PH))

    def _add_traces(self, traces: Array, rows: slice) -> None:
        self.inner_trace += float(traces.sum())
        self.trace += float(traces @ np.square(self.a[rows]).sum(axis=1))

    def measure(self) -> tuple[Spectrum, Spectrum]:
        """The spectra over the pre-activations and over the weights."""
        passes, layer, gauss_newton = self.passes, self.layer, self.gauss_newton
        if self.by_units:
            diagonal = output_diagonal(passes, gauss_newton)
            self._add_traces(diagonal.sum(axis=1), slice(None))
            ranks = np.asarray((diagonal != 0).sum(axis=1), dtype=np.intp)
            inner = inner_by_eigenvalues(ranks, diagonal, self.inner_trace)
            return inner, weights_by_units(passes, layer, diagonal, self.trace)
        if not self.walks:
            self._add_traces(pre_activation_traces(passes, layer, gauss_newton), slice(None))
        layer_of = (passes, layer, gauss_newton)
        if self.inner:
            eigenvalues = np.concatenate(self.eigenvalues)
            low = high = inner_ranks(*layer_of, eigenvalues)
            inner = inner_by_eigenvalues(high, eigenvalues, self.inner_trace)
        else:
            low, high = inner_rank_range(*layer_of)
            rank = Rank(int(low.sum()), int(high.sum()))
            inner = inner_by_products(*layer_of, self.inner_trace, rank)
        columns = int(high[np.any(self.a != 0, axis=1)].sum())
        if self.dense is not None:
            return inner, weights_by_matrix(*layer_of, self.dense.matrix(), self.trace, columns)
        if self.by_factors:
            return inner, weights_by_factors(*layer_of, self.factors, self.trace, columns)
        return inner, weights_by_products(*layer_of, self.trace, (low, high))
