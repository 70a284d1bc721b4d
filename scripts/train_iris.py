"""Trains the net of the preset `iris` and writes presets/nets/iris.npz. Plain NumPy.

Widths 4-8-3 with biases, relu then identity, cross entropy summed over all 150 flowers. The
descent stops after a fixed number of steps: E has no lowest point here, and the longer it goes on,
the larger the weights. Where it stops, no component of the gradient exceeds 0.05 while E is near 6:
the weights lie all but at the bottom of any slice through them, and are still moderate.

    python scripts/train_iris.py
"""

from pathlib import Path

import numpy as np

PRESETS = Path(__file__).resolve().parent.parent / "presets"
SHAPES = {"W1": (8, 4), "b1": (8,), "W2": (3, 8), "b2": (3,)}
SEED = 3
STEPS = 5000


def split(theta: np.ndarray) -> dict[str, np.ndarray]:
    """All weights in one vector (67,), as the arrays of the network."""
    parts, start = {}, 0
    for name, shape in SHAPES.items():
        parts[name] = theta[start : start + np.prod(shape)].reshape(shape)
        start += parts[name].size
    return parts


def backpropagate(theta: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """E and its gradient (67,) for inputs (N, 4) and targets (N, 3)."""
    p = split(theta)
    hidden = x @ p["W1"].T + p["b1"]
    active = np.maximum(hidden, 0.0)
    output = active @ p["W2"].T + p["b2"]
    output -= output.max(axis=1, keepdims=True)
    log_softmax = output - np.log(np.exp(output).sum(axis=1, keepdims=True))
    at_output = np.exp(log_softmax) - y
    at_hidden = (at_output @ p["W2"]) * (hidden > 0)
    slopes = {
        "W1": at_hidden.T @ x,
        "b1": at_hidden.sum(axis=0),
        "W2": at_output.T @ active,
        "b2": at_output.sum(axis=0),
    }
    error = -(y * log_softmax).sum()
    return float(error), np.concatenate([slopes[n].ravel() for n in SHAPES])


def descend(theta: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Adam (Kingma and Ba, 2015) on the whole data set, its step falling to a thousandth."""
    mean, square = np.zeros_like(theta), np.zeros_like(theta)
    for step in range(1, STEPS + 1):
        slope = backpropagate(theta, x, y)[1]
        mean = 0.9 * mean + 0.1 * slope
        square = 0.999 * square + 0.001 * slope**2
        rate = 0.02 * 0.001 ** (step / STEPS)
        spread = np.sqrt(square / (1 - 0.999**step)) + 1e-8
        theta = theta - rate * mean / (1 - 0.9**step) / spread
    return theta


def main() -> None:
    with np.load(PRESETS / "data" / "iris.npz") as data:
        x, y = data["inputs"], data["targets"].astype(np.float64)
    draw = np.random.default_rng(SEED)
    start = [draw.standard_normal(np.prod(shape)) / 2 for shape in SHAPES.values()]
    theta = descend(np.concatenate(start), x, y)
    path = PRESETS / "nets" / "iris.npz"
    np.savez_compressed(path, **split(theta))
    error, slope = backpropagate(theta, x, y)
    print(f"{path.name}: E = {error:.4f}, largest component of its gradient {abs(slope).max():.4f}")


if __name__ == "__main__":
    main()
