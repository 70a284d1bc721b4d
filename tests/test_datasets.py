"""The data sets that ship, and the net trained on one of them."""

import math
from pathlib import Path

import numpy as np
import pytest

from surfacecli.presets import load_preset, preset_path

FOLDER = preset_path("post").parent

# Fisher's table, as printed: means and standard deviations (population) of the four lengths in cm.
IRIS_MEAN = (876.5 / 150, 458.6 / 150, 563.7 / 150, 179.9 / 150)
IRIS_SD = (0.825301, 0.434411, 1.759404, 0.759693)


def arrays_of(name: str) -> dict[str, np.ndarray]:
    """The arrays of a shipped npz file; NumPy refuses pickled objects by itself."""
    with np.load(FOLDER / name) as file:
        return dict(file)


def test_iris_is_fishers_table_standardised() -> None:
    iris = arrays_of("data/iris.npz")
    x, y = iris["inputs"], iris["targets"]
    assert x.shape == (150, 4)
    assert y.shape == (150, 3)
    assert np.abs(x.mean(axis=0)).max() < 1e-14
    assert np.abs(x.std(axis=0) - 1).max() < 1e-14
    np.testing.assert_array_equal(y, np.repeat(np.eye(3), 50, axis=0))
    cm = np.array(IRIS_MEAN) + x * IRIS_SD
    assert np.abs(cm - cm.round(1)).max() < 1e-5
    # The first and the last flower, and the two that are wrong in the copy at UCI.
    flowers = {
        1: [5.1, 3.5, 1.4, 0.2],
        35: [4.9, 3.1, 1.5, 0.2],
        38: [4.9, 3.6, 1.4, 0.1],
        150: [5.9, 3.0, 5.1, 1.8],
    }
    for number, lengths in flowers.items():
        np.testing.assert_allclose(cm[number - 1], lengths, atol=1e-5)


def test_digits_are_threes_and_eights() -> None:
    digits = arrays_of("data/digits.npz")
    x, y = digits["inputs"], digits["targets"]
    assert x.shape == (200, 64)
    assert y.shape == (200, 1)
    assert sorted(y[:, 0].tolist()) == [0] * 100 + [1] * 100
    pixels = 16 * x
    np.testing.assert_array_equal(pixels, pixels.round())
    assert (pixels.min(), pixels.max()) == (0, 16)
    # An eight has ink where a three is open: in the middle of its left side.
    left = pixels.reshape(200, 8, 8)[:, 2:4, 1:3].sum(axis=(1, 2))
    assert left[y[:, 0] == 1].mean() > 1.5 * left[y[:, 0] == 0].mean()
    # The first three in the data set, top row.
    np.testing.assert_array_equal(pixels[np.argmin(y[:, 0])][:8], [0, 0, 7, 15, 13, 1, 0, 0])


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*/*.npz")), ids=lambda p: p.name)
def test_files_are_small_and_hold_numbers(path: Path) -> None:
    assert path.stat().st_size < 10_000
    for array in arrays_of(str(path.relative_to(FOLDER))).values():
        assert np.issubdtype(array.dtype, np.number)


def test_notice_names_every_data_file_with_its_licence() -> None:
    notice = (FOLDER / "data" / "NOTICE.md").read_text(encoding="utf-8")
    for path in (FOLDER / "data").glob("*.npz"):
        row = next(
            line for line in notice.splitlines() if line.startswith("|") and path.name in line
        )
        assert "CC BY 4.0" in row or "this project" in row


@pytest.mark.optional
def test_data_agree_with_scikit_learn() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    cm = datasets.load_iris().data
    iris = arrays_of("data/iris.npz")
    np.testing.assert_allclose(iris["inputs"], (cm - cm.mean(0)) / cm.std(0), atol=1e-12)
    np.testing.assert_array_equal(iris["targets"].argmax(axis=1), datasets.load_iris().target)
    all_digits = datasets.load_digits()
    digits = arrays_of("data/digits.npz")
    for target, digit in ((0, 3), (1, 8)):
        np.testing.assert_array_equal(
            16 * digits["inputs"][digits["targets"][:, 0] == target],
            all_digits.data[all_digits.target == digit][:100],
        )


def iris_outputs(net: dict[str, list], x: list[float]) -> list[float]:
    hidden = [
        max(0.0, sum(w * value for w, value in zip(row, x, strict=True)) + b)
        for row, b in zip(net["W1"], net["b1"], strict=True)
    ]
    return [
        sum(w * value for w, value in zip(row, hidden, strict=True)) + b
        for row, b in zip(net["W2"], net["b2"], strict=True)
    ]


def iris_error(net: dict[str, list], inputs: list[list[float]], classes: list[int]) -> float:
    error = 0.0
    for x, k in zip(inputs, classes, strict=True):
        out = iris_outputs(net, x)
        error += math.log(sum(math.exp(a - out[k]) for a in out))
    return error


def test_iris_net_is_trained() -> None:
    data = arrays_of("data/iris.npz")
    inputs, classes = data["inputs"].tolist(), data["targets"].argmax(axis=1).tolist()
    arrays = arrays_of("nets/iris.npz")
    assert {name: array.shape for name, array in arrays.items()} == {
        "W1": (8, 4),
        "b1": (8,),
        "W2": (3, 8),
        "b2": (3,),
    }
    assert max(np.abs(array).max() for array in arrays.values()) < 5
    net = {name: array.tolist() for name, array in arrays.items()}
    outputs = [iris_outputs(net, x) for x in inputs]
    right = sum(out.index(max(out)) == k for out, k in zip(outputs, classes, strict=True))
    assert right >= 0.97 * 150
    error = iris_error(net, inputs, classes)
    assert load_preset("iris").objective.error() == pytest.approx(error, rel=1e-12)
    assert error < 6
    # The gradient, by differences of the loops in every weight: as small as the script says.
    for array in arrays.values():
        for index in np.ndindex(array.shape):
            kept, ends = array[index], []
            for step in (1e-5, -1e-5):
                array[index] = kept + step
                moved = {name: a.tolist() for name, a in arrays.items()}
                ends.append(iris_error(moved, inputs, classes))
            array[index] = kept
            assert abs(ends[0] - ends[1]) / 2e-5 < 0.05
