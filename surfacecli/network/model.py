"""A feedforward network: a_0 = x, h_l = W_l a_{l-1} + b_l, a_l = f_l(h_l), l = 1..L."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from surfacecli.network.transfers import Array, Transfer

# Separate streams, so that weights, data and directions drawn from one seed are independent.
WEIGHTS_STREAM, DATA_STREAM, DIRECTIONS_STREAM = 1, 2, 3


def random_stream(seed: int, *key: int) -> np.random.Generator:
    """A generator for one purpose: the same seed with another `key` is independent of it."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


@dataclass(frozen=True, eq=False)
class Network:
    """Weights W_l (n_l, n_{l-1}), biases b_l (n_l,) or None where there are none, transfers f_l.

    Raises `ValueError` where the shapes do not fit together or a number is not finite.
    """

    weights: tuple[Array, ...]
    biases: tuple[Array | None, ...]
    transfers: tuple[Transfer, ...]

    def __post_init__(self) -> None:
        if not self.weights:
            raise ValueError("a network needs at least one layer")
        if not len(self.weights) == len(self.biases) == len(self.transfers):
            raise ValueError(
                f"{len(self.weights)} weight matrices, {len(self.biases)} biases and "
                f"{len(self.transfers)} transfer functions: there must be one of each per layer"
            )
        for layer, (W, b) in enumerate(zip(self.weights, self.biases, strict=True), start=1):
            if W.ndim != 2 or 0 in W.shape:
                raise ValueError(f"W{layer} has shape {W.shape}; it must be (outputs, inputs)")
            if layer > 1 and W.shape[1] != self.weights[layer - 2].shape[0]:
                raise ValueError(
                    f"W{layer} takes {W.shape[1]} inputs, but layer {layer - 1} has "
                    f"{self.weights[layer - 2].shape[0]} units"
                )
            if b is not None and b.shape != (W.shape[0],):
                raise ValueError(f"b{layer} has shape {b.shape}; it must be ({W.shape[0]},)")
            if not np.isfinite(W).all() or (b is not None and not np.isfinite(b).all()):
                raise ValueError(f"layer {layer} holds a number that is not finite")

    @property
    def depth(self) -> int:
        """The number of layers L."""
        return len(self.weights)

    @property
    def widths(self) -> tuple[int, ...]:
        """(n_0, ..., n_L)."""
        return (self.weights[0].shape[1], *(W.shape[0] for W in self.weights))

    @property
    def piecewise_linear(self) -> bool:
        return all(f.piecewise_linear for f in self.transfers)

    def forward(self, inputs: Array) -> tuple[list[Array], list[Array]]:
        """Pre-activations [h_1, ..., h_L] and activations [a_0, ..., a_L] for inputs (N, n_0)."""
        pre_activations: list[Array] = []
        activations: list[Array] = [inputs]
        for W, b, f in zip(self.weights, self.biases, self.transfers, strict=True):
            h = activations[-1] @ W.T
            if b is not None:
                h = h + b
            pre_activations.append(h)
            activations.append(f.value(h))
        return pre_activations, activations

    def with_weights(self, replaced: Mapping[int, Array]) -> "Network":
        """The same network with the weights of some layers (counted from 1) replaced.

        Raises `ValueError` where a layer does not exist or its new weights do not fit.
        """
        for layer in replaced:
            if not 1 <= layer <= self.depth:
                raise ValueError(
                    f"{layer} is not a layer; the network has layers 1 to {self.depth}"
                )
        return replace(
            self,
            weights=tuple(replaced.get(layer, W) for layer, W in enumerate(self.weights, start=1)),
        )


def random_network(
    widths: Sequence[int], transfers: Sequence[Transfer], seed: int, biases: bool = False
) -> Network:
    """A network of `widths` (n_0, ..., n_L) with Gaussian weights scaled by 1/sqrt(fan-in).

    Biases, where wanted, are drawn like one more column of the weights.
    """
    weights: list[Array] = []
    offsets: list[Array | None] = []
    for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(widths), start=1):
        draw = random_stream(seed, WEIGHTS_STREAM, layer)
        weights.append(draw.standard_normal((fan_out, fan_in)) / np.sqrt(fan_in))
        offsets.append(draw.standard_normal(fan_out) / np.sqrt(fan_in) if biases else None)
    return Network(tuple(weights), tuple(offsets), tuple(transfers))
