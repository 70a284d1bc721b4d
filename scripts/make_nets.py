"""Makes the two nets that were thought out by hand, for the presets `mixed` and `plateau`.

    python scripts/make_nets.py

Each gets a network, a directions and a data file below presets/.
"""

from pathlib import Path

import numpy as np

PRESETS = Path(__file__).resolve().parent.parent / "presets"


def mixed() -> dict[str, dict[str, np.ndarray]]:
    """Hidden weights 1+u and 1+v, output weights 1-u and 1-v, for one data point x = 1, y = 0.5.

    The output is (1+u)(1-u) + (1+v)(1-v) = 2 - u^2 - v^2 while both units are active, so half the
    squared error is (1.5 - u^2 - v^2)^2 / 2: a smooth maximum, in a slice that moves both layers.
    """
    return {
        "nets/mixed": {"W1": np.ones((2, 1)), "W2": np.ones((1, 2))},
        "nets/mixed-directions": {
            "U1": np.array([[1.0], [0.0]]),
            "V1": np.array([[0.0], [1.0]]),
            "U2": np.array([[-1.0, 0.0]]),
            "V2": np.array([[0.0, -1.0]]),
        },
        "data/mixed": {"inputs": np.ones((1, 1)), "targets": np.full((1, 1), 0.5)},
    }


def plateau() -> dict[str, dict[str, np.ndarray]]:
    """Three pairs of units look along 0, 60 and 120 degrees of the (u, v) plane, and back.

    A pair feeds an output of its own, max(|p| - 0.3, 0), where p is the coordinate along its
    direction. Every output should be 0.8, which needs |p| = 1.1 in three directions at once. In the
    hexagon where all |p| <= 0.3 every unit is dead and E = 3 * 0.8^2; on all its sides E falls.
    The net's own W1 is at one of the lowest points, u = 22/15, v = 0.
    """
    angles = np.arange(6) * np.pi / 3
    U, V = np.cos(angles)[:, np.newaxis], np.sin(angles)[:, np.newaxis]
    return {
        "nets/plateau": {
            "W1": 22 / 15 * U,
            "b1": np.full(6, -0.3),
            "W2": np.tile(np.eye(3), 2),
            "b2": np.zeros(3),
        },
        "nets/plateau-directions": {"U1": U, "V1": V},
        "data/plateau": {"inputs": np.ones((1, 1)), "targets": np.full((1, 3), 0.8)},
    }


def main() -> None:
    for name, arrays in (mixed() | plateau()).items():
        np.savez_compressed(PRESETS / f"{name}.npz", **arrays)


if __name__ == "__main__":
    main()
