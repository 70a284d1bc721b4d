"""How long paths of gradient flow take: `python benchmarks/descent.py`.

Paths in closed form from six starts, against small steps on E's gradient, all starts at once: the
method of Runge and Kutta (order 4) and Euler's, with as many steps as it takes, doubled each time,
to be within a share of the window of the exact path at the time when nearly all of E's fall is
done. The flow that surface integrates where no closed form is known stands beside. Processor time.
"""

import os

for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import time  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402

import numpy as np  # noqa: E402

from surfacecli.geometry.claim import give_exact_verdict  # noqa: E402
from surfacecli.geometry.descent.descend import descend  # noqa: E402
from surfacecli.geometry.descent.path import Path  # noqa: E402
from surfacecli.geometry.descent.starts import spread_starts  # noqa: E402
from surfacecli.geometry.slices import Slice  # noqa: E402
from surfacecli.geometry.surface import differentiate  # noqa: E402
from surfacecli.presets import load_preset  # noqa: E402

CASES = (("post", "E1"), ("post", "E2"), ("deep", "E1"), ("post", "E12"), ("post-linear", "E12"))
STARTS = 6
#: How near to the exact place, as a share of the window, and how much of E's fall is left there.
NEAR, LEFT = 1e-4, 0.01
#: Steps of a path at least and at most.
FEWEST, MOST = 64, 1 << 16


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Processor seconds of one run, and what it gives."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def late_point(path: Path) -> int:
    """The last point from which a share of the fall is left."""
    left = path.error - path.error[-1] >= LEFT * (path.error[0] - path.error[-1])
    return int(np.flatnonzero(left)[-1])


def fall(slice: Slice, places: np.ndarray) -> np.ndarray:
    """-grad E at places (k, 2)."""
    return -differentiate(slice, *places.T).gradient


def runge_kutta(slice: Slice, places: np.ndarray, times: np.ndarray, steps: int) -> np.ndarray:
    """Places (k, 2) after times (k,)."""
    h = (times / steps)[:, None]
    for _ in range(steps):
        k1 = fall(slice, places)
        k2 = fall(slice, places + 0.5 * h * k1)
        k3 = fall(slice, places + 0.5 * h * k2)
        k4 = fall(slice, places + h * k3)
        places = places + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
    return places


def euler(slice: Slice, places: np.ndarray, times: np.ndarray, steps: int) -> np.ndarray:
    """Places (k, 2) after times (k,)."""
    h = (times / steps)[:, None]
    for _ in range(steps):
        places = places + h * fall(slice, places)
    return places


def as_good(
    method: Callable[..., np.ndarray], slice: Slice, paths: Sequence[Path], size: float
) -> tuple[int, float, float]:
    """Steps that bring all paths near enough, how far off they are, and how long these took."""
    late = [late_point(path) for path in paths]
    goal = np.array([(p.u[k], p.v[k]) for p, k in zip(paths, late, strict=True)])
    times = np.array([p.time[k] for p, k in zip(paths, late, strict=True)])
    starts = np.array([(p.u[0], p.v[0]) for p in paths])
    steps = FEWEST
    while True:
        with np.errstate(all="ignore"):  # too few steps may run away
            seconds, places = timed(lambda steps=steps: method(slice, starts, times, steps))
            off = float(np.abs(places - goal).max()) / size
        if off <= NEAR or steps >= MOST:
            return steps, off, seconds
        steps *= 2


def row(name: str, which: str) -> str:
    """One line of the table."""
    preset = load_preset(name)
    slice, window = preset.slices[which], preset.window
    size = max(window.u1 - window.u0, window.v1 - window.v0)
    starts = spread_starts(window, STARTS)
    found, verdict = timed(lambda: give_exact_verdict(slice, window))
    known = {"exact": verdict.exact, "across": verdict.across}
    exact = [timed(lambda: descend(slice, window, starts, **known)) for _ in range(3)]
    seconds, paths = sorted(exact, key=lambda run: run[0])[1]
    assert all(path.exact for path in paths)
    integrated, _ = timed(lambda: descend(slice, window, starts))
    cells = [f"{found:.2f}", f"{1e3 * seconds:.0f}", f"{integrated:.2f}"]
    for method in (runge_kutta, euler):
        steps, off, took = as_good(method, slice, paths, size)
        cells += [f"{steps:,}", f"{off:.0e}", f"{took:.2f}", f"{took / seconds:.0f}"]
    crossed = sum(path.crossed for path in paths)
    return f"| {name}, {which} | {crossed} | " + " | ".join(cells) + " |"


def main() -> None:
    print("| preset, slice | kinks | cells s | closed ms | integrated s |", end="")
    print(" RK steps | off | RK s | ratio | Euler steps | off | Euler s | ratio |")
    print("|---|" + "--:|" * 12)
    for name, which in CASES:
        print(row(name, which), flush=True)


if __name__ == "__main__":
    main()
