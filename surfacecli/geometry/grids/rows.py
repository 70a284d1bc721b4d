"""Within the layer below the last: along a grid row each hidden unit passes each node once."""

import numpy as np

from surfacecli.geometry.grids import forward
from surfacecli.geometry.grids.running import RunningSum, evaluate_quadratics, keeps_digits
from surfacecli.geometry.grids.sweep import PATH_SIZE, Outputs, Switches, add_outputs, no_switches
from surfacecli.geometry.grids.tracks import RowTrack
from surfacecli.geometry.slices import Slice
from surfacecli.geometry.surface import affine_parts, blocks, fixed_inputs
from surfacecli.network.transfers import Array, Transfer


def applies(slice: Slice) -> bool:
    """Squares, and u and v move only the last layer but one; it and the last piecewise linear."""
    network = slice.objective.network
    return (
        slice.objective.loss.scale is not None
        and slice.moved == (network.depth - 1,)
        and slice.kind == "within-layer"
        and all(f.piecewise_linear for f in network.transfers[slice.first_moved - 1 :])
    )


def operations(slice: Slice, n_u: int, n_v: int) -> float:
    """About half of the hidden units switch inside the window, at some 20 operations an output."""
    hidden, outputs = slice.objective.network.widths[-2:]
    return 20.0 * n_v * len(slice.objective.data) * hidden * outputs


def sample(slice: Slice, u: Array, v: Array) -> Array:
    """E on the grid of u (n_u,) and v (n_v,), shape (n_v, n_u)."""
    objective = slice.objective
    network = objective.network
    f, W, b = network.transfers[-2], network.weights[-1], network.biases[-1]
    constant, p, q = affine_parts(slice, fixed_inputs(slice))
    assert p is not None
    assert q is not None
    y = objective.data.targets
    track = RowTrack(u)
    error, rounding = np.empty((len(v), len(u))), 0.0
    scale = objective.loss.scale or 0.0
    samples = list(blocks(len(y), PATH_SIZE * W.shape[1]))
    for block in blocks(len(v), max(len(u), PATH_SIZE * W.shape[1] * len(y[samples[0]]))):
        rows = len(v[block])
        total = RunningSum(3, rows, len(u))
        for part in samples:
            # One path for each row and data point, row by row.
            c = (constant[part] + v[block, None, None] * q[part]).reshape(-1, W.shape[1])
            P, Q, switches = _hidden_switches(c, _repeat(p[part], rows), f, W, u)
            if b is not None:
                Q += b[:, None]
            row = np.repeat(np.arange(rows), len(y[part]))
            outputs = Outputs(network.transfers[-1], P, Q, _repeat(y[part], rows).T, row, rows=True)
            add_outputs(total, track, outputs, switches)
        error[block] = scale * evaluate_quadratics(total.quadratics(), u, np.ones_like(u))
        rounding = max(rounding, scale * total.rounding(u, np.ones(1)))
    return error if keeps_digits(error, rounding) else forward.sample(slice, u, v)


def _repeat(each: Array, rows: int) -> Array:
    """The values of data points (N, n) for the paths of some rows, (rows N, n)."""
    return np.broadcast_to(each, (rows, *each.shape)).reshape(-1, each.shape[1])


def _hidden_switches(
    c: Array, p: Array, f: Transfer, W: Array, u: Array
) -> tuple[Array, Array, Switches]:
    """Outputs W f(c + u p) = P u + Q at u[0], (n_L, paths), and the switches up to u[-1]."""
    nodes, slopes, intercepts = f.nodes or (), f.slopes or (), f.intercepts or ()
    start, stop = c + u[0] * p, c + u[-1] * p
    slope, intercept = np.array(slopes[0]), np.array(intercepts[0])
    for number, node in enumerate(nodes, start=1):
        slope = np.where(start > node, slopes[number], slope)
        if any(intercepts):
            intercept = np.where(start > node, intercepts[number], intercept)
    P, Q = W @ (slope * p).T, W @ (slope * c + intercept).T
    parts = []
    for number, node in enumerate(nodes):
        crossed = np.flatnonzero((start > node) != (stop > node))
        path, unit = np.divmod(crossed, c.shape[1])
        here_c, here_p = c.ravel()[crossed], p.ravel()[crossed]
        sign = np.where(here_p > 0, 1.0, -1.0)
        gain = sign * (slopes[number + 1] - slopes[number])
        step = sign * (intercepts[number + 1] - intercepts[number])
        x = (node - here_c) / here_p
        parts.append((path, x, np.ones_like(x), gain * here_p, gain * here_c + step, unit))
    if not parts:
        return P, Q, no_switches(W)
    path, x, z, alpha, beta, units = (np.concatenate(part) for part in zip(*parts, strict=True))
    return P, Q, Switches(path, x, z, alpha, beta, units, W)
