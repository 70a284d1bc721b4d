"""The opponent: blocked NumPy forward passes over a grid, written for speed and for two layers.

They share no code with the project but the arrays of a `Slice`. Three ways, each with less work
than the one before:

    whole    the whole net at every grid point
    kept     activations that the slice does not move, or moves with u alone, are kept
    affine   where one layer moves, its pre-activations c + u p + v q are two array operations

Rows of the data are taken in blocks that stay in the cache; every array operation writes into a
buffer of its block. A rectifier takes the maximum with an array of zeros, which numpy does three
times as fast as the maximum with the number 0.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.slices import Slice

Array = NDArray[np.float64]

#: Data points in a block: of 125, 250, 500 and 1000 the fastest on the machine of the README.
ROWS = 500


class _Block:
    """A block of the data with the buffers of its pre-activations."""

    def __init__(self, slice: Slice, rows: np.s_) -> None:
        network = slice.objective.network
        hidden, outputs = network.widths[1:]
        self.x = np.ascontiguousarray(slice.objective.data.inputs[rows])
        self.y = np.ascontiguousarray(slice.objective.data.targets[rows])
        self.h = np.empty((len(self.x), hidden))
        self.o = np.empty((len(self.x), outputs))
        self._no_h, self._no_o = np.zeros_like(self.h), np.zeros_like(self.o)
        self._rectified = network.transfers[1].name == "relu"
        # W1 and W2 as the products below want them: (inputs, hidden), (hidden, outputs).
        self.W1, self.W2 = (np.ascontiguousarray(W.T) for W in network.weights)

    def rectify(self) -> Array:
        return np.maximum(self.h, self._no_h, out=self.h)

    def squares(self) -> float:
        """The error of the block from its last pre-activations `o`."""
        if self._rectified:
            np.maximum(self.o, self._no_o, out=self.o)
        np.subtract(self.o, self.y, out=self.o)
        return float(np.vdot(self.o, self.o))


def _blocks(slice: Slice) -> Iterator[_Block]:
    names = [f.name for f in slice.objective.network.transfers]
    assert names in (["relu", "identity"], ["relu", "relu"])
    assert not any(b is not None for b in slice.objective.network.biases)
    assert slice.objective.loss.name == "squared"
    for start in range(0, len(slice.objective.data), ROWS):
        yield _Block(slice, np.s_[start : start + ROWS])


def _moved(slice: Slice, layer: int) -> tuple[Array, Array, Array]:
    """Origin, U and V of a layer, each transposed; zero where an axis does not move it."""
    W = slice.origin[layer].T
    U, V = slice.along_u.get(layer), slice.along_v.get(layer)
    none = np.zeros_like(W)
    parts = (W, none if U is None else U.T, none if V is None else V.T)
    return tuple(np.ascontiguousarray(part) for part in parts)


def whole(slice: Slice, u: Array, v: Array) -> Array:
    """Every layer at every grid point; error (n_v, n_u)."""
    error = np.zeros((len(v), len(u)))
    moved = {layer: _moved(slice, layer) for layer in slice.moved}
    for block in _blocks(slice):
        W1, W2 = block.W1, block.W2
        for i, z in enumerate(v):
            for j, x in enumerate(u):
                if 1 in moved:
                    W, U, V = moved[1]
                    W1 = W + x * U + z * V
                np.matmul(block.x, W1, out=block.h)
                if 2 in moved:
                    W, U, V = moved[2]
                    W2 = W + x * U + z * V
                np.matmul(block.rectify(), W2, out=block.o)
                error[i, j] += block.squares()
    return error


def kept(slice: Slice, u: Array, v: Array) -> Array:
    """Last layer: the hidden activations once. Across layers: once for each column."""
    error = np.zeros((len(v), len(u)))
    W, U, V = _moved(slice, 2)
    for block in _blocks(slice):
        W1 = block.W1
        for j, x in enumerate(u):
            if j == 0 or 1 in slice.moved:
                if 1 in slice.moved:
                    origin, along_u, _ = _moved(slice, 1)
                    W1 = origin + x * along_u
                np.matmul(block.x, W1, out=block.h)
                block.rectify()
            W_u = W + x * U
            for i, z in enumerate(v):
                np.matmul(block.h, W_u + z * V, out=block.o)
                error[i, j] += block.squares()
    return error


def affine(slice: Slice, u: Array, v: Array) -> Array:
    """One moved layer: its pre-activations are c + v q, once for each row, + u p."""
    error = np.zeros((len(v), len(u)))
    layer = slice.first_moved
    W, U, V = _moved(slice, layer)
    for block in _blocks(slice):
        if layer == 1:
            inputs, h = block.x, block.h
        else:
            np.matmul(block.x, block.W1, out=block.h)
            inputs, h = block.rectify(), block.o
        c, p, q = inputs @ W, inputs @ U, inputs @ V
        for i, z in enumerate(v):
            row = c + z * q
            for j, x in enumerate(u):
                np.multiply(p, x, out=h)
                np.add(h, row, out=h)
                if layer == 1:
                    np.matmul(block.rectify(), block.W2, out=block.o)
                error[i, j] += block.squares()
    return error
