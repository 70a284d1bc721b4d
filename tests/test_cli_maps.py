"""`surface plot --show`: maps of a layer's Hessian as a user asks for them."""

import json
import os
from functools import partial
from pathlib import Path

import pytest

from surfacecli import mapping
from surfacecli.figures import read_provenance

TINY = """
network: {widths: [2, 3, 1], weights: {seed: 1}}
data: {samples: 3, seed: 2}
slices:
  E1: {layer: 1}
  E12: {u: 1, v: 2}
resolution: 9
figure: {style: post}
"""


@pytest.fixture
def run(run, tmp_path: Path):
    (tmp_path / "tiny.yaml").write_text(TINY)
    return partial(run, "plot", "tiny.yaml")


def test_a_map_of_each_slice(run, tmp_path):
    lines = run("--show", "rank").stdout.splitlines()
    assert lines[0].startswith("wrote outputs/tiny-E1-rank.png: rank of layer 1 from ")
    assert lines[0].endswith(", in every cell")
    assert lines[1].startswith("wrote outputs/tiny-E12-rank.png: rank of layer 1")
    assert lines[1].endswith(", in every cell")
    assert sorted(os.listdir(tmp_path / "outputs")) == ["tiny-E1-rank.png", "tiny-E12-rank.png"]


@pytest.mark.parametrize(
    ("show", "words"),
    [
        ("curvature", "smallest eigenvalue of layer 2 0, sampled"),
        ("trace", "trace of layer 2 from "),
        ("rank", "rank of layer 2 from "),
        ("dead", "dead units of layer 2 from 0% to 100%, in every cell"),
    ],
)
def test_of_another_layer(run, tmp_path, show, words):
    result = run("--slice", "E1", "--show", show, "--of", "2", "--format", "svg")
    assert result.stdout.startswith(f"wrote outputs/tiny-E1-{show}-layer2.svg: {words}")


def test_the_document_tells_of_the_map(run, tmp_path):
    document = json.loads(run("--show", "dead", "--json").stdout)
    within, across = document["figures"]
    shown = within["map"]
    assert (shown["show"], shown["layer"], shown["exact"]) == ("dead", 1, True)
    assert 0 <= shown["smallest"] < shown["largest"] <= 1
    assert (shown["places"], across["map"]["places"]) == ("cells", "cells")
    assert across["map"]["exact"] is True
    assert {"stationary_points", "audit"} <= set(within)
    provenance = read_provenance(tmp_path / within["file"])
    assert provenance["map"] == shown
    assert provenance["style"] == "modern"
    plain = json.loads(run("--slice", "E1", "--json").stdout)["figures"][0]
    assert not {"map", "paths"} & set(plain)


@pytest.mark.parametrize(
    "options", [["--style", "cells"], ["--style", "modern"], ["--panel"], ["--fill", "rank"]]
)
def test_a_map_has_no_other_style(run, options):
    message = run("--show", "rank", *options, status=2).stderr
    assert "leave out --style, --fill and --panel" in message


def test_what_cannot_be(run):
    assert "--of belongs to --show" in run("--of", "1", status=2).stderr
    message = run("--show", "rank", "--of", "3", status=2).stderr
    assert "3 is not a layer of tiny; choose 1 to 2" in message
    assert "Traceback" not in message


def test_long_maps_are_announced_and_too_large_ones_refused(run, monkeypatch):
    monkeypatch.setattr(mapping, "LONG", 1e-6)
    message = run("--slice", "E12", "--show", "rank").stderr
    assert (
        "slice E12: the rank of layer 1 at 8 points: less than 1 s; a smaller --window" in message
    )
    message = run("--slice", "E12", "--show", "trace", "--method", "sampled").stderr
    assert "the trace of layer 1 at 81 points: less than 1 s; a smaller --resolution" in message
    assert "the rank" not in run("--slice", "E12", "--show", "rank", "--quiet").stderr
    monkeypatch.setattr(mapping, "TOO_MANY", 5)
    message = run("--slice", "E12", "--show", "rank", status=1).stderr
    assert "numbers of memory at every point; choose --show dead" in message
