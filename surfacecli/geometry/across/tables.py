"""E of each cell of an across-layers slice: a table of the coefficients of x^i y^j, i, j <= 2.

In a cell the outputs are bilinear, o = A0 + A1 x + A2 y + A3 x y, so with squares as loss
E = scale sum (o - t)^2 is q0(x) + q1(x) y + q2(x) y^2, each q a quadratic in x, and q2 >= 0: for
each x, E is convex in y. What is kept of a cell are not these coefficients but the columns A0 to A3
turned into a space of four dimensions, R with E = |R (1, x, y, x y)|^2: moved to another place they
lose as many digits as E would lose twice. Near x where all units that y reaches are 0, q1 and q2
are small, and as polynomials in x about a place far away they would be all rounding.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.across.frame import Frame
from surfacecli.geometry.across.strips import activate
from surfacecli.geometry.surface import blocks
from surfacecli.network.transfers import Array

Indices = NDArray[np.intp]

#: Rounding of the terms of a column, as a share of what counts of them in the size of a product:
#: sizes are multiplied by about 1e-12 where they judge what is zero.
LOST, TWICE = 2.5e-3, 1e-16
#: The products of columns that a coefficient of x^i y^j is the sum of.
EXPONENTS = ((0, 0), (1, 0), (0, 1), (1, 1))


@dataclass(frozen=True, eq=False)
class Tables:
    """E = |R (1, dx, y, dx y)|^2 in each cell, dx = x - centre.

    centre (F,); factors R (F, 4, 4), upper triangles; terms (F, 4): the lengths of the columns of
    what was added up to columns of R. `cells` (k,) below counts cells, `x` and `y` fit (k,).
    """

    centre: Array
    factors: Array
    terms: Array

    def around(self, cells: Indices, x: Array) -> tuple[Array, Array]:
        """The coefficients (k, 3, 3) of (x + dx)^i y^j, and the sizes of the terms in them."""
        return _multiply_out(*self._moved(cells, x, None))

    def shifted(self, cells: Indices, x: Array, y: Array) -> tuple[Array, Array]:
        """The tables around points, of (x + dx)^i (y + dy)^j: (k, 3, 3), and their sizes."""
        return _multiply_out(*self._moved(cells, x, y))

    def _moved(self, cells: Indices, x: Array, y: Array | None) -> tuple[Array, Array]:
        """The factors and the terms about other places."""
        R, terms = self.factors[cells], self.terms[cells]
        dx = x - self.centre[cells]
        R[..., 0::2] += dx[:, None, None] * R[..., 1::2]
        terms[:, 0::2] += np.abs(dx)[:, None] * terms[:, 1::2]
        if y is not None:
            R[..., :2] += y[:, None, None] * R[..., 2:]
            terms[:, :2] += np.abs(y)[:, None] * terms[:, 2:]
        return R, terms

    def in_y(self, cells: Indices, x: Array, order: int = 0) -> tuple[Array, Array]:
        """The coefficients (k, 3) of 1, y, y^2 in an x-derivative of E, and their sizes."""
        table, size = self.around(cells, x)
        factor = (1.0, 1.0, 2.0)[order]
        return factor * table[:, order], factor * size[:, order]

    def value(self, cells: Indices, x: Array, y: Array) -> Array:
        R, _ = self._moved(cells, x, y)
        return np.asarray(np.square(R[:, :, 0]).sum(axis=1))

    def gradient(self, cells: Indices, x: Array, y: Array) -> tuple[Array, Array]:
        """The gradient (k, 2) in (x, y), and the sizes (k, 2) of its terms."""
        table, size = self.shifted(cells, x, y)
        return table[:, [1, 0], [0, 1]], size[:, [1, 0], [0, 1]]

    def hessian(self, cells: Indices, x: Array, y: Array) -> Array:
        """The Hessian (k, 2, 2) in (x, y)."""
        return second_derivatives(self.shifted(cells, x, y)[0])


def second_derivatives(table: Array) -> Array:
    """The Hessians (k, 2, 2) in (x, y) at the places that tables (k, 3, 3) are around."""
    mixed = table[:, 1, 1]
    rows = [2.0 * table[:, 2, 0], mixed, mixed, 2.0 * table[:, 0, 2]]
    return np.stack(rows, axis=1).reshape(-1, 2, 2)


def make_tables(frame: Frame, places: Array) -> Tables:
    """The tables of the cells around places (F, 2) in (x, y). The loss must be squares."""
    objective = frame.slice.objective
    scale = objective.loss.scale
    if scale is None:
        raise ValueError(f"the loss {objective.loss.name} is no sum of squares")
    y = objective.data.targets
    factors, lengths = np.empty((len(places), 4, 4)), np.empty((len(places), 4))
    widths = objective.network.widths[frame.lower :]
    for block in blocks(len(places), 8 * len(y) * max(widths)):
        A, terms = (part[:, frame.input_of] for part in outputs_at(frame, places[block]))
        at = places[block, 0][:, None, None]
        A[..., 0] -= y
        terms[..., 0] += np.abs(y)
        A[..., 0::2] += at[..., None] * A[..., 1::2]
        terms[..., 0::2] += np.abs(at)[..., None] * terms[..., 1::2]
        columns = np.sqrt(scale) * A.reshape(len(A), -1, 4)
        factors[block] = _triangles(columns)
        lengths[block] = np.sqrt(scale * np.square(terms).sum(axis=(1, 2)))
    return Tables(places[:, 0].copy(), factors, lengths)


def _triangles(columns: Array) -> Array:
    """R (f, 4, 4) with R^T R = A^T A of columns A (f, M, 4), by modified Gram-Schmidt.

    As accurate in each column as its length, as reflections would be (Björck 1967).
    """
    left = np.ascontiguousarray(np.moveaxis(columns, 2, 0))
    R = np.zeros((len(columns), 4, 4))
    for k in range(4):
        length = np.sqrt(np.square(left[k]).sum(axis=1))
        R[:, k, k] = length
        unit = left[k] / np.where(length > 0, length, 1.0)[:, None]
        for m in range(k + 1, 4):
            R[:, k, m] = np.einsum("fi,fi->f", unit, left[m])
            left[m] -= R[:, k, m, None] * unit
    return R


def _multiply_out(R: Array, terms: Array) -> tuple[Array, Array]:
    """The tables (k, 3, 3) of |R (1, x, y, x y)|^2, and the sizes of the terms in them."""
    G = R.swapaxes(1, 2) @ R
    length = np.sqrt(np.einsum("kii->ki", G))
    lost = LOST * terms
    sizes = (length + lost)[:, :, None] * (length + lost)[:, None]
    sizes += (TWICE - LOST * LOST) * terms[:, :, None] * terms[:, None]
    table, size = np.zeros((2, len(R), 3, 3))
    for a, (i, j) in enumerate(EXPONENTS):
        for b, (k, m) in enumerate(EXPONENTS):
            table[:, i + k, j + m] += G[:, a, b]
            size[:, i + k, j + m] += sizes[:, a, b]
    return table, size


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
        a, size = activate(f, piece, h, terms)
    return a, size
