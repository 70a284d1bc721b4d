"""The cells against sampled patterns, known counts, areas, and two other tools."""

import dataclasses
import itertools
import warnings
from collections import Counter

import numpy as np
import pytest
from exact_slices import WINDOW, random_exact_slice, random_points
from oracles import (
    explicit_objective,
    make_objective,
    make_slice_by_hand,
    slice_error_by_loops,
)

from surfacecli.geometry.exact.cells import Cells, cells_apply, find_cells
from surfacecli.geometry.exact.polynomials import cell_errors
from surfacecli.geometry.exact.telling import Teller
from surfacecli.geometry.exact.whole_plane import count_plane_cells, holds_plane
from surfacecli.geometry.slices import Slice, Window, make_slice
from surfacecli.geometry.surface import evaluate, linear_pieces
from surfacecli.network.data import Data, Objective, random_data
from surfacecli.network.losses import LOSSES
from surfacecli.network.model import Network, random_network
from surfacecli.network.transfers import TRANSFERS

Lines = list[tuple[float, float, float]]


def check_subdivision(cells: Cells) -> np.ndarray:
    """The areas of the cells, after a look at every pointer of the subdivision."""
    plane = cells.plane
    v, e, f = plane.counts
    assert v - e + f == 1
    half = np.arange(2 * e)
    assert (plane.before[plane.after] == half).all()
    assert (plane.after[plane.before] == half).all()
    assert (plane.face[plane.after] == plane.face).all()
    assert (plane.origin[plane.after] == plane.origin[half ^ 1]).all()
    assert (plane.face[plane.side] == np.arange(f)).all()
    start = plane.place[plane.origin] - cells.inner_points[plane.face]
    end = plane.place[plane.origin[half ^ 1]] - cells.inner_points[plane.face]
    twice = start[:, 0] * end[:, 1] - start[:, 1] * end[:, 0]
    inside = plane.face >= 0
    areas = np.bincount(plane.face[inside], weights=0.5 * twice[inside], minlength=f)
    assert (areas > 0).all()
    window = cells.window
    whole = (window.u1 - window.u0) * (window.v1 - window.v0)
    assert areas.sum() == pytest.approx(whole, rel=1e-12)
    return areas


def slice_of_lines(lines: Lines) -> Slice:
    """A slice whose kinks are the lines c + p u + q v = 0: one unit each, one data point."""
    c, p, q = (np.array(part)[:, None] for part in zip(*lines, strict=True))
    out = np.ones((1, len(lines)))
    objective = make_objective([c, out], ["relu", "identity"], [[1.0]], [[0.0]])
    return make_slice_by_hand(objective, {1: p}, {1: q}, "weights")


def generic_lines(count: int, seed: int, through: tuple[int, float, float] | None = None) -> Lines:
    """Lines at random, the first few through one point (few, u, v) where wanted."""
    rng = np.random.default_rng(seed)
    angle, distance = rng.uniform(0, np.pi, count), rng.uniform(-0.9, 0.9, count)
    if through is not None:
        few, u, v = through
        distance[:few] = np.cos(angle[:few]) * u + np.sin(angle[:few]) * v
    return list(zip(-distance, np.cos(angle), np.sin(angle), strict=True))


def count_by_euler(lines: Lines, together: int = 0, half: float = 1.0) -> int:
    """1 + lines that cross the square + their meetings inside it, a meeting of n counting n - 1.

    The first `together` lines meet in one point inside; no other three meet.
    """
    hits = [k for k, (c, p, q) in enumerate(lines) if abs(c) < half * (abs(p) + abs(q))]
    meetings = max(0, together - 1)
    for one, other in itertools.combinations(hits, 2):
        (c, p, q), (d, r, s) = lines[one], lines[other]
        u, v = np.linalg.solve([[p, q], [r, s]], [-c, -d])
        meetings += other >= together and abs(u) < half and abs(v) < half
    return 1 + len(hits) + meetings


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_generic_lines_by_eulers_count(count: int) -> None:
    lines = generic_lines(count, seed=count)
    cells = find_cells(slice_of_lines(lines), Window())
    check_subdivision(cells)
    assert len(cells) == count_by_euler(lines)


@pytest.mark.parametrize("seed", range(4))
def test_a_third_of_sixty_lines_through_one_point(seed: int) -> None:
    """Plain splitting in floating point finds some hundred cells too many here."""
    lines = generic_lines(60, seed, through=(20, 0.3, 0.2))
    cells = find_cells(slice_of_lines(lines), Window())
    check_subdivision(cells)
    assert len(cells) == count_by_euler(lines, together=20)


def test_lines_through_corners_and_along_the_border() -> None:
    lines = [
        (0.0, 1.0, 1.0),  # through two corners
        (-1.0, 1.0, 0.0),  # the right side
        (1.0, 0.0, 1.0),  # the lower side
        (-2.0, 1.0, 1.0),  # touches one corner
        (-1.0, 2.0, 1.0),  # through the corner (1, -1), and on
        (0.0, 0.0, 1.0),  # the middle
    ]
    cells = find_cells(slice_of_lines(lines), Window())
    areas = check_subdivision(cells)
    assert len(cells) == 6
    assert sorted(areas) == pytest.approx(sorted(areas_by_hand()), abs=1e-12)


def areas_by_hand() -> list[float]:
    """The square cut by v = -u, v = 1 - 2u and v = 0: three cells above, three below."""
    return [0.5, 0.75, 0.75, 1.5, 0.25, 0.25]


def test_parallel_kinks_and_cells_a_billion_times_smaller() -> None:
    lines = [(0.0, 1.0, 0.0), (1e-9, 1.0, 0.0), (-2e-9, 1.0, 0.0), (0.0, 0.0, 1.0)]
    cells = find_cells(slice_of_lines(lines), Window())
    areas = check_subdivision(cells)
    assert len(cells) == 8
    expected = [1e-9, 1e-9, 2e-9, 2e-9, 1 - 1e-9, 1 - 1e-9, 1 - 2e-9, 1 - 2e-9]
    assert sorted(areas) == pytest.approx(sorted(expected), rel=1e-6)


def test_far_from_the_origin() -> None:
    """Off-centre by a thousand widths: the same lines, moved, cut the same cells."""
    lines = generic_lines(20, seed=5)
    moved = [(c - 1000.0 * p + 500.0 * q, p, q) for c, p, q in lines]
    here = check_subdivision(find_cells(slice_of_lines(lines), Window()))
    there = check_subdivision(find_cells(slice_of_lines(moved), Window(999, 1001, -501, -499)))
    assert np.sort(there) == pytest.approx(np.sort(here), abs=1e-9)


def test_equal_and_proportional_kinks_are_one_and_keep_their_names() -> None:
    lines = [(0.1, 1.0, 0.2), (0.1, 1.0, 0.2), (0.3, 3.0, 0.6), (0.2, -1.0, 1.0)]
    cells = find_cells(slice_of_lines(lines), Window())
    assert len(cells) == 4
    plane = cells.plane
    for edge in np.flatnonzero(plane.label == 0):
        named = {0, *plane.also.get(int(edge), [])}
        assert {n for label in named for n in plane.twins.get(label, [label])} == {0, 1, 2}


def test_units_that_never_move_and_dead_units_make_no_cells() -> None:
    objective = make_objective(
        [[[1.0], [0.0], [-1.0]], [[0.0, 0.0, 0.0]], [[1.0]]],
        ["relu", "relu", "identity"],
        [[1.0], [0.0]],
        [[0.0], [0.0]],
    )
    slice = make_slice_by_hand(objective, {1: [[1], [0], [0]]}, {1: [[0], [0], [0]]}, "weights")
    assert len(find_cells(slice, Window(-2, 2, -1, 1))) == 2


def explicit_slice(origin: str = "weights", biases: bool = True) -> Slice:
    """The net of three layers whose numbers other tools have computed."""
    return make_slice_by_hand(
        explicit_objective(biases),
        {1: [[1.2, 0.3], [2.1, -1.4], [0.8, 1.9]]},
        {1: [[0.4, 1.1], [-1.6, 2.2], [1.3, -2.7]]},
        origin,  # type: ignore[arg-type]
    )


def test_the_explicit_net() -> None:
    slice = explicit_slice()
    cells = find_cells(slice, Window(-1, 1, -1, 1))
    errors = cell_errors(cells)
    wanted = [
        [868.431827625, 3216.31704375, 7142.213030125],
        [343.834101625, 813.56888925, 3528.076046125],
        [1423.4168425, 749.028738625, 70.270403125],
    ]
    for row, v in enumerate((-1.0, 0.0, 1.0)):
        for column, u in enumerate((-1.0, 0.0, 1.0)):
            # The cell of the pattern of a point near by, on the side of the middle.
            near = np.array([u, v]) * (1 - 1e-9) + 1e-9 * np.array([0.3, 0.2])
            same = linear_pieces(slice, *cells.inner_points.T) == linear_pieces(slice, *near)
            (cell,) = np.flatnonzero(same.all(axis=1))
            value = errors.value(np.array([cell]), np.array([[u, v]]))
            assert value[0] == pytest.approx(wanted[row][column], rel=1e-12)
    assert count_plane_cells(slice) == 128
    assert count_plane_cells(explicit_slice("zero", biases=False)) == 24


@pytest.mark.parametrize(("samples", "hidden"), [(1, 3), (4, 2), (5, 4)])
def test_plane_counts_of_one_hidden_layer(samples: int, hidden: int) -> None:
    relu, identity = TRANSFERS["relu"], TRANSFERS["identity"]
    for biases, origin in ((True, "weights"), (False, "zero")):
        network = random_network([3, hidden, 2], [relu, identity], 7, biases)
        objective = Objective(network, random_data(samples, 3, 2, 7), LOSSES["squared"])
        slice = make_slice("plane", objective, [1], [1], origin, 5)  # type: ignore[arg-type]
        lines = samples * hidden
        wanted = 1 + lines + lines * (lines - 1) // 2 if biases else 2 * lines
        assert count_plane_cells(slice) == wanted


def square(reach: float) -> Window:
    return Window(-reach, reach, -reach, reach)


def test_corners_far_out_are_counted() -> None:
    """Three windows running, eight times as wide each, hold two cells of this net; it has three."""
    slice = random_exact_slice(89)
    counts = {reach: len(find_cells(slice, square(reach))) for reach in (1.0, 8.0, 64.0, 1e6)}
    assert counts == {1.0: 2, 8.0: 2, 64.0: 2, 1e6: 3}
    points = 1e5 * random_points(square(1.0), 4000)
    assert len(np.unique(linear_pieces(slice, *points.T), axis=0)) == 3
    assert count_plane_cells(slice) == 3


def test_a_window_that_holds_the_plane_has_as_many_cells_as_a_wider_one() -> None:
    said = Counter[tuple[bool, bool]]()
    for seed in range(36):
        slice = random_exact_slice(seed)
        for reach in (0.3, 4.0):
            cells = find_cells(slice, square(reach))
            more = len(find_cells(slice, square(40.0 * reach))) > len(cells)
            said[holds_plane(cells), more] += 1
    assert said[True, True] == 0
    assert said[True, False] >= 20
    assert said[False, True] >= 5
    # Corners farther out than 40 windows, or kinks that meet on the border.
    assert said[False, False] <= 3, said


def test_a_plane_with_more_cells_than_wanted_is_not_counted() -> None:
    slice = explicit_slice("weights", biases=True)
    assert count_plane_cells(slice, 1000) == 128
    with pytest.raises(ValueError, match=r"about \d+ cells in the whole plane, past .* of 20"):
        count_plane_cells(slice, 20)


@pytest.mark.parametrize("seed", range(60))
def test_every_pattern_is_a_cell_and_every_cell_has_its_pattern(seed: int) -> None:
    slice = random_exact_slice(seed, losses=False)
    cells = find_cells(slice, WINDOW)
    areas = check_subdivision(cells)
    inner = linear_pieces(slice, *cells.inner_points.T)
    rows = {row.tobytes() for row in inner}
    points = random_points(WINDOW, 4000)
    seen, count = np.unique(linear_pieces(slice, *points.T), axis=0, return_counts=True)
    # Every pattern seen, but for single points within rounding of a kink, is that of a cell.
    assert {row.tobytes() for row in seen[count > 1]} <= rows
    if len(rows) == len(cells):
        # And as often as the cell is large: 5 standard deviations.
        share = {row.tobytes(): a for row, a in zip(inner, areas / areas.sum(), strict=True)}
        for row, n in zip(seen, count, strict=True):
            expected = len(points) * share.get(row.tobytes(), 0.0)
            assert abs(n - expected) <= 5 * np.sqrt(expected) + 3


@pytest.mark.parametrize("seed", range(40))
def test_the_pattern_changes_only_across_edges(seed: int) -> None:
    """Along a segment inside one cell no unit changes its piece; the ends are near its corners."""
    slice = random_exact_slice(seed, losses=False)
    cells = find_cells(slice, WINDOW)
    plane = cells.plane
    half = np.flatnonzero(plane.face >= 0)
    corner, centre = plane.place[plane.origin[half]], cells.inner_points[plane.face[half]]
    near = centre + (1.0 - 1e-6) * (corner - centre)
    there = linear_pieces(slice, *near.T) == linear_pieces(slice, *centre.T)
    moves = np.ptp(linear_pieces(slice, *random_points(WINDOW, 2000).T), axis=0) > 0
    assert there[:, moves].all()


@pytest.mark.parametrize("seed", range(80))
def test_polynomials_equal_the_forward_pass(seed: int) -> None:
    slice = random_exact_slice(seed)
    cells = find_cells(slice, WINDOW)
    errors = cell_errors(cells)
    every = np.arange(len(cells))
    plane = cells.plane
    half = np.flatnonzero(plane.face >= 0)
    for faces, points in (
        (every, cells.inner_points),
        (plane.face[half], plane.place[plane.origin[half]]),
    ):
        exact, plain = errors.value(faces, points), evaluate(slice, *points.T)
        assert np.abs(exact - plain).max() <= 1e-10 * plain.max()
    for cell in every[:3]:
        u, v = cells.inner_points[cell]
        value = errors.value(np.array([cell]), np.array([[u, v]]))[0]
        assert value == pytest.approx(slice_error_by_loops(slice, u, v), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("seed", range(0, 40, 2))
def test_derivatives_of_cells_by_differences(seed: int) -> None:
    slice = random_exact_slice(seed)
    cells = find_cells(slice, WINDOW)
    errors = cell_errors(cells)
    every, at, step = np.arange(len(cells)), cells.inner_points, 1e-4
    gradient, size = errors.gradient(every, at)
    hessian = errors.hessian(every, at)
    scale = 1e-5 * (np.abs(hessian).max() + size.max() + 1.0)
    for k, shift in enumerate(step * np.eye(2)):
        ahead, behind = errors.value(every, at + shift), errors.value(every, at - shift)
        assert gradient[:, k] == pytest.approx((ahead - behind) / (2 * step), abs=scale)
        one, _ = errors.gradient(every, at + shift)
        two, _ = errors.gradient(every, at - shift)
        assert np.abs(hessian[:, k] - (one - two) / (2 * step)).max() <= scale
        slope, bend = errors.along(every, at, np.tile(shift / step, (len(cells), 1)))
        assert slope == pytest.approx(gradient[:, k], abs=1e-12 * size.max() + 1e-300)
        assert bend == pytest.approx(hessian[:, k, k], rel=1e-9, abs=1e-9)


def test_smooth_and_mixed_slices_have_no_cells() -> None:
    slice = random_exact_slice(1)
    network = slice.objective.network
    smooth = dataclasses.replace(network, transfers=(TRANSFERS["tanh"],) * network.depth)
    objective = dataclasses.replace(slice.objective, network=smooth)
    assert cells_apply(slice)
    other = dataclasses.replace(slice, objective=objective)
    assert not cells_apply(other)
    with pytest.raises(ValueError, match="no polygonal cells"):
        find_cells(other, WINDOW)


def test_progress_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(np.arange(0.0, 1000.0, 0.04))
    monkeypatch.setattr("surfacecli.geometry.exact.telling.time.monotonic", lambda: next(clock))
    calls: list[tuple[int, int]] = []
    slice = slice_of_lines(generic_lines(30, seed=1))
    find_cells(slice, Window(), lambda done, total: calls.append((done, total)))
    assert 5 <= len(calls) <= 15
    assert all(total == 30 for _, total in calls)
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})
    Teller(None, 1).one_more()


def test_the_total_of_progress_counts_later_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surfacecli.geometry.exact.telling.PAUSE", 0.0)
    calls: list[tuple[int, int]] = []
    find_cells(explicit_slice(), Window(), lambda *told: calls.append(told))
    # Three units and two of the layers with kinks, on three data points.
    assert calls[-1] == (15, 15)


@pytest.mark.optional
@pytest.mark.parametrize("seed", range(12))
def test_counts_and_areas_by_shapely(seed: int) -> None:
    shapely = pytest.importorskip("shapely")
    from shapely.ops import polygonize

    lines = generic_lines(30, seed, through=(10, 0.3, 0.2) if seed % 2 else None)
    box = shapely.box(-1, -1, 1, 1)
    segments = [box.exterior]
    for c, p, q in lines:
        foot, along = -c * np.array([p, q]), np.array([-q, p])
        segments.append(shapely.LineString([foot - 4 * along, foot + 4 * along]).intersection(box))
    union = shapely.union_all(segments, grid_size=1e-11 if seed % 2 else None)
    wanted = sorted(polygon.area for polygon in polygonize(union))
    areas = check_subdivision(find_cells(slice_of_lines(lines), Window()))
    assert sorted(areas) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.optional
@pytest.mark.parametrize("seed", range(6))
def test_counts_by_affinitree(seed: int) -> None:
    """The slice as the input partition of a net with inputs (u, v), counted by another tool."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that torch is not there
        affinitree = pytest.importorskip("affinitree")
    rng = np.random.default_rng(seed)
    samples, hidden, outputs = 2, 3, 2
    relu, identity = TRANSFERS["relu"], TRANSFERS["identity"]
    network = random_network([2, hidden, outputs, 1], [relu, relu, identity], seed, biases=True)
    data = Data(rng.normal(size=(samples, 2)), rng.uniform(size=(samples, 1)))
    slice = make_slice("a", Objective(network, data, LOSSES["squared"]), [1], [1], "weights", seed)
    first = np.concatenate(
        [np.stack([slice.along_u[1] @ x, slice.along_v[1] @ x], axis=1) for x in data.inputs]
    )
    offset = np.concatenate([slice.origin[1] @ x + network.biases[0] for x in data.inputs])
    second = np.kron(np.eye(samples), network.weights[1])
    second_offset = np.tile(network.biases[1], samples)
    tree = affinitree.AffTree.identity(2)
    for W, b in ((first, offset), (second, second_offset)):
        tree.apply_func(affinitree.AffFunc.from_mats(W, b))
        for unit in range(len(W)):
            tree.compose(affinitree.schema.partial_ReLU(len(W), unit))
    tree.infeasible_elimination()
    assert count_plane_cells(slice) == tree.num_terminals()


def test_networks_are_left_as_they_were() -> None:
    slice = random_exact_slice(11)
    before = [W.copy() for W in slice.objective.network.weights]
    inputs = slice.objective.data.inputs.copy()
    cell_errors(find_cells(slice, WINDOW))
    after = slice.objective.network.weights
    assert all((a == b).all() for a, b in zip(before, after, strict=True))
    assert (inputs == slice.objective.data.inputs).all()
    assert isinstance(slice.objective.network, Network)
