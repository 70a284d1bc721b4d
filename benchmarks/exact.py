"""How long exact cells, points and audit take: `python benchmarks/exact.py`.

Each number is processor time, the least of a few runs. The opponent of the preset is the plain
forward pass of this project over a 201 x 201 grid.
"""

import os

for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import resource  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402

from surfacecli.geometry.exact.points import Exact, examine_cells  # noqa: E402
from surfacecli.geometry.slices import Slice, Window, make_slice  # noqa: E402
from surfacecli.geometry.surface import evaluate  # noqa: E402
from surfacecli.network.data import Objective, random_data  # noqa: E402
from surfacecli.network.losses import LOSSES  # noqa: E402
from surfacecli.network.model import random_network  # noqa: E402
from surfacecli.network.transfers import TRANSFERS  # noqa: E402
from surfacecli.presets import load_preset  # noqa: E402


def net_slice(widths: list[int], samples: int, output: str, origin: str) -> Slice:
    """Layer 1 of a random net with rectified hidden units and this output."""
    network = random_network(widths, [TRANSFERS["relu"], TRANSFERS[output]], 1)
    data = random_data(samples, widths[0], widths[-1], 2)
    objective = Objective(network, data, LOSSES["squared"])
    return make_slice("benchmark", objective, [1], [1], origin, 3)  # type: ignore[arg-type]


def least_time(work: Callable[[], object], runs: int) -> float:
    """The least processor time of some runs, in seconds."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def peak() -> float:
    """The most memory used so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def timed(slice: Slice, window: Window) -> tuple[Exact, float]:
    """The exact result and the processor time of one run."""
    start = time.process_time()
    exact = examine_cells(slice, window)
    return exact, time.process_time() - start


def preset_post() -> None:
    preset = load_preset("post")
    slice, window = preset.slices["E1"], preset.window
    u, v = window.axes((201, 201))
    exact = least_time(lambda: examine_cells(slice, window), 15)
    plain = least_time(lambda: evaluate(slice, u[None, :], v[:, None]), 15)
    print(f"post E1: exact {exact * 1e3:.1f} ms, forward pass {plain * 1e3:.1f} ms", end=", ")
    print(f"ratio {plain / exact:.1f}")


def growing_nets() -> None:
    each = {}
    for samples in (13, 40, 77):
        slice = net_slice([10, 16, 1], samples, "relu", "weights")
        exact, seconds = timed(slice, Window())
        if samples == 13:
            seconds = least_time(lambda slice=slice: examine_cells(slice, Window()), 3)
        each[samples] = seconds / len(exact.cells)
        audit = "complete" if exact.audit.complete else "NOT COMPLETE"
        print(f"10-16-1, {samples} data: {len(exact.cells)} cells in {seconds:.2f} s", end=", ")
        print(f"{each[samples] * 1e6:.1f} us each, audit {audit}, peak {peak():.2f} GB")
    print(f"cost per cell, largest to smallest: {each[77] / each[13]:.2f}")


def other_losses() -> None:
    preset = load_preset("iris")
    exact, seconds = timed(preset.slices["hidden"], preset.window)
    print(f"iris hidden: {len(exact.cells)} cells in {seconds:.2f} s (cross entropy)")


def wide_fan() -> None:
    slice = net_slice([10, 100, 1], 10_000, "identity", "zero")
    exact, seconds = timed(slice, Window())
    print(f"a fan of {len(exact.cells.kinks.unit)} kinks: {len(exact.cells)} cells", end=" ")
    print(f"in {seconds:.1f} s, audit complete: {exact.audit.complete}, peak {peak():.2f} GB")


if __name__ == "__main__":
    preset_post()
    growing_nets()
    other_losses()
    wide_fan()
