"""Dead, active and mixed units, counted again one by one."""

import numpy as np
import pytest

from surfacecli.network.transfers import TRANSFERS, leaky_relu
from surfacecli.network.units import Units, count_units


def test_by_hand():
    h = np.array([[1.0, -1.0, 1.0, 0.0], [2.0, -3.0, -1.0, 0.0]])
    # At its node relu has the slope on the left, 0: the last unit is dead.
    assert count_units(TRANSFERS["relu"], h) == Units(2, 1, 1, 0, 5 / 8)
    assert count_units(leaky_relu(0.1), h) == Units(0, 1, 3, 0, 0.0)
    assert count_units(TRANSFERS["identity"], h) == Units(0, 0, 4, 0, 0.0)
    assert count_units(TRANSFERS["tanh"], h) == Units(0, 0, 0, 4, 0.0)


def test_slope_0_on_two_sides_is_dead():
    """A clipped unit that jumps from one end to the other has slope 0 on all data."""
    h = np.array([[2.0, 2.0, 0.5], [-2.0, 0.0, -0.5]])
    assert count_units(TRANSFERS["hard_tanh"], h) == Units(1, 1, 1, 0, 0.5)


@pytest.mark.parametrize("name", ["relu", "abs", "hard_tanh", "identity"])
def test_by_loops(name: str):
    f = TRANSFERS[name]
    h = 2.0 * np.random.default_rng(5).standard_normal((3, 40))
    dead = mixed = active = flat = 0
    assert f.nodes is not None
    assert f.slopes is not None
    for unit in range(40):
        pieces = [sum(value > node for node in f.nodes) for value in h[:, unit].tolist()]
        slopes = [f.slopes[piece] for piece in pieces]
        flat += slopes.count(0.0)
        if all(slope == 0 for slope in slopes):
            dead += 1
        elif len(set(pieces)) == 1:
            active += 1
        else:
            mixed += 1
    assert count_units(f, h) == Units(dead, mixed, active, 0, flat / 120)
