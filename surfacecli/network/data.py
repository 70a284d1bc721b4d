"""The data of a study: inputs x (N, n_0) and targets y (N, n_L), and the error they define."""

from dataclasses import dataclass

import numpy as np

from surfacecli.network.losses import Loss
from surfacecli.network.model import DATA_STREAM, Network, random_stream
from surfacecli.network.transfers import Array


@dataclass(frozen=True, eq=False)
class Data:
    """Inputs (N, n_0) and targets (N, n_L). Raises `ValueError` where they do not fit."""

    inputs: Array
    targets: Array

    def __post_init__(self) -> None:
        for name, array in (("inputs", self.inputs), ("targets", self.targets)):
            if array.ndim != 2 or 0 in array.shape:
                raise ValueError(f"{name} has shape {array.shape}; it must be (N, values)")
            if not np.isfinite(array).all():
                row = int(np.argmin(np.isfinite(array).all(axis=1)))
                raise ValueError(f"row {row + 1} of {name} holds a number that is not finite")
        if len(self.inputs) != len(self.targets):
            raise ValueError(
                f"{len(self.inputs)} rows of inputs but {len(self.targets)} rows of targets"
            )

    def __len__(self) -> int:
        return len(self.inputs)


def random_data(samples: int, inputs: int, outputs: int, seed: int, loss: str = "squared") -> Data:
    """Gaussian inputs, and targets that suit the loss.

    Squares: uniform on [0, 1], as the post's figures need (a rectified output reaches no target
    below 0). cross_entropy: one class each, as a row of 0 and one 1. logistic: 0 or 1.
    """
    draw = random_stream(seed, DATA_STREAM)
    x = draw.standard_normal((samples, inputs))
    if loss == "cross_entropy":
        y = np.eye(outputs)[draw.integers(outputs, size=samples)]
    elif loss == "logistic":
        y = draw.integers(2, size=(samples, outputs)).astype(np.float64)
    else:
        y = draw.uniform(size=(samples, outputs))
    return Data(x, y)


@dataclass(frozen=True, eq=False)
class Objective:
    """The error of a network on a data set: E = sum over n of loss(a_L(x_n), y_n).

    Raises `ValueError` where network, data and loss do not fit together.
    """

    network: Network
    data: Data
    loss: Loss

    def __post_init__(self) -> None:
        widths = self.network.widths
        if self.data.inputs.shape[1] != widths[0]:
            raise ValueError(
                f"the data have {self.data.inputs.shape[1]} inputs, the network takes {widths[0]}"
            )
        if self.data.targets.shape[1] != widths[-1]:
            raise ValueError(
                f"the data have {self.data.targets.shape[1]} targets, "
                f"the network has {widths[-1]} outputs"
            )
        problem = self.loss.target_problem(self.data.targets)
        if problem is not None:
            raise ValueError(problem)

    def error(self) -> float:
        """E at the network's own weights, by a plain forward pass."""
        _, activations = self.network.forward(self.data.inputs)
        return float(self.loss.value(activations[-1], self.data.targets).sum())
