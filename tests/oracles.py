"""Independent roads to the numbers that tests check, and the random studies they check them on.

The forward pass here is plain Python loops with the `math` module: it shares no line with the
package. Differences take any function. `random_objective` and `random_slice` draw small studies.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from surfacecli.geometry.slices import Kind, Slice, Window, make_slice
from surfacecli.geometry.stationary import StationaryPoint
from surfacecli.geometry.surface import differentiate, evaluate
from surfacecli.network.data import Data, Objective, random_data
from surfacecli.network.losses import LOSSES
from surfacecli.network.model import Network, random_network
from surfacecli.network.transfers import TRANSFERS, Transfer, leaky_relu

Array = NDArray[np.float64]

PIECEWISE_LINEAR = ("relu", "leaky_relu", "abs", "hard_tanh", "identity")
SMOOTH = ("tanh", "sigmoid", "softplus")


def transfer_by_loops(transfer: Transfer, h: float) -> float:
    """f(h), written down again from its name."""
    match transfer.name:
        case "relu":
            return h if h > 0 else 0.0
        case "leaky_relu":
            assert transfer.slopes is not None
            return h if h > 0 else transfer.slopes[0] * h
        case "abs":
            return -h if h < 0 else h
        case "hard_tanh":
            return min(max(h, -1.0), 1.0)
        case "identity":
            return h
        case "tanh":
            return math.tanh(h)
        case "sigmoid":
            return 1.0 / (1.0 + math.exp(-h)) if h > -700 else 0.0
        case "softplus":
            return h if h > 700 else math.log1p(math.exp(h))
    raise AssertionError(f"no oracle for {transfer.name}")


def loss_by_loops(name: str, a: Sequence[float], y: Sequence[float]) -> float:
    """The loss of one data point, written down again from its name."""
    match name:
        case "squared":
            return math.fsum((ak - yk) ** 2 for ak, yk in zip(a, y, strict=True))
        case "half_squared":
            return math.fsum((ak - yk) ** 2 for ak, yk in zip(a, y, strict=True)) / 2
        case "cross_entropy":
            top = max(a)
            log_total = top + math.log(math.fsum(math.exp(ak - top) for ak in a))
            return math.fsum(yk * (log_total - ak) for ak, yk in zip(a, y, strict=True))
        case "logistic":
            # -y log p - (1 - y) log(1 - p) with p = 1 / (1 + exp(-a))
            return math.fsum(
                yk * transfer_by_loops(TRANSFERS["softplus"], -ak)
                + (1 - yk) * transfer_by_loops(TRANSFERS["softplus"], ak)
                for ak, yk in zip(a, y, strict=True)
            )
    raise AssertionError(f"no oracle for {name}")


def forward_by_loops(
    network: Network, x: Sequence[float]
) -> tuple[list[list[float]], list[list[float]]]:
    """Pre-activations [h_1, ..., h_L] and activations [a_0, ..., a_L] of one data point."""
    pre_activations: list[list[float]] = []
    activations = [[float(value) for value in x]]
    for W, b, f in zip(network.weights, network.biases, network.transfers, strict=True):
        h = []
        for unit in range(len(W)):
            terms = [float(W[unit][i]) * a for i, a in enumerate(activations[-1])]
            if b is not None:
                terms.append(float(b[unit]))
            h.append(math.fsum(terms))
        pre_activations.append(h)
        activations.append([transfer_by_loops(f, value) for value in h])
    return pre_activations, activations


def error_by_loops(objective: Objective) -> float:
    """E of an objective at its network's own weights."""
    losses = []
    for x, y in zip(objective.data.inputs, objective.data.targets, strict=True):
        _, activations = forward_by_loops(objective.network, x.tolist())
        losses.append(loss_by_loops(objective.loss.name, activations[-1], y.tolist()))
    return math.fsum(losses)


def slice_error_by_loops(slice: Slice, u: float, v: float) -> float:
    """E at the point (u, v) of a slice, its weights put together entry by entry."""
    network = slice.objective.network
    weights = []
    for layer, W in enumerate(network.weights, start=1):
        moved = np.array(W)
        if layer in slice.origin:
            for index in np.ndindex(moved.shape):
                moved[index] = slice.origin[layer][index]
                if layer in slice.along_u:
                    moved[index] += u * slice.along_u[layer][index]
                if layer in slice.along_v:
                    moved[index] += v * slice.along_v[layer][index]
        weights.append(moved)
    there = Network(tuple(weights), network.biases, network.transfers)
    return error_by_loops(Objective(there, slice.objective.data, slice.objective.loss))


def central_gradient(
    function: Callable[[Array], float], at: Sequence[float] | Array, step: float = 1e-5
) -> Array:
    """The gradient (n,) of a function of (n,) by central differences, error about step^2."""
    point = np.asarray(at, dtype=np.float64)
    shifts = step * np.eye(len(point))
    return np.array([(function(point + s) - function(point - s)) / (2 * step) for s in shifts])


def central_hessian(
    function: Callable[[Array], float], at: Sequence[float] | Array, step: float = 1e-4
) -> Array:
    """The Hessian (n, n) of a function of (n,) by central differences, error about step^2."""
    point = np.asarray(at, dtype=np.float64)
    shifts = step * np.eye(len(point))
    return np.array(
        [
            [
                (
                    function(point + s + r)
                    - function(point + s - r)
                    - function(point - s + r)
                    + function(point - s - r)
                )
                / (4 * step * step)
                for r in shifts
            ]
            for s in shifts
        ]
    )


def stencil_derivative(function: Callable[[float], Array], step: float) -> Array:
    """The derivative at 0 of a function of one number by eight values, error about step^8."""
    factors = (4 / 5, -1 / 5, 4 / 105, -1 / 280)
    parts = [c * (function(k * step) - function(-k * step)) for k, c in enumerate(factors, start=1)]
    return np.asarray(sum(parts) / step)


def make_objective(
    weights: Sequence[object],
    transfers: Sequence[str | Transfer],
    inputs: object,
    targets: object,
    loss: str = "squared",
    biases: Sequence[object] | None = None,
) -> Objective:
    """An objective by hand: nested lists for weights, inputs and targets; None for no bias."""
    offsets = biases if biases is not None else [None] * len(weights)
    network = Network(
        tuple(np.array(W, dtype=np.float64) for W in weights),
        tuple(None if b is None else np.array(b, dtype=np.float64) for b in offsets),
        tuple(TRANSFERS[f] if isinstance(f, str) else f for f in transfers),
    )
    data = Data(np.array(inputs, dtype=np.float64), np.array(targets, dtype=np.float64))
    return Objective(network, data, LOSSES[loss])


def make_slice_by_hand(
    objective: Objective,
    along_u: Mapping[int, object],
    along_v: Mapping[int, object],
    origin: Literal["zero", "weights"] = "zero",
) -> Slice:
    """A slice with given directions: nested lists keyed by layer."""
    weights = objective.network.weights
    return Slice(
        "by-hand",
        objective,
        {
            layer: np.zeros_like(weights[layer - 1]) if origin == "zero" else weights[layer - 1]
            for layer in {*along_u, *along_v}
        },
        {layer: np.array(U, dtype=np.float64) for layer, U in along_u.items()},
        {layer: np.array(V, dtype=np.float64) for layer, V in along_v.items()},
    )


def crossed_segments(slice: Slice, window: Window, point: StationaryPoint) -> int:
    """How many straight segments of a set E crosses downhill: no point of such is stationary."""
    ends = np.array(point.outline, dtype=np.float64).reshape(-1, 2, 2)
    middle, along = ends.mean(axis=1), ends[:, 1] - ends[:, 0]
    # Chords of bent ones leave them, and on the border there is one side only.
    level = np.abs(evaluate(slice, *middle.T) - point.error) < 1e-9 * max(point.error, 1.0)
    inside = ((middle > window.low + 1e-4) & (middle < window.high - 1e-4)).all(axis=1)
    kept = level & inside & (np.hypot(*along.T) > 1e-3)
    middle, along = middle[kept], along[kept]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.hypot(*along.T)[:, None]
    slopes = np.array(
        [
            (evaluate(slice, *(middle + step * across).T) - evaluate(slice, *middle.T)) / step
            for step in (-1e-5, -1e-6, 1e-6, 1e-5)
        ]
    )
    steep = np.abs(slopes).min(axis=0) > 1e-2
    return int((steep & (np.abs(np.sign(slopes).sum(axis=0)) == len(slopes))).sum())


def explicit_objective(biases: bool = True) -> Objective:
    """A net of three layers with half squares, whose numbers other tools have computed."""
    return make_objective(
        [
            [[1.3, -2.1], [3.2, 1.7], [-1.1, 2.6]],
            [[2.2, -1.4, 1.1], [0.7, 1.6, -2.5]],
            [[1.5, -3.1]],
        ],
        ["relu", "relu", "identity"],
        [[1, 2], [-1.5, 0.5], [2.5, -1]],
        [[1], [-0.5], [2]],
        "half_squared",
        [[0.9, -1.2, 2.3], [-1.3, 2.4], [0.8]] if biases else None,
    )


def random_objective(
    rng: np.random.Generator,
    depth: int,
    transfers: str | Sequence[str] | None = None,
    loss: str | None = None,
    biases: bool | None = None,
    widths: Sequence[int] | None = None,
    samples: int | None = None,
) -> Objective:
    """A small random net of `depth` layers with data and a loss; what is None is drawn.

    `transfers` is one name for all layers or a list with one per layer; None draws each from the
    piecewise-linear ones (leaky_relu with a drawn slope). Widths are 1 to 4, samples 1 to 6.
    """
    if transfers is None:
        names = [str(name) for name in rng.choice(PIECEWISE_LINEAR, size=depth)]
    else:
        names = [transfers] * depth if isinstance(transfers, str) else list(transfers)
    chosen = [
        leaky_relu(float(rng.uniform(0.05, 0.6))) if name == "leaky_relu" else TRANSFERS[name]
        for name in names
    ]
    loss = str(rng.choice(list(LOSSES))) if loss is None else loss
    biases = bool(rng.integers(2)) if biases is None else biases
    sizes = [int(n) for n in rng.integers(1, 5, size=depth + 1)] if widths is None else list(widths)
    if loss == "cross_entropy" and widths is None:
        sizes[-1] = max(sizes[-1], 2)  # one class alone has no error
    count = int(rng.integers(1, 7)) if samples is None else samples
    seed = int(rng.integers(2**31))
    return Objective(
        random_network(sizes, chosen, seed, biases),
        random_data(count, sizes[0], sizes[-1], seed, loss),
        LOSSES[loss],
    )


def random_slice(
    rng: np.random.Generator,
    kind: Kind | None = None,
    origin: Literal["zero", "weights"] | None = None,
    objective: Objective | None = None,
    depth: int | None = None,
) -> Slice:
    """A slice with Gaussian directions of a random or given objective; what is None is drawn.

    Depth is 1 to 3, at least 2 for slices across layers or mixed. A mixed slice moves all layers
    with u and some with v.
    """
    if kind is None:
        deep = (depth or 2) > 1 if objective is None else objective.network.depth > 1
        kinds: list[Kind] = ["within-layer", "across-layers", "mixed"]
        kind = kinds[rng.integers(3)] if deep else "within-layer"
    if objective is None:
        lowest = 1 if kind == "within-layer" else 2
        objective = random_objective(rng, depth or int(rng.integers(lowest, 4)))
    layers = [int(layer) for layer in rng.permutation(objective.network.depth) + 1]
    if kind == "within-layer":
        u, v = layers[:1], layers[:1]
    elif kind == "across-layers":
        u, v = layers[:1], layers[1:2]
    else:
        u, v = layers, layers[: int(rng.integers(1, len(layers) + 1))]
    if origin is None:
        origin = "zero" if rng.integers(2) else "weights"
    return make_slice("random", objective, u, v, origin, seed=int(rng.integers(2**31)))


def hessian_by_entries(objective: Objective, layer: int) -> Array:
    """A layer's Hessian, each entry by second-order forward propagation along two weights."""
    W = objective.network.weights[layer - 1]
    units = np.eye(W.size).reshape(W.size, *W.shape)
    H = np.empty((W.size, W.size))
    for i in range(W.size):
        for j in range(i, W.size):
            pair = Slice("", objective, {layer: W}, {layer: units[i]}, {layer: units[j]})
            H[i, j] = H[j, i] = differentiate(pair, 0.0, 0.0).hessian[0, 0, int(i != j)]
    return H
