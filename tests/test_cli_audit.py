"""`surface audit` and `surface export --cells` as a user types them."""

import io
import itertools
import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from oracles import slice_error_by_loops

from surfacecli import make_study
from surfacecli.figures import read_provenance
from surfacecli.geometry.exact.points import examine_cells
from surfacecli.geometry.missed import find_missed
from surfacecli.geometry.surface import linear_pieces

TINY = """
title: A small net
network: {widths: [2, 3, 1], weights: {seed: 1}, transfer: [leaky_relu, identity], biases: true}
data: {samples: 3, seed: 2}
slices:
  E1: {layer: 1, origin: weights}
  E2: {layer: 2}
  E12: {u: 1, v: 2}
window: {u: [-1, 2], v: [-1.5, 1]}
resolution: [13, 9]
"""


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)


# audit


def test_audit_document(run):
    document = json.loads(run("audit", "tiny.yaml", "--slice", "E1", "--json").stdout)
    assert document["preset"] == "tiny"
    (found,) = document["slices"]
    study = make_study("tiny.yaml")
    slice = study.preset.slices["E1"]
    exact = examine_cells(slice, study.window)
    missed = find_missed(exact, study.sample(slice))
    assert found["resolution"] == [13, 9]
    assert found["cells"] == len(exact.cells)
    assert found["unvisited"]["cells"] == np.count_nonzero(missed.visits == 0)
    assert found["unvisited"]["share"] == np.count_nonzero(missed.visits == 0) / len(exact.cells)
    assert found["unvisited"]["area"] == missed.areas[missed.visits == 0].sum() / missed.areas.sum()
    for kind in ("minimum", "maximum", "saddle"):
        claims = missed.claims[kind]
        assert found["shown"][kind]["count"] == len(claims.places)
        assert [(p["u"], p["v"]) for p in found["shown"][kind]["false"]] == [
            tuple(place) for place in claims.places[~claims.true]
        ]
    assert len(found["unshown"]) == len(missed.unshown)
    assert found["minimum"]["error"] == exact.lowest[2]
    assert found["lowest_grid_point"]["error"] == missed.grid.error.min()
    assert found["gap"] == missed.grid.error.min() - exact.lowest[2] >= 0
    differences = found["difference_hessians"]
    assert 0 < differences["judged"] <= 11 * 7
    assert differences["share"] == differences["wrong"] / differences["judged"]
    assert differences["worst"]["claimed"] == missed.differences.claimed.min()
    assert found["audit"] == {"sum": 1, "expected": 1, "complete": True}
    assert found["file"] == "outputs/tiny-E1-audit.png"
    assert Path(found["file"]).read_bytes().startswith(b"\x89PNG")


def test_audit_table_and_answer(run):
    result = run("audit", "tiny.yaml", "--slice", "E1", "--resolution", "5")
    document = json.loads(
        run("audit", "tiny.yaml", "--slice", "E1", "--resolution", "5", "--json").stdout
    )
    (found,) = document["slices"]
    text = re.sub(r"\s+", " ", result.stdout)
    assert "a grid of 5 x 5 points" in text
    assert f"cells {found['cells']} " in text
    assert f"cells without a grid point {found['unvisited']['cells']} (" in text
    hidden = f"{len(found['unshown'])} of {found['stationary_points']}"
    assert f"stationary points that it does not show {hidden}" in text
    assert f"it does not show {hidden} stationary points" in text
    assert f"proven minimum {found['minimum']['error']:.8g}" in text
    assert "wrote outputs/tiny-E1-audit.png" in result.stdout


def test_audit_leaves_out_slices_without_cells(run, tmp_path):
    result = run("audit", "tiny.yaml")
    assert "E12 left out: the kinks of a slice across layers are curves" in result.stderr
    assert sorted(p.name for p in (tmp_path / "outputs").iterdir()) == [
        "tiny-E1-audit.png",
        "tiny-E2-audit.png",
    ]
    assert "E2: all" in result.stdout
    assert "gives every Hessian the right sign" not in result.stderr
    assert "left out" not in run("audit", "tiny.yaml", "-q").stderr


def test_one_quadratic_is_all_there(run):
    (found,) = json.loads(run("audit", "tiny.yaml", "--slice", "E2", "--json").stdout)["slices"]
    assert found["cells"] == 1
    assert found["unvisited"] == {"cells": 0, "share": 0.0, "area": 0.0}
    assert found["difference_hessians"]["wrong"] == 0
    assert found["difference_hessians"]["worst"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("post", "--slice", "E12"),
            "slice E12 has no polygonal cells: the kinks of a slice across layers are curves",
        ),
        (("mixed",), "no polygonal cells"),
        (("tanh", "--slice", "E1"), "need piecewise-linear transfer functions, not tanh"),
        (
            ("tiny.yaml", "--slice", "E1", "--budget", "2"),
            "past the budget of 2; they would take less than 1 s; choose a smaller --window, or",
        ),
    ],
)
@pytest.mark.parametrize("command", ["audit", "export"])
def test_what_has_no_cells_is_one_message(run, tmp_path, command, arguments, words):
    if command == "export":
        preset, *rest = arguments
        if preset == "mixed" or preset == "tanh":
            rest = ["--slice", next(iter(make_study(preset).preset.slices))]
        arguments = (preset, "cells.npz", "--cells", *rest)
    result = run(command, *arguments, status=1)
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tiny.yaml"]


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_figure_holds_its_making(run, tmp_path, suffix):
    run("audit", "tiny.yaml", "--slice", "E1", "--format", suffix, "--output", "a")
    run("audit", "tiny.yaml", "--slice", "E1", "--format", suffix, "--output", "b")
    name = f"tiny-E1-audit.{suffix}"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert read_provenance(tmp_path / "a" / name)["resolution"] == [13, 9]


def test_files_of_others_are_kept(run, tmp_path):
    (tmp_path / "outputs").mkdir()
    foreign = tmp_path / "outputs" / "tiny-E1-audit.png"
    foreign.write_bytes(b"mine")
    assert "was not made by surface" in run("audit", "tiny.yaml", status=1).stderr
    assert foreign.read_bytes() == b"mine"
    run("audit", "tiny.yaml", "--slice", "E1", "--force")
    assert foreign.read_bytes() != b"mine"


# export --cells


def polygon_area(corners: np.ndarray) -> float:
    x, y = corners.T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def check_complex(arrays: dict) -> None:
    """Euler, areas, and E by loops at a point of every third face."""
    slice = make_study("tiny.yaml").preset.slices["E1"]
    places, start = np.array(arrays["vertices"]), np.array(arrays["face_start"])
    ring = np.array(arrays["face_vertices"])
    faces = [places[ring[a:b]] for a, b in itertools.pairwise(start)]
    assert len(places) - len(arrays["edges"]) + len(faces) == 1
    assert sum(map(polygon_area, faces)) == pytest.approx(3 * 2.5)
    for corners, coefficients in list(zip(faces, arrays["face_coefficients"], strict=True))[::3]:
        u, v = corners.mean(axis=0).tolist()
        polynomial = np.array(coefficients) @ [1, u, v, u * u, u * v, v * v]
        assert polynomial == pytest.approx(slice_error_by_loops(slice, u, v), rel=1e-10)


def test_export_npz(run):
    result = run("export", "tiny.yaml", "cells.npz", "--slice", "E1", "--cells", "--json")
    document = json.loads(result.stdout)
    with np.load("cells.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    check_complex(arrays)
    assert json.loads(str(arrays["provenance"]))["preset"] == "tiny"
    assert document["file"] == "cells.npz"
    assert [document[k] for k in ("vertices", "edges", "cells")] == [
        len(arrays["vertices"]),
        len(arrays["edges"]),
        len(arrays["face_start"]) - 1,
    ]
    assert document["stationary_points"] == len(arrays["point_kind"])
    assert document["complete"] is True
    assert arrays["point_index"].sum() == 1
    run("export", "tiny.yaml", "cells.npz", "--slice", "E1", "--cells")  # ours: may be replaced


def test_export_json(run):
    run("export", "tiny.yaml", "cells.json", "--slice", "E1", "--cells")
    document = json.loads(Path("cells.json").read_text(encoding="ascii"))
    check_complex(document)
    described = set(document["fields"])
    assert described == set(document) - {"about", "provenance", "fields", "window", "points"}
    assert document["window"] == {"u": [-1.0, 2.0], "v": [-1.5, 1.0]}
    points = json.loads(run("check-maxima", "tiny.yaml", "--slice", "E1", "--json").stdout)
    (found,) = points["slices"]
    assert document["points"] == [*found["stationary_points"], *found["border"]]
    assert document["point_kind"] == [p["kind"] for p in document["points"]]
    run("export", "tiny.yaml", "cells.json", "--slice", "E1", "--cells")  # ours: may be replaced


def read_obj(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    lines = [line.split() for line in content.decode().splitlines()]
    vertices = [[float(x) for x in line[1:]] for line in lines if line[0] == "v"]
    triangles = [[int(x) - 1 for x in line[1:]] for line in lines if line[0] == "f"]
    return np.array(vertices), np.array(triangles)


def read_ply(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    head, body = content.split(b"end_header\n", 1)
    n, m = (int(re.search(rb"element %b (\d+)" % what, head)[1]) for what in (b"vertex", b"face"))
    vertices = np.array(list(struct.iter_unpack("<4d", body[: 32 * n])))
    triangles = np.array(list(struct.iter_unpack("<B3i", body[32 * n :])))
    assert len(triangles) == m
    return vertices[:, :3], triangles[:, 1:]


def read_vtk(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    file = io.BytesIO(content)
    while not (line := file.readline()).startswith(b"POINTS"):
        assert line
    vertices = np.frombuffer(file.read(24 * int(line.split()[1])), ">f8").reshape(-1, 3)
    file.readline()
    count = int(file.readline().split()[1])
    return vertices, np.frombuffer(file.read(16 * count), ">i4").reshape(-1, 4)[:, 1:]


@pytest.mark.parametrize(
    ("suffix", "read"), [("obj", read_obj), ("ply", read_ply), ("vtk", read_vtk)]
)
def test_export_meshes(run, suffix, read):
    name = f"mesh.{suffix}"
    arguments = ("export", "tiny.yaml", name, "--slice", "E1", "--cells")
    document = json.loads(run(*arguments, "--json").stdout)
    vertices, triangles = read(Path(name).read_bytes())
    assert (document["mesh_vertices"], document["triangles"]) == (len(vertices), len(triangles))
    corners = vertices[triangles][:, :, :2]
    areas = np.array([polygon_area(triangle) for triangle in corners])
    assert areas.min() > 0
    assert areas.sum() == pytest.approx(3 * 2.5)
    slice = make_study("tiny.yaml").preset.slices["E1"]
    for u, v, error in vertices[::9].tolist():
        assert error == pytest.approx(slice_error_by_loops(slice, u, v), rel=1e-9)
    # No triangle crosses a kink: near its corners, inside, the pattern is that of its middle.
    middle = corners.mean(axis=1, keepdims=True)
    inner = corners + 1e-3 * (middle - corners)
    patterns = linear_pieces(slice, inner[:, :, 0].ravel(), inner[:, :, 1].ravel())
    patterns = patterns.reshape(len(triangles), 3, -1)
    assert (patterns == patterns[:, :1]).all()
    # The usual size is the spacing of the grid; a third of it needs several times as many.
    extent = np.ptp(corners, axis=1) / (3 / 12, 2.5 / 8)
    assert 0.5 < extent.max() <= 2.0
    run(*arguments, "--mesh-size", "0.08")
    assert len(read(Path(name).read_bytes())[1]) > 3 * len(triangles)


def test_a_mesh_too_large_is_refused(run, tmp_path):
    arguments = ("tiny.yaml", "m.ply", "--slice", "E1", "--cells", "--mesh-size", "1e-6")
    result = run("export", *arguments, status=1)
    assert "choose a larger --mesh-size" in result.stderr
    assert not (tmp_path / "m.ply").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("cells.csv", "--cells"), 1, ".csv is no format of cells; choose .npz, .json, .obj"),
        (("cells.json",), 1, ".json is no format of surfaces; choose .npz, .csv"),
        (("cells.npz", "--cells", "--mesh-size", "1"), 2, "--mesh-size is for --cells and a mesh"),
        (("mesh.obj", "--mesh-size", "1"), 2, "--mesh-size is for --cells and a mesh"),
        (("mesh.obj", "--cells", "--mesh-size", "0"), 2, "--mesh-size"),
        (("cells.npz", "--cells"), 1, "a file holds one slice"),
    ],
)
def test_wrong_exports(run, tmp_path, arguments, status, words):
    result = run("export", "tiny.yaml", *arguments, status=status)
    assert words in result.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tiny.yaml"]
