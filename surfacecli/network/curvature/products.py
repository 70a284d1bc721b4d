"""Products with a layer's Hessian that never form it: eq. (1) as a map.

    H_l V = sum_n (PH_l,n V a_n) a_n^T        for V (n_l, n_{l-1}) and a = a_{l-1}

PH_l,n x by linearising the pass: x is pushed forward from h_l to the output and pulled back,

    t_l = x,  t_k = W_k B_{k-1} t_{k-1}       r_L = B_L H_loss B_L t_L + D_L t_L
    r_k = B_k W_{k+1}^T r_{k+1} + D_k t_k     PH_l x = r_l

(Pearlmutter, 1994, begun at h_l). Without the D terms it is the Gauss-Newton matrix (Schraudolph,
2002), without the loss's term the difference of both. Cost of one product: about twice a forward
pass from layer l on.
"""

import numpy as np

from surfacecli.network.curvature.passes import Backpropagation, backpropagate, check_layer
from surfacecli.network.data import Objective
from surfacecli.network.model import Network
from surfacecli.network.transfers import Array

#: Numbers in one work array of a product with many matrices (about 8 MB).
BLOCK = 1 << 20


def pre_activation_product(
    passes: Backpropagation,
    layer: int,
    x: Array,
    gauss_newton: bool = False,
    bends_only: bool = False,
) -> Array:
    """PH_l x, or G_l x, for every data point: x (..., N, n_l) and the result alike.

    With `bends_only` (PH_l - G_l) x, what the D terms add, at the cost of one product.
    """
    network, last = passes.network, passes.network.depth
    tangents = [x]
    for above in range(layer, last):
        t = (tangents[-1] * passes.slopes[above - 1]) @ network.weights[above].T
        tangents.append(t)
    B, t = passes.slopes[-1], tangents[-1]
    y, a = passes.objective.data.targets, passes.activations[-1]
    if bends_only:
        result = np.zeros_like(t)
    else:
        shape = np.broadcast_shapes(t.shape, a.shape)
        result = B * passes.objective.loss.product(a, np.broadcast_to(y, shape), B * t)
    for k in range(last, layer - 1, -1):
        if k < last:
            result = passes.slopes[k - 1] * (result @ network.weights[k])
        if not gauss_newton:
            result = result + passes.bends[k - 1] * tangents[k - layer]
    return np.asarray(result)


def layer_product(
    passes: Backpropagation,
    layer: int,
    V: Array,
    gauss_newton: bool = False,
    biases: bool = False,
    bends_only: bool = False,
) -> Array:
    """H_l V for V (..., n_l, n_{l-1}), the result alike; many V in blocks of bounded memory.

    `gauss_newton` and `bends_only` as above.
    """
    inputs = passes.inputs(layer, biases)
    flat = V.reshape(-1, *V.shape[-2:])
    result = np.empty(flat.shape)
    widest = max(*passes.network.widths[layer:], inputs.shape[1])
    step = max(1, BLOCK // (len(inputs) * widest))
    for start in range(0, len(flat), step):
        part = slice(start, start + step)
        x = inputs @ flat[part].swapaxes(-1, -2)
        y = pre_activation_product(passes, layer, x, gauss_newton, bends_only)
        result[part] = y.swapaxes(-1, -2) @ inputs
    return result.reshape(V.shape)


def layer_hessian_product(
    objective: Objective,
    layer: int,
    V: Array,
    network: Network | None = None,
    gauss_newton: bool = False,
    biases: bool = False,
) -> Array:
    """H_l times V, a matrix (n_l, n_{l-1}) or several of them (..., n_l, n_{l-1}).

    With `biases` the layer is [W_l b_l], (n_l, n_{l-1} + 1). Raises `ValueError` where V does not
    fit the layer.
    """
    passes = backpropagate(objective, network)
    check_layer(passes.network, layer)
    rows, columns = passes.network.weights[layer - 1].shape
    wanted = (rows, columns + int(biases))
    if V.shape[-2:] != wanted:
        raise ValueError(f"the matrix has shape {V.shape}; layer {layer} takes matrices {wanted}")
    return layer_product(passes, layer, V, gauss_newton, biases)


def contract_layer(
    objective: Objective,
    layer: int,
    directions: Array,
    network: Network | None = None,
    gauss_newton: bool = False,
) -> Array:
    """The curvature (k, k) in k directions of one layer's weights, (k, n_l, n_{l-1}).

    With the two directions U, V of a slice within the layer it is the slice's 2x2 Hessian.
    """
    curved = layer_hessian_product(objective, layer, directions, network, gauss_newton)
    k = len(directions)
    result = directions.reshape(k, -1) @ curved.reshape(k, -1).T
    return np.asarray(0.5 * (result + result.T))
