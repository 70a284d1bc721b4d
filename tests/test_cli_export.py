"""`surface export`: what it writes, read back, and what it refuses."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from oracles import slice_error_by_loops

from surfacecli.cli.main import surface
from surfacecli.formats import FORMATS
from surfacecli.geometry import grids
from surfacecli.presets import load_preset

PRESET = """
network: {widths: [2, 3, 2], transfer: relu, weights: {seed: 4}}
data: {samples: 3, seed: 5}
slices:
  first: {layer: 1, origin: weights}
  last: {layer: 2}
  both: {u: 1, v: 2}
window: {u: [-1, 2], v: [-0.5, 0.25]}
resolution: [4, 3]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(PRESET, encoding="utf-8")
    Path("single.yaml").write_text(
        PRESET.replace("  last: {layer: 2}\n  both: {u: 1, v: 2}\n", ""), encoding="utf-8"
    )
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(surface, ["export", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def refused(*arguments: str, status: int = 1) -> str:
    before = sorted(Path().iterdir())
    result = run(*arguments)
    assert result.exit_code == status
    assert sorted(Path().iterdir()) == before
    assert not result.stdout
    return result.stderr


def test_npz_holds_the_contract():
    result = run("mine.yaml", "--slice", "both", "out.npz")
    assert result.exit_code == 0
    assert result.stdout == "wrote out.npz: both, 4 x 3 points\n"
    with np.load("out.npz") as file:
        u, v, error = file["u"], file["v"], file["error"]
    assert u.tolist() == [-1, 0, 1, 2]
    assert v == pytest.approx([-0.5, -0.125, 0.25])
    assert error.shape == (3, 4)
    slice = load_preset("mine.yaml").slices["both"]
    for row, column in np.ndindex(3, 4):
        expected = slice_error_by_loops(slice, u[column], v[row])
        assert error[row, column] == pytest.approx(expected)


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_by_its_suffix(suffix):
    assert run("mine.yaml", "--slice", "last", f"out{suffix.upper()}").exit_code == 0
    content = Path(f"out{suffix.upper()}").read_bytes()
    assert b"made by surfacecli" in content
    starts = {".npz": b"PK", ".csv": b"#", ".obj": b"#", ".ply": b"ply\n", ".vtk": b"# vtk"}
    assert content.startswith(starts[suffix])


def test_csv_has_the_same_numbers_as_npz():
    run("mine.yaml", "--slice", "first", "a.npz")
    run("mine.yaml", "--slice", "first", "a.csv")
    lines = [line for line in Path("a.csv").read_text().splitlines() if not line.startswith("#")]
    rows = [[float(x) for x in row.values()] for row in csv.DictReader(lines)]
    with np.load("a.npz") as file:
        expected = {
            (u, v): file["error"][i, j]
            for i, v in enumerate(file["v"])
            for j, u in enumerate(file["u"])
        }
    assert {(u, v): error for u, v, error in rows} == expected


def test_provenance_makes_the_file_again():
    run("mine.yaml", "--slice", "last", "--seed", "8", "--resolution", "5x2", "out.npz")
    with np.load("out.npz") as file:
        provenance, error = json.loads(str(file["provenance"])), file["error"]
    assert provenance["preset"] == "mine"
    assert provenance["preset_text"] == PRESET
    assert list(provenance["slices"]) == ["last"]
    assert provenance["resolution"] == [5, 2]
    assert provenance["window"] == {"u": [-1, 2], "v": [-0.5, 0.25]}
    assert set(provenance["seeds"].values()) == {8}
    assert provenance["versions"]["numpy"] == np.__version__
    assert str(Path().resolve()) not in json.dumps(provenance)
    Path("again.yaml").write_text(provenance["preset_text"], encoding="utf-8")
    run("again.yaml", "--slice", "last", "--seed", "8", "--resolution", "5x2", "again.npz")
    with np.load("again.npz") as file:
        assert (file["error"] == error).all()


def test_the_same_command_writes_the_same_bytes():
    for name in ("a.npz", "b.npz"):
        run("mine.yaml", "--slice", "both", name)
    assert Path("a.npz").read_bytes() == Path("b.npz").read_bytes()


def test_options_of_the_grid():
    result = run("mine.yaml", "--layer", "2", "--window", "0:1,2:4", "--resolution", "3", "o.npz")
    assert result.exit_code == 0
    with np.load("o.npz") as file:
        assert file["u"].tolist() == [0, 0.5, 1]
        assert file["v"].tolist() == [2, 3, 4]
    assert run("mine.yaml", "--cross-layer", "c.npz").stdout.startswith("wrote c.npz: both")


def test_json_is_one_document():
    result = run("mine.yaml", "--slice", "both", "deeper/out.npz", "--json")
    document = json.loads(result.stdout)
    with np.load("deeper/out.npz") as file:
        error = file["error"]
    assert document == {
        "preset": "mine",
        "slice": "both",
        "file": "deeper/out.npz",
        "resolution": [4, 3],
        "lowest": error.min(),
        "highest": error.max(),
    }


def test_without_a_preset_it_is_the_post():
    result = run("--slice", "E2", "--resolution", "3", "out.npz")
    assert result.stdout == "wrote out.npz: E2, 3 x 3 points\n"
    with np.load("out.npz") as file:
        assert json.loads(str(file["provenance"]))["preset"] == "post"


def test_a_preset_with_one_slice_needs_no_choice():
    assert run("single.yaml", "out.npz").exit_code == 0


# --- Refused --------------------------------------------------------------------------------------


def test_several_slices_are_refused_by_their_names():
    assert refused("mine.yaml", "out.npz") == (
        "surface: a file holds one slice, and these of mine fit: first, last, both; "
        "choose one, as --slice first\n"
    )


@pytest.mark.parametrize("name", ["out.png", "out", "out.npz.bak", ".npz"])
def test_an_unknown_suffix_is_refused_before_anything_is_computed(monkeypatch, name):
    def never(*_: object) -> None:
        raise AssertionError("sampled")

    for way in grids.WAYS.values():
        monkeypatch.setattr(way, "sample", never)
    message = refused("mine.yaml", "--slice", "both", name)
    assert message.startswith(f"surface: {name}: ")
    assert message.endswith("choose .npz, .csv, .obj, .ply, .vtk\n")


def test_foreign_files_are_kept():
    Path("out.npz").write_bytes(b"someone else's")
    assert "out.npz exists and was not made by surface" in refused(
        "mine.yaml", "--slice", "both", "out.npz"
    )
    assert Path("out.npz").read_bytes() == b"someone else's"
    assert run("mine.yaml", "--slice", "both", "out.npz", "--force").exit_code == 0
    assert run("mine.yaml", "--slice", "last", "out.npz").exit_code == 0  # its own file


def test_wrong_use():
    assert "give one FILE to write" in refused(status=2)
    assert "give one FILE to write" in refused("mine.yaml", "a.npz", "b.npz", status=2)
    assert "not several" in refused("mine.yaml", "a.npz", "--slice", "x", "--layer", "1", status=2)
    assert "is no resolution" in refused("mine.yaml", "a.npz", "--resolution", "1.5", status=2)


def test_mistakes_are_one_message():
    assert refused("mine.yaml", "--slice", "E9", "a.npz", status=2) == (
        "surface: mine has no slice 'E9'; it has first, last, both\n"
    )
    assert "nowhere" in refused("nowhere.yaml", "--slice", "E1", "a.npz")
    assert "E exceeds" in refused("mine.yaml", "--slice", "both", "--window", "-1e80:1e80", "a.npz")
