"""How long maps of a layer's Hessian take: `python benchmarks/maps.py`.

61 x 61 points of the slices of shipped presets, every quantity, against one net after the other
(`examine_layers` of the network at the point, for a few points). Processor time, one BLAS thread.
"""

import os

for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import time  # noqa: E402
import tracemalloc  # noqa: E402
from collections.abc import Callable  # noqa: E402
from functools import partial  # noqa: E402

import numpy as np  # noqa: E402

from surfacecli.geometry.layers import Quantity, measure_layer  # noqa: E402
from surfacecli.geometry.slices import Slice  # noqa: E402
from surfacecli.network.curvature import examine_layers  # noqa: E402
from surfacecli.presets import load_preset  # noqa: E402

CASES = (("post", "E12"), ("deep", "E13"), ("iris", "across"), ("tanh", "E12"))
QUANTITIES: tuple[Quantity, ...] = ("curvature", "trace", "rank", "dead")
#: Points along an axis, and points at which one net after the other is examined.
SIDE, FEW = 61, 60


def timed(work: Callable[[], object]) -> float:
    """Processor seconds of one run."""
    start = time.process_time()
    work()
    return time.process_time() - start


def peak(work: Callable[[], object]) -> float:
    """The most memory that a run allocates, in MB."""
    tracemalloc.start()
    work()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 1e6


def one_by_one(slice: Slice, layer: int, u: np.ndarray, v: np.ndarray) -> None:
    for at_u, at_v in zip(u, v, strict=True):
        examine_layers(slice.objective, slice.network_at(at_u, at_v), [layer])


def row(name: str, which: str, layer: int) -> str:
    """One line of the table."""
    preset = load_preset(name)
    slice = preset.slices[which]
    u, v = (axis.ravel() for axis in np.meshgrid(*preset.window.axes((SIDE, SIDE))))
    few = np.random.default_rng(0).choice(len(u), FEW, replace=False)
    maps = [partial(measure_layer, slice, quantity, layer, u, v) for quantity in QUANTITIES]
    seconds = [timed(work) for work in maps]
    most = max(peak(work) for work in maps)
    alone = timed(lambda: one_by_one(slice, layer, u[few], v[few])) * len(u) / FEW
    cells = " | ".join(f"{s:.2f}" for s in seconds)
    # One net at a time has eigenvalues, trace and rank at once: so against the three together.
    ratio = alone / sum(seconds[:3])
    return f"| {name}, {which} | {layer} | {cells} | {most:.0f} | {alone:.1f} | {ratio:.1f} |"


def main() -> None:
    print("| preset, slice | layer | curvature s | trace s | rank s | dead s | peak MB |", end="")
    print(" one by one s | ratio |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for name, which in CASES:
        for layer in load_preset(name).slices[which].moved:
            print(row(name, which, layer), flush=True)


if __name__ == "__main__":
    main()
