"""Data at the door, drawn data that suit their loss, and the error against plain loops."""

import numpy as np
import pytest
from oracles import PIECEWISE_LINEAR, SMOOTH, error_by_loops, random_objective

from surfacecli.network.data import Data, Objective, random_data
from surfacecli.network.losses import LOSSES
from surfacecli.network.model import random_network
from surfacecli.network.transfers import relu


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("transfers", [*PIECEWISE_LINEAR, *SMOOTH])
def test_error_is_the_sum_over_the_data(loss: str, transfers: str):
    for seed in range(3):
        objective = random_objective(np.random.default_rng(seed), 1 + seed, transfers, loss)
        assert objective.error() == pytest.approx(error_by_loops(objective), rel=1e-12)


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (np.ones(3), np.ones((3, 1)), r"inputs has shape \(3,\)"),
        (np.ones((3, 2)), np.ones((3, 0)), r"targets has shape \(3, 0\)"),
        (np.ones((0, 2)), np.ones((0, 1)), r"inputs has shape \(0, 2\)"),
        (np.ones((3, 2)), np.ones((2, 1)), "3 rows of inputs but 2 rows of targets"),
        (np.array([[1, 2], [np.nan, 1]]), np.ones((2, 1)), "row 2 of inputs"),
        (np.ones((2, 1)), np.array([[np.inf], [1]]), "row 1 of targets"),
    ],
)
def test_what_is_no_data_is_refused(inputs: np.ndarray, targets: np.ndarray, message: str):
    with pytest.raises(ValueError, match=message):
        Data(inputs, targets)


@pytest.mark.parametrize("loss", LOSSES)
def test_drawn_data_suit_their_loss(loss: str):
    data = random_data(200, 3, 4, seed=1, loss=loss)
    assert len(data) == 200
    assert data.inputs.shape == (200, 3)
    assert data.targets.shape == (200, 4)
    assert LOSSES[loss].target_problem(data.targets) is None
    values = set(np.unique(data.targets))
    if loss == "cross_entropy":
        np.testing.assert_array_equal(data.targets.sum(axis=1), 1.0)
        assert data.targets.any(axis=0).all()
    if loss in {"cross_entropy", "logistic"}:
        assert values == {0.0, 1.0}
    else:
        assert len(values) == 800
        assert min(values) >= 0 < 1 >= max(values)


def test_drawn_inputs_depend_on_the_seed_only():
    first, again = (random_data(5, 2, 1, seed=1).inputs for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, random_data(5, 2, 3, seed=1, loss="logistic").inputs)
    assert not np.array_equal(first, random_data(5, 2, 1, seed=2).inputs)


def test_data_and_weights_of_one_seed_are_independent():
    data, network = random_data(40, 50, 1, seed=4), random_network([50, 40], [relu], seed=4)
    assert abs(np.corrcoef(data.inputs.ravel(), network.weights[0].ravel())[0, 1]) < 0.1


def test_what_does_not_fit_together_is_refused():
    network = random_network([3, 2], [relu], seed=0)
    with pytest.raises(ValueError, match="the data have 2 inputs, the network takes 3"):
        Objective(network, Data(np.ones((4, 2)), np.ones((4, 2))), LOSSES["squared"])
    with pytest.raises(ValueError, match="the data have 1 targets, the network has 2 outputs"):
        Objective(network, Data(np.ones((4, 3)), np.ones((4, 1))), LOSSES["squared"])
    with pytest.raises(ValueError, match="row 1 of the targets is no distribution"):
        Objective(network, Data(np.ones((4, 3)), np.ones((4, 2))), LOSSES["cross_entropy"])
