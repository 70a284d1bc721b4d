"""Within the layer below the last, linear output: what two hidden kinks have to do with each other.

A piecewise-linear f is a line and ramps, f(h) = s h + c + sum of d relu(h - t), so the outputs are
an affine function and the sum over kink lines l of w_l relu(h_l). Where a grid row meets line l,
the error gains w_l . (2 r + w_l h_l) h_l, r being the residual without l. Along the line, w_l . r
is affine in (u, v) and changes only where another line k of the same data point crosses it, by
w_l . w_k h_k. So what a row needs is a running sum over the crossings of pairs of lines: work for
(data points x lines^2), and little for each row; outputs count in w_l . w_k alone.
"""

import itertools

import numpy as np

from surfacecli.geometry.grids import forward, rows
from surfacecli.geometry.grids.running import RunningSum, evaluate_quadratics, keeps_digits
from surfacecli.geometry.grids.tracks import count_before
from surfacecli.geometry.slices import Slice
from surfacecli.geometry.surface import affine_parts, blocks, fixed_inputs
from surfacecli.network.transfers import Array, Transfer

#: More lines a data point than this make too many pairs; then the rows' own way is faster.
MOST_LINES = 400


def applies(slice: Slice) -> bool:
    """As the rows' way, with a linear output and not too many hidden kinks."""
    network = slice.objective.network
    if not (rows.applies(slice) and network.transfers[-1].is_identity):
        return False
    return 0 < network.widths[-2] * len(network.transfers[-2].nodes or ()) <= MOST_LINES


def operations(slice: Slice, n_u: int, n_v: int) -> float:
    """Pairs of lines, and lines on every row, at some 20 operations."""
    network, samples = slice.objective.network, len(slice.objective.data)
    lines = network.widths[-2] * len(network.transfers[-2].nodes or ())
    return 20.0 * samples * lines * (lines + n_v)


def sample(slice: Slice, u: Array, v: Array) -> Array:
    """E on the grid of u (n_u,) and v (n_v,), shape (n_v, n_u)."""
    objective = slice.objective
    network = objective.network
    f, W, b = network.transfers[-2], network.weights[-1], network.biases[-1]
    parts = affine_parts(slice, fixed_inputs(slice))
    p, q = parts[1], parts[2]
    assert p is not None
    assert q is not None
    if not p.all():  # a unit that u does not move: its kink runs along rows
        return rows.sample(slice, u, v)
    offset = -objective.data.targets if b is None else b - objective.data.targets
    # h_l = c + u p + v q of all lines, the outgoing weights of their ramps, and the affine rest.
    nodes = f.nodes or ()
    lines = (
        np.concatenate([parts[0] - node for node in nodes], axis=1),
        np.tile(p, (1, len(nodes))),
        np.tile(q, (1, len(nodes))),
    )
    ramps = np.concatenate([step * W for step in _steps(f)], axis=1)
    first_slope, first_intercept = (f.slopes or (1.0,))[0], (f.intercepts or (0.0,))[0]
    rest = (
        (first_slope * parts[0] + first_intercept) @ W.T + offset,
        first_slope * p @ W.T,
        first_slope * q @ W.T,
    )
    error, rounding = np.empty((len(v), len(u))), 0.0
    scale = objective.loss.scale or 0.0
    width = ramps.shape[1]
    for block in blocks(len(v), len(u)):
        along = v[block]
        total = RunningSum(3, len(along), len(u))
        for part in blocks(len(offset), width * max(width, len(along))):
            _add_points(total, [x[part] for x in lines], ramps, [x[part] for x in rest], u, along)
        error[block] = scale * evaluate_quadratics(total.quadratics(), u, np.ones_like(u))
        rounding = max(rounding, scale * total.rounding(u, np.ones(1)))
    return error if keeps_digits(error, rounding) else forward.sample(slice, u, v)


def _steps(f: Transfer) -> list[float]:
    """What the slope gains at each node."""
    slopes = f.slopes or (1.0,)
    return [right - left for left, right in itertools.pairwise(slopes)]


def _add_points(
    total: RunningSum, lines: list[Array], W: Array, rest: list[Array], u: Array, v: Array
) -> None:
    """Add the squared residuals of some data points: lines (n, L) each, rest (n, n_L) each.

    A row begins far to the left, where the ramps with p < 0 are on, and meets line after line;
    what it meets before the grid counts from the first grid point on.
    """
    c, p, q = lines
    on = p < 0
    constant, along_u, along_v = (
        (on * part) @ W.T + rest_part for part, rest_part in zip(lines, rest, strict=True)
    )
    products = {
        names: float(np.vdot(a, b))
        for names, a, b in (
            ("uu", along_u, along_u),
            ("uc", along_u, constant),
            ("uv", along_u, along_v),
            ("cc", constant, constant),
            ("cv", constant, along_v),
            ("vv", along_v, along_v),
        )
    }
    every = np.arange(len(v))
    starts = [
        np.full(len(v), products["uu"]),
        products["uc"] + v * products["uv"],
        products["cc"] + v * (2.0 * products["cv"] + v * products["vv"]),
    ]
    total.add(every, np.zeros_like(every), starts)

    # Where a row meets a line, and how that moves; all arrays are (n, L, rows) from here on.
    position, turn = -(c + v[0] * q) / p, -q / p
    rank = count_before(u, position[:, :, None] + turn[:, :, None] * (v - v[0]))
    slope, level, growth = _weighed_residuals(lines, W, rest, v, position, turn)
    level = level + growth * v
    here = c[:, :, None] + q[:, :, None] * v
    own = np.square(W).sum(axis=0)[:, None]
    own_here = own * here
    sign_p = np.abs(p)[:, :, None]
    sign_here = np.where(p > 0, 1.0, -1.0)[:, :, None] * here
    gains = [
        sign_p * (2.0 * slope + own * p[:, :, None]),
        sign_here * slope + sign_p * (level + own_here),
        sign_here * (2.0 * level + own_here),
    ]
    row = np.broadcast_to(every, rank.shape)
    total.add(row.ravel(), rank.ravel(), [gain.ravel() for gain in gains])


def _weighed_residuals(
    lines: list[Array], W: Array, rest: list[Array], v: Array, position: Array, turn: Array
) -> list[Array]:
    """w_l . r on line l without its own ramp: u part, constant and v part, each (n, L, rows).

    A running sum over rows, begun at the first row and changed where line k passes line l along
    them. Of two lines one is met first; that is decided once for both, or their product would count
    twice or never where they meet in a grid point.
    """
    c, p, q = lines
    count, width = c.shape
    ahead = position[:, :, None] - position[:, None, :]  # > 0: the row meets k before l
    drift = turn[:, :, None] - turn[:, None, :]
    at_end = ahead + drift * (v[-1] - v[0])
    lower = np.tri(width, k=-1, dtype=np.bool_)
    before, before_at_end = ahead > 0, at_end > 0
    before |= (ahead == 0) & lower
    before_at_end |= (at_end == 0) & lower
    rising = (p > 0)[:, None, :]
    gram = W.T @ W
    np.fill_diagonal(gram, 0.0)
    begin = ((before == rising) * gram) @ np.stack([p, c, q], axis=2)
    begin += np.stack([rest[1] @ W, rest[0] @ W, rest[2] @ W], axis=2)

    passed = np.flatnonzero(before != before_at_end)
    pair = passed % (width * width)
    which, mine, other = passed // (width * width), pair // width, pair % width
    source = which * width + other
    on = before_at_end.ravel()[passed] == (p.ravel()[source] > 0)
    change = np.where(on, 1.0, -1.0) * gram.ravel()[pair]
    at = v[0] - ahead.ravel()[passed] / drift.ravel()[passed]
    place = (which * width + mine) * (len(v) + 1) + count_before(v, at)
    sums = []
    for k, part in enumerate((p, c, q)):
        gained = np.zeros(count * width * (len(v) + 1))
        gained += np.bincount(place, weights=change * part.ravel()[source], minlength=len(gained))
        gained[:: len(v) + 1] += begin[:, :, k].ravel()
        by_row = gained.reshape(count, width, len(v) + 1)[:, :, :-1]
        sums.append(np.cumsum(by_row, axis=2))
    return sums
