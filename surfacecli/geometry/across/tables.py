"""E of each cell of an across-layers slice: a table of the coefficients of x^i y^j, i, j <= 2.

In a cell the outputs are bilinear, o = A0 + A1 x + A2 y + A3 x y, so with squares as loss
E = scale sum (o - t)^2 is q0(x) + q1(x) y + q2(x) y^2, each q a quadratic in x, and q2 >= 0: for
each x, E is convex in y. Every cell counts x from a place of its own: near x where all units that
y reaches are 0, q1 and q2 are small, and as polynomials in x itself they would be all rounding.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.across.frame import Frame
from surfacecli.geometry.surface import blocks
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]

#: What is left of terms that cancel counts, in sizes, for this share of them: the ratio of rounding
#: to the tolerance that sizes are multiplied by.
CANCELLED = 2e-4


@dataclass(frozen=True, eq=False)
class Tables:
    """Coefficients (F, 3, 3) of (x - centre)^i y^j, and the sizes (F, 3, 3) of the terms in them.

    centre (F,). `cells` (k,) below counts cells, `x` and `y` fit (k,).
    """

    centre: Array
    coefficients: Array
    sizes: Array

    def in_y(self, cells: Indices, x: Array, order: int = 0) -> tuple[Array, Array]:
        """The coefficients (k, 3) of 1, y, y^2 in an x-derivative of E, and their sizes."""
        powers = _powers(x - self.centre[cells], order)
        return (
            np.einsum("kij,ki->kj", self.coefficients[cells], powers),
            np.einsum("kij,ki->kj", self.sizes[cells], np.abs(powers)),
        )

    def value(self, cells: Indices, x: Array, y: Array) -> Array:
        q, _ = self.in_y(cells, x)
        return np.asarray(q[:, 0] + y * (q[:, 1] + y * q[:, 2]))

    def gradient(self, cells: Indices, x: Array, y: Array) -> tuple[Array, Array]:
        """The gradient (k, 2) in (x, y), and the sizes (k, 2) of its terms."""
        (q, size), (r, size_x) = self.in_y(cells, x), self.in_y(cells, x, 1)
        reach = np.abs(y)
        return (
            np.stack([r[:, 0] + y * (r[:, 1] + y * r[:, 2]), q[:, 1] + 2.0 * y * q[:, 2]], axis=1),
            np.stack(
                [
                    size_x[:, 0] + reach * (size_x[:, 1] + reach * size_x[:, 2]),
                    size[:, 1] + 2.0 * reach * size[:, 2],
                ],
                axis=1,
            ),
        )

    def hessian(self, cells: Indices, x: Array, y: Array) -> Array:
        """The Hessian (k, 2, 2) in (x, y)."""
        (q, _), (r, _), (s, _) = (self.in_y(cells, x, order) for order in (0, 1, 2))
        mixed = r[:, 1] + 2.0 * y * r[:, 2]
        rows = [s[:, 0] + y * (s[:, 1] + y * s[:, 2]), mixed, mixed, 2.0 * q[:, 2]]
        return np.stack(rows, axis=1).reshape(-1, 2, 2)

    def shifted(self, cells: Indices, x: Array, y: Array) -> tuple[Array, Array]:
        """The tables around points, of (x + dx)^i (y + dy)^j: (k, 3, 3), and their sizes."""
        left, right = _binomials(x - self.centre[cells]), _binomials(y)
        return (
            np.einsum("kai,kij,kbj->kab", left, self.coefficients[cells], right),
            np.einsum("kai,kij,kbj->kab", np.abs(left), self.sizes[cells], np.abs(right)),
        )


def _powers(x: Array, order: int) -> Array:
    """The derivatives of an order of 1, x, x^2: (k, 3)."""
    one, zero = np.ones_like(x), np.zeros_like(x)
    rows = ([one, x, x * x], [zero, one, 2.0 * x], [zero, zero, 2.0 * one])[order]
    return np.stack(rows, axis=1)


def _binomials(x: Array) -> Array:
    """B (k, 3, 3) with (x + d)^i = sum_a B[a, i] d^a."""
    result = np.zeros((len(x), 3, 3))
    result[:, [0, 1, 2], [0, 1, 2]] = 1.0
    result[:, 0, 1], result[:, 0, 2], result[:, 1, 2] = x, x * x, 2.0 * x
    return result


def make_tables(frame: Frame, places: Array) -> Tables:
    """The tables of the cells around places (F, 2) in (x, y). The loss must be squares."""
    objective = frame.slice.objective
    scale = objective.loss.scale
    if scale is None:
        raise ValueError(f"the loss {objective.loss.name} is no sum of squares")
    y = objective.data.targets
    coefficients, sizes = np.empty((2, len(places), 3, 3))
    widths = objective.network.widths[frame.lower :]
    for block in blocks(len(places), 8 * len(y) * max(widths)):
        A, terms = (part[:, frame.input_of] for part in outputs_at(frame, places[block]))
        at = places[block, 0][:, None, None]
        A[..., 0] -= y
        terms[..., 0] += np.abs(y)
        A[..., 0::2] += at[..., None] * A[..., 1::2]
        terms[..., 0::2] += np.abs(at)[..., None] * terms[..., 1::2]
        # What cancels in an output leaves rounding of its terms, times what that is multiplied by.
        terms *= CANCELLED
        terms += np.abs(A)
        coefficients[block] = scale * _square(A)
        sizes[block] = scale * _square(terms)
    return Tables(places[:, 0].copy(), coefficients, sizes)


def _square(A: Array) -> Array:
    """The table (f, 3, 3) of the sum of (A0 + A1 x + A2 y + A3 x y)^2, A (f, N, n, 4)."""
    flat = A.reshape(len(A), -1, 4)
    G = flat.swapaxes(1, 2) @ flat
    table = np.zeros((len(A), 3, 3))
    exponents = ((0, 0), (1, 0), (0, 1), (1, 1))
    for a, (i, j) in enumerate(exponents):
        for b, (k, m) in enumerate(exponents):
            table[:, i + k, j + m] += G[:, a, b]
    return table


def outputs_at(frame: Frame, places: Array) -> tuple[Array, Array]:
    """The outputs around places (f, 2) in (x, y), bilinear functions (f, m, n_L, 4), and sizes.

    The sizes are those of all terms on the way: what cancels between units leaves rounding of them.
    """
    network = frame.slice.objective.network
    at = np.stack([np.ones(len(places)), *places.T, places[:, 0] * places[:, 1]], axis=1)
    a = np.zeros((1, *frame.inputs.shape, 4))
    a[..., 0] = frame.inputs
    size = np.abs(a)
    for layer in range(frame.lower, network.depth + 1):
        W, b = frame.slice.origin.get(layer, network.weights[layer - 1]), network.biases[layer - 1]
        h, terms = np.matmul(W, a), np.matmul(np.abs(W), size)
        if layer == frame.lower:
            h[..., 1] += a[..., 0] @ frame.along_x.T
            terms[..., 1] += size[..., 0] @ np.abs(frame.along_x).T
        if layer == frame.higher:
            h[..., 2:] += np.matmul(frame.along_y, a[..., :2])
            terms[..., 2:] += np.matmul(np.abs(frame.along_y), size[..., :2])
        if b is not None:
            h[..., 0] += b
            terms[..., 0] += np.abs(b)
        f = network.transfers[layer - 1]
        piece = f.piece((h @ at[:, None, :, None])[..., 0])
        slope, intercept = np.array(f.slopes)[piece], np.array(f.intercepts)[piece]
        a, size = slope[..., None] * h, np.abs(slope)[..., None] * terms
        a[..., 0] += intercept
        size[..., 0] += np.abs(intercept)
    return a, size
