"""Steps of gradient, Newton and Gauss-Newton: what they must reach, and that E never rises."""

import numpy as np
import pytest
from exact_slices import WINDOW, random_exact_slice, random_points
from oracles import central_hessian, make_objective, make_slice_by_hand, random_slice

from surfacecli.geometry.descent.descend import descend
from surfacecli.geometry.descent.lowest import lowest_on_step
from surfacecli.geometry.descent.path import METHODS, Method
from surfacecli.geometry.descent.steps import newton_step
from surfacecli.geometry.exact.points import examine_cells
from surfacecli.geometry.slices import Slice, Window
from surfacecli.geometry.surface import differentiate, evaluate
from surfacecli.presets import load_preset

STEPS: tuple[Method, ...] = METHODS[1:]


def outputs(slice: Slice, u: float, v: float) -> np.ndarray:
    _, activations = slice.network_at(u, v).forward(slice.objective.data.inputs)
    return activations[-1].ravel()


def gauss_newton_by_differences(slice: Slice, at: np.ndarray) -> np.ndarray:
    """J^T H J with J from differences of plain forward passes and H from the loss."""
    h = 1e-6
    columns = [
        (outputs(slice, *(at + step)) - outputs(slice, *(at - step))) / (2 * h)
        for step in h * np.eye(2)
    ]
    objective = slice.objective
    a = outputs(slice, *at).reshape(objective.data.targets.shape)
    H = objective.loss.hessian(a, objective.data.targets)
    J = np.stack(columns, axis=1).reshape(*a.shape, 2)
    return np.einsum("nki,nkl,nlj->ij", J, H, J)


@pytest.mark.parametrize("kind", ["within-layer", "across-layers", "mixed"])
def test_gauss_newton_against_the_outputs_jacobian(kind: str) -> None:
    rng = np.random.default_rng(21)
    differs = 0
    for _ in range(12):
        slice = random_slice(rng, kind)  # type: ignore[arg-type]
        at = rng.uniform(-1.0, 1.0, size=2)
        found = differentiate(slice, *at)
        size = max(np.abs(found.gauss_newton).max(), 1.0)
        expected = gauss_newton_by_differences(slice, at)
        np.testing.assert_allclose(found.gauss_newton[0], expected, atol=1e-6 * size)
        differs += np.abs(found.hessian - found.gauss_newton).max() > 1e-6 * size
    # Within a layer of a piecewise-linear net the two are one; across layers they are not.
    assert (differs == 0) == (kind == "within-layer")


def test_gauss_newton_is_not_the_hessian_of_tanh() -> None:
    slice = load_preset("tanh").slices["E1"]
    at = np.array([0.5, 0.1])  # next to the smooth maximum
    found = differentiate(slice, *at)
    np.testing.assert_allclose(
        found.hessian[0],
        central_hessian(lambda x: float(evaluate(slice, x[0], x[1])), at),
        atol=1e-5,
    )
    np.testing.assert_allclose(
        found.gauss_newton[0], gauss_newton_by_differences(slice, at), atol=1e-6
    )
    assert np.linalg.eigvalsh(found.hessian[0]).max() < 0
    assert np.linalg.eigvalsh(found.gauss_newton[0]).min() >= 0


@pytest.mark.parametrize("method", ["newton", "gauss-newton"])
def test_one_step_reaches_the_minimum_of_a_cell(method: Method) -> None:
    """From anywhere in the cell from which the straight line stays in it."""
    reached = 0
    for seed in range(24):
        slice = random_exact_slice(seed, losses=False)
        exact = examine_cells(slice, WINDOW)
        bowls = [p for p in exact.points if p.support == "cell"]
        for p in bowls[:2]:
            start = (p.u + 1e-3, p.v - 2e-3)
            (path,) = descend(slice, WINDOW, [start], method, exact=exact)
            if path.crossed or path.slides:
                continue
            assert len(path.u) == 2
            assert (path.u[1], path.v[1]) == pytest.approx((p.u, p.v), abs=1e-9)
            assert path.end.point == p
            reached += 1
    assert reached > 8


@pytest.mark.parametrize("method", STEPS)
def test_e_never_rises_and_ends_are_known(method: Method) -> None:
    ended = {"stationary": 0, "border": 0, "limit": 0}
    every = 20 if method == "gradient" else 6  # many steps in narrow valleys
    for seed in range(0, 60, every):
        slice = random_exact_slice(seed)
        exact = examine_cells(slice, WINDOW)
        starts = [(u, v) for u, v in random_points(WINDOW, 2, seed).tolist()]
        for path in descend(slice, WINDOW, [*starts, (0.0, 0.0)], method, exact=exact, steps=25):
            assert (np.diff(path.error) < 0).all()
            error = evaluate(slice, path.u, path.v)
            np.testing.assert_allclose(path.error, error, rtol=1e-9, atol=1e-12)
            ended[path.end.reason] += 1
            if path.end.reason == "stationary":
                assert path.end.point in (*exact.points, *exact.border)
            if path.end.reason == "border":
                away = (path.u[-1] - WINDOW.u0, WINDOW.u1 - path.u[-1])
                away += (path.v[-1] - WINDOW.v0, WINDOW.v1 - path.v[-1])
                assert min(away) == pytest.approx(0.0, abs=1e-12)
    if method != "gradient":
        assert ended["stationary"] >= 12
        assert ended["border"] >= 3
        assert not ended["limit"]


def test_gradient_steps_of_a_given_size() -> None:
    """E = (u - 1)^2 + (2 v)^2 with steps of 0.05: factors 0.9 and 0.6 a step."""
    objective = make_objective([np.eye(2)], ["identity"], [[1, 0], [0, 2]], [[1, 0], [0, 0]])
    slice = make_slice_by_hand(objective, {1: [[1, 0], [0, 0]]}, {1: [[0, 0], [0, 1]]})
    window = Window(-2, 2, -2, 2)
    (path,) = descend(slice, window, [(-1.5, 1.25)], "gradient", step=0.05, steps=30)
    k = np.arange(31)
    np.testing.assert_allclose(path.u, 1.0 - 2.5 * 0.9**k, atol=1e-12)
    np.testing.assert_allclose(path.v, 1.25 * 0.6**k, atol=1e-12)
    assert path.end.reason == "limit"
    # A step that is too long stops at its lowest point.
    (path,) = descend(slice, window, [(0.0, 0.0)], "gradient", step=5.0)
    assert (path.u[-1], path.v[-1]) == pytest.approx((1.0, 0.0), abs=1e-12)
    assert len(path.u) == 2
    for wrong in (0.0, -1.0, np.inf):
        with pytest.raises(ValueError, match="no size of a step"):
            descend(slice, window, [(0.0, 0.0)], "gradient", step=wrong)
    with pytest.raises(ValueError, match="no method"):
        descend(slice, window, [(0.0, 0.0)], "adam")  # type: ignore[arg-type]


@pytest.mark.parametrize("method", STEPS)
def test_steps_along_a_kink(method: Method) -> None:
    """E = (|u| + 1)^2 + (|v| - 1)^2 ends on (0, 1), a kink: the last steps run along it."""
    objective = make_objective([np.eye(2)], ["abs"], np.eye(2), [[-1, 0], [0, 1]])
    slice = make_slice_by_hand(objective, {1: [[1, 0], [0, 0]]}, {1: [[0, 0], [0, 1]]})
    window = Window(-2, 2, -2, 2)
    (path,) = descend(slice, window, [(0.7, 0.2)], method)
    assert (path.u[-1], path.v[-1]) == pytest.approx((0.0, 1.0), abs=1e-9)
    assert path.end.describe() == "kinked minimum"
    assert path.slides >= (method == "gradient")


def test_the_newton_step() -> None:
    far = 7.0
    step = newton_step(np.diag([4.0, 2.0]), np.array([8.0, -2.0]), far, 1e-9)
    np.testing.assert_allclose(step, [2.0, -1.0])
    # Indefinite: downhill along both axes. Singular: the shortest, or as far as it is told.
    step = newton_step(np.diag([4.0, -2.0]), np.array([8.0, -2.0]), far, 1e-9)
    np.testing.assert_allclose(step, [2.0, -1.0])
    rank_one = np.array([[1.0, 1.0], [1.0, 1.0]])
    np.testing.assert_allclose(newton_step(rank_one, np.array([3.0, 3.0]), far, 1e-9), [1.5, 1.5])
    step = newton_step(rank_one, np.array([1.0, -1.0]), far, 1e-9)
    np.testing.assert_allclose(step, far * np.array([1.0, -1.0]) / np.sqrt(2.0))
    np.testing.assert_array_equal(newton_step(np.zeros((2, 2)), np.zeros(2), far, 1e-9), [0, 0])


@pytest.mark.parametrize("kind", ["within-layer", "across-layers", "mixed"])
def test_the_lowest_point_of_a_step_against_dense_samples(kind: str) -> None:
    rng = np.random.default_rng(8)
    for _ in range(10):
        slice = random_slice(rng, kind)  # type: ignore[arg-type]
        start, step = rng.uniform(-1.0, 1.0, 2), rng.uniform(-2.0, 2.0, 2)
        found = lowest_on_step(slice, (start[0], start[1]), (step[0], step[1]))
        t = np.linspace(0.0, 1.0, 20_001)
        dense = evaluate(slice, start[0] + t * step[0], start[1] + t * step[1])
        size = 1e-12 * np.abs(dense).max()
        assert found.error <= dense.min() + size
        assert found.error == pytest.approx(dense.min(), abs=np.abs(np.diff(dense)).max() + size)
        assert found.place == pytest.approx(start + found.share * step)
        assert found.error == pytest.approx(float(evaluate(slice, *found.place)), rel=1e-12)


def test_a_notch_that_samples_miss() -> None:
    """E = (1 - n)^2 with a notch n of width 2e-4: only the kinks of the step tell of it."""
    at, w = 0.3, 1e-4
    objective = make_objective(
        [[[0.0], [0.0], [0.0]], [[5e3, -1e4, 5e3]]],
        ["relu", "identity"],
        [[1.0]],
        [[1.0]],
        biases=[[-at, -at - w, -at - 2 * w], None],
    )
    slice = make_slice_by_hand(objective, {1: [[1], [1], [1]]}, {1: [[0], [0], [0]]})
    found = lowest_on_step(slice, (-1.0, 0.0), (2.0, 0.0))
    assert found.place[0] == pytest.approx(at + w, abs=1e-9)
    assert found.error == pytest.approx(0.25, abs=1e-4)
    assert found.crossed == 1


def test_methods_on_smooth_nets() -> None:
    """On tanh Newton converges in a few steps, in the end quadratically, and not to a saddle."""
    preset = load_preset("tanh")
    slice = preset.slices["E1"]
    (newton,) = descend(slice, preset.window, [(-2.7, 0.77)], "newton")
    (gauss_newton,) = descend(slice, preset.window, [(-2.7, 0.77)], "gauss-newton")
    assert newton.end.describe() == gauss_newton.end.describe() == "smooth minimum"
    assert (newton.u[-1], newton.v[-1]) == pytest.approx((-1.305917, -0.664224), abs=1e-4)
    assert len(newton.u) < 12 < len(gauss_newton.u)
