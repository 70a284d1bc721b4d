"""Layers of a million weights, in a process of their own: memory, and numbers by other roads."""

import json
import subprocess
import sys

import pytest

# Two layers, so that traces have a closed form: tr PH_n = 2 |W2 B|^2 + sum of D, tr G_n without D.
CODE = """
import json, resource, sys
import numpy as np
from surfacecli.network.curvature import examine_layers, layer_hessian_product
from surfacecli.network.data import Objective, random_data
from surfacecli.network.losses import LOSSES
from surfacecli.network.model import random_network
from surfacecli.network.transfers import TRANSFERS

n = int(sys.argv[1])
network = random_network([n, n, n], [TRANSFERS["tanh"], TRANSFERS["identity"]], 1)
objective = Objective(network, random_data(n, n, n, 2), LOSSES["squared"])
first, last = examine_layers(objective)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
peak /= 1e9 if sys.platform == "darwin" else 1e6

W1, W2 = network.weights
x, t = objective.data.inputs, np.tanh(objective.data.inputs @ W1.T)
bends = (-2 * t * (1 - t**2)) * (2 * (t @ W2.T - objective.data.targets) @ W2)
squares = 2 * ((1 - t**2) ** 2 @ (W2**2).sum(axis=0))
sizes = (x**2).sum(axis=1)
V = np.random.default_rng(0).standard_normal(W1.shape)
H = layer_hessian_product(objective, 1, V)
ends = np.linalg.eigvalsh(t.T @ t)[[0, -1]] * 2
print(json.dumps({
    "peak": peak,
    "traces": [first.trace, first.gauss_newton.trace, last.trace],
    "wanted": [float(sizes @ (squares + bends.sum(axis=1))), float(sizes @ squares),
               2 * n * float((t**2).sum())],
    "ranks": [str(s.rank) for s in (first.weights, first.gauss_newton, last.weights)],
    "ends": [[s.smallest_eigenvalue, s.largest_eigenvalue] for s in
             (first.weights, first.gauss_newton, last.weights)],
    "converged": [s.converged for s in (first.weights, first.gauss_newton, last.weights)],
    "last": ends.tolist(),
    "between": float((V * H).sum() / (V * V).sum()),
}))
"""


def measured(n: int) -> dict:  # type: ignore[type-arg]
    run = subprocess.run(
        [sys.executable, "-c", CODE, str(n)], check=True, capture_output=True, text=True
    )
    found: dict = json.loads(run.stdout)  # type: ignore[type-arg]
    return found


def check(found: dict, size: int) -> None:  # type: ignore[type-arg]
    assert found["traces"] == pytest.approx(found["wanted"], rel=1e-10)
    assert found["converged"] == [True, True, True]
    assert found["ranks"] == [str(size)] * 3
    (low, high), (least, most), last = found["ends"]
    assert low < 0 < least < 1e-3 * most
    assert low < found["between"] < high
    assert last == pytest.approx(found["last"], rel=1e-7, abs=1e-10 * last[1])
    # What the trace says of the ends: the mean lies between them.
    assert least < found["traces"][1] / size < most


def test_seventy_thousand_weights() -> None:
    """The same at a width where the large road begins."""
    check(measured(260), 260**2)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_million_weights_in_two_gigabytes() -> None:
    found = measured(1000)
    check(found, 1_000_000)
    assert found["peak"] < 2.0
