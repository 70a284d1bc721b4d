"""Within the layer below the last: E changes its quadratic at kinks only, edge by edge.

For one data point hidden units kink along straight lines, which cut the window into convex cells;
within a cell every output is affine, and passes a node of its own transfer function on a straight
segment, if at all. So all that is needed are the vertices of the arrangement: the outputs there
tell on which stretches of a line an output passes a node, and such places come in twos, the ends of
a segment through a cell. Along a line the gain in E is g (2 a + b g), g being the pre-activation
that changes sign, a affine and b constant, and from vertex to vertex only what changes there is
added. There are far fewer vertices than grid points; rows only meet the edges.

What rounding leaves open is left to the rows' way: data points whose pieces do not fit together.
"""

import itertools
from dataclasses import replace

import numpy as np

from surfacecli.geometry.grids import forward, rows
from surfacecli.geometry.grids.arrangement import Box, DoubtfulError, arrange, doubt
from surfacecli.geometry.grids.handover import Edges, hand_over
from surfacecli.geometry.grids.passages import find_passages, pair_passages
from surfacecli.geometry.grids.patterns import Ramps
from surfacecli.geometry.grids.running import (
    EPSILON,
    MOST_OF_ROWS,
    evaluate_quadratics,
    keeps_digits,
)
from surfacecli.geometry.grids.stretches import stretch
from surfacecli.geometry.grids.walk import Walk
from surfacecli.geometry.slices import Slice
from surfacecli.geometry.surface import affine_parts, blocks, fixed_inputs
from surfacecli.network.data import Data
from surfacecli.network.transfers import Array, Transfer

#: More lines a data point than this have too many crossings; then the rows' way is faster.
MOST_LINES = 400


def applies(slice: Slice) -> bool:
    """As the rows' way, with some hidden kinks, but not too many."""
    if not rows.applies(slice):
        return False
    network = slice.objective.network
    return 0 < network.widths[-2] * len(network.transfers[-2].nodes or ()) <= MOST_LINES


def operations(slice: Slice, n_u: int, n_v: int) -> float:
    """Pairs of lines, outputs where they cross, and lines on every row."""
    network, samples = slice.objective.network, len(slice.objective.data)
    lines = network.widths[-2] * len(network.transfers[-2].nodes or ())
    crossings = lines * lines / 6.0
    outputs = 0.0 if network.transfers[-1].is_identity else 2.0 * lines * network.widths[-1]
    return samples * (crossings * (40.0 + outputs) + 20.0 * lines * n_v) + 3.0 * n_u * n_v


def sample(slice: Slice, u: Array, v: Array) -> Array:
    """E on the grid of u (n_u,) and v (n_v,), shape (n_v, n_u)."""
    objective = slice.objective
    ramps = _ramps(slice, u, v)
    f, y = objective.network.transfers[-1], objective.data.targets
    scale = objective.loss.scale or 0.0
    error, rounding = np.empty((len(v), len(u))), 0.0
    outputs = len(ramps.W) * len(f.nodes or (1,))
    each = ramps.width * max(ramps.width, outputs, ramps.width * outputs // 20)
    x = np.arange(len(u), dtype=np.float64)
    for block in blocks(len(v), len(u)):
        here = ramps.from_row(block.start)
        total = np.zeros((3, block.stop - block.start, len(u) + 1))
        rounded, doubtful = 0.0, np.zeros(0, dtype=np.intp)
        for part in blocks(len(y), max(each, ramps.width * total.shape[1])):
            mine = np.arange(part.start, part.stop)
            while len(mine):
                try:
                    rounded += _add(total, here.part(mine), y[mine], f)
                    break
                except DoubtfulError as open_question:
                    doubtful = np.append(doubtful, mine[open_question.points])
                    mine = np.delete(mine, open_question.points)
        rounding = max(rounding, scale * rounded)
        quadratics = np.cumsum(total[:, :, :-1], axis=2)
        error[block] = scale * evaluate_quadratics(quadratics, x, np.ones_like(x))
        if len(doubtful):
            data = Data(objective.data.inputs[doubtful], y[doubtful])
            few = replace(slice, objective=replace(objective, data=data))
            error[block] += rows.sample(few, u, v[block])
    return error if keeps_digits(error, rounding) else forward.sample(slice, u, v)


def _ramps(slice: Slice, u: Array, v: Array) -> Ramps:
    """The net as a sum of ramps, with coordinates counted in steps of the grid."""
    network = slice.objective.network
    f, W, b = network.transfers[-2], network.weights[-1], network.biases[-1]
    nodes, slopes, intercepts = f.nodes or (), f.slopes or (1.0,), f.intercepts or (0.0,)
    constant, p, q = affine_parts(slice, fixed_inputs(slice))
    assert p is not None
    assert q is not None
    step_u, step_v = ((axis[-1] - axis[0]) / max(1, len(axis) - 1) for axis in (u, v))
    hidden = np.stack([step_u * p, step_v * q, constant + u[0] * p + v[0] * q])
    lines = [hidden - np.array([0.0, 0.0, node])[:, None, None] for node in nodes]
    steps = [right - left for left, right in itertools.pairwise(slopes)]
    rest = slopes[0] * (hidden @ W.T)
    rest[2] += intercepts[0] * W.sum(axis=1)
    if b is not None:
        rest[2] += b
    ramps = np.concatenate([step * W for step in steps], axis=1)
    return Ramps(np.concatenate(lines, axis=2), ramps, rest)


def _add(total: Array, ramps: Ramps, y: Array, f: Transfer) -> float:
    """Add the squared residuals of some data points with targets y to the quadratics of the rows.

    Gives how much of it may be rounding; adds nothing where it raises `DoubtfulError`.
    """
    rows_, width = total.shape[1:]
    box = Box.around(width - 1, rows_)
    vertices, steps = arrange(ramps.lines, box)
    walk = Walk.along(vertices, steps, ramps)
    outputs, passages = None, None
    if f.nodes:
        outputs = np.concatenate([ramps.outputs(*part) for part in vertices.by_kind()])
        passages = find_passages(walk, outputs, ramps, f, y)
    stretches = stretch(walk, outputs, passages, ramps, f, y)
    kinks, owner = stretches.edges(walk, ramps, rows_)
    doubt(owner[kinks.begin > kinks.end])
    edges, at_left = [kinks], [stretches.on_border(box.x0, walk, ramps, rows_)]
    if passages is not None:
        edges.append(pair_passages(walk, passages, ramps, rows_))
        at_left.append(passages.on_border(box.x0, walk, ramps, rows_))
    _begin_rows(total, stretches.corner, at_left)
    for some in edges:
        hand_over(total, some)
    # What is added up and taken away again is no larger than residuals in which all ramps add up.
    slope, intercept = np.abs(f.slopes or 1.0).max(), np.abs(f.intercepts or 0.0).max()
    residuals = slope * ramps.largest(width, rows_) + intercept + np.abs(y)
    return EPSILON * MOST_OF_ROWS * float(np.vdot(residuals, residuals))


def _begin_rows(total: Array, corner: Array, parts: list[tuple[Edges, Array]]) -> None:
    """Add what holds where each row enters the window.

    `corner` (6,) is the quadratic in the first corner; going up, edges gain or lose (sign) theirs.
    """
    rows_ = total.shape[1]
    lead = np.zeros((6, rows_ + 1))
    lead[:, 0] = corner
    for edges, sign in parts:
        for sums, gain in zip(lead, edges.gains(), strict=True):
            sums += np.bincount(edges.begin, sign * gain, rows_ + 1)
    xx, xz, zz, x, one_z, one = np.cumsum(lead, axis=1)[:, :-1]
    z = np.arange(rows_, dtype=np.float64)
    total[0, :, 0] += xx
    total[1, :, 0] += x + xz * z
    total[2, :, 0] += one + (2.0 * one_z + zz * z) * z
