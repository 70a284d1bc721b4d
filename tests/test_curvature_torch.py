"""Optional: curvature by PyTorch's derivatives, by curvlinops, and by KFRA of BackPACK.

Needs the CPU build of torch; curvlinops-for-pytorch and backpack-for-pytorch where they are there.
"""

from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from oracles import random_objective
from test_curvature import EVERY, any_objective

from surfacecli.network.curvature import (
    backpropagate,
    full_hessian,
    layer_hessian,
    pre_activation_hessians,
)
from surfacecli.network.data import Objective

Array = NDArray[np.float64]
# Those packages warn about each other's versions.
pytestmark = [pytest.mark.optional, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def torch() -> Iterator[ModuleType]:
    module: ModuleType = pytest.importorskip("torch")
    module.set_num_threads(1)
    before = module.get_default_dtype()
    module.set_default_dtype(module.float64)
    yield module
    module.set_default_dtype(before)


def torch_transfer(torch: ModuleType, name: str, slope: float):  # type: ignore[no-untyped-def]
    functions = {
        "relu": torch.relu,
        "leaky_relu": lambda h: torch.nn.functional.leaky_relu(h, slope),
        "abs": torch.abs,
        "hard_tanh": lambda h: torch.clamp(h, -1.0, 1.0),
        "identity": lambda h: h,
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "softplus": torch.nn.functional.softplus,
    }
    return functions[name]


def torch_outputs(torch: ModuleType, objective: Objective, weights, biases, x=None):  # type: ignore[no-untyped-def]
    a = torch.tensor(objective.data.inputs) if x is None else x
    for W, b, f in zip(weights, biases, objective.network.transfers, strict=True):
        h = a @ W.T if b is None else a @ W.T + b
        a = torch_transfer(torch, f.name, f.slopes[0] if f.slopes else 0.0)(h)
    return a


def torch_loss(torch: ModuleType, objective: Objective, a, y=None):  # type: ignore[no-untyped-def]
    y = torch.tensor(objective.data.targets) if y is None else y
    match objective.loss.name:
        case "squared":
            return ((a - y) ** 2).sum()
        case "half_squared":
            return ((a - y) ** 2).sum() / 2
        case "cross_entropy":
            return -(y * torch.log_softmax(a, dim=-1)).sum()
        case "logistic":
            return torch.nn.functional.binary_cross_entropy_with_logits(a, y, reduction="sum")
    raise AssertionError(objective.loss.name)


def tensors(torch: ModuleType, objective: Objective):  # type: ignore[no-untyped-def]
    network = objective.network
    biases = [None if b is None else torch.tensor(b) for b in network.biases]
    return [torch.tensor(W) for W in network.weights], biases


def close(ours: Array, theirs: Array) -> None:
    assert np.abs(ours - theirs).max() <= 1e-9 * max(np.abs(theirs).max(), 1e-3)


@pytest.mark.parametrize("seed", range(60))
def test_hessians_by_torch(seed: int, torch: ModuleType) -> None:
    """Gradient, every layer's Hessian and the full one, by automatic differentiation."""
    objective = any_objective(seed)
    weights, biases = tensors(torch, objective)
    shapes = [W.shape for W in weights]

    def error(flat):  # type: ignore[no-untyped-def]
        parts = torch.split(flat, [W.numel() for W in weights])
        moved = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
        return torch_loss(torch, objective, torch_outputs(torch, objective, moved, biases))

    at = torch.cat([W.ravel() for W in weights])
    gradient = np.concatenate([g.ravel() for g in backpropagate(objective).weight_gradients])
    close(gradient, torch.func.grad(error)(at).numpy())
    H = torch.func.jacfwd(torch.func.grad(error))(at).numpy()
    close(full_hessian(objective), H)
    start = 0
    for layer, W in enumerate(weights, start=1):
        block = slice(start, start + W.numel())
        theirs = H[block, block]
        ours = layer_hessian(objective, layer)
        assert np.abs(ours - theirs).max() <= 1e-9 * max(np.abs(theirs).max(), 1e-3)
        start += W.numel()


@pytest.mark.parametrize("seed", range(20))
def test_gauss_newton_by_torch(seed: int, torch: ModuleType) -> None:
    """J^T H_loss J with J and H_loss by automatic differentiation, for each layer."""
    objective = any_objective(seed)
    weights, biases = tensors(torch, objective)
    outputs = torch_outputs(torch, objective, weights, biases)
    H = torch.func.hessian(lambda a: torch_loss(torch, objective, a))(outputs)
    H = H.reshape(outputs.numel(), outputs.numel()).numpy()
    for layer, W in enumerate(weights, start=1):

        def moved(V, layer: int = layer):  # type: ignore[no-untyped-def]
            at = [V if k == layer else other for k, other in enumerate(weights, start=1)]
            return torch_outputs(torch, objective, at, biases).ravel()

        J = torch.func.jacrev(moved)(W).reshape(-1, W.numel()).numpy()
        close(layer_hessian(objective, layer, gauss_newton=True), J.T @ H @ J)


@pytest.mark.parametrize("seed", range(12))
def test_pre_activation_hessians_by_torch(seed: int, torch: ModuleType) -> None:
    """PH_l of each data point, the error as a function of h_l alone."""
    objective = any_objective(seed)
    weights, biases = tensors(torch, objective)
    y = torch.tensor(objective.data.targets)
    pre_activations, _ = objective.network.forward(objective.data.inputs)
    for found in pre_activation_hessians(objective):
        for n, h in enumerate(pre_activations[found.layer - 1]):

            def error(h, layer: int = found.layer, n: int = n):  # type: ignore[no-untyped-def]
                transfers = objective.network.transfers
                a = h
                for k, f in enumerate(transfers[layer - 1 :], start=layer):
                    if k > layer:
                        a = weights[k - 1] @ a
                        a = a if biases[k - 1] is None else a + biases[k - 1]
                    a = torch_transfer(torch, f.name, f.slopes[0] if f.slopes else 0.0)(a)
                return torch_loss(torch, objective, a, y[n])

            theirs = torch.func.hessian(error)(torch.tensor(h)).numpy()
            close(found.hessian[n], theirs)


def module_of(torch: ModuleType, objective: Objective):  # type: ignore[no-untyped-def]
    """The net as torch.nn.Sequential, without biases."""
    layers = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid}
    parts = []
    for W, f in zip(objective.network.weights, objective.network.transfers, strict=True):
        linear = torch.nn.Linear(W.shape[1], W.shape[0], bias=False)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(W))
        parts += [linear] if f.is_identity else [linear, layers[f.name]()]
    return torch.nn.Sequential(*parts)


@pytest.mark.parametrize("hidden", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
def test_curvlinops(hidden: str, loss: str, torch: ModuleType) -> None:
    curvlinops = pytest.importorskip("curvlinops")
    objective = random_objective(
        np.random.default_rng(8), 3, [hidden, hidden, "identity"], loss, False, [4, 5, 4, 3], 7
    )
    model = module_of(torch, objective)
    x, y = torch.tensor(objective.data.inputs), torch.tensor(objective.data.targets)
    if loss == "squared":
        criterion = torch.nn.MSELoss(reduction="sum")
    else:
        criterion, y = torch.nn.CrossEntropyLoss(reduction="sum"), y.argmax(dim=1)
    parameters = [p for p in model.parameters() if p.requires_grad]
    whole = torch.eye(sum(p.numel() for p in parameters))
    H = curvlinops.HessianLinearOperator(model, criterion, parameters, [(x, y)]) @ whole
    close(full_hessian(objective), H.detach().numpy())
    G = curvlinops.GGNLinearOperator(model, criterion, parameters, [(x, y)]) @ whole
    start = 0
    for layer, W in enumerate(objective.network.weights, start=1):
        block = slice(start, start + W.size)
        close(layer_hessian(objective, layer, gauss_newton=True), G.detach().numpy()[block, block])
        start += W.size


@pytest.mark.parametrize("hidden", ["relu", "tanh"])
def test_kfra_of_one_data_point_is_this_recursion(hidden: str, torch: ModuleType) -> None:
    """KFRA is the paper's other approximation: for one data point its factors are exact.

    It leaves D out, so for tanh it is the Gauss-Newton matrix.
    """
    backpack = pytest.importorskip("backpack")
    from backpack.extensions import KFRA

    objective = random_objective(
        np.random.default_rng(2), 3, [hidden, hidden, "identity"], "squared", False, [4, 5, 4, 3], 1
    )
    model = backpack.extend(module_of(torch, objective))
    criterion = backpack.extend(torch.nn.MSELoss(reduction="sum"))
    error = criterion(
        model(torch.tensor(objective.data.inputs)), torch.tensor(objective.data.targets)
    )
    with backpack.backpack(KFRA()):
        error.backward()
    for layer, parameter in enumerate(model.parameters(), start=1):
        PH, aa = (factor.detach().numpy() for factor in parameter.kfra)
        close(layer_hessian(objective, layer, gauss_newton=True), np.kron(PH, aa))
        close(pre_activation_hessians(objective)[layer - 1].gauss_newton[0], PH)


def test_every_transfer_function_is_compared() -> None:
    names = {f.name for seed in range(60) for f in any_objective(seed).network.transfers}
    assert names == set(EVERY)
