"""Origin zero and no biases: every kink is a ray from u = v = 0, so a sort by angle does it all.

Each half-turn of directions is one path: the upper half-plane as it is, the lower one with both
directions turned round.
"""

import numpy as np

from surfacecli.geometry.grids import forward
from surfacecli.geometry.grids.running import RunningSum, evaluate_quadratics, keeps_digits
from surfacecli.geometry.grids.sweep import PATH_SIZE, Outputs, Switches, add_outputs, no_switches
from surfacecli.geometry.grids.tracks import HalfTurn, half_angle
from surfacecli.geometry.slices import Slice
from surfacecli.geometry.surface import affine_parts, blocks, fixed_inputs
from surfacecli.network.transfers import Array, Transfer


def applies(slice: Slice) -> bool:
    """Squares, within one of the last two layers, no constant part, every later node at 0."""
    network = slice.objective.network
    layer = slice.first_moved
    if (
        slice.objective.loss.scale is None
        or slice.kind != "within-layer"
        or layer < network.depth - 1
    ):
        return False
    output, bias = network.transfers[-1], network.biases[-1]
    return (
        not slice.origin[layer].any()
        and (network.biases[layer - 1] is None or not np.any(network.biases[layer - 1]))
        and all(f.homogeneous for f in network.transfers[layer - 1 :])
        and (output.is_identity or bias is None or not bias.any())
    )


def operations(slice: Slice, n_u: int, n_v: int) -> float:
    widths = slice.objective.network.widths
    hidden = widths[-2] if slice.first_moved < slice.objective.network.depth else 1
    return 40.0 * (n_u * n_v + len(slice.objective.data) * hidden * widths[-1])


def sample(slice: Slice, u: Array, v: Array) -> Array:
    """E on the grid of u (n_u,) and v (n_v,), shape (n_v, n_u)."""
    network, data = slice.objective.network, slice.objective.data
    _, p, q = affine_parts(slice, fixed_inputs(slice))
    assert p is not None
    assert q is not None
    output, bias = network.transfers[-1], network.biases[-1]
    y = data.targets if bias is None else data.targets - bias
    scale = slice.objective.loss.scale or 0.0
    x, z = (part.ravel() for part in np.meshgrid(u, v))
    error, rounding = np.empty(len(x)), 0.0
    for sign in (1.0, -1.0):
        half = (sign * z > 0) | ((z == 0) & (sign * x > 0))
        mine = np.flatnonzero(half)
        direction_x, direction_z = sign * x[mine], sign * z[mine]
        angles = half_angle(direction_x, direction_z)
        order = np.argsort(angles)
        track = HalfTurn(angles[order])
        total = RunningSum(6, 1, len(mine))
        hidden = slice.first_moved < network.depth
        each = PATH_SIZE * network.widths[-2] if hidden else network.widths[-1]
        for block in blocks(len(y), each):
            P, Q = sign * p[block].T, sign * q[block].T
            switches = no_switches(network.weights[-1])
            if hidden:
                P, Q, switches = _hidden_switches(
                    P.T, Q.T, network.transfers[-2], network.weights[-1]
                )
            # An output Q z starts on the node at 0: put it on the side that it goes to.
            P = np.where(P == 0, np.copysign(np.finfo(np.float64).tiny, Q), P)
            row = np.zeros(P.shape[1], dtype=np.intp)
            add_outputs(total, track, Outputs(output, P, Q, y[block].T, row, rows=False), switches)
        back = mine[order]
        error[back] = evaluate_quadratics(
            total.quadratics()[:, 0], direction_x[order], direction_z[order]
        )
        rounding = max(rounding, total.rounding(direction_x, direction_z))
    error[(x == 0) & (z == 0)] = np.square(y).sum()
    if not keeps_digits(error, rounding):
        return forward.sample(slice, u, v)
    return scale * error.reshape(len(v), len(u))


def _hidden_switches(p: Array, q: Array, f: Transfer, W: Array) -> tuple[Array, Array, Switches]:
    """Outputs W f(x p + z q) = P x + Q z just after (1, 0), and the switches of the half-turn."""
    slopes = np.array(f.slopes)
    if f.is_identity:
        slopes = np.array([slopes[0], slopes[0]])
    positive = (p > 0) | ((p == 0) & (q > 0))
    slope = np.where(positive, slopes[1], slopes[0])
    path, unit = np.nonzero(p)
    here_p, here_q = p[path, unit], q[path, unit]
    gain = np.where(here_p > 0, slopes[0] - slopes[1], slopes[1] - slopes[0])
    x, z = np.where(here_p > 0, -here_q, here_q), np.abs(here_p)
    switches = Switches(path, x, z, gain * here_p, gain * here_q, unit, W)
    return W @ (slope * p).T, W @ (slope * q).T, switches
