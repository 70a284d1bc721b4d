"""Presets: what the keys mean, where relative files lie, and every mistake at its place."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from surfacecli.errors import PresetError, SurfaceError
from surfacecli.network.data import random_data
from surfacecli.network.model import random_network
from surfacecli.network.transfers import TRANSFERS
from surfacecli.presets import load_preset, preset_path, shipped_presets
from surfacecli.reading import shipped
from surfacecli.reading.ledger import MOST_NUMBERS

REPOSITORY = Path(__file__).resolve().parent.parent
REST = "data: {samples: 3}\nslices: {a: {layer: 1}}\n"

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a text as x.yaml into an empty working folder and gives the name."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "x.yaml") -> str:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
        return name

    return write


def problems_of(source: str) -> list[str]:
    with pytest.raises(PresetError) as caught:
        load_preset(source)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)


# What the keys mean.


def test_defaults(write: Write) -> None:
    preset = load_preset(write("network: {widths: [3, 4, 2]}\n" + REST))
    network = random_network([3, 4, 2], [TRANSFERS["relu"]] * 2, 0)
    data = random_data(3, 3, 2, 0)
    assert [f.name for f in preset.objective.network.transfers] == ["relu", "relu"]
    for mine, theirs in zip(preset.objective.network.weights, network.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert preset.objective.network.biases == (None, None)
    np.testing.assert_array_equal(preset.objective.data.inputs, data.inputs)
    np.testing.assert_array_equal(preset.objective.data.targets, data.targets)
    assert preset.objective.loss.name == "squared"
    assert (preset.name, preset.title, preset.style) == ("x", "x", "modern")
    assert preset.resolution is None
    assert (preset.window.u0, preset.window.u1, preset.window.v0, preset.window.v1) == (-1, 1) * 2
    assert preset.seeds == {"weights": 0, "data": 0, "directions": 0}
    assert preset.files == (Path("x.yaml"),)
    assert not preset.slices["a"].origin[1].any()
    assert preset.slices["a"].kind == "within-layer"


FULL = """\
title: All keys
network:
  widths: [3, 4, 5, 2]
  transfer: [tanh, {leaky_relu: 0.25}, identity]
  weights: {seed: 5}
  biases: true
data: {samples: 7, seed: 6}
loss: cross_entropy
slices:
  z: {layer: 2, origin: weights, directions: {seed: 7, scale: filter}}
  a: {u: 1, v: 3}
  m: {u: [1, 2], v: 3, directions: {seed: 7}}
window: {u: [-2, 1], v: [0, 3.5]}
resolution: [31, 17]
figure: {style: post}
"""


def test_every_key_is_heard(write: Write) -> None:
    preset = load_preset(write(FULL))
    network = preset.objective.network
    assert network.widths == (3, 4, 5, 2)
    assert [f.name for f in network.transfers] == ["tanh", "leaky_relu", "identity"]
    assert network.transfers[1].slopes == (0.25, 1.0)
    assert [b.shape for b in network.biases if b is not None] == [(4,), (5,), (2,)]
    assert preset.objective.loss.name == "cross_entropy"
    # Targets that suit the loss: one class each.
    assert (np.sort(preset.objective.data.targets, axis=1) == [0.0, 1.0]).all()
    assert list(preset.slices) == ["z", "a", "m"]
    assert [s.kind for s in preset.slices.values()] == ["within-layer", "across-layers", "mixed"]
    assert {n: set(s.moved) for n, s in preset.slices.items()} == {
        "z": {2},
        "a": {1, 3},
        "m": {1, 2, 3},
    }
    z = preset.slices["z"]
    np.testing.assert_array_equal(z.origin[2], network.weights[1])
    for row in range(5):
        length = sum(x * x for x in network.weights[1][row])
        assert sum(x * x for x in z.along_u[2][row]) == pytest.approx(length)
        assert sum(x * x for x in z.along_v[2][row]) == pytest.approx(length)
    assert (preset.window.u0, preset.window.u1) == (-2, 1)
    assert (preset.window.v0, preset.window.v1) == (0, 3.5)
    assert preset.resolution == (31, 17)
    assert (preset.title, preset.style, preset.text) == ("All keys", "post", FULL)
    assert preset.seeds == {
        "weights": 5,
        "data": 6,
        "directions.z": 7,
        "directions.a": 0,
        "directions.m": 7,
    }
    assert z.note == "origin weights, filter directions, seed 7"


def test_a_seed_replaces_every_seed(write: Write) -> None:
    preset, other = load_preset(write(FULL), seed=9), load_preset(write(FULL), seed=10)
    assert preset.seeds == {"weights": 9, "data": 9, "directions": 9}
    drawn = random_network([3, 4, 5, 2], preset.objective.network.transfers, 9, True)
    np.testing.assert_array_equal(preset.objective.network.weights[2], drawn.weights[2])
    assert (preset.slices["a"].along_u[1] != other.slices["a"].along_u[1]).all()
    assert (preset.objective.data.inputs != other.objective.data.inputs).all()
    with pytest.raises(SurfaceError, match="-1"):
        load_preset("x.yaml", seed=-1)


def test_one_resolution_serves_both_axes(write: Write) -> None:
    text = "network: {widths: [3, 4, 2]}\nresolution: 21\n"
    assert load_preset(write(text + REST)).resolution == (21, 21)


@pytest.fixture
def files(write: Write) -> dict[str, np.ndarray]:
    """A folder `sub` with a network 2-3-1 (b2 only), data and directions; gives the arrays."""
    draw = np.random.default_rng(8)
    shapes = {
        "net": {"W1": (3, 2), "W2": (1, 3), "b2": (1,)},
        "data": {"inputs": (5, 2), "targets": (5, 1)},
        "dirs": {"U1": (3, 2), "V1": (3, 2), "U2": (1, 3), "V2": (1, 3)},
    }
    os.mkdir("sub")
    arrays = {}
    for name, parts in shapes.items():
        drawn = {key: draw.standard_normal(shape) for key, shape in parts.items()}
        np.savez(f"sub/{name}.npz", **drawn)
        arrays.update(drawn)
    return arrays


FILES = """\
network: {weights: {file: net.npz}, transfer: [abs, identity]}
data: {file: data.npz}
slices:
  a: {layer: 1, directions: {file: dirs.npz}}
  b: {u: 2, v: [1, 2], origin: weights, directions: {file: dirs.npz, scale: filter}}
"""


def test_files_lie_beside_the_preset(write: Write, files: dict[str, np.ndarray]) -> None:
    preset = load_preset(write(FILES, "sub/x.yaml"))
    network = preset.objective.network
    assert preset.files == tuple(
        Path("sub", name) for name in ("x.yaml", "net.npz", "data.npz", "dirs.npz")
    )
    np.testing.assert_array_equal(network.weights[0], files["W1"])
    np.testing.assert_array_equal(network.weights[1], files["W2"])
    assert network.biases[0] is None
    np.testing.assert_array_equal(network.biases[1], files["b2"])
    np.testing.assert_array_equal(preset.objective.data.inputs, files["inputs"])
    np.testing.assert_array_equal(preset.objective.data.targets, files["targets"])
    a, b = preset.slices.values()
    np.testing.assert_array_equal(a.along_u[1], files["U1"])
    np.testing.assert_array_equal(a.along_v[1], files["V1"])
    assert (set(b.along_u), set(b.along_v)) == ({2}, {1, 2})
    ratio = np.linalg.norm(files["W2"]) / np.linalg.norm(files["U2"])
    np.testing.assert_allclose(b.along_u[2], ratio * files["U2"])
    np.testing.assert_array_equal(b.origin[1], files["W1"])
    assert a.note == "origin zero, directions from dirs.npz"
    assert b.note == "origin weights, directions from dirs.npz, filter-normalised"
    assert preset.seeds == {}
    # E by hand at one point of slice a.
    u, v = 0.3, -0.7
    W = u * files["U1"] + v * files["V1"]
    error = 0.0
    for x, y in zip(files["inputs"], files["targets"], strict=True):
        error += float((files["W2"] @ abs(W @ x) + files["b2"] - y)[0] ** 2)
    at = a.network_at(u, v)
    _, activations = at.forward(preset.objective.data.inputs)
    assert np.square(activations[-1] - files["targets"]).sum() == pytest.approx(error)


def test_a_file_of_weights_may_be_confirmed(write: Write, files: dict[str, np.ndarray]) -> None:
    text = FILES.replace("transfer", "widths: [2, 3, 1], biases: true, transfer")
    assert load_preset(write(text, "sub/x.yaml")).objective.network.widths == (2, 3, 1)


def test_bundled_data(write: Write) -> None:
    text = "network: {widths: [4, 3]}\ndata: {bundled: iris}\nslices: {a: {layer: 1}}\n"
    preset = load_preset(write(text))
    with np.load(REPOSITORY / "presets/data/iris.npz") as stored:
        np.testing.assert_array_equal(preset.objective.data.inputs, stored["inputs"])
    assert preset.files[1].name == "iris.npz"


# Names and places.


def test_shipped_presets_are_found_from_anywhere(write: Write) -> None:
    names = sorted(path.stem for path in (REPOSITORY / "presets").glob("*.yaml"))
    assert shipped_presets() == names
    assert "post" in names
    write("", "post/x.yaml")  # a folder of that name is no rival
    # The checkout's own file, or its copy in an installed package.
    theirs = REPOSITORY / "presets" / "post.yaml"
    assert preset_path("post").read_bytes() == theirs.read_bytes()
    assert preset_path("./post") == Path("post")


@pytest.mark.parametrize("name", shipped_presets())
def test_shipped_presets_load(name: str) -> None:
    preset = load_preset(name)
    assert preset.name == name
    assert preset.title != name
    assert np.isfinite(preset.objective.error())


def test_installed_presets_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As in a wheel: surfacecli/presets/ beside the modules, no pyproject.toml above.
    module = tmp_path / "surfacecli" / "reading" / "shipped.py"
    monkeypatch.setattr(shipped, "__file__", str(module))
    with pytest.raises(PresetError, match="missing from this installation"):
        shipped.shipped_folder()
    (tmp_path / "surfacecli" / "presets").mkdir(parents=True)
    (tmp_path / "surfacecli" / "presets" / "only.yaml").touch()
    assert shipped.shipped_presets() == ["only"]


def test_unknown_names_are_answered_with_what_exists(write: Write) -> None:
    assert "did you mean 'post'?" in problems_of("pots")[0]
    assert "post-linear" in problems_of("nothing-like-it")[0]
    assert problems_of("sub/y.yaml")[0].startswith("sub/y.yaml: no such file")
    for odd in ("", "..", "a\0b", "x" * 5000):
        assert len(problems_of(odd)) == 1


def test_a_file_is_named_as_the_user_would(write: Write, tmp_path: Path) -> None:
    write("[]", "sub/x.yaml")
    assert problems_of("sub/x.yaml")[0].startswith("sub/x.yaml:1:1: a list")
    assert problems_of(str(tmp_path / "sub" / "x.yaml"))[0].startswith("sub/x.yaml:1:1: ")


def test_a_byte_order_mark_is_no_matter(write: Write) -> None:
    write("")
    Path("x.yaml").write_bytes(b"\xef\xbb\xbfnetwork: {widths: [3, 2]}\n" + REST.encode())
    assert load_preset("x.yaml").text == "network: {widths: [3, 2]}\n" + REST


UNREADABLE = {
    "not UTF-8": (b"title: a\n# \xff\n", "x.yaml:2: "),
    "binary": (b"PK\0\1", "no text file"),
    "large": (b"#" * 10_000_000, "1 MB"),
    "empty": (b"", "empty"),
    "a list": (b"- 1\n", "a list"),
    "a word": (b"post", "a single value"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_is_no_preset_is_one_line(write: Write, case: str) -> None:
    content, what = UNREADABLE[case]
    write("")
    Path("x.yaml").write_bytes(content)
    (line,) = problems_of("x.yaml")
    assert what in line
    assert line.startswith("x.yaml:")


def test_folders_and_files_without_access(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("", "sub/x.yaml")
    assert "folder" in problems_of("sub")[0]
    os.symlink("nowhere", "dangling.yaml")
    assert "cannot be read" in problems_of("dangling.yaml")[0]

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        (line,) = problems_of("sub/x.yaml")
    assert "cannot be read: Permission denied" in line


# Every mistake, at its place.

BAD = """\
title: 12
network:
  widths: [3, 4, 2]
  transfer: [relu]
  colour: 1
data: {samples: 3, seed: true}
loss: squarred
slices:
  E1: {layer: 3, orign: zero}
  E2: {u: [1, 4, 1], v: 0}
  E3: {layer: 1, u: 1}
  E4: {u: 1}
  E5: {}
  E6:
  E7: {layer: 1, directions: {file: none.npz}}
  ../E8: {layer: 1}
  E4: {layer: 1}
  E9: {layer: 2, directions: {seed: 1, file: a.npz}}
  E10: {layer: 1, directions: {file: none.npz, scale: gaussian}}
window: {u: [1, -1], v: [0, .inf]}
resolution: [1, 20001]
"""
# Line, what stands at the place, and the message.
EXPECTED = [
    (1, "12", "title: 12 is not text; put it in quotes"),
    (4, "[relu]", "network.transfer: the list has 1, the network 2 layers"),
    (5, "colour", "network.colour: unknown key; known are widths"),
    (6, "true", "data.seed: true is not a whole number"),
    (7, "squarred", "loss: 'squarred' is unknown here; did you mean 'squared'?"),
    (9, "3, orign", "slices.E1.layer: 3 is not a layer; choose 1 or 2"),
    (9, "orign", "slices.E1.orign: unknown key; did you mean 'origin'?"),
    (10, "4, 1]", "slices.E2.u.2: 4 is not a layer; choose 1 or 2"),
    (10, "1], v", "slices.E2.u.3: layer 1 stands twice"),
    (10, "0}", "slices.E2.v: 0 is not a layer; choose 1 or 2"),
    (11, "{layer: 1, u", "slices.E3: layer and u exclude each other"),
    (12, "{u", "slices.E4: u alone is no slice"),
    (13, "{}", "slices.E5: which layer moves?"),
    (14, "", "slices.E6: nothing stands here"),
    (15, "none.npz", "slices.E7.directions.file: none.npz: no such file"),
    (16, "../E8", "slices.../E8: no name for a slice"),
    (17, "E4", "slices.E4: this key stands twice, first in line 12"),
    (18, "{seed", "slices.E9.directions: seed and file exclude each other"),
    (19, "none.npz", "slices.E10.directions.file: none.npz: no such file"),
    (19, "gaussian", "slices.E10.directions.scale: directions of a file"),
    (20, "[1, -1]", "window.u: the upper bound -1 must exceed the lower bound 1"),
    (20, ".inf", "window.v.2: inf is not a finite number"),
    (21, "1, 2", "resolution.1: 1 must be at least 2"),
    (21, "20001", "resolution.2: 20001 must be at most 20000"),
]


def test_every_mistake_at_once_sorted_by_place(write: Write) -> None:
    found = problems_of(write(BAD))
    lines = BAD.splitlines()
    for problem, (line, stands, what) in zip(found, EXPECTED, strict=True):
        column = lines[line - 1].index(stands) + 1 if stands else len(lines[line - 1]) + 1
        assert problem.startswith(f"x.yaml:{line}:{column}: {what}")


ONE_MISTAKE = {
    "no network": ("data: {samples: 1}\nslices: {a: {layer: 1}}", "1:1: missing here: network"),
    "no widths": ("network: {}\n" + REST, "1:10: network: a network needs widths"),
    "no slice": ("network: {widths: [2, 1]}\ndata: {samples: 1}\nslices: {}", "slices: no entry"),
    "no data": ("network: {widths: [2, 1]}\ndata: {}\nslices: {a: {layer: 1}}", "data need"),
    "two sources": (
        "network: {widths: [2, 1]}\ndata: {samples: 1, bundled: iris}\nslices: {a: {layer: 1}}",
        "data: samples and bundled exclude each other",
    ),
    "unknown data": (
        "network: {widths: [4, 3]}\ndata: {bundled: irs}\nslices: {a: {layer: 1}}",
        "did you mean 'iris'? There is ",
    ),
    "other inputs": (
        "network: {widths: [5, 3]}\ndata: {bundled: iris}\nslices: {a: {layer: 1}}",
        "2:17: data.bundled: the data have 4 inputs, the network takes 5",
    ),
    "too wide": ("network: {widths: [20000, 20000]}\n" + REST, "1:19: network.widths: this brings"),
    "too many samples": (
        "network: {widths: [10, 10]}\ndata: {samples: 20000000}\nslices: {a: {layer: 1}}",
        "2:17: data.samples: this brings",
    ),
    "tag": ("network: !!python/object:os.x {widths: [2, 1]}\n" + REST, "network: the tag"),
    "merge": ("network: {<<: {widths: [2, 1]}}\n" + REST, "1:11: network.<<: merge keys"),
    "long title": (f"title: {'x' * 201}\nnetwork: {{widths: [2, 1]}}\n" + REST, "longer than 200"),
    "escape in title": ('title: "\\e[31m"\nnetwork: {widths: [2, 1]}\n' + REST, "control char"),
}


@pytest.mark.parametrize("case", ONE_MISTAKE)
def test_one_mistake_is_one_line(write: Write, case: str) -> None:
    text, what = ONE_MISTAKE[case]
    found = problems_of(write(text))
    (line,) = found
    assert what in line


def test_many_slices_are_counted_together(write: Write) -> None:
    # 2 x 7 x 10^6 numbers of directions for each slice, 15 slices: more than 2 x 10^8.
    names = ", ".join(f"s{i}: {{layer: 1, origin: weights}}" for i in range(15))
    text = "network: {widths: [7000, 1000, 1]}\ndata: {samples: 1}\nloss: squared\nslices: {"
    assert 15 * 2 * 7e6 > MOST_NUMBERS > 13 * 2 * 7e6
    text = text.replace("samples: 1", "bundled: iris")  # nothing is drawn without an objective
    found = problems_of(write(text + names + "}"))
    assert "data.bundled: the data have 4 inputs" in found[0]
    assert "slices.s14: this brings" in found[-1]
    assert not any("slices.s12:" in line for line in found)


BAD_NETS: dict[str, tuple[dict[str, object], str]] = {
    "gap": ({"W1": np.ones((3, 2)), "W3": np.ones((1, 3))}, "no W2; it holds W1 and W3"),
    "no W": ({"weight": np.ones((3, 2))}, "no W1; it holds weight"),
    "biases only": ({"b1": np.ones(3)}, "no W1; it holds b1"),
    "small b": ({"W1": np.ones((1, 2)), "B1": np.ones(1)}, "B1 belongs to no layer"),
    "b too far": ({"W1": np.ones((1, 2)), "b2": np.ones(1)}, "b2 belongs to no layer"),
    "zeros before": ({"W01": np.ones((1, 2))}, "no W1; it holds W01"),
    "a vector": ({"W1": np.ones(2)}, "W1 has shape (2,); it must be (outputs, inputs)"),
    "no fit": ({"W1": np.ones((3, 2)), "W2": np.ones((1, 4))}, "W2 takes 4 inputs"),
    "NaN": ({"W1": np.array([[1.0, np.nan]])}, "not finite"),
    "infinite bias": ({"W1": np.ones((1, 2)), "b1": np.array([np.inf])}, "not finite"),
    "objects": ({"W1": np.array([{}])}, "Python objects"),
    "complex": ({"W1": np.ones((1, 2), complex)}, "complex128"),
    "empty": ({"W1": np.ones((0, 2))}, "shape (0, 2)"),
}


@pytest.mark.parametrize("case", BAD_NETS)
def test_a_file_of_weights_that_will_not_do(write: Write, case: str) -> None:
    arrays, what = BAD_NETS[case]
    source = write("network: {weights: {file: net.npz}}\n" + REST)
    np.savez("net.npz", **arrays)  # type: ignore[arg-type]
    (line,) = problems_of(source)
    assert line.startswith("x.yaml:1:27: network.weights.file: net.npz: ")
    assert what in line


def test_a_file_against_what_the_preset_says(write: Write, files: dict[str, np.ndarray]) -> None:
    text = FILES.replace("transfer:", "widths: [2, 4, 1], biases: false, transfer:")
    widths, biases = problems_of(write(text, "sub/x.yaml"))
    assert widths.startswith("sub/x.yaml:1:45: network.widths: sub/net.npz has widths [2, 3, 1]")
    assert "network.biases: sub/net.npz has biases" in biases


BAD_DATA: dict[str, tuple[dict[str, object], str]] = {
    "names": ({"x": np.ones((3, 2)), "targets": np.ones((3, 1))}, "no inputs; it holds x and targ"),
    "vector": ({"inputs": np.ones((3, 2)), "targets": np.ones(3)}, "targets has shape (3,)"),
    "rows": ({"inputs": np.ones((3, 2)), "targets": np.ones((2, 1))}, "3 rows of inputs but 2"),
    "NaN": ({"inputs": np.full((3, 2), np.nan), "targets": np.ones((3, 1))}, "row 1 of inputs"),
    "outputs": ({"inputs": np.ones((3, 2)), "targets": np.ones((3, 2))}, "2 targets, the network"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_a_file_of_data_that_will_not_do(write: Write, case: str) -> None:
    arrays, what = BAD_DATA[case]
    source = write("network: {widths: [2, 1]}\ndata: {file: d.npz}\nslices: {a: {layer: 1}}")
    np.savez("d.npz", **arrays)  # type: ignore[arg-type]
    (line,) = problems_of(source)
    assert line.startswith("x.yaml:2:14: data.file: ")
    assert what in line


def test_targets_that_do_not_suit_the_loss(write: Write) -> None:
    text = "network: {widths: [2, 1]}\ndata: {file: d.npz}\nloss: logistic\nslices: {a: {layer: 1}}"
    source = write(text)
    np.savez("d.npz", inputs=np.ones((3, 2)), targets=np.full((3, 1), 2))
    (line,) = problems_of(source)
    assert line.startswith("x.yaml:3:7: loss: row 1 of the targets leaves [0, 1]")


BAD_DIRECTIONS: dict[str, tuple[dict[str, object], str]] = {
    "missing": ({"U1": np.ones((1, 2))}, "no V1; it holds U1"),
    "shape": ({"U1": np.ones((1, 2)), "V1": np.ones((2, 1))}, "V1 has shape (2, 1), W1 has (1, 2)"),
    "NaN": ({"U1": np.ones((1, 2)), "V1": np.full((1, 2), np.nan)}, "V1 holds a number that is"),
}


@pytest.mark.parametrize("scale", ["", ", scale: filter"])
@pytest.mark.parametrize("case", BAD_DIRECTIONS)
def test_a_file_of_directions_that_will_not_do(write: Write, case: str, scale: str) -> None:
    arrays, what = BAD_DIRECTIONS[case]
    text = "network: {widths: [2, 1]}\ndata: {samples: 3}\n"
    source = write(text + "slices: {a: {layer: 1, directions: {file: d.npz" + scale + "}}}")
    np.savez("d.npz", **arrays)  # type: ignore[arg-type]
    (line,) = problems_of(source)
    assert line.startswith("x.yaml:3:43: slices.a.directions.file: d.npz: ")
    assert what in line


def test_the_name_of_the_file_must_do_as_a_name(write: Write) -> None:
    (line,) = problems_of(write("network: {widths: [2, 1]}\n" + REST, "my net.yaml"))
    assert line.startswith("my net.yaml:1:1: the file's name is no name for a preset")
    for name in ("a", "a.b", "-", "_1", "A" * 100):
        assert shipped.is_safe_name(name)
    for name in ("", ".", "..", ".a", "a/b", "a\\b", "a b", "a\n", "ä", "A" * 101):
        assert not shipped.is_safe_name(name)


def test_a_hundred_lines_are_enough(write: Write) -> None:
    found = problems_of(write("network: {widths: [" + "x, " * 5000 + "]}\n" + REST))
    assert len(found) == 101
    assert found[-1] == "x.yaml: and 4900 more"


@pytest.mark.parametrize(
    "slices",
    ["'../../evil': {layer: 1}", "'.': {layer: 1}", "'': {layer: 1}", "E: {u: 1}", "E: {}"],
)
def test_a_preset_whose_only_slice_is_wrong(tmp_path: Path, slices: str) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(f"network: {{widths: [2, 1]}}\ndata: {{samples: 3}}\nslices: {{{slices}}}\n")
    with pytest.raises(PresetError) as caught:
        load_preset(file)
    assert "slices" in str(caught.value)


def test_a_window_too_narrow_for_its_place(tmp_path: Path) -> None:
    file = tmp_path / "narrow.yaml"
    file.write_text(
        "network: {widths: [2, 1]}\ndata: {samples: 3}\nslices: {E: {layer: 1}}\n"
        "window: {u: [1, 1.0000000000000002], v: [-1, 1]}\n"
    )
    with pytest.raises(PresetError, match=r"narrow\.yaml:4:9: window: .*too narrow"):
        load_preset(file)


def test_a_pipe_is_no_file_of_arrays(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "net.npz")
    file = tmp_path / "pipe.yaml"
    file.write_text(
        "network: {weights: {file: net.npz}}\ndata: {samples: 3}\nslices: {E: {layer: 1}}\n"
    )
    with pytest.raises(PresetError, match="no regular file"):
        load_preset(file)
