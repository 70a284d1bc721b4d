"""How long exact across-layers slices take: `python benchmarks/across.py`.

E12 of the preset `post` against the plain forward pass of this project over a 201 x 201 grid, by
processor time; then 1,000 random nets of widths 3-4-2 with 5 data points, ReLU on both layers,
around their weights, on two processes, by the clock.
"""

import os

for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from concurrent.futures import ProcessPoolExecutor  # noqa: E402

import numpy as np  # noqa: E402

from surfacecli.geometry.across.points import examine_across  # noqa: E402
from surfacecli.geometry.slices import Slice, Window, make_slice  # noqa: E402
from surfacecli.geometry.surface import evaluate  # noqa: E402
from surfacecli.network.data import Objective, random_data  # noqa: E402
from surfacecli.network.losses import LOSSES  # noqa: E402
from surfacecli.network.model import random_network  # noqa: E402
from surfacecli.network.transfers import TRANSFERS  # noqa: E402
from surfacecli.presets import load_preset  # noqa: E402

NETS, PROCESSES = 1000, 2


def timed(work: Callable[[], object]) -> float:
    """The processor time of one run, in seconds."""
    start = time.process_time()
    work()
    return time.process_time() - start


def preset_against_grid(runs: int = 9) -> None:
    """E12 of `post`, both sides in turns; the least of each."""
    preset = load_preset("post")
    slice, window = preset.slices["E12"], preset.window
    u, v = np.meshgrid(*window.axes((201, 201)))
    exact, grid = [], []
    for _ in range(runs):
        exact.append(timed(lambda: examine_across(slice, window)))
        grid.append(timed(lambda: evaluate(slice, u, v)))
    print(
        f"post, E12: solved in {1e3 * min(exact):.1f} ms, 201 x 201 forward passes "
        f"{1e3 * min(grid):.1f} ms, ratio {min(grid) / min(exact):.2f}"
    )


def small_slice(seed: int) -> Slice:
    network = random_network((3, 4, 2), [TRANSFERS["relu"]] * 2, seed, biases=True)
    objective = Objective(network, random_data(5, 3, 2, seed), LOSSES["squared"])
    return make_slice(f"net {seed}", objective, [1], [2], "weights", seed)


def examine(seed: int) -> tuple[int, int, bool]:
    """Cells, points and whether the audit is complete."""
    exact = examine_across(small_slice(seed), Window())
    return len(exact.cells), len(exact.points), exact.audit.complete


def many_nets() -> None:
    start = time.perf_counter()
    with ProcessPoolExecutor(PROCESSES) as pool:
        results = list(pool.map(examine, range(NETS), chunksize=25))
    seconds = time.perf_counter() - start
    cells, points, complete = np.array(results).T
    print(
        f"{NETS:,} nets 3-4-2: {seconds:.1f} s on {PROCESSES} processes, {cells.sum():,} cells, "
        f"{points.sum():,} points, {int(complete.sum()):,} audits complete"
    )


def growth() -> None:
    """Seconds and cells as the data grow."""
    for samples in (5, 10, 20, 40):
        network = random_network((3, 8, 4), [TRANSFERS["relu"]] * 2, 1, biases=True)
        objective = Objective(network, random_data(samples, 3, 4, 1), LOSSES["squared"])
        slice = make_slice("growth", objective, [1], [2], "weights", 1)
        start = time.process_time()
        exact = examine_across(slice, Window())
        seconds = time.process_time() - start
        patches = len(exact.cells.cell)
        print(
            f"3-8-4, {samples} data points: {len(exact.cells):,} cells from {patches:,} patches in "
            f"{seconds:.2f} s, {1e6 * seconds / patches:.0f} us a patch, audit "
            f"{'complete' if exact.audit.complete else 'NOT COMPLETE'}"
        )


if __name__ == "__main__":
    preset_against_grid()
    many_nets()
    growth()
