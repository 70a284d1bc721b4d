"""Slices on which the outputs are affine in (u, v): E is one paraboloid, six numbers."""

import numpy as np

from surfacecli.geometry.grids import forward
from surfacecli.geometry.grids.running import EPSILON, keeps_digits
from surfacecli.geometry.slices import Slice
from surfacecli.geometry.surface import affine_parts, fixed_inputs
from surfacecli.network.transfers import Array


def applies(slice: Slice) -> bool:
    """Squares, one moved layer, and no transfer function but the identity from it on."""
    objective = slice.objective
    return (
        objective.loss.scale is not None
        and len(slice.moved) == 1
        and all(f.is_identity for f in objective.network.transfers[slice.first_moved - 1 :])
    )


def operations(slice: Slice, n_u: int, n_v: int) -> float:
    return 10.0 * n_u * n_v + 10.0 * len(slice.objective.data) * slice.objective.network.widths[-1]


def sample(slice: Slice, u: Array, v: Array) -> Array:
    """E on the grid, (n_v, n_u): |r + u p + v q|^2 summed, multiplied out."""
    objective = slice.objective
    network, loss = objective.network, objective.loss
    r, p, q = affine_parts(slice, fixed_inputs(slice))
    for layer in range(slice.first_moved + 1, network.depth + 1):
        W, b = network.weights[layer - 1], network.biases[layer - 1]
        r = r @ W.T if b is None else r @ W.T + b
        p, q = (None if part is None else part @ W.T for part in (p, q))
    r = r - objective.data.targets
    p, q = (np.zeros_like(r) if part is None else part for part in (p, q))
    rr, rp, rq, pp, pq, qq = (
        float(np.vdot(a, b)) for a, b in ((r, r), (r, p), (r, q), (p, p), (p, q), (q, q))
    )
    x, z = u[None, :], v[:, None]
    scale = loss.scale or 0.0
    error = scale * (x * (pp * x + 2.0 * rp + 2.0 * pq * z) + z * (qq * z + 2.0 * rq) + rr)
    # (a + b + c)^2 <= 3 (a^2 + b^2 + c^2), and so are its terms multiplied out.
    largest = 3.0 * scale * (pp * np.square(u).max() + qq * np.square(v).max() + rr)
    return error if keeps_digits(error, EPSILON * largest) else forward.sample(slice, u, v)
