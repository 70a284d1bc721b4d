"""Each transfer function against its definition in plain Python and against differences."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import PIECEWISE_LINEAR, SMOOTH, transfer_by_loops

from surfacecli.network.transfers import TRANSFERS, Transfer, leaky_relu

ALL = [*TRANSFERS.values(), leaky_relu(0.3)]
LINEAR = [f for f in ALL if f.piecewise_linear]


def named(f: Transfer) -> str:
    return f"{f.name} {f.slopes}" if f.name == "leaky_relu" else f.name


every = pytest.mark.parametrize("f", ALL, ids=named)
every_linear = pytest.mark.parametrize("f", LINEAR, ids=named)
points = st.floats(-20, 20)


def test_registry_holds_the_names_of_the_contract():
    assert set(TRANSFERS) == {*PIECEWISE_LINEAR, *SMOOTH}
    assert {f.name for f in TRANSFERS.values() if f.piecewise_linear} == set(PIECEWISE_LINEAR)


@every
@given(h=points)
def test_value_is_the_definition(f: Transfer, h: float):
    assert f.value(np.array([h]))[0] == pytest.approx(transfer_by_loops(f, h), rel=1e-14, abs=1e-15)


@every
@given(h=points)
def test_slope_and_bend_are_the_derivatives(f: Transfer, h: float):
    step = 1e-4
    nodes = f.nodes or ()
    if any(abs(h - node) < 10 * step for node in nodes):
        h += 20 * step
    x = np.array([h - step, h, h + step])
    slope = (f.value(x)[2] - f.value(x)[0]) / (2 * step)
    bend = (f.slope(x)[2] - f.slope(x)[0]) / (2 * step)
    assert f.slope(x)[1] == pytest.approx(slope, abs=1e-7)
    assert f.bend(x)[1] == pytest.approx(bend, abs=1e-7)


@every_linear
def test_pieces_make_up_the_function(f: Transfer):
    h = np.random.default_rng(0).uniform(-3, 3, (50, 7))
    number = f.piece(h)
    assert f.slopes is not None
    assert f.intercepts is not None
    assert f.nodes is not None
    assert len(f.slopes) == len(f.intercepts) == len(f.nodes) + 1
    np.testing.assert_allclose(
        np.array(f.slopes)[number] * h + np.array(f.intercepts)[number], f.value(h), atol=1e-15
    )
    np.testing.assert_array_equal(np.array(f.slopes)[number], f.slope(h))
    np.testing.assert_array_equal(f.bend(h), np.zeros_like(h))
    assert set(np.unique(number)) == set(range(len(f.slopes)))


@every_linear
def test_a_node_belongs_to_the_piece_on_its_left(f: Transfer):
    assert f.nodes is not None
    assert f.slopes is not None
    for i, node in enumerate(f.nodes):
        h = np.array([node, np.nextafter(node, np.inf)])
        assert list(f.piece(h)) == [i, i + 1]
        assert list(f.slope(h)) == [f.slopes[i], f.slopes[i + 1]]


@every_linear
def test_the_pieces_meet_at_the_nodes(f: Transfer):
    assert f.nodes is not None
    assert f.slopes is not None
    assert f.intercepts is not None
    for i, node in enumerate(f.nodes):
        left = f.slopes[i] * node + f.intercepts[i]
        assert left == f.slopes[i + 1] * node + f.intercepts[i + 1]
        assert f.slopes[i] != f.slopes[i + 1]


@every
def test_shape_is_kept_and_the_argument_left_alone(f: Transfer):
    for shape in [(), (3,), (2, 1, 4)]:
        h = np.full(shape, -0.7)
        for part in (f.value, f.slope, f.bend):
            result = part(h)
            assert np.shape(result) == shape
            assert result is not h
        np.testing.assert_array_equal(h, np.full(shape, -0.7))


@every
@pytest.mark.parametrize("h", [-1000.0, 1000.0])
def test_far_out_nothing_overflows(f: Transfer, h: float):
    x = np.array([h])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert f.value(x)[0] == pytest.approx(transfer_by_loops(f, h), rel=1e-14, abs=0)
        assert np.isfinite([f.slope(x)[0], f.bend(x)[0]]).all()


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_saturated_slopes_keep_their_digits(name: str):
    # tanh' is 1/cosh^2 and sigmoid' 1/(4 cosh^2(h/2)): no cancellation in either.
    f = TRANSFERS[name]
    for h in (5.0, 18.0, 40.0):
        exact = 1 / math.cosh(h) ** 2 if name == "tanh" else 0.25 / math.cosh(h / 2) ** 2
        x = np.array([h, -h])
        np.testing.assert_allclose(f.slope(x), exact, rtol=1e-13)
        assert f.bend(x)[0] == -f.bend(x)[1] < 0


def test_softplus_is_relu_far_out():
    h = np.array([-50.0, 0.0, 50.0])
    np.testing.assert_allclose(
        TRANSFERS["softplus"].value(h), [math.exp(-50.0), math.log(2.0), 50.0], rtol=1e-15
    )


@pytest.mark.parametrize(
    ("name", "homogeneous", "is_identity"),
    [
        ("relu", True, False),
        ("leaky_relu", True, False),
        ("abs", True, False),
        ("identity", True, True),
        ("hard_tanh", False, False),
        ("tanh", False, False),
    ],
)
def test_homogeneous_and_identity(name: str, homogeneous: bool, is_identity: bool):
    f = TRANSFERS[name]
    assert f.homogeneous is homogeneous
    assert f.is_identity is is_identity
    h = np.linspace(-2, 2, 9)
    assert np.allclose(f.value(3 * h), 3 * f.value(h)) is homogeneous


def test_a_smooth_function_has_no_pieces():
    with pytest.raises(ValueError, match="tanh is smooth"):
        TRANSFERS["tanh"].piece(np.zeros(2))


@pytest.mark.parametrize("slope", [0.0, 1.0, -0.1, 1.5, math.nan, math.inf])
def test_leaky_relu_refuses_slopes_outside_0_to_1(slope: float):
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        leaky_relu(slope)
