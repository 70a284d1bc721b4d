"""The figures of Hessians: what was drawn, and where."""

import itertools

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from surfacecli.figures.curvature import (
    DepthCurve,
    DepthPicture,
    SpectraPicture,
    Spectrum,
    UnitCounts,
)
from surfacecli.figures.depth import draw_depth
from surfacecli.figures.spectra import MOST, TALL, draw_spectra
from surfacecli.figures.theme import COLUMN, PAGE


def spectrum(title: str, positive: list[float], negative: list[float], size: int) -> Spectrum:
    return Spectrum(
        title, size, 12.5, np.array(positive), np.array(negative), np.array(positive[:2])
    )


@pytest.fixture
def picture() -> SpectraPicture:
    """Two layers and both together: 3 positive, 2 zero, 1 negative in the first of them."""
    return SpectraPicture(
        title="A net",
        heading="Hessians at the net's own weights",
        weights=[
            spectrum("layer 1: tanh", [8.0, 2.0, 0.5], [-0.25], 6),
            spectrum("layer 2: identity", [4.0, 1.0], [], 2),
            Spectrum("all layers together", 8, 25.0, np.array([9.0]), np.array([-1.0, -3.0])),
        ],
        pre_activations=[
            spectrum("layer 1: 3 units", [2.0, 1.0], [-0.5, -1.0], 12),
            spectrum("layer 2: 1 unit", [2.0] * 4, [], 4),
        ],
        units=[UnitCounts(1, 1, 2, 5, 0), UnitCounts(2, 0, 0, 0, 1)],
        samples=4,
        provenance="surface: preset tiny",
    )


def drawn(axes: Axes, marker: str) -> list[tuple[float, float]]:
    return [
        (float(x), float(y))
        for line in axes.lines
        if line.get_marker() == marker
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    ]


def no_overlap(figure: Figure) -> None:
    """Nothing leaves the page, and no panel with its title and ticks meets another."""
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    for box in boxes:
        assert box is not None
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
    for k, box in enumerate(boxes):
        for other in boxes[k + 1 :]:
            assert not box.overlaps(other)
    for text in figure.texts:
        assert text.get_window_extent().x1 <= figure.bbox.x1


def test_signs_and_zeros_of_a_spectrum(picture):
    figure = draw_spectra(picture)
    assert len(figure.axes) == 6
    first, second, together = figure.axes[:3]
    assert drawn(first, "o") == [(1, 8.0), (2, 2.0), (3, 0.5)]
    # The negative one by its size, at the far end: after 2 zeros.
    assert drawn(first, "v") == [(6, 0.25)]
    assert drawn(first, "_") == [(1, 8.0), (2, 2.0)]
    assert first.get_yscale() == "log"
    (band,) = first.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == (3.5, 5.5)
    assert [text.get_text() for text in first.texts] == ["2 zero"]
    assert first.get_title(loc="left") == "layer 1: tanh\nrank 4 of 6\ntrace 12.5"
    assert not second.patches
    assert drawn(second, "v") == []
    assert drawn(together, "v") == [(7, 1.0), (8, 3.0)]
    assert first.get_ylim() == second.get_ylim() == together.get_ylim()
    low, high = first.get_ylim()
    assert low < 0.25
    assert high > 9.0
    no_overlap(figure)


def test_a_column_is_narrow_and_high(picture):
    figure = draw_spectra(picture, COLUMN)
    assert figure.get_size_inches()[0] == 3.5
    assert len(figure.axes) == 6
    first, second, together, inner, below, units = (axes.get_position() for axes in figure.axes)
    # A row for each layer: weights on the left, pre-activations on the right.
    assert first.y0 == inner.y0 > second.y1
    assert second.y0 == below.y0 > together.y1 > together.y0 > units.y1
    assert first.x0 == together.x0 < first.x1 < inner.x0 == below.x0
    assert [axes.texts[-1].get_text() for axes in figure.axes[:5]] == [
        "layer 1: tanh\nrank 4 of 6, trace 12.5",
        "layer 2: identity\nrank 2 of 2, trace 12.5",
        "all layers together\nrank 3 of 8, trace 25",
        "layer 1: 3 units\nrank 4 of 12, trace 12.5",
        "layer 2: 1 unit\nrank 4 of 4, trace 12.5",
    ]
    assert figure.axes[0].get_ylim() == figure.axes[2].get_ylim() != figure.axes[3].get_ylim()
    no_overlap(figure)
    curves = [curve("relu", [30.0, 200.0]), curve("tanh", [-3.0, 20.0])]
    figure = draw_depth(DepthPicture("A net", "Curvature against depth", curves), COLUMN)
    assert figure.get_size_inches()[0] == 3.5
    no_overlap(figure)


def test_units_are_bars(picture):
    axes = draw_spectra(picture).axes[-1]
    bars = [
        (bar.get_x(), bar.get_width(), bar.get_y() + bar.get_height() / 2) for bar in axes.patches
    ]
    assert np.array(bars) == pytest.approx(
        np.array([(0, 5 / 8, 1), (5 / 8, 2 / 8, 1), (7 / 8, 1 / 8, 1), (0, 1, 2)])
    )
    assert [text.get_text() for text in axes.texts] == ["5", "2", "1", "1"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["layer 1", "layer 2"]


def test_the_legend_has_what_is_there(picture):
    (legend,) = draw_spectra(picture).legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "positive eigenvalue",
        "negative eigenvalue, its size",
        "Gauss-Newton",
        "no curvature",
        "one piece on all data (active)",
        "several pieces (mixed)",
        "slope 0 on all data (dead)",
        "no pieces (smooth)",
    ]
    plain = SpectraPicture(
        "A net",
        "Hessians",
        [Spectrum("layer 1: identity", 2, 3.0, np.array([2.0, 1.0]), np.empty(0))],
        [Spectrum("layer 1: 1 unit", 1, 2.0, np.array([2.0]), np.empty(0))],
        [UnitCounts(1, 0, 0, 1, 0)],
        1,
    )
    (legend,) = draw_spectra(plain).legends
    words = [text.get_text() for text in legend.get_texts()]
    assert words == ["positive eigenvalue", "one piece on all data (active)"]


def test_no_curvature_at_all_and_what_is_not_held():
    nothing = Spectrum("layer 1: relu", 4, 0.0, np.empty(0), np.empty(0), np.empty(0))
    large = Spectrum(
        "layer 2: relu", 90_000, 7.0, np.empty(0), np.empty(0), remark="too many eigenvalues"
    )
    figure = draw_spectra(
        SpectraPicture(
            "t", "h", [nothing, large], [nothing] * 2, [UnitCounts(1, 1, 0, 0, 0)], samples=3
        )
    )
    first, second = figure.axes[:2]
    assert [text.get_text() for text in first.texts] == ["4 zero"]
    assert [text.get_text() for text in second.texts] == ["too many eigenvalues"]
    assert second.get_title(loc="left") == "layer 2: relu\nsize 90,000\ntrace 7"
    assert not second.axison
    no_overlap(figure)


def deep(layers: int) -> SpectraPicture:
    return SpectraPicture(
        "A deep net",
        "Hessians",
        [spectrum(f"layer {n}: relu", [5.0, 1e-3], [], 1200) for n in range(1, layers + 1)]
        + [spectrum("all layers together", [5.0, 1e-3], [-2.0], 1400)],
        [spectrum(f"layer {n}: 90 units", [5.0, 1e-3], [], 9000) for n in range(1, layers + 1)],
        [UnitCounts(n + 1, 1, 1, 1, 0) for n in range(layers)],
        samples=100,
    )


@pytest.mark.parametrize(("layers", "drawn"), [(1, 1), (4, 4), (13, 4)])
def test_a_column_is_no_longer_than_a_page(layers, drawn):
    figure = draw_spectra(deep(layers), COLUMN)
    assert figure.get_size_inches()[1] <= TALL
    # All layers together keep their panel.
    assert len(figure.axes) == 2 * drawn + 2
    assert figure.axes[drawn].texts[-1].get_text().startswith("all layers together")
    said = [text.get_text() for text in figure.texts if "not drawn" in text.get_text()]
    assert said == (["layers 5 to 13 are not drawn"] if layers > drawn else [])
    no_overlap(figure)


@pytest.mark.parametrize("sheet", [PAGE, COLUMN])
def test_numbers_below_a_panel_keep_apart(sheet):
    sizes = [480, 1200, 3600, 90_000, 1_200_000] if sheet is PAGE else [480, 3600, 90_000]
    spectra = [spectrum("layer 1: relu", [5.0], [], size) for size in sizes]
    units = [UnitCounts(1, 1, 0, 0, 0)]
    figure = draw_spectra(SpectraPicture("t", "h", spectra, spectra, units, samples=3), sheet)
    no_overlap(figure)
    for axes in figure.axes[:-1]:
        labels = [label for label in axes.get_xticklabels() if label.get_text()]
        boxes = [label.get_window_extent() for label in labels]
        assert len(boxes) >= 2
        for one, other in itertools.pairwise(boxes):
            assert one.x1 < other.x0


@pytest.mark.parametrize("layers", [1, MOST + 3])
def test_any_depth_fits_its_page(layers):
    figure = draw_spectra(deep(layers))
    no_overlap(figure)
    shown = min(layers + 1, MOST) + min(layers, MOST) + 1
    assert len(figure.axes) == shown
    said = any("are not drawn" in text.get_text() for text in figure.texts)
    assert said == (layers > MOST)


def curve(name: str, trace: list[float], bounds: float = 0.0) -> DepthCurve:
    layers = len(trace)
    rank = np.linspace(2.0, 4.0, layers)
    return DepthCurve(
        name,
        flat=np.linspace(0.5, 0.0, layers),
        rank=np.stack([rank, rank], axis=1),
        share=np.stack([rank / 8 - bounds, rank / 8], axis=1),
        trace=np.array(trace),
    )


def test_depth_has_four_panels_of_curves():
    curves = [curve("relu", [30.0, 200.0, 70.0]), curve("tanh", [3.0, 20.0, 70.0])]
    figure = draw_depth(DepthPicture("A net", "Curvature against depth", curves))
    assert len(figure.axes) == 4
    wanted = [[c.flat, c.rank[:, 1], c.share[:, 1], c.trace] for c in curves]
    for number, axes in enumerate(figure.axes):
        for line, values in zip(axes.lines, wanted, strict=True):
            assert line.get_xdata().tolist() == [1, 2, 3]
            assert line.get_ydata().tolist() == values[number].tolist()
        assert not axes.collections
    assert figure.axes[3].get_yscale() == "log"
    assert figure.axes[3].texts[0].get_text() == "trace over the weights\nlogarithmic axis"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["relu", "tanh"]
    no_overlap(figure)


def test_a_negative_trace_is_below_zero():
    figure = draw_depth(
        DepthPicture("A net", "h", [curve("tanh", [-20.0, 0.0, 70.0]), curve("relu", [5, 6, 7])])
    )
    axes = figure.axes[3]
    assert axes.get_yscale() == "symlog"
    assert axes.texts[0].get_text().endswith("\nlinear to \N{PLUS-MINUS SIGN}5, then log")
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert "0" in labels
    assert any(label.startswith("\N{MINUS SIGN}") for label in labels)
    low, high = axes.get_ylim()
    assert low < -20
    assert high > 70
    ticks = axes.get_yticks()
    for value, label in zip(ticks, labels, strict=True):
        assert float(label.replace("\N{MINUS SIGN}", "-")) == pytest.approx(value)
    no_overlap(figure)


def test_traces_of_zero_alone():
    figure = draw_depth(DepthPicture("A net", "h", [curve("relu", [0.0, 0.0])]))
    assert figure.axes[3].get_ylim()[0] == 0
    assert figure.axes[3].texts[0].get_text().endswith("\nlinear to 1, then log")
    no_overlap(figure)


def test_bounds_are_bars():
    figure = draw_depth(DepthPicture("A net", "h", [curve("relu", [3.0, 2.0], bounds=0.1)]))
    (bars,) = figure.axes[2].collections
    ends = [[end[1] for end in segment] for segment in bars.get_segments()]
    assert np.array(ends) == pytest.approx(np.array([[0.15, 0.25], [0.4, 0.5]]))
    assert any("bounds only" in text.get_text() for text in figure.texts)


def test_curves_of_two_depths_are_refused():
    with pytest.raises(ValueError, match="as many"):
        DepthPicture("t", "h", [curve("relu", [1.0, 2.0]), curve("tanh", [1.0])])


@pytest.mark.parametrize("size", [1.0, 2.0, 3.0, 6.0])
@pytest.mark.parametrize("sheet", [PAGE, COLUMN])
def test_an_axis_of_one_size_can_be_read(sheet, size):
    """Where no power of ten is near, other round numbers tell what an eigenvalue is."""
    one = Spectrum("layer 1: relu", 2, size, np.array([size]), np.empty(0))
    units = [UnitCounts(1, 0, 0, 2, 0)]
    figure = draw_spectra(SpectraPicture("A net", "h", [one], [one], units, 1), sheet)
    for axes in figure.axes[:2]:
        low, high = axes.get_ylim()
        labels = [label.get_text() for label in axes.get_yticklabels()]
        assert len(labels) >= 2
        assert [float(label) for label in labels] == pytest.approx(list(axes.get_yticks()))
        assert all(low <= tick <= high for tick in axes.get_yticks())
    no_overlap(figure)


def test_rounding_of_zero_among_the_positive_is_at_the_lower_edge():
    one = Spectrum("layer 1: relu", 4, 3.0, np.array([2.0, 1.0, 0.0]), np.empty(0))
    units = [UnitCounts(1, 0, 0, 2, 0)]
    axes = draw_spectra(SpectraPicture("A net", "h", [one], [one], units, 1)).axes[0]
    low, high = axes.get_ylim()
    assert 0.1 < low < 1
    assert high < 10
    (*_, (x, y)) = drawn(axes, "o")
    assert x == 3
    assert low < y < 1
    assert not drawn(axes, "v")


@pytest.mark.parametrize("sheet", [PAGE, COLUMN])
@pytest.mark.parametrize("traces", [[-1.23e-7, 3e-6], [-6.6, 40.0], [0.0, 0.0043], [-6e8, 3e11]])
def test_what_is_said_of_the_axis_is_not_cut(sheet, traces):
    figure = draw_depth(DepthPicture("A net", "h", [curve("tanh", traces)]), sheet)
    for axes in figure.axes:
        assert "..." not in axes.texts[0].get_text()
