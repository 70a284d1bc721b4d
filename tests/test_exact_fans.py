"""Fans: the sort of angles against cutting ray by ray, and running sums against direct ones."""

import numpy as np
import pytest
from exact_slices import random_exact_slice
from oracles import make_objective, make_slice_by_hand
from test_exact_cells import check_subdivision

from surfacecli.geometry.exact import cells as cells_module
from surfacecli.geometry.exact import polynomials
from surfacecli.geometry.exact.cells import Cells, find_cells
from surfacecli.geometry.exact.cones import Opening, turn
from surfacecli.geometry.exact.fans import fan_applies
from surfacecli.geometry.exact.points import Exact, examine_cells
from surfacecli.geometry.exact.squares import cell_quadratics, fan_quadratics
from surfacecli.geometry.slices import Slice, Window, make_slice
from surfacecli.geometry.surface import evaluate
from surfacecli.network.data import Objective, random_data
from surfacecli.network.losses import LOSSES
from surfacecli.network.model import random_network
from surfacecli.network.transfers import TRANSFERS

WINDOWS = {
    "inside": Window(-1.0, 1.5, -0.7, 1.0),
    "square": Window(),
    "left side": Window(0.0, 1.0, -1.0, 2.0),
    "right side": Window(-1.0, 0.0, -1.0, 2.0),
    "lower side": Window(-1.0, 2.0, 0.0, 1.0),
    "upper side": Window(-1.0, 2.0, -1.0, 0.0),
    "corner 1": Window(0.0, 1.0, 0.0, 2.0),
    "corner 2": Window(-2.0, 0.0, 0.0, 1.0),
    "corner 3": Window(-2.0, 0.0, -1.0, 0.0),
    "corner 4": Window(0.0, 1.0, -1.0, 0.0),
}


def fans(count: int) -> list[Slice]:
    slices = [random_exact_slice(seed) for seed in range(6 * count)]
    return [slice for slice in slices if fan_applies(slice, Window())][:count]


FANS = fans(45)


def cut_instead(slice: Slice, window: Window, monkeypatch: pytest.MonkeyPatch) -> Cells:
    """The cells of a fan by the general way."""
    with monkeypatch.context() as patch:
        patch.setattr(cells_module, "fan_applies", lambda *_: False)
        return find_cells(slice, window)


def named_edges(cells: Cells) -> dict[tuple[tuple[float, ...], ...], set[tuple[float, ...]]]:
    """What makes each edge, by the places of its ends; edges in one line are put together."""
    plane, kinks = cells.plane, cells.kinks
    found: dict[tuple[tuple[float, ...], ...], set[tuple[float, ...]]] = {}
    for edge, label in enumerate(plane.label.tolist()):
        labels = {label, *plane.also.get(edge, [])}
        labels = {twin for one in labels for twin in plane.twins.get(one, [one])}
        names = {
            (kinks.layer[k], kinks.unit[k], kinks.node[k], kinks.input[k]) if k >= 0 else (k,)
            for k in labels
        }
        ends = np.round(plane.place[plane.ends[edge]], 9) + 0.0
        found[tuple(sorted(map(tuple, ends.tolist())))] = names
    return found


@pytest.mark.parametrize("where", WINDOWS)
def test_the_same_cells_and_kinks_as_by_cutting(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, several = WINDOWS[where], 0
    for slice in FANS:
        assert fan_applies(slice, window)
        fan, cut = find_cells(slice, window), cut_instead(slice, window, monkeypatch)
        areas, wanted = check_subdivision(fan), check_subdivision(cut)
        assert np.sort(areas) == pytest.approx(np.sort(wanted), abs=1e-12)
        if fan.plane.counts == cut.plane.counts:
            assert named_edges(fan) == named_edges(cut)
            several += len(fan) > 3
        else:
            # A line by itself: the fan has the origin on it, cutting has not.
            assert fan.plane.counts[0] == cut.plane.counts[0] + 1
    assert several >= 5


@pytest.mark.parametrize("where", ["inside", "left side", "corner 3"])
def test_the_same_points_as_by_cutting(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    window = WINDOWS[where]
    for slice in FANS:
        fan = examine_cells(slice, window)
        with monkeypatch.context() as patch:
            patch.setattr(cells_module, "fan_applies", lambda *_: False)
            cut = examine_cells(slice, window)
        assert fan.audit == cut.audit
        assert fan.audit.complete
        assert fan.lowest[2] == pytest.approx(cut.lowest[2], rel=1e-10, abs=1e-13)
        assert fan.highest[2] == pytest.approx(cut.highest[2], rel=1e-10)
        assert described(fan) == described(cut), slice.name


def described(exact: Exact) -> list[tuple[object, ...]]:
    return sorted(
        (p.kind, p.support, p.index, p.smooth, p.on_border, round(p.error, 7), len(p.kinks))
        for p in (*exact.points, *exact.border)
    )


def test_coincident_rays_of_proportional_data_are_one() -> None:
    """x, 2x and 5x have the same three kinks: 6 cones, and each ray names all three data."""
    objective = make_objective(
        [[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [[1.0, -1.0, 0.5]]],
        ["relu", "identity"],
        [[0.3, 0.7], [0.6, 1.4], [1.5, 3.5]],
        [[0.2], [0.4], [0.1]],
    )
    U, V = [[1.0, 0.0], [0.2, 1.0], [0.3, -1.0]], [[0.0, 1.0], [1.0, -0.4], [1.0, 0.1]]
    slice = make_slice_by_hand(objective, {1: U}, {1: V})
    exact = examine_cells(slice, Window())
    assert len(exact.cells) == 6
    plane, kinks = exact.cells.plane, exact.cells.kinks
    for edge in range(6):
        labels = [int(plane.label[edge]), *plane.also.get(edge, [])]
        assert sorted(int(kinks.input[k]) for k in labels) == [0, 1, 2]
        assert len({int(kinks.unit[k]) for k in labels}) == 1
    assert exact.audit.complete


def test_what_is_no_fan() -> None:
    relu, hard = TRANSFERS["relu"], TRANSFERS["hard_tanh"]
    for transfers, biases, origin, window in (
        ([relu, relu], True, "zero", Window()),
        ([relu, hard], False, "zero", Window()),
        ([relu, relu], False, "weights", Window()),
        ([relu, relu], False, "zero", Window(0.1, 1, -1, 1)),
    ):
        network = random_network([2, 3, 2], transfers, 1, biases)
        objective = Objective(network, random_data(3, 2, 2, 1), LOSSES["squared"])
        slice = make_slice("no", objective, [1], [1], origin, 1)  # type: ignore[arg-type]
        assert not fan_applies(slice, window)
    # A bias of linear outputs makes no kink.
    network = random_network([2, 3, 2], [relu, TRANSFERS["identity"]], 1, True)
    network = type(network)(network.weights, (None, network.biases[1]), network.transfers)
    objective = Objective(network, random_data(3, 2, 2, 1), LOSSES["squared"])
    assert fan_applies(make_slice("yes", objective, [1], [1], "zero", 1), Window())


def test_turns_grow_with_the_angle() -> None:
    angle = np.sort(np.random.default_rng(0).uniform(0, 2 * np.pi, 500))
    turns = turn(np.stack([np.cos(angle), np.sin(angle)], axis=1))
    assert (np.diff(turns) > 0).all()
    axes = np.array([[3.0, 0.0], [0.0, 2.0], [-1.0, 0.0], [0.0, -5.0], [1.0, -0.0]])
    assert turn(axes).tolist() == [0.0, 1.0, 2.0, 3.0, 0.0]


@pytest.mark.parametrize("where", WINDOWS)
def test_the_opening_is_the_angles_of_the_window(where: str) -> None:
    window = WINDOWS[where]
    opening = Opening.of(window)
    rng = np.random.default_rng(1)
    points = rng.uniform([window.u0, window.v0], [window.u1, window.v1], size=(300, 2))
    angles = opening.angle(points)
    assert (angles >= 0).all()
    assert (angles <= opening.width).all()
    assert np.ptp(angles) > 0.9 * opening.width


def wide_fan(samples: int, hidden: int, output: str) -> Slice:
    network = random_network([4, hidden, 3], [TRANSFERS["relu"], TRANSFERS[output]], 1)
    objective = Objective(network, random_data(samples, 4, 3, 2), LOSSES["squared"])
    return make_slice("wide", objective, [1], [1], "zero", 3)


@pytest.mark.parametrize("where", WINDOWS)
def test_running_sums_give_the_same_quadratics(where: str) -> None:
    slices = [slice for slice in FANS if slice.objective.loss.scale is not None]
    slices += [wide_fan(30, 10, "relu"), wide_fan(30, 10, "abs")]
    for slice in slices:
        cells = find_cells(slice, WINDOWS[where])
        if len(cells) == 1:
            continue
        assert cells.rays is not None
        direct, running = cell_quadratics(cells), fan_quadratics(cells, cells.rays)
        scale = np.abs(direct.coefficients).max()
        assert running.coefficients == pytest.approx(direct.coefficients, abs=1e-12 * scale)


def test_a_wide_fan_by_running_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    """2 L cones from L kinks, E as by the forward pass, the audit complete."""
    monkeypatch.setattr(polynomials, "LARGE", 0)
    slice = wide_fan(300, 20, "identity")
    exact = examine_cells(slice, Window())
    assert len(exact.cells) == 2 * 300 * 20
    assert exact.audit.complete
    rng = np.random.default_rng(4)
    some = rng.integers(len(exact.cells), size=300)
    points = exact.cells.inner_points[some]
    error = evaluate(slice, *points.T)
    assert exact.errors.value(some, points) == pytest.approx(error, rel=1e-11)
