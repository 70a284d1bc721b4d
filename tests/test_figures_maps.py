"""Maps of a layer's Hessian as figures, by what was drawn: colours, steps, kinks, marks, words."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text

from surfacecli.figures import encode_figure
from surfacecli.figures.maps import NOWHERE, MapPicture, draw_map
from surfacecli.geometry.layers import measure_layer
from surfacecli.geometry.maps import LayerMap
from surfacecli.map_reports import draw_layer_map, map_document, map_words
from surfacecli.mapping import make_map, plan_map
from surfacecli.pictures import picture_of
from surfacecli.study import Result, make_study


def result_of(preset: str, slice_name: str, method: str | None = None) -> Result:
    study = make_study(preset, slice_name=slice_name, resolution=(9, 7), method=method)
    return study.examine(study.slices[0])


@pytest.fixture(scope="module")
def plateau() -> Result:
    return result_of("plateau", "E1")


@pytest.fixture(scope="module")
def across() -> Result:
    return result_of("post", "E12")


@pytest.fixture(scope="module")
def unsolved() -> Result:
    return result_of("post", "E12", "sampled")


@pytest.fixture(scope="module")
def tanh() -> Result:
    return result_of("tanh", "E1")


def figure_of(result: Result, quantity: str, layer: int | None = None) -> tuple[Figure, LayerMap]:
    layer_map = make_map(result, plan_map(result, quantity, layer))  # type: ignore[arg-type]
    return draw_layer_map(result, layer_map), layer_map


def plane_of(figure: Figure) -> Axes:
    return figure.axes[0]


def bar_of(figure: Figure, name: str) -> Axes:
    (bar,) = [axes for axes in figure.axes if axes.get_title() == name]
    return bar


def labels_of(bar: Axes) -> list[str]:
    return [label.get_text().replace("\N{MINUS SIGN}", "-") for label in bar.get_yticklabels()]


def image_of(figure: Figure) -> AxesImage:
    (image,) = plane_of(figure).images
    return image


def words(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.texts)


def test_cells_in_steps_of_rank(plateau: Result) -> None:
    """In the middle no unit is active, outside one to three are, each with an output of its own."""
    figure, layer_map = figure_of(plateau, "rank")
    (cells,) = [c for c in plane_of(figure).collections if isinstance(c, PolyCollection)]
    angles = np.arange(6) * np.pi / 3
    ranks = []
    for path in cells.get_paths():
        u, v = path.vertices[:-1].mean(axis=0)
        ranks.append(int((u * np.cos(angles) + v * np.sin(angles) > 0.3).sum()))
    assert layer_map.values.tolist() == ranks
    assert set(ranks) == {0, 1, 2, 3}
    steps = colormaps["cividis"].resampled(4)
    assert cells.get_facecolor() == pytest.approx(steps(np.array(ranks)))
    bar = bar_of(figure, "rank")
    assert bar.get_ylim() == (-0.5, 3.5)
    assert labels_of(bar) == ["0", "1", "2", "3"]
    assert "rank of the Hessian of layer 1 (6 weights)" in words(figure)
    assert "map exact, constant in each cell; exact: 19 cells, audit 1 of 1" in words(figure)


def test_shares_of_dead_units_run_from_0_to_100(plateau: Result) -> None:
    figure, layer_map = figure_of(plateau, "dead")
    assert layer_map.range == (0.5, 1.0)
    (cells,) = [c for c in plane_of(figure).collections if isinstance(c, PolyCollection)]
    assert cells.get_facecolor() == pytest.approx(colormaps["bone_r"](layer_map.values))
    bar = bar_of(figure, "dead, %")
    assert bar.get_ylim() == (0.0, 100.0)
    assert labels_of(bar) == ["0", "20", "40", "60", "80", "100"]


def test_sampled_values_lie_at_their_points_and_kinks_are_left_out(unsolved: Result) -> None:
    figure, layer_map = figure_of(unsolved, "rank", 2)
    image = image_of(figure)
    gaps = np.isnan(layer_map.values)
    # u = 0 and v = 0, the middle column and row of 9 x 7 points, are kinks.
    assert np.argwhere(gaps.all(axis=0)).tolist() == [[4]]
    assert np.argwhere(gaps.all(axis=1)).tolist() == [[3]]
    assert gaps.sum() == 9 + 7 - 1
    pixels = np.asarray(image.get_array())
    assert pixels.shape == (7, 9, 4)
    assert (pixels[..., 3] == ~gaps).all()
    assert image.origin == "lower"
    assert image.get_extent() == pytest.approx([-1.125, 1.125, -7 / 6, 7 / 6])
    assert plane_of(figure).get_facecolor() == to_rgba(NOWHERE)
    assert (plane_of(figure).get_xlim(), plane_of(figure).get_ylim()) == ((-1, 1), (-1, 1))
    document = map_document(layer_map)
    assert (document["exact"], document["places"]) == (False, "grid")
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "on a kink: no Hessian" in legend
    assert "map sampled at 9 x 7 points" in words(figure)
    low, high = layer_map.range
    steps = colormaps["cividis"].resampled(int(high - low) + 1)
    assert pixels[~gaps] == pytest.approx(steps((layer_map.values[~gaps] - low).astype(int)))


def polygons_of(figure: Figure) -> PolyCollection:
    (cells,) = [c for c in plane_of(figure).collections if isinstance(c, PolyCollection)]
    return cells


def test_cells_across_layers_are_filled_up_to_their_borders(across: Result) -> None:
    """Four quadrants, each with the rank of a point in it, and nothing on u = 0 or v = 0."""
    figure, layer_map = figure_of(across, "rank", 2)
    assert layer_map.values.shape == (4,)
    drawn = polygons_of(figure)
    low, high = layer_map.range
    steps = colormaps["cividis"].resampled(int(high - low) + 1)
    seen = set()
    for path, colour in zip(drawn.get_paths(), drawn.get_facecolor(), strict=True):
        corners = path.vertices[:-1]
        assert set(np.abs(corners).ravel()) == {0.0, 1.0}
        u, v = corners.mean(axis=0)
        rank = measure_layer(across.slice, "rank", 2, np.array([u]), np.array([v]))[0]
        assert colour == pytest.approx(steps(int(rank - low)))
        seen.add((u > 0, v > 0))
    assert len(seen) == 4
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "on a kink: no Hessian" not in legend
    assert "constant in each cell but for curves where it is lower; exact: 4 cells" in words(figure)


def test_traces_across_layers_are_drawn_in_tiles(across: Result) -> None:
    """Each tile within one quadrant, and coloured by the trace in its middle."""
    figure, layer_map = figure_of(across, "trace")
    drawn = polygons_of(figure)
    # 8 x 6 tiles, the steps of 9 x 7 points.
    assert layer_map.values.shape == (48,)
    places = np.array([path.vertices[:-1] for path in drawn.get_paths()])
    assert (np.ptp(np.sign(places), axis=1) < 2).all()
    middles = places.mean(axis=1)
    there = measure_layer(across.slice, "trace", 1, *middles.T)
    assert layer_map.values == pytest.approx(there)
    low, high = bar_of(figure, "trace").get_ylim()
    share = (there - low) / (high - low)
    assert drawn.get_facecolor() == pytest.approx(colormaps["viridis"](share), abs=0.02)
    assert "map sampled at 48 places, borders of cells exact; exact: 4 cells" in words(figure)
    assert map_words(layer_map).endswith(", sampled in every cell")
    document = map_document(layer_map)
    assert (document["exact"], document["places"]) == (False, "tiles")


def test_negative_curvature_is_red_and_zero_is_white(tanh: Result) -> None:
    figure, layer_map = figure_of(tanh, "curvature")
    low, high = layer_map.range
    assert low < high < 0
    assert bar_of(figure, "eigenvalue").get_ylim() == pytest.approx((low, 0.0))
    pixels = np.asarray(image_of(figure).get_array())
    lowest = np.unravel_index(layer_map.values.argmin(), layer_map.values.shape)
    red, green, blue, _ = pixels[lowest]
    assert red > 0.35 > max(green, blue)
    assert pixels == pytest.approx(colormaps["RdBu"](0.5 - 0.5 * layer_map.values / low), abs=0.02)
    assert not any(
        text.get_text() == "on a kink: no Hessian" for text in figure.legends[0].get_texts()
    )


@pytest.mark.parametrize(("low", "high"), [(-2.0, 6.0), (1.0, 6.0), (-6.0, -1.0)])
def test_signed_colours_have_0_in_the_middle(tanh: Result, low: float, high: float) -> None:
    values = np.linspace(low, high, 63).reshape(7, 9)
    shown = LayerMap("curvature", 1, 10, values, exact=False)
    figure = draw_map(picture_of(tanh), MapPicture(shown))
    assert bar_of(figure, "eigenvalue").get_ylim() == (min(low, 0.0), max(high, 0.0))
    expected = colormaps["RdBu"](0.5 + values / 12.0)
    assert np.asarray(image_of(figure).get_array()) == pytest.approx(expected, abs=0.02)


def test_traces_below_0_are_told_apart(tanh: Result) -> None:
    figure, layer_map = figure_of(tanh, "trace")
    assert layer_map.range[0] < 0 < layer_map.range[1]
    assert bar_of(figure, "trace").get_ylim() == pytest.approx(layer_map.range)
    pixels = np.asarray(image_of(figure).get_array())
    assert ((pixels[..., 0] > pixels[..., 2]) == (layer_map.values < 0)).mean() > 0.9


def test_traces_without_sign_have_the_colours_of_a_surface(across: Result) -> None:
    values = np.geomspace(1e-3, 1e3, 63).reshape(7, 9)
    shown = LayerMap("trace", 1, 100, values, exact=False)
    figure = draw_map(picture_of(across), MapPicture(shown))
    assert bar_of(figure, "trace (log)").get_ylim() == pytest.approx((-3, 3))
    expected = colormaps["viridis"](np.linspace(0, 1, 63).reshape(7, 9))
    assert np.asarray(image_of(figure).get_array()) == pytest.approx(expected, abs=0.02)


def test_what_is_the_same_everywhere_is_said(plateau: Result) -> None:
    figure, layer_map = figure_of(plateau, "curvature")
    assert layer_map.range == (0.0, 0.0)
    assert "smallest eigenvalue of the Hessian of layer 1 (6 weights): 0 everywhere" in words(
        figure
    )
    assert labels_of(bar_of(figure, "eigenvalue")) == ["0"]


def test_a_map_without_dead_units_says_so(across: Result, unsolved: Result) -> None:
    """An empty picture would leave it open; and half of them is no share of nothing."""
    for result, remark in (
        (across, "no dead units"),
        (unsolved, "no dead units at these points"),
    ):
        figure, layer_map = figure_of(result, "dead")
        assert layer_map.range == (0.0, 0.0)
        assert [text.get_text() for text in plane_of(figure).texts].count(remark) == 1
        assert "dead on all data: none anywhere" in words(figure)
        assert map_words(layer_map).startswith("no dead units of layer 1, ")
    some = replace(layer_map, values=np.full((7, 9), 0.5))
    figure = draw_map(picture_of(unsolved), MapPicture(some))
    assert "dead on all data: 50% everywhere" in words(figure)
    assert not any("no dead" in text.get_text() for text in plane_of(figure).texts)


def test_a_map_without_a_single_value(across: Result) -> None:
    shown = LayerMap("rank", 1, 100, np.full((7, 9), np.nan), exact=False)
    for quantity in ("curvature", "trace", "rank", "dead"):
        layer_map = replace(shown, quantity=quantity)
        assert map_words(layer_map).endswith("of layer 1 nowhere defined, sampled on kinks alone")
        figure = draw_map(picture_of(across), MapPicture(layer_map))
        assert not np.asarray(image_of(figure).get_array())[..., 3].any()


def test_marks_axes_and_provenance_are_those_of_the_other_styles(plateau: Result) -> None:
    figure, _ = figure_of(plateau, "rank")
    plane, picture = plane_of(figure), picture_of(plateau)
    marked = {
        (u, v)
        for line in plane.lines
        for u, v in zip(*line.get_data(), strict=True)
        if len(line.get_data()[0])
    }
    for point in picture.points:
        assert (point.u, point.v) in marked
    assert plane.get_xlabel() == "u (layer 1)"
    assert plane.get_ylabel() == "v (layer 1)"
    assert picture.provenance.split(", ")[0] in words(figure)
    assert not [patch for patch in plane.patches if patch.get_hatch()]
    assert not any("E is constant" in text.get_text() for text in figure.legends[0].get_texts())


@pytest.mark.parametrize(
    ("quantity", "size"),
    [
        ("trace", "page"),
        ("curvature", "column"),
        ("trace", "column"),
        ("rank", "column"),
        ("dead", "column"),
    ],
)
def test_nothing_is_cut_off(across: Result, quantity: str, size: str) -> None:
    result = replace(across, study=replace(across.study, size=size))
    figure, _ = figure_of(result, quantity)
    assert figure.get_figwidth() == (7.1 if size == "page" else 3.5)
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip():
            box = text.get_window_extent(renderer)
            assert min(box.xmin, box.ymin) >= 0, text
            assert box.xmax <= figure.bbox.xmax, text
            assert box.ymax <= figure.bbox.ymax, text


def test_the_same_map_gives_the_same_bytes(plateau: Result) -> None:
    once = encode_figure(figure_of(plateau, "rank")[0], "svg", {}, "t")
    assert encode_figure(figure_of(plateau, "rank")[0], "svg", {}, "t") == once
