"""The curvature of the error over each layer's weights: eqs. (1) and (2) of Botev, Ritter, Barber.

    backpropagate(objective)             one pass forward and back: activations, dE/dh, gradients
    pre_activation_hessians(objective)   PH_l and G_l for each data point, eq. (2)
    layer_hessian(objective, l)          H_l as a matrix over W_l.ravel(), eq. (1)
    layer_hessian_product(...)           H_l V without the matrix; contract_layer: 2x2 of a slice
    full_hessian(objective), full_trace  across layers too
    examine_layers(objective)            per layer: trace, rank, extreme eigenvalues, PSD and why

Each takes another `network` of the same widths in place of the objective's own (a slice's
`network_at(u, v)`). "Practical Gauss-Newton Optimisation for Deep Learning", arXiv 1706.03662.
"""

from surfacecli.network.curvature.dense import layer_hessian
from surfacecli.network.curvature.examine import LayerCurvature, examine_layers
from surfacecli.network.curvature.full import full_hessian
from surfacecli.network.curvature.passes import Backpropagation, backpropagate
from surfacecli.network.curvature.products import (
    contract_layer,
    layer_hessian_product,
    layer_product,
    pre_activation_product,
)
from surfacecli.network.curvature.recursion import (
    PreActivationHessians,
    pre_activation_hessians,
    walk_pre_activation_hessians,
)
from surfacecli.network.curvature.spectrum import Rank, Spectrum
from surfacecli.network.curvature.traces import full_trace

__all__ = [
    "Backpropagation",
    "LayerCurvature",
    "PreActivationHessians",
    "Rank",
    "Spectrum",
    "backpropagate",
    "contract_layer",
    "examine_layers",
    "full_hessian",
    "full_trace",
    "layer_hessian",
    "layer_hessian_product",
    "layer_product",
    "pre_activation_hessians",
    "pre_activation_product",
    "walk_pre_activation_hessians",
]
