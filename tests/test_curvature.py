"""Layer Hessians by the recursion against differences, second-order passes and closed forms."""

import numpy as np
import pytest
from oracles import make_objective

from surfacecli.network.curvature import examine_layers
from surfacecli.network.data import Objective


@pytest.fixture
def explicit() -> Objective:
    """A net whose curvature was computed with other tools; half squares."""
    return make_objective(
        [
            [[1.3, -2.1], [3.2, 1.7], [-1.1, 2.6]],
            [[2.2, -1.4, 1.1], [0.7, 1.6, -2.5]],
            [[1.5, -3.1]],
        ],
        ["relu", "relu", "identity"],
        [[1, 2], [-1.5, 0.5], [2.5, -1]],
        [[1], [-0.5], [2]],
        "half_squared",
        [[0.9, -1.2, 2.3], [-1.3, 2.4], [0.8]],
    )


def test_the_explicit_net(explicit: Objective) -> None:
    layers = examine_layers(explicit)
    assert [layer.size for layer in layers] == [6, 6, 2]
    assert [layer.rank.low for layer in layers] == [2, 2, 2]
    assert all(layer.rank.exact and layer.psd for layer in layers)
    wanted = [(377.429875, 370.623625, 6.80625), (833.775475, 771.75985, 62.015625)]
    wanted += [(271.27595, 253.66703921, 17.60891079)]
    for layer, (trace, large, small) in zip(layers, wanted, strict=True):
        assert layer.trace == pytest.approx(trace, rel=1e-12)
        assert layer.weights.eigenvalues is not None
        assert layer.weights.eigenvalues[-2:] == pytest.approx([small, large], rel=1e-8)
        assert np.abs(layer.weights.eigenvalues[:-2]).max(initial=0.0) < 1e-11
