"""The Hessian of one layer's weights at many points of a slice: trace, smallest eigenvalue, rank.

Botev, Ritter and Barber (2017), eqs (1) and (2), at P points at once:

    H = sum over the data of PH kron (a a^T)      PH_l = B_l W_{l+1}^T PH_{l+1} W_{l+1} B_l + D_l

with a the activations that enter the layer, B = f'(h), D = f''(h) dE/da, and the loss's Hessian as
the start. With N inputs to a layer wider than that, H is written in a basis of what they span. The
rank of a positive semi-definite H is that of the factors (J^T r) kron a, J the derivative of the
outputs in h and r a basis of the range of the loss's Hessian: constant where the pieces are.

At a node the slope is that of the piece to the left. Legend: P points, N data points, m units of
the layer, k values that enter it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.slices import Slice
from surfacecli.geometry.surface import blocks, fixed_inputs, layers_at, weights_at
from surfacecli.network.curvature.spectrum import zero_below
from surfacecli.network.transfers import Array, Transfer

#: What may be asked of a layer at a point: the smallest eigenvalue of its Hessian, its trace, its
#: rank, and the share of its units whose slope is 0 on every data point.
Quantity = Literal["curvature", "trace", "rank", "dead"]


@dataclass(frozen=True, eq=False)
class _Passes:
    """What one block of points has: for the layers l from `layer` on, in order, h_l and W_l.

    `entering` (P, N, k) or, where it is the same everywhere, (N, k), is what enters the layer.
    """

    transfers: tuple[Transfer, ...]
    weights: list[Array]
    pre_activations: list[Array]
    entering: Array
    outputs: Array


def measure_layer(slice: Slice, quantity: Quantity, layer: int, u: Array, v: Array) -> Array:
    """A quantity of a layer at points u, v (P,): (P,) of numbers.

    Where an eigenvalue is within rounding of 0, relative to the largest one, it counts as 0. Raises
    `ValueError` where there is no such layer.
    """
    depth = slice.objective.network.depth
    if not 1 <= layer <= depth:
        raise ValueError(f"{layer} is not a layer; the network has layers 1 to {depth}")
    result = np.empty(len(u))
    measure = _MEASURES[quantity]
    for block in blocks(len(u), numbers_each(slice, quantity, layer)):
        result[block] = measure(slice, layer, u[block], v[block])
    return result


def numbers_each(slice: Slice, quantity: Quantity, layer: int) -> int:
    """The numbers of the largest work array for one point."""
    network, count = slice.objective.network, len(slice.objective.data)
    widest = max(network.widths[min(layer, slice.first_moved) :])
    if quantity == "dead":
        return count * widest
    if quantity == "rank" and positive_by_theorem(slice, layer):
        numbers = count * network.widths[-1] * widest
    else:
        numbers = count * max(network.widths[layer:]) ** 2
    return (
        numbers if quantity == "trace" else max(numbers, matrix_size(slice, quantity, layer) ** 2)
    )


def matrix_size(slice: Slice, quantity: Quantity, layer: int) -> int:
    """The rows of the matrix whose eigenvalues are taken at every point."""
    widths, count = slice.objective.network.widths, len(slice.objective.data)
    size = widths[layer] * min(count, widths[layer - 1])
    if quantity == "rank" and positive_by_theorem(slice, layer):
        return min(size, count * len(loss_range(slice)))
    return size


def positive_by_theorem(slice: Slice, layer: int) -> bool:
    """Whether the layer's Hessian cannot be but positive semi-definite, off the nodes.

    D = 0 from the layer on and a convex loss: section 3 of the paper.
    """
    objective = slice.objective
    later = objective.network.transfers[layer - 1 :]
    return objective.loss.convex and all(f.piecewise_linear for f in later)


def _walk(slice: Slice, layer: int, u: Array, v: Array) -> _Passes:
    network, first = slice.objective.network, slice.first_moved
    fixed_h, fixed_a = network.forward(slice.objective.data.inputs)
    h, a = fixed_h[: first - 1], fixed_a[:first]
    for pre_activations, activations in layers_at(slice, fixed_inputs(slice), u, v):
        h.append(pre_activations)
        a.append(activations)
    return _Passes(
        network.transfers[layer - 1 :],
        [weights_at(slice, number, u, v) for number in range(layer, network.depth + 1)],
        h[layer - 1 :],
        a[layer - 1],
        a[-1],
    )


def _through(x: Array, W: Array) -> Array:
    """x W for x (P, N, ..., m) and W (m, n) or, one for each point, (P, m, n)."""
    if W.ndim == 2:
        return np.asarray(x @ W)
    flat = x.reshape(len(x), -1, x.shape[-1]) @ W
    return flat.reshape(*x.shape[:-1], W.shape[-1])


def pre_activation_hessians(slice: Slice, layer: int, u: Array, v: Array) -> tuple[Array, Array]:
    """PH of a layer at points u, v (P,), by eq. (2): (P, N, m, m); and a, (P, N, k) or (N, k)."""
    loss, y = slice.objective.loss, slice.objective.data.targets
    passes = _walk(slice, layer, u, v)
    g = loss.gradient(passes.outputs, y)  # dE/da of the layer in hand
    PH = loss.hessian(passes.outputs, y)  # the Hessian in a, then in h
    for number in range(len(passes.transfers) - 1, -1, -1):
        f, h = passes.transfers[number], passes.pre_activations[number]
        B = f.slope(h)
        PH = B[..., :, None] * PH * B[..., None, :]
        if not f.piecewise_linear:
            diagonal = np.einsum("...ii->...i", PH)
            diagonal += f.bend(h) * g
        if number:
            W = passes.weights[number]
            g = _through(B * g, W)
            PH = _through(_through(PH, W).swapaxes(-1, -2), W)
    return PH, passes.entering


def _traces(slice: Slice, layer: int, u: Array, v: Array) -> Array:
    PH, a = pre_activation_hessians(slice, layer, u, v)
    return np.asarray((np.einsum("pnii->pn", PH) * np.square(a).sum(axis=-1)).sum(axis=1))


def layer_hessians(PH: Array, a: Array) -> Array:
    """sum over the data of PH kron (a a^T), (P, m k, m k), from PH (P, N, m, m) and a."""
    points, samples, m, _ = PH.shape
    k = a.shape[-1]
    inputs = (a[..., :, None] * a[..., None, :]).reshape(*a.shape[:-1], k * k)
    sums = PH.reshape(points, samples, m * m).swapaxes(1, 2) @ inputs
    return sums.reshape(points, m, m, k, k).swapaxes(2, 3).reshape(points, m * k, m * k)


def _spectra(slice: Slice, layer: int, u: Array, v: Array) -> tuple[Array, bool]:
    """Eigenvalues (P, R) of the layer's Hessian, ascending, and whether more are 0 besides."""
    PH, a = pre_activation_hessians(slice, layer, u, v)
    spanned = _in_their_span(a)
    return _eigenvalues(layer_hessians(PH, spanned)), spanned.shape[-1] < a.shape[-1]


def _eigenvalues(matrices: Array) -> Array:
    """Eigenvalues (P, R), ascending, of symmetric matrices; 0 what rounding may have moved."""
    eigenvalues: Array = np.asarray(np.linalg.eigvalsh(matrices), dtype=np.float64)
    size = np.abs(eigenvalues)
    least = zero_below(size.shape[-1], 1.0) * size.max(axis=-1, keepdims=True, initial=0.0)
    return np.where(size > least, eigenvalues, 0.0)


def _smallest(slice: Slice, layer: int, u: Array, v: Array) -> Array:
    result = np.zeros(len(u))
    chosen = np.ones(len(u), dtype=np.bool_)
    if positive_by_theorem(slice, layer):
        chosen = _may_be_full(*_factors(slice, layer, u, v))
    if chosen.any():
        eigenvalues, more = _spectra(slice, layer, u[chosen], v[chosen])
        smallest = eigenvalues[:, 0]
        result[chosen] = np.minimum(smallest, 0.0) if more else smallest
    return result


def _ranks(slice: Slice, layer: int, u: Array, v: Array) -> Array:
    if positive_by_theorem(slice, layer):
        eigenvalues = _eigenvalues(_gram(*_factors(slice, layer, u, v)))
    else:
        eigenvalues, _ = _spectra(slice, layer, u, v)
    return np.asarray((eigenvalues != 0).sum(axis=1), dtype=np.float64)


def _factors(slice: Slice, layer: int, u: Array, v: Array) -> tuple[Array, Array]:
    """(J^T r) of each data point, (P, N, r, m), and a, (P, N, k) or (N, k): H is spanned by them.

    Only what they span counts, so those of each data point are brought to the same size.
    """
    passes = _walk(slice, layer, u, v)
    J = loss_range(slice)
    for number in range(len(passes.transfers) - 1, -1, -1):
        B = passes.transfers[number].slope(passes.pre_activations[number])
        J = J * B[..., None, :]
        if number:
            J = _through(J, passes.weights[number])
    return _one_size(J, (-2, -1)), _one_size(passes.entering, (-1,))


def _gram(J: Array, a: Array) -> Array:
    """A matrix (P, R, R) of the rank of what the factors span, the smaller of two."""
    points, samples, r, m = J.shape
    flat = J.reshape(points, samples * r, m)
    a = np.broadcast_to(a, (points, *a.shape[-2:]))
    # Factors that are 0, those of dead outputs, are left out: the first `most` are the others.
    alive = np.any(flat != 0, axis=-1) & np.repeat(np.any(a != 0, axis=-1), r, axis=-1)
    most = int(alive.sum(axis=-1).max(initial=0))
    if m * min(a.shape[-2:]) <= most:
        return layer_hessians(J.swapaxes(-1, -2) @ J, _in_their_span(a))
    chosen = np.argsort(~alive, axis=-1, kind="stable")[:, :most]
    flat = np.take_along_axis(flat, chosen[..., None], axis=1)
    a = np.take_along_axis(a, chosen[..., None] // r, axis=1)
    return np.asarray((flat @ flat.swapaxes(-1, -2)) * (a @ a.swapaxes(-1, -2)))


def _may_be_full(J: Array, a: Array) -> NDArray[np.bool_]:
    """Where (P,) there are factors enough for a Hessian without the eigenvalue 0."""
    alive = np.any(J != 0, axis=-1) & np.any(a != 0, axis=-1)[..., None]
    enough = alive.sum(axis=(1, 2)) >= J.shape[-1] * a.shape[-1]
    return np.asarray(enough & np.any(J != 0, axis=(1, 2)).all(axis=-1))


def loss_range(slice: Slice) -> Array:
    """A basis (r, n_L) of the range of the loss's Hessian, which is the same at all outputs."""
    objective = slice.objective
    H = objective.loss.hessian(np.zeros(objective.network.widths[-1]), objective.data.targets[0])
    eigenvalues, vectors = np.linalg.eigh(H)
    kept = eigenvalues > zero_below(len(H), float(np.abs(eigenvalues).max()))
    return np.asarray(vectors.T[kept], dtype=np.float64)


def _one_size(x: Array, axes: tuple[int, ...]) -> Array:
    """x divided by the largest absolute value along axes, where that is not 0."""
    largest = np.abs(x).max(axis=axes, keepdims=True, initial=0.0)
    return np.asarray(np.divide(x, largest, out=np.zeros_like(x), where=largest > 0))


def _in_their_span(a: Array) -> Array:
    """Inputs (..., N, k) in an orthonormal basis of what they span where that is less than k."""
    samples, k = a.shape[-2:]
    if samples >= k:
        return a
    triangle: Array = np.asarray(np.linalg.qr(a.swapaxes(-1, -2), mode="r"), dtype=np.float64)
    return triangle.swapaxes(-1, -2)


def _dead(slice: Slice, layer: int, u: Array, v: Array) -> Array:
    passes = _walk(slice, layer, u, v)
    h = passes.pre_activations[0]
    shares = (passes.transfers[0].slope(h) == 0.0).all(axis=-2).mean(axis=-1)
    return np.broadcast_to(shares, len(u))


_MEASURES: dict[Quantity, Callable[[Slice, int, Array, Array], Array]] = {
    "curvature": _smallest,
    "trace": _traces,
    "rank": _ranks,
    "dead": _dead,
}
