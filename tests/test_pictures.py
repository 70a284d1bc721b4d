"""From results to pictures: what a figure's file says of where it comes from."""

import json
from pathlib import Path

import pytest

from surfacecli.documents import verdict_document
from surfacecli.geometry.section import take_section
from surfacecli.outputs import json_text
from surfacecli.pictures import draw, file_name, picture_of, provenance_of, section_picture
from surfacecli.study import Result, make_study
from surfacecli.words import count_words, plural


@pytest.fixture(scope="module")
def result() -> Result:
    study = make_study("post", slice_name="E1", resolution=(9, 7))
    return study.examine(study.slices[0])


def test_picture_holds_the_result(result: Result) -> None:
    picture = picture_of(result)
    assert picture.error is result.grid.error
    assert picture.points == result.verdict.points
    assert picture.formula == "W1 = uU + vV"
    assert not picture.sampled
    for part in ("preset post", "slice E1", "seed 119", "weights seed 60", "data seed 13", "9 x 7"):
        assert part in picture.provenance


def test_draw(result: Result) -> None:
    assert draw(result).axes
    assert draw(result, "post").axes


def test_provenance_makes_it_again(result: Result, tmp_path: Path) -> None:
    """The preset text and the choices of the metadata give the same surface."""
    provenance = json.loads(json_text(provenance_of(result.study, result.slice)))
    (tmp_path / "again.yaml").write_text(str(provenance["preset_text"]))
    again = make_study(
        str(tmp_path / "again.yaml"),
        slice_name=next(iter(provenance["slices"])),
        resolution=tuple(provenance["resolution"]),
    )
    assert (again.sample(again.slices[0]).error == result.grid.error).all()


def test_provenance_names_no_place_of_the_machine(result: Result) -> None:
    text = json_text(provenance_of(result.study, result.slice))
    assert str(Path.home()) not in text
    assert str(Path.cwd()) not in text


def test_file_names(result: Result) -> None:
    study = result.study
    assert file_name(study, "E1", "png") == "post-E1.png"
    other = make_study("post", style="post")
    assert file_name(other, "E1", "pdf") == "post-E1-post.pdf"
    narrow = make_study("post", style="post", size="column")
    assert file_name(narrow, "E1", "pdf") == "post-E1-post-column.pdf"


def test_section_picture(result: Result) -> None:
    line = take_section(result.slice, (-1, 0.5), (1, 0.25), 11)
    picture = section_picture(result.study, result.slice, line)
    assert (picture.start, picture.end) == ((-1, 0.5), (1, 0.25))
    assert picture.section is line


def test_document_is_plain_json(result: Result) -> None:
    document = json.loads(json_text(verdict_document(result)))
    assert document["minimum"]["error"] == result.verdict.lowest.value
    peak = next(p for p in document["stationary_points"] if p["kind"] == "maximum")
    assert len(peak["kinks"]) > 100
    assert set(peak["kinks"][0]) == {"layer", "unit", "sample"}


def test_words(result: Result) -> None:
    assert plural("smooth minimum", 1) == "1 smooth minimum"
    assert plural("kinked maximum", 3) == "3 kinked maxima"
    assert plural("valley (saddle)", 2) == "2 valleys (saddle)"
    assert plural("ridge (maximum)", 2) == "2 ridges (maximum)"
    assert count_words(result.verdict.points).startswith("1 kinked maximum, ")
    assert count_words([]) == ""
