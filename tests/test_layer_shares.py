"""What each layer adds to a slice's Hessian, against closed forms and the full Hessian."""

import numpy as np
import pytest
from oracles import make_objective, make_slice_by_hand

from surfacecli.geometry.claim import give_verdict
from surfacecli.geometry.grids import sample_grid
from surfacecli.geometry.layer_shares import share_by_layers
from surfacecli.geometry.slices import Slice, Window, make_slice
from surfacecli.network.curvature.full import full_hessian
from surfacecli.network.data import Objective, random_data
from surfacecli.network.losses import LOSSES
from surfacecli.network.model import random_network
from surfacecli.network.transfers import TRANSFERS


def mixed_slice() -> Slice:
    """E = (1.5 - u^2 - v^2)^2 / 2 where u, v > -1."""
    objective = make_objective(
        [[[1], [1]], [[1, 1]]], ["relu", "identity"], [[1]], [[0.5]], "half_squared"
    )
    return make_slice_by_hand(
        objective, {1: [[1], [0]], 2: [[-1, 0]]}, {1: [[0], [1]], 2: [[0, -1]]}, "weights"
    )


def test_shares_of_the_counterexample():
    # Layer 1 alone: E = (1.5 + u + v)^2 / 2, layer 2 alone: (1.5 - u - v)^2 / 2.
    shares = share_by_layers(mixed_slice(), 0.0, 0.0)
    assert shares.hessian == pytest.approx(np.diag([-3.0, -3.0]))
    assert {layer: own.tolist() for layer, own in shares.own.items()} == {
        1: [[1, 1], [1, 1]],
        2: [[1, 1], [1, 1]],
    }
    assert shares.across == pytest.approx(np.array([[-5, -2], [-2, -5]]))
    # Over all weights: h = w1 w2 + w3 w4, and each weight has the second derivative 1.
    assert shares.full_trace == pytest.approx(4)


@pytest.mark.parametrize("seed", range(3))
def test_shares_are_the_blocks_of_the_full_hessian(seed):
    network = random_network((3, 4, 3, 2), [TRANSFERS["relu"]] * 3, seed, True)
    objective = Objective(network, random_data(5, 3, 2, seed), LOSSES["squared"])
    slice = make_slice("s", objective, [1, 3], [2, 3], "weights", seed)
    u, v = 0.123, -0.071
    H = full_hessian(objective, slice.network_at(u, v))
    ends = np.cumsum([0, *(W.size for W in network.weights)])
    directions = np.zeros((2, ends[-1]))
    for row, parts in zip(directions, (slice.along_u, slice.along_v), strict=True):
        for layer, part in parts.items():
            row[ends[layer - 1] : ends[layer]] = part.ravel()
    shares = share_by_layers(slice, u, v)
    assert shares.hessian == pytest.approx(directions @ H @ directions.T)
    for layer, own in shares.own.items():
        mine = np.s_[ends[layer - 1] : ends[layer]]
        assert own == pytest.approx(directions[:, mine] @ H[mine, mine] @ directions[:, mine].T)
        assert np.linalg.eigvalsh(own).min() >= -1e-9 * np.abs(own).max()
    assert shares.full_trace == pytest.approx(np.trace(H))


def test_a_smooth_maximum_of_a_mixed_slice_is_explained():
    slice, window = mixed_slice(), Window(-0.9, 0.8, -0.9, 0.9)
    verdict = give_verdict(slice, window, sample_grid(slice, window, (31, 31)))
    (explained,) = verdict.explanations
    assert (explained.u, explained.v) == pytest.approx((0, 0), abs=1e-9)
    assert not verdict.claim.applies
    assert verdict.claim.reason.endswith(
        "of the trace -6 of the slice's Hessian there, the layers' own blocks make 4 (never "
        "negative), the blocks across layers -10, of which the theorem says nothing; the trace "
        "over all weights is 4"
    )
