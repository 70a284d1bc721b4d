"""Where piecewise-linear outputs pass the nodes of f on their way along paths of a grid."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from surfacecli.geometry.grids.running import Indices, squared_residual
from surfacecli.geometry.grids.tracks import Track
from surfacecli.network.transfers import Array, Transfer


class Crossings:
    """Which piece of f each output (n_L, paths) is on, and where it passes a node.

    All paths march along together, from one meeting point to the next; from each only the first
    ones go on. Where z is 1 all along (`rows`), the constant part of a quadratic joins the z part.
    """

    def __init__(
        self, f: Transfer, track: Track, P: Array, Q: Array, target: Array, rows: bool
    ) -> None:
        self._track, self._target, self._rows = track, target, rows
        self._slopes, self._intercepts = f.slopes or (), f.intercepts or ()
        self._nodes = f.nodes or ()
        h = P * track.start[0] + Q * track.start[1]
        self._beyond = [h > node for node in self._nodes]
        self._rank = np.zeros(P.shape[1], dtype=np.intp)
        self._found: list[list[tuple[Any, ...]]] = [[] for _ in self._nodes]

    def pieces(self, count: int) -> tuple[Array, Array]:
        """Slopes, and intercepts less targets, of the pieces that the first paths are on."""
        slope, intercept = np.array(self._slopes[0]), np.array(self._intercepts[0])
        for number, everywhere in enumerate(self._beyond, start=1):
            beyond = everywhere[:, :count]
            slope = np.where(beyond, self._slopes[number], slope)
            if any(self._intercepts):
                intercept = np.where(beyond, self._intercepts[number], intercept)
        return slope, intercept - self._target[:, :count]

    def squared(self, P: Array, Q: Array) -> list[Array]:
        """The squared residuals of the pieces that the outputs are on now."""
        slope, rest = self.pieces(P.shape[1])
        return _squared(slope, rest, P, Q, self._rows)

    def meet(self, P: Array, Q: Array, x: Array, z: Array, rank: Indices) -> None:
        """Move the first paths, whose outputs are P x + Q z, on to (x, z), `rank` points on."""
        count = P.shape[1]
        h = P * x
        h += Q if self._rows else Q * z
        for node, everywhere, found in zip(self._nodes, self._beyond, self._found, strict=True):
            before, beyond = everywhere[:, :count], h > node
            crossed = np.flatnonzero(before != beyond)
            if len(crossed):
                output, path = np.divmod(crossed, count)
                ends = self._rank[path], rank[path]
                p, q, up = P[output, path], Q[output, path], beyond[output, path]
                found.append((output, path, p, q, up, *ends))
                before[...] = beyond
        self._rank[:count] = rank

    def gains(self) -> Iterator[tuple[Indices, Indices, list[Array]]]:
        """For each node: the paths of its crossings, their ranks, and the quadratics gained."""
        for number, (node, found) in enumerate(zip(self._nodes, self._found, strict=True)):
            if not found:
                continue
            output, path, p, q, up, left, right = map(np.concatenate, zip(*found, strict=True))
            rank = self._track.rank(self._track.position(*self._track.crossing(p, q, node)))
            # A crossing stays between the ends of its segment, whatever its rounding.
            rank = np.clip(rank, left, np.maximum(left, right))
            y = self._target[output, path]
            below, above = (
                _squared(
                    self._slopes[n], (self._intercepts[n] - y)[None], p[None], q[None], self._rows
                )
                for n in (number, number + 1)
            )
            sign = np.where(up, 1.0, -1.0)
            yield path, rank, [sign * (a - b) for a, b in zip(above, below, strict=True)]


def _squared(slope: Array | float, rest: Array, P: Array, Q: Array, rows: bool) -> list[Array]:
    if rows:
        return squared_residual(slope * P, slope * Q + rest, None)
    return squared_residual(slope * P, slope * Q, rest)
