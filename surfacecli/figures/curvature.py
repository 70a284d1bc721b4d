"""What a figure of Hessians shows: plain values, so that drawing needs neither net nor study."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surfacecli.network.transfers import Array


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The eigenvalues of a symmetric matrix of `size` rows, ready to be drawn.

    `positive` (p,) and `negative` (m,) are those told from zero, each largest first. `gauss_newton`
    holds those of the Gauss-Newton matrix that are told from zero, largest first; None where there
    is none to set beside. `remark` says in place of a drawing why the eigenvalues are not held.
    """

    title: str
    size: int
    trace: float
    positive: Array
    negative: Array
    gauss_newton: Array | None = None
    remark: str = ""

    @property
    def rank(self) -> int:
        return len(self.positive) + len(self.negative)

    @property
    def zeros(self) -> int:
        """How many directions have no curvature."""
        return self.size - self.rank


@dataclass(frozen=True)
class UnitCounts:
    """Where the data sit in one layer, in units: `smooth` where the transfer has no pieces."""

    layer: int
    dead: int
    mixed: int
    active: int
    smooth: int

    @property
    def units(self) -> int:
        return self.dead + self.mixed + self.active + self.smooth


@dataclass(frozen=True, eq=False)
class SpectraPicture:
    """The Hessians of a net at one point: over weights and over pre-activations, layer by layer.

    `weights` ends with the Hessian of all layers together where it is held; `pre_activations` and
    `units` have one entry for each layer. `samples`: the number of data points.
    """

    title: str
    heading: str
    weights: Sequence[Spectrum]
    pre_activations: Sequence[Spectrum]
    units: Sequence[UnitCounts]
    samples: int
    provenance: str = ""
    remarks: str = ""


@dataclass(frozen=True, eq=False)
class DepthCurve:
    """One net's curvature layer by layer.

    `flat` (L,): the share of pairs of unit and data point with slope 0. `rank` (L, 2): of the
    pre-activation Hessian of one data point, on average; `share` (L, 2): of the directions of the
    layer's Hessian that have a curvature. Both are lower and upper bounds, equal where the rank is
    exact. `trace` (L,) of the layer's Hessian.
    """

    name: str
    flat: Array
    rank: Array
    share: Array
    trace: Array

    @property
    def exact(self) -> bool:
        return all((part[:, 0] == part[:, 1]).all() for part in (self.rank, self.share))


@dataclass(frozen=True, eq=False)
class DepthPicture:
    """The curvature of nets that differ in nothing but the transfer function."""

    title: str
    heading: str
    curves: Sequence[DepthCurve]
    provenance: str = ""

    def __post_init__(self) -> None:
        lengths = {len(part) for c in self.curves for part in (c.rank, c.share, c.trace, c.flat)}
        if len(lengths) != 1:
            raise ValueError(f"the curves have {sorted(lengths)} layers; they must have as many")

    @property
    def layers(self) -> Array:
        return np.arange(1.0, len(self.curves[0].rank) + 1)
