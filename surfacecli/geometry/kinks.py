"""The kinks of E along a straight line of a slice, for piecewise-linear nets.

On the line (u, v)(t), t in [0, 1], the weights of a moved layer are A + t B. Where the activations
of a data point are polynomials in t, so are the next pre-activations,

    h(t) = A a(t) + t B a(t) + b,

one degree higher where B is not zero. Their crossings of the transfer function's nodes cut the
piece, and on each part f is one line. Layer by layer this gives every piece of every data point.
Arrays: (d + 1, P, n), coefficients first, then pieces, then the units of a layer.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.roots import (
    differentiate_polynomials,
    evaluate_polynomials,
    find_roots,
)
from surfacecli.geometry.slices import Slice
from surfacecli.geometry.surface import fixed_inputs
from surfacecli.network.transfers import Array, Transfer

#: Cuts of one data point that are this close in t are one: rounding has parted them.
GAP = 1e-12
#: Kinks closer than this in t, or so close to an end of the line, are one kink, or none.
MERGE = 1e-9
#: A pre-activation smaller than this, relative to the terms it was summed from, is zero.
ROUNDING = 1e-13
#: A turn of E smaller than this, relative to the slopes of E's terms, is rounding.
LEAST_TURN = 1e-9
#: Polynomial coefficients that one search may compute (a few seconds), and kinks it may find.
MOST_WORK = 50_000_000
MOST_KINKS = 5_000
# Data points go through the layers in blocks of this many activations, to bound the memory.
_BLOCK = 2_048


@dataclass(frozen=True, eq=False)
class _Pieces:
    """Intervals of t, sorted by data point and then by t, with polynomials on each.

    point, lower, upper (P,); polynomials (d + 1, P, n).
    """

    point: NDArray[np.intp]
    lower: Array
    upper: Array
    polynomials: Array


def find_kinks(
    slice: Slice, start: tuple[float, float], end: tuple[float, float]
) -> tuple[Array, Array] | None:
    """Every t in (0, 1) at which the slope of E jumps, ascending, and by how much it jumps.

    The jump is dE/dt on the right minus dE/dt on the left. None where a layer from the first moved
    one on is smooth, or where the line has too many pieces or kinks to follow.
    """
    found = _follow_line(slice, start, end)
    if found is None:
        return None
    t, turn, scale, _ = found
    real = np.abs(turn) > LEAST_TURN * scale
    return None if np.count_nonzero(real) > MOST_KINKS else (t[real], turn[real])


def find_switches(
    slice: Slice, start: tuple[float, float], end: tuple[float, float]
) -> tuple[Array, NDArray[np.bool_]] | None:
    """Every t in (0, 1) at which a unit switches, whether the slope of E jumps there or not.

    Between them the activations are polynomials. The second array tells where it is a single data
    point that switches. None as for `find_kinks`.
    """
    found = _follow_line(slice, start, end)
    return None if found is None or len(found[0]) > MOST_KINKS else (found[0], found[3] == 1)


def _follow_line(
    slice: Slice, start: tuple[float, float], end: tuple[float, float]
) -> tuple[Array, Array, float, NDArray[np.intp]] | None:
    """Every switch of a unit with its turn of E, a size of E's slopes, how many switch at once."""
    network, data = slice.objective.network, slice.objective.data
    if not all(f.piecewise_linear for f in network.transfers[slice.first_moved - 1 :]):
        return None
    inputs = fixed_inputs(slice)
    step = max(1, _BLOCK // max(network.widths))
    work = MOST_WORK
    positions, turns, scale = [], [], 0.0
    for first in range(0, len(data), step):
        point = np.arange(first, min(first + step, len(data)))
        pieces = _Pieces(point, np.zeros(len(point)), np.ones(len(point)), inputs[None, point])
        for layer in range(slice.first_moved, network.depth + 1):
            pieces, bound = _enter_layer(pieces, slice, layer, start, end)
            work -= pieces.polynomials.size
            if work < 0:
                return None
            f = network.transfers[layer - 1]
            parts = _cut(pieces, f)
            work -= len(parts.parent) * pieces.polynomials[:, 0].size
            if work < 0:
                return None
            pieces = _apply(f, parts, pieces, bound)
        t, turn, slope = _turns(pieces, slice)
        positions.append(t)
        turns.append(turn)
        scale += slope
    t, turn, count = _merge(np.concatenate(positions), np.concatenate(turns))
    return t, turn, scale, count


def _weights_along(
    slice: Slice, layer: int, start: tuple[float, float], end: tuple[float, float]
) -> tuple[Array, Array | None]:
    """A and B of a layer's weights A + t B; None where the line does not move them."""
    A = slice.origin.get(layer, slice.objective.network.weights[layer - 1])
    B: Array | None = None
    for directions, from_, to in zip((slice.along_u, slice.along_v), start, end, strict=True):
        if layer in directions:
            A = A + from_ * directions[layer]
            if from_ != to:
                part = (to - from_) * directions[layer]
                B = part if B is None else B + part
    return A, B


def _enter_layer(
    pieces: _Pieces,
    slice: Slice,
    layer: int,
    start: tuple[float, float],
    end: tuple[float, float],
) -> tuple[_Pieces, Array]:
    """The pre-activations of a layer on the same pieces, and the size (P, n) of their terms."""
    A, B = _weights_along(slice, layer, start, end)
    b = slice.objective.network.biases[layer - 1]
    a = pieces.polynomials
    h, size = a @ A.T, (np.abs(a) @ np.abs(A).T).sum(axis=0)
    if B is not None:
        h = np.concatenate([h, np.zeros_like(h[:1])])
        h[1:] += a @ B.T
        size += (np.abs(a) @ np.abs(B).T).sum(axis=0)
    if b is not None:
        h[0] += b
        size += np.abs(b)
    return _Pieces(pieces.point, pieces.lower, pieces.upper, h), size


@dataclass(frozen=True, eq=False)
class _Parts:
    """Pieces cut further: parent (Q,) is the piece that each part comes from."""

    parent: NDArray[np.intp]
    lower: Array
    upper: Array

    @property
    def opens(self) -> NDArray[np.bool_]:
        """Which parts are the first of their parent."""
        return np.diff(self.parent, prepend=-1) > 0


def _cut(pieces: _Pieces, f: Transfer) -> _Parts:
    """Every piece cut where one of its pre-activations meets a node."""
    lower, upper = pieces.lower[:, None], pieces.upper[:, None]
    met = [lower]
    for node in f.nodes or ():
        roots = find_roots(_shifted(pieces.polynomials, node), lower, upper)
        met.append(np.moveaxis(roots, 1, 0).reshape(len(lower), -1))
    cuts = np.sort(np.concatenate(met, axis=1), axis=1)  # NaN, for no root, comes last
    kept = np.ones(cuts.shape, dtype=np.bool_)
    kept[:, 1:] = (np.diff(cuts, axis=1) > GAP) & (cuts[:, 1:] < upper - GAP)
    return _close(np.nonzero(kept)[0], cuts[kept], pieces.upper)


def _close(parent: NDArray[np.intp], lower: Array, upper_of_parent: Array) -> _Parts:
    """Parts that each reach up to the next one of their parent, the last to the parent's end."""
    upper = upper_of_parent[parent]
    inner = parent[1:] == parent[:-1]
    upper[:-1][inner] = lower[1:][inner]
    return _Parts(parent, lower, upper)


def _shifted(polynomials: Array, node: float) -> Array:
    if node == 0.0:
        return polynomials
    shifted = polynomials.copy()
    shifted[0] -= node
    return shifted


def _apply(f: Transfer, parts: _Parts, pieces: _Pieces, bound: Array) -> _Pieces:
    """The activations on the parts; parts on which every unit keeps its line become one again."""
    if f.slopes is None or f.intercepts is None:
        raise ValueError(f"{f.name} is smooth: it has no pieces")
    h = pieces.polynomials[:, parts.parent]
    number = np.zeros(h.shape[1:], dtype=np.int8)
    for node in f.nodes or ():
        number += _right_of(node, h, parts, bound[parts.parent])
    kept = parts.opens
    kept[1:] |= (number[1:] != number[:-1]).any(axis=1)
    whole = _close(parts.parent[kept], parts.lower[kept], pieces.upper)
    number = number[kept]
    a = np.asarray(f.slopes)[number] * h[:, kept]
    a[0] += np.asarray(f.intercepts)[number]
    return _Pieces(pieces.point[whole.parent], whole.lower, whole.upper, a)


def _right_of(node: float, h: Array, parts: _Parts, bound: Array) -> NDArray[np.bool_]:
    """Whether each unit (Q, n) lies right of a node on each part.

    No part has a crossing inside, so the sample farthest from the node decides; one more sample
    than the degree, as a polynomial with that many zeros is zero. A unit that stays within rounding
    of the node keeps the side of the next part of the same parent on which it is clear, below or
    else above: a multiple root, smeared by rounding, makes no kinks.
    """
    shifted = _shifted(h, node)
    farthest = np.zeros(h.shape[1:])
    for i in range(len(h)):
        t = parts.lower + (i + 0.5) / len(h) * (parts.upper - parts.lower)
        value = evaluate_polynomials(shifted, t[:, None])
        farthest = np.where(np.abs(value) > np.abs(farthest), value, farthest)
    right = farthest > 0
    clear = np.abs(farthest) > ROUNDING * (bound + abs(node))
    if clear.all():
        return right
    count = len(parts.parent)
    rows = np.arange(count)[:, None]
    below = np.maximum.accumulate(np.where(clear, rows, -1), axis=0)
    above = np.minimum.accumulate(np.where(clear, rows, count)[::-1], axis=0)[::-1]
    parent = parts.parent[:, None]
    has_below = (below >= 0) & (parts.parent[below] == parent)
    has_above = (above < count) & (parts.parent[np.minimum(above, count - 1)] == parent)
    source = np.where(has_below, below, above)
    copied = np.take_along_axis(right, np.minimum(source, count - 1), axis=0)
    # Nowhere clear: the unit lies along the node, and either side gives the same values.
    return np.asarray(copied & (has_below | has_above))


def _turns(pieces: _Pieces, slice: Slice) -> tuple[Array, Array, float]:
    """Where pieces of one data point meet, the jump of dE/dt there, and a size of E's slopes.

    The size counts each term of each polynomial by itself: a turn much below it is rounding.
    """
    a, y = pieces.polynomials, slice.objective.data.targets[pieces.point]
    slopes = differentiate_polynomials(a)
    size = np.zeros(len(pieces.point))
    for t in (pieces.lower, pieces.upper):
        gradient = slice.objective.loss.gradient(evaluate_polynomials(a, t[:, None]), y)
        size = np.maximum(size, (np.abs(gradient) * np.abs(slopes).sum(axis=0)).sum(axis=1))
    opens = np.flatnonzero(np.diff(pieces.point, prepend=-1))
    scale = float(np.maximum.reduceat(size, opens).sum())

    inner = np.setdiff1d(np.arange(len(pieces.point)), opens)
    t = pieces.lower[inner]
    gradient = slice.objective.loss.gradient(
        evaluate_polynomials(a[:, inner], t[:, None]), y[inner]
    )
    jump = evaluate_polynomials(slopes[:, inner] - slopes[:, inner - 1], t[:, None])
    return t, (gradient * jump).sum(axis=1), scale


def _merge(t: Array, turn: Array) -> tuple[Array, Array, NDArray[np.intp]]:
    """Kinks sorted, those within `MERGE` of their neighbour made one, turns added; how many."""
    inside = (t > MERGE) & (t < 1.0 - MERGE)
    order = np.argsort(t[inside])
    t, turn = t[inside][order], turn[inside][order]
    if not len(t):
        return t, turn, np.empty(0, dtype=np.intp)
    opens = np.flatnonzero(np.diff(t, prepend=-1.0) > MERGE)
    count = np.diff(opens, append=len(t))
    return np.add.reduceat(t, opens) / count, np.add.reduceat(turn, opens), count
