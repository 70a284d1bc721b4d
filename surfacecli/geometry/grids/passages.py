"""Where outputs pass the nodes of their transfer function, on the lines of an arrangement."""

from dataclasses import dataclass

import numpy as np

from surfacecli.geometry.grids.arrangement import doubt
from surfacecli.geometry.grids.handover import Edges, rows_before
from surfacecli.geometry.grids.patterns import LARGEST_NAME, Ramps
from surfacecli.geometry.grids.running import Indices, dot
from surfacecli.geometry.grids.walk import Walk
from surfacecli.network.transfers import Array, Transfer

#: The sine of the angle that a segment may make with the line that it lies on.
ASKEW = 1e-6


@dataclass(frozen=True, eq=False)
class Passages:
    """Where output k passes a node behind step `step`, sorted along the walk; arrays (n,).

    Beyond, where g > 0, its squared residual gains g (2 pull + square g); g is (3, n), the ramp
    of the line itself off. `rises` is 1 where g grows along the walk, else -1; `group` counts data
    points, outputs and nodes.
    """

    step: Indices
    output: Indices
    x: Array
    z: Array
    rises: Array
    g: Array
    pull: Array
    square: Array
    group: Indices

    def on_border(self, x: float, walk: Walk, ramps: Ramps, rows: int) -> tuple[Edges, Array]:
        """Those on the side of the border that is walked down; and 1 where g grows going up."""
        step = self.step
        on_side = (walk.x[step] == x) & (walk.x[step + 1] == x) & (walk.line[step] == ramps.width)
        mine = np.flatnonzero(on_side)
        row = rows_before(self.z[mine], rows)
        pull = np.zeros((3, len(mine)))
        pull[2] = self.pull[mine]
        return Edges(self.g[:, mine], pull, self.square[mine], row, row), -self.rises[mine]


def find_passages(walk: Walk, outputs: Array, ramps: Ramps, f: Transfer, y: Array) -> Passages:
    """The passages on all lines, from the outputs (vertices, outputs) at their vertices.

    Raises `DoubtfulError` where the pattern of an edge is another than in its middle.
    """
    nodes = np.array(f.nodes)
    slopes, intercepts = np.array(f.slopes), np.array(f.intercepts)
    same_line = walk.steps.line[1:] == walk.steps.line[:-1]
    vertex = walk.steps.vertex
    found = []
    for nth, node in enumerate(nodes):
        beyond = outputs > node
        # Eight outputs in a byte: most stretches have no passage at all.
        differs = np.zeros(len(same_line), dtype=np.bool_)
        for packed in np.packbits(beyond, axis=1).T:
            byte = packed.take(vertex)
            differs |= byte[1:] != byte[:-1]
        some = np.flatnonzero(differs & same_line)
        passed = beyond.take(vertex[some], axis=0) != beyond.take(vertex[some + 1], axis=0)
        row, output = np.divmod(np.flatnonzero(passed), outputs.shape[1])
        step = some[row]
        found.append((step, output, np.full(len(step), nth), beyond[vertex[step + 1], output]))
    parts = [np.concatenate(part) for part in zip(*found, strict=True)]
    by_step = np.argsort(parts[0], kind="stable") if len(nodes) > 1 else np.arange(len(parts[0]))
    step, output, number, rises = (part.take(by_step) for part in parts)
    owner = walk.owner[step]
    pattern, g = ramps.form(owner, *walk.middle(step), walk.line[step], output)
    doubt(owner[pattern != walk.pattern[step]])
    g[2] -= nodes[number]
    begin = np.stack([walk.x[step], walk.z[step], np.ones(len(step))])
    way = np.stack([walk.x[step + 1], walk.z[step + 1], begin[2]]) - begin
    rate = dot(g, way)
    share = np.divide(-dot(g, begin), rate, out=np.zeros_like(rate), where=rate != 0)
    share = np.clip(share, 0.0, 1.0)
    x, z = begin[:2] + share * way[:2]
    # In order along the walk; a share of 1 must not reach the next step.
    order = np.argsort(step + share * (1.0 - 1e-6))
    step, output, number, owner = (part.take(order) for part in (step, output, number, owner))
    rising = np.where(rises.take(order), 1.0, -1.0)
    x, z, g = x.take(order), z.take(order), g.take(order, axis=1)
    left, right = slopes[number], slopes[number + 1]
    pull = (right - left) * (left * nodes[number] + intercepts[number] - y[owner, output])
    group = (owner * outputs.shape[1] + output) * len(nodes) + number
    return Passages(step, output, x, z, rising, g, pull, right * right - left * left, group)


def pair_passages(walk: Walk, passages: Passages, ramps: Ramps, rows: int) -> Edges:
    """The segments on which outputs pass nodes: each cell has two ends of one, or none.

    Raises `DoubtfulError` where it does not.
    """
    p = passages
    line = walk.line[p.step]
    inner = np.flatnonzero(line < ramps.width)
    pattern = walk.pattern[p.step]
    # Every passage ends a segment in the cell on either side of its line, one with its ramp on.
    names = ramps.names.astype(np.int64)
    bits = int(ramps.width * LARGEST_NAME).bit_length()
    cell = (p.group << bits) + pattern
    cells = np.concatenate([cell, cell[inner] + names[line[inner]]])
    passage = np.concatenate([np.arange(len(line)), inner])
    order = np.argsort(cells)
    cells, passage = cells[order], passage[order]
    fresh = np.append(True, cells[1:] != cells[:-1]) if len(cells) else np.zeros(0, dtype=np.bool_)
    ends = np.bincount(np.cumsum(fresh) - 1)
    doubt(walk.owner[p.step[passage[(ends != 2).repeat(ends)]]])
    one, two = passage[0::2], passage[1::2]
    g = p.g[:, one]
    beyond = np.flatnonzero(order[0::2] >= len(line))
    owner, own = walk.owner[p.step[one[beyond]]], line[one[beyond]]
    g[:, beyond] += ramps.W[p.output[one[beyond]], own] * ramps.lines[:, owner, own]
    at = rows_before(p.z, rows)
    begin, end = np.minimum(at[one], at[two]), np.maximum(at[one], at[two])
    met = np.flatnonzero((begin < end) & (g[0] != 0))
    one, two, g = one[met], two[met], g[:, met]
    # One so short that rounding turns it round does not tell its sides.
    x, z = p.x[two] - p.x[one], p.z[two] - p.z[one]
    askew = np.abs(g[0] * x + g[1] * z) > ASKEW * np.hypot(g[0], g[1]) * np.hypot(x, z)
    doubt(walk.owner[p.step[one[askew]]])
    pull = np.zeros_like(g)
    pull[2] = p.pull[one]
    return Edges(g, pull, p.square[one], begin[met], end[met])
