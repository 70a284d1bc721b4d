"""Makes the data sets that ship, presets/data/iris.npz and presets/data/digits.npz.

Needs scikit-learn (any recent version), which the project itself does not: the data are copied out
of it once, and the files are kept in the repository. Run it from anywhere:

    python scripts/make_datasets.py

The same data give the same bytes. Sources and licences: presets/data/NOTICE.md.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits, load_iris

FOLDER = Path(__file__).resolve().parent.parent / "presets" / "data"
DIGITS = (3, 8)  # target 0 and target 1: the pair that is most alike
IMAGES_OF_EACH = 100


def iris() -> dict[str, np.ndarray]:
    """150 flowers, 4 lengths each, standardised; the species as a row of 0 and one 1."""
    bunch = load_iris()
    # Millimetres are whole numbers. With them n, the sums and the sums of squares are exact, so
    # mean 0 and sd 1 do not depend on the order in which a machine adds.
    x = np.rint(10 * bunch.data).astype(np.int64)
    n, total, squares = len(x), x.sum(axis=0), (x * x).sum(axis=0)
    inputs = (n * x - total) / np.sqrt(n * squares - total**2)
    return {"inputs": inputs, "targets": np.eye(3, dtype=np.uint8)[bunch.target]}


def digits() -> dict[str, np.ndarray]:
    """The first 100 threes and the first 100 eights, 8 x 8 pixels in [0, 1]; 1 means eight."""
    bunch = load_digits()
    rows = np.sort(
        np.concatenate([np.flatnonzero(bunch.target == d)[:IMAGES_OF_EACH] for d in DIGITS])
    )
    # Pixels are 0 to 16, so sixteenths are exact in any binary format.
    inputs = bunch.data[rows] / 16
    targets = (bunch.target[rows] == DIGITS[1]).astype(np.uint8)
    return {"inputs": inputs, "targets": targets[:, np.newaxis]}


def main() -> None:
    for name, arrays in (("iris", iris()), ("digits", digits())):
        path = FOLDER / f"{name}.npz"
        np.savez_compressed(path, **arrays)
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
