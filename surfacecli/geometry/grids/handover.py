"""Edges over the rows of a grid: where a row crosses one, the points behind get what it gains."""

from dataclasses import dataclass

import numpy as np

from surfacecli.geometry.grids.running import Indices
from surfacecli.geometry.surface import blocks
from surfacecli.network.transfers import Array

#: Arrays that are alive for one crossing, as far as the cache is concerned.
ALIVE = 16


@dataclass(frozen=True, eq=False)
class Edges:
    """Edges on lines g = 0, each met by rows begin ... end - 1; arrays (n,) or (3, n).

    Beyond an edge, where g > 0, the error gains g (2 pull + square g); g and pull (3, n) are
    affine: coefficients of x, z and 1, counted in steps of the grid.
    """

    g: Array
    pull: Array
    square: Array
    begin: Indices
    end: Indices

    def part(self, which: slice | Indices) -> "Edges":
        return Edges(
            self.g[:, which],
            self.pull[:, which],
            self.square[which],
            self.begin[which],
            self.end[which],
        )

    @property
    def _factor(self) -> Array:
        return np.asarray(2.0 * self.pull + self.square * self.g)

    def gains(self) -> Array:
        """What they gain, as coefficients (6, n) of x^2, xz, z^2, x, z, 1; mixed ones halved."""
        (P, Q, C), (X, Z, R) = self.g, self._factor
        halves = 0.5 * (P * Z + Q * X), 0.5 * (P * R + C * X), 0.5 * (Q * R + C * Z)
        return np.stack([P * X, halves[0], Q * Z, halves[1], halves[2], C * R])


def hand_over(total: Array, edges: Edges) -> None:
    """Add edges to the quadratics in x that begin at each point of a row.

    total is (3, rows, points + 1); the last place is behind all points.
    """
    width = total.shape[2]
    P, Q, C = edges.g
    X, Z, R = edges._factor
    start, turn = -C / P, -Q / P
    # A row crosses at x = start + turn z and gains |P| (x - .) (X x + Z z + R), multiplied out.
    square, drift, pull = (np.abs(P) * part for part in (X, Z, R))
    counts = edges.end - edges.begin
    stops = np.cumsum(counts)
    offset = (stops - edges.end).astype(np.float64)
    sums = total.reshape(3, -1)
    for part in blocks(len(counts), ALIVE * (1 + int(counts.sum()) // max(1, len(counts)))):
        edge = np.repeat(np.arange(part.stop - part.start), counts[part])
        z = np.arange(stops[part.stop - 1] - len(edge), stops[part.stop - 1], dtype=np.float64)
        z -= offset[part].take(edge)
        at = turn[part].take(edge)
        at *= z
        at += start[part].take(edge)
        pulled = drift[part].take(edge)
        pulled *= z
        pulled += pull[part].take(edge)
        squared = square[part].take(edge)
        z *= width
        z += np.clip(np.ceil(at), 0.0, width - 1.0)
        place = z.astype(np.intp)
        np.add.at(sums[0], place, squared)
        squared *= at
        at *= pulled
        pulled -= squared
        pulled *= 0.5
        np.add.at(sums[1], place, pulled)
        np.subtract.at(sums[2], place, at)


def rows_before(z: Array, rows: int) -> Indices:
    """How many rows lie before z."""
    return np.asarray(np.clip(np.ceil(z), 0, rows), dtype=np.intp)
