"""Why a smooth maximum of a mixed slice is no contradiction: what each layer adds to its Hessian.

With the direction D = (D_1, D_2, ...), one part for each layer, the slice's second derivative is

    D^T H D = sum over l of D_l^T H_ll D_l  +  2 sum over l < m of D_l^T H_lm D_m.

For piecewise-linear transfer functions and a convex loss every diagonal block H_ll is positive
semi-definite (Botev, Ritter and Barber, 2017), so the first sum is never negative, and neither is
the trace of H, the sum of the layers' traces. The theorem says nothing of the blocks H_lm across
layers: where these outweigh the others, a direction that mixes layers finds a smooth maximum.
"""

from dataclasses import dataclass

import numpy as np

from surfacecli.geometry.slices import Slice
from surfacecli.geometry.surface import differentiate
from surfacecli.network.curvature.traces import full_trace
from surfacecli.network.data import Objective
from surfacecli.network.transfers import Array


@dataclass(frozen=True, eq=False)
class LayerShares:
    """The Hessian of a slice at a point, told apart by layers.

    `hessian` (2, 2) of the slice; `own` (2, 2) for each moved layer, that of the slice that moves
    this layer alone; `across` (2, 2), what is left: the blocks across layers. `full_trace` of the
    Hessian over all weights there.
    """

    u: float
    v: float
    hessian: Array
    own: dict[int, Array]
    full_trace: float

    @property
    def across(self) -> Array:
        return np.asarray(self.hessian - sum(self.own.values(), np.zeros((2, 2))))

    def describe(self) -> str:
        """One sentence with the numbers along u and v together: the traces of the parts."""
        trace = float(np.trace(self.hessian))
        own = float(sum(np.trace(part) for part in self.own.values()))
        across = float(np.trace(self.across))
        return (
            f"of the trace {trace:.4g} of the slice's Hessian there, the layers' own blocks make "
            f"{own:.4g} (never negative), the blocks across layers {across:.4g}, of which the "
            f"theorem says nothing; the trace over all weights is {self.full_trace:.4g}"
        )


def share_by_layers(slice: Slice, u: float, v: float) -> LayerShares:
    """Tell the Hessian of a slice at a point (u, v), off the kinks, apart by layers."""
    network = slice.network_at(u, v)
    there = Objective(network, slice.objective.data, slice.objective.loss)
    own = {}
    for layer in slice.moved:
        W = network.weights[layer - 1]
        alone = Slice(
            f"{slice.name}, layer {layer} alone",
            there,
            {layer: W},
            {layer: slice.along_u.get(layer, np.zeros_like(W))},
            {layer: slice.along_v.get(layer, np.zeros_like(W))},
        )
        own[layer] = differentiate(alone, 0.0, 0.0).hessian[0]
    hessian = differentiate(slice, u, v).hessian[0]
    return LayerShares(u, v, hessian, own, full_trace(there))
