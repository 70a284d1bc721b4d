"""Directions from gradient and curvature: what E does along them, by roads that know neither."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from oracles import (
    central_gradient,
    error_by_loops,
    hessian_by_entries,
    make_objective,
    random_objective,
)

from surfacecli.errors import PresetError
from surfacecli.geometry.surface import differentiate
from surfacecli.network.curvature import eigenvectors
from surfacecli.network.curvature.directions import (
    NoDirectionError,
    gradient_direction,
    signed,
    top_eigenvectors,
)
from surfacecli.network.curvature.eigenvectors import top_eigenpairs
from surfacecli.network.data import Objective
from surfacecli.presets import load_preset
from surfacecli.reading.shipped import starter_text

Write = Callable[[str], str]
NET = "network: {widths: [3, 4, 2], transfer: [relu, identity], weights: {seed: 1}}\n"
DATA = "data: {samples: 9}\nloss: cross_entropy\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.chdir(tmp_path)

    def write(slices: str, start: str = NET + DATA) -> str:
        Path("x.yaml").write_text(f"{start}slices:\n{slices}")
        return "x.yaml"

    return write


# --- eigenpairs of a map ---


def with_spectrum(values: np.ndarray, seed: int = 0) -> np.ndarray:
    n = len(values)
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]
    return (Q * values) @ Q.T


SPECTRA = {
    "decaying": 10 / np.arange(1.0, 61.0),
    "double": np.r_[5.0, 5.0, 3.0, np.linspace(-1, 1, 57)],
    "rank 2": np.r_[3.0, 2.0, np.zeros(58)],
    "negative": -np.arange(1.0, 61.0),
    "both": np.linspace(-3, 3, 60) ** 3,
    "zero": np.zeros(60),
}


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("case", SPECTRA)
def test_top_eigenpairs(case: str, whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    values = SPECTRA[case]
    A = with_spectrum(values)
    if not whole:
        monkeypatch.setattr(eigenvectors, "WHOLE", 0)
    found, vectors = top_eigenpairs(lambda rows: rows @ A, len(A), 3)
    size = max(float(np.abs(values).max()), 1.0)
    np.testing.assert_allclose(found, np.sort(values)[::-1][:3], atol=1e-12 * size)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(vectors @ A, found[:, None] * vectors, atol=1e-8 * size)


def test_eigenpairs_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="a matrix of 2 rows has no 3 eigenvalues"):
        top_eigenpairs(lambda rows: rows, 2, 3)
    monkeypatch.setattr(eigenvectors, "WHOLE", 0)
    monkeypatch.setattr(eigenvectors, "PATIENCE", 1)
    A = with_spectrum(np.linspace(0, 1, 60))
    with pytest.raises(ValueError, match="not found in 1 steps"):
        top_eigenpairs(lambda rows: rows @ A, 60, 2)


# --- of a layer ---


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("layer", [1, 2])
def test_eigenvectors_of_a_layer(layer: int, whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not whole:
        monkeypatch.setattr(eigenvectors, "WHOLE", 0)
    for seed, transfers in enumerate([("relu", "tanh"), ("leaky_relu", "identity")]):
        rng = np.random.default_rng(seed)
        objective = random_objective(rng, 2, transfers, "cross_entropy", True, [3, 4, 3], 8)
        H = hessian_by_entries(objective, layer)
        expected = np.linalg.eigvalsh(H)[::-1]
        top = top_eigenvectors(objective, layer, 2)
        assert top.size == H.shape[0]
        np.testing.assert_allclose(top.values, expected[:3], atol=1e-10 * expected[0])
        for number in (1, 2):
            x = top.direction(number).ravel()
            assert np.linalg.norm(x) == pytest.approx(1.0, rel=1e-12)
            np.testing.assert_allclose(H @ x, expected[number - 1] * x, atol=1e-8 * expected[0])
            assert x[np.abs(x).argmax()] > 0


def test_the_gradient_by_differences() -> None:
    rng = np.random.default_rng(5)
    objective = random_objective(rng, 2, ("tanh", "softplus"), "half_squared", True, [2, 3, 2], 4)
    weights = objective.network.weights

    def error(flat: np.ndarray) -> float:
        moved = {1: flat[:6].reshape(3, 2), 2: flat[6:].reshape(2, 3)}
        network = objective.network.with_weights(moved)
        return error_by_loops(Objective(network, objective.data, objective.loss))

    g = central_gradient(error, np.concatenate([W.ravel() for W in weights]))
    parts = (([1], g[:6]), ([2], g[6:]), ([1, 2], g))
    for layers, part in parts:
        along = gradient_direction(objective, layers)
        assert list(along) == layers
        found = np.concatenate([along[layer].ravel() for layer in layers])
        np.testing.assert_allclose(found, part / np.linalg.norm(part), atol=1e-8)


def test_signs_are_those_of_the_first_of_the_largest_entries() -> None:
    for x in ([1.0, -3.0], [-3.0, 1.0, 3.0 * (1 + 1e-9)], [-2.0, 2.0]):
        one, other = signed(np.array([x])), signed(-np.array([x]))
        np.testing.assert_array_equal(one, other)
        first = int(np.argmax(np.abs(x) >= 0.999 * np.abs(x).max()))
        assert one[0, first] > 0


def plain(
    inputs: list[list[float]], targets: list[list[float]], loss: str = "squared"
) -> Objective:
    """One linear layer of weights 0: with squares its Hessian is 2 X^T X for each output."""

    zeros = np.zeros((len(targets[0]), len(inputs[0])))
    return make_objective([zeros], ["identity"], inputs, targets, loss)


def test_what_has_no_direction() -> None:
    single = plain([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]], [[1.0], [1.0]])
    top = top_eigenvectors(single, 1, 3)
    np.testing.assert_allclose(top.values, [8.0, 2.0, 0.0], atol=1e-14)
    np.testing.assert_allclose(top.direction(1), [[0.0, 1.0, 0.0]], atol=1e-14)
    with pytest.raises(NoDirectionError, match=r"eigenvalue 3 .* is 0; only the first 2 are above"):
        top.direction(3)
    with pytest.raises(NoDirectionError, match="there is no eigenvalue 4 of 3 weights"):
        top_eigenvectors(single, 1, 4).direction(4)
    # Two outputs: each eigenvalue stands twice.
    double = top_eigenvectors(plain([[1.0, 0.0], [0.0, 2.0]], [[1.0, 0.0]] * 2), 1, 3)
    for number, pair in ((1, "1 and 2"), (2, "1 and 2"), (3, "3 and 4")):
        with pytest.raises(NoDirectionError, match=f"eigenvalues {pair} of the Hessian are equal"):
            double.direction(number)
    flat = plain([[0.0, 0.0]], [[1.0]])
    with pytest.raises(NoDirectionError, match=r"no eigenvalue above 0 .*; take other weights, or"):
        top_eigenvectors(flat, 1, 1).direction(1)
    with pytest.raises(NoDirectionError, match="the gradient is 0"):
        gradient_direction(flat, [1])
    # At the lowest point: 0.1 + 0.2 - 0.3, which is 0 up to rounding.
    lowest = plain([[0.1], [0.2], [0.3]], [[1.0], [1.0], [-1.0]])
    with pytest.raises(NoDirectionError, match="the gradient is 0"):
        gradient_direction(lowest, [1])


def test_an_iteration_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eigenvectors, "WHOLE", 0)
    monkeypatch.setattr(eigenvectors, "PATIENCE", 0)
    with pytest.raises(NoDirectionError, match="not found"):
        top_eigenvectors(plain([[1.0, 2.0]], [[1.0]]), 1, 1)


# --- in a preset ---


def test_the_plane_of_two_eigenvectors_has_a_diagonal_hessian(write: Write) -> None:
    source = write(
        "  a: {layer: 1, origin: weights, directions: {hessian: [1, 2]}}\n"
        "  b: {layer: 2, origin: weights, directions: {hessian: [3, 1]}}\n"
        "  c: {u: 1, v: 2, origin: weights, directions: {hessian: [2, 1]}}\n"
    )
    preset = load_preset(source)
    tops = {n: np.linalg.eigvalsh(hessian_by_entries(preset.objective, n))[::-1] for n in (1, 2)}
    for name, u, v in (
        ("a", tops[1][0], tops[1][1]),
        ("b", tops[2][2], tops[2][0]),
        ("c", tops[1][1], tops[2][0]),
    ):
        hessian = differentiate(preset.slices[name], 0.0, 0.0).hessian[0]
        np.testing.assert_allclose(np.diag(hessian), [u, v], rtol=1e-9)
        if name != "c":
            assert abs(hessian[0, 1]) < 1e-9 * hessian.max()
    assert preset.slices["c"].kind == "across-layers"
    assert preset.seeds == {"weights": 1, "data": 0}
    assert preset.slices["a"].note == (
        "origin weights, U along eigenvector 1 of the Hessian, V along eigenvector 2 of the Hessian"
    )


def test_a_large_layer(write: Write) -> None:
    """1,280 weights: by products alone, and the same numbers."""
    start = "network: {widths: [64, 20, 1], transfer: [relu, identity], weights: {seed: 3}}\n"
    source = write(
        "  a: {layer: 1, origin: weights, directions: {hessian: [1, 2]}}\n",
        start + "data: {samples: 40}\n",
    )
    preset = load_preset(source)
    derivatives = differentiate(preset.slices["a"], 0.0, 0.0).hessian[0]
    a, h = preset.objective.data.inputs, preset.objective.network.forward
    pre_activations, _ = h(a)
    # J of one output: w2 f'(h); with squares H = 2 sum (J kron a)(J kron a)^T, by its Gram matrix.
    J = preset.objective.network.weights[1] * (pre_activations[0] > 0)
    top = np.linalg.eigvalsh(2 * (J @ J.T) * (a @ a.T))[::-1]
    np.testing.assert_allclose(derivatives, np.diag(top[:2]), atol=1e-9 * top[0])


def test_u_along_the_gradient(write: Write) -> None:
    source = write(
        "  a: {layer: 1, origin: weights, directions: {u: gradient, v: {hessian: 1}}}\n"
        "  b: {u: 2, v: 1, origin: weights, directions: {u: {hessian: 2}, v: gradient}}\n"
        "  c: {u: [1, 2], v: 1, origin: weights, directions: {u: gradient, v: {hessian: 1}}}\n"
        "  d: {u: 1, v: 2, origin: weights, directions: {u: gradient, v: gradient}}\n"
    )
    preset = load_preset(source)
    weights = preset.objective.network.weights

    def norm(*layers: int) -> float:
        """|g| from the slopes of E along each single weight."""
        slopes = []
        for layer in layers:
            for unit in np.eye(weights[layer - 1].size).reshape(-1, *weights[layer - 1].shape):
                slice = preset.slices["a"]
                along = type(slice)(
                    "", slice.objective, {layer: weights[layer - 1]}, {layer: unit}, {layer: unit}
                )
                slopes.append(differentiate(along, 0.0, 0.0).gradient[0, 0])
        return float(np.linalg.norm(slopes))

    for name, axis, layers in (("a", 0, (1,)), ("b", 1, (1,)), ("c", 0, (1, 2)), ("d", 1, (2,))):
        slope = differentiate(preset.slices[name], 0.0, 0.0).gradient[0, axis]
        assert slope == pytest.approx(norm(*layers), rel=1e-10)
    assert preset.slices["a"].note.endswith(
        "U along the gradient, V along eigenvector 1 of the Hessian"
    )
    assert preset.slices["c"].kind == "mixed"


def test_scale_filter(write: Write) -> None:
    source = write(
        "  a: {layer: 1, origin: weights, directions: {hessian: [1, 2], scale: filter}}\n"
        "  b: {layer: 1, origin: weights, directions: {hessian: [1, 2]}}\n"
    )
    slices = load_preset(source).slices
    W = slices["a"].origin[1]
    for along, plain in (
        (slices["a"].along_u[1], slices["b"].along_u[1]),
        (slices["a"].along_v[1], slices["b"].along_v[1]),
    ):
        np.testing.assert_allclose(np.linalg.norm(along, axis=1), np.linalg.norm(W, axis=1))
        np.testing.assert_allclose(along * plain, np.abs(along * plain))
    assert slices["a"].note.endswith(", filter-normalised")


def test_a_seed_moves_the_directions_with_the_weights(write: Write) -> None:
    source = write("  a: {layer: 1, origin: weights, directions: {hessian: [1, 2]}}\n")
    preset = load_preset(source, seed=5)
    assert preset.seeds == {"weights": 5, "data": 5}
    top = np.linalg.eigvalsh(hessian_by_entries(preset.objective, 1))[::-1]
    hessian = differentiate(preset.slices["a"], 0.0, 0.0).hessian[0]
    np.testing.assert_allclose(hessian, np.diag(top[:2]), atol=1e-9 * top[0])


LINEAR = NET + "data: {samples: 9}\n"
NONE: dict[str, tuple[str, str, str, str]] = {
    "too many": (
        "{layer: 1, directions: {hessian: [1, 13]}}",
        "13]",
        "hessian.2",
        "no eigenvalue 13",
    ),
    "zero": ("{layer: 1, directions: {hessian: [12, 1]}}", "12,", "hessian.1", "eigenvalue 12 of"),
    "itself": (
        "{layer: 1, directions: {hessian: [2, 2]}}",
        "2]",
        "hessian.2",
        "v comes out along u",
    ),
    "twice": (
        "{layer: 1, directions: {u: gradient, v: gradient}}",
        "gradient}",
        "v",
        "v comes out along u; a slice needs two directions",
    ),
    "mixed": (
        "{u: [1, 2], v: [1, 2], directions: {u: gradient, v: {hessian: 1}}}",
        "1}}}",
        "v.hessian",
        "layers 1 and 2: an eigenvector moves one layer; take the gradient here",
    ),
    "below 1": (
        "{layer: 1, directions: {hessian: [0, 1]}}",
        "0,",
        "hessian.1",
        "0 must be at least 1",
    ),
    "one": ("{layer: 1, directions: {hessian: 1}}", "1}}", "hessian", "1 is not a list; write for"),
    "half": (
        "{layer: 1, directions: {u: gradient}}",
        "{u: ",
        "",
        "u alone leaves v open; give v too",
    ),
    "word": (
        "{layer: 1, directions: {u: gradiant, v: gradient}}",
        "gradiant",
        "u",
        "'gradiant' is unknown here; did you mean 'gradient'? Write for instance gradient or {hess",
    ),
    "two sources": (
        "{layer: 1, directions: {u: gradient, v: {hessian: 1}, file: a.npz}}",
        "{u: ",
        "",
        "file and u exclude each other; keep one",
    ),
    "scale": (
        "{layer: 1, directions: {hessian: [1, 2], scale: gaussian}}",
        "gaussian",
        "scale",
        "directions of the Hessian have norm 1; leave scale out or write filter",
    ),
    "other scale": (
        "{layer: 1, directions: {u: gradient, v: {hessian: 1}, scale: gaussian}}",
        "gaussian",
        "scale",
        "directions of the gradient and the Hessian have norm 1",
    ),
}


def problem_of(source: str) -> str:
    with pytest.raises(PresetError) as caught:
        load_preset(source)
    (line,) = caught.value.problems
    return line


@pytest.mark.parametrize("case", NONE)
def test_one_mistake_is_one_line_at_its_place(write: Write, case: str) -> None:
    piece, stands, key, what = NONE[case]
    line = f"  a: {piece}"
    path = ".".join(part for part in ("slices.a.directions", key) if part)
    problem = problem_of(write(line + "\n"))
    assert problem.startswith(f"x.yaml:5:{line.index(stands) + 1}: {path}: ")
    assert what in problem


def test_equal_eigenvalues_are_no_directions(write: Write) -> None:
    """The last layer with squares: every output has the same Hessian."""
    source = write("  a: {u: 1, v: 2, directions: {hessian: [1, 1]}}\n", LINEAR)
    problem = problem_of(source)
    assert "slices.a.directions.hessian.2: layer 2: eigenvalues 1 and 2 of the Hessian" in problem
    assert "are equal" in problem


@pytest.mark.parametrize(
    ("directions", "key", "what"),
    [
        ("{hessian: [1, 2]}", ".hessian", "the Hessian has no eigenvalue above 0 at"),
        ("{u: gradient, v: gradient}", "", "the gradient is 0 at"),
    ],
)
def test_where_nothing_is_marked_out_one_message_says_what_to_do(
    tmp_path: Path, write: Write, directions: str, key: str, what: str
) -> None:
    """All hidden units dead: E is constant around the network's weights."""
    np.savez(
        tmp_path / "dead.npz",
        W1=np.ones((3, 2)),
        b1=np.full(3, -100.0),
        W2=np.ones((1, 3)),
        b2=np.zeros(1),
    )
    net = "network: {weights: {file: dead.npz}, transfer: [relu, identity], biases: true}\n"
    net += "data: {samples: 9}\n"
    problem = problem_of(write(f"  a: {{layer: 1, directions: {directions}}}\n", net))
    assert f": slices.a.directions{key}: layer 1: {what} the network's weights" in problem
    assert problem.endswith("take other weights, or directions: {seed: 1}")


def test_what_is_wrong_elsewhere_hides_no_direction(write: Write) -> None:
    source = write(
        "  a: {layer: 1, directions: {hessian: [1, 2]}}\n", NET + "data: {file: none.npz}\n"
    )
    assert "none.npz: no such file" in problem_of(source)


def test_the_starter_shows_them() -> None:
    assert "{hessian: [1, 2]}" in starter_text()
    assert "{u: gradient, v: {hessian: 1}}" in starter_text()


def test_the_shipped_one() -> None:
    preset = load_preset("iris-hessian")
    for name in ("hidden", "output"):
        at = differentiate(preset.slices[name], 0.0, 0.0)
        assert at.hessian[0, 0, 0] > at.hessian[0, 1, 1] > 0.1
        assert abs(at.hessian[0, 0, 1]) < 1e-9 * at.hessian[0, 0, 0]
    at = differentiate(preset.slices["uphill"], 0.0, 0.0)
    # Along an eigenvector the slope is that share of the gradient which points along it.
    assert at.gradient[0, 0] > abs(at.gradient[0, 1]) > 0
