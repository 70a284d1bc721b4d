"""`surface plot post --slice E1` against a bare script that draws the same finished array.

Run with the project installed:

    python benchmarks/first_picture.py [--runs 11] [--keep FOLDER]

The bare script is bare_plot.py: it is given the array and the points and has nothing to read, to
compute or to search. Whole processes, in turns; the ratio of the medians may be 1.4. `--keep` keeps
both pictures, to be looked at side by side.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from surfacecli.threads import pin_blas_threads

pin_blas_threads(1)

import numpy as np  # noqa: E402  (after the threads are pinned)

import surfacecli  # noqa: E402
from surfacecli.pictures import picture_of  # noqa: E402

WANTED = 1.4
#: Numbers of the marks of bare_plot.py.
MARKS = {
    "kinked minimum": 0,
    "smooth minimum": 1,
    "kinked maximum": 2,
    "kinked saddle": 3,
    "maximum on the border": 4,
}
LOWEST = 5
#: What the `surface` script does, run by this interpreter.
SCRIPT = "import sys; from surfacecli.cli import main; sys.exit(main())"
PLOT = ["-c", SCRIPT, "plot", "post", "--slice", "E1"]


def save_arrays(path: Path) -> None:
    """The grid, the points and the kinks that the bare script draws."""
    study = surfacecli.make_study("post", slice_name="E1")
    result = study.examine(study.slices[0])
    grid, verdict = result.grid, result.verdict
    found = [(p, MARKS.get(p.describe())) for p in (*verdict.points, *verdict.border)]
    points = [(p.u, p.v, p.error, mark) for p, mark in found if mark is not None]
    points.append((verdict.lowest.u, verdict.lowest.v, verdict.lowest.value, LOWEST))
    kinks = picture_of(result).kinks
    assert kinks is not None, "the slice has no exact cells"
    np.savez(
        path,
        u=grid.u,
        v=grid.v,
        error=grid.error,
        points=np.array(points),
        kinks=kinks.segments,
        layer=kinks.layer,
    )


def run(arguments: list[str]) -> float:
    """Seconds of a whole process of this interpreter."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


@contextmanager
def choose_folder(keep: str | None) -> Iterator[Path]:
    if keep is not None:
        os.makedirs(keep, exist_ok=True)
        yield Path(keep)
    else:
        with TemporaryDirectory() as folder:
            yield Path(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=11, help="runs of each (default 11)")
    parser.add_argument("--keep", metavar="FOLDER", help="keep the pictures in a folder")
    options = parser.parse_args()
    with choose_folder(options.keep) as folder:
        save_arrays(folder / "arrays.npz")
        bare_script = str(Path(__file__).with_name("bare_plot.py"))
        commands = {
            "bare script": [bare_script, str(folder / "arrays.npz"), str(folder / "bare.png")],
            "surface plot post --slice E1": [*PLOT, "--output", str(folder)],
            "import numpy, matplotlib": ["-c", "import numpy, matplotlib.figure"],
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(options.runs):
            for name, command in commands.items():
                seconds[name].append(run(command))
        base = median(seconds["bare script"])
        print("| process | s | ratio | wanted |\n|---|--:|--:|--:|")
        for name, each in seconds.items():
            wanted = f"<= {WANTED}" if name.startswith("surface") else ""
            print(f"| {name} | {median(each):.2f} | {median(each) / base:.2f} | {wanted} |")


if __name__ == "__main__":
    main()
