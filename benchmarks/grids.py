"""Grids of 201 x 201 points, 1000 data points, widths 20-64-10: `surface` against forward passes.

Run with the project installed:

    python benchmarks/grids.py [--repeats 3] [--points 201]

Each case is timed in turns, A B A B, in one process with one BLAS thread; a ratio is the median
of the ratios of neighbours. Times are processor seconds, which other programs disturb less than the
clock on the wall. Both must agree to 1e-10 of the largest error. Peak memory is that of a process
of its own for each case.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from surfacecli.threads import pin_blas_threads

pin_blas_threads(1)

import numpy as np  # noqa: E402  (after the threads are pinned)
from forward_pass import affine, kept, whole  # noqa: E402

from surfacecli.geometry.grids import sample_grid  # noqa: E402
from surfacecli.geometry.slices import Slice, Window, make_slice  # noqa: E402
from surfacecli.network.data import Objective, random_data  # noqa: E402
from surfacecli.network.losses import squared  # noqa: E402
from surfacecli.network.model import random_network  # noqa: E402
from surfacecli.network.transfers import TRANSFERS  # noqa: E402

WIDTHS, SAMPLES = (20, 64, 10), 1000
AGREE = 1e-10
MOST_MEMORY = 500  # MB
#: A run of `surface` is repeated within its turn until it has lasted this long, in seconds.
TURN = 0.2


@dataclass(frozen=True)
class Case:
    """A slice, its opponents, the first of them the one that the wanted ratio is about."""

    name: str
    u: int
    v: int
    origin: str
    output: str
    opponents: tuple[Callable[..., np.ndarray], ...]
    wanted: float

    def make(self) -> Slice:
        network = random_network(WIDTHS, [TRANSFERS["relu"], TRANSFERS[self.output]], seed=1)
        objective = Objective(network, random_data(SAMPLES, WIDTHS[0], WIDTHS[-1], 2), squared)
        return make_slice("benchmark", objective, [self.u], [self.v], self.origin, seed=3)


def all_cases() -> list[Case]:
    wanted = {
        ("layer 1", "zero"): (100, 50),
        ("layer 1", "weights"): (5, 5),
        ("last layer", "zero"): (500, 500),
        ("last layer", "weights"): (500, 500),
        ("across layers", "zero"): (100, 40),
        ("across layers", "weights"): (100, 40),
    }
    layers = {"layer 1": (1, 1), "last layer": (2, 2), "across layers": (1, 2)}
    opponents = {
        "layer 1": (affine, whole),
        "last layer": (whole, kept, affine),
        "across layers": (whole, kept),
    }
    return [
        Case(f"{where}, {origin}", *layers[where], origin, output, opponents[where], ratio)
        for (where, origin), ratios in wanted.items()
        for output, ratio in zip(("identity", "relu"), ratios, strict=True)
    ]


def time_turn(run: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Processor seconds of a run, the mean over a turn where they are short, and its result."""
    start, runs = time.process_time(), 0
    while True:
        result = run()
        runs += 1
        spent = time.process_time() - start
        if spent >= TURN:
            return spent / runs, result


def measure(case: Case, points: int, repeats: int) -> list[str]:
    """One table row for each opponent."""
    slice, window, resolution = case.make(), Window(), (points, points)
    u, v = window.axes(resolution)
    rows = []
    for number, opponent in enumerate(case.opponents):
        theirs, ours = [], []
        for _ in range(repeats):
            seconds, expected = time_turn(lambda opponent=opponent: opponent(slice, u, v))
            theirs.append(seconds)
            seconds, error = time_turn(lambda: sample_grid(slice, window, resolution).error)
            ours.append(seconds)
        apart = np.abs(error - expected).max() / np.abs(expected).max()
        assert apart < AGREE, f"{case.name}: {apart:.1e} apart"
        ratio = median(a / b for a, b in zip(theirs, ours, strict=True))
        verdict = ("met" if ratio >= case.wanted else "NOT MET") if number == 0 else ""
        wanted = f"{case.wanted:g}" if number == 0 else ""
        rows.append(
            f"| {case.name} | {case.output} | {opponent.__name__} | {median(theirs):.2f} "
            f"| {median(ours):.4f} | {ratio:.1f} | {wanted} | {verdict} | {apart:.0e} |"
        )
    return rows


def peak_memory(number: int, points: int) -> float:
    """Peak resident memory (MB) of a process that makes one grid."""
    command = [sys.executable, __file__, "--points", str(points), "--one", str(number)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def print_own_peak(case: Case, points: int) -> None:
    sample_grid(case.make(), Window(), (points, points))
    status = Path("/proc/self/status")
    if status.exists():
        # Linux: what getrusage gives there has been inherited from the process that started this.
        words = status.read_text().split()
        print(int(words[words.index("VmHWM:") + 1]) / 1e3)
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(peak / (1e6 if sys.platform == "darwin" else 1e3))  # bytes or kilobytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3, help="turns of each (default 3)")
    parser.add_argument("--points", type=int, default=201, help="points a side (default 201)")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    cases = all_cases()
    if options.one is not None:
        print_own_peak(cases[options.one], options.points)
        return
    print(
        "| slice, origin | output | opponent | opponent s | surface s | ratio | wanted | | apart |"
    )
    print("|---|---|---|--:|--:|--:|--:|---|--:|")
    for case in cases:
        print("\n".join(measure(case, options.points, options.repeats)), flush=True)
    print("\n| slice, origin | output | peak MB | under |\n|---|---|--:|--:|")
    for number, case in enumerate(cases):
        peak = peak_memory(number, options.points)
        print(f"| {case.name} | {case.output} | {peak:.0f} | {MOST_MEMORY} |", flush=True)


if __name__ == "__main__":
    main()
