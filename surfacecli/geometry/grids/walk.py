"""A walk along the lines of an arrangement, which knows the pattern of every edge."""

from dataclasses import dataclass

import numpy as np

from surfacecli.geometry.grids.arrangement import Steps, Vertices, doubt
from surfacecli.geometry.grids.patterns import Ramps
from surfacecli.geometry.grids.running import Indices
from surfacecli.network.transfers import Array


@dataclass(frozen=True, eq=False)
class Walk:
    """The steps of an arrangement with what they need to know, arrays (n,) or (lines,).

    `pattern` is that of the edge behind each step, its own ramp off; `first` and `last` are the
    first and last step of each line.
    """

    vertices: Vertices
    steps: Steps
    owner: Indices
    line: Indices
    x: Array
    z: Array
    first: Indices
    last: Indices
    pattern: Indices
    forms: Array  # of the outputs on the first edge of each line, (lines, 3, outputs)

    @classmethod
    def along(cls, vertices: Vertices, steps: Steps, ramps: Ramps) -> "Walk":
        """Raises `DoubtfulError` where the pattern of a line is not that of the border it meets."""
        owner, line = np.divmod(steps.line, ramps.width + 1)
        x, z = vertices.x.take(steps.vertex), vertices.z.take(steps.vertex)
        fresh = np.append(True, steps.line[1:] != steps.line[:-1])
        first = np.flatnonzero(fresh)
        last = np.append(first[1:], len(fresh)) - 1
        middle = 0.5 * (x[first] + x[first + 1]), 0.5 * (z[first] + z[first + 1])
        at_first, forms = ramps.forms(owner[first], *middle, line[first])
        # The pattern changes by the name of each ramp that is met.
        crosses = steps.other >= 0
        names = np.append(ramps.names, 0.0).astype(np.int64)
        changes = names[steps.other] * steps.sign.astype(np.int64)
        running = np.cumsum(changes)
        pattern = running + (at_first - running[first])[np.cumsum(fresh) - 1]

        inner = line[first] < ramps.width
        at_end = np.zeros(len(vertices.x), dtype=np.int64)
        for end in (first, last):
            at_end[steps.vertex[end[inner]]] = pattern[end[inner]]
        border = np.flatnonzero(crosses & (line == ramps.width))
        before_or_after = np.where(steps.sign[border] > 0, -changes[border], 0) + pattern[border]
        doubt(owner[border[at_end[steps.vertex[border]] != before_or_after]])
        return cls(vertices, steps, owner, line, x, z, first, last, pattern, forms)

    def middle(self, step: Indices) -> tuple[Array, Array]:
        """Halfway from steps to the next ones."""
        here, there = step, step + 1
        return 0.5 * (self.x[here] + self.x[there]), 0.5 * (self.z[here] + self.z[there])
