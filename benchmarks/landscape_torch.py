"""The same slices by a public PyTorch library, loss-landscapes: seconds for each grid point.

Optional; it needs packages that the project does not:

    pip install torch loss-landscapes
    python benchmarks/landscape_torch.py [--steps 41] [--repeats 3]

`planar_interpolation` walks over the plane between three models; with models at three corners of
the window it walks over a slice of ours, within a layer or across two. It runs in double
precision, on one thread, without gradients, on a grid of steps x steps; the time for a point is
compared with that of `surface` on 201 x 201 points. In version 3.0.6 every second column is shifted
by one point, so the values are compared on the other columns.
"""

import argparse
from statistics import median

from surfacecli.threads import pin_blas_threads

pin_blas_threads(1)

import numpy as np  # noqa: E402  (after the threads are pinned)
import torch  # noqa: E402
from grids import AGREE, Case, all_cases, time_turn  # noqa: E402
from loss_landscapes import planar_interpolation  # noqa: E402
from loss_landscapes.metrics import Loss  # noqa: E402

from surfacecli.geometry.grids import sample_grid  # noqa: E402
from surfacecli.geometry.slices import Slice, Window  # noqa: E402
from surfacecli.geometry.surface import evaluate  # noqa: E402

POINTS = 201


def torch_model(slice: Slice, u: float, v: float) -> torch.nn.Module:
    """The net at a point of a slice."""
    network = slice.network_at(u, v)
    layers: list[torch.nn.Module] = []
    for W, f in zip(network.weights, network.transfers, strict=True):
        layer = torch.nn.Linear(W.shape[1], W.shape[0], bias=False, dtype=torch.float64)
        layer.weight.data = torch.tensor(W)
        layers += [layer, *([torch.nn.ReLU()] if f.name == "relu" else [])]
    return torch.nn.Sequential(*layers)


def library_plane(slice: Slice, window: Window, steps: int) -> np.ndarray:
    """The library's errors, (steps along u, steps along v)."""
    data = slice.objective.data
    metric = Loss(
        torch.nn.MSELoss(reduction="sum"), torch.tensor(data.inputs), torch.tensor(data.targets)
    )
    corners = ((window.u0, window.v0), (window.u1, window.v0), (window.u0, window.v1))
    with torch.no_grad():
        return planar_interpolation(*(torch_model(slice, *at) for at in corners), metric, steps)


def measure(case: Case, steps: int, repeats: int) -> str:
    slice, window = case.make(), Window()
    theirs, ours = [], []
    for _ in range(repeats):
        seconds, plane = time_turn(lambda: library_plane(slice, window, steps))
        theirs.append(seconds / steps**2)
        seconds, _ = time_turn(lambda: sample_grid(slice, window, (POINTS, POINTS)).error)
        ours.append(seconds / POINTS**2)
    u = window.u0 + (window.u1 - window.u0) * np.arange(0, steps, 2) / steps
    v = window.v0 + (window.v1 - window.v0) * np.arange(1, steps + 1) / steps
    expected = evaluate(slice, u[:, None], v)
    apart = np.abs(plane[::2] - expected).max() / expected.max()
    assert apart < AGREE, f"{case.name}: {apart:.1e} apart"
    ratio = median(a / b for a, b in zip(theirs, ours, strict=True))
    return (
        f"| {case.name} | {case.output} | {1e6 * median(theirs):.0f} | {1e6 * median(ours):.2f} "
        f"| {ratio:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=41, help="the library's grid (default 41)")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each (default 3)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| slice, origin | output | library us a point | surface us a point | ratio |")
    print("|---|---|--:|--:|--:|")
    for case in all_cases():
        print(measure(case, options.steps, options.repeats), flush=True)


if __name__ == "__main__":
    main()
