"""A study: which slices, window and grid a run is about, what it says before it starts."""

from pathlib import Path

import numpy as np
import pytest
from oracles import slice_error_by_loops

from surfacecli.errors import ChoiceError, SurfaceError
from surfacecli.geometry.slices import Window
from surfacecli.study import RESOLUTION, Study, duration, make_study

PRESET = """
network: {widths: [2, 3, 3, 2], transfer: relu, weights: {seed: 4}}
data: {samples: 3, seed: 5}
slices:
  a: {layer: 1}
  b: {layer: 1, origin: weights, directions: {seed: 7}}
  c: {layer: 3}
  d: {u: 1, v: 3}
  e: {u: [1, 2], v: [3]}
window: {u: [-1, 2], v: [-0.5, 0.25]}
"""


@pytest.fixture
def preset(tmp_path: Path) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(PRESET, encoding="utf-8")
    return str(path)


def test_what_needs_all_cells_is_refused_in_the_words_of_the_plan(preset):
    study = make_study(preset, slice_name="a", budget=2)
    (a,) = study.slices
    told = study.plan(a).remark
    with pytest.raises(SurfaceError) as refused:
        study.plan_polygons(a)
    cost = told.partition(":")[0]
    assert str(refused.value).startswith(f"{cost}; choose a smaller --window, or --budget ")
    assert "--method" not in str(refused.value)
    exact = make_study(preset, slice_name="a", budget=2, method="exact")
    with pytest.raises(SurfaceError, match=r"or --method sampled$"):
        exact.plan(a)
    enough = make_study(preset, slice_name="a")
    assert enough.plan_polygons(a) == enough.plan(a)
    (across,) = make_study(preset, slice_name="d").slices
    with pytest.raises(
        SurfaceError, match=r"slice d has no polygonal cells: .*; choose a slice within"
    ):
        study.plan_polygons(across)


def names(study: Study) -> list[str]:
    return [slice.name for slice in study.slices]


def test_all_slices_without_a_choice(preset):
    assert names(make_study(preset)) == ["a", "b", "c", "d", "e"]


def test_slices_by_name_layer_or_kind(preset):
    assert names(make_study(preset, slice_name="e")) == ["e"]
    assert names(make_study(preset, layer=1)) == ["a", "b"]
    assert names(make_study(preset, layer=3)) == ["c"]
    assert names(make_study(preset, cross_layer=True)) == ["d"]


def test_a_layer_without_a_slice_gets_one(preset):
    study = make_study(preset, layer=2)
    (slice,) = study.slices
    assert slice.moved == (2,)
    assert slice.kind == "within-layer"
    assert not slice.origin[2].any()
    assert len(study.remarks) == 1
    assert "has no slice within layer 2" in study.remarks[0]
    assert make_study(preset, layer=1).remarks == ()


def test_a_preset_without_a_slice_across_layers_gets_one(tmp_path):
    path = tmp_path / "within.yaml"
    path.write_text(PRESET.replace("  d: {u: 1, v: 3}\n  e: {u: [1, 2], v: [3]}\n", ""))
    study = make_study(str(path), cross_layer=True)
    (slice,) = study.slices
    assert slice.kind == "across-layers"
    assert (set(slice.along_u), set(slice.along_v)) == ({1}, {2})
    assert "across layers" in study.remarks[0]


def test_choices_that_cannot_be(preset, tmp_path):
    with pytest.raises(SurfaceError, match="mine has no slice 'x'; it has a, b, c, d, e"):
        make_study(preset, slice_name="x")
    with pytest.raises(SurfaceError, match="4 is not a layer of mine; choose 1 to 3"):
        make_study(preset, layer=4)
    with pytest.raises(ChoiceError, match="0 is not a layer"):
        make_study(preset, layer=0)
    path = tmp_path / "one.yaml"
    path.write_text("network: {widths: [2, 1]}\ndata: {samples: 3}\nslices: {a: {layer: 1}}\n")
    with pytest.raises(SurfaceError, match="one layer; a slice across layers needs two"):
        make_study(str(path), cross_layer=True)
    with pytest.raises(SurfaceError, match=r"choose 1$"):
        make_study(str(path), layer=2)


def test_options_go_before_the_preset(preset):
    study = make_study(preset)
    assert study.window == Window(-1, 2, -0.5, 0.25)
    assert study.resolution == (RESOLUTION["modern"],) * 2
    assert make_study(preset, style="post").resolution == (41, 41)
    chosen = make_study(preset, window=Window(0, 1, 0, 2), resolution=(5, 7), style="post")
    assert (chosen.window, chosen.resolution) == (Window(0, 1, 0, 2), (5, 7))
    assert chosen.style == "post"


def test_the_preset_goes_before_the_style(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(PRESET + "resolution: [9, 8]\nfigure: {style: post}\n")
    study = make_study(str(path))
    assert (study.style, study.resolution) == ("post", (9, 8))


def test_a_seed_draws_everything_anew(preset):
    first, again, other = (make_study(preset, seed=s) for s in (1, 1, 2))
    for one, two, three in zip(first.slices, again.slices, other.slices, strict=True):
        assert one.objective.error() == two.objective.error() != three.objective.error()
        layer = one.first_moved
        assert (one.along_u[layer] == two.along_u[layer]).all()
        assert (one.along_u[layer] != three.along_u[layer]).any()


def test_a_grid_is_that_of_loops(preset):
    study = make_study(preset, resolution=(4, 3))
    for slice in study.slices:
        grid = study.sample(slice)
        assert grid.u.tolist() == [-1, 0, 1, 2]
        for row, column in np.ndindex(3, 4):
            expected = slice_error_by_loops(slice, grid.u[column], grid.v[row])
            assert grid.error[row, column] == pytest.approx(expected, rel=1e-10)


def test_a_result_keeps_its_evidence(preset):
    study = make_study(preset, resolution=(9, 7), slice_name="a")
    result = study.examine(study.slices[0])
    assert result.study is study
    assert result.slice is result.verdict.slice is study.slices[0]
    assert result.grid.error.shape == (7, 9)
    assert result.verdict.claim.applies
    assert result.verdict.lowest.value <= result.grid.error.min()


# --- Before a run ---------------------------------------------------------------------------------


def test_nothing_is_said_of_quick_grids(preset):
    assert make_study(preset).announcement() is None


def test_long_grids_are_announced(preset):
    study = make_study(preset, resolution=(20000, 5000))
    message = study.announcement()
    assert message is not None
    assert message.startswith("20000 x 5000 points on 5 slices: about ")
    assert message.endswith("and 763 MiB; a smaller --resolution is faster")  # 8 * 1e8 bytes


def test_grids_that_cannot_be_held_are_refused(preset):
    study = make_study(preset, resolution=(200000, 200000))
    with pytest.raises(SurfaceError, match=r"needs 298\.0 GiB; choose a smaller --resolution"):
        study.announcement()


def test_estimates_are_those_of_the_slice(preset):
    study = make_study(preset, resolution=(10, 30))
    costs = {slice.name: study.estimate(slice) for slice in study.slices}
    assert {cost.bytes for cost in costs.values()} == {8 * 300}
    assert costs["c"].way == "fan"
    assert costs["d"].way == "columns"
    assert costs["a"].way == costs["e"].way.replace("columns", "forward") == "forward"


def test_errors_beyond_numbers_are_refused(preset):
    study = make_study(preset, window=Window(-1e80, 1e80, -1e80, 1e80), slice_name="e")
    with pytest.raises(SurfaceError, match=r"slice e: E exceeds 1e\+150 in the window"):
        study.sample(study.slices[0])


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "less than 1 s"),
        (12.3, "about 12 s"),
        (300.0, "about 5 min"),
        (11_160.0, "about 3.1 h"),
        (500 * 3600.0, "about 21 days"),
        (1e13, "more than a year"),
    ],
)
def test_times_are_told_so_that_they_can_be_read(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_budget_is_advised_where_one_can_wait_for_it() -> None:
    window = Window(-1, 1, -1, 1)
    few = make_study("post", slice_name="E1", window=window, budget=10)
    remark = few.plan(few.slices[0]).remark
    assert remark is not None
    assert "they would take less than 1 s" in remark
    assert remark.endswith("sampled instead; a smaller --window, or --budget 792 makes it exact")


def test_no_budget_is_advised_for_cells_that_take_years(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surfacecli.study.expect_cells", lambda *_: 10**13)
    many = make_study("post", slice_name="E1", method="exact")
    with pytest.raises(SurfaceError) as caught:
        many.plan(many.slices[0])
    assert str(caught.value) == (
        "slice E1 has about 1e+13 cells in this window, past the budget of 100,000; "
        "they would take more than a year; choose a smaller --window, or --method sampled"
    )
