"""Within the layer below the last: along a grid row each hidden unit passes each node once."""

import numpy as np

from surfacecli.geometry.grids.running import RunningSum, evaluate_quadratics
from surfacecli.geometry.grids.sweep import Outputs, Switches, add_outputs, no_switches
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
    y, samples = objective.data.targets, len(objective.data)
    track = RowTrack(u)
    error = np.empty((len(v), len(u)))
    scale = objective.loss.scale or 0.0
    for block in blocks(len(v), len(u)):
        along_v = v[block]
        total = RunningSum(3, len(along_v), len(u))
        # One path for each row and data point, row by row.
        for paths in blocks(len(along_v) * samples, W.size):
            row, sample_number = np.divmod(np.arange(paths.start, paths.stop), samples)
            c = constant[sample_number] + along_v[row, None] * q[sample_number]
            P, Q, switches = _hidden_switches(c, p[sample_number], f, W, u)
            if b is not None:
                Q += b[:, None]
            outputs = Outputs(network.transfers[-1], P, Q, y[sample_number].T, row, rows=True)
            add_outputs(total, track, outputs, switches)
        error[block] = scale * evaluate_quadratics(total.quadratics(), u, np.ones_like(u))
    return error


def _hidden_switches(
    c: Array, p: Array, f: Transfer, W: Array, u: Array
) -> tuple[Array, Array, Switches]:
    """Outputs W f(c + u p) = P u + Q at u[0], (n_L, paths), and the switches up to u[-1]."""
    slopes, intercepts = np.array(f.slopes), np.array(f.intercepts)
    start, stop = c + u[0] * p, c + u[-1] * p
    piece = f.piece(start)
    P = W @ (slopes[piece] * p).T
    Q = W @ (slopes[piece] * c + intercepts[piece]).T
    parts = []
    for number, node in enumerate(f.nodes or ()):
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
