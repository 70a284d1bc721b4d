"""The error E(u, v) of a slice at any batch of points, with exact first and second derivatives.

Second-order forward propagation: with x_i the derivative of x in i and x_ij the second one,

    h   = W a + b           h_i  = W a_i + W_i a         h_ij = W a_ij + W_i a_j + W_j a_i
    a'  = f(h)              a'_i = f'(h) h_i             a'_ij = f''(h) h_i h_j + f'(h) h_ij
    E   = sum loss(a', y)   E_i  = sum g . a'_i          E_ij = sum g . a'_ij + a'_i . H a'_j

where W_u = U, W_v = V on moved layers, and g and H are the loss's gradient and Hessian. Nothing is
assumed of the transfer functions: a bend, or a slice that moves two layers, enters through x_ij.
Legend: P points, N data points, n units of a layer; arrays are (P, N, n).
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from surfacecli.geometry.slices import Slice
from surfacecli.network.transfers import Array, Transfer

#: Numbers in one block of work arrays (about 2 MB each): they stay in the processor's cache.
BLOCK = 1 << 18


@dataclass(frozen=True, eq=False)
class Derivatives:
    """E and its derivatives at P points: error (P,), gradient (P, 2), hessian (P, 2, 2).

    `gauss_newton` (P, 2, 2) is the part of the Hessian that bends of the net have no share in,
    sum a'_i . H a'_j: the generalised Gauss-Newton matrix in the slice.
    `on_node` (P,) is True where some pre-activation passes a node of its transfer function exactly
    there; the derivatives are those of the pieces to the left. One that lies on a node all around,
    as behind dead units, makes no kink and does not count.
    """

    error: Array
    gradient: Array
    hessian: Array
    gauss_newton: Array
    on_node: NDArray[np.bool_]


@dataclass
class Jet:
    """The activations of a layer at a block of points, with their derivatives in (u, v).

    A derivative of None is zero. Before the first moved layer `a` is (N, n), the same everywhere.
    """

    a: Array
    first: list[Array | None]
    second: list[Array | None]  # uu, uv, vv


def fixed_inputs(slice: Slice) -> Array:
    """The activations (N, n) that enter the first moved layer: the same over the whole slice."""
    _, activations = slice.objective.network.forward(slice.objective.data.inputs)
    return activations[slice.first_moved - 1]


def affine_parts(slice: Slice, inputs: Array) -> tuple[Array, Array | None, Array | None]:
    """Constant, u part and v part (N, n) of the first moved layer's pre-activations."""
    layer = slice.first_moved
    U, V = slice.along_u.get(layer), slice.along_v.get(layer)
    b = slice.objective.network.biases[layer - 1]
    constant = inputs @ slice.origin[layer].T
    return (
        constant if b is None else constant + b,
        None if U is None else inputs @ U.T,
        None if V is None else inputs @ V.T,
    )


def blocks(count: int, numbers_each: int) -> Iterator[slice]:
    """Consecutive slices of range(count), each of about `BLOCK` numbers."""
    step = max(1, BLOCK // max(1, numbers_each))
    for start in range(0, count, step):
        yield np.s_[start : min(start + step, count)]


def _linear(x: Array, W: Array) -> Array:
    """x W^T for x (N, n) or (P, N, n) and W (m, n) or, one for each point, (P, m, n)."""
    if W.ndim == 2 and x.ndim == 3:
        # One product of two matrices, not P small ones.
        flat = x.reshape(-1, x.shape[-1]) @ W.T
        return flat.reshape(*x.shape[:-1], W.shape[0])
    return np.asarray(x @ W.swapaxes(-1, -2))


def weights_at(slice: Slice, layer: int, u: Array, v: Array) -> Array:
    """The weights of a layer at points (P,): (P, m, n), or (m, n) where the layer is not moved."""
    W = slice.origin.get(layer, slice.objective.network.weights[layer - 1])
    for coordinate, along in ((u, slice.along_u), (v, slice.along_v)):
        if layer in along:
            W = W + coordinate[:, None, None] * along[layer]
    return W


def _sum(*terms: Array | None) -> Array | None:
    total: Array | None = None
    for term in terms:
        if term is not None:
            total = term if total is None else total + term
    return total


def _pre_activations(slice: Slice, layer: int, jet: Jet, u: Array, v: Array, order: int) -> Jet:
    """h and its derivatives of one layer from the activations below it."""
    network = slice.objective.network
    U, V = slice.along_u.get(layer), slice.along_v.get(layer)
    if layer == slice.first_moved:
        constant, part_u, part_v = affine_parts(slice, jet.a)
        rows = [part for part in (constant, part_u, part_v) if part is not None]
        factors = [np.ones_like(u)]
        factors += [x for x, part in ((u, part_u), (v, part_v)) if part is not None]
        stacked = np.stack([part.ravel() for part in rows])
        h = (np.stack(factors, axis=1) @ stacked).reshape(-1, *constant.shape)
        return Jet(h, [part_u, part_v] if order else [], [None] * 3 if order else [])

    W = weights_at(slice, layer, u, v)
    h = _linear(jet.a, W)
    b = network.biases[layer - 1]
    if b is not None:
        h += b
    if not order:
        return Jet(h, [], [])

    def through(x: Array | None, matrix: Array | None, factor: float = 1.0) -> Array | None:
        return None if x is None or matrix is None else factor * _linear(x, matrix)

    (a_u, a_v), (a_uu, a_uv, a_vv) = jet.first, jet.second
    return Jet(
        h,
        [
            _sum(through(a_u, W), through(jet.a, U)),
            _sum(through(a_v, W), through(jet.a, V)),
        ],
        [
            _sum(through(a_uu, W), through(a_u, U, 2.0)),
            _sum(through(a_uv, W), through(a_u, V), through(a_v, U)),
            _sum(through(a_vv, W), through(a_v, V, 2.0)),
        ],
    )


_PAIRS = ((0, 0), (0, 1), (1, 1))


def layers_at(slice: Slice, inputs: Array, u: Array, v: Array) -> Iterator[tuple[Array, Array]]:
    """Pre-activations and activations, (P, N, n) each, of the layers from the first moved one on.

    `inputs` are those of `fixed_inputs`; the caller chooses a block of P points that fits.
    """
    for _, pre, jet in propagate(slice, inputs, u, v, 0):
        yield pre.a, jet.a


def hidden_activations(slice: Slice, inputs: Array, u: Array, v: Array) -> Array:
    """The activations below the last layer, (P, N, n), or `inputs` (N, n) where that layer is all.

    `inputs` are those of `fixed_inputs`; the caller chooses a block of P points that fits.
    """
    a, count = inputs, slice.objective.network.depth - slice.first_moved
    for _, above in itertools.islice(layers_at(slice, inputs, u, v), count):
        a = above
    return a


def propagate(
    slice: Slice,
    inputs: Array,
    u: Array,
    v: Array,
    order: int,
    pieces: Sequence[NDArray[np.int8]] | None = None,
) -> Iterator[tuple[int, Jet, Jet]]:
    """Layer by layer (layer, pre-activations, activations) at a block of points.

    `order` 0 gives values, 2 derivatives too. `inputs` are those of `fixed_inputs`, or some rows of
    them. With `pieces`, one array (P, N, n) for each layer from the first moved one on, every unit
    keeps that linear piece, on which it lies or not: E is then the polynomial of a cell, continued
    past the cell's kinks.
    """
    network = slice.objective.network
    jet = Jet(inputs, [None, None], [None, None, None])
    for layer in range(slice.first_moved, network.depth + 1):
        f = network.transfers[layer - 1]
        pre = _pre_activations(slice, layer, jet, u, v, order)
        h = pre.a
        piece = None if pieces is None else pieces[layer - slice.first_moved]
        slope: Array | None = None
        if piece is not None:
            slope = np.asarray(f.slopes)[piece]
            jet = Jet(slope * h + np.asarray(f.intercepts)[piece], [], [])
        else:
            jet = Jet(f.value(h), [], [])
        if order:
            bend = None if piece is not None else _bend(f, h)
            slope = f.slope(h) if slope is None else slope
            jet.first = [None if h_i is None else slope * h_i for h_i in pre.first]
            for (i, j), h_ij in zip(_PAIRS, pre.second, strict=True):
                h_i, h_j = pre.first[i], pre.first[j]
                bent = None if bend is None or h_i is None or h_j is None else bend * h_i * h_j
                jet.second.append(_sum(bent, None if h_ij is None else slope * h_ij))
        yield layer, pre, jet


def _outputs(
    slice: Slice,
    inputs: Array,
    u: Array,
    v: Array,
    order: int,
    pieces: Sequence[NDArray[np.int8]] | None = None,
) -> tuple[Jet, NDArray[np.bool_]]:
    """The last activations at a block of points, with derivatives where `order` is 2."""
    on_node = np.zeros(len(u), dtype=np.bool_)
    outputs = Jet(inputs, [], [])
    for layer, pre, outputs in propagate(slice, inputs, u, v, order, pieces):  # noqa: B007
        for node in (slice.objective.network.transfers[layer - 1].nodes or ()) if order else ():
            at_node = pre.a == node
            if at_node.any():
                on_node |= (at_node & _moves(pre)).any(axis=(1, 2))
    return outputs, on_node


def _bend(f: Transfer, h: Array) -> Array | None:
    """f''(h), None where it is zero throughout: asked, not taken on trust from f's description."""
    bend = f.bend(h)
    return bend if bend.any() else None


def _moves(pre: Jet) -> NDArray[np.bool_]:
    """Where a pre-activation changes with u or v."""
    moves = np.zeros(pre.a.shape, dtype=np.bool_)
    for part in (*pre.first, *pre.second):
        if part is not None:
            moves |= part != 0
    return moves


def _flat_points(u: ArrayLike, v: ArrayLike) -> tuple[Array, Array, tuple[int, ...]]:
    along_u, along_v = np.broadcast_arrays(np.asarray(u, float), np.asarray(v, float))
    return along_u.ravel(), along_v.ravel(), along_u.shape


def numbers_per_point(slice: Slice) -> int:
    """Numbers in the widest work array for one point: N times the widest moved-or-later layer."""
    network = slice.objective.network
    return len(slice.objective.data) * max(network.widths[slice.first_moved :])


def evaluate(slice: Slice, u: ArrayLike, v: ArrayLike) -> Array:
    """E at the points (u, v), arrays of any one (broadcast) shape, which the result has too.

    A plain forward pass in blocks that fit the cache: memory does not grow with the points.
    """
    u, v, shape = _flat_points(u, v)
    inputs, y = fixed_inputs(slice), slice.objective.data.targets
    error = np.empty(len(u))
    for block in blocks(len(u), numbers_per_point(slice)):
        jet, _ = _outputs(slice, inputs, u[block], v[block], order=0)
        error[block] = slice.objective.loss.value(jet.a, y).sum(axis=-1)
    return error.reshape(shape)


def differentiate(
    slice: Slice,
    u: ArrayLike,
    v: ArrayLike,
    pieces: Sequence[NDArray[np.int8]] | None = None,
) -> Derivatives:
    """E, gradient and Hessian at P points (u, v), by second-order forward propagation.

    On a kink of a piecewise-linear net the derivatives are one-sided (see `Derivatives`). With
    `pieces` they are those of the cell's own function (see `propagate`).
    """
    u, v, _ = _flat_points(u, v)
    inputs, y = fixed_inputs(slice), slice.objective.data.targets
    loss = slice.objective.loss
    error, gradient = np.empty(len(u)), np.empty((len(u), 2))
    hessian, gauss_newton = np.empty((len(u), 2, 2)), np.empty((len(u), 2, 2))
    on_node = np.empty(len(u), dtype=np.bool_)
    for block in blocks(len(u), 6 * numbers_per_point(slice)):
        mine = None if pieces is None else [piece[block] for piece in pieces]
        jet, on_node[block] = _outputs(slice, inputs, u[block], v[block], 2, mine)
        error[block] = loss.value(jet.a, y).sum(axis=-1)
        g = loss.gradient(jet.a, y)
        first = [np.zeros_like(jet.a) if a_i is None else a_i for a_i in jet.first]
        bent = [loss.product(jet.a, y, a_i) for a_i in first]
        for i in (0, 1):
            gradient[block, i] = (g * first[i]).sum(axis=(1, 2))
        for (i, j), a_ij in zip(_PAIRS, jet.second, strict=True):
            second = (first[i] * bent[j]).sum(axis=(1, 2))
            gauss_newton[block, i, j] = gauss_newton[block, j, i] = second
            if a_ij is not None:
                second = second + (g * a_ij).sum(axis=(1, 2))
            hessian[block, i, j] = hessian[block, j, i] = second
    return Derivatives(error, gradient, hessian, gauss_newton, on_node)


def differentiate_units(
    slice: Slice, u: ArrayLike, v: ArrayLike
) -> list[tuple[Array, Array | None, Array | None]]:
    """The pre-activations of each layer from the first moved one on, at P points.

    For each layer h (P, N, n) and its derivatives in u and in v, (P, N, n) or, in the first layer,
    (N, n); None where they are 0. All P points at once: choose few.
    """
    u, v, _ = _flat_points(u, v)
    network = slice.objective.network
    jet = Jet(fixed_inputs(slice), [None, None], [None] * 3)
    found = []
    for layer in range(slice.first_moved, network.depth + 1):
        f = network.transfers[layer - 1]
        pre = _pre_activations(slice, layer, jet, u, v, order=2)
        slope = f.slope(pre.a)
        along_u, along_v = pre.first
        found.append((pre.a, along_u, along_v))
        first = [None if h_i is None else slope * h_i for h_i in pre.first]
        jet = Jet(f.value(pre.a), first, [None] * 3)
    return found


def layer_pieces(slice: Slice, u: ArrayLike, v: ArrayLike) -> list[NDArray[np.int8]]:
    """The linear piece of every unit on every data point, (P, N, n) for each layer, at P points.

    Layers from the first moved one on. Raises `ValueError` where one of their transfer functions is
    smooth.
    """
    u, v, _ = _flat_points(u, v)
    network, inputs = slice.objective.network, fixed_inputs(slice)
    transfers = network.transfers[slice.first_moved - 1 :]
    if not len(u):
        shapes = [(0, len(inputs), n) for n in network.widths[slice.first_moved :]]
        return [np.empty(shape, dtype=np.int8) for shape in shapes]
    found: list[list[NDArray[np.int8]]] = []
    for block in blocks(len(u), numbers_per_point(slice)):
        layers = zip(transfers, layers_at(slice, inputs, u[block], v[block]), strict=True)
        found.append([f.piece(h) for f, (h, _) in layers])
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def linear_pieces(slice: Slice, u: ArrayLike, v: ArrayLike) -> NDArray[np.int8]:
    """The pieces of `layer_pieces` in one row for each point, (P, N * units).

    Two points with equal rows lie in one cell or in cells with the same polynomial.
    """
    rows = layer_pieces(slice, u, v)
    return np.concatenate([row.reshape(len(row), math.prod(row.shape[1:])) for row in rows], axis=1)
