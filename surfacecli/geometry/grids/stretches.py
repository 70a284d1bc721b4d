"""What E gains across each stretch of a line: summed up from step to step, from passage to passage.

Across line l, g being its pre-activation and w its weights, outputs gain w g on the side where
g > 0, and residuals s w g, s being the slopes of the pieces that the outputs are on. So E gains
g (2 pull + square g), with pull = sum of s w r and square = sum of (s w)^2, r the residuals without
the ramp. Where another line is crossed r changes by s w' g', where an output passes a node its s.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.grids.arrangement import Vertices
from surfacecli.geometry.grids.handover import Edges, rows_before
from surfacecli.geometry.grids.passages import Passages
from surfacecli.geometry.grids.patterns import Ramps
from surfacecli.geometry.grids.running import Indices, squared_residual
from surfacecli.geometry.grids.walk import Walk
from surfacecli.network.transfers import Array, Transfer

Pieces = NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Stretches:
    """The stretches of all lines in order, as arrays (n,): `number` of the line, where they begin.

    The last of a line is empty. `pull` (3, n) and `square` as in `Edges`; `first` and `last` are
    the first and last of each line; `corner` (6,) is the quadratic in the first corner.
    """

    number: Indices
    z: Array
    pull: Array
    square: Array
    first: Indices
    last: Indices
    corner: Array

    def edges(self, walk: Walk, ramps: Ramps, rows: int) -> tuple[Edges, Indices]:
        """All that rows meet, and their data points."""
        row = rows_before(self.z, rows)
        line = walk.line[walk.first]
        inner = (self.number[1:] == self.number[:-1]) & (line < ramps.width)[self.number[:-1]]
        which = np.flatnonzero(inner & (row[1:] != row[:-1]))
        number = self.number[which]
        owner = walk.owner[walk.first].take(number)
        g = ramps.lines.reshape(3, -1).take(owner * ramps.width + line.take(number), axis=1)
        pull, square = self.pull.take(which, axis=1), self.square.take(which)
        return Edges(g, pull, square, row.take(which), row.take(which + 1)), owner

    def on_border(self, x: float, walk: Walk, ramps: Ramps, rows: int) -> tuple[Edges, Array]:
        """Those that end on a side of the border, and whether g grows going up it (sign)."""
        parts = []
        for steps, stretches in ((walk.first, self.first), (walk.last, self.last - 1)):
            mine = np.flatnonzero((walk.x[steps] == x) & (walk.line[steps] < ramps.width))
            parts.append((steps[mine], stretches[mine]))
        step, which = (np.concatenate(part) for part in zip(*parts, strict=True))
        g = ramps.lines[:, walk.owner[step], walk.line[step]]
        row = rows_before(walk.z[step], rows)
        return Edges(g, self.pull[:, which], self.square[which], row, row), np.sign(g[1])


def stretch(
    walk: Walk,
    outputs: Array | None,
    passages: Passages | None,
    ramps: Ramps,
    f: Transfer,
    y: Array,
) -> Stretches:
    """The stretches of a walk; `outputs` (vertices, K) are those at its vertices.

    They and where they pass nodes are None where f is linear.
    """
    slopes, intercepts = np.array(f.slopes), np.array(f.intercepts)
    piece = None if outputs is None else f.piece(outputs)
    start, corner = _starts(walk, piece, ramps, slopes, intercepts, y)
    count = len(walk.line)
    number = np.cumsum(np.append(False, walk.steps.line[1:] != walk.steps.line[:-1]))

    # pull and square change where a line is crossed by w . s s w' g' ...
    weight = walk.steps.sign * _products(walk.vertices, piece, ramps, slopes).take(
        walk.steps.vertex
    )
    crossed = walk.owner * ramps.width + np.maximum(walk.steps.other, 0)
    changes = np.zeros((4, count))
    for change, part in zip(changes, ramps.lines.reshape(3, -1), strict=False):
        np.multiply(weight, part.take(crossed), out=change)
    z, first, last = walk.z, walk.first, walk.last
    if passages is not None:
        # ... and where an output passes a node.
        p = passages
        behind = np.cumsum(np.bincount(p.step, minlength=count))
        old = np.arange(count) + np.append(0, behind[:-1])
        new = p.step + 1 + np.arange(len(p.step))

        def merge(ours: Array, theirs: Array) -> Array:
            merged = np.empty((*ours.shape[:-1], count + len(new)), dtype=ours.dtype)
            merged[..., old], merged[..., new] = ours, theirs
            return merged

        w = np.append(ramps.W, np.zeros((len(ramps.W), 1)), axis=1)[p.output, walk.line[p.step]]
        moved = p.square * p.g
        moved[2] += p.pull
        gained = p.rises * w * np.append(moved, [p.square * w], axis=0)
        changes, number = merge(changes, gained), merge(number, number[p.step])
        z, first, last = merge(z, p.z), old[first], old[last]
    # Each line begins anew: what it starts with, less what the one before it ends with.
    changes[:, first] = 0.0
    end = start + np.add.reduceat(changes, first, axis=1)
    start[:, 1:] -= end[:, :-1]
    changes[:, first] = start
    np.cumsum(changes, axis=1, out=changes)
    return Stretches(number, z, changes[:3], changes[3], first, last, corner)


def _starts(
    walk: Walk, piece: Pieces | None, ramps: Ramps, slopes: Array, intercepts: Array, y: Array
) -> tuple[Array, Array]:
    """pull and square (4, lines) where each line starts, and the quadratic (6,) in the corner."""
    owner, line = walk.owner[walk.first], walk.line[walk.first]
    shape = len(owner), len(ramps.W)
    at = np.zeros(shape, dtype=np.intp) if piece is None else piece[walk.steps.vertex[walk.first]]
    slope = slopes[at]
    residuals = walk.forms * slope[:, None, :]
    residuals[:, 2] += intercepts[at] - y[owner]
    moved = slope * np.append(ramps.W, np.zeros((len(ramps.W), 1)), axis=1).T[line]
    pull = np.einsum("nck,nk->cn", residuals, moved)
    border = residuals[line == ramps.width].transpose(1, 0, 2).reshape(3, -1, 1)
    corner = np.array(squared_residual(*border)).ravel()
    return np.append(pull, [np.einsum("nk,nk->n", moved, moved)], axis=0), corner


def _products(vertices: Vertices, piece: Pieces | None, ramps: Ramps, slopes: Array) -> Array:
    """At each crossing the products s w . s w' of both lines, (vertices,); 0 elsewhere."""
    result = np.zeros(len(vertices.x))
    crossings = np.s_[: vertices.kinds[0]]
    pair = vertices.first[crossings] * ramps.width + vertices.second[crossings]
    W = np.ascontiguousarray(ramps.W.T)
    if piece is None:
        result[crossings] = (slopes[0] ** 2 * (W @ W.T)).ravel().take(pair)
        return result
    products = W.take(vertices.first[crossings], axis=0)
    products *= W.take(vertices.second[crossings], axis=0)
    squares = np.square(slopes)[piece[crossings]]
    result[crossings] = np.einsum("ek,ek->e", squares, products)
    return result
