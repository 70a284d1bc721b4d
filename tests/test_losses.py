"""Each loss against its definition in plain Python, and its derivatives against differences."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from oracles import central_gradient, central_hessian, loss_by_loops

from surfacecli.network.losses import LOSSES, Loss

every = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())


def draw(loss: Loss, seed: int, shape: tuple[int, ...] = (3,)) -> tuple[np.ndarray, np.ndarray]:
    """Outputs and targets that suit the loss, soft ones for the two that take probabilities."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(size=shape)
    if loss.name == "cross_entropy":
        y /= y.sum(axis=-1, keepdims=True)
    return 2 * rng.standard_normal(shape), y


def test_registry_holds_the_names_of_the_contract():
    assert set(LOSSES) == {"squared", "half_squared", "cross_entropy", "logistic"}


@every
@pytest.mark.parametrize("seed", range(5))
def test_value_and_derivatives(loss: Loss, seed: int):
    a, y = draw(loss, seed)
    assert loss.value(a, y) == pytest.approx(loss_by_loops(loss.name, a, y), rel=1e-13)

    def by_loops(at: np.ndarray) -> float:
        return loss_by_loops(loss.name, at, y)

    np.testing.assert_allclose(loss.gradient(a, y), central_gradient(by_loops, a), atol=1e-8)
    hessian = central_hessian(by_loops, a)
    np.testing.assert_allclose(loss.hessian(a, y), hessian, atol=1e-6)
    t = np.random.default_rng(seed).standard_normal(3)
    np.testing.assert_allclose(loss.product(a, y, t), hessian @ t, atol=1e-5)


@every
def test_the_axes_before_the_last_are_free(loss: Loss):
    a, y = draw(loss, 0, (2, 5, 3))
    value, gradient, hessian = loss.value(a, y), loss.gradient(a, y), loss.hessian(a, y)
    product = loss.product(a, y, np.ones_like(a))
    assert (value.shape, gradient.shape, hessian.shape, product.shape) == (
        (2, 5),
        (2, 5, 3),
        (2, 5, 3, 3),
        (2, 5, 3),
    )
    for index in np.ndindex(2, 5):
        assert value[index] == pytest.approx(loss_by_loops(loss.name, a[index], y[index]))
        np.testing.assert_allclose(gradient[index], loss.gradient(a[index], y[index]))
        np.testing.assert_allclose(hessian[index], loss.hessian(a[index], y[index]))
        np.testing.assert_allclose(product[index], loss.product(a[index], y[index], np.ones(3)))


@every
def test_targets_broadcast_over_points(loss: Loss):
    a, y = draw(loss, 0, (4, 5, 3))
    np.testing.assert_allclose(
        loss.value(a, y[0]), [loss.value(a[i], y[0]) for i in range(4)], rtol=1e-14
    )


@every
def test_convexity_on_random_chords(loss: Loss):
    assert loss.convex
    rng = np.random.default_rng(1)
    _, y = draw(loss, 1, (500, 3))
    start, end = 5 * rng.standard_normal((2, 500, 3))
    weight = rng.uniform(size=500)
    between = loss.value((1 - weight)[:, None] * start + weight[:, None] * end, y)
    chord = (1 - weight) * loss.value(start, y) + weight * loss.value(end, y)
    assert (between <= chord + 1e-12 * np.abs(chord)).all()
    assert np.linalg.eigvalsh(loss.hessian(start, y)).min() >= -1e-14


@every
def test_scale_is_the_factor_of_the_squares(loss: Loss):
    a, y = draw(loss, 3)
    if loss.scale is None:
        assert loss.name in {"cross_entropy", "logistic"}
    else:
        assert loss.value(a, y) == pytest.approx(loss.scale * math.dist(a, y) ** 2)


@pytest.mark.parametrize("shift", [-1e8, 1000.0, 1e8])
def test_cross_entropy_does_not_see_a_shift(shift: float):
    a, y = np.array([0.5, -0.25, 0.0]), np.array([0.0, 1.0, 0.0])
    loss = LOSSES["cross_entropy"]
    with np.errstate(all="raise"):
        assert loss.value(a + shift, y) == pytest.approx(loss.value(a, y), rel=1e-15)
        np.testing.assert_allclose(loss.gradient(a + shift, y), loss.gradient(a, y), rtol=1e-15)


def test_confident_outputs_neither_overflow_nor_turn_negative():
    y = np.array([1.0, 0.0])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        right, wrong = np.array([1000.0, -1000.0]), np.array([-1000.0, 1000.0])
        assert LOSSES["cross_entropy"].value(right, y) == 0.0
        assert LOSSES["cross_entropy"].value(wrong, y) == 2000.0
        assert LOSSES["logistic"].value(right, y) == 0.0
        assert LOSSES["logistic"].value(wrong, y) == 2000.0
        np.testing.assert_allclose(LOSSES["logistic"].gradient(wrong, y), [-1.0, 1.0])


@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
def test_the_root_of_cross_entropy(scale: float):
    loss = LOSSES["cross_entropy"]
    assert loss.root is not None
    a, y = draw(loss, 3, (40, 4))
    C = loss.root(scale * a, y)
    assert C.shape == (40, 3, 4)
    np.testing.assert_allclose(C.swapaxes(1, 2) @ C, loss.hessian(scale * a, y), atol=1e-15)
    # Each row by itself is orthogonal to 1, however small: nothing of it is rounding.
    sizes = np.abs(C).max(axis=2)
    assert (np.abs(C.sum(axis=2)) <= 1e-15 * sizes).all()
    assert loss.root(np.zeros((2, 1)), np.ones((2, 1))).shape == (2, 0, 1)


def exact_loss(name: str, a: list[Decimal], y: list[Decimal]) -> Decimal:
    """The definition, to 120 digits: no rounding that matters."""
    if name == "cross_entropy":
        log_sum = sum(x.exp() for x in a).ln()
        return sum(k * (log_sum - x) for k, x in zip(y, a, strict=True))
    return sum((1 + x.exp()).ln() - k * x for k, x in zip(y, a, strict=True))


@pytest.mark.parametrize("name", ["cross_entropy", "logistic"])
@pytest.mark.parametrize("right", [0, 1, 2])
def test_what_is_all_but_certain_is_right_to_the_last_bits(name: str, right: int):
    """E and its slopes are about e^-40 then; the difference of two probabilities would be noise."""
    loss, signs = LOSSES[name], -np.ones(3)
    signs[right] = 1
    a, y = signs * np.array([40.0, 41.5, 43.25]), np.eye(3)[right]
    t = np.array([0.3, -1.7, 2.9])
    with localcontext(prec=120):
        exact, target = [Decimal(x) for x in a], [Decimal(x) for x in y]
        h = Decimal("1e-20")

        def at(*moves: tuple[list[Decimal], int]) -> Decimal:
            moved = list(exact)
            for direction, sign in moves:
                moved = [x + sign * h * d for x, d in zip(moved, direction, strict=True)]
            return exact_loss(name, moved, target)

        units = [[Decimal(int(k == j)) for j in range(3)] for k in range(3)]
        along = [Decimal(x) for x in t]
        gradient = [float((at((unit, 1)) - at((unit, -1))) / (2 * h)) for unit in units]
        product = [
            float(
                sum(
                    one * other * at((unit, one), (along, other))
                    for one in (1, -1)
                    for other in (1, -1)
                )
                / (4 * h * h)
            )
            for unit in units
        ]
        value = float(at())
    assert loss.value(a, y) == pytest.approx(value, rel=1e-14, abs=0)
    np.testing.assert_allclose(loss.gradient(a, y), gradient, rtol=1e-14)
    np.testing.assert_allclose(loss.product(a, y, t), product, rtol=1e-13)


@every
def test_the_size_of_its_terms_tells_how_exact_a_gradient_is(loss: Loss):
    """At the lowest point of a loss with soft targets the gradient is 0, and its terms are not."""
    a, y = draw(loss, 2)
    gradient, size = loss.sized_gradient(a, y)
    assert (gradient == loss.gradient(a, y)).all()
    assert (np.abs(gradient) <= size).all()
    lowest = {"cross_entropy": np.log(y), "logistic": np.log(y / (1 - y))}.get(loss.name, y)
    gradient, size = loss.sized_gradient(lowest, y)
    assert (np.abs(gradient) <= 1e-14 * size).all()
    assert (size > 0.01).all() or loss.scale is not None


@pytest.mark.parametrize(
    ("name", "targets", "row"),
    [
        ("cross_entropy", [[1, 0], [0.5, 0.4]], 2),
        ("cross_entropy", [[1, 0], [0, 1], [1.5, -0.5]], 3),
        ("logistic", [[0, 1], [0.5, 1.01]], 2),
        ("logistic", [[-0.01, 0], [0, 1]], 1),
    ],
)
def test_targets_that_do_not_suit(name: str, targets: list[list[float]], row: int):
    problem = LOSSES[name].target_problem(np.array(targets, dtype=float))
    assert problem is not None
    assert problem.startswith(f"row {row} of the targets")
    assert name in problem


@every
def test_targets_that_suit(loss: Loss):
    assert loss.target_problem(np.array([[0.25, 0.75], [1.0, 0.0]])) is None
    beyond = loss.target_problem(np.array([[-3.0, 7.0]]))
    assert (beyond is None) == (loss.scale is not None)
