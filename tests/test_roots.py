"""Roots of polynomials that were multiplied out from known roots."""

import numpy as np
import pytest
from numpy.polynomial import Polynomial

from surfacecli.geometry.roots import differentiate_polynomials, evaluate_polynomials, find_roots

ZERO, ONE = np.array(0.0), np.array(1.0)


def roots_in_unit_interval(*coefficients: float) -> list[float]:
    roots = find_roots(np.array(coefficients), ZERO, ONE)
    return sorted(float(root) for root in roots if not np.isnan(root))


@pytest.mark.parametrize("degree", range(1, 7))
def test_known_roots_come_back(degree: int):
    rng = np.random.default_rng(degree)
    # At least 0.04 apart, so that the roots are well conditioned; about half in the interval.
    roots = np.stack([rng.permutation(np.linspace(-0.7, 1.7, 61))[:degree] for _ in range(200)])
    roots += rng.uniform(-0.005, 0.005, (200, 1))
    factor = rng.choice([-3.0, 0.5], 200)
    coefficients = np.stack(
        [f * Polynomial.fromroots(r).coef for f, r in zip(factor, roots, strict=True)], axis=1
    )
    found = find_roots(coefficients, np.zeros(200), np.ones(200))
    assert found.shape == (degree, 200)
    for mine, known in zip(found.T, roots, strict=True):
        inside = np.sort(known[(known > 0) & (known < 1)])
        np.testing.assert_allclose(np.sort(mine[~np.isnan(mine)]), inside, atol=1e-8)


def test_each_polynomial_has_its_own_interval():
    coefficients = np.broadcast_to(np.array([-0.25, 0.0, 1.0])[:, None, None], (3, 2, 2))
    lower, upper = np.array([[-1.0], [0.0]]), np.array([[1.0], [0.4]])
    found = find_roots(coefficients, lower, upper)
    assert found.shape == (2, 2, 2)
    assert sorted(found[:, 0, 1].tolist()) == [-0.5, 0.5]
    assert np.isnan(found[:, 1]).all()


def test_the_ends_of_the_interval_do_not_count():
    assert roots_in_unit_interval(0.0, 1.0) == []
    assert roots_in_unit_interval(1.0, -1.0) == []
    assert roots_in_unit_interval(0.0, -1.0, 1.0) == []


def test_a_vanishing_leading_coefficient_lowers_the_degree():
    assert roots_in_unit_interval(-0.5, 1.0, 0.0) == [0.5]
    assert roots_in_unit_interval(-0.5, 1.0, 0.0, 0.0) == pytest.approx([0.5])
    assert roots_in_unit_interval(-0.5, 1.0, 1e-300) == [0.5]
    assert roots_in_unit_interval(1.0, 0.0) == []


def test_no_cancellation_in_quadratics():
    # Roots 1e-9 and 1e9: the textbook formula would give 0 for the small one.
    assert roots_in_unit_interval(1.0, -1e9 - 1e-9, 1.0) == pytest.approx([1e-9], rel=1e-15)


@pytest.mark.parametrize("degree", range(5))
def test_constants_and_nothing_have_no_roots(degree: int):
    assert roots_in_unit_interval(*[0.0] * (degree + 1)) == []
    assert roots_in_unit_interval(2.0, *[0.0] * degree) == []


def test_values_and_derivatives_are_those_of_numpy():
    coefficients = np.random.default_rng(0).standard_normal((5, 3, 2))
    t = np.array([[0.3], [-1.0], [2.0]])
    value, slope = (
        evaluate_polynomials(coefficients, t),
        evaluate_polynomials(differentiate_polynomials(coefficients), t),
    )
    for i, j in np.ndindex(3, 2):
        p = Polynomial(coefficients[:, i, j])
        assert value[i, j] == pytest.approx(p(t[i, 0]))
        assert slope[i, j] == pytest.approx(p.deriv()(t[i, 0]))
