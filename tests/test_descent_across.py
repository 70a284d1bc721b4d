"""Integrated flow across two layers: no kink of the exact cells is stepped over, E never rises."""

import numpy as np
import pytest
from across_slices import WINDOW, random_across_slice, small_across_slice
from test_across_cells import locate

from surfacecli.geometry.across.cells import AcrossCells
from surfacecli.geometry.across.points import AcrossExact, examine_across, find_kinks_at
from surfacecli.geometry.descent.descend import descend
from surfacecli.geometry.descent.path import Path
from surfacecli.geometry.descent.starts import spread_starts
from surfacecli.geometry.slices import Slice
from surfacecli.geometry.surface import differentiate, evaluate

#: The steps of the other road are no longer than this, about; on a kink they are off by as much.
STEP = 1e-3
#: They end when this share of what E falls is left.
REST = 1e-3


def test_cells_are_passed_one_after_another() -> None:
    compare(small_across_slice(1), 2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, *range(2, 12)])
def test_more_cells_are_passed_one_after_another(seed: int) -> None:
    compare(small_across_slice(seed), 6)
    compare(random_across_slice(seed), 6)


def compare(slice: Slice, count: int) -> None:
    exact = examine_across(slice, WINDOW)
    known = (*exact.points, *exact.border)
    for path in descend(slice, WINDOW, spread_starts(WINDOW, count), across=exact):
        np.testing.assert_allclose(path.error, evaluate(slice, path.u, path.v), rtol=1e-9)
        assert (np.diff(path.error) <= 0.0).all()
        assert path.end.reason != "limit"
        if path.end.reason == "stationary":
            assert path.end.point in known
        crossings = [event.at for event in path.events if event.kind == "cross"]
        at = np.stack([path.u, path.v], axis=1)[crossings]
        assert all(find_kinks_at(slice, WINDOW, at))
        if not path.slides and len(path.u) > 1 and last_but_rest(path):
            check_passages(slice, exact, path)


def check_passages(slice: Slice, exact: AcrossExact, path: Path) -> None:
    """The cells that small steps on E's own gradient pass are those of the path, in its order."""
    cells = exact.cells
    middles = np.stack([0.5 * (x[1:] + x[:-1]) for x in (path.u, path.v)], axis=1)
    seen = in_order(cells, middles)
    assert len(seen) == path.crossed + 1
    seen = in_order(cells, middles[: last_but_rest(path)])
    there = small_steps(slice, path)
    # What is off by rounding alone may be outside the window.
    inside = np.clip(there, [WINDOW.u0, WINDOW.v0], [WINDOW.u1, WINDOW.v1])
    assert np.abs(there - inside).max() < 4.0 * STEP
    assert in_order(cells, 0.5 * (inside[1:] + inside[:-1])) == seen
    # The last place lies on the path, if not where it should: kinks passed late cost time.
    a, b = (np.stack([path.u[k], path.v[k]], axis=1) for k in (np.s_[:-1], np.s_[1:]))
    length = np.square(b - a).sum(axis=1)
    share = np.clip(((there[-1] - a) * (b - a)).sum(axis=1) / length, 0.0, 1.0)
    assert np.hypot(*(a + share[:, None] * (b - a) - there[-1]).T).min() < 4.0 * STEP


def last_but_rest(path: Path) -> int:
    """The last point from which E has a share of its way still to fall, but the last point."""
    left = (path.error - path.error[-1]) > REST * (path.error[0] - path.error[-1])
    return int(np.flatnonzero(left)[-1])


def in_order(cells: AcrossCells, places: np.ndarray) -> list[int]:
    found = locate(cells, places)
    return found[np.append(True, np.diff(found) != 0)].tolist()


def small_steps(slice: Slice, path: Path) -> np.ndarray:
    """Places of the flow from a path's start, by the midpoint method, kinks or not.

    Up to the time of the path's last point but rest. Steps are short on both sides of a kink.
    """
    place, left = np.array([path.u[0], path.v[0]]), path.time[last_but_rest(path)]
    places = [place]
    while left > 0.0:
        at = differentiate(slice, *place[:, None])
        steep, bend = np.hypot(*at.gradient[0]), np.abs(np.linalg.eigvalsh(at.hessian[0])).max()
        h = min(left, STEP / steep, 0.5 / max(bend, 1e-300))
        while True:
            half = place - 0.5 * h * at.gradient[0]
            move = -h * differentiate(slice, *half[:, None]).gradient[0]
            if np.hypot(*move) <= 2.0 * STEP:
                break
            h /= 4.0
        place = place + move
        left = left - h if h < left else 0.0
        places.append(place)
    return np.array(places)
