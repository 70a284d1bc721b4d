"""How long the curvature of all layers takes, and its memory: `python benchmarks/curvature.py`.

    python benchmarks/curvature.py              # wide nets, the recursion, all layers in numbers
    python benchmarks/curvature.py --torch      # and the same numbers by torch.func, optional
    python benchmarks/curvature.py --wide tanh  # the wide nets alone, with tanh or relu

Processor time, one BLAS thread; the least of a few runs where they are short.
"""

import os

for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse  # noqa: E402
import resource  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402

import numpy as np  # noqa: E402

from surfacecli.network.curvature import (  # noqa: E402
    LayerCurvature,
    backpropagate,
    examine_layers,
    walk_pre_activation_hessians,
)
from surfacecli.network.data import Objective, random_data  # noqa: E402
from surfacecli.network.losses import LOSSES  # noqa: E402
from surfacecli.network.model import random_network  # noqa: E402
from surfacecli.network.transfers import TRANSFERS  # noqa: E402

WIDTHS, SAMPLES = (20, 64, 64, 10), 1000
WIDE = ((1000, 1000, 1000), (100, 1000, 1000, 10))


def objective_of(widths: Sequence[int], hidden: str, loss: str = "squared") -> Objective:
    """A random net with these hidden transfer functions and a linear output, 1000 data points."""
    transfers = [TRANSFERS[hidden]] * (len(widths) - 2) + [TRANSFERS["identity"]]
    network = random_network(widths, transfers, 1)
    return Objective(network, random_data(SAMPLES, widths[0], widths[-1], 2, loss), LOSSES[loss])


def processor_time(work: Callable[[], object], runs: int = 1) -> float:
    """The least processor time of some runs, in seconds."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def products_of_the_recursion(objective: Objective, times: int) -> None:
    """The matrix products of eq. (2) alone, W^T (PH W) for each data point, in small blocks.

    `times` is 2 where Hessian and Gauss-Newton matrix differ and both are carried.
    """
    widths, draw = objective.network.widths, np.random.default_rng(0)
    for layer in range(len(widths) - 2, 0, -1):
        W = objective.network.weights[layer]
        step = 16
        PH = draw.standard_normal((step, len(W), len(W)))
        for _ in range(0, SAMPLES * times, step):
            W.T @ (PH @ W)


def the_recursion() -> None:
    print("\n| transfer | recursion ms | its matrix products ms | ratio | wanted |")
    print("|---|--:|--:|--:|--:|")
    for hidden, times in (("relu", 1), ("tanh", 2)):
        objective = objective_of(WIDTHS, hidden)
        passes = backpropagate(objective)

        def walk(passes=passes) -> None:  # type: ignore[no-untyped-def]
            for _ in walk_pre_activation_hessians(passes):
                pass

        ratios = []
        for _ in range(9):
            ours = processor_time(walk, 3)
            products = processor_time(lambda: products_of_the_recursion(objective, times), 3)  # noqa: B023
            ratios.append((ours / products, ours, products))
        ratio, ours, products = sorted(ratios)[len(ratios) // 2]
        print(f"| {hidden} | {ours * 1e3:.0f} | {products * 1e3:.0f} | {ratio:.1f} | <= 3 |")


def told(layer: LayerCurvature) -> str:
    s = layer.weights
    return f"{s.trace:.8g}, {s.rank}, {s.smallest_eigenvalue:.6g}, {s.largest_eigenvalue:.8g}"


def all_layers(with_torch: bool) -> None:
    print(
        "\n| transfer, loss | layer | trace, rank, smallest, largest | surface s | torch s | ratio |"  # noqa: E501
    )
    print("|---|--:|---|--:|--:|--:|")
    for hidden, loss in (("relu", "squared"), ("relu", "cross_entropy"), ("tanh", "squared")):
        objective = objective_of(WIDTHS, hidden, loss)
        sums = np.zeros(2)
        for layer in range(1, len(WIDTHS)):
            start = time.process_time()
            (found,) = examine_layers(objective, layers=[layer])
            seconds = np.array([time.process_time() - start, np.nan])
            if with_torch:
                seconds[1] = by_torch(objective, found)
            sums += seconds
            row = f"{told(found)} | {seconds[0]:.2f}"
            print(f"| {hidden}, {loss} | {layer} | {row} | {seconds[1]:.2f} | ", end="")
            print(f"{seconds[1] / seconds[0]:.1f} |", flush=True)
        print(f"| {hidden}, {loss} | all |  | {sums[0]:.2f} | {sums[1]:.2f} | ", end="")
        print(f"{sums[1] / sums[0]:.1f} |", flush=True)


def by_torch(objective: Objective, found: LayerCurvature) -> float:
    """Seconds for the layer's block by torch.func, and its numbers; they are compared."""
    import torch

    torch.set_num_threads(1)
    weights = [torch.tensor(W) for W in objective.network.weights]
    x, y = torch.tensor(objective.data.inputs), torch.tensor(objective.data.targets)
    activate = {"relu": torch.relu, "tanh": torch.tanh}[objective.network.transfers[0].name]
    layer = found.layer

    def error(W):  # type: ignore[no-untyped-def]
        a = x
        for k, fixed in enumerate(weights, start=1):
            a = a @ (W if k == layer else fixed).T
            if k < len(weights):
                a = activate(a)
        if objective.loss.name == "squared":
            return ((a - y) ** 2).sum()
        return -(y * torch.log_softmax(a, dim=1)).sum()

    W = weights[layer - 1]

    def column(direction):  # type: ignore[no-untyped-def]
        return torch.func.jvp(torch.func.grad(error), (W,), (direction,))[1]

    start = time.process_time()
    units = torch.eye(W.numel(), dtype=W.dtype).reshape(-1, *W.shape)
    H = torch.vmap(column, chunk_size=64)(units).reshape(W.numel(), -1)
    values = torch.linalg.eigvalsh(H)
    size = values.abs()
    rank = int((size > 1e-12 * size.max()).sum())
    trace = float(H.trace())
    seconds = time.process_time() - start
    largest = float(size.max())
    assert abs(trace - found.trace) < 1e-9 * abs(found.trace)
    assert abs(float(values[-1]) - found.largest_eigenvalue) < 1e-9 * largest
    assert abs(float(values[0]) - found.smallest_eigenvalue) < 1e-9 * largest
    assert found.rank.low == rank, (found.rank, rank)
    return seconds


def wide(hidden: str, widths: Sequence[int]) -> None:
    """Layer by layer, in numbers: processor time, and the most memory so far."""
    objective = objective_of(widths, hidden)
    net = "-".join(str(n) for n in widths)
    for layer in range(1, len(widths)):
        start = time.process_time()
        (found,) = examine_layers(objective, layers=[layer])
        seconds = time.process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        kinds = {
            "weights": found.weights,
            "Gauss-Newton": found.gauss_newton,
            "pre-activations": found.pre_activations,
            "their Gauss-Newton": found.pre_activation_gauss_newton,
        }
        for kind, s in kinds.items():
            if kind.endswith("Newton") and not found.bent:
                continue
            ends = f"{s.smallest_eigenvalue:.6g}, {s.largest_eigenvalue:.6g}"
            ends += "" if s.converged else " (bounds)"
            row = f"| {hidden}, {net} | {layer} | {kind} | {s.trace:.8g} | {s.rank} | {ends}"
            cost = f"{seconds:.0f} | {peak:.2f}" if kind == "weights" else "|"
            print(f"{row} | {cost} |", flush=True)


def memory(transfers: Sequence[str]) -> None:
    """Each net in a process of its own, so that peaks do not mix."""
    print("\n| net | layer | of | trace | rank | smallest, largest | s | peak GB (under 2) |")
    print("|---|--:|---|--:|--:|---|--:|--:|", flush=True)
    for hidden in transfers:
        for number in range(len(WIDE)):
            here = [sys.executable, __file__, "--wide", hidden, "--net", str(number)]
            subprocess.run(here, check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--torch", action="store_true")
    parser.add_argument("--wide", choices=["relu", "tanh"])
    parser.add_argument("--net", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.net is not None:
        wide(chosen.wide, WIDE[chosen.net])
    elif chosen.wide:
        memory([chosen.wide])
    else:
        memory(["relu", "tanh"])  # first: a process counts the peak of the one that starts it
        the_recursion()
        all_layers(chosen.torch)
