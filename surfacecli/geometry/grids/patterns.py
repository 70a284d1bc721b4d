"""What the outputs of data points are, at points and on edges of their arrangements.

The layer below the last is a set of ramps: an output is o = sum over l of W_l relu(g_l) + rest,
with g_l and the rest affine in (x, z). Which ramps are on is the pattern; a number stands for it,
the sum of one fixed random whole number for each ramp that is on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from surfacecli.geometry.grids.running import Indices
from surfacecli.geometry.surface import blocks
from surfacecli.network.transfers import Array

#: Names of ramps are random below this; sums of some hundred stay exact, and leave room for more.
LARGEST_NAME = 1 << 36


@dataclass(frozen=True, eq=False)
class Ramps:
    """lines (3, data points, width), W (outputs, width), rest (3, data points, outputs).

    Three are the coefficients of x, z and 1.
    """

    lines: Array
    W: Array
    rest: Array

    def part(self, which: slice | Indices) -> "Ramps":
        """Some data points."""
        return Ramps(self.lines[:, which], self.W, self.rest[:, which])

    def from_row(self, row: int) -> "Ramps":
        """The same with z counted from another row."""
        lines, rest = self.lines.copy(), self.rest.copy()
        for part in (lines, rest):
            part[2] += row * part[1]
        return Ramps(lines, self.W, rest)

    @property
    def count(self) -> int:
        return int(self.lines.shape[1])

    @property
    def width(self) -> int:
        return int(self.lines.shape[2])

    def largest(self, points: int, rows: int) -> Array:
        """A bound of all parts of the outputs on a grid, added up, (data points, outputs)."""
        corner = np.array([points, rows, 1.0])
        lines, rest = (np.tensordot(corner, np.abs(part), 1) for part in (self.lines, self.rest))
        return np.asarray(lines @ np.abs(self.W).T + rest)

    @cached_property
    def names(self) -> Array:
        """A whole number for each ramp, (width,)."""
        draw = np.random.default_rng(0)
        return draw.integers(1, LARGEST_NAME, self.width).astype(np.float64)

    def outputs(self, owner: Indices, x: Array, z: Array, *zeros: Indices) -> Array:
        """The outputs (n, outputs) at points (n,) whose data points rise.

        Lines `zeros` (n,), -1 for none, pass through the points: their g is 0 and not its rounding.
        """
        result = np.empty((len(owner), len(self.W)))
        for data, mine, points, place in self._spread(owner, x, z):
            g = points @ self._by_data[data]
            g = np.maximum(g, 0.0, out=g).reshape(-1, self.width)
            for zero in zeros:
                through = zero[mine]
                known = through >= 0
                g.ravel()[place[known] * self.width + through[known]] = 0.0
            outputs = g @ self.W.T
            outputs += (points @ self._rest_by_data[data]).reshape(outputs.shape)
            result[mine] = outputs.take(place, axis=0)
        return result

    def forms(self, owner: Indices, x: Array, z: Array, own: Indices) -> tuple[Indices, Array]:
        """Pattern (n,) and outputs' coefficients (n, 3, outputs) around points on lines `own`.

        Data points rise. The ramp of the line itself counts as off; the border has the number
        `width` and no ramp.
        """
        names, result = np.empty(len(owner)), np.empty((len(owner), 3 * len(self.W)))
        for data, mine, place, on in self._patterns(owner, x, z, own):
            names[mine] = (on @ self.names).ravel()[place]
            forms = on @ self._weighed[data]
            forms += self._rest_by_data[data].reshape(len(on), 1, -1)
            result[mine] = forms.reshape(-1, result.shape[1]).take(place, axis=0)
        return names.astype(np.int64), result.reshape(len(owner), 3, -1)

    def form(
        self, owner: Indices, x: Array, z: Array, own: Indices, output: Indices
    ) -> tuple[Indices, Array]:
        """As `forms`, for one output at each point: coefficients (3, n)."""
        names, result = np.empty(len(owner)), np.empty((len(owner), 3))
        for data, mine, place, on in self._patterns(owner, x, z, own):
            names[mine] = (on @ self.names).ravel()[place]
            on.reshape(-1, self.width)[place] *= self.W.take(output[mine], axis=0)
            form = on @ self._by_data[data].transpose(0, 2, 1)
            result[mine] = form.reshape(-1, 3).take(place, axis=0)
        result += self._rest_by_data[owner, :, output]
        return names.astype(np.int64), result.T

    def _patterns(
        self, owner: Indices, x: Array, z: Array, own: Indices
    ) -> Iterator[tuple[slice, slice, Indices, Array]]:
        for data, mine, points, place in self._spread(owner, x, z):
            on = (points @ self._by_data[data] > 0).astype(np.float64)
            through = own[mine]
            inner = through < self.width
            on.ravel()[place[inner] * self.width + through[inner]] = 0.0
            yield data, mine, place, on

    @cached_property
    def _by_data(self) -> Array:
        return np.ascontiguousarray(self.lines.transpose(1, 0, 2))

    @cached_property
    def _rest_by_data(self) -> Array:
        return np.ascontiguousarray(self.rest.transpose(1, 0, 2))

    @cached_property
    def _weighed(self) -> Array:
        """What each ramp gives to each output: (data points, width, 3 outputs)."""
        each = self.lines.transpose(1, 2, 0)[:, :, :, None] * self.W.T[:, None, :]
        return each.reshape(self.count, self.width, -1)

    def _spread(
        self, owner: Indices, x: Array, z: Array
    ) -> Iterator[tuple[slice, slice, Array, Indices]]:
        """Points as a stack of matrices, one for each data point, in blocks that fit the cache.

        Gives data points, points, (x, z, 1) as (data points, most points, 3), and the places of the
        points among its rows.
        """
        counts = np.bincount(owner, minlength=self.count)
        stops = np.cumsum(counts)
        for data in blocks(self.count, 8 * self.width * max(1, int(counts.max(initial=0)))):
            mine = np.s_[stops[data.start] - counts[data.start] : stops[data.stop - 1]]
            most = int(counts[data].max(initial=0))
            place = np.arange(mine.stop - mine.start)
            if data.stop - data.start > 1:
                gaps = most * np.arange(len(counts[data])) - (
                    np.cumsum(counts[data]) - counts[data]
                )
                place += np.repeat(gaps, counts[data])
            points = np.ones((data.stop - data.start, most, 3))
            points.reshape(-1, 3)[place, 0] = x[mine]
            points.reshape(-1, 3)[place, 1] = z[mine]
            yield data, mine, points, place
