"""Paths of descent on figures and on the command line: what is drawn, printed, refused."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path as FilePath

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from mpl_toolkits.mplot3d.art3d import Line3D

from surfacecli.descents import descend_result
from surfacecli.errors import SurfaceError
from surfacecli.figures import draw_panel, draw_surface, encode_figure, read_provenance
from surfacecli.figures.descent import COLOURS, NAMES, draw_paths, path_entries
from surfacecli.geometry.descent.path import METHODS, Path
from surfacecli.pictures import draw, picture_of
from surfacecli.study import Result as StudyResult
from surfacecli.study import make_study

STARTS = ((0.8, 0.7), (-0.2, -0.8))


@pytest.fixture(scope="module")
def result() -> StudyResult:
    study = make_study("post", slice_name="E1", resolution=(21, 17))
    return study.examine(study.slices[0])


@pytest.fixture(scope="module")
def paths(result: StudyResult) -> tuple[Path, ...]:
    return descend_result(result, ["newton", "flow"], STARTS)


def plane_of(figure: Figure) -> Axes:
    return next(axes for axes in figure.axes if axes.get_xlabel().startswith("u ("))


def lines_of(axes: Axes, method: str) -> list[Line2D]:
    return [line for line in axes.lines if line.get_gid() == f"descent by {method}"]


@pytest.mark.parametrize("style", ["modern", "cells"])
def test_paths_are_drawn_where_they_run(
    result: StudyResult, paths: tuple[Path, ...], style: str
) -> None:
    plane = plane_of(draw(result, style, paths=paths))
    for method in ("flow", "newton"):
        drawn = lines_of(plane, method)
        mine = [path for path in paths if path.method == method]
        assert len(drawn) == len(mine) == 2
        for line, path in zip(drawn, mine, strict=True):
            np.testing.assert_array_equal(line.get_xdata(), path.u)
            np.testing.assert_array_equal(line.get_ydata(), path.v)
            assert line.get_color() == COLOURS[method]
            assert 2.2 < line.get_zorder() < 4.0  # over the kinks, under the marks
            ends = [(path.u[k], path.v[k]) for k in (0, -1)]
            marks = [
                (float(mark.get_xdata()[0]), float(mark.get_ydata()[0]))
                for mark in plane.lines
                if len(mark.get_xdata()) == 1 and mark.get_marker() in ("s", "o")
            ]
            assert set(ends) <= set(marks)
    # Flow below the steps that may cover it.
    order = [line.get_gid() for line in plane.lines if line.get_gid()]
    assert order.index("descent by newton") > order.index("descent by flow")


def test_paths_lie_on_the_surface(result: StudyResult, paths: tuple[Path, ...]) -> None:
    figure = draw(result, paths=paths)
    raised = [
        line
        for axes in figure.axes
        for line in axes.lines
        if isinstance(line, Line3D) and str(line.get_gid()).startswith("descent")
    ]
    assert raised
    error = result.grid.error
    u, v, z = (
        np.concatenate(part) for part in zip(*(x.get_data_3d() for x in raised), strict=True)
    )
    rise = 0.03 * np.ptp(error)
    cell = np.hypot(np.diff(result.grid.u)[0], np.diff(result.grid.v)[0])
    for at in zip(u.tolist(), v.tolist(), z.tolist(), strict=True):
        near_u = np.abs(result.grid.u - at[0]) <= cell
        near_v = np.abs(result.grid.v - at[1]) <= cell
        around = error[np.ix_(near_v, near_u)]
        assert around.min() - rise <= at[2] <= around.max() + rise


def test_the_legend_names_them_and_hides_nothing(
    result: StudyResult, paths: tuple[Path, ...]
) -> None:
    figure = draw(result, paths=paths)
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    for wanted in ("gradient flow 2", "Newton steps 2", "start", "end"):
        assert wanted in texts
    figure.canvas.draw()
    box = legend.get_window_extent()
    assert not any(box.overlaps(axes.get_window_extent()) for axes in figure.axes)
    plain = [text.get_text() for text in draw(result).legends[0].get_texts()]
    assert not set(plain) & {"start", "end", *NAMES.values()}


def test_what_is_integrated_says_so() -> None:
    study = make_study("tanh", slice_name="E1", resolution=(9, 9))
    result = study.examine(study.slices[0])
    paths = descend_result(result, ["flow"], [(2.0, -2.0)])
    texts = [text.get_text() for text in draw(result, paths=paths).legends[0].get_texts()]
    assert "gradient flow 1 (integrated)" in texts
    some = [replace(path, exact=k == 0) for k, path in enumerate(paths * 3)]
    entries = path_entries([picture_of(result, paths=some)])
    assert entries[0][1] == "gradient flow 3 (2 integrated)"


def test_gauss_newton_does_not_hide_newton(result: StudyResult) -> None:
    """Within a layer of a ReLU net the steps are the same: striped in both colours, and said."""
    paths = descend_result(result, ["newton", "gauss-newton"], STARTS)
    figure = draw(result, paths=paths)
    for line in lines_of(plane_of(figure), "gauss-newton"):
        assert line.get_color() == COLOURS["gauss-newton"]
        assert line.get_gapcolor() == COLOURS["newton"]
        assert line.is_dashed()
    raised = [
        line
        for axes in figure.axes
        for line in lines_of(axes, "gauss-newton")
        if isinstance(line, Line3D)
    ]
    assert raised
    assert all(line.get_gapcolor() == COLOURS["newton"] for line in raised)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "Gauss-Newton steps 2 (all equal to Newton's)" in texts
    # One of them moved aside: that one is a line of its own.
    aside = [
        replace(path, u=path.u + 1e-3) if path.method == "gauss-newton" and k == 3 else path
        for k, path in enumerate(paths)
    ]
    picture = picture_of(result, paths=aside)
    axes = Figure().add_subplot()
    draw_paths(axes, picture)
    lines = lines_of(axes, "gauss-newton")
    assert [line.get_gapcolor() for line in lines] == [COLOURS["newton"], None]
    assert path_entries([picture])[1][1] == "Gauss-Newton steps 2 (1 equal to Newton's)"
    alone = picture_of(result, paths=paths[2:])
    assert path_entries([alone])[0][1] == "Gauss-Newton steps 2"


def test_vectors_and_the_panel(result: StudyResult, paths: tuple[Path, ...]) -> None:
    picture = picture_of(result, paths=paths)
    content = encode_figure(draw_surface(picture), "svg", {"a": 1}, "title")
    assert b"descent by flow" in content
    panel = draw_panel([picture, picture])
    assert sum(len(lines_of(axes, "flow")) for axes in panel.axes if axes.name != "3d") == 4


def test_starts_of_a_result(result: StudyResult) -> None:
    assert len(descend_result(result, ["flow"])) == 6
    one, two = (descend_result(result, ["flow"], count=3) for _ in range(2))
    assert [path.u[0] for path in one] == [path.u[0] for path in two]
    both = descend_result(result, ["flow"], STARTS, count=1)
    assert [(path.u[0], path.v[0]) for path in both[:2]] == list(STARTS)
    assert len(both) == 3
    with pytest.raises(SurfaceError, match=r"slice E1: the start .* lies outside the window"):
        descend_result(result, ["flow"], [(3.0, 0.0)])


# The command


@pytest.fixture
def run(run):
    return partial(run, "plot", "plateau", "--resolution", "9")


def test_plot_descend(run, tmp_path: FilePath) -> None:
    result = run("--descend", "flow,newton", "--start", "0.1,0.45", "--start", "-0.1,0.1")
    rows = [line.split() for line in result.stdout.splitlines() if line.strip().startswith("E1 ")]
    assert [row[1] for row in rows] == ["flow", "flow", "newton", "newton"]
    assert rows[0][2] == "(exact)"
    assert rows[0][3:5] == ["0.1000", "0.4500"]
    assert " ".join(rows[0][5:7]) == "smooth minimum"
    assert " ".join(rows[1][5:7]) == "plateau (maximum)"
    provenance = read_provenance(tmp_path / "outputs" / "plateau-E1-descent.png")
    assert provenance["descent"] == {
        "methods": ["flow", "newton"],
        "starts": [[0.1, 0.45], [-0.1, 0.1]],
    }


def test_descend_without_a_method_is_flow(run) -> None:
    alone = json.loads(run("--start", "0.1,0.45", "--json", "--descend").stdout)
    named = json.loads(run("--start", "0.1,0.45", "--json", "--force", "--descend", "flow").stdout)
    assert alone == named
    assert json.loads(run("--descend", "--json").stdout)["figures"]


def test_plot_descend_json(run) -> None:
    document = json.loads(run("--descend", "flow", "--start", "0.1,0.45", "--json").stdout)
    (path,) = document["figures"][0]["paths"]
    assert path["method"] == "flow"
    assert path["exact"] is True
    assert path["start"] == {"u": 0.1, "v": 0.45, "error": path["error"][0]}
    assert path["end"]["what"] == "smooth minimum"
    assert path["end"]["reason"] == "stationary"
    assert path["end"]["point"] in document["figures"][0]["stationary_points"]
    assert len(path["u"]) == len(path["v"]) == len(path["error"]) == len(path["time"])
    assert path["time"][-1] is None  # infinite


def test_random_starts_of_the_command(run) -> None:
    assert run("--descend", "flow", "--starts", "3").stdout.count("flow (exact)") == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--start", "0,0"], "belong to --descend"),
        (["--starts", "3"], "belong to --descend"),
        (["--descend", "flow", "--step", "0.1"], "--step is the size of gradient steps"),
        (["--descend", "adam"], "'adam' is no method; choose flow, gradient, newton, gauss-newton"),
        (["--descend", "flow", "--style", "post"], "style post draws no paths"),
        (["--descend", "flow", "--show", "rank"], "--show draws a map, without paths"),
    ],
)
def test_wrong_usage(run, arguments: list[str], message: str) -> None:
    assert message in run(*arguments, status=2).stderr


def test_a_start_outside(run) -> None:
    result = run("--descend", "flow", "--start", "5,0", status=1)
    assert result.stderr.strip().endswith(
        "slice E1: the start (5, 0) lies outside the window [-1.6, 1.6] x [-1.6, 1.6]"
    )


def test_the_options_name_every_method() -> None:
    from surfacecli.cli import options

    assert options.METHODS == METHODS
