"""Figures of exact surfaces, by what was drawn: kinks, plateaus, valleys, cells, a failed audit."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.text import Text
from mpl_toolkits.mplot3d.art3d import Line3DCollection
from oracles import forward_by_loops, make_objective, make_slice_by_hand, slice_error_by_loops

from surfacecli.figures import Picture, draw_panel, draw_surface, encode_figure, make_picture
from surfacecli.figures import kinks as kinks_module
from surfacecli.figures.cellmap import CellMap, hessian_ranks
from surfacecli.figures.cells import RANKS
from surfacecli.figures.kinks import (
    LAYERS,
    LIMIT,
    MOST,
    KinkLines,
    colour_of_layer,
    layers_in_sight,
)
from surfacecli.figures.sets import kinks_in_sight
from surfacecli.figures.theme import ALARM, BLUE, INK, SHAPES, VERMILLION
from surfacecli.geometry.claim import audit_fault, give_exact_verdict, give_verdict
from surfacecli.geometry.completeness import SampledAudit
from surfacecli.geometry.exact.points import Audit
from surfacecli.geometry.grids import sample_grid
from surfacecli.geometry.slices import Slice, Window, make_slice
from surfacecli.geometry.stationary import StationaryPoint
from surfacecli.network.data import Data, Objective, random_data
from surfacecli.network.losses import LOSSES
from surfacecli.network.model import Network, random_network
from surfacecli.network.transfers import TRANSFERS
from surfacecli.pictures import picture_of
from surfacecli.study import make_study

#: Not square, not centred: a transpose shows.
WINDOW = Window(-1.0, 2.0, -0.5, 1.0)


def net_slice(
    widths: list[int], transfers: list[str], samples: int, origin: str = "weights", seed: int = 4
) -> Slice:
    network = random_network(widths, [TRANSFERS[f] for f in transfers], seed, biases=True)
    data = random_data(samples, widths[0], widths[-1], seed)
    # One data point twice: its units count twice, its kinks once.
    rows = [*range(samples), 0]
    twice = Data(data.inputs[rows], data.targets[rows])
    objective = Objective(network, twice, LOSSES["squared"])
    return make_slice("E1", objective, [1], [1], origin, seed=seed)  # type: ignore[arg-type]


DEEP = net_slice([2, 4, 3, 1], ["relu", "relu", "relu"], 4, seed=15)
MANY = net_slice([3, 12, 1], ["relu", "identity"], 30)


def exact_picture(slice: Slice, window: Window = WINDOW, *, cells: bool = False) -> Picture:
    grid = sample_grid(slice, window, (21, 17))
    verdict = give_exact_verdict(slice, window)
    return make_picture(grid, verdict, "A title", "surface 0: preset p", cells=cells)


def ramp() -> Slice:
    """E = (relu(u + 2v) - 1)^2: constant where u + 2v < 0, a valley of zeros along u + 2v = 1."""
    objective = make_objective([[[0.0]], [[1.0]]], ["relu", "identity"], [[1.0]], [[1.0]])
    return make_slice_by_hand(objective, {1: [[1.0]]}, {1: [[2.0]]})


def plane_of(figure: Figure) -> Axes:
    return next(a for a in figure.axes if a.get_xlim() == (WINDOW.u0, WINDOW.u1) and a.name != "3d")


def lines_of(figure: Figure, gid: str) -> list[LineCollection]:
    """The lines of that name on the view from above."""
    flat = [axes for axes in figure.axes if axes.name != "3d"]
    found = [c for axes in flat for c in axes.collections if c.get_gid() == gid]
    assert all(isinstance(c, LineCollection) for c in found)
    return found  # type: ignore[return-value]


def runs_of(figure: Figure, gid: str) -> list[np.ndarray]:
    """The stretches (n, 3) of that name on the 3-D view."""
    (view,) = [axes for axes in figure.axes if axes.name == "3d"]
    found = [c for c in view.collections if c.get_gid() == gid]
    assert all(isinstance(c, Line3DCollection) for c in found)
    return [np.array(run) for c in found for run in c._segments3d]  # type: ignore[attr-defined]


def hatched(figure: Figure) -> list[PathPatch]:
    return [p for axes in figure.axes for p in axes.patches if p.get_hatch()]  # type: ignore[misc]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def legend_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def nodes_missed(slice: Slice, u: float, v: float, layer: int) -> np.ndarray:
    """|pre-activation - node|, all units, data and nodes of a layer, by a plain forward pass."""
    network = slice.objective.network
    moved = slice.origin[1] + u * slice.along_u[1] + v * slice.along_v[1]
    there = Network((moved, *network.weights[1:]), network.biases, network.transfers)
    h = [forward_by_loops(there, x.tolist())[0] for x in slice.objective.data.inputs]
    nodes = network.transfers[layer - 1].nodes or ()
    at = np.array([point[layer - 1] for point in h])
    return np.abs(at[..., None] - np.array(nodes))


def area(polygon: np.ndarray) -> float:
    following = np.roll(polygon, -1, axis=0)
    return 0.5 * float((polygon[:, 0] * following[:, 1] - polygon[:, 1] * following[:, 0]).sum())


def test_kinks_are_zeros_of_their_layer() -> None:
    """At both ends and in the middle of every piece some unit of that very layer is on its node."""
    figure = draw_surface(exact_picture(DEEP))
    for layer in (1, 2, 3):
        (lines,) = lines_of(figure, f"kinks of layer {layer}")
        assert to_hex(lines.get_colors()[0]) == LAYERS[layer - 1].lower()
        segments = np.array(lines.get_segments())
        assert len(segments) > 3
        for a, b in segments:
            missed = [nodes_missed(DEEP, *at, layer) for at in (a, 0.5 * (a + b), b)]
            # One and the same unit at all three.
            assert np.maximum.reduce(missed).min() < 1e-12
    assert len({colour_of_layer(layer) for layer in range(1, 7)}) == len(LAYERS) == 6
    assert colour_of_layer(7) == colour_of_layer(1)
    names = [name for name in legend_of(figure) if name.startswith("kinks")]
    assert names == ["kinks of layer 1", "kinks of layer 2", "kinks of layer 3"]


def test_kinks_lie_over_the_contours_and_under_the_marks() -> None:
    plane = plane_of(draw_surface(exact_picture(DEEP)))
    kinks = [c for c in plane.collections if (c.get_gid() or "").startswith("kinks")]
    contours = [c for c in plane.collections if c.get_gid() is None]
    assert contours
    assert max(c.get_zorder() for c in contours) < min(c.get_zorder() for c in kinks)
    assert max(c.get_zorder() for c in kinks) < min(line.get_zorder() for line in plane.lines)


def crossing_lines(slice: Slice) -> list[tuple[float, float, float]]:
    """The distinct lines c + p u + q v = 0 of the units of layer 1 that cross the window."""
    bias = slice.objective.network.biases[0]
    found = set()
    for x in slice.objective.data.inputs:
        for unit in range(len(slice.origin[1])):
            c, p, q = (
                float(sum(w * value for w, value in zip(W[unit], x, strict=True)))
                for W in (slice.origin[1], slice.along_u[1], slice.along_v[1])
            )
            c += 0.0 if bias is None else float(bias[unit])
            corners = [
                c + p * u + q * v for u in (WINDOW.u0, WINDOW.u1) for v in (WINDOW.v0, WINDOW.v1)
            ]
            if min(corners) < 0 < max(corners):
                found.add((c, p, q))
    return sorted(found)


def chord(c: float, p: float, q: float) -> float:
    """The length of a line inside the window."""
    at = [(u, -(c + p * u) / q) for u in (WINDOW.u0, WINDOW.u1)]
    at += [(-(c + q * v) / p, v) for v in (WINDOW.v0, WINDOW.v1)]
    inside = [
        (u, v)
        for u, v in at
        if WINDOW.u0 - 1e-9 <= u <= WINDOW.u1 + 1e-9 and WINDOW.v0 - 1e-9 <= v <= WINDOW.v1 + 1e-9
    ]
    return max(float(np.hypot(a[0] - b[0], a[1] - b[1])) for a in inside for b in inside)


def test_many_kinks_are_thinned_to_whole_lines_and_the_figure_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = crossing_lines(MANY)
    monkeypatch.setattr(kinks_module, "PIECES", 1_000_000)
    picture = exact_picture(MANY)
    assert picture.kinks is not None
    assert picture.kinks.total == len(expected) > LIMIT
    assert MOST - 2 <= picture.kinks.drawn <= MOST
    figure = draw_surface(picture)
    (words,) = [t for t in texts(figure) if "kinks: " in t]
    assert words.endswith(f"kinks: {picture.kinks.drawn} of {len(expected)} drawn")
    (lines,) = lines_of(figure, "kinks of layer 1")
    segments = np.array(lines.get_segments())
    middle = segments.mean(axis=1)
    lengths = np.hypot(*(segments[:, 1] - segments[:, 0]).T)
    coefficients = np.array(expected)
    distance = np.abs(coefficients[:, 0] + middle @ coefficients[:, 1:].T.reshape(2, -1))
    distance /= np.hypot(coefficients[:, 1], coefficients[:, 2])
    owner = distance.argmin(axis=1)
    assert distance.min(axis=1) == pytest.approx(0, abs=1e-12)
    assert len(set(owner.tolist())) == picture.kinks.drawn
    for line in set(owner.tolist()):
        assert lengths[owner == line].sum() == pytest.approx(chord(*expected[line]), rel=1e-9)
    # Even by direction: no two neighbours in a row are left out twice over.
    turn = np.argsort(np.arctan2(-coefficients[:, 1], coefficients[:, 2]) % np.pi)
    left_out = np.diff(np.flatnonzero(np.isin(turn, owner)))
    assert left_out.max() <= 1 + -(-len(expected) // picture.kinks.drawn)
    # Few lines cut into many pieces are too many to see as well.
    monkeypatch.setattr(kinks_module, "PIECES", len(segments) // 3)
    fewer = exact_picture(MANY).kinks
    assert fewer is not None
    assert len(fewer.segments) < len(segments) / 2
    monkeypatch.setattr(kinks_module, "PIECES", 1_000_000)
    monkeypatch.setattr(kinks_module, "LIMIT", 1000)
    every = exact_picture(MANY).kinks
    assert every is not None
    assert (every.drawn, every.note) == (len(expected), "")


def test_every_layer_keeps_its_share_when_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    every = exact_picture(DEEP).kinks
    assert every is not None
    monkeypatch.setattr(kinks_module, "LIMIT", 5)
    monkeypatch.setattr(kinks_module, "MOST", 5)
    thinned = exact_picture(DEEP).kinks
    assert thinned is not None
    assert thinned.layers == every.layers == [1, 2, 3]
    assert 3 <= thinned.drawn <= 7 < thinned.total == every.total
    # What is drawn is part of the whole.
    pieces = {tuple(segment.ravel().tolist()) for segment in every.segments}
    assert {tuple(segment.ravel().tolist()) for segment in thinned.segments} < pieces


def test_coincident_kinks_are_drawn_once() -> None:
    """Two units with one line, and a data point twice."""
    objective = make_objective(
        [[[0.0], [0.0]], [[1.0, 2.0]]], ["relu", "identity"], [[1.0], [1.0]], [[1.0], [3.0]]
    )
    slice = make_slice_by_hand(objective, {1: [[1.0], [2.0]]}, {1: [[2.0], [4.0]]})
    kinks = exact_picture(slice).kinks
    assert kinks is not None
    ends = sorted(map(tuple, kinks.segments.reshape(-1, 2).round(12).tolist()))
    assert ends[0] == (-1.0, 0.5)
    assert ends[-1] == (1.0, -0.5)
    lengths = np.hypot(*(kinks.segments[:, 1] - kinks.segments[:, 0]).T)
    assert lengths.sum() == pytest.approx(np.hypot(2, 1), rel=1e-12)


def test_a_kink_that_runs_along_an_earlier_one_counts_as_a_line() -> None:
    """relu(relu(u + 2v)): the second unit bends where the first one does."""
    objective = make_objective(
        [[[0.0]], [[1.0]], [[1.0]]], ["relu", "relu", "identity"], [[1.0]], [[1.0]]
    )
    kinks = exact_picture(make_slice_by_hand(objective, {1: [[1.0]]}, {1: [[2.0]]})).kinks
    assert kinks is not None
    assert (kinks.drawn, kinks.total, kinks.layers) == (2, 2, [1])
    lengths = np.hypot(*(kinks.segments[:, 1] - kinks.segments[:, 0]).T)
    assert lengths.sum() == pytest.approx(np.hypot(2, 1), rel=1e-12)


@pytest.mark.parametrize("style", ["modern", "cells"])
def test_a_bowl_without_kinks(style: str) -> None:
    """E = (u - 0.3)^2 + (v - 0.2)^2: one cell, nothing level, no line."""
    objective = make_objective([[[0.0], [0.0]]], ["identity"], [[1.0]], [[0.3, 0.2]])
    slice = make_slice_by_hand(objective, {1: [[1.0], [0.0]]}, {1: [[0.0], [1.0]]})
    picture = exact_picture(slice, cells=True)
    assert picture.kinks is not None
    assert (len(picture.kinks.segments), picture.kinks.total, picture.kinks.note) == (0, 0, "")
    assert picture.evidence == "exact: 1 cell, audit 1 of 1"
    for fill in ("error", "rank", "active"):
        figure = draw_surface(picture, style, fill)
        assert not hatched(figure)
        assert not {"E is constant", "kinks of layer 1"} & set(legend_of(figure))
        encode_figure(figure, "png", {}, "t")


def test_plateau_is_hatched_and_valley_is_a_line() -> None:
    picture = exact_picture(ramp())
    figure = draw_surface(picture)
    (patch,) = hatched(figure)
    assert patch.axes is plane_of(figure)
    corners = {tuple(corner) for corner in patch.get_path().vertices.round(12).tolist()}
    # Without biases the slice is a fan: u = v = 0 is a vertex on its side.
    assert corners == {(-1.0, -0.5), (1.0, -0.5), (-1.0, 0.5), (0.0, 0.0)}
    # E = 1 is the middle of the scale up to (2 + 2 - 1)^2 = 9: dark ground, white lines.
    assert to_hex(patch.get_edgecolor()) == "#ffffff"
    (rim,) = lines_of(figure, "plateau (maximum)")
    around = sum(float(np.hypot(*(b - a))) for a, b in rim.get_segments())
    assert around == pytest.approx(2 + 1 + np.hypot(2, 1), rel=1e-12)
    (course,) = lines_of(figure, "valley (minimum)")
    assert to_hex(course.get_colors()[0]) == BLUE.lower()
    ends = np.array(course.get_segments()).reshape(-1, 2)
    assert {tuple(e) for e in ends.round(12).tolist()} == {(-1.0, 1.0), (2.0, -0.5)}
    for u, v in ends:
        assert slice_error_by_loops(ramp(), u, v) == pytest.approx(0, abs=1e-20)
    legend = legend_of(figure)
    assert "E is constant" in legend
    # What a line is stands next to its mark, not among the kinks.
    assert legend[legend.index("valley (minimum) 1") + 1] == "course of a valley"
    assert "extent of a set" not in legend_of(figure)


def test_outlines_lie_on_the_surface_in_3d() -> None:
    """The course u + 2v = 1 of the ramp and the rim of its plateau, all of them in sight."""
    figure = draw_surface(exact_picture(ramp()))
    course = runs_of(figure, "valley (minimum)")
    places = np.concatenate(course)
    assert places[:, 0] + 2 * places[:, 1] == pytest.approx(1, abs=1e-12)
    assert np.ptp(places[:, 0]) == pytest.approx(3.0)
    # On the facets, which lie over the bed of the valley between the points of the grid.
    assert places[:, 2].min() == pytest.approx(0, abs=1e-12)
    assert places[:, 2].max() < 0.05
    rim = np.concatenate(runs_of(figure, "plateau (maximum)"))
    assert rim[:, 2].min() >= 1.0
    corners = {(-1.0, -0.5), (1.0, -0.5), (-1.0, 0.5)}
    assert corners <= {tuple(place) for place in rim[:, :2].round(12).tolist()}
    (view,) = [axes for axes in figure.axes if axes.name == "3d"]
    lines = [c for c in view.collections if c.get_gid() == "valley (minimum)"]
    assert [to_hex(c.get_colors()[0]) for c in lines] == [BLUE.lower()]  # type: ignore[attr-defined]
    assert max(c.get_zorder() for c in lines) < min(m.get_zorder() for m in view.lines)


def lines_across(*levels: float) -> tuple[StationaryPoint, ...]:
    """Valleys at E = 0 along v = const from u = -1 to 2."""
    return tuple(
        StationaryPoint(0.0, v, 0.0, "minimum", "valley", True, 1, outline=(((-1.0, v), (2.0, v)),))
        for v in levels
    )


@pytest.mark.parametrize("small", [False, True])
def test_the_surface_hides_what_of_a_course_lies_behind_it(small: bool) -> None:
    """A tower on a plain; the eye is at low u and v: what lies behind the tower is not seen.

    u and v have equal units in the box, so that the way to the eye leads 1 along u for 1.73
    along v.
    """
    u, v = np.linspace(-1, 2, 61), np.linspace(-0.5, 1, 61)
    tower = (np.abs(u - 0.5) < 0.3) & (np.abs(v[:, None] - 0.25) < 0.15)
    plain = exact_picture(ramp())
    points = lines_across(-0.2, 0.7)
    picture = replace(plain, u=u, v=v, error=9.0 * tower, points=points, level=None)
    figure = draw_panel([picture]) if small else draw_surface(picture)
    runs = runs_of(figure, "valley (minimum)")
    before = [run for run in runs if (run[:, 1] == -0.2).all()]
    behind = [run for run in runs if (run[:, 1] == 0.7).all()]
    assert len(before) + len(behind) == len(runs)
    # In front of the tower the whole line is seen, behind it there is a gap.
    assert [(run[0, 0], run[-1, 0]) for run in before] == [(-1.0, 2.0)]
    (left, right) = sorted(behind, key=lambda run: float(run[0, 0]))
    assert (left[0, 0], right[-1, 0]) == (-1.0, 2.0)
    middle = 0.5 + (0.7 - 0.25) / np.tan(np.pi / 3)
    assert left[-1, 0] < middle - 0.2
    assert right[0, 0] > middle + 0.2
    assert right[0, 0] - left[-1, 0] < 1.0


def test_the_legend_names_no_kinks_that_are_hidden() -> None:
    """Of the cross of the post's E12 nothing is seen under its ridge, which says what it is."""
    study = make_study("post", slice_name="E12", resolution=(11, 11))
    picture = picture_of(study.examine(study.slices[0]))
    assert picture.kinks is not None
    assert picture.kinks.layers == [1, 2]
    assert kinks_in_sight(picture) == []
    legend = legend_of(draw_surface(picture))
    assert not [text for text in legend if text.startswith("kinks")]
    assert legend[legend.index("ridge (maximum) 1") + 1] == "course of a kinked ridge"
    smooth = tuple(replace(p, smooth=True) for p in picture.points)
    assert "course of a ridge" in legend_of(draw_surface(replace(picture, points=smooth)))
    # A ridge along u = 0 alone leaves the kinks of layer 2, and none leaves both.
    (ridge,) = [p for p in picture.points if p.kind == "maximum"]
    upright = tuple((a, b) for a, b in ridge.outline if abs(a[0]) + abs(b[0]) < 1e-9)
    half = replace(picture, points=(replace(ridge, outline=upright),))
    assert 0 < len(upright) < len(ridge.outline)
    assert kinks_in_sight(half) == [2]
    assert kinks_in_sight(replace(picture, points=())) == [1, 2]
    # In a panel they are named if they are seen in one of its pictures.
    panel = legend_of(draw_panel([picture, half]))
    assert [text for text in panel if text.startswith("kinks")] == ["kinks of layer 2"]


def test_kinks_that_reach_beyond_a_plateau_are_in_sight() -> None:
    assert kinks_in_sight(exact_picture(hexagon())) == [1]
    assert kinks_in_sight(exact_picture(ramp())) == []  # the only one is the plateau's rim
    assert kinks_in_sight(replace(exact_picture(ramp()), kinks=None)) == []
    # A line that ends half way along a single piece of a kink.
    segments = np.array([[[-1.0, 0.5], [1.0, 0.5]]])
    one = KinkLines(segments, np.array([1]), 1, 1)
    for end, seen in ((0.0, [1]), (1.0, [])):
        cover = np.array([[[-1.0, 0.5], [end, 0.5]]])
        assert layers_in_sight(one, cover, np.array([3.0, 1.5])) == seen


def hexagon() -> Slice:
    """Three pairs of units that are dead within 0.3 of the origin along 0, 60 and 120 degrees."""
    angles = np.deg2rad([0, 60, 120, 180, 240, 300])
    objective = make_objective(
        [np.zeros((6, 1)), [[1, 1, 1, 1, 1, 1], [1, 2, 3, 4, 5, 6]]],
        ["relu", "identity"],
        [[1.0]],
        [[5.0, 20.0]],
        biases=[np.full(6, -0.3), None],
    )
    return make_slice_by_hand(objective, {1: np.cos(angles)[:, None]}, {1: np.sin(angles)[:, None]})


@pytest.mark.parametrize("style", ["modern", "cells"])
def test_the_corners_of_a_hexagonal_plateau(style: str) -> None:
    picture = exact_picture(hexagon(), cells=True)
    figure = draw_surface(picture, style)
    (patch,) = hatched(figure)
    radius = 0.3 / np.cos(np.pi / 6)
    angles = np.deg2rad([30, 90, 150, 210, 270, 330])
    expected = radius * np.column_stack([np.cos(angles), np.sin(angles)])
    vertices = patch.get_path().vertices
    distance = np.hypot(*(vertices[:, None] - expected).transpose(2, 0, 1))
    assert distance.min(axis=0) == pytest.approx(0, abs=1e-15)
    assert distance.min(axis=1) == pytest.approx(0, abs=1e-15)
    # The target lies above: the plateau is where E is high, and light.
    assert to_hex(patch.get_edgecolor()) == INK
    (rim,) = lines_of(figure, "plateau (maximum)")
    assert to_hex(rim.get_colors()[0]) == VERMILLION.lower()
    lengths = [float(np.hypot(*(b - a))) for a, b in rim.get_segments()]
    assert lengths == pytest.approx([radius] * 6, rel=1e-12)


def test_sampled_sets_keep_their_dashed_extent() -> None:
    slice = ramp()
    grid = sample_grid(slice, WINDOW, (21, 17))
    sampled = make_picture(grid, give_verdict(slice, WINDOW, grid), "t", "p")
    figure = draw_surface(sampled)
    assert (sampled.kinks, sampled.level, sampled.audit, sampled.cells) == (None,) * 4
    assert sampled.evidence == "points sampled, indices sum to 1 of 1"
    assert not hatched(figure)
    assert any("points sampled" in text for text in texts(figure))


def cells_of(figure: Figure) -> tuple[list[np.ndarray], np.ndarray]:
    (collection,) = [c for c in plane_of(figure).collections if isinstance(c, PolyCollection)]
    polygons = [path.vertices[:-1] for path in collection.get_paths()]
    return polygons, collection.get_facecolor()


def test_cells_tile_the_window_and_have_the_colour_of_their_error() -> None:
    picture = exact_picture(DEEP, cells=True)
    figure = draw_surface(picture, "cells")
    polygons, colours = cells_of(figure)
    assert len(polygons) == len(colours) == picture.cell_count > 30
    areas = [area(polygon) for polygon in polygons]
    assert min(areas) > 0
    assert sum(areas) == pytest.approx(3.0 * 1.5, rel=1e-12)
    error = np.array([slice_error_by_loops(DEEP, *p.mean(axis=0)) for p in polygons])
    # On the scale of the view with contours: E over the whole window.
    assert error.max() < picture.error.max()
    share = (error - picture.error.min()) / np.ptp(picture.error)
    assert colours == pytest.approx(colormaps["viridis"](share), abs=0.02)
    assert np.corrcoef(colours[:, 1], colormaps["viridis"](share)[:, 1])[0, 1] > 0.999
    (bar,) = [axes for axes in figure.axes if axes.get_title() == "E"]
    assert bar.get_ylim() == (picture.error.min(), picture.error.max())
    assert texts(figure)[1].endswith("E inside each cell")
    assert not any(name.startswith("kinks") for name in legend_of(figure))


def test_cells_filled_by_active_units() -> None:
    """Counted by loops: units of all layers with h > 0, data points that occur twice counted so."""
    picture = exact_picture(DEEP, cells=True)
    figure = draw_surface(picture, "cells", "active")
    polygons, colours = cells_of(figure)
    network = DEEP.objective.network
    active = []
    for polygon in polygons:
        u, v = polygon.mean(axis=0)
        moved = DEEP.origin[1] + u * DEEP.along_u[1] + v * DEEP.along_v[1]
        there = Network((moved, *network.weights[1:]), network.biases, network.transfers)
        active.append(
            sum(
                value > 0
                for x in DEEP.objective.data.inputs
                for h in forward_by_loops(there, x.tolist())[0]
                for value in h
            )
        )
    assert picture.cells is not None
    assert picture.cells.active.tolist() == active
    assert picture.cells.units == 5 * (4 + 3 + 1)
    share = (np.array(active) - min(active)) / (max(active) - min(active))
    assert colours == pytest.approx(colormaps["cividis"](share), abs=1e-9)
    assert "active of 40" in [a.get_title() for a in figure.axes]


def test_active_units_of_other_transfer_functions() -> None:
    """Leaky units are always active, clipped ones between their nodes, and identity has no kink."""
    for transfer, at_most in (("leaky_relu", 1), ("hard_tanh", 1)):
        objective = make_objective([[[0.0]], [[1.0]]], [transfer, "identity"], [[1.0]], [[1.0]])
        slice = make_slice_by_hand(objective, {1: [[3.0]]}, {1: [[0.0]]})
        cells = exact_picture(slice, cells=True).cells
        assert cells is not None
        assert cells.units == at_most
        middle = np.array([polygon[:, 0].mean() for polygon in cells.polygons()])
        expected = np.abs(3 * middle) < 1 if transfer == "hard_tanh" else np.ones(2)
        assert cells.active.tolist() == expected.astype(int).tolist()


def test_cells_filled_by_rank() -> None:
    """As many as there are active units, two at most: they pull the outputs different ways."""
    picture = exact_picture(hexagon(), cells=True)
    figure = draw_surface(picture, "cells", "rank")
    polygons, colours = cells_of(figure)
    expected = []
    for polygon in polygons:
        u, v = polygon.mean(axis=0)
        angles = np.deg2rad([0, 60, 120, 180, 240, 300])
        on = u * np.cos(angles) + v * np.sin(angles) > 0.3
        expected.append(min(int(on.sum()), 2))
    wanted = [to_rgba(RANKS[rank][0]) for rank in expected]
    assert colours == pytest.approx(np.array(wanted))
    assert np.bincount(expected).tolist() == [1, 6, 10]
    assert [name for name in legend_of(figure) if "rank" in name] == [
        "rank 0: flat or a slope 1",
        "rank 1: a trough 6",
        "rank 2: a bowl 10",
    ]
    without = draw_surface(exact_picture(ramp(), cells=True), "cells", "rank")
    assert not any("rank 2" in name for name in legend_of(without))


def test_ranks_by_eigenvalues() -> None:
    curvatures = [[0, 0], [0, 3], [-1e-16, 3], [1e-5, 3], [2, 3], [1e-30, 2e-30]]
    assert hessian_ranks(np.array(curvatures)).tolist() == [0, 1, 1, 2, 2, 0]
    assert hessian_ranks(np.zeros((2, 2))).tolist() == [0, 0]


def squares(n: int) -> CellMap:
    """n x n squares of the window, filled by their number."""
    u, v = np.linspace(-1, 2, n + 1), np.linspace(-0.5, 1, n + 1)
    places = [
        [(u[i], v[j]), (u[i + 1], v[j]), (u[i + 1], v[j + 1]), (u[i], v[j + 1])]
        for j in range(n)
        for i in range(n)
    ]
    number = np.arange(n * n)
    start = 4 * np.arange(n * n + 1)
    return CellMap(
        np.array(places).reshape(-1, 2), start, number.astype(float), number % 3, number, n * n
    )


@pytest.mark.parametrize("n", [1, 7, 60])
def test_many_cells_become_pixels_in_vector_formats(n: int) -> None:
    picture = replace(exact_picture(ramp()), cells=squares(n))
    for fill in ("error", "rank", "active"):
        figure = draw_surface(picture, "cells", fill)
        polygons, _ = cells_of(figure)
        (collection,) = [c for c in plane_of(figure).collections if isinstance(c, PolyCollection)]
        assert len(polygons) == n * n
        assert bool(collection.get_rasterized()) == (n * n > SHAPES)
    svg = encode_figure(figure, "svg", {}, "t").decode()
    assert ("<image" in svg.split("</defs>")[0] or svg.count("<image") > 1) == (n * n > SHAPES)


def test_cells_that_are_not_there_or_filled_by_what_is_not() -> None:
    picture = exact_picture(ramp())
    with pytest.raises(ValueError, match="by-hand: style cells draws polygonal cells, and this"):
        draw_surface(picture, "cells")
    slice = ramp()
    grid = sample_grid(slice, WINDOW, (5, 4))
    with pytest.raises(ValueError, match="slice by-hand: style cells draws polygonal cells"):
        make_picture(grid, give_verdict(slice, WINDOW, grid), "t", "p", cells=True)
    with pytest.raises(ValueError, match="'hue' does not fill cells; choose error, rank, active"):
        draw_surface(exact_picture(ramp(), cells=True), "cells", "hue")
    with pytest.raises(ValueError, match="one slice at a time"):
        draw_panel([picture], "cells")


FAILED = Audit(0, 3)


@pytest.mark.parametrize("style", ["modern", "cells"])
@pytest.mark.parametrize("audit", [Audit(0, 0), Audit(1, 3)])
def test_a_failed_audit_is_said_in_red(style: str, audit: Audit) -> None:
    good = exact_picture(ramp(), cells=True)
    assert good.evidence == "exact: 2 cells, audit 1 of 1"
    assert not any("AUDIT" in text for text in texts(draw_surface(good, style)))
    bad = replace(good, audit=audit)
    figure = draw_surface(bad, style)
    (loud,) = [t for t in figure.texts if "AUDIT FAILED: points are missing" in t.get_text()]
    assert loud.get_color() == ALARM
    assert loud.get_weight() == "bold"
    assert all(t is loud or t.get_position()[1] < loud.get_position()[1] for t in figure.texts)
    disputed = ", 3 cells disputed" if audit.disputed else ""
    assert any(f"exact: 2 cells, audit {audit.sum} of 1{disputed}" in t for t in texts(figure))
    assert not any("AUDIT" in text for text in texts(draw_surface(bad, "post")))


def test_the_red_line_has_the_words_of_the_audit() -> None:
    picture = replace(exact_picture(ramp()), audit=None, sampled=True, index_sum=1)
    assert picture.alarm == ""
    fault = audit_fault(SampledAudit(1, (WINDOW,)))
    (loud,) = [t for t in texts(draw_surface(replace(picture, fault=fault))) if "AUDIT" in t]
    assert loud.replace("\n", " ") == (
        "AUDIT FAILED: a point is missing or false, and what lies near makes up for it"
    )
    assert audit_fault(SampledAudit(0)) == "points are missing"
    assert audit_fault(SampledAudit(1)) == audit_fault(None) == audit_fault(Audit(1, 0)) == ""


def test_a_panel_names_the_slice_whose_audit_failed() -> None:
    good = exact_picture(ramp())
    figure = draw_panel([good, replace(good, name="E2", audit=FAILED)])
    assert texts(figure)[0] == "E2: AUDIT FAILED: points are missing or disputed"
    found = " ".join(texts(figure))
    assert "by-hand exact: 2 cells, audit 1 of 1; E2 exact: 2 cells, audit 0 of 1, 3" in found
    assert "E is constant" in legend_of(figure)
    assert len(hatched(figure)) == 2


def test_what_the_audit_says_is_not_cut_off_by_a_long_provenance() -> None:
    picture = replace(exact_picture(DEEP), provenance="seed 3, " * 200, audit=FAILED)
    found = texts(draw_surface(picture))
    assert any(text.endswith("...") for text in found)
    assert any(text.endswith("audit 0 of 1, 3 cells disputed") for text in found)


@pytest.mark.parametrize("style", ["modern", "cells"])
def test_nothing_is_cut_off_and_every_format_works(style: str) -> None:
    picture = replace(exact_picture(DEEP, cells=True), audit=FAILED, title="long " * 60)
    figure = draw_surface(picture, style, "active")
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and not hasattr(text, "_z"):
            box = text.get_window_extent(renderer)
            assert box.xmin >= 0, text
            assert box.ymin >= 0, text
            assert box.xmax <= figure.bbox.xmax, text
            assert box.ymax <= figure.bbox.ymax, text
    once = {f: encode_figure(figure, f, {}, "t") for f in ("png", "svg", "pdf")}
    assert all(len(content) > 5000 for content in once.values())
    assert b"AUDIT FAILED" in once["svg"]
    again = draw_surface(picture, style, "active")
    assert {f: encode_figure(again, f, {}, "t") for f in once} == once
