"""One pass forward and one back: what the curvature of every layer is made of.

    dE/da_L = loss gradient     dE/dh_l = B_l dE/da_l     dE/da_{l-1} = W_l^T dE/dh_l
    dE/dW_l = sum_n dE/dh_l a_{l-1}^T                     dE/db_l = sum_n dE/dh_l

Legend: B_l = diag f'(h_l), D_l = diag(f''(h_l) dE/da_l); both are kept as their diagonals (N, n_l).
"""

from dataclasses import dataclass

import numpy as np

from surfacecli.network.data import Objective
from surfacecli.network.model import Network
from surfacecli.network.transfers import Array


@dataclass(frozen=True, eq=False)
class Backpropagation:
    """All of one pass forward and back; entry l - 1 of each tuple belongs to layer l.

    pre_activations h_l (N, n_l); activations a_0, ..., a_L (N, n_l), one more than layers;
    sensitivities dE/dh_l (N, n_l); weight_gradients (n_l, n_{l-1}) and bias_gradients (n_l,)
    summed over the data (a bias that is not there counts as one of 0); slopes B_l and bends D_l,
    diagonals (N, n_l).

    Convention at a node of a piecewise-linear transfer function: slope and bend are those of the
    piece to the left, so relu has slope 0 at 0. `on_node` counts, for each layer, the pairs of data
    point and unit where that happens and the layer's own weights could move h off the node (its
    inputs are not all 0): there the derivatives are one-sided. `kinked` tells more.
    """

    objective: Objective
    network: Network
    pre_activations: tuple[Array, ...]
    activations: tuple[Array, ...]
    sensitivities: tuple[Array, ...]
    weight_gradients: tuple[Array, ...]
    bias_gradients: tuple[Array, ...]
    slopes: tuple[Array, ...]
    bends: tuple[Array, ...]
    on_node: tuple[int, ...]

    def inputs(self, layer: int, biases: bool = False) -> Array:
        """What enters a layer, a_{l-1} (N, n_{l-1}); with `biases` one more column, of 1."""
        a = self.activations[layer - 1]
        return np.concatenate([a, np.ones((len(a), 1))], axis=1) if biases else a

    def bent(self, layer: int) -> bool:
        """Whether D is not zero somewhere from this layer on: then eq. (2) is no sum of squares."""
        return any(D.any() for D in self.bends[layer - 1 :])

    def kinked(self, layer: int) -> bool:
        """Whether the layer's weights could move some h, of the layer or above, off its node.

        Then E's derivatives in them are one-sided. Paths that cancel are not looked for.
        """
        network = self.network
        moved = np.repeat(
            np.any(self.activations[layer - 1] != 0, axis=1)[:, None], network.widths[layer], axis=1
        )
        for number in range(layer, network.depth + 1):
            f, h = network.transfers[number - 1], self.pre_activations[number - 1]
            if number > layer:
                W = network.weights[number - 1]
                moved = moved.astype(np.float64) @ (W != 0).T.astype(np.float64) > 0
            if any(((h == node) & moved).any() for node in f.nodes or ()):
                return True
            moved &= self.slopes[number - 1] != 0
        return False


def backpropagate(objective: Objective, network: Network | None = None) -> Backpropagation:
    """The pass at the objective's own network, or at another one of the same widths.

    Raises `ValueError` where the network does not fit the data.
    """
    network = _fitting(objective, network)
    y, loss = objective.data.targets, objective.loss
    pre_activations, activations = network.forward(objective.data.inputs)
    toward = loss.gradient(activations[-1], y)
    slopes, bends, sensitivities, nodes = [], [], [], []
    for layer in range(network.depth, 0, -1):
        f, h = network.transfers[layer - 1], pre_activations[layer - 1]
        slopes.append(f.slope(h))
        bends.append(f.bend(h) * toward)
        sensitivities.append(slopes[-1] * toward)
        toward = sensitivities[-1] @ network.weights[layer - 1]
        movable = np.any(activations[layer - 1] != 0, axis=1, keepdims=True)
        nodes.append(sum(int(((h == node) & movable).sum()) for node in f.nodes or ()))
    deltas = tuple(reversed(sensitivities))
    return Backpropagation(
        objective,
        network,
        tuple(pre_activations),
        tuple(activations),
        deltas,
        tuple(d.T @ a for d, a in zip(deltas, activations[:-1], strict=True)),
        tuple(d.sum(axis=0) for d in deltas),
        tuple(reversed(slopes)),
        tuple(reversed(bends)),
        tuple(reversed(nodes)),
    )


def _fitting(objective: Objective, network: Network | None) -> Network:
    if network is None:
        return objective.network
    if network.widths != objective.network.widths:
        raise ValueError(
            f"the network has widths {network.widths}, "
            f"the objective's own has {objective.network.widths}; they must agree"
        )
    return network


def check_layer(network: Network, layer: int) -> None:
    """Raises `ValueError` where `layer` (from 1) is not one of the network's."""
    if not 1 <= layer <= network.depth:
        raise ValueError(f"{layer} is not a layer; the network has layers 1 to {network.depth}")
