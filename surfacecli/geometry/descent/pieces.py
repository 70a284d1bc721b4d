"""E with every unit kept on the linear piece that it has at some place, and where it leaves it.

A unit with nodes is one line on each of its pieces. With the lines of one cell put in place of the
transfer functions, E is smooth everywhere and equal to the true one in that cell: it can be
followed up to a kink, and beyond to see where the kink was, without a difference across it.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.descent.steepest import Vector
from surfacecli.geometry.slices import Slice
from surfacecli.geometry.surface import Derivatives, differentiate, differentiate_units
from surfacecli.network.transfers import Array, Transfer

Pattern = NDArray[np.int8]

#: Slices that are kept with their pieces frozen.
KEPT = 64


@dataclass(frozen=True, eq=False)
class Margins:
    """How far the K units with nodes are inside their pieces at P places.

    `values` (P, K, 2): above the node below, and below the node above; infinite where there is no
    such node, negative outside. `along_u`, `along_v` (P, K): derivatives of the pre-activations.
    """

    values: Array
    along_u: Array
    along_v: Array


class Pieces:
    """The pieces of a slice: patterns (K,) hold one number for each unit on each data point."""

    def __init__(self, slice: Slice) -> None:
        self.slice, network = slice, slice.objective.network
        layers = range(slice.first_moved, network.depth + 1)
        self._kinked = [network.transfers[layer - 1].nodes not in (None, ()) for layer in layers]
        self.smooth = not any(self._kinked)
        self._freeze = lru_cache(maxsize=KEPT)(self._frozen_slice)

    def patterns(self, places: Array) -> Pattern:
        """The patterns (P, K) at places (P, 2); a node counts to its left."""
        rows = [np.zeros((len(places), 0), dtype=np.int8)]
        for f, (h, _, _) in self._kinked_layers(self.slice, places):
            rows.append(f.piece(h).reshape(len(places), -1))
        return np.concatenate(rows, axis=1)

    def differentiate(self, pattern: Pattern, places: Array) -> Derivatives:
        """E and its derivatives at places (P, 2), every unit on the pieces of one pattern."""
        return differentiate(self._freeze(pattern.tobytes()), places[:, 0], places[:, 1])

    def margins(self, pattern: Pattern, places: Array) -> Margins:
        """How far inside the pieces of a pattern the units are at places (P, 2)."""
        none = np.zeros((len(places), 0))
        values, rows_u, rows_v, start = [none[..., None] + [0.0, 0.0]], [none], [none], 0
        for f, (h, h_u, h_v) in self._kinked_layers(self._freeze(pattern.tobytes()), places):
            count = h[0].size
            nodes = np.array([-np.inf, *(f.nodes or ()), np.inf])
            piece = pattern[start : start + count]
            start += count
            flat = h.reshape(len(places), -1)
            values.append(np.stack([flat - nodes[piece], nodes[piece + 1] - flat], axis=-1))
            for rows, part in ((rows_u, h_u), (rows_v, h_v)):
                whole = np.zeros_like(h) if part is None else np.broadcast_to(part, h.shape)
                rows.append(whole.reshape(len(places), -1))
        return Margins(*(np.concatenate(part, axis=1) for part in (values, rows_u, rows_v)))

    def _kinked_layers(
        self, slice: Slice, places: Array
    ) -> list[tuple[Transfer, tuple[Array, Array | None, Array | None]]]:
        """Each layer with nodes: its true transfer function, its pre-activations in a slice."""
        transfers = self.slice.objective.network.transfers[self.slice.first_moved - 1 :]
        units = differentiate_units(slice, places[:, 0], places[:, 1])
        layers = zip(self._kinked, transfers, units, strict=True)
        return [(f, h) for kinked, f, h in layers if kinked]

    def _frozen_slice(self, pattern: bytes) -> Slice:
        """The slice whose transfer functions are the lines of a pattern."""
        objective, first = self.slice.objective, self.slice.first_moved
        network, samples = objective.network, len(objective.data)
        transfers, start = list(network.transfers[: first - 1]), 0
        numbers = np.frombuffer(pattern, dtype=np.int8)
        for kinked, f, W in zip(
            self._kinked, network.transfers[first - 1 :], network.weights[first - 1 :], strict=True
        ):
            if kinked:
                count = samples * len(W)
                piece = numbers[start : start + count].reshape(samples, len(W))
                f = _line(f, piece)
                start += count
            transfers.append(f)
        frozen = replace(objective, network=replace(network, transfers=tuple(transfers)))
        slice = self.slice
        return Slice(slice.name, frozen, slice.origin, slice.along_u, slice.along_v, slice.note)


def _line(f: Transfer, piece: Pattern) -> Transfer:
    """A transfer function that is the line of a piece (N, n) on each unit and data point."""
    slope, intercept = np.array(f.slopes)[piece], np.array(f.intercepts)[piece]
    return Transfer(
        f.name,
        value=lambda h: slope * h + intercept,
        slope=lambda h: np.broadcast_to(slope, h.shape),
        bend=np.zeros_like,
    )


def stack(*places: Vector) -> Array:
    """Places as an array (P, 2)."""
    return np.array(places, dtype=np.float64)
